/* The driver of databases whose library waits (MariaDB, ODBC). The jobs of all of them are one serial queue, so
 * that servers that are silent hold one worker and never both that databases have: sqlite goes on. Every call of the
 * library has a deadline, and after a failed connect that database is not tried for a moment, by whomever. Rows of
 * tables: one transaction a batch; when it fails for a reason of its own, each op alone, so that a wrong row costs only
 * itself. */
#include "store/far.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	JOBS_MAX = 4096,
	TABLES_MAX = 32,
	KEY_MAX_CHARS = 255,
	KEYS_MAX_CHARS = 766,
	PAUSE_US = 2 * 1000 * 1000,
	NAMES_MAX = 16
};

struct far_conn {
	struct store_conn base; /* first */
	const struct far_ops *ops;
	struct far_db *db;
	enum store_use use;
	uint64_t name; /* a hash of the DSN */
	/* the worker's */
	bool is_connected;
	const struct store_table *made[TABLES_MAX];
	size_t made_count;
};
struct task {
	struct far_conn *conn;
	struct store_batch *batch; /* NULL: the last */
	int status;
};

static struct {
	struct work_serial *serial;
	unsigned use_count;
} far_jobs;
/* What is away, and when it may be asked again: the queue's, whose jobs run one at a time. */
static struct {
	uint64_t name;
	int64_t retry_us;
} away[NAMES_MAX];
static unsigned away_next;

/* ---- on a worker ---- */

static int away_index(uint64_t name)
{
	for (int i = 0; i < NAMES_MAX; i++)
		if (away[i].name == name)
			return i;
	return -1;
}

static void away_set(uint64_t name)
{
	int i = away_index(name);
	if (i < 0)
		i = (int)(away_next++ % NAMES_MAX);
	away[i].name = name;
	away[i].retry_us = clock_mono_us() + PAUSE_US;
}

static void far_disconnect(struct far_conn *c)
{
	if (c->is_connected)
		c->ops->disconnect(c->db);
	c->is_connected = false;
	c->made_count = 0;
}

static int far_connect(struct far_conn *c, struct buf *error)
{
	int known = away_index(c->name);
	if (c->is_connected)
		return ST_OK;
	if (known >= 0 && clock_mono_us() < away[known].retry_us) {
		buf_adds(error, "the database is away");
		return ST_CLOSED;
	}
	int st = c->ops->connect(c->db, error);
	c->is_connected = st == ST_OK;
	if (st < 0) {
		if (known < 0)
			log_error("store: %s: %s; it is tried again", c->base.driver->scheme,
			    error->n ? error->p : status_text(st));
		away_set(c->name);
	} else if (known >= 0) {
		log_notice("store: %s is back", c->base.driver->scheme);
		away[known].name = 0;
	}
	return st;
}

static int exec(
    struct far_conn *c, const char *sql, const struct sv *values, size_t n, struct store_rows *rows, struct buf *error)
{
	int st = c->ops->run(c->db, sv_of(sql), values, n, rows, SIZE_MAX, error);
	if (st == ST_CLOSED || st == ST_TIMEOUT)
		far_disconnect(c);
	return st;
}

/* ---- tables ---- */

static char name_quote(const struct far_conn *c)
{
	return c->ops->dialect == SQL_BACKSLASH ? '`' : '"';
}

static void name_put(struct buf *sql, const struct far_conn *c, const char *name)
{
	buf_addc(sql, name_quote(c));
	buf_adds(sql, name);
	buf_addc(sql, name_quote(c));
}

static void make_put(struct buf *sql, const struct far_conn *c, const struct store_table *t)
{
	size_t width = KEYS_MAX_CHARS / t->key_count < KEY_MAX_CHARS ? KEYS_MAX_CHARS / t->key_count : KEY_MAX_CHARS;
	buf_adds(sql, c->ops->is_generic ? "CREATE TABLE " : "CREATE TABLE IF NOT EXISTS ");
	name_put(sql, c, t->name);
	buf_addc(sql, '(');
	for (size_t i = 0; t->columns[i]; i++) {
		name_put(sql, c, t->columns[i]);
		if (i < t->key_count)
			buf_printf(
			    sql, " VARCHAR(%zu)%s NOT NULL,", width, c->ops->is_generic ? "" : " COLLATE utf8mb4_bin");
		else
			buf_adds(sql, c->ops->is_generic ? " VARCHAR(4000)," : " MEDIUMTEXT COLLATE utf8mb4_bin,");
	}
	if (!c->ops->is_generic)
		buf_adds(sql, "row_order BIGINT AUTO_INCREMENT UNIQUE,");
	buf_adds(sql, "PRIMARY KEY(");
	for (size_t i = 0; i < t->key_count; i++) {
		buf_adds(sql, i ? "," : "");
		name_put(sql, c, t->columns[i]);
	}
	buf_adds(sql, c->ops->is_generic ? "))" : ")) DEFAULT CHARSET utf8mb4");
}

