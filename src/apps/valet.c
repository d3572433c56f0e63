/* valet_park: calls wait in numbered slots of a lot until somebody dials the slot, their time is over, or they leave by
 * a key. What is parked plays on its own coroutine; whoever comes for it is bridged to it and the play unwinds. */
#include "apps/apps_i.h"
#include "apps/valet_i.h"
#include "base/clock.h"
#include "base/mem.h"
#include "core/bridge/bridge.h"
#include "core/event/event.h"
#include "core/keys/digits.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "core/registry/app.h"
#include "core/registry/app_words.h"
#include "core/registry/module.h"
#include "core/run/exec.h"
#include "core/sound/play.h"
#include "core/sound/say.h"
#include "core/value/cause.h"
#include "core/value/vars.h"
#include "text/mark.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char usage[] = "<lotname> <extension>|[ask [<min>] [<max>] [<to>] [<prompt>]|auto in [min] [max]]";

static ON_CTL void fire(struct leg *leg, struct lot *lot, const char *ext, const char *action, const char *to_uuid)
{
	struct event *e;

	if (!event_is_wanted(EVENT_CUSTOM, "valet_parking::info") ||
	    !(e = event_new(EVENT_CUSTOM, "valet_parking::info")))
		return;
	event_add(e, "Valet-Lot-Name", valet_lot_name(lot));
	event_add(e, "Valet-Extension", ext);
	event_add(e, "Action", action);
	event_add(e, "Bridge-To-UUID", to_uuid);
	leg_event_headers(leg, e);
	event_fire(e);
}

/* ---- who waits ---- */

struct wait {
	int64_t deadline_us; /* 0 = none */
	struct ltimer timer;
	const char *exit_key;
	bool is_timed_out, has_left;
};

static void wait_timer(void *arg)
{
	role_assert_ctl();
	leg_wake(arg);
}

static bool goes_on(struct leg *leg, void *arg)
{
	struct wait *w = arg;
	char digit;

	role_assert_co();
	while (!w->has_left && leg_dtmf_take(leg, &digit, NULL))
		w->has_left = strchr(w->exit_key, digit) != NULL;
	w->is_timed_out = w->deadline_us && clock_mono_us() >= w->deadline_us;
	return !w->has_left && !w->is_timed_out;
}

static ON_CTL int64_t timeout_us(struct leg *leg)
{
	const char *text = vars_get(leg->vars, "valet_parking_timeout");
	long s = text ? atol(text) : 0;

	if (s <= 0 && vars_get(leg->vars, "valet_parking_orbit_exten"))
		s = 60;
	return s > 0 && s < 10 * 86400 ? clock_us_of_s(s) : 0;
}

static ON_CTL void to_orbit(struct leg *leg)
{
	char *exten = leg_text_dup(leg, "valet_parking_orbit_exten"),
	     *dialplan = leg_text_dup(leg, "valet_parking_orbit_dialplan"),
	     *context = leg_text_dup(leg, "valet_parking_orbit_context");

	leg_transfer(leg, exten, dialplan, context);
	mem_free(exten);
	mem_free(dialplan);
	mem_free(context);
}

/* Music until somebody comes for the leg, its time is over or it presses the key. */
static CO int wait_in_slot(struct leg *leg, const char *music)
{
	struct leg_watch watch = {.goes_on = goes_on};
	const char *key = vars_get(leg->vars, "valet_parking_orbit_exit_key");
	char *own_key = mem_strdup(key ? key : "#");
	struct wait w = {.exit_key = own_key};
	int64_t us = timeout_us(leg);
	int st = ST_OK;

	if (us) {
		w.deadline_us = clock_mono_us() + us;
		loop_timer_set(&w.timer, us, "valet timeout", wait_timer, leg);
	}
	watch.arg = &w;
	while (!st && !w.has_left && !w.is_timed_out) {
		st = leg_play_watched(leg, music, &watch);
		if (st == ST_NOTFOUND && strcmp(music, "silence_stream://-1")) {
			music = "silence_stream://-1";
			st = ST_OK;
		}
	}
	loop_timer_cancel(&w.timer);
	if (leg_is_ready(leg) && (w.is_timed_out || (w.has_left && key)) &&
	    vars_get(leg->vars, "valet_parking_orbit_exten"))
		to_orbit(leg);
	mem_free(own_key);
	return st;
}

