/* Lists into the database. A worker reads the file and the CSV, makes numbers of the texts, and finds what is twice in
 * it; then a coroutine writes the rows, a hundred a statement, and the statement says which were new. Every line that
 * is not taken is told by its number and why. The columns number, name, zone and priority have a meaning; all others
 * are fields, which calls carry as variables. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/slurp.h"
#include "dialler/csv.h"
#include "dialler/dialler_i.h"
#include "loop/co.h"

#include <stdio.h>
#include <string.h>

enum { FILE_MAX_BYTES = 256 << 20, ROWS_A_STATEMENT = 100, ERRORS_MAX = 2000, ROWS_MAX = 2000000, EACH = 7 };
struct row {
	unsigned line;
	char number[RULE_NUMBER_MAX + 1];
	bool is_bad;
	int64_t priority;
	char *name, *zone, *fields;
};
struct reading {
	const char *path;
	char *country, *international, *national;
	struct buf text;
	struct row *rows;
	size_t count, cap;
	struct hash *numbers;
	struct dl_import *out;
	struct json_writer w;
	int status;
};

static void error_add(struct reading *r, unsigned line, const char *why)
{
	if (r->out->error_count >= ERRORS_MAX)
		return;
	r->out->error_count++;
	jw_begin_object(&r->w);
	jw_kv_int(&r->w, "line", line);
	jw_kv_str(&r->w, "why", why);
	jw_end_object(&r->w);
}

static void on_bad(unsigned line, const char *why, void *arg)
{
	struct reading *r = arg;
	r->out->bad_count++;
	error_add(r, line, why);
}

static char *fields_dup(const struct list_row *row)
{
	struct json_writer w;
	struct buf b;
	buf_init(&b);
	jw_init(&w, &b, false);
	jw_begin_object(&w);
	for (size_t i = 0; i < row->count; i++) {
		struct sv n = row->names[i];
		if (sv_is(n, "number") || sv_is(n, "name") || sv_is(n, "zone") || sv_is(n, "priority") ||
		    !row->cells[i].n)
			continue;
		jw_key_sv(&w, n);
		jw_sv(&w, row->cells[i]);
	}
	jw_end_object(&w);
	char *out = b.failed ? NULL : buf_take(&b);
	buf_fini(&b);
	return out;
}

static void on_row(const struct list_row *row, void *arg)
{
	struct reading *r = arg;
	const struct rule_plan plan = {r->country, r->international, r->national};
	struct sv priority = list_row_get(row, "priority");
	struct row x = {.line = row->line};
	const char *why = NULL;
	char text[64];
	if (rule_number(list_row_get(row, "number"), &plan, x.number, &why))
		on_bad(row->line, why, r);
	else if (priority.n && (sv_i64(priority, &x.priority) || x.priority < -1000000 || x.priority > 1000000))
		on_bad(row->line, "priority is no number from -1000000 to 1000000", r);
	else if (list_row_get(row, "zone").n > 60)
		on_bad(row->line, "there is no such time zone", r);
	else if (hash_get(r->numbers, sv_of(x.number))) {
		snprintf(text, sizeof(text), "the number is in line %u too",
		    (unsigned)((size_t)hash_get(r->numbers, sv_of(x.number)) >> 1));
		r->out->duplicates++;
		error_add(r, row->line, text);
	} else if (r->count == ROWS_MAX)
		on_bad(row->line, "the list is too long", r);
	else {
		if (r->count == r->cap) {
			size_t cap = r->cap ? r->cap * 2 : 256;
			struct row *rows = mem_realloc(r->rows, cap * sizeof(*rows));
			if (!rows) {
				r->status = ST_NOMEM;
				return;
			}
			r->rows = rows;
			r->cap = cap;
		}
		x.name = sv_dup(list_row_get(row, "name"));
		x.zone = sv_dup(list_row_get(row, "zone"));
		x.fields = fields_dup(row);
		r->rows[r->count++] = x;
		if (!x.name || !x.zone || !x.fields ||
		    hash_set(r->numbers, sv_of(x.number), (void *)(((size_t)row->line << 1) | 1)))
			r->status = ST_NOMEM;
	}
}

static void work_read(void *arg)
{
	struct reading *r = arg;
	const struct list_csv to = {on_row, on_bad, r};
	role_assert_work();
	if (r->path)
		r->status = slurp(r->path, FILE_MAX_BYTES, &r->text, &r->out->why);
	if (!r->status)
		r->status = hash_new(&r->numbers, 0, NULL);
	if (!r->status) {
		int st = list_csv_read(buf_sv(&r->text), &to);
		r->status = r->status ? r->status : st;
	}
}

/* Zones that the system does not have. */
static CO void zones_check(struct reading *r)
{
	struct hash *unknown = NULL;
	if (hash_new(&unknown, 0, NULL))
		return;
	for (size_t i = 0; i < r->count; i++) {
		struct row *x = &r->rows[i];
		if (i % 10000 == 9999)
			(void)co_sleep(0); /* lists are long */
		if (!*x->zone)
			continue;
		bool is_known = !hash_get(unknown, sv_of(x->zone)) && dl_zone_get(x->zone);
		if (is_known)
			continue;
		(void)hash_set(unknown, sv_of(x->zone), r);
		x->is_bad = true;
		on_bad(x->line, "there is no such time zone", r);
	}
	hash_free(unknown);
}

