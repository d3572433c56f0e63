/* Counters of resources that calls use: limit, limit_execute, and the commands that ask. A backend (hash, db:
 * limit_i.h; hiredis: another room's, which has to ask) counts by key, realm_id. What a leg holds hangs in a list by
 * its uuid and goes when it hangs up, or begins another dialplan (unless limit_ignore_transfer is true). */
#include "apps/apps_i.h"
#include "apps/limit_i.h"
#include "base/check.h"
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

/* The first is what limit_hash means. */
static struct limit_backend backends[] = {
    {.name = "hash", .ops = &limit_table_ops},
    {.name = "db", .ops = &limit_table_ops, .has_reset = true, .has_status = true},
    {.name = "hiredis", .is_far = true},
};
struct holding { /* one resource held by a leg */
	struct holding *next;
	struct limit_backend *backend;
	size_t realm_chars; /* of the key: realm_id */
	char key[];
};
static struct hash *holdings; /* uuid -> struct holding */

static ON_CTL struct limit_backend *backend_find(const char *name)
{
	for (size_t i = 0; name && i < ARRAY_COUNT(backends); i++)
		if (!strcasecmp(name, backends[i].name))
			return !backends[i].is_far || limits_far_find(name) ? &backends[i] : NULL;
	return NULL;
}

static char *key_make(const char *realm, const char *id)
{
	struct buf b;
	buf_init(&b);
	buf_printf(&b, "%s_%s", realm, id);
	return buf_take(&b);
}

static ON_CTL void give(struct limit_backend *backend, const char *key, size_t realm_chars)
{
	const struct limit_far *far = backend->is_far ? limits_far_find(backend->name) : NULL;
	struct sv all = sv_of(key);

	if (!backend->is_far)
		backend->ops->give(backend, key);
	else if (far)
		far->give(sv_sub(all, 0, realm_chars), sv_sub(all, realm_chars + 1, SIZE_MAX));
}

static ON_CTL void release_at(struct holding **at)
{
	struct holding *h = *at;

	*at = h->next;
	give(h->backend, h->key, h->realm_chars);
	mem_free(h);
}

static bool is_of(const struct holding *h, const struct limit_backend *backend, const char *key)
{
	return h->backend == backend && !strcmp(h->key, key);
}

/* Lets go of what the leg holds: one resource, or all when key is NULL. */
static ON_CTL void release(struct leg *leg, const struct limit_backend *backend, const char *key)
{
	struct holding *first = holdings ? hash_take(holdings, sv_of(leg->uuid)) : NULL, **at = &first;

	while (*at)
		if (!key || is_of(*at, backend, key))
			release_at(at);
		else
			at = &(*at)->next;
	if (first && hash_set(holdings, sv_of(leg->uuid), first))
		while (first)
			release_at(&first);
}

static ON_CTL bool holds(const struct leg *leg, const struct limit_backend *backend, const char *key)
{
	for (const struct holding *h = hash_get(holdings, sv_of(leg->uuid)); h; h = h->next)
		if (is_of(h, backend, key))
			return true;
	return false;
}

/* What the backend has counted for the leg; ST_NOMEM: it is given back. */
static ON_CTL int hold(struct leg *leg, struct limit_backend *backend, const char *key, size_t realm_chars)
{
	struct holding *h = mem_alloc(sizeof(*h) + strlen(key) + 1), *first;

	if (!h) {
		give(backend, key, realm_chars);
		return ST_NOMEM;
	}
	first = hash_take(holdings, sv_of(leg->uuid));
	h->backend = backend, h->realm_chars = realm_chars, h->next = first;
	strcpy(h->key, key);
	first = h;
	if (hash_set(holdings, sv_of(leg->uuid), first)) {
		while (first)
			release_at(&first);
		return ST_NOMEM;
	}
	return ST_OK;
}

static ON_CTL void tell(struct leg *leg, const struct limit_backend *backend, const char *realm, const char *id,
    const struct limit_ask *ask, const struct limit_use *use)
{
	struct event *e;
	struct buf b;

	leg_var_setf(leg, "limit_usage", "%" PRIu32, use->usage);
	leg_var_setf(leg, "limit_rate", "%" PRIu32, use->rate);
	buf_init(&b);
	buf_printf(&b, "limit_usage_%s", ask->key);
	leg_var_setf(leg, b.p, "%" PRIu32, use->usage);
	buf_clear(&b);
	buf_printf(&b, "limit_rate_%s", ask->key);
	leg_var_setf(leg, b.p, "%" PRIu32, use->rate);
	buf_fini(&b);
	if (!event_is_wanted(EVENT_CUSTOM, "limit::usage") || !(e = event_new(EVENT_CUSTOM, "limit::usage")))
		return;
	event_add(e, "backend", backend->name);
	event_add(e, "realm", realm);
	event_add(e, "key", id);
	event_addf(e, "usage", "%" PRIu32, use->usage);
	event_addf(e, "rate", "%" PRIu32, use->rate);
	event_addf(e, "max", "%" PRIi64, ask->max);
	event_addf(e, "ratemax", "%" PRIi64, ask->max < 0 ? 0 : ask->max);
	event_fire(e);
}

