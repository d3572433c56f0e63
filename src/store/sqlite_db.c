/* The workers' side of the sqlite driver: one connection, its tables and prepared statements. A batch of ops comes in
 * and runs in one transaction; a statement of somebody's own runs as it is, until its end time. Rows are collected into
 * the op's answer. Knows nothing of queues or the control loop. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/sql_text.h"
#include "store/sqlite_i.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

enum { TABLES_MAX = 32, BUSY_MS = 2000, PROGRESS_STEPS = 10000 };
enum stmt_kind { STMT_PUT, STMT_DEL, STMT_OVER, STMT_EACH, STMT_COUNT = STMT_EACH + STORE_KEYS_MAX + 1 };
struct table {
	const struct store_table *t;
	size_t column_count;
	sqlite3_stmt *stmts[STMT_COUNT]; /* STMT_EACH + n: by n columns of the key */
};
struct sqlite_db {
	char *path;
	enum store_use use;
	sqlite3 *handle;
	struct table tables[TABLES_MAX];
	size_t table_count;
	struct sqlite_texts *texts;
};

struct sqlite_db *sqlite_db_new(const char *path, enum store_use use)
{
	struct sqlite_db *db = mem_zalloc(sizeof(*db));
	if (db && !(db->path = mem_strdup(path))) {
		mem_free(db);
		return NULL;
	}
	if (db)
		db->use = use;
	return db;
}

void sqlite_db_disconnect(struct sqlite_db *db)
{
	for (size_t i = 0; i < db->table_count; i++)
		for (int k = 0; k < STMT_COUNT; k++)
			sqlite3_finalize(db->tables[i].stmts[k]);
	db->table_count = 0;
	sqlite_texts_clear(&db->texts);
	sqlite3_close(db->handle);
	db->handle = NULL;
}

void sqlite_db_free(struct sqlite_db *db)
{
	if (!db)
		return;
	sqlite_db_disconnect(db);
	mem_free(db->path);
	mem_free(db);
}

static int db_fail(struct sqlite_db *db, const char *what)
{
	log_error("store: %s: %s: %s", db->path, what, db->handle ? sqlite3_errmsg(db->handle) : "no handle");
	return ST_IO;
}

static int db_exec(struct sqlite_db *db, const char *sql)
{
	return sqlite3_exec(db->handle, sql, NULL, NULL, NULL) == SQLITE_OK ? ST_OK : db_fail(db, sql);
}

/* SQLITE_OK, or what sqlite said. */
static int db_connect(struct sqlite_db *db)
{
	int rc;
	if (db->handle)
		return SQLITE_OK;
	rc = sqlite3_open_v2(
	    db->path, &db->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc != SQLITE_OK) {
		sqlite_db_disconnect(db);
		return rc;
	}
	sqlite3_busy_timeout(db->handle, BUSY_MS);
	if (db->use == STORE_KEEPS &&
	    (db_exec(db, "PRAGMA journal_mode=WAL") < 0 || db_exec(db, "PRAGMA synchronous=NORMAL") < 0)) {
		rc = sqlite3_errcode(db->handle);
		sqlite_db_disconnect(db);
		return rc == SQLITE_OK ? SQLITE_ERROR : rc;
	}
	return SQLITE_OK;
}

/* Tables hold what can be made again (registrations ...): one of another shape, left by another version, is replaced,
 * unless it only lacks the last columns. *count: how many it has. */
static int table_has_shape(
    struct sqlite_db *db, const struct store_table *t, size_t *count, bool *exists, bool *is_same)
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
	*count = i;
	return rc == SQLITE_DONE ? ST_OK : db_fail(db, t->name);
}

static int columns_add(struct sqlite_db *db, const struct store_table *t, size_t from)
{
	struct buf sql;
	int st = ST_OK;
	buf_init(&sql);
	for (size_t i = from; t->columns[i]; i++)
		buf_printf(&sql, "ALTER TABLE %s ADD COLUMN %s TEXT NOT NULL DEFAULT '';", t->name, t->columns[i]);
	if (sql.n)
		st = sql.failed ? ST_NOMEM : db_exec(db, sql.p);
	buf_fini(&sql);
	return st;
}

