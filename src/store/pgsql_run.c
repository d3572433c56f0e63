/* One batch on a connection. Rows of tables: the tables are made when this connection has not seen them, then all ops
 * go out at once, in a pipeline, prepared the first time; what is between two synchronisations is one transaction. When
 * one row is wrong (a key too long for the index), the batch is sent again with each op for itself, so that it costs
 * nobody else's. Statements: one after the other, rows read one by one so that the bound on a result holds. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/pgsql_i.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct pg_sent {
	struct store_op *op; /* NULL: what was prepared */
	struct pg_table *table;
	unsigned kind;
};

void pg_run_forget(struct pg_link *l)
{
	mem_free(l->sent);
	l->sent = NULL;
	l->sent_count = l->sent_cap = l->sent_at = 0;
	l->is_making = false;
}

static ON_CTL struct store_op *first_op(const struct pg_link *l)
{
	return list_entry(l->job->batch->ops.head.next, struct store_op, link);
}

static void on_late(void *arg)
{
	role_assert_ctl();
	pg_link_fail(arg, ST_TIMEOUT, "no answer in time");
}

static ON_CTL void fail_sending(struct pg_link *l)
{
	char why[200];
	snprintf(why, sizeof(why), "%s", PQerrorMessage(l->pg));
	pg_link_fail(l, ST_CLOSED, why);
}

/* ---- values ---- */

void pg_value_add(struct pg_values *v, struct sv value, bool may_be_null)
{
	v->offsets[v->count++] = may_be_null && !value.p ? SIZE_MAX : v->text.n;
	if (value.p && sql_is_utf8(value))
		buf_addv(&v->text, value);
	else if (value.p)
		sql_utf8_put(&v->text, value);
	buf_addc(&v->text, 0);
}

bool pg_values_point(struct pg_values *v)
{
	for (size_t i = 0; i < v->count; i++)
		v->p[i] = v->offsets[i] == SIZE_MAX ? NULL : v->text.p + v->offsets[i];
	return !v->text.failed;
}

void pg_values_start(struct pg_values *v)
{
	buf_clear(&v->text);
	v->count = 0;
}

/* ---- rows of tables: out ---- */

static ON_CTL void sent_add(struct pg_link *l, struct store_op *op, struct pg_table *tb, unsigned kind)
{
	if (l->sent_count == l->sent_cap) {
		l->sent_cap = l->sent_cap ? l->sent_cap * 2 : 64;
		l->sent = mem_realloc(l->sent, l->sent_cap * sizeof(*l->sent));
	}
	l->sent[l->sent_count++] = (struct pg_sent){op, tb, kind};
}

static void name_put(char out[32], const struct pg_link *l, const struct pg_table *tb, unsigned kind)
{
	snprintf(out, 32, "tandem_%u_%u", (unsigned)(tb - l->tables), kind);
}

static ON_CTL bool prepare(struct pg_link *l, struct pg_table *tb, unsigned kind)
{
	struct buf sql;
	char name[32];
	bool is_sent;
	if (tb->is_ready[kind] || tb->is_sent[kind])
		return true;
	name_put(name, l, tb, kind);
	buf_init(&sql);
	pg_table_sql_put(&sql, tb, kind);
	is_sent = !sql.failed && PQsendPrepare(l->pg, name, sql.p, 0, NULL);
	buf_fini(&sql);
	if (is_sent)
		tb->is_sent[kind] = true, sent_add(l, NULL, tb, kind);
	return is_sent;
}

static ON_CTL bool prepared_send(
    struct pg_link *l, struct store_op *op, struct pg_table *tb, unsigned kind, struct pg_values *v)
{
	char name[32];
	name_put(name, l, tb, kind);
	if (!pg_values_point(v) || !prepare(l, tb, kind) ||
	    !PQsendQueryPrepared(l->pg, name, (int)v->count, v->p, NULL, NULL, 0))
		return false;
	sent_add(l, op, tb, kind);
	return true;
}

static ON_CTL bool op_send(struct pg_link *l, struct store_op *op, struct pg_values *v)
{
	struct pg_table *tb = op->kind == STORE_OP_SYNC ? NULL : pg_table_get(l, op->table);
	char now[24];
	unsigned kind = op->kind == STORE_OP_PUT   ? PG_PUT
	                : op->kind == STORE_OP_DEL ? PG_DEL
	                                           : PG_EACH + (unsigned)op->value_count;
	if (!tb)
		return op->kind == STORE_OP_SYNC;
	if (op->kind == STORE_OP_EACH && tb->t->expires) { /* what is over goes before anybody reads */
		pg_values_start(v);
		snprintf(now, sizeof(now), "%lld", (long long)(clock_wall_us() / 1000000));
		pg_value_add(v, sv_of(now), false);
		if (!prepared_send(l, op, tb, PG_OVER, v))
			return false;
	}
	pg_values_start(v);
	for (size_t i = 0; i < op->value_count; i++)
		pg_value_add(v, op->values[i], false);
	return prepared_send(l, op, tb, kind, v);
}

