/* The callers of a queue: their table, who gave up and may come back, who joins. How one waits: wait.c.
 *
 * Whoever leaves unserved stays in the queue's table as Abandoned until discard-abandoned-after is over; with
 * abandoned-resume-allowed the same number that calls again has its place back. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "callcenter/callcenter_i.h"
#include "core/event/event.h"
#include "core/run/exec.h"
#include "core/value/vars.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SCORE_MAX = 1000000000 };
static uint64_t serial;

/* ---- the table ---- */

static void member_free(void *obj)
{
	struct cc_member *m = obj;
	mem_unref(m->leg);
	mem_unref(m->queue);
	mem_free(m->cid_number);
	mem_free(m->cid_name);
	mem_free(m->serving);
}

static ON_CTL void count(struct cc_member *m, unsigned n)
{
	if (m->state == CC_MEMBER_WAITING)
		m->queue->waiting_count += n;
	else if (m->state == CC_MEMBER_TRYING)
		m->queue->trying_count += n;
}

void cc_member_state_set(struct cc_member *m, enum cc_member_state state, const char *serving)
{
	char *copy = serving ? mem_strdup(serving) : NULL;
	count(m, -1U);
	m->state = state;
	count(m, 1);
	mem_free(m->serving);
	m->serving = copy;
	cc_keep_member(m);
}

void cc_member_del(struct cc_member *m)
{
	if (m->is_deleted)
		return;
	m->is_deleted = true;
	cc_callback_drop(m);
	cc_pick_end(m);
	cc_forget_member(m);
	count(m, -1U);
	cc_order_del(&m->queue->line, &m->place);
	list_remove(&m->link);
	if (lnode_is_linked(&m->in_abandoned)) {
		list_remove(&m->in_abandoned);
		m->queue->abandoned_count--;
	}
	m->queue->member_count--;
	mem_unref(m);
}

static ON_CTL struct cc_member *member_new(struct cc_queue *q, const char *cid_name, const char *cid_number)
{
	struct cc_member *m =
	    q->member_count < CC_MEMBERS_MAX ? mem_new(sizeof(*m), member_free, "callcenter.member") : NULL;
	if (!m)
		return NULL;
	m->queue = mem_ref(q);
	list_init(&m->offers);
	m->cid_name = mem_strdup(cid_name ? cid_name : "");
	m->cid_number = mem_strdup(cid_number ? cid_number : "");
	m->place.serial = ++serial;
	m->state = CC_MEMBER_ABANDONED; /* counted by nobody yet */
	if (!m->cid_name || !m->cid_number)
		return mem_unref(m);
	list_push(&q->members, &m->link);
	q->member_count++;
	return m;
}

int64_t cc_member_score(const struct cc_member *m, int64_t now_s)
{
	return now_s - m->joined_s + m->base_score;
}

/* ---- who gave up ---- */

static void discard(void *arg)
{
	role_assert_ctl();
	cc_queue_discard(arg);
}

void cc_queue_discard(struct cc_queue *q)
{
	int64_t now_s = cc_now_s();
	struct lnode *it, *tmp;
	list_each (&q->abandoned, it, tmp) {
		struct cc_member *m = list_entry(it, struct cc_member, in_abandoned);
		int64_t left_s = m->abandoned_s + q->s.discard_abandoned_s - now_s;
		if (left_s > 0 && q->abandoned_count <= CC_ABANDONED_MAX) {
			loop_timer_set(&q->discard_timer, clock_us_of_s(left_s), "callcenter discard", discard, q);
			return;
		}
		cc_member_del(m);
	}
}

void cc_member_abandon(struct cc_member *m, int64_t now_s)
{
	struct cc_queue *q = m->queue;
	m->session[0] = 0;
	m->abandoned_s = now_s;
	cc_member_state_set(m, CC_MEMBER_ABANDONED, NULL);
	list_push(&q->abandoned, &m->in_abandoned);
	q->abandoned_count++;
	if (q->is_gone)
		cc_member_del(m);
	else
		cc_queue_discard(q);
}

