/* The end of a leg, in one place and in numbered steps. leg_hangup may be called from anywhere; it does step 1 and
 * defers the rest, so that no caller finds its leg gone. Each later step either goes on at once or waits for a part
 * (its coroutine, a hook, the media's last report), which calls leg_end_go again. What each room does in a step stands
 * in its part (part.h); here is only the order.
 *
 *     1 on_hangup -> 2 on_leave, far side, on_close -> 3 what runs is over -> 4 CS_HANGUP, the hook is back (5 s)
 *       -> 5 the last report is there (200 ms) -> 6 on_report_due, records, CHANNEL_HANGUP_COMPLETE -> 7 on_destroy,
 * CS_DESTROY */
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/leg/leg.h"
#include "core/leg/leg_core.h"
#include "core/leg/leg_i.h"
#include "core/leg/part.h"
#include "core/registry/limits.h"
#include "core/value/cause.h"

enum { MEDIA_WAIT_US = 200 * 1000, HOOK_WAIT_US = 5 * 1000 * 1000 };

struct hook {
	struct hook *next;
	void (*fn)(struct leg *leg, void *arg);
	void *arg;
};
static struct hook *hooks[LEG_HOOK_COUNT];

int leg_hook_add(enum leg_hook hook, void (*fn)(struct leg *leg, void *arg), void *arg)
{
	struct hook *h = mem_zalloc(sizeof(*h)), **at = &hooks[hook];
	if (!h)
		return ST_NOMEM;
	h->fn = fn, h->arg = arg;
	while (*at)
		at = &(*at)->next;
	*at = h;
	return ST_OK;
}

void leg_hook_del(enum leg_hook hook, void (*fn)(struct leg *leg, void *arg), void *arg)
{
	for (struct hook **at = &hooks[hook]; *at; at = &(*at)->next) {
		struct hook *h = *at;
		if (h->fn == fn && h->arg == arg) {
			*at = h->next;
			mem_free(h);
			return;
		}
	}
}

void leg_hooks_clear(void)
{
	for (int i = 0; i < LEG_HOOK_COUNT; i++)
		while (hooks[i])
			leg_hook_del((enum leg_hook)i, hooks[i]->fn, hooks[i]->arg);
}

void leg_hooks_run(struct leg *leg, enum leg_hook hook)
{
	for (struct hook *h = hooks[hook], *next; h; h = next) {
		next = h->next;
		h->fn(leg, h->arg);
	}
}

static void end_deferred(void *arg);

/* 1. The cause is fixed, the world is told, everything that waits is woken. */
void leg_hangup(struct leg *leg, enum cause cause)
{
	struct leg_full *full = leg_i(leg);

	if (!leg_is_up(leg))
		return;
	leg_unhold_at_end(leg);
	leg->cause = cause ? cause : CAUSE_NORMAL_CLEARING;
	if (leg->profile && !leg->profile->times.hungup)
		leg->profile->times.hungup = clock_wall_us();
	if (!leg->is_answered)
		limits_count_failed();
	leg_log(leg, LOG_NOTICE, "Hangup %s [%s] [%s]", leg->name, leg_state_name(leg->state), cause_name(leg->cause));
	leg_state_input(leg, IN_HANGUP);
	leg_event(leg, EVENT_CHANNEL_HANGUP);
	full->end_step = END_DEFERRED;
	LEG_PARTS_DOWN(on_hangup, leg);
	loop_defer(&full->end_defer, "leg end", end_deferred, leg);
}

void leg_hangup_by_far(struct leg *leg, enum cause cause)
{
	leg->is_ended_by_far |= leg_is_up(leg);
	leg_hangup(leg, cause);
}

/* 2. The other leg of a bridge, the far side and the media learn of it. */
static void end_deferred(void *arg)
{
	struct leg *leg = arg;

	role_assert_ctl();
	loop_timer_cancel(&leg_i(leg)->beat_timer);
	LEG_PARTS_DOWN(on_leave, leg);
	if (leg->ops && leg->ops->on_hangup)
		leg->ops->on_hangup(leg);
	LEG_PARTS_DOWN(on_close, leg);
	leg_i(leg)->end_step = END_APPS;
	leg_end_go(leg);
}

