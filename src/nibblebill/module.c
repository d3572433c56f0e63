/* mod_nibblebill: charges while a call runs, as FreeSWITCH's module of that name. An account is a row of the operator's
 * table; what a call costs is taken from it at every heartbeat, at the end, and when somebody says so.
 *
 *   heartbeat, flush, hang-up -> amount of the time since -> UPDATE (store, later)  -> taken: total grows
 *                                                                                   -> failed: owed, with the next one
 *                                 then SELECT the balance -> low: an application; none left: another extension
 *
 * Money is the double of the operator's column, as there; src/billing counts in whole units. The call never waits for
 * the database: what it owes is remembered until an UPDATE succeeds, and a call is refused where no balance is known.
 */
#include "core/registry/module.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/registry/app_words.h"
#include "core/registry/metrics.h"
#include "core/run/exec.h"
#include "core/run/expand.h"
#include "core/value/self.h"
#include "store/store.h"
#include "text/mark.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct bill { /* of one call, by its uuid */
	char uuid[40];
	int64_t last_us;       /* monotonic: charged up to here */
	int64_t paused_us;     /* since then; 0: it runs */
	double total, adjust;  /* charged; what the next charge is less by */
	double owed, pending;  /* of charges that failed; of those under way */
	unsigned asked_count;  /* questions under way: the last one's end looks at the balance */
	bool is_low, is_final; /* the low-balance action ran; the last charge was made */
	bool is_over;          /* the call has ended: goes with the last question */
};
static struct store *store;
static struct hash *bills; /* uuid -> struct bill */
static struct event_sub *beats;
static uint64_t failed_count, charged_count;

static const struct conf_desc confs[] = {
    {"nibblebill.conf", "custom_sql_lookup", "text", NULL, "", "in place of the own SELECT; column nibble_balance"},
    {"nibblebill.conf", "custom_sql_save", "text", NULL, "",
        "in place of the own UPDATE; ${nibble_bill} is the amount"},
    {"nibblebill.conf", "db_column_account", "text", NULL, "id", "the column of accounts"},
    {"nibblebill.conf", "db_column_cash", "text", NULL, "cash", "the column of money"},
    {"nibblebill.conf", "db_dsn", "text", NULL, "", "the database; odbc-dsn counts before it"},
    {"nibblebill.conf", "db_table", "text", NULL, "accounts", "the table"},
    {"nibblebill.conf", "global_heartbeat", "number", "s", "0",
        "charge so often the calls of users that have an account; off"},
    {"nibblebill.conf", "lowbal_action", "text", NULL, "play ding", "application and data, once, when little is left"},
    {"nibblebill.conf", "lowbal_amt", "number", NULL, "0", "little is so much, or less"},
    {"nibblebill.conf", "nobal_action", "text", NULL, "hangup", "extension, dialplan and context when nothing is left"},
    {"nibblebill.conf", "nobal_amt", "number", NULL, "0", "nothing is so much, or less"},
    {"nibblebill.conf", "odbc-dsn", "text", NULL, "", "the database"},
    {"nibblebill.conf", "percall_action", "text", NULL, "hangup",
        "extension, dialplan and context of a call that is too dear"},
    {"nibblebill.conf", "percall_max_amt", "number", NULL, "0", "a call may cost so much; 0: no bound"},
    {"nibblebill.conf", "var_name_account", "text", NULL, "nibble_account", "the variable that names the account"},
    {"nibblebill.conf", "var_name_rate", "text", NULL, "nibble_rate", "the variable of the price of a minute"},
    {NULL},
};

static ON_CTL const char *param(const char *name)
{
	for (const struct conf_desc *d = confs; d->key; d++)
		if (!strcmp(d->key, name))
			return config_param(xml_child(config_conf("nibblebill.conf"), "settings"), name, d->fallback);
	return "";
}

/* A number of the leg's variable, else of the parameter; a variable that is no number counts as absent. */
static ON_CTL double amount_of(struct leg *leg, const char *var, const char *otherwise)
{
	const char *v = leg_var(leg, var);
	char *end = NULL;
	double d = v && *v ? strtod(v, &end) : NAN;
	return isfinite(d) && end != v ? d : *otherwise ? strtod(param(otherwise), NULL) : 0;
}

/* ---- the two statements -------------------------------------------------------------------------------------- */

