/* Listening in on other legs: eavesdrop (one, or all in turn) with its keys, three_way. */
#include "apps/apps_i.h"
#include "base/mem.h"
#include "core/keys/digits.h"
#include "core/leg/leg.h"
#include "core/registry/app_words.h"
#include "core/run/exec.h"
#include "core/sound/play.h"
#include "core/sound/tap.h"
#include "core/value/vars.h"
#include "text/mark.h"
#include <string.h>
#include <strings.h>

enum { FAILED_WAIT_MS = 5000, IDLE_WAIT_MS = 2000, HEAR_BOTH = MEDIA_SPY_READ | MEDIA_SPY_WRITE };

struct spying {
	unsigned hear, whisper; /* enum media_spy_flag */
	bool takes_keys;
	const char *group; /* the target must be of it, or NULL */
};

/* What he hears of the target he may also speak into. */
static unsigned flags_of(const struct spying *y)
{
	unsigned may =
	    (y->hear & MEDIA_SPY_READ ? MEDIA_WHISPER_READ : 0) | (y->hear & MEDIA_SPY_WRITE ? MEDIA_WHISPER_WRITE : 0);
	return y->hear | (y->whisper & may);
}

static ON_CTL bool is_of_group(struct leg *target, const char *group)
{
	struct sv rest = sv_of(vars_get(target->vars, "eavesdrop_group")), one;

	while (rest.n) {
		sv_split(rest, ',', &one, &rest);
		if (sv_is(one, group))
			return true;
	}
	return false;
}

/* Keys 0 to 3 say into which sides he whispers; false: he wants to leave. */
static ON_CTL bool key(struct leg *leg, struct spying *y, char digit)
{
	static const unsigned whispers[] = {
	    0, MEDIA_WHISPER_READ, MEDIA_WHISPER_WRITE, MEDIA_WHISPER_READ | MEDIA_WHISPER_WRITE};

	if (digit == '*')
		return false;
	if (digit >= '0' && digit <= '3') {
		y->whisper = whispers[digit - '0'];
		leg_spy_set(leg, flags_of(y));
	}
	return true;
}

static CO int hear_until(struct leg *leg, struct spying *y)
{
	int st = ST_OK;
	char digit;

	while (!st && leg_spy_is_on(leg)) {
		while (y->takes_keys && leg_dtmf_take(leg, &digit, NULL))
			if (!key(leg, y, digit))
				return ST_OK;
		st = leg_wait(leg, -1);
	}
	return st;
}

/* ST_DENIED: not of the group; ST_NOTFOUND: no such leg, or it has no sound. */
static CO int spy_on(struct leg *leg, const char *uuid, struct spying *y)
{
	struct leg *target = leg_find(uuid);
	const char *announce;
	int st;

	if (!target || target == leg)
		return ST_NOTFOUND;
	if (y->group && *y->group && !is_of_group(target, y->group))
		return ST_DENIED;
	mem_ref(target);
	announce = vars_get(target->vars, "eavesdrop_announce_id");
	if (announce) {
		char *macro = leg_text_dup(target, "eavesdrop_announce_macro");
		struct buf source;
		buf_init(&source);
		buf_printf(&source, "phrase:%s:", macro ? macro : "eavesdrop_announce");
		mark_put(&source, sv_of(announce));
		(void)leg_play(leg, source.p, "", NULL);
		buf_fini(&source);
		mem_free(macro);
	}
	st = leg_is_up(leg) ? leg_spy_start(leg, target, flags_of(y)) : ST_HANGUP;
	if (!st) {
		st = hear_until(leg, y);
		leg_spy_stop(leg);
	} else if (st == ST_UNSUPPORTED) {
		leg_log(leg, LOG_ERR, "eavesdrop: one of the two codecs cannot be worked on");
	}
	mem_unref(target);
	return st;
}

/* The tone of a variable, then up to ms for a * that shortens the wait. */
static CO int indicate(struct leg *leg, const char *var, unsigned ms)
{
	char *copy = vars_get(leg->vars, var) ? leg_text_dup(leg, var) : NULL;
	int st = copy ? leg_play(leg, copy, NULL, NULL) : ST_OK;

	mem_free(copy);
	if (st == ST_HANGUP || st == ST_CANCELLED || !ms)
		return st == ST_NOTFOUND ? ST_OK : st;
	struct leg_digits d = {.min = 0, .max = 1, .timeout_us = ms * INT64_C(1000), .terminators = "*"};
	d.digit_timeout_us = d.timeout_us;
	st = leg_digits_collect(leg, &d);
	return st == ST_HANGUP || st == ST_CANCELLED ? st : ST_OK;
}

