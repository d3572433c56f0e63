/* The state table of a leg: state x input -> next state, and what the endpoint or an application reports about ringing,
 * media, answer and hold. Nothing else writes leg->state or leg->callstate. */
#include "base/check.h"
#include "base/clock.h"
#include "base/status.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/leg/leg_core.h"
#include "core/leg/leg_i.h"
#include "core/registry/limits.h"
#include "core/value/cause.h"
#include <string.h>

static const char *const state_names[] = {"CS_NEW", "CS_INIT", "CS_ROUTING", "CS_SOFT_EXECUTE", "CS_EXECUTE",
    "CS_EXCHANGE_MEDIA", "CS_PARK", "CS_CONSUME_MEDIA", "CS_HIBERNATE", "CS_RESET", "CS_HANGUP", "CS_REPORTING",
    "CS_DESTROY", "CS_NONE"};
static const char *const callstate_names[] = {
    "DOWN", "DIALING", "RINGING", "EARLY", "ACTIVE", "HELD", "RING_WAIT", "HANGUP", "UNHELD"};

const char *leg_state_name(enum leg_state s)
{
	return (unsigned)s <= CS_NONE ? state_names[s] : "CS_NONE";
}
const char *leg_callstate_name(enum leg_callstate s)
{
	return (unsigned)s <= CCS_UNHELD ? callstate_names[s] : "DOWN";
}

/* 0 (CS_NEW) means: no way. One row per state, one column per input. */
#define LIVE /* a leg that runs may be sent to anything that runs, or hung up */ \
	[IN_ROUTE] = CS_ROUTING, [IN_EXECUTE] = CS_EXECUTE, [IN_SOFT_EXECUTE] = CS_SOFT_EXECUTE, \
	[IN_EXCHANGE] = CS_EXCHANGE_MEDIA, [IN_PARK] = CS_PARK, [IN_CONSUME] = CS_CONSUME_MEDIA, \
	[IN_HIBERNATE] = CS_HIBERNATE, [IN_RESET] = CS_RESET, [IN_HANGUP] = CS_HANGUP
static const enum leg_state table[CS_NONE + 1][IN_COUNT] = {
    [CS_NEW] = {[IN_INIT] = CS_INIT, [IN_HANGUP] = CS_HANGUP},
    [CS_INIT] = {[IN_ROUTE] = CS_ROUTING, [IN_CONSUME] = CS_CONSUME_MEDIA, [IN_HANGUP] = CS_HANGUP},
    [CS_ROUTING] = {LIVE},
    [CS_SOFT_EXECUTE] = {LIVE},
    [CS_EXECUTE] = {LIVE},
    [CS_EXCHANGE_MEDIA] = {LIVE},
    [CS_PARK] = {LIVE},
    [CS_CONSUME_MEDIA] = {LIVE},
    [CS_HIBERNATE] = {LIVE},
    [CS_RESET] = {LIVE},
    [CS_HANGUP] = {[IN_REPORT] = CS_REPORTING},
    [CS_REPORTING] = {[IN_DESTROY] = CS_DESTROY},
};

int leg_state_input(struct leg *leg, enum leg_input in)
{
	enum leg_state next = table[leg->state][in];

	if (next == CS_NEW) {
		leg_log(leg, LOG_DEBUG, "(%s) no way from %s", leg->name, leg_state_name(leg->state));
		return ST_DENIED;
	}
	if (next != leg->state && next < CS_HANGUP)
		leg_log(leg, LOG_DEBUG, "(%s) State Change %s -> %s", leg->name, leg_state_name(leg->state),
		    leg_state_name(next));
	leg->state = next;
	return ST_OK;
}

void leg_state_run(struct leg *leg)
{
	if (leg->running_state == leg->state && leg->state != CS_NEW)
		return;
	leg->running_state = leg->state;
	leg_log(leg, LOG_DEBUG, "(%s) Running State Change %s (Cur %zu Tot %llu)", leg->name,
	    leg_state_name(leg->state), leg_count(), (unsigned long long)limits_serial());
	/* A call that is sent elsewhere rings there, as its events tell, until something runs for it again. */
	if (leg->state == CS_ROUTING && !leg->is_outbound)
		leg_callstate_set(leg, CCS_RINGING);
	else if (leg->state == CS_EXECUTE && !leg->is_outbound && leg->callstate == CCS_RINGING)
		leg_callstate_set(leg, leg->is_answered ? CCS_ACTIVE : leg->is_early ? CCS_EARLY : CCS_RINGING);
	leg_event(leg, EVENT_CHANNEL_STATE);
	if (leg->state == CS_ROUTING)
		leg_presence(leg, leg_state_name(CS_ROUTING));
}

