/* One question to one web server, on the coroutine of whoever needs the answer: the cache, else a place among those who
 * ask at the same time, else the server, whose text becomes a document on a worker. A server that fails is told once,
 * counted, and after some failures left alone for a while: one question then finds out whether it is back. Meanwhile
 * an old answer is better than none, when the binding says so. Nothing here knows what is asked for. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "core/event/event.h"
#include "core/value/self.h"
#include "fetch/fetch.h"
#include "xmlcurl/xmlcurl_i.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { KEY_CHARS = 1024, REDIRECTS = 5, MISSING_US = 10000000, AGENT_TELLS_CHARS = 4000 };

bool xc_tells;

/* ---- the key of the cache ---- */

/* The parameters that an answer depends on, by section; NULL: on everything, it is not kept. */
static const char *key_fields(const struct xc_binding *b, const char *section)
{
	if (b->cache_key)
		return b->cache_key;
	if (!strcasecmp(section, "directory"))
		return "key user domain action purpose group group_name profile";
	if (!strcasecmp(section, "configuration"))
		return "Menu-Name CC-Queue profile profile_name conf_name";
	if (!strcasecmp(section, "languages") || !strcasecmp(section, "phrases"))
		return "macro_name lang";
	return NULL;
}

/* Values with their lengths, so that no two questions have one key. False: it is not kept. */
static ON_CTL bool key_of(const struct xc_binding *b, const struct source_question *q, struct buf *key)
{
	const char *fields = b->cache_us ? key_fields(b, q->section) : NULL;
	const char *own[] = {q->section, q->tag, q->key_name, q->key_value};
	char name[128];

	if (!fields)
		return false;
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		buf_printf(key, "%zu:%s", own[i] ? strlen(own[i]) : 0, own[i] ? own[i] : "");
	for (size_t n; *fields; fields += n) {
		fields += strspn(fields, " ,|");
		n = strcspn(fields, " ,|");
		if (!n || n >= sizeof(name))
			continue;
		memcpy(name, fields, n);
		name[n] = 0;
		const char *value = event_get(q->params, name);
		buf_printf(key, "/%zu:%s", value ? strlen(value) : 0, value ? value : "");
	}
	return !key->failed && key->n < KEY_CHARS;
}

/* ---- a place among those who ask ---- */

struct xc_waiter {
	struct lnode link;
	struct co_wait co;
};

CO static int place_take(struct xc_binding *b, int64_t deadline_us)
{
	struct xc_waiter w = {0};
	int st;

	if (b->running < b->max_running) {
		b->running++;
		return ST_OK;
	}
	if (b->waiting >= b->max_waiting) {
		b->counts.refused++;
		return ST_LIMIT;
	}
	b->waiting++;
	list_push(&b->waiters, &w.link);
	st = co_wait_or_stop(&w.co, deadline_us - clock_mono_us());
	b->waiting--;
	if (!lnode_is_linked(&w.link)) /* the place was given to us, whatever else came */
		return ST_OK;
	list_remove(&w.link);
	b->counts.refused++;
	return st ? st : ST_TIMEOUT;
}

static ON_CTL void place_give(struct xc_binding *b)
{
	struct lnode *first = list_first(&b->waiters);

	if (!first) {
		b->running--;
		return;
	}
	list_remove(first); /* the place goes on to him */
	co_signal(&list_entry(first, struct xc_waiter, link)->co, ST_OK);
}

/* ---- failures ---- */

static ON_CTL bool is_left_alone(struct xc_binding *b)
{
	int64_t now_us = clock_mono_us();

	if (!b->closed_until_us)
		return false;
	if (now_us < b->closed_until_us)
		return true;
	b->closed_until_us = now_us + b->breaker_us; /* this one tries, the others wait for how it goes */
	return false;
}

static ON_CTL void went_well(struct xc_binding *b)
{
	if (b->is_failing)
		log_notice("xml_curl: binding %s answers again after %u failures", b->name, b->failures);
	b->is_failing = false;
	b->failures = 0;
	b->closed_until_us = 0;
}