struct uuids {
	const struct leg *but;
	struct buf text; /* UUID_CHARS + 1 bytes each */
};
static bool add_uuid(struct leg *leg, void *arg)
{
	struct uuids *u = arg;

	role_assert_ctl();
	if (leg != u->but && leg_is_up(leg))
		(void)buf_add(&u->text, leg->uuid, sizeof(leg->uuid));
	return true;
}

static CO int spy_on_all(struct leg *leg, struct spying *y)
{
	int st = ST_OK;

	while (!st && leg_is_up(leg)) {
		struct uuids u = {.but = leg};
		buf_init(&u.text);
		leg_each(add_uuid, &u);
		if (!u.text.n)
			st = indicate(leg, "eavesdrop_indicate_idle", IDLE_WAIT_MS);
		size_t denied = 0, count = u.text.n / (UUID_CHARS + 1);
		for (size_t i = 0; !st && i < count; i++) {
			const char *uuid = u.text.p + i * (UUID_CHARS + 1);
			struct leg *target = leg_find(uuid);
			if (!target)
				continue;
			if (y->group && *y->group && !is_of_group(target, y->group)) {
				denied++;
				continue;
			}
			st = indicate(leg, "eavesdrop_indicate_new", 0);
			if (!st)
				st = spy_on(leg, uuid, y);
			if (st == ST_NOTFOUND || st == ST_UNSUPPORTED || st == ST_BUSY)
				st = indicate(leg, "eavesdrop_indicate_failed", FAILED_WAIT_MS);
		}
		if (!st && count && denied == count) /* nobody to hear: not at once again */
			st = indicate(leg, "eavesdrop_indicate_idle", IDLE_WAIT_MS);
		buf_fini(&u.text);
	}
	return st;
}

int app_eavesdrop(struct leg *leg, const char *data)
{
	struct spying y = {.takes_keys = true};
	const char *keys = vars_get(leg->vars, "eavesdrop_enable_dtmf"),
	           *group = vars_get(leg->vars, "eavesdrop_require_group");
	char *own_group;
	int st;

	role_assert_co();
	if (!data || !*data) {
		leg_log(leg, LOG_ERR, "eavesdrop: usage: [all | <uuid>]");
		return ST_OK;
	}
	if (keys)
		y.takes_keys = str_is_true(keys);
	y.hear = (leg_var_is_true(leg, "eavesdrop_bridge_aleg") ? MEDIA_SPY_READ : 0) |
	         (leg_var_is_true(leg, "eavesdrop_bridge_bleg") ? MEDIA_SPY_WRITE : 0);
	if (!y.hear)
		y.hear = HEAR_BOTH;
	y.whisper = (leg_var_is_true(leg, "eavesdrop_whisper_aleg") ? MEDIA_WHISPER_READ : 0) |
	            (leg_var_is_true(leg, "eavesdrop_whisper_bleg") ? MEDIA_WHISPER_WRITE : 0);
	y.group = own_group = group ? mem_strdup(group) : NULL;
	st = strcasecmp(data, "all") ? spy_on(leg, data, &y) : spy_on_all(leg, &y);
	mem_free(own_group);
	return st == ST_HANGUP ? st : ST_OK;
}

int app_three_way(struct leg *leg, const char *data)
{
	struct spying y = {.hear = HEAR_BOTH, .whisper = MEDIA_WHISPER_READ | MEDIA_WHISPER_WRITE};
	int st;

	role_assert_co();
	if (!data || !*data) {
		leg_log(leg, LOG_ERR, "three_way: usage: <uuid>");
		return ST_OK;
	}
	st = spy_on(leg, data, &y);
	return st == ST_HANGUP ? st : ST_OK;
}

/* One side only, and no word to anybody. FreeSWITCH passes the packets on as they are. */
int app_native_eavesdrop(struct leg *leg, const char *data)
{
	struct spying y = {.hear = MEDIA_SPY_READ};
	struct app_words w;
	int st = app_words_init(&w, leg_exec_text(leg, data), 2);

	role_assert_co();
	if (!st && w.n) {
		if (w.n > 1 && !strcasecmp(w.w[1], "write"))
			y.hear = MEDIA_SPY_WRITE;
		st = spy_on(leg, w.w[0], &y);
	}
	app_words_fini(&w);
	return st == ST_HANGUP ? st : ST_OK;
}
