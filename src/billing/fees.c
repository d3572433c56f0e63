/* Fees: what an account pays by the day, week or month, for a number of its own (DID) or for being one. A fee has the
 * period that is to be paid next; whoever charges it (this switch, another, the same one after it was killed) books the
 * entry "fee:PERIOD:NAME:ACCOUNT" and moves the period in one transaction, so that none is paid twice and none is left
 * out:
 *
 *   timer, start, top-up -> what is due and can be paid -> one transaction a period -> again until nothing is
 *
 * An account that has not enough owes: it is told once a period (event fee_due), and pays when money comes. Periods are
 * those of the calendar, in UTC. */
#include "base/clock.h"
#include "base/mem.h"
#include "billing/billing_i.h"
#include "loop/co.h"
#include "loop/loop.h"
#include "text/mark.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PAGE = 200, NAME_MAX_BYTES = 64, ENTRY_MAX = 192, DAY_S = 86400, WEEK_DAYS = 7, MONDAY = 3 /* 1970-01-05 */ };
static struct ltimer timer;

/* ---- periods: whole days since 1970, Mondays since, months since year 0 ---- */

static int64_t period_of(const char *every, int64_t wall_s)
{
	int64_t day = wall_s / DAY_S;
	time_t t = (time_t)wall_s;
	struct tm tm;
	if (!strcmp(every, "day"))
		return day;
	if (!strcmp(every, "week"))
		return (day + MONDAY) / WEEK_DAYS;
	return gmtime_r(&t, &tm) ? (tm.tm_year + 1900) * 12 + tm.tm_mon : 0;
}

/* "2026-11", "2026-11-27", "2026-11-23/7". */
static void period_text(const char *every, int64_t period, char out[32])
{
	bool is_week = !strcmp(every, "week");
	time_t t = (time_t)((is_week ? period * WEEK_DAYS - MONDAY : period) * DAY_S);
	struct tm tm;
	if (!strcmp(every, "month"))
		snprintf(out, 32, "%04d-%02d", (int)(period / 12), (int)(period % 12) + 1);
	else if (gmtime_r(&t, &tm))
		snprintf(
		    out, 32, "%04d-%02d-%02d%s", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, is_week ? "/7" : "");
}

static bool is_period(const char *every)
{
	return !strcmp(every, "day") || !strcmp(every, "week") || !strcmp(every, "month");
}

static int64_t now_s(void)
{
	return clock_wall_us() / clock_us_of_s(1);
}

/* ---- charging ---- */

struct row {
	char account[NAME_MAX_BYTES + 1], name[NAME_MAX_BYTES + 1], every[9];
	int64_t amount, period;
};
struct due_numbers {
	struct store_number n[4];
};

/* $1 $2: behind which fee; $3: the account, or ''; $4 $5 $6: the periods of now; $7: so many */
#define DUE \
	"SELECT f.account,f.name,f.amount,f.every,f.period FROM billing_fees f JOIN billing_accounts a ON " \
	"a.id=f.account " \
	"WHERE (f.account>$1 OR (f.account=$1 AND f.name>$2)) AND (CAST($3 AS VARCHAR(255))='' OR f.account=$3) AND " \
	"((f.every='day' AND f.period<=CAST($4 AS BIGINT)) OR (f.every='week' AND f.period<=CAST($5 AS BIGINT)) OR " \
	"(f.every='month' AND f.period<=CAST($6 AS BIGINT)))"
#define PAYABLE " AND a.balance+a.credit_limit-a.reserved>=f.amount"
#define OWED " AND a.balance+a.credit_limit-a.reserved<f.amount AND f.told<>f.period"
#define PAGED " ORDER BY f.account,f.name LIMIT CAST($7 AS BIGINT)"

