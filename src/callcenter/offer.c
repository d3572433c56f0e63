/* One offer: an agent is rung for a caller, or called by his line that is open (uuid-standby); who answers first is
 * joined with the caller; when they part the agent is free again.
 *
 *   cc_offer_start -> coroutine: originate -> take the caller -> hibernate, wake him --+-- coroutine ends
 *                                  | refused, cancelled                                v
 *                                  v                                     uuid_bridge on the caller's leg
 *                                failed: delays, counts, waits again     on_bridged ... on_unbridged, on_reported:
 * finish
 *
 * While they talk the offer is in two tables, by the uuids of both legs; hooks of legs and bridges look it up there. It
 * ends once: when the agent's leg is over (or goes elsewhere), after the caller's if that is over too. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/status.h"
#include "callcenter/callcenter_i.h"
#include "core/bridge/bridge.h"
#include "core/event/event.h"
#include "core/run/exec.h"
#include "core/run/expand.h"
#include "core/sound/play.h"
#include "core/sound/tap.h"
#include "core/value/cause.h"
#include "core/value/vars.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ORIGINATE_DEFAULT_S = 60, REST_MIN_S = 1, CANCEL_US = 1000, END_US = 10000 };
static struct hash *by_agent, *by_caller; /* uuid -> offer; the former's references count */
static unsigned ringing_count;

/* ---- life ---- */

static void offer_free(void *obj)
{
	struct cc_offer *o = obj;
	mem_unref(o->leg);
	mem_unref(o->caller);
	mem_unref(o->member);
	mem_unref(o->agent);
	mem_unref(o->queue);
	mem_free(o->pop);
}

struct cc_offer *cc_offer_new(struct cc_member *m, struct cc_agent *a)
{
	struct cc_offer *o = mem_new(sizeof(*o), offer_free, "callcenter.offer");
	if (!o)
		return NULL;
	o->member = mem_ref(m);
	o->agent = mem_ref(a);
	o->queue = mem_ref(m->queue);
	o->start_us = clock_mono_us();
	snprintf(o->session, sizeof(o->session), "%s", m->session);
	o->pop = cc_pop_make(o, false);
	list_push(&m->offers, &o->in_member);
	list_push(&a->offers, &o->in_agent);
	return o;
}

void cc_offer_cancel(struct cc_offer *o, enum cause cause)
{
	if (o->is_talking || o->cancelled)
		return;
	o->cancelled = cause;
	originate_stop(&o->ticket, cause);
	if (o->leg && !o->agent->is_standby) /* he has answered, and hears what is said first */
		leg_hangup(o->leg, cause);
}

void cc_member_offers_cancel(struct cc_member *m, const struct cc_offer *but, enum cause cause)
{
	struct lnode *it, *tmp;
	list_each (&m->offers, it, tmp) {
		struct cc_offer *o = list_entry(it, struct cc_offer, in_member);
		if (o != but)
			cc_offer_cancel(o, cause);
	}
}

void cc_agent_offers_cancel(struct cc_agent *a, enum cause cause)
{
	struct lnode *it, *tmp;
	list_each (&a->offers, it, tmp)
		cc_offer_cancel(list_entry(it, struct cc_offer, in_agent), cause);
}

struct cc_offer *cc_offer_of(const char *uuid)
{
	return hash_get(by_agent, sv_of(uuid));
}

/* ---- he does not come ---- */

/* How long the agent rests after that; counts what is his fault. */
static ON_CTL int64_t delay_of(struct cc_offer *o, enum cause cause, enum cc_tier_state *tier)
{
	struct cc_agent *a = o->agent;
	int64_t delay_s;
	switch (cause) {
	case CAUSE_LOSE_RACE:
	case CAUSE_ORIGINATOR_CANCEL:
		return 0;
	case CAUSE_NORMAL_CIRCUIT_CONGESTION:
	case CAUSE_USER_BUSY:
		delay_s = a->busy_delay_s;
		break;
	case CAUSE_CALL_REJECTED:
		delay_s = a->reject_delay_s;
		break;
	default:
		delay_s = a->no_answer_delay_s;
		*tier = CC_TIER_NO_ANSWER;
		a->no_answer_count++;
		break;
	}
	/* a phone that is not there is not tried without end */
	return delay_s || clock_mono_us() - o->start_us >= 1000000 ? delay_s : REST_MIN_S;
}

