/* The front: what users call, above whichever driver (the way of an op is drawn in driver.h). Writes that nobody waits
 * for gather for a moment; one batch is with the driver at a time, so that two writes of a row never change places; a
 * batch that fails comes back and is tried again after a pause. A statement has an end time of its own: whoever asked
 * is answered then, and the op stays with the driver until that lets go of it. The store is counted: whoever holds a
 * batch keeps it alive past store_close. No database is known here. */
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "store/driver_i.h"
#include "store/store_i.h"

#include <string.h>

enum { BATCH_MAX = 1024, QUEUE_MAX = 131072, TRIES_MAX = 5, ROWS_PER_TURN = 256, GATHER_US = 20000 };
enum { QUEUE_MAX_BYTES = 256 << 20, RESULT_MAX_BYTES = 16 << 20, PARAMS_MAX = 1000 };
enum { SQL_US = 10 * 1000 * 1000, SQL_GRACE_US = 1000 * 1000 };
static const int64_t retry_pause_us[TRIES_MAX] = {0, 100000, 500000, 2000000, 5000000};

struct store {
	const struct store_driver *driver;
	struct store_conn *conn; /* NULL: closed */
	enum store_use use;
	struct list queue;
	size_t queue_count, queue_bytes;
	struct store_batch *batch; /* with the driver, or waiting to be tried again */
	struct ltimer retry, gather;
	bool is_urgent; /* somebody waits for an op of the queue, or they have gathered long enough */
	struct list finished;
	struct ltimer turn;
	size_t row_at, byte_at; /* of the first of finished, whose rows are being handed out */
	bool is_closed;
	struct store_migration *migration;
	struct store_stats stats;
};

static ON_CTL void kick(struct store *s);
static void deliver(void *arg);

/* ---- ops ---- */

static ON_CTL void op_free(struct store_op *op)
{
	if (op->deadline)
		loop_timer_cancel(op->deadline);
	mem_free(op->deadline);
	store_rows_fini(&op->rows);
	mem_free(op);
}

static bool op_is_awaited(const struct store_op *op)
{
	return !op->is_answered && (op->done || op->answer);
}

/* The last call of an op; its user may close the store in it. */
static ON_CTL void op_answer(struct store_op *op, int status)
{
	if (op->is_answered)
		return;
	op->is_answered = true;
	if (op->answer)
		op->answer(status, &op->rows, op->arg);
	else if (op->done)
		op->done(status, op->arg);
}

static ON_CTL void ops_cancel(struct list *ops)
{
	struct lnode *n;
	while ((n = list_first(ops))) {
		struct store_op *op = list_entry(n, struct store_op, link);
		list_remove(n);
		op_answer(op, ST_CANCELLED);
		op_free(op);
	}
}

/* Whoever asked has waited long enough. An op that the driver holds is freed at the batch's end. */
static void sql_is_late(void *arg)
{
	struct store_op *op = arg;
	struct store *s = op->store;
	struct store_rows none = {0};
	bool is_out = op->is_out;

	role_assert_ctl();
	s->stats.late++;
	op->is_answered = true;
	buf_adds(&none.error, "no answer in time");
	if (!is_out) {
		list_remove(&op->link);
		s->queue_count--, s->queue_bytes -= op->bytes;
	}
	op->answer(ST_TIMEOUT, &none, op->arg); /* may close the store: an op that is out may be gone then */
	store_rows_fini(&none);
	if (!is_out)
		op_free(op);
}

/* ---- the store ---- */

static void store_dtor(void *obj)
{
	struct store *s = obj;
	role_assert_ctl();
	driver_release(s->driver);
}

static int store_make(struct store **out, const char *dsn, const char *folder, enum store_use use, struct buf *error)
    ON_CTL
{
	const struct store_driver *driver;
	const char *rest;
	struct store *s;
	int st = store_dsn_parse(dsn, &driver, &rest, error);

	if (st < 0)
		return st;
	if (!(s = mem_new(sizeof(*s), store_dtor, "store")))
		return ST_NOMEM;
	s->driver = driver, s->use = use;
	driver_hold(driver);
	list_init(&s->queue);
	list_init(&s->finished);
	if ((st = driver->open(&s->conn, rest, folder, use, error)) < 0) {
		mem_unref(s);
		return st;
	}
	*out = s;
	return ST_OK;
}

