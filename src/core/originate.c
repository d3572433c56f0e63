/* Dialling. originate_run walks the groups of a dial string; the legs of a group are attempts, each a leg being set up;
 * the caller's coroutine sleeps until one of them changes (originate_leg_changed), a deadline passes or the originator
 * goes (originate_cancel), then looks at all of them. The first to answer wins. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/dir.h"
#include "core/leg_i.h"
#include "core/module.h"
#include "core/originate_i.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { DEFAULT_TIMEOUT_S = 60, MAX_FORWARDS = 70, NEVER = 0 };

struct attempt {
	struct leg *leg;      /* reference; NULL before it is made and when it could not be */
	struct dial_leg spec; /* owned */
	unsigned turn;        /* sub-groups of an expanded dial string go in turn */
	int64_t start_us, deadline_us, progress_deadline_us; /* 0 = none */
	bool is_started, is_failed, has_rung, has_media;
};
struct originate {
	const struct originate_conf *conf;
	struct leg *a;
	struct co_wait wait;
	struct attempt *attempts;
	size_t count;
	int64_t deadline_us;
	bool is_cancelled, is_timed_out, is_ring_passed, ignores_early, early_is_ring, returns_ringing;
	bool continues_on_timeout;
	uint32_t ringback_id;
	bool is_ringback_on;
	struct leg *early; /* whose early media the originator hears; borrowed */
	enum cause cause;  /* of what failed so far, reduced */
	char proto[40];    /* proto_specific_hangup_cause of it */
};

void originate_leg_changed(struct leg *leg)
{
	if (leg->originate)
		co_signal(&leg->originate->wait, ST_OK);
}

void originate_cancel(struct leg *originator)
{
	struct originate *o = leg_i(originator)->dialling;
	if (o) {
		o->is_cancelled = true;
		co_signal(&o->wait, ST_OK);
	}
}

/* ---- why it failed ---- */

/* Of several causes the one that says most about the called party stays. */
static int cause_weight(enum cause c)
{
	switch (c) {
	case CAUSE_NONE:
		return 0;
	case CAUSE_USER_BUSY:
		return 6;
	case CAUSE_CALL_REJECTED:
	case CAUSE_DECLINE:
		return 5;
	case CAUSE_NO_ANSWER:
	case CAUSE_NO_USER_RESPONSE:
		return 4;
	case CAUSE_NORMAL_CLEARING:
	case CAUSE_NORMAL_UNSPECIFIED:
	case CAUSE_LOSE_RACE:
		return 1;
	default:
		return 2;
	}
}

static ON_CTL void note_failure(struct originate *o, enum cause cause, struct leg *leg)
{
	const char *proto = leg ? vars_get(leg->vars, "proto_specific_hangup_cause") : NULL;

	if (cause_weight(cause) < cause_weight(o->cause))
		return;
	o->cause = cause;
	snprintf(o->proto, sizeof(o->proto), "%s", proto ? proto : "");
}

static const char *dialstatus(enum cause c)
{
	switch (c) {
	case CAUSE_USER_BUSY:
		return "BUSY";
	case CAUSE_NO_ANSWER:
	case CAUSE_NO_USER_RESPONSE:
		return "NOANSWER";
	case CAUSE_ORIGINATOR_CANCEL:
		return "CANCEL";
	case CAUSE_SWITCH_CONGESTION:
	case CAUSE_NORMAL_CIRCUIT_CONGESTION:
		return "CONGESTION";
	case CAUSE_SUCCESS:
		return "SUCCESS";
	default:
		return "CHANUNAVAIL";
	}
}

/* ---- making the legs ---- */

static ON_CTL void attempt_free(struct attempt *t)
{
	if (t->leg) {
		t->leg->originate = NULL;
		mem_unref(t->leg);
	}
	vars_free(t->spec.vars);
	mem_free(t->spec.endpoint);
	mem_free(t->spec.data);
}

static ON_CTL void attempts_clear(struct originate *o)
{
	for (size_t i = 0; i < o->count; i++)
		attempt_free(&o->attempts[i]);
	mem_free(o->attempts);
	o->attempts = NULL;
	o->count = 0;
}

