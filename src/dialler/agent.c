/* A campaign's own agents. Who is logged in is on line: his phone was called (or he called dialler_agent), and his leg
 * waits here for the customers whom it is joined with one after another; that is what makes an answered call his at
 * once. One coroutine an agent has his leg and does all that is done with it:
 *
 *   out -> calling -> free -> [held: a call is dialled for him] -> talks -> wrap-up -> free ... -> hangs up -> out
 *
 * A campaign of a queue has agents here only in preview: then their contact is what mod_callcenter has. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "callcenter/callcenter.h"
#include "core/bridge/bridge.h"
#include "core/event/event.h"
#include "core/registry/app_words.h"
#include "core/run/exec.h"
#include "core/sound/play.h"
#include "dialler/dialler_i.h"
#include "loop/co.h"

#include <stdio.h>
#include <string.h>

enum { AGENT_RING_S = 30 };
static const char *const state_names[] = {"out", "calling", "free", "reserved", "talking", "wrap-up", "paused"};

const char *dl_agent_state_name(enum dl_agent_state s)
{
	return state_names[s];
}

struct dl_agent *dl_agent_find(struct dl_campaign *c, const char *name)
{
	struct lnode *it, *tmp;
	list_each (&c->agents, it, tmp) {
		struct dl_agent *a = list_entry(it, struct dl_agent, link);
		if (!strcmp(a->name, name))
			return a;
	}
	return NULL;
}

static void agent_free(void *obj)
{
	struct dl_agent *a = obj;
	role_assert_ctl();
	loop_timer_cancel(&a->wrap);
	mem_free(a->contact);
	mem_unref(a->leg);
	mem_unref(a->c);
}

int dl_agent_put(struct dl_campaign *c, const char *name, const char *contact, struct dl_agent **out)
{
	struct dl_agent *a = dl_agent_find(c, name);
	char *own = contact ? mem_strdup(contact) : *c->s.queue ? callcenter_contact_dup(c->s.queue, name) : NULL;
	if (!own && !a)
		return ST_NOTFOUND;
	if (!a) {
		if (c->agent_count >= DL_AGENTS_MAX || !(a = mem_new(sizeof(*a), agent_free, "dialler.agent"))) {
			mem_free(own);
			return ST_FULL;
		}
		a->c = mem_ref(c);
		snprintf(a->name, sizeof(a->name), "%s", name);
		a->since_us = clock_mono_us();
		list_push(&c->agents, &a->link);
		c->agent_count++;
	}
	if (own) {
		mem_free(a->contact);
		a->contact = own;
	}
	*out = a;
	return ST_OK;
}

void dl_agent_state_set(struct dl_agent *a, enum dl_agent_state s)
{
	struct event *e;
	if (a->state == s)
		return;
	a->state = s;
	a->since_us = clock_mono_us();
	if ((e = dl_event(a->c, "agent-state"))) {
		event_add(e, "Dialler-Agent", a->name);
		event_add(e, "Dialler-State", dl_agent_state_name(s));
		if (a->leg)
			event_add(e, "Unique-ID", a->leg->uuid);
		event_fire(e);
	}
	if (s == DL_FREE) {
		dl_campaign_give(a->c);
		dl_campaign_kick(a->c);
	}
}

struct dl_agent *dl_agent_free(struct dl_campaign *c)
{
	struct lnode *it, *tmp;
	struct dl_agent *best = NULL;
	list_each (&c->agents, it, tmp) {
		struct dl_agent *a = list_entry(it, struct dl_agent, link);
		if (a->state == DL_FREE && a->leg && leg_is_up(a->leg) && !a->is_going &&
		    (!best || a->since_us < best->since_us))
			best = a;
	}
	return best;
}

void dl_agents_count(const struct dl_campaign *c, unsigned *free, unsigned *busy, unsigned *wrap)
{
	*free = *busy = *wrap = 0;
	for (const struct lnode *it = c->agents.head.next; it != &c->agents.head; it = it->next) {
		const struct dl_agent *a = list_entry(it, const struct dl_agent, link);
		*free += a->state == DL_FREE || a->state == DL_HELD; /* whoever is held for a call is its one */
		*busy += a->state == DL_TALKS;
		*wrap += a->state == DL_WRAPS;
	}
}

/* ---- on line ---- */

