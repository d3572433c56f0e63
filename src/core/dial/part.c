/* One thread of dialling: the groups of a part in turn, again as often as retries say. The legs of a group are
 * attempts; the coroutine sleeps until one of them changes (leg_changed in originate.c), a deadline passes or somebody
 * cancels, then looks at all of them. The first whose answer (or early media) counts wins; the others are hung up. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/dial/originate_i.h"
#include "core/leg/leg.h"
#include "core/leg/leg_core.h"
#include "core/run/run_core.h"
#include "core/value/cause.h"
#include "core/value/vars.h"
#include <stdio.h>
#include <string.h>

void part_cancel(struct originate *o, enum cause cause)
{
	o->is_cancelled = true;
	o->cancel_cause = cause;
	co_signal(&o->wait, ST_OK);
}

void part_fini(struct originate *o)
{
	attempts_clear(o);
	opts_fini(&o->opts);
	mem_unref(o->winner);
	o->winner = NULL;
}

/* ---- why it failed ---- */

/* Of several causes the one that says most about the called party stays. */
static int cause_weight(enum cause c)
{
	switch (c) {
	case CAUSE_NONE:
		return 0;
	case CAUSE_USER_BUSY:
		return 12;
	case CAUSE_CALL_REJECTED:
	case CAUSE_DECLINE:
		return 10;
	case CAUSE_NO_ANSWER:
	case CAUSE_NO_USER_RESPONSE:
		return 8;
	case CAUSE_NORMAL_CLEARING:
	case CAUSE_NORMAL_UNSPECIFIED:
	case CAUSE_LOSE_RACE:
	case CAUSE_NO_PICKUP:
		return 2;
	default:
		return 4;
	}
}

/* leg NULL: it could not even be made, which says less than what a called party said. */
void part_note_failure(struct originate *o, enum cause cause, struct leg *leg)
{
	const char *proto = leg ? vars_get(leg->vars, "proto_specific_hangup_cause") : NULL;
	int weight = cause_weight(cause) - (leg ? 0 : 1);

	if (opts_is_fatal(&o->opts, cause))
		o->is_rejected = true;
	if (weight < cause_weight(o->cause) - (o->has_proto ? 0 : 1) && !o->is_rejected)
		return;
	o->cause = cause;
	o->has_proto = leg != NULL;
	snprintf(o->proto, sizeof(o->proto), "%s", proto ? proto : "");
}

/* ---- watching ---- */

static int64_t sooner(int64_t a, int64_t b)
{
	return !a ? b : !b ? a : a < b ? a : b;
}

/* It rings, or has sound that counts as that. */
static bool has_progress(const struct originate *o, const struct attempt *t)
{
	const struct leg *b = t->leg;

	return b->is_ringing || b->is_answered || t->has_ring_tone || (b->is_early && !o->opts.monitors_ring);
}

static ON_CTL void look_at_time(const struct originate *o, struct attempt *t, int64_t now)
{
	struct leg *b = t->leg;

	if (!leg_is_up(b) || (b->is_answered && !t->is_confirming))
		return;
	if (t->progress_deadline_us && now >= t->progress_deadline_us && !has_progress(o, t))
		leg_hangup(b, CAUSE_PROGRESS_TIMEOUT);
	else if (t->deadline_us && now >= t->deadline_us)
		leg_hangup(b, t->deadline_cause);
}

static ON_CTL void look_at_end(struct originate *o, struct attempt *t)
{
	t->is_failed = true;
	if (o->early == t->leg)
		o->early = NULL;
	part_note_failure(o, t->leg->cause, t->leg);
	if (t->is_required) {
		o->is_rejected = true;
		o->cause = t->leg->cause;
	}
}

static ON_CTL void look_at_progress(struct originate *o, struct attempt *t)
{
	struct leg *b = t->leg;

	/* Whoever rings first is whom the caller reaches, as far as he is told. */
	if ((b->is_early || b->is_ringing) && !t->is_inner && o->a && leg_is_up(o->a) && !o->is_ring_passed &&
	    !o->early)
		leg_show_callee(o->a, b);
	if (b->is_early && !t->has_media) {
		t->has_media = true;
		monitor_start(o, b);
		if (o->opts.early == EARLY_PASS)
			ring_pass_early(o, b);
		else if (o->opts.early == EARLY_RING ||
		         (o->opts.early == EARLY_IGNORE && o->a && !o->opts.monitors_ring))
			ring_pass_ignored(o, o->opts.early == EARLY_RING);
	}
	if (t->has_ring_tone && o->opts.early == EARLY_IGNORE && o->a)
		ring_pass_ignored(o, false);
	if (b->is_ringing && !t->has_rung) {
		t->has_rung = true;
		ring_pass(o);
	}
}

