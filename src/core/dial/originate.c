/* Dialling as a whole: a dial string becomes one thread (part.c) on the caller's own coroutine, or, with
 * ":_:", several on coroutines of their own of which the first to succeed wins. Here they are started, cancelled and
 * their result told: the originator answers, variables say how it went. */
#include "core/dial/originate.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/dial/dial_core.h"
#include "core/dial/dialstring.h"
#include "core/dial/originate_i.h"
#include "core/dial/targets.h"
#include "core/leg/hold.h"
#include "core/leg/leg.h"
#include "core/leg/leg_core.h"
#include "core/leg/part.h"
#include "core/run/run_core.h"
#include "core/sound/media.h"
#include "core/sound/sound_core.h"
#include "core/value/cause.h"
#include "core/value/vars.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct originate_slot { /* one thread of an enterprise */
	struct originate o;
	bool is_over;
};

/* ---- the two sides of dialling ---- */

static bool dialled_leave(struct leg *leg)
{
	role_assert_ctl();
	return false;
}
static const struct leg_hold_ops dialled_ops = {.name = "dialled", .leave = dialled_leave, .is_exclusive = true};

void dialled_set(struct leg *leg, struct originate *o)
{
	struct leg_dialling *d = dialling_of(leg);

	d->of = o;
	if (o)
		leg_hold_add(leg, &d->dialled_hold, &dialled_ops);
	else
		leg_hold_del(leg, &d->dialled_hold);
}

static bool dialling_leave(struct leg *leg)
{
	role_assert_ctl();
	originate_cancel(leg);
	return false;
}

static void dialling_wake(struct leg *leg)
{
	struct originate *o = dialling_of(leg)->dialling;

	role_assert_ctl();
	if (o)
		co_signal(&o->wait, ST_OK);
}
static const struct leg_hold_ops dialling_ops = {.name = "dialling", .leave = dialling_leave, .wake = dialling_wake};

static ON_CTL void dialling_set(struct leg *leg, struct originate *o)
{
	struct leg_dialling *d = dialling_of(leg);

	d->dialling = o;
	if (o)
		leg_hold_add(leg, &d->hold, &dialling_ops);
	else
		leg_hold_del(leg, &d->hold);
}

/* It rings, has early media, has answered or is gone: whoever dials it looks. */
static void leg_changed(struct leg *leg)
{
	role_assert_ctl();
	if (dialling_of(leg)->of)
		co_signal(&dialling_of(leg)->of->wait, ST_OK);
}

static void part_hangup(struct leg *leg)
{
	role_assert_ctl();
	originate_cancel(leg);
	leg_changed(leg);
}

struct leg_part dial_part = {
    .name = "dial",
    .bytes = sizeof(struct leg_dialling),
    .on_ring = leg_changed,
    .on_early = leg_changed,
    .on_answer = leg_changed,
    .on_hangup = part_hangup,
};

void leg_early_ok(struct leg *leg)
{
	if (!dialling_of(leg)->of)
		return;
	dialling_of(leg)->of->opts.early = EARLY_WINS;
	leg_changed(leg);
}

enum cause originate_cancel_cause(struct leg *originator)
{
	return dialling_of(originator)->end ? dialling_of(originator)->end : CAUSE_ORIGINATOR_CANCEL;
}

/* Who waited for the originator (an attended transfer) takes its place; false: nobody does. */
static ON_CTL bool inherit(struct originate *o)
{
	struct leg *heir = o->conf->heir;

	if (!heir || o->a == heir || !leg_is_up(heir) || dialling_of(heir)->dialling)
		return false;
	ring_stop(o);
	dialling_set(o->a, NULL);
	dialling_set(heir, o);
	o->a = o->caller = heir;
	leg_log(heir, LOG_DEBUG, "%s goes on dialling for whom it was held by", heir->name);
	if (o->early)
		leg_media_join(heir, o->early);
	else if (o->is_ring_passed)
		ring_begin(o);
	return true;
}

void originate_cancel(struct leg *originator)
{
	struct originate *o = dialling_of(originator)->dialling;
	if (o && !leg_is_up(originator) && inherit(o))
		return;
	if (o)
		part_cancel(o, originate_cancel_cause(originator));
}

