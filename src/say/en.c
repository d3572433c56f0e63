/* English, as FreeSWITCH's mod_say_en says it; beyond that signs, fractions and numbers past a thousand million, and
 * the kinds it lacks: extensions, accounts, addresses. */
#include "base/status.h"
#include "say/say_i.h"
#include <stdio.h>

static void add_group(unsigned n, bool is_counted, struct buf *row)
{
	unsigned tens = n / 10 % 10, ones = n % 10;
	const char *h = is_counted ? "h-" : "";

	if (n >= 100) {
		say_add(row, "digits/%u", n / 100);
		say_add(row, "digits/hundred");
	}
	if (tens == 1) {
		say_add(row, "digits/%s1%u", h, ones);
		return;
	}
	if (tens)
		say_add(row, "digits/%s%u0", ones ? "" : h, tens);
	if (ones)
		say_add(row, "digits/%s%u", h, ones);
}

static void count(uint64_t n, bool is_counted, struct buf *row)
{
	static const struct {
		uint64_t unit;
		const char *name;
	} units[] = {{1000000000, "digits/billion"}, {1000000, "digits/million"}, {1000, "digits/thousand"}};

	if (!n) {
		say_add(row, "digits/0");
		return;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (n < units[i].unit)
			continue;
		count(n / units[i].unit, false, row); /* a thousand billion too */
		say_add(row, "%s", units[i].name);
		n %= units[i].unit;
	}
	add_group((unsigned)n, is_counted, row);
}

static void year(uint64_t n, struct buf *row)
{
	uint64_t century = n / 100, rest = n % 100;

	if (!rest || century % 10 == 0 || n > 9999) {
		count(n, false, row);
		return;
	}
	count(century, false, row);
	if (rest < 10)
		say_add(row, "time/oh");
	count(rest, false, row);
}

static int count_one(const struct say_args *args, uint64_t n, struct buf *row)
{
	count(n, args->method == SAY_COUNTED, row);
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
			say_add(row, "currency/minus");
		else if (c != ',' && c != '+')
			return ST_PARSE;
	}
	return text.n ? ST_OK : ST_PARSE;
}

static int number(const struct say_args *args, struct sv text, struct buf *row)
{
	struct say_number n;
	int st;

	if (args->method == SAY_ITERATED)
		return iterated(sv_trim(text), row);
	st = say_number_parse(text, &n);
	if (st)
		return st;
	if (n.is_negative)
		say_add(row, "currency/minus");
	if (args->method == SAY_PRONOUNCED_YEAR)
		year(n.value, row);
	else
		count(n.value, args->method == SAY_COUNTED && !n.fraction.n, row);
	if (n.fraction.n) {
		say_add(row, "digits/point");
		say_digits(n.fraction, row);
	}
	return ST_OK;
}

static void add_amount(const struct say_args *args, struct sv digits, uint64_t n, struct buf *row)
{
	if (args->method == SAY_ITERATED)
		say_digits(digits, row);
	else
		count(n, args->method == SAY_COUNTED, row);
}

static int money(const struct say_args *args, struct sv text, struct buf *row)
{
	struct say_number n;
	char digits[24];
	unsigned cents = 0;
	int st = say_money_parse(text, &n);

	if (st)
		return st;
	snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n.value);
	if (n.is_negative)
		say_add(row, "currency/negative");
	add_amount(args, sv_of(digits), n.value, row);
	say_add(row, n.value == 1 ? "currency/dollar" : "currency/dollars");
	if (!n.fraction.n)
		return ST_OK;
	for (size_t i = 0; i < 2; i++)
		cents = cents * 10 + (i < n.fraction.n ? (unsigned)(n.fraction.p[i] - '0') : 0);
	say_add(row, "currency/and");
	snprintf(digits, sizeof(digits), "%u", cents);
	add_amount(args, sv_of(digits), cents, row);
	say_add(row, cents == 1 ? "currency/cent" : "currency/cents");
	return ST_OK;
}

static void add_unit(uint64_t n, const char *name, struct buf *row)
{
	count(n, false, row);
	say_add(row, "time/%s%s", name, n == 1 ? "" : "s");
}

static int duration(struct sv text, struct buf *row)
{
	struct say_duration d;
	int st = say_duration_parse(text, &d);

	if (st)
		return st;
	add_unit(d.hours, "hour", row);
	add_unit(d.minutes, "minute", row);
	add_unit(d.seconds, "second", row);
	return ST_OK;
}

static void military(const struct tm *tm, struct buf *row)
{
	unsigned hour = !tm->tm_hour && !tm->tm_min ? 24 : (unsigned)tm->tm_hour, minute = (unsigned)tm->tm_min;

	if (hour < 10)
		say_add(row, "digits/0");
	count(hour, false, row);
	if (!minute) {
		say_add(row, "digits/hundred");
	} else {
		if (minute < 10)
			say_add(row, "digits/0");
		count(minute, false, row);
	}
	say_add(row, "time/hours");
}

static void clock_time(const struct tm *tm, struct buf *row)
{
	count(tm->tm_hour % 12 ? (unsigned)tm->tm_hour % 12 : 12, false, row);
	if (!tm->tm_min)
		say_add(row, "time/oclock");
	else if (tm->tm_min < 10)
		say_add(row, "time/oh");
	if (tm->tm_min)
		count((unsigned)tm->tm_min, false, row);
	say_add(row, tm->tm_hour >= 12 ? "time/p-m" : "time/a-m");
}

/* What of the date is said; false: nothing, and no "at" before the time. */
static bool date(const struct say_args *args, const struct tm *tm, const struct tm *now, struct buf *row)
{
	enum say_day day = args->type == SAY_SHORT_DATE_TIME ? say_day_of(tm, now) : SAY_DAY_FAR;

	if (args->type == SAY_CURRENT_TIME)
		return false;
	if (day == SAY_DAY_TODAY || day == SAY_DAY_YESTERDAY) {
		say_add(row, day == SAY_DAY_TODAY ? "time/today" : "time/yesterday");
		return true;
	}
	say_add(row, "time/day-%d", tm->tm_wday);
	if (day == SAY_DAY_WEEK)
		return true;
	say_add(row, "time/mon-%d", tm->tm_mon);
	count((unsigned)tm->tm_mday, true, row);
	if (day == SAY_DAY_FAR)
		year((unsigned)tm->tm_year + 1900u, row);
	return true;
}

static int date_time(const struct say_args *args, struct sv text, struct buf *row)
{
	struct tm tm, now;
	bool has_date;
	int st = say_time_parse(args, text, &tm, &now);

	if (st)
		return st;
	has_date = date(args, &tm, &now, row);
	if (args->type == SAY_CURRENT_DATE)
		return ST_OK;
	if (has_date)
		say_add(row, "time/at");
	if (args->method == SAY_ITERATED)
		military(&tm, row);
	else
		clock_time(&tm, row);
	return ST_OK;
}

int say_en(const struct say_args *args, struct sv text, struct buf *row)
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
		return money(args, text, row);
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
