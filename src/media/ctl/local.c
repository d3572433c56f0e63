/* local_stream://: a directory of sound files played in turn, by one clock for everybody. Per codec in use there is one
 * ring of eight seconds; a worker keeps it four seconds ahead of the clock while somebody listens, and every listener's
 * media thread reads it at the clock's place: one decoding whatever the number of listeners. Without listeners for five
 * seconds the ring goes; the clock runs on, and the next listener comes in where the music would be. */
#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/codec.h"
#include "file/file.h"
#include "loop/loop.h"
#include "loop/work.h"
#include "media/ctl/ctl_i.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
	RING_S = 8,
	AHEAD_MS = 4000,
	FILL_US = 1000000,
	LINGER_TICKS = 5,
	FILES_MAX = 1024,
	CHUNK_SAMPLES = 2048,
	LSTREAM_NAME_MAX = 256
};

struct lstream {
	char *dir;
	bool is_shuffled;
	int64_t start_us;
	struct list rings;
};
struct waiter {
	struct waiter *next;
	lring_ready_fn fn;
	void *arg;
};
struct lring {
	struct lnode link; /* in the lstream's rings; unlinked when that is gone */
	struct media_codec codec;
	size_t listener_count;
	unsigned idle_ticks;
	bool is_ready, is_job_running, is_ending;
	struct waiter *waiters;
	struct ltimer timer;
	/* the worker's while a job runs */
	const struct codec_ops *ops;
	struct codec_enc enc;
	int status;
	char *dir;
	bool is_shuffled;
	int64_t clock_us, start_us; /* of the stream; of the ring's byte 0 */
	char **files;
	size_t file_count, file_now, failed_count;
	struct file_reader *reader;
	struct rt_ring *ring;
};
static struct hash *streams;

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The same order for all rings of a stream: it follows from the stream's clock. */
static void shuffle(struct lring *r)
{
	uint64_t x = (uint64_t)r->clock_us | 1;
	for (size_t i = r->file_count; i > 1; i--) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		size_t j = x % i;
		char *t = r->files[i - 1];
		r->files[i - 1] = r->files[j], r->files[j] = t;
	}
}

ON_WORK static int files_find(struct lring *r)
{
	DIR *d = opendir(r->dir);
	struct dirent *e;
	if (!d)
		return ST_NOTFOUND;
	r->files = mem_zalloc(FILES_MAX * sizeof(*r->files));
	while (r->files && r->file_count < FILES_MAX && (e = readdir(d))) {
		const struct file_format *format = file_format_of(e->d_name);
		char path[FILE_PATH_MAX];
		if (e->d_name[0] == '.' || !format || !format->can_read)
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", r->dir, e->d_name) < (int)sizeof(path))
			r->files[r->file_count++] = mem_strdup(path);
	}
	closedir(d);
	if (!r->files || !r->file_count)
		return ST_NOTFOUND;
	qsort(r->files, r->file_count, sizeof(*r->files), by_name);
	if (r->is_shuffled)
		shuffle(r);
	return ST_OK;
}

ON_WORK static uint64_t duration_us(const char *path)
{
	struct file_reader *f;
	if (file_reader_open(&f, path, 0, NULL))
		return 0;
	const struct file_info *info = file_reader_info(f);
	uint64_t us = info->rate_hz ? info->frames * 1000000 / info->rate_hz : 0;
	file_reader_close(f);
	return us;
}

/* Opens the file that the clock is in, at its place. */
ON_WORK static int tune_in(struct lring *r)
{
	uint64_t total_us = 0, *each = mem_zalloc(r->file_count * sizeof(*each));
	char err[FILE_ERR_MAX] = "";
	if (!each)
		return ST_NOMEM;
	for (size_t i = 0; i < r->file_count; i++)
		total_us += each[i] = duration_us(r->files[i]);
	uint64_t at_us = total_us ? (uint64_t)(r->start_us - r->clock_us) % total_us : 0;
	while (r->file_now + 1 < r->file_count && at_us >= each[r->file_now])
		at_us -= each[r->file_now++];
	mem_free(each);
	int st = file_reader_open(&r->reader, r->files[r->file_now], r->ops->rate_hz, err);
	if (st)
		log_warning("media: %s: %s", r->files[r->file_now], err);
	else
		st = file_reader_seek(r->reader, at_us * r->ops->rate_hz / 1000000);
	return st;
}

