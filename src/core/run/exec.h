/* Running applications on a leg. The list to run and the position in it live in the leg, not on a stack: a leg has a
 * coroutine only while an application runs. An application that only waits (bridge, park, echo) returns APP_DETACHED
 * after setting up its work; whoever ends it calls leg_exec_resume. */
#pragma once
#include "core/leg/leg.h"

enum { APP_DETACHED = 1 };

/* Up and where it was: not on its way to another extension while an application still unwinds (FreeSWITCH's
 * switch_channel_ready). */
ON_CTL bool leg_is_ready(const struct leg *leg);
/* Waits for whatever comes first: a digit queued, a broadcast request run to its end, a media report, leg_wake, or the
 * deadline
 * (<0: none). ST_OK: look again; ST_TIMEOUT; ST_HANGUP; ST_CANCELLED: break or transfer, the application should end. */
CO int leg_wait(struct leg *leg, int64_t timeout_us);
ON_CTL void leg_wake(struct leg *leg);
CO int leg_sleep(struct leg *leg, int64_t us); /* to the end, unless hung up or broken; digits stay queued */
/* Ends the current application (uuid_break), everything queued too when is_all. */
ON_CTL void leg_break(struct leg *leg, bool is_all);
/* Restarts routing at a new extension (dialplan, context NULL = keep). Takes effect when the running application
 * unwinds. exten may be marked; a dialplan or context that is (ST_DENIED) would be named from outside. */
ON_CTL int leg_transfer(struct leg *leg, const char *exten, const char *dialplan, const char *context);
/* The next transfer changes the caller profile it has, in place of a new one in front. */
ON_CTL void leg_reuse_profile(struct leg *leg);
/* Where it comes from, for its profile (Caller-Transfer-Source) and the variables transfer_source and transfer_history:
 * "EPOCH:UUID:" and what the caller says ("uuid_br:OTHER"), with marks. leg_transfer does it itself. */
ON_CTL void leg_note_transfer(struct leg *leg, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Waits for whoever fetches it, until park_timeout: from its own application APP_DETACHED, from outside it leaves what
 * it does. */
ON_CTL int leg_park(struct leg *leg);

/* Adds to the list (a dialplan hunt's result). Strings are copied; data may be marked (text/mark.h), an app that is
 * gives ST_DENIED. */
ON_CTL int leg_exec_add(struct leg *leg, const char *app, const char *data, const char *extension_name);
ON_CTL void leg_exec_clear(struct leg *leg);
/* What came from outside in the data of a running application is marked (text/mark.h) in the text that this returns;
 * the data itself is plain. Applications that read a language (names, separators, paths, lists) read the text. data:
 * the pointer that the application was called with; another is its own text. Valid as long as data. Called by the
 * application only, which runs on control (no role here, so that it can stand where variables begin). */
ANY const char *leg_exec_text(const struct leg *leg, const char *data);
/* Runs one application now, with CHANNEL_EXECUTE and _COMPLETE, waiting until it is over even when it detaches.
 * data may be marked; it is expanded (unless app_disable_expand_variables). ST_NOTFOUND: no such application (the leg
 * is hung up as FreeSWITCH does: DESTINATION_OUT_OF_ORDER). */
CO int leg_exec_app(struct leg *leg, const char *app, const char *data);
/* Runs another extension's actions as if they stood here (FreeSWITCH's execute_extension); dialplan, context NULL = the
 * leg's own. ST_NOTFOUND: no such extension; ST_CANCELLED: it transferred the leg. */
CO int leg_exec_extension(struct leg *leg, const char *exten, const char *dialplan, const char *context);
/* The running coroutine takes a leg that is not its own and runs nothing (dialled by a script, or parked: the park
 * ends), so that it may call what waits on it; leg_exec_release gives it back: requests and transfers made meanwhile
 * take effect then. The leg must be held by a reference. ST_EXISTS: it is this coroutine's already, nothing to release;
 * ST_BUSY: something else runs on it; ST_HANGUP. */
CO int leg_exec_adopt(struct leg *leg);
CO void leg_exec_release(struct leg *leg);
/* A detached application is over: a coroutine goes on with the rest of the list. response may be NULL. */
ON_CTL void leg_exec_resume(struct leg *leg, const char *response);
ON_CTL void leg_exec_response(struct leg *leg, const char *response); /* Application-Response of the running one */
/* The innermost application that runs or is detached, by a number of its own on this leg; 0: none. */
ON_CTL uint64_t leg_exec_frame(const struct leg *leg);
ON_CTL bool leg_exec_frame_is_open(const struct leg *leg, uint64_t frame);
/* Ends that application if it is detached, whatever runs above it; the leg goes on with its list. */
ON_CTL void leg_exec_frame_end(struct leg *leg, uint64_t frame);
/* Leaves what the leg does for its list as it is now (leg_exec_clear, leg_exec_add). */
ON_CTL void leg_exec_restart(struct leg *leg);
/* From outside (uuid_broadcast, sendmsg, hooks): runs app on the leg as soon as it may: inside the running
 * application's next leg_wait, or at once on a coroutine of its own when the leg is parked or bridged. */
struct leg_exec_request {
	const char *app, *data;
	const char *event_uuid, *event_uuid_name; /* Application-UUID; NULL = made */
	int loops;                                /* 0 or 1 = once, -1 for ever */
	bool is_event_lock;                       /* the next request waits for this one */
	bool holds_bleg;
	int priority;
	void (*done)(void *arg); /* may be NULL: it ran to its end, or never will */
	void *done_arg;
};
ON_CTL int leg_exec_request(struct leg *leg, const struct leg_exec_request *r);
/* After the hang-up what is left of the list runs on, as far as it may (APP_ZOMBIE_EXEC). */
ON_CTL void leg_exec_outlive(struct leg *leg);
/* The application around the running one, or else the next one of the list, ends as soon as it waits. */
ON_CTL void leg_exec_break_around(struct leg *leg);
/* Leaves what it does, its list too, and parks (CS_PARK). */
ON_CTL void leg_exec_park(struct leg *leg);
/* Leaves what it does, its list too, and waits to be joined (CS_HIBERNATE). */
ON_CTL void leg_exec_hibernate(struct leg *leg);
/* Applications executed so far, for records (app_log): calls fn for each. */
ON_CTL void leg_exec_log_each(
    struct leg *leg, void (*fn)(const char *app, const char *data, int64_t wall_us, void *arg), void *arg);
/* The list as the dialplan gave it, data unexpanded, those run and those still to come; is_next marks where it stands.
 * Those run are there only since leg_exec_keep_list(true). */
ON_CTL void leg_exec_keep_list(bool is_kept);
ON_CTL void leg_exec_list_each(struct leg *leg,
    void (*fn)(const char *app, const char *data, const char *extension, bool is_next, void *arg), void *arg);
