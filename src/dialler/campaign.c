/* A campaign: a coroutine that fills the hopper, asks pace.h how many calls may begin, and begins them. It is woken
 * when a call or an agent changes, and looks by itself four times a second while it runs. What becomes of a call is the
 * call's affair (call.c). The figures it decides by are means that follow what was seen, and counts of the last 24
 * hours by the hour, which come back from the database after a restart. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "callcenter/callcenter.h"
#include "core/event/event.h"
#include "core/run/exec.h"
#include "dialler/dialler_i.h"
#include "loop/co.h"

#include <stdio.h>
#include <string.h>

enum { LOOK_US = 250000, REST_US = 5000000 };
static struct list campaigns, leaving; /* leaving: gone, while their last calls and agents are up */
static bool is_open;

static const char *const state_names[] = {"stopped", "running", "paused"};
const char *dl_state_name(enum dl_state s)
{
	return state_names[s];
}

struct list *dl_campaigns(void)
{
	if (!is_open) {
		list_init(&campaigns);
		list_init(&leaving);
	}
	is_open = true;
	return &campaigns;
}

struct dl_campaign *dl_campaign_find(const char *name)
{
	struct lnode *it, *tmp;
	list_each (dl_campaigns(), it, tmp) {
		struct dl_campaign *c = list_entry(it, struct dl_campaign, link);
		if (!strcmp(c->name, name))
			return c;
	}
	return NULL;
}

/* ---- figures ---- */

struct dl_hour *dl_hour_of(struct dl_campaign *c, int64_t wall_us)
{
	int64_t hour = wall_us / clock_us_of_s(3600);
	struct dl_hour *h = &c->hours[hour % DL_HOURS];
	if (h->hour != hour)
		*h = (struct dl_hour){.hour = hour};
	return h;
}

void dl_day(const struct dl_campaign *c, struct dl_hour *sum)
{
	int64_t now = clock_wall_us() / clock_us_of_s(3600);
	*sum = (struct dl_hour){.hour = now};
	for (int i = 0; i < DL_HOURS; i++) {
		const struct dl_hour *h = &c->hours[i];
		if (h->hour <= now - DL_HOURS || h->hour > now)
			continue;
		sum->dialled += h->dialled;
		sum->answered += h->answered;
		sum->abandoned += h->abandoned;
	}
}

void dl_talk_pass(struct dl_campaign *c)
{
	int64_t now_us = clock_mono_us();
	pace_talks_pass(&c->talks, c->counts[DL_TALKING], now_us - c->talked_us);
	c->talked_us = now_us;
}

void dl_look(struct dl_campaign *c)
{
	struct dl_hour day;
	struct pace_in *in = &c->in;
	dl_talk_pass(c);
	dl_day(c, &day);
	*in = (struct pace_in){.mode = c->s.mode == DL_PREVIEW      ? PACE_PREVIEW
	                               : c->s.mode == DL_PREDICTIVE ? PACE_PREDICTIVE
	                                                            : PACE_PROGRESSIVE,
	    .ringing = c->counts[DL_BEGINS] + c->counts[DL_RINGING] + c->counts[DL_SCREENED],
	    .waiting = c->counts[DL_WAITING],
	    .answer_ppm = (unsigned)((c->answers.samples ? c->answers.share : 0.5) * PACE_MILLION),
	    .answer_samples = c->answers.samples ? c->answers.samples : 1,
	    .abandon_max_ppm = c->s.abandon_max_ppm,
	    .answered = day.answered,
	    .abandoned = day.abandoned,
	    .ring_ms = (unsigned)c->ring_ms,
	    .talk_ms = pace_talks_ms(&c->talks),
	    .wrap_ms = (unsigned)c->wrap_ms};
	unsigned up = in->ringing + in->waiting + c->counts[DL_TALKING];
	in->lines_max = c->s.lines_max > c->counts[DL_TALKING] ? c->s.lines_max - c->counts[DL_TALKING] : 0;
	if (c->s.mode == DL_SURVEY) { /* who needs no agent has as many as there are lines */
		in->agents_free = in->lines_max;
	} else if (*c->s.queue) {
		struct callcenter_figures f;
		if (!callcenter_figures_get(c->s.queue, &f)) {
			/* whom an agent is rung for waits no more; callers of others take agents too */
			in->waiting = in->waiting < f.waiting ? in->waiting : f.waiting;
			unsigned others = f.waiting - in->waiting;
			in->agents_free = f.free > others ? f.free - others : 0;
			in->agents_busy = f.busy;
			in->agents_wrap = f.resting;
		}
	} else {
		dl_agents_count(c, &in->agents_free, &in->agents_busy, &in->agents_wrap);
	}
	c->out = pace_decide(in);
	if (up >= c->s.lines_max && c->s.mode != DL_PREVIEW) {
		c->out.dial = 0;
		c->out.reason = PACE_LINES;
	}
}

