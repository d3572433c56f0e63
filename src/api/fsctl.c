/* fsctl: limits, pausing, stopping, log level. A table of verbs; several may follow each other on one line where a verb
 * takes no argument. */
#include "api/api_i.h"
#include "base/rand.h"
#include "core/host/core.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "core/registry/limits.h"
#include "core/value/cause.h"
#include "loop/work.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

struct ctl {
	struct api_call *call;
	struct api_words w;
	int at; /* the next word */
};
struct verb {
	const char *name;
	void (*fn)(struct ctl *x);
};

static unsigned debug_level;
static bool is_threaded_system, is_sql_debug;

/* The next word when it is one of an argument, else NULL. */
static const char *next_arg(struct ctl *x)
{
	return x->at < x->w.n ? x->w.w[x->at++] : NULL;
}

static unsigned number_of(const char *text, unsigned otherwise)
{
	uint32_t n;
	return text && !sv_u32(sv_of(text), &n) ? n : otherwise;
}

static ON_CTL void set_pause(struct ctl *x, bool is_paused)
{
	const char *which = next_arg(x);
	struct core_limits *l = core_limits();
	if (!which || strcasecmp(which, "outbound"))
		l->is_paused_inbound = is_paused;
	if (!which || strcasecmp(which, "inbound"))
		l->is_paused_outbound = is_paused;
	buf_adds(x->call->out, "+OK\n");
}

static void v_pause(struct ctl *x)
{
	role_assert_ctl();
	set_pause(x, true);
}

static void v_resume(struct ctl *x)
{
	role_assert_ctl();
	set_pause(x, false);
}

static void v_pause_check(struct ctl *x)
{
	role_assert_ctl();
	const struct core_limits *l = core_limits();
	const char *which = next_arg(x);
	bool is = which && !strcasecmp(which, "inbound")    ? l->is_paused_inbound
	          : which && !strcasecmp(which, "outbound") ? l->is_paused_outbound
	                                                    : l->is_paused_inbound && l->is_paused_outbound;
	buf_adds(x->call->out, is ? "true" : "false");
}

static void v_ready_check(struct ctl *x)
{
	role_assert_ctl();
	buf_adds(x->call->out, api_is_ready() ? "true" : "false");
}

static void v_shutdown_check(struct ctl *x)
{
	role_assert_ctl();
	buf_adds(x->call->out, core_limits()->is_shutting_down ? "true" : "false");
}

static void v_shutdown(struct ctl *x)
{
	static const struct {
		const char *name;
		enum core_stop_kind kind;
	} kinds[] = {{"cancel", CORE_STOP_NONE}, {"elegant", CORE_STOP_ELEGANT}, {"asap", CORE_STOP_ASAP},
	    {"now", CORE_STOP_NOW}, {"restart", CORE_STOP_RESTART}};
	role_assert_ctl();
	enum core_stop_kind kind = CORE_STOP_NOW;
	for (const char *word; (word = next_arg(x));)
		for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
			if (!strcasecmp(word, kinds[i].name) &&
			    (kind != CORE_STOP_ELEGANT || kinds[i].kind != CORE_STOP_RESTART))
				kind = kinds[i].kind;
	buf_adds(x->call->out, "+OK\n");
	core_request_stop(kind);
}

static void v_hupall(struct ctl *x)
{
	role_assert_ctl();
	const char *cause = next_arg(x);
	leg_hangup_all(cause ? cause_parse(cause) : CAUSE_MANAGER_REQUEST, NULL, NULL);
	buf_adds(x->call->out, "+OK\n");
}

static void v_max_sessions(struct ctl *x)
{
	role_assert_ctl();
	core_limits()->max_sessions = number_of(next_arg(x), core_limits()->max_sessions);
	buf_printf(x->call->out, "+OK max sessions: %u\n", core_limits()->max_sessions);
}

static void v_sps(struct ctl *x)
{
	role_assert_ctl();
	core_limits()->sessions_per_second = number_of(next_arg(x), core_limits()->sessions_per_second);
	buf_printf(x->call->out, "+OK sessions per second: %u\n", core_limits()->sessions_per_second);
}

