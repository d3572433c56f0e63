/* A script's own SQL: a connection to a sqlite file, whose statements run on a worker while the coroutine waits. What
 * the program keeps itself goes through store.h. Bounded: 10 s and 16 MiB of result a call, 2 s for somebody else's
 * lock. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"

enum { SQL_ERROR_CHARS = 300 };

struct sql;
struct sql_result {
	size_t row_count, column_count;
	int change_count; /* rows that INSERT, UPDATE, DELETE touched */
	struct buf cells; /* the names of the columns, then row after row; each NUL-terminated, NULL as "" */
	char error[SQL_ERROR_CHARS];
};
/* Nothing is opened yet. path is copied. */
ANY int sql_new(struct sql **out, const char *path);
ON_CTL void sql_free(struct sql *s); /* a worker closes it; NULL is fine. Not while a sql_run of it waits */
/* Runs one or several statements; the result is the last one's. Opens (creates) the file first. ST_IO: r->error says
 * why; ST_BUSY: another coroutine runs on it; ST_LIMIT; ST_TIMEOUT. sql_result_fini r whatever comes back. */
CO int sql_run(struct sql *s, const char *text, struct sql_result *r);
ANY void sql_result_fini(struct sql_result *r);
/* The cell after one, beginning with r->cells.p. */
ANY const char *sql_cell_next(const char *cell);
