/* Starting and stopping the core, its identity, and the settings of switch.conf. Everything else of the room is started
 * from here, in the order of core_start, and stopped in reverse. */
#include "core/host/core.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/bridge/bridge.h"
#include "core/conf/acl.h"
#include "core/conf/check.h"
#include "core/conf/config.h"
#include "core/dial/modules.h"
#include "core/event/event.h"
#include "core/host/core_i.h"
#include "core/host/module.h"
#include "core/host/module_i.h"
#include "core/host/parts.h"
#include "core/leg/leg.h"
#include "core/leg/leg_core.h"
#include "core/leg/part.h"
#include "core/registry/limits.h"
#include "core/registry/module.h"
#include "core/registry/registry.h"
#include "core/run/run_core.h"
#include "core/sound/media.h"
#include "core/value/cause.h"
#include "core/value/self.h"
#include "loop/co.h"
#include "loop/work.h"
#include "media/ctl/mctl.h"
#include "proc/shell.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* switch.conf, read once at the start and again after a reload. */
struct switch_conf {
	uint32_t max_sessions, sessions_per_second, heartbeat_s, port_min, port_max, media_threads;
	const char *kernel_interfaces; /* the configuration's; NULL: no relay in the kernel */
	const char *kernel_mode;
	double min_idle_cpu;
	enum log_level level;
};

static enum core_stop_kind stop_kind;
static void (*stop_fn)(enum core_stop_kind kind, void *arg);
static void *stop_arg;
static struct ldefer stop_defer;
static bool is_media_started;

static uint32_t number(const struct xml_node *settings, const char *name, uint32_t fallback)
{
	const char *text = config_param(settings, name, NULL);
	uint32_t v;
	return text && !sv_u32(sv_of(text), &v) ? v : fallback;
}

/* 0 = as many as the cores suggest. */
static uint32_t media_threads(const char *text)
{
	uint32_t v = 0;
	if (!*text || !strcasecmp(text, "auto"))
		return 0;
	if (!sv_u32(sv_of(text), &v) && v >= 1 && v <= MCTL_THREADS_MAX)
		return v;
	log_warning(
	    "switch.conf: media-threads is \"auto\" or 1 to %d, not \"%s\"; auto is taken", MCTL_THREADS_MAX, text);
	return 0;
}

static ON_CTL void conf_read(struct switch_conf *c)
{
	const struct xml_node *settings = xml_child(config_conf("switch.conf"), "settings");
	const char *name = config_param(settings, "switchname", NULL);

	c->max_sessions = number(settings, "max-sessions", 1000);
	c->sessions_per_second = number(settings, "sessions-per-second", 30);
	c->heartbeat_s = number(settings, "event-heartbeat-interval", 20);
	c->port_min = number(settings, "rtp-start-port", 16384);
	c->port_max = number(settings, "rtp-end-port", 32768);
	if (c->port_min > 65534)
		c->port_min = 16384;
	if (c->port_max > 65535 || c->port_max <= c->port_min)
		c->port_max = c->port_min + 1000 > 65535 ? 65535 : c->port_min + 1000;
	c->media_threads = media_threads(config_param(settings, "media-threads", "auto"));
	c->kernel_interfaces = str_is_true(config_param(settings, "media-kernel-relay", "false"))
	                           ? config_param(settings, "media-kernel-interfaces", "auto")
	                           : NULL;
	c->kernel_mode = config_param(settings, "media-kernel-mode", "auto");
	c->min_idle_cpu = strtod(config_param(settings, "min-idle-cpu", "0"), NULL);
	c->level = LOG_DEBUG;
	log_level_parse(config_param(settings, "loglevel", "debug"), &c->level);
	if (name && *name)
		core_switchname_set(name);
}

static ON_CTL void conf_apply(const struct switch_conf *c)
{
	core_limits()->max_sessions = c->max_sessions;
	core_limits()->sessions_per_second = c->sessions_per_second;
	core_limits()->min_idle_cpu = c->min_idle_cpu;
	log_set_level(c->level);
	event_identity = (struct event_identity){
	    core_uuid(), core_hostname(), core_switchname(), core_local_ip4(), core_local_ip6()};
}

/* The modules that core itself is, in the order of their start; the first only declares variables. */
static const struct module *const core_modules[] = {
    &core_vars_module, &dial_user_module, &dial_pickup_module, &dial_confirm_module, &bridge_module};

int core_modules_register(void)
{
	config_known_set(module_known_fill); /* also where a configuration is only looked over */
	int st = ST_OK;

	for (size_t i = 0; i < ARRAY_COUNT(core_modules) && !st; i++) {
		st = module_register(core_modules[i]);
		if (!st && i)
			st = module_load(core_modules[i]->name, NULL);
	}
	return st;
}

/* What child processes may do follows the configuration that runs. */
static void shell_conf(void *arg)
{
	const struct xml_node *settings;
	struct shell_settings s = {0};

	role_assert_ctl();
	settings = xml_child(config_conf("switch.conf"), "settings");
	s.is_allowed = str_is_true(config_param(settings, "system-commands", "false"));
	s.timeout_s = number(settings, "system-command-timeout", 0);
	if (s.timeout_s > 86400)
		s.timeout_s = 0;
	shell_settings_set(&s);
}

