/* URL -> file. One entry a URL: not there (being fetched, with all who wait for it), or on the disk with the time until
 * which it is fresh. One that is too old is fetched anew; if that fails what there is is played on. Bounded in number
 * and bytes: the least recently used go first. A file never changes: what is fetched anew gets another name, so whoever
 * reads the old one has it whole. Nothing is kept from one run to the next.
 *
 *   httpcache_get -> fresh: done -> else fetch (src/fetch) -> a worker writes the file -> all who wait: done */
#include "base/clock.h"
#include "base/disk.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/value/self.h"
#include "fetch/fetch.h"
#include "httpcache/httpcache_i.h"
#include "loop/loop.h"
#include "loop/work.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WAITERS_MAX = 10000, NAME_MAX_CHARS = 64, EXT_MAX = 5 };
struct waiter {
	struct lnode link;
	httpcache_fn done;
	void *arg;
};
struct entry {
	struct lnode used; /* in cache.used, the newest last */
	char *url, *path;  /* path NULL: never fetched */
	uint64_t bytes;
	int64_t fresh_until_us, max_age_s;
	bool is_busy;
	struct fetch *fetch;
	struct list waiters;
	/* the worker's while it writes */
	char *new_path;
	struct buf body;
	int status;
	struct ldefer tell;
};
static struct {
	struct hash *by_url;
	struct list used;
	uint64_t bytes, hits, misses, stale, failed;
	size_t waiting_count, busy_count;
	unsigned next_name;
	char *dir;
} cache;

static ON_CTL int64_t number(const char *name, int64_t low, int64_t high, int64_t otherwise)
{
	int64_t n = str_number(httpcache_param(name), low, high);
	return n >= low && n <= high ? n : otherwise;
}

/* ---- workers ---- */

static void unlink_job(void *arg)
{
	role_assert_work();
	(void)unlink(arg);
	mem_free(arg);
}

static void write_job(void *arg)
{
	struct entry *e = arg;
	role_assert_work();
	e->status = disk_replace(e->new_path, buf_sv(&e->body), 0640, false);
}

/* What an earlier run left. */
static char run_name[40]; /* of this run's files; set before a worker is asked for anything */

static void sweep_job(void *arg)
{
	char *dir = arg;
	role_assert_work();
	(void)mkdir(dir, 0750);
	DIR *d = opendir(dir);
	struct dirent *one;
	while (d && (one = readdir(d))) {
		char path[600];
		if (!strncmp(one->d_name, "url-", 4) && strncmp(one->d_name, run_name, strlen(run_name)) &&
		    snprintf(path, sizeof(path), "%s/%s", dir, one->d_name) < (int)sizeof(path))
			(void)unlink(path);
	}
	if (d)
		closedir(d);
	else
		log_error("http_cache: %s cannot be used", dir);
	mem_free(dir);
}

static ON_CTL void file_drop(char *path)
{
	if (path && work_submit(WORK_FILE, "httpcache.unlink", unlink_job, NULL, path))
		mem_free(path);
}

/* ---- entries ---- */

static ON_CTL void entry_free(struct entry *e)
{
	list_remove(&e->used);
	loop_defer_cancel(&e->tell);
	cache.bytes -= e->bytes;
	buf_fini(&e->body);
	mem_free(e->url);
	mem_free(e->path);
	mem_free(e->new_path);
	mem_free(e);
}

static ON_CTL void entry_drop(struct entry *e)
{
	(void)hash_take(cache.by_url, sv_of(e->url));
	file_drop(e->path);
	e->path = NULL;
	entry_free(e);
}

static ON_CTL void trim(void)
{
	uint64_t max_bytes = (uint64_t)number("max-cache-size", 1, 1 << 20, 512) << 20;
	size_t max_urls = (size_t)number("max-urls", 1, 1000000, 4096);
	struct lnode *it, *tmp;
	list_each (&cache.used, it, tmp) {
		struct entry *e = list_entry(it, struct entry, used);
		if (cache.bytes <= max_bytes && hash_count(cache.by_url) <= max_urls)
			return;
		if (!e->is_busy && list_empty(&e->waiters))
			entry_drop(e);
	}
}

static void tell(void *arg)
{
	role_assert_ctl();
	struct entry *e = arg;
	struct lnode *first;
	int status = e->path ? ST_OK : e->status ? e->status : ST_NOTFOUND;
	e->is_busy = true; /* stays while they are told */
	while ((first = list_first(&e->waiters))) {
		struct waiter *w = list_entry(first, struct waiter, link);
		list_remove(&w->link);
		cache.waiting_count--;
		w->done(status, e->path, w->arg);
		mem_free(w);
	}
	e->is_busy = false;
	if (!e->path)
		entry_drop(e);
	trim();
}