/* Where a phone that parked the call by an attended transfer sends it: straight to the slot. */
static ON_CTL void tell_destination(struct leg *leg, struct lot *lot, const char *ext, const char *music)
{
	static const char *const kept[] = {"valet_parking_timeout", "valet_parking_orbit_exten",
	    "valet_parking_orbit_dialplan", "valet_parking_orbit_context"};
	struct buf b, scratch;

	buf_init(&b);
	buf_init(&scratch);
	buf_adds(&b, "m:^:");
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (vars_get(leg->vars, kept[i]))
			buf_printf(&b, "set:%s=%s^", kept[i], vars_text(leg->vars, kept[i], &scratch));
	buf_printf(&b, "set:valet_ticket=%s^set:valet_hold_music=%s^valet_park:", leg->uuid, music);
	mark_put(&b, sv_of(valet_lot_name(lot)));
	buf_addc(&b, ' ');
	mark_put(&b, sv_of(ext));
	leg_var_set_text(leg, "inline_destination", b.p);
	buf_fini(&scratch);
	buf_fini(&b);
}

static CO int announce(struct leg *leg, struct lot *lot, const char *ext)
{
	const char *wanted = vars_get(leg->vars, "valet_announce_slot");
	struct leg_play_end end = {0};
	struct buf data;
	int st;

	if (wanted && !str_is_true(wanted))
		return ST_OK;
	st = leg_sleep(leg, 1500000);
	if (st)
		return st;
	buf_init(&data);
	mark_put(&data, sv_of(valet_lot_name(lot)));
	buf_addc(&data, ':');
	mark_put(&data, sv_of(ext));
	st = leg_phrase(leg, "valet_announce_ext", data.p, NULL, &end);
	buf_fini(&data);
	return st == ST_HANGUP || st == ST_CANCELLED ? st : ST_OK;
}

/* A call that was transferred here by its other side: that side hears the slot's number and goes, it waits. */
static CO int park_partner(struct leg *leg, struct leg *partner, struct slot *slot)
{
	struct lot *lot = slot->lot;
	char ext[64];
	char *destination;

	valet_slot_reserve(slot);
	snprintf(ext, sizeof(ext), "%s", slot->ext);
	mem_ref(partner);
	announce(leg, lot, ext);
	destination = leg_text_dup(leg, "inline_destination");
	if (leg_is_up(partner) && destination)
		leg_transfer(partner, destination, "inline", NULL);
	mem_free(destination);
	leg_hangup(leg, CAUSE_NORMAL_CLEARING);
	mem_unref(partner);
	return ST_HANGUP;
}

static CO int park_in(struct leg *leg, struct slot *slot, bool is_auto)
{
	struct lot *lot = slot->lot;
	char *ext = mem_strdup(slot->ext), *music = leg_text_dup(leg, "valet_hold_music");
	int st = ST_OK;

	if (!music)
		music = leg_text_dup(leg, "hold_music");
	if (!music || !strcasecmp(music, "silence")) {
		mem_free(music);
		music = mem_strdup("silence_stream://-1");
	}
	tell_destination(leg, lot, ext, music);
	if (is_auto) {
		struct leg *partner = leg_partner(leg);
		if (partner && leg_is_up(partner)) {
			st = park_partner(leg, partner, slot);
			goto out;
		}
		st = announce(leg, lot, ext);
	}
	if (!st) {
		fire(leg, lot, ext, "hold", NULL);
		leg_var_set(leg, "valet_lot_extension", ext);
		valet_presence(lot, ext, true);
		st = wait_in_slot(leg, music);
	}
	valet_slot_free(lot, ext, leg->uuid);
	valet_presence(lot, ext, false);
	fire(leg, lot, ext, "exit", NULL);
out:
	mem_free(ext);
	mem_free(music);
	return st == ST_HANGUP ? st : ST_OK;
}