static void v_last_sps(struct ctl *x)
{
	role_assert_ctl();
	buf_printf(x->call->out, "+OK last sessions per second: %u\n", core_counters()->sps_last);
}

static void v_sps_peak_reset(struct ctl *x)
{
	role_assert_ctl();
	struct core_counters *n = (struct core_counters *)(uintptr_t)core_counters();
	n->sps_peak = n->sps_peak_fivemin = 0;
	buf_adds(x->call->out, "+OK max sessions per second counter reset\n");
}

static void v_min_idle_cpu(struct ctl *x)
{
	role_assert_ctl();
	const char *value = next_arg(x);
	struct core_limits *l = core_limits();
	if (value)
		l->min_idle_cpu = atof(value);
	if (l->min_idle_cpu > 0)
		buf_printf(x->call->out, "+OK min idle cpu: %0.2f", l->min_idle_cpu);
	else
		buf_adds(x->call->out, "+OK min idle cpu: DISABLED\n");
}

static void v_loglevel(struct ctl *x)
{
	role_assert_ctl();
	const char *value = next_arg(x);
	enum log_level level = log_get_level();
	if (value && log_level_parse(value, &level)) {
		buf_adds(x->call->out, "-ERR syntax error, log level not set!\n");
		return;
	}
	if (value)
		log_set_level(level);
	buf_printf(x->call->out, "+OK log level: %s [%d]\n", log_level_name(level), (int)level);
}

static void v_debug_level(struct ctl *x)
{
	role_assert_ctl();
	debug_level = number_of(next_arg(x), debug_level);
	buf_printf(x->call->out, "+OK DEBUG level: %u\n", debug_level);
}

static ON_CTL void dtmf_value(struct ctl *x, const char *name, unsigned *value)
{
	const char *given = next_arg(x);
	if (given) {
		unsigned n = number_of(given, *value);
		*value = n < 400 ? 400 : n > 192000 ? 192000 : n;
	}
	buf_printf(x->call->out, "+OK %s dtmf duration: %u\n", name, *value);
}

static void v_min_dtmf(struct ctl *x)
{
	role_assert_ctl();
	dtmf_value(x, "min", &core_limits()->min_dtmf);
}

static void v_max_dtmf(struct ctl *x)
{
	role_assert_ctl();
	dtmf_value(x, "max", &core_limits()->max_dtmf);
}

static void v_default_dtmf(struct ctl *x)
{
	role_assert_ctl();
	dtmf_value(x, "default", &core_limits()->default_dtmf);
}

static void v_sighup(struct ctl *x)
{
	role_assert_ctl();
	kill(getpid(), SIGHUP);
	buf_adds(x->call->out, "+OK\n");
}

static ON_CTL void on_off(struct ctl *x, const char *name, bool *value, const char *yes, const char *no)
{
	const char *given = next_arg(x);
	if (given)
		*value = str_is_true(given);
	buf_printf(x->call->out, "+OK %s is %s \n", name, *value ? yes : no);
}

static void v_verbose_events(struct ctl *x)
{
	role_assert_ctl();
	on_off(x, "verbose_events", &core_limits()->are_events_verbose, "on", "off");
}

static void v_api_expansion(struct ctl *x)
{
	role_assert_ctl();
	bool is_on = !core_limits()->is_api_expansion_off;
	on_off(x, "api_expansion", &is_on, "on", "off");
	core_limits()->is_api_expansion_off = !is_on;
}

static void v_threaded_system(struct ctl *x)
{
	role_assert_ctl();
	on_off(x, "threaded_system_exec", &is_threaded_system, "true", "false");
}

static void v_recover(struct ctl *x)
{
	role_assert_ctl();
	buf_adds(x->call->out, "+OK 0 session(s) recovered in total\n");
}

static void v_clock(struct ctl *x)
{
	role_assert_ctl();
	buf_adds(x->call->out, "+OK clock synchronized\n");
}

static void v_uuid_version(struct ctl *x)
{
	role_assert_ctl();
	unsigned version = number_of(next_arg(x), 0);
	if (version == 4 || version == 7)
		uuid_set_version(version);
	buf_printf(x->call->out, "+OK set uuid version: %u\n", version);
}