/* The caller of the new leg: the originator with its effective ids, or what the command gave. */
static ON_CTL struct leg_profile *profile_template(struct originate *o, const struct vars *vars)
{
	const struct originate_conf *c = o->conf;
	struct leg_profile *p = o->a && o->a->profile ? leg_profile_dup(o->a->profile) : leg_profile_new();
	const char *name = c->caller_id_name, *number = c->caller_id_number, *v;

	if (!p)
		return NULL;
	if (o->a) {
		v = leg_var(o->a, "effective_caller_id_name");
		name = name ? name : v;
		v = leg_var(o->a, "effective_caller_id_number");
		number = number ? number : v;
	} else if (!number) {
		number = "0000000000";
	}
	if ((v = vars_get(vars, "origination_caller_id_name")))
		name = v;
	if ((v = vars_get(vars, "origination_caller_id_number")))
		number = v;
	if (name)
		leg_profile_set(&p->caller_id_name, name);
	if (number)
		leg_profile_set(&p->caller_id_number, number);
	v = vars_get(vars, "origination_callee_id_name");
	leg_profile_set(&p->callee_id_name, v ? v : "Outbound Call");
	leg_profile_set(&p->callee_id_number, vars_get(vars, "origination_callee_id_number"));
	if (!o->a)
		leg_profile_set(&p->context, "default");
	leg_profile_set(&p->transfer_source, NULL);
	memset(&p->times, 0, sizeof(p->times));
	return p;
}

/* Copies the variables A exports: "a,nolocal:b,_nolocal_c". */
static ON_CTL void export_vars(struct leg *a, struct leg *b, const char *list_name)
{
	const char *list = vars_get(a->vars, list_name);
	struct sv rest, item;

	if (!list)
		return;
	leg_var_set(b, list_name, list);
	for (rest = sv_of(list); rest.n;) {
		char name[128];
		const char *value, *to = name;
		sv_split(rest, ',', &item, &rest);
		item = sv_trim(item);
		if (!item.n || item.n >= sizeof(name))
			continue;
		snprintf(name, sizeof(name), "%.*s", SVF(item));
		value = vars_get(a->vars, name);
		if (!strncasecmp(name, "nolocal:", 8))
			to = name + 8;
		else if (!strncasecmp(name, "_nolocal_", 9))
			to = name + 9;
		if (value)
			leg_var_set(b, to, value);
	}
}

static ON_CTL void set_leg_vars(struct originate *o, struct leg *b, const struct attempt *t, int max_forwards)
{
	struct leg *a = o->a;

	leg_var_setf(b, "max_forwards", "%d", max_forwards);
	if (a) {
		leg_var_set(b, "originator", a->uuid);
		leg_var_set(b, "signal_bond", a->uuid);
		memcpy(b->call_uuid, a->call_uuid, sizeof(b->call_uuid));
		leg_var_set(b, "call_uuid", b->call_uuid);
		export_vars(a, b, "export_vars");
		export_vars(a, b, "bridge_export_vars");
	}
	for (size_t i = 0; i < vars_count(t->spec.vars); i++) {
		const char *name, *value, *old;
		vars_at(t->spec.vars, i, &name, &value);
		old = vars_get(b->vars, name);
		if (!old || strcmp(old, value))
			leg_var_set(b, name, value);
	}
	leg_var_set(b, "originate_early_media", o->ignores_early ? "false" : "true");
	if (a)
		leg_var_set(b, "originating_leg_uuid", a->uuid);
	leg_var_set(b, "originate_endpoint", t->spec.endpoint);
}

static ON_CTL int max_forwards_next(struct originate *o)
{
	const char *text = o->a ? vars_get(o->a->vars, "max_forwards") : NULL;
	return text ? atoi(text) - 1 : MAX_FORWARDS - (o->a != NULL);
}

