/* Ringing members for those who wait. Whenever somebody waits or a member is free again, each queue is looked at, by
 * its outbound_priority and importance: "ringall" rings the free members (as many as outbound_per_cycle, 0: all) at
 * once for one caller, "enterprise" each for himself, as many as callers wait. Who answers runs "fifo NAME out": after
 * ringall for that caller, else for whoever is next. A caller who leaves ends the ringing for him. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/dial/originate.h"
#include "core/event/event.h"
#include "core/run/exec.h"
#include "core/value/vars.h"
#include "fifo/fifo_i.h"
#include "text/mark.h"

#include <stdio.h>
#include <string.h>

enum { RINGING_MAX = 1000, RETRY_MIN_US = 1000000 };
struct ringing {
	char *fifo;
	struct fifo_caller *caller; /* NULL: whoever is next */
	char uuid[UUID_CHARS + 1];
	char member[FIFO_DIAL_MEMBERS_MAX][33];
	unsigned member_count, timeout_s;
	struct buf target; /* with marks */
};
static struct ltimer timer;
static struct ldefer kick;
static unsigned ringing_count;

static ON_CTL void ringing_free(struct ringing *r)
{
	mem_unref(r->caller);
	buf_fini(&r->target);
	mem_free(r->fifo);
	mem_free(r);
}

/* ---- the dial string ---- */

static ON_CTL void target_put(struct buf *b, const struct fifo_member *m)
{
	if (b->n)
		buf_adds(b, ":_:");
	buf_printf(b,
	    "{ignore_early_media=true,outbound_redirect_fatal=true,leg_timeout=%u,fifo_outbound_uuid=%s,fifo_name=",
	    m->timeout_s, m->uuid);
	mark_put(b, sv_of(m->fifo->name));
	buf_printf(b, "}%s", m->target);
}

static ON_CTL void member_put(struct ringing *r, struct fifo_member *m)
{
	snprintf(r->member[r->member_count++], sizeof(r->member[0]), "%s", m->uuid);
	target_put(&r->target, m);
	if (m->timeout_s > r->timeout_s)
		r->timeout_s = m->timeout_s;
	m->ring_count++;
}

/* ---- what is told ---- */

static ON_CTL void tell(const struct ringing *r, struct leg *leg, const char *action, enum cause cause)
{
	const struct fifo *f = fifo_find(r->fifo);
	struct event *e = f ? fifo_event(f, leg, action) : NULL;
	bool is_over = !strcmp(action, "post-dial"), is_good = is_over && cause == CAUSE_NONE;
	struct buf uuids, target;
	if (!e)
		return;
	buf_init(&uuids);
	buf_init(&target);
	for (unsigned i = 0; i < r->member_count; i++)
		buf_printf(&uuids, "%s%s", i ? "," : "", r->member[i]);
	(void)mark_strip(&target, buf_sv(&r->target));
	event_add(e, "outbound-strategy", f->strategy == FIFO_RINGALL ? "ringall" : "enterprise");
	if (r->caller)
		event_add(e, "caller-uuid", r->caller->leg->uuid);
	if (is_good)
		event_add(e, "FIFO-Outbound-UUID", vars_get(leg->vars, "fifo_outbound_uuid"));
	if (is_good)
		event_add(e, "FIFO-Outbound-UUID-List", uuids.p);
	if (is_over)
		event_add(e, "result", is_good ? "success" : "failure");
	if (is_over && !is_good) {
		event_add(e, "acceptable", cause == CAUSE_ORIGINATOR_CANCEL ? "true" : "false");
		event_add(e, "cause", cause_name(cause));
	}
	event_add(e, "originate_string", target.p);
	if (!is_good)
		event_add(e, "FIFO-Outbound-UUID-List", uuids.p);
	event_fire(e);
	buf_fini(&uuids);
	buf_fini(&target);
}

/* ---- one ringing ---- */

static ON_CTL void members_over(const struct ringing *r, const char *winner, bool has_failed)
{
	const struct fifo *f = fifo_find(r->fifo);
	for (unsigned i = 0; f && i < r->member_count; i++) {
		struct fifo_member *m = fifo_member_find(f, r->member[i]);
		if (!m)
			continue;
		if (m->ring_count)
			m->ring_count--;
		m->start_s = clock_wall_us() / 1000000;
		if (has_failed && (!winner || strcmp(winner, m->uuid)))
			fifo_member_rest(m, true);
	}
}

