/* Calls passed on by somebody who talks first: att_xfer (consult, then hang up), soft_hold. Both run on a bridged leg,
 * mostly asked for by a key (bind_meta_app); the bridge waits meanwhile (core/bridge/aside.h). */
#include "apps/apps_i.h"
#include "base/mem.h"
#include "core/bridge/aside.h"
#include "core/bridge/bridge.h"
#include "core/dial/originate.h"
#include "core/keys/dtmf.h"
#include "core/leg/leg.h"
#include "core/registry/app.h"
#include "core/registry/app_words.h"
#include "core/run/exec.h"
#include "core/sound/media.h"
#include "core/sound/play.h"
#include "core/value/cause.h"
#include "core/value/vars.h"
#include <stdio.h>
#include <string.h>

/* From the consulted leg's answer until one of the two leaves. */
struct talk {
	struct leg *holder, *target; /* references */
	bool is_over;
};

static void talk_dtor(void *obj)
{
	struct talk *t = obj;
	role_assert_ctl();
	mem_unref(t->holder);
	mem_unref(t->target);
}

/* The holder or the target left. The call goes on with whoever remains. */
static void talk_over(struct leg *holder, struct leg *target, void *arg)
{
	struct talk *t = arg;
	struct leg *held;

	role_assert_ctl();
	held = consult_held(holder);
	t->is_over = true;
	leg_var_set(holder, "soft_holding_uuid", NULL);
	if (leg_is_up(target) && !leg_is_up(holder) && held) {
		leg_log(target, LOG_NOTICE, "%s is transferred to %s", held->name, target->name);
		leg_var_set(target, "att_xfer_result", bridge_two(target, held) ? "failure" : "success");
	} else if (!leg_is_up(target) && leg_is_up(holder)) {
		leg_var_set(holder, "att_xfer_result", held ? "success" : "failure");
	} else if (leg_is_ready(target) || (leg_is_up(target) && !leg_is_up(holder))) {
		leg_hangup(target, CAUSE_NORMAL_CLEARING);
	}
	consult_end(holder, true);
	leg_wake(holder);
	mem_unref(t);
}

/* Only the first key counts; "none" or an empty variable is no key. */
static ON_CTL char key_of(struct leg *leg, const char *name, char otherwise)
{
	const char *v = vars_get(leg->vars, name);
	return !v ? otherwise : strcmp(v, "none") ? v[0] : 0;
}

static ON_CTL void pass_digit(struct talk *t, char digit, unsigned duration)
{
	char text[24];

	snprintf(text, sizeof(text), "%c@%u", digit, duration / 8);
	leg_dtmf_send(t->target, text);
}

/* The target joins the holder and the held one, who are a pair again. */
static ON_CTL void three_way(struct talk *t)
{
	if (!consult_held(t->holder) || !app_find("three_way")) {
		leg_log(t->holder, LOG_WARNING, "att_xfer: there are no three to join");
		return;
	}
	leg_exec_clear(t->target);
	if (!leg_exec_add(t->target, "three_way", t->holder->uuid, NULL))
		leg_exec_restart(t->target);
}

static ON_CTL void talk_digit(struct talk *t, char digit, unsigned duration)
{
	if (digit == key_of(t->holder, "attxfer_hangup_key", '*'))
		leg_hangup(t->holder, CAUSE_NORMAL_CLEARING);
	else if (digit == key_of(t->holder, "attxfer_cancel_key", '#'))
		leg_hangup(t->target, CAUSE_NORMAL_CLEARING);
	else if (digit == key_of(t->holder, "attxfer_conf_key", '0'))
		three_way(t);
	else
		pass_digit(t, digit, duration);
}

static CO int talk_run(struct talk *t)
{
	unsigned duration;
	char digit;
	int st = ST_OK;

	leg_dtmf_flush(t->holder);
	leg_dtmf_capture(t->holder, true);
	while (!t->is_over && (st == ST_OK || st == ST_TIMEOUT)) {
		while (!t->is_over && leg_dtmf_take(t->holder, &digit, &duration))
			talk_digit(t, digit, duration);
		if (!t->is_over)
			st = leg_wait(t->holder, -1);
	}
	leg_dtmf_capture(t->holder, false);
	if (!t->is_over && st == ST_CANCELLED)
		leg_hangup(t->target, CAUSE_NORMAL_CLEARING); /* broken off */
	if (!t->is_over)
		bridge_leave(t->holder);
	return st == ST_HANGUP ? st : ST_OK;
}

/* The holder hung up before the target answered: who waited is given to it at once. */
static ON_CTL void give_at_once(struct leg *leg, struct leg *target)
{
	struct leg *held = consult_held(leg);

	if (held && leg_is_up(held))
		leg_var_set(target, "att_xfer_result", bridge_two(target, held) ? "failure" : "success");
	else
		leg_hangup(target, CAUSE_NORMAL_CLEARING);
}