static bool table_is_there(struct far_conn *c, const struct store_table *t)
{
	struct buf sql, error;
	buf_init(&sql), buf_init(&error);
	buf_adds(&sql, "SELECT 1 FROM ");
	name_put(&sql, c, t->name);
	buf_adds(&sql, " WHERE 1=0");
	bool is_there = exec(c, sql.p, NULL, 0, NULL, &error) == ST_OK;
	buf_fini(&sql), buf_fini(&error);
	return is_there;
}

/* Columns that an earlier version did not have. */
static void columns_add(struct far_conn *c, const struct store_table *t)
{
	struct buf sql, error;
	for (size_t i = t->key_count; !c->ops->is_generic && t->columns[i]; i++) {
		buf_init(&sql), buf_init(&error);
		buf_adds(&sql, "ALTER TABLE ");
		name_put(&sql, c, t->name);
		buf_adds(&sql, " ADD COLUMN IF NOT EXISTS ");
		name_put(&sql, c, t->columns[i]);
		buf_adds(&sql, " MEDIUMTEXT COLLATE utf8mb4_bin");
		(void)exec(c, sql.p, NULL, 0, NULL, &error);
		buf_fini(&sql), buf_fini(&error);
	}
}

static int table_make(struct far_conn *c, const struct store_table *t, struct buf *error)
{
	struct buf sql;
	int st = ST_OK;
	for (size_t i = 0; i < c->made_count; i++)
		if (c->made[i] == t)
			return ST_OK;
	if (c->made_count == TABLES_MAX)
		return ST_UNSUPPORTED;
	if (!table_is_there(c, t) && c->is_connected) {
		buf_init(&sql);
		make_put(&sql, c, t);
		st = exec(c, sql.p, NULL, 0, NULL, error);
		buf_fini(&sql);
	} else if (c->is_connected) {
		columns_add(c, t);
	}
	if (!st && c->is_connected)
		c->made[c->made_count++] = t;
	return c->is_connected ? st : ST_CLOSED;
}

static void where_put(struct buf *sql, const struct far_conn *c, const struct store_table *t, size_t key_count)
{
	for (size_t i = 0; i < key_count; i++) {
		buf_adds(sql, i ? " AND " : " WHERE ");
		name_put(sql, c, t->columns[i]);
		buf_printf(sql, "=$%zu", i + 1);
	}
}

static void columns_put(struct buf *sql, const struct far_conn *c, const struct store_table *t)
{
	for (size_t i = 0; t->columns[i]; i++) {
		buf_adds(sql, i ? "," : "");
		name_put(sql, c, t->columns[i]);
	}
}

static void delete_put(struct buf *sql, const struct far_conn *c, const struct store_table *t)
{
	buf_adds(sql, "DELETE FROM ");
	name_put(sql, c, t->name);
	where_put(sql, c, t, t->key_count);
}

static void insert_put(struct buf *sql, const struct far_conn *c, const struct store_table *t)
{
	buf_adds(sql, c->ops->is_generic ? "INSERT INTO " : "REPLACE INTO ");
	name_put(sql, c, t->name);
	buf_addc(sql, '(');
	columns_put(sql, c, t);
	buf_adds(sql, ") VALUES (");
	for (size_t i = 0; t->columns[i]; i++)
		buf_printf(sql, "%s$%zu", i ? "," : "", i + 1);
	buf_addc(sql, ')');
}

/* ---- ops ---- */

static size_t expires_index(const struct store_table *t)
{
	size_t i = 0;
	while (strcmp(t->columns[i], t->expires))
		i++;
	return i;
}

