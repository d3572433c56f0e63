/* Time conditions. Each attribute is a row: how to get the number from the clock, and how its text is compared. Ranges
 * are inclusive, and one whose end is below its start wraps. */
#include "base/check.h"
#include "dialplan/dialplan_i.h"
#include <stdio.h>
#include <string.h>

static int value_year(const struct tm *t)
{
	return t->tm_year + 1900;
}
static int value_yday(const struct tm *t)
{
	return t->tm_yday + 1;
}
static int value_mon(const struct tm *t)
{
	return t->tm_mon + 1;
}
static int value_mday(const struct tm *t)
{
	return t->tm_mday;
}
static int value_week(const struct tm *t)
{
	return t->tm_yday / 7 + 1;
}
static int value_wday(const struct tm *t)
{
	return t->tm_wday + 1;
}
static int value_hour(const struct tm *t)
{
	return t->tm_hour;
}
static int value_minute(const struct tm *t)
{
	return t->tm_min;
}
static int value_minute_of_day(const struct tm *t)
{
	return t->tm_hour * 60 + t->tm_min + 1;
}
static int value_time_of_day(const struct tm *t)
{
	return t->tm_hour * 3600 + t->tm_min * 60 + t->tm_sec;
}
static int value_tz_offset(const struct tm *t)
{
	return (int)(t->tm_gmtoff / 3600);
}
static int value_dst(const struct tm *t)
{
	return t->tm_isdst > 0;
}

/* The calendar week of the month, weeks starting on Sunday: 1 to 6. */
static int value_mweek(const struct tm *t)
{
	int first_wday = ((t->tm_wday - (t->tm_mday - 1)) % 7 + 7) % 7;
	return (t->tm_mday - 1 + first_wday) / 7 + 1;
}

/* A number at the start of *v, like atoi: what follows the digits is dropped. */
static bool read_int(struct sv v, int *out)
{
	bool is_negative = v.n && *v.p == '-';
	int n = 0;
	size_t i = is_negative;

	if (i >= v.n || v.p[i] < '0' || v.p[i] > '9')
		return false;
	for (; i < v.n && v.p[i] >= '0' && v.p[i] <= '9'; i++)
		n = n < 100000000 ? n * 10 + (v.p[i] - '0') : n;
	*out = is_negative ? -n : n;
	return true;
}

static bool read_wday(struct sv v, int *out)
{
	static const char *const names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
	for (int i = 0; i < 7; i++)
		if (sv_startsi(v, sv_of(names[i]))) {
			*out = i + 1;
			return true;
		}
	return read_int(v, out);
}

/* HH:MM[:SS] in seconds. */
static bool read_clock(struct sv v, int *out)
{
	struct sv head, rest = v;
	int part[3] = {0, 0, 0};

	for (int i = 0; i < 3 && rest.n; i++) {
		sv_split(rest, ':', &head, &rest);
		if (!read_int(sv_trim(head), &part[i]) || part[i] < 0 || part[i] > (i ? 59 : 24))
			return false;
	}
	*out = part[0] * 3600 + part[1] * 60 + part[2];
	return v.n > 0;
}

/* A comma list of values and ranges a-b. */
static bool list_match(struct sv list, int value, bool (*read)(struct sv v, int *out))
{
	struct sv item, from, to;
	int low, high;

	while (list.n) {
		sv_split(list, ',', &item, &list);
		item = sv_trim(item);
		bool is_range = sv_split(item, '-', &from, &to);
		if (!read(sv_trim(is_range ? from : item), &low))
			continue;
		high = low;
		if (is_range && !read(sv_trim(to), &high))
			continue;
		if (low <= high ? value >= low && value <= high : value >= low || value <= high)
			return true;
	}
	return false;
}

static bool match_numbers(struct sv text, int value, const struct tm *now)
{
	return list_match(text, value, read_int);
}

static bool match_wdays(struct sv text, int value, const struct tm *now)
{
	return list_match(text, value, read_wday);
}

static bool match_clock(struct sv text, int value, const struct tm *now)
{
	return list_match(text, value, read_clock);
}

