/* Inside the store room: what travels between the control side (store.c) and the writer (db.c). */
#pragma once
#include "base/list.h"
#include "store/store.h"

enum store_op_kind { STORE_OP_NONE, STORE_OP_PUT, STORE_OP_DEL, STORE_OP_LOAD, STORE_OP_SYNC };
struct store_op {
	struct lnode link;
	enum store_op_kind kind;
	const struct store_table *table;
	store_row_fn row;
	store_done_fn done;
	void *arg;
	struct buf rows; /* LOAD: column texts, each as size_t and bytes */
	size_t row_count;
	int status;
	size_t value_count;
	struct sv values[];
};

/* The writer's connection. Opened by the first batch; every function below runs on the serial queue. */
struct db;
ANY struct db *db_new(const char *path);
/* Runs the ops of a list in one transaction. On failure nothing of it is committed; LOAD rows are dropped. */
ON_WORK int db_run(struct db *db, struct list *ops);
ANY void db_free(struct db *db); /* closes; also after the queue is gone */
