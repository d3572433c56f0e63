/* The control side: a URL is taken apart, its host looked up, the address checked against what the caller allows, and
 * only then the request goes to the thread (thread.c) with that one address. What comes back is told once; what was
 * cancelled is freed when the thread has let go of it. Everything is counted, so that who asks too much hears ST_FULL.
 */
#include "fetch/fetch.h"
#include "base/clock.h"
#include "base/mem.h"
#include "fetch/feed.h"
#include "loop/loop.h"
#include "net/dns.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { TIMEOUT_MS = 10000, MAX_BYTES = 1 << 20 };

static struct {
	bool is_on, is_ending;
	struct list all;
	struct fetch_stats stats;
} fetches;

static ON_CTL void fetch_free(struct fetch *f)
{
	if (lnode_is_linked(&f->link)) {
		list_remove(&f->link);
		fetches.stats.now--;
	}
	dns_cancel(f->ask);
	char *texts[] = {f->url, f->method, f->headers, f->ctype, f->body, f->host, f->scheme, f->ca_file, f->ca_dir,
	    f->user, f->password, f->agent, f->bind_local, f->cookie_file, f->cert_file, f->key_file, f->key_password,
	    f->location};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		mem_free(texts[i]);
	feed_drop(f->feed);
	buf_fini(&f->in);
	buf_fini(&f->head);
	mem_free(f);
}

static ON_CTL void fetch_end(struct fetch *f)
{
	fetch_fn fn = f->fn;
	void *arg = f->arg;
	struct fetch_result r = {.status = f->status,
	    .code = f->code,
	    .body = buf_sv(&f->in),
	    .head = buf_sv(&f->head),
	    .ctype = f->in_ctype,
	    .max_age_s = f->max_age_s,
	    .error = f->error};
	if (f->status)
		fetches.stats.failed++;
	list_remove(&f->link);
	fetches.stats.now--;
	if (fn)
		fn(&r, arg);
	fetch_free(f);
}

static ON_CTL bool redirected(struct fetch *f);

static void on_back(struct fetch *f)
{
	role_assert_ctl();
	f->is_posted = false;
	if (f->fn && f->follows && redirected(f))
		return;
	fetch_end(f);
}

/* ---- where it may go ---- */

bool fetch_addr_is_public(const struct addr *a)
{
	static const char *const special[] = {"0.0.0.0/8", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15",
	    "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3", "::/96", "::ffff:0:0/96", "64:ff9b::/96",
	    "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "ff00::/8", "fec0::/10"};
	if (!addr_is_set(a) || addr_is_loopback(a) || addr_is_private(a) || addr_is_any(a))
		return false;
	for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++)
		if (addr_in_cidr(a, sv_of(special[i])) == 1)
			return false;
	return true;
}

static void fail(struct fetch *f, int status, const char *why)
{
	f->status = status;
	snprintf(f->error, sizeof(f->error), "%s", why);
}

/* The first that may be gone to. ST_DENIED: none. */
static int addr_choose(struct fetch *f, const struct dns_answer *a)
{
	for (size_t i = 0; i < a->count; i++)
		if (f->allows_inside || fetch_addr_is_public(&a->records[i].addr)) {
			f->addr = a->records[i].addr;
			addr_set_port(&f->addr, f->port);
			return ST_OK;
		}
	return ST_DENIED;
}

static ON_CTL int go(struct fetch *f)
{
	int st = fetch_thread_start(on_back);
	if (!st)
		st = fetch_thread_post(f);
	f->is_posted = !st;
	return st;
}

static void on_name(const struct dns_answer *a, void *arg)
{
	struct fetch *f = arg;
	int st = a->status;
	role_assert_ctl();
	f->ask = NULL;
	if (st) {
		fail(f, st == ST_OK ? ST_IO : st,
		    st == ST_TIMEOUT ? "the host's name server is silent" : "no such host");
	} else if ((st = addr_choose(f, a))) {
		fail(f, st, "the host's address is not a public one");
	} else if ((st = go(f))) {
		fail(f, st, status_text(st));
	}
	if (st)
		fetch_end(f);
}

/* ---- what is asked ---- */

static char *part_get(CURLU *u, CURLUPart part, unsigned flags)
{
	char *text = NULL, *own = NULL;
	if (curl_url_get(u, part, &text, flags) == CURLUE_OK && text)
		own = mem_strdup(text);
	curl_free(text);
	return own;
}