/* He waits on when nobody is rung for him any more. */
static ON_CTL void give_back(struct cc_member *m)
{
	if (m->is_left || !m->leg || m->winner)
		return;
	if (list_empty(&m->offers))
		cc_member_state_set(m, CC_MEMBER_WAITING, NULL);
	(void)cc_order_add(&m->queue->line, &m->place);
	cc_serve(m->queue);
	leg_wake(m->leg); /* his time may be over */
}

static ON_CTL void agent_free_again(struct cc_offer *o, enum cc_tier_state tier)
{
	struct cc_agent *a = o->agent;
	if (a->is_gone)
		return;
	struct lnode *it, *tmp;
	list_each (&a->tiers, it, tmp) {
		struct cc_tier *t = list_entry(it, struct cc_tier, in_agent);
		if (t->queue == o->queue)
			cc_tier_state_set(t, tier);
		else if (t->state == CC_TIER_STANDBY)
			cc_tier_state_set(t, CC_TIER_READY);
	}
	cc_agent_state_set(a, a->status == CC_ON_DEMAND ? CC_IDLE : CC_WAITING);
}

static ON_CTL void failed(struct cc_offer *o, enum cause cause)
{
	struct cc_agent *a = o->agent;
	struct cc_member *m = o->member;
	enum cc_tier_state tier = CC_TIER_READY;
	int64_t delay_s = a->is_gone ? 0 : delay_of(o, cause, &tier);
	list_remove(&o->in_member);
	list_remove(&o->in_agent);
	if (m->winner == o)
		m->winner = NULL;
	if (tier == CC_TIER_NO_ANSWER && a->max_no_answer > 0 && a->no_answer_count >= a->max_no_answer) {
		cc_offer_tell_max_no_answer(o);
		cc_agent_status_set(a, o->queue->s.no_answer_status);
	}
	cc_offer_tell_fail(o, cause_name(cause));
	cc_note_missed(o, cause_name(cause));
	give_back(m);
	if (!a->is_gone)
		cc_agent_delay(a, delay_s);
	agent_free_again(o, tier);
}

/* ---- he comes ---- */

static ON_CTL bool is_wanted(const struct cc_offer *o)
{
	const struct cc_member *m = o->member;
	return !o->cancelled && !o->agent->is_gone && !m->is_left && m->leg && leg_is_ready(m->leg) &&
	       (!m->winner || m->winner == o);
}

static ON_CTL void take(struct cc_offer *o)
{
	struct cc_agent *a = o->agent;
	struct cc_member *m = o->member;
	struct lnode *it, *tmp;
	m->winner = o;
	o->caller = mem_ref(m->leg);
	o->answered_s = cc_now_s();
	cc_order_del(&m->queue->line, &m->place);
	cc_member_state_set(m, CC_MEMBER_TRYING, a->name);
	cc_member_offers_cancel(m, o, CAUSE_LOSE_RACE);
	a->last_bridge_start = o->answered_s;
	a->calls_answered++;
	a->no_answer_count = 0;
	cc_agent_uuid_set(a, o->leg->uuid);
	list_each (&a->tiers, it, tmp) {
		struct cc_tier *t = list_entry(it, struct cc_tier, in_agent);
		if (t->queue == o->queue)
			cc_tier_state_set(t, CC_TIER_ACTIVE);
		else if (t->state == CC_TIER_READY)
			cc_tier_state_set(t, CC_TIER_STANDBY);
	}
	cc_agent_changed(a);
	leg_var_set(m->leg, "cc_agent_uuid", o->leg->uuid);
}

