/* mod_db: the database of a dialplan (db) and its call groups (group). Everything is answered from memory; each change
 * goes to the store, which writes behind, and at the start the store's rows come back: a key set meanwhile wins. Values
 * keep their marks (text/mark.h), in the store too: what came from outside stays that however long it lies here. */
#include "apps/apps_i.h"
#include "base/hash.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/conf/dsn.h"
#include "core/door/door.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "core/registry/app.h"
#include "core/registry/module.h"
#include "core/registry/ready.h"
#include "core/run/exec.h"
#include "core/value/self.h"
#include "store/store.h"
#include "text/mark.h"
#include "text/words.h"
#include <string.h>
#include <strings.h>

enum { ENTRIES_MAX = 1000000, GROUP_MEMBERS_MAX = 1000 };

struct realm {
	char *name;
	struct hash *values; /* key -> text */
};
struct member {
	struct member *next;
	char url[];
};
struct group {
	char *name;
	struct member *first;
	unsigned count;
};
static struct hash *realms, *groups;
static size_t entry_count;
static struct store *store;

static const char *const data_columns[] = {"realm", "data_key", "data", NULL};
static const char *const group_columns[] = {"groupname", "url", NULL};
static const struct store_table data_table = {"db_data", data_columns, 2, NULL},
                                group_table = {"group_data", group_columns, 2, NULL};

static void text_free(void *p)
{
	mem_free(p);
}

static void realm_free(void *p)
{
	struct realm *r = p;
	hash_free(r->values);
	mem_free(r->name);
	mem_free(r);
}

static void group_free(void *p)
{
	struct group *g = p;
	while (g->first) {
		struct member *m = g->first;
		g->first = m->next;
		mem_free(m);
	}
	mem_free(g->name);
	mem_free(g);
}

/* ---- values ---- */

static ON_CTL struct realm *realm_get(struct sv name)
{
	struct realm *r = hash_get(realms, name);

	if (r || !(r = mem_zalloc(sizeof(*r))))
		return r;
	r->name = sv_dup(name);
	if (!r->name || hash_new(&r->values, 0, text_free) || hash_set(realms, name, r)) {
		realm_free(r);
		return NULL;
	}
	return r;
}

static ON_CTL const char *value_get(struct sv realm, struct sv key)
{
	const struct realm *r = hash_get(realms, realm);
	return r ? hash_get(r->values, key) : NULL;
}

static ON_CTL int value_put(struct sv realm, struct sv key, struct sv value)
{
	struct realm *r = realm_get(realm);
	bool is_new = r && !hash_get(r->values, key);
	char *copy;
	int st;

	if (!r || (is_new && entry_count >= ENTRIES_MAX))
		return ST_FULL;
	copy = sv_dup(value);
	st = copy ? hash_set(r->values, key, copy) : ST_NOMEM;
	if (st)
		mem_free(copy);
	else
		entry_count += is_new;
	return st;
}

static ON_CTL void value_del(struct sv realm, struct sv key)
{
	struct realm *r = hash_get(realms, realm);

	if (r && hash_del(r->values, key))
		entry_count--;
	if (r && !hash_count(r->values))
		hash_del(realms, realm);
}

struct order {
	char *text;          /* owned */
	char *realm_, *key_; /* owned: plain */
	struct sv verb, realm, key;
	struct sv value, url; /* marked; url: of a group */
	bool has_key, has_value;
	int part_count;
};

static void order_fini(struct order *o)
{
	mem_free(o->text);
	mem_free(o->realm_);
	mem_free(o->key_);
}

static int order_parse(struct order *o, const char *data, char separator)
{
	char *part[4];
	int n;

	*o = (struct order){.text = mem_strdup(data ? data : "")};
	if (!o->text)
		return ST_NOMEM;
	/* what is from outside holds no separator; a group's url may hold anything */
	n = words_split(o->text, separator, part, separator == '/' ? 4 : 3);
	if (n < 1 || (n < 2 && separator == ':'))
		return ST_PARSE;
	o->verb = sv_of(part[0]);
	o->part_count = n;
	if (n > 1)
		o->realm = sv_of(part[1]);
	if (n > 2)
		*(separator == '/' ? &o->key : &o->url) = sv_of(part[2]);
	if (n > 3)
		o->value = sv_of(part[3]);
	o->has_key = n > 2;
	o->has_value = n > 3;
	o->realm_ = mark_strip_dup(o->realm), o->key_ = mark_strip_dup(o->key);
	o->realm = sv_of(o->realm_), o->key = sv_of(o->key_);
	return o->realm_ && o->key_ ? ST_OK : ST_NOMEM;
}

static ON_CTL int insert(const struct order *o)
{
	int st = value_put(o->realm, o->key, o->value);

	if (!st && store)
		store_put(store, &data_table, (struct sv[]){o->realm, o->key, o->value});
	return st;
}

