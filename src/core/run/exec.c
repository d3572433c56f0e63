/* The coroutine of a leg's applications. One at a time walks (co_main): first what was asked from outside
 * (exec_request.c), then a new hunt when the leg was sent elsewhere (exec_route.c), then the list (exec_list.c). An
 * application that detaches ends the coroutine; leg_exec_resume (exec_app.c) starts another. */
#include "core/run/exec.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/bridge/bridge.h"
#include "core/dial/dial_core.h"
#include "core/leg/leg.h"
#include "core/leg/leg_core.h"
#include "core/registry/app.h"
#include "core/run/exec_i.h"
#include "core/run/run_core.h"
#include "core/sound/media.h"
#include "core/value/cause.h"
#include "core/value/vars.h"
#include <string.h>

int exec_init(struct leg *leg)
{
	struct leg_exec *x = mem_zalloc(sizeof(*x));
	if (!x)
		return ST_NOMEM;
	exec_items_init(&x->list);
	exec_items_init(&x->log);
	exec_items_init(&x->past);
	list_init(&x->requests);
	leg->exec = x;
	return ST_OK;
}

void exec_fini(struct leg *leg)
{
	struct leg_exec *x = leg->exec;
	if (!x)
		return;
	loop_defer_cancel(&x->kick);
	exec_items_clear(&x->list);
	exec_items_clear(&x->log);
	exec_items_clear(&x->past);
	exec_requests_clear(x);
	while (x->top) {
		struct exec_frame *f = x->top;
		x->top = f->below;
		exec_frame_free(f);
	}
	mem_free(x);
	leg->exec = NULL;
}

bool exec_is_running(const struct leg *leg)
{
	return leg->exec->is_running;
}
bool exec_takes_digits(const struct leg *leg)
{
	const struct leg_exec *x = leg->exec;
	const struct exec_frame *f = x->top;

	return x->is_running && !x->is_joined && !(f && f->is_nested && f->is_detached && !f->is_over);
}

void exec_set_joined(struct leg *leg, bool is_joined)
{
	leg->exec->is_joined = is_joined;
}

bool exec_is_own_co(const struct leg *leg)
{
	return leg->exec->is_running && leg->exec->co && co_self() == leg->exec->co;
}

/* What is left when the list is empty: parked and detached legs stay, others have nobody to keep them. */
static ON_CTL void end_of_list(struct leg *leg)
{
	if (leg_i(leg)->is_parked || exec_is_detached(leg) || leg->bridge || leg_i(leg)->aside ||
	    leg->state == CS_CONSUME_MEDIA || leg->state == CS_PARK || leg->state == CS_EXCHANGE_MEDIA ||
	    leg->state == CS_HIBERNATE)
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
	item = exec_items_pop(&leg->exec->list);
	if (!item) {
		end_of_list(leg);
		return false;
	}
	if (leg->state == CS_CONSUME_MEDIA) {
		leg_flip_cid(leg);
		leg_state_input(leg, IN_EXECUTE);
		leg_state_run(leg);
	}
	exec_run_app(leg, item->app, item->data, NULL, false);
	exec_item_past(leg, item);
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
		exec_frame_complete(leg, exec_frame_detached(leg->exec));
}

static ON_CTL void stop_running(struct leg *leg)
{
	struct leg_exec *x = leg->exec;

	x->is_running = false;
	x->co = NULL;
	co_wait_reset(&x->wait);
	if (!leg_is_up(leg))
		leg_end_go(leg);
}

static void co_main(void *arg)
{
	struct leg *leg = arg;
	struct leg_exec *x = leg->exec;
	bool goes_on = true;

	role_assert_co();
	x->co = co_self();
	while (goes_on && leg_is_up(leg)) {
		if (exec_run_request(leg))
			continue;
		if (x->is_rerouted) {
			x->is_rerouted = false;
			end_detached(leg);
			exec_route(leg);
			continue;
		}
		goes_on = run_next(leg);
	}
	stop_running(leg);
	mem_unref(leg);
}

int leg_exec_adopt(struct leg *leg)
{
	struct leg_exec *x = leg->exec;

	if (exec_is_own_co(leg))
		return ST_EXISTS;
	if (!leg_is_up(leg))
		return ST_HANGUP;
	if (x->is_running || leg->bridge || leg->originate)
		return ST_BUSY;
	end_detached(leg);
	x->is_running = true;
	x->co = co_self();
	return ST_OK;
}

void leg_exec_release(struct leg *leg)
{
	struct leg_exec *x = leg->exec;

	stop_running(leg);
	if (x->is_rerouted || x->request_count || x->list.first)
		exec_kick(leg);
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
	if (leg->bridge || leg_i(leg)->aside) {
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
	exec_items_clear(&leg->exec->list);
	exec_items_clear(&leg->exec->past);
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
	exec_items_clear(&leg->exec->list);
	leg->exec->is_rerouted = leg->exec->is_soft_next = true;
	leg_exec_add(leg, app, data, NULL);
	exec_unwind(leg);
}

void leg_exec_park(struct leg *leg)
{
	exec_park_after(leg);
}

void leg_exec_break_around(struct leg *leg)
{
	leg->exec->is_break_around = true;
}

void leg_exec_outlive(struct leg *leg)
{
	if (leg_is_up(leg))
		leg_i(leg)->is_zombie = true;
}

static void zombie_main(void *arg)
{
	struct leg *leg = arg;
	struct exec_item *item;

	role_assert_co();
	while ((item = exec_items_pop(&leg->exec->list))) {
		const struct app_desc *app = app_find(item->app);
		if (app && app->flags & APP_ZOMBIE_EXEC)
			exec_run_app(leg, item->app, item->data, NULL, true);
		else
			leg_log(leg, LOG_WARNING, "%s cannot run after the hang-up", item->app);
		exec_item_past(leg, item);
	}
	leg->exec->is_running = false;
	leg_end_go(leg);
	mem_unref(leg);
}

bool exec_zombie(struct leg *leg)
{
	if (!leg_i(leg)->is_zombie || !leg->exec->list.first)
		return false;
	leg_i(leg)->is_zombie = false;
	leg->exec->is_running = true;
	mem_ref(leg);
	if (!co_spawn("leg, hung up", zombie_main, leg, NULL))
		return true;
	leg->exec->is_running = false;
	mem_unref(leg);
	return false;
}

void leg_exec_restart(struct leg *leg)
{
	leg->exec->is_rerouted = leg->exec->is_soft_next = true;
	exec_unwind(leg);
}

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
	if (exec_run_request(leg))
		return leg_is_up(leg) ? ST_OK : ST_HANGUP;
	exec_request_waits(leg);
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
	originate_wake(leg);
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
		exec_requests_clear(x);
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
