/* mod_http_cache: the tables, the commands, and what asks the cache for a source. */
#include "core/registry/module.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/registry/api.h"
#include "httpcache/httpcache_i.h"
#include "loop/co.h"
#include "media/ctl/mctl.h"
#include "text/mark.h"

#include <string.h>

static const struct conf_desc confs[] = {
    {"http_cache.conf", "default-max-age", "number", "s", "86400",
        "how long a file is fresh when its server does not say"},
    {"http_cache.conf", "download-timeout", "number", "s", "30", "for all of a file"},
    {"http_cache.conf", "location", "path", NULL, "",
        "the directory; none: http_file_cache in the cache directory; read at load"},
    {"http_cache.conf", "max-cache-size", "number", "MiB", "512", "of all files; the least recently used go first"},
    {"http_cache.conf", "max-file-size", "number", "MiB", "32", "a file that is longer is not taken"},
    {"http_cache.conf", "max-urls", "number", NULL, "4096", "files that are kept"},
    {"http_cache.conf", "ssl-cacert", "path", NULL, "", "authorities for https://; none: the system's"},
    {"http_cache.conf", "ssl-verifypeer", "boolean", NULL, "true", "the server must show a certificate of its name"},
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
		mctl_set_url_finder(find);
	return st;
}

static int unload(void)
{
	role_assert_ctl();
	int st = httpcache_stop();
	if (!st)
		mctl_set_url_finder(NULL);
	return st;
}

static const struct api_desc apis[] = {
    {"http_cache_status", "what the cache of http files has", "", 0, api_http_cache_status, NULL},
    {"http_clear_cache", "clear the cache of http files", "", 0, api_http_clear_cache, NULL},
    {"http_get", "get a file over HTTP, or from the cache", "{param=val}<url>", API_MAY_WAIT | API_OWN_REPLY,
        api_http_get, NULL},
    {"http_prefetch", "begin to get a file over HTTP", "{param=val}<url>", 0, api_http_prefetch, NULL},
    {"http_remove_cache", "remove a URL from the cache", "<url>", 0, api_http_remove_cache, NULL},
    {"http_tryget", "the file of a URL when it is in the cache", "{param=val}<url>", API_OWN_REPLY, api_http_tryget,
        NULL},
    {NULL},
};
extern const struct module mod_http_cache;
const struct module mod_http_cache = {
    .abi = MODULE_ABI, .name = "mod_http_cache", .load = load, .unload = unload, .apis = apis, .confs = confs};