int originate_swap(struct leg *dialled, struct leg *by)
{
	struct originate *o = dialling_of(dialled)->of;
	struct attempt *t = o ? attempt_of(o, dialled) : NULL;

	if (!t || dialling_of(by)->of)
		return ST_NOTFOUND;
	dialled_set(dialled, NULL);
	dialled_set(by, o);
	mem_unref(t->leg);
	t->leg = mem_ref(by);
	t->is_waiting = false;
	co_signal(&o->wait, ST_OK);
	return ST_OK;
}

/* ---- several threads ---- */

static void slot_main(void *arg)
{
	struct originate_slot *s = arg;
	struct enterprise *e = s->o.whole;

	role_assert_co();
	part_run(&s->o);
	s->is_over = true;
	e->running--;
	co_signal(&e->top->wait, ST_OK);
}

static ON_CTL int slot_start(struct enterprise *e, struct originate_slot *s, const struct dial_part *part)
{
	struct originate *top = e->top;
	int st;

	s->o.conf = top->conf, s->o.caller = top->caller, s->o.part = part, s->o.whole = e;
	st = opts_read(&s->o.opts, part->vars, NULL, top->conf->timeout_s);
	/* nobody hears the early media of one among several */
	if (s->o.opts.early == EARLY_WINS || s->o.opts.early == EARLY_PASS)
		s->o.opts.early = EARLY_IGNORE;
	s->o.opts.wins_by_ring_tone = false;
	if (st)
		return st;
	e->running++;
	st = co_spawn("originate", slot_main, s, NULL);
	e->running -= st != 0;
	s->is_over |= st != 0;
	return st;
}

/* The first that succeeded, for the whole. */
static ON_CTL void take_winner(struct enterprise *e)
{
	for (size_t i = 0; i < e->count && !e->top->winner; i++) {
		struct originate *o = &e->slots[i].o;
		if (!e->slots[i].is_over || !o->winner)
			continue;
		e->top->winner = o->winner;
		o->winner = NULL;
		if (dialling_of(e->top->winner)->of == o)
			dialled_set(e->top->winner, NULL);
	}
}

/* Who is not needed any more is told so, and waited for. */
static CO void end_others(struct enterprise *e)
{
	struct originate *top = e->top;
	enum cause cause = top->winner ? CAUSE_LOSE_RACE
	                   : top->a    ? originate_cancel_cause(top->a)
	                               : CAUSE_ORIGINATOR_CANCEL;

	for (size_t i = 0; i < e->count; i++)
		if (!e->slots[i].is_over)
			part_cancel(&e->slots[i].o, cause);
	while (e->running)
		co_wait(&top->wait, -1);
	for (size_t i = 0; i < e->count; i++) {
		struct originate *o = &e->slots[i].o;
		if (o->winner)
			leg_hangup(o->winner, cause);
		else if (!top->winner && o->cause && o->cause != CAUSE_LOSE_RACE && o->cause != CAUSE_NO_PICKUP)
			part_note_failure(top, o->cause, o->has_proto ? top->caller : NULL);
		part_fini(o);
	}
}

static CO int enterprise_run(struct originate *o, const struct dial *d)
{
	struct enterprise e = {.top = o, .count = d->count};
	int st = ST_OK;

	e.slots = mem_zalloc(d->count * sizeof(*e.slots));
	if (!e.slots)
		return ST_NOMEM;
	ring_begin(o);
	for (size_t i = 0; i < d->count; i++)
		if (st || (st = slot_start(&e, &e.slots[i], &d->parts[i])))
			e.slots[i].is_over = true;
	for (;;) {
		serve_originator(o);
		take_winner(&e);
		if (o->a && !leg_is_up(o->a))
			o->is_cancelled = true;
		if (!e.running || o->winner || o->is_cancelled || o->is_key_cancelled)
			break;
		co_wait(&o->wait, -1);
	}
	take_winner(&e);
	end_others(&e);
	mem_free(e.slots);
	return st;
}

/* ---- the result ---- */

static const char *dialstatus(enum cause c)
{
	switch (c) {
	case CAUSE_USER_BUSY:
		return "BUSY";
	case CAUSE_NO_ANSWER:
		return "NOANSWER";
	case CAUSE_ORIGINATOR_CANCEL:
		return "CANCEL";
	case CAUSE_DESTINATION_OUT_OF_ORDER:
	case CAUSE_INVALID_PROFILE:
		return "INVALIDARGS";
	case CAUSE_CALL_REJECTED:
		return "DONTCALL";
	default:
		return cause_name(c);
	}
}