/* ---- running ---- */

/* One of that name is gone, and its calls are not over. */
static ON_CTL bool is_leaving(const char *name)
{
	struct lnode *it, *tmp;
	list_each (&leaving, it, tmp)
		if (!strcmp(list_entry(it, struct dl_campaign, link)->name, name))
			return true;
	return false;
}

void dl_campaign_kick(struct dl_campaign *c)
{
	co_signal(&c->change, ST_OK);
}

void dl_campaign_give(struct dl_campaign *c)
{
	struct dl_agent *a;
	struct lnode *n;
	while ((n = list_first(&c->waiting)) && (a = dl_agent_free(c))) {
		struct dl_call *k = list_entry(n, struct dl_call, in_waiting);
		list_remove(n);
		if (k->agent != a) {
			mem_unref(k->agent);
			k->agent = mem_ref(a);
		}
		a->call = k;
		dl_agent_state_set(a, DL_TALKS);
		leg_wake(a->leg);
	}
}

static CO void begin_some(struct dl_campaign *c)
{
	struct dl_trunk *trunk = NULL;
	dl_look(c);
	for (unsigned left = c->out.dial; left && c->state == DL_RUNNING && !c->is_gone; left--) {
		bool is_own = c->s.mode == DL_PROGRESSIVE && !*c->s.queue;
		struct dl_number *n = dl_hopper_take(c, &trunk);
		struct dl_agent *a = n && is_own ? dl_agent_free(c) : NULL;
		if (!n || (is_own && !a)) {
			if (n)
				dl_hopper_back(c, n);
			return;
		}
		if (a)
			dl_agent_state_set(a, DL_HELD); /* whoever answers is his */
		if (dl_call_start(c, n, trunk, a)) {
			if (a)
				dl_agent_state_set(a, DL_FREE);
			return;
		}
	}
}

static void campaign_main(void *arg)
{
	struct dl_campaign *c = arg;
	role_assert_co();
	while (!c->is_gone) {
		int64_t wait_us = -1;
		if (!c->is_recovered && is_leaving(c->name)) {
			wait_us = 4 * LOOK_US; /* what is begun of it in the database is not interrupted yet */
		} else if (!c->is_recovered) {
			c->is_recovered = dl_keep_is_ready() && dl_keep_recover(c) == ST_OK;
			wait_us = c->is_recovered ? 0 : dl_keep_is_ready() ? REST_US : -1; /* keep.c tells */
			if (c->is_recovered && c->wants_start)
				(void)dl_campaign_state_set(c, DL_RUNNING);
			if (c->is_recovered)
				dl_recovered();
		} else if (c->is_unsure && clock_mono_us() - c->swept_us >= REST_US) {
			c->swept_us = clock_mono_us();
			c->is_unsure = false;
			c->is_unsure |= dl_keep_sweep(c) != ST_OK;
			wait_us = 0;
		} else if (c->state == DL_RUNNING) {
			dl_hopper_fill(c);
			if (!c->is_gone && c->state == DL_RUNNING && c->s.mode != DL_PREVIEW)
				begin_some(c);
			wait_us = c->hopper_count && c->s.mode != DL_PREVIEW ? LOOK_US : 4 * LOOK_US;
		} else if (c->is_unsure) {
			wait_us = REST_US;
		}
		if (!c->is_gone && co_wait_or_stop(&c->change, wait_us) == ST_CANCELLED)
			break;
	}
	mem_unref(c);
}