static ON_CTL void pipeline_send(struct pg_link *l)
{
	struct pg_values *v = mem_zalloc(sizeof(*v));
	struct lnode *it, *tmp;
	bool is_ok = PQenterPipelineMode(l->pg);

	l->sync_count = l->failed_count = l->sent_count = l->sent_at = 0;
	l->may_single = true, l->is_renewed = false;
	list_each (&l->job->batch->ops, it, tmp) {
		is_ok = is_ok && op_send(l, list_entry(it, struct store_op, link), v);
		if (is_ok && l->job->is_single)
			is_ok = PQpipelineSync(l->pg), l->sync_count++;
	}
	is_ok = is_ok && PQpipelineSync(l->pg);
	l->sync_count++;
	buf_fini(&v->text);
	mem_free(v);
	if (is_ok)
		pg_link_watch(l);
	else
		fail_sending(l);
}

/* ---- rows of tables: back ---- */

static ON_CTL void rows_take(struct store_op *op, const PGresult *r)
{
	int columns = PQnfields(r), rows = PQntuples(r);
	store_rows_clear(&op->rows);
	op->rows.column_count = (size_t)columns;
	for (int i = 0; i < rows; i++)
		for (int k = 0; k < columns; k++)
			store_rows_add(&op->rows, PQgetvalue(r, i, k), (size_t)PQgetlength(r, i, k));
	op->rows.row_count = (size_t)rows;
}

/* Whether only the values of this op were wrong; else all of the batch is as good as before. */
static bool is_of_values(const char *state)
{
	return !strncmp(state, "22", 2) || !strncmp(state, "23", 2) || !strncmp(state, "54", 2);
}

/* What was prepared is of another table now, or of another connection (a pool in between). */
static bool is_of_prepared(const char *state)
{
	return !strncmp(state, "0A", 2) || !strncmp(state, "26", 2) || !strncmp(state, "42", 2);
}

static ON_CTL void batch_error(struct pg_link *l, const PGresult *r)
{
	const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
	const char *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
	state = state ? state : "";
	if (!l->failed_count++)
		snprintf(l->why, sizeof(l->why), "%s (%s)", text ? text : PQresultErrorMessage(r), state);
	if (!is_of_values(state))
		l->may_single = false;
	if (is_of_prepared(state))
		l->is_renewed = true;
}

static ON_CTL void batch_result(struct pg_link *l, const PGresult *r)
{
	struct pg_sent *s = l->sent_at < l->sent_count ? &l->sent[l->sent_at] : NULL;
	ExecStatusType status = PQresultStatus(r);
	if (!s)
		return;
	if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
		if (!s->op)
			s->table->is_ready[s->kind] = true;
		else if (s->kind >= PG_EACH)
			rows_take(s->op, r);
	} else if (status != PGRES_PIPELINE_ABORTED) {
		batch_error(l, r);
		if (s->op && s->kind >= PG_EACH) /* a read that failed is no answer */
			l->may_single = false;
	}
}

static ON_CTL void batch_sents_forget(struct pg_link *l)
{
	for (size_t i = 0; i < l->sent_count; i++)
		l->sent[i].table->is_sent[l->sent[i].kind] = false;
}

static ON_CTL void batch_done(struct pg_link *l)
{
	struct pg_job *j = l->job;
	int status = l->failed_count ? ST_IO : ST_OK;

	batch_sents_forget(l);
	PQexitPipelineMode(l->pg);
	if (status && l->is_renewed) {
		pg_link_fail(l, ST_IO, l->why);
	} else if (status && j->is_single && l->may_single) {
		log_error("store: %s: %zu of %zu rows are not kept: %s", l->name->shown, l->failed_count,
		    j->batch->op_count, l->why);
		pg_run_done(l, ST_OK);
	} else if (status && l->may_single && j->batch->op_count > 1) {
		j->is_single = true;
		pipeline_send(l);
	} else {
		if (status)
			log_error("store: %s: %s", l->name->shown, l->why);
		pg_run_done(l, status);
	}
}

/* ---- tables ---- */

static ON_CTL void batch_start(struct pg_link *l)
{
	struct lnode *it, *tmp;
	struct buf sql;
	list_each (&l->job->batch->ops, it, tmp) {
		const struct store_op *op = list_entry(it, struct store_op, link);
		struct pg_table *tb = op->table ? pg_table_get(l, op->table) : NULL;
		if (op->table && !tb) {
			log_error("store: %s: over %d tables of one connection", l->name->shown, PG_TABLES_MAX);
			pg_run_done(l, ST_UNSUPPORTED);
			return;
		}
		if (!tb || tb->is_made)
			continue;
		buf_init(&sql);
		pg_table_make_put(&sql, tb->t);
		l->is_making = true, l->making = tb;
		*l->why = 0;
		bool is_sent = !sql.failed && PQsendQuery(l->pg, sql.p);
		buf_fini(&sql);
		if (is_sent)
			pg_link_watch(l);
		else
			fail_sending(l);
		return;
	}
	pipeline_send(l);
}

