/* Statements on sqlite: results, parameters, errors, bounds. */
#include "harness.h"
#include "loop/co.h"
#include "store/store.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char path[64];
static int failures;

#define WANT(e) \
	do { \
		if (!(e)) \
			failures++, fprintf(stderr, "# line %d: %s\n", __LINE__, #e); \
	} while (0)

struct sql {
	struct store *s;
	struct store_rows r; /* of the last run */
	size_t at;
};

static CO int run_with(struct sql *q, const char *text, const struct sv *params, size_t n)
{
	store_rows_fini(&q->r);
	q->at = 0;
	return store_sql_run(q->s, text, params, n, &q->r);
}

static CO int run(struct sql *q, const char *text)
{
	return run_with(q, text, NULL, 0);
}

static bool next_is(struct sql *q, const char *want)
{
	struct sv cell;
	return store_rows_next(&q->r, &q->at, &cell) && (want ? cell.p && sv_is(cell, want) : !cell.p);
}

static bool error_has(const struct sql *q, const char *text)
{
	return q->r.error.n && strstr(q->r.error.p, text);
}

static void statements(void *arg)
{
	struct sql *q = arg;

	role_assert_co();
	WANT(run(q, "create table t (a text, b integer); insert into t values ('x', 1), ('y', null)") == ST_OK);
	WANT(q->r.change_count == 2 && !q->r.column_count);
	WANT(run(q, "select b, a from t order by a;  -- and no more") == ST_OK);
	WANT(q->r.column_count == 2 && q->r.row_count == 2);
	WANT(next_is(q, "b") && next_is(q, "a") && next_is(q, "1") && next_is(q, "x"));
	WANT(next_is(q, NULL) && next_is(q, "y") && !next_is(q, ""));
	WANT(run(q, "select nosuch") == ST_IO && error_has(q, "no such column"));
	WANT(run(q, "select 1; this is no sql") == ST_IO && error_has(q, "syntax error"));
	WANT(run(q, "") == ST_OK && !q->r.row_count);
	WANT(run(q, "select hex(randomblob(9000000))") == ST_LIMIT && error_has(q, "16 MiB"));
	WANT(!q->r.row_count && !q->r.cells.n);
	store_close(q->s);
}

/* Values are data whatever they hold, go by their number, and hold zero bytes. */
static void parameters(void *arg)
{
	struct sql *q = arg;
	struct sv v[] = {SV("x' or '1'='1"), {NULL, 0}, SV("a\0b"), SV("")};

	role_assert_co();
	WANT(run_with(q, "select $2, $1, $3, $4, length($1)", v, 4) == ST_OK);
	for (int i = 0; i < 5; i++)
		WANT(q->r.column_count == 5 && store_rows_next(&q->r, &q->at, &(struct sv){0}));
	WANT(next_is(q, NULL) && next_is(q, "x' or '1'='1"));
	struct sv cell;
	WANT(store_rows_next(&q->r, &q->at, &cell) && sv_eq(cell, v[2]));
	WANT(next_is(q, "") && next_is(q, "12"));
	WANT(run_with(q, "select $5", v, 4) == ST_INVAL && error_has(q, "'$5'"));
	WANT(run_with(q, "select ?", v, 4) == ST_INVAL && error_has(q, "'?'"));
	WANT(run_with(q, "select $a", v, 4) == ST_INVAL);
	WANT(run_with(q, "select 1", v, 100000) == ST_INVAL);
	store_close(q->s);
}

static void unopened(void *arg)
{
	struct sql *q = arg;

	role_assert_co();
	WANT(run(q, "select 1") == ST_IO && error_has(q, "unable to open"));
	store_close(q->s);
}

NO_ROLE_CHECK static int on_co(co_fn fn, const char *file)
{
	struct sql q = {0};

	EXPECT_INT(store_open(&q.s, file, NULL, STORE_ASKS, NULL), 0);
	EXPECT_INT(co_spawn("sql", fn, &q, NULL), 0);
	while (co_live_count())
		loop_run_once();
	store_rows_fini(&q.r);
	EXPECT_INT(failures, 0);
	return 0;
}

NO_ROLE_CHECK static int on_file(co_fn fn)
{
	int rc;

	snprintf(path, sizeof(path), "/tmp/tandem-test-sql-%d.db", (int)getpid());
	rc = on_co(fn, path);
	unlink(path);
	return rc;
}

NO_ROLE_CHECK static int test_statements(void)
{
	return on_file(statements);
}

NO_ROLE_CHECK static int test_parameters(void)
{
	return on_file(parameters);
}

NO_ROLE_CHECK static int test_unopened(void)
{
	return on_co(unopened, "/nowhere/at/all.db");
}

static const char *const step_texts[] = {"create table if not exists m (a text)", "alter table m add b text",
    "insert into m values ('x','y'); insert into m values ('z','')", NULL};
static const char *const first_step[] = {"create table if not exists m (a text)", NULL};
static int migrated_count;

static void on_migrated(int status, void *arg)
{
	role_assert_ctl();
	WANT(status == ST_OK);
	migrated_count++;
	co_signal(arg, ST_OK);
}

/* The first alone leaves no trace; those behind it run once, whatever starts there are. */
static void migrates(void *arg)
{
	struct sql *q = arg;
	struct co_wait wait = {0};
	role_assert_co();
	for (int i = 0; i < 4; i++) {
		co_wait_reset(&wait);
		WANT(!store_migrate(q->s, "things", i ? step_texts : first_step, on_migrated, &wait));
		WANT(co_wait(&wait, -1) == ST_OK);
		WANT(run(q, "select count(*) from sqlite_master where name='tandem_migrations'") == ST_OK &&
		     next_is(q, "count(*)") && next_is(q, i ? "1" : "0"));
	}
	WANT(migrated_count == 4);
	WANT(
	    run(q, "select count(*) from m where b is not null") == ST_OK && next_is(q, "count(*)") && next_is(q, "2"));
	WANT(run(q, "select version from tandem_migrations where room='things'") == ST_OK && next_is(q, "version") &&
	     next_is(q, "3"));
	store_close(q->s);
}

/* One that fails leaves nothing open, with values or without, the first time and when it is prepared; one that was
 * open before stays so. */
static void transactions(void *arg)
{
	static const char bad[] = "BEGIN;INSERT INTO t VALUES (1);INSERT INTO nosuch VALUES (2);COMMIT";
	static const char valued[] = "BEGIN;INSERT INTO t VALUES ($1);INSERT INTO once VALUES ($1);COMMIT";
	struct sql *q = arg;
	struct sv v = SV("7");
	role_assert_co();
	WANT(!run(q, "CREATE TABLE t (a INTEGER); CREATE TABLE once (a INTEGER PRIMARY KEY)"));
	WANT(run(q, bad) == ST_IO && run(q, bad) == ST_IO);
	WANT(run_with(q, valued, &v, 1) == ST_OK);
	for (int i = 0; i < 3; i++)
		WANT(run_with(q, valued, &v, 1) == ST_IO && error_has(q, "UNIQUE"));
	WANT(run(q, "SELECT COUNT(*) FROM t") == ST_OK && next_is(q, "COUNT(*)") && next_is(q, "1"));
	WANT(!run(q, "BEGIN") && !run(q, "INSERT INTO t VALUES (3)") && run(q, bad) == ST_IO);
	WANT(!run(q, "COMMIT") && !run(q, "SELECT COUNT(*) FROM t") && next_is(q, "COUNT(*)") && next_is(q, "2"));
	store_close(q->s);
}

NO_ROLE_CHECK static int test_transactions(void)
{
	return on_file(transactions);
}

NO_ROLE_CHECK static int test_migrates(void)
{
	return on_file(migrates);
}

TEST_MAIN({"migrates", test_migrates, TEST_LOOP}, {"transactions", test_transactions, TEST_LOOP},
    {"statements", test_statements, TEST_LOOP}, {"parameters", test_parameters, TEST_LOOP},
    {"unopened", test_unopened, TEST_LOOP})
