/* The coroutine of a leg's applications. One at a time walks (co_main): first what was asked from outside
 * (request.c), then a new hunt when the leg was sent elsewhere (route.c), then the list (list.c). An
 * application that detaches ends the coroutine; leg_exec_resume (app.c) starts another. */
#include "core/run/exec.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/leg/hold.h"
#include "core/leg/leg.h"
#include "core/leg/leg_core.h"
#include "core/run/exec_i.h"
#include "core/run/run_core.h"
#include "core/run/transfer.h"
#include "core/value/cause.h"
#include <string.h>

bool exec_is_running(const struct leg *leg)
{
	return exec_of(leg)->is_running;
}
bool exec_takes_digits(const struct leg *leg)
{
	const struct leg_exec *x = exec_of(leg);
	const struct exec_frame *f = x->top;

	return exec_is_asked(leg) ||
	       (x->is_running && !x->is_joined && !(f && f->is_nested && f->is_detached && !f->is_over));
}

bool exec_is_asked(const struct leg *leg)
{
	const struct leg_exec *x = exec_of(leg);
	return x->is_kicked && !list_empty(&x->requests);
}

void exec_set_joined(struct leg *leg, bool is_joined)
{
	exec_of(leg)->is_joined = is_joined;
}

bool exec_is_own_co(const struct leg *leg)
{
	return exec_of(leg)->is_running && exec_of(leg)->co && co_self() == exec_of(leg)->co;
}

/* What is left when the list is empty: parked and detached legs stay, others have nobody to keep them. */
static ON_CTL void end_of_list(struct leg *leg)
{
	if (exec_of(leg)->is_parked || exec_is_detached(leg) || leg_is_held_by_some(leg) ||
	    leg->state == CS_CONSUME_MEDIA || leg->state == CS_PARK || leg->state == CS_EXCHANGE_MEDIA ||
	    leg->state == CS_HIBERNATE || leg->state == CS_RESET)
		return;
	if (leg_transfer_told(leg, false) && exec_of(leg)->is_rerouted)
		return;
	leg_log(leg, LOG_NOTICE, "%s has executed the last dialplan instruction, hanging up.", leg->name);
	leg_hangup(leg, CAUSE_NORMAL_CLEARING);
}