/* A page of them; *count rows, at most PAGE. */
static CO int due_read(const char *text, const struct row *behind, const char *account, struct row *out, size_t *count)
{
	struct due_numbers d;
	int64_t now = now_s();
	struct sv v[5] = {{0}},
	          p[] = {sv_of(behind->account), sv_of(behind->name), sv_of(account ? account : ""),
	              store_number_put(&d.n[0], period_of("day", now)),
	              store_number_put(&d.n[1], period_of("week", now)),
	              store_number_put(&d.n[2], period_of("month", now)), store_number_put(&d.n[3], PAGE)};
	struct store_rows rows;
	size_t at = 0;
	int st = ledger_sql(text, p, 7, &rows);
	for (*count = 0; !st && *count < PAGE && store_rows_row(&rows, &at, v, 5); ++*count) {
		struct row *r = &out[*count];
		snprintf(r->account, sizeof(r->account), "%.*s", (int)v[0].n, v[0].p);
		snprintf(r->name, sizeof(r->name), "%.*s", (int)v[1].n, v[1].p);
		snprintf(r->every, sizeof(r->every), "%.*s", (int)v[3].n, v[3].p);
		r->amount = store_number(v[2]), r->period = store_number(v[4]);
	}
	store_rows_fini(&rows);
	return st;
}

/* All periods up to now that there is money for. */
static CO int fee_charge(const struct row *r, size_t *charged)
{
	int64_t last = period_of(r->every, now_s()), balance;
	int st = ST_OK;
	for (int64_t period = r->period; !st && period <= last; period++) {
		char entry[ENTRY_MAX], label[32] = "";
		const struct ledger_fee f = {r->account, r->name, r->amount, period};
		period_text(r->every, period, label);
		snprintf(entry, sizeof(entry), "fee:%s:%s:%s", label, r->name, r->account);
		st = ledger_fee(&f, entry, &balance);
		if (st)
			break;
		billing_counts.fees++;
		++*charged;
		billing_event("fee", r->account, NULL, NULL, r->amount, r->name);
	}
	return st == ST_EXISTS || st == ST_NOTFOUND ? ST_OK : st; /* another did it, or the money is gone */
}

static CO int owed_tell(const struct row *r)
{
	struct store_number n;
	struct sv p[] = {sv_of(r->account), sv_of(r->name), store_number_put(&n, r->period)};
	struct store_rows rows;
	int st = ledger_sql("UPDATE billing_fees SET told=period WHERE account=$1 AND name=$2 AND period=CAST($3 AS "
	                    "BIGINT) AND told<>period",
	    p, 3, &rows);
	if (!st && rows.change_count > 0)
		billing_event("fee_due", r->account, NULL, NULL, r->amount, r->name);
	store_rows_fini(&rows);
	return st;
}

int fees_run(const char *account, size_t *charged)
{
	struct row *rows = mem_alloc(PAGE * sizeof(*rows)), behind = {.account = ""};
	size_t none = 0, count = PAGE;
	int st = rows ? ST_OK : ST_NOMEM;
	if (!charged)
		charged = &none;
	while (!st && count == PAGE) {
		st = due_read(DUE PAYABLE PAGED, &behind, account, rows, &count);
		for (size_t i = 0; !st && i < count; i++)
			st = fee_charge(&rows[i], charged);
		if (count)
			behind = rows[count - 1];
	}
	behind = (struct row){.account = ""};
	count = PAGE;
	while (!st && count == PAGE) {
		st = due_read(DUE OWED PAGED, &behind, account, rows, &count);
		for (size_t i = 0; !st && i < count; i++)
			st = owed_tell(&rows[i]);
		if (count)
			behind = rows[count - 1];
	}
	mem_free(rows);
	return st;
}

static void on_timer(void *arg);

static void co_fees(void *arg)
{
	role_assert_co();
	(void)fees_run(NULL, NULL);
	int64_t s = strtoll(billing_param("fee-seconds"), NULL, 10);
	if (lines_are_open() && s > 0)
		loop_timer_set(&timer, clock_us_of_s(s < DAY_S ? s : DAY_S), "billing fees", on_timer, NULL);
}

static void on_timer(void *arg)
{
	role_assert_ctl();
	if (co_spawn("billing fees", co_fees, NULL, NULL))
		loop_timer_set(&timer, clock_us_of_s(1), "billing fees", on_timer, NULL);
}

void fees_start(void)
{
	loop_timer_set(&timer, 0, "billing fees", on_timer, NULL);
}

void fees_stop(void)
{
	loop_timer_cancel(&timer);
}

/* ---- commands ---- */

