/* Features in a call's way: what the called user wants done with a call (feature_incoming before his phones ring,
 * feature_failed after they did not answer), and what the caller may dial (feature_outgoing, feature_hotline). The
 * dialplan says where: conf/dialplan/features.xml.example. A forwarded call goes on as the forwarding user's: his
 * context, his toll_allow, his lock; how often a call may be forwarded is bounded. */
#include "base/clock.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/keys/digits.h"
#include "core/leg/leg.h"
#include "core/run/exec.h"
#include "core/sound/play.h"
#include "core/value/cause.h"
#include "features/features_i.h"
#include "presence/presence.h"
#include "text/mark.h"
#include "text/re.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DIAL_TONE_HZ "350,440"

struct feature_user *feature_user_of_leg(struct leg *leg)
{
	struct feature_user *u = NULL;
	const char *name = leg_var(leg, "user_name"), *domain = leg_var(leg, "domain_name");
	if (name && domain)
		(void)feature_user_find(sv_of(name), sv_of(domain), &u);
	return u;
}

/* "user@domain", or a user of the leg's domain, with marks. A domain is the configuration's word: of one that is from
 * outside there is nobody, unless it is the leg's own. */
struct feature_user *feature_user_named(struct leg *leg, const char *text)
{
	struct feature_user *u = NULL;
	struct sv given = sv_trim(sv_of(text)), user, domain;
	char *own = mem_strdup(leg_var(leg, "domain_name")), *plain = mark_strip_dup(given);
	bool is_parted = sv_find(given, '@') < given.n; /* by the configuration */
	bool has_domain = plain && sv_split(sv_of(plain), '@', &user, &domain);
	if (plain && (is_parted || !has_domain || !own || sv_isi(domain, own)))
		(void)feature_user_find(sv_of(plain), sv_of(own), &u);
	mem_free(plain);
	mem_free(own);
	return u;
}

static CO const char *caller_of(struct leg *leg)
{
	const char *number = leg_profile_field(leg->profile, "caller_id_number");
	return number && !leg->profile->hides_number && strcasecmp(number, "anonymous") &&
	               feature_is_number(sv_of(number))
	           ? number
	           : NULL;
}

static CO int refuse(struct leg *leg, enum cause cause, const char *result)
{
	leg_var_set(leg, "feature_result", result);
	leg_log(leg, LOG_INFO, "features: %s", result);
	leg_hangup(leg, cause);
	return ST_HANGUP;
}

/* ---- what a locked phone may dial ---- */

bool feature_lock_allows(const char *number)
{
	const char *allowed = feature_param("lock-allows");
	return *allowed && re_match_once(sv_of(allowed), sv_of(number), NULL) > 0;
}

/* ---- forwarding ---- */

static CO int forward(struct leg *leg, struct feature_user *u, const char *which)
{
	const char *number = feature_get(u, which), *context = feature_user_var(u, "user_context"),
	           *seen = leg_var(leg, "feature_forwards");
	const char *tolls = feature_user_var(u, "toll_allow");
	unsigned times = seen ? (unsigned)atoi(seen) + 1 : 1, most = (unsigned)atoi(feature_param("forward-max"));
	if (!number)
		return ST_NOTFOUND;
	if (times > most) {
		leg_log(leg, LOG_WARNING, "features: forwarded %u times already, not to %s of %s@%s", times - 1, which,
		    feature_user_id(u), feature_user_domain(u));
		return refuse(leg, CAUSE_EXCHANGE_ROUTING_ERROR, "loop");
	}
	if (feature_is_on(u, "lock") && !feature_lock_allows(number)) {
		leg_log(leg, LOG_WARNING, "features: %s of %s@%s is not followed: the user's lock", which,
		    feature_user_id(u), feature_user_domain(u));
		return ST_NOTFOUND;
	}
	leg_var_set_int(leg, "feature_forwards", times);
	leg_var_set(leg, "feature_result", which);
	leg_var_setf(leg, "feature_forwarded_by", "%s@%s", feature_user_id(u), feature_user_domain(u));
	leg_var_set_text(leg, "toll_allow", tolls);
	leg_log(leg, LOG_INFO, "features: %s of %s@%s: %s", which, feature_user_id(u), feature_user_domain(u), number);
	char *exten = mark_dup(number);
	/* never the caller's context: an outside one has other rights */
	int st = exten ? leg_transfer(leg, exten, NULL, context ? context : "default") : ST_NOMEM;
	if (!st && leg->profile)
		leg_profile_set(&leg->profile->rdnis, feature_user_id(u));
	mem_free(exten);
	return st ? st : ST_CANCELLED;
}