/* 4. CS_HANGUP, and the hook command the call asked for. */
static ON_CTL void step_hangup(struct leg *leg)
{
	leg_state_run(leg);
	leg_callstate_set(leg, CCS_HANGUP);
	leg_presence(leg, leg->cause == CAUSE_LOSE_RACE ? "cancelled" : leg_state_name(CS_HANGUP));
	leg_var_set(leg, "hangup_cause", cause_name(leg->cause));
	leg_var_setf(leg, "hangup_cause_q850", "%d",
	    (int)leg->cause < 128 ? (int)leg->cause : (int)CAUSE_NORMAL_CLEARING); /* those beyond are not Q.850's */
	leg_digits_last(leg);
	leg_hooks_run(leg, LEG_HOOK_HANGUP);
}

/* 6. Records: the final variables, whoever writes them down, CHANNEL_HANGUP_COMPLETE. */
static ON_CTL void step_report(struct leg *leg)
{
	LEG_PARTS_DOWN(on_report_due, leg);
	leg_state_input(leg, IN_REPORT);
	leg_state_run(leg);
	leg_vars_cdr_set(leg);
	leg_hooks_run(leg, LEG_HOOK_REPORTING);
	leg_event(leg, EVENT_CHANNEL_HANGUP_COMPLETE);
	leg_hooks_run(leg, LEG_HOOK_REPORTED);
}

/* 7. CS_DESTROY: the endpoint lets go, the leg leaves the table and loses its own reference. FreeSWITCH fires
 * CHANNEL_DESTROY before the state event. */
static ON_CTL void step_destroy(struct leg *leg)
{
	leg_state_input(leg, IN_DESTROY);
	leg_event(leg, EVENT_CHANNEL_DESTROY);
	leg_state_run(leg);
	leg_hooks_run(leg, LEG_HOOK_DESTROY);
	LEG_PARTS_DOWN(on_destroy, leg);
	if (leg->ops && leg->ops->on_destroy)
		leg->ops->on_destroy(leg);
	leg_table_remove(leg);
	mem_unref(leg);
}

static void wait_over(void *arg)
{
	struct leg *leg = arg;
	struct leg_full *full = leg_i(leg);

	role_assert_ctl();
	if (full->end_step == END_HOOK)
		leg_log(leg, LOG_WARNING, "the hang-up hook takes too long; going on without it");
	full->end_step++;
	leg_end_go(leg);
}

/* False: a part is waited for, for so long (0: for ever). */
static ON_CTL bool is_over(struct leg *leg, enum leg_wait wait, int64_t limit_us)
{
	static const char *const names[] = {"leg end", "hangup hook", "last media report"};
	struct leg_full *full = leg_i(leg);

	for (unsigned i = 0; i < leg_part_count(); i++) {
		const struct leg_part *part = leg_part_at(i);
		if (!part->is_waited_for[wait] || !part->is_waited_for[wait](leg))
			continue;
		if (limit_us && !loop_timer_is_set(&full->end_timer))
			loop_timer_set(&full->end_timer, limit_us, names[wait], wait_over, leg);
		return false;
	}
	loop_timer_cancel(&full->end_timer);
	return true;
}

void leg_end_go(struct leg *leg)
{
	struct leg_full *full = leg_i(leg);

	/* 3. No coroutine runs any more; what it had detached is over. */
	if (full->end_step == END_APPS) {
		if (!is_over(leg, LEG_WAIT_RUNS, 0))
			return;
		step_hangup(leg);
		full->end_step = END_HOOK;
	}
	if (full->end_step == END_HOOK) {
		if (!is_over(leg, LEG_WAIT_HOOK, HOOK_WAIT_US))
			return;
		full->end_step = END_MEDIA;
	}
	/* 5. The last statistics, or 200 ms. */
	if (full->end_step == END_MEDIA) {
		if (!is_over(leg, LEG_WAIT_REPORT, MEDIA_WAIT_US))
			return;
		full->end_step = END_REPORTED;
	}
	if (full->end_step == END_REPORTED) {
		full->end_step = END_DONE;
		step_report(leg);
		step_destroy(leg);
	}
}
