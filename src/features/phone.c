/* The application feature: a subscriber changes his own features by keys. It does nothing for a leg of whom nobody
 * knows the user, and never more than a value's kind allows; what is missing is asked for. Wrong PINs are counted by
 * user: after a few of them nothing of that user's lock can be changed by phone for a while, whoever calls. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/keys/digits.h"
#include "core/leg/leg.h"
#include "core/registry/app_words.h"
#include "core/run/exec.h"
#include "core/sound/say.h"
#include "features/features_i.h"
#include "text/mark.h"

#include <stdio.h>
#include <string.h>

enum { PIN_TRIES = 5, PIN_PAUSE_US = 600000000, TRIED_MAX = 10000, ASK_MS = 8000, KEY_MS = 4000 };

/* ---- wrong PINs ---- */

struct tried {
	unsigned wrong;
	int64_t last_us;
};
static struct hash *tried; /* by user */

static void tried_free(void *p)
{
	mem_free(p);
}

static CO struct tried *tried_of(const char *user)
{
	struct tried *t;
	if (!tried && hash_new(&tried, 0, tried_free))
		return NULL;
	t = hash_get(tried, sv_of(user));
	if (t && clock_mono_us() - t->last_us > PIN_PAUSE_US)
		t->wrong = 0;
	if (t)
		return t;
	if (hash_count(tried) >= TRIED_MAX) { /* of those who are over, or of all */
		hash_free(tried);
		tried = NULL;
		return NULL;
	}
	t = mem_zalloc(sizeof(*t));
	if (t && hash_set(tried, sv_of(user), t)) {
		mem_free(t);
		t = NULL;
	}
	return t;
}

/* ---- asking ---- */

static CO int ask(struct leg *leg, unsigned max, char out[FEATURE_VALUE_MAX])
{
	struct leg_digits d = {.prompt = feature_param("ask-sound"), .terminators = "#"};
	leg_digits_limit(&d, 1, max, ASK_MS, KEY_MS);
	int st = leg_digits_read(leg, &d);
	if (st == ST_TIMEOUT && d.count)
		st = ST_OK;
	snprintf(out, FEATURE_VALUE_MAX, "%s", d.digits);
	return st;
}

static CO int tone(struct leg *leg, const char *param)
{
	int st = leg_play(leg, feature_param(param), "any", NULL);
	return st == ST_HANGUP || st == ST_CANCELLED ? st : ST_OK;
}

static CO int answer_of(struct leg *leg, int st)
{
	if (st == ST_HANGUP || st == ST_CANCELLED)
		return st;
	leg_var_set(leg, "feature_result", st ? st == ST_FULL ? "full" : "wrong" : "done");
	return tone(leg, st ? "wrong-sound" : "done-sound");
}

/* The PIN of who has one, from data or by keys. */
static CO int pin_ask(struct leg *leg, const struct feature_user *u, const char *given)
{
	char pin[FEATURE_VALUE_MAX], user[2 * FEATURE_VALUE_MAX];
	if (!feature_get(u, "lock-pin"))
		return ST_OK;
	snprintf(user, sizeof(user), "%s@%s", feature_user_id(u), feature_user_domain(u));
	struct tried *t = tried_of(user);
	if (!t || t->wrong >= PIN_TRIES) {
		leg_log(leg, LOG_WARNING, "feature: too many wrong PINs of %s, nothing is changed for %d minutes", user,
		    PIN_PAUSE_US / 60000000);
		return ST_DENIED;
	}
	int st = given && *given ? ST_OK : ask(leg, 12, pin);
	if (st)
		return st;
	t = tried_of(user);
	if (!t || t->wrong >= PIN_TRIES)
		return ST_DENIED;
	t->last_us = clock_mono_us();
	if (!feature_pin_fits(u, given && *given ? given : pin)) {
		t->wrong++;
		return ST_DENIED;
	}
	t->wrong = 0;
	return ST_OK;
}

/* ---- verbs ---- */

static unsigned keys_of(const struct feature_kind *k)
{
	return k->type == FEATURE_WAKE      ? 4
	       : k->type == FEATURE_PIN     ? 12
	       : k->type == FEATURE_SECONDS ? 3
	                                    : FEATURE_NUMBER_MAX;
}

/* "0730" as keys give it. */
static void wake_spell(char value[FEATURE_VALUE_MAX], const char *days)
{
	char keys[FEATURE_VALUE_MAX];
	snprintf(keys, sizeof(keys), "%s", value);
	if (strlen(keys) == 4 && strspn(keys, "0123456789") == 4)
		snprintf(value, FEATURE_VALUE_MAX, "%.2s:%.2s %.40s", keys, keys + 2, days && *days ? days : "once");
}

static CO int set(struct leg *leg, struct feature_user *u, const struct app_words *w)
{
	struct sv key, name = sv_of(w->n > 1 ? w->w[1] : "");
	char value[FEATURE_VALUE_MAX] = "", free_name[FEATURE_NAME_MAX];
	const struct feature_kind *k = feature_kind_of(name, &key);
	if (!k && sv_isi(name, "wake")) { /* without a key: the next that is free */
		if (!feature_free_key(u, "wake", free_name))
			return ST_FULL;
		name = sv_of(free_name);
		k = feature_kind_of(name, &key);
	}
	if (!k || k->is_quiet)
		return ST_NOTFOUND;
	if (k->type == FEATURE_CALLBACK)
		return callback_ask(u, key, w->n > 2 ? w->w[2] : "busy", "phone");
	if (w->n > 2)
		snprintf(value, sizeof(value), "%s", w->w[2]);
	int st = *value || k->type == FEATURE_FLAG ? ST_OK : ask(leg, keys_of(k), value);
	if (!st && (k->type == FEATURE_PIN || sv_isi(name, "lock")))
		st = pin_ask(leg, u, w->n > 3 ? w->w[3] : NULL);
	if (k->type == FEATURE_WAKE)
		wake_spell(value, w->n > 3 ? w->w[3] : NULL);
	return st ? st : feature_set(u, name, value, "phone");
}

