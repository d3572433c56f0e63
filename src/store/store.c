/* The control side of the store: ops are queued; writes that nobody waits for gather for a moment; while no batch is on
 * the writer, up to BATCH_MAX of them leave as one job; its end delivers rows and done calls and sends the next. A
 * failed batch comes back and is tried again after a pause. No sqlite here (db.c). The store is counted: whoever holds
 * a job keeps it alive past store_close. */
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "loop/work.h"
#include "store/store_i.h"

#include <string.h>

enum { BATCH_MAX = 1024, QUEUE_MAX = 131072, TRIES_MAX = 5, ROWS_PER_TURN = 256, GATHER_US = 20000 };
static const int64_t retry_pause_us[TRIES_MAX] = {0, 100000, 500000, 2000000, 5000000};

struct store {
	struct work_serial *serial;
	struct db *db;
	struct list queue;
	size_t queue_count;
	struct job *job; /* on the writer, or waiting to be tried again */
	struct ltimer retry, gather;
	bool is_urgent;          /* somebody waits for an op of the queue, or they have gathered long enough */
	struct store_op *giving; /* rows of a finished load being handed out */
	struct list finished;
	struct ltimer turn;
	size_t row_at, byte_at;
	bool is_closed;
	struct store_stats stats;
};
struct job {
	struct store *s;
	struct list ops;
	size_t op_count;
	unsigned tries;
	int status;
	bool is_on_writer;
};

static void kick(struct store *s) ON_CTL;
static void deliver(void *arg);

static void op_free(struct store_op *op)
{
	buf_fini(&op->rows);
	mem_free(op);
}

static void ops_cancel(struct list *ops) ON_CTL;
static void ops_cancel(struct list *ops)
{
	struct lnode *it, *tmp;
	list_each (ops, it, tmp) {
		struct store_op *op = list_entry(it, struct store_op, link);
		list_remove(it);
		if (op->done)
			op->done(ST_CANCELLED, op->arg);
		op_free(op);
	}
}

static void store_dtor(void *obj)
{
	struct store *s = obj;
	db_free(s->db);
}

int store_open(struct store **out, const char *path)
{
	struct store *s = mem_new(sizeof(*s), store_dtor, "store");
	int st = ST_NOMEM;
	if (!s)
		return ST_NOMEM;
	list_init(&s->queue);
	list_init(&s->finished);
	if (!(s->db = db_new(path)) ||
	    (st = work_serial_new(&s->serial, WORK_DB, "store", QUEUE_MAX / BATCH_MAX + 8)) < 0) {
		mem_unref(s);
		return st;
	}
	*out = s;
	return ST_OK;
}

static void batch_run(void *arg)
{
	struct job *job = arg;
	role_assert_work();
	job->status = db_run(job->s->db, &job->ops);
}

static void job_end(struct job *job, int status) ON_CTL;
static void job_end(struct job *job, int status)
{
	struct store *s = job->s;
	struct lnode *it, *tmp;
	if (status < 0) {
		s->stats.dropped_failed += job->op_count;
		log_error("store: a batch of %zu writes is given up after %u tries", job->op_count, job->tries);
	} else {
		s->stats.written += job->op_count;
		s->stats.batches++;
	}
	list_each (&job->ops, it, tmp) {
		struct store_op *op = list_entry(it, struct store_op, link);
		list_remove(it);
		op->status = status;
		if (op->done)
			list_push(&s->finished, it);
		else
			op_free(op);
	}
	mem_free(job);
	if (s->is_closed) {
		ops_cancel(&s->finished);
		mem_unref(s);
		return;
	}
	s->job = NULL;
	if (!list_empty(&s->finished) && !loop_timer_is_set(&s->turn))
		loop_timer_set(&s->turn, 0, "store.deliver", deliver, s);
	kick(s);
	mem_unref(s);
}

static void job_send(void *arg);

static void batch_done(int status, void *arg)
{
	struct job *job = arg;
	struct store *s = job->s;
	role_assert_ctl();
	job->is_on_writer = false;
	if (status == ST_OK)
		status = job->status;
	if (status < 0 && status != ST_CANCELLED && !s->is_closed && job->tries < TRIES_MAX) {
		s->stats.retries++;
		loop_timer_set(&s->retry, retry_pause_us[job->tries], "store.retry", job_send, job);
		return;
	}
	job_end(job, status);
}

static void job_send(void *arg)
{
	struct job *job = arg;
	role_assert_ctl();
	job->tries++;
	job->is_on_writer = true;
	int st = work_serial_submit(job->s->serial, batch_run, batch_done, job);
	if (st < 0)
		batch_done(st, job);
}

static void gather_over(void *arg)
{
	struct store *s = arg;
	role_assert_ctl();
	s->is_urgent = true;
	kick(s);
}

/* Takes the next batch out of the queue when none is under way. A transaction costs as much for one row as for fifty.
 */
