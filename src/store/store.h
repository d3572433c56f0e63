/* Rows on disk behind memory: a table of text columns in sqlite, written by a serial queue, read back at start. Control
 * never waits: puts and deletes are copied into a bounded queue, several of them make one transaction (WAL,
 * synchronous=NORMAL: what was committed survives the death of the process, not necessarily a power cut). A batch that
 * fails is logged, tried again a few times, then dropped and counted. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"

#define STORE_COLUMNS_MAX 24
struct store;
struct store_table {                /* a constant; compared by address */
	const char *name;           /* [a-z0-9_]+ */
	const char *const *columns; /* [a-z0-9_]+, NULL-ended, at most STORE_COLUMNS_MAX; all text */
	size_t key_count;           /* the first so many columns are the primary key */
};
struct store_stats {
	uint64_t written, batches, retries, dropped_full, dropped_failed;
	size_t queued;
};

/* Opens (creates) the database on the writer thread; an error shows in the log and as dropped writes. */
ON_CTL int store_open(struct store **out, const char *path);
/* Writes what is queued, then closes; waits (shutdown only). NULL is fine. Callbacks under way get ST_CANCELLED. */
ON_CTL void store_close(struct store *s);
/* Inserts or replaces the row of the same key. values: one per column, copied. ST_FULL: the queue is full, the row is
 * not written. */
ON_CTL int store_put(struct store *s, const struct store_table *t, const struct sv *values);
/* Deletes by the key columns. */
ON_CTL int store_del(struct store *s, const struct store_table *t, const struct sv *keys);
/* Every row, in order of insertion, after the writes queued before it; row on the control loop, some hundred an
 * iteration. values are valid during the call, which must not close the store. Then done once. */
typedef void (*store_row_fn)(const struct sv *values, size_t count, void *arg);
typedef void (*store_done_fn)(int status, void *arg);
ON_CTL int store_load(struct store *s, const struct store_table *t, store_row_fn row, store_done_fn done, void *arg);
/* done when everything queued before is committed (or given up: ST_IO). */
ON_CTL int store_sync(struct store *s, store_done_fn done, void *arg);
ON_CTL void store_stats_get(const struct store *s, struct store_stats *out);
