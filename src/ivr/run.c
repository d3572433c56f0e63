/* A caller in a menu. Round by round: greet, collect keys, run every entry that fits them. A submenu is a call of the
 * same function one level deeper, so where a caller stands is the stack of his coroutine; "back" returns one level,
 * "top" all but the first.
 *
 *   greeting (long at first, then short) -> keys -> [confirm] -> entries -> action
 *        ^                                   | none: time-outs + 1     | no entry fits: invalid-sound, failures + 1
 *        +-----------------------------------+-------------------------+
 *
 * Keys are the caller's: where they are put into a param they carry marks (text/mark.h). */
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/event/event.h"
#include "core/keys/digits.h"
#include "core/leg/leg.h"
#include "core/registry/app.h"
#include "core/run/api.h"
#include "core/run/exec.h"
#include "core/run/expand.h"
#include "core/sound/play.h"
#include "core/sound/say.h"
#include "ivr/ivr_i.h"
#include "text/mark.h"

#include <string.h>

enum { DEPTH_MAX = 20, PIN_TRIES = 3, PIN_WAIT_MS = 3000, PIN_DIGIT_WAIT_MS = 10000 };

struct run {
	struct leg *leg;
	const struct ivr_menus *set;
	unsigned depth;
	bool is_falling; /* on its way to the first menu */
	bool is_left;    /* by menu-exit */
	const char *status;
};
/* One caller's rounds in one menu. */
struct visit {
	const struct ivr_menu *m;
	unsigned round, failures, timeouts;
	struct leg_digits digits;
};

static CO int menu_run(struct run *r, const struct ivr_menu *m);

static ON_CTL void tell(struct run *r, const char *subclass, const struct ivr_menu *m)
{
	struct event *e;
	if (!event_is_wanted(EVENT_CUSTOM, subclass) || !(e = event_new(EVENT_CUSTOM, subclass)))
		return;
	event_add(e, "Menu-Name", m->name);
	leg_event_all(r->leg, e);
	event_fire(e);
}

/* ---- sounds ---- */

static CO int sound(struct run *r, const struct ivr_menu *m, const char *source)
{
	struct leg_play_end end = {.terminators = "none"};
	if (!source || !leg_is_ready(r->leg))
		return ST_OK;
	if (!strncmp(source, "say:", 4))
		return leg_speak(r->leg, m->tts_engine, m->tts_voice, source + 4, &end);
	return leg_play_until(r->leg, source, &end);
}

/* "app data"; what the application does to the call is its own affair. False: there is no such application. */
static CO bool app(struct run *r, const char *text)
{
	struct sv name = {text, strcspn(text, " ")};
	char *own = sv_dup(name);
	const char *data = text + name.n;
	bool is_there = own && !mark_has(name) && app_find(own);
	while (*data == ' ')
		data++;
	if (is_there)
		leg_exec_app(r->leg, own, data);
	else
		leg_log(r->leg, LOG_ERR, "ivr: Invalid Application %s", own ? own : "");
	mem_free(own);
	return is_there;
}

static CO int pin_ask(struct run *r, const struct ivr_menu *m)
{
	struct leg_digits d = {.prompt = m->pin_file, .terminators = "#"};
	unsigned n = (unsigned)strlen(m->pin);
	d.min = 0, d.max = n > LEG_DIGITS_MAX ? LEG_DIGITS_MAX : n;
	d.timeout_us = clock_us_of_ms(PIN_WAIT_MS), d.digit_timeout_us = clock_us_of_ms(PIN_DIGIT_WAIT_MS);
	for (int i = 0; i < PIN_TRIES && leg_is_ready(r->leg); i++) {
		int st = leg_digits_read(r->leg, &d);
		if (st == ST_HANGUP || st == ST_CANCELLED)
			return st;
		if (!strcmp(d.digits, m->pin))
			return ST_OK;
		sound(r, m, m->bad_pin_file);
	}
	return ST_DENIED;
}

/* ---- keys ---- */