/* Takes note of what happened to one attempt; true: it wins. */
static ON_CTL bool attempt_look(struct originate *o, struct attempt *t, int64_t now)
{
	struct leg *b = t->leg;
	bool is_good;

	if (!t->is_started || t->is_failed)
		return false;
	look_at_time(o, t, now);
	if (!leg_is_up(b)) {
		look_at_end(o, t);
		return false;
	}
	is_good = b->is_answered || (b->is_early && o->opts.early == EARLY_WINS) ||
	          (b->is_ringing && o->opts.returns_ringing && !o->a && o->count == 1);
	if (is_good && !confirm_is_wanted(o, b) && !t->is_confirming)
		return true;
	if (t->is_confirmed)
		return true;
	if (is_good && !t->is_confirming)
		confirm_start(o, t);
	if (!b->is_answered)
		look_at_progress(o, t);
	return false;
}

/* Starts what is due. A leg with leg_delay_start waits no longer once nothing else is left. */
static ON_CTL void start_due(struct originate *o, unsigned turn, int64_t now)
{
	struct attempt *first = NULL;
	size_t open = 0;

	for (size_t i = 0; i < o->count && !o->is_rejected; i++) {
		struct attempt *t = &o->attempts[i];
		if (t->turn != turn)
			continue;
		if (!t->is_started && !t->start_us)
			t->start_us = o->begin_us + opts_seconds(t->spec.vars, "leg_delay_start");
		if (!t->is_started && t->start_us <= now)
			attempt_start(o, t);
		if (!t->is_started && (!first || t->start_us < first->start_us))
			first = t;
		open += t->is_started && !t->is_failed && leg_is_up(t->leg);
	}
	if (!open && first && !o->is_rejected) {
		int64_t early = first->start_us - now;
		for (size_t i = 0; i < o->count; i++)
			if (!o->attempts[i].is_started && o->attempts[i].start_us)
				o->attempts[i].start_us -= early;
		start_due(o, turn, now);
	}
}

struct look {
	struct attempt *winner;
	size_t open, waiting, failed;
	bool has_progress;
	int64_t next_us;
};

static ON_CTL void look_at_all(struct originate *o, unsigned turn, int64_t now, struct look *l)
{
	for (size_t i = 0; i < o->count && !l->winner; i++) {
		struct attempt *t = &o->attempts[i];
		if (t->turn != turn)
			continue;
		if (attempt_look(o, t, now))
			l->winner = t;
		l->failed += t->is_failed;
		l->open += !t->is_failed;
		l->waiting += !t->is_failed && t->is_waiting;
		if (!t->is_started) {
			l->next_us = sooner(l->next_us, t->start_us);
		} else if (!t->is_failed) {
			bool has_rung = has_progress(o, t);
			l->has_progress |= has_rung;
			l->next_us = sooner(l->next_us, t->deadline_us);
			if (!has_rung)
				l->next_us = sooner(l->next_us, t->progress_deadline_us);
		}
	}
}

void serve_originator(struct originate *o)
{
	char digit;

	if (!o->a || !exec_is_own_co(o->a) || !leg_is_up(o->a))
		return;
	while (o->opts.cancel_key && leg_dtmf_take(o->a, &digit, NULL))
		if (digit == o->opts.cancel_key)
			o->is_key_cancelled = true;
	while (!exec_is_rerouted(o->a) && leg_is_up(o->a) && exec_run_request(o->a))
		;
}

static ON_CTL bool is_over(struct originate *o, const struct look *l, int64_t now)
{
	if (o->a && !leg_is_up(o->a) && !o->is_cancelled)
		part_cancel(o, originate_cancel_cause(o->a));
	if (o->is_cancelled || o->is_key_cancelled || o->is_rejected || !l->open)
		return true;
	if (l->waiting == l->open && l->failed)
		return true;
	o->is_timed_out = now >= o->deadline_us;
	o->is_stalled = o->opts.progress_us && !l->has_progress && now >= o->begin_us + o->opts.progress_us;
	return o->is_timed_out || o->is_stalled;
}

/* Dials the attempts of one turn and watches them until one wins or none is left. */
static CO struct attempt *run_turn(struct originate *o, unsigned turn)
{
	for (;;) {
		int64_t now = clock_mono_us();
		struct look l = {.next_us = o->deadline_us};

		serve_originator(o);
		if (!o->is_cancelled && !o->is_key_cancelled)
			start_due(o, turn, now);
		look_at_all(o, turn, now, &l);
		if (l.winner || is_over(o, &l, now))
			return l.winner;
		if (o->opts.progress_us && !l.has_progress)
			l.next_us = sooner(l.next_us, o->begin_us + o->opts.progress_us);
		co_wait(&o->wait, l.next_us > now ? l.next_us - now : 0);
	}
}

/* ---- a group ---- */

static ON_CTL enum cause cause_for_others(struct originate *o)
{
	if (o->winner)
		return CAUSE_LOSE_RACE;
	if (o->is_cancelled)
		return o->cancel_cause;
	if (o->is_timed_out || o->is_rejected)
		return CAUSE_NO_ANSWER;
	if (o->is_stalled)
		return CAUSE_PROGRESS_TIMEOUT;
	return o->is_key_cancelled ? (o->count > 1 ? CAUSE_LOSE_RACE : CAUSE_NO_ANSWER) : CAUSE_NO_PICKUP;
}