static void kick(struct store *s)
{
	struct job *job;
	if (s->job || list_empty(&s->queue))
		return;
	if (!s->is_urgent && !s->is_closed && s->queue_count < BATCH_MAX) {
		if (!loop_timer_is_set(&s->gather))
			loop_timer_set(&s->gather, GATHER_US, "store.gather", gather_over, s);
		return;
	}
	if (!(job = mem_zalloc(sizeof(*job))))
		return;
	list_init(&job->ops);
	while (!list_empty(&s->queue) && job->op_count < BATCH_MAX) {
		struct lnode *n = list_first(&s->queue);
		list_remove(n);
		list_push(&job->ops, n);
		job->op_count++;
	}
	s->queue_count -= job->op_count;
	if (!s->queue_count)
		s->is_urgent = false;
	job->s = mem_ref(s);
	s->job = job;
	job_send(job);
}

static bool rows_give(struct store *s, struct store_op *op) ON_CTL;
static bool rows_give(struct store *s, struct store_op *op)
{
	struct sv values[STORE_COLUMNS_MAX];
	size_t columns = 0, left = ROWS_PER_TURN;
	while (op->table->columns[columns])
		columns++;
	for (; s->row_at < op->row_count && left; s->row_at++, left--) {
		for (size_t i = 0; i < columns; i++) {
			memcpy(&values[i].n, op->rows.p + s->byte_at, sizeof(values[i].n));
			values[i].p = op->rows.p + s->byte_at + sizeof(values[i].n);
			s->byte_at += sizeof(values[i].n) + values[i].n;
		}
		op->row(values, columns, op->arg);
	}
	return s->row_at == op->row_count;
}

/* A turn of the loop's worth of results; callbacks may close the store. */
static void deliver(void *arg)
{
	struct store *s = arg;
	role_assert_ctl();
	mem_ref(s);
	while (!s->is_closed && !list_empty(&s->finished)) {
		struct store_op *op = list_entry(list_first(&s->finished), struct store_op, link);
		if (op->kind == STORE_OP_LOAD && op->status == ST_OK && !rows_give(s, op)) {
			loop_timer_set(&s->turn, 0, "store.deliver", deliver, s);
			break;
		}
		s->row_at = s->byte_at = 0;
		list_remove(&op->link);
		op->done(op->status, op->arg);
		op_free(op);
	}
	mem_unref(s);
}

static int op_add(struct store *s, enum store_op_kind kind, const struct store_table *t, const struct sv *values,
    size_t count, const struct store_op *calls) ON_CTL;
static int op_add(struct store *s, enum store_op_kind kind, const struct store_table *t, const struct sv *values,
    size_t count, const struct store_op *calls)
{
	size_t bytes = 0;
	struct store_op *op;
	if (s->queue_count >= QUEUE_MAX) {
		if (s->stats.dropped_full++ % 10000 == 0)
			log_error("store: the queue is full, writes are lost (%llu)",
			    (unsigned long long)s->stats.dropped_full);
		return ST_FULL;
	}
	for (size_t i = 0; i < count; i++)
		bytes += values[i].n;
	if (!(op = mem_zalloc(sizeof(*op) + count * sizeof(op->values[0]) + bytes)))
		return ST_NOMEM;
	op->kind = kind;
	op->table = t;
	if (calls)
		op->row = calls->row, op->done = calls->done, op->arg = calls->arg;
	buf_init(&op->rows);
	char *p = (char *)&op->values[count];
	for (size_t i = 0; i < count; i++) {
		op->values[i] = (struct sv){p, values[i].n};
		if (values[i].n)
			memcpy(p, values[i].p, values[i].n);
		p += values[i].n;
	}
	op->value_count = count;
	list_push(&s->queue, &op->link);
	s->queue_count++;
	if (op->done)
		s->is_urgent = true;
	kick(s);
	return ST_OK;
}

int store_put(struct store *s, const struct store_table *t, const struct sv *values)
{
	size_t n = 0;
	while (t->columns[n])
		n++;
	DCHECK(n <= STORE_COLUMNS_MAX);
	return op_add(s, STORE_OP_PUT, t, values, n, NULL);
}

int store_del(struct store *s, const struct store_table *t, const struct sv *keys)
{
	return op_add(s, STORE_OP_DEL, t, keys, t->key_count, NULL);
}

int store_load(struct store *s, const struct store_table *t, store_row_fn row, store_done_fn done, void *arg)
{
	return op_add(s, STORE_OP_LOAD, t, NULL, 0, &(struct store_op){.row = row, .done = done, .arg = arg});
}

int store_sync(struct store *s, store_done_fn done, void *arg)
{
	return op_add(s, STORE_OP_SYNC, NULL, NULL, 0, &(struct store_op){.done = done, .arg = arg});
}

void store_stats_get(const struct store *s, struct store_stats *out)
{
	*out = s->stats;
	out->queued = s->queue_count + (s->job ? s->job->op_count : 0);
}

void store_close(struct store *s)
{
	if (!s)
		return;
	loop_timer_cancel(&s->turn);
	loop_timer_cancel(&s->gather);
	s->is_closed = true;
	if (s->job && !s->job->is_on_writer) {
		loop_timer_cancel(&s->retry);
		job_send(s->job);
	}
	s->job = NULL;
	while (!list_empty(&s->queue)) {
		kick(s);
		if (!s->job)
			break;
		s->job = NULL;
	}
	work_serial_close(s->serial);
	s->serial = NULL;
	ops_cancel(&s->queue);
	ops_cancel(&s->finished);
	mem_unref(s);
}
