/* Follow me: a call rings a user's list of numbers ("followme:1" to "followme:10", by their keys), in order or all at
 * once, each after its delay; who answers elsewhere than on the user's own phones is asked for a key, so that no
 * foreign mailbox takes the call. Numbers go through the dialplan as the user's own calls: his context, toll_allow and
 * lock. Features are text in, a dial string out; the bridge does the rest. */
#include "base/mem.h"
#include "base/status.h"
#include "core/dial/originate.h"
#include "core/leg/leg.h"
#include "core/run/exec.h"
#include "core/value/vars.h"
#include "features/features_i.h"
#include "text/mark.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBERS_MAX = 10 };
struct follow {
	const struct feature_user *user;
	const char *context, *tolls;
	unsigned forwards, count;
	bool is_at_once, is_confirmed;
	struct buf dial; /* with marks */
};

/* A tone has commas: another separator than theirs. */
static ON_CTL void confirm_put(struct buf *b)
{
	buf_printf(b, "^group_confirm_key=1^group_confirm_file=%s", feature_param("followme-sound"));
}

static ON_CTL void number_put(struct follow *f, unsigned key, const char *number)
{
	struct buf *b = &f->dial;
	char name[FEATURE_NAME_MAX];
	bool is_own = !strcmp(number, feature_user_id(f->user));
	snprintf(name, sizeof(name), "followme-after:%u", key);
	const char *after = f->is_at_once ? feature_get(f->user, name) : NULL;
	if (f->count++)
		buf_addc(b, f->is_at_once ? ',' : '|');
	buf_printf(b, "[^^^leg_timeout=%s^leg_delay_start=%s^loopback_bowout=false^feature_forwards=%u",
	    feature_get(f->user, "followme-time"), after ? after : "0", f->forwards);
	if (f->tolls) {
		buf_adds(b, "^toll_allow=");
		(void)mark_put(b, sv_of(f->tolls));
	}
	if (f->is_confirmed && !is_own)
		confirm_put(b);
	buf_addc(b, ']');
	if (is_own) {
		buf_printf(b, "user/%s@%s", feature_phone_of(f->user), feature_user_domain(f->user));
		return;
	}
	buf_adds(b, "loopback/");
	(void)mark_put(b, sv_of(number));
	buf_printf(b, "/%s", f->context);
}

/* [USER[@DOMAIN]]; none: the caller's own list */
int app_followme(struct leg *leg, const char *data)
{
	role_assert_co();
	struct feature_user *u = *data ? feature_user_named(leg, leg_exec_text(leg, data)) : feature_user_of_leg(leg);
	struct follow f = {.user = u};
	char name[FEATURE_NAME_MAX];
	int st = ST_NOTFOUND;
	if (!u) {
		leg_log(leg, LOG_ERR, "followme: \"%s\" is no user of the directory", data);
		leg_var_set(leg, "feature_result", "wrong");
		return ST_OK;
	}
	buf_init(&f.dial);
	f.forwards = (unsigned)str_number(leg_var(leg, "feature_forwards"), 0, 1000) + 1;
	f.context = feature_user_var(u, "user_context");
	f.context = f.context ? f.context : "default";
	f.tolls = feature_user_var(u, "toll_allow");
	f.is_at_once = feature_is_on(u, "followme-at-once");
	f.is_confirmed = feature_is_on(u, "followme-confirm");
	bool is_loop = f.forwards > (unsigned)atoi(feature_param("forward-max"));
	for (unsigned i = 1; !is_loop && i <= NUMBERS_MAX; i++) {
		snprintf(name, sizeof(name), "followme:%u", i);
		const char *number = feature_get(u, name);
		if (number && (!feature_is_on(u, "lock") || feature_lock_allows(number)))
			number_put(&f, i, number);
	}
	leg_var_set(leg, "feature_result", is_loop ? "loop" : f.count ? "followme" : "empty");
	if (f.count && !f.dial.failed)
		st = bridge_app(leg, f.dial.p);
	else
		leg_log(leg, LOG_INFO, "followme: %s@%s: %s", feature_user_id(u), feature_user_domain(u),
		    is_loop ? "forwarded too often" : "nothing is set");
	buf_fini(&f.dial);
	feature_user_free(u);
	return st == ST_NOTFOUND ? ST_OK : st;
}