static CO int clear(struct leg *leg, struct feature_user *u, const struct app_words *w)
{
	struct sv key, name = sv_of(w->n > 1 ? w->w[1] : "");
	const struct feature_kind *k = feature_kind_of(name, &key);
	if (!k && name.n && !memchr(name.p, ':', name.n)) { /* all of a kind with keys */
		char one[FEATURE_NAME_MAX];
		snprintf(one, sizeof(one), "%.40s:1", w->w[1]);
		if (!feature_kind_of(sv_of(one), &key))
			return ST_NOTFOUND;
		(void)feature_clear_all(u, w->w[1], "phone");
		return ST_OK;
	}
	if (!k)
		return ST_NOTFOUND;
	int st = k->type == FEATURE_PIN || sv_isi(name, "lock") ? pin_ask(leg, u, w->n > 2 ? w->w[2] : NULL) : ST_OK;
	return st ? st : feature_set(u, name, k->fallback && k->type == FEATURE_FLAG ? "false" : NULL, "phone");
}

/* Says the number behind it and goes there. */
static CO int dial(struct leg *leg, const struct feature_user *u, const struct app_words *w)
{
	struct sv key;
	const struct feature_kind *k = feature_kind_of(sv_of(w->n > 1 ? w->w[1] : ""), &key);
	const char *number = k && k->type == FEATURE_NUMBER ? feature_get(u, w->w[1]) : NULL;
	char *exten = number ? mark_dup(number) : NULL;
	int st = exten ? leg_transfer(leg, exten, NULL, NULL) : ST_NOTFOUND;
	mem_free(exten);
	return st ? st : ST_CANCELLED;
}

static CO int toggle(struct leg *leg, struct feature_user *u, const struct app_words *w)
{
	struct sv key;
	const struct feature_kind *k = feature_kind_of(sv_of(w->n > 1 ? w->w[1] : ""), &key);
	if (!k || k->type != FEATURE_FLAG)
		return ST_NOTFOUND;
	bool is_on = feature_is_on(u, w->w[1]);
	int st = sv_isi(sv_of(w->w[1]), "lock") ? pin_ask(leg, u, NULL) : ST_OK;
	if (!st)
		st = feature_set(u, sv_of(w->w[1]), is_on ? "false" : "true", "phone");
	if (!st && is_on)
		st = tone(leg, "off-sound"); /* and the one for done: two tones */
	return st;
}

/* Says what is set: a number digit by digit, a flag by the tone of what is on or off. */
static CO int tell(struct leg *leg, const struct feature_user *u, const struct app_words *w)
{
	struct sv key;
	const struct feature_kind *k = feature_kind_of(sv_of(w->n > 1 ? w->w[1] : ""), &key);
	const char *v = k && !k->is_private ? feature_get(u, w->w[1]) : NULL;
	struct leg_play_end end = {.terminators = "any"};
	if (!k || k->is_private)
		return ST_NOTFOUND;
	if (!v || !strcmp(v, "false"))
		return tone(leg, "off-sound");
	if (k->type == FEATURE_FLAG)
		return tone(leg, "done-sound");
	char *text = mem_strdup(v);
	struct say_request r = {
	    .type = k->type == FEATURE_SECONDS ? "NUMBER" : "NAME_SPELLED", .method = "PRONOUNCED", .text = text};
	int st = text ? leg_say(leg, &r, &end) : ST_NOMEM;
	mem_free(text);
	return st == ST_HANGUP || st == ST_CANCELLED ? st : ST_OK;
}

/* set NAME [VALUE] | clear NAME | toggle NAME | tell NAME | dial NAME */
int app_feature(struct leg *leg, const char *data)
{
	role_assert_co();
	struct app_words w;
	struct feature_user *u = feature_user_of_leg(leg);
	int st = app_words_init(&w, leg_exec_text(leg, data), 4);
	if (!st && (!w.n || mark_has(sv_of(w.m[0])))) {
		leg_log(leg, LOG_ERR,
		    "feature: usage: set <name> [<value>] | clear <name> | toggle <name> | tell <name> | dial <name>");
		st = ST_INVAL;
	} else if (!st && !u) {
		leg_log(leg, LOG_WARNING, "feature: nobody knows whose call this is (user_name, domain_name)");
		st = ST_OK;
		leg_var_set(leg, "feature_result", "unknown");
	} else if (!st) {
		bool is_told = true;
		if (!strcmp(w.w[0], "set"))
			st = set(leg, u, &w);
		else if (!strcmp(w.w[0], "clear"))
			st = clear(leg, u, &w);
		else if (!strcmp(w.w[0], "toggle"))
			st = toggle(leg, u, &w);
		else if (!strcmp(w.w[0], "tell"))
			st = tell(leg, u, &w), is_told = st != ST_OK;
		else if (!strcmp(w.w[0], "dial"))
			st = dial(leg, u, &w);
		else
			st = ST_NOTFOUND;
		if (st == ST_NOTFOUND)
			leg_log(leg, LOG_NOTICE, "feature: %s: there is no such feature, or nothing is set", data);
		st = is_told ? answer_of(leg, st) : st;
	}
	app_words_fini(&w);
	feature_user_free(u);
	return st;
}
