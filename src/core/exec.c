/* The applications of a leg. The list lives in the leg; one coroutine at a time walks it (co_main): first what was
 * asked from outside, then a new hunt when the leg was transferred, then the list. An application that detaches ends
 * the coroutine; leg_exec_resume starts another. A frame on the heap stands for each application that has begun and not
 * completed. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/leg_i.h"
#include "core/module.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

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
struct exec_frame {
	struct exec_frame *below; /* the application that runs this one, or an older detached one */
	const char *app;          /* of the descriptor */
	uint64_t number;
	char *data, *response;
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
	bool is_running, is_kicked, in_request, is_hunting;
	bool is_break, is_break_all, is_rerouted, is_park_next, is_hibernate_next, is_soft_next;
};

/* ---- lists ---- */

static void items_init(struct exec_items *l)
{
	l->first = NULL, l->end = &l->first, l->count = 0;
}

static struct exec_item *item_new(const char *app, const char *data, const char *extension)
{
	size_t a = strlen(app) + 1, d = data ? strlen(data) + 1 : 1, x = extension ? strlen(extension) + 1 : 0;
	struct exec_item *item = mem_alloc(sizeof(*item) + a + d + x);
	char *p;

	if (!item)
		return NULL;
	memset(item, 0, sizeof(*item));
	p = (char *)(item + 1);
	item->app = memcpy(p, app, a);
	item->data = memcpy(p + a, data ? data : "", d);
	if (x)
		item->extension = memcpy(p + a + d, extension, x);
	return item;
}

static void items_push(struct exec_items *l, struct exec_item *item)
{
	*l->end = item;
	l->end = &item->next;
	l->count++;
}

static struct exec_item *items_pop(struct exec_items *l)
{
	struct exec_item *item = l->first;
	if (item) {
		l->first = item->next;
		item->next = NULL;
		l->count--;
		if (!l->first)
			l->end = &l->first;
	}
	return item;
}

static void items_clear(struct exec_items *l)
{
	struct exec_item *item;
	while ((item = items_pop(l)))
		mem_free(item);
}

/* to is empty. */
static void items_move(struct exec_items *to, struct exec_items *from)
{
	if (from->first) {
		*to = *from;
		items_init(from);
	}
}

static void request_free(struct leg_exec *x, struct exec_request *r)
{
	void (*done)(void *) = r->done;
	void *done_arg = r->done_arg;
	list_remove(&r->link);
	x->request_count--;
	mem_free(r->item);
	mem_free(r);
	if (done)
		done(done_arg);
}

static void requests_clear(struct leg_exec *x)
{
	while (!list_empty(&x->requests))
		request_free(x, list_entry(list_first(&x->requests), struct exec_request, link));
}

int exec_init(struct leg *leg)
{
	struct leg_exec *x = mem_zalloc(sizeof(*x));
	if (!x)
		return ST_NOMEM;
	items_init(&x->list);
	items_init(&x->log);
	items_init(&x->past);
	list_init(&x->requests);
	leg->exec = x;
	return ST_OK;
}

static void frame_free(struct exec_frame *f)
{
	mem_free(f->data);
	mem_free(f->response);
	mem_free(f);
}

void exec_fini(struct leg *leg)
{
	struct leg_exec *x = leg->exec;
	if (!x)
		return;
	loop_defer_cancel(&x->kick);
	items_clear(&x->list);
	items_clear(&x->log);
	items_clear(&x->past);
	requests_clear(x);
	while (x->top) {
		struct exec_frame *f = x->top;
		x->top = f->below;
		frame_free(f);
	}
	mem_free(x);
	leg->exec = NULL;
}

bool exec_is_running(const struct leg *leg)
{
	return leg->exec->is_running;
}
bool exec_is_own_co(const struct leg *leg)
{
	return leg->exec->is_running && leg->exec->co && co_self() == leg->exec->co;
}

/* The latest application that detached and is not over. */
static struct exec_frame *detached_frame(const struct leg_exec *x)
{
	struct exec_frame *f = x->top;
	while (f && !(f->is_detached && !f->is_over))
		f = f->below;
	return f;
}

