/* The thread: libcurl's multi handle and the requests it drives. It sleeps in curl_multi_poll, which a wake-up ends;
 * takes new requests from its mailbox, drops those that were given up, and posts each back when it is over. It keeps
 * the deadline, the bounds of head and body, and connects to the one address that the control side has checked,
 * whatever the name means by now. It shares nothing but the two mailboxes and each request's abort flag. */
#include "base/clock.h"
#include "base/mem.h"
#include "fetch/feed.h"
#include "loop/mailbox.h"

#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SLOTS = 512, HEAD_MAX_BYTES = 65536, POLL_MS = 1000, CONNS_KEPT = 16 };

/* Either way: a request, or word of the piece of a body that it waits for. */
struct note {
	struct fetch *f;
	bool is_piece;
};
static struct {
	bool is_on;
	struct mailbox *in, *out;
	CURLM *multi;
	atomic_bool is_ending;
	pthread_t pthread;
	struct list running; /* the thread's */
	void (*back)(struct fetch *f);
} worker;

/* ---- one request, on the thread ---- */

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
	struct fetch *f = arg;
	if (f->in.n + size * n > f->max_bytes) {
		f->status = ST_LIMIT;
		return 0;
	}
	return buf_add(&f->in, p, size * n) ? 0 : size * n;
}

static size_t on_head(char *p, size_t size, size_t n, void *arg)
{
	struct fetch *f = arg;
	struct sv line = {p, size * n}, name, value;
	f->head_bytes += line.n;
	if (f->head_bytes > HEAD_MAX_BYTES) {
		f->status = ST_LIMIT;
		return 0;
	}
	bool is_first = line.n > 5 && !memcmp(line.p, "HTTP/", 5); /* of an answer; 100 and 401 may come before */
	if (is_first) {
		buf_clear(&f->head);
		*f->in_ctype = 0;
	}
	if (f->keeps_head && buf_addv(&f->head, line))
		return 0;
	if (is_first || !sv_split(line, ':', &name, &value))
		return line.n;
	name = sv_trim(name);
	if (sv_isi(name, "Content-Type")) {
		snprintf(f->in_ctype, sizeof(f->in_ctype), "%.*s", SVF(sv_trim(value)));
	} else if (f->follows && sv_isi(name, "Location") && !f->location) {
		f->location = sv_dup(sv_trim(value));
	} else if (sv_isi(name, "Cache-Control")) {
		struct sv one;
		uint32_t s;
		while (value.n) {
			sv_split(value, ',', &one, &value);
			one = sv_trim(one);
			if (sv_startsi(one, SV("max-age=")) && !sv_u32(sv_sub(one, 8, SIZE_MAX), &s))
				f->max_age_s = s;
			else if (sv_isi(one, "no-store") || sv_isi(one, "no-cache"))
				f->max_age_s = 0;
		}
	}
	return line.n;
}

static int on_step(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	return atomic_load(&((struct fetch *)arg)->is_aborted);
}

/* One line in curl's list, which copies it; what there is no memory for ends the request. */
static void line_add(struct fetch *f, const char *name, struct sv line)
{
	struct buf b;
	struct curl_slist *more = NULL;
	buf_init(&b);
	buf_adds(&b, name);
	buf_addv(&b, line);
	if (!b.failed)
		more = curl_slist_append(f->list, b.p);
	if (more)
		f->list = more;
	else
		f->status = ST_NOMEM;
	buf_fini(&b);
}

static void lines_add(struct fetch *f)
{
	struct sv rest = sv_of(f->headers), line;
	while (rest.n) {
		sv_split(rest, '\n', &line, &rest);
		line = sv_trim(line);
		if (line.n)
			line_add(f, "", line);
	}
	if (f->ctype)
		line_add(f, "Content-Type: ", sv_of(f->ctype));
	line_add(f, "Expect:", SV_NONE);
}

static unsigned long auth_of(unsigned auth)
{
	return (!auth || (auth & FETCH_BASIC) ? CURLAUTH_BASIC : 0) | (auth & FETCH_DIGEST ? CURLAUTH_DIGEST : 0) |
	       (auth & FETCH_NTLM ? CURLAUTH_NTLM : 0);
}

