/* Dates: strftime, strftime_tz, strepoch, strmicroepoch, msleep, time_test, timer_test. Zones come from timezones.conf,
 * else from the system's database. */
#include "api/api_i.h"
#include "base/clock.h"
#include "core/conf/zone.h"
#include "core/registry/api.h"
#include "loop/co.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define DEFAULT_FORMAT "%Y-%m-%d %T"
enum { DATE_MAX = 80, YEAR_MAX = 9999 };       /* a longer date is none */
static const int64_t epoch_max = 253402300799; /* 9999-12-31 23:59:59 */

/* Takes "EPOCH|" off the front of a format. */
static const char *take_epoch(const char *text, int64_t *epoch)
{
	const char *bar = strchr(text, '|');
	if (!bar)
		return text;
	*epoch = str_number(text, -epoch_max, epoch_max);
	return bar + 1;
}

static int put_date(struct api_call *c, const char *format, const struct tm *tm)
{
	char text[DATE_MAX];
	size_t n = strftime(text, sizeof(text), *format ? format : DEFAULT_FORMAT, tm);
	return buf_add(c->out, text, n);
}

/* strftime (not strftime_tz) refuses what is no conversion of C, and then writes nothing. */
static bool is_format(const char *format)
{
	for (const char *p = format; (p = strchr(p, '%')) != NULL; p += 2)
		if (!p[1] || !strchr("CDrRTeaAbBcdHIjmMpSUwWxXyYzZ%", p[1]))
			return false;
	return true;
}

int api_strftime(struct api_call *c)
{
	role_assert_ctl();
	int64_t epoch = clock_wall_us() / 1000000;
	const char *format = take_epoch(c->args, &epoch);
	time_t t = (time_t)(epoch < 0 ? 0 : epoch > epoch_max ? epoch_max : epoch); /* as tz_local does */
	struct tm tm;
	localtime_r(&t, &tm);
	return is_format(format) ? put_date(c, format, &tm) : ST_OK;
}

int api_strftime_tz(struct api_call *c)
{
	role_assert_co();
	char name[128] = "";
	struct tz zone;
	struct tm tm;
	int64_t epoch = 0;
	size_t n = strcspn(c->args, " ");
	strncat(name, c->args, n < sizeof(name) ? n : sizeof(name) - 1);
	if (zone_find(n ? name : "GMT", &zone))
		return api_text(c, "-ERR Invalid timezone/format\n");
	const char *format = take_epoch(c->args + n + (c->args[n] == ' '), &epoch);
	size_t before = c->out->n;
	tz_local(&zone, epoch ? epoch : clock_wall_us() / 1000000, &tm);
	put_date(c, format, &tm);
	return c->out->n > before ? ST_OK : api_text(c, "-ERR Invalid timezone/format\n");
}

/* Takes digits off; at most max of them. False when there were none. */
static bool take_digits(const char **p, size_t max, int *out)
{
	char digits[10] = "";
	size_t n = strspn(*p, "0123456789");
	n = n > max ? max : n;
	strncat(digits, *p, n < sizeof(digits) ? n : sizeof(digits) - 1);
	*out = atoi(digits);
	*p += n;
	return n > 0;
}

/* "H[:M[:S]]" from here on, each of any number of digits, or none. */
static void take_clock(const char **p, struct tm *tm)
{
	take_digits(p, SIZE_MAX, &tm->tm_hour);
	*p += **p == ':';
	take_digits(p, SIZE_MAX, &tm->tm_min);
	*p += **p == ':';
	take_digits(p, SIZE_MAX, &tm->tm_sec);
}