/* Scheme, host and port. */
static int url_take(struct fetch *f, const char *url)
{
	CURLU *u = curl_url();
	int st = ST_INVAL;
	char *port = NULL, *user = NULL;
	if (u && !curl_url_set(u, CURLUPART_URL, url, 0)) {
		f->scheme = part_get(u, CURLUPART_SCHEME, 0);
		port = part_get(u, CURLUPART_PORT, CURLU_DEFAULT_PORT);
		user = part_get(u, CURLUPART_USER, 0);
		f->host = part_get(u, CURLUPART_HOST, 0);
		f->url = mem_strdup(url);
		if (f->scheme && port && f->host && *f->host && f->url && !user) {
			f->port = (uint16_t)strtoul(port, NULL, 10);
			st = !strcmp(f->scheme, "https") || (f->allows_http && !strcmp(f->scheme, "http")) ? ST_OK
			                                                                                   : ST_DENIED;
		}
	}
	mem_free(port), mem_free(user);
	curl_url_cleanup(u);
	return st;
}

static int params_take(struct fetch *f, const struct fetch_params *p)
{
	f->allows_http = p->allows_http, f->allows_inside = p->allows_inside, f->skips_verify = p->skips_verify;
	f->max_bytes = p->max_bytes ? p->max_bytes : MAX_BYTES;
	f->max_age_s = -1;
	f->in.max = f->max_bytes + 1;
	f->deadline_us = clock_mono_us() + clock_us_of_ms(p->timeout_ms > 0 ? p->timeout_ms : TIMEOUT_MS);
	f->skips_verify_host = p->skips_verify_host, f->keeps_head = p->keeps_head;
	f->auth = p->auth, f->redirects_left = p->max_redirects, f->follows = p->max_redirects > 0;
	f->connect_timeout_ms = p->connect_timeout_ms;
	const char *from[] = {p->method, p->headers, p->ctype, p->ca_file, p->ca_dir, p->user, p->password, p->agent,
	    p->bind_local, p->cookie_file, p->cert_file, p->key_file, p->key_password};
	char **to[] = {&f->method, &f->headers, &f->ctype, &f->ca_file, &f->ca_dir, &f->user, &f->password, &f->agent,
	    &f->bind_local, &f->cookie_file, &f->cert_file, &f->key_file, &f->key_password};
	for (size_t i = 0; i < sizeof(from) / sizeof(from[0]); i++)
		if (from[i] && !(*to[i] = mem_strdup(from[i])))
			return ST_NOMEM;
	f->body_bytes = p->body.n;
	if (p->body.p && !(f->body = sv_dup(p->body)))
		return ST_NOMEM;
	return url_take(f, p->url);
}

static ON_CTL int where(struct fetch *f)
{
	struct dns_answer a;
	struct sv host = sv_of(f->host);
	if (host.n > 2 && host.p[0] == '[')
		host = sv_sub(host, 1, host.n - 2);
	int64_t left_us = f->deadline_us - clock_mono_us();
	int st = dns_ask(&f->ask, DNS_ADDRESS, host, NULL, left_us, &a, on_name, f);
	if (st == ST_AGAIN)
		return ST_OK;
	if (st)
		return st;
	st = addr_choose(f, &a);
	return st ? st : go(f);
}

/* ---- redirects ---- */

/* The Location of an answer, which may be relative; NULL: it is no URL. */
static char *url_moved(const struct fetch *f)
{
	CURLU *u = curl_url();
	char *text = NULL;
	if (u && !curl_url_set(u, CURLUPART_URL, f->url, 0) && !curl_url_set(u, CURLUPART_URL, f->location, 0))
		text = part_get(u, CURLUPART_URL, 0);
	curl_url_cleanup(u);
	return text;
}

/* Another place gets no password, no cookies and none of the caller's header lines; from https:// only https://. */
static int move_to(struct fetch *f, const char *url)
{
	char *host = f->host, *scheme = f->scheme, *old = f->url;
	uint16_t port = f->port;
	f->host = f->scheme = f->url = NULL;
	int st = url_take(f, url);
	if (!st && !strcmp(scheme, "https") && strcmp(f->scheme, "https") != 0)
		st = ST_DENIED;
	if (!st && (f->port != port || strcasecmp(f->host, host) != 0)) {
		char **own[] = {&f->user, &f->password, &f->cookie_file, &f->headers, &f->cert_file, &f->key_file};
		for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
			mem_free(*own[i]);
			*own[i] = NULL;
		}
	}
	mem_free(host), mem_free(scheme), mem_free(old);
	return st;
}

