/* FreeSWITCH's core tables: their columns, the statements that make and fill them, and a hash of each row that they
 * have, so that only what changed is written. Rows are written by leaving the old one out and putting the new one in,
 * in one transaction. Values are quoted here, the same way for sqlite and PostgreSQL (store/pgsql_link.c sees to it
 * that a backslash is one), and cut to their column, as PostgreSQL refuses longer ones. */
#include "api/tables.h"
#include "base/mem.h"
#include "core/value/self.h"
#include "coredb/coredb_i.h"
#include "store/sql_text.h"

#include <string.h>

enum { INTEGER = 0, BIGINT = -1, TEXT = -2 }; /* above: VARCHAR of so many */
struct column {
	const char *name;
	int type;
};
struct table {
	const char *name;
	const struct column *columns;
	const char *key;     /* of "key IN (...)"; NULL: the rows of a switch are one thing */
	const char *indexes; /* columns of each, parted by bars */
};
#define HOSTNAME \
	{ \
		"hostname", 256 \
	}
static const struct column calls[] = {{"call_uuid", 255}, {"call_created", 128}, {"call_created_epoch", INTEGER},
    {"caller_uuid", 256}, {"callee_uuid", 256}, HOSTNAME, {NULL}};
static const struct column registrations[] = {{"reg_user", 256}, {"realm", 256}, {"token", 256}, {"url", TEXT},
    {"expires", INTEGER}, {"network_ip", 256}, {"network_port", 256}, {"network_proto", 256}, HOSTNAME,
    {"metadata", 256}, {NULL}};
static const struct column tasks[] = {{"task_id", INTEGER}, {"task_desc", 4096}, {"task_group", 1024},
    {"task_runtime", BIGINT}, {"task_sql_manager", INTEGER}, HOSTNAME, {NULL}};
static const struct column aliases[] = {{"sticky", INTEGER}, {"alias", 128}, {"command", 4096}, HOSTNAME, {NULL}};
static const struct column complete[] = {{"sticky", INTEGER}, {"a1", 128}, {"a2", 128}, {"a3", 128}, {"a4", 128},
    {"a5", 128}, {"a6", 128}, {"a7", 128}, {"a8", 128}, {"a9", 128}, {"a10", 128}, HOSTNAME, {NULL}};
static const struct column nat[] = {{"sticky", INTEGER}, {"port", INTEGER}, {"proto", INTEGER}, HOSTNAME, {NULL}};
static const struct column interfaces[] = {{"type", 128}, {"name", 1024}, {"description", 4096}, {"ikey", 1024},
    {"filename", 4096}, {"syntax", 4096}, HOSTNAME, {NULL}};
static const struct column recovery[] = {{"runtime_uuid", 255}, {"technology", 255}, {"profile_name", 255},
    {"hostname", 255}, {"uuid", 255}, {"metadata", TEXT}, {NULL}};
/* the widths of `show channels`' columns; their names are the leg's */
static const int leg_types[LEG_COLS] = {[L_UUID] = 256,
    [L_DIRECTION] = 32,
    [L_CREATED] = 128,
    [L_CREATED_EPOCH] = INTEGER,
    [L_NAME] = 1024,
    [L_STATE] = 64,
    [L_CID_NAME] = 1024,
    [L_CID_NUM] = 256,
    [L_IP_ADDR] = 256,
    [L_DEST] = 1024,
    [L_APPLICATION] = 128,
    [L_APPLICATION_DATA] = 4096,
    [L_DIALPLAN] = 128,
    [L_CONTEXT] = 128,
    [L_READ_CODEC] = 128,
    [L_READ_RATE] = 32,
    [L_READ_BIT_RATE] = 32,
    [L_WRITE_CODEC] = 128,
    [L_WRITE_RATE] = 32,
    [L_WRITE_BIT_RATE] = 32,
    [L_SECURE] = 64,
    [L_HOSTNAME] = 256,
    [L_PRESENCE_ID] = 4096,
    [L_PRESENCE_DATA] = 4096,
    [L_ACCOUNTCODE] = 256,
    [L_CALLSTATE] = 64,
    [L_CALLEE_NAME] = 1024,
    [L_CALLEE_NUM] = 256,
    [L_CALLEE_DIRECTION] = 5,
    [L_CALL_UUID] = 256,
    [L_SENT_CALLEE_NAME] = 1024,
    [L_SENT_CALLEE_NUM] = 256,
    [L_INITIAL_CID_NAME] = 1024,
    [L_INITIAL_CID_NUM] = 256,
    [L_INITIAL_IP_ADDR] = 256,
    [L_INITIAL_DEST] = 1024,
    [L_INITIAL_DIALPLAN] = 128,
    [L_INITIAL_CONTEXT] = 128};