static void delete (const struct order *o)ON_CTL
{
	value_del(o->realm, o->key);
	if (store)
		store_del(store, &data_table, (struct sv[]){o->realm, o->key});
}

/* The realms, or a realm's keys, with commas. */
static ON_CTL void list(struct sv realm, struct buf *out)
{
	const struct realm *r = realm.n ? hash_get(realms, realm) : NULL;
	const struct hash *of = realm.n ? (r ? r->values : NULL) : realms;
	struct hash_it it = {0};
	bool is_first = true;

	while (of && hash_next(of, &it)) {
		buf_adds(out, is_first ? "" : ",");
		mark_put(out, it.key); /* nobody knows any more who wrote it */
		is_first = false;
	}
}

static ON_CTL size_t count(struct sv realm)
{
	const struct realm *r = realm.n ? hash_get(realms, realm) : NULL;
	return realm.n ? (r ? hash_count(r->values) : 0) : entry_count;
}

static int api_db(struct api_call *c)
{
	struct order o;
	char *text = principal_parts_dup(c->who, c->args, c->text, '/', 3);
	int st = order_parse(&o, text, '/');
	const char *found;

	role_assert_ctl();
	mem_free(text);
	c->is_reply_text = true;
	if (st == ST_OK && o.part_count < 3 && sv_isi(o.verb, "list")) {
		list(o.realm, c->out);
	} else if (st == ST_OK && o.part_count < 3 && sv_isi(o.verb, "count")) {
		buf_printf(c->out, "%zu", count(o.realm));
	} else if (st == ST_OK && o.part_count == 2 && sv_isi(o.verb, "delete")) {
		delete (&o);
		buf_adds(c->out, "+OK");
	} else if (st || !o.has_key) {
		buf_adds(c->out, "!err!");
	} else if (sv_isi(o.verb, "insert") && o.has_value) {
		buf_adds(c->out, insert(&o) ? "-ERR" : "+OK");
	} else if (sv_isi(o.verb, "delete")) {
		delete (&o);
		buf_adds(c->out, "+OK");
	} else if (sv_isi(o.verb, "select") || sv_isi(o.verb, "exists")) {
		found = value_get(o.realm, o.key);
		buf_adds(c->out, !sv_isi(o.verb, "exists") ? (found ? found : "") : found ? "true" : "false");
	} else {
		buf_adds(c->out, "!err!");
	}
	order_fini(&o);
	return ST_OK;
}

static int app_db(struct leg *leg, const char *data)
{
	struct order o;
	int st = order_parse(&o, leg_exec_text(leg, data), '/');

	role_assert_co();
	if (!st && o.has_key && sv_isi(o.verb, "insert") && o.has_value)
		st = insert(&o);
	else if (!st && o.has_key && sv_isi(o.verb, "delete"))
		delete (&o);
	else
		leg_log(
		    leg, LOG_WARNING, "db: [insert|delete]/<realm>/<key>/<val> expected, not '%s'", data ? data : "");
	order_fini(&o);
	return st == ST_FULL ? st : ST_OK;
}

/* ---- groups ---- */

static struct member **member_find(struct group *g, struct sv url)
{
	struct member **at = &g->first;
	while (*at && !sv_is(url, (*at)->url))
		at = &(*at)->next;
	return at;
}

static ON_CTL int member_add(struct sv name, struct sv url)
{
	struct group *g = hash_get(groups, name);
	struct member **at, *m;

	if (!g) {
		if (hash_count(groups) >= ENTRIES_MAX || !(g = mem_zalloc(sizeof(*g))))
			return ST_FULL;
		g->name = sv_dup(name);
		if (!g->name || hash_set(groups, name, g)) {
			group_free(g);
			return ST_NOMEM;
		}
	}
	at = member_find(g, url);
	if (*at)
		return ST_OK;
	if (g->count >= GROUP_MEMBERS_MAX || !(m = mem_alloc(sizeof(*m) + url.n + 1)))
		return ST_FULL;
	m->next = NULL;
	memcpy(m->url, url.p, url.n);
	m->url[url.n] = 0;
	*at = m;
	g->count++;
	return ST_OK;
}

static ON_CTL void member_del(struct sv name, struct sv url)
{
	struct group *g = hash_get(groups, name);
	struct member **at = g ? member_find(g, url) : NULL, *m = at ? *at : NULL;

	if (!m)
		return;
	*at = m->next;
	mem_free(m);
	if (!--g->count)
		hash_del(groups, name);
}