/* Some rows; those that are there already are told. */
static CO int rows_write(struct reading *r, const char *campaign, const char *list, struct row **rows, size_t count)
{
	struct sv *v = mem_alloc((2 + count * EACH) * sizeof(*v)), cell = SV_NONE;
	struct store_number *d = mem_alloc(2 * count * sizeof(*d));
	struct hash *fresh = NULL;
	struct store_rows answer = {0};
	struct buf text;
	size_t at = 0;
	int64_t place = clock_wall_us();
	buf_init(&text);
	int st = v && d ? hash_new(&fresh, 0, NULL) : ST_NOMEM;
	buf_adds(&text,
	    "INSERT INTO dialler_numbers "
	    "(campaign,list,number,name,zone,fields,priority,state,result,tries,next_s,place,node,call_id) VALUES ");
	for (size_t i = 0; !st && i < count; i++) {
		size_t p = 2 + i * EACH;
		v[p - 0] = sv_of(rows[i]->number);
		v[p + 1] = sv_of(rows[i]->name);
		v[p + 2] = sv_of(rows[i]->zone);
		v[p + 3] = sv_of(rows[i]->fields);
		v[p + 4] = store_number_put(&d[2 * i], rows[i]->priority);
		v[p + 5] = SV("new");
		v[p + 6] = store_number_put(&d[2 * i + 1], place + (int64_t)i);
		buf_printf(&text,
		    "%s($1,$2,$%zu,$%zu,$%zu,$%zu,CAST($%zu AS BIGINT),$%zu,'',0,0,CAST($%zu AS BIGINT),'','')",
		    i ? "," : "", p + 1, p + 2, p + 3, p + 4, p + 5, p + 6, p + 7);
	}
	buf_adds(&text, " ON CONFLICT (campaign,number) DO NOTHING RETURNING number");
	if (!st && text.failed)
		st = ST_NOMEM;
	if (!st) {
		v[0] = sv_of(campaign);
		v[1] = sv_of(list);
		st = dl_sql(text.p, v, 2 + count * EACH, &answer);
	}
	while (!st && store_rows_row(&answer, &at, &cell, 1))
		st = hash_set(fresh, cell, r);
	for (size_t i = 0; !st && i < count; i++) {
		if (hash_get(fresh, sv_of(rows[i]->number))) {
			r->out->imported++;
		} else {
			r->out->duplicates++;
			error_add(r, rows[i]->line, "the campaign has this number already");
		}
	}
	store_rows_fini(&answer);
	hash_free(fresh);
	buf_fini(&text);
	mem_free(v);
	mem_free(d);
	return st;
}

static CO int write_all(struct reading *r, const char *campaign, const char *list)
{
	struct row *some[ROWS_A_STATEMENT];
	size_t n = 0;
	int st = ST_OK;
	for (size_t i = 0; !st && i <= r->count; i++) {
		if (i < r->count && !r->rows[i].is_bad)
			some[n++] = &r->rows[i];
		if (n == ROWS_A_STATEMENT || (i == r->count && n)) {
			st = rows_write(r, campaign, list, some, n);
			n = 0;
		}
	}
	return st;
}

