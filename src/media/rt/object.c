/* The media thread takes no memory: all it works with is made by control, lent with a command, and given back or freed
 * between two packets. Here is how these things are made, filled and read: byte rings, clips, coders, plays, records.
 */
#include "base/mem.h"
#include "media/rt/lane_i.h"
#include "media/rt/rt_i.h"

#include <string.h>

enum { PLAY_RATE_SPARE = 64 /* samples that a resampler gives more at times */ };

int rt_ring_new(struct rt_ring **out, size_t min_bytes)
{
	size_t cap = min_bytes <= 256 ? 256 : 2048; /* for a word now and then; else for a flow */
	while (cap < min_bytes)
		cap *= 2;
	struct rt_ring *r = mem_new_atomic(sizeof(*r) + cap, NULL, "media.ring");
	if (!r)
		return ST_NOMEM;
	r->cap = cap;
	*out = r;
	return ST_OK;
}

/* Eight bytes at offset at (a multiple of 8) with bytes [from, to) of it replaced. */
static void word_put(struct rt_ring *r, size_t at, const uint8_t *p, size_t from, size_t to)
{
	uint64_t *w = (uint64_t *)(void *)(r->bytes + at);
	uint64_t v = __atomic_load_n(w, __ATOMIC_RELAXED);
	memcpy((uint8_t *)&v + from, p, to - from);
	__atomic_store_n(w, v, __ATOMIC_RELAXED);
}

void rt_ring_write(struct rt_ring *r, const void *p, size_t n)
{
	uint64_t at = atomic_load_explicit(&r->written, memory_order_relaxed);
	rt_ring_stage(r, at, p, n);
	atomic_store_explicit(&r->written, at + n, memory_order_release);
}

void rt_ring_stage(struct rt_ring *r, uint64_t at, const void *p, size_t n)
{
	const uint8_t *src = p;
	uint64_t end = at + n;
	while (at < end) {
		size_t in = at & 7, take = 8 - in;
		if (take > end - at)
			take = (size_t)(end - at);
		word_put(r, (size_t)(at & (r->cap - 1)) & ~(size_t)7, src, in, in + take);
		src += take, at += take;
	}
}

void rt_ring_copy(const struct rt_ring *r, uint64_t at, void *p, size_t n)
{
	uint8_t *dst = p;
	uint64_t end = at + n;
	while (at < end) {
		size_t in = at & 7, take = 8 - in;
		if (take > end - at)
			take = (size_t)(end - at);
		const uint64_t *w = (const uint64_t *)(const void *)(r->bytes + ((at & (r->cap - 1)) & ~UINT64_C(7)));
		uint64_t v = __atomic_load_n(w, __ATOMIC_RELAXED);
		memcpy(dst, (const uint8_t *)&v + in, take);
		dst += take, at += take;
	}
}

static void clip_free(void *obj)
{
	struct rt_clip *c = obj;
	mem_free(c->bytes);
}

int rt_clip_new(struct rt_clip **out, size_t bytes_count)
{
	struct rt_clip *c = mem_new_atomic(sizeof(*c), clip_free, "media.clip");
	if (!c)
		return ST_NOMEM;
	c->bytes = mem_alloc(bytes_count + 1);
	if (!c->bytes) {
		mem_unref(c);
		return ST_NOMEM;
	}
	c->bytes_count = bytes_count;
	*out = c;
	return ST_OK;
}

struct rt_dtmf_room *rt_dtmf_room_new(void)
{
	return mem_zalloc(sizeof(struct rt_dtmf_room));
}

void coders_close(struct rt_coders *c)
{
	codec_enc_close(&c->enc);
	codec_dec_close(&c->dec);
	codec_dec_close(&c->sent);
	rt_red_free(c->red);
	rt_fec_free(c->fec);
	c->red = NULL, c->fec = NULL;
}

static const struct codec_ops *codec_of(const struct media_codec *c)
{
	return codec_find_rate(c->name, c->clock_hz, c->channels, c->rate_hz);
}

static int dec_open(struct codec_dec *d, const struct codec_ops *ops, const char *fmtp, bool is_two)
{
	return is_two ? codec_dec_open_two(d, ops, fmtp) : codec_dec_open(d, ops, fmtp);
}

int rt_coders_new(struct rt_coders **out, const struct media_params *p)
{
	const struct codec_ops *send = codec_of(&p->send), *recv = codec_of(&p->recv);
	struct rt_coders *c = mem_zalloc(sizeof(*c));
	if (!c)
		return ST_NOMEM;
	int st = send ? codec_enc_open(&c->enc, send, p->fmtp) : ST_OK;
	if (!st && send)
		st = dec_open(&c->sent, send, p->fmtp, codec_takes_two(send, p->fmtp));
	if (!st && recv)
		st = dec_open(&c->dec, recv, p->fmtp, codec_sends_two(recv, p->fmtp));
	if (!st && p->red_send && !p->kind)
		st = rt_red_new(&c->red);
	if (!st && p->fec_send && p->kind)
		st = rt_fec_new(&c->fec);
	if (st)
		rt_coders_free(c);
	else
		*out = c;
	return st;
}

