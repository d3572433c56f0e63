/* mod_memcache: the command memcache, by libmemcached on workers. Each command has a connection of its own, with
 * deadlines; a key is one word of the command and never more. */
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/registry/api.h"
#include "core/registry/app_words.h"
#include "core/registry/module.h"
#include "kv/kv_i.h"
#include "loop/co.h"
#include "text/mark.h"
#include <libmemcached/memcached.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MEMCACHE_SYNTAX \
	"<set|replace|add> <key> <value> [expiration [flags]] | get <key> [nofail] | getflags <key> | delete <key> " \
	"[expiration] | <increment|decrement> <key> [offset [expiration [flags]]] | flush [delay] | status [verbose]"

enum { TIMEOUT_MS = 1000, RUNNING_MAX = 50, KEY_MAX = 250 };

static unsigned running;
static bool is_failing;

static uint32_t number(const struct kv_job *j, int i, uint32_t otherwise)
{
	return i < j->count ? (uint32_t)str_number(j->args[i], 0, UINT32_MAX) : otherwise;
}

static void say(struct kv_job *j, memcached_st *m, memcached_return_t rc)
{
	if (rc == MEMCACHED_SUCCESS || rc == MEMCACHED_BUFFERED) {
		buf_adds(&j->out, "+OK\n");
		return;
	}
	buf_printf(&j->out, "-ERR %s\n", memcached_strerror(m, rc));
	j->status =
	    rc == MEMCACHED_NOTFOUND || rc == MEMCACHED_NOTSTORED || rc == MEMCACHED_DATA_EXISTS ? ST_OK : ST_IO;
	snprintf(j->error, sizeof(j->error), "%s", memcached_strerror(m, rc));
}

static void store_run(struct kv_job *j, memcached_st *m)
{
	memcached_return_t (*fn)(memcached_st *, const char *, size_t, const char *, size_t, time_t, uint32_t) =
	    !strcasecmp(j->args[0], "set")       ? memcached_set
	    : !strcasecmp(j->args[0], "replace") ? memcached_replace
	                                         : memcached_add;
	say(j, m, fn(m, j->args[1], j->sizes[1], j->args[2], j->sizes[2], (time_t)number(j, 3, 0), number(j, 4, 0)));
}

static void get_run(struct kv_job *j, memcached_st *m, bool wants_flags)
{
	size_t n = 0;
	uint32_t flags = 0;
	memcached_return_t rc;
	char *value = memcached_get(m, j->args[1], j->sizes[1], &n, &flags, &rc);

	if (rc == MEMCACHED_SUCCESS && wants_flags)
		buf_printf(&j->out, "%x", flags);
	else if (rc == MEMCACHED_SUCCESS)
		buf_add(&j->out, value ? value : "", n);
	else if (rc != MEMCACHED_NOTFOUND || j->count < 3 || strcasecmp(j->args[2], "nofail") != 0)
		say(j, m, rc);
	free(value);
}

static void count_run(struct kv_job *j, memcached_st *m, bool is_up)
{
	uint64_t value = 0;
	uint32_t offset = number(j, 2, 1);
	time_t expiration = (time_t)number(j, 3, 0);
	memcached_return_t rc = is_up ? memcached_increment(m, j->args[1], j->sizes[1], offset, &value)
	                              : memcached_decrement(m, j->args[1], j->sizes[1], offset, &value);

	if (rc == MEMCACHED_NOTFOUND) { /* as FreeSWITCH: it begins here */
		char text[24];
		int n = snprintf(text, sizeof(text), "%u", is_up ? offset : 0);
		value = is_up ? offset : 0;
		rc = memcached_add(m, j->args[1], j->sizes[1], text, (size_t)n, expiration, number(j, 4, 0));
	}
	if (rc == MEMCACHED_SUCCESS)
		buf_printf(&j->out, "%llu", (unsigned long long)value);
	else
		say(j, m, rc);
}

static void status_run(struct kv_job *j, memcached_st *m)
{
	memcached_return_t rc;
	memcached_stat_st *stats = memcached_stat(m, NULL, &rc);
	uint32_t n = memcached_server_count(m);

	buf_printf(&j->out, "Lib version: %s\n", memcached_lib_version());
	for (uint32_t i = 0; stats && i < n; i++) {
		const memcached_instance_st *server = memcached_server_instance_by_position(m, i);
		buf_printf(&j->out, "%s (%u)\n  pid: %u\n  version: %s\n  uptime: %lu\n  curr_items: %lu\n",
		    memcached_server_name(server), memcached_server_port(server), (unsigned)stats[i].pid,
		    stats[i].version, stats[i].uptime, stats[i].curr_items);
	}
	if (!stats)
		say(j, m, rc);
	memcached_stat_free(m, stats);
}

