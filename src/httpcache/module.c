/* mod_http_cache: the tables, the commands, and what asks the cache for a source. */
#include "core/registry/module.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "core/run/exec.h"
#include "core/value/vars.h"
#include "httpcache/httpcache_i.h"
#include "loop/co.h"
#include "media/ctl/mctl.h"
#include "text/mark.h"

#include <string.h>

static const struct conf_desc confs[] = {
    {"http_cache.conf", "connect-timeout", "number", "s", "", "to connect; none: as long as all of it may take"},
    {"http_cache.conf", "default-max-age", "number", "s", "86400",
        "how long a file is fresh when its server does not say"},
    {"http_cache.conf", "download-timeout", "number", "s", "30", "for all of a file"},
    {"http_cache.conf", "location", "path", NULL, "",
        "the directory; none: http_file_cache in the cache directory; read at load"},
    {"http_cache.conf", "max-cache-size", "number", "MiB", "512", "of all files; the least recently used go first"},
    {"http_cache.conf", "max-file-size", "number", "MiB", "32", "a file that is longer is not taken"},
    {"http_cache.conf", "max-urls", "number", NULL, "4096", "files that are kept"},
    {"http_cache.conf", "ssl-cacert", "path", NULL, "", "authorities for https://; none: the system's"},
    {"http_cache.conf", "ssl-verifyhost", "boolean", NULL, "true", "its certificate must be of its name"},
    {"http_cache.conf", "ssl-verifypeer", "boolean", NULL, "true", "the server must show a good certificate"},
    {"http_cache.conf", "upload-timeout", "number", "s", "300", "for all of a file that is sent"},
    {NULL},
};

const char *httpcache_param(const char *name)
{
	for (const struct conf_desc *d = confs; d->key; d++)
		if (!strcmp(d->key, name))
			return config_param(xml_child(config_conf("http_cache.conf"), "settings"), name, d->fallback);
	return "";
}

/* A command of somebody who may not do everything names servers from outside: refused. */
static ON_CTL bool is_ours(struct api_call *c)
{
	if (*c->args && !mark_has(sv_of(c->text)))
		return true;
	buf_adds(c->out, *c->args ? "-ERR a server named from outside is not called\n" : "-USAGE: {param=val}<url>\n");
	return false;
}

struct wait {
	struct co_wait co;
	struct buf *out;
};

static void got(int status, const char *path, void *arg)
{
	role_assert_ctl();
	struct wait *w = arg;
	if (status)
		buf_printf(w->out, "-ERR %s\n", status_text(status));
	else
		buf_adds(w->out, path);
	co_signal(&w->co, 0);
}

/* It always comes back: a fetch has a deadline. */
int api_http_get(struct api_call *c)
{
	role_assert_co();
	struct wait w = {.out = c->out};
	if (!is_ours(c))
		return ST_OK;
	int st = httpcache_get(c->args, got, &w);
	if (st)
		buf_printf(c->out, "-ERR %s\n", status_text(st));
	else
		(void)co_wait(&w.co, -1);
	return ST_OK;
}

int api_http_tryget(struct api_call *c)
{
	role_assert_ctl();
	const char *path = httpcache_peek(c->args);
	buf_adds(c->out, path ? path : "-ERR download\n");
	return ST_OK;
}

static void fetched_ahead(int status, const char *path, void *arg)
{
	role_assert_ctl();
}

int api_http_prefetch(struct api_call *c)
{
	role_assert_ctl();
	if (!is_ours(c))
		return ST_OK;
	int st = httpcache_get(c->args, fetched_ahead, NULL);
	buf_printf(c->out, st ? "-ERR %s\n" : "+OK\n", status_text(st));
	return ST_OK;
}

int api_http_clear_cache(struct api_call *c)
{
	role_assert_ctl();
	(void)httpcache_clear(NULL);
	buf_adds(c->out, "+OK\n");
	return ST_OK;
}

int api_http_remove_cache(struct api_call *c)
{
	role_assert_ctl();
	buf_adds(c->out, *c->args && httpcache_clear(c->args) ? "+OK\n" : "-ERR not in the cache\n");
	return ST_OK;
}

static ON_CTL int api_http_cache_status(struct api_call *c)
{
	role_assert_ctl();
	httpcache_status(c->out);
	return ST_OK;
}

/* ---- http_put ---- */

struct put_wait {
	struct co_wait co;
	int code;
	bool is_good, is_done, is_waited;
};

static void was_put(int status, int code, void *arg)
{
	role_assert_ctl();
	struct put_wait *w = arg;
	w->is_good = !status, w->code = code, w->is_done = true;
	if (w->is_waited)
		co_signal(&w->co, 0);
}

/* It always comes back, too. */
static CO int put_and_wait(const char *url, const char *path, struct put_wait *w)
{
	int st = httpcache_put(url, path, false, was_put, w);
	w->is_waited = true;
	if (!st && !w->is_done)
		(void)co_wait(&w->co, -1);
	return st;
}

