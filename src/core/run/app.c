/* One application of a leg: its data is expanded, CHANNEL_EXECUTE is told, it runs; it returns, or detaches (bridge,
 * park, echo) and is over when somebody says so. */
#include "core/registry/app.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/leg/leg_core.h"
#include "core/run/exec.h"
#include "core/run/exec_i.h"
#include "core/run/expand.h"
#include "core/run/run_core.h"
#include "core/value/cause.h"
#include "core/value/vars.h"
#include "text/mark.h"
#include <stdio.h>
#include <string.h>

void exec_frame_free(struct exec_frame *f)
{
	mem_free(f->data);
	mem_free(f->text);
	mem_free(f->response);
	exec_scope_free(f->scope);
	mem_free(f);
}

struct exec_frame *exec_frame_detached(const struct leg_exec *x)
{
	struct exec_frame *f = x->top;
	while (f && !(f->is_detached && !f->is_over))
		f = f->below;
	return f;
}

bool exec_is_detached(const struct leg *leg)
{
	return exec_frame_detached(exec_of(leg)) != NULL;
}

void leg_exec_response(struct leg *leg, const char *response)
{
	struct exec_frame *f = exec_of(leg)->top;
	if (f && response) {
		mem_free(f->response);
		f->response = mem_strdup(response);
	}
}

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

void exec_frame_complete(struct leg *leg, struct exec_frame *f)
{
	struct exec_frame **at = &exec_of(leg)->top;

	if (f->response)
		leg_var_set(leg, "current_application_response", f->response);
	fire_execute(leg, f, EVENT_CHANNEL_EXECUTE_COMPLETE);
	if (f->below) { /* what ran within an application has the last word on its response */
		mem_free(f->below->response);
		f->below->response = f->response;
		f->response = NULL;
	}
	while (*at && *at != f)
		at = &(*at)->below;
	if (*at)
		*at = f->below;
	exec_scope_close(leg, f->scope);
	f->scope = NULL;
	exec_frame_free(f);
}

static ON_CTL int expand_data(struct leg *leg, const char *data, char **out)
{
	if (!data || leg_var_is_true(leg, "app_disable_expand_variables")) {
		*out = mem_strdup(data ? data : "");
		return *out ? ST_OK : ST_NOMEM;
	}
	return expand(leg, data, out);
}

/* data: plain; text: the same with its marks. */
static ON_CTL void note_app(struct leg *leg, const char *app, const char *data, const char *text)
{
	struct leg_exec *x = exec_of(leg);
	struct exec_item *item;

	leg_var_set_text(leg, "current_application_data", text);
	leg_var_set(leg, "current_application", app);
	snprintf(leg->last_app, sizeof(leg->last_app), "%s", app);
	leg_profile_set(&leg->last_app_data, data);
	leg_log(leg, LOG_DEBUG, "EXECUTE [depth=%u] %s %s(%s)", x->depth, leg->name, app, data);
	if (x->log.count < LOG_MAX && (item = exec_item_new(app, data, NULL))) {
		item->wall_us = clock_wall_us();
		exec_items_push(&x->log, item);
	}
}

static ON_CTL int frame_new(struct leg *leg, const struct app_desc *app, char *data, char *text, const char *uuid,
    bool is_nested, struct exec_frame **out)
{
	struct exec_frame *f = mem_zalloc(sizeof(*f));
	const char *given = uuid && *uuid ? uuid : vars_get(leg->vars, "app_uuid");

	if (!f)
		return ST_NOMEM;
	f->app = app->name, f->data = data, f->text = text, f->is_nested = is_nested;
	f->number = ++exec_of(leg)->frame_number;
	if (given)
		snprintf(f->uuid, sizeof(f->uuid), "%s", given);
	else
		uuid_make(f->uuid);
	f->below = exec_of(leg)->top;
	exec_of(leg)->top = f;
	*out = f;
	return ST_OK;
}

/* data becomes the plain text; text stays only where it differs. */
static int take_marks(char **data, char **text)
{
	if (mark_has(sv_of(*text))) {
		*data = mark_strip_dup(sv_of(*text));
		return *data ? ST_OK : ST_NOMEM;
	}
	*data = *text;
	*text = NULL;
	return ST_OK;
}

