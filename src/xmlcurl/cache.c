/* Answers of a web server by question, in two stores of one form: what was found and what is not there. Each has bounds
 * of count and bytes; the oldest go first. An entry is fresh for a while, and for a longer one better than nothing. */
#include "base/clock.h"
#include "base/mem.h"
#include "xmlcurl/xmlcurl_i.h"

enum { MISSING_PART = 4 /* of the count, for what is not there */, ENTRY_BYTES = 256 };

static ON_CTL size_t bytes_of(const struct xc_entry *e)
{
	return ENTRY_BYTES + (e->doc ? xml_doc_bytes(e->doc) : 0);
}

static ON_CTL void entry_drop(struct xc_store *s, struct xc_entry *e)
{
	s->bytes -= bytes_of(e);
	(void)hash_take(s->by_key, sv_of(e->key));
	list_remove(&e->link);
	mem_unref(e->doc);
	mem_free(e->key);
	mem_free(e);
}

static ON_CTL int store_init(struct xc_store *s, size_t max_count, size_t max_bytes)
{
	list_init(&s->oldest_first);
	s->bytes = 0, s->max_count = max_count, s->max_bytes = max_bytes;
	return hash_new(&s->by_key, 0, NULL);
}

static ON_CTL size_t store_clear(struct xc_store *s)
{
	size_t count = 0;
	if (!s->by_key)
		return 0;
	for (; !list_empty(&s->oldest_first); count++)
		entry_drop(s, list_entry(list_first(&s->oldest_first), struct xc_entry, link));
	return count;
}

int xc_cache_init(struct xc_cache *c, size_t max_count, size_t max_bytes)
{
	int st = store_init(&c->found, max_count, max_bytes);
	return st ? st : store_init(&c->missing, max_count / MISSING_PART + 1, max_bytes);
}

size_t xc_cache_clear(struct xc_cache *c)
{
	return store_clear(&c->found) + store_clear(&c->missing);
}

void xc_cache_fini(struct xc_cache *c)
{
	xc_cache_clear(c);
	hash_free(c->found.by_key);
	hash_free(c->missing.by_key);
}

size_t xc_cache_count(const struct xc_cache *c)
{
	return hash_count(c->found.by_key) + hash_count(c->missing.by_key);
}

const struct xc_entry *xc_cache_find(struct xc_cache *c, const char *key, bool takes_stale)
{
	int64_t now_us = clock_mono_us();
	struct xc_entry *e = hash_get(c->found.by_key, sv_of(key));
	if (!e)
		e = hash_get(c->missing.by_key, sv_of(key));
	return e && now_us < (takes_stale ? e->stale_until_us : e->fresh_until_us) ? e : NULL;
}

void xc_cache_keep(struct xc_cache *c, const char *key, struct xml_doc *doc, int64_t fresh_us, int64_t stale_us)
{
	struct xc_store *s = doc ? &c->found : &c->missing;
	struct xc_entry *e = hash_get(c->found.by_key, sv_of(key)), *m = hash_get(c->missing.by_key, sv_of(key));
	if (e)
		entry_drop(&c->found, e);
	if (m)
		entry_drop(&c->missing, m);
	e = mem_zalloc(sizeof(*e));
	if (!e || !(e->key = mem_strdup(key))) {
		mem_free(e);
		return;
	}
	e->doc = mem_ref(doc);
	e->fresh_until_us = clock_mono_us() + fresh_us;
	e->stale_until_us = e->fresh_until_us + stale_us;
	list_push(&s->oldest_first, &e->link);
	s->bytes += bytes_of(e);
	if (hash_set(s->by_key, sv_of(key), e)) {
		entry_drop(s, e);
		return;
	}
	while (hash_count(s->by_key) > s->max_count || s->bytes > s->max_bytes)
		entry_drop(s, list_entry(list_first(&s->oldest_first), struct xc_entry, link));
}