static CO int forward_if(struct leg *leg, struct feature_user *u, const char *which)
{
	return feature_get(u, which) ? forward(leg, u, which) : ST_NOTFOUND;
}

/* ---- a call comes for a user ---- */

bool feature_is_in_call(const struct presence_entity *e, bool counts_ringing)
{
	const struct lnode *n;
	for (n = e ? e->dialogs.head.next : NULL; n && n != &e->dialogs.head; n = n->next) {
		const struct presence_dialog *d = list_entry(n, struct presence_dialog, link);
		if (d->leg && (d->state == PRESENCE_CONFIRMED || d->state == PRESENCE_HELD ||
		                  (counts_ringing && d->state == PRESENCE_EARLY)))
			return true;
	}
	return false;
}

static ON_CTL bool is_in_call(const struct feature_user *u)
{
	return feature_is_in_call(
	    presence_entity_peek(SV_NONE, sv_of(feature_user_id(u)), sv_of(feature_user_domain(u))), false);
}

static CO void ring(struct leg *leg, const struct feature_user *u, const char *busy)
{
	leg_var_set(leg, "feature_result", busy ? busy : "ring");
	if (busy)
		leg_var_set_text(leg, "feature_dial", "error/USER_BUSY");
	else
		leg_var_set_text(leg, "feature_dial", "");
	if (!busy) {
		struct buf b;
		buf_init(&b);
		buf_printf(
		    &b, "user/%s@%s", feature_phone_of(u), feature_user_domain(u)); /* the directory's own spelling */
		leg_var_set_text(leg, "feature_dial", b.failed ? "" : b.p);
		buf_fini(&b);
	}
	if (feature_get(u, "forward-noanswer"))
		leg_var_set(leg, "call_timeout", feature_get(u, "forward-noanswer-after"));
}

static CO int incoming(struct leg *leg, struct feature_user *u)
{
	const char *caller = caller_of(leg);
	char name[FEATURE_NAME_MAX];
	int st;
	if (!caller && feature_is_on(u, "reject-anonymous")) {
		leg_var_set(leg, "feature_result", "reject-anonymous");
		return leg_exec_app(leg, "respond", "433 Anonymity Disallowed");
	}
	if (caller) {
		snprintf(name, sizeof(name), "block:%.*s", FEATURE_KEY_MAX, caller);
		if (feature_is_on(u, name))
			return refuse(leg, CAUSE_CALL_REJECTED, "block");
		(void)feature_set(u, SV("last-caller"), caller, "call");
		snprintf(name, sizeof(name), "forward-from:%.*s", FEATURE_KEY_MAX, caller);
		st = forward_if(leg, u, name);
		if (st != ST_NOTFOUND)
			return st;
	}
	st = forward_if(leg, u, "forward-all");
	if (st != ST_NOTFOUND)
		return st;
	ring(leg, u,
	    feature_is_on(u, "dnd")                              ? "dnd"
	    : !feature_is_on(u, "call-waiting") && is_in_call(u) ? "busy"
	                                                         : NULL);
	return ST_OK;
}

/* user[@domain] */
int app_feature_incoming(struct leg *leg, const char *data)
{
	role_assert_co();
	struct feature_user *u = feature_user_named(leg, leg_exec_text(leg, data));
	if (!u) {
		leg_log(leg, LOG_WARNING, "feature_incoming: no user \"%s\"", data);
		return ST_OK;
	}
	int st = incoming(leg, u);
	feature_user_free(u);
	return st;
}

/* ---- his phones did not answer ---- */

static const char *which_of(const char *disposition)
{
	static const struct {
		enum cause cause;
		const char *which;
	} causes[] = {{CAUSE_USER_BUSY, "forward-busy"}, {CAUSE_CALL_REJECTED, "forward-busy"},
	    {CAUSE_DECLINE, "forward-busy"}, {CAUSE_BUSY_EVERYWHERE, "forward-busy"},
	    {CAUSE_NO_ANSWER, "forward-noanswer"}, {CAUSE_ALLOTTED_TIMEOUT, "forward-noanswer"},
	    {CAUSE_PROGRESS_TIMEOUT, "forward-noanswer"}, {CAUSE_NO_USER_RESPONSE, "forward-unreachable"},
	    {CAUSE_USER_NOT_REGISTERED, "forward-unreachable"}, {CAUSE_SUBSCRIBER_ABSENT, "forward-unreachable"},
	    {CAUSE_DESTINATION_OUT_OF_ORDER, "forward-unreachable"},
	    {CAUSE_NORMAL_TEMPORARY_FAILURE, "forward-unreachable"},
	    {CAUSE_RECOVERY_ON_TIMER_EXPIRE, "forward-unreachable"},
	    {CAUSE_NO_ROUTE_DESTINATION, "forward-unreachable"}};
	enum cause c = disposition ? cause_parse(disposition) : CAUSE_NONE;
	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++)
		if (causes[i].cause == c)
			return causes[i].which;
	return NULL;
}

