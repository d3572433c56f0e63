/* Texts that are numbers, durations, dates; and what all languages say alike. */
#include "base/status.h"
#include "say/say_i.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const type_names[SAY_TYPE_COUNT] = {"NUMBER", "ITEMS", "PERSONS", "MESSAGES", "CURRENCY",
    "TIME_MEASUREMENT", "CURRENT_DATE", "CURRENT_TIME", "CURRENT_DATE_TIME", "TELEPHONE_NUMBER", "TELEPHONE_EXTENSION",
    "URL", "IP_ADDRESS", "EMAIL_ADDRESS", "POSTAL_ADDRESS", "ACCOUNT_NUMBER", "NAME_SPELLED", "NAME_PHONETIC",
    "SHORT_DATE_TIME"};
static const char *const method_names[SAY_METHOD_COUNT] = {
    "N/A", "PRONOUNCED", "ITERATED", "COUNTED", "PRONOUNCED_YEAR"};
static const char *const gender_names[SAY_GENDER_COUNT] = {"MASCULINE", "FEMININE", "NEUTER"};

static int name_index(struct sv name, const char *const *names, int count)
{
	for (int i = 0; i < count; i++)
		if (sv_isi(name, names[i]))
			return i;
	return -1;
}

bool say_type_parse(struct sv name, enum say_type *out)
{
	int i = name_index(name, type_names, SAY_TYPE_COUNT);

	if (i >= 0)
		*out = (enum say_type)i;
	return i >= 0;
}

bool say_method_parse(struct sv name, enum say_method *out)
{
	int i = name_index(name, method_names, SAY_METHOD_COUNT);

	if (i >= 0)
		*out = (enum say_method)i;
	return i >= 0;
}

bool say_gender_parse(struct sv name, enum say_gender *out)
{
	int i = name_index(name, gender_names, SAY_GENDER_COUNT);

	if (i >= 0)
		*out = (enum say_gender)i;
	return i >= 0;
}

const struct say_language *say_language_find(const char *name)
{
	static const struct say_language all[] = {{"en", say_en}, {"zh", say_zh}, {"zh_CN", say_zh_CN}};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (!strcasecmp(all[i].name, name))
			return &all[i];
	return NULL;
}