struct question {
	char uuid[40];
	char *account; /* for the log */
	double amount; /* of a charge */
};

static void question_free(struct question *q)
{
	if (q)
		mem_free(q->account);
	mem_free(q);
}

static ON_CTL struct question *question_new(struct bill *b, const char *account, double amount)
{
	struct question *q = mem_zalloc(sizeof(*q));
	if (!q)
		return NULL;
	memcpy(q->uuid, b->uuid, sizeof(q->uuid));
	q->account = mem_strdup(account);
	q->amount = amount;
	b->asked_count++;
	return q;
}

/* The configuration's own statement with the leg's variables in it. */
static ON_CTL int custom_sql(struct leg *leg, const char *template, struct buf *out)
{
	char *text = NULL;
	int st = expand(leg, template, &text);
	if (!st)
		st = mark_strip_sql(out, sv_of(text));
	if (st)
		leg_log(leg, LOG_ERR, "nibblebill: the statement cannot be made: %s", status_text(st));
	mem_free(text);
	return st;
}

static ON_CTL int charge_ask(struct leg *leg, const char *account, double amount, store_answer_fn answer, void *arg)
{
	char number[48];
	const struct sv params[] = {{number, (size_t)snprintf(number, sizeof(number), "%f", amount)}, sv_of(account)};
	struct buf sql;
	buf_init(&sql);
	bool is_custom = *param("custom_sql_save");
	int st = ST_OK;
	if (is_custom) {
		leg_var_set(leg, "nibble_bill", number);
		st = custom_sql(leg, param("custom_sql_save"), &sql);
	} else {
		buf_printf(&sql, "UPDATE %s SET %s=%s-CAST($1 AS DECIMAL(20,6)) WHERE %s=$2", param("db_table"),
		    param("db_column_cash"), param("db_column_cash"), param("db_column_account"));
	}
	if (!st)
		st = !store ? ST_UNSUPPORTED : store_sql(store, sql.p, params, is_custom ? 0 : 2, NULL, answer, arg);
	buf_fini(&sql);
	return st;
}

static ON_CTL int balance_ask(struct leg *leg, const char *account, store_answer_fn answer, void *arg)
{
	const struct sv params[] = {sv_of(account)};
	struct buf sql;
	buf_init(&sql);
	bool is_custom = *param("custom_sql_lookup");
	int st = ST_OK;
	if (is_custom)
		st = custom_sql(leg, param("custom_sql_lookup"), &sql);
	else
		buf_printf(&sql, "SELECT %s AS nibble_balance FROM %s WHERE %s=$1", param("db_column_cash"),
		    param("db_table"), param("db_column_account"));
	if (!st)
		st = !store ? ST_UNSUPPORTED : store_sql(store, sql.p, params, is_custom ? 0 : 1, NULL, answer, arg);
	buf_fini(&sql);
	return st;
}

/* The column nibble_balance of the last row; no row: 0, as there. */
static double balance_of(const struct store_rows *rows)
{
	size_t at = 0, column = 0;
	struct sv cell = SV_NONE;
	double balance = 0;
	for (size_t i = 0; i < rows->column_count && store_rows_next(rows, &at, &cell); i++)
		if (sv_isi(cell, "nibble_balance"))
			column = i;
	for (size_t r = 0; r < rows->row_count; r++)
		for (size_t i = 0; i < rows->column_count && store_rows_next(rows, &at, &cell); i++)
			if (i == column && cell.n)
				balance = strtod(cell.p, NULL);
	return balance;
}

/* ---- what a balance leads to --------------------------------------------------------------------------------- */

struct left { /* the call as it was when its money was gone */
	char uuid[40];
	unsigned profile_index;
};

/* The extension ran to its end: who is still where he was, and not paid for again, goes. */
static void on_left(void *arg)
{
	struct left *l = arg;
	role_assert_ctl();
	struct leg *leg = leg_find(l->uuid);
	const struct bill *b = bills ? hash_get(bills, sv_of(l->uuid)) : NULL;
	bool is_paid = b && !b->paused_us;
	if (leg && leg_is_up(leg) && leg->profile->index == l->profile_index && !is_paid && leg_is_ready(leg)) {
		leg_log(leg, LOG_NOTICE,
		    "nibblebill: no money is left and the extension has left the call as it was: hung up");
		leg_hangup(leg, CAUSE_NORMAL_CLEARING);
	}
	mem_free(l);
}

