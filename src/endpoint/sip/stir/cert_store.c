/* Certificates by the URL that a token names. That URL is a stranger's word, so: https only, to public addresses unless
 * the configuration says otherwise, no redirects, 64 KiB and five seconds at most (fetch/), and no more than so many at
 * once. What came is kept for as long as the server allowed, an hour at most unless set; what failed is not asked for
 * again for a while. One request serves all who wait for the same URL. The store is bounded: the oldest makes room. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "endpoint/sip/stir/attest_i.h"
#include "fetch/fetch.h"
#include "loop/loop.h"

#include <stdio.h>
#include <string.h>

enum { CERTS_MAX = 256, FETCHES_MAX = 64, FETCH_MS = 5000, FAILED_S = 20, KEPT_MIN_S = 10 };

struct entry {
	struct stir_cert *cert; /* NULL: it failed, or is under way */
	char error[STIR_ERROR_CHARS];
	char *url;
	int64_t until_us;
	struct fetch *fetch;
	struct list waiters;
};
static struct hash *entries;
static size_t fetch_count;

static void entry_free(void *value)
{
	struct entry *e = value;
	mem_unref(e->cert);
	mem_free(e->url);
	mem_free(e);
}

static ON_CTL void entry_tell(struct entry *e)
{
	struct lnode *n;
	while ((n = list_first(&e->waiters))) {
		struct cert_wait *w = list_entry(n, struct cert_wait, link);
		list_remove(n);
		w->fn(e->cert ? mem_ref(e->cert) : NULL, e->error, w->arg);
	}
}

static ON_CTL void kept_until(struct entry *e, int64_t max_age_s)
{
	int64_t s = stir_settings()->cache_s;
	if (max_age_s >= 0 && max_age_s < s)
		s = max_age_s;
	if (!e->cert)
		s = FAILED_S;
	else if (s < KEPT_MIN_S)
		s = KEPT_MIN_S; /* those of one moment share it */
	e->until_us = clock_mono_us() + clock_us_of_s(s);
}

static void on_fetched(const struct fetch_result *r, void *arg)
{
	struct entry *e = arg;
	role_assert_ctl();
	e->fetch = NULL;
	fetch_count--;
	stir_counts.fetched++;
	if (r->status)
		snprintf(e->error, sizeof(e->error), "%s", *r->error ? r->error : status_text(r->status));
	else if (r->code != 200)
		snprintf(e->error, sizeof(e->error), "the server answers %d", r->code);
	else if (stir_cert_parse(&e->cert, r->body, e->error) == ST_OK)
		*e->error = 0;
	if (!e->cert) {
		stir_counts.fetch_failed++;
		log_notice("stir: no certificate from %s: %s", e->url, e->error);
	}
	kept_until(e, r->max_age_s);
	entry_tell(e);
}

/* The oldest that nobody waits for. */
static ON_CTL bool room_make(void)
{
	struct hash_it it = {0};
	while (hash_count(entries) >= CERTS_MAX && hash_next(entries, &it))
		if (!((struct entry *)it.value)->fetch)
			hash_del(entries, it.key);
	return hash_count(entries) < CERTS_MAX;
}

static ON_CTL int entry_ask(struct entry *e)
{
	const struct stir_settings *s = stir_settings();
	struct fetch_params p = {.url = e->url,
	    .timeout_ms = FETCH_MS,
	    .max_bytes = STIR_CERT_MAX_BYTES,
	    .allows_inside = s->allows_inside,
	    .ca_file = *s->tls_ca ? s->tls_ca : NULL};
	int st = fetch_start(&e->fetch, &p, on_fetched, e);
	if (!st)
		fetch_count++;
	return st;
}

static ON_CTL struct entry *entry_new(const char *url)
{
	struct entry *e = room_make() ? mem_zalloc(sizeof(*e)) : NULL;
	if (!e)
		return NULL;
	list_init(&e->waiters);
	e->url = mem_strdup(url);
	if (!e->url || hash_set(entries, sv_of(url), e)) {
		entry_free(e);
		return NULL;
	}
	return e;
}

int cert_get(struct stir_cert **out, const char *url, struct cert_wait *w, char error[STIR_ERROR_CHARS])
{
	struct entry *e = hash_get(entries, sv_of(url));
	if (e && !e->fetch && clock_mono_us() >= e->until_us) {
		hash_del(entries, sv_of(url));
		e = NULL;
	}
	if (e && !e->fetch) {
		stir_counts.from_cache++;
		snprintf(error, STIR_ERROR_CHARS, "%s", e->error);
		if (e->cert)
			*out = mem_ref(e->cert);
		return e->cert ? ST_OK : ST_NOTFOUND;
	}
	int st = ST_OK;
	if (!e) {
		if (fetch_count >= FETCHES_MAX || !(e = entry_new(url)))
			st = ST_FULL;
		else if ((st = entry_ask(e)))
			hash_del(entries, sv_of(url));
	}
	if (st) {
		snprintf(error, STIR_ERROR_CHARS, "%s",
		    st == ST_DENIED ? "its address may not be asked"
		    : st == ST_FULL ? "too many certificates are waited for"
		                    : "its address is none");
		return st;
	}
	list_push(&e->waiters, &w->link);
	return ST_AGAIN;
}

void cert_wait_cancel(struct cert_wait *w)
{
	if (lnode_is_linked(&w->link))
		list_remove(&w->link);
}

int certs_start(void)
{
	return hash_new(&entries, 0, entry_free);
}

void certs_stop(void)
{
	struct hash_it it = {0};
	while (entries && hash_next(entries, &it)) {
		struct entry *e = it.value;
		fetch_cancel(e->fetch);
		e->fetch = NULL;
		snprintf(e->error, sizeof(e->error), "the program ends");
		entry_tell(e);
	}
	hash_free(entries);
	entries = NULL;
	fetch_count = 0;
}
