/* The databases: FreeSWITCH's two tables, as it makes them, so that a voicemail_default.db of its is simply used. Every
 * statement has its values bound. What a box holds is counted in the database and kept in memory; who asks for lamps
 * (a thousand phones that register at once) is answered from there. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/dsn.h"
#include "core/value/self.h"
#include "voicemail/vm_i.h"
#include <stdio.h>

static const char *const migrations[] = {
    "CREATE TABLE IF NOT EXISTS voicemail_msgs (\n"
    "   created_epoch INTEGER,\n   read_epoch    INTEGER,\n   username      VARCHAR(255),\n"
    "   domain        VARCHAR(255),\n   uuid          VARCHAR(255),\n   cid_name      VARCHAR(255),\n"
    "   cid_number    VARCHAR(255),\n   in_folder     VARCHAR(255),\n   file_path     VARCHAR(255),\n"
    "   message_len   INTEGER,\n   flags         VARCHAR(255),\n   read_flags    VARCHAR(255),\n"
    "   forwarded_by  VARCHAR(255)\n);\n"
    "CREATE TABLE IF NOT EXISTS voicemail_prefs (\n"
    "   username        VARCHAR(255),\n   domain          VARCHAR(255),\n"
    "   name_path       VARCHAR(255),\n   greeting_path   VARCHAR(255),\n"
    "   password        VARCHAR(255)\n);\n"
    "CREATE INDEX IF NOT EXISTS voicemail_msgs_idx1 on voicemail_msgs(created_epoch);\n"
    "CREATE INDEX IF NOT EXISTS voicemail_msgs_idx2 on voicemail_msgs(username);\n"
    "CREATE INDEX IF NOT EXISTS voicemail_msgs_idx3 on voicemail_msgs(domain);\n"
    "CREATE INDEX IF NOT EXISTS voicemail_msgs_idx4 on voicemail_msgs(uuid);\n"
    "CREATE INDEX IF NOT EXISTS voicemail_msgs_idx5 on voicemail_msgs(in_folder);\n"
    "CREATE INDEX IF NOT EXISTS voicemail_msgs_idx6 on voicemail_msgs(read_flags);\n"
    "CREATE INDEX IF NOT EXISTS voicemail_msgs_idx7 on voicemail_msgs(forwarded_by);\n"
    "CREATE INDEX IF NOT EXISTS voicemail_msgs_idx8 on voicemail_msgs(read_epoch);\n"
    "CREATE INDEX IF NOT EXISTS voicemail_msgs_idx9 on voicemail_msgs(flags);\n"
    "CREATE INDEX IF NOT EXISTS voicemail_prefs_idx1 on voicemail_prefs(username);\n"
    "CREATE INDEX IF NOT EXISTS voicemail_prefs_idx2 on voicemail_prefs(domain)",
    NULL};
/* 1 or 0 in every database */
#define IS_READ "CASE WHEN coalesce(read_epoch,0)>0 THEN 1 ELSE 0 END"
#define IS_URGENT "CASE WHEN coalesce(read_flags,'')='A_URGENT' THEN 1 ELSE 0 END"
#define LIVE "coalesce(flags,'')<>'delete'"
static const char count_all[] = "SELECT username,domain," IS_READ "," IS_URGENT ",count(*)"
                                " FROM voicemail_msgs WHERE " LIVE " GROUP BY 1,2,3,4";
static const char count_one[] = "SELECT " IS_READ "," IS_URGENT ",count(*) FROM voicemail_msgs"
                                " WHERE username=$1 AND domain=$2 AND " LIVE " GROUP BY 1,2";

static struct hash *dbs; /* profile -> struct vm_db, a reference each */

/* ---- counts ---- */

static void counts_free(void *p)
{
	mem_free(p);
}

static void counts_add(struct vm_counts *c, bool is_read, bool is_urgent, unsigned n)
{
	*(is_read ? &c->saved_count : &c->new_count) += n;
	if (is_urgent)
		*(is_read ? &c->saved_urgent : &c->new_urgent) += n;
}

static ON_CTL void key_put(struct buf *b, const char *user, const char *domain)
{
	buf_init(b);
	buf_printf(b, "%s@%s", user, domain);
}