static int table_create(struct sqlite_db *db, const struct store_table *t)
{
	bool exists = false, is_same = false;
	size_t count = 0;
	struct buf sql;
	int st = table_has_shape(db, t, &count, &exists, &is_same);
	if (st < 0)
		return st;
	if (exists && is_same)
		return columns_add(db, t, count);
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

static int table_get(struct sqlite_db *db, const struct store_table *t, struct table **out)
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

static void keys_put(struct buf *sql, const struct store_table *t, size_t key_count)
{
	for (size_t i = 0; i < key_count; i++)
		buf_printf(sql, "%s%s=?", i ? " AND " : " WHERE ", t->columns[i]);
}

static int stmt_get(struct sqlite_db *db, struct table *tb, unsigned kind, sqlite3_stmt **out)
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
		buf_printf(&sql, "DELETE FROM %s", t->name);
		keys_put(&sql, t, t->key_count);
		break;
	case STMT_OVER:
		buf_printf(&sql, "DELETE FROM %s WHERE CAST(%s AS INTEGER) BETWEEN 1 AND ?", t->name, t->expires);
		break;
	default:
		buf_printf(&sql, "SELECT * FROM %s", t->name);
		keys_put(&sql, t, kind - STMT_EACH);
		buf_adds(&sql, " ORDER BY rowid");
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

/* One row into the answer. */
static void row_add(struct store_rows *r, sqlite3_stmt *st)
{
	for (size_t i = 0; i < r->column_count; i++) {
		const char *p = (const char *)sqlite3_column_text(st, (int)i);
		store_rows_add(r, p, p ? (size_t)sqlite3_column_bytes(st, (int)i) : 0);
	}
	r->row_count++;
}

static int rows_read(struct sqlite_db *db, struct store_op *op, sqlite3_stmt *st, size_t column_count)
{
	int rc;
	store_rows_clear(&op->rows);
	op->rows.column_count = column_count;
	while ((rc = sqlite3_step(st)) == SQLITE_ROW && !op->rows.cells.failed)
		row_add(&op->rows, st);
	return rc == SQLITE_DONE && !op->rows.cells.failed ? ST_OK : db_fail(db, op->table->name);
}

/* What is over goes before anybody reads. */
static int over_delete(struct sqlite_db *db, struct table *tb)
{
	sqlite3_stmt *st = NULL;
	int rc;
	if (!tb->t->expires)
		return ST_OK;
	if ((rc = stmt_get(db, tb, STMT_OVER, &st)) < 0)
		return rc;
	sqlite3_bind_int64(st, 1, clock_wall_us() / 1000000);
	if (sqlite3_step(st) != SQLITE_DONE)
		rc = db_fail(db, tb->t->name);
	sqlite3_reset(st);
	return rc;
}

static int op_run(struct sqlite_db *db, struct store_op *op)
{
	unsigned kind = op->kind == STORE_OP_PUT ? STMT_PUT : op->kind == STORE_OP_DEL ? STMT_DEL : STMT_EACH;
	struct table *tb;
	sqlite3_stmt *st = NULL;
	int rc = ST_OK;
	if (op->kind == STORE_OP_SYNC)
		return ST_OK;
	if (kind == STMT_EACH)
		kind += (unsigned)op->value_count;
	if ((rc = table_get(db, op->table, &tb)) < 0 || (kind >= STMT_EACH && (rc = over_delete(db, tb)) < 0) ||
	    (rc = stmt_get(db, tb, kind, &st)) < 0)
		return rc;
	for (size_t i = 0; i < op->value_count; i++)
		sqlite3_bind_text(
		    st, (int)i + 1, op->values[i].p ? op->values[i].p : "", (int)op->values[i].n, SQLITE_STATIC);
	if (op->kind == STORE_OP_EACH)
		rc = rows_read(db, op, st, tb->column_count);
	else if (sqlite3_step(st) != SQLITE_DONE)
		rc = db_fail(db, op->table->name);
	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
	return rc;
}

static int transaction_run(struct sqlite_db *db, struct list *ops)
{
	struct lnode *it, *tmp;
	int rc = db_connect(db);
	if (rc != SQLITE_OK) {
		log_error("store: %s: open: %s", db->path, sqlite3_errstr(rc));
		return ST_IO;
	}
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
		sqlite_db_disconnect(db);
	}
	return rc;
}

/* ---- a statement of somebody's own ---- */

static int is_too_late(void *arg)
{
	const struct store_op *op = arg;
	return clock_mono_us() > op->end_us;
}

static int sql_fail(struct sqlite_db *db, struct store_op *op, int rc)
{
	buf_adds(&op->rows.error, sqlite3_errmsg(db->handle));
	return rc == SQLITE_INTERRUPT ? ST_TIMEOUT : ST_IO;
}