/* Variables that the originator's `import` names come to it from the called leg. */
static ON_CTL void import_vars(struct leg *a, struct leg *b)
{
	char *list = mem_strdup(vars_get(a->vars, "import")); /* the variable may be among those that change */
	struct sv rest = sv_of(list), item;

	while (rest.n) {
		char *name;
		sv_split(rest, ',', &item, &rest);
		name = sv_dup(sv_trim(item));
		if (name && *name)
			leg_var_copy(a, name, b, name);
		mem_free(name);
	}
	mem_free(list);
}

/* The winner has answered, or has early media that counts: so does the originator, which knows by then whom it reached.
 */
static ON_CTL void originator_follow(struct originate *o, struct leg *b)
{
	struct leg *a = o->a;

	leg_show_callee(a, b);
	ring_stop(o); /* the caller's events name the callee from here on */
	if (!leg_is_up(a))
		return;
	leg_media_join_at_answer(a, o->conf->is_bridged_next && !exec_has_hooks(a) && !exec_has_hooks(b));
	if (b->is_answered)
		leg_answer_for(a, b);
	else if (b->is_early)
		leg_pre_answer_for(a, b);
	leg_media_join_at_answer(a, false);
}

static ON_CTL void tell_success(struct leg *a, struct leg *b, bool is_user)
{
	char text[80];

	if (is_user) {
		snprintf(text, sizeof(text), "%s;NONE", b->uuid);
		vars_push(a->vars, "originate_causes", text);
		leg_note_reached(a, b);
	}
	leg_note_reached(a, b);
	import_vars(a, b);
	leg_profile_free(a->other);
	a->other = leg_profile_dup(b->profile);
	if (a->other)
		a->other->is_originator_side = true;
	a->other_is_originator = false;
	leg_var_set(a, "signal_bond", b->uuid);
	leg_log(a, LOG_DEBUG, "Originate Resulted in Success: [%s] Peer UUID: %s", b->name, b->uuid);
}

static ON_CTL void tell_result(struct originate *o, struct leg *b, enum cause cause, bool is_user)
{
	struct leg *a = o->a;

	if (!a)
		return;
	if (b) {
		tell_success(a, b, is_user);
	} else {
		leg_var_set(a, "last_bridge_hangup_cause", cause_name(cause));
		leg_var_set(a, "last_bridge_proto_specific_hangup_cause", o->proto[0] ? o->proto : NULL);
	}
	leg_var_set(a, "originate_signal_bond", NULL);
	leg_var_set(a, "originate_disposition", cause_name(b ? CAUSE_SUCCESS : cause));
	leg_var_set(a, "DIALSTATUS", dialstatus(b ? CAUSE_SUCCESS : cause));
}

static ON_CTL void failed(struct originate *o)
{
	struct leg *a = o->a;

	ring_stop(o);
	if (o->is_cancelled)
		o->cause = CAUSE_ORIGINATOR_CANCEL;
	else if (o->is_key_cancelled)
		o->cause = CAUSE_NO_ANSWER;
	if (o->is_key_cancelled && o->conf && o->conf->key_cancelled_out)
		*o->conf->key_cancelled_out = true;
	if (!o->cause)
		o->cause = CAUSE_DESTINATION_OUT_OF_ORDER;
	log_uuid(LOG_NOTICE, a ? a->uuid : NULL, "Originate Failed. Cause: %s", cause_name(o->cause));
	if (a && leg_is_up(a) && !a->peer && leg_media_stream(a) && o->had_early)
		mstream_idle(leg_media_stream(a));
	tell_result(o, NULL, o->cause, false);
	if (a && o->opts.hangs_up_on_reject && o->is_rejected)
		leg_hangup(a, o->cause);
}

static ON_CTL struct leg *succeeded(struct originate *o)
{
	struct leg *b = mem_ref(o->winner);
	bool is_user;

	if (dialling_of(b)->of == o)
		dialled_set(b, NULL);
	if (o->a)
		originator_follow(o, b);
	part_tell_causes(o);
	is_user = attempt_tell_user(o, b);
	tell_result(o, b, CAUSE_NONE, is_user);
	exec_hooks(b, "execute_on_post_originate", "api_on_post_originate");
	return b;
}