/* What the agent hears before he has the caller. */
static CO void announce(struct cc_offer *o, const char *variable)
{
	char *source = leg_text_dup(o->caller, variable);
	if (source && *source && !leg_exec_adopt(o->leg)) {
		(void)leg_play(o->leg, source, "none", NULL);
		leg_exec_release(o->leg);
	}
	mem_free(source);
}

static CO void record(struct cc_offer *o)
{
	char *path = NULL;
	if (o->queue->s.record_template && !expand(o->caller, o->queue->s.record_template, &path) &&
	    leg_record_start(o->caller, path, 0, NULL))
		leg_log(o->caller, LOG_ERR,
		    "callcenter: the call cannot be recorded to what record-template of %s says", o->queue->name);
	mem_free(path);
}

static ON_CTL void offer_ref_drop(void *obj)
{
	mem_unref(obj);
}

static ON_CTL bool has_rivals(const struct cc_offer *o)
{
	const struct list *l = &o->member->offers;
	return l->head.next->next != &l->head;
}

static CO void answered(struct cc_offer *o)
{
	if (!is_wanted(o)) {
		enum cause cause = o->cancelled ? o->cancelled : CAUSE_ORIGINATOR_CANCEL;
		if (!o->agent->is_standby)
			leg_hangup(o->leg, cause);
		failed(o, cause);
		return;
	}
	take(o);
	if (has_rivals(o)) /* they are told to be gone first */
		(void)co_sleep(CANCEL_US);
	announce(o, o->agent->is_standby ? "cc_warning_tone" : "cc_outbound_announce");
	bool is_here = is_wanted(o) && leg_is_up(o->leg);
	if (is_here) {
		cc_offer_tell_start(o);
		record(o);
		is_here = is_wanted(o) && leg_is_up(o->leg);
	}
	if (!is_here || hash_set(by_agent, sv_of(o->leg->uuid), mem_ref(o)) ||
	    hash_set(by_caller, sv_of(o->caller->uuid), o)) {
		enum cause cause = leg_is_up(o->leg) ? CAUSE_ORIGINATOR_CANCEL : o->leg->cause;
		hash_del(by_agent, sv_of(o->leg->uuid));
		leg_hangup(o->leg, CAUSE_ORIGINATOR_CANCEL);
		failed(o, cause);
		return;
	}
	o->is_talking = true;
	o->member->is_taken = true;
	if (bridge_two_within(o->caller, o->leg)) {
		cc_offer_break(o);
		leg_wake(o->caller);
	}
}

static ON_CTL int vars_of(const struct cc_offer *o, struct vars *v)
{
	const struct cc_member *m = o->member;
	char *list = mem_strdup(vars_get(m->leg->vars, "cc_export_vars"));
	struct sv rest = sv_of(list), name;
	int st = vars_set_outside(v, "cc_queue", o->queue->name);
	if (!st)
		st = vars_setf(v, "cc_queue_joined_epoch", "%lld", (long long)m->joined_s);
	if (!st)
		st = vars_set(v, "cc_member_uuid", m->uuid);
	if (!st)
		st = vars_set(v, "cc_member_session_uuid", m->session);
	if (!st)
		st = vars_set(v, "cc_member_pre_answer_uuid", m->uuid);
	if (!st)
		st = vars_set_outside(v, "cc_agent", o->agent->name);
	if (!st)
		st = vars_set(v, "cc_agent_type", o->agent->type);
	if (!st)
		st = vars_set(v, "cc_side", "agent");
	if (!st)
		st = vars_set(v, "loopback_bowout", "false");
	if (!st)
		st = vars_set(v, "loopback_bowout_on_execute", "false");
	if (!st)
		st = vars_set(v, "ignore_early_media", "true");
	if (!st && list)
		st = vars_copy_one(v, "cc_export_vars", m->leg->vars, "cc_export_vars");
	while (!st && rest.n) {
		sv_split(rest, ',', &name, &rest);
		char *one = sv_dup(sv_trim(name));
		if (one && *one)
			st = vars_copy_one(v, one, m->leg->vars, one);
		mem_free(one);
	}
	mem_free(list);
	return st;
}