static ON_CTL void went_badly(struct xc_binding *b, const char *why)
{
	b->counts.failed++;
	b->failures++;
	if (!b->is_failing)
		log_error("xml_curl: binding %s (%s): %s; told once until it answers again", b->name, b->url, why);
	b->is_failing = true;
	if (b->breaker_failures && b->failures >= b->breaker_failures) {
		if (!b->closed_until_us)
			log_warning("xml_curl: binding %s failed %u times and is left alone for %lld s at a time",
			    b->name, b->failures, (long long)(b->breaker_us / 1000000));
		b->closed_until_us = clock_mono_us() + b->breaker_us;
	}
}

/* ---- the server ---- */

struct reading {
	struct fetch_got got;
	struct xml_doc *doc;
	const char *who;
	char *keep_path; /* NULL: the answer is not kept as a file */
	int status;
	char error[XML_ERROR_CHARS];
};

static void answer_write(const struct reading *r)
{
	int fd = open(r->keep_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, r->got.body.p, r->got.body.n) != (ssize_t)r->got.body.n)
		log_warning("xml_curl: %s: %s", r->keep_path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void answer_read(void *arg)
{
	struct reading *r = arg;

	role_assert_work();
	if (r->keep_path && r->got.body.n)
		answer_write(r);
	r->status = source_read(&r->doc, buf_sv(&r->got.body), r->who, r->error);
}

static ON_CTL void tell(const struct xc_binding *b, const struct buf *form, struct reading *r)
{
	struct buf path;

	buf_init(&path);
	buf_printf(&path, "%s/xml_curl-%08x%08x.xml", core_dirs() ? core_dirs()->temp : "/tmp", rand_u32(), rand_u32());
	r->keep_path = buf_take(&path);
	log_uuid(LOG_CONSOLE, NULL, "xml_curl: %s %s data: [%.*s%s] code %d%s%s", b->name, b->url,
	    form->n > AGENT_TELLS_CHARS ? AGENT_TELLS_CHARS : (int)form->n, form->p ? form->p : "",
	    form->n > AGENT_TELLS_CHARS ? "..." : "", r->got.code, *r->got.error ? " " : "", r->got.error);
	if (r->got.body.n)
		log_uuid(LOG_CONSOLE, NULL, "XML response is in %s", r->keep_path);
}

CO static int server_ask(struct xc_binding *b, const struct source_question *q, struct reading *r, int64_t deadline_us)
{
	bool is_get = b->method && !strcasecmp(b->method, "GET");
	int64_t left_us = deadline_us - clock_mono_us();
	struct buf form, url;
	int st;

	buf_init(&form);
	buf_init(&url);
	event_count_number(q->params);
	xc_form(&form, q, b->post_vars);
	st = b->is_dynamic ? xc_url(&url, b->url, q) : buf_adds(&url, b->url);
	if (is_get)
		buf_printf(&url, "%c%s", strchr(b->url, '?') ? '&' : '?', form.p ? form.p : "");
	if (form.failed || url.failed)
		st = ST_NOMEM;
	if (!st) {
		struct fetch_params p = {.url = url.p,
		    .method = is_get ? NULL : b->method,
		    .body = is_get ? SV_NONE : buf_sv(&form),
		    .timeout_ms = left_us > 1000 ? left_us / 1000 : 1,
		    .max_bytes = b->max_bytes,
		    .allows_http = true,
		    .allows_inside = true, /* the server is named by the configuration */
		    .skips_verify = b->skips_verify,
		    .skips_verify_host = b->skips_verify_host,
		    .ca_file = b->ca_file,
		    .cert_file = b->cert_file,
		    .key_file = b->key_file,
		    .key_password = b->key_password,
		    .user = b->user,
		    .password = b->password,
		    .auth = b->auth,
		    .max_redirects = REDIRECTS,
		    .agent = "freeswitch-xml/1.0",
		    .bind_local = b->bind_local,
		    .cookie_file = b->cookie_file};
		st = fetch_wait(&p, &r->got);
	}
	if (xc_tells)
		tell(b, &form, r);
	buf_fini(&form);
	buf_fini(&url);
	if (st)
		snprintf(r->error, sizeof(r->error), "%s", *r->got.error ? r->got.error : status_text(st));
	else if (r->got.code != 200)
		snprintf(r->error, sizeof(r->error), "Received HTTP error %d", r->got.code);
	if (!st && r->got.code != 200)
		st = ST_IO;
	return st;
}

/* ST_OK with a document, ST_NOTFOUND with NULL. */
CO static int server_answer(
    struct xc_binding *b, const struct source_question *q, struct xml_doc **doc, int64_t deadline_us)
{
	struct reading *r = mem_zalloc(sizeof(*r)); /* not on the coroutine's small stack */
	int st;

	if (!r)
		return ST_NOMEM;
	r->who = b->name;
	st = server_ask(b, q, r, deadline_us);
	if (!st && !sv_trim(buf_sv(&r->got.body)).n)
		st = ST_NOTFOUND;
	if (!st) {
		st = co_work(WORK_FILE, "xml_curl answer", answer_read, r);
		if (!st)
			st = r->status;
	}
	if (!st && !source_section(r->doc, q->section)) {
		st = ST_NOTFOUND;
		r->doc = mem_unref(r->doc);
	}
	if (!st || st == ST_NOTFOUND)
		went_well(b);
	else if (st != ST_CANCELLED && st != ST_FULL && st != ST_NOMEM)
		went_badly(b, *r->error ? r->error : status_text(st));
	*doc = r->doc;
	fetch_got_fini(&r->got);
	mem_free(r->keep_path);
	mem_free(r);
	return st == ST_PARSE ? ST_IO : st; /* it has been told */
}

/* ---- a question ---- */

static ON_CTL int cached(struct xc_binding *b, const char *key, bool takes_stale, struct source_answer *out)
{
	const struct xc_entry *e = xc_cache_find(&b->cache, key, takes_stale);

	if (!e)
		return ST_AGAIN;
	if (takes_stale)
		b->counts.stale++;
	else
		b->counts.cached++;
	out->doc = mem_ref(e->doc);
	return e->doc ? ST_OK : ST_NOTFOUND;
}

CO static int ask(
    struct xc_binding *b, const struct source_question *q, struct source_answer *out, const char *key, bool is_reload)
{
	int64_t deadline_us = clock_mono_us() + b->timeout_us;
	int st;

	b->counts.asked++;
	if (is_left_alone(b)) {
		b->counts.refused++;
		return ST_BUSY;
	}
	st = place_take(b, deadline_us);
	if (st)
		return st;
	if (key && !is_reload &&
	    (st = cached(b, key, false, out)) != ST_AGAIN) { /* who was here before us brought it */
		place_give(b);
		return st;
	}
	st = server_answer(b, q, &out->doc, deadline_us);
	place_give(b);
	b->counts.not_found += st == ST_NOTFOUND;
	if (key && (!st || st == ST_NOTFOUND))
		xc_cache_keep(
		    &b->cache, key, out->doc, !st || b->cache_us < MISSING_US ? b->cache_us : MISSING_US, b->stale_us);
	return st;
}

int xc_ask(const struct source_question *q, struct source_answer *out, void *binding)
{
	struct xc_binding *b = mem_ref(binding); /* the module may be reloaded meanwhile */
	struct buf key;
	bool is_kept;
	int st = ST_AGAIN;

	role_assert_co();
	buf_init(&key);
	is_kept = key_of(b, q, &key);
	/* a reload wants to know anew: it asks for files, and says nothing else */
	bool is_reload = !event_header_count(q->params) && !strcasecmp(q->section, "configuration");
	if (is_kept && !is_reload)
		st = cached(b, key.p, false, out);
	if (st == ST_AGAIN) {
		st = ask(b, q, out, is_kept ? key.p : NULL, is_reload);
		if (st && st != ST_NOTFOUND && is_kept) {
			int old = cached(b, key.p, true, out);
			st = old == ST_AGAIN ? st : old;
		}
	}
	buf_fini(&key);
	mem_unref(b);
	return st;
}
