/* A rate deck out of a CSV file, line by line: a bad line is told with its number and why, the others count. Values in
 * double quotes may hold commas; no value holds a line's end. Reads nothing but the text that it is given. */
#include "base/status.h"
#include "billing/rate.h"

#include <stdio.h>
#include <string.h>

enum column {
	C_PREFIX,
	C_RATE,
	C_CONNECT,
	C_MINIMUM,
	C_INCREMENT,
	C_FREE,
	C_TAX,
	C_DAYS,
	C_BEGIN,
	C_END,
	C_FROM,
	C_TO,
	C_COUNT
};
static const char *const names[C_COUNT] = {
    "prefix", "rate", "connect", "minimum", "increment", "free", "tax", "days", "begin", "end", "from", "to"};
enum { COLUMNS_MAX = 32 };

/* The next value of a line; false: none is left. */
static bool value_next(struct sv *rest, bool *is_more, struct sv *out)
{
	if (!*is_more)
		return false;
	struct sv t = *rest;
	size_t end;
	if (t.n && *t.p == '"') {
		size_t close = sv_find(sv_sub(t, 1, t.n - 1), '"');
		if (close < t.n - 1) {
			*out = sv_sub(t, 1, close);
			t = sv_sub(t, close + 2, t.n - close - 2);
			end = sv_find(t, ',');
			*is_more = end < t.n;
			*rest = *is_more ? sv_sub(t, end + 1, t.n - end - 1) : SV_NONE;
			return true;
		}
	}
	end = sv_find(t, ',');
	if (end > t.n)
		end = t.n;
	*out = sv_trim(sv_sub(t, 0, end));
	*is_more = end < t.n;
	*rest = *is_more ? sv_sub(t, end + 1, t.n - end - 1) : SV_NONE;
	return true;
}

static int minute_parse(struct sv t, uint16_t *out)
{
	uint32_t h, m;
	size_t colon = sv_find(t, ':');
	if (colon >= t.n || sv_u32(sv_sub(t, 0, colon), &h) || sv_u32(sv_sub(t, colon + 1, t.n - colon - 1), &m) ||
	    h > 24 || m > 59 || h * 60 + m > 1440)
		return ST_PARSE;
	*out = (uint16_t)(h * 60 + m);
	return ST_OK;
}

static int days_parse(struct sv t, uint8_t *out)
{
	uint8_t days = 0;
	for (size_t i = 0; i < t.n; i++) {
		int from = t.p[i] - '0', to = from;
		if (i + 2 < t.n && t.p[i + 1] == '-') {
			to = t.p[i + 2] - '0';
			i += 2;
		}
		if (from < 1 || to > 7 || from > to)
			return ST_PARSE;
		for (int d = from; d <= to; d++)
			days |= (uint8_t)(1 << (d - 1));
	}
	*out = days;
	return days ? ST_OK : ST_PARSE;
}

static int price_parse(struct sv t, int64_t *out)
{
	int64_t v;
	int st = rate_money_parse(t, &v);
	if (!st && v < 0)
		st = ST_LIMIT;
	if (!st)
		*out = v;
	return st;
}

static int seconds_parse(struct sv t, uint32_t least, uint32_t *out)
{
	uint32_t v;
	if (sv_u32(t, &v) || v < least || v > 86400)
		return ST_PARSE;
	*out = v;
	return ST_OK;
}

static int value_parse(enum column c, struct sv t, struct rate *r, struct sv *prefix)
{
	int64_t n;
	int st;
	switch (c) {
	case C_PREFIX:
		for (size_t i = 0; i < t.n; i++)
			if (t.p[i] < '0' || t.p[i] > '9')
				return ST_PARSE;
		*prefix = t;
		return t.n && t.n <= RATE_DIGITS_MAX ? ST_OK : ST_PARSE;
	case C_RATE:
		return price_parse(t, &r->per_minute);
	case C_CONNECT:
		return price_parse(t, &r->connect);
	case C_MINIMUM:
		return seconds_parse(t, 0, &r->minimum_s);
	case C_INCREMENT:
		return seconds_parse(t, 1, &r->increment_s);
	case C_FREE:
		return seconds_parse(t, 0, &r->free_s);
	case C_TAX: /* per cent with four decimals is millionths exactly */
		st = rate_money_parse(t, &n);
		if (st || n < 0 || n > 10000000)
			return ST_PARSE;
		r->tax_ppm = (uint32_t)n;
		return ST_OK;
	case C_DAYS:
		return days_parse(t, &r->days);
	case C_BEGIN:
		return minute_parse(t, &r->begin_min);
	case C_END:
		return minute_parse(t, &r->end_min);
	case C_FROM:
		return sv_i64(t, &r->from_s);
	default:
		return sv_i64(t, &r->to_s);
	}
}

static int head_read(struct sv line, int columns[COLUMNS_MAX], size_t *count)
{
	bool is_more = true, has[C_COUNT] = {false};
	struct sv v;
	for (*count = 0; value_next(&line, &is_more, &v); (*count)++) {
		if (*count == COLUMNS_MAX)
			return ST_PARSE;
		columns[*count] = -1;
		for (int c = 0; c < C_COUNT; c++)
			if (sv_isi(v, names[c])) {
				if (has[c])
					return ST_PARSE;
				has[c] = true;
				columns[*count] = c;
			}
		if (columns[*count] < 0)
			return ST_PARSE;
	}
	return has[C_PREFIX] && has[C_RATE] ? ST_OK : ST_PARSE;
}

static void line_read(unsigned number, struct sv line, const int *columns, size_t count, const struct rate_csv *to)
{
	struct rate r = {.increment_s = 1, .days = 127, .end_min = 1440};
	struct sv prefix = SV_NONE, v;
	bool is_more = true, has_rate = false;
	char why[80];
	size_t i = 0;
	for (; value_next(&line, &is_more, &v); i++) {
		if (i == count) {
			to->bad(number, "more values than columns", to->arg);
			return;
		}
		enum column c = (enum column)columns[i];
		has_rate |= c == C_RATE && v.n;
		if (v.n && value_parse(c, v, &r, &prefix)) {
			snprintf(why, sizeof(why), "%s is no value of that kind", names[c]);
			to->bad(number, why, to->arg);
			return;
		}
	}
	if (!prefix.n || !has_rate)
		to->bad(number, prefix.n ? "no rate" : "no prefix", to->arg);
	else if (r.to_s && r.to_s <= r.from_s)
		to->bad(number, "to is not after from", to->arg);
	else
		to->ok(number, prefix, &r, to->arg);
}

int rate_csv_read(struct sv text, const struct rate_csv *to)
{
	int columns[COLUMNS_MAX];
	size_t count = 0;
	for (unsigned number = 1; text.n; number++) {
		size_t end = sv_find(text, '\n');
		if (end > text.n)
			end = text.n;
		struct sv line = sv_trim(sv_sub(text, 0, end));
		text = end < text.n ? sv_sub(text, end + 1, text.n - end - 1) : SV_NONE;
		if (number == 1 && head_read(line, columns, &count)) {
			to->bad(1,
			    "the first line names the columns: prefix, rate and others that are known, each once",
			    to->arg);
			return ST_PARSE;
		}
		if (number > 1 && line.n)
			line_read(number, line, columns, count, to);
	}
	return count ? ST_OK : ST_PARSE;
}
