/* The application callcenter: a caller waits in a queue to its music, with what is announced now and then, until an
 * agent has him, his time is over, he presses a key or hangs up. offer.c sets is_taken and wakes him; he then ends the
 * application with uuid_bridge in front of what is left of his extension, which goes on when the agent has hung up.
 *
 * Whoever leaves unserved stays in the queue's table as Abandoned until discard-abandoned-after is over; with
 * abandoned-resume-allowed the same number that calls again has its place back. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "callcenter/callcenter_i.h"
#include "core/event/event.h"
#include "core/run/exec.h"
#include "core/sound/play.h"
#include "core/sound/tap.h"
#include "core/value/vars.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SCORE_MAX = 1000000000, CANCEL_US = 1000 };
enum reason { NONE, TIMEOUT, NO_AGENT_TIMEOUT, BREAK_OUT, EXIT_WITH_KEY };
static const char *const reasons[] = {"NONE", "TIMEOUT", "NO_AGENT_TIMEOUT", "BREAK_OUT", "EXIT_WITH_KEY"};
static unsigned running_count;
static uint64_t serial;

struct wait {
	struct cc_member *m;
	char *moh, *exit_keys; /* moh with marks */
	char exit_key;
	enum reason reason;
	int64_t start_us, announce_us; /* monotonic; the latter 0: nothing is announced */
	struct leg_watch watch;
	bool speaks, is_offered;
	struct ltimer timer;
};

unsigned cc_members_running(void)
{
	return running_count;
}

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

static ON_CTL void abandon(struct cc_member *m, int64_t now_s)
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
	abandon(m, n[4] ? n[4] : cc_now_s());
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

static ON_CTL void start(struct cc_member *m, struct leg *leg)
{
	const struct cc_queue *q = m->queue;
	int64_t now_s = cc_now_s(), created_s = leg->profile->times.created / 1000000;
	uuid_make(m->uuid);
	m->system_s = created_s ? created_s : now_s;
	m->joined_s = now_s;
	m->base_score = str_number(vars_get(leg->vars, "cc_base_score"), -SCORE_MAX, SCORE_MAX);
	if (q->s.counts_from_call && now_s > m->system_s)
		m->base_score += now_s - m->system_s;
}

