/* Counters of resources that calls use: limit, limit_execute, and the commands that ask. A backend (hash, db) is a
 * table of its own in memory: realm_id -> how many legs hold it, and how many asked in the interval. A leg's holdings
 * hang in a list by its uuid and go when it hangs up, or begins another dialplan (unless limit_ignore_transfer is
 * true). */
#include "apps/apps_i.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "core/registry/app_words.h"
#include "core/registry/limits.h"
#include "core/run/exec.h"
#include "core/value/cause.h"
#include "core/value/self.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ITEMS_MAX = 1000000, BACKEND_COUNT = 2 };
struct item {
	char *key;
	uint32_t usage, rate;
	uint32_t holders; /* as usage, which limit_reset may put back to 0 */
	int64_t interval_s, checked_s;
};
struct holding { /* one resource held by a leg */
	struct holding *next;
	unsigned backend;
	struct item *item;
};
static const char *const backend_names[BACKEND_COUNT] = {"hash", "db"};
static struct hash *items[BACKEND_COUNT], *holdings; /* of keys; uuid -> struct holding */

static void item_free(void *p)
{
	struct item *item = p;
	mem_free(item->key);
	mem_free(item);
}

static int backend_find(const char *name)
{
	for (int i = 0; name && i < BACKEND_COUNT; i++)
		if (!strcasecmp(name, backend_names[i]))
			return i;
	return -1;
}

static char *key_make(const char *realm, const char *id)
{
	struct buf b;
	buf_init(&b);
	buf_printf(&b, "%s_%s", realm, id);
	return buf_take(&b);
}

static void item_drop_if_idle(unsigned backend, struct item *item) ON_CTL
{
	if (!item->holders && !item->interval_s)
		hash_del(items[backend], sv_of(item->key));
}

static struct item *item_get(unsigned backend, const char *key) ON_CTL
{
	struct item *item = hash_get(items[backend], sv_of(key));

	if (item || hash_count(items[backend]) >= ITEMS_MAX || !(item = mem_zalloc(sizeof(*item))))
		return item;
	item->key = mem_strdup(key);
	if (!item->key || hash_set(items[backend], sv_of(key), item)) {
		item_free(item);
		return NULL;
	}
	return item;
}

static void release_at(struct holding **at) ON_CTL
{
	struct holding *h = *at;

	*at = h->next;
	h->item->holders--;
	if (h->item->usage)
		h->item->usage--;
	item_drop_if_idle(h->backend, h->item);
	mem_free(h);
}

/* Lets go of what the leg holds: one resource, or all when item is NULL. */
static void release(struct leg *leg, const struct item *item) ON_CTL
{
	struct holding *first = holdings ? hash_take(holdings, sv_of(leg->uuid)) : NULL, **at = &first;

	while (*at)
		if (!item || (*at)->item == item)
			release_at(at);
		else
			at = &(*at)->next;
	if (first && hash_set(holdings, sv_of(leg->uuid), first))
		while (first)
			release_at(&first);
}

static bool holds(const struct leg *leg, const struct item *item) ON_CTL
{
	for (const struct holding *h = hash_get(holdings, sv_of(leg->uuid)); h; h = h->next)
		if (h->item == item)
			return true;
	return false;
}

static int hold(struct leg *leg, unsigned backend, struct item *item) ON_CTL
{
	struct holding *h = mem_zalloc(sizeof(*h)), *first = hash_take(holdings, sv_of(leg->uuid));

	if (h) {
		h->backend = backend, h->item = item, h->next = first;
		first = h;
		item->usage++;
		item->holders++;
	}
	if (first && hash_set(holdings, sv_of(leg->uuid), first)) {
		while (first)
			release_at(&first);
		return ST_NOMEM;
	}
	return h ? ST_OK : ST_NOMEM;
}

static void tell(
    struct leg *leg, unsigned backend, const char *realm, const char *id, const struct item *item, int64_t max) ON_CTL
{
	struct event *e;
	struct buf b;

	leg_var_setf(leg, "limit_usage", "%" PRIu32, item->usage);
	leg_var_setf(leg, "limit_rate", "%" PRIu32, item->rate);
	buf_init(&b);
	buf_printf(&b, "limit_usage_%s", item->key);
	leg_var_setf(leg, b.p, "%" PRIu32, item->usage);
	buf_clear(&b);
	buf_printf(&b, "limit_rate_%s", item->key);
	leg_var_setf(leg, b.p, "%" PRIu32, item->rate);
	buf_fini(&b);
	if (!event_is_wanted(EVENT_CUSTOM, "limit::usage") || !(e = event_new(EVENT_CUSTOM, "limit::usage")))
		return;
	event_add(e, "backend", backend_names[backend]);
	event_add(e, "realm", realm);
	event_add(e, "key", id);
	event_addf(e, "usage", "%" PRIu32, item->usage);
	event_addf(e, "rate", "%" PRIu32, item->rate);
	event_addf(e, "max", "%" PRIi64, max);
	event_addf(e, "ratemax", "%" PRIi64, max < 0 ? 0 : max);
	event_fire(e);
}