static ON_CTL char *cid_name_of(const struct cc_member *m)
{
	const char *prefix = vars_get(m->leg->vars, "cc_outbound_cid_name_prefix");
	struct buf b;
	buf_init(&b);
	buf_adds(&b, prefix);
	buf_adds(&b, m->cid_name);
	return buf_take(&b);
}

static CO enum cause callback(struct cc_offer *o)
{
	const char *seconds = cc_param("agent-originate-timeout");
	struct vars *vars = NULL;
	enum cause cause = CAUSE_SWITCH_CONGESTION;
	char *contact = mem_strdup(o->agent->contact ? o->agent->contact : ""), *cid_name = cid_name_of(o->member);
	struct originate_conf conf = {.dialstring = contact,
	    .caller_id_name = cid_name,
	    .caller_id_number = o->member->cid_number,
	    .timeout_s = seconds ? (unsigned)str_number(seconds, 1, 86400) : ORIGINATE_DEFAULT_S,
	    .ticket = &o->ticket};
	o->called_s = cc_now_s();
	if (contact && !vars_new(&vars) && !vars_of(o, vars)) {
		conf.vars = vars;
		cause = CAUSE_NONE;
		if (originate_run(&conf, &o->leg, &cause) && cause == CAUSE_NONE)
			cause = CAUSE_NORMAL_TEMPORARY_FAILURE;
	}
	if (o->leg)
		leg_var_set(o->leg, "cc_member_pre_answer_uuid", NULL);
	vars_free(vars);
	mem_free(contact);
	mem_free(cid_name);
	return cause;
}

static ON_CTL bool standby(struct cc_offer *o)
{
	struct cc_agent *a = o->agent;
	struct leg *leg = a->uuid && *a->uuid ? leg_find(a->uuid) : NULL;
	if (!leg || !leg_is_up(leg) || leg->peer) {
		if (!leg || !leg_is_up(leg)) {
			cc_agent_uuid_set(a, "");
			cc_agent_status_set(a, CC_LOGGED_OUT);
		}
		return false;
	}
	o->leg = mem_ref(leg);
	leg_var_set(leg, "cc_side", "agent");
	leg_var_set(leg, "cc_queue", o->queue->name);
	leg_var_set(leg, "cc_agent", a->name);
	leg_var_set(leg, "cc_agent_type", a->type);
	leg_var_set(leg, "cc_member_uuid", o->member->uuid);
	leg_var_set(leg, "cc_member_session_uuid", o->member->session);
	return true;
}

/* The leg that was dialled tells its end first. */
static CO void refused(struct cc_offer *o, enum cause cause)
{
	(void)co_sleep(END_US);
	failed(o, o->cancelled ? o->cancelled : cause);
}

static void offer_main(void *arg)
{
	struct cc_offer *o = arg;
	enum cause cause;
	role_assert_co();
	if (!is_wanted(o))
		failed(o, o->cancelled ? o->cancelled : CAUSE_ORIGINATOR_CANCEL);
	else if (o->agent->is_standby && standby(o))
		answered(o);
	else if (o->agent->is_standby)
		failed(o, CAUSE_NONE);
	else if ((cause = callback(o)) == CAUSE_NONE && o->leg)
		answered(o);
	else
		refused(o, cause);
	ringing_count--;
	mem_unref(o);
}

void cc_offer_start(struct cc_offer *o)
{
	ringing_count++;
	if (!co_spawn("callcenter offer", offer_main, o, NULL))
		return;
	ringing_count--;
	failed(o, CAUSE_SWITCH_CONGESTION);
	mem_unref(o);
}

/* ---- they talk ---- */

