/* What the server says about itself: status, version, uptime, hostname, switchname, help, memory, getcputime, json. The
 * texts keep FreeSWITCH's forms, its name included, because clients parse them. */
#include "api/api_i.h"
#include "base/clock.h"
#include "core/config.h"
#include "text/json.h"

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
	return !l->is_shutting_down && !l->is_paused_inbound && !l->is_paused_outbound;
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

/* ---- json: {"command":..., "data":...} ------------------------------------------------------------------------ */
static ON_CTL void json_status(struct json_writer *w)
{
	const struct core_counters *n = core_counters();
	const struct core_limits *l = core_limits();
	struct uptime_parts up;
	struct rlimit stack = {0};
	api_uptime(&up);
	getrlimit(RLIMIT_STACK, &stack);
	jw_begin_object(w);
	jw_kv_str(w, "systemStatus", api_is_ready() ? "ready" : "not ready");
	jw_key(w, "uptime");
	jw_begin_object(w);
	jw_kv_int(w, "years", up.years);
	jw_kv_int(w, "days", up.days);
	jw_kv_int(w, "hours", up.hours);
	jw_kv_int(w, "minutes", up.minutes);
	jw_kv_int(w, "seconds", up.seconds);
	jw_kv_int(w, "milliseconds", up.ms);
	jw_kv_int(w, "microseconds", up.us);
	jw_end_object(w);
	jw_kv_str(w, "version", api_version_human());
	jw_key(w, "sessions");
	jw_begin_object(w);
	jw_key(w, "count");
	jw_begin_object(w);
	jw_kv_int(w, "total", (int64_t)n->sessions_since_startup);
	jw_kv_int(w, "active", n->sessions_now);
	jw_kv_int(w, "peak", n->sessions_peak);
	jw_kv_int(w, "peak5Min", n->sessions_peak_fivemin);
	jw_kv_int(w, "limit", l->max_sessions);
	jw_end_object(w);
	jw_key(w, "rate");
	jw_begin_object(w);
	jw_kv_int(w, "current", n->sps_last);
	jw_kv_int(w, "max", l->sessions_per_second);
	jw_kv_int(w, "peak", n->sps_peak);
	jw_kv_int(w, "peak5Min", n->sps_peak_fivemin);
	jw_end_object(w);
	jw_end_object(w);
	jw_key(w, "idleCPU");
	jw_begin_object(w);
	jw_key(w, "used");
	jw_real(w, l->min_idle_cpu);
	jw_key(w, "allowed");
	jw_real(w, n->idle_cpu);
	jw_end_object(w);
	jw_key(w, "stackSizeKB");
	jw_begin_object(w);
	jw_kv_int(w, "current", (int64_t)(stack.rlim_cur / 1024));
	jw_kv_int(w, "max", (int64_t)(stack.rlim_max / 1024));
	jw_end_object(w);
	jw_end_object(w);
}

static void json_head(struct json_writer *w, const json_t *request, const char *status, const char *message)
{
	const char *key;
	json_t *value;
	jw_begin_object(w);
	json_object_foreach((json_t *)request, key, value)
	{
		char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_PRESERVE_ORDER);
		if (!text || !strcmp(key, "status") || !strcmp(key, "response"))
			goto next;
		jw_key(w, key);
		jw_raw(w, sv_of(text));
	next:
		free(text);
	}
	jw_kv_str(w, "status", status);
	if (message)
		jw_kv_str(w, "message", message);
	jw_key(w, "response");
}

static ON_CTL int json_fsapi(struct json_writer *w, const json_t *request)
{
	const json_t *data = json_object_get(request, "data");
	const char *cmd = json_string_value(json_object_get(data, "cmd")),
	           *arg = json_string_value(json_object_get(data, "arg"));
	struct buf out;
	buf_init(&out);
	int st = cmd && strcasecmp(cmd, "json") ? api_run(cmd, arg ? arg : "", NULL, &out) : ST_INVAL;
	if (st == ST_OK || st > 0) {
		json_head(w, request, "success", NULL);
		jw_begin_object(w);
		jw_kv_str(w, "message", out.p ? out.p : "");
		jw_end_object(w);
		jw_end_object(w);
	}
	buf_fini(&out);
	return st;
}

int api_json(struct api_call *c)
{
	role_assert_co();
	json_t *request = NULL;
	struct json_writer w;
	if (!*c->args)
		return api_text(c, "-ERR No JSON supplied.\n");
	if (json_parse(&request, sv_of(c->args), 0, NULL) || !json_is_object(request)) {
		json_decref(request);
		return api_text(c, "-ERR JSON not well formed.\n");
	}
	jw_init(&w, c->out, false);
	const char *cmd = json_string_value(json_object_get(request, "command"));
	if (cmd && !strcasecmp(cmd, "status")) {
		json_head(&w, request, "success", NULL);
		json_status(&w);
		jw_end_object(&w);
	} else if (!cmd || strcasecmp(cmd, "fsapi") || json_fsapi(&w, request)) {
		json_head(&w, request, "error", "Invalid request or non-existant command");
		jw_null(&w);
		jw_end_object(&w);
	}
	buf_addc(c->out, '\n');
	json_decref(request);
	return ST_OK;
}