/* ---- the whole ---- */

/* What the caller of originate_run adds, and what the originator's variables add, to each leg of each part. */
static ON_CTL int vars_spread(struct dial *d, const struct originate_conf *conf)
{
	int st = ST_OK;

	for (size_t p = 0; p < d->count && !st; p++) {
		struct dial_part *part = &d->parts[p];
		struct vars *more = NULL;
		st = vars_new(&more);
		if (!st && conf->vars)
			st = vars_copy(more, conf->vars);
		if (!st && conf->vars)
			st = vars_copy(part->vars, conf->vars);
		for (size_t i = 0; i < part->count && !st; i++) {
			st = vars_copy(part->legs[i].vars, more);
			if (!st)
				st = opts_inherit(part->legs[i].vars, conf->originator);
		}
		if (!st)
			st = opts_inherit(part->vars, conf->originator);
		vars_free(more);
	}
	return st;
}

static CO void begin(struct originate *o)
{
	struct leg *a = o->a;

	if (!a)
		return;
	vars_set(a->vars, "originated_legs", NULL);
	vars_set(a->vars, "originate_causes", NULL);
	exec_hooks(a, "execute_on_pre_originate", "api_on_pre_originate");
	leg_var_set(a, "originate_disposition", "failure");
	leg_var_set(a, "DIALSTATUS", "INVALIDARGS");
	dialling_set(a, o);
	if (a->callstate == CCS_ACTIVE)
		leg_callstate_set(a, CCS_RING_WAIT);
	serve_originator(o);
}

/* Whether or not somebody answered, an originator who talked before talks again. */
static ON_CTL void ring_wait_over(struct leg *a)
{
	if (leg_is_up(a) && a->callstate == CCS_RING_WAIT)
		leg_callstate_set(a, CCS_ACTIVE);
}

static CO int run(struct originate *o, const struct dial *d)
{
	struct originate *outer =
	    o->a ? dialling_of(o->a)->dialling : NULL; /* this one was asked for while that one dials */
	int st = opts_read(&o->opts, d->parts[0].vars, o->a, o->conf->timeout_s);

	if (st)
		return st;
	begin(o);
	if (d->count > 1) {
		st = enterprise_run(o, d);
	} else {
		o->part = &d->parts[0];
		part_run(o);
	}
	if (o->a) {
		dialling_set(o->a, outer), dialling_of(o->a)->end = CAUSE_NONE;
		if (!outer)
			ring_wait_over(o->a);
	}
	return st;
}

void originate_stop(struct originate_ticket *t, enum cause cause)
{
	if (t->of)
		part_cancel(t->of, cause);
}

int originate_run(const struct originate_conf *conf, struct leg **leg_out, enum cause *cause_out)
{
	struct originate *o = mem_zalloc(sizeof(*o));
	struct dial dial;
	struct leg *b = NULL;
	int st;

	if (!o)
		return ST_NOMEM;
	o->conf = conf;
	o->a = o->caller = conf->originator;
	if (conf->ticket)
		conf->ticket->of = o;
	st = conf->targets ? dial_copy(&dial, conf->targets) : dial_parse(&dial, conf->dialstring);
	if (st)
		log_uuid(LOG_ERR, o->a ? o->a->uuid : NULL, "no dial string: %s (in %.200s)", dial.error,
		    conf->dialstring ? conf->dialstring : "");
	else
		st = vars_spread(&dial, conf);
	if (!st)
		st = run(o, &dial);
	if (o->winner && !st) {
		b = succeeded(o);
	} else {
		failed(o);
		if (!st)
			st = o->is_cancelled ? ST_CANCELLED : o->is_timed_out ? ST_TIMEOUT : ST_NOTFOUND;
	}
	if (cause_out)
		*cause_out = b ? CAUSE_NONE : o->cause;
	if (conf->error_out && dial.error[0])
		snprintf(conf->error_out, conf->error_size, "%s", dial.error);
	if (conf->ticket)
		conf->ticket->of = NULL;
	part_fini(o);
	dial_free(&dial);
	mem_free(o);
	if (!b)
		return st;
	*leg_out = b;
	return ST_OK;
}
