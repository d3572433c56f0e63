/* What an agent is: his status (what he says), his state (what the switch does with him), how long he rests. From them
 * follows in which of his queues he may be offered a caller; there his tier stands in the order of the queue. Who rests
 * (wrap-up, a delay after a refusal) stands in an order of all who do, and one timer wakes the first. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "callcenter/callcenter_i.h"
#include "core/run/exec.h"

#include <string.h>
#include <strings.h>

static struct cc_order resting; /* first: monotonic, when he is free again */
static struct ltimer timer;
static uint64_t rest_serial;

static int64_t free_at_us(const struct cc_agent *a)
{
	int64_t us = a->bridge_end_us ? a->bridge_end_us + clock_us_of_s(a->wrap_up_s) : 0;
	return us > a->ready_us ? us : a->ready_us;
}

/* ---- his places ---- */

static bool is_offerable(const struct cc_tier *t)
{
	const struct cc_agent *a = t->agent;
	return !a->is_gone && !t->queue->is_gone && (a->status == CC_AVAILABLE || a->status == CC_ON_DEMAND) &&
	       a->state == CC_WAITING && !a->rest.is_in &&
	       (t->state == CC_TIER_READY || t->state == CC_TIER_NO_ANSWER) &&
	       !(t->queue->s.skips_external && a->external_count > 0);
}

static ON_CTL void count_logged_in(struct cc_tier *t)
{
	struct cc_queue *q = t->queue;
	struct lnode *it, *tmp;
	bool is_in = t->agent->status != CC_LOGGED_OUT && !t->agent->is_gone;
	if (is_in == t->is_logged_in)
		return;
	t->is_logged_in = is_in;
	for (size_t i = 0; i < q->level_count; i++)
		if (q->levels[i].level == t->level)
			q->levels[i].logged_in += is_in ? 1U : -1U;
	q->logged_in_count += is_in ? 1U : -1U;
	if (q->logged_in_count == (is_in ? 1U : 0U)) {
		q->no_agent_since_us = is_in ? 0 : clock_mono_us();
		if (q->s.no_agent_wait_s)
			list_each (&q->members, it, tmp) { /* their deadlines are others now */
				struct cc_member *m = list_entry(it, struct cc_member, link);
				if (m->leg)
					leg_wake(m->leg);
			}
	}
}

void cc_tier_changed(struct cc_tier *t)
{
	const struct cc_agent *a = t->agent;
	const struct cc_facts facts = {.level = t->level,
	    .position = t->position,
	    .last_bridge_end = a->bridge_end_us ? a->bridge_end_us : INT64_MIN + a->last_bridge_end,
	    .talk_time = a->talk_time_s,
	    .calls_answered = a->calls_answered,
	    .last_offered = a->offered_us};
	count_logged_in(t);
	cc_order_del(&t->queue->ready, &t->place);
	if (!is_offerable(t))
		return;
	cc_place_rank(&t->place, t->queue->s.strategy, &facts);
	if (!cc_order_add(&t->queue->ready, &t->place))
		cc_serve(t->queue);
}

static void rested(void *arg);

static ON_CTL void timer_arm(void)
{
	if (!resting.count) {
		loop_timer_cancel(&timer);
		return;
	}
	int64_t us = resting.at[0]->first - clock_mono_us();
	loop_timer_set(&timer, us > 0 ? us : 0, "agents rest", rested, NULL);
}

static void rested(void *arg)
{
	role_assert_ctl();
	while (resting.count && resting.at[0]->first <= clock_mono_us()) {
		struct cc_agent *a = list_entry(resting.at[0], struct cc_agent, rest);
		cc_order_del(&resting, &a->rest);
		for (struct lnode *it = a->tiers.head.next; it != &a->tiers.head; it = it->next)
			cc_tier_changed(list_entry(it, struct cc_tier, in_agent));
	}
	timer_arm();
}

void cc_agent_changed(struct cc_agent *a)
{
	int64_t us = free_at_us(a);
	bool rests = !a->is_gone && us > clock_mono_us();
	if (a->rest.is_in != rests || (rests && a->rest.first != us)) {
		cc_order_del(&resting, &a->rest);
		a->rest.first = us;
		a->rest.serial = ++rest_serial;
		if (rests)
			(void)cc_order_add(&resting, &a->rest); /* without memory he is free at once */
		timer_arm();
	}
	for (struct lnode *it = a->tiers.head.next; it != &a->tiers.head; it = it->next)
		cc_tier_changed(list_entry(it, struct cc_tier, in_agent));
	if (!a->is_gone)
		cc_keep_agent(a);
}

