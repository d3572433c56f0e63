/* What happens to the applications of a leg when something happens to the leg: its hooks by variable are asked for, at
 * the end its waits are woken, what had detached completes, what may outlive the leg runs on, and the hook that the
 * call asked for runs before the records are written. */
#include "core/leg/part.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/leg/leg.h"
#include "core/leg/leg_core.h"
#include "core/registry/app.h"
#include "core/run/exec.h"
#include "core/run/exec_i.h"
#include "core/run/run_core.h"
#include "core/run/transfer.h"

static int init(struct leg *leg)
{
	struct leg_exec *x = exec_of(leg);

	role_assert_ctl();
	exec_items_init(&x->list);
	exec_items_init(&x->log);
	exec_items_init(&x->past);
	list_init(&x->requests);
	return ST_OK;
}

static void fini(struct leg *leg)
{
	struct leg_exec *x = exec_of(leg);

	role_assert_ctl();
	if (!x->requests.head.next) /* leg_new failed before init */
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
}

static void on_start(struct leg *leg)
{
	role_assert_ctl();
	exec_reroute(leg);
}

static void on_ring(struct leg *leg)
{
	role_assert_ctl();
	exec_hooks(leg, "execute_on_ring", "api_on_ring");
}

static void on_early(struct leg *leg)
{
	role_assert_ctl();
	exec_hooks(leg, "execute_on_pre_answer", "api_on_pre_answer");
	exec_hooks(leg, "execute_on_media", "api_on_media");
}

static void on_answer(struct leg *leg)
{
	role_assert_ctl();
	exec_hooks(leg, "execute_on_answer", "api_on_answer");
	leg_wake(leg);
}

/* ---- the end ---- */

static void on_hangup(struct leg *leg)
{
	struct leg_exec *x = exec_of(leg);

	role_assert_ctl();
	if (!x->is_running)
		return;
	for (struct exec_frame *f = x->top; f; f = f->below)
		if (f->is_nested && f->is_detached && !f->is_over) {
			f->is_over = true;
			co_signal(&f->over, ST_HANGUP);
		}
	co_signal(&x->wait, ST_HANGUP);
}

static void on_leave(struct leg *leg)
{
	role_assert_ctl();
	leg_transfer_told(leg, false);
	loop_timer_cancel(&exec_of(leg)->park_timer);
}

static void zombie_main(void *arg)
{
	struct leg *leg = arg;
	struct exec_item *item;

	role_assert_co();
	while ((item = exec_items_pop(&exec_of(leg)->list))) {
		const struct app_desc *app = app_find(item->app);
		if (app && app->flags & APP_ZOMBIE_EXEC)
			exec_run_app(leg, item->app, item->data, NULL, true);
		else
			leg_log(leg, LOG_WARNING, "%s cannot run after the hang-up", item->app);
		exec_item_past(leg, item);
	}
	exec_of(leg)->is_running = false;
	leg_end_go(leg);
	mem_unref(leg);
}

/* What is left of the list runs although the leg is hung up (set_zombie_exec); false: nothing does. */
static ON_CTL bool zombie_start(struct leg *leg)
{
	if (!exec_of(leg)->is_zombie || !exec_of(leg)->list.first)
		return false;
	exec_of(leg)->is_zombie = false;
	exec_of(leg)->is_running = true;
	mem_ref(leg);
	if (!co_spawn("leg, hung up", zombie_main, leg, NULL))
		return true;
	exec_of(leg)->is_running = false;
	mem_unref(leg);
	return false;
}

/* What was left detached is over; then what outlives the leg has its turn. */
static bool is_busy(struct leg *leg)
{
	struct leg_exec *x = exec_of(leg);

	role_assert_ctl();
	if (x->is_running)
		return true;
	if (x->is_parked) {
		x->is_parked = false;
		leg_event(leg, EVENT_CHANNEL_UNPARK);
	}
	while (x->top)
		exec_frame_complete(leg, x->top);
	exec_requests_clear(x);
	return zombie_start(leg);
}

static void hook_done(int status, struct sv reply, void *arg)
{
	struct leg *leg = arg;

	role_assert_ctl();
	exec_of(leg)->hook = HOOK_OVER;
	leg_end_go(leg);
	mem_unref(leg);
}

static bool is_hooked(struct leg *leg)
{
	struct leg_exec *x = exec_of(leg);

	role_assert_ctl();
	if (x->hook == HOOK_NONE) {
		x->hook = HOOK_RUNS;
		mem_ref(leg);
		if (exec_api_hook(leg, "api_hangup_hook", ' ', hook_done, leg)) {
			x->hook = HOOK_OVER;
			mem_unref(leg);
		}
	}
	return x->hook == HOOK_RUNS;
}

void exec_on_reporting(struct leg *leg, void *arg)
{
	role_assert_ctl();
	exec_api_hook(leg, "api_reporting_hook", ' ', NULL, NULL);
}

struct leg_part run_part = {
    .name = "run",
    .bytes = sizeof(struct leg_exec),
    .init = init,
    .on_start = on_start,
    .on_ring = on_ring,
    .on_early = on_early,
    .on_answer = on_answer,
    .on_hangup = on_hangup,
    .on_leave = on_leave,
    .is_waited_for = {[LEG_WAIT_RUNS] = is_busy, [LEG_WAIT_HOOK] = is_hooked},
    .fini = fini,
};