/* Every statement would be logged; there is no SQL here, so only the switch is kept. */
static void v_debug_sql(struct ctl *x)
{
	role_assert_ctl();
	is_sql_debug = !is_sql_debug;
	buf_printf(x->call->out, "+OK SQL DEBUG [%s]\n", is_sql_debug ? "on" : "off");
}

static void pool_row(const char *name, size_t job_count, size_t max_jobs, uint64_t refused_count, void *arg)
{
	if (!strncmp(name, "workers ", 8))
		*(size_t *)arg += job_count;
}

/* The pool that runs what blocks. */
static void v_debug_pool(struct ctl *x)
{
	size_t busy = 0;
	role_assert_ctl();
	work_queues_each(pool_row, &busy);
	buf_printf(x->call->out, "Thread pool: running:%zu busy:%zu popping:0\n", busy, busy);
}

/* Names of the .local kind are never asked for here; the words are checked as there. */
static void v_mdns(struct ctl *x)
{
	const char *given = next_arg(x);
	role_assert_ctl();
	if (given && (!strcasecmp(given, "enable") || !strcasecmp(given, "disable"))) {
		buf_adds(x->call->out, "+OK\n");
		return;
	}
	const struct api_desc *d = api_find("fsctl");
	buf_printf(x->call->out, "-ERR Invalid command\nUSAGE: fsctl %s\n", d ? d->syntax : "");
}

/* What tunes FreeSWITCH's own insides and has no counterpart here. */
static void v_nothing(struct ctl *x)
{
	role_assert_ctl();
	buf_adds(x->call->out, "+OK\n");
}

static const struct verb verbs[] = {
    {"hupall", v_hupall},
    {"pause", v_pause},
    {"resume", v_resume},
    {"pause_check", v_pause_check},
    {"ready_check", v_ready_check},
    {"shutdown_check", v_shutdown_check},
    {"shutdown", v_shutdown},
    {"max_sessions", v_max_sessions},
    {"sps", v_sps},
    {"last_sps", v_last_sps},
    {"sps_peak_reset", v_sps_peak_reset},
    {"min_idle_cpu", v_min_idle_cpu},
    {"loglevel", v_loglevel},
    {"debug_level", v_debug_level},
    {"min_dtmf_duration", v_min_dtmf},
    {"max_dtmf_duration", v_max_dtmf},
    {"default_dtmf_duration", v_default_dtmf},
    {"send_sighup", v_sighup},
    {"verbose_events", v_verbose_events},
    {"api_expansion", v_api_expansion},
    {"threaded_system_exec", v_threaded_system},
    {"recover", v_recover},
    {"uuid_version", v_uuid_version},
    {"debug_sql", v_debug_sql},
    {"debug_pool", v_debug_pool},
    {"mdns_resolve", v_mdns},
    {"sync_clock", v_clock},
    {"sync_clock_when_idle", v_clock},
    {"calibrate_clock", v_nothing},
    {"reclaim_mem", v_nothing},
    {"save_history", v_nothing},
    {"flush_db_handles", v_nothing},
};

int api_fsctl(struct api_call *c)
{
	role_assert_ctl();
	struct ctl x = {.call = c};
	int st = api_words_init(&x.w, c, 10);
	if (!st && !x.w.n)
		api_usage(c, "fsctl");
	while (!st && x.at < x.w.n) {
		const char *name = x.w.w[x.at++];
		const struct verb *found = NULL;
		for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
			if (!strcasecmp(name, verbs[i].name))
				found = &verbs[i];
		if (!found) {
			const struct api_desc *d = api_find("fsctl");
			buf_printf(c->out, "-ERR Invalid command\nUSAGE: fsctl %s\n", d ? d->syntax : "");
			break;
		}
		found->fn(&x);
	}
	api_words_fini(&x.w);
	return st;
}

int api_shutdown(struct api_call *c)
{
	role_assert_ctl();
	core_request_stop(CORE_STOP_NOW);
	return api_text(c, "+OK\n");
}

int api_dots(struct api_call *c)
{
	role_assert_ctl();
	return api_shutdown(c);
}