static ON_CTL void send_away(struct leg *leg, const char *action)
{
	struct left *l = mem_zalloc(sizeof(*l));
	struct leg_exec_request r = {.app = "execute_extension", .data = action, .done = on_left, .done_arg = l};
	if (!l)
		return;
	snprintf(l->uuid, sizeof(l->uuid), "%s", leg->uuid);
	l->profile_index = leg->profile->index;
	int st = leg_exec_request(leg, &r);
	if (st) {
		leg_log(leg, LOG_ERR, "nibblebill: %s: %s; the call ends", action, status_text(st));
		mem_free(l);
		leg_hangup(leg, CAUSE_NORMAL_CLEARING);
	}
}

static ON_CTL void warn(struct leg *leg, const char *action)
{
	struct app_words w;
	if (!app_words_init(&w, action, 2) && w.n) {
		struct leg_exec_request r = {.app = w.m[0], .data = w.n > 1 ? w.m[1] : ""};
		(void)leg_exec_request(leg, &r);
	}
	app_words_fini(&w);
}

static ON_CTL void balance_use(struct leg *leg, struct bill *b, double balance)
{
	double most = strtod(param("percall_max_amt"), NULL);
	if (!b->is_low && balance <= amount_of(leg, "lowbal_amt", "lowbal_amt")) {
		leg_log(leg, LOG_INFO, "nibblebill: %f is left, that is low", balance);
		b->is_low = true;
		warn(leg, param("lowbal_action"));
	}
	bool is_dear = most > 0 && b->total >= most, is_none = balance <= amount_of(leg, "nobal_amt", "nobal_amt");
	if (!is_none && !is_dear)
		return;
	leg_log(leg, LOG_NOTICE, "nibblebill: %f is left, the call cost %f: it is sent away", balance, b->total);
	if (!b->paused_us) /* the way there begins a dialplan, which looks at the balance again */
		b->paused_us = clock_mono_us();
	send_away(leg, param(is_none ? "nobal_action" : "percall_action"));
}

/* ---- charging ------------------------------------------------------------------------------------------------ */

static ON_CTL void bill_end(struct bill *b)
{
	if (b->is_over && !b->asked_count)
		(void)hash_del(bills, sv_of(b->uuid));
}

static void on_balance(int status, struct store_rows *rows, void *arg)
{
	struct question *q = arg;
	role_assert_ctl();
	struct bill *b = bills ? hash_get(bills, sv_of(q->uuid)) : NULL;
	struct leg *leg = leg_find(q->uuid);
	if (b)
		b->asked_count--;
	if (status && status != ST_CANCELLED) {
		failed_count++;
		log_uuid(LOG_ERR, q->uuid, "nibblebill: the balance of %s is not known: %s%s%s",
		    q->account ? q->account : "", status_text(status), rows->error.n ? ": " : "",
		    rows->error.n ? rows->error.p : "");
	}
	if (b && leg && leg_is_up(leg) && !b->is_over && !b->paused_us && !status)
		balance_use(leg, b, balance_of(rows));
	if (b)
		bill_end(b);
	question_free(q);
}

static ON_CTL void balance_check(struct leg *leg, struct bill *b, const char *account)
{
	struct question *q = question_new(b, account, 0);
	if (q && balance_ask(leg, account, on_balance, q)) {
		b->asked_count--;
		question_free(q);
	}
}

static void on_charged(int status, struct store_rows *rows, void *arg)
{
	struct question *q = arg;
	role_assert_ctl();
	struct bill *b = bills ? hash_get(bills, sv_of(q->uuid)) : NULL;
	struct leg *leg = leg_find(q->uuid);
	if (b)
		b->asked_count--, b->pending -= q->amount;
	if (!status) {
		charged_count++;
		if (b)
			b->total += q->amount;
		if (b && leg)
			leg_var_setf(leg, "nibble_total_billed", "%f", b->total);
	} else {
		failed_count++;
		bool is_lost = !b || b->is_over;
		log_uuid(LOG_ERR, q->uuid, "nibblebill: %f of %s could not be charged%s: %s%s%s", q->amount,
		    q->account ? q->account : "", is_lost ? " and the call is over" : ", it is owed",
		    status_text(status), rows->error.n ? ": " : "", rows->error.n ? rows->error.p : "");
		if (!is_lost)
			b->owed += q->amount;
	}
	if (b)
		bill_end(b);
	question_free(q);
}

