/* The inside of a leg's applications: what the files of run share. The list lives in the leg; one coroutine at a time
 * walks it (exec.c); a frame on the heap stands for each application that has begun and not completed (app.c). */
#pragma once
#include "core/leg/hold.h"
#include "core/leg/leg_core.h"
#include "core/leg/part.h"
#include "core/run/run_core.h"
#include "loop/loop.h"

enum { ITEMS_MAX = 4096, REQUESTS_MAX = 256, LOG_MAX = 512, NESTING_MAX = 32, TRANSFERS_MAX = 50 };

struct exec_item { /* app, data and extension follow in one block */
	struct exec_item *next;
	const char *app, *data, *extension;
	int64_t wall_us; /* in the log */
};
struct exec_items {
	struct exec_item *first, **end;
	unsigned count;
};
struct exec_request {
	struct lnode link;
	struct exec_item *item;
	char uuid[UUID_CHARS + 1];
	int loops;
	bool is_event_lock, holds_bleg, is_hook;
	void (*done)(void *arg);
	void *done_arg;
};
/* ---- scope.c ---- */
struct exec_scope;
/* Sets what "%[..]" in front of data says and moves data behind it; NULL: there is none. */
ON_CTL struct exec_scope *exec_scope_open(struct leg *leg, const char **data);
ON_CTL void exec_scope_close(struct leg *leg, struct exec_scope *s); /* what was hidden comes back; NULL is fine */
ON_CTL void exec_scope_free(struct exec_scope *s);

struct exec_frame {
	struct exec_scope *scope;
	struct exec_frame *below; /* the application that runs this one, or an older detached one */
	const char *app;          /* of the descriptor */
	uint64_t number;
	char *data; /* expanded, plain */
	char *text; /* the same with marks; NULL: it has none */
	char *response;
	char uuid[UUID_CHARS + 1];
	bool is_nested, is_detached, is_over;
	struct co_wait over; /* a nested, detached one is waited for here */
};
struct leg_exec {
	struct exec_items list, log;
	struct exec_items past; /* of the list, those begun; kept only when records want them */
	struct list requests;
	unsigned request_count, transfer_count, depth;
	uint64_t frame_number; /* of the latest */
	struct exec_frame *top;
	struct co *co;
	struct co_wait wait;
	struct ldefer kick;
	struct ltimer park_timer;
	bool is_parked, is_zombie, reuses_profile;
	enum { HOOK_NONE, HOOK_RUNS, HOOK_OVER } hook; /* api_hangup_hook, at the end */
	bool is_running, is_kicked, in_request, is_hunting, holds_bleg;
	bool is_joined; /* its coroutine waits for a bridge to end */
	bool is_break, is_break_all, is_break_around, is_rerouted, is_park_next, is_hibernate_next, is_soft_next,
	    passes_reset;
};

/* ---- list.c ---- */
void exec_items_init(struct exec_items *l);
struct exec_item *exec_item_new(const char *app, const char *data, const char *extension);
void exec_items_push(struct exec_items *l, struct exec_item *item); /* takes it */
struct exec_item *exec_items_pop(struct exec_items *l);             /* the caller frees it; NULL when empty */
void exec_items_clear(struct exec_items *l);
void exec_items_move(struct exec_items *to, struct exec_items *from); /* to is empty */
ON_CTL void exec_item_past(struct leg *leg, struct exec_item *item);  /* takes it: kept for records, or freed */

/* ---- app.c ---- */
ON_CTL void exec_frame_free(struct exec_frame *f);
/* The latest application that detached and is not over. */
struct exec_frame *exec_frame_detached(const struct leg_exec *x);
/* The application of f is over: CHANNEL_EXECUTE_COMPLETE, and the frame leaves the stack. */
ON_CTL void exec_frame_complete(struct leg *leg, struct exec_frame *f);
/* ST_OK, a failure, or APP_DETACHED (never for a nested one, which is waited for). uuid NULL = made. */
CO int exec_run_app(struct leg *leg, const char *name, const char *raw, const char *uuid, bool is_nested);

/* ---- request.c ---- */
ON_CTL void exec_requests_clear(struct leg_exec *x);
/* The running application waits: asked for from outside on a bridged leg, it has the leg's sound for itself. */
ON_CTL void exec_request_waits(struct leg *leg);

/* ---- route.c ---- */
/* What a leg that was sent elsewhere does next: parks, hibernates, runs its list, or hunts. */
CO void exec_route(struct leg *leg);

static inline struct leg_exec *exec_of(const struct leg *leg)
{
	return leg_part_of(leg, &run_part);
}