static void easy_set(struct fetch *f, CURL *e)
{
	char to[ADDR_TEXT_MAX + 8], text[ADDR_TEXT_MAX];
	int64_t left_ms = (f->deadline_us - clock_mono_us()) / 1000, connect_ms = f->connect_timeout_ms;
	long protocols = CURLPROTO_HTTPS | (f->allows_http ? CURLPROTO_HTTP : 0);
	snprintf(to, sizeof(to), "::%s", addr_text(&f->addr, text));
	f->connect_to = curl_slist_append(NULL, to);
	lines_add(f);
	curl_easy_setopt(e, CURLOPT_URL, f->url);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, protocols & CURLPROTO_HTTP ? "https,http" : "https");
	curl_easy_setopt(e, CURLOPT_CONNECT_TO, f->connect_to);
	curl_easy_setopt(e, CURLOPT_PROXY, "");
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)(left_ms > 1 ? left_ms : 1));
	if (connect_ms <= 0 || connect_ms > left_ms)
		connect_ms = left_ms > 1 ? left_ms : 1;
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
	curl_easy_setopt(e, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)f->max_bytes);
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, f->list);
	curl_easy_setopt(e, CURLOPT_USERAGENT, f->agent ? f->agent : "Tandem");
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, f->skips_verify ? 0L : 1L);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, f->skips_verify || f->skips_verify_host ? 0L : 2L);
	curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (f->ca_file || f->ca_dir) {
		curl_easy_setopt(e, CURLOPT_CAINFO, f->ca_file);
		curl_easy_setopt(e, CURLOPT_CAPATH, f->ca_dir);
	}
	if (f->user) {
		curl_easy_setopt(e, CURLOPT_USERNAME, f->user);
		curl_easy_setopt(e, CURLOPT_PASSWORD, f->password ? f->password : "");
		curl_easy_setopt(e, CURLOPT_HTTPAUTH, auth_of(f->auth));
	}
	if (f->bind_local)
		curl_easy_setopt(e, CURLOPT_INTERFACE, f->bind_local);
	if (f->cookie_file) {
		curl_easy_setopt(e, CURLOPT_COOKIEFILE, f->cookie_file);
		curl_easy_setopt(e, CURLOPT_COOKIEJAR, f->cookie_file);
	}
	if (f->cert_file)
		curl_easy_setopt(e, CURLOPT_SSLCERT, f->cert_file);
	if (f->key_file)
		curl_easy_setopt(e, CURLOPT_SSLKEY, f->key_file);
	if (f->key_password)
		curl_easy_setopt(e, CURLOPT_KEYPASSWD, f->key_password);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, f);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_head);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, f);
	curl_easy_setopt(e, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(e, CURLOPT_XFERINFOFUNCTION, on_step);
	curl_easy_setopt(e, CURLOPT_XFERINFODATA, f);
	curl_easy_setopt(e, CURLOPT_PRIVATE, f);
	if (f->body) {
		curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)f->body_bytes);
		curl_easy_setopt(e, CURLOPT_POSTFIELDS, f->body);
	}
	if (f->feed)
		feed_set(f);
	if (f->method && !strcmp(f->method, "HEAD"))
		curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
	else if (f->method)
		curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, f->method);
}

static int status_of(CURLcode rc)
{
	switch (rc) {
	case CURLE_OK:
		return ST_OK;
	case CURLE_OPERATION_TIMEDOUT:
		return ST_TIMEOUT;
	case CURLE_FILESIZE_EXCEEDED:
		return ST_LIMIT;
	case CURLE_ABORTED_BY_CALLBACK:
		return ST_CANCELLED;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
		return ST_DENIED;
	case CURLE_OUT_OF_MEMORY:
		return ST_NOMEM;
	default:
		return ST_IO;
	}
}

static void request_back(struct fetch *f)
{
	list_remove(&f->running);
	struct note note = {.f = f};
	mailbox_post(worker.out, &note, sizeof(note)); /* never full: it has room for all there can be */
}

static void request_end(struct fetch *f, CURLcode rc)
{
	long code = 0;
	if (f->easy) {
		curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &code);
		curl_multi_remove_handle(worker.multi, f->easy);
		curl_easy_cleanup(f->easy);
	}
	curl_slist_free_all(f->list);
	curl_slist_free_all(f->connect_to);
	f->easy = f->list = f->connect_to = NULL;
	f->code = (int)code;
	if (!f->status)
		f->status = status_of(rc);
	if (f->status)
		snprintf(f->error, sizeof(f->error), "%s",
		    f->status == ST_LIMIT ? "the answer is too long" : curl_easy_strerror(rc));
	f->is_over = feed_is_out(f) && !atomic_load(&worker.is_ending);
	if (!f->is_over)
		request_back(f);
}

static void request_begin(struct fetch *f)
{
	list_push(&worker.running, &f->running);
	f->easy = atomic_load(&f->is_aborted) ? NULL : curl_easy_init();
	if (!f->easy) {
		request_end(f, CURLE_ABORTED_BY_CALLBACK);
		return;
	}
	easy_set(f, f->easy);
	if (f->status || curl_multi_add_handle(worker.multi, f->easy))
		request_end(f, CURLE_OUT_OF_MEMORY);
}