bool exec_is_detached(const struct leg *leg)
{
	return detached_frame(leg->exec) != NULL;
}

int leg_exec_add(struct leg *leg, const char *app, const char *data, const char *extension_name)
{
	struct exec_item *item;

	if (leg->exec->list.count >= ITEMS_MAX)
		return ST_LIMIT;
	item = item_new(app, data, extension_name);
	if (!item)
		return ST_NOMEM;
	items_push(&leg->exec->list, item);
	if (!leg->exec->is_running && !exec_is_detached(leg) && leg->state == CS_CONSUME_MEDIA)
		exec_kick(leg);
	return ST_OK;
}

void leg_exec_clear(struct leg *leg)
{
	items_clear(&leg->exec->list);
}

static bool keeps_past;

void leg_exec_keep_list(bool is_kept)
{
	keeps_past = is_kept;
}

void leg_exec_list_each(struct leg *leg,
    void (*fn)(const char *app, const char *data, const char *extension, bool is_next, void *arg), void *arg)
{
	const struct exec_item *item;

	for (item = leg->exec->past.first; item; item = item->next)
		fn(item->app, item->data, item->extension, false, arg);
	for (item = leg->exec->list.first; item; item = item->next)
		fn(item->app, item->data, item->extension, item == leg->exec->list.first, arg);
}

void leg_exec_log_each(
    struct leg *leg, void (*fn)(const char *app, const char *data, int64_t wall_us, void *arg), void *arg)
{
	for (struct exec_item *item = leg->exec->log.first; item; item = item->next)
		fn(item->app, item->data, item->wall_us, arg);
}

void leg_exec_response(struct leg *leg, const char *response)
{
	struct exec_frame *f = leg->exec->top;
	if (f && response) {
		mem_free(f->response);
		f->response = mem_strdup(response);
	}
}

/* ---- one application ---- */

static ON_CTL void fire_execute(struct leg *leg, const struct exec_frame *f, enum event_id id)
{
	struct event *e;

	if (!event_is_wanted(id, NULL) || !(e = event_new(id, NULL)))
		return;
	leg_event_headers(leg, e);
	event_add(e, "Application", f->app);
	if (f->data && *f->data)
		event_add(e, "Application-Data", f->data);
	if (id == EVENT_CHANNEL_EXECUTE_COMPLETE)
		event_add(e, "Application-Response", f->response ? f->response : "_none_");
	event_add(e, "Application-UUID", f->uuid);
	event_fire(e);
}

/* The application of f is over: CHANNEL_EXECUTE_COMPLETE, and the frame leaves the stack. */
static ON_CTL void frame_complete(struct leg *leg, struct exec_frame *f)
{
	struct exec_frame **at = &leg->exec->top;

	if (f->response)
		leg_var_set(leg, "current_application_response", f->response);
	fire_execute(leg, f, EVENT_CHANNEL_EXECUTE_COMPLETE);
	while (*at && *at != f)
		at = &(*at)->below;
	if (*at)
		*at = f->below;
	frame_free(f);
}

static ON_CTL int expand_data(struct leg *leg, const char *data, char **out)
{
	if (!data || !strchr(data, '$') || leg_var_is_true(leg, "app_disable_expand_variables")) {
		if (data && strchr(data, '\\') && strchr(data, '$'))
			return expand(leg, data, out);
		*out = mem_strdup(data ? data : "");
		return *out ? ST_OK : ST_NOMEM;
	}
	return expand(leg, data, out);
}

static ON_CTL void note_app(struct leg *leg, const char *app, const char *data)
{
	struct leg_exec *x = leg->exec;
	struct exec_item *item;

	leg_var_set(leg, "current_application_data", data);
	leg_var_set(leg, "current_application", app);
	snprintf(leg->last_app, sizeof(leg->last_app), "%s", app);
	leg_profile_set(&leg->last_app_data, data);
	leg_log(leg, LOG_DEBUG, "EXECUTE [depth=%u] %s %s(%s)", x->depth, leg->name, app, data);
	if (x->log.count < LOG_MAX && (item = item_new(app, data, NULL))) {
		item->wall_us = clock_wall_us();
		items_push(&x->log, item);
	}
}