/* max < 0: only counted. ST_LIMIT: used up. */
static int take(struct leg *leg, unsigned backend, const char *realm, const char *id, int64_t max, int64_t interval_s)
    ON_CTL
{
	char *key = key_make(realm, id);
	struct item *item = item_get(backend, key);
	int64_t now_s = clock_wall_us() / 1000000;
	bool is_new;
	int st = ST_OK;

	mem_free(key);
	if (!item)
		return ST_FULL;
	is_new = !holds(leg, item);
	if (interval_s > 0) {
		item->interval_s = interval_s;
		if (item->checked_s <= now_s - interval_s) {
			item->rate = 1;
			item->checked_s = now_s;
		} else {
			item->rate++;
			if (max >= 0 && item->rate > max) {
				leg_log(leg, LOG_INFO,
				    "Usage for %s exceeds maximum rate of %" PRIi64 "/%" PRIi64 "s, now at %" PRIu32,
				    item->key, max, interval_s, item->rate);
				return ST_LIMIT;
			}
		}
	} else if (max >= 0 && (int64_t)item->usage + is_new > max) {
		leg_log(leg, LOG_INFO, "Usage for %s is already at max value (%" PRIi64 ")", item->key, max);
		item_drop_if_idle(backend, item);
		return ST_LIMIT;
	}
	if (is_new)
		st = hold(leg, backend, item);
	if (st == ST_OK) {
		leg_log(leg, LOG_INFO, "Usage for %s is now %" PRIu32, item->key, item->usage);
		tell(leg, backend, realm, id, item, max);
	}
	return st;
}

/* ---- applications ---- */

/* max[/interval]; a leading '-' or nothing: only counted */
static void max_parse(const char *text, int64_t *max, int64_t *interval_s)
{
	const char *slash = text ? strchr(text, '/') : NULL;

	*max = text && *text && *text != '-' ? strtol(text, NULL, 10) : -1;
	*interval_s = slash ? str_number(slash + 1, 0, INT32_MAX) : 0;
	if (*interval_s < 0)
		*interval_s = 0;
}

/* realm id [max[/interval]] [exten [dialplan [context]]] */
static int limit_words(struct leg *leg, const char *backend_name, char *const *w, char *const *m) ON_CTL
{
	int backend = backend_find(backend_name), st;
	int64_t max, interval_s;
	const char *exten = m[3] ? m[3] : "limit_exceeded";

	if (backend < 0) {
		leg_log(leg, LOG_ERR, "limit: there is no backend '%s'", backend_name);
		return ST_INVAL;
	}
	max_parse(w[2], &max, &interval_s);
	st = take(leg, (unsigned)backend, w[0], w[1], max, interval_s);
	if (st == ST_OK)
		return ST_OK;
	if (*exten == '!')
		leg_hangup(leg, exten[1] ? cause_parse(exten + 1) : CAUSE_NORMAL_CLEARING);
	else
		leg_transfer(leg, exten, m[3] ? m[4] : NULL, m[3] && m[4] ? m[5] : NULL);
	return leg_is_up(leg) ? ST_OK : ST_HANGUP;
}

static CO int limit_app(struct leg *leg, const char *data, bool has_backend, const char *usage)
{
	struct app_words w;
	int first = has_backend ? 1 : 0, st = app_words_init(&w, leg_exec_text(leg, data), 6 + first);

	if (!st && w.n < 2 + first) {
		leg_log(leg, LOG_ERR, "usage: %s", usage);
		st = ST_INVAL;
	}
	if (!st)
		st = limit_words(leg, has_backend ? w.w[0] : "hash", w.w + first, w.m + first);
	app_words_fini(&w);
	return st;
}

