/* The bridge application: originate, answer, join, and what comes after. It detaches when the two are joined; the
 * bridge's end (bridge_app_done) decides how the dialplan goes on. */
#include "base/mem.h"
#include "base/status.h"
#include "core/bridge/bridge.h"
#include "core/bridge/bridge_core.h"
#include "core/dial/originate.h"
#include "core/dial/originate_i.h"
#include "core/leg/leg.h"
#include "core/run/exec.h"
#include "core/run/run_core.h"
#include "core/run/transfer.h"
#include "core/sound/sound_core.h"
#include "core/value/cause.h"
#include "core/value/vars.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* True when the comma list names the cause, by name or number. */
static bool list_has(const char *list, enum cause cause)
{
	struct sv rest = sv_of(list), item;

	while (rest.n) {
		uint32_t number;
		sv_split(rest, ',', &item, &rest);
		item = sv_trim(item);
		if (sv_isi(item, cause_name(cause)) || (!sv_u32(item, &number) && number == (uint32_t)cause))
			return true;
	}
	return false;
}

/* transfer_on_fail: "causes|true exten [dialplan [context]]". */
static ON_CTL bool transfer_on_fail(struct leg *leg, enum cause cause)
{
	char *spec = vars_get(leg->vars, "transfer_on_fail") ? leg_text_dup(leg, "transfer_on_fail") : NULL;
	struct sv word[4] = {SV_NONE, SV_NONE, SV_NONE, SV_NONE}, rest;
	char *text[4] = {NULL, NULL, NULL, NULL};
	bool is_due = false;

	if (!spec)
		return false;
	rest = sv_trim(sv_of(spec));
	for (int i = 0; i < 4 && rest.n; i++) {
		sv_split(rest, ' ', &word[i], &rest);
		rest = sv_trim(rest);
		text[i] = sv_dup(word[i]);
	}
	is_due = text[0] && text[1] && (str_is_true(text[0]) || list_has(text[0], cause));
	if (is_due)
		leg_transfer(leg, strcmp(text[1], "auto_cause") ? text[1] : cause_name(cause), text[2], text[3]);
	for (int i = 0; i < 4; i++)
		mem_free(text[i]);
	mem_free(spec);
	return is_due;
}

/* Whether the dialplan goes on after a failed bridge (pitfall 11). */
static ON_CTL bool goes_on(struct leg *leg, enum cause cause)
{
	const char *on_fail = leg_var(leg, "continue_on_fail"), *failures = leg_var(leg, "failure_causes");

	if (cause == CAUSE_ATTENDED_TRANSFER)
		return false;
	if (!on_fail && !failures)
		return cause == CAUSE_NO_ANSWER || cause == CAUSE_NO_USER_RESPONSE || cause == CAUSE_ORIGINATOR_CANCEL;
	if (on_fail && (str_is_true(on_fail) || list_has(on_fail, cause)))
		return true;
	return failures && !list_has(failures, cause);
}

static ON_CTL void bridge_failed(struct leg *leg, enum cause cause)
{
	leg_var_set(leg, "originate_failed_cause", cause_name(cause));
	if (!leg_is_up(leg) || exec_is_rerouted(leg) || transfer_on_fail(leg, cause))
		return;
	if (!goes_on(leg, cause) && !(leg_transfer_told(leg, false) && exec_is_rerouted(leg)))
		leg_hangup(leg, cause);
}

/* ---- after the bridge ---- */

/* exec_after_bridge_app, _arg: the application takes the place of what the dialplan still had. */
static ON_CTL void run_after(struct leg *a)
{
	char *app, *arg;

	if (!vars_get(a->vars, "exec_after_bridge_app") || !leg_is_up(a))
		return;
	app = leg_text_dup(a, "exec_after_bridge_app");
	arg = leg_text_dup(a, "exec_after_bridge_arg");
	leg_exec_clear(a);
	leg_exec_add(a, app, arg ? arg : "", NULL);
	mem_free(app);
	mem_free(arg);
}

static ON_CTL void early_bridge_over(struct leg *a, enum cause cause)
{
	if (str_is_true(vars_get(a->vars, "park_after_early_bridge")))
		exec_park_after(a);
	else if (!bridge_transfer_after(a, "transfer_after_early_bridge"))
		bridge_failed(a, cause);
}