static ON_CTL int frame_new(
    struct leg *leg, const struct app_desc *app, char *data, const char *uuid, bool is_nested, struct exec_frame **out)
{
	struct exec_frame *f = mem_zalloc(sizeof(*f));
	const char *given = uuid && *uuid ? uuid : vars_get(leg->vars, "app_uuid");

	if (!f)
		return ST_NOMEM;
	f->app = app->name, f->data = data, f->is_nested = is_nested;
	f->number = ++leg->exec->frame_number;
	if (given)
		snprintf(f->uuid, sizeof(f->uuid), "%s", given);
	else
		uuid_make(f->uuid);
	f->below = leg->exec->top;
	leg->exec->top = f;
	*out = f;
	return ST_OK;
}

/* ST_OK, a failure, or APP_DETACHED (never for a nested one, which is waited for). */
static CO int run_app(struct leg *leg, const char *name, const char *raw, const char *uuid, bool is_nested)
{
	struct leg_exec *x = leg->exec;
	const struct app_desc *app = app_find(name);
	struct exec_frame *f = NULL;
	char *data = NULL;
	int st;

	if (!app) {
		leg_log(leg, LOG_ERR, "Invalid Application %s", name);
		leg_hangup(leg, CAUSE_DESTINATION_OUT_OF_ORDER);
		return ST_NOTFOUND;
	}
	if (!leg_is_up(leg) && !(app->flags & APP_ZOMBIE_EXEC))
		return ST_HANGUP;
	if (x->depth >= NESTING_MAX)
		return ST_LIMIT;
	st = expand_data(leg, raw, &data);
	if (st)
		return st;
	note_app(leg, app->name, data);
	st = frame_new(leg, app, data, uuid, is_nested, &f);
	if (st) {
		mem_free(data);
		return st;
	}
	x->is_break = false;
	x->depth++;
	fire_execute(leg, f, EVENT_CHANNEL_EXECUTE);
	st = app->fn(leg, data);
	if (st == APP_DETACHED) {
		f->is_detached = true;
		if (!leg_is_up(leg) || x->is_rerouted)
			f->is_over = true;
		if (!is_nested && !f->is_over) {
			x->depth--;
			return APP_DETACHED;
		}
		if (!f->is_over)
			co_wait(&f->over, -1);
		st = leg_is_up(leg) ? ST_OK : ST_HANGUP;
	}
	x->depth--;
	frame_complete(leg, f);
	return st;
}

int leg_exec_app(struct leg *leg, const char *app, const char *data)
{
	return run_app(leg, app, data, NULL, true);
}

/* ---- requests from outside ---- */

int leg_exec_request(struct leg *leg, const struct leg_exec_request *r)
{
	struct leg_exec *x = leg->exec;
	struct exec_request *q;

	if (!leg_is_up(leg))
		return ST_HANGUP;
	if (!r->app || !*r->app)
		return ST_INVAL;
	if (x->request_count >= REQUESTS_MAX)
		return ST_FULL;
	q = mem_zalloc(sizeof(*q));
	if (!q || !(q->item = item_new(r->app, r->data, NULL))) {
		mem_free(q);
		return ST_NOMEM;
	}
	if (r->event_uuid)
		snprintf(q->uuid, sizeof(q->uuid), "%s", r->event_uuid);
	q->loops = r->loops < 0 ? -1 : r->loops > 1 ? r->loops : 1;
	q->is_event_lock = r->is_event_lock, q->holds_bleg = r->holds_bleg;
	q->is_hook = r->priority > 0;
	q->done = r->done, q->done_arg = r->done_arg;
	if (r->priority > 0)
		list_unshift(&x->requests, &q->link);
	else
		list_push(&x->requests, &q->link);
	x->request_count++;
	if (x->is_running)
		leg_wake(leg);
	else
		exec_kick(leg);
	return ST_OK;
}