/* The macro says what was dialled; the confirm-key after it (any key, when there is none) takes it. */
static CO bool is_confirmed(struct run *r, struct visit *v)
{
	const struct ivr_menu *m = v->m;
	struct leg_digits d = {.max = 1, .terminators = ""};
	if (!m->confirm_macro)
		return true;
	d.timeout_us = d.digit_timeout_us = clock_us_of_ms(m->timeout_ms);
	for (unsigned i = 0; i < m->confirm_attempts && leg_is_ready(r->leg); i++) {
		struct leg_play_end end = {.terminators = "any"};
		char *dialled = mark_dup(v->digits.digits);
		int st = dialled ? leg_phrase(r->leg, m->confirm_macro, dialled, NULL, &end) : ST_NOMEM;
		mem_free(dialled);
		if (st == ST_HANGUP)
			return false;
		char key = end.digit;
		if (!key) {
			leg_digits_collect(r->leg, &d);
			key = d.digits[0];
		}
		if (key)
			return !m->confirm_key || key == *m->confirm_key;
	}
	return false;
}

static CO int greet_and_collect(struct run *r, struct visit *v)
{
	const struct ivr_menu *m = v->m;
	struct leg_digits *d = &v->digits;
	const char *greeting = v->round && m->greet_short ? m->greet_short : m->greet_long;
	*d = (struct leg_digits){.max = m->digit_len,
	    .terminators = "#",
	    .prompt = greeting,
	    .tts_engine = m->tts_engine,
	    .tts_voice = m->tts_voice};
	d->timeout_us = clock_us_of_ms(m->timeout_ms);
	d->digit_timeout_us = clock_us_of_ms(m->inter_digit_ms ? m->inter_digit_ms : m->timeout_ms);
	int st = leg_digits_read(r->leg, d);
	if (st != ST_OK && st != ST_TIMEOUT && st != ST_HANGUP && st != ST_CANCELLED)
		st = leg_digits_collect(r->leg, d); /* without its greeting a menu is still a menu */
	if (d->terminator) {
		char text[2] = {d->terminator, 0};
		leg_var_set(r->leg, "ivr_menu_terminator", text);
		if (!d->count) /* the terminator alone is a key */
			memcpy(d->digits, text, 2);
	}
	return st;
}

/* ---- actions ---- */

static CO int submenu(struct run *r, struct visit *v, const char *name)
{
	const struct ivr_menu *sub = ivr_menu_find(r->set, sv_of(name));
	if (!sub || r->depth >= DEPTH_MAX) {
		leg_log(r->leg, LOG_ERR, sub ? "ivr: menu %s: more than 20 menus deep" : "ivr: Invalid Menu %s", name);
		return ST_INVAL;
	}
	tell(r, "menu::exit", v->m);
	r->depth++;
	int st = menu_run(r, sub);
	r->depth--;
	if (!r->depth)
		r->is_falling = false;
	v->round = 0, v->timeouts = 0;
	if (st == ST_OK)
		tell(r, "menu::enter", v->m);
	return st;
}

/* "command arguments", expanded; what it replies is nobody's. */
static ON_CTL void api(struct run *r, const char *text)
{
	struct sv name = {text, strcspn(text, " ")};
	char *command = sv_dup(name), *args = NULL;
	struct buf out;
	buf_init(&out);
	if (!command || mark_has(name) || expand(r->leg, text[name.n] ? text + name.n + 1 : "", &args) ||
	    api_run_text(command, args, r->leg, &out) == ST_NOTFOUND)
		leg_log(r->leg, LOG_ERR, "ivr: Invalid Command %s", command ? command : "");
	buf_fini(&out);
	mem_free(args);
	mem_free(command);
}

static CO int phrase(struct run *r, const char *text)
{
	struct leg_play_end end = {.terminators = "none"};
	struct sv macro = {text, strcspn(text, ",")};
	char *own = sv_dup(macro);
	int st = own ? leg_phrase(r->leg, own, text[macro.n] ? text + macro.n + 1 : NULL, NULL, &end) : ST_NOMEM;
	mem_free(own);
	return st;
}

