/* What a leg is asked to run from outside: uuid_broadcast, sendmsg, scheduled tasks, and the hooks by variable
 * (execute_on_*, api_on_*). Taken up inside the running application's next wait, or by a coroutine of its own. */
#include "base/mem.h"
#include "base/status.h"
#include "core/event/event.h"
#include "core/leg/hold.h"
#include "core/leg/leg.h"
#include "core/run/api.h"
#include "core/run/exec.h"
#include "core/run/exec_i.h"
#include "core/run/expand.h"
#include "core/run/run_core.h"
#include "core/value/vars.h"
#include "text/mark.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* An application or command that somebody outside has named. */
static ON_CTL bool is_refused(struct leg *leg, const char *what, struct sv name)
{
	char *plain;

	if (!mark_has(name))
		return false;
	plain = mark_strip_dup(name);
	leg_log(leg, LOG_WARNING, "the %s is named from outside and is not run: %.80s", what, plain ? plain : "");
	mem_free(plain);
	return true;
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

void exec_requests_clear(struct leg_exec *x)
{
	while (!list_empty(&x->requests))
		request_free(x, list_entry(list_first(&x->requests), struct exec_request, link));
}

/* Hooks go before everything else, in the order in which they were asked for. */
static void request_queue(struct leg_exec *x, struct exec_request *q)
{
	struct lnode *it, *tmp;

	if (q->is_hook)
		list_each (&x->requests, it, tmp)
			if (!list_entry(it, struct exec_request, link)->is_hook) {
				list_insert(&q->link, it->prev, it);
				return;
			}
	list_push(&x->requests, &q->link);
}

static ON_CTL int request_add(struct leg *leg, const struct leg_exec_request *r, struct exec_request **out)
{
	struct leg_exec *x = exec_of(leg);
	struct exec_request *q;

	if (!leg_is_up(leg))
		return ST_HANGUP;
	if (!r->app || !*r->app)
		return ST_INVAL;
	if (is_refused(leg, "application", sv_of(r->app)))
		return ST_DENIED;
	if (x->request_count >= REQUESTS_MAX)
		return ST_FULL;
	q = mem_zalloc(sizeof(*q));
	if (!q || !(q->item = exec_item_new(r->app, r->data, NULL))) {
		mem_free(q);
		return ST_NOMEM;
	}
	if (r->event_uuid)
		snprintf(q->uuid, sizeof(q->uuid), "%s", r->event_uuid);
	q->loops = r->loops < 0 ? -1 : r->loops > 1 ? r->loops : 1;
	q->is_event_lock = r->is_event_lock, q->holds_bleg = r->holds_bleg;
	q->is_hook = r->priority > 0;
	q->done = r->done, q->done_arg = r->done_arg;
	request_queue(x, q);
	x->request_count++;
	if (x->is_running)
		leg_wake(leg);
	else
		exec_kick(leg);
	*out = q;
	return ST_OK;
}

int leg_exec_request(struct leg *leg, const struct leg_exec_request *r)
{
	struct exec_request *q;
	return request_add(leg, r, &q);
}

void exec_request_waits(struct leg *leg)
{
	if (!exec_of(leg)->in_request || !leg->peer)
		return;
	leg_holds_suspend(leg, exec_of(leg)->holds_bleg);
	exec_of(leg)->holds_bleg = false;
}

bool exec_run_request(struct leg *leg)
{
	struct leg_exec *x = exec_of(leg);
	struct exec_request *r;
	bool is_break_all = false;
	int st = ST_OK;

	if (x->in_request || list_empty(&x->requests))
		return false;
	r = list_entry(list_first(&x->requests), struct exec_request, link);
	list_remove(&r->link);
	x->in_request = true;
	x->holds_bleg = r->holds_bleg;
	for (int left = r->loops, loop = 1; left && leg_is_up(leg) && st >= 0 && !x->is_rerouted; left -= left > 0) {
		if (!r->is_hook) {
			leg_var_setf(leg, "current_loop", "%d", loop++);
			leg_var_setf(leg, "total_loops", "%d", r->loops);
		}
		st = exec_run_app(leg, r->item->app, r->item->data, r->uuid, true);
		if (x->is_break) {
			x->is_break = false;
			break;
		}
		if (r->loops < 0 && !st && !leg_is_up(leg))
			break;
	}
	x->in_request = false;
	leg_holds_resume(leg, r->holds_bleg);
	is_break_all = x->is_break_all;
	x->is_break_all = false;
	if (x->is_break_around)
		x->is_break = true, x->is_break_around = false;
	list_push(&x->requests, &r->link); /* request_free takes it out again */
	request_free(x, r);
	if (is_break_all)
		exec_requests_clear(x);
	return true;
}

/* spec is text with marks. NULL: it was not taken. */
static ON_CTL struct exec_request *hook_request(struct leg *leg, const char *spec)
{
	const char *end = strstr(spec, "::");
	size_t blank_n = strcspn(spec, " ");
	if (end && (size_t)(end - spec) > blank_n)
		end = NULL; /* it is in the data: "bind_meta_app 2 a s transfer::..." */
	size_t app_n = end ? (size_t)(end - spec) : blank_n;
	char *app = mem_strndup(spec, app_n);
	struct leg_exec_request r = {.app = app, .data = spec + app_n + (end ? 2 : spec[app_n] == ' '), .priority = 1};
	struct exec_request *q = NULL;

	(void)request_add(leg, &r, &q);
	mem_free(app);
	return q;
}

void exec_hook_spec(struct leg *leg, const char *spec)
{
	hook_request(leg, spec);
}

/* What scripts of a hang-up hook get as env: the variables under their own names, and the headers of an event. */
static ON_CTL struct event *hook_env(struct leg *leg)
{
	struct event *e = event_new_plain(EVENT_CHANNEL_DATA);

	for (size_t i = 0; e && i < vars_count(leg->vars); i++) {
		const char *name, *value;
		vars_at(leg->vars, i, &name, &value);
		event_add(e, name, value);
	}
	if (e)
		leg_event_all(leg, e);
	return e;
}

int exec_api_hook(struct leg *leg, const char *name, char sep, api_done_fn done, void *arg)
{
	struct buf scratch;
	const char *spec;
	char *line = NULL, *args;
	int st = ST_NOTFOUND;

	buf_init(&scratch);
	spec = vars_text(leg->vars, name, &scratch);
	if (spec)
		st = expand(leg, spec, &line);
	buf_fini(&scratch);
	if (st)
		return st;
	args = strchr(line, sep);
	if (args)
		*args++ = 0;
	bool is_end = !strcmp(name, "api_hangup_hook") || !strcmp(name, "api_reporting_hook");
	struct event *env = is_end ? hook_env(leg) : NULL;
	struct leg *session = is_end && leg_var_is_true(leg, "session_in_hangup_hook") ? leg : NULL;
	st = is_refused(leg, "command", sv_of(line)) ? ST_DENIED
	                                             : api_spawn_hook(session, env, line, args ? args : "", done, arg);
	mem_unref(env);
	mem_free(line);
	return st;
}

static bool has_prefix(const char *name, const char *prefix)
{
	size_t n = strlen(prefix);
	return !strncasecmp(name, prefix, n) && (!name[n] || (name[n] == '_' && isdigit((unsigned char)name[n + 1])));
}

bool exec_has_hooks(const struct leg *leg)
{
	const char *name, *value;
	size_t at = 0, also_at = 0;

	return vars_next_named(leg->vars, SV("execute_on_"), &at, &name, &value) ||
	       vars_next_named(leg->vars, SV("api_on_"), &also_at, &name, &value);
}

/* execute_on_answer, execute_on_answer_1 ...: a scan, made only when any variable is a hook at all. They run in the
 * order in which they were set; done belongs to the last that was taken. */
bool exec_hooks_then(
    struct leg *leg, const char *execute_prefix, const char *api_prefix, void (*done)(void *arg), void *arg)
{
	struct exec_request *last = NULL, *q;
	struct buf scratch;

	if (!exec_has_hooks(leg))
		return false;
	buf_init(&scratch);
	for (size_t i = 0; i < vars_count(leg->vars); i++) {
		const char *name, *value;
		vars_at(leg->vars, i, &name, &value);
		if ((name[0] | 0x20) == 'e' && has_prefix(name, execute_prefix)) {
			q = hook_request(leg, vars_text(leg->vars, name, &scratch));
			last = q ? q : last;
		} else if ((name[0] | 0x20) == 'a' && has_prefix(name, api_prefix)) {
			exec_api_hook(leg, name, ' ', NULL, NULL);
		}
	}
	buf_fini(&scratch);
	if (last)
		last->done = done, last->done_arg = arg;
	return last != NULL;
}

void exec_hooks(struct leg *leg, const char *execute_prefix, const char *api_prefix)
{
	exec_hooks_then(leg, execute_prefix, api_prefix, NULL, NULL);
}
