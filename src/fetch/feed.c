/* A body that comes from a file: no more than a piece of it is in memory. The thread asks for a piece when curl has
 * sent the one before, and lets the request rest meanwhile; control hands that to a worker, who may wait for the disk
 * as long as it takes, and sends it back. So a disk that stalls holds up its own request.
 *
 *   thread: feed_read, PAUSE -> mailbox -> control: feed_wanted -> worker: read_job -> control -> mailbox ->
 *   thread: feed_came, goes on
 *
 * The piece belongs to whoever has the turn. The feed outlives its request while a worker has it. */
#include "fetch/feed.h"
#include "base/mem.h"
#include "loop/work.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PIECE_BYTES = 256 * 1024 };
struct feed {
	struct fetch *f; /* control's; NULL: it is gone */
	int fd;
	uint64_t bytes;
	/* of whoever has the turn */
	uint64_t at; /* of the piece, in the file */
	size_t n, sent;
	int status;
	bool is_asked; /* the thread's */
	char piece[PIECE_BYTES];
};

static void feed_dtor(void *obj)
{
	struct feed *d = obj;
	if (d->fd >= 0)
		close(d->fd);
}

int feed_new(struct feed **out, struct fetch *f, int fd, uint64_t bytes)
{
	struct feed *d = mem_new(sizeof(*d), feed_dtor, "fetch.feed");
	if (!d)
		return ST_NOMEM;
	d->f = f, d->fd = fd, d->bytes = bytes;
	*out = d;
	return ST_OK;
}

void feed_keep_fd(struct feed *d)
{
	d->fd = -1;
}

void feed_drop(struct feed *d)
{
	if (!d)
		return;
	d->f = NULL;
	mem_unref(d);
}

/* ---- the thread ---- */

static size_t feed_read(char *to, size_t size, size_t n, void *arg)
{
	struct fetch *f = arg;
	struct feed *d = f->feed;
	if (d->is_asked) /* curl asks again while it rests */
		return CURL_READFUNC_PAUSE;
	if (d->status) {
		f->status = d->status;
		return CURL_READFUNC_ABORT;
	}
	if (d->sent < d->n) {
		n = size * n < d->n - d->sent ? size * n : d->n - d->sent;
		memcpy(to, d->piece + d->sent, n);
		d->sent += n;
		return n;
	}
	d->at += d->n, d->n = d->sent = 0;
	if (d->at == d->bytes)
		return 0;
	d->is_asked = true;
	fetch_thread_ask(f);
	return CURL_READFUNC_PAUSE;
}

/* What was begun on a connection that turned out to be closed begins anew. */
static int feed_seek(void *arg, curl_off_t at, int origin)
{
	struct feed *d = ((struct fetch *)arg)->feed;
	if (d->is_asked || origin != SEEK_SET)
		return CURL_SEEKFUNC_CANTSEEK;
	d->at = (uint64_t)at, d->n = d->sent = 0;
	return CURL_SEEKFUNC_OK;
}

void feed_set(struct fetch *f)
{
	curl_easy_setopt(f->easy, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(f->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)f->feed->bytes);
	curl_easy_setopt(f->easy, CURLOPT_READFUNCTION, feed_read);
	curl_easy_setopt(f->easy, CURLOPT_READDATA, f);
	curl_easy_setopt(f->easy, CURLOPT_SEEKFUNCTION, feed_seek);
	curl_easy_setopt(f->easy, CURLOPT_SEEKDATA, f);
}

bool feed_is_out(const struct fetch *f)
{
	return f->feed && f->feed->is_asked;
}

void feed_came(struct fetch *f)
{
	f->feed->is_asked = false;
	if (f->easy)
		curl_easy_pause(f->easy, CURLPAUSE_CONT);
}

/* ---- control, and a worker ---- */

static void read_job(void *arg)
{
	struct feed *d = arg;
	role_assert_work();
	uint64_t left = d->bytes - d->at;
	ssize_t n = pread(d->fd, d->piece, left < PIECE_BYTES ? (size_t)left : PIECE_BYTES, (off_t)d->at);
	d->n = n > 0 ? (size_t)n : 0;
	if (n <= 0) /* it has become shorter */
		d->status = ST_IO;
}

static void read_done(int status, void *arg)
{
	struct feed *d = arg;
	role_assert_ctl();
	if (status && !d->status)
		d->status = status;
	if (d->f)
		fetch_thread_answer(d->f);
	mem_unref(d);
}

void feed_wanted(struct fetch *f)
{
	struct feed *d = mem_ref(f->feed);
	int st = work_submit(WORK_FILE, "fetch.feed", read_job, read_done, d);
	if (st)
		read_done(st, d);
}
