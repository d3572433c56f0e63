/* Chinese, with the prompt names of FreeSWITCH's mod_say_zh: digits/10000 is wan, digits/100000000 yi, time/2s liang.
 * Larger numbers, signs, fractions and the kinds that module lacks are added; its seconds of a duration are the seconds
 * here (it says the hours again). */
#include "base/status.h"
#include "say/say_i.h"
#include <stdio.h>

/* 1 to 9,999. is_gap: digits that are zero lie between what was said and this. */
static void add_group(unsigned n, bool is_gap, struct buf *row)
{
	static const unsigned units[] = {1000, 100, 10, 1};
	bool is_begun = false;

	for (int i = 0; i < 4; i++) {
		unsigned digit = n / units[i] % 10;
		if (!digit) {
			is_gap = is_gap || is_begun;
			continue;
		}
		if (is_gap)
			say_add(row, "digits/0");
		/* ten has no one before it, except after hundreds */
		if (digit != 1 || units[i] != 10 || n / 100 % 10)
			say_add(row, "digits/%u", digit);
		if (units[i] > 1)
			say_add(row, "digits/%u", units[i]);
		is_gap = false;
		is_begun = true;
	}
}

static void count(uint64_t n, struct buf *row)
{
	bool has_front = n >= 100000000;
	unsigned wan;

	if (!n)
		say_add(row, "digits/0");
	if (has_front) {
		count(n / 100000000, row);
		say_add(row, "digits/100000000");
	}
	wan = (unsigned)(n % 100000000 / 10000);
	n %= 10000;
	if (wan) {
		add_group(wan, has_front && wan < 1000, row);
		say_add(row, "digits/10000");
	}
	if (n)
		add_group((unsigned)n, wan ? n < 1000 : has_front, row);
}

static int count_one(const struct say_args *args, uint64_t n, struct buf *row)
{
	count(n, row);
	return ST_OK;
}

static int iterated(struct sv text, struct buf *row)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		if (c >= '0' && c <= '9')
			say_add(row, "digits/%c", c);
		else if (c == '.')
			say_add(row, "digits/point");
		else if (c == '-' && !i)
			say_add(row, "currency/negative");
		else if (c != ',' && c != '+')
			return ST_PARSE;
	}
	return text.n ? ST_OK : ST_PARSE;
}

static int number(const struct say_args *args, struct sv text, struct buf *row)
{
	struct say_number n;
	char digits[24];
	int st;

	if (args->method == SAY_ITERATED)
		return iterated(sv_trim(text), row);
	st = say_number_parse(text, &n);
	if (st)
		return st;
	if (args->method == SAY_COUNTED)
		say_add(row, "digits/ordinal");
	if (n.is_negative)
		say_add(row, "currency/negative");
	if (args->method == SAY_PRONOUNCED_YEAR) {
		snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n.value);
		say_digits(sv_of(digits), row);
	} else {
		count(n.value, row);
	}
	if (n.fraction.n) {
		say_add(row, "digits/point");
		say_digits(n.fraction, row);
	}
	return ST_OK;
}

/* Dollars and cents: the cents are always told. */
static int dollars(const struct say_args *args, struct sv text, struct buf *row)
{
	struct say_number n;
	unsigned cents = 0;
	int st = say_money_parse(text, &n);

	if (st)
		return st;
	if (n.is_negative)
		say_add(row, "currency/negative");
	count(n.value, row);
	say_add(row, "currency/dollar");
	for (size_t i = 0; i < 2; i++)
		cents = cents * 10 + (i < n.fraction.n ? (unsigned)(n.fraction.p[i] - '0') : 0);
	count(cents, row);
	say_add(row, "currency/cent");
	return ST_OK;
}

/* Yuan, then each digit with its own unit. */
static int yuan(const struct say_args *args, struct sv text, struct buf *row)
{
	static const char *const units[] = {"jiao", "fen", "li"};
	struct say_number n;
	int st = say_money_parse(text, &n);

	if (st)
		return st;
	if (n.is_negative)
		say_add(row, "currency/negative");
	count(n.value, row);
	say_add(row, "currency/yuan");
	for (size_t i = 0; i < n.fraction.n; i++) {
		say_add(row, "digits/%c", n.fraction.p[i]);
		if (i < sizeof(units) / sizeof(units[0]))
			say_add(row, "currency/%s", units[i]);
	}
	return ST_OK;
}