/* Runs the oldest request; inside another one nothing is taken. */
static CO bool run_request(struct leg *leg)
{
	struct leg_exec *x = leg->exec;
	struct exec_request *r;
	bool is_break_all = false;
	int st = ST_OK;

	if (x->in_request || list_empty(&x->requests))
		return false;
	r = list_entry(list_first(&x->requests), struct exec_request, link);
	list_remove(&r->link);
	x->in_request = true;
	for (int left = r->loops, loop = 1; left && leg_is_up(leg) && st >= 0 && !x->is_rerouted; left -= left > 0) {
		if (!r->is_hook) {
			leg_var_setf(leg, "current_loop", "%d", loop++);
			leg_var_setf(leg, "total_loops", "%d", r->loops);
		}
		st = run_app(leg, r->item->app, r->item->data, r->uuid, true);
		if (x->is_break) {
			x->is_break = false;
			break;
		}
		if (r->loops < 0 && !st && !leg_is_up(leg))
			break;
	}
	x->in_request = false;
	is_break_all = x->is_break_all;
	x->is_break_all = false;
	list_push(&x->requests, &r->link); /* request_free takes it out again */
	request_free(x, r);
	if (is_break_all)
		requests_clear(x);
	return true;
}

/* ---- routing ---- */

/* Tries the profile's dialplans ("XML,inline:...") in turn. */
static CO int hunt(struct leg *leg)
{
	char *list = mem_strdup(leg->profile->dialplan && *leg->profile->dialplan ? leg->profile->dialplan : "XML");
	char *save = NULL, *name;
	int st = ST_NOTFOUND;

	if (!list)
		return ST_NOMEM;
	for (name = strtok_r(list, ",", &save); name && st == ST_NOTFOUND && leg_is_up(leg);
	     name = strtok_r(NULL, ",", &save)) {
		char *args = strchr(name, ':');
		const struct dialplan_desc *d;
		if (args)
			*args++ = 0;
		d = dialplan_find(sv_of(name));
		if (!d) {
			leg_log(leg, LOG_WARNING, "no dialplan is called '%s'", name);
			continue;
		}
		st = d->hunt(leg, args && *args ? args : NULL);
	}
	mem_free(list);
	return st;
}

/* Hunts with a profile that lasts only for it; what inline actions and a transfer do to the leg stays. */
static CO int hunt_aside(struct leg *leg, const char *exten, const char *dialplan, const char *context)
{
	struct leg_profile *old = leg->profile, *p = leg_profile_dup(old);
	int st;

	if (!p)
		return ST_NOMEM;
	p->times = old->times, p->index = old->index;
	leg_profile_set(&p->destination_number, exten);
	if (dialplan && *dialplan)
		leg_profile_set(&p->dialplan, dialplan);
	if (context && *context)
		leg_profile_set(&p->context, context);
	leg->profile = p;
	leg->exec->is_hunting = true;
	st = hunt(leg);
	leg->exec->is_hunting = false;
	if (leg->profile == p)
		leg->profile = old;
	else
		for (struct leg_profile *q = leg->profile; q; q = q->older)
			if (q->older == p)
				q->older = old;
	p->older = NULL;
	leg_profile_free(p);
	return st;
}

int leg_exec_extension(struct leg *leg, const char *exten, const char *dialplan, const char *context)
{
	struct leg_exec *x = leg->exec;
	struct exec_items saved;
	struct exec_item *item;
	int st;

	if (x->depth >= NESTING_MAX)
		return ST_LIMIT;
	items_init(&saved);
	items_move(&saved, &x->list);
	st = hunt_aside(leg, exten, dialplan, context);
	if (!st && !x->list.first)
		st = ST_NOTFOUND;
	while (leg_is_up(leg) && !x->is_rerouted && (item = items_pop(&x->list))) {
		run_app(leg, item->app, item->data, NULL, true);
		mem_free(item);
	}
	if (x->is_rerouted) { /* the list is what comes next; what was left of the old one is given up */
		items_clear(&saved);
		return leg_is_up(leg) ? ST_CANCELLED : ST_HANGUP;
	}
	items_clear(&x->list);
	items_move(&x->list, &saved);
	return leg_is_up(leg) ? st : ST_HANGUP;
}

