/* Hot-desking: a user logs in on any phone of his domain. Two features say it, kept like the others: "hotdesk-at" of
 * the user (the phone that rings for him) and "hotdesk-user" of the phone (for whom it calls). `hotdesk login` asks for
 * the number and the user's lock-pin, `hotdesk apply` in front of a dialplan makes the phone's calls the user's, and
 * feature_incoming rings the phone. Wrong pins are bounded: three in a call, then, over calls, a pause for that user;
 * a number that is nobody's is asked for its pin all the same. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/keys/digits.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "core/registry/app_words.h"
#include "core/run/exec.h"
#include "core/sound/play.h"
#include "core/value/vars.h"
#include "features/features_i.h"

#include <stdio.h>
#include <string.h>

enum { TRIES_IN_CALL = 3, FAILURES_MAX = 5, PAUSE_S = 300 };
struct failures {
	unsigned count;
	int64_t until_us; /* monotonic: forgotten, and a pause over */
};
static struct hash *failed; /* user@domain -> struct failures; of users of the directory only */

static void failures_free(void *p)
{
	mem_free(p);
}

int hotdesk_start(void)
{
	return hash_new(&failed, HASH_NOCASE, failures_free);
}

void hotdesk_stop(void)
{
	hash_free(failed);
	failed = NULL;
}

/* ---- who is where ---- */

const char *feature_phone_of(const struct feature_user *u)
{
	const char *at = feature_get(u, "hotdesk-at");
	return at ? at : feature_user_id(u);
}

/* Takes the feature from the user whom it names, when it names this one. */
static ON_CTL void undo(const struct feature_user *u, const char *name, const char *others, const char *by)
{
	const char *id = feature_get(u, name);
	struct feature_user *other;
	if (!id || feature_user_find(sv_of(id), sv_of(feature_user_domain(u)), &other))
		return;
	const char *back = feature_get(other, others);
	if (back && !strcmp(back, feature_user_id(u)))
		(void)feature_set(other, sv_of(others), NULL, by);
	feature_user_free(other);
}

static ON_CTL void logout(struct feature_user *phone, const char *by)
{
	undo(phone, "hotdesk-user", "hotdesk-at", by);
	(void)feature_set(phone, SV("hotdesk-user"), NULL, by);
}

static ON_CTL int login(struct feature_user *phone, struct feature_user *user, const char *by)
{
	logout(phone, by);
	undo(user, "hotdesk-at", "hotdesk-user", by);
	if (!strcmp(feature_user_id(phone), feature_user_id(user)))
		return feature_set(user, SV("hotdesk-at"), NULL, by); /* at his own phone again */
	int st = feature_set(user, SV("hotdesk-at"), feature_user_id(phone), by);
	return st ? st : feature_set(phone, SV("hotdesk-user"), feature_user_id(user), by);
}

/* ---- pins ---- */

static ON_CTL bool is_paused(struct sv user)
{
	const struct failures *f = hash_get(failed, user);
	return f && f->count >= FAILURES_MAX && clock_mono_us() < f->until_us;
}

static ON_CTL void count_failure(struct sv user)
{
	struct failures *f = hash_get(failed, user);
	int64_t now_us = clock_mono_us();
	if (!f) {
		f = mem_zalloc(sizeof(*f));
		if (!f || hash_set(failed, user, f)) {
			mem_free(f);
			return;
		}
	}
	if (now_us >= f->until_us)
		f->count = 0;
	f->count++;
	f->until_us = now_us + clock_us_of_s(PAUSE_S);
}

static CO int ask(struct leg *leg, struct leg_digits *d)
{
	*d = (struct leg_digits){.prompt = feature_param("ask-sound"), .terminators = "#"};
	leg_digits_limit(d, 1, 64, 8000, 4000);
	int st = leg_digits_read(leg, d);
	d->prompt = d->terminators = "";
	return st == ST_HANGUP || st == ST_CANCELLED ? st : ST_OK;
}

static const struct leg_watch keeps_keys; /* those pressed meanwhile are for the next question */

/* The user whose pin the caller knows; NULL: nobody. */
static CO struct feature_user *prove(struct leg *leg, const char *number, const char *domain)
{
	struct feature_user *u = NULL;
	struct leg_digits d;
	char key[2 * FEATURE_NAME_MAX];
	(void)feature_user_find(sv_of(number), sv_of(domain), &u);
	snprintf(key, sizeof(key), "%s@%s", u ? feature_user_id(u) : "", domain);
	for (int i = 0; i < TRIES_IN_CALL && leg_is_ready(leg); i++) {
		if (ask(leg, &d))
			break;
		bool is_good = u && !is_paused(sv_of(key)) && feature_pin_fits(u, d.digits);
		memset(d.digits, 0, sizeof(d.digits));
		if (is_good) {
			(void)hash_del(failed, sv_of(key));
			return u;
		}
		if (u)
			count_failure(sv_of(key));
		int st = leg_play_watched(leg, feature_param("wrong-sound"), &keeps_keys);
		if (st == ST_HANGUP || st == ST_CANCELLED)
			break;
	}
	leg_log(leg, LOG_WARNING, "hotdesk: no login as \"%s\": the pin is wrong, or was too often", number);
	feature_user_free(u);
	return NULL;
}