void leg_callstate_set(struct leg *leg, enum leg_callstate s)
{
	enum leg_callstate old = leg->callstate;
	struct event *e;

	if (old == s || old == CCS_HANGUP)
		return;
	leg->callstate = s;
	leg_log(leg, LOG_DEBUG, "(%s) Callstate Change %s -> %s", leg->name, leg_callstate_name(old),
	    leg_callstate_name(s));
	if (!event_is_wanted(EVENT_CHANNEL_CALLSTATE, NULL) || !(e = event_new(EVENT_CHANNEL_CALLSTATE, NULL)))
		return;
	event_add(e, "Original-Channel-Call-State", leg_callstate_name(old));
	event_addf(e, "Channel-Call-State-Number", "%d", (int)s);
	leg_event_headers(leg, e);
	event_fire(e);
}

/* ---- what the far side does ---- */

void leg_mark_ring_ready(struct leg *leg)
{
	if (!leg_is_up(leg) || leg->is_ringing || leg->is_early || leg->is_answered)
		return;
	leg->is_ringing = true;
	if (leg->profile && !leg->profile->times.progress)
		leg->profile->times.progress = clock_wall_us();
	leg_log(leg, LOG_NOTICE, "Ring-Ready %s!", leg->name);
	leg_event(leg, EVENT_CHANNEL_PROGRESS);
	leg_callstate_set(leg, CCS_RINGING);
	LEG_PARTS(on_ring, leg);
}

void leg_mark_early_media(struct leg *leg)
{
	if (!leg_is_up(leg) || leg->is_early || leg->is_answered)
		return;
	leg_codec_events(leg);
	leg->is_early = true;
	if (leg->profile) {
		struct leg_times *t = &leg->profile->times;
		if (!t->progress_media)
			t->progress_media = clock_wall_us();
		if (!t->progress)
			t->progress = t->progress_media;
	}
	leg_var_set(leg, "endpoint_disposition", "EARLY MEDIA");
	leg_log(leg, LOG_NOTICE, "Pre-Answer %s!", leg->name);
	leg_event(leg, EVENT_CHANNEL_PROGRESS_MEDIA);
	leg_callstate_set(leg, CCS_EARLY);
	LEG_PARTS(on_early, leg);
}

void leg_mark_answered(struct leg *leg)
{
	if (!leg_is_up(leg) || leg->is_answered)
		return;
	leg_codec_events(leg);
	leg->is_answered = true;
	if (leg->profile)
		leg->profile->times.answered = clock_wall_us();
	limits_count_answered();
	leg_log(leg, LOG_NOTICE, "Channel [%s] has been answered", leg->name);
	leg_event(leg, EVENT_CHANNEL_ANSWER);
	leg_var_set(leg, "endpoint_disposition", "ANSWER"); /* CHANNEL_ANSWER does not show it yet */
	leg_presence(leg, "answered");
	leg_callstate_set(leg, CCS_ACTIVE);
	leg_heartbeat_answered(leg);
	LEG_PARTS(on_answer, leg);
}

/* FreeSWITCH's order: the call state, then the event; ACTIVE again only while the call goes on. */
static ON_CTL void held_changed(struct leg *leg, bool is_held, bool goes_on)
{
	struct leg_times *t = leg->profile ? &leg->profile->times : NULL;

	leg->is_held = is_held;
	if (is_held)
		leg_held_begin(leg);
	else
		leg_held_end(leg);
	if (t && is_held) {
		t->last_hold = clock_wall_us();
	} else if (t && t->last_hold) {
		t->hold_accum += clock_wall_us() - t->last_hold;
		t->last_hold = 0;
	}
	leg_callstate_set(leg, is_held ? CCS_HELD : CCS_UNHELD);
	leg_event(leg, is_held ? EVENT_CHANNEL_HOLD : EVENT_CHANNEL_UNHOLD);
	leg_presence(leg, is_held ? "hold" : "unhold");
	if (!is_held && goes_on)
		leg_callstate_set(leg, CCS_ACTIVE);
}