/* realm id max[/interval] app [args] */
static CO int execute_app(struct leg *leg, const char *data, bool has_backend, const char *usage)
{
	struct app_words w;
	int first = has_backend ? 1 : 0, backend, st = app_words_init(&w, leg_exec_text(leg, data), 5 + first);
	int64_t max, interval_s;
	struct item *item;
	char *key;

	backend = backend_find(has_backend ? w.w[0] : "hash");
	if (!st && (w.n < 4 + first || backend < 0)) {
		leg_log(leg, LOG_ERR, "usage: %s", usage);
		st = ST_INVAL;
	}
	if (st)
		goto out;
	max_parse(w.w[first + 2], &max, &interval_s);
	if (take(leg, (unsigned)backend, w.w[first], w.w[first + 1], max, interval_s))
		goto out; /* over the limit: the dialplan goes on */
	(void)leg_exec_app(leg, w.m[first + 3], w.m[first + 4] ? w.m[first + 4] : "");
	key = key_make(w.w[first], w.w[first + 1]);
	item = holdings ? hash_get(items[backend], sv_of(key)) : NULL;
	if (item && leg_is_up(leg))
		release(leg, item);
	mem_free(key);
	st = leg_is_up(leg) ? ST_OK : ST_HANGUP;
out:
	app_words_fini(&w);
	return st;
}

#define LIMIT_SYNTAX "<realm> <id> [<max>[/interval]] [number [dialplan [context]]]"
#define EXECUTE_SYNTAX "<realm> <id> <max>[/interval] <application> [application arguments]"

int app_limit(struct leg *leg, const char *data)
{
	role_assert_co();
	return limit_app(leg, data, true, "<backend> " LIMIT_SYNTAX);
}

int app_limit_hash(struct leg *leg, const char *data)
{
	role_assert_co();
	return limit_app(leg, data, false, LIMIT_SYNTAX);
}

int app_limit_execute(struct leg *leg, const char *data)
{
	role_assert_co();
	return execute_app(leg, data, true, "<backend> " EXECUTE_SYNTAX);
}

int app_limit_hash_execute(struct leg *leg, const char *data)
{
	role_assert_co();
	return execute_app(leg, data, false, EXECUTE_SYNTAX);
}

/* ---- commands ---- */

static int usage_of(struct api_call *c, const char *backend_name, const char *realm, const char *id, bool is_rate)
    ON_CTL
{
	int backend = backend_find(backend_name);
	char *key = key_make(realm, id);
	const struct item *item = backend < 0 ? NULL : hash_get(items[backend], sv_of(key));

	mem_free(key);
	return buf_printf(c->out, "%" PRIu32, !item ? 0 : is_rate ? item->rate : item->usage);
}

int api_limit_usage(struct api_call *c)
{
	struct app_words w;
	int st = app_words_init(&w, c->text, 4);

	role_assert_ctl();
	if (!st && w.n == 2) /* without a backend: the table of db */
		st = usage_of(c, "db", w.w[0], w.w[1], false);
	else if (!st)
		st = w.n < 3 ? buf_adds(c->out, "USAGE: limit_usage <backend> <realm> <id> [rate]\n")
		             : usage_of(c, w.w[0], w.w[1], w.w[2], w.n > 3 && !strcasecmp(w.w[3], "rate"));
	app_words_fini(&w);
	return st;
}

int api_limit_hash_usage(struct api_call *c)
{
	struct app_words w;
	int st = app_words_init(&w, c->text, 3);

	role_assert_ctl();
	if (!st && w.n == 1) /* one word is the realm of limit_usage without a backend */
		st = usage_of(c, "db", "hash", w.w[0], false);
	else if (!st)
		st = w.n < 1 ? buf_adds(c->out, "USAGE: limit_hash_usage <realm> <id> [rate] "
		                                "(Using deprecated limit api, check limit_usage with backend param)\n")
		             : usage_of(c, "hash", w.w[0], w.w[1], w.n > 2 && !strcasecmp(w.w[2], "rate"));
	app_words_fini(&w);
	return st;
}

/* uuid backend realm id [max[/interval]] [exten [dialplan [context]]] */
int api_uuid_limit(struct api_call *c)
{
	struct app_words w;
	struct leg *leg;
	int st = app_words_init(&w, c->text, 8);

	role_assert_ctl();
	if (st)
		goto out;
	if (w.n < 4)
		buf_adds(c->out,
		    "USAGE: uuid_limit <uuid> <backend> <realm> <resource> [<max>[/interval]] [number [dialplan "
		    "[context]]]\n");
	else if (!(leg = leg_find(w.w[0])))
		buf_printf(c->out, "-ERR Cannot find session with uuid %s\n", w.w[0]);
	else
		buf_adds(c->out, limit_words(leg, w.w[1], w.w + 2, w.m + 2) ? "-ERR" : "+OK");
out:
	app_words_fini(&w);
	return st;
}

