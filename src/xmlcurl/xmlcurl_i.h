/* mod_xml_curl: a web server asked for configuration, directory, dialplan and phrases (docs/xml_curl.md). Private to
 * the room. */
#pragma once
#include "base/hash.h"
#include "base/list.h"
#include "base/role.h"
#include "core/conf/source.h"
#include "loop/co.h"

/* ---- cache.c: answers by question, bounded; users that do not exist apart, so that made-up names push nobody out ----
 */
struct xc_entry {
	struct lnode link;
	char *key;
	struct xml_doc *doc; /* NULL: there is no such thing */
	int64_t fresh_until_us, stale_until_us;
};
struct xc_store {
	struct hash *by_key;
	struct list oldest_first;
	size_t bytes, max_count, max_bytes;
};
struct xc_cache {
	struct xc_store found, missing;
};
ON_CTL int xc_cache_init(struct xc_cache *c, size_t max_count, size_t max_bytes);
ON_CTL void xc_cache_fini(struct xc_cache *c);
ON_CTL size_t xc_cache_count(const struct xc_cache *c);
ON_CTL size_t xc_cache_clear(struct xc_cache *c);
/* Borrowed until control waits or returns; NULL: nothing, or nothing that is fresh (with takes_stale: not too old). */
ON_CTL const struct xc_entry *xc_cache_find(struct xc_cache *c, const char *key, bool takes_stale);
ON_CTL void xc_cache_keep(struct xc_cache *c, const char *key, struct xml_doc *doc, int64_t fresh_us, int64_t stale_us);

/* ---- binding.c: one <binding> ---- */
struct xc_counts {
	uint64_t asked, cached, stale, failed, refused, not_found;
};
struct xc_binding { /* counted: questions under way hold it */
	char *name, *url, *sections;
	char *method, *user, *password, *cookie_file, *bind_local;
	char *ca_file, *cert_file, *key_file, *key_password;
	unsigned auth;
	bool is_dynamic, skips_verify, skips_verify_host;
	int64_t timeout_us;
	size_t max_bytes;
	struct hash *post_vars; /* NULL: all are posted */
	char *cache_key;        /* of the parameters; NULL: those of the section */
	int64_t cache_us, stale_us;
	struct xc_cache cache;
	unsigned max_running, max_waiting, running, waiting;
	struct list waiters; /* struct xc_waiter of ask.c */
	unsigned breaker_failures, failures;
	int64_t breaker_us, closed_until_us; /* 0: it is asked */
	bool is_failing;                     /* told */
	struct xc_counts counts;
	struct source_binding *bound;
	struct lnode link;
};
ON_CTL int xc_binding_new(struct xc_binding **out, const struct xml_node *node); /* ST_INVAL: told in the log */

/* ---- ask.c ---- */
extern bool xc_tells; /* xml_curl debug_on */
CO int xc_ask(const struct source_question *q, struct source_answer *out, void *binding);
/* form.c: the form's fields as FreeSWITCH posts them. only: NULL, or names that are posted */
ON_CTL void xc_form(struct buf *out, const struct source_question *q, const struct hash *only);
/* ${name} of the question, percent-coded. ST_INVAL: one stands in the host's name. */
ON_CTL int xc_url(struct buf *out, const char *url, const struct source_question *q);
ANY bool xc_url_is_sound(const char *url);