static ON_CTL void counts_keep(struct vm_db *db, const char *user, const char *domain, const struct vm_counts *c)
{
	struct buf key;
	struct vm_counts *own;
	key_put(&key, user, domain);
	if (!c->new_count && !c->saved_count && !hash_get(db->counts, buf_sv(&key))) {
		buf_fini(&key);
		return;
	}
	if ((own = mem_alloc(sizeof(*own)))) {
		*own = *c;
		if (hash_set(db->counts, buf_sv(&key), own))
			mem_free(own);
	}
	buf_fini(&key);
}

bool vm_db_counts_peek(const struct vm_db *db, const char *user, const char *domain, struct vm_counts *out)
{
	struct buf key;
	key_put(&key, user, domain);
	const struct vm_counts *c = hash_get(db->counts, buf_sv(&key));
	*out = c ? *c : (struct vm_counts){0};
	buf_fini(&key);
	return c != NULL;
}

static unsigned number_of(struct sv v)
{
	uint32_t n;
	return sv_u32(v, &n) ? 0 : n;
}

static void on_count_row(const struct sv *v, size_t n, void *arg)
{
	struct vm_db *db = arg;
	struct vm_counts c;
	role_assert_ctl();
	if (n < 5 || !v[0].n || !v[1].n)
		return;
	char *user = sv_dup(v[0]), *domain = sv_dup(v[1]);
	if (user && domain) {
		vm_db_counts_peek(db, user, domain, &c);
		counts_add(&c, sv_is(v[2], "1"), sv_is(v[3], "1"), number_of(v[4]));
		counts_keep(db, user, domain, &c);
	}
	mem_free(user), mem_free(domain);
}

static void on_counted(int status, struct store_rows *rows, void *arg)
{
	struct vm_db *db = arg;
	role_assert_ctl();
	db->is_counted = true; /* or as good as it gets */
	if (status && status != ST_CANCELLED)
		log_error(
		    "voicemail: profile %s: cannot count the boxes: %.*s", db->profile, SVF(buf_sv(&rows->error)));
	if (status != ST_CANCELLED)
		vm_mwi_counted();
	mem_unref(db);
}

int vm_db_count(struct vm_db *db, const char *user, const char *domain, struct vm_counts *out)
{
	struct sv p[] = {sv_of(user), sv_of(domain)}, cell[3];
	struct store_rows rows = {0};
	struct vm_counts c = {0};
	size_t at = 0;
	int st = store_sql_run(db->store, count_one, p, 2, &rows);
	for (size_t i = 0; !st && i < 3 * (rows.row_count + 1); i++) {
		if (!store_rows_next(&rows, &at, &cell[i % 3]))
			break;
		if (i >= 3 && i % 3 == 2)
			counts_add(&c, sv_is(cell[0], "1"), sv_is(cell[1], "1"), number_of(cell[2]));
	}
	store_rows_fini(&rows);
	if (st)
		vm_db_counts_peek(db, user, domain, &c);
	else
		counts_keep(db, user, domain, &c);
	*out = c;
	return st;
}

/* ---- open and close ---- */

static void db_free(void *p)
{
	struct vm_db *db = p;
	role_assert_ctl();
	store_close(db->store);
	hash_free(db->counts);
	mem_free(db->profile), mem_free(db->dsn);
}

static void dbs_value_free(void *p)
{
	mem_unref(p);
}

/* The tables are there: the boxes can be counted. */
static void on_tables(int status, void *arg)
{
	struct vm_db *db = arg;
	role_assert_ctl();
	if (status == ST_OK && store_sql(db->store, count_all, NULL, 0, on_count_row, on_counted, mem_ref(db)))
		mem_unref(db);
}

static ON_CTL char *dsn_dup(const struct vm_conf *c)
{
	struct buf b, file;
	buf_init(&b), buf_init(&file);
	if (*c->odbc_dsn)
		buf_adds(&b, c->odbc_dsn);
	else if (*c->dbname)
		buf_adds(&b, c->dbname);
	else
		buf_printf(&file, "voicemail_%s", c->name);
	if (file.n)
		buf_adds(&b, config_dsn(NULL, file.p));
	buf_fini(&file);
	return buf_take(&b);
}

static ON_CTL int db_open(struct vm_db **out, const struct vm_conf *c, char *dsn)
{
	struct vm_db *db = mem_new(sizeof(*db), db_free, "voicemail.db");
	if (!db) {
		mem_free(dsn);
		return ST_NOMEM;
	}
	db->dsn = dsn, db->profile = mem_strdup(c->name);
	int st = hash_new(&db->counts, 0, counts_free);
	if (!st)
		st = store_open(&db->store, dsn, core_dirs()->db, STORE_KEEPS, NULL);
	if (!st)
		st = store_migrate(db->store, "voicemail", migrations, on_tables, db);
	if (st)
		mem_unref(db);
	else
		*out = db;
	return st;
}

