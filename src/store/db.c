/* The writer's side: one sqlite connection, its tables and prepared statements. A batch of ops comes in, runs in one
 * transaction, loads collect their rows into the op's buffer. Knows nothing of queues or the control loop. */
#include "base/log.h"
#include "base/mem.h"
#include "store/store_i.h"

#include <sqlite3.h>
#include <string.h>

enum { TABLES_MAX = 32, BUSY_MS = 2000 };
enum stmt_kind { STMT_PUT, STMT_DEL, STMT_ALL, STMT_COUNT };
struct table {
	const struct store_table *t;
	size_t column_count;
	sqlite3_stmt *stmts[STMT_COUNT];
};
struct db {
	char *path;
	sqlite3 *handle;
	struct table tables[TABLES_MAX];
	size_t table_count;
};

struct db *db_new(const char *path)
{
	struct db *db = mem_zalloc(sizeof(*db));
	if (db && !(db->path = mem_strdup(path))) {
		mem_free(db);
		return NULL;
	}
	return db;
}

static void db_disconnect(struct db *db)
{
	for (size_t i = 0; i < db->table_count; i++)
		for (int k = 0; k < STMT_COUNT; k++)
			sqlite3_finalize(db->tables[i].stmts[k]);
	db->table_count = 0;
	sqlite3_close(db->handle);
	db->handle = NULL;
}

void db_free(struct db *db)
{
	if (!db)
		return;
	db_disconnect(db);
	mem_free(db->path);
	mem_free(db);
}

static int db_fail(struct db *db, const char *what)
{
	log_error("store: %s: %s: %s", db->path, what, db->handle ? sqlite3_errmsg(db->handle) : "no handle");
	return ST_IO;
}

static int db_exec(struct db *db, const char *sql)
{
	return sqlite3_exec(db->handle, sql, NULL, NULL, NULL) == SQLITE_OK ? ST_OK : db_fail(db, sql);
}

static int db_connect(struct db *db)
{
	if (db->handle)
		return ST_OK;
	if (sqlite3_open_v2(db->path, &db->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
	        NULL) != SQLITE_OK) {
		db_fail(db, "open");
		db_disconnect(db);
		return ST_IO;
	}
	sqlite3_busy_timeout(db->handle, BUSY_MS);
	if (db_exec(db, "PRAGMA journal_mode=WAL") < 0 || db_exec(db, "PRAGMA synchronous=NORMAL") < 0) {
		db_disconnect(db);
		return ST_IO;
	}
	return ST_OK;
}

/* Tables hold what can be made again (registrations ...): one of another shape, left by another version, is replaced.
 */
static int table_has_shape(struct db *db, const struct store_table *t, bool *exists, bool *is_same)
{
	struct buf sql;
	sqlite3_stmt *st = NULL;
	size_t i = 0;
	buf_init(&sql);
	buf_printf(&sql, "PRAGMA table_info(%s)", t->name);
	*is_same = true;
	int rc = sql.failed ? SQLITE_NOMEM : sqlite3_prepare_v2(db->handle, sql.p, -1, &st, NULL);
	buf_fini(&sql);
	if (rc != SQLITE_OK)
		return db_fail(db, t->name);
	for (; (rc = sqlite3_step(st)) == SQLITE_ROW; i++) {
		const char *name = (const char *)sqlite3_column_text(st, 1);
		if (!*is_same)
			continue;
		if (!t->columns[i] || !name || strcmp(t->columns[i], name) != 0)
			*is_same = false;
	}
	sqlite3_finalize(st);
	*exists = i > 0;
	*is_same = *is_same && !t->columns[i];
	return rc == SQLITE_DONE ? ST_OK : db_fail(db, t->name);
}

static int table_create(struct db *db, const struct store_table *t)
{
	bool exists = false, is_same = false;
	struct buf sql;
	int st = table_has_shape(db, t, &exists, &is_same);
	if (st < 0 || (exists && is_same))
		return st;
	buf_init(&sql);
	if (exists) {
		log_warning("store: %s: table %s has another shape, it is made anew", db->path, t->name);
		buf_printf(&sql, "DROP TABLE %s;", t->name);
	}
	buf_printf(&sql, "CREATE TABLE %s(", t->name);
	for (size_t i = 0; t->columns[i]; i++)
		buf_printf(&sql, "%s TEXT NOT NULL DEFAULT '',", t->columns[i]);
	buf_adds(&sql, "PRIMARY KEY(");
	for (size_t i = 0; i < t->key_count; i++)
		buf_printf(&sql, "%s%s", i ? "," : "", t->columns[i]);
	buf_adds(&sql, "))");
	st = sql.failed ? ST_NOMEM : db_exec(db, sql.p);
	buf_fini(&sql);
	return st;
}