static ON_CTL void charge(struct leg *leg, struct bill *b, const char *account, double amount)
{
	struct question *q = question_new(b, account, amount);
	int st = q ? charge_ask(leg, account, amount, on_charged, q) : ST_NOMEM;
	if (!st) {
		b->pending += amount;
		return;
	}
	leg_log(leg, LOG_ERR, "nibblebill: %f of %s could not be charged, it is owed: %s", amount, account,
	    status_text(st));
	b->owed += amount;
	b->asked_count -= q != NULL;
	failed_count++;
	question_free(q);
}

static ON_CTL struct bill *bill_of(struct leg *leg)
{
	struct bill *b = hash_get(bills, sv_of(leg->uuid));
	if (b || !(b = mem_zalloc(sizeof(*b))))
		return b;
	snprintf(b->uuid, sizeof(b->uuid), "%s", leg->uuid);
	int64_t since_us = leg->profile->times.answered ? clock_wall_us() - leg->profile->times.answered : 0;
	b->last_us = clock_mono_us() - (since_us > 0 ? since_us : 0);
	if (hash_set(bills, sv_of(b->uuid), b)) {
		mem_free(b);
		b = NULL;
	}
	return b;
}

static double price_of(double rate_a_minute, double us)
{
	return rate_a_minute / (double)clock_us_of_s(60) * us;
}

/* What the time until now costs; moves on to where is charged. */
static ON_CTL double amount_take(struct leg *leg, struct bill *b, double rate)
{
	double step_s = amount_of(leg, "nibble_increment", "");
	double step_us = step_s >= 1 ? (double)clock_us_of_s((int64_t)step_s) : 0;
	int64_t now_us = clock_mono_us(), gone_us = now_us - b->last_us;
	double units_us = (double)gone_us;
	if (step_s >= 1) /* whole steps in advance */
		units_us = fmax(1, ceil((double)gone_us / step_us)) * step_us;
	b->last_us = step_s >= 1 ? b->last_us + (int64_t)units_us : now_us;
	double amount = price_of(rate, units_us) - b->adjust + b->owed;
	b->adjust = b->owed = 0;
	return amount;
}

/* The call is over: rounded up, and at least so much. */
static ON_CTL double excess_of(struct leg *leg, double total)
{
	double least = amount_of(leg, "nibble_minimum", "");
	const char *digits = leg_var(leg, "nibble_rounding");
	double factor = digits && *digits ? pow(10, strtod(digits, NULL)) : 0;
	double rounded = factor > 0 && isfinite(factor) ? ceil(total * factor - 1e-9) / factor : total;
	return rounded < least ? least - total : rounded - total;
}

static ON_CTL char *account_of(struct leg *leg, double *rate)
{
	const char *r = leg_var(leg, param("var_name_rate"));
	if (!r)
		return NULL;
	*rate = strtod(r, NULL);
	const char *account = leg_var(leg, param("var_name_account"));
	return account ? mem_strdup(account) : NULL;
}

/* Before the answer: is there money at all? The dialplan goes on meanwhile and may have answered when it is known. */
struct entry {
	char uuid[40];
	double least;
};

static void on_entry(int status, struct store_rows *rows, void *arg)
{
	struct entry *e = arg;
	role_assert_ctl();
	struct leg *leg = leg_find(e->uuid);
	if (leg && leg_is_up(leg) && status != ST_CANCELLED) {
		if (status)
			failed_count++;
		double balance = status ? -1 : balance_of(rows);
		if (balance - e->least <= amount_of(leg, "nobal_amt", "nobal_amt")) {
			leg_log(leg, LOG_NOTICE, "nibblebill: %s",
			    status ? "no balance is known, the call is refused" : "no money");
			send_away(leg, param("nobal_action"));
		}
	}
	mem_free(e);
}

static ON_CTL void entry_check(struct leg *leg, const char *account)
{
	struct entry *e = mem_zalloc(sizeof(*e));
	if (!e)
		return;
	snprintf(e->uuid, sizeof(e->uuid), "%s", leg->uuid);
	e->least = amount_of(leg, "nibble_minimum", "");
	if (balance_ask(leg, account, on_entry, e)) {
		mem_free(e);
		send_away(leg, param("nobal_action"));
	}
}

