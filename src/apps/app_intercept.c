/* Taking calls of others over: intercept (a leg by its uuid), pickup (a leg that waits for a key). */
#include "apps/apps_i.h"
#include "core/bridge/bridge.h"
#include "core/dial/intercept.h"
#include "core/dial/pickup.h"
#include "core/leg/leg.h"
#include "core/registry/app_words.h"
#include "core/run/exec.h"
#include <string.h>
#include <strings.h>

/* [-bleg] uuid */
int app_intercept(struct leg *leg, const char *data)
{
	struct app_words w;
	struct leg *target;
	bool is_bleg;
	int st = app_words_init(&w, leg_exec_text(leg, data), 2);

	role_assert_co();
	is_bleg = w.n && !strcasecmp(w.w[0], "-bleg");
	if (st || w.n < 1 + is_bleg) {
		leg_log(leg, LOG_ERR, "intercept: usage: [-bleg] <uuid>");
		st = ST_INVAL;
		goto out;
	}
	target = leg_find(w.w[is_bleg]);
	if (target && is_bleg)
		target = leg_partner(target);
	if (!target || target == leg) {
		leg_log(leg, LOG_DEBUG, is_bleg ? "intercept: nobody is bridged to %s" : "intercept: no uuid %s",
		    w.w[is_bleg]);
		goto out;
	}
	if ((target->peer && leg_var_is_true(leg, "intercept_unbridged_only")) ||
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

/* [key] */
int app_pickup(struct leg *leg, const char *data)
{
	int st;

	role_assert_co();
	if (!data || !*data) {
		leg_log(leg, LOG_ERR, "Missing data.  Usage: pickup <key>");
		return ST_INVAL;
	}
	st = pickup_answer(data, leg);
	if (st == ST_NOTFOUND)
		leg_log(leg, LOG_DEBUG, "pickup: nobody waits for %s", data);
	return st == ST_NOTFOUND ? ST_OK : st;
}
