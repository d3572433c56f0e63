/* How a database is plugged in. A driver knows one kind of database and nothing of who uses it; the front (store.c)
 * knows the users and no database. Between the two go batches of operations:
 *
 *   store_put, _del, _each ...    copied into an op             control; ST_FULL beyond the queue's bound
 *        | queue                  writes gather 20 ms           one batch is out at a time, so that order is kept;
 *        v                                                      a statement (SQL) goes alone: its failure is its own
 *   struct store_batch  ->  driver->submit                      control: copies, starts, returns
 *                              worker | socket | memory         the driver's own way; it takes the time it takes
 *   answers in the ops  <-  store_batch_end(batch, status)      control again, once for each batch taken
 *        |
 *        v    failed: tried again after a pause (reads and writes of tables; a statement never), then given up and
 *   row ... row, done       counted; done: rows are handed out some hundred a turn of the loop
 *
 * To add one: a struct store_driver, and its line in the table of driver.c; a module from a file calls
 * store_driver_add. */
#pragma once
#include "base/list.h"
#include "loop/loop.h"
#include "store/store.h"

enum store_op_kind {
	STORE_OP_NONE,
	STORE_OP_PUT,  /* values: one a column; the row of the same key is replaced */
	STORE_OP_DEL,  /* values: the key */
	STORE_OP_EACH, /* values: the first columns of the key; rows oldest first, none that is over */
	STORE_OP_SYNC, /* nothing but its place in the order */
	STORE_OP_SQL,  /* values: what $1, $2 ... stand for; p NULL is NULL */
};

/* One operation, lent to the driver from submit to store_batch_end. */
struct store_op {
	struct lnode link;
	enum store_op_kind kind;
	const struct store_table *table; /* of PUT, DEL, EACH */
	const char *text;                /* of SQL: one or several statements */
	int64_t end_us;                  /* of SQL, clock_mono_us: an answer after that is for nobody, ST_TIMEOUT */
	size_t result_max_bytes;         /* of SQL: ST_LIMIT beyond */
	struct store_rows rows;          /* the answer of EACH and SQL: the driver's to fill, empty at submit */
	/* the front's */
	store_row_fn row;
	store_done_fn done;
	store_answer_fn answer; /* SQL */
	void *arg;
	struct store *store; /* borrowed; valid while the op is in its queue or batch */
	struct ltimer *deadline;
	size_t bytes;
	int status;
	bool is_out, is_answered;
	size_t value_count;
	struct sv values[];
};

/* Lent as its ops are. A statement is the only op of its batch. */
struct store_batch {
	struct list ops; /* of struct store_op, in order */
	size_t op_count;
	/* the front's */
	struct store *store;
	unsigned tries;
	int status;
	bool is_out;
};

/* A connection: the first member of the driver's own. */
struct store_conn {
	const struct store_driver *driver;
};

/* All on control; each begins with role_assert_ctl(). */
struct store_driver {
	const char *scheme; /* lower case: what stands before "://" */
	/* What orders rows as they came, in somebody's own SQL ("rowid"); NULL: nothing does. */
	const char *row_order;
	bool is_side_by_side; /* several connections of one name get on with their statements at the same time */
	/* Makes a connection for the rest of the DSN, without waiting: what cannot be reached shows in the batches. A
	 * name that can be no database is ST_INVAL with a text in error. folder: where plain names of files lie, or
	 * NULL. */
	int (*open)(
	    struct store_conn **out, const char *rest, const char *folder, enum store_use use, struct buf *error);
	/* Takes a batch and returns at once; the answer is one store_batch_end, later (never from inside submit).
	 * Batches of a connection run in order, each whole or not at all, and each ends: a database that is silent is
	 * ST_TIMEOUT, one that is gone ST_CLOSED or ST_IO. < 0: not taken (ST_FULL, ST_CLOSED ...), it comes again. Of
	 * a batch that fails the answers in the ops are dropped, but the error text of a statement. */
	int (*submit)(struct store_conn *c, struct store_batch *b);
	/* No submit follows. Batches that are out still get their end, now or later: of STORE_KEEPS when they are
	 * written, of STORE_ASKS as soon as the driver likes (ST_CANCELLED). Outside loop callbacks (shutdown) it waits
	 * for them. */
	void (*close)(struct store_conn *c);
};

/* The end of a batch; b belongs to the front again. */
ON_CTL void store_batch_end(struct store_batch *b, int status);

/* A cell after the last one; the first row of SQL is the names of the columns. p NULL: NULL. */
ANY void store_rows_add(struct store_rows *r, const char *p, size_t n);
ANY void store_rows_clear(struct store_rows *r); /* keeps nothing but the error */

/* ST_EXISTS: the scheme has one; ST_FULL. d is a constant that stays until the del. */
ON_CTL int store_driver_add(const struct store_driver *d);
/* ST_BUSY: a store of it is open, or a batch is out. */
ON_CTL int store_driver_del(const struct store_driver *d);
/* What a DSN means: "scheme://rest"; "core:name" as FreeSWITCH writes sqlite://name; a plain name or path is the first
 * driver's; NAME:USER:PASSWORD is odbc's. ST_UNSUPPORTED: no such driver; error names the scheme and those there are,
 * never the rest, which may hold a password. rest points into dsn. */
ON_CTL int store_dsn_parse(const char *dsn, const struct store_driver **driver, const char **rest, struct buf *error);