static ON_CTL void finish(struct cc_offer *o)
{
	struct cc_agent *a = o->agent;
	int64_t now_s = cc_now_s();
	if (o->is_over)
		return;
	o->is_over = true;
	loop_defer_cancel(&o->end);
	hash_del(by_caller, sv_of(o->caller->uuid));
	list_remove(&o->in_member);
	list_remove(&o->in_agent);
	o->member->winner = NULL;
	if (!a->is_gone) {
		a->last_bridge_end = now_s;
		a->talk_time_s += now_s - a->last_bridge_start;
		a->bridge_end_us = clock_mono_us();
		if (!a->is_standby)
			cc_agent_uuid_set(a, "");
	}
	cc_note_ended(o, now_s);
	cc_member_del(o->member);
	cc_offer_tell_end(o, now_s);
	agent_free_again(o, CC_TIER_READY);
	hash_del(by_agent, sv_of(o->leg->uuid)); /* the last reference, it may be */
}

static void finish_deferred(void *arg)
{
	role_assert_ctl();
	finish(arg);
}

void cc_offer_release(struct cc_offer *o)
{
	finish(o);
}

void cc_offer_break(struct cc_offer *o)
{
	leg_hangup(o->leg, CAUSE_ORIGINATOR_CANCEL);
}

static void on_bridged(struct leg *leg, void *arg)
{
	struct cc_offer *o;
	char epoch[24];
	role_assert_ctl();
	o = cc_offer_of(leg->uuid);
	if (!o || o->is_bridged || leg->peer != o->caller)
		return;
	o->is_bridged = true;
	leg_var_set(o->caller, "cc_agent_bridged", "true");
	leg_var_set(o->leg, "cc_agent_bridged", "true");
	leg_var_set(o->caller, "cc_agent", o->agent->name);
	snprintf(epoch, sizeof(epoch), "%lld", (long long)o->answered_s);
	leg_var_set(o->caller, "cc_queue_answered_epoch", epoch);
	o->member->bridged_s = cc_now_s();
	cc_member_state_set(o->member, CC_MEMBER_ANSWERED, o->agent->name);
	cc_note_answered(o);
	if (!o->agent->is_gone)
		cc_agent_state_set(o->agent, CC_IN_CALL);
}

/* The agent's leg goes elsewhere without its caller: a transfer. */
static void on_unbridged(struct leg *leg, void *arg)
{
	struct cc_offer *o;
	role_assert_ctl();
	o = cc_offer_of(leg->uuid);
	if (o && o->is_bridged && leg_is_up(leg))
		loop_defer(&o->end, "callcenter end", finish_deferred, o);
}

static void on_reported(struct leg *leg, void *arg)
{
	struct cc_offer *o;
	role_assert_ctl();
	o = cc_offer_of(leg->uuid);
	if (o) {
		o->has_agent_ended = true;
	} else {
		o = hash_get(by_caller, sv_of(leg->uuid));
		if (!o)
			return;
		o->has_caller_ended = true;
		if (!o->is_bridged)
			cc_offer_break(o); /* he waits for who will not come */
	}
	if (o->has_agent_ended && (o->has_caller_ended || leg_is_up(o->caller)))
		finish(o);
}

/* ---- start and stop ---- */

int cc_offers_start(void)
{
	int st = hash_new(&by_agent, 0, offer_ref_drop);
	if (!st)
		st = hash_new(&by_caller, 0, NULL);
	if (!st)
		st = leg_hook_add(LEG_HOOK_BRIDGED, on_bridged, NULL);
	if (!st)
		st = leg_hook_add(LEG_HOOK_UNBRIDGED, on_unbridged, NULL);
	return st ? st : leg_hook_add(LEG_HOOK_REPORTED, on_reported, NULL);
}

int cc_offers_stop(void)
{
	if (ringing_count || (by_agent && hash_count(by_agent)))
		return ST_BUSY;
	leg_hook_del(LEG_HOOK_BRIDGED, on_bridged, NULL);
	leg_hook_del(LEG_HOOK_UNBRIDGED, on_unbridged, NULL);
	leg_hook_del(LEG_HOOK_REPORTED, on_reported, NULL);
	hash_free(by_agent);
	hash_free(by_caller);
	by_agent = by_caller = NULL;
	return ST_OK;
}