/* What is over is left out; the library has given the names of the columns first. */
static void rows_take(struct store_op *op, const struct store_rows *got)
{
	const struct store_table *t = op->table;
	struct sv cells[STORE_COLUMNS_MAX];
	int64_t now_s = clock_wall_us() / 1000000, until;
	size_t at = 0, columns = got->column_count;
	bool may_be_over = t->expires && expires_index(t) < columns;

	store_rows_clear(&op->rows);
	op->rows.column_count = columns;
	if (columns > STORE_COLUMNS_MAX)
		return;
	for (size_t row = 0; row <= got->row_count; row++) {
		for (size_t i = 0; i < columns; i++)
			if (!store_rows_next(got, &at, &cells[i]))
				return;
		bool is_over = may_be_over && !sv_i64(cells[expires_index(t)], &until) && until > 0 && until <= now_s;
		if (!row || is_over)
			continue;
		for (size_t i = 0; i < columns; i++)
			store_rows_add(&op->rows, cells[i].p ? cells[i].p : "", cells[i].n);
		op->rows.row_count++;
	}
}

static int each_run(struct far_conn *c, struct store_op *op, struct buf *error)
{
	struct store_rows got = {0};
	struct buf sql;
	buf_init(&sql);
	buf_adds(&sql, "SELECT ");
	columns_put(&sql, c, op->table);
	buf_adds(&sql, " FROM ");
	name_put(&sql, c, op->table->name);
	where_put(&sql, c, op->table, op->value_count);
	buf_adds(&sql, c->ops->is_generic ? "" : " ORDER BY row_order");
	int st = sql.failed ? ST_NOMEM : exec(c, sql.p, op->values, op->value_count, &got, error);
	if (!st)
		rows_take(op, &got);
	store_rows_fini(&got);
	buf_fini(&sql);
	return st;
}

static int op_run(struct far_conn *c, struct store_op *op, struct buf *error)
{
	struct buf sql;
	int st = op->kind == STORE_OP_SYNC ? ST_OK : table_make(c, op->table, error);
	if (st || op->kind == STORE_OP_SYNC)
		return st;
	if (op->kind == STORE_OP_EACH)
		return each_run(c, op, error);
	buf_init(&sql);
	if (op->kind == STORE_OP_DEL || c->ops->is_generic) {
		delete_put(&sql, c, op->table);
		st = sql.failed ? ST_NOMEM : exec(c, sql.p, op->values, op->table->key_count, NULL, error);
		buf_clear(&sql);
	}
	if (!st && op->kind == STORE_OP_PUT) {
		insert_put(&sql, c, op->table);
		st = sql.failed ? ST_NOMEM : exec(c, sql.p, op->values, op->value_count, NULL, error);
	}
	buf_fini(&sql);
	return st;
}

/* Tables are made first: that ends a transaction in some databases. */
static int tables_make(struct far_conn *c, struct list *ops, struct buf *error)
{
	struct lnode *it, *tmp;
	int st = ST_OK;
	list_each (ops, it, tmp) {
		const struct store_op *op = list_entry(it, struct store_op, link);
		if (op->table && (st = table_make(c, op->table, error)) < 0)
			break;
	}
	return st;
}

static const char begin_sql[] = "BEGIN", commit_sql[] = "COMMIT", rollback_sql[] = "ROLLBACK";

static int transaction_run(struct far_conn *c, struct list *ops, struct buf *error)
{
	struct lnode *it, *tmp;
	int st = tables_make(c, ops, error);
	if (!st)
		st = exec(c, begin_sql, NULL, 0, NULL, error);
	list_each (ops, it, tmp) {
		if (st < 0)
			break;
		st = op_run(c, list_entry(it, struct store_op, link), error);
	}
	if (!st)
		st = exec(c, commit_sql, NULL, 0, NULL, error);
	if (st < 0 && c->is_connected)
		(void)exec(c, rollback_sql, NULL, 0, NULL, error);
	return st;
}

/* Each for itself; what is refused is told and left out. */
static int singles_run(struct far_conn *c, struct list *ops)
{
	struct lnode *it, *tmp;
	struct buf error;
	size_t refused = 0;
	int status = ST_OK;
	buf_init(&error);
	list_each (ops, it, tmp) {
		struct store_op *op = list_entry(it, struct store_op, link);
		struct list one;
		list_init(&one);
		buf_clear(&error);
		struct lnode *next = it->next;
		list_remove(it);
		list_push(&one, it);
		int st = transaction_run(c, &one, &error);
		list_remove(it);
		list_insert(it, next->prev, next);
		if (st == ST_IO && op->kind != STORE_OP_EACH && !refused++)
			log_error("store: %s: a row is not kept: %s", c->base.driver->scheme, error.n ? error.p : "");
		else if (st < 0 && (st != ST_IO || op->kind == STORE_OP_EACH))
			status = st;
		if (!c->is_connected)
			break;
	}
	buf_fini(&error);
	return status;
}

