/* The application conference: to the door (name, pin, lock, full), in, and what the leg's coroutine does while it is a
 * member: it waits for keys, for its end, and for what a command wants of it.
 *
 *   door:  conf_room_enter --> pin? --> locked? full? --> conf_member_add
 *   inside: leg_wait <--> conf_keys_feed           leave: conf_member_del --> kicked-sound --> next room, or the end */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "conference/conf_i.h"
#include "core/keys/digits.h"
#include "core/run/exec.h"
#include "core/sound/media.h"
#include "core/sound/play.h"
#include "core/sound/say.h"
#include "text/mark.h"
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { LEAD_IN_MS = 400, PIN_WAIT_MS = 10000, TRANSFERS_MAX = 20 };

/* One visit of a leg: what the data said. Texts owned. */
struct visit {
	struct leg *leg;
	struct conf_room *room; /* entered, until conf_room_leave */
	char *name, *profile, *pin, *dialstring;
	unsigned flags;
	bool is_bridge, has_pin;
};

static void visit_fini(struct visit *v)
{
	mem_free(v->name);
	mem_free(v->profile);
	mem_free(v->pin);
	mem_free(v->dialstring);
}

static void unknown_flag(struct sv name, void *arg)
{
	leg_log((struct leg *)arg, LOG_WARNING, "conference: no such member flag: %.*s", SVF(name));
}

/* Flags and profiles are the configuration's to give: what is from outside names none. */
static ON_CTL int visit_read(struct visit *v, const char *data)
{
	struct conf_words w;
	if (conf_words_parse(sv_of(data), &w) || mark_has(w.profile) || mark_has(w.flags)) {
		leg_log(v->leg, LOG_ERR,
		    "conference: usage: <name>[@<profile>][+<pin>][+flags{<flag>|<flag>}] or "
		    "bridge:<name>[@<profile>]:<dialstring>; profile and flags are not from outside");
		return ST_INVAL;
	}
	v->name = mark_strip_dup(w.name);
	v->profile = w.profile.n ? sv_dup(w.profile) : mem_strdup("default");
	v->has_pin = w.pin.n > 0;
	v->pin = v->has_pin ? mark_strip_dup(w.pin) : NULL;
	v->is_bridge = w.is_bridge;
	v->dialstring = w.is_bridge ? sv_dup(w.bridge) : NULL;
	v->flags = conf_member_flags_parse(w.flags, unknown_flag, v->leg);
	char *more = leg_text_dup(v->leg, "conference_member_flags");
	if (more && mark_has(sv_of(more)))
		leg_log(v->leg, LOG_ERR, "conference_member_flags: flags are not from outside");
	else if (more)
		v->flags |= conf_member_flags_parse(sv_of(more), unknown_flag, v->leg);
	mem_free(more);
	return v->name && v->profile ? ST_OK : ST_NOMEM;
}

/* ---- the door ---- */

static CO int door_sound(struct visit *v, const char *sound, unsigned lead_in_ms)
{
	struct leg_play_end end = {.terminators = "none"};
	if (!sound || !*sound || !leg_is_ready(v->leg))
		return ST_OK;
	if (lead_in_ms)
		leg_sleep(v->leg, clock_us_of_ms(lead_in_ms));
	leg_dtmf_flush(v->leg);
	char *source = !strncasecmp(sound, "say:", 4) ? NULL : conf_source_full(v->room, sound);
	int st = source ? leg_play_until(v->leg, source, &end)
	                : leg_speak(v->leg, v->room->profile->tts_engine, v->room->profile->tts_voice, sound + 4, &end);
	mem_free(source);
	return st == ST_HANGUP || st == ST_CANCELLED ? st : ST_OK;
}