int dl_campaign_state_set(struct dl_campaign *c, enum dl_state state)
{
	static const char *const told[] = {"campaign-stop", "campaign-start", "campaign-pause"};
	enum dl_state before = c->state;
	c->state = state;
	int st = dl_keep_state(c);
	if (st) {
		c->state = before;
		return st;
	}
	if (state != DL_RUNNING)
		dl_hopper_clear(c);
	if (state == DL_RUNNING && before == DL_STOPPED)
		c->refused = 0;
	if (state == DL_STOPPED)
		dl_calls_cancel(c);
	struct event *e = dl_event(c, told[state]);
	if (e)
		event_fire(e);
	log_notice("dialler: the campaign %s is %s", c->name, dl_state_name(state));
	c->looked_us = 0;
	dl_campaign_kick(c);
	return ST_OK;
}

/* ---- the table ---- */

static void campaign_free(void *obj)
{
	struct dl_campaign *c = obj;
	role_assert_ctl();
	list_remove(&c->link);
	dl_hopper_clear(c);
	dl_settings_fini(&c->s);
	hash_free(c->taken);
}

static ON_CTL int campaign_new(const char *name, struct dl_campaign **out)
{
	struct dl_campaign *c = mem_new(sizeof(*c), campaign_free, "dialler.campaign");
	if (!c)
		return ST_NOMEM;
	list_init(&c->agents);
	list_init(&c->calls);
	list_init(&c->waiting);
	list_init(&c->hopper);
	snprintf(c->name, sizeof(c->name), "%s", name);
	c->ring_ms = 10000;
	c->talked_us = clock_mono_us();
	int st = hash_new(&c->taken, 0, NULL);
	if (!st) {
		*out = c;
		return ST_OK;
	}
	mem_unref(c);
	return st;
}

int dl_campaign_put(const char *name, struct dl_settings *s)
{
	struct dl_campaign *c = dl_campaign_find(name);
	bool is_new = !c;
	if (is_new) {
		int st = campaign_new(name, &c);
		if (st)
			return st;
		c->s = *s;
		list_push(dl_campaigns(), &c->link);
		mem_ref(c);
		if ((st = co_spawn("dialler campaign", campaign_main, c, NULL))) {
			list_remove(&c->link);
			c->s = (struct dl_settings){0};
			mem_unref(c);
			mem_unref(c);
			return st;
		}
	} else {
		dl_settings_fini(&c->s);
		c->s = *s;
	}
	c->is_seen = true;
	c->wrap_ms = c->s.wrap_ms;
	dl_agents_seen(c, true);
	xml_each(c->s.node, "agent", n)
	{
		struct dl_agent *a;
		const char *agent = xml_attr_or(n, "name", ""), *contact = xml_attr_or(n, "contact", "");
		if (!*agent || strlen(agent) > DL_NAME_MAX || !*contact || dl_agent_put(c, agent, contact, &a))
			log_error("%s:%u: an agent needs a name and a contact", n->file, n->line);
		else
			a->is_seen = true;
	}
	dl_agents_seen(c, false);
	dl_campaign_kick(c);
	return ST_OK;
}

static ON_CTL void campaign_del(struct dl_campaign *c)
{
	struct lnode *it, *tmp;
	c->is_gone = true;
	c->state = DL_STOPPED;
	list_remove(&c->link);
	list_push(&leaving, &c->link);
	dl_hopper_clear(c);
	dl_calls_cancel(c);
	list_each (&c->agents, it, tmp)
		dl_agent_del(list_entry(it, struct dl_agent, link));
	dl_campaign_kick(c);
	mem_unref(c);
}

void dl_campaigns_seen(bool begins)
{
	struct lnode *it, *tmp;
	list_each (dl_campaigns(), it, tmp) {
		struct dl_campaign *c = list_entry(it, struct dl_campaign, link);
		if (begins)
			c->is_seen = false;
		else if (!c->is_seen)
			campaign_del(c);
	}
}

bool dl_campaigns_are_up(void)
{
	struct lnode *it, *tmp, *it2, *tmp2;
	list_each (dl_campaigns(), it, tmp) {
		struct dl_campaign *c = list_entry(it, struct dl_campaign, link);
		if (!list_empty(&c->calls))
			return true;
		list_each (&c->agents, it2, tmp2)
			if (list_entry(it2, struct dl_agent, link)->is_up)
				return true;
	}
	return !list_empty(&leaving);
}

void dl_campaigns_stop(void)
{
	struct lnode *n;
	while ((n = list_first(dl_campaigns())))
		campaign_del(list_entry(n, struct dl_campaign, link));
}
