/* mod_hash: a store of text values in memory, by realm and key; one table, the command `hash` and the application
 * `hash`. Bounded; nothing is kept over a restart. */
#include "base/hash.h"
#include "api/api_i.h"
#include "core/door/door.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "core/registry/app.h"
#include "core/registry/limits.h"
#include "core/registry/module.h"
#include "core/run/exec.h"
#include "text/mark.h"
#include "text/words.h"

enum { ENTRY_MAX_COUNT = 1000000 };
static struct hash *store;

static void value_free(void *p)
{
	mem_free(p);
}

struct order {
	char *text, *verb, *realm, *key, *value; /* text is owned */
};

static int order_parse(struct order *o, const char *data)
{
	char *part[4] = {0};
	*o = (struct order){.text = mem_strdup(data)};
	int n = o->text ? words_split(o->text, '/', part, 4) : 0;
	o->verb = part[0], o->realm = part[1], o->key = part[2], o->value = part[3]; /* the value keeps its marks */
	mark_strip_in_place(o->realm);
	mark_strip_in_place(o->key);
	return o->text && n >= 3 ? ST_OK : ST_PARSE;
}

/* FreeSWITCH's key: realm_key. */
static char *full_key(const struct order *o)
{
	struct buf b;
	buf_init(&b);
	buf_printf(&b, "%s_%s", o->realm, o->key);
	return buf_take(&b);
}

static ON_CTL int insert(const char *key, const char *value)
{
	char *copy = hash_count(store) < ENTRY_MAX_COUNT ? mem_strdup(value) : NULL;
	return copy ? hash_set(store, sv_of(key), copy) : ST_FULL;
}

/* Apart from their marks. */
static bool is_same(const char *a, const char *b)
{
	char *x = mark_strip_dup(sv_of(a)), *y = mark_strip_dup(sv_of(b));
	bool is = x && y && !strcmp(x, y);

	mem_free(x);
	mem_free(y);
	return is;
}

/* Does the order. *found is the value selected or matched against; ST_INVAL: no such verb. */
static ON_CTL int order_run(const struct order *o, const char *key, const char **found)
{
	*found = hash_get(store, sv_of(key));
	if (!strcasecmp(o->verb, "insert"))
		return o->value ? insert(key, o->value) : ST_INVAL;
	if (!strcasecmp(o->verb, "insert_ifempty"))
		return !o->value ? ST_INVAL : *found ? ST_EXISTS : insert(key, o->value);
	if (!strcasecmp(o->verb, "select"))
		return ST_OK;
	if (!strcasecmp(o->verb, "delete"))
		return hash_del(store, sv_of(key)) ? ST_OK : ST_NOTFOUND;
	if (!strcasecmp(o->verb, "delete_ifmatch")) {
		if (!o->value)
			return ST_INVAL;
		if (!*found)
			return ST_NOTFOUND;
		if (!is_same(*found, o->value))
			return ST_DENIED;
		hash_del(store, sv_of(key));
		return ST_OK;
	}
	return ST_INVAL;
}

static int api_hash(struct api_call *c)
{
	role_assert_ctl();
	struct order o;
	const char *found;
	char *key = NULL;
	char *text = principal_parts_dup(c->who, c->args, c->text, '/', 3);
	int st = order_parse(&o, text);
	mem_free(text);
	c->is_reply_text = true;
	if (!st) {
		key = full_key(&o);
		st = order_run(&o, key, &found);
	}
	bool is_select = !st && !strcasecmp(o.verb, "select");
	if (is_select)
		buf_adds(c->out, found ? found : "");
	else
		buf_adds(c->out,
		    !st                 ? "+OK\n"
		    : st == ST_EXISTS   ? "-ERR key already exists\n"
		    : st == ST_NOTFOUND ? "-ERR Not found\n"
		    : st == ST_DENIED   ? "-ERR Doesn't match\n"
		    : st == ST_FULL
		        ? "-ERR Store is full\n"
		        : "-ERR Usage: hash insert|insert_ifempty|select|delete|delete_ifmatch/realm/key[/value]\n");
	mem_free(key);
	mem_free(o.text);
	return ST_OK;
}

static int api_hash_dump(struct api_call *c)
{
	role_assert_ctl();
	struct api_words w;
	c->is_reply_text = true;
	int st = api_words_init(&w, c, 2);
	bool is_all = !st && w.n && !strcasecmp(w.w[0], "all");
	bool is_db = is_all || (!st && w.n && !strcasecmp(w.w[0], "db"));
	bool is_limit = is_all || (!st && w.n && !strcasecmp(w.w[0], "limit"));
	struct sv realm = w.n > 1 ? sv_of(w.w[1]) : SV_NONE;
	if (!st && !is_db && !is_limit)
		buf_adds(c->out, "Usage: all|limit|db [<realm>]\n");
	if (is_limit)
		limits_dump(realm, c->out);
	struct hash_it it = {0};
	while (is_db && hash_next(store, &it)) {
		if (!realm.n || sv_starts(it.key, realm)) {
			buf_adds(c->out, "D/");
			mark_put(c->out, it.key); /* nobody knows any more who wrote it */
			buf_printf(c->out, "/%s\n", (const char *)it.value);
		}
	}
	api_words_fini(&w);
	return st;
}

static int app_hash(struct leg *leg, const char *data)
{
	role_assert_co();
	struct order o;
	const char *found;
	int st = order_parse(&o, data ? leg_exec_text(leg, data) : "");
	if (!st) {
		char *key = full_key(&o);
		st = order_run(&o, key, &found);
		mem_free(key);
	}
	if (st == ST_INVAL || st == ST_PARSE)
		leg_log(leg, LOG_WARNING,
		    "hash: insert|insert_ifempty|delete|delete_ifmatch/realm/key[/value] expected, not '%s'", data);
	mem_free(o.text);
	return ST_OK;
}

static int load(void)
{
	role_assert_ctl();
	return hash_new(&store, 0, value_free);
}

static int unload(void)
{
	role_assert_ctl();
	hash_free(store);
	store = NULL;
	return ST_OK;
}

static const char *const complete[] = {"hash insert", "hash delete", "hash select", NULL};
static const struct api_desc apis[] = {
    {"hash", "hash get/set", "[insert|delete|select]/<realm>/<key>/<value>", 0, api_hash, complete},
    {"hash_dump", "dump hash/limit_hash data (used for synchronization)", "all|limit|db [<realm>]", 0, api_hash_dump,
        NULL},
    {0},
};
static const struct app_desc apps[] = {
    {"hash", "Insert into the hashtable", "[insert|insert_ifempty|delete|delete_ifmatch]/<realm>/<key>/<val>",
        APP_ZOMBIE_EXEC | APP_NO_MEDIA, app_hash},
    {0},
};
static const struct name_desc names[] = {{"limit", "hash"}, {NULL}};
const struct module mod_hash = {
    .abi = MODULE_ABI, .name = "mod_hash", .load = load, .unload = unload, .apis = apis, .apps = apps, .names = names};