/* Two of something countable is liang, not er. */
static void add_unit(uint64_t n, const char *name, struct buf *row)
{
	if (n == 2)
		say_add(row, "time/2s");
	else
		count(n, row);
	say_add(row, "time/%s", name);
}

static int duration(struct sv text, struct buf *row)
{
	struct say_duration d;
	int st = say_duration_parse(text, &d);

	if (st)
		return st;
	if (d.hours)
		add_unit(d.hours, "hours", row);
	if (d.hours || d.minutes)
		add_unit(d.minutes, "minute", row);
	add_unit(d.seconds, "seconds", row);
	return ST_OK;
}

static void date(const struct say_args *args, const struct tm *tm, const struct tm *now, struct buf *row)
{
	enum say_day day = args->type == SAY_SHORT_DATE_TIME ? say_day_of(tm, now) : SAY_DAY_FAR;
	char digits[16];

	if (args->type == SAY_CURRENT_TIME)
		return;
	if (day == SAY_DAY_TODAY || day == SAY_DAY_YESTERDAY) {
		say_add(row, day == SAY_DAY_TODAY ? "time/today" : "time/yesterday");
		return;
	}
	if (day == SAY_DAY_FAR) {
		snprintf(digits, sizeof(digits), "%d", tm->tm_year + 1900);
		say_digits(sv_of(digits), row);
		say_add(row, "time/year");
	}
	if (day != SAY_DAY_WEEK) {
		count((unsigned)tm->tm_mon + 1, row);
		say_add(row, "time/month");
		count((unsigned)tm->tm_mday, row);
		say_add(row, "time/day");
	}
	say_add(row, "time/day-%d", tm->tm_wday);
}

static void clock_time(const struct tm *tm, struct buf *row)
{
	unsigned hour = tm->tm_hour % 12 ? (unsigned)tm->tm_hour % 12 : 12;

	say_add(row, "time/%s",
	    tm->tm_hour < 6    ? "morning"
	    : tm->tm_hour < 12 ? "am"
	    : tm->tm_hour < 18 ? "pm"
	                       : "evening");
	add_unit(hour, "hour", row);
	add_unit((unsigned)tm->tm_min, "minute", row);
}

static int date_time(const struct say_args *args, struct sv text, struct buf *row)
{
	struct tm tm, now;
	int st = say_time_parse(args, text, &tm, &now);

	if (st)
		return st;
	date(args, &tm, &now, row);
	if (args->type != SAY_CURRENT_DATE)
		clock_time(&tm, row);
	return ST_OK;
}

static int say(const struct say_args *args, struct sv text, bool is_yuan, struct buf *row)
{
	if (text.n > SAY_TEXT_MAX)
		return ST_LIMIT;
	switch (args->type) {
	case SAY_NUMBER:
	case SAY_ITEMS:
	case SAY_PERSONS:
	case SAY_MESSAGES:
		return number(args, text, row);
	case SAY_CURRENCY:
		return is_yuan ? yuan(args, text, row) : dollars(args, text, row);
	case SAY_TIME_MEASUREMENT:
		return duration(text, row);
	case SAY_CURRENT_DATE:
	case SAY_CURRENT_TIME:
	case SAY_CURRENT_DATE_TIME:
	case SAY_SHORT_DATE_TIME:
		return date_time(args, text, row);
	case SAY_IP_ADDRESS:
		return say_ip(args, text, count_one, row);
	case SAY_TELEPHONE_NUMBER:
	case SAY_TELEPHONE_EXTENSION:
		return say_telephone(text, row);
	case SAY_NAME_PHONETIC:
		return say_spelled(text, true, row);
	case SAY_NAME_SPELLED:
	case SAY_ACCOUNT_NUMBER:
	case SAY_URL:
	case SAY_EMAIL_ADDRESS:
	case SAY_POSTAL_ADDRESS:
		return say_spelled(text, false, row);
	default:
		return ST_UNSUPPORTED;
	}
}

int say_zh(const struct say_args *args, struct sv text, struct buf *row)
{
	return say(args, text, false, row);
}

int say_zh_CN(const struct say_args *args, struct sv text, struct buf *row)
{
	return say(args, text, true, row);
}