static CO int pin_ask(struct visit *v)
{
	struct conf_room *r = v->room;
	const char *supplied = vars_get(v->leg->vars, "supplied_pin");
	char *given = mem_strdup(supplied);
	bool is_first = true, is_in = !r->pin && !r->moderator_pin;
	for (unsigned i = 0; i < r->profile->pin_retries && leg_is_ready(v->leg) && !is_in; i++) {
		const char *pin = r->pin, *mod = r->moderator_pin; /* a command may change them while he is asked */
		size_t a = pin ? strlen(pin) : 0, b = mod ? strlen(mod) : 0, max = a > b ? a : b;
		struct leg_digits d = {.min = 0,
		    .max = (unsigned)(max < CONF_PIN_MAX ? max : CONF_PIN_MAX),
		    .terminators = "#",
		    .timeout_us = clock_us_of_ms(PIN_WAIT_MS),
		    .digit_timeout_us = clock_us_of_ms(PIN_WAIT_MS)};
		if (is_first && given) {
			snprintf(d.digits, sizeof(d.digits), "%s", given);
		} else {
			leg_dtmf_flush(v->leg);
			leg_sleep(v->leg, clock_us_of_ms(LEAD_IN_MS));
			char *prompt = r->profile->pin_sound ? conf_source_full(r, r->profile->pin_sound) : NULL;
			d.prompt = prompt;
			int st = leg_digits_read(v->leg, &d);
			if (st != ST_HANGUP && st != ST_CANCELLED && st != ST_OK && st != ST_TIMEOUT)
				st = leg_digits_collect(v->leg, &d); /* the prompt is not there */
			mem_free(prompt);
			if (st == ST_HANGUP || st == ST_CANCELLED)
				break;
		}
		is_first = false;
		pin = r->pin, mod = r->moderator_pin;
		if (!pin && !mod)
			is_in = true;
		else if (mod && !strcmp(d.digits, mod))
			v->flags |= CM_MODERATOR, is_in = true;
		else if (pin && !strcmp(d.digits, pin))
			is_in = true;
		else {
			door_sound(v, r->profile->bad_pin_sound, LEAD_IN_MS);
			leg_dtmf_flush(v->leg);
		}
	}
	mem_free(given);
	return is_in ? ST_OK : leg_is_ready(v->leg) ? ST_DENIED : ST_HANGUP;
}

static CO int reject(struct visit *v, const char *reason, const char *sound)
{
	conf_cdr_reject(v->room, v->leg, reason);
	door_sound(v, sound, LEAD_IN_MS);
	return leg_is_up(v->leg) ? ST_DENIED : ST_HANGUP;
}

static CO int door(struct visit *v)
{
	struct conf_room *r = v->room;
	const struct conf_profile *p = r->profile;
	int st = pin_ask(v);
	if (st == ST_DENIED)
		conf_cdr_reject(r, v->leg, "invalid_pin");
	if (st)
		return st;
	if (r->is_locked)
		return reject(v, "conference_locked", p->locked_sound);
	if (r->max_members && r->count >= r->max_members)
		return reject(v, "max_members_reached", p->max_members_sound ? p->max_members_sound : p->locked_sound);
	if ((v->flags & CM_JOIN_ONLY) && !r->count) {
		struct event *e = conf_event_new(r, "rejected-join-only");
		if (e) {
			leg_event_headers(v->leg, e);
			event_add(e, "Action", "rejected-join-only");
			event_fire(e);
		}
		leg_log(v->leg, LOG_NOTICE, "conference %s: nobody is in it, and this member may only join", r->name);
		return ST_DENIED;
	}
	if (p->announce_count && r->count >= p->announce_count) {
		struct leg_play_end end = {.terminators = "none"};
		char text[64];
		snprintf(text, sizeof(text), "There are %u callers", r->count);
		st = leg_speak(v->leg, p->tts_engine, p->tts_voice, text, &end);
	}
	return st == ST_HANGUP || st == ST_CANCELLED ? st : ST_OK;
}

/* ---- inside ---- */

static CO int stay(struct conf_member *m)
{
	struct leg *leg = m->leg;
	int st = ST_OK;
	while (m->leave == CONF_STAYS) {
		char digit;
		if (leg_dtmf_take(leg, &digit, NULL)) {
			conf_keys_feed(m, digit);
			continue;
		}
		if (!leg_is_ready(leg))
			return leg_is_up(leg) ? ST_CANCELLED : ST_HANGUP;
		st = leg_wait(leg, conf_keys_wait_us(m));
		if (st == ST_TIMEOUT)
			conf_keys_feed(m, 0);
		else if (st)
			return st;
	}
	return ST_OK;
}

static CO void auto_outcalls(struct visit *v, struct conf_member *m);

