/* What happened, once, to whoever wants to know: today's and this hour's figures, the history, web hooks, sticky
 * agents. A day and an hour begin by the clock of the queue's time-zone. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "callcenter/callcenter_i.h"
#include "core/event/event.h"
#include "core/run/exec.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- spans ---- */

static ON_CTL struct cc_figures *span_of(struct cc_span *s, const struct cc_queue *q, int64_t length_s)
{
	int64_t now_s = cc_now_s();
	if (now_s >= s->until_s || s->until_s - now_s > length_s) {
		int64_t local_s = now_s + cc_local_offset_s(q, now_s);
		s->until_s = now_s - local_s % length_s + length_s;
		s->f = (struct cc_figures){0};
	}
	return &s->f;
}

struct cc_figures *cc_queue_today(struct cc_queue *q)
{
	return span_of(&q->plus.day, q, 86400);
}

struct cc_figures *cc_queue_hour(struct cc_queue *q)
{
	return span_of(&q->plus.hour, q, 3600);
}

struct cc_figures *cc_agent_today(struct cc_agent *a)
{
	return span_of(&a->plus.day, NULL, 86400);
}

/* ---- facts ---- */

static ON_CTL int64_t waited_s(const struct cc_member *m, int64_t until_s)
{
	int64_t from_s =
	    m->plus.callback && m->rejoined_s ? m->rejoined_s : m->joined_s; /* called back: since he was reached */
	return until_s > from_s ? until_s - from_s : 0;
}

static ON_CTL struct cc_hook_facts facts_of(const struct cc_offer *o, const char *event)
{
	return (struct cc_hook_facts){.event = event,
	    .queue = o->queue,
	    .agent = o->agent,
	    .member = o->member,
	    .session = o->session,
	    .agent_uuid = o->leg ? o->leg->uuid : NULL,
	    .pop = o->pop,
	    .waited_s = -1,
	    .talked_s = -1};
}

static ON_CTL void agent_pop_set(struct cc_agent *a, const char *pop)
{
	mem_free(a->plus.pop);
	a->plus.pop = pop ? mem_strdup(pop) : NULL;
}

/* ---- offers ---- */

void cc_note_offered(struct cc_offer *o)
{
	const struct cc_hook_facts f = facts_of(o, "offered");
	cc_queue_today(o->queue)->offers++;
	cc_queue_hour(o->queue)->offers++;
	cc_agent_today(o->agent)->offers++;
	agent_pop_set(o->agent, o->pop);
	cc_hook(&f);
}

void cc_note_missed(struct cc_offer *o, const char *cause)
{
	const struct cc_history_row row = {.kind = "miss",
	    .queue = o->queue->name,
	    .agent = o->agent->name,
	    .uuid = o->member->uuid,
	    .session = o->session,
	    .number = o->member->cid_number,
	    .name = o->member->cid_name,
	    .outcome = cause,
	    .began_s = cc_now_s()};
	agent_pop_set(o->agent, NULL);
	if (!strcmp(cause, "LOSE_RACE") || !strcmp(cause, "ORIGINATOR_CANCEL"))
		return;
	cc_queue_today(o->queue)->missed++;
	cc_queue_hour(o->queue)->missed++;
	cc_agent_today(o->agent)->missed++;
	cc_history_put(&row);
}

void cc_note_answered(struct cc_offer *o)
{
	struct cc_hook_facts f = facts_of(o, "answered");
	struct cc_queue *q = o->queue;
	f.waited_s = waited_s(o->member, o->member->bridged_s);
	cc_figures_left(cc_queue_today(q), CC_OUTCOME_ANSWERED, f.waited_s, q->s.service_level_s);
	cc_figures_left(cc_queue_hour(q), CC_OUTCOME_ANSWERED, f.waited_s, q->s.service_level_s);
	cc_figures_left(cc_agent_today(o->agent), CC_OUTCOME_ANSWERED, f.waited_s, q->s.service_level_s);
	cc_sticky_note(q, o->member->cid_number, o->agent->name);
	agent_pop_set(o->agent, o->pop);
	cc_hook(&f);
}

static ON_CTL void wrap_open(struct cc_offer *o)
{
	struct cc_agent *a = o->agent;
	mem_free(a->plus.wrap_queue);
	a->plus.wrap_queue = mem_strdup(o->queue->name);
	snprintf(a->plus.wrap_uuid, sizeof(a->plus.wrap_uuid), "%s", o->member->uuid);
	if (o->queue->s.wrap_code_s)
		cc_agent_delay(a, o->queue->s.wrap_code_s);
}