static void wrapped(void *arg)
{
	struct dl_agent *a = arg;
	role_assert_ctl();
	if (a->state == DL_WRAPS)
		dl_agent_state_set(a, DL_FREE);
}

static ON_CTL void talk_over(struct dl_agent *a)
{
	a->call = NULL;
	if (a->wants_rest) {
		a->wants_rest = false;
		dl_agent_state_set(a, DL_RESTS);
	} else if (a->c->s.wrap_ms) {
		loop_timer_set(&a->wrap, clock_us_of_ms(a->c->s.wrap_ms), "dialler wrap-up", wrapped, a);
		dl_agent_state_set(a, DL_WRAPS);
	} else {
		dl_agent_state_set(a, DL_FREE);
	}
}

static CO void talk(struct dl_agent *a)
{
	struct dl_call *k = mem_ref(a->call);
	struct leg *customer = mem_ref(k->leg);
	k->is_joined = true;
	(void)dl_play(a->c, a->leg, a->c->s.agent_sound);
	int st = leg_is_up(a->leg) && leg_is_ready(customer) ? leg_exec_adopt(customer) : ST_HANGUP;
	if (!st) {
		leg_var_set(customer, "dialler_agent", a->name);
		leg_var_set(a->leg, "dialler_number", k->n ? k->n->number : "");
		leg_var_set(a->leg, "dialler_call_id", k->id);
		bridge_show_ids(a->leg, customer);
		a->calls++;
		st = bridge_wait(a->leg, customer);
		bool is_over = leg_is_ready(customer);
		leg_exec_release(customer);
		if (is_over)
			leg_hangup(
			    customer, st && st != ST_HANGUP ? CAUSE_INCOMPATIBLE_DESTINATION : CAUSE_NORMAL_CLEARING);
	}
	k->is_joined = false;
	if (st && !leg_is_up(a->leg) && leg_is_up(customer) && !k->connected_us && a->call == k) {
		list_unshift(&a->c->waiting, &k->in_waiting); /* this agent went: another one may have him */
		a->call = NULL;
		mem_unref(k->agent);
		k->agent = NULL;
		dl_campaign_give(a->c);
	} else if (st && leg_is_up(customer)) {
		leg_hangup(customer, CAUSE_NORMAL_TEMPORARY_FAILURE);
	}
	co_signal(&k->change, ST_OK);
	mem_unref(customer);
	mem_unref(k);
	talk_over(a);
}

static bool goes_on(struct leg *leg, void *arg)
{
	const struct dl_agent *a = arg;
	role_assert_co();
	return a->state != DL_TALKS && !a->is_going;
}

static CO int music(struct dl_agent *a)
{
	const struct leg_watch watch = {.goes_on = goes_on, .arg = a};
	struct xml_doc *held = mem_ref(a->c->s.doc); /* a reload may take its name */
	int st = leg_play_watched(a->leg, a->c->s.agent_music, &watch);
	mem_unref(held);
	return st;
}

/* The leg is this coroutine's until he goes. */
static CO void serve(struct dl_agent *a)
{
	int st = ST_OK;
	leg_var_set(a->leg, "dialler_agent", a->name);
	leg_var_set(a->leg, "dialler_campaign", a->c->name);
	dl_agent_state_set(a, a->wants_rest ? DL_RESTS : DL_FREE);
	a->wants_rest = false;
	while (leg_is_ready(a->leg) && !a->is_going && st != ST_HANGUP && st != ST_CANCELLED) {
		if (a->state == DL_TALKS && a->call)
			talk(a);
		else if (a->state == DL_TALKS)
			talk_over(a); /* the call ended before it was his */
		else if (!*a->c->s.agent_music)
			st = leg_wait(a->leg, -1);
		else if ((st = music(a)))
			st = st == ST_HANGUP || st == ST_CANCELLED ? st : leg_wait(a->leg, clock_us_of_s(1));
	}
}

static ON_CTL void gone(struct dl_agent *a)
{
	struct dl_call *k = a->call;
	loop_timer_cancel(&a->wrap);
	a->call = NULL;
	if (k && k->agent == a && k->leg && !k->is_over && !k->connected_us) {
		list_unshift(&a->c->waiting, &k->in_waiting);
		mem_unref(k->agent);
		k->agent = NULL;
	}
	dl_agent_state_set(a, DL_OUT);
	a->leg = mem_unref(a->leg);
	a->is_up = a->is_going = a->wants_rest = false;
	if (a->shown && a->c->state == DL_RUNNING && !a->c->is_gone)
		dl_hopper_back(a->c, a->shown);
	else if (a->shown)
		dl_number_drop(a->c, a->shown);
	a->shown = NULL;
	dl_campaign_give(a->c);
	dl_campaign_kick(a->c);
}

