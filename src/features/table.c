/* The features of all users in memory: user@domain -> name -> value. Each change goes to the store, which writes
 * behind, and is told as CUSTOM features::change; at the start the store's rows come back, and what was set meanwhile
 * wins. Only users of the directory can have any, and of each kind a bounded number, so that the table is bounded by
 * the directory. A value "" is one that the user took back though the directory says something. */
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/status.h"
#include "core/conf/dir.h"
#include "core/conf/dsn.h"
#include "core/event/event.h"
#include "core/registry/ready.h"
#include "core/value/self.h"
#include "features/features_i.h"
#include "store/store.h"
#include "text/digest.h"

#include <stdio.h>
#include <string.h>

enum { SALT_CHARS = 16, PIN_CHARS = SALT_CHARS + 1 + DIGEST_HEX_CHARS(DIGEST_SHA256_BYTES) };
struct feature_user {
	struct dir_user *dir;
	char *key; /* user@domain */
};

static struct hash *users; /* key -> struct hash of name -> value */
static struct store *store;
static const char *const columns[] = {"subscriber", "feature", "setting", NULL};
static const struct store_table table = {"features", columns, 2, NULL};

/* ---- users ---- */

int feature_user_find(struct sv id, struct sv domain, struct feature_user **out)
{
	struct sv user, host;
	struct feature_user *u;
	struct buf key;
	if (sv_split(id, '@', &user, &host))
		id = user, domain = host;
	if (!id.n || !domain.n || !(u = mem_zalloc(sizeof(*u))))
		return ST_NOTFOUND;
	int st = dir_user_get(id, domain, NULL, &u->dir);
	if (!st) {
		buf_init(&key);
		buf_printf(&key, "%s@%s", dir_user_id(u->dir), dir_user_domain(u->dir));
		u->key = key.failed ? NULL : mem_strdup(key.p);
		buf_fini(&key);
		st = u->key ? ST_OK : ST_NOMEM;
	}
	if (st)
		feature_user_free(u);
	else
		*out = u;
	return st;
}

void feature_user_free(struct feature_user *u)
{
	if (!u)
		return;
	mem_unref(u->dir);
	mem_free(u->key);
	mem_free(u);
}

const char *feature_user_id(const struct feature_user *u)
{
	return dir_user_id(u->dir);
}

const char *feature_user_domain(const struct feature_user *u)
{
	return dir_user_domain(u->dir);
}

const char *feature_user_var(const struct feature_user *u, const char *name)
{
	return dir_user_var(u->dir, name);
}

/* ---- values ---- */

static void text_free(void *p)
{
	mem_free(p);
}

static void values_free(void *p)
{
	hash_free(p);
}

static ON_CTL struct hash *values_of(struct sv user)
{
	return users ? hash_get(users, user) : NULL;
}

static ON_CTL int value_put(struct sv user, struct sv name, const char *value)
{
	struct hash *v = values_of(user);
	char *copy = mem_strdup(value);
	int st = copy ? ST_OK : ST_NOMEM;
	if (!st && !v) {
		st = hash_new(&v, HASH_NOCASE, text_free);
		if (!st && (st = hash_set(users, user, v)))
			hash_free(v);
	}
	if (!st)
		st = hash_set(v, name, copy);
	if (st)
		mem_free(copy);
	return st;
}

static ON_CTL void value_del(struct sv user, struct sv name)
{
	struct hash *v = values_of(user);
	if (v && hash_del(v, name) && !hash_count(v))
		hash_del(users, user);
}

static ON_CTL const char *of_directory(const struct feature_user *u, struct sv name)
{
	char var[FEATURE_NAME_MAX + 16];
	snprintf(var, sizeof(var), "feature-%.*s", SVF(name));
	return dir_user_var(u->dir, var);
}

const char *feature_get(const struct feature_user *u, const char *name)
{
	struct sv key;
	const struct feature_kind *k = feature_kind_of(sv_of(name), &key);
	const struct hash *v = values_of(sv_of(u->key));
	const char *value = k && v ? hash_get(v, sv_of(name)) : NULL;
	if (!k)
		return NULL;
	if (!value)
		value = of_directory(u, sv_of(name));
	return value && *value ? value : k->fallback;
}