/* The leg exists; the world hears of it, then it dials. */
static ON_CTL void attempt_dial(struct originate *o, struct attempt *t, struct leg *b, int max_forwards)
{
	if (!b->profile->callee_id_number && b->profile->destination_number)
		leg_profile_set(&b->profile->callee_id_number, b->profile->destination_number);
	if (o->a && o->a->profile) {
		b->other = leg_profile_dup(o->a->profile);
		if (b->other) {
			memset(&b->other->times, 0, sizeof(b->other->times));
			b->other->is_originator_side = true;
		}
		b->other_is_originator = true;
	}
	leg_state_input(b, IN_INIT);
	leg_event(b, EVENT_CHANNEL_OUTGOING);
	set_leg_vars(o, b, t, max_forwards);
	if (o->a) {
		leg_var_set(o->a, "originate_signal_bond", b->uuid);
		char legs[200];
		snprintf(legs, sizeof(legs), "%s;%s;%s", b->uuid,
		    b->profile->callee_id_name ? b->profile->callee_id_name : "",
		    b->profile->callee_id_number ? b->profile->callee_id_number : "");
		vars_push(o->a->vars, "originated_legs", legs);
	}
	t->leg = mem_ref(b);
	b->originate = o;
	leg_start(b);
}

static ON_CTL int64_t seconds_from(const struct vars *v, const char *name, int64_t from_us)
{
	const char *text = vars_get(v, name);
	long s = text ? strtol(text, NULL, 10) : 0;
	return s > 0 && s < 86400 ? from_us + s * 1000000 : NEVER;
}

static ON_CTL void attempt_start(struct originate *o, struct attempt *t)
{
	const struct endpoint_ops *ops = endpoint_find(sv_of(t->spec.endpoint));
	int max_forwards = max_forwards_next(o);
	enum cause cause = CAUSE_DESTINATION_OUT_OF_ORDER;
	struct originate_target target = {.originator = o->a, .data = t->spec.data, .vars = t->spec.vars};
	struct leg *b = NULL;
	int64_t now = clock_mono_us();
	int st = ST_NOTFOUND;

	t->is_started = true;
	if (max_forwards <= 0)
		cause = CAUSE_EXCHANGE_ROUTING_ERROR;
	else if (!ops || !ops->outgoing)
		log_uuid(LOG_ERR, o->a ? o->a->uuid : NULL, "no endpoint is called '%s'", t->spec.endpoint);
	else if ((target.profile = profile_template(o, t->spec.vars)))
		st = ops->outgoing(&target, &b, &cause);
	leg_profile_free(target.profile);
	if (st || !b) {
		log_uuid(LOG_NOTICE, o->a ? o->a->uuid : NULL,
		    "Cannot create outgoing channel of type [%s] cause: [%s]", t->spec.endpoint, cause_name(cause));
		t->is_failed = true;
		note_failure(o, cause, NULL);
		return;
	}
	t->deadline_us = seconds_from(t->spec.vars, "leg_timeout", now);
	t->progress_deadline_us = seconds_from(t->spec.vars, "leg_progress_timeout", now);
	if (!t->progress_deadline_us)
		t->progress_deadline_us = seconds_from(t->spec.vars, "progress_timeout", now);
	attempt_dial(o, t, b, max_forwards);
}

static ON_CTL int attempt_add(struct originate *o, const struct dial_leg *spec, const struct vars *outer, unsigned turn)
{
	struct attempt *grown, *t;
	int st;

	if (o->count == DIAL_LEGS_MAX)
		return ST_LIMIT;
	grown = mem_realloc(o->attempts, (o->count + 1) * sizeof(*grown));
	if (!grown)
		return ST_NOMEM;
	o->attempts = grown;
	t = &grown[o->count];
	memset(t, 0, sizeof(*t));
	t->turn = turn;
	st = vars_new(&t->spec.vars);
	if (st)
		return st;
	o->count++;
	t->spec.endpoint = mem_strdup(spec->endpoint);
	t->spec.data = mem_strdup(spec->data);
	st = vars_copy(t->spec.vars, spec->vars);
	return st ? st : outer ? vars_copy(t->spec.vars, outer) : ST_OK;
}

/* Adds a leg of the dial string, or the legs of the dial string it stands for (user/, group/). */
static ON_CTL int expand_leg(
    struct originate *o, const struct dial_leg *spec, const struct vars *outer, unsigned turn, int depth)
{
	const struct endpoint_ops *ops = endpoint_find(sv_of(spec->endpoint));
	struct originate_target t = {.originator = o->a, .data = spec->data, .vars = spec->vars};
	enum cause cause = CAUSE_DESTINATION_OUT_OF_ORDER;
	struct vars *merged = NULL;
	char *text = NULL;
	struct dial inner;
	int st;

