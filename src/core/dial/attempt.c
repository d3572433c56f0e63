/* The legs of a dial string: expanding what stands for another dial string, making each with its caller profile and
 * variables, and letting it dial. Watching them is part.c's. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/conf/config.h"
#include "core/conf/dir.h"
#include "core/dial/originate.h"
#include "core/dial/originate_i.h"
#include "core/dial/pickup.h"
#include "core/dial/targets.h"
#include "core/leg/leg.h"
#include "core/leg/leg_core.h"
#include "core/registry/endpoint.h"
#include "core/run/expand.h"
#include "core/run/run_core.h"
#include "core/value/cause.h"
#include "core/value/vars.h"
#include "text/mark.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_FORWARDS = 70 };

/* ---- attempts ---- */

static ON_CTL void attempt_free(struct originate *o, struct attempt *t)
{
	if (t->leg) {
		if (dialling_of(t->leg)->of == o)
			dialled_set(t->leg, NULL);
		mem_unref(t->leg);
	}
	vars_free(t->spec.vars);
	mem_free(t->spec.endpoint);
	mem_free(t->spec.data);
	mem_free(t->spec.text);
}

void attempts_clear(struct originate *o)
{
	for (size_t i = 0; i < o->count; i++)
		attempt_free(o, &o->attempts[i]);
	mem_free(o->attempts);
	o->attempts = NULL;
	o->count = 0;
}

struct attempt *attempt_of(struct originate *o, const struct leg *leg)
{
	for (size_t i = 0; i < o->count; i++)
		if (o->attempts[i].leg == leg)
			return &o->attempts[i];
	return NULL;
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
	t->is_inner = outer != NULL;
	t->is_nested = outer && o->part->count == 1 && !o->opts.is_forked;
	st = vars_new(&t->spec.vars);
	if (st)
		return st;
	o->count++;
	t->spec.endpoint = mem_strdup(spec->endpoint);
	t->spec.data = mem_strdup(spec->data);
	t->spec.text = mem_strdup(spec->text);
	st = t->spec.endpoint && t->spec.data && t->spec.text ? vars_copy(t->spec.vars, spec->vars) : ST_NOMEM;
	return st ? st : outer ? vars_copy(t->spec.vars, outer) : ST_OK;
}

static ON_CTL int expand_leg(
    struct originate *o, const struct dial_leg *spec, const struct vars *outer, unsigned turn, int depth);

/* The targets that spec stands for; its parts and the legs of a group are dialled at once, groups in turn. */
static ON_CTL int expand_inner(struct originate *o, const struct dial_leg *spec, const struct vars *outer,
    unsigned turn, int depth, const struct dial *inner)
{
	struct vars *merged = NULL;
	int st = vars_new(&merged);

	if (!st)
		st = vars_copy(merged, spec->vars);
	if (!st && outer)
		st = vars_copy(merged, outer);
	for (size_t p = 0; p < inner->count; p++)
		for (size_t i = 0; i < inner->parts[p].count && !st; i++)
			st = expand_leg(
			    o, &inner->parts[p].legs[i], merged, turn + inner->parts[p].legs[i].group, depth + 1);
	vars_free(merged);
	return st;
}

static ON_CTL int expand_leg(
    struct originate *o, const struct dial_leg *spec, const struct vars *outer, unsigned turn, int depth)
{
	const struct endpoint_ops *ops = endpoint_find(sv_of(spec->endpoint));
	struct originate_target t = {
	    .originator = o->caller, .data = spec->data, .text = spec->text, .vars = spec->vars};
	const char *uuid = o->caller ? o->caller->uuid : NULL;
	enum cause cause = CAUSE_DESTINATION_OUT_OF_ORDER;
	struct dial inner;
	int st;

