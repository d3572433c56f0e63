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
#include "loop/loop.h"
#include "loop/work.h"
#include "media/ctl/ctl_i.h"
#include "media/ctl/local_i.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { RING_S = 8, AHEAD_MS = 4000, FILL_US = 1000000, LINGER_TICKS = 5, CHUNK_FRAMES = 2048, LSTREAM_NAME_MAX = 256 };

struct lstream {
	struct mctl_local_conf conf; /* its texts are its own */
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
	struct lmusic music; /* its start: of the ring's byte 0 */
	struct rt_ring *ring;
};
static struct hash *streams;

ON_WORK static void lring_fill(struct lring *r)
{
	size_t per = r->ops->sample_bytes;
	uint64_t until =
	    (uint64_t)(clock_mono_us() - r->music.start_us + AHEAD_MS * 1000) * r->ops->rate_hz / 1000000 * per;
	while (atomic_load_explicit(&r->ring->written, memory_order_relaxed) < until) {
		int16_t pcm[2 * CHUNK_FRAMES];
		uint8_t bytes[4 * CHUNK_FRAMES]; /* a codec of two channels has one on both */
		size_t got = lmusic_read(&r->music, pcm, CHUNK_FRAMES);
		int n = r->music.channels == 2 ? codec_encode_two(&r->enc, pcm, got, bytes, sizeof(bytes))
		                               : codec_encode(&r->enc, pcm, got, bytes, sizeof(bytes));
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
		r->status = rt_ring_new(&r->ring, (size_t)r->ops->rate_hz * RING_S * r->ops->sample_bytes);
	if (!r->status)
		r->status = lmusic_open(&r->music);
	if (!r->status)
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
	lmusic_close(&r->music);
	codec_enc_close(&r->enc);
}

static void close_done(int status, void *arg)
{
	role_assert_ctl();
	struct lring *r = arg;
	mctl.job_count--;
	mem_unref(r->ring);
	mem_free(r->music.dir);
	mem_free(r->music.chime.list);
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
			log_warning("media: local_stream directory %s: %s", r->music.dir, status_text(r->status));
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
	const struct mctl_local_conf *c = &ls->conf;
	r->music.dir = mem_strdup(c->dir);
	r->music.chime.list = mem_strdup(c->chimes);
	if (!r->ops || !r->music.dir || (c->chimes && !r->music.chime.list)) {
		mem_free(r->music.dir);
		mem_free(r->music.chime.list);
		mem_free(r);
		return NULL;
	}
	r->music.rate_hz = r->ops->rate_hz;
	r->music.channels = c->channels == 2 && codec_takes_two(r->ops, NULL) ? 2 : 1;
	r->music.is_shuffled = c->is_shuffled;
	r->music.clock_us = ls->start_us;
	r->music.chime.every_s = c->chime_every_s, r->music.chime.max_s = c->chime_max_s;
	atomic_init(&r->music.volume_db, c->volume_db);
	list_push(&ls->rings, &r->link);
	loop_timer_set(&r->timer, FILL_US, "media.local", lring_on_timer, r);
	lring_job_submit(r, open_job);
	return r;
}

/* FreeSWITCH's search: the name at the listener's rate, the name itself, what is called default. A rate that the caller
 * wrote ("moh/8000") is a wish only. */
static struct lstream *lstream_find(const char *name, uint32_t rate_hz, bool *is_default)
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
	*is_default = !ls;
	return ls ? ls : hash_get(streams, SV("default"));
}

int lring_join(const char *name, const struct media_codec *codec, lring_ready_fn fn, void *arg)
{
	bool is_default;
	struct lstream *ls = lstream_find(name, codec->rate_hz, &is_default);
	if (!ls)
		return ST_NOTFOUND;
	if (is_default)
		log_warning("media: there is no local_stream %s; default is played", name);
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
	return r->music.start_us;
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
	mem_free((char *)ls->conf.dir);
	mem_free((char *)ls->conf.chimes);
	mem_free(ls);
}

int mctl_local_stream_add(const char *name, const struct mctl_local_conf *conf)
{
	struct lstream *ls = mem_zalloc(sizeof(*ls));
	int st = ST_NOMEM;
	if (!ls)
		return st;
	list_init(&ls->rings);
	ls->start_us = clock_mono_us();
	ls->conf = *conf;
	ls->conf.dir = mem_strdup(conf->dir);
	ls->conf.chimes = mem_strdup(conf->chimes);
	if (ls->conf.dir && (ls->conf.chimes || !conf->chimes))
		st = streams ? ST_OK : hash_new(&streams, HASH_NOCASE, lstream_free);
	if (!st)
		st = hash_set(streams, sv_of(name), ls);
	if (st)
		lstream_free(ls);
	return st;
}

int mctl_local_stream_volume(const char *name, int db)
{
	struct lstream *ls = streams ? hash_get(streams, sv_of(name)) : NULL;
	struct lnode *it, *tmp;
	if (!ls)
		return ST_NOTFOUND;
	ls->conf.volume_db = db;
	list_each (&ls->rings, it, tmp)
		atomic_store(&list_entry(it, struct lring, link)->music.volume_db, db);
	return ST_OK;
}

bool lring_has_two(const char *name, uint32_t rate_hz)
{
	bool is_default;
	const struct lstream *ls = lstream_find(name, rate_hz, &is_default);
	return ls && ls->conf.channels == 2;
}

bool mctl_local_stream_exists(const char *name)
{
	return streams && hash_get(streams, sv_of(name));
}

bool mctl_local_stream_del(const char *name)
{
	return streams && hash_del(streams, sv_of(name));
}

static size_t listeners_of(struct lstream *ls)
{
	struct lnode *it, *tmp;
	size_t count = 0;
	list_each (&ls->rings, it, tmp)
		count += list_entry(it, struct lring, link)->listener_count;
	return count;
}

void mctl_local_stream_each(
    void (*fn)(const char *name, const struct mctl_local_conf *conf, size_t listeners, void *arg), void *arg)
{
	struct hash_it it = {0};
	char name[LSTREAM_NAME_MAX];
	while (streams && hash_next(streams, &it)) {
		struct lstream *ls = it.value;
		snprintf(name, sizeof(name), "%.*s", SVF(it.key));
		fn(name, &ls->conf, listeners_of(ls), arg);
	}
}

void mctl_local_stream_clear(void)
{
	hash_free(streams);
	streams = NULL;
}