static bool match_offset(struct sv text, int value, const struct tm *now)
{
	int want;
	text = sv_trim(text);
	if (text.n && *text.p == '+')
		text = sv_sub(text, 1, text.n);
	return read_int(text, &want) && want == value;
}

static bool match_truth(struct sv text, int value, const struct tm *now)
{
	char word[16] = "";
	memcpy(word, text.p, text.n < sizeof word - 1 ? text.n : sizeof word - 1);
	return str_is_true(word) == (value != 0);
}

/* "YYYY-MM-DD[ HH:MM[:SS]]" as a number that orders like the dates do. */
static bool read_date(struct sv v, bool is_end, int64_t *out)
{
	struct sv date, clock, head, rest;
	int part[3] = {0, 1, 1}, seconds = is_end ? 86399 : 0;

	v = sv_trim(v);
	sv_split(v, ' ', &date, &clock);
	rest = date;
	for (int i = 0; i < 3; i++) {
		sv_split(rest, '-', &head, &rest);
		if (!read_int(head, &part[i]))
			return false;
	}
	clock = sv_trim(clock);
	if (clock.n && !read_clock(clock, &seconds))
		return false;
	*out = (((int64_t)part[0] * 13 + part[1]) * 32 + part[2]) * 86401 + seconds;
	return true;
}

static bool match_dates(struct sv list, int value, const struct tm *now)
{
	int64_t at = (((int64_t)(now->tm_year + 1900) * 13 + now->tm_mon + 1) * 32 + now->tm_mday) * 86401 +
	             value_time_of_day(now);
	struct sv item, from, to;
	int64_t low, high;

	while (list.n) {
		sv_split(list, ',', &item, &list);
		bool is_range = sv_split(item, '~', &from, &to);
		if (!read_date(from, false, &low) || !read_date(is_range ? to : from, true, &high))
			continue;
		if (at >= low && at <= high)
			return true;
	}
	return false;
}

/* ---- what can never be ---- */

/* What read_int and its like drop behind the number is a mistake. */
static bool is_clean(struct sv v)
{
	for (size_t i = v.n && (*v.p == '-' || *v.p == '+'); i < v.n; i++)
		if ((v.p[i] < '0' || v.p[i] > '9') && v.p[i] != ':')
			return false;
	return v.n > 0;
}

static bool can_number(struct sv v, int low, int high)
{
	int n;
	v = sv_trim(v);
	return is_clean(v) && read_int(v, &n) && n >= low && n <= high;
}

static bool can_wday(struct sv v, int low, int high)
{
	int n;
	v = sv_trim(v);
	return read_wday(v, &n) && n >= low && n <= high && (!(v.n && *v.p >= '0' && *v.p <= '9') || is_clean(v));
}

static bool can_clock(struct sv v, int low, int high)
{
	int n;
	v = sv_trim(v);
	return is_clean(v) && sv_find(v, ':') < v.n && read_clock(v, &n) && n >= low && n <= high;
}

static bool can_date(struct sv v, int low, int high)
{
	static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	struct sv date, clock, year, month, day, rest;
	int m, d;

	v = sv_trim(v);
	bool has_clock = sv_split(v, ' ', &date, &clock);
	if (!sv_split(date, '-', &year, &rest) || !sv_split(rest, '-', &month, &day))
		return false;
	return can_number(year, low, high) && is_clean(month) && read_int(month, &m) && m >= 1 && m <= 12 &&
	       is_clean(day) && read_int(day, &d) && d >= 1 && d <= days[m - 1] &&
	       (!has_clock || can_clock(clock, 0, 86400));
}

static bool can_offset(struct sv v, int low, int high)
{
	v = sv_trim(v);
	return can_number(v.n && *v.p == '+' ? sv_sub(v, 1, v.n) : v, low, high);
}