	if (!ops || !ops->expand)
		return attempt_add(o, spec, outer, turn);
	if (depth >= DIAL_NESTING_MAX) {
		note_failure(o, CAUSE_EXCHANGE_ROUTING_ERROR, NULL);
		return ST_OK;
	}
	st = ops->expand(&t, &text, &cause);
	if (st) {
		note_failure(o, cause, NULL);
		return ST_OK;
	}
	st = dial_parse(&inner, text);
	if (st)
		note_failure(o, CAUSE_DESTINATION_OUT_OF_ORDER, NULL);
	if (!st && !(st = vars_new(&merged)) && !(st = vars_copy(merged, spec->vars)) && outer)
		st = vars_copy(merged, outer);
	for (size_t i = 0; i < inner.count && !st; i++)
		st = expand_leg(o, &inner.legs[i], merged, turn + inner.legs[i].group, depth + 1);
	vars_free(merged);
	dial_free(&inner);
	mem_free(text);
	return st == ST_PARSE ? ST_OK : st;
}

/* ---- what the originator hears meanwhile ---- */

static ON_CTL void ringback_stop(struct originate *o)
{
	if (o->is_ringback_on && o->a && leg_is_up(o->a) && leg_media_stream(o->a))
		mstream_play_stop(leg_media_stream(o->a), o->ringback_id);
	if (o->is_ringback_on && o->a)
		leg_read_linear(o->a, false);
	o->is_ringback_on = false;
}

/* The variable's text as a source: a URL or file as it is, anything else is tones. */
static ON_CTL void ringback_play(struct originate *o, const char *spec)
{
	struct buf source;

	if (!leg_media_stream(o->a) || !strncasecmp(spec, "silence", 7))
		return;
	buf_init(&source);
	if (strstr(spec, "://") || spec[0] == '/' || spec[0] == '{')
		buf_adds(&source, spec);
	else
		buf_printf(&source, "tone_stream://%s", spec);
	if (!mstream_play(leg_media_stream(o->a), source.p, -1, &o->ringback_id)) {
		o->is_ringback_on = true;
		leg_read_linear(o->a, true);
		leg_log(o->a, LOG_DEBUG, "Play Ringback Tone [%s]", spec);
	}
	buf_fini(&source);
}

/* What the originator's variables say it shall hear while the others ring; NULL: nothing of ours. */
static ON_CTL const char *ringback_of(struct originate *o)
{
	return o->a ? vars_get(o->a->vars, o->a->is_answered ? "transfer_ringback" : "ringback") : NULL;
}

static ON_CTL void pass_ringing(struct originate *o)
{
	const char *spec;

	if (!o->a || o->is_ring_passed || o->early || !leg_is_up(o->a))
		return;
	o->is_ring_passed = true;
	spec = ringback_of(o);
	if (!spec && !o->a->is_answered) {
		leg_ring_ready(o->a);
		return;
	}
	if (!spec)
		return;
	if (!o->a->is_answered) {
		if (o->a->profile && !o->a->profile->times.progress)
			o->a->profile->times.progress = clock_wall_us();
		if (leg_pre_answer(o->a))
			return;
	}
	ringback_play(o, spec);
}

static ON_CTL void pass_early(struct originate *o, struct leg *b)
{
	if (o->early || !leg_is_up(o->a))
		return;
	ringback_stop(o);
	o->early = b;
	leg_i(o->a)->near = b;
	leg_pre_answer(o->a);
	leg_i(o->a)->near = NULL;
	if (leg_is_up(o->a))
		leg_media_join(o->a, b);
}

/* ---- watching ---- */

