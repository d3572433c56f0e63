/* Inside the store room: the sqlite driver. sqlite.c is its control side (connections, jobs), sqlite_db.c what runs on
 * workers. */
#pragma once
#include "store/driver.h"

extern const struct store_driver store_sqlite;

/* The worker's connection, used by one worker at a time; opened by the first batch. */
struct sqlite_db;
ANY struct sqlite_db *sqlite_db_new(const char *path, enum store_use use);
/* Runs a batch: its ops in one transaction, or its one statement as it is. On failure nothing of the transaction is
 * committed, and the rows are dropped. */
ON_WORK int sqlite_db_run(struct sqlite_db *db, struct store_batch *b);
ANY void sqlite_db_disconnect(struct sqlite_db *db); /* takes time (a worker); the next batch opens it again */
ANY void sqlite_db_free(struct sqlite_db *db);

/* sqlite_texts.c: prepared statements of a connection. */
enum { SQLITE_STMTS_MAX = 16 };
struct sqlite3_stmt;
struct sqlite_texts;
struct sqlite_text { /* one text's */
	char *text;
	struct sqlite3_stmt *stmts[SQLITE_STMTS_MAX];
	size_t count;
};
/* Out of the kept ones; to be put back, or freed when it failed. NULL: it is not there. */
ON_WORK struct sqlite_text *sqlite_texts_take(struct sqlite_texts *texts, const char *text);
ON_WORK void sqlite_texts_put(struct sqlite_texts **texts, struct sqlite_text *t);
ANY void sqlite_text_free(struct sqlite_text *t); /* NULL is fine */
ANY void sqlite_texts_clear(struct sqlite_texts **texts);