/* $1 is the first value, whatever the order in the text. */
static int values_bind(sqlite3_stmt *st, struct store_op *op)
{
	for (int i = 1; i <= sqlite3_bind_parameter_count(st); i++) {
		const char *name = sqlite3_bind_parameter_name(st, i);
		unsigned long at = name && *name == '$' ? strtoul(name + 1, NULL, 10) : 0;
		if (!at || at > op->value_count) {
			buf_printf(&op->rows.error, "there is no value for '%s'", name ? name : "?");
			return ST_INVAL;
		}
		struct sv v = op->values[at - 1];
		if (v.p)
			sqlite3_bind_text(st, i, v.p, (int)v.n, SQLITE_STATIC);
		else
			sqlite3_bind_null(st, i);
	}
	return ST_OK;
}

static int statement_run(struct sqlite_db *db, struct store_op *op, sqlite3_stmt *st)
{
	struct store_rows *r = &op->rows;
	int rc = values_bind(st, op);
	if (rc < 0)
		return rc;
	store_rows_clear(r);
	r->column_count = (size_t)sqlite3_column_count(st);
	for (size_t i = 0; i < r->column_count; i++) {
		const char *name = sqlite3_column_name(st, (int)i);
		store_rows_add(r, name ? name : "", name ? strlen(name) : 0);
	}
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		row_add(r, st);
		if (r->cells.n > op->result_max_bytes || r->cells.failed) {
			buf_printf(&r->error, "the result is over %zu MiB", op->result_max_bytes >> 20);
			return ST_LIMIT;
		}
	}
	r->change_count = sqlite3_changes(db->handle);
	return rc == SQLITE_DONE ? ST_OK : sql_fail(db, op, rc);
}

/* A text for the first time: what has values comes again, and stays prepared when all of it was good. */
static ON_WORK int text_run(struct sqlite_db *db, struct store_op *op)
{
	struct sqlite_text *kept = op->value_count ? mem_zalloc(sizeof(*kept)) : NULL;
	const char *rest = op->text;
	int status = ST_OK;
	bool is_whole = kept && (kept->text = mem_strdup(op->text));
	while (!status && *rest) {
		sqlite3_stmt *stmt = NULL;
		int rc = sqlite3_prepare_v2(db->handle, rest, -1, &stmt, &rest);
		if (rc)
			status = sql_fail(db, op, rc);
		else if (stmt)
			status = statement_run(db, op, stmt);
		is_whole &= !stmt || (kept && kept->count < SQLITE_STMTS_MAX);
		if (stmt && is_whole) {
			sqlite3_reset(stmt);
			sqlite3_clear_bindings(stmt); /* the values are gone after it */
			kept->stmts[kept->count++] = stmt;
		} else {
			sqlite3_finalize(stmt);
		}
	}
	if (is_whole && !status)
		sqlite_texts_put(&db->texts, kept);
	else
		sqlite_text_free(kept);
	return status;
}

static ON_WORK int kept_run(struct sqlite_db *db, struct store_op *op, struct sqlite_text *kept)
{
	int status = ST_OK;
	for (size_t i = 0; !status && i < kept->count; i++) {
		status = statement_run(db, op, kept->stmts[i]);
		sqlite3_reset(kept->stmts[i]);
		sqlite3_clear_bindings(kept->stmts[i]);
	}
	if (status)
		sqlite_text_free(kept);
	else
		sqlite_texts_put(&db->texts, kept);
	return status;
}

static ON_WORK int sql_run(struct sqlite_db *db, struct store_op *op)
{
	int rc;

	if (is_too_late(op))
		return ST_TIMEOUT;
	if ((rc = db_connect(db)) != SQLITE_OK) {
		buf_printf(&op->rows.error, "%s: %s", db->path, sqlite3_errstr(rc));
		return ST_IO;
	}
	bool is_own = sqlite3_get_autocommit(db->handle) && sql_is_transaction(op->text);
	sqlite3_progress_handler(db->handle, PROGRESS_STEPS, is_too_late, op);
	struct sqlite_text *kept = op->value_count ? sqlite_texts_take(db->texts, op->text) : NULL;
	rc = kept ? kept_run(db, op, kept) : text_run(db, op);
	sqlite3_progress_handler(db->handle, 0, NULL, NULL);
	if (rc && is_own && !sqlite3_get_autocommit(db->handle))
		sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

int sqlite_db_run(struct sqlite_db *db, struct store_batch *b)
{
	struct store_op *first = list_entry(list_first(&b->ops), struct store_op, link);
	return first->kind == STORE_OP_SQL ? sql_run(db, first) : transaction_run(db, &b->ops);
}
