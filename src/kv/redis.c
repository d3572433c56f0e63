/* mod_hiredis: hiredis_raw, a command to a Redis server, and the backend hiredis of limit (redis_limit.c). The words
 * are parted where the configuration or an operator parted them; what came from outside is part of one word, whatever
 * it holds. A profile has connections in order: the first that answers is taken (redis_link.c). */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "core/registry/app_words.h"
#include "core/registry/module.h"
#include "core/run/exec.h"
#include "kv/kv_i.h"
#include "kv/redis_i.h"
#include "text/mark.h"
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { DEPTH_MAX = 8, TIMEOUT_MS = 500 };

static struct hash *profiles;
static unsigned asking;

static void profile_free(void *obj)
{
	struct redis_profile *p = obj;

	role_assert_ctl();
	redis_limit_end(p);
	redis_link_fini(&p->link);
	mem_free(p->name);
}

struct redis_profile *redis_profile_find(const char *name)
{
	return profiles ? hash_get(profiles, sv_of(name)) : NULL;
}

int redis_ask(
    struct redis_profile *p, int count, const char *const *args, const size_t *sizes, redis_reply_fn fn, void *arg)
{
	int st;

	mem_ref(p);
	p->asked++, asking++;
	st = redis_link_ask(&p->link, count, args, sizes, fn, arg);
	asking--;
	p->failed += st != ST_OK;
	if (st && !p->is_failing)
		log_error("hiredis: profile %s: %s; told once until it answers again", p->name,
		    *p->link.why ? p->link.why : status_text(st));
	else if (!st && p->is_failing)
		log_notice("hiredis: profile %s answers again", p->name);
	p->is_failing = st != ST_OK;
	mem_unref(p);
	return st;
}

/* ---- hiredis_raw ---- */

static void reply_put(struct buf *out, const redisReply *r, int depth)
{
	switch (r->type) {
	case REDIS_REPLY_INTEGER:
		buf_printf(out, "%lld", r->integer);
		break;
	case REDIS_REPLY_ERROR:
		buf_printf(out, "-ERR %.*s", (int)r->len, r->str);
		break;
	case REDIS_REPLY_STRING:
	case REDIS_REPLY_STATUS:
		buf_add(out, r->str, (size_t)r->len);
		break;
	case REDIS_REPLY_ARRAY:
		for (size_t i = 0; i < r->elements && depth < DEPTH_MAX; i++) {
			if (i)
				buf_addc(out, '\n');
			reply_put(out, r->element[i], depth + 1);
		}
		break;
	default:
		break; /* nil is nothing */
	}
}

static int on_reply(const redisReply *r, void *arg)
{
	struct buf *out = arg;

	reply_put(out, r, 0);
	return out->failed ? ST_LIMIT : ST_OK;
}

/* All share a connection: what would part commands from their answers, or change it for the others, is not sent. */
static bool is_refused(const char *command)
{
	static const char *const words[] = {"subscribe", "psubscribe", "ssubscribe", "monitor", "sync", "psync",
	    "client", "hello", "reset", "auth", "multi", "select"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcasecmp(command, words[i]))
			return true;
	return false;
}

/* "profile command ...": the words of text, which has marks. ST_INVAL: too few. */
static CO int raw(const char *text, struct buf *out, bool *is_ignored)
{
	struct app_words w;
	struct redis_profile *p;
	struct buf reply;
	size_t sizes[APP_WORDS_MAX];
	int st = app_words_init(&w, text, APP_WORDS_MAX);

	*is_ignored = false;
	if (!st && w.n < 2)
		st = ST_INVAL;
	if (!st && (mark_has(sv_of(w.m[0])) || mark_has(sv_of(w.m[1]))))
		st = ST_DENIED;
	p = st ? NULL : redis_profile_find(w.w[0]);
	if (!st && !p)
		st = ST_NOTFOUND;
	if (!st && is_refused(w.w[1]))
		st = ST_UNSUPPORTED;
	if (!st) {
		buf_init(&reply);
		reply.max = KV_REPLY_MAX_BYTES;
		for (int i = 1; i < w.n; i++)
			sizes[i - 1] = strlen(w.w[i]);
		*is_ignored = p->ignores_failures;
		st = redis_ask(p, w.n - 1, (const char *const *)w.w + 1, sizes, on_reply, &reply);
		if (!st)
			buf_addv(out, buf_sv(&reply));
		buf_fini(&reply);
	}
	app_words_fini(&w);
	return st;
}

static const char *why(int st)
{
	return st == ST_NOTFOUND      ? "there is no such profile"
	       : st == ST_INVAL       ? "usage: <profile> <command>"
	       : st == ST_DENIED      ? "a profile or command named from outside is not used"
	       : st == ST_UNSUPPORTED ? "that command is not for a connection that all share"
	                              : status_text(st);
}

static int api_hiredis_raw(struct api_call *c)
{
	bool is_ignored;
	int st;

	role_assert_co();
	if (c->who)
		return buf_adds(c->out, "-ERR not for everybody\n");
	st = raw(c->text, c->out, &is_ignored);
	if (st == ST_INVAL)
		return buf_adds(c->out, "-USAGE: <profile> <command>\n");
	return st ? buf_printf(c->out, "-ERR %s\n", why(st)) : ST_OK;
}

