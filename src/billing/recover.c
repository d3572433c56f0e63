/* Calls that are open in the ledger and nobody's: of a process of this name that died, or reserved by a statement that
 * the database ran after all when nobody waited for its answer any more. They are settled with what was noted of them.
 * A reservation that is on its way now is open and nobody's too, for as long as its answer takes: so only those count
 * that began before this process had the ledger, or long ago. */
#include "base/clock.h"
#include "base/mem.h"
#include "billing/billing_i.h"
#include "core/value/self.h"
#include "loop/co.h"

enum { EVERY_S = 60, LONG_AGO_S = 120 };
static struct ltimer timer;

int calls_recover(void)
{
	struct store_number n;
	int64_t before_us = clock_wall_us() - clock_us_of_s(LONG_AGO_S);
	if (before_us < lines_since_us())
		before_us = lines_since_us();
	struct sv p[] = {sv_of(core_switchname()), store_number_put(&n, before_us)}, c[4] = {{0}};
	struct store_rows rows;
	size_t at = 0;
	int st = ledger_sql("SELECT id,account,used_s,used FROM billing_calls WHERE state='open' AND node=$1 AND "
	                    "started_us<CAST($2 AS BIGINT)",
	    p, 2, &rows);
	while (!st && store_rows_row(&rows, &at, c, 4)) {
		char *id = sv_dup(c[0]), *account = sv_dup(c[1]);
		if (!id || !account)
			st = ST_NOMEM;
		else if (!calls_has(id) &&
		         !(st = ledger_settle(id, account, store_number(c[2]), store_number(c[3]), false)))
			billing_counts.recovered++;
		mem_free(id);
		mem_free(account);
	}
	store_rows_fini(&rows);
	return st;
}

static void on_timer(void *arg);

static void co_recover(void *arg)
{
	role_assert_co();
	(void)calls_recover();
	if (lines_are_open())
		recover_start();
}

static void on_timer(void *arg)
{
	role_assert_ctl();
	if (co_spawn("billing recover", co_recover, NULL, NULL))
		recover_start();
}

void recover_start(void)
{
	loop_timer_set(&timer, clock_us_of_s(EVERY_S), "billing recover", on_timer, NULL);
}

void recover_stop(void)
{
	loop_timer_cancel(&timer);
}
