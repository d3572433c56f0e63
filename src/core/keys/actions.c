/* A leg's digit machines: fed by dtmf.c before anything else sees a key, with a timer each; what a match does. */
#include "core/keys/actions.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/event/event.h"
#include "core/keys/keys_core.h"
#include "core/keys/keys_i.h"
#include "core/keys/machine.h"
#include "core/leg/leg.h"
#include "core/run/api.h"
#include "core/run/exec.h"
#include "core/value/vars.h"
#include "text/mark.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { DIGIT_TIMEOUT_MS = 1500, SELF = 0, PEER = 1, KEY_SAMPLES = 800 };

struct action {
	char *string, *value;
	enum digit_target runs_on;
};
struct leg_actions {
	struct leg *leg; /* borrowed: it owns us */
	struct digit_machine *machine;
	unsigned side;
	int64_t digit_us, input_us; /* 0 = none */
	struct ltimer timer;
};

static void action_free(void *data)
{
	struct action *a = data;
	mem_free(a->string);
	mem_free(a->value);
	mem_free(a);
}

static struct leg_actions **slot_of(const struct leg *leg, unsigned side)
{
	return &keys_of(leg)->actions[side];
}

/* ---- what a match does ---- */

static ON_CTL void fire(struct leg *leg, const char *name, const char *value, const char *digits, const char *execute)
{
	struct event *e;

	if (!event_is_wanted(EVENT_CHANNEL_DATA, NULL) || !(e = event_new(EVENT_CHANNEL_DATA, NULL)))
		return;
	leg_event_headers(leg, e);
	if (name)
		event_add(e, name, value);
	event_add(e, "digits", digits);
	event_add(e, "execute", execute);
	event_fire(e);
}

static void api_done(int status, struct sv reply, void *arg)
{
	struct leg *leg = arg;

	role_assert_ctl();
	if (leg_is_up(leg))
		leg_var_setf(leg, "bind_digit_action_api_result", "%.*s", SVF(reply));
	mem_unref(leg);
}

static ON_CTL void run_api(struct leg *leg, const char *command, const char *args)
{
	if (mark_has(sv_of(command))) {
		leg_log(leg, LOG_WARNING, "a digit action's command comes from outside and is not run");
		return;
	}
	mem_ref(leg);
	if (api_spawn(command, args, NULL, api_done, leg))
		mem_unref(leg);
}

/* "exec:app" or "exec[flags]:app". NULL: it is none. */
static const char *exec_app(const char *string, bool *is_inline, bool *has_music)
{
	const char *end;

	*is_inline = false, *has_music = true;
	if (strncasecmp(string, "exec", 4) != 0)
		return NULL;
	string += 4;
	if (*string == ':')
		return string + 1;
	end = *string == '[' ? strchr(string, ']') : NULL;
	if (!end || end[1] != ':')
		return NULL;
	*is_inline = memchr(string, 'i', (size_t)(end - string)) != NULL;
	*has_music = memchr(string, 'H', (size_t)(end - string)) == NULL;
	return end + 2;
}

static ON_CTL void run_on(struct leg *leg, const struct action *a, const char *digits)
{
	bool is_inline, has_music;
	const char *app = exec_app(a->string, &is_inline, &has_music);
	bool is_api = !strncasecmp(a->string, "api:", 4);

	leg_var_set(leg, "last_matching_digits", digits);
	leg_log(leg, LOG_DEBUG, "%s Digit match binding [%s][%s]", leg->name, a->string, a->value);
	fire(leg, app ? app : a->string + (is_api ? 4 : 0), a->value, digits,
	    !app        ? NULL
	    : is_inline ? "blocking"
	                : "non-blocking");
	if (app) {
		struct leg_exec_request r = {.app = app,
		    .data = a->value,
		    .priority = is_inline,
		    .holds_bleg = !is_inline && has_music && a->runs_on != DIGITS_OF_BOTH};
		leg_exec_request(leg, &r);
	} else if (is_api) {
		run_api(leg, a->string + 4, a->value);
	}
}

static ON_CTL void matched(struct leg_actions *x, const struct digit_found *found)
{
	const struct action *a = found->data;
	struct leg *peer = x->leg->peer;

	if (peer && (x->side == PEER || a->runs_on & DIGITS_OF_PEER)) {
		bool is_both = a->runs_on == DIGITS_OF_BOTH;
		run_on(peer, a, found->digits);
		if (!is_both)
			return;
	}
	run_on(x->leg, a, found->digits);
}

/* Back to where they came from, past the machine that had them. */
static ON_CTL void unmatched(struct leg_actions *x, const char *digits)
{
	bool is_own = x->side == SELF;
	struct leg *from = is_own ? x->leg : x->leg->peer;

	if (!from)
		return;
	leg_var_set(from, "last_non_matching_digits", digits);
	leg_log(from, LOG_DEBUG, "%s Digit NOT match binding [%s]", from->name, digits);
	fire(from, NULL, NULL, digits, NULL);
	mem_ref(from);
	for (; *digits && leg_is_up(from); digits++)
		if (!is_own || !digit_actions_take(from, *digits, true))
			leg_dtmf_deliver(from, *digits, KEY_SAMPLES, DTMF_RTP_CAPTURED);
	mem_unref(from);
}

/* ---- the machines ---- */

static void timed_out(void *arg);