static int batch_run(struct far_conn *c, struct store_batch *b)
{
	struct buf error;
	int st;
	buf_init(&error);
	if (!(st = far_connect(c, &error))) {
		st = transaction_run(c, &b->ops, &error);
		if (st == ST_IO && b->op_count > 1)
			st = singles_run(c, &b->ops);
		else if (st < 0)
			log_error("store: %s: %s", c->base.driver->scheme, error.n ? error.p : status_text(st));
	}
	buf_fini(&error);
	return st;
}

static int sql_run(struct far_conn *c, struct store_op *op)
{
	struct sv rest = sv_of(op->text), statement;
	struct store_rows *rows = &op->rows;
	int st = clock_mono_us() > op->end_us ? ST_TIMEOUT : far_connect(c, &rows->error);

	while (!st && sql_next(&rest, c->ops->dialect, &statement)) {
		store_rows_clear(rows);
		st = clock_mono_us() > op->end_us ? ST_TIMEOUT
		                                  : c->ops->run(c->db, statement, op->values, op->value_count, rows,
		                                        op->result_max_bytes, &rows->error);
		if (st == ST_CLOSED || st == ST_TIMEOUT || st == ST_LIMIT)
			far_disconnect(c);
	}
	return st;
}

static void task_run(void *arg)
{
	struct task *t = arg;
	struct store_op *first;
	role_assert_work();
	if (!t->batch) {
		far_disconnect(t->conn);
		return;
	}
	first = list_entry(list_first(&t->batch->ops), struct store_op, link);
	t->status = first->kind == STORE_OP_SQL ? sql_run(t->conn, first) : batch_run(t->conn, t->batch);
}

/* ---- control ---- */

static void conn_dtor(void *obj)
{
	struct far_conn *c = obj;
	role_assert_ctl();
	if (c->db && !c->is_connected) /* else a worker was given up with it */
		c->ops->free(c->db);
}

static void task_done(int status, void *arg)
{
	struct task *t = arg;
	role_assert_ctl();
	if (t->batch)
		store_batch_end(t->batch, status == ST_OK ? t->status : status);
	mem_unref(t->conn);
	mem_free(t);
}

static ON_CTL int task_add(struct far_conn *c, struct store_batch *b)
{
	struct task *t = mem_zalloc(sizeof(*t));
	if (!t)
		return ST_NOMEM;
	t->conn = mem_ref(c), t->batch = b;
	int st = work_serial_submit(far_jobs.serial, task_run, task_done, t);
	if (st < 0) {
		mem_unref(c);
		mem_free(t);
	}
	return st;
}

int far_open(struct store_conn **out, const struct store_driver *driver, const struct far_ops *ops, const char *rest,
    enum store_use use, struct buf *error)
{
	struct far_conn *c = mem_new(sizeof(*c), conn_dtor, "store.far");
	int st;
	role_assert_ctl();
	if (!c)
		return ST_NOMEM;
	c->base.driver = driver, c->ops = ops, c->use = use;
	c->name = hash_bytes(rest, strlen(rest)) | 1;
	if (!(st = ops->make(&c->db, rest, error)) && !far_jobs.serial)
		st = work_serial_new(&far_jobs.serial, WORK_DB, "far databases", JOBS_MAX);
	if (st < 0) {
		mem_unref(c);
		return st;
	}
	far_jobs.use_count++;
	*out = &c->base;
	return ST_OK;
}

int far_submit(struct store_conn *conn, struct store_batch *b)
{
	role_assert_ctl();
	return task_add((struct far_conn *)conn, b);
}

/* The end of the program waits for what is to be kept. */
void far_close(struct store_conn *conn)
{
	struct far_conn *c = (struct far_conn *)conn;
	struct work_serial *serial = far_jobs.serial;
	role_assert_ctl();
	(void)task_add(c, NULL);
	if (!--far_jobs.use_count) {
		far_jobs.serial = NULL;
		work_serial_close(serial);
	} else if (c->use == STORE_KEEPS && work_may_wait()) {
		work_serial_drain(serial);
	}
	mem_unref(c);
}