int vm_profile_get(struct sv name, struct vm_profile *out)
{
	struct vm_confs *set = vm_confs_now();
	const struct vm_conf *c = vm_conf_find(set, name);
	struct vm_db *db;
	int st = ST_OK;
	if (!c)
		return ST_NOTFOUND;
	if (!dbs && hash_new(&dbs, 0, dbs_value_free))
		return ST_NOMEM;
	char *dsn = dsn_dup(c);
	db = hash_get(dbs, name);
	if (db && dsn && !strcmp(db->dsn, dsn)) {
		mem_free(dsn);
	} else { /* not open yet, or the configuration names another one now */
		st = dsn ? db_open(&db, c, dsn) : ST_NOMEM;
		if (!st && (st = hash_set(dbs, name, db)))
			mem_unref(db);
	}
	if (!st)
		*out = (struct vm_profile){mem_ref(set), c, mem_ref(db)};
	return st;
}

void vm_profile_put(struct vm_profile *p)
{
	mem_unref(p->set), mem_unref(p->db);
	*p = (struct vm_profile){0};
}

void vm_profile_close(struct sv name)
{
	if (dbs)
		hash_del(dbs, name);
}

void vm_profiles_close(void)
{
	hash_free(dbs);
	dbs = NULL;
}

void vm_profiles_open(void)
{
	struct vm_confs *set = mem_ref(vm_confs_now());
	for (unsigned i = 0; set && i < set->count; i++) {
		struct vm_profile p;
		if (!vm_profile_get(sv_of(set->list[i]->name), &p))
			vm_profile_put(&p);
	}
	mem_unref(set);
}

void vm_db_each(void (*fn)(const struct vm_db *db, void *arg), void *arg)
{
	struct hash_it it = {0};
	while (dbs && hash_next(dbs, &it))
		fn(it.value, arg);
}

/* ---- messages ---- */
enum {
	C_CREATED,
	C_READ,
	C_USER,
	C_DOMAIN,
	C_UUID,
	C_NAME,
	C_NUMBER,
	C_FOLDER,
	C_PATH,
	C_LENGTH,
	C_FLAGS,
	C_READ_FLAGS,
	C_BY,
	C_COUNT
};
#define COLUMNS \
	"created_epoch,read_epoch,username,domain,uuid,cid_name,cid_number,in_folder,file_path,message_len,flags," \
	"read_flags," \
	"forwarded_by"

static void msg_fill(struct vm_msg *m, const struct sv *cell, struct buf *texts, size_t *offsets)
{
	int64_t n;
	m->created_s = sv_i64(cell[C_CREATED], &n) ? 0 : n;
	m->read_s = sv_i64(cell[C_READ], &n) ? 0 : n;
	m->length_s = number_of(cell[C_LENGTH]);
	for (int i = 0; i < C_COUNT; i++) {
		offsets[i] = texts->n;
		buf_addv(texts, cell[i]);
		buf_addc(texts, 0);
	}
}

static void msg_point(struct vm_msg *m, const char *base, const size_t *o)
{
	m->user = base + o[C_USER], m->domain = base + o[C_DOMAIN], m->uuid = base + o[C_UUID];
	m->cid_name = base + o[C_NAME], m->cid_number = base + o[C_NUMBER], m->folder = base + o[C_FOLDER];
	m->path = base + o[C_PATH], m->flags = base + o[C_FLAGS], m->read_flags = base + o[C_READ_FLAGS];
	m->forwarded_by = base + o[C_BY];
}

static int msgs_fill(struct vm_msgs *out)
{
	struct sv cell[C_COUNT];
	unsigned n = out->rows.row_count > VM_LIST_MAX ? VM_LIST_MAX : (unsigned)out->rows.row_count;
	size_t at = 0, (*offsets)[C_COUNT] = n ? mem_alloc(n * sizeof(*offsets)) : NULL;
	out->list = n ? mem_zalloc(n * sizeof(*out->list)) : NULL;
	if (n && (!offsets || !out->list)) {
		mem_free(offsets);
		return ST_NOMEM;
	}
	for (unsigned row = 0; row <= n; row++) {
		for (int i = 0; i < C_COUNT; i++)
			if (!store_rows_next(&out->rows, &at, &cell[i]))
				goto out;
		if (row) {
			msg_fill(&out->list[row - 1], cell, &out->texts, offsets[row - 1]);
			out->count = row;
		}
	}
out:
	for (unsigned i = 0; offsets && i < out->count && !out->texts.failed; i++)
		msg_point(&out->list[i], out->texts.p, offsets[i]);
	mem_free(offsets);
	return out->texts.failed ? ST_NOMEM : ST_OK;
}

