/* The control side of the sqlite driver. A file is read and written by one worker at a time. For STORE_KEEPS the jobs
 * of a path are a serial queue, which the end of the program lets run out; whoever opens a path whose last store is
 * still writing gets the same queue, so that he reads what was written before. For STORE_ASKS (a script's own
 * connection: its transactions and temporary tables are nobody else's) they are plain jobs, of which those not begun go
 * at the end. */
#include "base/log.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "loop/work.h"
#include "store/sqlite_i.h"

#include <string.h>

enum { JOBS_MAX = 512 };

struct sqlite_conn {
	struct store_conn base; /* first */
	struct lnode link;      /* in keepers */
	struct sqlite_db *db;
	char *path;
	struct work_serial *serial; /* STORE_KEEPS */
	unsigned user_count;
};
struct task {
	struct sqlite_conn *conn;
	struct store_batch *batch; /* NULL: the connection is closed */
	int status;
};
static struct list keepers = {{&keepers.head, &keepers.head}};

/* ---- connections ---- */

static void db_close_run(void *arg)
{
	role_assert_work();
	sqlite_db_free(arg);
}

static void db_close_done(int status, void *arg)
{
	role_assert_ctl();
	if (status == ST_CANCELLED)
		sqlite_db_free(arg);
}

static void conn_dtor(void *obj)
{
	struct sqlite_conn *c = obj;
	role_assert_ctl();
	list_remove(&c->link);
	work_serial_close(c->serial);
	if (c->db && work_submit(WORK_DB, "store.close", db_close_run, db_close_done, c->db))
		sqlite_db_free(c->db);
	mem_free(c->path);
}

/* Appends the file that a name means: in the folder, unless it is a whole path. */
static bool path_put(const char *name, const char *folder, struct buf *out)
{
	const char *dot = strrchr(name, '.');
	if (*name == '/')
		return !buf_adds(out, name);
	if (!*name || *name == '.' || strchr(name, '/'))
		return false;
	return !buf_printf(out, "%s/%s%s", folder ? folder : ".", name, dot && !strcmp(dot, ".db") ? "" : ".db");
}

static ON_CTL struct sqlite_conn *keeper_find(const char *path)
{
	struct lnode *it, *tmp;
	list_each (&keepers, it, tmp) {
		struct sqlite_conn *c = list_entry(it, struct sqlite_conn, link);
		if (!strcmp(c->path, path))
			return c;
	}
	return NULL;
}

static ON_CTL struct sqlite_conn *conn_new(const char *path, enum store_use use)
{
	struct sqlite_conn *c = mem_new(sizeof(*c), conn_dtor, "store.sqlite");
	if (!c)
		return NULL;
	c->base.driver = &store_sqlite;
	if (!(c->path = mem_strdup(path)) || !(c->db = sqlite_db_new(path, use)) ||
	    (use == STORE_KEEPS && work_serial_new(&c->serial, WORK_DB, "store", JOBS_MAX) < 0))
		return mem_unref(c);
	if (use == STORE_KEEPS)
		list_push(&keepers, &c->link);
	return c;
}

static int sqlite_open(
    struct store_conn **out, const char *rest, const char *folder, enum store_use use, struct buf *error)
{
	struct buf path;
	struct sqlite_conn *c = NULL;
	int st = ST_NOMEM;

	role_assert_ctl();
	buf_init(&path);
	if (!path_put(rest, folder, &path)) {
		buf_printf(error, "'%s' names no database", rest);
		st = ST_INVAL;
	} else if ((c = use == STORE_KEEPS ? mem_ref(keeper_find(path.p)) : NULL) || (c = conn_new(path.p, use))) {
		c->user_count++;
		*out = &c->base;
		st = ST_OK;
	}
	buf_fini(&path);
	return st;
}

/* ---- batches ---- */

static void task_run(void *arg)
{
	struct task *t = arg;
	role_assert_work();
	if (t->batch)
		t->status = sqlite_db_run(t->conn->db, t->batch);
	else
		sqlite_db_disconnect(t->conn->db);
}

static void task_done(int status, void *arg)
{
	struct task *t = arg;
	struct sqlite_conn *c = t->conn;
	role_assert_ctl();
	if (t->batch)
		store_batch_end(t->batch, status == ST_OK ? t->status : status);
	mem_free(t);
	mem_unref(c);
}

static ON_CTL int task_add(struct sqlite_conn *c, struct store_batch *b)
{
	struct task *t = mem_zalloc(sizeof(*t));
	int st;
	if (!t)
		return ST_NOMEM;
	t->conn = c, t->batch = b;
	st = c->serial ? work_serial_submit(c->serial, task_run, task_done, t)
	               : work_submit(WORK_DB, "sql", task_run, task_done, t);
	if (st < 0)
		mem_free(t);
	else
		mem_ref(c);
	return st;
}

static int sqlite_submit(struct store_conn *conn, struct store_batch *b)
{
	role_assert_ctl();
	return task_add((struct sqlite_conn *)conn, b);
}

static void sqlite_close(struct store_conn *conn)
{
	struct sqlite_conn *c = (struct sqlite_conn *)conn;
	role_assert_ctl();
	if (!--c->user_count && c->serial) {
		task_add(c, NULL);
		if (!loop_depth()) { /* the last jobs are awaited; in a callback they hold the connection, and end it */
			struct work_serial *serial = c->serial;
			list_remove(&c->link);
			c->serial = NULL;
			work_serial_close(serial);
		}
	}
	mem_unref(c);
}

const struct store_driver store_sqlite = {
    .scheme = "sqlite",
    .row_order = "rowid",
    .open = sqlite_open,
    .submit = sqlite_submit,
    .close = sqlite_close,
};
