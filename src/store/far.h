/* Inside the store room: databases whose library waits. far.c is their driver: a connection a store, its batches one
 * after the other on a worker; what is below knows one library and runs there. */
#pragma once
#include "store/driver.h"
#include "store/sql_text.h"

struct far_db; /* a library's own, one worker's at a time */
struct far_ops {
	enum sql_dialect dialect;
	bool is_generic; /* no upsert, no IF NOT EXISTS, no order of rows */
	/* ST_INVAL: a name that can be none. Nothing is reached yet. */
	int (*make)(struct far_db **out, const char *rest, struct buf *error);
	void (*free)(struct far_db *db); /* not connected */
	/* The rest on workers. error: what the database says, never a password. ST_CLOSED: it is away or gone. */
	int (*connect)(struct far_db *db, struct buf *error);
	void (*disconnect)(struct far_db *db);
	/* One statement; rows NULL: its result is nobody's. */
	int (*run)(struct far_db *db, struct sv sql, const struct sv *values, size_t value_count,
	    struct store_rows *rows, size_t max_bytes, struct buf *error);
};
ON_CTL int far_open(struct store_conn **out, const struct store_driver *driver, const struct far_ops *ops,
    const char *rest, enum store_use use, struct buf *error);
ON_CTL int far_submit(struct store_conn *conn, struct store_batch *b);
ON_CTL void far_close(struct store_conn *conn);
