/* Running applications on a leg. The list to run and the position in it live in the leg, not on a stack: a leg has a
 * coroutine only while an application runs. An application that only waits (bridge, park, echo) returns APP_DETACHED
 * after setting up its work; whoever ends it calls leg_exec_resume. */
#pragma once
#include "core/leg.h"

enum { APP_DETACHED = 1 };

/* Replaces the list (a dialplan hunt's result). Strings are copied. */
ON_CTL int leg_exec_add(struct leg *leg, const char *app, const char *data, const char *extension_name);
ON_CTL void leg_exec_clear(struct leg *leg);
/* Runs one application now, with CHANNEL_EXECUTE and _COMPLETE, waiting until it is over even when it detaches.
 * data is expanded (unless app_disable_expand_variables). ST_NOTFOUND: no such application (the leg is hung up as
 * FreeSWITCH does: DESTINATION_OUT_OF_ORDER). */
CO int leg_exec_app(struct leg *leg, const char *app, const char *data);
/* A detached application is over: a coroutine goes on with the rest of the list. response may be NULL. */
ON_CTL void leg_exec_resume(struct leg *leg, const char *response);
ON_CTL void leg_exec_response(struct leg *leg, const char *response); /* Application-Response of the running one */
/* From outside (uuid_broadcast, sendmsg, hooks): runs app on the leg as soon as it may: inside the running
 * application's next leg_wait, or at once on a coroutine of its own when the leg is parked or bridged. */
struct leg_exec_request {
	const char *app, *data;
	const char *event_uuid, *event_uuid_name; /* Application-UUID; NULL = made */
	int loops;                                /* 0 or 1 = once, -1 for ever */
	bool is_event_lock;                       /* the next request waits for this one */
	bool holds_bleg;
	int priority;
};
ON_CTL int leg_exec_request(struct leg *leg, const struct leg_exec_request *r);
/* Applications executed so far, for records (app_log): calls fn for each. */
ON_CTL void leg_exec_log_each(
    struct leg *leg, void (*fn)(const char *app, const char *data, int64_t wall_us, void *arg), void *arg);