static CO void fee_set(struct api_call *c, const char *account, const char *name, const char *amount, const char *every)
{
	struct store_number n[2];
	int64_t v = 0;
	struct store_rows rows;
	if (!is_period(every) || rate_money_parse(sv_of(amount), &v) || v <= 0 || strlen(account) > NAME_MAX_BYTES ||
	    !*name || strlen(name) > NAME_MAX_BYTES || strchr(name, ':') || mark_has(sv_of(name))) {
		buf_adds(c->out, "-ERR fee <account> <name without a colon> <amount> [month|week|day]\n");
		return;
	}
	struct sv p[] = {sv_of(account), sv_of(name), store_number_put(&n[0], v), sv_of(every),
	    store_number_put(&n[1], period_of(every, now_s()))};
	int st = ledger_sql(
	    "INSERT INTO billing_fees (account,name,amount,every,period) SELECT a.id,CAST($2 AS VARCHAR(64)),CAST($3 "
	    "AS "
	    "BIGINT),CAST($4 AS VARCHAR(8)),CAST($5 AS BIGINT) FROM billing_accounts a WHERE a.id=$1 ON CONFLICT "
	    "(account,name) DO UPDATE SET amount=excluded.amount,period=CASE WHEN billing_fees.every=excluded.every "
	    "THEN "
	    "billing_fees.period ELSE excluded.period END,every=excluded.every",
	    p, 5, &rows);
	int64_t changed = rows.change_count;
	store_rows_fini(&rows);
	if (!st && changed)
		st = fees_run(account, NULL);
	if (st || !changed)
		buf_printf(c->out, "-ERR %s\n", st ? status_text(st) : "no such account");
	else
		buf_adds(c->out, "+OK\n");
}

static CO void fee_drop(struct api_call *c, const char *account, const char *name)
{
	struct sv p[] = {sv_of(account), sv_of(name)};
	struct store_rows rows;
	int st = ledger_sql("DELETE FROM billing_fees WHERE account=$1 AND name=$2", p, 2, &rows);
	if (st || !rows.change_count)
		buf_printf(c->out, "-ERR %s\n", st ? status_text(st) : "no such fee");
	else
		buf_adds(c->out, "+OK\n");
	store_rows_fini(&rows);
}

/* "paid" or "due": what a dialplan asks before it lets a number's calls in. */
static CO void fee_state(struct api_call *c, const char *account, const char *name)
{
	struct sv p[] = {sv_of(account), sv_of(name)}, v[2] = {{0}};
	struct store_rows rows;
	size_t at = 0;
	char every[9];
	int st = ledger_sql("SELECT every,period FROM billing_fees WHERE account=$1 AND name=$2", p, 2, &rows);
	if (st || !store_rows_row(&rows, &at, v, 2)) {
		buf_printf(c->out, "-ERR %s\n", st ? status_text(st) : "no such fee");
	} else {
		snprintf(every, sizeof(every), "%.*s", (int)v[0].n, v[0].p);
		buf_adds(c->out, store_number(v[1]) > period_of(every, now_s()) ? "paid" : "due");
	}
	store_rows_fini(&rows);
}

int fees_command(struct api_call *c, int n, const char *const *w)
{
	if (n == 4 && !strcmp(w[3], "off"))
		fee_drop(c, w[1], w[2]);
	else if (n > 3)
		fee_set(c, w[1], w[2], w[3], n > 4 ? w[4] : "month");
	else
		fee_state(c, w[1], w[2]);
	return ST_OK;
}

int fees_show(struct api_call *c, const char *account)
{
	struct sv p[] = {sv_of(account ? account : "")}, v[5] = {{0}};
	struct store_rows rows;
	size_t at = 0;
	int st =
	    ledger_sql("SELECT account,name,amount,every,period FROM billing_fees WHERE CAST($1 AS VARCHAR(255))='' OR "
	               "account=$1 ORDER BY account,name LIMIT 10000",
	        p, 1, &rows);
	if (st)
		buf_printf(c->out, "-ERR %s\n", status_text(st));
	while (!st && store_rows_row(&rows, &at, v, 5)) {
		char every[9], next[32] = "";
		snprintf(every, sizeof(every), "%.*s", (int)v[3].n, v[3].p);
		period_text(every, store_number(v[4]), next);
		buf_printf(c->out, "%.*s %.*s ", (int)v[0].n, v[0].p, (int)v[1].n, v[1].p);
		rate_money_put(c->out, store_number(v[2]));
		buf_printf(c->out, " a %s, next for %s: %s\n", every, next,
		    store_number(v[4]) > period_of(every, now_s()) ? "paid until then" : "due");
	}
	store_rows_fini(&rows);
	return ST_OK;
}