/* Who answered serves the queue from now on. */
static ON_CTL void serve(const struct ringing *r, struct leg *leg)
{
	const char *how = vars_get(leg->vars, "fifo_member_wait");
	struct buf data;
	buf_init(&data);
	mark_put(&data, sv_of(r->fifo));
	buf_printf(&data, " out %s", how && !strcmp(how, "wait") ? "wait" : "nowait");
	if (r->caller)
		leg_var_set(leg, "fifo_bridge_uuid", r->caller->leg->uuid);
	leg_exec_clear(leg);
	if (!data.failed && !leg_exec_add(leg, "fifo", data.p, "fifo"))
		leg_exec_resume(leg, NULL);
	else
		leg_hangup(leg, CAUSE_SWITCH_CONGESTION);
	buf_fini(&data);
}

static void ring(void *arg)
{
	struct ringing *r = arg;
	struct leg *leg = NULL;
	enum cause cause = CAUSE_NONE;
	struct vars *vars = NULL;
	struct originate_conf conf = {.dialstring = r->target.p, .timeout_s = r->timeout_s};
	role_assert_co();
	if (!vars_new(&vars) && !vars_set(vars, "fifo_originate_uuid", r->uuid))
		conf.vars = vars;
	if (r->caller) {
		conf.caller_id_name = r->caller->leg->profile->caller_id_name;
		conf.caller_id_number = r->caller->leg->profile->caller_id_number;
	}
	tell(r, r->caller ? r->caller->leg : NULL, "pre-dial", CAUSE_NONE);
	int st = originate_run(&conf, &leg, &cause);
	bool is_wanted = !r->caller || (lnode_is_linked(&r->caller->link) && !strcmp(r->caller->dial_uuid, r->uuid));
	if (!st) {
		char *winner = mem_strdup(vars_get(leg->vars, "fifo_outbound_uuid"));
		members_over(r, winner, false);
		tell(r, leg, "post-dial", CAUSE_NONE);
		mem_free(winner);
		if (is_wanted)
			serve(r, leg);
		else
			leg_hangup(leg, CAUSE_ORIGINATOR_CANCEL);
	} else {
		if (!is_wanted)
			cause = CAUSE_ORIGINATOR_CANCEL;
		members_over(r, NULL, is_wanted);
		tell(r, NULL, "post-dial", cause == CAUSE_NONE ? CAUSE_NORMAL_TEMPORARY_FAILURE : cause);
		const struct fifo *f = fifo_find(r->fifo);
		if (r->caller && !strcmp(r->caller->dial_uuid, r->uuid)) {
			int64_t us = f ? clock_us_of_s(f->retry_delay_s) : 0;
			r->caller->dial_uuid[0] = 0;
			r->caller->dial_after_us = clock_mono_us() + (us > RETRY_MIN_US ? us : RETRY_MIN_US);
		}
		fifo_dial_kick();
	}
	mem_unref(leg);
	vars_free(vars);
	ringing_free(r);
	ringing_count--;
}

static bool cancel_one(struct leg *leg, void *arg)
{
	const char *uuid = vars_get(leg->vars, "fifo_originate_uuid");
	role_assert_ctl();
	if (uuid && leg->is_outbound && !leg->is_answered && !strcmp(uuid, arg))
		leg_hangup(leg, CAUSE_ORIGINATOR_CANCEL);
	return true;
}

void fifo_dial_cancel(struct fifo_caller *c)
{
	char uuid[UUID_CHARS + 1];
	if (!c->dial_uuid[0])
		return;
	snprintf(uuid, sizeof(uuid), "%s", c->dial_uuid);
	c->dial_uuid[0] = 0;
	leg_each(cancel_one, uuid);
}

/* ---- whom to ring for whom ---- */

static ON_CTL struct ringing *ringing_new(const struct fifo *f, struct fifo_caller *c)
{
	struct ringing *r = ringing_count < RINGING_MAX ? mem_zalloc(sizeof(*r)) : NULL;
	if (!r)
		return NULL;
	buf_init(&r->target);
	uuid_make(r->uuid);
	r->fifo = mem_strdup(f->name);
	r->caller = mem_ref(c);
	if (c)
		snprintf(c->dial_uuid, sizeof(c->dial_uuid), "%s", r->uuid);
	return r;
}

static ON_CTL void ringing_start(struct ringing *r)
{
	bool is_made = r->fifo && !r->target.failed;
	ringing_count++;
	if (is_made && !co_spawn("fifo ringing", ring, r, NULL))
		return;
	ringing_count--;
	members_over(r, NULL, false);
	if (r->caller)
		r->caller->dial_uuid[0] = 0;
	ringing_free(r);
}

static ON_CTL struct fifo_member *free_member(struct fifo *f, int64_t now_us)
{
	struct lnode *it, *tmp;
	list_each (&f->members, it, tmp) {
		struct fifo_member *m = list_entry(it, struct fifo_member, link);
		if (fifo_member_is_free(m, now_us))
			return m;
	}
	return NULL;
}