static CO void route(struct leg *leg)
{
	struct leg_exec *x = leg->exec;
	int st;

	if (x->is_park_next) {
		x->is_park_next = false;
		leg_i(leg)->is_parked = false;
		leg_state_input(leg, IN_PARK);
		leg_state_run(leg);
		leg_park(leg);
		return;
	}
	if (x->is_hibernate_next) {
		x->is_hibernate_next = false;
		if (!leg->bridge) { /* the other leg may have been faster */
			leg_state_input(leg, IN_HIBERNATE);
			leg_state_run(leg);
		}
		return;
	}
	if (x->is_soft_next) {
		x->is_soft_next = false;
		leg_state_input(leg, IN_SOFT_EXECUTE);
		leg_state_run(leg);
		return;
	}
	leg_flip_cid(leg);
	leg_state_input(leg, IN_ROUTE);
	leg_state_run(leg);
	leg_hooks_run(leg, LEG_HOOK_ROUTING);
	leg->hit_dialplan = true;
	x->is_hunting = true;
	st = hunt(leg);
	x->is_hunting = false;
	if (!leg_is_up(leg) || x->is_rerouted)
		return;
	if (st || !x->list.first) {
		leg_log(leg, LOG_INFO, "No Route, Aborting");
		leg_hangup(leg, CAUSE_NO_ROUTE_DESTINATION);
		return;
	}
	leg_state_input(leg, IN_EXECUTE);
	leg_state_run(leg);
}

/* What is left when the list is empty: parked and detached legs stay, others have nobody to keep them. */
static ON_CTL void end_of_list(struct leg *leg)
{
	if (leg_i(leg)->is_parked || exec_is_detached(leg) || leg->bridge || leg->state == CS_CONSUME_MEDIA ||
	    leg->state == CS_PARK || leg->state == CS_EXCHANGE_MEDIA || leg->state == CS_HIBERNATE)
		return;
	leg_log(leg, LOG_NOTICE, "%s has executed the last dialplan instruction, hanging up.", leg->name);
	leg_hangup(leg, CAUSE_NORMAL_CLEARING);
}

/* Runs the next application of the list; false when the coroutine has no more to do. */
static CO bool run_next(struct leg *leg)
{
	struct exec_item *item;

	if (exec_is_detached(leg) || leg_i(leg)->is_parked)
		return false;
	item = items_pop(&leg->exec->list);
	if (!item) {
		end_of_list(leg);
		return false;
	}
	if (leg->state == CS_CONSUME_MEDIA) {
		leg_flip_cid(leg);
		leg_state_input(leg, IN_EXECUTE);
		leg_state_run(leg);
	}
	run_app(leg, item->app, item->data, NULL, false);
	if (keeps_past && leg->exec->past.count < ITEMS_MAX)
		items_push(&leg->exec->past, item);
	else
		mem_free(item);
	return true;
}

/* The leg goes elsewhere: what a bridge or a request kept from ending (a park below it) is over. */
static ON_CTL void end_detached(struct leg *leg)
{
	if (leg_i(leg)->is_parked) {
		leg_i(leg)->is_parked = false;
		loop_timer_cancel(&leg_i(leg)->park_timer);
		leg_event(leg, EVENT_CHANNEL_UNPARK);
	}
	while (exec_is_detached(leg))
		frame_complete(leg, detached_frame(leg->exec));
}

static void co_main(void *arg)
{
	struct leg *leg = arg;
	struct leg_exec *x = leg->exec;
	bool goes_on = true;

	role_assert_co();
	x->co = co_self();
	while (goes_on && leg_is_up(leg)) {
		if (run_request(leg))
			continue;
		if (x->is_rerouted) {
			x->is_rerouted = false;
			end_detached(leg);
			route(leg);
			continue;
		}
		goes_on = run_next(leg);
	}
	x->is_running = false;
	x->co = NULL;
	co_wait_reset(&x->wait);
	if (!leg_is_up(leg))
		leg_end_go(leg);
	mem_unref(leg);
}

