/* Databases, asynchronous: rows of tables behind memory, and statements. A store is a connection that a DSN names
 * ("sqlite://name", a plain name); which database answers is the driver's affair (driver.h).
 *
 * Control never waits: what is to be written is copied into a bounded queue, several writes make one transaction, and
 * every answer is a callback on the control loop. A batch that fails is logged, tried again a few times, then dropped
 * and counted. sqlite: WAL, synchronous=NORMAL: what was committed survives the death of the process, not necessarily a
 * power cut. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"
#include <stdbool.h>

#define STORE_COLUMNS_MAX 64
#define STORE_KEYS_MAX 8
struct store;
struct store_table {                /* a constant; compared by address */
	const char *name;           /* [a-z0-9_]+ */
	const char *const *columns; /* [a-z0-9_]+, NULL-ended, at most STORE_COLUMNS_MAX; all text */
	size_t key_count;           /* the first so many columns are the primary key; at most STORE_KEYS_MAX */
	const char *expires; /* NULL, or the column that says when the row is over: wall seconds; "" or "0": never */
};
struct store_stats {
	uint64_t written, batches, retries, dropped_full, dropped_failed, late;
	size_t queued;
};
enum store_use {
	STORE_KEEPS, /* what was taken is written, at the end of the program too */
	STORE_ASKS,  /* for answers: whoever asked has gone at the end of the program */
};
/* What came back. The cells one after the other: the names of the columns (statements only), then row by row. */
struct store_rows {
	struct buf cells;
	size_t row_count, column_count;
	int64_t change_count; /* rows that INSERT, UPDATE, DELETE touched */
	struct buf error;     /* why a statement failed */
};

/* Called on the control loop. values are valid during the call, which must not close the store. */
typedef void (*store_row_fn)(const struct sv *values, size_t count, void *arg);
typedef void (*store_done_fn)(int status, void *arg);
/* rows may be moved out (the callee then leaves {0}); without cells unless status is ST_OK. */
typedef void (*store_answer_fn)(int status, struct store_rows *rows, void *arg);

/* Nothing is reached yet; a database that cannot be shows in the log and as dropped writes. folder: where plain names
 * of files lie (borrowed for the call), or NULL. ST_UNSUPPORTED, ST_INVAL: the DSN; error (appended to; NULL: it is
 * logged) says why. */
ON_CTL int store_open(struct store **out, const char *dsn, const char *folder, enum store_use use, struct buf *error);
/* STORE_KEEPS: writes what is queued, then closes. Outside loop callbacks (shutdown) it waits for that; inside one it
 * returns at once. NULL is fine. Callbacks under way get ST_CANCELLED. */
ON_CTL void store_close(struct store *s);

/* Inserts or replaces the row of the same key. values: one per column, copied. ST_FULL: the queue is full, the row is
 * not written. */
ON_CTL int store_put(struct store *s, const struct store_table *t, const struct sv *values);
/* Deletes by the key columns. */
ON_CTL int store_del(struct store *s, const struct store_table *t, const struct sv *keys);
/* The rows whose first key columns are these (0: every row; all of them: that row or none), oldest first, without those
 * that are over, after the writes queued before it; row some hundred times an iteration, then done once. */
ON_CTL int store_each(struct store *s, const struct store_table *t, const struct sv *keys, size_t key_count,
    store_row_fn row, store_done_fn done, void *arg);
/* done when everything queued before is committed (or given up: ST_IO). */
ON_CTL int store_sync(struct store *s, store_done_fn done, void *arg);
/* Runs one or several statements in their place in the order, once; the answer is the last one's. $1, $2 ... in text
 * stand for params (p NULL: NULL). A text that begins with "BEGIN;" and fails is rolled back (sqlite, PostgreSQL), so
 * that what others ask next is not in it. All is copied. ST_TIMEOUT: no answer within 10 s (it may run all the same);
 * ST_LIMIT: over 16 MiB of result; ST_IO: rows->error says why. row may be NULL; with it the rows are handed out, at
 * most STORE_COLUMNS_MAX columns wide, before the answer. */
ON_CTL int store_sql(struct store *s, const char *text, const struct sv *params, size_t param_count, store_row_fn row,
    store_answer_fn answer, void *arg);
/* The same, waiting. store_rows_fini rows whatever comes back. */
CO int store_sql_run(
    struct store *s, const char *text, const struct sv *params, size_t param_count, struct store_rows *rows);
/* Tables of a room's own: runs those of steps (each one or several statements, NULL-ended, constants) that this
 * database has not seen, in order; done (may be NULL) when all are there, or ST_CANCELLED. A database that is away or
 * refuses is tried again. Steps must bear to run twice (IF NOT EXISTS). room: [a-z0-9_]+, a constant. Once a store. */
ON_CTL int store_migrate(struct store *s, const char *room, const char *const *steps, store_done_fn done, void *arg);
/* What orders rows as they came, for an ORDER BY in somebody's own SQL; NULL: this database has nothing like it. */
ON_CTL const char *store_row_order(const struct store *s);
/* Would a second store of the same DSN have its statements run while one of this runs? */
ON_CTL bool store_is_side_by_side(const struct store *s);
ON_CTL void store_stats_get(const struct store *s, struct store_stats *out);

/* The next cell from *at (0: the first), which moves on; false: none is left. p NULL: NULL. */
ANY bool store_rows_next(const struct store_rows *r, size_t *at, struct sv *cell);
/* The first max cells of the next row; false: none is left. *at 0: the names are passed over first. */
ANY bool store_rows_row(const struct store_rows *r, size_t *at, struct sv *cells, size_t max);
/* A whole number as a parameter, its text in place. */
struct store_number {
	char text[24];
};
ANY struct sv store_number_put(struct store_number *n, int64_t v);
/* A cell's whole number; 0: it is none. */
ANY int64_t store_number(struct sv cell);
ANY void store_rows_fini(struct store_rows *r);
