/* Templates, questions and rows. */
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/leg/leg.h"
#include "core/run/expand.h"
#include "core/value/self.h"
#include "routing/routing_i.h"
#include "text/mark.h"
#include <string.h>
#include <strings.h>

static const char *word_lookup(const char *name, void *arg)
{
	role_assert_ctl();
	for (const struct routing_word *w = arg; w && w->name; w++)
		if (!strcasecmp(w->name, name))
			return w->text;
	return NULL;
}

int routing_expand(struct leg *leg, const char *template, const struct routing_word *words, char **out)
{
	return expand_with(leg, word_lookup, (void *)words, template, out);
}

int routing_sql(
    struct leg *leg, const char *what, const char *template, const struct routing_word *words, struct buf *out)
{
	char *text = NULL;
	int st = routing_expand(leg, template, words, &text);
	if (!st)
		st = mark_strip_sql(out, sv_of(text));
	if (st == ST_DENIED)
		log_error("%s: a value from outside is no number and stands outside of quotes, or has a backslash; the "
		          "database is not asked",
		    what);
	else if (st)
		log_error("%s: %s", what, status_text(st));
	mem_free(text);
	return st;
}

int routing_ask(struct store *s, const char *what, const char *sql, struct store_rows *rows)
{
	*rows = (struct store_rows){0};
	if (!s) {
		log_error("%s: there is no database", what);
		return ST_UNSUPPORTED;
	}
	int st = store_sql_run(s, sql, NULL, 0, rows);
	if (st)
		log_error(
		    "%s: %s%s%s", what, status_text(st), rows->error.n ? ": " : "", rows->error.n ? rows->error.p : "");
	return st;
}

void routing_rows_begin(struct routing_row *r, const struct store_rows *rows)
{
	struct sv name;
	*r = (struct routing_row){.rows = rows};
	for (size_t i = 0; i < rows->column_count; i++)
		(void)store_rows_next(rows, &r->at, &name);
}

bool routing_row_next(struct routing_row *r)
{
	if (r->row >= r->rows->row_count)
		return false;
	r->row++;
	for (size_t i = 0; i < r->rows->column_count; i++) {
		struct sv cell = SV_NONE;
		if (!store_rows_next(r->rows, &r->at, &cell))
			return false;
		if (i < STORE_COLUMNS_MAX)
			r->cells[i] = cell;
	}
	return true;
}

struct sv routing_row_name(const struct routing_row *r, size_t column)
{
	size_t at = 0;
	struct sv name = SV_NONE;
	for (size_t i = 0; i <= column; i++)
		if (!store_rows_next(r->rows, &at, &name))
			return SV_NONE;
	return name;
}

void routing_store_open(struct store **out, const char *file, const char *key, const char *dsn)
{
	struct buf error;
	*out = NULL;
	if (!*dsn || !core_dirs() || !core_dirs()->db)
		return;
	buf_init(&error);
	if (store_open(out, dsn, core_dirs()->db, STORE_ASKS, &error)) {
		log_error("%s: %s: %s; nothing is looked up there", file, key, error.n ? error.p : "no such database");
		*out = NULL;
	}
	buf_fini(&error);
}