/* Takes note of what happened to one attempt; true: it wins. */
static ON_CTL bool attempt_look(struct originate *o, struct attempt *t, int64_t now)
{
	struct leg *b = t->leg;

	if (!t->is_started || t->is_failed)
		return false;
	if (leg_is_up(b) && !b->is_answered) {
		bool has_progress = b->is_ringing || b->is_early;
		if (t->deadline_us && now >= t->deadline_us)
			leg_hangup(b, CAUSE_NO_ANSWER);
		else if (t->progress_deadline_us && !has_progress && now >= t->progress_deadline_us)
			leg_hangup(b, CAUSE_PROGRESS_TIMEOUT);
	}
	if (!leg_is_up(b)) {
		t->is_failed = true;
		if (o->early == b)
			o->early = NULL;
		note_failure(o, b->cause, b);
		return false;
	}
	if (b->is_answered)
		return true;
	if (b->is_early && !t->has_media) {
		t->has_media = true;
		if (!o->ignores_early && !o->a)
			return true;
		if (!o->ignores_early)
			pass_early(o, b);
		else if (o->early_is_ring || ringback_of(o))
			pass_ringing(o); /* ignored early media: the caller hears our ringback in its place */
	}
	if (b->is_ringing && !t->has_rung) {
		t->has_rung = true;
		pass_ringing(o);
		if (o->returns_ringing && !o->a)
			return true;
	}
	return false;
}

static int64_t sooner(int64_t a, int64_t b)
{
	return !a ? b : !b ? a : a < b ? a : b;
}

static ON_CTL void hangup_others(struct originate *o, const struct attempt *winner, enum cause cause)
{
	for (size_t i = 0; i < o->count; i++) {
		struct attempt *t = &o->attempts[i];
		if (t == winner || !t->leg)
			continue;
		t->leg->originate = NULL;
		leg_hangup(t->leg, cause);
	}
}

/* Dials the attempts of one turn and watches them until one wins or none is left. */
static CO struct attempt *run_turn(struct originate *o, unsigned turn)
{
	int64_t begin = clock_mono_us();

	for (;;) {
		int64_t now = clock_mono_us(), next = o->deadline_us;
		size_t open = 0;

		for (size_t i = 0; i < o->count; i++) {
			struct attempt *t = &o->attempts[i];
			if (t->turn != turn)
				continue;
			if (!t->is_started) {
				if (!t->start_us)
					t->start_us = sooner(seconds_from(t->spec.vars, "leg_delay_start", begin), 0);
				if (t->start_us <= now)
					attempt_start(o, t);
				else
					next = sooner(next, t->start_us);
			}
			if (attempt_look(o, t, now))
				return t;
			if (!t->is_failed) {
				open++;
				next = sooner(next, t->is_started ? t->deadline_us : 0);
				if (t->is_started && !t->has_rung && !t->has_media)
					next = sooner(next, t->progress_deadline_us);
			}
		}
		if (o->is_cancelled || (o->a && !leg_is_up(o->a))) {
			o->is_cancelled = true;
			return NULL;
		}
		if (!open)
			return NULL;
		if (now >= o->deadline_us) {
			o->is_timed_out = true;
			return NULL;
		}
		co_wait(&o->wait, next > now ? next - now : 0);
	}
}

/* ---- the whole ---- */

static ON_CTL const char *option(struct originate *o, const struct dial *d, const char *name)
{
	const char *value = vars_get(d->vars, name);
	return value || !o->a ? value : vars_get(o->a->vars, name);
}

static ON_CTL void read_options(struct originate *o, const struct dial *d)
{
	const char *early = option(o, d, "ignore_early_media"), *v;
	long timeout_s = o->conf->timeout_s;

	o->ignores_early =
	    early && (str_is_true(early) || !strcasecmp(early, "ring_ready") || !strcasecmp(early, "consume"));
	o->early_is_ring = early && !strcasecmp(early, "ring_ready");
	o->returns_ringing = str_is_true(option(o, d, "return_ring_ready"));
	o->continues_on_timeout = str_is_true(option(o, d, "originate_continue_on_timeout"));
	if ((v = option(o, d, "originate_timeout")) && atol(v) > 0)
		timeout_s = atol(v);
	else if ((v = vars_get(d->vars, "call_timeout")) && atol(v) > 0)
		timeout_s = atol(v);
	if (timeout_s <= 0 || timeout_s > 86400)
		timeout_s = DEFAULT_TIMEOUT_S;
	o->deadline_us = clock_mono_us() + timeout_s * 1000000;
}

