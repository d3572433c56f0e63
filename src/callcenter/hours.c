/* Each item is read and asked at once: does this minute of this day fall into it? Times that pass midnight belong to
 * the day on which they begin, so the day before is asked too. A holiday stands in place of its weekday. */
#include "callcenter/hours.h"
#include "base/status.h"

#include <strings.h>

enum { DAY_MINUTES = 1440, PARSE_BAD = -1 };

static int minute_read(struct sv text)
{
	struct sv h, m;
	uint32_t hours, minutes;
	if (!sv_split(sv_trim(text), ':', &h, &m) || sv_u32(h, &hours) || sv_u32(m, &minutes) || minutes > 59 ||
	    hours > 24 || hours * 60 + minutes > DAY_MINUTES)
		return PARSE_BAD;
	return (int)(hours * 60 + minutes);
}

/* "08:00-12:00,13:00-18:00": 1 when the minute is in it, which may be one of the next day (1440 and over); 0: not. */
static int times_have(struct sv text, int minute)
{
	bool more = true;
	int found = 0;
	while (more) {
		struct sv one, a, b;
		more = sv_split(text, ',', &one, &text);
		if (!sv_split(sv_trim(one), '-', &a, &b))
			return PARSE_BAD;
		int from = minute_read(a), to = minute_read(b);
		if (from < 0 || to < 0 || from == to)
			return PARSE_BAD;
		if (to < from)
			to += DAY_MINUTES;
		if (minute >= from && minute < to)
			found = 1;
	}
	return found;
}

static int day_read(struct sv text)
{
	static const char *const names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
	for (int i = 0; i < 7; i++)
		if (sv_isi(text, names[i]))
			return i;
	return PARSE_BAD;
}

/* A bit for each day from Sunday; 0: bad. */
static unsigned days_read(struct sv text)
{
	unsigned days = 0;
	bool more = true;
	if (sv_isi(text, "daily"))
		return 0x7f;
	while (more) {
		struct sv one, a, b;
		more = sv_split(text, ',', &one, &text);
		bool is_range = sv_split(one, '-', &a, &b);
		int from = day_read(sv_trim(a)), to = is_range ? day_read(sv_trim(b)) : from;
		if (from < 0 || to < 0)
			return 0;
		for (int d = from;; d = (d + 1) % 7) {
			days |= 1U << d;
			if (d == to)
				break;
		}
	}
	return days;
}

static bool is_item(struct sv *text, struct sv *item, bool *more)
{
	while (*more) {
		*more = sv_split(*text, ';', item, text);
		*item = sv_trim(*item);
		if (item->n)
			return true;
	}
	return false;
}

/* 1: open at that minute of that day, 0: not, PARSE_BAD. */
static int week_has(struct sv hours, int day, int minute)
{
	struct sv item, days, times;
	bool more = true;
	int found = 0;
	while (is_item(&hours, &item, &more)) {
		if (!sv_split(item, ' ', &days, &times))
			return PARSE_BAD;
		unsigned which = days_read(days);
		int is_in = times_have(times, minute);
		if (!which || is_in < 0)
			return PARSE_BAD;
		found |= is_in && (which & 1U << day);
	}
	return found;
}

/* "12-25" or "2026-12-25"; year 0: each. */
static int date_read(struct sv text, uint32_t *year, uint32_t *month, uint32_t *day)
{
	struct sv a, b, c;
	*year = 0;
	if (!sv_split(text, '-', &a, &b))
		return ST_PARSE;
	if (sv_split(b, '-', &b, &c)) {
		if (sv_u32(a, year) || *year < 1970 || *year > 9999)
			return ST_PARSE;
	} else {
		c = b, b = a;
	}
	return sv_u32(b, month) || sv_u32(c, day) || !*month || *month > 12 || !*day || *day > 31 ? ST_PARSE : ST_OK;
}

/* 1: open, 0: closed on that day, 2: no holiday. */
static int holiday_has(struct sv holidays, const struct tm *day, int minute)
{
	struct sv item, date, times;
	bool more = true;
	int found = 2;
	while (is_item(&holidays, &item, &more)) {
		uint32_t y, m, d;
		bool has_times = sv_split(item, ' ', &date, &times);
		int is_in = has_times ? times_have(times, minute) : 0;
		if (date_read(date, &y, &m, &d) || is_in < 0)
			return PARSE_BAD;
		if ((!y || (int)y == day->tm_year + 1900) && (int)m == day->tm_mon + 1 && (int)d == day->tm_mday)
			found = found == 1 ? 1 : is_in;
	}
	return found;
}

static bool day_has(struct sv hours, struct sv holidays, const struct tm *day, int minute)
{
	int holiday = holiday_has(holidays, day, minute);
	if (holiday == 0 || holiday == 1)
		return holiday == 1;
	int week = sv_trim(hours).n ? week_has(hours, day->tm_wday, minute) : minute < DAY_MINUTES;
	return week == 1;
}

int cc_hours_check(struct sv hours)
{
	return week_has(hours, 0, 0) < 0 ? ST_PARSE : ST_OK;
}

int cc_holidays_check(struct sv holidays)
{
	const struct tm day = {.tm_mday = 1};
	return holiday_has(holidays, &day, 0) < 0 ? ST_PARSE : ST_OK;
}

bool cc_hours_are_open(struct sv hours, struct sv holidays, const struct tm *now)
{
	struct tm before = *now;
	int minute = now->tm_hour * 60 + now->tm_min;
	if (week_has(hours, 0, 0) < 0)
		hours = SV_NONE;
	if (cc_holidays_check(holidays))
		holidays = SV_NONE;
	if (day_has(hours, holidays, now, minute))
		return true;
	before.tm_hour = 12;
	before.tm_mday--;
	time_t at = timegm(&before); /* the calendar only: no zone in it */
	(void)gmtime_r(&at, &before);
	return day_has(hours, holidays, &before, minute + DAY_MINUTES);
}