static ON_CTL void bill(struct leg *leg, bool is_end)
{
	double rate = 0;
	char *account = account_of(leg, &rate);
	struct bill *b = account && leg->is_answered ? bill_of(leg) : NULL;
	if (account && !leg->is_answered && !is_end)
		entry_check(leg, account);
	else if (b && !b->is_final && (!b->paused_us || is_end)) {
		if (is_end && b->paused_us) /* what was paused is not charged */
			b->last_us += clock_mono_us() - b->paused_us;
		double amount = clock_mono_us() >= b->last_us ? amount_take(leg, b, rate) : 0;
		if (is_end)
			amount += excess_of(leg, b->total + b->pending + amount);
		if (amount != 0) /* NOLINT: nothing at all */
			charge(leg, b, account, amount);
		b->is_final = is_end;
		if (!is_end)
			balance_check(leg, b, account);
	}
	mem_free(account);
}

/* ---- pause and the like -------------------------------------------------------------------------------------- */

static ON_CTL void do_pause(struct leg *leg)
{
	struct bill *b = hash_get(bills, sv_of(leg->uuid));
	if (b && !b->paused_us)
		b->paused_us = clock_mono_us();
}

static ON_CTL void resume(struct leg *leg)
{
	double rate = 0;
	char *account = account_of(leg, &rate);
	struct bill *b = hash_get(bills, sv_of(leg->uuid));
	if (b && b->paused_us) {
		b->adjust += price_of(rate, (double)(clock_mono_us() - b->paused_us));
		b->paused_us = 0;
	}
	mem_free(account);
}

static ON_CTL void adjust(struct leg *leg, const char *text)
{
	double rate = 0, amount = strtod(text, NULL);
	char *account = account_of(leg, &rate);
	struct bill *b = account && isfinite(amount) ? bill_of(leg) : NULL;
	if (b)
		charge(leg, b, account, -amount);
	mem_free(account);
}

/* verb and its argument; false: there is no such verb */
static ON_CTL bool verb_run(struct leg *leg, const char *verb, const char *arg)
{
	struct bill *b = hash_get(bills, sv_of(leg->uuid));
	if (!strcasecmp(verb, "adjust") && arg)
		adjust(leg, arg);
	else if (!strcasecmp(verb, "flush"))
		bill(leg, false);
	else if (!strcasecmp(verb, "pause"))
		do_pause(leg);
	else if (!strcasecmp(verb, "resume"))
		resume(leg);
	else if (!strcasecmp(verb, "check"))
		leg_log(leg, LOG_NOTICE, "nibblebill: this call cost %f so far", b ? b->total : 0.0);
	else if (!strcasecmp(verb, "reset") && b)
		b->last_us = clock_mono_us();
	else if (!strcasecmp(verb, "heartbeat") && arg)
		leg_heartbeat(leg, atoi(arg));
	else
		return !strcasecmp(verb, "reset");
	return true;
}

static int app_nibblebill(struct leg *leg, const char *data)
{
	struct app_words w;
	role_assert_co();
	int st = app_words_init(&w, data, 3);
	if (!st && (!w.n || !verb_run(leg, w.w[0], w.n > 1 ? w.w[1] : NULL)))
		leg_log(leg, LOG_ERR,
		    "nibblebill: usage: pause | resume | reset | adjust <amount> | heartbeat <seconds> | check");
	app_words_fini(&w);
	return st;
}

static int api_nibblebill(struct api_call *c)
{
	struct app_words w;
	role_assert_ctl();
	int st = app_words_init(&w, c->text, 4);
	struct leg *leg = !st && w.n ? leg_find(w.w[0]) : NULL;
	if (st || !w.n)
		;
	else if (w.n != 2 && w.n != 3)
		buf_adds(c->out,
		    "-USAGE: <uuid> [pause | resume | reset | adjust <amount> | heartbeat <seconds> | check]\n");
	else if (!leg)
		buf_adds(c->out, "-ERR No Such Channel!\n");
	else
		(void)verb_run(leg, w.w[1], w.n > 2 ? w.w[2] : NULL);
	app_words_fini(&w);
	return st;
}

/* ---- the call's life ----------------------------------------------------------------------------------------- */