static int app_hiredis_raw(struct leg *leg, const char *data)
{
	struct buf out;
	bool is_ignored;
	int st;

	role_assert_co();
	buf_init(&out);
	st = raw(leg_exec_text(leg, data ? data : ""), &out, &is_ignored);
	if (st)
		leg_log(leg, is_ignored ? LOG_WARNING : LOG_ERR, "hiredis_raw: %s", why(st));
	leg_var_set_sv(leg, "hiredis_raw_response", buf_sv(&out));
	buf_fini(&out);
	return leg_is_up(leg) ? ST_OK : ST_HANGUP;
}

static ON_CTL void connection_read(struct redis_profile *p, const struct xml_node *node)
{
	struct redis_server *c = &p->link.servers[p->link.server_count];
	int64_t timeout_ms;
	const char *password = config_param(node, "password", NULL);

	if (p->link.server_count == REDIS_SERVERS_MAX) {
		log_error("%s:%u: hiredis: more than %d connections", node->file, node->line, REDIS_SERVERS_MAX);
		return;
	}
	c->host = mem_strdup(config_param(node, "hostname", "localhost"));
	c->password = password && *password ? mem_strdup(password) : NULL;
	c->port = (uint16_t)str_number(config_param(node, "port", "6379"), 1, 65535);
	timeout_ms = str_number(config_param(node, "timeout_ms", "0"), 0, 60000);
	if (timeout_ms <= 0)
		timeout_ms = str_number(config_param(node, "timeout-ms", "0"), 0, 60000);
	c->timeout_us = clock_us_of_ms(timeout_ms > 0 ? timeout_ms : TIMEOUT_MS);
	p->link.server_count++;
}

/* Whoever asks still holds it. */
static void profile_end(void *obj)
{
	struct redis_profile *p = obj;

	role_assert_ctl();
	redis_limit_end(p);
	redis_link_close(&p->link);
	mem_unref(p);
}

static ON_CTL void profile_read(const struct xml_node *node)
{
	struct redis_profile *p = mem_new(sizeof(*p), profile_free, "kv.redis");
	const struct xml_node *params = xml_child(node, "params");

	redis_link_init(&p->link);
	p->name = mem_strdup(xml_attr_or(node, "name", "default"));
	p->ignores_failures = str_is_true(config_param(params, "ignore-connect-fail", "false"));
	p->ignores_errors = str_is_true(config_param(params, "ignore-error", "false"));
	p->deletes_zeros = str_is_true(config_param(params, "delete-when-zero", "false"));
	xml_each(xml_child(node, "connections"), "connection", c) connection_read(p, c);
	if (hash_set(profiles, sv_of(p->name), p))
		mem_unref(p);
}

static int load(void)
{
	const struct xml_node *conf;
	int st;

	role_assert_ctl();
	conf = config_conf("hiredis.conf");
	st = conf ? hash_new(&profiles, HASH_NOCASE, profile_end) : ST_NOTFOUND;
	if (!conf)
		log_error("hiredis: open of hiredis.conf failed");
	if (!st)
		st = redis_limit_load();
	xml_each(st ? NULL : xml_child(conf, "profiles"), "profile", node) profile_read(node);
	return st;
}

static int unload(void)
{
	role_assert_ctl();
	if (asking)
		return ST_BUSY;
	redis_limit_unload();
	hash_free(profiles);
	profiles = NULL;
	return ST_OK;
}

static const struct app_desc apps[] = {
    {"hiredis_raw", "hiredis_raw", "profile cmd", APP_ROUTING_EXEC | APP_NO_MEDIA, app_hiredis_raw},
    {NULL},
};
static const struct api_desc apis[] = {
    {"hiredis_raw", "hiredis_raw", "profile cmd", API_MAY_WAIT, api_hiredis_raw, NULL},
    {NULL},
};
static const struct var_desc vars[] = {
    {"hiredis_raw_response", "text", "what the server of hiredis_raw answered", .is_written = true},
    {"hiredis_limit_exceeded", "bool", "limit of backend hiredis said no", .is_written = true},
    {NULL},
};
static const struct conf_desc confs[] = {
    {"hiredis.conf", "hostname", "text", NULL, "localhost", "profile, connection: the server"},
    {"hiredis.conf", "port", "number", NULL, "6379", "profile, connection: its port"},
    {"hiredis.conf", "password", "text", NULL, "", "profile, connection: its password"},
    {"hiredis.conf", "timeout_ms", "number", "ms", "500",
        "profile, connection: for the connection and each command; also timeout-ms"},
    {"hiredis.conf", "timeout-ms", "number", "ms", "500", "profile, connection: the same"},
    {"hiredis.conf", "ignore-connect-fail", "boolean", NULL, "false",
        "profile: a failure is a warning, no error; limit lets calls through while no server answers"},
    {"hiredis.conf", "ignore-error", "boolean", NULL, "false",
        "profile: limit lets calls through as well when the server answers with an error"},
    {"hiredis.conf", "delete-when-zero", "boolean", NULL, "false", "profile: limit deletes a key whose count is zero"},
    {NULL},
};

extern const struct module mod_hiredis;
const struct module mod_hiredis = {.abi = MODULE_ABI,
    .name = "mod_hiredis",
    .load = load,
    .unload = unload,
    .apps = apps,
    .apis = apis,
    .vars = vars,
    .confs = confs};
