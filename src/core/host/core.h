/* Starting and stopping the core, and what is global to it: limits, counters, identity. */
#pragma once
#include "base/role.h"
#include "base/str.h"
#include "core/value/cause.h"

struct core_dirs { /* absolute, no trailing slash; strings live as long as the program */
	const char *base, *conf, *log, *run, *db, *mod, *scripts, *temp, *certs, *recordings, *storage, *cache, *sounds,
	    *htdocs, *grammar, *data;
};
/* Core's own modules (core_start does it): for listings without a start. */
ON_CTL int core_modules_register(void);
ON_CTL int core_start(const struct core_dirs *dirs);
ON_CTL void core_fire_startup(void); /* everything configured is loaded */
/* Hangs up everything with SYSTEM_SHUTDOWN, waits (running the loop) up to the deadline for calls and for commands that
 * still wait, unloads modules. */
/* False: jobs have stalled (work_end); nothing was unloaded then, as they may use it, what had to be written is, and
 * the program must leave by _exit. */
ON_CTL bool core_stop(int64_t deadline_us);
/* Last of all, after loop_fini: in debug builds logs every leg, coroutine and type of counted object that is still
 * alive, one line each at ERROR; globals that hold one would hide it from LeakSanitizer. */
ON_CTL void core_report_alive(void);
ON_CTL const struct core_dirs *core_dirs(void);
ON_CTL const char *core_uuid(void);
ON_CTL const char *core_hostname(void);
ON_CTL const char *core_switchname(void);
ON_CTL const char *core_local_ip4(void); /* the address of the default route, "127.0.0.1" without one */
ON_CTL const char *core_local_ip6(void);
#define TANDEM_VERSION "0.1.0"
/* What FreeSWITCH-Version headers and `version` say: clients compare it with FreeSWITCH's. */
ON_CTL const char *core_version_text(void);

struct core_limits {
	uint32_t max_sessions, sessions_per_second;
	bool is_paused_inbound, is_paused_outbound, is_shutting_down, is_elegant;
	bool is_api_expansion_off; /* ${api(args)} in texts is refused (fsctl api_expansion) */
	bool are_events_verbose;   /* every event of a leg carries its variables (fsctl verbose_events) */
	unsigned min_dtmf, max_dtmf, default_dtmf; /* length of digits, samples at 8 kHz */
	double min_idle_cpu;
};
struct core_counters {
	uint64_t sessions_since_startup;
	uint32_t sessions_now, sessions_peak, sessions_peak_fivemin;
	uint32_t sps_now, sps_last, sps_peak, sps_peak_fivemin;
	int64_t start_mono_us, start_wall_us;
	double idle_cpu;
	uint64_t answered, bridged, failed;
};
ON_CTL struct core_limits *core_limits(void);
ON_CTL const struct core_counters *core_counters(void);
/* Asks main to stop: now, or when the last call ended (elegant). */
enum core_stop_kind { CORE_STOP_NONE, CORE_STOP_NOW, CORE_STOP_ELEGANT, CORE_STOP_ASAP, CORE_STOP_RESTART };
ON_CTL void core_request_stop(enum core_stop_kind kind); /* NONE cancels an elegant one */
ON_CTL void core_on_stop(void (*fn)(enum core_stop_kind kind, void *arg), void *arg);

/* Readiness (`status`, fsctl ready_check, /readyz) is held while something of the last run is read back. what: a static
 * text, in the plural ("registrations"). */
ON_CTL void core_ready_hold(const char *what);
ON_CTL void core_ready_release(const char *what);
ON_CTL const char *core_ready_held(void); /* the first that is held, or NULL */
/* fn once, from the loop, when nothing is held; NULL forgets it. */
ON_CTL void core_on_ready(void (*fn)(void *arg), void *arg);

/* Registrations as core's `show registrations` table sees them; endpoints keep it up to date. */
struct core_registration {
	const char *user, *realm, *token, *url, *network_ip, *network_port, *network_proto, *metadata;
	int64_t expires_epoch;
};
ON_CTL int core_registration_set(const struct core_registration *r); /* keyed by token (call-id) + user + realm */
ON_CTL void core_registration_del(const char *user, const char *realm, const char *token);
ON_CTL void core_registration_each(void (*fn)(const struct core_registration *r, void *arg), void *arg);
ON_CTL size_t core_registration_count(void);