static ON_CTL struct cc_member *join(struct cc_queue *q, struct leg *leg)
{
	const char *name = leg->profile->caller_id_name, *number = leg->profile->caller_id_number;
	struct cc_member *m = returning(q, leg, number);
	bool is_back = m != NULL;
	if (is_back) {
		list_remove(&m->in_abandoned);
		q->abandoned_count--;
		m->rejoined_s = cc_now_s();
		m->is_left = m->is_stale = m->is_taken = false;
	} else if ((m = member_new(q, name, number))) {
		start(m, leg);
	} else {
		return NULL;
	}
	m->leg = mem_ref(leg);
	m->turn = (struct cc_turn){0};
	m->next_ring_us = 0;
	m->joined_us = clock_mono_us() - clock_us_of_s(cc_now_s() - m->joined_s);
	snprintf(m->session, sizeof(m->session), "%s", leg->uuid);
	m->place.first = m->joined_us - clock_us_of_s(m->base_score);
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

/* ---- waiting ---- */

static void timer_fired(void *arg)
{
	role_assert_ctl();
	leg_wake(arg);
}

/* When he has to leave unserved; 0: never. *why may be NULL. */
static ON_CTL int64_t deadline_us(const struct wait *w, enum reason *why)
{
	const struct cc_queue *q = w->m->queue;
	int64_t us = 0, none_us;
	if (q->s.max_wait_s && list_empty(&w->m->offers)) { /* nobody is rung in vain */
		us = w->start_us + clock_us_of_s(q->s.max_wait_s);
		*why = TIMEOUT;
	}
	if (q->s.no_agent_wait_s && q->no_agent_since_us) {
		none_us = w->start_us + clock_us_of_s(q->s.no_agent_reached_s);
		if (q->no_agent_since_us > none_us)
			none_us = q->no_agent_since_us;
		none_us += clock_us_of_s(q->s.no_agent_wait_s);
		if (!us || none_us < us) {
			us = none_us;
			*why = NO_AGENT_TIMEOUT;
		}
	}
	return us;
}

static ON_CTL void timer_arm(struct wait *w)
{
	enum reason why;
	int64_t us = deadline_us(w, &why);
	if (w->announce_us && (!us || w->announce_us < us))
		us = w->announce_us;
	if (!us) {
		loop_timer_cancel(&w->timer);
		return;
	}
	us -= clock_mono_us();
	loop_timer_set(&w->timer, us > 0 ? us : 0, "callcenter wait", timer_fired, w->m->leg);
}

static ON_CTL bool speaks_numbers(const struct cc_queue *q)
{
	return q->s.position_phrase || q->s.wait_phrase;
}

static bool goes_on(struct leg *leg, void *arg)
{
	struct wait *w = arg;
	const struct cc_queue *q = w->m->queue;
	int64_t now_us = clock_mono_us(), until_us;
	enum reason why = NONE;
	char digit;
	role_assert_co();
	while (!w->reason && !w->m->is_taken && leg_dtmf_take(leg, &digit, NULL))
		if (w->exit_keys && strchr(w->exit_keys, digit)) {
			w->exit_key = digit;
			w->reason = EXIT_WITH_KEY;
		}
	until_us = deadline_us(w, &why);
	if (!w->reason && q->is_gone)
		w->reason = BREAK_OUT;
	if (!w->reason && !w->m->winner && until_us && now_us >= until_us)
		w->reason = why;
	w->watch.ends_well = !w->reason;
	if (w->reason || w->m->is_taken)
		return false;
	if (!w->is_offered) /* his music plays */
		cc_serve(w->m->queue);
	w->is_offered = true;
	if (w->announce_us && now_us >= w->announce_us && !w->m->winner && !w->speaks) {
		w->announce_us += clock_us_of_s(q->s.announce_frequency_s);
		if (w->announce_us <= now_us)
			w->announce_us = now_us + clock_us_of_s(q->s.announce_frequency_s);
		if (speaks_numbers(q))
			w->speaks = true;
		else if (leg_displace(leg, q->s.announce, 0, NULL))
			leg_log(leg, LOG_WARNING, "callcenter: announce-sound of %s cannot be played", q->name);
		timer_arm(w);
		return !w->speaks;
	}
	timer_arm(w);
	return true;
}

static CO int say(struct wait *w, const char *macro, int64_t number)
{
	struct buf b;
	buf_init(&b);
	buf_printf(&b, "phrase:%s:%" PRId64, macro, number);
	int st = b.failed ? ST_NOMEM : leg_play_watched(w->m->leg, b.p, &w->watch);
	buf_fini(&b);
	return st == ST_HANGUP || st == ST_CANCELLED ? st : ST_OK;
}

/* The announcement and how it stands, in place of the music. */
static CO int speak(struct wait *w)
{
	struct cc_queue *q = w->m->queue;
	int64_t place = (int64_t)cc_order_index(&q->line, &w->m->place) + 1;
	char *announce = mem_strdup(q->s.announce), *position = mem_strdup(q->s.position_phrase),
	     *expected = mem_strdup(q->s.wait_phrase);
	int st = ST_OK;
	if (announce)
		st = leg_play_watched(w->m->leg, announce, &w->watch);
	if (st != ST_HANGUP && st != ST_CANCELLED)
		st = ST_OK;
	if (!st && position && goes_on(w->m->leg, w))
		st = say(w, position, place);
	if (!st && expected && q->answer_every_us && goes_on(w->m->leg, w))
		st = say(w, expected, (place * (q->answer_every_us / 1000) + 999) / 1000);
	w->speaks = false;
	mem_free(announce);
	mem_free(position);
	mem_free(expected);
	return st;
}

static CO int wait_more(struct wait *w)
{
	struct leg *leg = w->m->leg;
	int st;
	if (w->speaks)
		return speak(w);
	if (!w->moh)
		return goes_on(leg, w) ? leg_wait(leg, -1) : ST_OK;
	st = leg_play_watched(leg, w->moh, &w->watch);
	if (st != ST_HANGUP && st != ST_CANCELLED && st != ST_OK) {
		mem_free(w->moh); /* told in the log: he waits in silence */
		w->moh = NULL;
		st = ST_OK;
	}
	return st;
}

static CO void wait_taken(struct wait *w)
{
	int st = ST_OK;
	while (!st && !w->m->is_taken && !w->reason)
		st = wait_more(w);
	loop_timer_cancel(&w->timer);
	if (st && !w->m->is_taken && !w->reason)
		w->reason = BREAK_OUT;
}

/* ---- leaving ---- */

static ON_CTL void tell_left(const struct cc_member *m, struct leg *leg, int64_t now_s, enum reason reason)
{
	struct event *e = cc_event(leg, m->queue, "member-queue-end");
	if (!e)
		return;
	cc_event_time(e, "CC-Member-Leaving-Time", now_s);
	cc_event_time(e, "CC-Member-Joined-Time", m->joined_s);
	event_add(e, "CC-Cause", "Cancel");
	event_add(e, "CC-Cancel-Reason", reasons[reason]);
	cc_event_member(e, m, m->session);
	event_fire(e);
}

static CO void leave(struct wait *w)
{
	struct cc_member *m = w->m;
	struct leg *leg = m->leg;
	int64_t now_s = cc_now_s();
	char key[2] = {w->exit_key, 0};
	m->is_left = true;
	cc_order_del(&m->queue->line, &m->place);
	cc_member_offers_cancel(m, NULL, CAUSE_ORIGINATOR_CANCEL);
	if (!list_empty(&m->offers)) /* they ring no longer when he is told to be gone */
		(void)co_sleep(CANCEL_US);
	if (w->exit_key)
		leg_var_set(leg, "cc_exit_key", key);
	leg_var_set_int(leg, "cc_queue_canceled_epoch", now_s);
	leg_var_set(leg, "cc_cause", "cancel");
	leg_var_set(leg, "cc_cancel_reason", reasons[w->reason]);
	m->queue->calls_abandoned++;
	tell_left(m, leg, now_s, w->reason);
	abandon(m, now_s);
	cc_tell_count(m->queue);
	cc_lamp(m->queue);
}

/* How long it takes until the next one is taken: a mean of the last some. */
static ON_CTL void answer_note(struct cc_queue *q)
{
	int64_t now_us = clock_mono_us(), us = now_us - q->last_answer_us;
	if (q->last_answer_us)
		q->answer_every_us = q->answer_every_us ? (q->answer_every_us * 7 + us) / 8 : us;
	q->last_answer_us = now_us;
	q->calls_answered++;
}

static ON_CTL void taken(struct wait *w)
{
	struct cc_member *m = w->m;
	m->is_left = true;
	leg_var_set(m->leg, "cc_cause", "answered");
	answer_note(m->queue);
	cc_tell_count(m->queue);
	cc_lamp(m->queue);
}

static ON_CTL void wait_begin(struct wait *w, struct leg *leg)
{
	const struct cc_settings *s = &w->m->queue->s;
	const char *keys = vars_get(leg->vars, "cc_exit_keys"), *own = vars_get(leg->vars, "cc_moh_override");
	w->exit_keys = mem_strdup(keys);
	w->moh = own ? leg_text_dup(leg, "cc_moh_override") : mem_strdup(s->moh);
	if (w->moh && (!*w->moh || !strcmp(w->moh, "silence"))) {
		mem_free(w->moh);
		w->moh = NULL;
	}
	w->watch = (struct leg_watch){.goes_on = goes_on, .arg = w, .ends_well = true};
	w->start_us = clock_mono_us();
	if (s->announce_frequency_s && (s->announce || speaks_numbers(w->m->queue)))
		w->announce_us = w->start_us + clock_us_of_s(s->announce_frequency_s);
}

int app_callcenter(struct leg *leg, const char *data)
{
	struct wait w = {0};
	struct cc_queue *q;
	role_assert_co();
	q = cc_queue_get(data);
	if (!q || !leg->profile) {
		leg_log(leg, LOG_WARNING, "callcenter: callcenter.conf has no queue of that name");
		return ST_OK;
	}
	w.m = join(q, leg);
	if (!w.m) {
		leg_log(leg, LOG_ERR, "callcenter: there are too many callers in %s", q->name);
		return ST_OK;
	}
	running_count++;
	wait_begin(&w, leg);
	wait_taken(&w);
	if (w.m->is_taken)
		taken(&w);
	else
		leave(&w);
	running_count--;
	w.m->leg = mem_unref(w.m->leg);
	mem_unref(w.m);
	mem_free(w.moh);
	mem_free(w.exit_keys);
	return leg_is_up(leg) ? ST_OK : ST_HANGUP;
}