/* True: it goes on elsewhere, or has been told. RFC 9110 15.4: 303 becomes a GET, and so does a POST by 301 and 302. */
bool redirected(struct fetch *f)
{
	if (f->status || !f->location || f->code < 301 || f->code > 308 || (f->code > 303 && f->code < 307))
		return false;
	char *url = f->redirects_left ? url_moved(f) : NULL;
	if (!url) {
		fail(f, ST_LIMIT, f->redirects_left ? "the redirect names no URL" : "too many redirects");
		return false;
	}
	bool is_post = f->body && (!f->method || !strcmp(f->method, "POST"));
	if (f->code == 303 || (is_post && f->code < 307)) {
		mem_free(f->body), mem_free(f->method), mem_free(f->ctype);
		f->body = f->method = f->ctype = NULL;
		f->body_bytes = 0;
	}
	f->redirects_left--;
	mem_free(f->location);
	f->location = NULL;
	f->code = 0, f->head_bytes = 0, f->max_age_s = -1, *f->in_ctype = 0;
	buf_clear(&f->in), buf_clear(&f->head);
	int st = move_to(f, url);
	mem_free(url);
	if (!st)
		st = where(f);
	if (!st)
		return true;
	fail(f, st, st == ST_DENIED ? "the redirect leads where it may not go" : "the redirect leads nowhere");
	return false;
}

int fetch_start(struct fetch **out, const struct fetch_params *p, fetch_fn fn, void *arg)
{
	if (fetches.is_ending)
		return ST_CANCELLED;
	if (!fetches.is_on) {
		if (curl_global_init(CURL_GLOBAL_DEFAULT))
			return ST_NOMEM;
		list_init(&fetches.all);
		fetches.is_on = true;
	}
	if (fetches.stats.now >= FETCH_MAX) {
		fetches.stats.refused++;
		return ST_FULL;
	}
	struct fetch *f = mem_zalloc(sizeof(*f));
	if (!f)
		return ST_NOMEM;
	int st = params_take(f, p);
	if (!st && p->body_fd > 0) {
		f->follows = false;
		st = feed_new(&f->feed, f, p->body_fd, p->body_fd_bytes);
	}
	if (!st) {
		f->fn = fn, f->arg = arg;
		st = where(f);
		if (st && f->feed)
			feed_keep_fd(f->feed);
	}
	if (st) {
		fetches.stats.refused++;
		fetch_free(f);
		return st;
	}
	list_push(&fetches.all, &f->link);
	fetches.stats.now++;
	fetches.stats.started++;
	if (out)
		*out = f;
	return ST_OK;
}

void fetch_cancel(struct fetch *f)
{
	if (!f)
		return;
	f->fn = NULL;
	if (!f->is_posted) {
		fetch_free(f);
		return;
	}
	atomic_store(&f->is_aborted, true);
	fetch_thread_wake();
}

void fetch_stop(void)
{
	struct lnode *it, *tmp;
	if (!fetches.is_on)
		return;
	fetches.is_ending = true;
	fetch_thread_stop();
	list_each (&fetches.all, it, tmp) { /* those whose name is still asked for */
		struct fetch *f = list_entry(it, struct fetch, link);
		dns_cancel(f->ask);
		f->ask = NULL;
		fail(f, ST_CANCELLED, "the program ends");
		fetch_end(f);
	}
	curl_global_cleanup();
	fetches.is_on = fetches.is_ending = false;
}

unsigned fetch_auth_parse(const char *text)
{
	static const struct {
		const char *word;
		unsigned auth;
	} words[] = {{"basic", FETCH_BASIC}, {"digest", FETCH_DIGEST}, {"ntlm", FETCH_NTLM},
	    {"any", FETCH_ANY | FETCH_BASIC | FETCH_DIGEST | FETCH_NTLM},
	    {"anysafe", FETCH_ANY | FETCH_DIGEST | FETCH_NTLM}};
	static const char between[] = " ,|=";
	unsigned auth = 0;
	text = text ? text + strspn(text, between) : "";
	while (*text) {
		struct sv word = {text, strcspn(text, between)};
		size_t i = 0;
		while (i < sizeof(words) / sizeof(words[0]) && !sv_isi(word, words[i].word))
			i++;
		if (i == sizeof(words) / sizeof(words[0]))
			return 0;
		auth |= words[i].auth;
		text += word.n;
		text += strspn(text, between);
	}
	return auth;
}

void fetch_stats_get(struct fetch_stats *out)
{
	*out = fetches.stats;
}
