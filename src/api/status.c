/* What the server says about itself: status, version, uptime, hostname, switchname, help, memory, getcputime. The texts
 * keep FreeSWITCH's forms, its name included, because clients parse them. */
#include "api/api_i.h"
#include "base/clock.h"
#include "core/conf/config.h"
#include "core/registry/api.h"
#include "core/registry/limits.h"
#include "core/registry/module.h"
#include "core/registry/ready.h"
#include "core/value/self.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/time.h>

void api_uptime(struct uptime_parts *out)
{
	uint64_t us = (uint64_t)(clock_mono_us() - core_counters()->start_mono_us);
	uint64_t s = us / 1000000;
	*out = (struct uptime_parts){.years = (unsigned)(s / 31536000),
	    .days = (unsigned)(s / 86400 % 365),
	    .hours = (unsigned)(s / 3600 % 24),
	    .minutes = (unsigned)(s / 60 % 60),
	    .seconds = (unsigned)(s % 60),
	    .ms = (unsigned)(us / 1000 % 1000),
	    .us = (unsigned)(us % 1000)};
}

bool api_is_ready(void)
{
	const struct core_limits *l = core_limits();
	return !core_ready_held() && !l->is_shutting_down && !l->is_paused_inbound && !l->is_paused_outbound;
}

const char *api_version_human(void)
{
	static char text[128];
	const char *v = core_version_text(), *tilde = strchr(v, '~');
	snprintf(text, sizeof(text), "%.*s%s%s", tilde ? (int)(tilde - v) : (int)strlen(v), v, tilde ? "  " : "",
	    tilde ? tilde + 1 : "");
	return text;
}

static void add_unit(struct buf *out, unsigned n, const char *unit, const char *end)
{
	buf_printf(out, "%u %s%s%s", n, unit, n == 1 ? "" : "s", end);
}

static void add_notice(const char *name, const char *value, void *arg)
{
	if (!strncmp(name, "tandem_notice_", 14) && value && *value)
		buf_printf(arg, "%s\n", value);
}

int api_status(struct api_call *c)
{
	role_assert_ctl();
	const struct core_counters *n = core_counters();
	const struct core_limits *l = core_limits();
	struct uptime_parts up;
	struct rlimit stack = {0};
	api_uptime(&up);
	buf_adds(c->out, "UP ");
	add_unit(c->out, up.years, "year", ", ");
	add_unit(c->out, up.days, "day", ", ");
	add_unit(c->out, up.hours, "hour", ", ");
	add_unit(c->out, up.minutes, "minute", ", ");
	add_unit(c->out, up.seconds, "second", ", ");
	add_unit(c->out, up.ms, "millisecond", ", ");
	add_unit(c->out, up.us, "microsecond", "\n");
	buf_printf(
	    c->out, "FreeSWITCH (Version %s) is %s\n", api_version_human(), api_is_ready() ? "ready" : "not ready");
	buf_printf(c->out, "%llu session(s) since startup\n", (unsigned long long)n->sessions_since_startup);
	buf_printf(c->out, "%u session(s) - peak %u, last 5min %u \n", n->sessions_now, n->sessions_peak,
	    n->sessions_peak_fivemin);
	buf_printf(c->out, "%u session(s) per Sec out of max %u, peak %u, last 5min %u \n", n->sps_last,
	    l->sessions_per_second, n->sps_peak, n->sps_peak_fivemin);
	buf_printf(c->out, "%u session(s) max\n", l->max_sessions);
	buf_printf(c->out, "min idle cpu %0.2f/%0.2f\n", l->min_idle_cpu, n->idle_cpu);
	getrlimit(RLIMIT_STACK, &stack);
	if (stack.rlim_max == RLIM_INFINITY)
		stack.rlim_max = stack.rlim_cur;
	buf_printf(
	    c->out, "Current Stack Size/Max %ldK/%ldK\n", (long)(stack.rlim_cur / 1024), (long)(stack.rlim_max / 1024));
	globals_each(add_notice, c->out);
	return ST_OK;
}

int api_version(struct api_call *c)
{
	role_assert_ctl();
	const char *v = core_version_text();
	if (!strcasecmp(c->args, "short"))
		buf_printf(c->out, "%.*s\n", (int)strcspn(v, "~ "), v);
	else
		buf_printf(c->out, "FreeSWITCH Version %s (Tandem %s)\n", v, TANDEM_VERSION);
	return ST_OK;
}

int api_uptime_cmd(struct api_call *c)
{
	static const struct {
		const char *name, *long_name;
		uint64_t us;
	} units[] = {{"us", "microseconds", 1}, {"ms", "milliseconds", 1000}, {"s", "seconds", 1000000},
	    {"m", "minutes", 60000000ULL}, {"h", "hours", 3600000000ULL}, {"d", "days", 86400000000ULL}};
	role_assert_ctl();
	uint64_t us = (uint64_t)(clock_mono_us() - core_counters()->start_mono_us);
	const char *wanted = *c->args ? c->args : "s";
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcasecmp(wanted, units[i].name) || !strcasecmp(wanted, units[i].long_name)) {
			buf_printf(c->out, "%llu\n", (unsigned long long)(us / units[i].us));
			return ST_OK;
		}
	return api_usage(c, "uptime");
}

int api_hostname(struct api_call *c)
{
	role_assert_ctl();
	return api_text(c, core_hostname());
}

int api_switchname(struct api_call *c)
{
	role_assert_ctl();
	return api_text(c, core_switchname());
}

static void help_row(const struct registry_row *row, void *arg)
{
	buf_printf(arg, "%s,%s,%s,%s\n", row->name, row->syntax ? row->syntax : "",
	    row->description ? row->description : "", row->module);
}

int api_help(struct api_call *c)
{
	role_assert_ctl();
	buf_adds(c->out, "\nValid Commands:\n\n");
	registry_each("api", help_row, c->out);
	return ST_OK;
}

static void memory_row(const char *type, size_t live, size_t bytes, void *arg)
{
	buf_printf(arg, "%-32s %10zu %12zu\n", type, live, bytes);
}

int api_memory(struct api_call *c)
{
	role_assert_ctl();
	buf_printf(c->out, "%-32s %10s %12s\n", "type", "live", "bytes");
	mem_each_type(memory_row, c->out);
	buf_printf(c->out, "%zu objects, %zu blocks\n", mem_live_objects(), mem_live_blocks());
	return ST_OK;
}

/* FreeSWITCH's memory pools have no counterpart; `memory` tells what there is. */
int api_pool_stats(struct api_call *c)
{
	role_assert_ctl();
	return api_text(c, "Unable to get core pool statictics. Please rebuild FreeSWITCH with --enable-pool-debug");
}

static uint64_t tv_ms(struct timeval t)
{
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_usec / 1000;
}

int api_getcputime(struct api_call *c)
{
	static uint64_t user_before, kernel_before;
	struct rusage u = {0};
	role_assert_ctl();
	getrusage(RUSAGE_SELF, &u);
	uint64_t user = tv_ms(u.ru_utime), kernel = tv_ms(u.ru_stime);
	buf_printf(c->out, "%llu, %llu", (unsigned long long)(user - user_before),
	    (unsigned long long)(kernel - kernel_before));
	if (!strcasecmp(c->args, "reset")) {
		user_before = user;
		kernel_before = kernel;
	}
	return ST_OK;
}
