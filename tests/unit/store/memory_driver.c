/* Rows in one list, oldest first. Batches that are out stand in another and end in a turn of their own. Statements:
 * text "cells A B" answers a row of its words, all else is an error. */
#include "memory_driver.h"
#include "base/clock.h"
#include "base/mem.h"
#include "loop/loop.h"

#include <stdio.h>
#include <string.h>

enum { OUT_MAX = 64 };
struct row {
	struct lnode link;
	const struct store_table *table;
	size_t count;
	char *values[STORE_COLUMNS_MAX];
};
struct memory memory;
static struct list rows = {{&rows.head, &rows.head}};
static struct {
	struct store_batch *batch;
	enum mood mood;
} out[OUT_MAX];
static size_t out_count;
static struct ltimer turn;
static struct store_conn the_conn = {&memory_driver};

static void row_free(struct row *r)
{
	list_remove(&r->link);
	for (size_t i = 0; i < r->count; i++)
		mem_free(r->values[i]);
	mem_free(r);
}

void memory_clear(void)
{
	struct lnode *n;
	while ((n = list_first(&rows)))
		row_free(list_entry(n, struct row, link));
	memory = (struct memory){0};
}

static bool row_has(const struct row *r, const struct store_op *op, size_t key_count)
{
	bool is_it = r->table == op->table;
	for (size_t i = 0; is_it && i < key_count; i++)
		is_it = sv_is(op->values[i], r->values[i]);
	return is_it;
}

static bool row_is_over(const struct row *r)
{
	int64_t at = 0;
	for (size_t i = 0; r->table->expires && i < r->count; i++)
		if (!strcmp(r->table->columns[i], r->table->expires))
			sv_i64(sv_of(r->values[i]), &at);
	return at > 0 && at <= clock_wall_us() / 1000000;
}

static void op_put(const struct store_op *op)
{
	struct row *r = mem_zalloc(sizeof(*r));
	r->table = op->table, r->count = op->value_count;
	for (size_t i = 0; i < r->count; i++)
		r->values[i] = sv_dup(op->values[i]);
	list_push(&rows, &r->link);
}

static void op_each(struct store_op *op, bool lies)
{
	struct lnode *it, *tmp;
	while (op->table->columns[op->rows.column_count])
		op->rows.column_count++;
	list_each (&rows, it, tmp) {
		struct row *r = list_entry(it, struct row, link);
		if (!row_has(r, op, op->value_count) || row_is_over(r))
			continue;
		for (size_t i = 0; i < r->count; i++)
			store_rows_add(&op->rows, r->values[i], strlen(r->values[i]));
		op->rows.row_count++;
	}
	if (lies)
		op->rows.row_count += 1000;
}

static int op_sql(struct store_op *op)
{
	struct sv word, rest = sv_of(op->text);
	struct buf names;

	if (!sv_starts(rest, SV("cells "))) {
		buf_adds(&op->rows.error, "this is no statement");
		return ST_IO;
	}
	buf_init(&names);
	sv_split(rest, ' ', &word, &rest);
	for (bool more = true; more;) {
		more = sv_split(rest, ' ', &word, &rest);
		size_t n = op->rows.column_count++;
		store_rows_add(&op->rows, "name", 4);
		if (word.n == 2 && word.p[0] == '$' && (size_t)(word.p[1] - '1') < op->value_count)
			word = op->values[word.p[1] - '1'];
		buf_printf(&names, "%s%.*s", n ? " " : "", SVF(word));
	}
	rest = buf_sv(&names);
	for (bool more = true; more;) {
		more = sv_split(rest, ' ', &word, &rest);
		store_rows_add(&op->rows, word.p, word.n);
	}
	op->rows.row_count = 1;
	buf_fini(&names);
	return ST_OK;
}

static int batch_run(struct store_batch *b, enum mood mood)
{
	struct lnode *it, *tmp, *row, *row_tmp;
	int st = mood == MOOD_FAIL ? ST_IO : ST_OK;
	list_each (&b->ops, it, tmp) {
		struct store_op *op = list_entry(it, struct store_op, link);
		if (st < 0)
			break;
		if (op->kind == STORE_OP_PUT || op->kind == STORE_OP_DEL)
			list_each (&rows, row, row_tmp)
				if (row_has(list_entry(row, struct row, link), op, op->table->key_count))
					row_free(list_entry(row, struct row, link));
		if (op->kind == STORE_OP_PUT)
			op_put(op);
		else if (op->kind == STORE_OP_EACH)
			op_each(op, mood == MOOD_LIE);
		else if (op->kind == STORE_OP_SQL)
			st = op_sql(op);
	}
	return st;
}

static void out_end(void *all)
{
	role_assert_ctl();
	while (out_count && (all || out[0].mood != MOOD_SILENT)) {
		struct store_batch *b = out[0].batch;
		enum mood mood = out[0].mood;
		memmove(&out[0], &out[1], --out_count * sizeof(out[0]));
		store_batch_end(b, batch_run(b, mood));
	}
}

void memory_wake(void)
{
	out_end(&memory);
}

static int memory_open(
    struct store_conn **conn, const char *rest, const char *folder, enum store_use use, struct buf *error)
{
	if (!strcmp(rest, "bad")) {
		buf_adds(error, "'bad' names no memory");
		return ST_INVAL;
	}
	snprintf(memory.rest, sizeof(memory.rest), "%s", rest);
	memory.open_count++;
	*conn = &the_conn;
	return ST_OK;
}

static int memory_submit(struct store_conn *c, struct store_batch *b)
{
	enum mood mood = memory.mood;
	role_assert_ctl();
	memory.submits++;
	if (memory.moods_left && !--memory.moods_left)
		memory.mood = MOOD_WELL;
	if (mood == MOOD_REFUSE || out_count == OUT_MAX)
		return ST_CLOSED;
	out[out_count].mood = mood;
	out[out_count++].batch = b;
	if (mood != MOOD_SILENT)
		loop_timer_set(&turn, 0, "memory", out_end, NULL);
	return ST_OK;
}

/* Whatever is out ends now. */
static void memory_close(struct store_conn *c)
{
	role_assert_ctl();
	memory.closes++;
	if (--memory.open_count)
		return;
	loop_timer_cancel(&turn);
	memory_wake();
}

const struct store_driver memory_driver = {
    .scheme = "memory", .open = memory_open, .submit = memory_submit, .close = memory_close};