static void kicked(void *arg)
{
	struct leg *leg = arg;

	role_assert_ctl();
	leg->exec->is_kicked = false;
	if (!leg->exec->is_running && leg_is_up(leg)) {
		leg->exec->is_running = true;
		mem_ref(leg);
		if (co_spawn("leg", co_main, leg, NULL)) {
			leg->exec->is_running = false;
			leg_log(leg, LOG_CRIT, "no memory for an application's stack");
			leg_hangup(leg, CAUSE_SWITCH_CONGESTION);
			mem_unref(leg);
		}
	}
	mem_unref(leg);
}

void exec_kick(struct leg *leg)
{
	struct leg_exec *x = leg->exec;
	if (x->is_kicked || x->is_running || !leg_is_up(leg))
		return;
	x->is_kicked = true;
	mem_ref(leg);
	loop_defer(&x->kick, "leg", kicked, leg);
}

/* ---- detached applications ---- */

void leg_exec_resume(struct leg *leg, const char *response)
{
	struct exec_frame *f = detached_frame(leg->exec);

	if (leg_i(leg)->is_parked) {
		leg_i(leg)->is_parked = false;
		loop_timer_cancel(&leg_i(leg)->park_timer);
		leg_event(leg, EVENT_CHANNEL_UNPARK);
	}
	if (!f) {
		/* It ended while it was still being set up. */
		if (leg->exec->is_running && leg->exec->top)
			leg->exec->top->is_over = true;
		exec_kick(leg);
		return;
	}
	if (response) {
		mem_free(f->response);
		f->response = mem_strdup(response);
	}
	f->is_over = true;
	if (f->is_nested) {
		co_signal(&f->over, ST_OK);
		return;
	}
	frame_complete(leg, f);
	exec_kick(leg);
}

static struct exec_frame *frame_by_number(const struct leg *leg, uint64_t number)
{
	struct exec_frame *f = leg->exec->top;
	while (f && f->number != number)
		f = f->below;
	return f;
}

uint64_t leg_exec_frame(const struct leg *leg)
{
	return leg->exec->top ? leg->exec->top->number : 0;
}

bool leg_exec_frame_is_open(const struct leg *leg, uint64_t frame)
{
	const struct exec_frame *f = frame_by_number(leg, frame);
	return f && !f->is_over;
}

void leg_exec_frame_end(struct leg *leg, uint64_t frame)
{
	struct exec_frame *f = frame_by_number(leg, frame);

	if (!f || !f->is_detached || f->is_over)
		return;
	if (f == detached_frame(leg->exec)) {
		leg_exec_resume(leg, NULL);
		return;
	}
	/* A request that detached stays; after it the coroutine goes on with the list. */
	leg_i(leg)->is_parked = false;
	loop_timer_cancel(&leg_i(leg)->park_timer);
	f->is_over = true;
	if (f->is_nested)
		co_signal(&f->over, ST_OK);
	else
		frame_complete(leg, f);
}

void exec_complete_detached(struct leg *leg)
{
	if (leg_i(leg)->is_parked) {
		leg_i(leg)->is_parked = false;
		leg_event(leg, EVENT_CHANNEL_UNPARK);
	}
	while (leg->exec->top)
		frame_complete(leg, leg->exec->top);
	requests_clear(leg->exec);
}

void exec_hung_up(struct leg *leg)
{
	struct leg_exec *x = leg->exec;

	if (!x->is_running)
		return;
	for (struct exec_frame *f = x->top; f; f = f->below)
		if (f->is_nested && f->is_detached && !f->is_over) {
			f->is_over = true;
			co_signal(&f->over, ST_HANGUP);
		}
	co_signal(&x->wait, ST_HANGUP);
}