/* insert|delete:group:url; ST_PARSE: it is neither. */
static ON_CTL int group_change(const struct order *o)
{
	struct sv row[2] = {o->realm, o->url};
	int st;

	if (!o->has_key || !o->url.n)
		return ST_PARSE;
	if (sv_isi(o->verb, "insert")) {
		st = member_add(o->realm, o->url);
		if (!st && store)
			store_put(store, &group_table, row);
		return st;
	}
	if (!sv_isi(o->verb, "delete"))
		return ST_PARSE;
	member_del(o->realm, o->url);
	if (store)
		store_del(store, &group_table, row);
	return ST_OK;
}

/* call:group[:order|:multi]: a dial string; order: one after the other, multi: enterprise. */
static ON_CTL void group_call(const struct order *o, struct buf *out)
{
	const struct group *g = hash_get(groups, o->realm);
	const char *separator = sv_isi(o->url, "order") ? "|" : sv_isi(o->url, "multi") ? ":_:" : ",";

	for (const struct member *m = g ? g->first : NULL; m; m = m->next)
		buf_printf(out, "%s%s", m->url, m->next ? separator : "");
}

static int api_group(struct api_call *c)
{
	struct order o;
	int st = order_parse(&o, c->text, ':');

	role_assert_ctl();
	c->is_reply_text = true;
	if (!st && sv_isi(o.verb, "call"))
		group_call(&o, c->out);
	else if (!st)
		st = group_change(&o);
	if (st)
		buf_adds(c->out, "!err!");
	else if (!sv_isi(o.verb, "call"))
		buf_adds(c->out, "+OK");
	order_fini(&o);
	return ST_OK;
}

static int app_group(struct leg *leg, const char *data)
{
	struct order o;
	int st = order_parse(&o, leg_exec_text(leg, data), ':');

	role_assert_co();
	if (!st)
		st = group_change(&o);
	if (st)
		leg_log(
		    leg, LOG_WARNING, "group: [insert|delete]:<group name>:<val> expected, not '%s'", data ? data : "");
	order_fini(&o);
	return ST_OK;
}

/* ---- life ---- */

static void on_value(const struct sv *values, size_t n, void *arg)
{
	role_assert_ctl();
	if (!value_get(values[0], values[1]))
		value_put(values[0], values[1], values[2]);
}

static void on_member(const struct sv *values, size_t n, void *arg)
{
	role_assert_ctl();
	member_add(values[0], values[1]);
}

static void on_loaded(int status, void *arg)
{
	role_assert_ctl();
	if (status < 0 && status != ST_CANCELLED)
		log_error("db: what the last run kept (%s) cannot be read", (const char *)arg);
	core_ready_release(arg);
}

static ON_CTL void load_begin(const struct store_table *t, store_row_fn row, const char *what)
{
	if (!store_each(store, t, NULL, 0, row, on_loaded, (void *)(uintptr_t)what))
		core_ready_hold(what);
}

static ON_CTL void open_store(void)
{
	if (!core_dirs() || !core_dirs()->db)
		return;
	const char *own = config_param(xml_child(config_conf("db.conf"), "settings"), "odbc-dsn", "");
	if (store_open(&store, config_dsn(own, "call_db"), core_dirs()->db, STORE_KEEPS, NULL)) {
		log_error("db: nothing is kept over a restart");
		store = NULL;
		return;
	}
	load_begin(&data_table, on_value, "values");
	load_begin(&group_table, on_member, "groups");
}

static int load(void)
{
	int st = hash_new(&realms, 0, realm_free);

	role_assert_ctl();
	if (!st)
		st = hash_new(&groups, 0, group_free);
	if (!st)
		open_store();
	return st;
}

static int unload(void)
{
	role_assert_ctl();
	store_close(store);
	store = NULL;
	hash_free(realms);
	hash_free(groups);
	realms = groups = NULL;
	entry_count = 0;
	return ST_OK;
}

static const char *const complete_db[] = {"db insert", "db delete", "db select", "db exists", "db count", "db list",
    NULL},
                         *const complete_group[] = {"group insert", "group delete", "group call", NULL};
static const struct api_desc apis[] = {
    {"db", "db get/set", "[insert|delete|select|exists|count|list]/<realm>/<key>/<value>", 0, api_db, complete_db},
    {"group", "group [insert|delete|call]", "[insert|delete|call]:<group name>:<url>", 0, api_group, complete_group},
    {0},
};
static const struct app_desc apps[] = {
    {"db", "Insert to the db", "[insert|delete]/<realm>/<key>/<val>", APP_NO_MEDIA | APP_ZOMBIE_EXEC, app_db},
    {"group", "Manage a group", "[insert|delete]:<group name>:<val>", APP_NO_MEDIA | APP_ZOMBIE_EXEC, app_group},
    {0},
};
static const struct name_desc names[] = {{"limit", "db"}, {NULL}};
extern const struct module mod_db;
const struct module mod_db = {
    .abi = MODULE_ABI, .name = "mod_db", .load = load, .unload = unload, .apis = apis, .apps = apps, .names = names};
