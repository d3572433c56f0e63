/* What a number is, when it may be called, when again: text and times in, a decision out. A window is found by looking
 * at the local time: of each of the next eight days and each window the beginning, turned into a moment by the zone's
 * offset there, and the earliest counts. */
#include "dialler/rule.h"
#include "base/status.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

int rule_number(struct sv text, const struct rule_plan *plan, char out[RULE_NUMBER_MAX + 1], const char **why)
{
	char digits[2 * RULE_NUMBER_MAX + 1];
	size_t n = 0, from = 0;
	bool is_plus = false;
	text = sv_trim(text);
	if (!text.n) {
		*why = "no number";
		return ST_PARSE;
	}
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		if (c == '+' && !n && !is_plus) {
			is_plus = true;
		} else if (c >= '0' && c <= '9') {
			if (n + 1 == sizeof(digits)) {
				*why = "the number is too long";
				return ST_PARSE;
			}
			digits[n++] = c;
		} else if (!strchr(" .-/()", c) || !c) {
			*why = "not a number";
			return ST_PARSE;
		}
	}
	digits[n] = 0;
	const char *country = plan->country && *plan->country ? plan->country : NULL, *put = "";
	if (country && !is_plus) {
		size_t in = plan->international ? strlen(plan->international) : 0,
		       na = plan->national ? strlen(plan->national) : 0;
		if (in && !strncmp(digits, plan->international, in)) {
			from = in;
		} else if (na && !strncmp(digits, plan->national, na)) {
			from = na;
			put = country;
		}
	}
	size_t total = strlen(put) + n - from;
	if (total < RULE_NUMBER_MIN || total > RULE_NUMBER_MAX) {
		*why = total < RULE_NUMBER_MIN ? "the number is too short" : "the number is too long";
		return ST_PARSE;
	}
	memcpy(out, put, strlen(put));
	memcpy(out + strlen(put), digits + from, n - from + 1);
	return ST_OK;
}

/* ---- windows ---- */

static int day_parse(struct sv t)
{
	static const char *const names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
	for (int i = 0; i < 7; i++)
		if (sv_isi(t, names[i]))
			return i;
	return -1;
}

static int days_parse(struct sv t, uint8_t *out)
{
	struct sv from, to;
	if (sv_isi(t, "daily")) {
		*out = 127;
		return ST_OK;
	}
	bool is_range = sv_split(t, '-', &from, &to);
	int a = day_parse(from), b = is_range ? day_parse(to) : a;
	if (a < 0 || b < 0)
		return ST_PARSE;
	*out = 0;
	for (int d = a;; d = (d + 1) % 7) {
		*out |= (uint8_t)(1 << d);
		if (d == b)
			return ST_OK;
	}
}

static int minute_parse(struct sv t, uint16_t *out)
{
	struct sv hour, minute;
	uint32_t h, m;
	if (!sv_split(t, ':', &hour, &minute) || sv_u32(hour, &h) || sv_u32(minute, &m) || h > 24 || m > 59 ||
	    h * 60 + m > 1440)
		return ST_PARSE;
	*out = (uint16_t)(h * 60 + m);
	return ST_OK;
}

static int add(struct rule_windows *o, uint8_t days, uint16_t begin, uint16_t end)
{
	if (o->count == RULE_WINDOWS_MAX)
		return ST_LIMIT;
	if (begin < end)
		o->w[o->count++] = (struct rule_window){days, begin, end};
	return ST_OK;
}

int rule_windows_parse(struct sv text, struct rule_windows *out)
{
	struct rule_windows o = {.count = 0};
	struct sv one;
	text = sv_trim(text);
	while (text.n) {
		struct sv days, times, from, to;
		uint8_t d;
		uint16_t begin, end;
		sv_split(text, ',', &one, &text);
		one = sv_trim(one);
		if (!sv_split(one, ' ', &days, &times) || !sv_split(sv_trim(times), '-', &from, &to) ||
		    days_parse(days, &d) || minute_parse(sv_trim(from), &begin) || minute_parse(sv_trim(to), &end) ||
		    begin == end)
			return ST_PARSE;
		int st = begin < end ? add(&o, d, begin, end) : add(&o, d, begin, 1440);
		if (!st && begin > end)
			st = add(&o, (uint8_t)((d << 1 | d >> 6) & 127), 0, end);
		if (st)
			return st;
	}
	*out = o;
	return ST_OK;
}

/* The moment of a minute of the local day that is days after that of now; where clocks change it is moved with them. */
static int64_t moment(const struct tz *zone, int64_t now_s, const struct tm *now, int days, int minute)
{
	int64_t t =
	    now_s + (int64_t)days * 86400 + (int64_t)minute * 60 - now->tm_hour * 3600 - now->tm_min * 60 - now->tm_sec;
	struct tm there;
	tz_local(zone, t, &there);
	return t + now->tm_gmtoff - there.tm_gmtoff;
}

int64_t rule_windows_next(const struct rule_windows *w, const struct tz *zone, int64_t now_s)
{
	struct tm now;
	int64_t best = INT64_MAX;
	if (!w->count)
		return now_s;
	tz_local(zone, now_s, &now);
	int minute = now.tm_hour * 60 + now.tm_min;
	for (unsigned i = 0; i < w->count; i++) {
		const struct rule_window *x = &w->w[i];
		for (int d = 0; d <= 7; d++) {
			if (!(x->days >> ((now.tm_wday + d) % 7) & 1))
				continue;
			if (!d && minute >= x->begin_min && minute < x->end_min)
				return now_s;
			if (!d && minute >= x->begin_min)
				continue;
			int64_t t = moment(zone, now_s, &now, d, x->begin_min);
			if (t > now_s && t < best)
				best = t;
			break;
		}
	}
	return best == INT64_MAX ? now_s + 86400 : best;
}

/* ---- again ---- */

const struct rule_retry *rule_retry_find(
    const struct rule_retry *rules, size_t count, const char *result, const char *cause)
{
	const char *const names[] = {cause, result, "default"};
	for (int k = 0; k < 3; k++)
		for (size_t i = 0; names[k] && i < count; i++)
			if (!strcasecmp(rules[i].result, names[k]))
				return &rules[i];
	return NULL;
}

int64_t rule_retry_longest_s(const struct rule_retry *rules, size_t count)
{
	int64_t longest = 0;
	for (size_t i = 0; i < count; i++)
		if (rules[i].after_s > longest)
			longest = rules[i].after_s;
	return longest;
}

/* ---- how many a second ---- */

unsigned rule_rate_get(struct rule_rate *r, int64_t mono_us)
{
	int64_t part = mono_us / 250000;
	unsigned sum = 0;
	for (int64_t p = r->part + 1; p <= part && p <= r->part + RULE_RATE_PARTS; p++)
		r->count[p % RULE_RATE_PARTS] = 0;
	r->part = part;
	for (int i = 0; i < RULE_RATE_PARTS; i++)
		sum += r->count[i];
	return sum;
}

void rule_rate_add(struct rule_rate *r, int64_t mono_us)
{
	(void)rule_rate_get(r, mono_us);
	r->count[r->part % RULE_RATE_PARTS]++;
}

const void *rule_prefix_find(const void *entries, size_t count, size_t each_bytes, const char *number)
{
	const void *best = NULL;
	size_t best_n = 0;
	for (size_t i = 0; i < count; i++) {
		const char *prefix = (const char *)entries + i * each_bytes;
		size_t n = strlen(prefix);
		if ((!best || n > best_n) && !strncmp(prefix, number, n)) {
			best = prefix;
			best_n = n;
		}
	}
	return best;
}