/* Samples of one file after the other; silence while none can be read. */
ON_WORK static size_t music_read(struct lring *r, int16_t *out, size_t n)
{
	while (r->failed_count <= r->file_count) {
		int got = r->reader ? file_reader_read(r->reader, out, n) : 0;
		if (got > 0) {
			r->failed_count = 0;
			return (size_t)got;
		}
		file_reader_close(r->reader);
		r->reader = NULL;
		r->failed_count++;
		r->file_now = (r->file_now + 1) % r->file_count;
		(void)file_reader_open(&r->reader, r->files[r->file_now], r->ops->rate_hz, NULL);
	}
	memset(out, 0, n * sizeof(*out));
	return n;
}

ON_WORK static void lring_fill(struct lring *r)
{
	size_t per = r->ops->sample_bytes;
	uint64_t until = (uint64_t)(clock_mono_us() - r->start_us + AHEAD_MS * 1000) * r->ops->rate_hz / 1000000 * per;
	while (atomic_load_explicit(&r->ring->written, memory_order_relaxed) < until) {
		int16_t pcm[CHUNK_SAMPLES];
		uint8_t bytes[4 * CHUNK_SAMPLES]; /* a codec of two channels has it on both */
		size_t got = music_read(r, pcm, CHUNK_SAMPLES);
		int n = codec_encode(&r->enc, pcm, got, bytes, sizeof(bytes));
		if (n <= 0)
			return;
		rt_ring_write(r->ring, bytes, (size_t)n);
	}
}

static void open_job(void *arg)
{
	role_assert_work();
	struct lring *r = arg;
	r->status = codec_enc_open(&r->enc, r->ops, NULL);
	if (!r->status)
		r->status = files_find(r);
	if (!r->status)
		r->status = rt_ring_new(&r->ring, (size_t)r->ops->rate_hz * RING_S * r->ops->sample_bytes);
	if (r->status)
		return;
	r->start_us = clock_mono_us();
	if (tune_in(r))
		r->failed_count = 0; /* the next file, then */
	lring_fill(r);
}

static void fill_job(void *arg)
{
	role_assert_work();
	lring_fill(arg);
}

static void close_job(void *arg)
{
	role_assert_work();
	struct lring *r = arg;
	file_reader_close(r->reader);
	codec_enc_close(&r->enc);
	for (size_t i = 0; i < r->file_count; i++)
		mem_free(r->files[i]);
	mem_free(r->files);
}

static void close_done(int status, void *arg)
{
	role_assert_ctl();
	struct lring *r = arg;
	mctl.job_count--;
	mem_unref(r->ring);
	mem_free(r->dir);
	mem_free(r);
}

ON_CTL static void ring_end(struct lring *r)
{
	loop_timer_cancel(&r->timer);
	list_remove(&r->link);
	r->is_ending = true;
	if (r->is_job_running)
		return;
	mctl.job_count++;
	if (work_submit(WORK_SOUND, "media.local.close", close_job, close_done, r))
		log_error("media: no worker");
}

static void waiters_call(struct lring *r)
{
	struct waiter *w = r->waiters;
	r->waiters = NULL;
	while (w) {
		struct waiter *next = w->next;
		w->fn(r->status, r->status ? NULL : r, w->arg);
		mem_free(w);
		w = next;
	}
}

static void lring_on_timer(void *arg);

static void lring_job_done(int status, void *arg)
{
	role_assert_ctl();
	struct lring *r = arg;
	mctl.job_count--;
	r->is_job_running = false;
	if (status && !r->status)
		r->status = status;
	if (!r->is_ready) {
		r->is_ready = true;
		if (r->status)
			log_warning("media: local_stream directory %s: %s", r->dir, status_text(r->status));
		if (r->status)
			r->listener_count = 0;
		waiters_call(r);
		if (r->status && !r->is_ending) {
			ring_end(r);
			return;
		}
	}
	if (r->is_ending)
		ring_end(r);
}

ON_CTL static void lring_job_submit(struct lring *r, work_fn fn)
{
	r->is_job_running = true;
	mctl.job_count++;
	if (work_submit(WORK_SOUND, "media.local", fn, lring_job_done, r))
		r->is_job_running = false, mctl.job_count--;
}

static void lring_on_timer(void *arg)
{
	role_assert_ctl();
	struct lring *r = arg;
	r->idle_ticks = r->listener_count ? 0 : r->idle_ticks + 1;
	if (r->idle_ticks >= LINGER_TICKS && !r->is_job_running) {
		ring_end(r);
		return;
	}
	if (!r->is_job_running)
		lring_job_submit(r, fill_job);
	loop_timer_set(&r->timer, FILL_US, "media.local", lring_on_timer, r);
}

static struct lring *ring_find(struct lstream *ls, const struct media_codec *codec)
{
	struct lnode *it, *tmp;
	list_each (&ls->rings, it, tmp) {
		struct lring *r = list_entry(it, struct lring, link);
		if (!strcasecmp(r->codec.name, codec->name) && r->codec.rate_hz == codec->rate_hz &&
		    r->codec.channels == codec->channels)
			return r;
	}
	return NULL;
}