/* Of the caller, for a call-back later. */
static CO void note_failed(struct leg *leg, const struct feature_user *called)
{
	const char *reason = callback_reason_of(leg_var(leg, "originate_disposition"));
	struct feature_user *caller = reason ? feature_user_of_leg(leg) : NULL;
	char value[FEATURE_VALUE_MAX];
	if (caller && !strcasecmp(feature_user_domain(caller), feature_user_domain(called))) {
		snprintf(value, sizeof(value), "%.*s %s", FEATURE_NUMBER_MAX, feature_user_id(called), reason);
		(void)feature_set(caller, SV("last-failed"), value, "call");
	}
	feature_user_free(caller);
}

/* user[@domain] */
int app_feature_failed(struct leg *leg, const char *data)
{
	role_assert_co();
	const char *which = which_of(leg_var(leg, "originate_disposition"));
	struct feature_user *u = which ? feature_user_named(leg, leg_exec_text(leg, data)) : NULL;
	int st = u ? forward_if(leg, u, which) : ST_NOTFOUND;
	if (u && st == ST_NOTFOUND)
		note_failed(leg, u);
	feature_user_free(u);
	return st == ST_NOTFOUND ? ST_OK : st;
}

/* ---- a user calls ---- */

/* [number], else what was dialled */
int app_feature_outgoing(struct leg *leg, const char *data)
{
	role_assert_co();
	struct feature_user *u = feature_user_of_leg(leg);
	const char *number = *data ? data : leg_profile_field(leg->profile, "destination_number");
	int st = ST_OK;
	if (!u)
		return ST_OK;
	if (feature_is_on(u, "lock") && !feature_lock_allows(number ? number : "")) {
		leg_log(leg, LOG_INFO, "features: %s@%s is locked, %s is not dialled", feature_user_id(u),
		    feature_user_domain(u), number ? number : "");
		leg_var_set(leg, "feature_result", "lock");
		(void)leg_play(leg, feature_param("denied-sound"), "none", NULL);
		st = refuse(leg, CAUSE_OUTGOING_CALL_BARRED, "lock");
	} else if (feature_is_on(u, "hide-number") && !leg_var_is_true(leg, "feature_show_number")) {
		st = leg_exec_app(leg, "privacy", "full");
	}
	feature_user_free(u);
	return st;
}

static CO int go(struct leg *leg, const char *number)
{
	char *exten = mark_dup(number);
	int st = exten ? leg_transfer(leg, exten, NULL, NULL) : ST_NOMEM;
	mem_free(exten);
	return st ? st : ST_CANCELLED;
}

/* Keys while the dial tone lasts, else the hotline. Without a hotline of the user's: what is dialled. */
int app_feature_hotline(struct leg *leg, const char *data)
{
	role_assert_co();
	struct feature_user *u = feature_user_of_leg(leg);
	const char *hot = u ? feature_get(u, "hotline") : NULL, *after = u ? feature_get(u, "hotline-after") : NULL;
	char *number = hot ? mem_strdup(hot) : NULL;
	uint32_t wait_s = hot && after ? (uint32_t)atoi(after) : 15;
	char tone[64];
	struct leg_digits d = {.prompt = tone, .terminators = "#"};
	int st = ST_TIMEOUT;
	feature_user_free(u);
	snprintf(tone, sizeof(tone), "tone_stream://%%(%u,0,%s)", (unsigned)clock_ms_of_s(wait_s), DIAL_TONE_HZ);
	leg_digits_limit(&d, 1, FEATURE_NUMBER_MAX, 1000, 3000);
	if (wait_s)
		st = leg_digits_read(leg, &d);
	if (d.count)
		st = go(leg, d.digits);
	else if (st != ST_HANGUP && st != ST_CANCELLED)
		st = number ? go(leg, number) : ST_OK;
	mem_free(number);
	return st;
}
