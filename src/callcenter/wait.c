/* The application callcenter: a caller waits in a queue to its music, with what is announced now and then, until an
 * agent has him, his time is over, he presses a key or hangs up. offer.c sets is_taken and wakes him; he then ends the
 * application with uuid_bridge in front of what is left of his extension, which goes on when the agent has hung up. */
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

enum { CANCEL_US = 1000 };
enum reason { NONE, TIMEOUT, NO_AGENT_TIMEOUT, BREAK_OUT, EXIT_WITH_KEY, OVERFLOW, CALLBACK };
static const char *const reasons[] = {
    "NONE", "TIMEOUT", "NO_AGENT_TIMEOUT", "BREAK_OUT", "EXIT_WITH_KEY", "OVERFLOW", "CALLBACK"};
static const enum cc_outcome outcomes[] = {CC_OUTCOME_ABANDONED, CC_OUTCOME_TIMEOUT, CC_OUTCOME_TIMEOUT,
    CC_OUTCOME_ABANDONED, CC_OUTCOME_KEY, CC_OUTCOME_OVERFLOW, CC_OUTCOME_CALLBACK};
enum { QUEUES_MAX = 8 /* that a caller comes through by overflow */ };
static unsigned running_count;

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
	if (q->s.overflow_to && q->s.overflow_after_s && list_empty(&w->m->offers)) {
		int64_t over_us = w->start_us + clock_us_of_s(q->s.overflow_after_s);
		if (!us || over_us < us) {
			us = over_us;
			*why = OVERFLOW;
		}
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

static ON_CTL bool can_call_back(const struct wait *w)
{
	const char *wanted = vars_get(w->m->leg->vars, "cc_callback_number");
	return w->m->plus.callback || cc_callback_can(w->m->queue, wanted && *wanted ? wanted : w->m->cid_number);
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
		} else if (q->s.callback_key && digit == *q->s.callback_key && can_call_back(w)) {
			w->reason = CALLBACK;
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
	if (w->reason != CALLBACK)
		m->queue->calls_abandoned++;
	tell_left(m, leg, now_s, w->reason);
	cc_note_left(m, outcomes[w->reason]);
	if (w->reason != CALLBACK || !cc_callback_keep(m, leg)) {
		cc_callback_drop(m);
		cc_pick_end(m);
		cc_member_abandon(m, now_s);
	}
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

/* Waits in one queue. ST_OK and *next: goes on in that one. */
static CO int wait_in(struct cc_queue *q, struct leg *leg, int64_t *carried_s, struct cc_queue **next)
{
	struct wait w = {0};
	w.m = cc_member_join(q, leg, *carried_s);
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
	*carried_s += cc_now_s() - w.m->joined_s;
	mem_unref(w.m->leg);
	w.m->leg = NULL;
	int st = ST_OK;
	if (w.reason == OVERFLOW && leg_is_up(leg))
		st = cc_way_take(leg, q->s.overflow_to, next);
	mem_unref(w.m);
	mem_free(w.moh);
	mem_free(w.exit_keys);
	return st == ST_NOTFOUND ? ST_OK : st;
}

/* He is not let in. */
static CO int turn_away(struct cc_queue *q, struct leg *leg, enum cc_outcome outcome, struct cc_queue **next)
{
	bool is_closed = outcome == CC_OUTCOME_CLOSED;
	leg_var_set(leg, "cc_queue", q->name);
	leg_var_set(leg, "cc_cause", "cancel");
	leg_var_set(leg, "cc_cancel_reason", is_closed ? "CLOSED" : "FULL");
	cc_note_refused(q, leg, outcome);
	int st = cc_way_take(leg, is_closed ? q->s.closed_to : q->s.overflow_to, next);
	return st == ST_NOTFOUND ? ST_OK : st;
}

int app_callcenter(struct leg *leg, const char *data)
{
	struct cc_queue *q, *next = NULL;
	int64_t carried_s = 0;
	int st = ST_OK;
	role_assert_co();
	q = cc_queue_get(data);
	if (!q || !leg->profile) {
		leg_log(leg, LOG_WARNING, "callcenter: callcenter.conf has no queue of that name");
		return ST_OK;
	}
	for (int n = 0; q && !st; q = next, n++) {
		if (n == QUEUES_MAX) {
			leg_log(leg, LOG_WARNING, "callcenter: overflow through more than %d queues", QUEUES_MAX);
			break;
		}
		mem_ref(q);
		next = NULL;
		enum cc_outcome gate = vars_get(leg->vars, "cc_callback_uuid") ? CC_OUTCOME_COUNT : cc_gate(q);
		st = gate == CC_OUTCOME_COUNT ? wait_in(q, leg, &carried_s, &next) : turn_away(q, leg, gate, &next);
		mem_unref(q);
	}
	return st ? st : leg_is_up(leg) ? ST_OK : ST_HANGUP;
}