int store_open(struct store **out, const char *dsn, const char *folder, enum store_use use, struct buf *error)
{
	struct buf why;
	int st;

	buf_init(&why);
	st = store_make(out, dsn, folder, use, &why);
	if (st < 0 && !error)
		log_error("store: %s", why.n ? why.p : status_text(st));
	else if (st < 0)
		buf_addv(error, buf_sv(&why));
	buf_fini(&why);
	return st;
}

/* ---- batches ---- */

static bool is_statement(const struct store_batch *b)
{
	return list_entry(b->ops.head.next, struct store_op, link)->kind == STORE_OP_SQL;
}

static ON_CTL void batch_count(struct store *s, const struct store_batch *b, int status)
{
	if (status == ST_OK) {
		s->stats.written += b->op_count;
		s->stats.batches++;
	} else if (!is_statement(b)) {
		s->stats.dropped_failed += b->op_count;
		log_error("store: a batch of %zu writes is given up after %u tries: %s", b->op_count, b->tries,
		    status_text(status));
	}
}

static ON_CTL void batch_finish(struct store_batch *b, int status)
{
	struct store *s = b->store;
	struct lnode *it, *tmp;

	batch_count(s, b, status);
	list_each (&b->ops, it, tmp) {
		struct store_op *op = list_entry(it, struct store_op, link);
		list_remove(it);
		op->status = status;
		if (status < 0)
			store_rows_clear(&op->rows);
		if (op->deadline)
			loop_timer_cancel(op->deadline);
		if (op_is_awaited(op))
			list_push(&s->finished, it);
		else
			op_free(op);
	}
	if (s->batch == b)
		s->batch = NULL;
	mem_free(b);
	if (s->is_closed) {
		ops_cancel(&s->finished);
	} else {
		if (!list_empty(&s->finished) && !loop_timer_is_set(&s->turn))
			loop_timer_set(&s->turn, 0, "store.deliver", deliver, s);
		kick(s);
	}
	mem_unref(s);
}

static void batch_send(void *arg);

void store_batch_end(struct store_batch *b, int status)
{
	struct store *s = b->store;

	DCHECK(b->is_out);
	b->is_out = false;
	if (status == ST_OK || status == ST_CANCELLED || status == ST_UNSUPPORTED || s->is_closed || is_statement(b) ||
	    b->tries >= TRIES_MAX) {
		batch_finish(b, status);
		return;
	}
	s->stats.retries++;
	loop_timer_set(&s->retry, retry_pause_us[b->tries], "store.retry", batch_send, b);
}

/* In a turn of its own: many batches refused one after the other would be calls within calls. */
static void batch_refused(void *arg)
{
	struct store_batch *b = arg;
	role_assert_ctl();
	b->is_out = true;
	store_batch_end(b, b->status);
}

static void batch_send(void *arg)
{
	struct store_batch *b = arg;
	struct store *s = b->store;
	struct lnode *it, *tmp;

	role_assert_ctl();
	if (b->tries++)
		list_each (&b->ops, it, tmp)
			store_rows_clear(&list_entry(it, struct store_op, link)->rows);
	b->is_out = true;
	b->status = s->driver->submit(s->conn, b);
	if (b->status < 0 && s->is_closed) {
		store_batch_end(b, b->status);
	} else if (b->status < 0) {
		b->is_out = false;
		loop_timer_set(&s->retry, 0, "store.refused", batch_refused, b);
	}
}

static void gather_over(void *arg)
{
	struct store *s = arg;
	role_assert_ctl();
	s->is_urgent = true;
	kick(s);
}

