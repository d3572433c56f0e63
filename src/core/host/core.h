/* Starting and stopping the core. */
#pragma once
#include "base/role.h"
#include "core/value/self.h"
#include <stdbool.h>
#include <stdint.h>

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
/* Asks main to stop: now, or when the last call ended (elegant). */
enum core_stop_kind { CORE_STOP_NONE, CORE_STOP_NOW, CORE_STOP_ELEGANT, CORE_STOP_ASAP, CORE_STOP_RESTART };
ON_CTL void core_request_stop(enum core_stop_kind kind); /* NONE cancels an elegant one */
ON_CTL void core_on_stop(void (*fn)(enum core_stop_kind kind, void *arg), void *arg);