static ON_CTL void fetched_badly(struct entry *e, int status, const char *why)
{
	e->is_busy = false;
	cache.busy_count--;
	cache.failed++;
	cache.stale += e->path != NULL;
	e->status = status;
	log_warning("http_cache: %s: %s%s", e->url, why, e->path ? "; what was fetched before is played" : "");
	tell(e);
}

static void written(int status, void *arg)
{
	role_assert_ctl();
	struct entry *e = arg;
	if (status || e->status) {
		buf_fini(&e->body);
		buf_init(&e->body);
		mem_free(e->new_path);
		e->new_path = NULL;
		fetched_badly(e, ST_IO, "the file cannot be written");
		return;
	}
	file_drop(e->path);
	e->path = e->new_path, e->new_path = NULL;
	cache.bytes += e->body.n - e->bytes;
	e->bytes = e->body.n;
	buf_fini(&e->body);
	buf_init(&e->body);
	int64_t age_s = e->max_age_s >= 0 ? e->max_age_s : number("default-max-age", 0, 31536000, 86400);
	e->fresh_until_us = clock_mono_us() + clock_us_of_s(age_s < 31536000 ? age_s : 31536000);
	e->is_busy = false;
	cache.busy_count--;
	tell(e);
}

/* What stands behind the last '.' of the path, when that can be one: the format is told by it. */
static void ext_of(const char *url, char ext[EXT_MAX + 2])
{
	const char *end = url + strcspn(url, "?#"), *dot = end;
	while (dot > url && *dot != '.' && *dot != '/')
		dot--;
	size_t n = *dot == '.' ? (size_t)(end - dot) - 1 : 0;
	strcpy(ext, ".wav");
	if (!n || n > EXT_MAX)
		return;
	for (size_t i = 1; i <= n; i++)
		if (!((dot[i] >= 'a' && dot[i] <= 'z') || (dot[i] >= 'A' && dot[i] <= 'Z') ||
		        (dot[i] >= '0' && dot[i] <= '9')))
			return;
	memcpy(ext, dot, n + 1);
	ext[n + 1] = 0;
}

static void fetched(const struct fetch_result *r, void *arg)
{
	role_assert_ctl();
	struct entry *e = arg;
	char why[64], ext[EXT_MAX + 2];
	e->fetch = NULL;
	if (r->status || r->code != 200 || !r->body.n) {
		snprintf(why, sizeof(why), r->body.n || r->code != 200 ? "the server answers %d" : "the file is empty",
		    r->code);
		fetched_badly(e, r->status ? r->status : ST_NOTFOUND, r->status ? r->error : why);
		return;
	}
	struct buf path;
	ext_of(e->url, ext);
	buf_init(&path);
	buf_printf(&path, "%s/%s%u%s", cache.dir, run_name, ++cache.next_name, ext);
	e->new_path = buf_take(&path);
	e->max_age_s = r->max_age_s, e->status = ST_OK;
	buf_clear(&e->body);
	if (buf_addv(&e->body, r->body) || work_submit(WORK_FILE, "httpcache.write", write_job, written, e)) {
		mem_free(e->new_path);
		e->new_path = NULL;
		fetched_badly(e, ST_NOMEM, "there is no memory for it");
	}
}

static ON_CTL int fetch_begin(struct entry *e)
{
	struct fetch_params p = {.url = e->url,
	    .timeout_ms = clock_ms_of_s(number("download-timeout", 1, 3600, 30)),
	    .max_bytes = (size_t)number("max-file-size", 1, 1024, 32) << 20,
	    .allows_http = true,
	    .allows_inside = true, /* the server is named by the configuration (media/ctl/source.c) */
	    .skips_verify = !str_is_true(httpcache_param("ssl-verifypeer")),
	    .ca_file = *httpcache_param("ssl-cacert") ? httpcache_param("ssl-cacert") : NULL};
	int st = fetch_start(&e->fetch, &p, fetched, e);
	if (!st) {
		e->is_busy = true;
		cache.busy_count++;
		cache.misses++;
	}
	return st;
}

static ON_CTL struct entry *entry_of(const char *url)
{
	struct entry *e = hash_get(cache.by_url, sv_of(url));
	if (e)
		return e;
	e = mem_zalloc(sizeof(*e));
	if (e && (e->url = mem_strdup(url)) && !hash_set(cache.by_url, sv_of(url), e)) {
		list_init(&e->waiters);
		buf_init(&e->body);
		list_push(&cache.used, &e->used);
		return e;
	}
	if (e)
		mem_free(e->url);
	mem_free(e);
	return NULL;
}