void exec_unwind(struct leg *leg)
{
	struct leg_exec *x = leg->exec;

	originate_cancel(leg);
	if (x->is_running)
		co_signal(&x->wait, ST_OK);
	if (leg->bridge) {
		bridge_leave(leg);
	} else if (exec_is_detached(leg) || leg_i(leg)->is_parked) {
		if (leg_media_stream(leg))
			mstream_idle(leg_media_stream(leg));
		leg_exec_resume(leg, NULL);
	}
	exec_kick(leg);
}

void exec_reroute(struct leg *leg)
{
	items_clear(&leg->exec->list);
	items_clear(&leg->exec->past);
	leg->exec->is_rerouted = true;
	exec_unwind(leg);
}

bool exec_is_rerouted(const struct leg *leg)
{
	return leg->exec->is_rerouted;
}

void exec_hibernate_after(struct leg *leg)
{
	leg->exec->is_hibernate_next = true;
	exec_reroute(leg);
}

void exec_park_after(struct leg *leg)
{
	leg->exec->is_park_next = true;
	exec_reroute(leg);
}

void exec_run_after(struct leg *leg, const char *app, const char *data)
{
	items_clear(&leg->exec->list);
	leg->exec->is_rerouted = leg->exec->is_soft_next = true;
	leg_exec_add(leg, app, data, NULL);
	exec_unwind(leg);
}

void leg_exec_restart(struct leg *leg)
{
	leg->exec->is_rerouted = leg->exec->is_soft_next = true;
	exec_unwind(leg);
}

/* ---- what applications and commands do ---- */

int leg_wait(struct leg *leg, int64_t timeout_us)
{
	struct leg_exec *x = leg->exec;
	int st;

	if (!leg_is_up(leg))
		return ST_HANGUP;
	if (x->is_break) {
		x->is_break = x->in_request; /* a request's loop looks at it too */
		return ST_CANCELLED;
	}
	if (x->is_rerouted)
		return ST_CANCELLED;
	if (run_request(leg))
		return leg_is_up(leg) ? ST_OK : ST_HANGUP;
	st = co_wait(&x->wait, timeout_us);
	if (!leg_is_up(leg))
		return ST_HANGUP;
	if (x->is_rerouted)
		return ST_CANCELLED;
	if (x->is_break) {
		x->is_break = x->in_request;
		return ST_CANCELLED;
	}
	return st == ST_TIMEOUT ? ST_TIMEOUT : ST_OK;
}

void leg_wake(struct leg *leg)
{
	if (leg->exec->is_running)
		co_signal(&leg->exec->wait, ST_OK);
}

int leg_sleep(struct leg *leg, int64_t us)
{
	int64_t deadline = clock_mono_us() + us;
	int st = ST_OK;

	while (st == ST_OK) {
		int64_t left = deadline - clock_mono_us();
		if (left <= 0)
			return ST_OK;
		st = leg_wait(leg, left);
	}
	return st == ST_TIMEOUT ? ST_OK : st;
}

void leg_break(struct leg *leg, bool is_all)
{
	struct leg_exec *x = leg->exec;

	if (is_all)
		requests_clear(x);
	if (leg_media_stream(leg))
		mstream_play_stop(leg_media_stream(leg), 0);
	if (x->is_running) {
		x->is_break = true;
		x->is_break_all = is_all;
		co_signal(&x->wait, ST_OK);
	} else if (!leg->bridge && exec_is_detached(leg)) {
		exec_unwind(leg);
	}
}