static struct column channels[LEG_COLS + 1]; /* filled at the load */

static const struct table tables[CORE_TABLE_COUNT] = {
    [CORE_CHANNELS] = {"channels", channels, "uuid", "hostname|uuid, hostname|call_uuid"},
    [CORE_CALLS] = {"calls", calls, "caller_uuid", "hostname|caller_uuid, hostname|callee_uuid|call_uuid"},
    [CORE_REGISTRATIONS] = {"registrations", registrations, "(reg_user, realm)", "reg_user, realm, hostname"},
    [CORE_TASKS] = {"tasks", tasks, NULL, "hostname, task_id"},
    [CORE_ALIASES] = {"aliases", aliases, NULL, "alias, hostname"},
    [CORE_COMPLETE] = {"complete", complete, NULL, "a1, hostname"},
    [CORE_NAT] = {"nat", nat, NULL, "port, proto, hostname"},
    [CORE_INTERFACES] = {"interfaces", interfaces, NULL, NULL},
    [CORE_RECOVERY] = {"recovery", recovery, NULL, "technology|profile_name|uuid"},
};

/* ---- values ---- */

void coredb_quote(struct buf *out, struct sv text)
{
	buf_addc(out, '\'');
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\'')
			buf_addc(out, '\'');
		buf_addc(out, text.p[i]);
	}
	buf_addc(out, '\'');
}

static void value_put(struct buf *out, const char *value, int type)
{
	struct buf clean;
	int64_t number;
	if (type == INTEGER || type == BIGINT) {
		buf_printf(out, "%lld", value && !sv_i64(sv_of(value), &number) ? (long long)number : 0);
		return;
	}
	buf_init(&clean);
	sql_utf8_put(&clean, sv_of(value ? value : ""));
	if (type > 0 && clean.n > (size_t)type) { /* a byte is at most a character; none is cut in two */
		clean.n = (size_t)type;
		while (clean.n && ((unsigned char)clean.p[clean.n] & 0xc0) == 0x80)
			clean.n--;
	}
	coredb_quote(out, buf_sv(&clean));
	buf_fini(&clean);
}

void coredb_row(enum coredb_table t, const char *const *values, struct buf *out)
{
	const struct column *c = tables[t].columns;
	buf_addc(out, '(');
	for (size_t i = 0, at = 0; c[i].name; i++) {
		bool is_ours = !strcmp(c[i].name, "hostname");
		buf_adds(out, i ? "," : "");
		value_put(out, is_ours ? core_switchname() : values[at], c[i].type);
		at += !is_ours;
	}
	buf_addc(out, ')');
}

/* ---- what the tables have ---- */

struct told {
	uint64_t hash;
	uint32_t pass;
};
static struct hash *had[CORE_KEPT_COUNT]; /* key, as SQL -> struct told */
static uint32_t passes[CORE_KEPT_COUNT];

static void told_free(void *t)
{
	mem_free(t);
}

static ON_CTL void list_put(struct buf *list, struct sv item)
{
	buf_adds(list, list->n ? "," : "");
	buf_addv(list, item);
}

void coredb_told(enum coredb_table t, struct sv key, struct sv rows, size_t row_count, struct coredb_batch *b)
{
	struct told *was = hash_get(had[t], key);
	uint64_t hash = hash_bytes(rows.p, rows.n);
	if (was && rows.n && was->hash == hash) {
		was->pass = passes[t];
		return;
	}
	if (was)
		list_put(&b->gone[t], key);
	b->row_count += 1 + row_count;
	if (!rows.n) {
		hash_del(had[t], key);
		return;
	}
	list_put(&b->rows[t], rows);
	if (!was) {
		was = mem_zalloc(sizeof(*was));
		if (hash_set(had[t], key, was)) {
			mem_free(was);
			return;
		}
	}
	was->hash = hash, was->pass = passes[t];
}

void coredb_forgotten(enum coredb_table t, struct coredb_batch *b)
{
	struct hash_it it = {0};
	while (hash_next(had[t], &it))
		if (((struct told *)it.value)->pass != passes[t]) {
			list_put(&b->gone[t], it.key);
			b->row_count++;
			hash_del(had[t], it.key);
		}
	passes[t]++;
}

void coredb_forget_all(void)
{
	for (int t = 0; t < CORE_KEPT_COUNT; t++) {
		hash_free(had[t]);
		had[t] = NULL;
		(void)hash_new(&had[t], 0, told_free);
	}
}

size_t coredb_key_count(enum coredb_table t)
{
	return hash_count(had[t]);
}