/* Runs the next application of the list; false when the coroutine has no more to do. */
static CO bool run_next(struct leg *leg)
{
	struct exec_item *item;

	if (exec_is_detached(leg) || exec_of(leg)->is_parked)
		return false;
	item = exec_items_pop(&exec_of(leg)->list);
	if (!item) {
		end_of_list(leg);
		return exec_of(leg)->is_rerouted; /* a failed transfer: it goes back to who asked for it */
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
	if (exec_of(leg)->is_parked) {
		exec_of(leg)->is_parked = false;
		loop_timer_cancel(&exec_of(leg)->park_timer);
		leg_event(leg, EVENT_CHANNEL_UNPARK);
	}
	while (exec_is_detached(leg))
		exec_frame_complete(leg, exec_frame_detached(exec_of(leg)));
}

static ON_CTL void stop_running(struct leg *leg)
{
	struct leg_exec *x = exec_of(leg);

	x->is_running = false;
	x->co = NULL;
	co_wait_reset(&x->wait);
	if (!leg_is_up(leg))
		leg_end_go(leg);
}

static void co_main(void *arg)
{
	struct leg *leg = arg;
	struct leg_exec *x = exec_of(leg);
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
	struct leg_exec *x = exec_of(leg);

	if (exec_is_own_co(leg))
		return ST_EXISTS;
	if (!leg_is_up(leg))
		return ST_HANGUP;
	if (x->is_running || leg_is_held_alone(leg))
		return ST_BUSY;
	end_detached(leg);
	x->is_running = true;
	x->co = co_self();
	return ST_OK;
}

void leg_exec_release(struct leg *leg)
{
	struct leg_exec *x = exec_of(leg);

	stop_running(leg);
	if (x->is_rerouted || x->request_count || x->list.first)
		exec_kick(leg);
}

static void kicked(void *arg)
{
	struct leg *leg = arg;

	role_assert_ctl();
	exec_of(leg)->is_kicked = false;
	if (!exec_of(leg)->is_running && leg_is_up(leg)) {
		exec_of(leg)->is_running = true;
		mem_ref(leg);
		if (co_spawn("leg", co_main, leg, NULL)) {
			exec_of(leg)->is_running = false;
			leg_log(leg, LOG_CRIT, "no memory for an application's stack");
			leg_hangup(leg, CAUSE_SWITCH_CONGESTION);
			mem_unref(leg);
		}
	}
	mem_unref(leg);
}

void exec_kick(struct leg *leg)
{
	struct leg_exec *x = exec_of(leg);
	if (x->is_kicked || x->is_running || !leg_is_up(leg))
		return;
	x->is_kicked = true;
	mem_ref(leg);
	loop_defer(&x->kick, "leg", kicked, leg);
}

void exec_unwind(struct leg *leg)
{
	struct leg_exec *x = exec_of(leg);

	if (x->is_running)
		co_signal(&x->wait, ST_OK);
	if (!leg_holds_leave(leg) && (exec_is_detached(leg) || x->is_parked)) {
		leg_parts_idle(leg);
		leg_exec_resume(leg, NULL);
	}
	exec_kick(leg);
}

void exec_reroute(struct leg *leg)
{
	exec_items_clear(&exec_of(leg)->list);
	exec_items_clear(&exec_of(leg)->past);
	exec_of(leg)->is_rerouted = true;
	exec_unwind(leg);
}

bool exec_is_rerouted(const struct leg *leg)
{
	return exec_of(leg)->is_rerouted;
}

bool exec_has_more(const struct leg *leg)
{
	return exec_of(leg)->list.first != NULL;
}

void exec_pass_reset(struct leg *leg)
{
	exec_of(leg)->passes_reset = true;
}

void exec_hibernate_after(struct leg *leg)
{
	exec_of(leg)->is_hibernate_next = true;
	exec_reroute(leg);
}

void exec_park_after(struct leg *leg)
{
	exec_of(leg)->is_park_next = true;
	exec_reroute(leg);
}

void exec_run_after(struct leg *leg, const char *app, const char *data)
{
	exec_items_clear(&exec_of(leg)->list);
	exec_of(leg)->is_rerouted = exec_of(leg)->is_soft_next = true;
	leg_exec_add(leg, app, data, NULL);
	exec_unwind(leg);
}

void leg_exec_park(struct leg *leg)
{
	exec_park_after(leg);
}

void leg_exec_break_around(struct leg *leg)
{
	exec_of(leg)->is_break_around = true;
}

void leg_exec_outlive(struct leg *leg)
{
	if (leg_is_up(leg))
		exec_of(leg)->is_zombie = true;
}

void leg_exec_restart(struct leg *leg)
{
	exec_of(leg)->is_rerouted = exec_of(leg)->is_soft_next = true;
	exec_unwind(leg);
}

int leg_wait(struct leg *leg, int64_t timeout_us)
{
	struct leg_exec *x = exec_of(leg);
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

void exec_wait_over(struct leg *leg, const uint32_t *number, uint32_t wanted, int64_t timeout_us)
{
	int64_t deadline = clock_mono_us() + timeout_us;

	while (*number != wanted) {
		int64_t left = deadline - clock_mono_us();
		if (left <= 0)
			return;
		co_wait(&exec_of(leg)->wait, left);
	}
}

void leg_wake(struct leg *leg)
{
	leg_holds_wake(leg);
	if (exec_of(leg)->is_running)
		co_signal(&exec_of(leg)->wait, ST_OK);
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
	struct leg_exec *x = exec_of(leg);

	if (is_all)
		exec_requests_clear(x);
	leg_parts_break(leg);
	if (x->is_running) {
		x->is_break = true;
		x->is_break_all = is_all;
		co_signal(&x->wait, ST_OK);
	} else if (!leg->peer && exec_is_detached(leg) && !x->is_parked) { /* nothing is waited for in a park */
		exec_unwind(leg);
	}
}

bool leg_is_ready(const struct leg *leg)
{
	return leg_is_up(leg) && !exec_is_rerouted(leg);
}

void leg_exec_hibernate(struct leg *leg)
{
	exec_hibernate_after(leg);
}