/* ST_OK: the menu goes on; ST_NOTFOUND: back to the menu before. */
static CO int act(struct run *r, struct visit *v, const struct ivr_entry *e, const char *param)
{
	char *name;
	int st;
	switch (e->action) {
	case IVR_EXIT:
		r->is_left = true;
		return ST_NOTFOUND;
	case IVR_BACK:
		return ST_NOTFOUND;
	case IVR_TOP:
		r->is_falling = r->depth > 0;
		v->round = 0;
		return r->depth ? ST_NOTFOUND : ST_OK;
	case IVR_SUB:
		name = mark_strip_dup(sv_of(param));
		st = name ? submenu(r, v, name) : ST_NOMEM;
		mem_free(name);
		if (st == ST_INVAL)
			r->is_left = true;
		return st == ST_INVAL || r->is_left || (r->is_falling && r->depth) ? ST_NOTFOUND : st;
	case IVR_EXEC_APP:
		r->is_left = !app(r, param); /* it ends there, as FreeSWITCH's does */
		return r->is_left ? ST_NOTFOUND : ST_OK;
	case IVR_EXEC_API:
		api(r, param);
		return ST_OK;
	case IVR_PLAY_SOUND:
		return sound(r, v->m, param) == ST_HANGUP ? ST_HANGUP : ST_OK;
	case IVR_SAY_PHRASE:
		return phrase(r, param) == ST_HANGUP ? ST_HANGUP : ST_OK;
	case IVR_ACTION_COUNT:
		break;
	}
	return ST_OK;
}

static CO int entries_run(struct run *r, struct visit *v, bool *was_any)
{
	int st = ST_OK;
	*was_any = false;
	for (unsigned i = 0; i < v->m->entry_count && st == ST_OK && leg_is_ready(r->leg); i++) {
		const struct ivr_entry *e = &v->m->entries[i];
		struct buf param;
		buf_init(&param);
		if (ivr_entry_fits(e, v->digits.digits, &param)) {
			*was_any = true;
			st = act(r, v, e, param.p ? param.p : "");
		}
		buf_fini(&param);
	}
	return st;
}

/* ---- rounds ---- */

static CO int give_up(struct run *r, const char *status, const char *exec)
{
	r->status = status;
	if (exec)
		app(r, exec);
	return ST_NOTFOUND;
}

static CO int round_run(struct run *r, struct visit *v)
{
	const struct ivr_menu *m = v->m;
	bool was_any;
	if (v->failures >= m->max_failures)
		return give_up(r, "failure", m->exec_on_max_failures);
	if (v->timeouts >= (m->max_timeouts ? m->max_timeouts : m->max_failures))
		return give_up(r, "timeout", m->exec_on_max_timeouts);
	int st = greet_and_collect(r, v);
	if (st == ST_HANGUP || st == ST_CANCELLED)
		return st;
	v->round++;
	if (!v->digits.digits[0]) {
		v->timeouts++;
		return ST_OK;
	}
	if (!is_confirmed(r, v)) {
		v->failures++;
		return leg_is_up(r->leg) ? ST_OK : ST_HANGUP;
	}
	st = entries_run(r, v, &was_any);
	if (was_any) {
		v->failures = 0;
		return st;
	}
	v->failures++;
	return sound(r, m, m->invalid_sound) == ST_HANGUP ? ST_HANGUP : ST_OK;
}

/* ST_OK: the menu above goes on. */
static CO int menu_run(struct run *r, const struct ivr_menu *m)
{
	struct visit v = {.m = m};
	int st = ST_OK;
	tell(r, "menu::enter", m);
	if (m->pin && (st = pin_ask(r, m)) == ST_DENIED)
		r->status = "failure";
	while (st == ST_OK && leg_is_ready(r->leg))
		st = round_run(r, &v);
	if (!r->depth && st == ST_NOTFOUND && leg_is_ready(r->leg))
		sound(r, m, m->exit_sound);
	tell(r, "menu::exit", m);
	if (!leg_is_up(r->leg))
		return ST_HANGUP;
	if (!leg_is_ready(r->leg))
		return ST_CANCELLED;
	return st == ST_NOTFOUND || (st == ST_DENIED && r->depth) ? ST_OK : st;
}

int ivr_run(struct leg *leg, struct ivr_menus *set, struct sv name)
{
	struct run r = {.leg = leg, .set = mem_ref(set)};
	const struct ivr_menu *m = ivr_menu_find(set, name);
	role_assert_co();
	if (!m) {
		leg_log(leg, LOG_ERR, "ivr: Invalid Menu %.*s", SVF(name));
		mem_unref(set);
		return ST_NOTFOUND;
	}
	int st = menu_run(&r, m);
	leg_var_set(leg, "ivr_menu_status", r.status ? r.status : "success");
	mem_unref(set);
	return st;
}