int vm_db_list(struct vm_db *db, const char *user, const char *domain, enum vm_which which, bool is_newest_first,
    const char *uuid, struct vm_msgs *out)
{
	struct sv p[] = {sv_of(user), sv_of(domain), sv_of(uuid)};
	struct buf sql;
	const char *order = store_row_order(db->store), *down = which != VM_ALL && is_newest_first ? " DESC" : "";
	*out = (struct vm_msgs){0};
	buf_init(&sql);
	buf_printf(&sql,
	    "SELECT " COLUMNS
	    " FROM voicemail_msgs WHERE username=$1 AND domain=$2%s%s ORDER BY %screated_epoch%s,%s%s LIMIT %d",
	    which == VM_NEW     ? " AND coalesce(read_epoch,0)=0"
	    : which == VM_SAVED ? " AND read_epoch>0"
	                        : "",
	    uuid ? " AND uuid=$3" : "", which == VM_ALL ? "" : "read_flags,", down, order ? order : "uuid", down,
	    VM_LIST_MAX);
	int st = sql.failed ? ST_NOMEM : store_sql_run(db->store, sql.p, p, uuid ? 3 : 2, &out->rows);
	buf_fini(&sql);
	if (!st)
		st = msgs_fill(out);
	else
		log_error(
		    "voicemail: %s@%s: the messages cannot be read: %.*s", user, domain, SVF(buf_sv(&out->rows.error)));
	store_rows_fini(&out->rows);
	out->rows = (struct store_rows){0};
	return st;
}

void vm_msgs_fini(struct vm_msgs *m)
{
	buf_fini(&m->texts);
	mem_free(m->list);
	*m = (struct vm_msgs){0};
}

static CO int run(struct vm_db *db, const char *sql, const struct sv *p, size_t n, int64_t *changed)
{
	struct store_rows rows = {0};
	int st = store_sql_run(db->store, sql, p, n, &rows);
	if (st)
		log_error("voicemail: profile %s: %s: %.*s", db->profile, status_text(st), SVF(buf_sv(&rows.error)));
	if (changed)
		*changed = st ? 0 : rows.change_count;
	store_rows_fini(&rows);
	return st;
}

int vm_db_insert(struct vm_db *db, const struct vm_msg *m)
{
	char created[24], read[24], length[16];
	snprintf(created, sizeof(created), "%lld", (long long)m->created_s);
	snprintf(read, sizeof(read), "%lld", (long long)m->read_s);
	snprintf(length, sizeof(length), "%u", m->length_s);
	struct sv p[C_COUNT] = {sv_of(created), sv_of(read), sv_of(m->user), sv_of(m->domain), sv_of(m->uuid),
	    sv_of(m->cid_name), sv_of(m->cid_number), sv_of(m->folder), sv_of(m->path), sv_of(length), sv_of(m->flags),
	    sv_of(m->read_flags), sv_of(m->forwarded_by)};
	for (int i = 0; i < C_COUNT; i++)
		if (!p[i].p)
			p[i] = SV("");
	return run(db, "INSERT INTO voicemail_msgs (" COLUMNS ") VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13)",
	    p, C_COUNT, NULL);
}

bool vm_db_has_uuid(struct vm_db *db, const char *user, const char *domain, const char *uuid)
{
	struct vm_msgs m;
	bool has = !vm_db_list(db, user, domain, VM_ALL, false, uuid, &m) && m.count;
	vm_msgs_fini(&m);
	return has;
}

int vm_db_update(
    struct vm_db *db, const char *user, const char *domain, const char *uuid, const char *set, const char *where)
{
	struct sv p[] = {sv_of(user), sv_of(domain), sv_of(uuid)};
	struct buf sql;
	buf_init(&sql);
	buf_printf(&sql, "UPDATE voicemail_msgs SET %s WHERE username=$1 AND domain=$2%s%s%s", set,
	    uuid ? " AND uuid=$3" : "", where ? " AND " : "", where ? where : "");
	int st = sql.failed ? ST_NOMEM : run(db, sql.p, p, uuid ? 3 : 2, NULL);
	buf_fini(&sql);
	return st;
}

