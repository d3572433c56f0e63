/* Taking calls of others over: intercept. */
#include "apps/apps_i.h"
#include "base/mem.h"
#include <string.h>

/* Whom the leg talks to or is dialling. */
static ON_CTL struct leg *other_of(struct leg *leg)
{
	const char *uuid = vars_get(leg->vars, "originate_signal_bond");

	if (bridge_peer(leg))
		return bridge_peer(leg);
	return leg_find(uuid ? uuid : vars_get(leg->vars, "signal_bond"));
}

/* [-bleg] uuid */
int app_intercept(struct leg *leg, const char *data)
{
	struct app_words w;
	struct leg *target;
	bool is_bleg;
	int st = app_words_init(&w, data, 2);

	role_assert_co();
	is_bleg = w.n && !strcasecmp(w.w[0], "-bleg");
	if (st || w.n < 1 + is_bleg) {
		leg_log(leg, LOG_ERR, "intercept: usage: [-bleg] <uuid>");
		st = ST_INVAL;
		goto out;
	}
	target = leg_find(w.w[is_bleg]);
	if (target && is_bleg)
		target = other_of(target);
	if (!target || target == leg) {
		leg_log(leg, LOG_DEBUG, is_bleg ? "intercept: nobody is bridged to %s" : "intercept: no uuid %s",
		    w.w[is_bleg]);
		goto out;
	}
	if ((bridge_peer(target) && leg_var_is_true(leg, "intercept_unbridged_only")) ||
	    (target->is_answered && leg_var_is_true(leg, "intercept_unanswered_only"))) {
		leg_log(leg, LOG_DEBUG, "intercept: %s is in a call", target->uuid);
		goto out;
	}
	st = bridge_intercept(leg, target);
	if (st)
		leg_log(leg, LOG_WARNING, "intercept: %s", status_text(st));
out:
	app_words_fini(&w);
	return st == ST_HANGUP ? st : ST_OK;
}