static int table_get(struct db *db, const struct store_table *t, struct table **out)
{
	struct table *tb;
	for (size_t i = 0; i < db->table_count; i++)
		if (db->tables[i].t == t) {
			*out = &db->tables[i];
			return ST_OK;
		}
	if (db->table_count == TABLES_MAX)
		return ST_LIMIT;
	int st = table_create(db, t);
	if (st < 0)
		return st;
	tb = &db->tables[db->table_count++];
	memset(tb, 0, sizeof(*tb));
	tb->t = t;
	while (t->columns[tb->column_count])
		tb->column_count++;
	*out = tb;
	return ST_OK;
}

static int stmt_get(struct db *db, struct table *tb, enum stmt_kind kind, sqlite3_stmt **out)
{
	const struct store_table *t = tb->t;
	struct buf sql;
	if (tb->stmts[kind]) {
		*out = tb->stmts[kind];
		return ST_OK;
	}
	buf_init(&sql);
	switch (kind) {
	case STMT_PUT:
		buf_printf(&sql, "REPLACE INTO %s VALUES(", t->name);
		for (size_t i = 0; i < tb->column_count; i++)
			buf_adds(&sql, i ? ",?" : "?");
		buf_adds(&sql, ")");
		break;
	case STMT_DEL:
		buf_printf(&sql, "DELETE FROM %s WHERE ", t->name);
		for (size_t i = 0; i < t->key_count; i++)
			buf_printf(&sql, "%s%s=?", i ? " AND " : "", t->columns[i]);
		break;
	default:
		buf_printf(&sql, "SELECT * FROM %s ORDER BY rowid", t->name);
		break;
	}
	int rc = sql.failed
	             ? SQLITE_NOMEM
	             : sqlite3_prepare_v3(db->handle, sql.p, -1, SQLITE_PREPARE_PERSISTENT, &tb->stmts[kind], NULL);
	buf_fini(&sql);
	if (rc != SQLITE_OK)
		return db_fail(db, t->name);
	*out = tb->stmts[kind];
	return ST_OK;
}

static int rows_read(struct db *db, struct store_op *op, sqlite3_stmt *st, size_t column_count)
{
	int rc;
	buf_clear(&op->rows);
	op->row_count = 0;
	while ((rc = sqlite3_step(st)) == SQLITE_ROW && !op->rows.failed) {
		for (size_t i = 0; i < column_count; i++) {
			size_t n = (size_t)sqlite3_column_bytes(st, (int)i);
			const void *p = sqlite3_column_text(st, (int)i);
			buf_add(&op->rows, &n, sizeof(n));
			buf_add(&op->rows, p ? p : "", n);
		}
		op->row_count++;
	}
	return rc == SQLITE_DONE && !op->rows.failed ? ST_OK : db_fail(db, op->table->name);
}

static int op_run(struct db *db, struct store_op *op)
{
	struct table *tb;
	sqlite3_stmt *st = NULL;
	static const enum stmt_kind kinds[] = {
	    [STORE_OP_PUT] = STMT_PUT, [STORE_OP_DEL] = STMT_DEL, [STORE_OP_LOAD] = STMT_ALL};
	int rc = ST_OK;
	if (op->kind == STORE_OP_SYNC)
		return ST_OK;
	if ((rc = table_get(db, op->table, &tb)) < 0 || (rc = stmt_get(db, tb, kinds[op->kind], &st)) < 0)
		return rc;
	for (size_t i = 0; i < op->value_count; i++)
		sqlite3_bind_text(
		    st, (int)i + 1, op->values[i].p ? op->values[i].p : "", (int)op->values[i].n, SQLITE_STATIC);
	if (op->kind == STORE_OP_LOAD)
		rc = rows_read(db, op, st, tb->column_count);
	else if (sqlite3_step(st) != SQLITE_DONE)
		rc = db_fail(db, op->table->name);
	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
	return rc;
}

int db_run(struct db *db, struct list *ops)
{
	struct lnode *it, *tmp;
	int rc = db_connect(db);
	if (rc < 0)
		return rc;
	if ((rc = db_exec(db, "BEGIN IMMEDIATE")) < 0)
		return rc;
	list_each (ops, it, tmp) {
		if ((rc = op_run(db, list_entry(it, struct store_op, link))) < 0)
			break;
	}
	if (rc == ST_OK)
		rc = db_exec(db, "COMMIT");
	if (rc < 0) {
		sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
		db_disconnect(db);
	}
	return rc;
}