/* A dialplan begins: who has an account by now has it from the directory, and is charged as he talks. */
static ON_CTL void on_routing(struct leg *leg, void *arg)
{
	double rate = 0;
	char *account = account_of(leg, &rate);
	int seconds = atoi(param("global_heartbeat"));
	if (account && !hash_get(bills, sv_of(leg->uuid)) && seconds > 0)
		leg_heartbeat(leg, seconds);
	if (account)
		bill(leg, false);
	mem_free(account);
}

static ON_CTL void on_hangup(struct leg *leg, void *arg)
{
	bill(leg, true);
	struct bill *b = hash_get(bills, sv_of(leg->uuid));
	if (b) {
		b->is_over = true;
		bill_end(b);
	}
}

static void on_beat(struct event *e, void *arg)
{
	role_assert_ctl();
	struct leg *leg = leg_find(event_get(e, "Unique-ID"));
	if (leg && leg_is_up(leg))
		bill(leg, false);
}

static void bill_free(void *b)
{
	mem_free(b);
}

static int load(void)
{
	struct buf error;
	role_assert_ctl();
	const char *dsn = param("odbc-dsn");
	buf_init(&error);
	if (!*dsn)
		dsn = param("db_dsn");
	if (*dsn && core_dirs() && core_dirs()->db && store_open(&store, dsn, core_dirs()->db, STORE_KEEPS, &error)) {
		log_error("nibblebill.conf: odbc-dsn: %s; no call of an account is let in",
		    error.n ? error.p : "no such database");
		store = NULL;
	}
	buf_fini(&error);
	int st = hash_new(&bills, 0, bill_free);
	if (!st)
		st = event_sub_new(&beats, on_beat, NULL);
	if (!st)
		st = leg_hook_add(LEG_HOOK_ROUTING, on_routing, NULL);
	if (!st)
		st = leg_hook_add(LEG_HOOK_HANGUP, on_hangup, NULL);
	if (!st)
		event_sub_want(beats, EVENT_SESSION_HEARTBEAT, true);
	return st;
}

static int unload(void)
{
	role_assert_ctl();
	leg_hook_del(LEG_HOOK_ROUTING, on_routing, NULL);
	leg_hook_del(LEG_HOOK_HANGUP, on_hangup, NULL);
	event_sub_free(beats);
	beats = NULL;
	store_close(store);
	store = NULL;
	hash_free(bills);
	bills = NULL;
	return ST_OK;
}

static void fill(struct metric_out *out, int which)
{
	role_assert_ctl();
	metric_put(out, which ? (double)failed_count : (double)charged_count, NULL);
}

static const struct metric_desc metrics[] = {
    {"tandem_nibblebill_charges_total", METRIC_COUNTER, 0, "Charges that the database took.", fill, 0},
    {"tandem_nibblebill_failures_total", METRIC_COUNTER, 0, "Charges and balances that the database did not answer.",
        fill, 1},
    {NULL},
};
static const struct app_desc apps[] = {
    {"nibblebill", "Handle billing", "pause | resume | reset | adjust <amount> | heartbeat <seconds> | check",
        APP_NO_MEDIA | APP_ROUTING_EXEC, app_nibblebill},
    {NULL},
};
static const struct api_desc apis[] = {
    {"nibblebill", "Manage billing parameters for a channel/call",
        "<uuid> [pause | resume | reset | adjust <amount> | heartbeat <seconds> | check]", 0, api_nibblebill, NULL},
    {NULL},
};
static const struct var_desc vars[] = {
    {"lowbal_amt", "number", "lowbal_amt of nibblebill.conf for this call", true, false},
    {"nibble_account", "text", "the account that pays for the call", true, false},
    {"nibble_bill", "number", "the amount, for custom_sql_save", false, true},
    {"nibble_increment", "s", "charged in whole steps of so long, in advance", true, false},
    {"nibble_minimum", "number", "what the call costs at least", true, false},
    {"nibble_rate", "number", "price of a minute", true, false},
    {"nibble_rounding", "number", "the whole is rounded up to so many decimals at the end", true, false},
    {"nibble_total_billed", "number", "what was charged for the call", false, true},
    {"nobal_amt", "number", "nobal_amt of nibblebill.conf for this call", true, false},
    {NULL},
};
extern const struct module mod_nibblebill;
const struct module mod_nibblebill = {.abi = MODULE_ABI,
    .name = "mod_nibblebill",
    .load = load,
    .unload = unload,
    .apps = apps,
    .apis = apis,
    .vars = vars,
    .confs = confs,
    .metrics = metrics};