/* {param=val}<url> <file> */
static bool put_words(const char *text, struct sv *url, struct sv *file)
{
	struct sv rest = sv_trim(sv_of(text));
	size_t end = rest.n && rest.p[0] == '{' ? sv_find(rest, '}') : 0, space = end;
	while (space < rest.n && rest.p[space] != ' ')
		space++;
	*url = sv_sub(rest, 0, space);
	*file = sv_trim(sv_sub(rest, space, rest.n));
	return url->n && file->n && file->p[0] == '/' && sv_find(*file, ' ') == file->n;
}

static int api_http_put(struct api_call *c)
{
	role_assert_co();
	struct put_wait w = {0};
	struct sv url, file;
	if (*c->args && !is_ours(c))
		return ST_OK;
	if (!put_words(c->args, &url, &file)) {
		buf_adds(c->out, "-USAGE: {param=val}<url> <file>\n");
		return ST_OK;
	}
	char *u = sv_dup(url), *f = sv_dup(file);
	int st = u && f ? put_and_wait(u, f, &w) : ST_NOMEM;
	if (st)
		buf_printf(c->out, "-ERR %s\n", status_text(st));
	else
		buf_printf(c->out, "%s %d\n", w.is_good ? "+OK" : "-ERR", w.code);
	mem_free(u), mem_free(f);
	return ST_OK;
}

static int app_http_put(struct leg *leg, const char *data)
{
	role_assert_co();
	struct put_wait w = {0};
	struct sv url, file;
	struct buf plain;
	if (!put_words(leg_exec_text(leg, data), &url, &file)) {
		leg_log(leg, LOG_ERR, "http_put: usage: {param=val}<url> <file>");
		return ST_OK;
	}
	char *text = sv_dup(file), *path = text ? leg_path_dup(leg, text) : NULL;
	buf_init(&plain);
	int st = !path ? ST_DENIED : mctl_url_plain(&plain, url);
	if (!st)
		st = put_and_wait(plain.p, path, &w);
	if (st)
		leg_log(leg, LOG_ERR, "http_put: %s", status_text(st));
	leg_var_setf(leg, "http_put_result", "%s %d", !st && w.is_good ? "+OK" : "-ERR", w.code);
	buf_fini(&plain);
	mem_free(text), mem_free(path);
	return leg_is_up(leg) ? ST_OK : ST_HANGUP;
}

/* ---- what media asks ---- */

static char *place(const char *url)
{
	role_assert_ctl();
	struct httpcache_ask ask;
	if (httpcache_ask_read(&ask, url))
		return NULL;
	char *path = httpcache_file("put", ask.url);
	httpcache_ask_fini(&ask);
	return path;
}

static void written(const char *url, const char *path)
{
	role_assert_ctl();
	int st = httpcache_put(url, path, true, NULL, NULL);
	if (st)
		log_error("http_cache: %s: %s; the file stays: %s", url, status_text(st), path);
}
static const struct mctl_url_writer writer = {place, written};

static int find(const char *name, uint32_t rate_hz, mctl_found_fn found, void *arg)
{
	role_assert_ctl();
	return httpcache_get(name, found, arg);
}

static int load(void)
{
	role_assert_ctl();
	int st = httpcache_start();
	if (!st)
		mctl_set_url_finder(find), mctl_set_url_writer(&writer);
	return st;
}

static int unload(void)
{
	role_assert_ctl();
	int st = httpcache_stop();
	if (!st)
		mctl_set_url_finder(NULL), mctl_set_url_writer(NULL);
	return st;
}

static const struct api_desc apis[] = {
    {"http_cache_status", "what the cache of http files has", "", 0, api_http_cache_status, NULL},
    {"http_clear_cache", "clear the cache of http files", "", 0, api_http_clear_cache, NULL},
    {"http_get", "get a file over HTTP, or from the cache", "{param=val}<url>", API_MAY_WAIT | API_OWN_REPLY,
        api_http_get, NULL},
    {"http_prefetch", "begin to get a file over HTTP", "{param=val}<url>", 0, api_http_prefetch, NULL},
    {"http_put", "send a file over HTTP", "{param=val}<url> <file>", API_MAY_WAIT | API_OWN_REPLY, api_http_put, NULL},
    {"http_remove_cache", "remove a URL from the cache", "<url>", 0, api_http_remove_cache, NULL},
    {"http_tryget", "the file of a URL when it is in the cache", "{param=val}<url>", API_OWN_REPLY, api_http_tryget,
        NULL},
    {NULL},
};
static const struct app_desc apps[] = {
    {"http_put", "Send a file over HTTP", "{param=val}<url> <file>", APP_ROUTING_EXEC | APP_NO_MEDIA, app_http_put},
    {NULL},
};
static const struct var_desc vars[] = {
    {"http_put_result", "text", "how http_put went: +OK 200, -ERR 403; -ERR 0: the server said nothing",
        .is_written = true},
    {NULL},
};
extern const struct module mod_http_cache;
const struct module mod_http_cache = {.abi = MODULE_ABI,
    .name = "mod_http_cache",
    .load = load,
    .unload = unload,
    .apps = apps,
    .apis = apis,
    .vars = vars,
    .confs = confs};