void say_add(struct buf *row, const char *fmt, ...)
{
	va_list ap;

	if (row->n)
		buf_addc(row, '!');
	va_start(ap, fmt);
	buf_vprintf(row, fmt, ap);
	va_end(ap);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

int say_number_parse(struct sv text, struct say_number *out)
{
	struct say_number n = {0};
	size_t i = 0, digit_count = 0, from;

	text = sv_trim(text);
	if (text.n && (text.p[0] == '-' || text.p[0] == '+'))
		n.is_negative = text.p[i++] == '-';
	for (from = i; i < text.n && (is_digit(text.p[i]) || (text.p[i] == ',' && i > from)); i++) {
		if (text.p[i] == ',')
			continue;
		n.value = n.value * 10 + (unsigned)(text.p[i] - '0');
		digit_count += n.value != 0;
		if (digit_count > SAY_DIGITS_MAX)
			return ST_LIMIT;
	}
	if (i == from && (i == text.n || text.p[i] != '.'))
		return ST_PARSE;
	if (i < text.n && text.p[i] == '.') {
		n.fraction = sv_sub(text, i + 1, text.n);
		for (i = 0; i < n.fraction.n; i++)
			if (!is_digit(n.fraction.p[i]))
				return ST_PARSE;
		if (!n.fraction.n)
			return ST_PARSE;
		if (n.fraction.n > SAY_DIGITS_MAX)
			return ST_LIMIT;
	} else if (i < text.n) {
		return ST_PARSE;
	}
	*out = n;
	return ST_OK;
}

int say_money_parse(struct sv text, struct say_number *out)
{
	char kept[40];
	size_t n = 0, fraction_n;
	int st;

	for (size_t i = 0; i < text.n; i++) {
		if (!is_digit(text.p[i]) && !strchr(".+-", text.p[i]))
			continue;
		if (n == sizeof(kept))
			return ST_LIMIT;
		kept[n++] = text.p[i];
	}
	if (n && kept[n - 1] == '.')
		n--;
	st = say_number_parse((struct sv){kept, n}, out);
	if (st)
		return st;
	fraction_n = out->fraction.n;
	out->fraction = SV_NONE;
	if (fraction_n) { /* a view into text instead: the last digits of it are these */
		const char *dot = memchr(text.p, '.', text.n);
		out->fraction = (struct sv){dot + 1, fraction_n};
		for (size_t i = 0; i < fraction_n; i++)
			if (dot + 1 + i >= text.p + text.n || !is_digit(dot[1 + i]))
				return ST_PARSE;
	}
	return ST_OK;
}

int say_duration_parse(struct sv text, struct say_duration *out)
{
	struct sv part[3], rest = sv_trim(text);
	uint32_t n[3] = {0};
	uint64_t seconds;
	size_t count = 0;

	if (sv_find(rest, ':') == rest.n) {
		if (sv_u64(rest, &seconds) || seconds > 1000000000000)
			return ST_PARSE;
		*out = (struct say_duration){seconds / 3600, (unsigned)(seconds / 60 % 60), (unsigned)(seconds % 60)};
		return ST_OK;
	}
	for (bool more = true; more;) {
		if (count == 3)
			return ST_PARSE;
		more = sv_split(rest, ':', &part[count], &rest);
		if (sv_u32(part[count], &n[count]))
			return ST_PARSE;
		count++;
	}
	*out = count == 3 ? (struct say_duration){n[0], n[1], n[2]} : (struct say_duration){0, n[0], n[1]};
	return ST_OK;
}

/* Digit runs of these widths with nothing between them and nothing after. */
static bool scan_fixed(struct sv text, int *out, const int *widths, int count)
{
	size_t at = 0;

	for (int i = 0; i < count; i++) {
		if (at + (size_t)widths[i] > text.n)
			return false;
		out[i] = 0;
		for (int k = 0; k < widths[i]; k++, at++) {
			if (!is_digit(text.p[at]))
				return false;
			out[i] = out[i] * 10 + (text.p[at] - '0');
		}
	}
	return at == text.n;
}

static bool scan_clock(struct sv text, struct tm *tm)
{
	struct sv part;
	uint32_t n[3] = {0};
	size_t count = 0;

	for (bool more = true; more && text.n; count++) {
		if (count == 3)
			return false;
		more = sv_split(text, ':', &part, &text);
		if (sv_u32(part, &n[count]))
			return false;
	}
	if (!count || n[0] > 23 || n[1] > 59 || n[2] > 60)
		return false;
	tm->tm_hour = (int)n[0], tm->tm_min = (int)n[1], tm->tm_sec = (int)n[2];
	return true;
}

static bool scan_date(struct sv text, struct tm *tm)
{
	static const int stamp[] = {4, 2, 2, 2, 2, 2};
	int n[6] = {0};
	struct sv day, clock;
	char date[24];

	if (scan_fixed(text, n, stamp, 6)) {
		tm->tm_hour = n[3], tm->tm_min = n[4], tm->tm_sec = n[5];
	} else {
		sv_split(text, ' ', &day, &clock);
		clock = sv_trim(clock);
		if (day.n >= sizeof(date))
			return false;
		memcpy(date, day.p, day.n);
		date[day.n] = 0;
		char end;
		if (sscanf(date, "%4d-%2d-%2d%c", &n[0], &n[1], &n[2], &end) != 3)
			return false;
		tm->tm_hour = tm->tm_min = tm->tm_sec = 0;
		if (clock.n && !scan_clock(clock, tm))
			return false;
	}
	if (n[0] < 1 || n[1] < 1 || n[1] > 12 || n[2] < 1 || n[2] > 31 || tm->tm_hour > 23 || tm->tm_min > 59)
		return false;
	tm->tm_year = n[0] - 1900, tm->tm_mon = n[1] - 1, tm->tm_mday = n[2];
	return true;
}

static void local_of(const struct say_args *args, int64_t epoch_s, struct tm *out)
{
	time_t t = (time_t)epoch_s;

	if (args->zone)
		tz_local(args->zone, epoch_s, out);
	else if (!localtime_r(&t, out))
		memset(out, 0, sizeof(*out));
}

/* Day of the week and of the year of a date given by its parts. */
static void fill_days(struct tm *tm)
{
	struct tm utc = *tm;
	time_t t = timegm(&utc);

	gmtime_r(&t, tm);
}

int say_time_parse(const struct say_args *args, struct sv text, struct tm *out, struct tm *now_out)
{
	struct tm now;
	uint64_t epoch;

	text = sv_trim(text);
	local_of(args, args->now_s, &now);
	if (now_out)
		*now_out = now;
	if (!text.n || sv_is(text, "0") || sv_isi(text, "now")) {
		*out = now;
		return ST_OK;
	}
	struct tm tm = now;
	if (text.n != 14 && !sv_u64(text, &epoch)) {
		if (epoch > 253402300799) /* the year 9999 */
			return ST_LIMIT;
		local_of(args, (int64_t)epoch, out);
		return ST_OK;
	}
	if (!scan_date(text, &tm) && (sv_find(text, ':') == text.n || !scan_clock(text, &tm)))
		return ST_PARSE;
	fill_days(&tm);
	*out = tm;
	return ST_OK;
}

enum say_day say_day_of(const struct tm *when, const struct tm *now)
{
	struct tm a = {.tm_year = when->tm_year, .tm_mon = when->tm_mon, .tm_mday = when->tm_mday};
	struct tm b = {.tm_year = now->tm_year, .tm_mon = now->tm_mon, .tm_mday = now->tm_mday};
	int64_t days = ((int64_t)timegm(&b) - (int64_t)timegm(&a)) / 86400;

	if (days == 0)
		return SAY_DAY_TODAY;
	if (days == 1)
		return SAY_DAY_YESTERDAY;
	if (days > 1 && days <= 5)
		return SAY_DAY_WEEK;
	return days > 0 && when->tm_year == now->tm_year ? SAY_DAY_YEAR : SAY_DAY_FAR;
}

void say_digits(struct sv digits, struct buf *row)
{
	for (size_t i = 0; i < digits.n; i++)
		say_add(row, "digits/%c", digits.p[i]);
}

int say_spelled(struct sv text, bool is_phonetic, struct buf *row)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)tolower((unsigned char)text.p[i]);
		if (is_digit((char)c))
			say_add(row, "digits/%c", c);
		else if (c >= ' ' && c < 127)
			say_add(row, "%s/%u", is_phonetic ? "phonetic-ascii" : "ascii", c);
	}
	return ST_OK;
}