/* uuid backend [realm] [id] */
int api_uuid_limit_release(struct api_call *c)
{
	struct app_words w;
	struct leg *leg;
	int backend, st = app_words_init(&w, c->text, 4);

	role_assert_ctl();
	if (st)
		goto out;
	backend = backend_find(w.w[1]);
	if (w.n < 2) {
		buf_adds(c->out, "USAGE: uuid_limit_release <uuid> <backend> [realm] [resource]\n");
	} else if (!(leg = leg_find(w.w[0]))) {
		buf_printf(c->out, "-ERR Cannot find session with uuid %s\n", w.w[0]);
	} else if (backend < 0) {
		buf_adds(c->out, "-ERR");
	} else {
		char *key = w.n > 3 ? key_make(w.w[2], w.w[3]) : NULL;
		const struct item *item = key ? hash_get(items[backend], sv_of(key)) : NULL;
		if (item || !key)
			release(leg, item);
		mem_free(key);
		buf_adds(c->out, "+OK");
	}
out:
	app_words_fini(&w);
	return st;
}

/* Only db can be reset in FreeSWITCH; what is held then counts no more. */
int api_limit_reset(struct api_call *c)
{
	struct hash_it it = {0};
	int backend = backend_find(c->args);

	role_assert_ctl();
	if (!*c->args)
		return buf_adds(c->out, "USAGE: limit_reset <backend>\n");
	if (backend != 1)
		return buf_adds(c->out, "-ERR");
	while (hash_next(items[backend], &it))
		((struct item *)it.value)->usage = 0;
	return buf_adds(c->out, "+OK");
}

int api_limit_interval_reset(struct api_call *c)
{
	struct app_words w;
	struct item *item;
	int st = app_words_init(&w, c->text, 3), backend = backend_find(w.w[0]);

	role_assert_ctl();
	if (!st && w.n < 3) {
		st = buf_adds(c->out, "USAGE: limit_interval_reset <backend> <realm> <resource>\n");
	} else if (!st) {
		char *key = key_make(w.w[1], w.w[2]);
		item = backend < 0 ? NULL : hash_get(items[backend], sv_of(key));
		if (item)
			item->rate = 0, item->checked_s = 0;
		mem_free(key);
		st = buf_adds(c->out, backend < 0 ? "-ERR" : "+OK");
	}
	app_words_fini(&w);
	return st;
}

int api_limit_status(struct api_call *c)
{
	int backend = backend_find(c->args);

	role_assert_ctl();
	if (!*c->args)
		return buf_adds(c->out, "USAGE: limit_status <backend>\n");
	if (backend == 0)
		return buf_adds(c->out, "-ERR not supported yet (locking problems).");
	if (backend < 0)
		return buf_adds(c->out, "-ERR");
	return buf_printf(
	    c->out, "Tracking %zu resources for hostname %s.", hash_count(items[backend]), core_hostname());
}

/* ---- life ---- */

static void on_routing(struct leg *leg, void *arg)
{
	role_assert_ctl();
	if (hash_get(holdings, sv_of(leg->uuid)) && !leg_var_is_true(leg, "limit_ignore_transfer"))
		release(leg, NULL);
}

static void on_hangup(struct leg *leg, void *arg)
{
	role_assert_ctl();
	release(leg, NULL);
}

/* hash_dump limit, in the form that FreeSWITCH's switches hand each other. */
static void dump(struct sv realm, struct buf *out)
{
	struct hash_it it = {0};

	role_assert_ctl();
	while (hash_next(items[0], &it)) {
		const struct item *item = it.value;
		if (!realm.n || sv_starts(it.key, realm))
			buf_printf(out, "L/%s/%" PRIu32 "/%" PRIu32 "/%lld/%lld\n", item->key, item->usage, item->rate,
			    (long long)item->interval_s, (long long)item->checked_s);
	}
}

int limit_load(void)
{
	int st = hash_new(&holdings, 0, NULL);

	for (int i = 0; i < BACKEND_COUNT && st == ST_OK; i++)
		st = hash_new(&items[i], 0, item_free);
	if (st == ST_OK)
		st = leg_hook_add(LEG_HOOK_ROUTING, on_routing, NULL);
	if (st == ST_OK)
		st = leg_hook_add(LEG_HOOK_HANGUP, on_hangup, NULL);
	if (st == ST_OK)
		limits_dump_set(dump);
	return st;
}

void limit_unload(void)
{
	struct hash_it it = {0};

	limits_dump_set(NULL);
	leg_hook_del(LEG_HOOK_ROUTING, on_routing, NULL);
	leg_hook_del(LEG_HOOK_HANGUP, on_hangup, NULL);
	while (holdings && hash_next(holdings, &it))
		for (struct holding *h = it.value, *next; h; h = next) {
			next = h->next;
			mem_free(h);
		}
	hash_free(holdings);
	holdings = NULL;
	for (int i = 0; i < BACKEND_COUNT; i++) {
		hash_free(items[i]);
		items[i] = NULL;
	}
}