static CO int run_found(struct leg *leg, const struct app_desc *app, const char *raw, const char *uuid, bool is_nested)
{
	struct leg_exec *x = exec_of(leg);
	struct exec_scope *scope;
	struct exec_frame *f = NULL;
	char *data = NULL, *text = NULL;
	int st;

	if (!leg_is_up(leg) && !(app->flags & APP_ZOMBIE_EXEC))
		return ST_HANGUP;
	if (x->depth >= NESTING_MAX)
		return ST_LIMIT;
	scope = exec_scope_open(leg, &raw);
	st = expand_data(leg, raw, &text);
	if (!st)
		st = take_marks(&data, &text);
	if (!st) {
		note_app(leg, app->name, data, text ? text : data);
		st = frame_new(leg, app, data, text, uuid, is_nested, &f);
	}
	if (st) {
		exec_scope_close(leg, scope);
		mem_free(data);
		mem_free(text);
		return st;
	}
	f->scope = scope;
	leg_parts_before_app(leg, app->flags);
	x->is_break = x->is_break_around;
	x->is_break_around = false;
	x->depth++;
	fire_execute(leg, f, EVENT_CHANNEL_EXECUTE);
	st = app_invoke(app, leg, data);
	if (st == APP_DETACHED) {
		f->is_detached = true;
		if (!leg_is_up(leg) || x->is_rerouted)
			f->is_over = true;
		if (!is_nested && !f->is_over) {
			x->depth--;
			return APP_DETACHED;
		}
		exec_request_waits(leg);
		if (!f->is_over)
			co_wait(&f->over, -1);
		st = leg_is_up(leg) ? ST_OK : ST_HANGUP;
	}
	x->depth--;
	exec_frame_complete(leg, f);
	return st;
}

int exec_run_app(struct leg *leg, const char *name, const char *raw, const char *uuid, bool is_nested)
{
	const struct app_desc *app = app_find(name);
	int st;

	if (!app) {
		leg_log(leg, LOG_ERR, "Invalid Application %s", name);
		leg_hangup(leg, CAUSE_DESTINATION_OUT_OF_ORDER);
		return ST_NOTFOUND;
	}
	app_keep(app, true);
	st = run_found(leg, app, raw, uuid, is_nested);
	app_keep(app, false);
	return st;
}

const char *leg_exec_text(const struct leg *leg, const char *data)
{
	const struct exec_frame *f = exec_of(leg)->top;

	while (f && f->data != data)
		f = f->below;
	return f && f->text ? f->text : data;
}

int leg_exec_app(struct leg *leg, const char *app, const char *data)
{
	return exec_run_app(leg, app, data, NULL, true);
}

void leg_exec_resume(struct leg *leg, const char *response)
{
	struct exec_frame *f = exec_frame_detached(exec_of(leg));

	if (exec_of(leg)->is_parked) {
		exec_of(leg)->is_parked = false;
		loop_timer_cancel(&exec_of(leg)->park_timer);
		leg_event(leg, EVENT_CHANNEL_UNPARK);
	}
	if (!f) {
		/* It ended while it was still being set up. */
		if (exec_of(leg)->is_running && exec_of(leg)->top)
			exec_of(leg)->top->is_over = true;
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
	exec_frame_complete(leg, f);
	exec_kick(leg);
}

static struct exec_frame *frame_by_number(const struct leg *leg, uint64_t number)
{
	struct exec_frame *f = exec_of(leg)->top;
	while (f && f->number != number)
		f = f->below;
	return f;
}

uint64_t leg_exec_frame(const struct leg *leg)
{
	return exec_of(leg)->top ? exec_of(leg)->top->number : 0;
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
	if (f == exec_frame_detached(exec_of(leg))) {
		leg_exec_resume(leg, NULL);
		return;
	}
	/* A request that detached stays; after it the coroutine goes on with the list. */
	exec_of(leg)->is_parked = false;
	loop_timer_cancel(&exec_of(leg)->park_timer);
	f->is_over = true;
	if (f->is_nested)
		co_signal(&f->over, ST_OK);
	else
		exec_frame_complete(leg, f);
}
