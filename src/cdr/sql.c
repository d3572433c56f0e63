/* Call records as rows: mod_cdr_pg_csv (a row of the variables that its schema names) and mod_cdr_sqlite (a template of
 * values). A record becomes its INSERT at once, with every value quoted here; what waits in the journal needs no
 * configuration any more. Several go as one transaction; when one of them is refused, each goes alone, and the refused
 * one into the spool file, for whoever mends it. A database that is away: the records wait in the journal, or, where
 * spool-format is csv or sql, go into the spool file as FreeSWITCH's do. */
#include "base/log.h"
#include "base/mem.h"
#include "cdr/cdr_i.h"
#include "cdr/target.h"
#include "core/conf/config.h"
#include "core/leg/leg.h"
#include "core/registry/module.h"
#include "core/run/expand.h"
#include "core/value/self.h"
#include "core/value/vars.h"
#include "store/sql_text.h"
#include "store/store.h"
#include "text/mark.h"

#include <ctype.h>
#include <string.h>
#include <time.h>

enum { BATCH_MAX = 256, BATCH_MAX_BYTES = 1 << 20, PAUSE_US = 2000000, FIELDS_MAX = 256 };
static const char before_values[] = " VALUES (", behind_values[] = ") ON CONFLICT DO NOTHING";

struct rows {
	struct store *store; /* NULL: closed */
	struct cdr_target *target;
	struct cdr_entry *entries[BATCH_MAX];
	size_t count, at;
	bool is_single;
	enum { SPOOL_JOURNAL, SPOOL_CSV, SPOOL_SQL } spool;
	char *spool_dir;
	bool has_a, has_b;
};

/* ---- to the database ---- */

/* The record, or only its values, at the end of the spool file. */
static ON_CTL void put_aside(struct rows *r, const struct cdr_entry *e)
{
	struct sv sql = cdr_entry_body(e), values = sql;
	bool is_csv = r->spool == SPOOL_CSV;
	const char *from = memmem(sql.p, sql.n, before_values, sizeof(before_values) - 1);
	struct buf path, line;

	if (from) {
		size_t at = (size_t)(from - sql.p) + sizeof(before_values) - 1;
		size_t end = sizeof(behind_values) - 1;
		bool has_end = sql.n > end && !memcmp(sql.p + sql.n - end, behind_values, end);
		values = sv_sub(sql, at, sql.n - at - (has_end ? end : 1));
	}
	buf_init(&path), buf_init(&line);
	buf_printf(&path, "%s/cdr-spool.%s", r->spool_dir, is_csv ? "csv" : "sql");
	buf_addv(&line, is_csv ? values : sql);
	buf_adds(&line, is_csv ? "\n" : ";\n");
	if (!path.failed && !line.failed)
		cdr_spool_put(CDR_APPEND, path.p, buf_sv(&line));
	buf_fini(&path), buf_fini(&line);
}

static ON_CTL void rows_send(struct rows *r);

static ON_CTL void one_done(struct rows *r, struct cdr_entry *e, int status, const char *why)
{
	bool is_refused = status == ST_IO || status == ST_INVAL || status == ST_LIMIT;
	if (is_refused)
		log_error(
		    "cdr: the record %.*s is refused (%s); it stands in %s", SVF(cdr_entry_id(e)), why, r->spool_dir);
	if (status < 0 && (is_refused || r->spool != SPOOL_JOURNAL)) {
		put_aside(r, e);
		status = ST_OK;
	}
	cdr_target_done(r->target, e, status, why);
}

static void on_rolled_back(int status, struct store_rows *answer, void *arg)
{
	role_assert_ctl();
}

static void on_answer(int status, struct store_rows *answer, void *arg)
{
	struct rows *r = arg;
	const char *why = answer->error.n ? answer->error.p : status_text(status);
	role_assert_ctl();
	if (!r->store)
		return;
	if (!r->is_single && status < 0 && r->count > 1) /* the transaction may be open still */
		(void)store_sql(r->store, "ROLLBACK", NULL, 0, NULL, on_rolled_back, NULL);
	if (!r->is_single && status == ST_IO && r->count > 1) {
		r->is_single = true;
		rows_send(r);
	} else if (r->is_single) {
		struct cdr_entry *e = r->entries[r->at++];
		if (r->at < r->count)
			rows_send(r);
		one_done(r, e, status, why);
	} else {
		for (size_t i = 0; i < r->count; i++)
			one_done(r, r->entries[i], status, why);
	}
}