void rt_coders_free(struct rt_coders *c)
{
	if (c)
		coders_close(c);
	mem_free(c);
}

int rt_play_rate_new(struct rt_play_rate **out, uint32_t from_hz, uint32_t to_hz, unsigned channels)
{
	*out = NULL;
	if (from_hz == to_hz)
		return ST_OK;
	size_t cap = (size_t)to_hz * 2 * RT_PTIME_MAX_MS / 1000 + PLAY_RATE_SPARE;
	struct rt_play_rate *r = mem_zalloc(sizeof(*r) + cap * channels * sizeof(r->pcm[0]));
	if (!r)
		return ST_NOMEM;
	r->to_hz = to_hz, r->cap = cap;
	int st = resample_new(&r->resample, from_hz, to_hz, channels);
	if (st)
		mem_free(r);
	else
		*out = r;
	return st;
}

void rt_play_rate_free(struct rt_play_rate *r)
{
	if (r)
		mem_unref(r->resample);
	mem_free(r);
}

struct rt_play *rt_play_new(size_t part_count)
{
	struct rt_play *p = mem_zalloc(sizeof(*p) + part_count * sizeof(p->parts[0]));
	if (p)
		p->part_count = part_count;
	return p;
}

void rt_play_free(struct rt_play *p)
{
	for (size_t i = 0; p && i < p->part_count; i++) {
		mem_unref(p->parts[i].clip);
		mem_unref(p->parts[i].ring);
	}
	if (p) {
		codec_dec_close(&p->dec);
		rt_play_rate_free(p->rate);
	}
	mem_free(p);
}

/* One side's lane, and that of its right channel. */
static int sides_new(struct rt_record *r, int side, uint32_t in_hz, bool has_two)
{
	int st = rt_lane_new_behind(&r->lanes[side], in_hz, r->rate_hz, r->lead_ms, RT_RECORD_LAG_MS);
	if (!st && r->is_two && has_two)
		st = rt_lane_new_behind(&r->right[side], in_hz, r->rate_hz, r->lead_ms, RT_RECORD_LAG_MS);
	return st;
}

int rt_record_new(struct rt_record **out, const struct media_record_conf *conf, uint32_t rate_hz,
    const uint32_t in_rates[2], const bool has_two[2])
{
	struct rt_record *r = mem_zalloc(sizeof(*r));
	if (!r)
		return ST_NOMEM;
	r->conf = *conf;
	r->rate_hz = rate_hz;
	bool are_sides = conf->is_stereo && conf->has_read && conf->has_write;
	r->is_two = !are_sides && has_two[conf->has_read ? RT_READ : RT_WRITE];
	r->channels = are_sides || r->is_two ? 2 : 1;
	r->limit_frames = (uint64_t)conf->limit_ms * rate_hz / 1000;
	r->silence_frames = conf->silence_level ? (uint64_t)conf->silence_ms * rate_hz / 1000 : 0;
	uint32_t initial_ms = conf->initial_ms ? conf->initial_ms : conf->silence_ms;
	r->initial_frames = conf->silence_level && initial_ms != UINT32_MAX ? (uint64_t)initial_ms * rate_hz / 1000 : 0;
	r->lead_ms = conf->lead_ms ? conf->lead_ms : RT_RECORD_LEAD_MS;
	int st = rt_ring_new(&r->ring, (size_t)rate_hz * RT_RECORD_RING_S * sizeof(int16_t) * r->channels);
	if (!st && conf->has_read)
		st = sides_new(r, RT_READ, in_rates[RT_READ], has_two[RT_READ]);
	if (!st && conf->has_write)
		st = sides_new(r, RT_WRITE, in_rates[RT_WRITE], has_two[RT_WRITE]);
	if (st)
		rt_record_free(r);
	else
		*out = r;
	return st;
}

void rt_record_free(struct rt_record *r)
{
	for (int i = 0; r && i < 2; i++)
		rt_lane_free(r->lanes[i]), rt_lane_free(r->right[i]);
	if (r)
		mem_unref(r->ring);
	mem_free(r);
}

int rt_record_rates_new(struct rt_record_rates **out, uint32_t id, const uint32_t in_hz[2], uint32_t rate_hz)
{
	struct rt_record_rates *r = mem_zalloc(sizeof(*r));
	int st = r ? ST_OK : ST_NOMEM;
	for (int i = 0; !st && i < 2; i++) {
		r->sides[i].in_hz = in_hz[i];
		if (!in_hz[i] || in_hz[i] == rate_hz)
			continue;
		st = resample_new(&r->sides[i].resample, in_hz[i], rate_hz, 1);
		if (!st)
			st = resample_new(&r->sides[i].right, in_hz[i], rate_hz, 1);
	}
	if (st) {
		rt_record_rates_free(r);
		return st;
	}
	r->id = id;
	*out = r;
	return ST_OK;
}

void rt_record_rates_free(struct rt_record_rates *r)
{
	for (int i = 0; r && i < 2; i++)
		mem_unref(r->sides[i].resample), mem_unref(r->sides[i].right);
	mem_free(r);
}