/* ---- the thread ---- */

static void aborted_end(bool is_all)
{
	struct lnode *it, *tmp;
	list_each (&worker.running, it, tmp) {
		struct fetch *f = list_entry(it, struct fetch, running);
		if (f->is_over) {
			if (is_all)
				request_back(f);
		} else if (is_all || atomic_load(&f->is_aborted)) {
			f->status = ST_CANCELLED;
			request_end(f, CURLE_ABORTED_BY_CALLBACK);
		}
	}
}

static void done_take(void)
{
	int left;
	CURLMsg *m;
	while ((m = curl_multi_info_read(worker.multi, &left))) {
		struct fetch *f = NULL;
		if (m->msg != CURLMSG_DONE)
			continue;
		CURLcode rc = m->data.result;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &f);
		if (f)
			request_end(f, rc);
	}
}

void fetch_thread_ask(struct fetch *f)
{
	struct note note = {f, true};
	mailbox_post(worker.out, &note, sizeof(note)); /* one a request at a time */
}

static void note_take(const struct note *note)
{
	if (!note->is_piece) {
		request_begin(note->f);
		return;
	}
	feed_came(note->f);
	if (note->f->is_over)
		request_back(note->f);
}

static void *thread_main(void *arg)
{
	struct note note;
	size_t n;
	int running;
	role_set(ROLE_WORK);
	while (!atomic_load(&worker.is_ending)) {
		while (mailbox_take(worker.in, &note, &n))
			note_take(&note);
		aborted_end(false);
		curl_multi_perform(worker.multi, &running);
		done_take();
		curl_multi_poll(worker.multi, NULL, 0, POLL_MS, NULL);
	}
	while (mailbox_take(worker.in, &note, &n))
		note_take(&note);
	aborted_end(true);
	return NULL;
}

static void on_out(const void *msg, size_t n, void *arg)
{
	struct note note;
	role_assert_ctl();
	memcpy(&note, msg, sizeof(note));
	if (note.is_piece)
		feed_wanted(note.f);
	else
		worker.back(note.f);
}

/* Signals are control's. */
static int thread_make(void)
{
	sigset_t all, was;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &was);
	int rc = pthread_create(&worker.pthread, NULL, thread_main, NULL);
	pthread_sigmask(SIG_SETMASK, &was, NULL);
	return rc ? ST_NOMEM : ST_OK;
}

int fetch_thread_start(void (*back)(struct fetch *f))
{
	int st;
	if (worker.is_on)
		return ST_OK;
	memset(&worker, 0, sizeof(worker));
	list_init(&worker.running);
	worker.back = back;
	worker.multi = curl_multi_init();
	st = worker.multi ? ST_OK : ST_NOMEM;
	if (!st)
		st = mailbox_new(&worker.in, SLOTS);
	if (!st)
		st = mailbox_new(&worker.out, SLOTS);
	if (!st)
		st = mailbox_attach_ctl(worker.out, "fetch", on_out, NULL);
	if (!st) {
		curl_multi_setopt(worker.multi, CURLMOPT_MAXCONNECTS, (long)CONNS_KEPT);
		st = thread_make();
		if (st)
			mailbox_detach_ctl(worker.out);
	}
	if (st) {
		mailbox_free(worker.in);
		mailbox_free(worker.out);
		curl_multi_cleanup(worker.multi);
		return st;
	}
	worker.is_on = true;
	return ST_OK;
}

int fetch_thread_post(struct fetch *f)
{
	struct note note = {.f = f};
	int st = mailbox_post(worker.in, &note, sizeof(note));
	if (!st)
		fetch_thread_wake();
	return st;
}

void fetch_thread_answer(struct fetch *f)
{
	struct note note = {f, true};
	if (!worker.is_on)
		return;
	mailbox_post(worker.in, &note, sizeof(note)); /* has room for this, too */
	fetch_thread_wake();
}

void fetch_thread_wake(void)
{
	curl_multi_wakeup(worker.multi);
}

void fetch_thread_stop(void)
{
	struct note note;
	size_t n;
	if (!worker.is_on)
		return;
	atomic_store(&worker.is_ending, true);
	curl_multi_wakeup(worker.multi);
	pthread_join(worker.pthread, NULL);
	mailbox_detach_ctl(worker.out);
	while (mailbox_take(worker.out, &note, &n))
		if (!note.is_piece)
			worker.back(note.f);
	mailbox_free(worker.in);
	mailbox_free(worker.out);
	curl_multi_cleanup(worker.multi);
	worker.is_on = false;
}