static void agent_main(void *arg)
{
	struct dl_agent *a = arg;
	enum cause cause = CAUSE_NONE;
	char *contact = mem_strdup(a->contact ? a->contact : "");
	struct originate_conf conf = {.dialstring = contact ? contact : "",
	    .caller_id_name = a->c->name,
	    .caller_id_number = "dialler",
	    .timeout_s = AGENT_RING_S,
	    .ticket = &a->ticket};
	role_assert_co();
	int st = originate_run(&conf, &a->leg, &cause);
	mem_free(contact);
	if (st || !a->leg) {
		log_notice("dialler: the agent %s of %s does not come: %s", a->name, a->c->name, cause_name(cause));
	} else if (!leg_exec_adopt(a->leg)) {
		serve(a);
		bool is_here = leg_is_ready(a->leg);
		leg_exec_release(a->leg);
		if (is_here)
			leg_hangup(a->leg, CAUSE_NORMAL_CLEARING);
	}
	gone(a);
	mem_unref(a);
}

int app_dialler_agent(struct leg *leg, const char *data)
{
	struct app_words w;
	role_assert_co();
	int st = app_words_init(&w, leg_exec_text(leg, data), 2);
	struct dl_campaign *c = !st && w.n == 2 ? dl_campaign_find(w.w[0]) : NULL;
	struct dl_agent *a = c ? dl_agent_find(c, w.w[1]) : NULL;
	if (!a || a->is_up)
		leg_log(leg, LOG_ERR, "dialler_agent: %s",
		    !c   ? "no such campaign"
		    : !a ? "the campaign has no such agent"
		         : "he is on line already");
	else
		st = leg_answer(leg);
	if (a && !a->is_up && !st && leg_is_ready(leg)) {
		a->is_up = true;
		mem_ref(a);
		a->leg = mem_ref(leg);
		serve(a);
		gone(a);
		mem_unref(a);
	}
	app_words_fini(&w);
	return st;
}

int dl_agent_login(struct dl_agent *a)
{
	if (a->is_up)
		return ST_EXISTS;
	if (!a->contact || !*a->contact)
		return ST_NOTFOUND;
	a->is_up = true;
	dl_agent_state_set(a, DL_CALLING);
	mem_ref(a);
	int st = co_spawn("dialler agent", agent_main, a, NULL);
	if (!st)
		return ST_OK;
	a->is_up = false;
	dl_agent_state_set(a, DL_OUT);
	mem_unref(a);
	return st;
}

void dl_agent_logout(struct dl_agent *a)
{
	a->is_going = a->is_up;
	if (a->state == DL_CALLING)
		originate_stop(&a->ticket, CAUSE_ORIGINATOR_CANCEL);
	else if (a->leg && a->state != DL_TALKS)
		leg_wake(a->leg);
}

void dl_agent_rest(struct dl_agent *a)
{
	if (a->state == DL_FREE || a->state == DL_WRAPS)
		dl_agent_state_set(a, DL_RESTS);
	else
		a->wants_rest = a->is_up;
}

void dl_agent_ready(struct dl_agent *a)
{
	a->wants_rest = false;
	if (a->state == DL_RESTS || a->state == DL_WRAPS)
		dl_agent_state_set(a, DL_FREE);
}

void dl_agent_del(struct dl_agent *a)
{
	a->is_gone = true;
	list_remove(&a->link);
	a->c->agent_count--;
	if (a->shown && !a->is_up) {
		dl_number_drop(a->c, a->shown);
		a->shown = NULL;
	}
	dl_agent_logout(a);
	mem_unref(a);
}

void dl_agents_seen(struct dl_campaign *c, bool begins)
{
	struct lnode *it, *tmp;
	list_each (&c->agents, it, tmp) {
		struct dl_agent *a = list_entry(it, struct dl_agent, link);
		if (begins)
			a->is_seen = false;
		else if (!a->is_seen && !*c->s.queue)
			dl_agent_del(a);
	}
}
