/* One connection, used by one worker at a time. The result is collected there and handed over whole. */
#include "store/sql.h"
#include "base/clock.h"
#include "base/mem.h"
#include "loop/co.h"
#include "loop/work.h"
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

enum { BUSY_MS = 2000, RUN_US = 10 * 1000 * 1000, RESULT_MAX_BYTES = 16 << 20, PROGRESS_STEPS = 10000 };

struct sql {
	char *path;
	sqlite3 *handle; /* the worker's */
	bool is_busy;
};
struct job {
	struct sql *sql;
	const char *text;
	struct sql_result *r;
	int64_t end_us;
	int status;
};

int sql_new(struct sql **out, const char *path)
{
	struct sql *s = mem_zalloc(sizeof(*s));

	if (!s || !(s->path = mem_strdup(path))) {
		mem_free(s);
		return ST_NOMEM;
	}
	*out = s;
	return ST_OK;
}

static void close_run(void *arg)
{
	role_assert_work();
	sqlite3_close(arg);
}

/* At the program's end a job that has not begun is cancelled. */
static void close_done(int status, void *arg)
{
	role_assert_ctl();
	if (status == ST_CANCELLED)
		sqlite3_close(arg);
}

void sql_free(struct sql *s)
{
	if (!s)
		return;
	if (s->handle && work_submit("sql close", close_run, close_done, s->handle))
		sqlite3_close(s->handle);
	mem_free(s->path);
	mem_free(s);
}

void sql_result_fini(struct sql_result *r)
{
	buf_fini(&r->cells);
}

const char *sql_cell_next(const char *cell)
{
	return cell + strlen(cell) + 1;
}

/* ---- on the worker ---- */

static int is_too_long(void *arg)
{
	const struct job *j = arg;
	return clock_mono_us() > j->end_us;
}

static int fail(struct job *j, int rc)
{
	snprintf(j->r->error, sizeof(j->r->error), "%s", sqlite3_errmsg(j->sql->handle));
	return rc == SQLITE_INTERRUPT ? ST_TIMEOUT : ST_IO;
}

static int open_file(struct job *j)
{
	struct sql *s = j->sql;
	int rc;

	if (s->handle)
		return ST_OK;
	rc = sqlite3_open_v2(
	    s->path, &s->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX, NULL);
	if (rc) {
		snprintf(j->r->error, sizeof(j->r->error), "%s: %s", s->path, sqlite3_errstr(rc));
		sqlite3_close(s->handle);
		s->handle = NULL;
		return ST_IO;
	}
	sqlite3_busy_timeout(s->handle, BUSY_MS);
	return ST_OK;
}

static void begin_result(struct sql_result *r, sqlite3_stmt *stmt)
{
	buf_clear(&r->cells);
	r->row_count = 0;
	r->column_count = (size_t)sqlite3_column_count(stmt);
	for (size_t i = 0; i < r->column_count; i++) {
		const char *name = sqlite3_column_name(stmt, (int)i);
		buf_add(&r->cells, name ? name : "", name ? strlen(name) + 1 : 1);
	}
}

static int run_statement(struct job *j, sqlite3_stmt *stmt)
{
	struct sql_result *r = j->r;
	int rc;

	begin_result(r, stmt);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		for (size_t i = 0; i < r->column_count; i++) {
			const char *text = (const char *)sqlite3_column_text(stmt, (int)i);
			buf_add(&r->cells, text ? text : "", text ? strlen(text) + 1 : 1);
		}
		r->row_count++;
		if (r->cells.n > RESULT_MAX_BYTES) {
			snprintf(r->error, sizeof(r->error), "the result is over 16 MiB");
			return ST_LIMIT;
		}
	}
	r->change_count = sqlite3_changes(j->sql->handle);
	return rc == SQLITE_DONE ? ST_OK : fail(j, rc);
}

static void job_run(void *arg)
{
	struct job *j = arg;
	const char *rest = j->text;
	int rc;

	role_assert_work();
	j->status = open_file(j);
	if (j->status)
		return;
	sqlite3_progress_handler(j->sql->handle, PROGRESS_STEPS, is_too_long, j);
	while (!j->status && *rest) {
		sqlite3_stmt *stmt = NULL;
		rc = sqlite3_prepare_v2(j->sql->handle, rest, -1, &stmt, &rest);
		if (rc)
			j->status = fail(j, rc);
		else if (stmt)
			j->status = run_statement(j, stmt);
		sqlite3_finalize(stmt);
	}
	sqlite3_progress_handler(j->sql->handle, 0, NULL, NULL);
}

int sql_run(struct sql *s, const char *text, struct sql_result *r)
{
	struct job j = {.sql = s, .text = text, .r = r, .end_us = clock_mono_us() + RUN_US};
	int st;

	*r = (struct sql_result){0};
	buf_init(&r->cells);
	if (s->is_busy)
		return ST_BUSY;
	s->is_busy = true;
	st = co_work("sql", job_run, &j);
	s->is_busy = false;
	return st ? st : j.status;
}