static ANY void reading_clear(struct reading *r)
{
	for (size_t i = 0; i < r->count; i++) {
		mem_free(r->rows[i].name);
		mem_free(r->rows[i].zone);
		mem_free(r->rows[i].fields);
	}
	mem_free(r->rows);
	hash_free(r->numbers);
	buf_fini(&r->text);
	mem_free(r->country);
	mem_free(r->international);
	mem_free(r->national);
	mem_free(r);
}

static void work_free(void *arg)
{
	struct reading **r = arg;
	role_assert_work();
	reading_clear(*r);
	*r = NULL;
}

/* Millions of pieces: not the control thread's work. */
static CO void reading_free(struct reading *r)
{
	(void)co_work(WORK_FILE, "dialler import", work_free, &r);
	if (r)
		reading_clear(r);
}

static CO struct reading *reading_new(const char *path, char *csv, struct dl_import *out)
{
	struct reading *r = mem_zalloc(sizeof(*r));
	*out = (struct dl_import){0};
	if (!r) {
		mem_free(csv);
		return NULL;
	}
	r->path = path;
	r->out = out;
	r->country = mem_strdup(dl_conf.plan.country ? dl_conf.plan.country : "");
	r->international = mem_strdup(dl_conf.plan.international ? dl_conf.plan.international : "");
	r->national = mem_strdup(dl_conf.plan.national ? dl_conf.plan.national : "");
	buf_init(&r->text);
	if (csv) {
		buf_adds(&r->text, csv);
		mem_free(csv);
	}
	jw_init(&r->w, &out->errors, false);
	jw_begin_array(&r->w);
	int st = co_work(WORK_FILE, "dialler import", work_read, r);
	r->status = st ? st : r->status;
	return r;
}

/* What came of it, and the reading is over. */
static CO void reading_end(struct reading *r, int status)
{
	struct dl_import *out = r->out;
	jw_end_array(&r->w);
	if (!out->why && status)
		out->why = status == ST_PARSE ? "the first line is bad" : dl_why(status);
	reading_free(r);
}

int dl_import(struct dl_campaign *c, const char *list, const char *path, char *csv, struct dl_import *out)
{
	struct reading *r;
	mem_ref(c);
	r = reading_new(path, csv, out);
	int st = r ? r->status : ST_NOMEM;
	if (!st) {
		zones_check(r);
		st = write_all(r, c->name, list);
	}
	if (r)
		reading_end(r, st);
	else
		out->why = dl_why(st);
	c->looked_us = 0;
	dl_campaign_kick(c);
	mem_unref(c);
	return st;
}

void dl_import_fini(struct dl_import *m)
{
	buf_fini(&m->errors);
}

int dl_import_dnc(const char *campaign, const char *path, struct dl_import *out)
{
	struct reading *r = reading_new(path, NULL, out);
	int st = r ? r->status : ST_NOMEM;
	for (size_t i = 0; !st && i < r->count;) {
		struct store_number d;
		struct buf text;
		struct sv v[2 + ROWS_A_STATEMENT];
		size_t n = 0;
		int64_t changed = 0;
		buf_init(&text);
		v[0] = sv_of(campaign);
		v[1] = store_number_put(&d, clock_wall_us() / 1000000);
		buf_adds(&text, "INSERT INTO dialler_dnc (number,campaign,reason,added_s) VALUES ");
		for (; n < ROWS_A_STATEMENT && i < r->count; i++, n++) {
			v[2 + n] = sv_of(r->rows[i].number);
			buf_printf(&text, "%s($%zu,$1,'list',CAST($2 AS BIGINT))", n ? "," : "", n + 3);
		}
		buf_adds(&text, " ON CONFLICT (number,campaign) DO NOTHING");
		st = text.failed ? ST_NOMEM : dl_run(text.p, v, 2 + n, &changed);
		out->imported += (size_t)changed;
		out->duplicates += n - (size_t)changed;
		buf_fini(&text);
	}
	if (r)
		reading_end(r, st);
	else
		out->why = dl_why(st);
	return st;
}