static ON_CTL void rows_send(struct rows *r)
{
	struct buf sql;
	bool is_many = !r->is_single && r->count > 1;
	buf_init(&sql);
	buf_adds(&sql, is_many ? "BEGIN;\n" : "");
	for (size_t i = r->is_single ? r->at : 0; i < (r->is_single ? r->at + 1 : r->count); i++) {
		buf_addv(&sql, cdr_entry_body(r->entries[i]));
		buf_adds(&sql, ";\n");
	}
	buf_adds(&sql, is_many ? "COMMIT" : "");
	int st = sql.failed ? ST_NOMEM : store_sql(r->store, sql.p, NULL, 0, NULL, on_answer, r);
	buf_fini(&sql);
	for (size_t i = r->is_single ? r->at : 0; st < 0 && i < r->count; i++)
		cdr_target_done(r->target, r->entries[i], st, status_text(st));
}

static void rows_take(void *arg, struct cdr_entry *const *entries, size_t count)
{
	struct rows *r = arg;
	role_assert_ctl();
	memcpy(r->entries, entries, count * sizeof(*entries));
	r->count = count, r->at = 0, r->is_single = false;
	rows_send(r);
}

static const struct cdr_target_ops ops = {BATCH_MAX, BATCH_MAX_BYTES, PAUSE_US, rows_take};

static ON_CTL int rows_open(struct rows *r, const char *name, const char *dsn)
{
	struct buf error;
	int st;
	buf_init(&error);
	st = store_open(&r->store, dsn, core_dirs()->db, STORE_ASKS, &error);
	if (st)
		log_error("%s: %s", name, error.n ? error.p : status_text(st));
	if (!st)
		st = cdr_target_open(&r->target, name, &ops, r);
	buf_fini(&error);
	return st;
}

static ON_CTL void rows_close(struct rows *r)
{
	struct store *s = r->store;
	cdr_target_close(r->target);
	r->store = NULL, r->target = NULL;
	store_close(s);
	mem_free(r->spool_dir);
	r->spool_dir = NULL;
}

static ON_CTL void rows_setting(struct rows *r, const char *name, const char *value)
{
	if (!strcmp(name, "legs")) {
		r->has_a = strchr(value, 'a');
		r->has_b = strchr(value, 'b');
	} else if (!strcmp(name, "spool-format")) {
		r->spool = !strcmp(value, "sql") ? SPOOL_SQL : !strcmp(value, "csv") ? SPOOL_CSV : SPOOL_JOURNAL;
	} else if (!strcmp(name, "spool-dir") && *value) {
		mem_free(r->spool_dir);
		r->spool_dir = mem_strdup(value);
	}
}

static ON_CTL void rows_defaults(struct rows *r, const char *folder)
{
	struct buf dir;
	buf_init(&dir);
	buf_printf(&dir, "%s/%s", core_dirs()->log, folder);
	r->spool_dir = buf_take(&dir);
	r->has_a = true;
}

/* ---- values ---- */

/* 'text': quotes doubled, one line, UTF-8. */
static void put_quoted(struct buf *sql, struct sv text)
{
	struct buf clean;
	buf_init(&clean);
	sql_utf8_put(&clean, text);
	buf_addc(sql, '\'');
	for (size_t i = 0; i < clean.n; i++) {
		char c = clean.p[i];
		if (c == '\'')
			buf_addc(sql, c);
		buf_addc(sql, c == '\n' || c == '\r' ? ' ' : c);
	}
	buf_addc(sql, '\'');
	buf_fini(&clean);
}

static bool is_number(const char *text)
{
	size_t n = strspn(text + (*text == '-'), "0123456789."), begin = *text == '-';
	return n && n < 40 && !text[begin + n] && isdigit((unsigned char)text[begin]);
}

/* ---- mod_cdr_pg_csv ---- */

struct field {
	char *var, *column;
	bool is_quoted, is_not_null;
};
static struct {
	struct rows rows;
	char *table;
	struct field fields[FIELDS_MAX];
	size_t field_count;
	struct buf head; /* INSERT INTO table (columns) VALUES ( */
	bool is_rotated, is_loaded;
} pg;

static ON_CTL void pg_value(struct buf *sql, struct leg *leg, const struct field *f)
{
	const char *value = leg_var(leg, f->var);
	if (value && *value && f->is_quoted)
		put_quoted(sql, sv_of(value));
	else if (value && *value && is_number(value)) /* nothing else may stand there bare */
		buf_adds(sql, value);
	else
		buf_adds(sql, !f->is_not_null ? "null" : f->is_quoted ? "''" : "0");
}