void cc_note_ended(struct cc_offer *o, int64_t now_s)
{
	struct cc_hook_facts f = facts_of(o, "ended");
	const struct cc_member *m = o->member;
	struct cc_queue *q = o->queue;
	agent_pop_set(o->agent, NULL);
	if (!o->is_bridged) {
		cc_note_left(m, CC_OUTCOME_ABANDONED);
		return;
	}
	f.outcome = "answered";
	f.waited_s = waited_s(m, m->bridged_s);
	f.talked_s = now_s > m->bridged_s ? now_s - m->bridged_s : 0;
	cc_figures_talked(cc_queue_today(q), f.talked_s);
	cc_figures_talked(cc_queue_hour(q), f.talked_s);
	cc_figures_talked(cc_agent_today(o->agent), f.talked_s);
	const struct cc_history_row row = {.kind = "call",
	    .queue = q->name,
	    .agent = o->agent->name,
	    .uuid = m->uuid,
	    .session = o->session,
	    .number = m->cid_number,
	    .name = m->cid_name,
	    .outcome = f.outcome,
	    .began_s = m->joined_s,
	    .waited_s = f.waited_s,
	    .talked_s = f.talked_s,
	    .is_in_level = f.waited_s <= q->s.service_level_s};
	cc_history_put(&row);
	if (!o->agent->is_gone)
		wrap_open(o);
	cc_hook(&f);
}

/* ---- callers who are not served ---- */

static ON_CTL void row_left(
    struct cc_queue *q, const struct cc_member *m, struct leg *leg, enum cc_outcome outcome, int64_t waited)
{
	const char *number = m              ? m->cid_number
	                     : leg->profile ? leg->profile->caller_id_number
	                                    : "",
	           *name = m              ? m->cid_name
	                   : leg->profile ? leg->profile->caller_id_name
	                                  : "";
	bool gave_up = outcome == CC_OUTCOME_ABANDONED || outcome == CC_OUTCOME_TIMEOUT;
	const struct cc_history_row row = {.kind = "call",
	    .queue = q->name,
	    .uuid = m ? m->uuid : leg->uuid,
	    .session = m ? m->session : leg->uuid,
	    .number = number,
	    .name = name,
	    .outcome = cc_outcome_name(outcome),
	    .began_s = m ? m->joined_s : cc_now_s(),
	    .waited_s = waited,
	    .is_late = gave_up && waited > q->s.service_level_s};
	cc_history_put(&row);
}

void cc_note_left(const struct cc_member *m, enum cc_outcome outcome)
{
	struct cc_queue *q = m->queue;
	int64_t waited = waited_s(m, cc_now_s());
	const struct cc_hook_facts f = {.event = "ended",
	    .queue = q,
	    .member = m,
	    .session = m->session,
	    .outcome = cc_outcome_name(outcome),
	    .waited_s = waited,
	    .talked_s = -1};
	cc_figures_left(cc_queue_today(q), outcome, waited, q->s.service_level_s);
	cc_figures_left(cc_queue_hour(q), outcome, waited, q->s.service_level_s);
	row_left(q, m, NULL, outcome, waited);
	cc_hook(&f);
}

void cc_note_refused(struct cc_queue *q, struct leg *leg, enum cc_outcome outcome)
{
	cc_figures_left(cc_queue_today(q), outcome, 0, q->s.service_level_s);
	cc_figures_left(cc_queue_hour(q), outcome, 0, q->s.service_level_s);
	row_left(q, NULL, leg, outcome, 0);
}

/* ---- agents ---- */

void cc_note_status(struct cc_agent *a, enum cc_status old)
{
	int64_t now_s = cc_now_s(), since_s = a->plus.status_since_s;
	const struct cc_history_row row = {.kind = "status",
	    .agent = a->name,
	    .outcome = cc_status_name(old),
	    .code = a->plus.pause_reason,
	    .began_s = since_s,
	    .talked_s = now_s - since_s};
	if (since_s && now_s > since_s)
		cc_history_put(&row);
	a->plus.status_since_s = now_s;
	if (a->plus.pause_reason) {
		mem_free(a->plus.pause_reason);
		a->plus.pause_reason = NULL;
		cc_plus_keep_agent(a);
	}
}

int cc_note_wrapped(struct cc_agent *a, const char *code, const char *note)
{
	struct cc_queue *q = a->plus.wrap_queue ? cc_queue_find(a->plus.wrap_queue) : NULL;
	if (!a->plus.wrap_queue)
		return ST_NOTFOUND;
	if (!*code || strlen(code) > CC_REASON_CHARS ||
	    (q && q->s.wrap_codes && !sv_list_has(sv_of(q->s.wrap_codes), ',', sv_of(code))))
		return ST_INVAL;
	const struct cc_hook_facts f = {.event = "wrapped",
	    .queue = q,
	    .agent = a,
	    .session = a->plus.wrap_uuid,
	    .code = code,
	    .note = note,
	    .waited_s = -1,
	    .talked_s = -1};
	cc_history_wrapped(a->plus.wrap_uuid, a->name, code, note);
	cc_tell_agent(a, "agent-wrap-up", "CC-Wrap-Up-Code", code);
	cc_hook(&f);
	mem_free(a->plus.wrap_queue);
	a->plus.wrap_queue = NULL;
	if (q && q->s.wrap_code_s)
		(void)cc_agent_number_set(a, "ready_time", cc_now_s());
	return ST_OK;
}