int leg_transfer(struct leg *leg, const char *exten, const char *dialplan, const char *context)
{
	struct leg_profile *p;
	const char *forced;

	if (!leg_is_up(leg))
		return ST_HANGUP;
	if (!exten || !*exten || !leg->profile)
		return ST_INVAL;
	if (++leg->exec->transfer_count > TRANSFERS_MAX) {
		leg_log(leg, LOG_ERR, "transferred %d times: a loop", TRANSFERS_MAX);
		leg_hangup(leg, CAUSE_EXCHANGE_ROUTING_ERROR);
		return ST_LIMIT;
	}
	if ((forced = vars_get(leg->vars, "force_transfer_dialplan")))
		dialplan = forced;
	if ((forced = vars_get(leg->vars, "force_transfer_context")))
		context = forced;
	leg_flip_cid(leg);
	p = leg_profile_dup(leg->profile);
	if (!p)
		return ST_NOMEM;
	leg_profile_set(&p->destination_number, exten);
	if (dialplan && *dialplan)
		leg_profile_set(&p->dialplan, dialplan);
	else if (!p->dialplan)
		leg_profile_set(&p->dialplan, "XML");
	if (context && *context)
		leg_profile_set(&p->context, context);
	else if (!p->context)
		leg_profile_set(&p->context, "default");
	leg_set_profile(leg, p);
	p->times.transferred = clock_wall_us();
	leg_log(leg, LOG_NOTICE, "Transfer %s to %s[%s@%s]", leg->name, p->dialplan, p->destination_number, p->context);
	if (leg->exec->is_hunting)
		items_clear(&leg->exec->list);
	exec_reroute(leg);
	return ST_OK;
}

static void park_timeout(void *arg)
{
	struct leg *leg = arg;
	const char *spec, *colon;
	role_assert_ctl();
	spec = vars_get(leg->vars, "park_timeout");
	colon = spec ? strchr(spec, ':') : NULL;
	leg_hangup(leg, colon ? cause_parse(colon + 1) : CAUSE_NORMAL_CLEARING);
}

/* As an application of its own coroutine it detaches; from outside the leg is taken out of whatever it does. */
int leg_park(struct leg *leg)
{
	struct leg_full *full = leg_i(leg);
	const char *spec;
	uint32_t timeout_s = 0;

	if (!leg_is_up(leg))
		return ST_HANGUP;
	if (full->is_parked)
		return ST_OK;
	if (!exec_is_own_co(leg)) {
		exec_park_after(leg);
		return ST_OK;
	}
	full->is_parked = true;
	leg_event(leg, EVENT_CHANNEL_PARK);
	spec = vars_get(leg->vars, "park_timeout");
	if (spec)
		sv_u32(sv_sub(sv_of(spec), 0, strspn(spec, "0123456789")), &timeout_s);
	if (timeout_s)
		loop_timer_set(&full->park_timer, (int64_t)timeout_s * 1000000, "park timeout", park_timeout, leg);
	return APP_DETACHED;
}

/* ---- hooks by variable ---- */

void exec_hook_spec(struct leg *leg, const char *spec)
{
	const char *end = strstr(spec, "::");
	size_t app_n = end ? (size_t)(end - spec) : strcspn(spec, " ");
	char *app = mem_strndup(spec, app_n);
	const char *data = spec + app_n + (end ? 2 : spec[app_n] == ' ');
	struct leg_exec_request r = {.app = app, .data = data, .priority = 1};

	if (app && *app)
		leg_exec_request(leg, &r);
	mem_free(app);
}

/* api_on_*: fire and forget on a coroutine of its own. */
static ON_CTL void api_hook(struct leg *leg, const char *spec)
{
	char *line = NULL, *args;

	if (expand(leg, spec, &line))
		return;
	args = strchr(line, ' ');
	if (args)
		*args++ = 0;
	api_spawn(line, args ? args : "", NULL, NULL, NULL);
	mem_free(line);
}

static bool has_prefix(const char *name, const char *prefix)
{
	size_t n = strlen(prefix);
	return !strncasecmp(name, prefix, n) && (!name[n] || (name[n] == '_' && isdigit((unsigned char)name[n + 1])));
}

/* execute_on_answer, execute_on_answer_1 ...: a scan, made only when any variable starts so. */
void exec_hooks(struct leg *leg, const char *execute_prefix, const char *api_prefix)
{
	for (size_t i = 0; i < vars_count(leg->vars); i++) {
		const char *name, *value;
		vars_at(leg->vars, i, &name, &value);
		if ((name[0] | 0x20) == 'e' && has_prefix(name, execute_prefix)) {
			exec_hook_spec(leg, value);
		} else if ((name[0] | 0x20) == 'a' && has_prefix(name, api_prefix)) {
			api_hook(leg, value);
		}
	}
}