static bool is_fresh(const struct entry *e)
{
	return e->path && clock_mono_us() < e->fresh_until_us;
}

/* {refresh=true}: what there is counts for nothing any more. */
static ON_CTL void entry_forget(struct entry *e)
{
	file_drop(e->path);
	e->path = NULL;
	cache.bytes -= e->bytes;
	e->bytes = 0;
}

int httpcache_get(const char *text, httpcache_fn done, void *arg)
{
	struct httpcache_ask ask;
	if (!cache.by_url)
		return ST_CLOSED;
	if (cache.waiting_count >= WAITERS_MAX)
		return ST_FULL;
	int st = httpcache_ask_read(&ask, text);
	if (st)
		return st;
	struct entry *e = entry_of(ask.url);
	bool refreshes = ask.refreshes;
	httpcache_ask_fini(&ask);
	struct waiter *w = e ? mem_alloc(sizeof(*w)) : NULL;
	if (!w)
		return ST_NOMEM;
	*w = (struct waiter){.done = done, .arg = arg};
	list_push(&e->waiters, &w->link);
	list_remove(&e->used);
	list_push(&cache.used, &e->used);
	cache.waiting_count++;
	cache.hits += !refreshes && is_fresh(e);
	if (e->is_busy || lnode_is_linked(&e->tell.link)) /* all who wait are told together */
		return ST_OK;
	if (refreshes)
		entry_forget(e);
	if (!is_fresh(e) && (e->status = fetch_begin(e)))
		log_warning("http_cache: %s: %s", e->url, status_text(e->status));
	if (!e->is_busy)
		loop_defer(&e->tell, "httpcache.tell", tell, e);
	return ST_OK;
}

static ON_CTL bool is_idle(const struct entry *e)
{
	return !e->is_busy && list_empty(&e->waiters) && !lnode_is_linked(&e->tell.link);
}

const char *httpcache_peek(const char *text)
{
	struct httpcache_ask ask;
	struct entry *e;
	if (!cache.by_url || httpcache_ask_read(&ask, text))
		return NULL;
	e = hash_get(cache.by_url, sv_of(ask.url));
	if (e && ask.refreshes && is_idle(e)) {
		entry_drop(e);
		e = NULL;
	}
	httpcache_ask_fini(&ask);
	return e && is_fresh(e) ? e->path : NULL;
}

size_t httpcache_clear(const char *text)
{
	struct httpcache_ask ask = {0};
	struct lnode *it, *tmp;
	size_t count = 0;
	if (text && httpcache_ask_read(&ask, text))
		return 0;
	list_each (&cache.used, it, tmp) {
		struct entry *e = list_entry(it, struct entry, used);
		if (!is_idle(e) || (text && strcmp(ask.url, e->url) != 0))
			continue;
		entry_drop(e);
		count++;
	}
	httpcache_ask_fini(&ask);
	return count;
}

void httpcache_status(struct buf *out)
{
	buf_printf(out, "urls: %zu\nbytes: %llu\nhits: %llu\nmisses: %llu\nstale: %llu\nfailed: %llu\nfetching: %zu\n",
	    cache.by_url ? hash_count(cache.by_url) : 0, (unsigned long long)cache.bytes,
	    (unsigned long long)cache.hits, (unsigned long long)cache.misses, (unsigned long long)cache.stale,
	    (unsigned long long)cache.failed, cache.busy_count);
}

int httpcache_start(void)
{
	const char *location = httpcache_param("location");
	struct buf dir;
	int st = hash_new(&cache.by_url, 0, NULL);
	if (st)
		return st;
	snprintf(run_name, sizeof(run_name), "url-%llx-", (unsigned long long)clock_wall_us());
	list_init(&cache.used);
	buf_init(&dir);
	if (*location)
		buf_adds(&dir, location);
	else
		buf_printf(&dir, "%s/http_file_cache", core_dirs() ? core_dirs()->cache : "/tmp");
	cache.dir = buf_take(&dir);
	char *copy = mem_strdup(cache.dir);
	if (copy && work_submit(WORK_FILE, "httpcache.sweep", sweep_job, NULL, copy))
		mem_free(copy);
	return ST_OK;
}

int httpcache_stop(void)
{
	struct lnode *first;
	if (cache.busy_count || cache.waiting_count)
		return ST_BUSY;
	while ((first = list_first(&cache.used)))
		entry_drop(list_entry(first, struct entry, used));
	hash_free(cache.by_url);
	cache.by_url = NULL;
	mem_free(cache.dir);
	cache.dir = NULL;
	return ST_OK;
}