/* "YYYY-MM-DD HH:MM:SS" in local time; "HH:MM:SS" of today; else 1970. */
static int64_t parse_date(const char *text)
{
	time_t now = (time_t)(clock_wall_us() / 1000000);
	const char *p = text;
	struct tm tm;
	if (!*text)
		return clock_wall_us();
	localtime_r(&now, &tm);
	take_clock(&p, &tm);
	if (*p) {
		p = text;
		tm = (struct tm){0};
		if (!take_digits(&p, SIZE_MAX, &tm.tm_year) || *p++ != '-' || !take_digits(&p, SIZE_MAX, &tm.tm_mon) ||
		    *p++ != '-' || !take_digits(&p, SIZE_MAX, &tm.tm_mday))
			return 0;
		p += strspn(p, " \t\n\v\f\r");
		take_clock(&p, &tm);
		if (tm.tm_year > YEAR_MAX || tm.tm_mon > YEAR_MAX)
			return 0;
		tm.tm_year -= 1900;
		tm.tm_mon -= 1;
	}
	tm.tm_isdst = -1;
	return clock_us_of_s(mktime(&tm));
}

int api_strepoch(struct api_call *c)
{
	role_assert_ctl();
	return buf_printf(c->out, "%lld", (long long)(parse_date(c->args) / 1000000));
}

int api_strmicroepoch(struct api_call *c)
{
	role_assert_ctl();
	return buf_printf(c->out, "%lld", (long long)parse_date(c->args));
}

int api_msleep(struct api_call *c)
{
	role_assert_co();
	int64_t ms = 0;
	if (!sv_i64(sv_of(c->args), &ms) && ms > 0)
		co_sleep(clock_us_of_ms(ms > 3600000 ? 3600000 : ms));
	return api_text(c, "+OK");
}

/* How much later than asked a timer of the loop fires: "test N sleep MS MEASURED". */
int api_time_test(struct api_call *c)
{
	role_assert_co();
	struct api_words w;
	int st = api_words_init(&w, c, 2);
	if (!st && w.n < 1) {
		buf_adds(c->out, "parameter missing\n");
	} else if (!st) {
		int64_t ms = atoi(w.w[0]), count = w.n > 1 ? atoi(w.w[1]) : 1, sum = 0;
		ms = ms < 1 ? 1 : ms > 1000 ? 1000 : ms;
		count = count < 1 ? 1 : count > 100 ? 100 : count;
		for (int64_t i = 1; i <= count; i++) {
			int64_t before = clock_mono_us();
			co_sleep(clock_us_of_ms(ms));
			int64_t took = clock_mono_us() - before;
			sum += took;
			buf_printf(c->out, "test %lld sleep %lld %lld\n", (long long)i, (long long)ms,
			    (long long)(took / 1000));
		}
		buf_printf(c->out, "avg %lld\n", (long long)(sum / count / 1000));
	}
	api_words_fini(&w);
	return st;
}

/* How evenly a timer ticks, each tick due a whole number of periods after the first. */
int api_timer_test(struct api_call *c)
{
	role_assert_co();
	struct api_words w;
	int st = api_words_init(&w, c, 3);
	if (st)
		goto out;
	int ms = w.n > 0 ? atoi(w.w[0]) : 20, count = w.n > 1 ? atoi(w.w[1]) : 50;
	if (count < 1 || count > 400)
		count = 50;
	if (ms != 10 && ms != 20 && ms != 30 && ms != 32 && ms != 40 && ms != 60 && ms != 120) {
		const struct api_desc *d = api_find("timer_test");
		buf_printf(c->out, "parameter missing: %s\n", d->syntax);
		goto out;
	}
	if (w.n > 2 && strcasecmp(w.w[2], "soft")) {
		buf_adds(c->out, "Timer Error!\n");
		goto out;
	}
	int64_t start = clock_mono_us(), now = start;
	for (int i = 1; i <= count; i++) {
		int64_t due = start + clock_us_of_ms((int64_t)i * ms);
		if (due > now && co_sleep(due - now))
			break;
		now = clock_mono_us();
	}
	buf_printf(c->out, "Avg: %0.3fms Total Time: %0.3fms\n", (double)(now - start) / 1000 / count,
	    (double)(now - start) / 1000);
out:
	api_words_fini(&w);
	return st;
}