/* Who may not make tables may have been given one. */
static ON_CTL void making_done(struct pg_link *l)
{
	if (*l->why)
		log_warning("store: %s: the table %s: %s", l->name->shown, l->making->t->name, l->why);
	l->making->is_made = true;
	l->is_making = false;
	batch_start(l);
}

/* ---- statements ---- */

static ON_CTL void sql_fail(struct pg_link *l, int status, const char *why)
{
	l->status = status;
	buf_adds(&first_op(l)->rows.error, why);
}

static ON_CTL bool statement_send(struct pg_link *l, struct sv statement)
{
	struct store_op *op = first_op(l);
	struct sql_values places;
	struct pg_values *v = mem_zalloc(sizeof(*v));
	struct buf text;
	bool is_sent = false;

	buf_init(&text);
	int st = sql_bind(statement, SQL_STANDARD, op->value_count, &text, &places, &op->rows.error);
	if (st < 0) {
		l->status = st;
	} else {
		for (size_t i = 0; i < places.count; i++)
			pg_value_add(v, op->values[places.at[i]], true);
		is_sent = pg_values_point(v) && !text.failed &&
		          PQsendQueryParams(l->pg, text.p, (int)v->count, NULL, v->p, NULL, NULL, 0);
		if (!is_sent)
			sql_fail(l, ST_CLOSED, PQerrorMessage(l->pg));
	}
	buf_fini(&text), buf_fini(&v->text);
	mem_free(v);
	return is_sent;
}

/* The next statement; false: there is none, or it cannot go. Without values the server takes them apart itself. */
static ON_CTL bool sql_send(struct pg_link *l)
{
	struct store_op *op = first_op(l);
	struct sv statement;
	bool is_sent;
	if (!op->value_count && l->rest.n) {
		l->rest = SV_NONE;
		is_sent = PQsendQuery(l->pg, op->text);
		if (!is_sent)
			sql_fail(l, ST_CLOSED, PQerrorMessage(l->pg));
	} else {
		is_sent = l->rest.n && sql_next(&l->rest, SQL_STANDARD, &statement) && statement_send(l, statement);
	}
	if (!is_sent)
		return false;
	l->has_columns = false;
	PQsetSingleRowMode(l->pg);
	return true;
}

static ON_CTL void columns_take(struct pg_link *l, struct store_rows *rows, const PGresult *r)
{
	if (l->has_columns)
		return;
	store_rows_clear(rows);
	l->has_columns = true;
	rows->column_count = (size_t)PQnfields(r);
	for (int i = 0; i < PQnfields(r); i++)
		store_rows_add(rows, PQfname(r, i), strlen(PQfname(r, i)));
}

static ON_CTL void result_rows_take(struct store_rows *rows, const PGresult *r)
{
	for (int i = 0; i < PQntuples(r); i++, rows->row_count++)
		for (int k = 0; k < PQnfields(r); k++)
			store_rows_add(
			    rows, PQgetisnull(r, i, k) ? NULL : PQgetvalue(r, i, k), (size_t)PQgetlength(r, i, k));
}

static void changes_take(struct store_rows *rows, PGresult *r)
{
	const char *done = PQcmdStatus(r);
	if (!strncmp(done, "INSERT", 6) || !strncmp(done, "UPDATE", 6) || !strncmp(done, "DELETE", 6) ||
	    !strncmp(done, "MERGE", 5))
		rows->change_count = strtoll(PQcmdTuples(r), NULL, 10);
	else
		rows->change_count = 0;
}

static ON_CTL void sql_error(struct pg_link *l, const PGresult *r)
{
	const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE), *text = PQresultErrorMessage(r);
	size_t n = strlen(text);
	while (n && text[n - 1] == '\n')
		n--;
	if (l->status)
		return;
	l->status = state && !strcmp(state, "57014") ? ST_TIMEOUT : ST_IO;
	buf_add(&first_op(l)->rows.error, text, n);
}