	if (!ops || !ops->expand)
		return attempt_add(o, spec, outer, turn);
	if (depth >= DIAL_NESTING_MAX) {
		log_uuid(
		    LOG_ERR, uuid, "%s/%s: dial strings stand for each other in a circle", spec->endpoint, spec->data);
		part_note_failure(o, CAUSE_EXCHANGE_ROUTING_ERROR, NULL);
		return ST_OK;
	}
	st = dial_init(&inner);
	if (!st)
		st = ops->expand(&t, &inner, &cause);
	if (st && inner.error[0]) {
		log_uuid(LOG_ERR, uuid, "%s/%s stands for no dial string: %s", spec->endpoint, spec->data, inner.error);
		part_note_failure(o, CAUSE_DESTINATION_OUT_OF_ORDER, NULL);
		st = ST_OK;
	} else if (st) {
		log_uuid(LOG_NOTICE, uuid, "Cannot create outgoing channel of type [%s] cause: [%s]", spec->endpoint,
		    cause_name(cause));
		part_note_failure(o, cause, NULL);
		st = ST_OK;
	} else {
		st = expand_inner(o, spec, outer, turn, depth, &inner);
	}
	dial_free(&inner);
	return st;
}

int attempts_add(struct originate *o, const struct dial_leg *spec)
{
	return expand_leg(o, spec, NULL, 0, 0);
}

/* ---- the caller of the new leg ---- */

static ON_CTL const char *first_of(const char *a, const char *b)
{
	return a ? a : b;
}

static bool has_word(const char *text, const char *word)
{
	return strcasestr(text, word) != NULL;
}

static ON_CTL void privacy_apply(struct leg_profile *p, const struct vars *vars)
{
	const char *text = vars_get(vars, "origination_privacy");

	if (!text)
		return;
	p->has_screen = has_word(text, "screen");
	p->hides_name = has_word(text, "hide_name");
	p->hides_number = has_word(text, "hide_number");
}

/* Who is called, as the dial string, an exported variable of the originator or its own says; NULL. */
static ON_CTL const char *callee_id(struct leg *a, const struct vars *vars, const char *name, const char *effective)
{
	char exported[64];
	const char *v = vars_get(vars, name), *list = a ? vars_get(a->vars, "export_vars") : NULL;

	snprintf(exported, sizeof(exported), "nolocal:%s", name);
	if (!v && list && has_word(list, name))
		v = first_of(vars_get(a->vars, exported), vars_get(a->vars, name));
	return v ? v : a ? leg_var(a, effective) : NULL;
}

/* The originator with its effective ids, or what the command gave; what the dial string says wins. */
static ON_CTL struct leg_profile *profile_template(struct originate *o, const struct vars *vars)
{
	const struct originate_conf *c = o->conf;
	struct leg *a = o->caller;
	struct leg_profile *p = a && a->profile ? leg_profile_dup(a->profile) : leg_profile_new();
	const char *name = c->caller_id_name, *number = c->caller_id_number, *v;

	if (!p)
		return NULL;
	name = first_of(name, a ? leg_var(a, "effective_caller_id_name") : NULL);
	number = first_of(number, a ? leg_var(a, "effective_caller_id_number") : "0000000000");
	name = first_of(vars_get(vars, "origination_caller_id_name"), name);
	number = first_of(vars_get(vars, "origination_caller_id_number"), number);
	if (name)
		leg_profile_set(&p->caller_id_name, name);
	if (number)
		leg_profile_set(&p->caller_id_number, number);
	v = first_of(vars_get(vars, "origination_ani"), a ? leg_var(a, "effective_ani") : NULL);
	if (v)
		leg_profile_set(&p->ani, v);
	v = first_of(vars_get(vars, "origination_aniii"), a ? leg_var(a, "effective_aniii") : NULL);
	if (v)
		leg_profile_set(&p->aniii, v);
	privacy_apply(p, vars);
	v = callee_id(a, vars, "origination_callee_id_name", "effective_callee_id_name");
	leg_profile_set(&p->callee_id_name, v ? v : "Outbound Call");
	leg_profile_set(
	    &p->callee_id_number, callee_id(a, vars, "origination_callee_id_number", "effective_callee_id_number"));
	if (!a)
		leg_profile_set(&p->context, "default");
	if (!p->ani || !*p->ani)
		leg_profile_set(&p->ani, p->caller_id_number);
	leg_profile_set(&p->transfer_source, NULL);
	memset(&p->times, 0, sizeof(p->times));
	return p;
}

/* ---- its variables ---- */