static CO int talk_with(struct leg *leg, struct leg *target)
{
	struct talk *t = mem_new(sizeof(*t), talk_dtor, "apps.talk");
	int st;

	if (!t)
		return ST_NOMEM;
	t->holder = mem_ref(leg), t->target = mem_ref(target);
	mem_ref(t); /* the bridge's */
	st = consult_join(leg, target, talk_over, t);
	if (st) {
		leg_hangup(target, st == ST_UNSUPPORTED ? CAUSE_INCOMPATIBLE_DESTINATION : CAUSE_NORMAL_CLEARING);
		mem_unref(t);
	} else {
		st = talk_run(t);
	}
	mem_unref(t);
	return st;
}

/* dial-string */
int app_att_xfer(struct leg *leg, const char *data)
{
	struct originate_conf conf = {.originator = leg, .dialstring = leg_exec_text(leg, data)};
	struct leg *held, *target = NULL;
	char bond[UUID_CHARS + 1] = "";
	enum cause cause = CAUSE_NONE;
	int st;

	role_assert_co();
	if (!data || !*data) {
		leg_log(leg, LOG_ERR, "att_xfer: usage: <channel_url>");
		return ST_INVAL;
	}
	held = mem_ref(leg->peer);
	if (held && !consult_begin(leg)) {
		snprintf(bond, sizeof(bond), "%s", held->uuid);
		leg_var_set(leg, "soft_holding_uuid", bond);
		conf.heir = held;
	}
	st = originate_run(&conf, &target, &cause);
	if (st) {
		leg_var_set(leg, "att_xfer_result", "failure");
		leg_var_set(leg, "soft_holding_uuid", NULL);
	} else {
		if (leg_is_up(leg))
			talk_with(leg, target);
		else
			give_at_once(leg, target);
		mem_unref(target);
	}
	mem_unref(held);
	if (bond[0])
		leg_var_set(leg, "signal_bond", bond);
	consult_end(leg, false);
	return leg_is_up(leg) ? ST_OK : ST_HANGUP;
}

/* ---- soft_hold ---- */

struct soft_hold {
	struct leg *held; /* reference */
	const char *keys;
	char *music_here; /* owned */
	uint32_t play_id;
};

/* Text with marks, owned by the caller; NULL: none. */
static ON_CTL char *music_of(struct leg *leg, const char *given)
{
	char *music = given ? mem_strdup(given) : leg_text_dup(leg, "hold_music");

	if (music && *music && strcasecmp(music, "silence") && strcasecmp(music, "indicate_hold"))
		return music;
	mem_free(music);
	return NULL;
}

/* Until one of the keys, or the other leg has gone. */
static CO int hold_wait(struct leg *leg, struct soft_hold *h)
{
	char digit = 0;
	int st = ST_OK;

	leg_dtmf_flush(leg);
	while (st == ST_OK && leg->peer == h->held) {
		while (leg_dtmf_take(leg, &digit, NULL))
			if (strchr(h->keys, digit))
				return ST_OK;
		if (!h->music_here) {
			st = leg_wait(leg, -1);
			continue;
		}
		st = leg_play(leg, h->music_here, h->keys, &digit);
		if (digit)
			return ST_OK;
		if (st == ST_TIMEOUT) /* playback_timeout_sec: the music begins anew */
			st = ST_OK;
		if (st == ST_NOTFOUND) {
			mem_free(h->music_here);
			h->music_here = NULL;
			st = ST_OK;
		}
	}
	return st;
}

/* The holder hung up: its hold_hangup_xfer_exten ("exten[:dialplan[:context]]") says where the held one goes. */
static ON_CTL void held_goes(struct leg *leg, struct leg *held)
{
	if (leg_is_up(held))
		leg_var_copy(held, "transfer_after_bridge", leg, "hold_hangup_xfer_exten");
}

/* unhold_key [moh_a] [moh_b] */
int app_soft_hold(struct leg *leg, const char *data)
{
	struct soft_hold h = {0};
	struct app_words w;
	char *music;
	int st = app_words_init(&w, leg_exec_text(leg, data), 3);

	role_assert_co();
	if (st || !w.n || !leg->peer) {
		leg_log(leg, LOG_ERR, "soft_hold: %s",
		    w.n ? "the call has no other side" : "usage: <unhold key> [<moh_a>] [<moh_b>]");
		st = w.n ? ST_OK : ST_INVAL;
		goto out;
	}
	h.held = mem_ref(leg->peer);
	h.keys = w.w[0];
	h.music_here = music_of(leg, w.m[1]);
	music = music_of(h.held, w.n > 2 ? w.m[2] : NULL);
	leg_var_set(leg, "soft_holding_uuid", h.held->uuid);
	if (music && leg_media_stream(h.held)) {
		char *source = leg_source_full(h.held, music);
		if (source)
			mstream_play(leg_media_stream(h.held), source, -1, &h.play_id);
		mem_free(source);
	}
	mem_free(music);
	st = hold_wait(leg, &h);
	leg_var_set(leg, "soft_holding_uuid", NULL);
	if (h.play_id && leg_media_stream(h.held))
		mstream_play_stop(leg_media_stream(h.held), h.play_id);
	if (st == ST_HANGUP)
		held_goes(leg, h.held);
	mem_unref(h.held);
	mem_free(h.music_here);
out:
	app_words_fini(&w);
	return st == ST_HANGUP || st == ST_INVAL ? st : ST_OK;
}
