/* What a table of ours is in PostgreSQL: columns of text, the key as primary key, and one column of the driver's own,
 * row_order, which says in what order rows were put ("oldest first"). Columns that an earlier version did not have are
 * added; nothing is ever taken away, as the database may be shared with others. A table that the administrator made
 * himself is taken as it is. */
#include "store/pgsql_i.h"

#include <string.h>

struct pg_table *pg_table_get(struct pg_link *l, const struct store_table *t)
{
	for (size_t i = 0; i < l->table_count; i++)
		if (l->tables[i].t == t)
			return &l->tables[i];
	if (l->table_count == PG_TABLES_MAX)
		return NULL;
	struct pg_table *tb = &l->tables[l->table_count++];
	*tb = (struct pg_table){.t = t};
	while (t->columns[tb->column_count])
		tb->column_count++;
	return tb;
}

void pg_table_make_put(struct buf *sql, const struct store_table *t)
{
	buf_printf(sql, "CREATE TABLE IF NOT EXISTS \"%s\"(", t->name);
	for (size_t i = 0; t->columns[i]; i++)
		buf_printf(sql, "\"%s\" TEXT NOT NULL DEFAULT '',", t->columns[i]);
	buf_adds(sql, "row_order BIGSERIAL,PRIMARY KEY(");
	for (size_t i = 0; i < t->key_count; i++)
		buf_printf(sql, "%s\"%s\"", i ? "," : "", t->columns[i]);
	buf_adds(sql, "));");
	for (size_t i = t->key_count; t->columns[i]; i++)
		buf_printf(sql, "ALTER TABLE \"%s\" ADD COLUMN IF NOT EXISTS \"%s\" TEXT NOT NULL DEFAULT '';", t->name,
		    t->columns[i]);
}

static void columns_put(struct buf *sql, const struct store_table *t)
{
	for (size_t i = 0; t->columns[i]; i++)
		buf_printf(sql, "%s\"%s\"", i ? "," : "", t->columns[i]);
}

static void keys_put(struct buf *sql, const struct store_table *t, size_t key_count)
{
	for (size_t i = 0; i < key_count; i++)
		buf_printf(sql, "%s\"%s\"=$%zu", i ? " AND " : " WHERE ", t->columns[i], i + 1);
}

static void put_put(struct buf *sql, const struct pg_table *tb)
{
	const struct store_table *t = tb->t;
	buf_printf(sql, "INSERT INTO \"%s\"(", t->name);
	columns_put(sql, t);
	buf_adds(sql, ") VALUES(");
	for (size_t i = 0; i < tb->column_count; i++)
		buf_printf(sql, "%s$%zu", i ? "," : "", i + 1);
	buf_adds(sql, ") ON CONFLICT(");
	for (size_t i = 0; i < t->key_count; i++)
		buf_printf(sql, "%s\"%s\"", i ? "," : "", t->columns[i]);
	buf_adds(sql, ") DO UPDATE SET ");
	for (size_t i = t->key_count; i < tb->column_count; i++)
		buf_printf(sql, "\"%s\"=EXCLUDED.\"%s\",", t->columns[i], t->columns[i]);
	buf_adds(sql, "row_order=DEFAULT");
}

void pg_table_sql_put(struct buf *sql, const struct pg_table *tb, unsigned kind)
{
	const struct store_table *t = tb->t;
	switch (kind) {
	case PG_PUT:
		put_put(sql, tb);
		break;
	case PG_DEL:
		buf_printf(sql, "DELETE FROM \"%s\"", t->name);
		keys_put(sql, t, t->key_count);
		break;
	case PG_OVER: /* what is no number is never over */
		buf_printf(sql,
		    "DELETE FROM \"%s\" WHERE CASE WHEN \"%s\" ~ '^[0-9]{1,18}$' THEN \"%s\"::bigint ELSE 0 END "
		    "BETWEEN 1 "
		    "AND $1::bigint",
		    t->name, t->expires, t->expires);
		break;
	default:
		buf_adds(sql, "SELECT ");
		columns_put(sql, t);
		buf_printf(sql, " FROM \"%s\"", t->name);
		keys_put(sql, t, kind - PG_EACH);
		buf_adds(sql, " ORDER BY row_order");
		break;
	}
}
