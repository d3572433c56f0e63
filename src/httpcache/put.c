/* Files that go to web servers: http_put, and recordings whose target is a URL. Such a one is written to a file of the
 * cache's directory; when it is closed it counts at once as what the URL has (another name of the same file, which the
 * cache may drop), and is sent. A file that could not be sent stays where it is and is told in the log; so are those
 * that an earlier run left (cache.c).
 *
 *   httpcache_put -> (a worker gives it the second name) -> its turn, few at a time -> a worker opens it -> fetch: PUT
 */
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/event/event.h"
#include "fetch/fetch.h"
#include "httpcache/httpcache_i.h"
#include "loop/work.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RUNNING_MAX = 16 /* fetch has others to serve */, WAITING_MAX = 10000 };
struct put {
	struct lnode link; /* in uploads.waiting */
	struct httpcache_ask ask;
	char *path, *second; /* second: what the cache shall have */
	bool is_recording;
	httpcache_put_fn done;
	void *arg;
	/* the worker's while a job runs */
	int fd, status;
	uint64_t bytes;
};
static struct {
	struct list waiting;
	size_t count, waiting_count, running_count;
	uint64_t sent, failed;
} uploads;

static const char *type_of(const char *path)
{
	static const struct {
		const char *ext, *type;
	} types[] = {{".wav", "audio/wav"}, {".mp3", "audio/mpeg"}, {".ogg", "audio/ogg"}, {".oga", "audio/ogg"},
	    {".opus", "audio/ogg"}, {".flac", "audio/flac"}, {".au", "audio/basic"}, {".txt", "text/plain"},
	    {".json", "application/json"}, {".xml", "application/xml"}, {".pdf", "application/pdf"}};
	const char *dot = strrchr(path, '.');
	for (size_t i = 0; dot && i < sizeof(types) / sizeof(types[0]); i++)
		if (!strcasecmp(dot, types[i].ext))
			return types[i].type;
	return "application/octet-stream";
}

/* ---- the end of one ---- */

static ON_CTL void tell(const struct put *p, int code, const char *why)
{
	struct event *e =
	    event_is_wanted(EVENT_CUSTOM, "http_cache::upload") ? event_new(EVENT_CUSTOM, "http_cache::upload") : NULL;
	if (why)
		log_error("http_cache: %s: %s; the file stays: %s", p->ask.url, why, p->path);
	else
		log_info("http_cache: %s is sent to %s", p->path, p->ask.url);
	if (!e)
		return;
	event_add(e, "URL", p->ask.url);
	event_add(e, "File", p->path);
	event_addf(e, "HTTP-Code", "%d", code);
	event_add(e, "Result", why ? why : "sent");
	event_fire(e);
}

static ON_CTL void next(void);

/* why NULL: it is there. */
static ON_CTL void put_end(struct put *p, int code, const char *why)
{
	tell(p, code, why);
	uploads.sent += !why;
	uploads.failed += why != NULL;
	if (p->done)
		p->done(why ? ST_IO : ST_OK, code, p->arg);
	if (p->is_recording && !why)
		httpcache_file_drop(p->path);
	else
		mem_free(p->path);
	httpcache_ask_fini(&p->ask);
	mem_free(p->second);
	mem_free(p);
	uploads.count--;
}

static ON_CTL void run_end(struct put *p, int code, const char *why)
{
	uploads.running_count--;
	put_end(p, code, why);
	next();
}

/* ---- its turn ---- */

static void on_answer(const struct fetch_result *r, void *arg)
{
	role_assert_ctl();
	char why[64];
	bool is_good = !r->status && (r->code == 200 || r->code == 201 || r->code == 202 || r->code == 204);
	snprintf(why, sizeof(why), "the server answers %d", r->code);
	run_end(arg, r->code, is_good ? NULL : r->status ? r->error : why);
}

