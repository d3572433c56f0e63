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
#include "fetch/fetch.h"
#include "httpcache/httpcache_i.h"
#include "loop/loop.h"
#include "loop/work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { WAITERS_MAX = 10000 };
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
} cache;

static ON_CTL int64_t number(const char *name, int64_t low, int64_t high, int64_t otherwise)
{
	int64_t n = str_number(httpcache_param(name), low, high);
	return n >= low && n <= high ? n : otherwise;
}

static void write_job(void *arg)
{
	struct entry *e = arg;
	role_assert_work();
	e->status = disk_replace(e->new_path, buf_sv(&e->body), 0640, false);
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
	httpcache_file_drop(e->path);
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
	httpcache_file_drop(e->path);
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

static void fetched(const struct fetch_result *r, void *arg)
{
	role_assert_ctl();
	struct entry *e = arg;
	char why[64];
	e->fetch = NULL;
	if (r->status || r->code != 200 || !r->body.n) {
		snprintf(why, sizeof(why), r->body.n || r->code != 200 ? "the server answers %d" : "the file is empty",
		    r->code);
		fetched_badly(e, r->status ? r->status : ST_NOTFOUND, r->status ? r->error : why);
		return;
	}
	e->new_path = httpcache_file("url", e->url);
	e->max_age_s = r->max_age_s, e->status = ST_OK;
	buf_clear(&e->body);
	if (buf_addv(&e->body, r->body) || work_submit(WORK_FILE, "httpcache.write", write_job, written, e)) {
		mem_free(e->new_path);
		e->new_path = NULL;
		fetched_badly(e, ST_NOMEM, "there is no memory for it");
	}
}

void httpcache_fetch_params(struct fetch_params *p, const char *timeout, int timeout_s)
{
	p->timeout_ms = clock_ms_of_s(number(timeout, 1, 3600, timeout_s));
	p->connect_timeout_ms = clock_ms_of_s(number("connect-timeout", 0, 3600, 0));
	p->allows_http = true;
	p->allows_inside = true; /* the server is named by the configuration (media/ctl/source.c) */
	p->skips_verify = !str_is_true(httpcache_param("ssl-verifypeer"));
	p->skips_verify_host = !str_is_true(httpcache_param("ssl-verifyhost"));
	p->ca_file = *httpcache_param("ssl-cacert") ? httpcache_param("ssl-cacert") : NULL;
}

static ON_CTL int fetch_begin(struct entry *e, const char *profile)
{
	struct fetch_params p = {.url = e->url, .max_bytes = (size_t)number("max-file-size", 1, 1024, 32) << 20};
	struct buf headers;
	buf_init(&headers);
	httpcache_fetch_params(&p, "download-timeout", 30);
	int st = httpcache_sign(&headers, profile, "GET", e->url, "", 0);
	p.headers = headers.p;
	if (!st)
		st = fetch_start(&e->fetch, &p, fetched, e);
	buf_fini(&headers);
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
	httpcache_file_drop(e->path);
	e->path = NULL;
	cache.bytes -= e->bytes;
	e->bytes = 0;
}

static ON_CTL bool is_idle(const struct entry *e)
{
	return !e->is_busy && list_empty(&e->waiters) && !lnode_is_linked(&e->tell.link);
}

static ON_CTL void wait(
    struct entry *e, struct waiter *w, const struct httpcache_ask *ask, httpcache_fn done, void *arg)
{
	*w = (struct waiter){.done = done, .arg = arg};
	list_push(&e->waiters, &w->link);
	list_remove(&e->used);
	list_push(&cache.used, &e->used);
	cache.waiting_count++;
	cache.hits += !ask->refreshes && is_fresh(e);
	if (e->is_busy || lnode_is_linked(&e->tell.link)) /* all who wait are told together */
		return;
	if (ask->refreshes)
		entry_forget(e);
	if (!is_fresh(e) && (e->status = fetch_begin(e, ask->profile)))
		log_warning("http_cache: %s: %s", e->url, status_text(e->status));
	if (!e->is_busy)
		loop_defer(&e->tell, "httpcache.tell", tell, e);
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
	struct waiter *w = e ? mem_alloc(sizeof(*w)) : NULL;
	if (w)
		wait(e, w, &ask, done, arg);
	httpcache_ask_fini(&ask);
	return w ? ST_OK : ST_NOMEM;
}

void httpcache_adopt(const char *url, char *path, uint64_t bytes)
{
	struct entry *e = cache.by_url ? entry_of(url) : NULL;
	if (!e || !is_idle(e)) { /* what is being fetched is another */
		httpcache_file_drop(path);
		return;
	}
	entry_forget(e);
	e->path = path;
	cache.bytes += e->bytes = bytes;
	e->fresh_until_us = clock_mono_us() + clock_us_of_s(number("default-max-age", 0, 31536000, 86400));
	trim();
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
	httpcache_puts_status(out);
}

int httpcache_start(void)
{
	int st = hash_new(&cache.by_url, 0, NULL);
	if (st)
		return st;
	httpcache_puts_start();
	httpcache_files_start();
	list_init(&cache.used);
	return ST_OK;
}

int httpcache_stop(void)
{
	struct lnode *first;
	if (cache.busy_count || cache.waiting_count || httpcache_puts_any())
		return ST_BUSY;
	while ((first = list_first(&cache.used)))
		entry_drop(list_entry(first, struct entry, used));
	hash_free(cache.by_url);
	cache.by_url = NULL;
	httpcache_files_stop();
	return ST_OK;
}