void cc_agents_rest_stop(void)
{
	loop_timer_cancel(&timer);
	cc_order_fini(&resting);
}

void cc_tier_state_set(struct cc_tier *t, enum cc_tier_state state)
{
	if (t->state == state)
		return;
	t->state = state;
	cc_tier_changed(t);
	cc_keep_tier(t);
}

/* ---- what is set ---- */

void cc_agent_status_set(struct cc_agent *a, enum cc_status status)
{
	bool is_new = a->status != status;
	enum cc_status old = a->status;
	a->status = status;
	if (status != CC_AVAILABLE || is_new)
		a->last_status_change = cc_now_s();
	if (status == CC_AVAILABLE && is_new)
		a->talk_time_s = a->calls_answered = a->no_answer_count = 0;
	cc_tell_agent(a, "agent-status-change", "CC-Agent-Status", cc_status_name(status));
	cc_note_status(a, old);
	cc_agent_changed(a);
	if (status == CC_LOGGED_OUT || status == CC_ON_BREAK)
		cc_agent_offers_cancel(a, CAUSE_ORIGINATOR_CANCEL);
}

void cc_agent_state_set(struct cc_agent *a, enum cc_state state)
{
	a->state = state;
	if (state == CC_RECEIVING)
		cc_agent_offered(a);
	cc_tell_agent(a, "agent-state-change", "CC-Agent-State", cc_state_name(state));
	cc_agent_changed(a);
}

void cc_agent_contact_set(struct cc_agent *a, const char *text)
{
	char *copy = mem_strdup(text);
	if (!copy || strlen(copy) > CC_TEXT_MAX) {
		mem_free(copy);
		return;
	}
	mem_free(a->contact);
	a->contact = copy;
	cc_tell_agent(a, "agent-contact-change", "CC-Agent-Contact", text);
	cc_keep_agent(a);
}

int cc_agent_type_set(struct cc_agent *a, const char *type)
{
	bool is_standby = !strcasecmp(type, "uuid-standby");
	if (!is_standby && strcasecmp(type, "callback"))
		return ST_INVAL;
	char *copy = mem_strdup(is_standby ? "uuid-standby" : "callback");
	if (!copy)
		return ST_NOMEM;
	mem_free(a->type);
	a->type = copy;
	a->is_standby = is_standby;
	cc_keep_agent(a);
	return ST_OK;
}

void cc_agent_uuid_set(struct cc_agent *a, const char *uuid)
{
	char *copy = strlen(uuid) <= CC_NAME_MAX ? mem_strdup(uuid) : NULL;
	if (!copy)
		return;
	mem_free(a->uuid);
	a->uuid = copy;
	cc_keep_agent(a);
}

int cc_agent_number_set(struct cc_agent *a, const char *name, int64_t value)
{
	const struct {
		const char *name;
		int64_t *at;
	} fields[] = {{"max_no_answer", &a->max_no_answer}, {"wrap_up_time", &a->wrap_up_s},
	    {"reject_delay_time", &a->reject_delay_s}, {"busy_delay_time", &a->busy_delay_s},
	    {"no_answer_delay_time", &a->no_answer_delay_s}, {"ready_time", &a->ready_time}};
	size_t i = 0, n = sizeof(fields) / sizeof(fields[0]);
	while (i < n && strcasecmp(fields[i].name, name))
		i++;
	if (i == n)
		return ST_NOTFOUND;
	*fields[i].at = value;
	if (i == n - 1) {
		int64_t us = clock_us_of_s(value - cc_now_s());
		a->ready_us = us > 0 ? clock_mono_us() + us : 0;
	}
	cc_agent_changed(a);
	return ST_OK;
}

void cc_agent_delay(struct cc_agent *a, int64_t seconds)
{
	if (seconds <= 0)
		return;
	a->ready_us = clock_mono_us() + clock_us_of_s(seconds);
	a->ready_time = cc_now_s() + seconds;
	cc_agent_changed(a);
}

void cc_agent_offered(struct cc_agent *a)
{
	a->last_offered = cc_now_s();
	a->offered_us = clock_mono_us();
	for (struct lnode *it = a->tiers.head.next; it != &a->tiers.head; it = it->next) {
		struct cc_tier *t = list_entry(it, struct cc_tier, in_agent);
		t->queue->turn = (struct cc_turn){t->level, t->position, true};
	}
}
