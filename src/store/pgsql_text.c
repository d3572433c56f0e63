/* Statements of somebody's own with values that are one, or one transaction ("BEGIN;...;COMMIT" and what follows): they
 * go out at once, in a pipeline, and what comes a second time is prepared, so the whole costs one way there and back.
 * The first one that fails ends it; what stays open is the asker's to roll back, as with statements one by one. */
#include "base/hash.h"
#include "base/mem.h"
#include "store/pgsql_i.h"

#include <stdio.h>
#include <string.h>

enum { TEXTS_MAX = 64, TEXT_MAX_BYTES = 16384, STATEMENTS_MAX = 32, VALUES_BYTES_MAX = 65536, SEEN = 256 };
struct pg_text {
	char *sql;
	bool is_ready;
};
struct pg_texts {
	struct pg_text list[TEXTS_MAX];
	size_t count;
	uint64_t seen[SEEN]; /* by their hashes: what came once */
	/* on their way, in order: a preparation has its text, the statement itself has none */
	struct pg_text *sent[STATEMENTS_MAX * 2];
	size_t sent_count, sent_at;
};

void pg_texts_forget(struct pg_link *l)
{
	for (size_t i = 0; l->texts && i < l->texts->count; i++)
		mem_free(l->texts->list[i].sql);
	mem_free(l->texts);
	l->texts = NULL;
}

bool pg_text_is_one_go(const struct store_op *op)
{
	struct sv rest = sv_of(op->text), statement;
	size_t n = 0, bytes = 0;
	if (!op->value_count)
		return false;
	while (n <= STATEMENTS_MAX && sql_next(&rest, SQL_STANDARD, &statement))
		n++;
	for (size_t i = 0; i < op->value_count; i++)
		bytes += op->values[i].n;
	if (n != 1 && !sql_is_transaction(op->text))
		return false;
	return n <= STATEMENTS_MAX && bytes < VALUES_BYTES_MAX; /* more would fill the socket before anybody reads */
}

/* NULL: it is not to be prepared. */
static ON_CTL struct pg_text *text_get(struct pg_link *l, const struct buf *sql)
{
	struct pg_texts *x = l->texts;
	for (size_t i = 0; i < x->count; i++)
		if (!strcmp(x->list[i].sql, sql->p))
			return &x->list[i];
	uint64_t hash = hash_bytes(sql->p, sql->n);
	bool is_seen = x->seen[hash % SEEN] == hash;
	x->seen[hash % SEEN] = hash;
	if (!is_seen || x->count == TEXTS_MAX || sql->n > TEXT_MAX_BYTES ||
	    !(x->list[x->count].sql = mem_strdup(sql->p)))
		return NULL;
	x->list[x->count].is_ready = false;
	return &x->list[x->count++];
}

static ON_CTL bool bound_send(struct pg_link *l, const struct buf *sql, const struct pg_values *v)
{
	struct pg_texts *x = l->texts;
	struct pg_text *t = v->count ? text_get(l, sql) : NULL;
	char name[32];
	bool is_new = t && !t->is_ready;
	for (size_t i = 0; is_new && i < x->sent_count; i++)
		is_new = x->sent[i] != t;
	if (t)
		snprintf(name, sizeof(name), "tandem_text_%u", (unsigned)(t - x->list));
	if (is_new) {
		if (!PQsendPrepare(l->pg, name, sql->p, 0, NULL))
			return false;
		x->sent[x->sent_count++] = t;
	}
	x->sent[x->sent_count++] = NULL;
	return t ? PQsendQueryPrepared(l->pg, name, (int)v->count, v->p, NULL, NULL, 0)
	         : PQsendQueryParams(l->pg, sql->p, (int)v->count, NULL, v->p, NULL, NULL, 0);
}

bool pg_text_send(struct pg_link *l, struct store_op *op)
{
	struct sv rest = sv_of(op->text), statement;
	struct pg_values *v = mem_zalloc(sizeof(*v));
	struct buf sql;
	int st = ST_OK;
	if (!l->texts)
		l->texts = mem_zalloc(sizeof(*l->texts));
	bool is_sent = v && l->texts && PQenterPipelineMode(l->pg);
	buf_init(&sql);
	if (is_sent)
		l->texts->sent_count = l->texts->sent_at = 0;
	while (is_sent && !st && sql_next(&rest, SQL_STANDARD, &statement)) {
		struct sql_values places;
		buf_clear(&sql);
		pg_values_start(v);
		st = sql_bind(statement, SQL_STANDARD, op->value_count, &sql, &places, &op->rows.error);
		for (size_t i = 0; !st && i < places.count; i++)
			pg_value_add(v, op->values[places.at[i]], true);
		if (!st)
			is_sent = !sql.failed && pg_values_point(v) && bound_send(l, &sql, v);
	}
	if (st) /* the rest is not sent: what was ends with the synchronisation */
		l->status = st;
	is_sent = is_sent && PQpipelineSync(l->pg);
	l->is_renewed = l->has_columns = false;
	if (is_sent)
		PQsetSingleRowMode(l->pg);
	buf_fini(&sql);
	if (v)
		buf_fini(&v->text);
	mem_free(v);
	return is_sent;
}

void pg_text_next(struct pg_link *l)
{
	l->texts->sent_at++;
	l->has_columns = false;
	PQsetSingleRowMode(l->pg);
}

bool pg_text_prepared(struct pg_link *l, const PGresult *r)
{
	struct pg_texts *x = l->texts;
	struct pg_text *t = x->sent_at < x->sent_count ? x->sent[x->sent_at] : NULL;
	const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
	/* of another connection (a pool in between), or of tables that have changed */
	if (state && (!strncmp(state, "26", 2) || !strncmp(state, "0A", 2)))
		l->is_renewed = true;
	if (t && PQresultStatus(r) == PGRES_COMMAND_OK)
		t->is_ready = true;
	return t && PQresultStatus(r) == PGRES_COMMAND_OK;
}