/* false: the connection is gone. */
static ON_CTL bool sql_result(struct pg_link *l, PGresult *r)
{
	struct store_rows *rows = &first_op(l)->rows;
	switch (PQresultStatus(r)) {
	case PGRES_SINGLE_TUPLE:
		columns_take(l, rows, r);
		result_rows_take(rows, r);
		if (rows->cells.n > first_op(l)->result_max_bytes || rows->cells.failed) {
			char why[64];
			snprintf(why, sizeof(why), "the result is over %zu MiB", first_op(l)->result_max_bytes >> 20);
			PQclear(r);
			pg_link_fail(l, ST_LIMIT, why);
			return false;
		}
		break;
	case PGRES_TUPLES_OK:
		columns_take(l, rows, r);
		result_rows_take(rows, r); /* none, when they came one by one */
		changes_take(rows, r);
		l->has_columns = false;
		break;
	case PGRES_COMMAND_OK:
		store_rows_clear(rows);
		changes_take(rows, r);
		break;
	case PGRES_EMPTY_QUERY:
		break;
	case PGRES_FATAL_ERROR:
		sql_error(l, r);
		break;
	default: /* COPY wants a conversation */
		PQclear(r);
		pg_link_fail(l, ST_UNSUPPORTED, "COPY is not for this door");
		return false;
	}
	PQclear(r);
	return true;
}

/* ---- in general ---- */

/* A text that was to be a transaction, and failed, leaves nothing open for the next one. */
static ON_CTL void sql_end(struct pg_link *l)
{
	bool is_open = l->status && !l->is_in_transaction && sql_is_transaction(first_op(l)->text) &&
	               PQtransactionStatus(l->pg) == PQTRANS_INERROR;
	l->rest = SV_NONE;
	if (is_open && PQsendQuery(l->pg, "ROLLBACK"))
		pg_link_watch(l);
	else
		pg_run_done(l, l->status);
}

/* What came is at its end: the next step. */
static ON_CTL void results_end(struct pg_link *l)
{
	if (PQstatus(l->pg) == CONNECTION_BAD)
		fail_sending(l);
	else if (l->is_making)
		making_done(l);
	else if (!l->status && sql_send(l))
		pg_link_watch(l);
	else
		sql_end(l);
}

/* Of a transaction that went out at once. */
static ON_CTL bool text_result(struct pg_link *l, PGresult *r)
{
	switch (PQresultStatus(r)) {
	case PGRES_PIPELINE_SYNC:
		PQclear(r);
		PQexitPipelineMode(l->pg);
		if (l->status && l->is_renewed)
			pg_link_fail(l, l->status, "the prepared statements are gone");
		else
			sql_end(l);
		return false;
	case PGRES_PIPELINE_ABORTED:
		PQclear(r);
		return true;
	default:
		if (!pg_text_prepared(l, r))
			return sql_result(l, r);
		PQclear(r);
		return true;
	}
}

/* false: the batch is over, or the connection. */
static ON_CTL bool result_take(struct pg_link *l, PGresult *r)
{
	bool is_pipeline = PQpipelineStatus(l->pg) != PQ_PIPELINE_OFF;
	if (!r && !is_pipeline) {
		results_end(l);
		return false;
	}
	if (!r && l->job->is_sql) {
		pg_text_next(l);
		return true;
	}
	if (!r) {
		l->sent_at++;
		return true;
	}
	if (is_pipeline && l->job->is_sql)
		return text_result(l, r);
	if (!is_pipeline && !l->is_making)
		return sql_result(l, r);
	if (is_pipeline && PQresultStatus(r) == PGRES_PIPELINE_SYNC) {
		PQclear(r);
		if (--l->sync_count)
			return true;
		batch_done(l);
		return false;
	}
	if (is_pipeline)
		batch_result(l, r);
	else if (PQresultStatus(r) == PGRES_FATAL_ERROR && !*l->why)
		snprintf(l->why, sizeof(l->why), "%s",
		    PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY) ? PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY)
		                                                   : PQresultErrorMessage(r));
	PQclear(r);
	return true;
}

void pg_run_input(struct pg_link *l)
{
	while (!PQisBusy(l->pg)) {
		PGresult *r = PQgetResult(l->pg);
		if (PQstatus(l->pg) == CONNECTION_BAD) {
			PQclear(r);
			fail_sending(l);
			return;
		}
		if (!result_take(l, r))
			return;
	}
	pg_link_watch(l);
}

void pg_run(struct pg_link *l, struct pg_job *j)
{
	int64_t left_us = j->is_sql ? j->end_us - clock_mono_us() : PG_BATCH_US;
	l->job = j, l->state = PG_RUNNING, l->status = ST_OK;
	l->is_making = false;
	loop_timer_set(&l->deadline, left_us, "pgsql batch", on_late, l);
	if (!j->is_sql) {
		batch_start(l);
		return;
	}
	if (pg_text_is_one_go(first_op(l))) {
		if (pg_text_send(l, first_op(l)))
			pg_link_watch(l);
		else
			fail_sending(l);
		return;
	}
	l->rest = sv_of(first_op(l)->text);
	if (sql_send(l))
		pg_link_watch(l);
	else
		pg_run_done(l, l->status);
}