static ON_CTL void note_user_var(const char *name, const char *value, void *arg)
{
	role_assert_ctl();
	leg_var_set(arg, name, value);
}

/* FreeSWITCH's user/ is a call within a call: once the inner one succeeds the outer is told a second time, and the
 * directory's variables come to the leg. True: b was dialled so. */
static ON_CTL bool tell_user(struct originate *o, struct leg *b)
{
	const char *user = vars_get(b->vars, "dialed_user"), *domain = vars_get(b->vars, "dialed_domain");
	struct dir_user *u = NULL;
	char legs[200];

	if (!user || !domain || dir_user_find(sv_of(user), sv_of(domain), &u))
		return false;
	leg_event(b, EVENT_CHANNEL_OUTGOING);
	dir_user_each_var(u, note_user_var, b);
	mem_unref(u);
	leg_var_set(b, "originate_endpoint", "user");
	if (o->a) {
		const struct media_codec *c = leg_media_codec(o->a);
		if (c)
			leg_var_setf(b, "originator_codec", "%s@%uh@%ui", c->name, c->rate_hz, c->ptime_ms);
		snprintf(legs, sizeof(legs), "%s;%s;%s", b->uuid,
		    b->profile->callee_id_name ? b->profile->callee_id_name : "",
		    b->profile->callee_id_number ? b->profile->callee_id_number : "");
		vars_push(o->a->vars, "originated_legs", legs);
	}
	return true;
}

/* The winner has answered: so does the originator, which knows by then whom it reached. */
static ON_CTL void answer_originator(struct originate *o, struct leg *b)
{
	struct leg *a = o->a;

	if (!a)
		return;
	if (a->profile) {
		leg_profile_set(&a->profile->callee_id_name, b->profile->callee_id_name);
		leg_profile_set(&a->profile->callee_id_number, b->profile->callee_id_number);
		if (b->other) {
			leg_profile_set(&b->other->callee_id_name, b->profile->callee_id_name);
			leg_profile_set(&b->other->callee_id_number, b->profile->callee_id_number);
		}
	}
	ringback_stop(o); /* the caller's events name the callee from here on */
	if (!b->is_answered || !leg_is_up(a))
		return;
	leg_i(a)->near = b;
	leg_answer(a);
	leg_i(a)->near = NULL;
}

static ON_CTL void tell_result(struct originate *o, struct leg *b, enum cause cause, bool is_user)
{
	struct leg *a = o->a;
	char text[80];

	if (!a)
		return;
	if (b) {
		snprintf(text, sizeof(text), "%s;NONE", b->uuid);
		vars_push(a->vars, "originate_causes", text);
		if (is_user)
			vars_push(a->vars, "originate_causes", text);
		leg_profile_free(a->other);
		a->other = leg_profile_dup(b->profile);
		if (a->other)
			a->other->is_originator_side = true;
		a->other_is_originator = false;
		leg_var_set(a, "originate_signal_bond", NULL);
		leg_var_set(a, "signal_bond", b->uuid);
		leg_log(a, LOG_DEBUG, "Originate Resulted in Success: [%s] Peer UUID: %s", b->name, b->uuid);
	} else {
		leg_var_set(a, "last_bridge_hangup_cause", cause_name(cause));
		leg_var_set(a, "last_bridge_proto_specific_hangup_cause", o->proto[0] ? o->proto : NULL);
		leg_var_set(a, "originate_signal_bond", NULL);
	}
	leg_var_set(a, "originate_disposition", b ? "SUCCESS" : cause_name(cause));
	leg_var_set(a, "DIALSTATUS", dialstatus(b ? CAUSE_SUCCESS : cause));
}

static ON_CTL enum cause cancel_cause(const struct originate *o)
{
	return o->a && leg_i(o->a)->dialling_end ? leg_i(o->a)->dialling_end : CAUSE_ORIGINATOR_CANCEL;
}