static void pg_reporting(struct leg *leg, void *arg)
{
	struct buf sql;
	role_assert_ctl();
	if (!cdr_is_wanted(leg, pg.rows.has_a, pg.rows.has_b))
		return;
	buf_init(&sql);
	buf_addv(&sql, buf_sv(&pg.head));
	for (size_t i = 0; i < pg.field_count; i++) {
		if (i)
			buf_addc(&sql, ',');
		pg_value(&sql, leg, &pg.fields[i]);
	}
	buf_adds(&sql, behind_values);
	if (sql.failed)
		leg_log(leg, LOG_ERR, "cdr_pg_csv: the record has no room");
	else
		cdr_target_put(pg.rows.target, leg->uuid, buf_sv(&sql));
	buf_fini(&sql);
}

static void put_name(struct buf *sql, const char *name)
{
	buf_addc(sql, '"');
	for (; *name; name++) {
		if (*name == '"')
			buf_addc(sql, '"');
		buf_addc(sql, *name);
	}
	buf_addc(sql, '"');
}

/* "schema.table" is a table of a schema. */
static void put_table(struct buf *sql, const char *table)
{
	const char *dot = strchr(table, '.');
	struct buf schema;
	buf_init(&schema);
	if (dot) {
		buf_add(&schema, table, (size_t)(dot - table));
		put_name(sql, schema.p);
		buf_addc(sql, '.');
	}
	put_name(sql, dot ? dot + 1 : table);
	buf_fini(&schema);
}

static ON_CTL void pg_fields_read(const struct xml_node *schema)
{
	buf_adds(&pg.head, "INSERT INTO ");
	put_table(&pg.head, pg.table ? pg.table : "cdr");
	buf_adds(&pg.head, " (");
	xml_each(schema, "field", n)
	{
		const char *var = xml_attr(n, "var"), *column = xml_attr(n, "column");
		struct field *f = &pg.fields[pg.field_count];
		if (!var || !*var || pg.field_count == FIELDS_MAX)
			continue;
		f->var = mem_strdup(var), f->column = mem_strdup(column && *column ? column : var);
		f->is_quoted = str_is_true(xml_attr_or(n, "quote", "true"));
		f->is_not_null = str_is_true(xml_attr_or(n, "not-null", "false"));
		if (pg.field_count++)
			buf_addc(&pg.head, ',');
		put_name(&pg.head, f->column);
	}
	buf_adds(&pg.head, ")");
	buf_adds(&pg.head, before_values);
}

static ON_CTL void pg_free(void)
{
	rows_close(&pg.rows);
	for (size_t i = 0; i < pg.field_count; i++)
		mem_free(pg.fields[i].var), mem_free(pg.fields[i].column);
	mem_free(pg.table);
	buf_fini(&pg.head);
	memset(&pg, 0, sizeof(pg));
}

static ON_CTL int pg_load(void)
{
	const struct xml_node *conf = config_conf("cdr_pg_csv.conf");
	const char *info = "dbname=cdr";
	struct buf dsn;
	int st;

	role_assert_ctl();
	rows_defaults(&pg.rows, "cdr-pg-csv");
	pg.is_rotated = true;
	xml_each(xml_child(conf, "settings"), "param", p)
	{
		const char *name = xml_attr_or(p, "name", ""), *value = xml_attr_or(p, "value", "");
		rows_setting(&pg.rows, name, value);
		if (!strcmp(name, "db-info") && *value)
			info = value;
		else if (!strcmp(name, "db-table") && *value)
			mem_free(pg.table), pg.table = mem_strdup(value);
		else if (!strcmp(name, "rotate-on-hup"))
			pg.is_rotated = str_is_true(value);
	}
	pg_fields_read(xml_child(conf, "schema"));
	if (!pg.field_count)
		log_warning("cdr_pg_csv.conf: the schema has no fields; nothing is recorded");
	buf_init(&dsn);
	buf_printf(&dsn, "%s%s", strstr(info, "://") ? "" : "pgsql://", info);
	st = cdr_spool_open();
	if (!st && (st = rows_open(&pg.rows, "cdr_pg_csv", dsn.p)))
		cdr_spool_close();
	if (!st && pg.field_count)
		st = leg_hook_add(LEG_HOOK_REPORTING, pg_reporting, NULL);
	buf_fini(&dsn);
	pg.is_loaded = !st;
	if (st)
		pg_free();
	return st;
}

static ON_CTL int pg_unload(void)
{
	role_assert_ctl();
	leg_hook_del(LEG_HOOK_REPORTING, pg_reporting, NULL);
	pg_free();
	cdr_spool_close();
	return ST_OK;
}