static CO int visit_room(struct visit *v, struct conf_member **out)
{
	struct conf_room *r = v->room;
	int st = door(v);
	if (st)
		return st;
	struct conf_member *m = conf_member_new(v->leg, r->profile, v->flags | r->profile->member_flags);
	if (!m)
		return ST_NOMEM;
	if (r->flags & CR_MUTE_DETECT)
		m->flags |= CM_MUTE_DETECT;
	const char *text = vars_get(v->leg->vars, "conference_join_volume_in");
	m->volume_in = (int)str_number(text, -4, 4);
	text = vars_get(v->leg->vars, "conference_join_volume_out");
	m->volume_out = (int)str_number(text, -4, 4);
	text = vars_get(v->leg->vars, "conference_join_energy_level");
	if (text)
		m->energy_level = (unsigned)str_number(text, 0, 32767);
	st = conf_member_add(r, m);
	if (!st)
		st = conf_keys_new(m);
	if (!st) {
		auto_outcalls(v, m);
		st = stay(m);
	}
	if (!st && m->leave == CONF_KICKED)
		conf_event_member(m, "kick-member");
	if (!st && m->leave == CONF_HUNG_UP)
		conf_event_member(m, "hup-member");
	conf_member_del(m);
	*out = m;
	return st;
}

/* ---- outcalls of the member that begins a room ---- */

static ON_CTL void add_outcalls(struct vars *v, const char *text)
{
	vars_push(v, "conference_auto_outcall", text);
}

static CO void auto_outcalls(struct visit *v, struct conf_member *m)
{
	struct leg *leg = v->leg;
	struct buf scratch;
	buf_init(&scratch);
	unsigned timeout = (unsigned)str_number(vars_get(leg->vars, "conference_auto_outcall_timeout"), 0, 3600);
	char *prefix = leg_text_dup(leg, "conference_auto_outcall_prefix"),
	     *profile = leg_text_dup(leg, "conference_auto_outcall_profile"),
	     *flags = leg_text_dup(leg, "conference_utils_auto_outcall_flags"),
	     *flags_documented = flags ? NULL : leg_text_dup(leg, "conference_auto_outcall_flags"),
	     *announce = leg_text_dup(leg, "conference_auto_outcall_announce"),
	     *delimiter = mem_strdup(vars_get(leg->vars, "conference_auto_outcall_delimiter")),
	     *name = mem_strdup(vars_get(leg->vars, "conference_auto_outcall_caller_id_name")),
	     *number = mem_strdup(vars_get(leg->vars, "conference_auto_outcall_caller_id_number"));
	bool has_any = false;
	if (!flags)
		flags = flags_documented;
	for (size_t i = 0; i < 500 && m->room; i++) {
		struct buf target;
		const char *one = vars_is_array(leg->vars, "conference_auto_outcall")
		                      ? vars_element(leg->vars, "conference_auto_outcall", i, &scratch)
		                  : i ? NULL
		                      : vars_text(leg->vars, "conference_auto_outcall", &scratch);
		if (!one)
			break;
		struct sv rest = sv_of(one), part;
		while (rest.n) {
			if (delimiter && *delimiter)
				sv_split(rest, *delimiter, &part, &rest);
			else
				part = rest, rest = SV_NONE;
			buf_init(&target);
			buf_printf(&target, "%s%.*s", prefix ? prefix : "", SVF(part));
			struct buf room;
			buf_init(&room);
			(void)mark_put(&room, sv_of(v->name)); /* it may be the caller's text */
			if (profile)
				buf_printf(&room, "@%s", profile);
			struct conf_outcall o = {.room = m->room,
			    .name = room.p,
			    .dialstring = target.p ? target.p : "",
			    .flags = flags ? flags : "",
			    .cid_name = name ? name : m->room->caller_id_name,
			    .cid_number = number ? number : m->room->caller_id_number,
			    .timeout_s = timeout ? timeout : 60,
			    .job_uuid = "",
			    .announce = announce};
			has_any |= conf_outcall_spawn(&o) == ST_OK;
			buf_fini(&room);
			buf_fini(&target);
		}
	}
	if (has_any && !leg_var_is_true(leg, "conference_auto_outcall_skip_member_beep"))
		conf_play_to(m, "tone_stream://%(500,0,640)");
	if (has_any)
		leg_var_set(leg, "conference_auto_outcall", NULL);
	buf_fini(&scratch);
	mem_free(prefix);
	mem_free(profile);
	mem_free(flags);
	mem_free(announce);
	mem_free(delimiter);
	mem_free(name);
	mem_free(number);
}

