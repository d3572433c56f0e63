/* The connections to the ledger's database. Where it answers several at a time (PostgreSQL) there are a few, and a
 * statement goes to the one that has the least to do: a transaction that waits for an account's row, or for its way
 * there and back, holds up no other account's. At the end each store writes what it was given. */
#include "base/clock.h"
#include "base/log.h"
#include "billing/billing_i.h"

enum { LINES_MAX = 4 };
static struct line {
	struct store *store;
	unsigned busy;
} lines[LINES_MAX];
static size_t line_count;
static int64_t since_us;
static unsigned generation; /* a line of an older one is closed */

int lines_open(const char *dsn, const char *folder)
{
	int st = store_open(&lines[0].store, dsn, folder, STORE_KEEPS, NULL);
	if (st)
		return st;
	line_count = 1;
	since_us = clock_wall_us();
	while (line_count < LINES_MAX && store_is_side_by_side(lines[0].store) &&
	       !store_open(&lines[line_count].store, dsn, folder, STORE_KEEPS, NULL))
		line_count++;
	return ST_OK;
}

void lines_close(void)
{
	struct line old[LINES_MAX];
	size_t count = line_count;
	for (size_t i = 0; i < count; i++)
		old[i] = lines[i], lines[i] = (struct line){0};
	line_count = 0;
	generation++;
	for (size_t i = 0; i < count; i++)
		store_close(old[i].store);
}

bool lines_are_open(void)
{
	return line_count > 0;
}

int64_t lines_since_us(void)
{
	return since_us;
}

struct ledger_line line_take(void)
{
	size_t best = 0;
	for (size_t i = 1; i < line_count; i++)
		if (lines[i].busy < lines[best].busy)
			best = i;
	if (line_count)
		lines[best].busy++;
	return (struct ledger_line){lines[best].store, best, generation};
}

void line_give(struct ledger_line l)
{
	if (l.store && l.generation == generation)
		lines[l.at].busy--;
}

int ledger_sql(const char *text, const struct sv *params, size_t count, struct store_rows *rows)
{
	static bool is_failing;
	struct ledger_line l = line_take();
	*rows = (struct store_rows){0};
	int st = l.store ? store_sql_run(l.store, text, params, count, rows) : ST_UNSUPPORTED;
	line_give(l);
	if (st) {
		billing_counts.failed++;
		if (!is_failing && st != ST_CANCELLED)
			log_error("billing: the database: %s; told once until it answers again",
			    rows->error.n ? rows->error.p : status_text(st));
	} else if (is_failing) {
		log_notice("billing: the database answers again");
	}
	is_failing = st != ST_OK;
	return st;
}