void part_tell_causes(struct originate *o)
{
	char text[UUID_CHARS + 64];

	for (size_t i = 0; i < o->count && o->a; i++) {
		const struct leg *b = o->attempts[i].leg;
		if (!b)
			continue;
		snprintf(text, sizeof(text), "%s;%s", b->uuid, cause_name(b->cause));
		vars_push(o->a->vars, "originate_causes", text);
	}
}

/* Everybody but the winner is hung up. */
static ON_CTL void group_end(struct originate *o)
{
	enum cause others = cause_for_others(o);

	for (size_t i = 0; i < o->count; i++) {
		struct attempt *t = &o->attempts[i];
		if (!t->leg || t->leg == o->winner)
			continue;
		dialled_set(t->leg, NULL);
		if (leg_is_up(t->leg) && others == CAUSE_LOSE_RACE)
			leg_var_set(t->leg, "group_dial_status", "loser");
		leg_hangup(t->leg, others);
	}
	if (!o->winner)
		part_tell_causes(o);
	if (o->early != o->winner)
		o->early = NULL;
	if (!o->winner)
		ring_stop(o);
}

/* Dials one group. True: there is no going on with the next. */
static CO bool run_group(struct originate *o, unsigned group)
{
	unsigned turns = 0;
	int st = ST_OK;

	attempts_clear(o);
	o->cause = CAUSE_NONE, o->has_proto = false, o->proto[0] = 0;
	o->is_ring_passed = false;
	o->begin_us = clock_mono_us();
	o->deadline_us = o->begin_us + o->opts.timeout_us;
	for (size_t i = 0; i < o->part->count && !st; i++)
		if (o->part->legs[i].group == group)
			st = attempts_add(o, &o->part->legs[i]);
	if (st)
		part_note_failure(o, CAUSE_DESTINATION_OUT_OF_ORDER, NULL);
	for (size_t i = 0; i < o->count; i++)
		turns = o->attempts[i].turn >= turns ? o->attempts[i].turn + 1 : turns;
	if (o->opts.rings_at_once)
		ring_pass(o);
	for (unsigned t = 0; t < turns && !o->winner; t++) {
		struct attempt *winner = run_turn(o, t);
		if (winner)
			o->winner = mem_ref(winner->leg);
		if (o->is_cancelled || o->is_timed_out || o->is_stalled || o->is_key_cancelled || o->is_rejected)
			break;
	}
	group_end(o);
	if (!o->winner && (o->is_timed_out || o->is_stalled || o->is_key_cancelled) && !o->is_rejected)
		o->cause = CAUSE_NO_ANSWER;
	return o->winner || o->is_cancelled || o->is_key_cancelled || o->is_rejected ||
	       (o->is_timed_out && !o->opts.continues_on_timeout);
}

/* ---- retries ---- */

/* False: cancelled meanwhile. */
static CO bool rest(struct originate *o, int64_t us)
{
	int64_t until = clock_mono_us() + us;

	for (;;) {
		int64_t left = until - clock_mono_us();
		serve_originator(o);
		if (o->a && !leg_is_up(o->a) && !o->is_cancelled)
			part_cancel(o, originate_cancel_cause(o->a));
		if (o->is_cancelled || o->is_key_cancelled)
			return false;
		if (left <= 0)
			return true;
		co_wait(&o->wait, left);
	}
}

static CO bool rest_before_retry(struct originate *o, unsigned nth, int64_t first_us, int64_t latest_us)
{
	const struct originate_opts *opts = &o->opts;
	int64_t now = clock_mono_us(), pause = opts->retry_sleep_us;

	if (opts->retry_limit_us && now - first_us > opts->retry_limit_us) {
		log_uuid(LOG_NOTICE, o->caller ? o->caller->uuid : NULL, "originate retry timeout after %u of %u tries",
		    nth, opts->tries);
		return false;
	}
	if (opts->retry_period_us - (now - latest_us) > pause)
		pause = opts->retry_period_us - (now - latest_us);
	log_uuid(LOG_NOTICE, o->caller ? o->caller->uuid : NULL, "Originate attempt %u/%u in %lld ms", nth + 1,
	    opts->tries, (long long)(pause / 1000));
	return rest(o, pause);
}

void part_run(struct originate *o)
{
	int64_t first_us = clock_mono_us(), latest_us = first_us;
	bool is_done = o->opts.delay_us && !rest(o, o->opts.delay_us);

	for (unsigned nth = 0; nth < o->opts.tries && !is_done; nth++) {
		if (nth && !rest_before_retry(o, nth, first_us, latest_us))
			break;
		latest_us = clock_mono_us();
		for (unsigned g = 0; g < o->part->group_count && !is_done; g++) {
			o->is_timed_out = o->is_stalled = false;
			is_done = run_group(o, g);
		}
	}
}