void leg_mark_held(struct leg *leg, bool is_held)
{
	if (!leg_is_up(leg) || leg->is_held == is_held)
		return;
	held_changed(leg, is_held, true);
	LEG_PARTS(on_hold, leg, is_held);
}

void leg_unhold_at_end(struct leg *leg)
{
	if (leg->is_held)
		held_changed(leg, false, false);
}

/* ---- what applications ask of an inbound leg ---- */

int leg_ring_ready(struct leg *leg)
{
	int st = ST_OK;
	if (!leg_is_up(leg))
		return ST_HANGUP;
	if (leg->is_outbound || leg->is_ringing || leg->is_early || leg->is_answered)
		return ST_OK;
	if (leg->ops->ring_ready)
		st = leg->ops->ring_ready(leg);
	if (!st)
		leg_mark_ring_ready(leg);
	return st;
}

int leg_pre_answer_for(struct leg *leg, struct leg *near)
{
	int st = ST_OK;
	if (!leg_is_up(leg))
		return ST_HANGUP;
	if (leg->is_outbound || leg->is_early || leg->is_answered)
		return ST_OK;
	if (leg->ops->pre_answer)
		st = leg->ops->pre_answer(leg, near);
	if (!st)
		leg_mark_early_media(leg);
	else if (leg_is_up(leg))
		leg_hangup(leg, cause_of_media(st, CAUSE_INCOMPATIBLE_DESTINATION));
	return st;
}

int leg_answer_for(struct leg *leg, struct leg *near)
{
	int st = ST_OK;
	if (!leg_is_up(leg))
		return ST_HANGUP;
	if (leg->is_answered || leg->is_outbound)
		return ST_OK;
	if (leg->ops->answer)
		st = leg->ops->answer(leg, near);
	if (!st && leg->is_late_told)
		leg_mark_early_media(leg); /* FreeSWITCH tells so of an answer that negotiates */
	if (!st)
		leg_mark_answered(leg);
	else if (leg_is_up(leg))
		leg_hangup(leg, cause_of_media(st, CAUSE_INCOMPATIBLE_DESTINATION));
	return st;
}

int leg_pre_answer(struct leg *leg)
{
	return leg_pre_answer_for(leg, NULL);
}
int leg_answer(struct leg *leg)
{
	return leg_answer_for(leg, NULL);
}

int leg_set_hold(struct leg *leg, bool is_held)
{
	if (!leg_is_up(leg))
		return ST_HANGUP;
	if (!leg->is_answered)
		return ST_DENIED;
	int st = leg->ops->hold ? leg->ops->hold(leg, is_held) : ST_UNSUPPORTED;
	leg->hold_due = st != ST_BUSY ? HOLD_DUE_NOT : is_held ? HOLD_DUE_ON : HOLD_DUE_OFF;
	if (st && st != ST_BUSY)
		return st;
	leg_mark_held(leg, is_held);
	return ST_OK;
}

void leg_hold_owed(struct leg *leg)
{
	bool is_held = leg->hold_due == HOLD_DUE_ON;

	if (leg->hold_due == HOLD_DUE_NOT || !leg_is_up(leg) || !leg_set_hold(leg, is_held))
		return;
	leg_log(leg, LOG_WARNING, "%s, which had to wait, could not be asked for", is_held ? "hold" : "its end");
	leg_mark_held(leg, !is_held);
}

/* ---- parts, for the rooms in which the thing happens ---- */

void leg_parts_stream(struct leg *leg)
{
	LEG_PARTS(on_stream, leg);
}

bool leg_parts_report(struct leg *leg, const struct media_report *r)
{
	for (unsigned i = 0; i < leg_part_count(); i++)
		if (leg_part_at(i)->on_report && leg_part_at(i)->on_report(leg, r))
			return true;
	return false;
}

void leg_parts_digit(struct leg *leg, char digit)
{
	LEG_PARTS(on_digit, leg, digit);
}

void leg_parts_before_app(struct leg *leg, unsigned app_flags)
{
	LEG_PARTS(before_app, leg, app_flags);
}

void leg_parts_break(struct leg *leg)
{
	LEG_PARTS(on_break, leg);
}

void leg_parts_idle(struct leg *leg)
{
	LEG_PARTS(on_idle, leg);
}
