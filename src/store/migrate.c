/* Tables of a room's own, by versions: step 1 makes version 1 of nothing and runs at every start; step 2 makes version
 * 2 of that, once. What a database has stands in its table tandem_migrations, a row a room, which the first second step
 * makes: a database shared with another program stays as that made it until then. A step that is cut off runs again, so
 * steps are written to bear that (IF NOT EXISTS). A database that is away at the start gets its tables when it is back.
 */
#include "base/log.h"
#include "base/mem.h"
#include "store/store_i.h"

#include <stdio.h>
#include <string.h>

enum { RETRY_US = 5 * 1000 * 1000 };
static const char table_sql[] =
    "CREATE TABLE IF NOT EXISTS tandem_migrations (room VARCHAR(64) PRIMARY KEY, version INTEGER NOT NULL)";
static const char version_sql[] = "SELECT version FROM tandem_migrations WHERE room=$1";

struct store_migration {
	struct store *store;
	const char *room, *const *steps;
	unsigned step_count, version;
	bool is_told, is_ended;
	store_done_fn done;
	void *arg;
	struct ltimer retry;
};

static ON_CTL void version_ask(struct store_migration *m);
static ON_CTL void step_run(struct store_migration *m);

/* Whoever waits for an answer holds it. */
static ON_CTL int ask(struct store_migration *m, const char *sql, const struct sv *room, store_answer_fn fn)
{
	int st = store_sql(m->store, sql, room, room ? 1 : 0, NULL, fn, mem_ref(m));
	if (st < 0)
		mem_unref(m);
	return st;
}

static ON_CTL bool is_over(struct store_migration *m, int status)
{
	if (status != ST_CANCELLED && !m->is_ended)
		return false;
	mem_unref(m);
	return true;
}

static ON_CTL void migration_end(struct store_migration *m, int status)
{
	store_done_fn done = m->done;
	void *arg = m->arg;
	store_migration_set(m->store, NULL);
	m->is_ended = true;
	loop_timer_cancel(&m->retry);
	mem_unref(m);
	if (done)
		done(status, arg);
}

void store_migration_cancel(struct store_migration *m)
{
	if (m)
		migration_end(m, ST_CANCELLED);
}

static void on_retry(void *arg)
{
	role_assert_ctl();
	version_ask(arg);
}

/* A database that is away is tried again; one that refuses is told why, once, and tried again, too: an administrator
 * may give the right that lacks. */
static ON_CTL void migration_failed(struct store_migration *m, const struct store_rows *rows)
{
	if (!m->is_told)
		log_error("store: the tables of %s cannot be made yet: %.*s", m->room, SVF(buf_sv(&rows->error)));
	m->is_told = true;
	loop_timer_set(&m->retry, RETRY_US, "store.migrate", on_retry, m);
}

static void on_step(int status, struct store_rows *rows, void *arg)
{
	struct store_migration *m = arg;
	role_assert_ctl();
	if (is_over(m, status))
		return;
	if (status < 0) {
		migration_failed(m, rows);
	} else {
		m->version++;
		log_info("store: the tables of %s are at version %u", m->room, m->version);
		step_run(m);
	}
	mem_unref(m);
}

static void step_run(struct store_migration *m)
{
	struct buf sql;
	if (m->version >= m->step_count) {
		if (m->version > m->step_count)
			log_warning("store: the tables of %s are of a later version (%u) than this program knows (%u)",
			    m->room, m->version, m->step_count);
		migration_end(m, ST_OK);
		return;
	}
	buf_init(&sql);
	buf_printf(&sql,
	    "%s;INSERT INTO tandem_migrations (room,version) SELECT '%s',1 FROM (SELECT 1 AS one) AS one_row WHERE NOT "
	    "EXISTS (SELECT 1 FROM tandem_migrations WHERE room='%s');"
	    "UPDATE tandem_migrations SET version=%u WHERE room='%s' AND version<%u",
	    m->steps[m->version], m->room, m->room, m->version + 1, m->room, m->version + 1);
	int st = sql.failed ? ST_NOMEM : ask(m, sql.p, NULL, on_step);
	buf_fini(&sql);
	if (st < 0)
		loop_timer_set(&m->retry, RETRY_US, "store.migrate", on_retry, m);
}

static void on_version(int status, struct store_rows *rows, void *arg)
{
	struct store_migration *m = arg;
	struct sv cell;
	size_t at = 0;
	uint32_t version = 0;
	role_assert_ctl();
	if (is_over(m, status))
		return;
	while (store_rows_next(rows, &at, &cell)) /* the name of the column, then the number */
		(void)sv_u32(cell, &version);
	m->version = version ? version : 1;
	if (status < 0)
		migration_failed(m, rows);
	else
		step_run(m);
	mem_unref(m);
}

static void on_table(int status, struct store_rows *rows, void *arg)
{
	struct store_migration *m = arg;
	struct sv room = sv_of(m->room);
	role_assert_ctl();
	if (is_over(m, status))
		return;
	/* who may not make tables may have been given this one */
	if (ask(m, version_sql, &room, on_version) < 0)
		migration_failed(m, rows);
	mem_unref(m);
}

static void on_first(int status, struct store_rows *rows, void *arg)
{
	struct store_migration *m = arg;
	role_assert_ctl();
	if (is_over(m, status))
		return;
	if (status < 0)
		migration_failed(m, rows);
	else if (m->step_count == 1)
		migration_end(m, ST_OK);
	else if (ask(m, table_sql, NULL, on_table) < 0)
		migration_failed(m, rows);
	mem_unref(m);
}

static void version_ask(struct store_migration *m)
{
	if (ask(m, m->steps[0], NULL, on_first) < 0)
		loop_timer_set(&m->retry, RETRY_US, "store.migrate", on_retry, m);
}

int store_migrate(struct store *s, const char *room, const char *const *steps, store_done_fn done, void *arg)
{
	struct store_migration *m = mem_new(sizeof(*m), NULL, "store.migration");
	if (!m)
		return ST_NOMEM;
	m->store = s, m->room = room, m->steps = steps, m->done = done, m->arg = arg;
	while (steps[m->step_count])
		m->step_count++;
	store_migration_set(s, m);
	version_ask(m);
	return ST_OK;
}