/* Takes ops for one batch out of the queue: a statement alone, else what stands before the next statement. */
static ON_CTL struct store_batch *batch_take(struct store *s)
{
	struct store_batch *b = mem_zalloc(sizeof(*b));
	struct lnode *n;

	if (!b)
		return NULL;
	list_init(&b->ops);
	while ((n = list_first(&s->queue)) && b->op_count < BATCH_MAX) {
		struct store_op *op = list_entry(n, struct store_op, link);
		if (b->op_count && op->kind == STORE_OP_SQL)
			break;
		list_remove(n);
		list_push(&b->ops, n);
		op->is_out = true;
		b->op_count++;
		s->queue_count--, s->queue_bytes -= op->bytes;
		if (op->kind == STORE_OP_SQL)
			break;
	}
	b->store = mem_ref(s);
	return b;
}

/* Sends the next batch when none is under way. A transaction costs as much for one row as for fifty. */
static void kick(struct store *s)
{
	struct store_batch *b;
	if (s->batch || list_empty(&s->queue))
		return;
	if (!s->is_urgent && !s->is_closed && s->queue_count < BATCH_MAX) {
		if (!loop_timer_is_set(&s->gather))
			loop_timer_set(&s->gather, GATHER_US, "store.gather", gather_over, s);
		return;
	}
	if (!(b = batch_take(s)))
		return;
	if (!s->queue_count)
		s->is_urgent = false;
	s->batch = b;
	batch_send(b);
}

/* ---- answers ---- */

/* Up to ROWS_PER_TURN rows of the first finished op; ST_AGAIN: there are more. */
static ON_CTL int rows_give(struct store *s, struct store_op *op)
{
	struct sv values[STORE_COLUMNS_MAX];
	size_t columns = op->rows.column_count, left = ROWS_PER_TURN;

	if (columns > STORE_COLUMNS_MAX)
		return ST_LIMIT;
	if (!s->byte_at && op->kind == STORE_OP_SQL)
		for (size_t i = 0; i < columns; i++) /* the names */
			store_rows_next(&op->rows, &s->byte_at, &values[0]);
	for (; s->row_at < op->rows.row_count && left; s->row_at++, left--) {
		for (size_t i = 0; i < columns; i++)
			if (!store_rows_next(&op->rows, &s->byte_at, &values[i]))
				return ST_IO;
		op->row(values, columns, op->arg);
	}
	return s->row_at == op->rows.row_count ? ST_OK : ST_AGAIN;
}

/* A turn of the loop's worth of results; the last call of an op may close the store. */
static void deliver(void *arg)
{
	struct store *s = arg;
	role_assert_ctl();
	mem_ref(s);
	while (!s->is_closed && !list_empty(&s->finished)) {
		struct store_op *op = list_entry(list_first(&s->finished), struct store_op, link);
		int st = op->status;
		if (st == ST_OK && op->row && (st = rows_give(s, op)) == ST_AGAIN) {
			loop_timer_set(&s->turn, 0, "store.deliver", deliver, s);
			break;
		}
		s->row_at = s->byte_at = 0;
		list_remove(&op->link);
		op_answer(op, st);
		op_free(op);
	}
	mem_unref(s);
}

/* ---- what users call ---- */