static ON_CTL void tell_refusal(struct leg *leg, const struct limit_ask *ask, const struct limit_use *use)
{
	if (ask->interval_s > 0)
		leg_log(leg, LOG_INFO, "Usage for %s exceeds maximum rate of %" PRIi64 "/%" PRIi64 "s, now at %" PRIu32,
		    ask->key, ask->max, ask->interval_s, use->rate);
	else
		leg_log(leg, LOG_INFO, "Usage for %s is already at max value (%" PRIi64 ")", ask->key, ask->max);
}

/* Of a backend that has to ask. The leg may have ended meanwhile: then it holds nothing. */
static CO int far_take(struct leg *leg, const struct limit_backend *backend, const char *realm, const char *id,
    const struct limit_ask *ask, struct limit_use *use, bool *is_counted)
{
	const struct limit_far *far = limits_far_find(backend->name);
	uint32_t count = 0;
	const struct limit_far_ask q = {ask->max, ask->interval_s, ask->is_held};
	int st;

	*is_counted = false;
	if (!far) /* its module has gone */
		return ST_CLOSED;
	mem_ref(leg);
	st = far->take(leg, realm, id, &q, &count, is_counted);

	*use = (struct limit_use){ask->interval_s ? 0 : count, ask->interval_s ? count : 0};
	if (st == ST_OK && !leg_is_up(leg)) {
		if (*is_counted && (far = limits_far_find(backend->name)))
			far->give(sv_of(realm), sv_of(id));
		st = ST_HANGUP;
	}
	mem_unref(leg);
	return st;
}

/* max < 0: only counted. ST_LIMIT: used up. */
static CO int take(
    struct leg *leg, struct limit_backend *backend, const char *realm, const char *id, int64_t max, int64_t interval_s)
{
	char *key = key_make(realm, id);
	struct limit_ask ask = {key, max, interval_s, key && holds(leg, backend, key)};
	struct limit_use use = {0};
	bool is_counted = !ask.is_held;
	int st = !key              ? ST_NOMEM
	         : backend->is_far ? far_take(leg, backend, realm, id, &ask, &use, &is_counted)
	                           : backend->ops->take(backend, &ask, &use);

