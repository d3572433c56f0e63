/* What an operator asks of the whole ledger: does it add up (reconcile), and what would a day's calls cost by the decks
 * as they are now (rerate). Calls are read page by page, each page going on in an index's order behind the last one. */
#include "base/clock.h"
#include "billing/billing_i.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { ID_MAX = 64 };

/* Rows that should not be, each kind by its statement. */
static const struct proof {
	const char *what, *sql;
} proofs[] = {
    {"the balance is not the sum of its entries",
        "SELECT a.id FROM billing_accounts a WHERE a.balance<>(SELECT COALESCE(SUM(e.amount),0) FROM billing_entries e "
        "WHERE e.account=a.id) LIMIT 100"},
    {"what is reserved is not that of its open calls", "SELECT a.id FROM billing_accounts a WHERE a.reserved<>(SELECT "
                                                       "COALESCE(SUM(c.reserved),0) FROM billing_calls c "
                                                       "WHERE c.account=a.id AND c.state='open') LIMIT 100"},
    {"the call's entries are not its cost",
        "SELECT c.id FROM billing_calls c WHERE c.state='done' AND c.cost<>-(SELECT COALESCE(SUM(e.amount),0) FROM "
        "billing_entries e WHERE e.call_id=c.id) LIMIT 100"},
    {"the account owes more than it may",
        "SELECT id FROM billing_accounts WHERE kind='prepaid' AND balance+credit_limit<0 LIMIT 100"},
};

/* Each call that is over, by the rate that it kept: in the order of the key, which every page goes on in. */
static CO int costs_check(struct api_call *c, size_t *bad, int64_t *count)
{
	char last[ID_MAX + 1] = "";
	for (size_t rows_read = 1; rows_read;) {
		struct sv p[] = {sv_of(last)}, v[10] = {{0}};
		struct store_rows rows;
		size_t at = 0;
		int st = ledger_sql(
		    "SELECT id,per_minute,connect_fee,minimum_s,increment_s,free_s,tax_ppm,seconds,cost,state FROM "
		    "billing_calls WHERE id>$1 ORDER BY id LIMIT 2000",
		    p, 1, &rows);
		for (rows_read = 0; !st && store_rows_row(&rows, &at, v, 10); rows_read++) {
			struct rate r = {.per_minute = store_number(v[1]),
			    .connect = store_number(v[2]),
			    .minimum_s = (uint32_t)store_number(v[3]),
			    .increment_s = (uint32_t)store_number(v[4]),
			    .free_s = (uint32_t)store_number(v[5]),
			    .tax_ppm = (uint32_t)store_number(v[6])};
			snprintf(last, sizeof(last), "%.*s", (int)v[0].n, v[0].p);
			if (!sv_is(v[9], "done"))
				continue;
			if ((!r.increment_s || rate_cost(&r, store_number(v[7])) != store_number(v[8])) &&
			    (*bad)++ < 100)
				buf_printf(c->out, "%s: the cost is not its rate's\n", last);
			++*count;
		}
		store_rows_fini(&rows);
		if (st)
			return st;
	}
	return ST_OK;
}

int reconcile_command(struct api_call *c)
{
	size_t bad = 0;
	int64_t count = 0;
	int st = calls_recover();
	for (size_t i = 0; !st && i < sizeof(proofs) / sizeof(proofs[0]); i++) {
		struct store_rows rows;
		struct sv cell = SV_NONE;
		size_t at = 0;
		st = ledger_sql(proofs[i].sql, NULL, 0, &rows);
		for (; !st && store_rows_row(&rows, &at, &cell, 1); bad++)
			buf_printf(c->out, "%.*s: %s\n", (int)cell.n, cell.p, proofs[i].what);
		store_rows_fini(&rows);
	}
	if (!st)
		st = costs_check(c, &bad, &count);
	if (st)
		buf_printf(c->out, "-ERR %s\n", status_text(st));
	else
		buf_printf(c->out, "%s %lld calls, %zu differences\n", bad ? "-ERR" : "+OK", (long long)count, bad);
	return ST_OK;
}

/* The calls that began on a day (UTC), by the decks as they are now for the time of each. */
int rerate_command(struct api_call *c, const char *day)
{
	char last[ID_MAX + 1] = "";
	struct tm tm = {0};
	size_t changed = 0, without = 0;
	int st = ST_OK;
	const char *end = strptime(day, "%Y-%m-%d", &tm);
	if (!end || *end) {
		buf_adds(c->out, "-ERR rerate <YYYY-MM-DD>\n");
		return ST_OK;
	}
	int64_t from_us = clock_us_of_s(timegm(&tm)), end_us = from_us + clock_us_of_s(86400);
	for (size_t rows_read = 1; rows_read && !st;) {
		struct store_number n[2];
		struct sv v[8] = {{0}};
		struct sv p[] = {sv_of(last), store_number_put(&n[0], from_us), store_number_put(&n[1], end_us)};
		struct store_rows rows;
		size_t at = 0;
		st = ledger_sql("SELECT id,account,deck,number,started_us,seconds,cost,state FROM billing_calls WHERE "
		                "started_us>=CAST($2 AS BIGINT) AND started_us<CAST($3 AS BIGINT) AND "
		                "(started_us>CAST($2 AS BIGINT) OR "
		                "id>$1) ORDER BY started_us,id LIMIT 500",
		    p, 3, &rows);
		for (rows_read = 0; !st && store_rows_row(&rows, &at, v, 8); rows_read++) {
			struct rate_found f;
			char account[ID_MAX + 1], deck[ID_MAX + 1], number[ID_MAX + 1];
			snprintf(last, sizeof(last), "%.*s", (int)v[0].n, v[0].p);
			snprintf(account, sizeof(account), "%.*s", (int)v[1].n, v[1].p);
			snprintf(deck, sizeof(deck), "%.*s", (int)v[2].n, v[2].p);
			snprintf(number, sizeof(number), "%.*s", (int)v[3].n, v[3].p);
			from_us = store_number(v[4]);
			if (!sv_is(v[7], "done"))
				continue;
			int64_t old = store_number(v[6]), cost = old;
			if (decks_find(deck, number, store_number(v[4]) / 1000000, &f))
				without++;
			else
				cost = rate_cost(&f.rate, store_number(v[5]));
			if (cost != old && !(st = ledger_rerate(last, account, old, cost, &f)))
				changed++;
		}
		store_rows_fini(&rows);
	}
	if (st)
		buf_printf(c->out, "-ERR %s after %zu calls\n", status_text(st), changed);
	else
		buf_printf(c->out, "+OK %zu calls changed, %zu have no rate and stay\n", changed, without);
	return ST_OK;
}
