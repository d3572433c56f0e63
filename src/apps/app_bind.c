/* Applications that bind keys: bind_meta_app (two keys during a bridge), bind_digit_action (any keys, any time). */
#include "apps/apps_i.h"
#include "base/mem.h"
#include "core/keys/actions.h"
#include "core/keys/dtmf.h"
#include "core/keys/meta.h"
#include "core/leg/leg.h"
#include "core/registry/app_words.h"
#include "core/run/exec.h"
#include <string.h>
#include <strings.h>

/* <key> [a|b|ab] [flags] <app>[::<args>] */
int app_bind_meta_app(struct leg *leg, const char *data)
{
	struct sv rest = sv_trim(sv_of(leg_exec_text(leg, data))), key, who, flags;
	unsigned listen = 0;
	char *app = NULL;
	size_t i;
	int st;

	role_assert_co();
	if (!sv_split(rest, ' ', &key, &rest) || !sv_split(sv_trim(rest), ' ', &who, &rest) ||
	    !sv_split(sv_trim(rest), ' ', &flags, &rest) || key.n != 1 || !rest.n) {
		leg_log(leg, LOG_ERR, "bind_meta_app: usage: <key> [a|b|ab] [a|b|o|s|i|1] <app>[::<args>]");
		return ST_INVAL;
	}
	for (i = 0; i < who.n; i++)
		listen |= who.p[i] == 'a' || who.p[i] == 'A' ? LEG_META_LISTEN_A : LEG_META_LISTEN_B;
	app = sv_dup(sv_trim(rest));
	st = leg_meta_bind(leg, key.p[0], listen, flags, app);
	if (st)
		leg_log(leg, LOG_ERR, st == ST_INVAL ? "Cannot bind execute to multiple legs" : "bind_meta_app: %s",
		    status_text(st));
	mem_free(app);
	return st;
}

int app_unbind_meta_app(struct leg *leg, const char *data)
{
	role_assert_co();
	leg_meta_unbind(leg, data && *data ? data[0] : 0);
	return ST_OK;
}

static enum digit_target target_of(const char *text)
{
	if (text && (!strcasecmp(text, "peer") || !strcasecmp(text, "bleg")))
		return DIGITS_OF_PEER;
	return text && !strcasecmp(text, "both") ? DIGITS_OF_BOTH : DIGITS_OF_SELF;
}

/* realm,digits|~regex,string[,value][,target leg][,event leg] */
int app_bind_digit_action(struct leg *leg, const char *data)
{
	struct digit_action a = {0};
	struct app_words w;
	int st = app_words_cut(&w, leg_exec_text(leg, data), ',', 6);

	role_assert_co();
	if (st || w.n < 3 || !*w.w[0] || !*w.w[1] || !*w.w[2]) {
		leg_log(leg, LOG_WARNING,
		    "Syntax Error, USAGE <realm>,<digits|~regex>,<string>[,<value>][,<dtmf target leg>][,<event target "
		    "leg>]");
		st = st ? st : ST_INVAL;
		goto out;
	}
	a.realm = w.w[0], a.digits = w.w[1], a.string = w.m[2];
	a.value = w.n > 3 ? w.m[3] : "";
	a.target = target_of(w.w[4]);
	a.runs_on = w.n > 5 ? target_of(w.w[5]) : DIGITS_OF_SELF;
	st = digit_action_bind(leg, &a);
	if (st)
		leg_log(leg, LOG_ERR, "bind_digit_action: %s: %s", a.digits, status_text(st));
out:
	app_words_fini(&w);
	return st;
}

/* realm|all[,target] */
int app_clear_digit_action(struct leg *leg, const char *data)
{
	struct app_words w;
	int st = app_words_cut(&w, leg_exec_text(leg, data), ',', 2);

	role_assert_co();
	if (st || !w.n)
		leg_log(leg, LOG_WARNING, "clear_digit_action called with no args");
	else
		digit_action_clear(leg, !*w.w[0] || !strcasecmp(w.w[0], "all") ? NULL : w.w[0], target_of(w.w[1]));
	app_words_fini(&w);
	return st;
}

/* realm[,target] */
int app_digit_action_set_realm(struct leg *leg, const char *data)
{
	struct app_words w;
	int st = app_words_cut(&w, leg_exec_text(leg, data), ',', 2);

	role_assert_co();
	if (st || !w.n)
		leg_log(leg, LOG_WARNING, "Syntax Error, USAGE <realm>[,<target>]");
	else if (digit_action_set_realm(leg, w.w[0], target_of(w.w[1])))
		leg_log(leg, LOG_ERR, "digit_action_set_realm: there is no realm '%s'", w.w[0]);
	app_words_fini(&w);
	return st;
}

/* [only_rtp] */
int app_deduplicate_dtmf(struct leg *leg, const char *data)
{
	role_assert_co();
	leg_dtmf_deduplicate(leg, data && !strcasecmp(data, "only_rtp") ? DTMF_DEDUP_ONLY_RTP : DTMF_DEDUP_BOTH);
	return ST_OK;
}
