/* HEARTBEAT: the counters of the core, fired on a timer; built only when somebody listens. */
#include "base/clock.h"
#include "core/event/event.h"
#include "core/host/core_i.h"
#include "core/registry/limits.h"
#include "core/value/self.h"
#include "loop/loop.h"
#include <stdio.h>

static struct ltimer timer;
static int64_t interval_us;

static void plural(char *out, size_t n, long v, const char *unit, const char *sep)
{
	snprintf(out, n, "%ld %s%s%s", v, unit, v == 1 ? "" : "s", sep);
}

static ON_CTL void fire(void)
{
	const struct core_counters *c = core_counters();
	int64_t up_us = clock_mono_us() - c->start_mono_us, s = up_us / 1000000;
	char part[7][40];
	struct event *e = event_new(EVENT_HEARTBEAT, NULL);

	if (!e)
		return;
	plural(part[0], sizeof(part[0]), (long)(s / 31536000), "year", ", ");
	plural(part[1], sizeof(part[1]), (long)(s % 31536000 / 86400), "day", ", ");
	plural(part[2], sizeof(part[2]), (long)(s % 86400 / 3600), "hour", ", ");
	plural(part[3], sizeof(part[3]), (long)(s % 3600 / 60), "minute", ", ");
	plural(part[4], sizeof(part[4]), (long)(s % 60), "second", ", ");
	plural(part[5], sizeof(part[5]), (long)(up_us / 1000 % 1000), "millisecond", ", ");
	plural(part[6], sizeof(part[6]), (long)(up_us % 1000), "microsecond", "");
	event_add(e, "Event-Info", "System Ready");
	event_addf(e, "Up-Time", "%s%s%s%s%s%s%s", part[0], part[1], part[2], part[3], part[4], part[5], part[6]);
	event_add(e, "FreeSWITCH-Version", core_version_text());
	event_addf(e, "Uptime-msec", "%lld", (long long)(up_us / 1000));
	event_addf(e, "Session-Count", "%u", c->sessions_now);
	event_addf(e, "Max-Sessions", "%u", core_limits()->max_sessions);
	event_addf(e, "Session-Per-Sec", "%u", core_limits()->sessions_per_second);
	event_addf(e, "Session-Per-Sec-Last", "%u", c->sps_last);
	event_addf(e, "Session-Per-Sec-Max", "%u", c->sps_peak);
	event_addf(e, "Session-Per-Sec-FiveMin", "%u", c->sps_peak_fivemin);
	event_addf(e, "Session-Since-Startup", "%llu", (unsigned long long)c->sessions_since_startup);
	event_addf(e, "Session-Peak-Max", "%u", c->sessions_peak);
	event_addf(e, "Session-Peak-FiveMin", "%u", c->sessions_peak_fivemin);
	event_addf(e, "Idle-CPU", "%f", c->idle_cpu);
	event_fire(e);
}

static void beat(void *arg)
{
	role_assert_ctl();
	if (event_is_wanted(EVENT_HEARTBEAT, NULL))
		fire();
	loop_timer_set(&timer, interval_us, "heartbeat", beat, NULL);
}

void heartbeat_start(unsigned interval_s)
{
	interval_us = clock_us_of_s(interval_s ? interval_s : 20);
	loop_timer_set(&timer, interval_us, "heartbeat", beat, NULL);
}

void heartbeat_stop(void)
{
	loop_timer_cancel(&timer);
}