static const struct {
	const char *name;
	int (*value)(const struct tm *t);
	bool (*match)(struct sv text, int value, const struct tm *now);
	bool (*can)(struct sv v, int low, int high); /* NULL: any word */
	int low, high;
	char range; /* between the ends of a range; 0: there are none, and no lists */
} rows[DPT_COUNT] = {
    [DPT_TZ_OFFSET] = {"tz-offset", value_tz_offset, match_offset, can_offset, -12, 14, 0},
    [DPT_DST] = {"dst", value_dst, match_truth, NULL, 0, 0, 0},
    [DPT_DATE_TIME] = {"date-time", value_year, match_dates, can_date, 1, 9999, '~'},
    [DPT_YEAR] = {"year", value_year, match_numbers, can_number, 1970, 9999, '-'},
    [DPT_YDAY] = {"yday", value_yday, match_numbers, can_number, 1, 366, '-'},
    [DPT_MON] = {"mon", value_mon, match_numbers, can_number, 1, 12, '-'},
    [DPT_MDAY] = {"mday", value_mday, match_numbers, can_number, 1, 31, '-'},
    [DPT_WEEK] = {"week", value_week, match_numbers, can_number, 1, 53, '-'},
    [DPT_MWEEK] = {"mweek", value_mweek, match_numbers, can_number, 1, 6, '-'},
    [DPT_WDAY] = {"wday", value_wday, match_wdays, can_wday, 1, 7, '-'},
    [DPT_HOUR] = {"hour", value_hour, match_numbers, can_number, 0, 23, '-'},
    [DPT_MINUTE] = {"minute", value_minute, match_numbers, can_number, 0, 59, '-'},
    [DPT_MINUTE_OF_DAY] = {"minute-of-day", value_minute_of_day, match_numbers, can_number, 1, 1440, '-'},
    [DPT_TIME_OF_DAY] = {"time-of-day", value_time_of_day, match_clock, can_clock, 0, 86400, '-'},
};

const char *const *dp_time_names(void)
{
	static const char *const names[DPT_COUNT + 1] = {"tz-offset", "dst", "date-time", "year", "yday", "mon", "mday",
	    "week", "mweek", "wday", "hour", "minute", "minute-of-day", "time-of-day", NULL};
	return names;
}

/* The first part of the list that can never be; n 0: all can. */
static struct sv impossible_part(int i, struct sv list)
{
	struct sv item = list, from, to;
	int64_t low, high;

	if (!rows[i].range)
		return rows[i].can(list, rows[i].low, rows[i].high) ? SV_NONE : list;
	while (list.n) {
		sv_split(list, ',', &item, &list);
		bool is_range = sv_split(item, rows[i].range, &from, &to);
		if (!rows[i].can(is_range ? from : item, rows[i].low, rows[i].high) ||
		    (is_range && !rows[i].can(to, rows[i].low, rows[i].high)))
			return item;
		if (i == DPT_DATE_TIME && is_range && read_date(from, false, &low) && read_date(to, true, &high) &&
		    low > high)
			return item; /* dates do not wrap */
	}
	return SV_NONE;
}

const char *dp_time_impossible(const struct xml_node *node, char value[60])
{
	for (int i = 0; i < DPT_COUNT; i++) {
		const char *text = xml_attr(node, rows[i].name);
		struct sv part;
		if (!text || !rows[i].can || strchr(text, '$'))
			continue;
		part = impossible_part(i, sv_of(text));
		if (!part.n && *text)
			continue;
		snprintf(value, 60, "%.*s", (int)(part.n < 59 ? part.n : 59), part.n ? part.p : "");
		return rows[i].name;
	}
	return NULL;
}

bool dp_time_read(struct dp_time *t, const struct xml_node *condition)
{
	bool has_any = false;
	for (int i = 0; i < DPT_COUNT; i++) {
		t->attr[i] = xml_attr(condition, rows[i].name);
		has_any = has_any || t->attr[i];
	}
	return has_any;
}

bool dp_time_match(const struct dp_time *t, const struct tm *now)
{
	for (int i = 0; i < DPT_COUNT; i++)
		if (t->attr[i] && !rows[i].match(sv_of(t->attr[i]), rows[i].value(now), now))
			return false;
	return true;
}
