/* The applications of a leg as the rooms of core see them. */
#pragma once
#include "core/leg/part.h"
#include "core/run/exec.h"

ON_CTL void exec_kick(struct leg *leg); /* a coroutine looks at what there is to do, after this callback */
ON_CTL bool exec_is_running(const struct leg *leg);
/* What runs on it may collect digits: it is not one that only waits for a bridge. */
ON_CTL bool exec_takes_digits(const struct leg *leg);
/* It runs nothing yet of what it was asked to: keys that come in the same moment are for that. */
ON_CTL bool exec_is_asked(const struct leg *leg);
ON_CTL void exec_set_joined(struct leg *leg, bool is_joined);
ON_CTL bool exec_is_detached(const struct leg *leg);
ON_CTL bool exec_is_own_co(const struct leg *leg);
ON_CTL void exec_reroute(struct leg *leg); /* the list is gone, the profile is new: hunt when the application unwinds */
ON_CTL void exec_unwind(struct leg *leg);  /* ends the running or detached application */
ON_CTL void exec_run_after(
    struct leg *leg, const char *app, const char *data); /* as exec_reroute with this one application */
ON_CTL bool exec_is_rerouted(const struct leg *leg);
ON_CTL bool exec_has_more(const struct leg *leg); /* behind what runs */
/* As leg_exec_add, in front of the list. */
ON_CTL int exec_add_first(struct leg *leg, const char *app, const char *data);
/* Where it is sent next it passes CS_HIBERNATE and CS_RESET on its way, as FreeSWITCH's legs do that are to be joined.
 */
ON_CTL void exec_pass_reset(struct leg *leg);
ON_CTL void exec_hibernate_after(struct leg *leg); /* leaves what it does and waits to be bridged */
ON_CTL void exec_park_after(struct leg *leg);      /* as exec_reroute, then parked */
/* "app::data" or "app data" of execute_on_*, with marks: an application named from outside is refused. */
ON_CTL void exec_hook_spec(struct leg *leg, const char *spec);
ON_CTL void exec_on_reporting(struct leg *leg, void *arg); /* LEG_HOOK_REPORTING: runs api_reporting_hook */
/* The variable's "command arguments" (sep between them) on a coroutine of its own; done as api_spawn's. ST_NOTFOUND:
 * there is no such variable; ST_DENIED: the command is named from outside. */
ON_CTL int exec_api_hook(
    struct leg *leg, const char *name, char sep, void (*done)(int status, struct sv reply, void *arg), void *arg);
ON_CTL bool exec_has_hooks(const struct leg *leg); /* a variable execute_on_... or api_on_... */
ON_CTL void exec_hooks(struct leg *leg, const char *execute_prefix, const char *api_prefix);
/* The same; true: done is called when the last of them is over. */
ON_CTL bool exec_hooks_then(
    struct leg *leg, const char *execute_prefix, const char *api_prefix, void (*done)(void *arg), void *arg);
/* Waits until *number is wanted, woken by leg_wake, also on a leg that is hung up: for a last report. Up to timeout_us.
 */
CO void exec_wait_over(struct leg *leg, const uint32_t *number, uint32_t wanted, int64_t timeout_us);
/* Runs the oldest request; inside another one nothing is taken. */
CO bool exec_run_request(struct leg *leg);

extern struct leg_part run_part;