static ON_CTL void timer_arm(struct leg_actions *x)
{
	int64_t us = digit_machine_has_digits(x->machine) ? x->digit_us : x->input_us;

	if (us)
		loop_timer_set(&x->timer, us, "digit action", timed_out, x);
	else
		loop_timer_cancel(&x->timer);
}

/* A match may unbind or hang up: x may be gone afterwards. */
static ON_CTL void act(struct leg_actions *x, enum digit_verdict verdict, const struct digit_found *found)
{
	timer_arm(x);
	if (verdict == DIGITS_MATCH)
		matched(x, found);
	else if (verdict == DIGITS_NO_MATCH)
		unmatched(x, found->digits);
}

static void timed_out(void *arg)
{
	struct leg_actions *x = arg;
	struct digit_found found;

	role_assert_ctl();
	act(x, digit_machine_timeout(x->machine, &found), &found);
}

static ON_CTL bool feed(struct leg *owner, unsigned side, char digit)
{
	struct leg_actions *x = owner ? *slot_of(owner, side) : NULL;
	struct digit_found found;

	if (!x || !digit_machine_has_realm(x->machine))
		return false;
	act(x, digit_machine_feed(x->machine, digit, &found), &found);
	return true;
}

bool digit_actions_take(struct leg *leg, char digit, bool is_past_own)
{
	return (!is_past_own && feed(leg, SELF, digit)) || feed(leg->peer, PEER, digit);
}

bool digit_actions_listen(const struct leg *leg)
{
	const struct leg *peer = leg->peer;
	return keys_of(leg)->actions[SELF] || (peer && keys_of(peer)->actions[PEER]);
}

static ON_CTL void listeners_changed(struct leg *leg)
{
	leg_dtmf_capture_check(leg);
	if (leg->peer)
		leg_dtmf_capture_check(leg->peer);
}

static ON_CTL void actions_free(struct leg *leg, unsigned side)
{
	struct leg_actions *x = *slot_of(leg, side);

	if (!x)
		return;
	*slot_of(leg, side) = NULL;
	loop_timer_cancel(&x->timer);
	digit_machine_free(x->machine);
	mem_free(x);
}

void digit_actions_fini(struct leg *leg)
{
	actions_free(leg, SELF);
	actions_free(leg, PEER);
}

static ON_CTL int64_t timeout_us(struct leg *leg, const char *name, int64_t otherwise_ms)
{
	const char *text = vars_get(leg->vars, name);
	int64_t ms = otherwise_ms;

	if (text && (sv_i64(sv_of(text), &ms) || ms < 0 || ms > 3600000))
		ms = otherwise_ms;
	return clock_us_of_ms(ms);
}

static ON_CTL struct leg_actions *actions_get(struct leg *leg, unsigned side)
{
	struct leg_actions *x = *slot_of(leg, side);

	if (x)
		return x;
	x = mem_zalloc(sizeof(*x));
	if (!x || digit_machine_new(&x->machine, action_free)) {
		mem_free(x);
		return NULL;
	}
	x->leg = leg;
	x->side = side;
	x->digit_us = timeout_us(leg, "bind_digit_digit_timeout", DIGIT_TIMEOUT_MS);
	x->input_us = timeout_us(leg, "bind_digit_input_timeout", 0);
	*slot_of(leg, side) = x;
	timer_arm(x);
	return x;
}

static ON_CTL int bind_side(struct leg *leg, const struct digit_action *a, unsigned side)
{
	struct leg_actions *x = actions_get(leg, side);
	struct action *action = x ? mem_zalloc(sizeof(*action)) : NULL;
	const char *ends = vars_get(leg->vars, "bda_terminators");
	int st = ST_NOMEM;

	if (!action)
		return st;
	action->string = mem_strdup(a->string);
	action->value = mem_strdup(a->value ? a->value : "");
	action->runs_on = a->runs_on;
	if (action->string && action->value)
		st = digit_machine_bind(x->machine, a->realm, a->digits, action);
	if (st)
		action_free(action);
	else if (ends)
		digit_machine_set_terminators(x->machine, ends);
	return st;
}

int digit_action_bind(struct leg *leg, const struct digit_action *a)
{
	int st = ST_OK;

	if (!leg_is_up(leg))
		return ST_HANGUP;
	if (a->target & DIGITS_OF_PEER)
		st = bind_side(leg, a, PEER);
	if (!st && a->target & DIGITS_OF_SELF)
		st = bind_side(leg, a, SELF);
	listeners_changed(leg);
	return st;
}

void digit_action_clear(struct leg *leg, const char *realm, enum digit_target target)
{
	for (unsigned side = SELF; side <= PEER; side++) {
		struct leg_actions *x = *slot_of(leg, side);
		if (!x || !(target & (side == SELF ? DIGITS_OF_SELF : DIGITS_OF_PEER)))
			continue;
		if (realm)
			digit_machine_clear_realm(x->machine, realm);
		else
			actions_free(leg, side);
	}
	listeners_changed(leg);
}

int digit_action_set_realm(struct leg *leg, const char *realm, enum digit_target target)
{
	int st = ST_NOTFOUND;

	for (unsigned side = SELF; side <= PEER; side++) {
		struct leg_actions *x = *slot_of(leg, side);
		if (x && target & (side == SELF ? DIGITS_OF_SELF : DIGITS_OF_PEER))
			st = digit_machine_set_realm(x->machine, realm);
	}
	return st;
}