int say_telephone(struct sv text, struct buf *row)
{
	bool was_gap = false;

	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)tolower((unsigned char)text.p[i]);
		bool is_gap = false;
		if (is_digit((char)c))
			say_add(row, "digits/%c", c);
		else if (strchr("+*#", c) || (c >= 'a' && c <= 'z'))
			say_add(row, "ascii/%u", c);
		else if (!was_gap)
			is_gap = true, say_add(row, "silence_stream://100");
		else
			is_gap = true;
		was_gap = is_gap;
	}
	return ST_OK;
}

static int say_ip6(struct sv text, struct buf *row)
{
	for (size_t i = 0; i < text.n; i++)
		if (!isxdigit((unsigned char)text.p[i]) && text.p[i] != ':' && text.p[i] != '.')
			return ST_PARSE;
	return say_spelled(text, false, row);
}

int say_ip(const struct say_args *args, struct sv text, say_count_fn number, struct buf *row)
{
	struct sv part[4], rest = sv_trim(text);
	uint32_t n[4];

	if (rest.n && rest.n < 46 && sv_find(rest, ':') < rest.n)
		return say_ip6(rest, row);
	for (int i = 0; i < 4; i++) {
		bool more = sv_split(rest, '.', &part[i], &rest);
		if (more != (i < 3) || sv_u32(part[i], &n[i]) || n[i] > 255)
			return ST_PARSE;
	}
	for (int i = 0; i < 4; i++) {
		if (i)
			say_add(row, "digits/dot");
		if (args->method == SAY_ITERATED)
			say_digits(part[i], row);
		else
			number(args, n[i], row);
	}
	return ST_OK;
}