/* ---- who comes ---- */

/* ST_OK: the leg talks to who waited there; ST_NOTFOUND: nobody does. */
static ON_CTL int fetch(struct leg *leg, struct lot *lot, const char *ext)
{
	struct slot *slot = valet_slot_find(lot, ext);
	const char *ticket = vars_get(leg->vars, "valet_ticket");
	struct leg *parked;

	if (!slot)
		return ST_NOTFOUND;
	if (slot->is_reserved || ticket) {
		bool is_his = ticket && !strcmp(ticket, slot->uuid);
		leg_var_set(leg, "valet_ticket", NULL);
		if (is_his)
			return ST_NOTFOUND; /* the place was kept for it */
		if (slot->is_reserved) {
			leg_log(leg, LOG_ERR, "valet_park: %s is kept for somebody else", ext);
			leg_hangup(leg, CAUSE_DESTINATION_OUT_OF_ORDER);
			return ST_HANGUP;
		}
	}
	parked = leg_find(slot->uuid);
	fire(parked, lot, ext, "bridge", leg->uuid);
	return bridge_two(parked, leg);
}

/* auto in|out MIN MAX */
static CO int park_auto(struct leg *leg, struct lot *lot, const struct app_words *w)
{
	bool is_in = w->n > 2 && !strcasecmp(w->w[2], "in");
	unsigned min = w->n > 3 ? (unsigned)atoi(w->w[3]) : 0, max = w->n > 4 ? (unsigned)atoi(w->w[4]) : 0;
	struct leg_play_end end = {0};
	struct slot *slot = NULL;
	char ext[16];

	if (w->n < 5 || (!is_in && strcasecmp(w->w[2], "out"))) {
		leg_log(leg, LOG_ERR, "valet_park: usage: %s", usage);
		return ST_INVAL;
	}
	if (!is_in && (slot = valet_lot_longest(lot, min, max)))
		return fetch(leg, lot, slot->ext);
	if (is_in && valet_lot_next_free(lot, min, max, ext))
		slot = valet_slot_take(lot, ext, leg->uuid);
	if (slot)
		return park_in(leg, slot, true);
	leg_log(leg, LOG_ERR, "%s lot is %s.", leg->name, is_in ? "full" : "empty");
	leg_phrase(leg, is_in ? "valet_lot_full" : "valet_lot_empty", NULL, NULL, &end);
	return leg_is_up(leg) ? ST_OK : ST_HANGUP;
}

static ON_CTL unsigned ask_number(
    struct leg *leg, const struct app_words *w, int i, const char *name, unsigned otherwise)
{
	const char *text = w->n > i ? w->w[i] : vars_get(leg->vars, name);
	return text && atoi(text) > 0 ? (unsigned)atoi(text) : otherwise;
}

/* ask MINDIGITS MAXDIGITS TIMEOUT_MS PROMPT: into ext. ST_TIMEOUT: nothing came. */
static CO int ask(struct leg *leg, const struct app_words *w, char ext[LEG_DIGITS_MAX + 1])
{
	char *prompt = w->n > 5 ? mem_strdup(w->m[5]) : leg_text_dup(leg, "valet_ext_prompt");
	struct leg_digits d = {.prompt = prompt ? prompt : "ivr/ivr-enter_ext_pound.wav", .terminators = "#"};
	int st = ST_LIMIT;

	leg_digits_limit(&d, ask_number(leg, w, 2, "valet_ext_min", 1), ask_number(leg, w, 3, "valet_ext_max", 11),
	    ask_number(leg, w, 4, "valet_ext_to", 10000), 0);
	while (st == ST_LIMIT && leg_is_up(leg))
		st = leg_digits_read(leg, &d);
	mem_free(prompt);
	if (st && st != ST_TIMEOUT)
		return st;
	snprintf(ext, LEG_DIGITS_MAX + 1, "%s", d.digits);
	return d.count ? ST_OK : ST_TIMEOUT;
}