	if (st == ST_LIMIT)
		tell_refusal(leg, &ask, &use);
	else if (st == ST_OK && is_counted)
		st = hold(leg, backend, key, strlen(realm));
	if (st == ST_OK) {
		leg_log(leg, LOG_INFO, "Usage for %s is now %" PRIu32, key, use.usage);
		tell(leg, backend, realm, id, &ask, &use);
	}
	mem_free(key);
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
static CO int limit_words(struct leg *leg, const char *backend_name, char *const *w, char *const *m)
{
	struct limit_backend *backend = backend_find(backend_name);
	int64_t max, interval_s;
	int st;
	const char *exten = m[3] ? m[3] : "limit_exceeded";

	if (!backend) {
		leg_log(leg, LOG_ERR, "limit: there is no backend '%s'", backend_name);
		return ST_INVAL;
	}
	max_parse(w[2], &max, &interval_s);
	st = take(leg, backend, w[0], w[1], max, interval_s);
	if (st == ST_OK)
		return ST_OK;
	if (!leg_is_up(leg))
		return ST_HANGUP;
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
	int first = has_backend ? 1 : 0, st = app_words_init(&w, leg_exec_text(leg, data), 5 + first);
	struct limit_backend *backend;
	int64_t max, interval_s;
	char *key;

	backend = backend_find(has_backend ? w.w[0] : "hash");
	if (!st && (w.n < 4 + first || !backend)) {
		leg_log(leg, LOG_ERR, "usage: %s", usage);
		st = ST_INVAL;
	}
	if (st)
		goto out;
	max_parse(w.w[first + 2], &max, &interval_s);
	if (take(leg, backend, w.w[first], w.w[first + 1], max, interval_s))
		goto out; /* over the limit: the dialplan goes on */
	(void)leg_exec_app(leg, w.m[first + 3], w.m[first + 4] ? w.m[first + 4] : "");
	key = key_make(w.w[first], w.w[first + 1]);
	if (key && leg_is_up(leg))
		release(leg, backend, key);
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

static CO int usage_of(struct api_call *c, const char *backend_name, const char *realm, const char *id, bool is_rate)
{
	struct limit_backend *backend = backend_find(backend_name);
	char *key = key_make(realm, id);
	struct limit_use use = {0};

	if (backend && backend->is_far) {
		const struct limit_far *far = limits_far_find(backend->name);
		if (!far || far->find(realm, id, &use.usage)) {
			mem_free(key);
			return buf_adds(c->out, "-1"); /* as FreeSWITCH's hiredis when nobody answers */
		}
		use.rate = use.usage;
	} else if (backend && key) {
		backend->ops->find(backend, key, &use);
	}
	mem_free(key);
	return buf_printf(c->out, "%" PRIu32, is_rate ? use.rate : use.usage);
}

int api_limit_usage(struct api_call *c)
{
	struct app_words w;
	int st = app_words_init(&w, c->text, 4);

	role_assert_co();
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

	role_assert_co();
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

	role_assert_co();
	if (st)
		goto out;
	if (w.n < 4)
		buf_adds(c->out,
		    "USAGE: uuid_limit <uuid> <backend> <realm> <resource> [<max>[/interval]] [number [dialplan "
		    "[context]]]\n");
	else if (!(leg = leg_find(w.w[0])))
		buf_printf(c->out, "-ERR Cannot find session with uuid %s\n", w.w[0]);
	else {
		mem_ref(leg);
		buf_adds(c->out, limit_words(leg, w.w[1], w.w + 2, w.m + 2) ? "-ERR" : "+OK");
		mem_unref(leg);
	}
out:
	app_words_fini(&w);
	return st;
}

/* uuid backend [realm] [id] */
int api_uuid_limit_release(struct api_call *c)
{
	struct app_words w;
	struct leg *leg;
	struct limit_backend *backend;
	int st = app_words_init(&w, c->text, 4);

	role_assert_ctl();
	if (st)
		goto out;
	backend = backend_find(w.w[1]);
	if (w.n < 2) {
		buf_adds(c->out, "USAGE: uuid_limit_release <uuid> <backend> [realm] [resource]\n");
	} else if (!(leg = leg_find(w.w[0]))) {
		buf_printf(c->out, "-ERR Cannot find session with uuid %s\n", w.w[0]);
	} else if (!backend) {
		buf_adds(c->out, "-ERR");
	} else {
		char *key = w.n > 3 ? key_make(w.w[2], w.w[3]) : NULL;
		if (key || w.n <= 3)
			release(leg, backend, key);
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
	struct limit_backend *backend;

	role_assert_ctl();
	backend = backend_find(c->args);
	if (!*c->args)
		return buf_adds(c->out, "USAGE: limit_reset <backend>\n");
	if (!backend || !backend->has_reset)
		return buf_adds(c->out, "-ERR");
	backend->ops->reset(backend);
	return buf_adds(c->out, "+OK");
}

int api_limit_interval_reset(struct api_call *c)
{
	struct app_words w;
	struct limit_backend *backend;
	int st = app_words_init(&w, c->text, 3);

	role_assert_ctl();
	backend = backend_find(w.w[0]);
	if (!st && w.n < 3) {
		st = buf_adds(c->out, "USAGE: limit_interval_reset <backend> <realm> <resource>\n");
	} else if (!st) {
		char *key = key_make(w.w[1], w.w[2]);
		bool is_done = backend && !backend->is_far;
		if (is_done && key)
			backend->ops->interval_reset(backend, key);
		mem_free(key);
		st = buf_adds(c->out, is_done ? "+OK" : "-ERR");
	}
	app_words_fini(&w);
	return st;
}

int api_limit_status(struct api_call *c)
{
	struct limit_backend *backend;

	role_assert_ctl();
	backend = backend_find(c->args);
	if (!*c->args)
		return buf_adds(c->out, "USAGE: limit_status <backend>\n");
	if (!backend)
		return buf_adds(c->out, "-ERR");
	if (backend->is_far)
		return buf_adds(c->out, "-ERR not supported");
	if (!backend->has_status)
		return buf_adds(c->out, "-ERR not supported yet (locking problems).");
	return buf_printf(
	    c->out, "Tracking %zu resources for hostname %s.", backend->ops->count(backend), core_hostname());
}

/* ---- life ---- */

static void on_routing(struct leg *leg, void *arg)
{
	role_assert_ctl();
	if (hash_get(holdings, sv_of(leg->uuid)) && !leg_var_is_true(leg, "limit_ignore_transfer"))
		release(leg, NULL, NULL);
}

static void on_hangup(struct leg *leg, void *arg)
{
	role_assert_ctl();
	release(leg, NULL, NULL);
}

/* hash_dump limit */
static void dump(struct sv realm, struct buf *out)
{
	role_assert_ctl();
	backends[0].ops->dump(&backends[0], realm, out);
}

int limit_load(void)
{
	int st = hash_new(&holdings, 0, NULL);

	for (size_t i = 0; i < ARRAY_COUNT(backends) && st == ST_OK; i++)
		st = backends[i].is_far ? ST_OK : backends[i].ops->load(&backends[i]);
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
	for (size_t i = 0; i < ARRAY_COUNT(backends); i++)
		if (!backends[i].is_far)
			backends[i].ops->unload(&backends[i]);
}
