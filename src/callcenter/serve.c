/* Who is offered to whom. Whenever somebody waits in a queue, or one of its agents is free, the queue is looked at
 * after the callback: of the queues at hand the one whose first caller has the highest score goes first, so that an
 * agent of several queues takes who counts most; there the strategy chooses. A caller is offered to one agent at a time
 * and stands in no line meanwhile; with ring-all and ring-progressively he stays in it and takes more. Whom the rules
 * of tiers keep from the agents that are free is looked at again when his time has come.
 *
 * All decisions of one look are told before the first of them rings, as FreeSWITCH tells them. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "callcenter/callcenter_i.h"
#include "core/run/exec.h"

#include <string.h>

static struct list at_hand;
static struct ldefer kick;
static bool is_kicked, is_open;

static void look(void *arg);

void cc_serve(struct cc_queue *q)
{
	if (!is_open) {
		list_init(&at_hand);
		is_open = true;
	}
	if (!q->is_gone && !lnode_is_linked(&q->dirty))
		list_push(&at_hand, &q->dirty);
	if (!is_kicked)
		loop_defer(&kick, "callcenter serve", look, NULL);
	is_kicked = true;
}

void cc_serve_stop(void)
{
	loop_defer_cancel(&kick);
	is_kicked = is_open = false;
}

void cc_queue_timer_stop(struct cc_queue *q)
{
	loop_timer_cancel(&q->timer);
}

static void timer_fired(void *arg)
{
	role_assert_ctl();
	cc_serve(arg);
}

/* ---- the rules of tiers ---- */

static int64_t level_first(const struct cc_queue *q)
{
	for (size_t i = 0; i < q->level_count; i++)
		if (q->levels[i].logged_in)
			return q->levels[i].level;
	return INT64_MAX;
}

static int64_t level_lowest(const struct cc_queue *q)
{
	return q->level_count ? q->levels[0].level : 0;
}

/* When somebody of the line has waited long enough for the agents who are free, or takes the next one; 0: never. */
static ON_CTL int64_t due_us(const struct cc_queue *q, int64_t now_us)
{
	int64_t due = 0, first = level_first(q), lowest = level_lowest(q);
	if (!q->ready.count)
		return 0;
	int64_t wait_us = clock_us_of_s(cc_level_due_s(&q->s.rules, first, lowest, q->ready.at[0]->level));
	for (size_t i = 0; i < q->line.count; i++) {
		const struct cc_member *m = list_entry(q->line.at[i], const struct cc_member, place);
		int64_t us = m->joined_us + wait_us,
		        pick_us = q->plus.choosy_count || q->plus.callback_count ? cc_pick_due_us(m, now_us) : 0;
		if (m->next_ring_us > us)
			us = m->next_ring_us;
		if (us > now_us && (!due || us < due))
			due = us;
		if (pick_us > now_us && (!due || pick_us < due))
			due = pick_us;
	}
	return due;
}

static ON_CTL void timer_arm(struct cc_queue *q)
{
	int64_t now_us = clock_mono_us(), us = 0;
	if (q->s.rules.is_on || q->s.strategy == CC_RING_PROGRESSIVELY || q->plus.choosy_count ||
	    q->plus.callback_count)
		us = due_us(q, now_us);
	if (us)
		loop_timer_set(&q->timer, us - now_us, "callcenter tiers", timer_fired, q);
	else
		loop_timer_cancel(&q->timer);
}

/* ---- one decision ---- */

static ON_CTL bool rings_several(const struct cc_queue *q)
{
	return q->s.strategy == CC_RING_ALL || q->s.strategy == CC_RING_PROGRESSIVELY;
}

static ON_CTL void turn_note(struct cc_member *m, const struct cc_tier *t)
{
	m->turn = (struct cc_turn){t->level, t->position, true};
	if (m->queue->s.strategy != CC_TOP_DOWN || !m->leg)
		return;
	leg_var_set_int(m->leg, "cc_last_agent_tier_position", t->position);
	leg_var_set_int(m->leg, "cc_last_agent_tier_level", t->level);
}

static ON_CTL bool offer(struct cc_member *m, struct cc_tier *t, struct list *started)
{
	struct cc_queue *q = m->queue;
	struct cc_offer *o = cc_offer_new(m, t->agent);
	if (!o)
		return false;
	if (!rings_several(q))
		cc_order_del(&q->line, &m->place);
	m->next_ring_us = q->s.strategy == CC_RING_PROGRESSIVELY
	                      ? clock_mono_us() + clock_us_of_s(q->s.ring_progressively_delay_s)
	                      : 0;
	turn_note(m, t);
	cc_member_state_set(m, CC_MEMBER_TRYING, rings_several(q) ? cc_strategy_name(q->s.strategy) : t->agent->name);
	cc_tier_state_set(t, CC_TIER_OFFERING);
	cc_agent_state_set(t->agent, CC_RECEIVING);
	list_push(started, &o->in_started);
	return true;
}

/* The first of the line for whom there is an agent; false: nobody. */
static ON_CTL bool serve_one(struct cc_queue *q, struct list *started)
{
	static uint64_t serial;
	int64_t now_us = clock_mono_us(), first = level_first(q), lowest = level_lowest(q);
	serial++;
	for (size_t i = 0; i < q->line.count && q->ready.count; i++) {
		struct cc_member *m = list_entry(q->line.at[i], struct cc_member, place);
		bool is_here = m->leg && leg_is_ready(m->leg) && m->next_ring_us <= now_us;
		if (!is_here && !cc_callback_is_due(m, now_us))
			continue;
		int64_t max = cc_level_max(&q->s.rules, first, lowest, (now_us - m->joined_us) / 1000000);
		struct cc_tier *t = cc_pick(m, max, now_us, serial);
		if (t)
			return is_here ? offer(m, t, started) : cc_callback_begin(m, t);
		if (!q->s.rules.is_on && !m->plus.is_choosy)
			return false;
	}
	return false;
}

/* Of the queues at hand; those in which there is nothing to decide are put aside. */
static ON_CTL struct cc_queue *next_queue(void)
{
	struct cc_queue *best = NULL;
	struct lnode *it, *tmp;
	list_each (&at_hand, it, tmp) {
		struct cc_queue *q = list_entry(it, struct cc_queue, dirty);
		if (!q->line.count || !q->ready.count) {
			list_remove(&q->dirty);
			timer_arm(q);
		} else if (!best || q->line.at[0]->first < best->line.at[0]->first) {
			best = q;
		}
	}
	return best;
}

static void look(void *arg)
{
	struct list started;
	struct lnode *it, *tmp;
	struct cc_queue *q;
	role_assert_ctl();
	is_kicked = false;
	list_init(&started);
	while ((q = next_queue()))
		if (!serve_one(q, &started)) {
			list_remove(&q->dirty);
			timer_arm(q);
		}
	list_each (&started, it, tmp)
		cc_offer_tell(list_entry(it, struct cc_offer, in_started));
	list_each (&started, it, tmp) {
		struct cc_offer *o = list_entry(it, struct cc_offer, in_started);
		list_remove(&o->in_started);
		cc_offer_start(o);
	}
}