ON_CTL static struct lring *ring_new(struct lstream *ls, const struct media_codec *codec)
{
	struct lring *r = mem_zalloc(sizeof(*r));
	if (!r)
		return NULL;
	r->codec = *codec;
	r->ops = codec_find_rate(codec->name, codec->clock_hz, codec->channels, codec->rate_hz);
	r->dir = mem_strdup(ls->dir);
	r->is_shuffled = ls->is_shuffled;
	r->clock_us = ls->start_us;
	list_push(&ls->rings, &r->link);
	loop_timer_set(&r->timer, FILL_US, "media.local", lring_on_timer, r);
	lring_job_submit(r, open_job);
	return r;
}

/* FreeSWITCH's search: the name at the listener's rate, the name itself, what is called default. A rate that the caller
 * wrote ("moh/8000") is a wish only. */
static struct lstream *lstream_find(const char *name, uint32_t rate_hz)
{
	char at_rate[LSTREAM_NAME_MAX];
	struct sv text = sv_of(name), plain;
	struct lstream *ls = NULL;
	if (!streams)
		return NULL;
	(void)sv_split(text, '/', &plain, &(struct sv){0});
	if (snprintf(at_rate, sizeof(at_rate), "%s/%u", name, rate_hz) < (int)sizeof(at_rate))
		ls = hash_get(streams, sv_of(at_rate));
	if (!ls)
		ls = hash_get(streams, text);
	if (!ls)
		ls = hash_get(streams, plain);
	if (!ls && (ls = hash_get(streams, SV("default"))))
		log_warning("media: there is no local_stream %s; default is played", name);
	return ls;
}

int lring_join(const char *name, const struct media_codec *codec, lring_ready_fn fn, void *arg)
{
	struct lstream *ls = lstream_find(name, codec->rate_hz);
	if (!ls)
		return ST_NOTFOUND;
	struct lring *r = ring_find(ls, codec);
	if (!r)
		r = ring_new(ls, codec);
	if (!r)
		return ST_NOMEM;
	r->listener_count++;
	if (r->is_ready) {
		fn(ST_OK, r, arg);
		return ST_OK;
	}
	struct waiter *w = mem_zalloc(sizeof(*w));
	if (!w) {
		r->listener_count--;
		return ST_NOMEM;
	}
	*w = (struct waiter){.next = r->waiters, .fn = fn, .arg = arg};
	r->waiters = w;
	return ST_OK;
}

void lring_leave(struct lring *r)
{
	r->listener_count--;
	if (!r->listener_count && !lnode_is_linked(&r->link) && !r->is_ending)
		ring_end(r);
}

struct rt_ring *lring_ring(struct lring *r)
{
	return r->ring;
}
int64_t lring_start_us(const struct lring *r)
{
	return r->start_us;
}

static void lstream_free(void *value)
{
	struct lstream *ls = value;
	struct lnode *it, *tmp;
	role_assert_ctl();
	list_each (&ls->rings, it, tmp) {
		struct lring *r = list_entry(it, struct lring, link);
		list_remove(it); /* who listens goes on listening */
		if (!r->listener_count)
			ring_end(r);
	}
	mem_free(ls->dir);
	mem_free(ls);
}

int mctl_local_stream_add(const char *name, const char *dir, uint32_t rate_hz, bool is_shuffled)
{
	struct lstream *ls = mem_zalloc(sizeof(*ls));
	int st = ST_NOMEM;
	if (!ls)
		return st;
	list_init(&ls->rings);
	ls->is_shuffled = is_shuffled;
	ls->start_us = clock_mono_us();
	ls->dir = mem_strdup(dir);
	st = streams ? ST_OK : hash_new(&streams, HASH_NOCASE, lstream_free);
	if (!st)
		st = hash_set(streams, sv_of(name), ls);
	if (st)
		lstream_free(ls);
	return st;
}

bool mctl_local_stream_exists(const char *name)
{
	return streams && hash_get(streams, sv_of(name));
}

bool mctl_local_stream_del(const char *name)
{
	return streams && hash_del(streams, sv_of(name));
}

void mctl_local_stream_each(void (*fn)(const char *name, const char *dir, bool is_shuffled, void *arg), void *arg)
{
	struct hash_it it = {0};
	char name[LSTREAM_NAME_MAX];
	while (streams && hash_next(streams, &it)) {
		const struct lstream *ls = it.value;
		snprintf(name, sizeof(name), "%.*s", SVF(it.key));
		fn(name, ls->dir, ls->is_shuffled, arg);
	}
}

void mctl_local_stream_clear(void)
{
	hash_free(streams);
	streams = NULL;
}