void cdr_sql_rotate(void)
{
	static const char *const kinds[] = {"csv", "sql"};
	time_t now = time(NULL);
	char stamp[32];
	struct tm tm;
	struct buf from, to;

	if (!pg.is_loaded || !pg.is_rotated)
		return;
	localtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%d-%H-%M-%S", &tm);
	for (size_t i = 0; i < 2; i++) {
		buf_init(&from), buf_init(&to);
		buf_printf(&from, "%s/cdr-spool.%s", pg.rows.spool_dir, kinds[i]);
		buf_printf(&to, "%s/cdr-spool.%s.%s", pg.rows.spool_dir, kinds[i], stamp);
		if (!from.failed && !to.failed)
			cdr_spool_rename(from.p, to.p);
		buf_fini(&from), buf_fini(&to);
	}
}

/* ---- mod_cdr_sqlite ---- */

static struct {
	struct rows rows;
	char *table, *default_template;
	struct vars *templates;
	bool is_debug;
} lite;
static const char lite_columns[] =
    " (caller_id_name VARCHAR,caller_id_number VARCHAR,destination_number VARCHAR,context VARCHAR,start_stamp DATETIME,"
    "answer_stamp DATETIME,end_stamp DATETIME,duration INTEGER,billsec INTEGER,hangup_cause VARCHAR,uuid VARCHAR,"
    "bleg_uuid VARCHAR,account_code VARCHAR)";
static const char lite_template[] =
    "\"${caller_id_name}\",\"${caller_id_number}\",\"${destination_number}\",\"${context}\",\"${start_stamp}\","
    "\"${answer_stamp}\",\"${end_stamp}\",${duration},${billsec},\"${hangup_cause}\",\"${uuid}\",\"${bleg_uuid}\","
    "\"${accountcode}\"";

/* One value of the template, as it stands between two commas: in quotes it is text; bare it is a number, or nothing. */
static void lite_value(struct buf *sql, const struct buf *value, bool is_text)
{
	if (is_text)
		put_quoted(sql, buf_sv(value));
	else if (value->n && is_number(value->p))
		buf_addv(sql, buf_sv(value));
	else
		buf_adds(sql, "null");
}

/* The template's values as SQL; quotes and commas are the template's own only where they did not come from outside. */
static void lite_values(struct buf *sql, const char *text)
{
	struct mark_it it = {.rest = sv_of(text)};
	bool is_quoted = false, is_text = false;
	struct buf value;
	char quote = 0;

	buf_init(&value);
	while (mark_next(&it)) {
		bool is_ours = !it.is_outside;
		if (is_ours && !is_quoted && (it.byte == '"' || it.byte == '\'')) {
			is_quoted = is_text = true;
			quote = it.byte;
			buf_clear(&value);
		} else if (is_ours && is_quoted && it.byte == quote) {
			is_quoted = false;
		} else if (is_ours && !is_quoted && it.byte == ',') {
			lite_value(sql, &value, is_text);
			buf_addc(sql, ',');
			buf_clear(&value);
			is_text = false;
		} else if (is_quoted || (!is_text && !isspace((unsigned char)it.byte))) {
			buf_addc(&value, it.byte);
		}
	}
	lite_value(sql, &value, is_text);
	buf_fini(&value);
}

static void lite_reporting(struct leg *leg, void *arg)
{
	const char *name, *text;
	char *expanded = NULL;
	struct buf sql;

	role_assert_ctl();
	if (!cdr_is_wanted(leg, lite.rows.has_a, lite.rows.has_b))
		return;
	name = leg_var(leg, "cdr_template");
	text = name ? vars_get(lite.templates, name) : NULL;
	if (!text && lite.default_template)
		text = vars_get(lite.templates, lite.default_template);
	if (expand(leg, text ? text : lite_template, &expanded)) {
		leg_log(leg, LOG_ERR, "cdr_sqlite: the template cannot be expanded; no row for this call");
		return;
	}
	buf_init(&sql);
	buf_adds(&sql, "INSERT INTO ");
	put_name(&sql, lite.table);
	buf_adds(&sql, before_values);
	lite_values(&sql, expanded);
	buf_addc(&sql, ')');
	if (!sql.failed)
		cdr_target_put(lite.rows.target, leg->uuid, buf_sv(&sql));
	if (lite.is_debug)
		leg_log(leg, LOG_DEBUG, "cdr_sqlite: %.*s", SVF(buf_sv(&sql)));
	buf_fini(&sql);
	mem_free(expanded);
}