static void run(void *arg)
{
	struct kv_job *j = arg;
	const char *verb = j->args[0];
	memcached_server_st *servers = memcached_servers_parse(j->where);
	memcached_st *m = memcached_create(NULL);

	role_assert_work();
	j->status = ST_OK;
	j->out.max = KV_REPLY_MAX_BYTES;
	memcached_server_push(m, servers);
	memcached_behavior_set(m, MEMCACHED_BEHAVIOR_CONNECT_TIMEOUT, TIMEOUT_MS);
	memcached_behavior_set(m, MEMCACHED_BEHAVIOR_POLL_TIMEOUT, TIMEOUT_MS);
	memcached_behavior_set(m, MEMCACHED_BEHAVIOR_SND_TIMEOUT, TIMEOUT_MS * 1000);
	memcached_behavior_set(m, MEMCACHED_BEHAVIOR_RCV_TIMEOUT, TIMEOUT_MS * 1000);
	memcached_behavior_set(m, MEMCACHED_BEHAVIOR_VERIFY_KEY, 1); /* no blanks or control bytes in a key */
	if (!strcasecmp(verb, "get") || !strcasecmp(verb, "getflags"))
		get_run(j, m, verb[3] != 0);
	else if (!strcasecmp(verb, "delete"))
		say(j, m, memcached_delete(m, j->args[1], j->sizes[1], 0));
	else if (!strcasecmp(verb, "increment") || !strcasecmp(verb, "decrement"))
		count_run(j, m, (*verb | 32) == 'i');
	else if (!strcasecmp(verb, "flush"))
		say(j, m, memcached_flush(m, (time_t)number(j, 1, 0)));
	else if (!strcasecmp(verb, "status"))
		status_run(j, m);
	else
		store_run(j, m);
	memcached_free(m);
	memcached_server_list_free(servers);
}

/* How many words a command needs; 0: there is none of that name. */
static int least(const char *verb)
{
	static const struct {
		const char *verb;
		int least;
	} rows[] = {{"set", 3}, {"replace", 3}, {"add", 3}, {"get", 2}, {"getflags", 2}, {"delete", 2},
	    {"increment", 2}, {"decrement", 2}, {"flush", 1}, {"status", 1}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!strcasecmp(verb, rows[i].verb))
			return rows[i].least;
	return 0;
}

static CO int ask(const struct app_words *w, struct buf *out)
{
	char *servers = mem_strdup(
	    config_param(xml_child(config_conf("memcache.conf"), "settings"), "memcache-servers", "localhost"));
	struct kv_job *j = mem_zalloc(sizeof(*j));
	int st = j && servers ? ST_OK : ST_NOMEM;

	if (!st) {
		buf_init(&j->out);
		j->where = servers;
		for (j->count = 0; j->count < w->n; j->count++)
			j->args[j->count] = w->w[j->count], j->sizes[j->count] = strlen(w->w[j->count]);
		running++;
		st = co_work(WORK_NET, "memcache", run, j);
		running--;
		if (!st)
			st = j->status;
		if (st && !is_failing)
			log_error("memcache: %s: %s; told once until it answers again", servers,
			    *j->error ? j->error : status_text(st));
		else if (!st && is_failing)
			log_notice("memcache: %s answers again", servers);
		is_failing = st != ST_OK;
		buf_addv(out, buf_sv(&j->out));
		buf_fini(&j->out);
	}
	mem_free(j);
	mem_free(servers);
	return st;
}

static int api_memcache(struct api_call *c)
{
	struct app_words w;
	int st, need;

	role_assert_co();
	if (c->who)
		return buf_adds(c->out, "-ERR not for everybody\n");
	st = app_words_init(&w, c->text, 6);
	need = !st && w.n && !mark_has(sv_of(w.m[0])) ? least(w.w[0]) : 0; /* no command is from outside */
	if (!need || w.n < need || (need > 1 && (!*w.w[1] || strlen(w.w[1]) > KEY_MAX)))
		buf_adds(c->out, "-USAGE: " MEMCACHE_SYNTAX "\n");
	else if (running >= RUNNING_MAX)
		buf_adds(c->out, "-ERR too many are under way\n");
	else
		(void)ask(&w, c->out);
	app_words_fini(&w);
	return st;
}

static int unload(void)
{
	role_assert_ctl();
	return running ? ST_BUSY : ST_OK;
}

static const char *const words[] = {"memcache set", "memcache replace", "memcache add", "memcache get",
    "memcache getflags", "memcache delete", "memcache increment", "memcache decrement", "memcache flush",
    "memcache status", NULL};
static const struct api_desc apis[] = {
    {"memcache", "Memcache API", MEMCACHE_SYNTAX, API_MAY_WAIT, api_memcache, words},
    {NULL},
};
static const struct conf_desc confs[] = {
    {"memcache.conf", "memcache-servers", "list", NULL, "localhost", "host[:port] and more, parted by commas"},
    {NULL},
};

extern const struct module mod_memcache;
const struct module mod_memcache = {
    .abi = MODULE_ABI, .name = "mod_memcache", .unload = unload, .apis = apis, .confs = confs};