/* lot ext | lot auto in|out MIN MAX | lot ask [MIN] [MAX] [TIMEOUT] [PROMPT] */
static int app_valet_park(struct leg *leg, const char *data)
{
	char asked[LEG_DIGITS_MAX + 1];
	struct slot *slot;
	struct app_words w;
	struct lot *lot;
	const char *ext;
	int st = app_words_init(&w, leg_exec_text(leg, data), 6);

	role_assert_co();
	if (st || w.n < 2 || valet_lot_get(w.w[0], &lot)) {
		leg_log(leg, LOG_ERR, "valet_park: usage: %s", usage);
		st = ST_INVAL;
		goto out;
	}
	ext = w.w[1];
	if (!strcasecmp(ext, "auto")) {
		st = park_auto(leg, lot, &w);
		goto out;
	}
	if (!strcasecmp(ext, "ask")) {
		st = ask(leg, &w, asked);
		if (st) {
			if (st != ST_CANCELLED)
				leg_hangup(leg, CAUSE_DESTINATION_OUT_OF_ORDER);
			goto out;
		}
		ext = asked;
	}
	st = fetch(leg, lot, ext);
	if (st == ST_NOTFOUND) {
		slot = valet_slot_take(lot, ext, leg->uuid);
		st = slot ? park_in(leg, slot, false) : ST_NOMEM;
	}
out:
	app_words_fini(&w);
	return leg_is_up(leg) ? (st == ST_INVAL ? st : ST_OK) : ST_HANGUP;
}

static const struct app_desc apps[] = {
    {"valet_park", "valet_park", usage, APP_NO_MEDIA, app_valet_park},
    {0},
};
static const struct api_desc apis[] = {
    {"valet_info", "Valet Parking Info", "[<lot name>]", 0, api_valet_info, NULL},
    {0},
};
static const struct var_desc vars[] = {
    {"valet_parking_timeout", "seconds", "how long a call waits in its slot", true, false},
    {"valet_parking_orbit_exten", "extension", "where it goes then; 60 s without valet_parking_timeout", true, false},
    {"valet_parking_orbit_dialplan", "dialplan", "of valet_parking_orbit_exten", true, false},
    {"valet_parking_orbit_context", "context", "of valet_parking_orbit_exten", true, false},
    {"valet_parking_orbit_exit_key", "digits", "keys by which the waiting caller goes there himself", true, false},
    {"valet_hold_music", "source", "what a waiting call hears; default hold_music", true, false},
    {"valet_announce_slot", "bool", "auto in: the slot's number is spoken; default true", true, false},
    {"valet_ticket", "uuid", "whose slot the leg may take over", true, true},
    {"valet_ext_min", "number", "fewest digits of ask; default 1", true, false},
    {"valet_ext_max", "number", "most digits of ask; default 11", true, false},
    {"valet_ext_to", "ms", "how long ask waits; default 10000", true, false},
    {"valet_ext_prompt", "source", "what ask plays", true, false},
    {"valet_lot_extension", "extension", "the slot a call waited in last", false, true},
    {"inline_destination", "actions", "where an attended transfer to this leg sends the other side", true, true},
    {0},
};

static int load(void)
{
	role_assert_ctl();
	return valet_lots_load();
}

static int unload(void)
{
	role_assert_ctl();
	valet_lots_unload();
	return ST_OK;
}

extern const struct module mod_valet_parking;
const struct module mod_valet_parking = {.abi = MODULE_ABI,
    .name = "mod_valet_parking",
    .load = load,
    .unload = unload,
    .apps = apps,
    .apis = apis,
    .vars = vars};