bool feature_is_on(const struct feature_user *u, const char *name)
{
	const char *v = feature_get(u, name);
	return v && !strcmp(v, "true");
}

static ON_CTL unsigned count_of(const struct hash *values, const char *kind)
{
	struct hash_it it = {0};
	unsigned n = 0;
	size_t stem = strlen(kind);
	while (values && hash_next(values, &it))
		n += it.key.n > stem && it.key.p[stem] == ':' && sv_isi(sv_sub(it.key, 0, stem), kind);
	return n;
}

static ON_CTL void tell(
    const struct feature_user *u, const struct feature_kind *k, struct sv name, const char *value, const char *by)
{
	struct event *e;
	if (k->is_quiet || !event_is_wanted(EVENT_CUSTOM, "features::change") ||
	    !(e = event_new(EVENT_CUSTOM, "features::change")))
		return;
	event_add(e, "Feature-User", dir_user_id(u->dir));
	event_add(e, "Feature-Domain", dir_user_domain(u->dir));
	event_addf(e, "Feature-Name", "%.*s", SVF(name));
	event_add(e, "Feature-Action", value && *value ? "set" : "clear");
	if (value && *value && !k->is_private)
		event_add(e, "Feature-Value", value);
	event_add(e, "Feature-By", by);
	event_fire(e);
}

/* "salt:digest" */
static void pin_seal(const char *pin, const char *salt, char out[FEATURE_VALUE_MAX])
{
	uint8_t sum[DIGEST_SHA256_BYTES];
	char text[FEATURE_VALUE_MAX], hex[DIGEST_HEX_CHARS(DIGEST_SHA256_BYTES) + 1];
	int n = snprintf(text, sizeof(text), "%.*s:%s", SALT_CHARS, salt, pin);
	digest_sha256(text, (size_t)n, sum);
	digest_hex(sum, sizeof(sum), hex);
	snprintf(out, FEATURE_VALUE_MAX, "%.*s:%s", SALT_CHARS, salt, hex);
}

bool feature_pin_fits(const struct feature_user *u, const char *pin)
{
	const char *kept = feature_get(u, "lock-pin");
	char sealed[FEATURE_VALUE_MAX];
	if (!kept || strlen(pin) > 12)
		return false;
	if (strlen(kept) != PIN_CHARS) /* the directory's, as it is */
		return !strcmp(kept, pin);
	pin_seal(pin, kept, sealed);
	return digest_equal(sealed, kept, PIN_CHARS);
}

/* What is kept for the value; "" when it is cleared. */
static int sealed(const struct feature_kind *k, const char *value, char out[FEATURE_VALUE_MAX])
{
	char salt[SALT_CHARS + 1];
	*out = 0;
	if (!value)
		return ST_OK;
	int st = feature_value_check(k, sv_of(value), out);
	if (!st && k->type == FEATURE_PIN) {
		char pin[FEATURE_VALUE_MAX];
		memcpy(pin, out, sizeof(pin));
		rand_token(salt, SALT_CHARS);
		salt[SALT_CHARS] = 0;
		pin_seal(pin, salt, out);
	}
	return st;
}

int feature_set(struct feature_user *u, struct sv name, const char *value, const char *by)
{
	struct sv key, user = sv_of(u->key);
	const struct feature_kind *k = feature_kind_of(name, &key);
	const struct hash *had = values_of(user);
	char kept[FEATURE_VALUE_MAX];
	if (!k)
		return ST_NOTFOUND;
	int st = sealed(k, value, kept);
	if (st)
		return st;
	if (*kept && k->key_max && !(had && hash_get(had, name)) && count_of(had, k->name) >= k->key_max)
		return ST_FULL;
	if (*kept || of_directory(u, name))
		st = value_put(user, name, kept);
	else
		value_del(user, name);
	if (st)
		return st;
	if (store && (*kept || of_directory(u, name)))
		store_put(store, &table, (struct sv[]){user, name, sv_of(kept)});
	else if (store)
		store_del(store, &table, (struct sv[]){user, name});
	tell(u, k, name, kept, by);
	if (k->type == FEATURE_WAKE)
		wake_changed();
	else if (k->type == FEATURE_CALLBACK)
		callback_note(user, name, kept);
	else if (!k->is_quiet)
		callback_look();
	return ST_OK;
}

