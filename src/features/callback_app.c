/* Asking for a call-back: by a key while the caller still hears that the other is busy (feature_callback USER behind
 * the bridge), by a code afterwards (feature_callback alone: whom he called last in vain), or as a feature like any
 * other (feature set callback:NUMBER). Who may not reach a user is not to learn when he is free either. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/keys/digits.h"
#include "core/leg/leg.h"
#include "core/run/exec.h"
#include "core/sound/play.h"
#include "core/value/cause.h"
#include "features/features_i.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

const char *callback_reason_of(const char *disposition)
{
	switch (disposition ? cause_parse(disposition) : CAUSE_NONE) {
	case CAUSE_USER_BUSY:
	case CAUSE_BUSY_EVERYWHERE:
		return "busy";
	case CAUSE_NO_ANSWER:
	case CAUSE_ALLOTTED_TIMEOUT:
	case CAUSE_PROGRESS_TIMEOUT:
	case CAUSE_NO_USER_RESPONSE:
	case CAUSE_RECOVERY_ON_TIMER_EXPIRE:
		return "noanswer";
	case CAUSE_USER_NOT_REGISTERED:
	case CAUSE_SUBSCRIBER_ABSENT:
		return "unreachable";
	default:
		return NULL;
	}
}

int callback_ask(struct feature_user *u, struct sv number, const char *reason, const char *by)
{
	struct feature_user *to = NULL;
	char name[FEATURE_NAME_MAX], value[FEATURE_VALUE_MAX], barred[FEATURE_NAME_MAX];
	int64_t until_s = clock_wall_us() / 1000000 + str_number(feature_param("callback-expiry"), 1, 604800);
	int st = feature_user_find(number, sv_of(feature_user_domain(u)), &to);
	if (st)
		return ST_NOTFOUND;
	snprintf(name, sizeof(name), "callback:%.*s", FEATURE_KEY_MAX, feature_user_id(to));
	snprintf(value, sizeof(value), "%" PRId64 " %s", until_s, reason);
	snprintf(barred, sizeof(barred), "block:%.*s", FEATURE_KEY_MAX, feature_user_id(u));
	if (!strcasecmp(feature_user_id(u), feature_user_id(to)))
		st = ST_NOTFOUND;
	else if (feature_is_on(to, barred))
		st = ST_DENIED;
	else if (!feature_get(u, name) &&
	         callback_count_of(to) >= (unsigned)str_number(feature_param("callback-queue"), 1, 1000))
		st = ST_FULL;
	else
		st = feature_set(u, sv_of(name), value, by);
	feature_user_free(to);
	return st;
}

static CO int done(struct leg *leg, int st)
{
	leg_var_set(leg, "feature_result", !st ? "callback" : st == ST_FULL ? "full" : "wrong");
	int heard = leg_play(leg, feature_param(st ? "wrong-sound" : "done-sound"), "none", NULL);
	return heard == ST_HANGUP || heard == ST_CANCELLED ? heard : ST_OK;
}

/* The key in time? */
static CO bool is_wanted(struct leg *leg)
{
	struct leg_digits d = {.prompt = feature_param("callback-sound"), .terminators = ""};
	leg_digits_limit(&d, 1, 1, clock_ms_of_s((uint64_t)str_number(feature_param("callback-wait"), 1, 60)), 0);
	(void)leg_digits_read(leg, &d);
	return leg_is_up(leg) && d.count && !strcmp(d.digits, feature_param("callback-key"));
}

static CO int last_failed(struct leg *leg, struct feature_user *u)
{
	const char *last = feature_get(u, "last-failed");
	char text[FEATURE_VALUE_MAX];
	struct sv number, reason;
	if (!last)
		return done(leg, ST_NOTFOUND);
	snprintf(text, sizeof(text), "%s", last);
	sv_split(sv_of(text), ' ', &number, &reason);
	return done(leg, callback_ask(u, number, reason.n ? reason.p : "busy", "phone"));
}

/* [USER[@DOMAIN]]: he was called and did not answer; none: whom the caller called last in vain */
int app_feature_callback(struct leg *leg, const char *data)
{
	role_assert_co();
	struct feature_user *u = feature_user_of_leg(leg),
	                    *to = *data ? feature_user_named(leg, leg_exec_text(leg, data)) : NULL;
	const char *reason = callback_reason_of(leg_var(leg, "originate_disposition"));
	int st = ST_OK;
	if (!u || (*data && !to)) {
		leg_log(leg, LOG_WARNING,
		    "feature_callback: \"%s\": nobody knows whose call this is, or there is no such user", data);
		leg_var_set(leg, "feature_result", u ? "wrong" : "unknown");
	} else if (!to) {
		st = last_failed(leg, u);
	} else if (reason && !strcasecmp(feature_user_domain(u), feature_user_domain(to)) && is_wanted(leg)) {
		st = done(leg, callback_ask(u, sv_of(feature_user_id(to)), reason, "phone"));
	}
	feature_user_free(to);
	feature_user_free(u);
	return leg_is_up(leg) ? st : ST_HANGUP;
}