static ON_CTL int op_add(struct store *s, const struct store_op *form, const struct sv *values, size_t count)
{
	size_t text_bytes = form->text ? strlen(form->text) + 1 : 0, bytes = text_bytes;
	struct store_op *op;

	for (size_t i = 0; i < count; i++)
		bytes += values[i].n;
	bytes += sizeof(*op) + count * sizeof(op->values[0]);
	if (s->queue_count >= QUEUE_MAX || s->queue_bytes + bytes > QUEUE_MAX_BYTES) {
		if (s->stats.dropped_full++ % 10000 == 0)
			log_error("store: the queue is full, writes are lost (%llu)",
			    (unsigned long long)s->stats.dropped_full);
		return ST_FULL;
	}
	if (!(op = mem_zalloc(bytes)))
		return ST_NOMEM;
	*op = *form;
	if (form->answer && !(op->deadline = mem_zalloc(sizeof(*op->deadline)))) {
		mem_free(op);
		return ST_NOMEM;
	}
	op->store = s, op->bytes = bytes, op->value_count = count;
	char *p = (char *)&op->values[count];
	for (size_t i = 0; i < count; i++) {
		bool is_null = !values[i].p;
		op->values[i] =
		    (struct sv){is_null && form->kind == STORE_OP_SQL ? NULL : p, is_null ? 0 : values[i].n};
		if (op->values[i].n)
			memcpy(p, values[i].p, op->values[i].n);
		p += op->values[i].n;
	}
	if (form->text)
		op->text = memcpy(p, form->text, text_bytes);
	if (op->deadline)
		loop_timer_set(op->deadline, SQL_US + SQL_GRACE_US, "store.late", sql_is_late, op);
	list_push(&s->queue, &op->link);
	s->queue_count++, s->queue_bytes += bytes;
	if (op_is_awaited(op))
		s->is_urgent = true;
	kick(s);
	return ST_OK;
}

int store_put(struct store *s, const struct store_table *t, const struct sv *values)
{
	size_t n = 0;
	while (t->columns[n])
		n++;
	DCHECK(n <= STORE_COLUMNS_MAX && t->key_count <= STORE_KEYS_MAX);
	return op_add(s, &(struct store_op){.kind = STORE_OP_PUT, .table = t}, values, n);
}

int store_del(struct store *s, const struct store_table *t, const struct sv *keys)
{
	return op_add(s, &(struct store_op){.kind = STORE_OP_DEL, .table = t}, keys, t->key_count);
}

int store_each(struct store *s, const struct store_table *t, const struct sv *keys, size_t key_count, store_row_fn row,
    store_done_fn done, void *arg)
{
	DCHECK(key_count <= t->key_count && t->key_count <= STORE_KEYS_MAX);
	return op_add(s, &(struct store_op){.kind = STORE_OP_EACH, .table = t, .row = row, .done = done, .arg = arg},
	    keys, key_count);
}

int store_sync(struct store *s, store_done_fn done, void *arg)
{
	return op_add(s, &(struct store_op){.kind = STORE_OP_SYNC, .done = done, .arg = arg}, NULL, 0);
}

int store_sql(struct store *s, const char *text, const struct sv *params, size_t param_count, store_row_fn row,
    store_answer_fn answer, void *arg)
{
	struct store_op form = {.kind = STORE_OP_SQL,
	    .text = text,
	    .row = row,
	    .answer = answer,
	    .arg = arg,
	    .end_us = clock_mono_us() + SQL_US,
	    .result_max_bytes = RESULT_MAX_BYTES};
	return param_count > PARAMS_MAX ? ST_INVAL : op_add(s, &form, params, param_count);
}

void store_migration_set(struct store *s, struct store_migration *m)
{
	s->migration = m;
}

bool store_is_side_by_side(const struct store *s)
{
	return s->driver->is_side_by_side;
}

const char *store_row_order(const struct store *s)
{
	return s->driver->row_order;
}

void store_stats_get(const struct store *s, struct store_stats *out)
{
	*out = s->stats;
	out->queued = s->queue_count + (s->batch ? s->batch->op_count : 0);
}

void store_close(struct store *s)
{
	struct store_batch *b;
	if (!s)
		return;
	loop_timer_cancel(&s->turn);
	loop_timer_cancel(&s->gather);
	store_migration_cancel(s->migration);
	s->is_closed = true;
	b = s->batch;
	s->batch = NULL;
	if (b && !b->is_out) { /* it waits to be tried again: now, for the last time */
		loop_timer_cancel(&s->retry);
		batch_send(b);
	}
	while (s->use == STORE_KEEPS && !list_empty(&s->queue) && (b = batch_take(s)))
		batch_send(b);
	s->driver->close(s->conn);
	s->conn = NULL;
	ops_cancel(&s->queue);
	ops_cancel(&s->finished);
	mem_unref(s);
}
