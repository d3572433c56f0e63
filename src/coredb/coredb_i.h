/* Private to the room. What is running is compared with what the tables were last told, and the difference is written:
 *
 *   timer -> pass: legs, calls, users whose registrations changed, the small reports   control, some hundred a turn
 *            table: row -> hash; another one than last time, or none any more -> batch
 *            batch -> one transaction of the store -> on_written -> the next turn      one batch out at a time
 *
 * So nothing gathers while the database is slow or away: what changed meanwhile is found by the next pass. After a
 * failure nobody knows what the tables hold: they are emptied (of this switch's rows) and written anew. */
#pragma once
#include "base/hash.h"
#include "base/role.h"
#include "base/str.h"
#include <stdbool.h>
#include <stdint.h>

/* ---- table.c: FreeSWITCH's layout, and what stands in it ---- */
enum coredb_table {
	CORE_CHANNELS,
	CORE_CALLS,
	CORE_REGISTRATIONS,
	CORE_TASKS,
	CORE_ALIASES,
	CORE_COMPLETE,
	CORE_NAT,
	CORE_INTERFACES,
	CORE_KEPT_COUNT,
	CORE_RECOVERY = CORE_KEPT_COUNT, /* made for who asks it; always empty */
	CORE_TABLE_COUNT
};
enum { COREDB_COLUMNS_MAX = 40 };
/* Statements that make the tables, indexes and views; they bear to run twice. */
ON_CTL void coredb_schema(struct buf *out);
/* "DELETE FROM ..." of this switch's rows of every table. */
ON_CTL void coredb_empty(struct buf *out);

/* What is to be written next, of any of the tables. */
struct coredb_batch {
	struct buf gone[CORE_KEPT_COUNT], rows[CORE_KEPT_COUNT]; /* keys, rows: as SQL, parted by commas */
	size_t row_count;
};
ON_CTL bool coredb_batch_is_empty(const struct coredb_batch *b);
ON_CTL void coredb_batch_sql(struct coredb_batch *b, struct buf *out); /* one transaction; b is empty then */
ON_CTL void coredb_batch_fini(struct coredb_batch *b);

ANY void coredb_quote(struct buf *out, struct sv text); /* 'it''s' */
/* A row as SQL, ('a','b'), appended to out: one value a column, without the last, which is the switch's name. NULL is
 * ''; longer than the column: cut. */
ON_CTL void coredb_row(enum coredb_table t, const char *const *values, struct buf *out);
/* Those rows are what the table has of this key now (both as SQL; none: it is gone). What changed goes into b. */
ON_CTL void coredb_told(enum coredb_table t, struct sv key, struct sv rows, size_t row_count, struct coredb_batch *b);
/* Keys that were not told since the last coredb_forgotten of the table are gone. */
ON_CTL void coredb_forgotten(enum coredb_table t, struct coredb_batch *b);
ON_CTL void coredb_forget_all(void); /* the tables are empty, as far as anybody knows */
ON_CTL size_t coredb_key_count(enum coredb_table t);
ON_CTL int coredb_tables_load(void);
ON_CTL void coredb_tables_unload(void);

/* ---- pass.c ---- */
ON_CTL int coredb_pass_load(void);
ON_CTL void coredb_pass_unload(void);
ON_CTL void coredb_pass_begin(bool is_anew);
/* Some hundred more; true: the pass is at its end. */
ON_CTL bool coredb_pass_go_on(struct coredb_batch *b);