/* ---- the application ---- */

/* The phone itself, also when its calls are another's by now. */
static CO struct feature_user *phone_of(struct leg *leg)
{
	char *own = mem_strdup(vars_get(leg->vars, "hotdesk_device"));
	struct feature_user *u = own ? feature_user_named(leg, own) : feature_user_of_leg(leg);
	mem_free(own);
	return u;
}

static CO void apply(struct leg *leg, struct feature_user *phone)
{
	const char *id = feature_get(phone, "hotdesk-user");
	struct buf b;
	if (!id)
		return;
	leg_var_setf(leg, "hotdesk_device", "%s@%s", feature_user_id(phone), feature_user_domain(phone));
	buf_init(&b);
	buf_printf(&b, "%s@%s", id, feature_user_domain(phone));
	leg_var_set(leg, "hotdesk_user", b.p);
	if (!b.failed)
		(void)leg_exec_app(leg, "set_user", b.p);
	buf_fini(&b);
}

static CO bool login_asked(struct leg *leg, struct feature_user *phone, struct sv given)
{
	struct leg_digits d = {.count = 0};
	char number[FEATURE_NUMBER_MAX + 1];
	snprintf(number, sizeof(number), "%.*s", SVF(given));
	if (!*number) {
		if (ask(leg, &d))
			return false;
		snprintf(number, sizeof(number), "%.*s", FEATURE_NUMBER_MAX, d.digits);
	}
	struct feature_user *u = prove(leg, number, feature_user_domain(phone));
	bool is_in = u && !login(phone, u, "phone");
	feature_user_free(u);
	return is_in;
}

/* login [USER] | logout | apply */
int app_hotdesk(struct leg *leg, const char *data)
{
	struct sv verb, rest;
	role_assert_co();
	struct feature_user *phone = phone_of(leg);
	sv_split(sv_trim(sv_of(data)), ' ', &verb, &rest);
	if (!phone) {
		leg_log(leg, LOG_ERR, "hotdesk: the caller is no user of the directory");
		leg_var_set(leg, "feature_result", "wrong");
	} else if (sv_isi(verb, "apply")) {
		apply(leg, phone);
	} else if (sv_isi(verb, "login") || sv_isi(verb, "logout")) {
		bool is_done = true;
		if (sv_isi(verb, "login"))
			is_done = login_asked(leg, phone, sv_trim(rest));
		else
			logout(phone, "phone");
		leg_var_set(leg, "feature_result", is_done ? "done" : "wrong");
		if (is_done && leg_is_ready(leg))
			(void)leg_play(leg, feature_param("done-sound"), "none", NULL);
	} else {
		leg_log(leg, LOG_ERR, "hotdesk: usage: login [<user>] | logout | apply");
		leg_var_set(leg, "feature_result", "wrong");
	}
	feature_user_free(phone);
	return leg_is_up(leg) ? ST_OK : ST_HANGUP;
}

/* show USER@DOMAIN | login PHONE@DOMAIN USER | logout PHONE@DOMAIN */
int api_hotdesk(struct api_call *c)
{
	struct app_words w;
	struct feature_user *u = NULL, *user = NULL;
	role_assert_ctl();
	/* what is from outside parts no words: it names no other phone */
	int st = app_words_init(&w, c->who ? c->args : c->text, 3);
	struct sv verb = sv_of(w.n ? w.w[0] : ""), who = sv_of(w.n > 1 ? w.w[1] : ""),
	          rest = sv_of(w.n > 2 ? w.w[2] : "");
	bool is_login = sv_isi(verb, "login");
	if (st || (!is_login && !sv_isi(verb, "logout") && !sv_isi(verb, "show"))) {
		buf_adds(
		    c->out, "-USAGE: show <user>@<domain> | login <phone>@<domain> <user> | logout <phone>@<domain>\n");
	} else if (feature_user_find(who, SV_NONE, &u)) {
		buf_printf(c->out, "-ERR no user \"%.*s\" (user@domain)\n", SVF(who));
	} else if (sv_isi(verb, "show")) {
		const char *at = feature_get(u, "hotdesk-at"), *has = feature_get(u, "hotdesk-user");
		buf_printf(c->out, "at,%s\nuser,%s\n", at ? at : "", has ? has : "");
	} else if (is_login && feature_user_find(rest, sv_of(feature_user_domain(u)), &user)) {
		buf_printf(c->out, "-ERR no user \"%.*s\"\n", SVF(rest));
	} else {
		if (is_login)
			(void)login(u, user, "command");
		else
			logout(u, "command");
		buf_adds(c->out, "+OK\n");
	}
	feature_user_free(user);
	feature_user_free(u);
	app_words_fini(&w);
	return st;
}