int vm_db_mark_read(struct vm_db *db, const char *user, const char *domain, const char *uuid, bool is_read)
{
	char set[80];
	if (is_read)
		snprintf(set, sizeof(set), "read_epoch=%lld,flags='save'", (long long)(clock_wall_us() / 1000000));
	else
		snprintf(set, sizeof(set), "read_epoch=0,flags=''");
	return vm_db_update(db, user, domain, uuid, set, NULL);
}

int vm_db_delete(struct vm_db *db, const char *user, const char *domain, const char *uuid, bool only_marked)
{
	struct sv p[] = {sv_of(user), sv_of(domain), sv_of(uuid)};
	struct vm_msgs m;
	struct buf sql, paths;
	int st = vm_db_list(db, user, domain, VM_ALL, false, uuid, &m);
	buf_init(&sql), buf_init(&paths);
	for (unsigned i = 0; !st && i < m.count; i++)
		if (!only_marked || !strcmp(m.list[i].flags, "delete"))
			buf_add(&paths, m.list[i].path, strlen(m.list[i].path) + 1);
	vm_msgs_fini(&m);
	buf_printf(&sql, "DELETE FROM voicemail_msgs WHERE username=$1 AND domain=$2%s%s", uuid ? " AND uuid=$3" : "",
	    only_marked ? " AND flags='delete'" : "");
	if (!st && paths.n)
		st = run(db, sql.p, p, uuid ? 3 : 2, NULL);
	if (!st && paths.n)
		vm_files_remove(&paths);
	buf_fini(&sql), buf_fini(&paths);
	return st;
}

int vm_db_seconds(struct vm_db *db, const char *user, const char *domain, uint64_t *out)
{
	struct sv p[] = {sv_of(user), sv_of(domain)}, cell;
	struct store_rows rows = {0};
	size_t at = 0;
	int st = store_sql_run(db->store,
	    "SELECT coalesce(sum(message_len),0) FROM voicemail_msgs WHERE username=$1 AND domain=$2", p, 2, &rows);
	if (!st && (!store_rows_next(&rows, &at, &cell) || !store_rows_next(&rows, &at, &cell) || sv_u64(cell, out)))
		st = ST_IO;
	store_rows_fini(&rows);
	return st;
}

/* ---- preferences ---- */

int vm_db_prefs(struct vm_db *db, const char *user, const char *domain, struct vm_prefs *out)
{
	struct sv p[] = {sv_of(user), sv_of(domain)}, cell[6] = {{0}};
	struct store_rows rows = {0};
	size_t at = 0;
	int n = 0;
	*out = (struct vm_prefs){0};
	int st = store_sql_run(db->store,
	    "SELECT name_path,greeting_path,password FROM voicemail_prefs WHERE username=$1 AND domain=$2 LIMIT 1", p,
	    2, &rows);
	while (!st && n < 6 && store_rows_next(&rows, &at, &cell[n]))
		n++;
	out->is_there = n == 6;
	out->name_path = sv_dup(cell[3]), out->greeting_path = sv_dup(cell[4]), out->password = sv_dup(cell[5]);
	if (!out->name_path || !out->greeting_path || !out->password)
		st = ST_NOMEM;
	store_rows_fini(&rows);
	return st;
}

void vm_prefs_fini(struct vm_prefs *p)
{
	mem_free(p->name_path), mem_free(p->greeting_path), mem_free(p->password);
	*p = (struct vm_prefs){0};
}

int vm_db_prefs_set(struct vm_db *db, const char *user, const char *domain, const char *column, const char *value)
{
	struct sv p[] = {sv_of(user), sv_of(domain), sv_of(value)};
	struct buf sql;
	if (!p[2].p)
		p[2] = SV("");
	buf_init(&sql);
	buf_printf(&sql,
	    "INSERT INTO voicemail_prefs (username,domain,name_path,greeting_path,password) SELECT $1,$2,'','','' "
	    "WHERE NOT EXISTS"
	    " (SELECT 1 FROM voicemail_prefs WHERE username=$1 AND domain=$2);"
	    "UPDATE voicemail_prefs SET %s=$3 WHERE username=$1 AND domain=$2",
	    column);
	int st = sql.failed ? ST_NOMEM : run(db, sql.p, p, 3, NULL);
	buf_fini(&sql);
	return st;
}