int core_start(const struct core_dirs *d)
{
	struct switch_conf conf;
	struct mctl_conf media = {0};
	int st;

	core_dirs_set(d);
	leg_parts_set(core_leg_parts);
	conf_read(&conf);
	conf_apply(&conf);
	shell_conf(NULL);
	st = config_on_swap(shell_conf, NULL);
	if (!st)
		st = acl_start();
	if (st)
		return st;
	limits_start();
	heartbeat_start(conf.heartbeat_s);
	registry_outside_set(&module_outside);
	st = metrics_start();
	if (!st)
		st = sound_metrics_start();
	if (!st)
		sound_dtls_start();
	if (!st)
		st = leg_hook_add(LEG_HOOK_REPORTING, exec_on_reporting, NULL);
	if (st)
		return st;
	media.port_min = (uint16_t)conf.port_min, media.port_max = (uint16_t)conf.port_max;
	media.thread_count = conf.media_threads;
	media.kernel_interfaces = conf.kernel_interfaces;
	media.kernel_mode = conf.kernel_mode;
	st = mctl_start(&media);
	if (st)
		return st;
	is_media_started = true;
	return core_modules_register();
}

void core_fire_startup(void)
{
	struct event *e = event_new(EVENT_STARTUP, NULL);
	role_assert_ctl();
	if (e)
		event_add(e, "Event-Info", "System Ready");
	event_fire(e);
}

static ON_CTL void fire_shutdown(void)
{
	struct event *e;
	if (event_is_wanted(EVENT_SHUTDOWN, NULL) && (e = event_new(EVENT_SHUTDOWN, NULL))) {
		event_add(e, "Event-Info", "System Shutting Down");
		event_fire(e);
	}
}

static void stop_tick(void *arg)
{
	role_assert_ctl();
}

bool core_stop(int64_t deadline_us)
{
	struct ltimer tick = {0};
	int64_t end = clock_mono_us() + deadline_us;

	work_end();
	core_limits()->is_shutting_down = true;
	leg_hangup_all(CAUSE_SYSTEM_SHUTDOWN, NULL, NULL);
	co_sleepers_wake();
	shell_stop();
	while ((leg_count() || co_live_count()) && clock_mono_us() < end) {
		loop_timer_set(&tick, 50000, "core stop", stop_tick, NULL);
		loop_run_once();
	}
	loop_timer_cancel(&tick);
	if (leg_count())
		log_error("%zu calls did not end in time", leg_count());
	fire_shutdown();
	shell_stop();
	if (!work_drain())
		return false;
	module_unload_all();
	if (is_media_started)
		mctl_stop();
	is_media_started = false;
	heartbeat_stop();
	sound_dtls_stop();
	sound_metrics_stop();
	metrics_stop();
	limits_stop();
	acl_stop();
	config_on_swap_del(shell_conf, NULL);
	shell_settings_set(&(struct shell_settings){0});
	leg_hooks_clear();
	core_limits()->is_shutting_down = false;
	core_dirs_set(NULL);
	return work_drain();
}

#ifndef NDEBUG
static void report_type(const char *type, size_t live, size_t bytes, void *arg)
{
	if (strcmp(type, "blocks")) /* LeakSanitizer finds those; what globals keep of them is no object */
		log_error("still alive at the end: %zu %s, %zu bytes", live, type, bytes);
}
#endif

void core_report_alive(void)
{
#ifndef NDEBUG
	if (leg_count())
		log_error("still alive at the end: %zu legs", leg_count());
	if (co_live_count())
		log_error("still alive at the end: %zu coroutines", co_live_count());
	mem_each_type(report_type, NULL);
#endif
}

/* ---- asking main to stop ---- */

static bool is_stop_due(void)
{
	return stop_kind != CORE_STOP_NONE;
}

static void last_leg_gone(void *arg)
{
	role_assert_ctl();
	if (stop_fn && is_stop_due())
		stop_fn(stop_kind, stop_arg);
}

/* Legs leaving the table (teardown's last hook) look whether they were what an elegant stop waits for. */
static void leg_gone(struct leg *leg, void *arg)
{
	role_assert_ctl();
	if (is_stop_due() && leg_count() <= 1)
		loop_defer(&stop_defer, "core stop", last_leg_gone, NULL);
}

void core_request_stop(enum core_stop_kind kind)
{
	struct core_limits *l = core_limits();

	leg_hook_del(LEG_HOOK_DESTROY, leg_gone, NULL);
	loop_defer_cancel(&stop_defer);
	stop_kind = kind;
	l->is_elegant = kind == CORE_STOP_ELEGANT || kind == CORE_STOP_ASAP;
	l->is_shutting_down = kind == CORE_STOP_NOW || kind == CORE_STOP_ELEGANT || kind == CORE_STOP_RESTART;
	if (kind == CORE_STOP_NONE)
		return;
	if (!l->is_elegant || !leg_count())
		loop_defer(&stop_defer, "core stop", last_leg_gone, NULL);
	else
		leg_hook_add(LEG_HOOK_DESTROY, leg_gone, NULL);
}

void core_on_stop(void (*fn)(enum core_stop_kind kind, void *arg), void *arg)
{
	stop_fn = fn, stop_arg = arg;
}