/* Copies the variables A exports: "a,nolocal:b,_nolocal_c". */
static ON_CTL void export_vars(struct leg *a, struct leg *b, const char *list_name)
{
	const char *list = vars_get(a->vars, list_name);
	struct sv rest, item;

	if (!list)
		return;
	leg_var_copy(b, list_name, a, list_name);
	for (rest = sv_of(list); rest.n;) {
		char name[128];
		const char *to = name;
		sv_split(rest, ',', &item, &rest);
		item = sv_trim(item);
		if (!item.n || item.n >= sizeof(name))
			continue;
		snprintf(name, sizeof(name), "%.*s", SVF(item));
		if (!strncasecmp(name, "nolocal:", 8))
			to = name + 8;
		else if (!strncasecmp(name, "_nolocal_", 9))
			to = name + 9;
		leg_var_copy(b, to, a, name);
	}
}

/* The configuration wrote a "${" into the value, which would be read whenever the variable is. */
static bool has_reference(const struct vars *vars, const char *name)
{
	struct buf scratch;
	bool has_dollar = false, is_found = false;

	buf_init(&scratch);
	for (const char *p = vars_text(vars, name, &scratch); p && *p && !is_found; p++) {
		is_found = has_dollar && *p == '{';
		has_dollar = *p == '$' || (has_dollar && *p == '\\');
	}
	buf_fini(&scratch);
	return is_found;
}

static ON_CTL void set_leg_vars(struct originate *o, struct leg *b, const struct attempt *t, int max_forwards)
{
	struct leg *a = o->caller;
	const char *v;
	bool is_nested = str_is_true(vars_get(t->spec.vars, "origination_nested_vars")) ||
	                 (a && leg_var_is_true(a, "origination_nested_vars")) ||
	                 str_is_true(globals_get("origination_nested_vars"));

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
		if (!is_nested && has_reference(t->spec.vars, name)) {
			leg_log(b, LOG_CRIT, "Invalid data (${%s} contains a variable)", name);
			continue;
		}
		old = vars_get(b->vars, name);
		if (!old || strcmp(old, value))
			vars_copy_one(b->vars, name, t->spec.vars, name);
	}
	leg_var_set(b, "originate_early_media", o->opts.early == EARLY_WINS ? "true" : "false");
	if ((v = vars_get(b->vars, "origination_channel_name")))
		leg_set_name(b, v);
	if (a)
		leg_var_set(b, "originating_leg_uuid", a->uuid);
	leg_var_set(b, "originate_endpoint", t->spec.endpoint);
}

static ON_CTL void note_originated(struct leg *a, struct leg *b)
{
	const char *name = b->profile->callee_id_name, *number = b->profile->callee_id_number;
	struct buf text, marked;

	buf_init(&text);
	buf_printf(&text, "%s;%s;%s", b->uuid, name ? name : "", number ? number : "");
	buf_init(&marked);
	mark_put(&marked, buf_sv(&text));
	if (!marked.failed)
		vars_push(a->vars, "originated_legs", marked.p);
	buf_fini(&marked);
	buf_fini(&text);
}

static ON_CTL int max_forwards_next(struct leg *a)
{
	const char *text = a ? vars_get(a->vars, "max_forwards") : NULL;
	return text ? atoi(text) - 1 : MAX_FORWARDS - (a != NULL);
}

/* ---- dialling ---- */

/* The number in what was dialled: without a domain, and without what leads to it ("internal/sip:1001@10.0.0.1"). */
static ON_CTL void callee_number_set(struct leg *b, const struct attempt *t)
{
	struct sv number = sv_sub(sv_of(t->spec.text), 0, strcspn(t->spec.text, "@"));
	char *text;

	if (b->profile->callee_id_number)
		return;
	for (const char *sep = "/:"; *sep; sep++)
		for (size_t at; (at = sv_find(number, *sep)) < number.n;)
			number = sv_sub(number, at + 1, number.n);
	text = mark_strip_dup(number);
	leg_profile_set(&b->profile->callee_id_number, text);
	mem_free(text);
}

