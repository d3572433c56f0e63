/* store/sql: statements on a worker, results, errors, bounds. */
#include "harness.h"
#include "loop/co.h"
#include "store/sql.h"
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

static CO int run(struct sql *s, const char *text, struct sql_result *r)
{
	int st = sql_run(s, text, r);
	sql_result_fini(r);
	return st;
}

static void statements(void *arg)
{
	struct sql *s = arg;
	struct sql_result r;
	const char *cell;

	role_assert_co();
	WANT(run(s, "create table t (a text, b integer); insert into t values ('x', 1), ('y', null)", &r) == ST_OK);
	WANT(r.change_count == 2 && !r.column_count);
	WANT(sql_run(s, "select b, a from t order by a;  -- and no more", &r) == ST_OK);
	WANT(r.column_count == 2 && r.row_count == 2);
	cell = r.cells.p;
	WANT(!strcmp(cell, "b") && !strcmp(cell = sql_cell_next(cell), "a"));
	WANT(!strcmp(cell = sql_cell_next(cell), "1") && !strcmp(cell = sql_cell_next(cell), "x"));
	WANT(!strcmp(cell = sql_cell_next(cell), "") && !strcmp(cell = sql_cell_next(cell), "y"));
	sql_result_fini(&r);
	WANT(run(s, "select nosuch", &r) == ST_IO && strstr(r.error, "no such column"));
	WANT(run(s, "select 1; this is no sql", &r) == ST_IO && strstr(r.error, "syntax error"));
	WANT(run(s, "", &r) == ST_OK && !r.row_count);
	WANT(run(s, "select hex(randomblob(9000000))", &r) == ST_LIMIT);
	sql_free(s);
}

static void unopened(void *arg)
{
	struct sql_result r;

	role_assert_co();
	WANT(run(arg, "select 1", &r) == ST_IO && strstr(r.error, "unable to open"));
	sql_free(arg);
}

NO_ROLE_CHECK static int on_co(co_fn fn, const char *file)
{
	struct sql *s = NULL;

	EXPECT_INT(sql_new(&s, file), 0);
	EXPECT_INT(co_spawn("sql", fn, s, NULL), 0);
	while (co_live_count())
		loop_run_once();
	EXPECT_INT(failures, 0);
	return 0;
}

NO_ROLE_CHECK static int test_statements(void)
{
	int rc;

	snprintf(path, sizeof(path), "/tmp/tandem-test-sql-%d.db", (int)getpid());
	rc = on_co(statements, path);
	unlink(path);
	return rc;
}

NO_ROLE_CHECK static int test_unopened(void)
{
	return on_co(unopened, "/nowhere/at/all.db");
}

TEST_MAIN({"statements", test_statements, TEST_LOOP}, {"unopened", test_unopened, TEST_LOOP})