static void open_job(void *arg)
{
	struct put *p = arg;
	struct stat st;
	role_assert_work();
	p->fd = open(p->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	p->status = p->fd < 0 ? ST_NOTFOUND : fstat(p->fd, &st) || !S_ISREG(st.st_mode) ? ST_DENIED : ST_OK;
	if (!p->status)
		p->bytes = (uint64_t)st.st_size;
}

static ON_CTL int send_begin(struct put *p)
{
	struct fetch_params f = {
	    .url = p->ask.url, .method = "PUT", .ctype = type_of(p->path), .body_fd = p->fd, .body_fd_bytes = p->bytes};
	struct buf headers;
	buf_init(&headers);
	httpcache_fetch_params(&f, "upload-timeout", 300);
	int st = httpcache_sign(&headers, p->ask.profile, "PUT", p->ask.url, f.ctype, p->bytes);
	f.headers = headers.p;
	if (!st)
		st = fetch_start(NULL, &f, on_answer, p);
	buf_fini(&headers);
	return st;
}

static void opened(int status, void *arg)
{
	role_assert_ctl();
	struct put *p = arg;
	int st = status ? status : p->status;
	if (!st)
		st = send_begin(p);
	if (!st)
		return;
	if (p->fd >= 0)
		close(p->fd);
	run_end(p, 0, st == ST_NOTFOUND ? "there is no such file" : status_text(st));
}

static void next(void)
{
	struct lnode *first;
	while (uploads.running_count < RUNNING_MAX && (first = list_first(&uploads.waiting))) {
		struct put *p = list_entry(first, struct put, link);
		list_remove(&p->link);
		uploads.waiting_count--;
		uploads.running_count++;
		p->fd = -1;
		if (work_submit(WORK_FILE, "httpcache.put", open_job, opened, p))
			run_end(p, 0, "there is no worker");
	}
}

static ON_CTL void wait_turn(struct put *p)
{
	if (uploads.waiting_count >= WAITING_MAX) {
		put_end(p, 0, "too many files wait to be sent");
		return;
	}
	list_push(&uploads.waiting, &p->link);
	uploads.waiting_count++;
	next();
}

/* ---- what comes ---- */

static void second_job(void *arg)
{
	struct put *p = arg;
	struct stat st;
	role_assert_work();
	p->status = link(p->path, p->second) || stat(p->second, &st) ? ST_IO : ST_OK;
	if (!p->status)
		p->bytes = (uint64_t)st.st_size;
}

static void second_made(int status, void *arg)
{
	role_assert_ctl();
	struct put *p = arg;
	if (!status && !p->status) {
		httpcache_adopt(p->ask.url, p->second, p->bytes);
		p->second = NULL;
	}
	wait_turn(p);
}

int httpcache_put(const char *text, const char *path, bool is_recording, httpcache_put_fn done, void *arg)
{
	struct httpcache_ask ask;
	struct put *p;
	int st = httpcache_ask_read(&ask, text);
	if (st)
		return st;
	p = mem_zalloc(sizeof(*p));
	if (p) {
		*p = (struct put){
		    .ask = ask, .path = mem_strdup(path), .is_recording = is_recording, .done = done, .arg = arg};
		p->second = is_recording && p->path ? httpcache_file("url", ask.url) : NULL;
	}
	if (!p || !p->path) {
		httpcache_ask_fini(&ask);
		mem_free(p);
		return ST_NOMEM;
	}
	uploads.count++;
	if (!p->second || work_submit(WORK_FILE, "httpcache.second", second_job, second_made, p))
		wait_turn(p);
	return ST_OK;
}

void httpcache_puts_start(void)
{
	if (!uploads.count)
		list_init(&uploads.waiting);
}

bool httpcache_puts_any(void)
{
	return uploads.count > 0;
}

void httpcache_puts_status(struct buf *out)
{
	buf_printf(out, "sent: %llu\nsending: %zu\nunsent: %llu\n", (unsigned long long)uploads.sent, uploads.count,
	    (unsigned long long)uploads.failed);
}