/* The leg exists; the world hears of it, then it dials. */
static ON_CTL void attempt_dial(struct originate *o, struct attempt *t, struct leg *b, int max_forwards)
{
	struct leg *a = o->caller;

	callee_number_set(b, t);
	if (a && a->profile) {
		b->other = leg_profile_dup(a->profile);
		if (b->other) {
			memset(&b->other->times, 0, sizeof(b->other->times));
			b->other->is_originator_side = true;
		}
		b->other_is_originator = true;
	}
	leg_state_input(b, IN_INIT);
	leg_event(b, EVENT_CHANNEL_OUTGOING);
	set_leg_vars(o, b, t, max_forwards);
	if (a) {
		leg_var_set(a, "originate_signal_bond", b->uuid);
		note_originated(a, b);
		leg_note_dialled(a, b);
	}
	t->leg = mem_ref(b);
	t->is_required = str_is_true(vars_get(b->vars, "leg_required"));
	t->is_waiting = pickup_is_waiting(b) && !t->deadline_us;
	dialled_set(b, o);
	exec_hooks(b, "execute_on_originate", "api_on_originate");
	leg_start(b);
}

static ON_CTL void deadlines_set(struct attempt *t)
{
	int64_t now = clock_mono_us(), timeout = opts_seconds(t->spec.vars, "leg_timeout"),
	        progress = opts_seconds(t->spec.vars, "leg_progress_timeout");

	/* user/ dials anew, and that call has a time limit of its own */
	if (t->is_inner && opts_seconds(t->spec.vars, "call_timeout"))
		timeout = opts_seconds(t->spec.vars, "call_timeout");
	t->deadline_us = timeout ? now + timeout : 0;
	t->deadline_cause = t->is_nested ? CAUSE_NO_ANSWER : CAUSE_ALLOTTED_TIMEOUT;
	t->progress_deadline_us = progress ? now + progress : 0;
}

void attempt_start(struct originate *o, struct attempt *t)
{
	const struct endpoint_ops *ops = endpoint_find(sv_of(t->spec.endpoint));
	const char *caller = o->caller ? o->caller->uuid : NULL;
	int max_forwards = max_forwards_next(o->caller);
	enum cause cause = CAUSE_DESTINATION_OUT_OF_ORDER;
	struct originate_target target = {
	    .originator = o->caller, .data = t->spec.data, .text = t->spec.text, .vars = t->spec.vars};
	struct leg *b = NULL;
	int st = ST_NOTFOUND;

	t->is_started = true;
	if (max_forwards <= 0) {
		cause = CAUSE_EXCHANGE_ROUTING_ERROR;
	} else if (!ops || !ops->outgoing) {
		cause = CAUSE_CHAN_NOT_IMPLEMENTED;
		log_uuid(LOG_ERR, caller, "Could not locate channel type %s (of %s/%s)", t->spec.endpoint,
		    t->spec.endpoint, t->spec.data);
	} else if ((target.profile = profile_template(o, t->spec.vars))) {
		st = ops->outgoing(&target, &b, &cause);
	}
	leg_profile_free(target.profile);
	if (st || !b) {
		log_uuid(LOG_NOTICE, caller, "Cannot create outgoing channel of type [%s] cause: [%s]",
		    t->spec.endpoint, cause_name(cause));
		t->is_failed = true;
		part_note_failure(o, cause, NULL);
		return;
	}
	deadlines_set(t);
	attempt_dial(o, t, b, max_forwards);
}

/* ---- user/ ---- */

static ON_CTL void note_user_var(const char *name, const char *value, void *arg)
{
	role_assert_ctl();
	leg_var_set_text(arg, name, value);
}

/* FreeSWITCH's user/ is a call within a call: once the inner one succeeds the outer is told a second time, and the
 * directory's variables come to the leg. */
bool attempt_tell_user(struct originate *o, struct leg *b)
{
	const char *user = vars_get(b->vars, "dialed_user"), *domain = vars_get(b->vars, "dialed_domain");
	struct dir_user *u = NULL;

	if (!b->is_outbound || !user || !domain || dir_user_find(sv_of(user), sv_of(domain), &u))
		return false;
	leg_event(b, EVENT_CHANNEL_OUTGOING);
	dir_user_each_var(u, note_user_var, b);
	mem_unref(u);
	leg_var_set(b, "originate_endpoint", "user");
	if (o->caller) {
		const struct media_codec *c = o->caller->codec;
		if (c)
			leg_var_setf(b, "originator_codec", "%s@%uh@%ui", c->name, c->rate_hz, c->ptime_ms);
		note_originated(o->caller, b);
		leg_note_dialled(o->caller, b);
	}
	return true;
}