/* How the bridge ended, kept while hooks run. */
struct bridge_end {
	struct leg *a; /* reference */
	enum cause cause;
	bool was_answered;
};

static ON_CTL void go_on(struct leg *a, const struct bridge_end *end)
{
	const char *hangup = leg_var(a, "hangup_after_bridge"); /* what is set below may move it */
	bool is_explicit = hangup && !strcasecmp(hangup, "explicit"), hangs_up = str_is_true(hangup);

	if (leg_is_up(a) && !exec_is_rerouted(a)) {
		if (is_explicit)
			leg_hangup(a, end->cause);
		else if (!end->was_answered)
			early_bridge_over(a, end->cause);
		else if (!bridge_after(a) && hangs_up)
			leg_hangup(a, end->cause);
		else if (!exec_is_rerouted(a))
			run_after(a);
	}
	leg_exec_resume(a, NULL);
}

static void hooks_done(void *arg)
{
	struct bridge_end *end = arg;

	role_assert_ctl();
	go_on(end->a, end);
	mem_unref(end->a);
	mem_free(end);
}

static void bridge_app_done(struct leg *a, struct leg *b, void *arg)
{
	struct bridge_end end = {a, b->cause ? b->cause : CAUSE_NORMAL_CLEARING, b->is_answered}, *kept;

	role_assert_ctl();
	kept = leg_is_up(a) ? mem_zalloc(sizeof(*kept)) : NULL;
	if (kept) {
		*kept = end;
		mem_ref(a);
		if (exec_hooks_then(a, "execute_on_post_bridge", "api_on_post_bridge", hooks_done, kept))
			return;
		mem_unref(a);
		mem_free(kept);
	}
	go_on(a, &end);
}

/* ---- the application ---- */

/* bridge_answer_timeout: seconds for a called party that is bridged in early media to answer. */
static ON_CTL int join(struct leg *a, struct leg *b)
{
	int64_t limit_s = a->is_answered ? 0 : str_number(leg_var(a, "bridge_answer_timeout"), 0, INT32_MAX);
	int st = bridge_join(a, b, bridge_app_done, NULL);

	if (!st && limit_s > 0)
		bridge_answer_within(a, (int)limit_s);
	return st;
}

static CO int meet(struct leg *leg, struct leg *b)
{
	int st = ST_OK;

	exec_hooks(leg, "execute_on_pre_bridge", "api_on_pre_bridge");
	while (leg_is_up(leg) && !exec_is_rerouted(leg) && exec_run_request(leg))
		;
	if (b->is_answered) {
		st = leg_answer_for(leg, b);
	}
	if (!st && exec_is_rerouted(leg))
		st = ST_CANCELLED;
	if (!st)
		st = join(leg, b);
	if (!st &&
	    (leg_var_is_true(leg, "bypass_media_after_bridge") || leg_var_is_true(b, "bypass_media_after_bridge")))
		bypass_when_possible(leg);
	return st;
}

int bridge_app(struct leg *leg, const char *data)
{
	struct originate_conf conf = {
	    .originator = leg, .dialstring = leg_exec_text(leg, data), .is_bridged_next = true};
	enum cause cause = CAUSE_NONE;
	struct leg *b = NULL;
	int st;

	if (!data || !*data)
		return ST_INVAL;
	st = originate_run(&conf, &b, &cause);
	if (st && campon_is_wanted(leg, cause))
		st = campon_run(leg, &conf, &b, &cause);
	if (st) {
		bridge_failed(leg, cause);
		return leg_is_up(leg) ? ST_OK : ST_HANGUP;
	}
	st = meet(leg, b);
	if (st) {
		cause = cause_of_media(st, CAUSE_NORMAL_CLEARING);
		if (st == ST_HANGUP)
			cause = !leg_is_up(b) ? b->cause : leg->cause;
		leg_hangup(b, leg_is_up(leg) ? cause : CAUSE_ORIGINATOR_CANCEL);
		leg_var_set(leg, "originate_disposition", cause_name(cause));
		bridge_failed(leg, cause);
	}
	mem_unref(b);
	return st ? (leg_is_up(leg) ? ST_OK : ST_HANGUP) : APP_DETACHED;
}
