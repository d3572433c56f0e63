/* mod_hiredis: hiredis_raw, a command to a Redis server, by libhiredis on workers. The words are parted where the
 * configuration or an operator parted them; what came from outside is part of one word, whatever it holds. A profile
 * has connections in order: the first that answers is taken; one server that is silent costs its timeout once a second.
 */
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "core/registry/app_words.h"
#include "core/registry/module.h"
#include "core/run/exec.h"
#include "kv/kv_i.h"
#include "loop/co.h"
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { CONNECTIONS_MAX = 8, RUNNING_MAX = 50, ALONE_US = 1000000, DEPTH_MAX = 8, TIMEOUT_MS = 500 };

struct connection {
	char *host, *password;
	uint16_t port;
	int64_t timeout_ms;
	_Atomic int64_t left_alone_until_us; /* a worker's failure; read by others */
};
struct profile { /* counted, atomically: jobs hold it */
	char *name;
	struct connection connections[CONNECTIONS_MAX];
	unsigned connection_count;
	/* control's */
	void *idle; /* redisContext */
	unsigned idle_place, running;
	bool is_failing, ignores_failures;
	uint64_t asked, failed;
};
static struct hash *profiles;
static unsigned asking;

static void profile_free(void *obj)
{
	struct profile *p = obj;

	if (p->idle)
		redisFree(p->idle);
	for (unsigned i = 0; i < p->connection_count; i++)
		mem_free(p->connections[i].host), mem_free(p->connections[i].password);
	mem_free(p->name);
}

/* ---- on a worker ---- */

static int connection_open(struct connection *c, redisContext **out, char error[200])
{
	struct timeval t = {
	    .tv_sec = (time_t)(c->timeout_ms / 1000), .tv_usec = (suseconds_t)(c->timeout_ms % 1000 * 1000)};
	redisContext *r = redisConnectWithTimeout(c->host, c->port, t);
	redisReply *reply = NULL;
	int st = !r || r->err || redisSetTimeout(r, t) ? ST_IO : ST_OK;

	if (!st && c->password) {
		reply = redisCommand(r, "AUTH %s", c->password);
		if (!reply || reply->type == REDIS_REPLY_ERROR)
			st = reply ? ST_DENIED : ST_IO;
	}
	if (st)
		snprintf(error, 200, "%s:%u: %s", c->host, c->port,
		    reply         ? reply->str
		    : r && r->err ? r->errstr
		                  : "no connection");
	if (reply)
		freeReplyObject(reply);
	if (st && r)
		redisFree(r);
	else
		*out = r;
	return st;
}

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

static int try_one(struct kv_job *j, struct connection *c, redisContext **r)
{
	redisReply *reply;
	bool was_used = *r != NULL;
	int st = ST_OK;

	for (int i = 0; i < 2; i++) {
		if (!*r)
			st = connection_open(c, r, j->error);
		reply = st ? NULL : redisCommandArgv(*r, j->count, j->args, j->sizes);
		if (reply) {
			reply_put(&j->out, reply, 0);
			freeReplyObject(reply);
			return j->out.failed ? ST_LIMIT : ST_OK;
		}
		if (*r) {
			bool is_closed = (*r)->err == REDIS_ERR_EOF;
			snprintf(j->error, sizeof(j->error), "%s:%u: %s", c->host, c->port, (*r)->errstr);
			redisFree(*r);
			*r = NULL;
			st = ST_IO;
			if (was_used && is_closed && !i) { /* it had been closed meanwhile: once more */
				st = ST_OK;
				continue;
			}
		}
		break;
	}
	return st ? st : ST_IO;
}

static void run(void *arg)
{
	struct kv_job *j = arg;
	struct profile *p = (struct profile *)j->where;
	redisContext *r = j->connection;

	role_assert_work();
	j->connection = NULL;
	j->status = ST_BUSY;
	j->out.max = KV_REPLY_MAX_BYTES;
	for (unsigned i = 0; i < p->connection_count; i++) {
		struct connection *c = &p->connections[i];
		if (r && i != j->place) /* what is connected is asked first */
			continue;
		if (!r && clock_mono_us() < c->left_alone_until_us)
			continue;
		j->status = try_one(j, c, &r);
		if (!j->status || j->status == ST_LIMIT) {
			j->connection = r;
			j->place = i;
			return;
		}
		c->left_alone_until_us = clock_mono_us() + ALONE_US;
	}
}

/* ---- control ---- */

static void close_run(void *arg)
{
	role_assert_work();
	redisFree(arg);
}