/* The next caller for whom nobody is rung and who may be rung for now. */
static ON_CTL struct fifo_caller *unserved(struct fifo *f, int64_t now_us)
{
	struct lnode *it, *tmp;
	list_each (&f->callers, it, tmp) {
		struct fifo_caller *c = list_entry(it, struct fifo_caller, link);
		if (!c->dial_uuid[0] && c->dial_after_us <= now_us && leg_is_ready(c->leg))
			return c;
	}
	return NULL;
}

static ON_CTL void ring_all(struct fifo *f, int64_t now_us)
{
	unsigned limit = f->outbound_per_cycle ? f->outbound_per_cycle : FIFO_DIAL_MEMBERS_MAX;
	struct fifo_caller *c;
	struct fifo_member *m;
	struct ringing *r;
	while ((c = unserved(f, now_us)) && free_member(f, now_us) && (r = ringing_new(f, c))) {
		struct lnode *it, *tmp;
		list_each (&f->members, it, tmp) {
			m = list_entry(it, struct fifo_member, link);
			if (r->member_count < limit && r->member_count < FIFO_DIAL_MEMBERS_MAX &&
			    fifo_member_is_free(m, now_us))
				member_put(r, m);
		}
		ringing_start(r);
	}
}

static ON_CTL unsigned rings_in(const struct fifo *f)
{
	unsigned n = 0;
	for (const struct lnode *it = f->members.head.next; it != &f->members.head; it = it->next)
		n += list_entry(it, const struct fifo_member, link)->ring_count;
	return n;
}

static ON_CTL void ring_each(struct fifo *f, int64_t now_us)
{
	unsigned idle = fifo_idle_count(f), ringing = rings_in(f);
	unsigned need = f->caller_count > idle + ringing ? f->caller_count - idle - ringing : 0;
	struct fifo_member *m;
	struct ringing *r;
	if (need && need + ringing < f->outbound_per_cycle_min)
		need = f->outbound_per_cycle_min - ringing;
	if (f->outbound_per_cycle && need + ringing > f->outbound_per_cycle)
		need = f->outbound_per_cycle > ringing ? f->outbound_per_cycle - ringing : 0;
	for (; need && (m = free_member(f, now_us)) && (r = ringing_new(f, NULL)); need--) {
		member_put(r, m);
		ringing_start(r);
	}
}

static ON_CTL void timer_arm(int64_t now_us);

static ON_CTL bool is_before(const struct fifo *a, const struct fifo *b)
{
	if (a->outbound_priority != b->outbound_priority)
		return a->outbound_priority < b->outbound_priority;
	return a->importance > b->importance;
}

static void look(void *arg)
{
	int64_t now_us = clock_mono_us();
	struct fifo *last = NULL, *next;
	struct lnode *it, *tmp;
	role_assert_ctl();
	do { /* by rank; of equals the older first */
		bool is_behind = !last;
		next = NULL;
		list_each (fifo_all(), it, tmp) {
			struct fifo *f = list_entry(it, struct fifo, link);
			bool comes = !last || is_before(last, f) || (is_behind && !is_before(f, last));
			if (f == last)
				is_behind = true;
			else if (f->caller_count && f->member_count && comes && (!next || is_before(f, next)))
				next = f;
		}
		if (next && next->strategy == FIFO_RINGALL)
			ring_all(next, now_us);
		else if (next)
			ring_each(next, now_us);
		last = next;
	} while (next);
	timer_arm(now_us);
}

/* When the first member is free again, or the first caller may be rung for again, in queues where somebody waits. */
static ON_CTL void timer_arm(int64_t now_us)
{
	int64_t due_us = 0;
	struct lnode *at, *next, *it, *tmp;
	list_each (fifo_all(), at, next) {
		struct fifo *f = list_entry(at, struct fifo, link);
		if (!f->caller_count || !f->member_count)
			continue;
		list_each (&f->members, it, tmp) {
			int64_t us = list_entry(it, struct fifo_member, link)->next_us;
			if (us > now_us && (!due_us || us < due_us))
				due_us = us;
		}
		list_each (&f->callers, it, tmp) {
			int64_t us = list_entry(it, struct fifo_caller, link)->dial_after_us;
			if (us > now_us && (!due_us || us < due_us))
				due_us = us;
		}
	}
	if (due_us)
		loop_timer_set(&timer, due_us - now_us, "fifo members", look, NULL);
	else
		loop_timer_cancel(&timer);
}

void fifo_dial_kick(void)
{
	loop_defer_cancel(&kick);
	loop_defer(&kick, "fifo members", look, NULL);
}

int fifo_dial_stop(void)
{
	if (ringing_count)
		return ST_BUSY;
	loop_defer_cancel(&kick);
	loop_timer_cancel(&timer);
	return ST_OK;
}