/* ---- statements ---- */

bool coredb_batch_is_empty(const struct coredb_batch *b)
{
	return !b->row_count;
}

static ON_CTL void of_this_switch(struct buf *out, const struct table *t)
{
	buf_printf(out, "DELETE FROM %s WHERE hostname=", t->name);
	coredb_quote(out, sv_of(core_switchname()));
}

void coredb_batch_sql(struct coredb_batch *b, struct buf *out)
{
	buf_adds(out, "BEGIN;");
	for (int i = 0; i < CORE_KEPT_COUNT; i++) {
		const struct table *t = &tables[i];
		if (b->gone[i].n) {
			of_this_switch(out, t);
			if (t->key)
				buf_printf(
				    out, " AND %s IN (%s%s)", t->key, *t->key == '(' ? "VALUES " : "", b->gone[i].p);
			buf_addc(out, ';');
		}
		if (b->rows[i].n)
			buf_printf(out, "INSERT INTO %s VALUES %s;", t->name, b->rows[i].p);
		buf_clear(&b->gone[i]), buf_clear(&b->rows[i]);
	}
	b->row_count = 0;
	buf_adds(out, "COMMIT");
}

void coredb_batch_fini(struct coredb_batch *b)
{
	for (int i = 0; i < CORE_KEPT_COUNT; i++)
		buf_fini(&b->gone[i]), buf_fini(&b->rows[i]);
}

void coredb_empty(struct buf *out)
{
	buf_adds(out, "BEGIN;");
	for (int i = 0; i < CORE_KEPT_COUNT; i++) {
		of_this_switch(out, &tables[i]);
		buf_addc(out, ';');
	}
	buf_adds(out, "COMMIT");
}

static ON_CTL void table_make(struct buf *out, const struct table *t)
{
	struct sv rest = sv_of(t->indexes), one;
	unsigned n = 0;
	buf_printf(out, "CREATE TABLE IF NOT EXISTS %s (", t->name);
	for (const struct column *c = t->columns; c->name; c++) {
		buf_printf(out, "%s%s ", c == t->columns ? "" : ", ", c->name);
		if (c->type > 0)
			buf_printf(out, "VARCHAR(%d)", c->type);
		else
			buf_adds(out, c->type == TEXT ? "TEXT" : c->type == BIGINT ? "BIGINT" : "INTEGER");
	}
	buf_adds(out, ");");
	while (rest.n) {
		sv_split(rest, '|', &one, &rest);
		buf_printf(out, "CREATE INDEX IF NOT EXISTS %s_by_%u ON %s (%.*s);", t->name, ++n, t->name, SVF(one));
	}
}

/* A call in one row: its legs side by side, or a leg that has no other. */
static ON_CTL void view_make(struct buf *out, const char *name, bool is_detailed)
{
	unsigned char a[LEG_COLS], b[LEG_COLS];
	size_t a_count, b_count = api_call_columns(is_detailed, a, &a_count, b);
	buf_printf(out, "DROP VIEW IF EXISTS %s;CREATE VIEW %s AS SELECT ", name, name);
	for (size_t i = 0; i < a_count; i++)
		buf_printf(out, "a.%s AS %s,", api_leg_cols[a[i]], api_leg_cols[a[i]]);
	for (size_t i = 0; i < b_count; i++)
		buf_printf(out, "b.%s AS b_%s,", api_leg_cols[b[i]], api_leg_cols[b[i]]);
	buf_adds(out,
	    "c.call_created_epoch AS call_created_epoch FROM channels a LEFT JOIN calls c "
	    "ON c.caller_uuid = a.uuid AND c.hostname = a.hostname LEFT JOIN channels b "
	    "ON b.uuid = c.callee_uuid AND b.hostname = c.hostname "
	    "WHERE NOT EXISTS (SELECT 1 FROM calls d WHERE d.callee_uuid = a.uuid AND d.hostname = a.hostname)");
}

void coredb_schema(struct buf *out)
{
	for (int i = 0; i < CORE_TABLE_COUNT; i++)
		table_make(out, &tables[i]);
	view_make(out, "basic_calls", false);
	buf_addc(out, ';');
	view_make(out, "detailed_calls", true);
}

int coredb_tables_load(void)
{
	for (size_t i = 0; i < LEG_COLS; i++)
		channels[i] = (struct column){api_leg_cols[i], leg_types[i]};
	coredb_forget_all();
	return ST_OK;
}

void coredb_tables_unload(void)
{
	for (int t = 0; t < CORE_KEPT_COUNT; t++) {
		hash_free(had[t]);
		had[t] = NULL;
	}
}