static CO int ask(struct profile *p, struct kv_job *j)
{
	int st;

	p->asked++;
	if (p->running >= RUNNING_MAX)
		return ST_LIMIT;
	mem_ref(p);
	p->running++, asking++;
	j->where = p;
	j->connection = p->idle, j->place = p->idle_place;
	p->idle = NULL;
	st = co_work(WORK_DB, "redis", run, j);
	if (!st)
		st = j->status;
	if (j->connection && !p->idle)
		p->idle = j->connection, p->idle_place = j->place;
	else if (j->connection && work_submit(WORK_DB, "redis close", close_run, NULL, j->connection))
		redisFree(j->connection);
	p->failed += st != ST_OK;
	if (st && !p->is_failing)
		log_error("hiredis: profile %s: %s; told once until it answers again", p->name,
		    *j->error ? j->error : status_text(st));
	else if (!st && p->is_failing)
		log_notice("hiredis: profile %s answers again", p->name);
	p->is_failing = st != ST_OK;
	p->running--, asking--;
	mem_unref(p);
	return st;
}

/* "profile command ...": the words of text, which has marks. ST_INVAL: too few. */
static CO int raw(const char *text, struct buf *out, bool *is_ignored)
{
	struct app_words w;
	struct kv_job *j;
	struct profile *p;
	int st = app_words_init(&w, text, APP_WORDS_MAX);

	*is_ignored = false;
	if (!st && w.n < 2)
		st = ST_INVAL;
	p = st ? NULL : hash_get(profiles, sv_of(w.w[0]));
	if (!st && !p)
		st = ST_NOTFOUND;
	j = st ? NULL : mem_zalloc(sizeof(*j));
	if (j) {
		buf_init(&j->out);
		for (int i = 1; i < w.n; i++)
			j->args[i - 1] = w.w[i], j->sizes[i - 1] = strlen(w.w[i]);
		j->count = w.n - 1;
		*is_ignored = p->ignores_failures;
		st = ask(p, j);
		if (!st)
			buf_addv(out, buf_sv(&j->out));
		buf_fini(&j->out);
		mem_free(j);
	}
	app_words_fini(&w);
	return st;
}

static const char *why(int st)
{
	return st == ST_NOTFOUND ? "there is no such profile"
	       : st == ST_INVAL  ? "usage: <profile> <command>"
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
	c->is_reply_outside = !st;
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

static ON_CTL void connection_read(struct profile *p, const struct xml_node *node)
{
	struct connection *c = &p->connections[p->connection_count];
	const char *password = config_param(node, "password", NULL);

	if (p->connection_count == CONNECTIONS_MAX) {
		log_error("%s:%u: hiredis: more than %d connections", node->file, node->line, CONNECTIONS_MAX);
		return;
	}
	c->host = mem_strdup(config_param(node, "hostname", "localhost"));
	c->password = password && *password ? mem_strdup(password) : NULL;
	c->port = (uint16_t)str_number(config_param(node, "port", "6379"), 1, 65535);
	c->timeout_ms = str_number(config_param(node, "timeout_ms", "0"), 0, 60000);
	if (!c->timeout_ms)
		c->timeout_ms = str_number(config_param(node, "timeout-ms", "0"), 0, 60000);
	if (!c->timeout_ms)
		c->timeout_ms = TIMEOUT_MS;
	p->connection_count++;
}

static void profile_unref(void *p)
{
	mem_unref(p);
}

static int load(void)
{
	const struct xml_node *conf;
	int st;

	role_assert_ctl();
	conf = config_conf("hiredis.conf");
	st = conf ? hash_new(&profiles, HASH_NOCASE, profile_unref) : ST_NOTFOUND;
	if (!conf)
		log_error("hiredis: open of hiredis.conf failed");
	xml_each(st ? NULL : xml_child(conf, "profiles"), "profile", node)
	{
		struct profile *p = mem_new_atomic(sizeof(*p), profile_free, "kv.redis");
		p->name = mem_strdup(xml_attr_or(node, "name", "default"));
		p->ignores_failures =
		    str_is_true(config_param(xml_child(node, "params"), "ignore-connect-fail", "false"));
		xml_each(xml_child(node, "connections"), "connection", c) connection_read(p, c);
		if (hash_set(profiles, sv_of(p->name), p))
			mem_unref(p);
	}
	return st;
}

static int unload(void)
{
	role_assert_ctl();
	if (asking)
		return ST_BUSY;
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
    {NULL},
};
static const struct conf_desc confs[] = {
    {"hiredis.conf", "hostname", "text", NULL, "localhost", "profile, connection: the server"},
    {"hiredis.conf", "port", "number", NULL, "6379", "profile, connection: its port"},
    {"hiredis.conf", "password", "text", NULL, "", "profile, connection: its password"},
    {"hiredis.conf", "timeout_ms", "number", "ms", "500",
        "profile, connection: for the connection and each command; also timeout-ms"},
    {"hiredis.conf", "timeout-ms", "number", "ms", "500", "profile, connection: the same"},
    {"hiredis.conf", "ignore-connect-fail", "boolean", NULL, "false", "profile: a failure is a warning, no error"},
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