int cc_member_restore(struct cc_queue *q, const char *const *row)
{
	struct cc_member *m;
	int64_t n[6];
	for (int i = 0; i < 6; i++)
		n[i] = str_number(row[6 + i], 0, INT64_MAX / 2);
	if (strlen(row[2]) >= sizeof(m->uuid) || !(m = member_new(q, row[5], row[4])))
		return ST_NOMEM;
	snprintf(m->uuid, sizeof(m->uuid), "%s", row[2]);
	m->system_s = n[0], m->joined_s = n[1], m->rejoined_s = n[2], m->bridged_s = n[3], m->base_score = n[5];
	m->is_left = m->is_stale = true;
	cc_member_abandon(m, n[4] ? n[4] : cc_now_s());
	return ST_OK;
}

/* Who comes back: after a restart by his uuid, else by his number when the queue allows it. */
static ON_CTL struct cc_member *returning(struct cc_queue *q, struct leg *leg, const char *number)
{
	const char *uuid = vars_get(leg->vars, "cc_member_uuid");
	for (struct lnode *it = q->abandoned.head.prev; it != &q->abandoned.head; it = it->prev) {
		struct cc_member *m = list_entry(it, struct cc_member, in_abandoned);
		bool is_same = number && *number && !strcmp(m->cid_number, number);
		if ((q->s.abandoned_resume && is_same) || (m->is_stale && uuid && !strcmp(m->uuid, uuid)))
			return m;
	}
	return NULL;
}

/* ---- joining ---- */

static ON_CTL void tell_joined(const struct cc_member *m, bool is_back)
{
	struct event *e = cc_event(m->leg, m->queue, is_back ? "member-queue-resume" : "member-queue-start");
	if (!e)
		return;
	cc_event_member(e, m, m->session);
	event_fire(e);
}

static ON_CTL void start(struct cc_member *m, const struct leg *leg, int64_t carried_s)
{
	const struct cc_queue *q = m->queue;
	int64_t now_s = cc_now_s(), created_s = leg->profile->times.created / 1000000;
	uuid_make(m->uuid);
	m->system_s = created_s ? created_s : now_s;
	m->joined_s = now_s;
	m->base_score = str_number(vars_get(leg->vars, "cc_base_score"), -SCORE_MAX, SCORE_MAX);
	if (q->s.counts_from_call && now_s > m->system_s)
		m->base_score += now_s - m->system_s;
	else
		m->base_score += carried_s;
}

void cc_member_revive(struct cc_member *m)
{
	list_remove(&m->in_abandoned);
	m->queue->abandoned_count--;
	m->is_stale = false;
}

void cc_member_place(struct cc_member *m)
{
	m->joined_us = clock_mono_us() - clock_us_of_s(cc_now_s() - m->joined_s);
	m->place.first = m->joined_us - clock_us_of_s(m->base_score);
}

struct cc_member *cc_member_add(struct cc_queue *q, const char *cid_name, const char *cid_number)
{
	struct cc_member *m = member_new(q, cid_name, cid_number);
	if (!m)
		return NULL;
	uuid_make(m->uuid);
	m->system_s = m->joined_s = cc_now_s();
	cc_member_place(m);
	m->is_left = true;
	return m;
}

struct cc_member *cc_member_join(struct cc_queue *q, struct leg *leg, int64_t carried_s)
{
	const char *name = leg->profile->caller_id_name, *number = leg->profile->caller_id_number;
	struct cc_member *m = cc_callback_returning(q, leg);
	bool is_back = m != NULL;
	if (!m && (m = returning(q, leg, number)))
		cc_member_revive(m);
	if (m) {
		is_back = true;
		m->rejoined_s = cc_now_s();
		m->is_left = m->is_stale = m->is_taken = false;
	} else if ((m = member_new(q, name, number))) {
		start(m, leg, carried_s);
	} else {
		return NULL;
	}
	m->leg = mem_ref(leg);
	m->turn = (struct cc_turn){0};
	m->next_ring_us = 0;
	if (!m->plus.callback) /* he has his place to the microsecond */
		cc_member_place(m);
	snprintf(m->session, sizeof(m->session), "%s", leg->uuid);
	if (!m->plus.callback)
		cc_pick_begin(m);
	cc_member_state_set(m, CC_MEMBER_WAITING, NULL);
	leg_var_set(leg, "cc_side", "member");
	leg_var_set(leg, "cc_member_uuid", m->uuid);
	leg_var_set_int(leg, "cc_queue_joined_epoch", cc_now_s());
	leg_var_set(leg, "cc_queue", q->name);
	tell_joined(m, is_back);
	cc_tell_count(q);
	cc_lamp(q);
	(void)cc_order_add(&q->line, &m->place);
	return mem_ref(m);
}