unsigned feature_clear_all(struct feature_user *u, const char *kind, const char *by)
{
	size_t stem = strlen(kind);
	unsigned n = 0;
	for (;;) { /* each change may end the table it is found in */
		struct hash_it it = {0};
		const struct hash *v = values_of(sv_of(u->key));
		char name[FEATURE_NAME_MAX] = "";
		while (v && !*name && hash_next(v, &it))
			if (it.key.n > stem && it.key.p[stem] == ':' && sv_isi(sv_sub(it.key, 0, stem), kind) &&
			    *(char *)it.value)
				snprintf(name, sizeof(name), "%.*s", SVF(it.key));
		if (!*name || feature_set(u, sv_of(name), NULL, by))
			return n;
		n++;
	}
}

bool feature_free_key(const struct feature_user *u, const char *kind, char out[FEATURE_NAME_MAX])
{
	struct sv key;
	snprintf(out, FEATURE_NAME_MAX, "%s:1", kind);
	const struct feature_kind *k = feature_kind_of(sv_of(out), &key);
	for (unsigned i = 1; k && i <= k->key_max; i++) {
		snprintf(out, FEATURE_NAME_MAX, "%s:%u", kind, i);
		if (!feature_get(u, out))
			return true;
	}
	return false;
}

void feature_each(const struct feature_user *u, void (*fn)(const char *name, const char *value, void *arg), void *arg)
{
	const struct hash *v = values_of(sv_of(u->key));
	struct hash_it it = {0};
	while (v && hash_next(v, &it)) {
		char name[FEATURE_NAME_MAX];
		snprintf(name, sizeof(name), "%.*s", SVF(it.key));
		fn(name, it.value, arg);
	}
}

void feature_kind_each(
    const char *kind, void (*fn)(struct sv user, const char *name, const char *value, void *arg), void *arg)
{
	struct hash_it of_user = {0};
	size_t stem = strlen(kind);
	while (users && hash_next(users, &of_user)) {
		struct hash_it it = {0};
		while (hash_next(of_user.value, &it)) {
			char name[FEATURE_NAME_MAX];
			snprintf(name, sizeof(name), "%.*s", SVF(it.key));
			if (it.key.n > stem && it.key.p[stem] == ':' && sv_isi(sv_sub(it.key, 0, stem), kind) &&
			    *(char *)it.value)
				fn(of_user.key, name, it.value, arg);
		}
	}
}

/* ---- life ---- */

static void on_row(const struct sv *v, size_t n, void *arg)
{
	struct sv key;
	role_assert_ctl();
	const struct hash *had = users ? values_of(v[0]) : NULL;
	if (!users || !feature_kind_of(v[1], &key) || v[1].n >= FEATURE_NAME_MAX || v[2].n >= FEATURE_VALUE_MAX ||
	    (had && hash_get(had, v[1])))
		return;
	char *value = sv_dup(v[2]);
	if (value)
		(void)value_put(v[0], v[1], value);
	mem_free(value);
}

static void on_callback(struct sv user, const char *name, const char *value, void *arg)
{
	role_assert_ctl();
	callback_note(user, sv_of(name), value);
}

static void on_rows(int status, void *arg)
{
	role_assert_ctl();
	if (status < 0 && status != ST_CANCELLED)
		log_error("features: what users had set in the last run cannot be read");
	core_ready_release("features");
	wake_changed();
	feature_kind_each("callback", on_callback, NULL);
}

int features_start(void)
{
	int st = hash_new(&users, HASH_NOCASE, values_free);
	if (st || !core_dirs() || !core_dirs()->db)
		return st;
	const char *dsn = feature_param("dsn");
	if (store_open(&store, config_dsn(dsn, "features"), core_dirs()->db, STORE_KEEPS, NULL)) {
		log_error("features: nothing is kept over a restart");
		store = NULL;
	} else if (!store_each(store, &table, NULL, 0, on_row, on_rows, NULL)) {
		core_ready_hold("features");
	}
	return ST_OK;
}

void features_stop(void)
{
	store_close(store);
	store = NULL;
	hash_free(users);
	users = NULL;
}