static ON_CTL void lite_free(void)
{
	rows_close(&lite.rows);
	vars_free(lite.templates);
	mem_free(lite.table), mem_free(lite.default_template);
	memset(&lite, 0, sizeof(lite));
}

static void on_made(int status, struct store_rows *answer, void *arg)
{
	role_assert_ctl();
	if (status && status != ST_CANCELLED)
		log_error("cdr_sqlite: its table: %s", answer->error.n ? answer->error.p : status_text(status));
}

static ON_CTL int lite_open(const char *db)
{
	struct buf sql;
	int st = cdr_spool_open();
	if (st)
		return st;
	if ((st = rows_open(&lite.rows, "cdr_sqlite", db))) {
		cdr_spool_close();
		return st;
	}
	buf_init(&sql);
	buf_adds(&sql, "CREATE TABLE IF NOT EXISTS ");
	put_name(&sql, lite.table);
	buf_adds(&sql, lite_columns);
	st = sql.failed ? ST_NOMEM : store_sql(lite.rows.store, sql.p, NULL, 0, NULL, on_made, NULL);
	buf_fini(&sql);
	return st ? st : leg_hook_add(LEG_HOOK_REPORTING, lite_reporting, NULL);
}

static ON_CTL int lite_load(void)
{
	const struct xml_node *conf = config_conf("cdr_sqlite.conf");
	const char *db = "cdr";
	int st;

	role_assert_ctl();
	rows_defaults(&lite.rows, "cdr-sqlite");
	lite.rows.spool = SPOOL_JOURNAL;
	if ((st = vars_new(&lite.templates)))
		return st;
	lite.table = mem_strdup("cdr");
	xml_each(xml_child(conf, "settings"), "param", p)
	{
		const char *name = xml_attr_or(p, "name", ""), *value = xml_attr_or(p, "value", "");
		if (!strcmp(name, "legs"))
			rows_setting(&lite.rows, name, value);
		else if (!strcmp(name, "db-name") && *value)
			db = value;
		else if (!strcmp(name, "db-table") && *value)
			mem_free(lite.table), lite.table = mem_strdup(value);
		else if (!strcmp(name, "default-template"))
			mem_free(lite.default_template), lite.default_template = mem_strdup(value);
		else if (!strcmp(name, "debug"))
			lite.is_debug = str_is_true(value);
	}
	xml_each(xml_child(conf, "templates"), "template", t) if (xml_attr(t, "name") && *t->text)
	    vars_set(lite.templates, xml_attr(t, "name"), t->text);
	if ((st = lite_open(db)))
		lite_free();
	return st;
}

static ON_CTL int lite_unload(void)
{
	role_assert_ctl();
	leg_hook_del(LEG_HOOK_REPORTING, lite_reporting, NULL);
	lite_free();
	cdr_spool_close();
	return ST_OK;
}

static const struct conf_desc pg_confs[] = {
    {"cdr_pg_csv.conf", "db-info", "text", "", "dbname=cdr", "the database, as libpq writes it or as a DSN"},
    {"cdr_pg_csv.conf", "db-table", "text", "", "cdr", "the table; schema.table, too"},
    {"cdr_pg_csv.conf", "legs", "a|b|ab", "", "a", "whose legs are recorded"},
    {"cdr_pg_csv.conf", "spool-format", "journal|csv|sql", "", "journal",
        "what becomes of records while the database is away: they wait in the journal, or go into a file"},
    {"cdr_pg_csv.conf", "spool-dir", "path", "", "cdr-pg-csv below the log directory", "where that file lies"},
    {"cdr_pg_csv.conf", "rotate-on-hup", "bool", "", "true", "HUP moves the spool file aside"},
    {NULL},
};
static const struct conf_desc lite_confs[] = {
    {"cdr_sqlite.conf", "db-name", "text", "", "cdr", "the database"},
    {"cdr_sqlite.conf", "db-table", "text", "", "cdr", "the table; made when it is not there"},
    {"cdr_sqlite.conf", "legs", "a|b|ab", "", "a", "whose legs are recorded"},
    {"cdr_sqlite.conf", "default-template", "text", "", "", "template where the leg names none"},
    {"cdr_sqlite.conf", "debug", "bool", "", "false", "the statements are logged"},
    {NULL},
};
const struct module mod_cdr_pg_csv = {
    .abi = MODULE_ABI, .name = "mod_cdr_pg_csv", .load = pg_load, .unload = pg_unload, .confs = pg_confs};
const struct module mod_cdr_sqlite = {
    .abi = MODULE_ABI, .name = "mod_cdr_sqlite", .load = lite_load, .unload = lite_unload, .confs = lite_confs};