int app_conference_auto_outcall(struct leg *leg, const char *data)
{
	const char *text = leg_exec_text(leg, data);
	role_assert_co();
	if (!text || !*text)
		return ST_INVAL;
	if (!strcasecmp(text, "clear"))
		leg_var_set(leg, "conference_auto_outcall", NULL);
	else
		add_outcalls(leg->vars, text);
	return ST_OK;
}

/* ---- the application ---- */

/* bridge: whom it is to be with is called first; nobody answers, and there is no conference. */
static CO int bridge_first(struct visit *v)
{
	enum cause cause = CAUSE_NONE;
	char uuid[UUID_CHARS + 1];
	struct buf name;

	buf_init(&name);
	(void)mark_put(&name, sv_of(v->name)); /* it may be the caller's text */
	buf_printf(&name, "@%s", v->profile);
	if (name.failed) {
		buf_fini(&name);
		return ST_NOMEM;
	}
	struct conf_outcall o = {.room = v->room,
	    .name = name.p,
	    .dialstring = v->dialstring,
	    .flags = "",
	    .originator = v->leg,
	    .timeout_s = 60};
	v->room->is_bridge = true;
	int st = conf_outcall(&o, &cause, uuid);
	buf_fini(&name);
	if (st && leg_is_up(v->leg)) {
		leg_log(v->leg, LOG_NOTICE, "conference: nobody of %s answered: %s", v->name, cause_name(cause));
		leg_hangup(v->leg, cause ? cause : CAUSE_NORMAL_CLEARING);
	}
	return st;
}

static ON_CTL int visit_next(struct visit *v, const char *name)
{
	struct conf_words w;
	char *marked = mem_strdup(name);
	int st = marked ? conf_words_parse(sv_of(marked), &w) : ST_NOMEM;
	if (!st && (mark_has(w.profile) || mark_has(w.flags)))
		st = ST_INVAL; /* as with the application's data */
	if (!st) {
		mem_free(v->name);
		mem_free(v->profile);
		v->name = mark_strip_dup(w.name);
		v->profile = w.profile.n ? mark_strip_dup(w.profile) : mem_strdup("default");
		v->is_bridge = false;
	}
	mem_free(marked);
	return st;
}

static CO int visit_once(struct visit *v, char **next)
{
	struct conf_member *m = NULL;
	int st = conf_room_enter(&v->room, v->name, v->profile, v->leg);
	if (st) {
		leg_log(v->leg, LOG_ERR, "conference: %s cannot begin: %s", v->name, status_text(st));
		return st;
	}
	if (v->has_pin) { /* the argument's pin holds for the room that it begins */
		if (!v->room->count && v->room->user_count == 1) {
			mem_free(v->room->pin);
			v->room->pin = mem_strdup(v->pin);
		}
		v->has_pin = false;
	}
	leg_var_set(v->leg, "conference_name", v->room->name);
	leg_var_set(v->leg, "app_session_uuid", v->room->uuid);
	if (v->is_bridge)
		st = bridge_first(v);
	if (!st)
		st = visit_room(v, &m);
	if (m && m->leave == CONF_KICKED && !st)
		door_sound(v, m->leave_sound ? m->leave_sound : v->room->profile->kicked_sound, 0);
	if (m && m->leave == CONF_TRANSFERRED && !st) {
		*next = mem_strdup(m->goes_to);
		v->flags = m->flags;
	}
	mem_unref(m);
	conf_room_leave(v->room);
	v->room = NULL;
	return st;
}

int app_conference(struct leg *leg, const char *data)
{
	struct visit v = {.leg = leg};
	role_assert_co();
	int st = visit_read(&v, leg_exec_text(leg, data));
	if (!st && !leg->is_answered)
		st = leg_answer(leg);
	if (!st && !leg_media_stream(leg))
		st = ST_UNSUPPORTED;
	for (int i = 0; !st && i < TRANSFERS_MAX; i++) {
		char *next = NULL;
		(void)visit_once(&v, &next);
		if (!next)
			break;
		st = visit_next(&v, next);
		leg_var_set(leg, "last_transfered_conference", v.name);
		mem_free(next);
	}
	visit_fini(&v);
	if (leg_is_up(leg) && leg_var_is_true(leg, "hangup_after_conference"))
		leg_hangup(leg, CAUSE_NORMAL_CLEARING);
	return leg_is_up(leg) ? ST_OK : ST_HANGUP;
}
