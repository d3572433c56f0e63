/* What is told of an offer: agent-offering, bridge-agent-start, bridge-agent-fail, bridge-agent-end, member-queue-end.
 */
#include "base/mem.h"
#include "base/status.h"
#include "callcenter/callcenter_i.h"
#include "core/event/event.h"

#include <stdio.h>

/* ---- what is told ---- */

static ON_CTL struct event *offer_event(const struct cc_offer *o, struct leg *leg, const char *action)
{
	return cc_event(leg, o->queue, action);
}

static ON_CTL void add_agent(struct event *e, const struct cc_offer *o)
{
	event_add(e, "CC-Agent", o->agent->name);
	event_add(e, "CC-Agent-System", cc_instance());
}

static ON_CTL void add_pop(struct event *e, const struct cc_offer *o)
{
	char *pop = o->pop ? cc_pop_make(o, true) : NULL;
	if (pop)
		event_add(e, "CC-Screen-Pop", pop);
	mem_free(pop);
}

void cc_offer_tell(struct cc_offer *o)
{
	cc_note_offered(o);
	struct event *e = offer_event(o, NULL, "agent-offering");
	if (!e)
		return;
	event_add(e, "CC-Agent", o->agent->name);
	event_add(e, "CC-Agent-Type", o->agent->type);
	event_add(e, "CC-Agent-System", cc_instance());
	cc_event_member(e, o->member, o->session);
	add_pop(e, o);
	event_fire(e);
}

void cc_offer_tell_start(const struct cc_offer *o)
{
	struct event *e = offer_event(o, o->leg, "bridge-agent-start");
	if (!e)
		return;
	add_agent(e, o);
	event_add(e, "CC-Agent-UUID", o->leg->uuid);
	cc_event_time(e, "CC-Agent-Called-Time", o->called_s);
	cc_event_time(e, "CC-Agent-Answered-Time", o->answered_s);
	cc_event_time(e, "CC-Member-Joined-Time", o->member->joined_s);
	cc_event_member(e, o->member, o->session);
	add_pop(e, o);
	event_fire(e);
}

void cc_offer_tell_fail(const struct cc_offer *o, const char *cause)
{
	struct event *e = offer_event(o, NULL, "bridge-agent-fail");
	if (!e)
		return;
	event_add(e, "CC-Hangup-Cause", cause);
	add_agent(e, o);
	cc_event_time(e, "CC-Agent-Called-Time", o->called_s);
	cc_event_time(e, "CC-Agent-Aborted-Time", cc_now_s());
	cc_event_member(e, o->member, o->session);
	cc_event_time(e, "CC-Member-Joined-Time", o->member->joined_s);
	event_fire(e);
}

void cc_offer_tell_end(const struct cc_offer *o, int64_t now_s)
{
	const char *cause = o->called_s ? "SUCCESS" : "NONE";
	struct event *e = offer_event(o, o->leg, "bridge-agent-end");
	if (e) {
		event_add(e, "CC-Hangup-Cause", cause);
		add_agent(e, o);
		event_add(e, "CC-Agent-UUID", o->leg->uuid);
		event_add(e, "CC-Agent-Bridged", o->is_bridged ? "true" : "false");
		cc_event_time(e, "CC-Agent-Called-Time", o->called_s);
		cc_event_time(e, "CC-Agent-Answered-Time", o->answered_s);
		cc_event_time(e, "CC-Member-Joined-Time", o->member->joined_s);
		cc_event_time(e, "CC-Bridge-Terminated-Time", now_s);
		cc_event_member(e, o->member, o->session);
		event_fire(e);
	}
	e = offer_event(o, o->caller, "member-queue-end");
	if (e) {
		event_add(e, "CC-Hangup-Cause", cause);
		event_add(e, "CC-Cause", "Terminated");
		add_agent(e, o);
		event_add(e, "CC-Agent-UUID", o->leg->uuid);
		cc_event_time(e, "CC-Agent-Called-Time", o->called_s);
		cc_event_time(e, "CC-Agent-Answered-Time", o->answered_s);
		cc_event_time(e, "CC-Member-Leaving-Time", now_s);
		cc_event_time(e, "CC-Member-Joined-Time", o->member->joined_s);
		cc_event_member(e, o->member, o->session);
		event_fire(e);
	}
}

void cc_offer_tell_max_no_answer(const struct cc_offer *o)
{
	struct event *e = offer_event(o, NULL, "agent-max-no-answer");
	if (!e)
		return;
	event_del(e, "CC-Queue");
	event_unshift(e, "CC-Agent", o->agent->name);
	event_addf(e, "CC-Agent-No-Answer-Count", "%d", (int)o->agent->no_answer_count);
	event_add(e, "CC-Agent-No-Answer-Status", cc_status_name(o->queue->s.no_answer_status));
	event_add(e, "CC-Member-UUID", o->member->uuid);
	event_add(e, "CC-Member-Session-UUID", o->session);
	event_fire(e);
}