/* Tries the groups in turn. The winner's leg, or NULL. */
static CO struct attempt *run_groups(struct originate *o, const struct dial *d)
{
	struct attempt *winner = NULL;

	for (unsigned g = 0; g < d->group_count && !winner; g++) {
		unsigned turns = 0;
		int st = ST_OK;

		attempts_clear(o);
		for (size_t i = 0; i < d->count && !st; i++)
			if (d->legs[i].group == g)
				st = expand_leg(o, &d->legs[i], NULL, 0, 0);
		if (st)
			note_failure(o, CAUSE_DESTINATION_OUT_OF_ORDER, NULL);
		for (size_t i = 0; i < o->count; i++)
			turns = o->attempts[i].turn >= turns ? o->attempts[i].turn + 1 : turns;
		for (unsigned t = 0; t < turns && !winner; t++) {
			winner = run_turn(o, t);
			if (!winner && (o->is_cancelled || o->is_timed_out))
				hangup_others(o, NULL, o->is_cancelled ? cancel_cause(o) : CAUSE_NO_ANSWER);
			if (o->is_cancelled)
				return NULL;
			if (o->is_timed_out) {
				note_failure(o, CAUSE_NO_ANSWER, NULL);
				if (!o->continues_on_timeout)
					return NULL;
				o->is_timed_out = false;
				read_options(o, d);
			}
		}
		if (winner)
			hangup_others(o, winner, CAUSE_LOSE_RACE);
	}
	return winner;
}

int originate_run(const struct originate_conf *conf, struct leg **leg_out, enum cause *cause_out)
{
	struct originate *o = mem_zalloc(sizeof(*o));
	struct attempt *winner = NULL;
	struct dial dial;
	struct leg *b = NULL;
	bool is_user = false;
	int st;

	if (!o)
		return ST_NOMEM;
	o->conf = conf;
	o->a = conf->originator;
	st = dial_parse(&dial, conf->dialstring);
	if (!st && conf->vars)
		for (size_t i = 0; i < dial.count && !st; i++)
			st = vars_copy(dial.legs[i].vars, conf->vars);
	if (st) {
		log_uuid(LOG_ERR, o->a ? o->a->uuid : NULL, "this is no dial string: %.200s", conf->dialstring);
		o->cause = CAUSE_DESTINATION_OUT_OF_ORDER;
		goto out;
	}
	read_options(o, &dial);
	if (o->a) {
		leg_var_set(o->a, "originate_disposition", "failure");
		leg_var_set(o->a, "DIALSTATUS", "INVALIDARGS");
		vars_set(o->a->vars, "originated_legs", NULL);
		vars_set(o->a->vars, "originate_causes", NULL);
		leg_i(o->a)->dialling = o;
		if (str_is_true(option(o, &dial, "instant_ringback")))
			pass_ringing(o);
	}
	winner = run_groups(o, &dial);
	if (o->a)
		leg_i(o->a)->dialling = NULL, leg_i(o->a)->dialling_end = CAUSE_NONE;
	if (winner) {
		b = mem_ref(winner->leg);
		b->originate = NULL;
		answer_originator(o, b);
		is_user = tell_user(o, b);
	} else {
		ringback_stop(o);
		st = o->is_cancelled ? ST_CANCELLED : o->is_timed_out ? ST_TIMEOUT : ST_NOTFOUND;
		if (o->is_cancelled)
			o->cause = CAUSE_ORIGINATOR_CANCEL;
		else if (o->is_timed_out)
			o->cause = CAUSE_NO_ANSWER;
		if (!o->cause)
			o->cause = CAUSE_DESTINATION_OUT_OF_ORDER;
		log_uuid(LOG_NOTICE, o->a ? o->a->uuid : NULL, "Originate Failed. Cause: %s", cause_name(o->cause));
		if (o->early && o->a && leg_is_up(o->a) && !o->a->bridge && leg_media_stream(o->a))
			mstream_idle(leg_media_stream(o->a));
	}
	tell_result(o, b, o->cause, is_user);
out:
	if (cause_out)
		*cause_out = b ? CAUSE_NONE : o->cause;
	attempts_clear(o);
	dial_free(&dial);
	mem_free(o);
	if (!b)
		return st ? st : ST_NOTFOUND;
	*leg_out = b;
	return ST_OK;
}
