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
enum { DATE_MAX = 1024, YEAR_MAX = 9999 };
static const int64_t epoch_max = 253402300799; /* 9999-12-31 23:59:59 */

/* Takes "EPOCH|" off the front of a format. */
static const char *take_epoch(const char *text, int64_t *epoch)
{
	const char *bar = strchr(text, '|');
	int64_t n;
	if (!bar || sv_i64((struct sv){text, (size_t)(bar - text)}, &n))
		return text;
	*epoch = n;
	return bar + 1;
}

static int put_date(struct api_call *c, const char *format, const struct tm *tm)
{
	char text[DATE_MAX];
	size_t n = strftime(text, sizeof(text), *format ? format : DEFAULT_FORMAT, tm);
	return buf_add(c->out, text, n);
}

int api_strftime(struct api_call *c)
{
	role_assert_ctl();
	int64_t epoch = clock_wall_us() / 1000000;
	const char *format = take_epoch(c->args, &epoch);
	time_t t = (time_t)(epoch < 0 ? 0 : epoch > epoch_max ? epoch_max : epoch); /* as tz_local does */
	struct tm tm;
	localtime_r(&t, &tm);
	return put_date(c, format, &tm);
}

int api_strftime_tz(struct api_call *c)
{
	role_assert_co();
	char name[128] = "";
	struct tz zone;
	struct tm tm;
	int64_t epoch = clock_wall_us() / 1000000;
	size_t n = strcspn(c->args, " ");
	if (!n)
		return api_strftime(c);
	strncat(name, c->args, n < sizeof(name) ? n : sizeof(name) - 1);
	if (zone_find(name, &zone))
		return api_text(c, "-ERR Invalid timezone/format\n");
	const char *format = take_epoch(c->args + n + strspn(c->args + n, " "), &epoch);
	tz_local(&zone, epoch, &tm);
	return put_date(c, format, &tm);
}

/* "YYYY-MM-DD HH:MM:SS" in local time, or now. */
static int64_t parse_date(const char *text)
{
	struct tm tm = {.tm_isdst = -1, .tm_mday = 1};
	int n = sscanf(
	    text, "%d-%d-%d%*[ T]%d:%d:%d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec);
	if (n < 3)
		return *text ? 0 : clock_wall_us();
	if (tm.tm_year < 0 || tm.tm_year > YEAR_MAX || tm.tm_mon < 0 || tm.tm_mon > YEAR_MAX)
		return 0;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
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
