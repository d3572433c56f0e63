/* One codec into another between two legs, and the delayed echo. Same rate and packet time: every packet is turned over
 * as it comes, with its source's numbering (G.711 by table). Otherwise, also where only the packet times differ,
 * samples go through a resampler and a short queue that is cut into the far side's frames; timestamps then count what
 * was sent, and a hole in the source stays a hole.
 */
#include "base/check.h"
#include "base/mem.h"
#include "dsp/resample.h"
#include "media/rt/rt_i.h"

#include <string.h>
#include <strings.h>

struct rt_xcode {
	const struct codec_ops *from, *to;
	bool is_one_to_one;
	struct resample *resample;
	size_t frame; /* samples of the far side's packet */
	size_t fill;
	bool was_started;
	uint32_t src_ts_next, src_clock_hz, ts;
	int16_t queue[]; /* two frames and a packet */
};

size_t rt_sample_bytes(const struct codec_ops *ops)
{
	if (!ops || ops->open || ops->channels != 1)
		return 0;
	return ops->frame_bytes(ops, 10) * 100 / ops->rate_hz;
}

static bool is_same_codec(const struct media_codec *a, const struct media_codec *b)
{
	return !strcasecmp(a->name, b->name) && a->clock_hz == b->clock_hz && a->channels == b->channels &&
	       a->rate_hz == b->rate_hz;
}

int rt_xcode_new(struct rt_xcode **out, const struct media_codec *from, const struct media_codec *to)
{
	const struct codec_ops *f = codec_find(from->name, from->clock_hz, from->channels);
	const struct codec_ops *o = codec_find(to->name, to->clock_hz, to->channels);
	/* packets of another length are cut anew, where they can be: phones with a fixed frame take no others */
	bool is_cut_alike = from->ptime_ms == to->ptime_ms || !rt_sample_bytes(f);
	if (is_same_codec(from, to) && is_cut_alike) {
		*out = NULL;
		return ST_OK;
	}
	if (!rt_sample_bytes(f) || !rt_sample_bytes(o))
		return ST_UNSUPPORTED;
	bool is_one_to_one =
	    f->rate_hz == o->rate_hz && from->clock_hz == to->clock_hz && from->ptime_ms == to->ptime_ms;
	size_t frame = codec_frame_samples(o, to->ptime_ms ? to->ptime_ms : 20);
	if (frame > RT_FRAME_MAX_SAMPLES)
		return ST_UNSUPPORTED;
	struct rt_xcode *x =
	    mem_zalloc(sizeof(*x) + (is_one_to_one ? 0 : (2 * frame + RT_FRAME_MAX_SAMPLES) * sizeof(int16_t)));
	if (!x)
		return ST_NOMEM;
	x->from = f, x->to = o, x->frame = frame, x->is_one_to_one = is_one_to_one;
	x->src_clock_hz = from->clock_hz ? from->clock_hz : 8000;
	int st = f->rate_hz == o->rate_hz ? ST_OK : resample_new(&x->resample, f->rate_hz, o->rate_hz, 1);
	if (st)
		mem_free(x);
	else
		*out = x;
	return st;
}

void rt_xcode_free(struct rt_xcode *x)
{
	if (x)
		mem_unref(x->resample);
	mem_free(x);
}

ON_MEDIA static void one_to_one(struct rt_thread *t, struct rt_xcode *x, struct rt_flow *to, struct pkt *k)
{
	uint8_t *out = t->scratch + RT_PACKET_ROOM;
	if (!codec_translate(x->from, x->to, k->payload, k->payload, k->n)) {
		int got = x->from->decode(NULL, k->payload, k->n, t->pcm[0], RT_FRAME_MAX_SAMPLES);
		int n =
		    got < 0 ? got : x->to->encode(NULL, t->pcm[0], (size_t)got, out, RT_PACKET_MAX - RTP_HEADER_BYTES);
		if (n <= 0) {
			t->dropped++;
			return;
		}
		k->payload = out, k->n = (size_t)n;
	}
	flow_forward(t, to, k, (uint8_t)to->send_pt);
}

ON_MEDIA static void frames_send(struct rt_thread *t, struct rt_xcode *x, struct rt_flow *to)
{
	uint8_t *out = t->scratch + RT_PACKET_ROOM;
	size_t at = 0;
	for (; x->fill - at >= x->frame; at += x->frame) {
		int n = x->to->encode(NULL, x->queue + at, x->frame, out, RT_PACKET_MAX - RTP_HEADER_BYTES);
		if (n <= 0) {
			t->dropped++;
			continue;
		}
		bool is_going_on = x->was_started && to->out.ts == x->ts;
		x->ts = is_going_on ? x->ts + to->send_frame_ticks : flow_ts_now(to);
		x->was_started = true;
		if (to->may_relay)
			flow_send_own(to, (uint8_t)to->send_pt, !is_going_on, x->ts, out, (size_t)n);
	}
	x->fill -= at;
	memmove(x->queue, x->queue + at, x->fill * sizeof(x->queue[0]));
}

/* A hole or a new source: what is queued does not belong to what comes; the clock since the last packet says how long
 * the hole was. */
static void hole(struct rt_xcode *x)
{
	x->fill = 0;
	x->was_started = false;
	if (x->resample)
		resample_reset(x->resample);
}

size_t xcode_resample(struct rt_xcode *x, const int16_t *in, size_t n, int16_t *out, size_t cap)
{
	if (x && x->resample)
		return resample_run(x->resample, in, &n, out, cap);
	n = n < cap ? n : cap;
	memcpy(out, in, n * sizeof(*in));
	return n;
}

void xcode_forward(struct rt_thread *t, struct rt_stream *from, struct rt_flow *to, struct pkt *k)
{
	struct rt_xcode *x = from->xcode;
	if (x->is_one_to_one) {
		one_to_one(t, x, to, k);
		return;
	}
	int got = x->from->decode(NULL, k->payload, k->n, t->pcm[0], RT_FRAME_MAX_SAMPLES);
	if (got <= 0) {
		t->dropped++;
		return;
	}
	int32_t gap = rtp_ts_diff(k->ts, x->src_ts_next);
	if (x->was_started && gap < 0 && gap > -(int32_t)x->src_clock_hz)
		return; /* its place was sent over */
	if (gap != 0)
		hole(x);
	x->src_ts_next = k->ts + (uint32_t)((uint64_t)(unsigned)got * x->src_clock_hz / x->from->rate_hz);
	size_t room = 2 * x->frame + RT_FRAME_MAX_SAMPLES - x->fill, used = (size_t)got;
	if (x->resample) {
		x->fill += resample_run(x->resample, t->pcm[0], &used, x->queue + x->fill, room);
	} else {
		used = used < room ? used : room;
		memcpy(x->queue + x->fill, t->pcm[0], used * sizeof(int16_t));
		x->fill += used;
	}
	frames_send(t, x, to);
}

/* The delay line: packets one after the other in a ring of bytes, each with its head. */
struct delayed {
	int64_t due_us;
	uint32_t ts, ssrc;
	uint16_t seq, n;
	bool has_marker;
};
struct rt_delay {
	int64_t delay_us;
	size_t cap;
	uint64_t head, tail; /* bytes ever taken and put */
	uint8_t bytes[];
};

int rt_delay_new(struct rt_delay **out, unsigned delay_ms, unsigned bytes_per_ms)
{
	/* one head a 10 ms packet, and room for bursts */
	size_t cap = (size_t)(delay_ms + 500) * (bytes_per_ms + sizeof(struct delayed) / 10 + 1);
	struct rt_delay *d = mem_zalloc(sizeof(*d) + cap);
	if (!d)
		return ST_NOMEM;
	d->delay_us = delay_ms * INT64_C(1000), d->cap = cap;
	*out = d;
	return ST_OK;
}

void rt_delay_free(struct rt_delay *d)
{
	mem_free(d);
}

static void line_copy(struct rt_delay *d, uint64_t at, void *p, size_t n, bool is_put)
{
	size_t from = (size_t)(at % d->cap), first = d->cap - from < n ? d->cap - from : n;
	uint8_t *b = p;
	if (is_put)
		memcpy(d->bytes + from, b, first), memcpy(d->bytes, b + first, n - first);
	else
		memcpy(b, d->bytes + from, first), memcpy(b + first, d->bytes, n - first);
}

void delay_put(struct rt_stream *s, const struct pkt *k)
{
	struct rt_delay *d = s->delay;
	struct delayed e = {.due_us = s->t->now_us + d->delay_us,
	    .ts = k->ts,
	    .ssrc = k->ssrc,
	    .seq = k->seq,
	    .n = (uint16_t)k->n,
	    .has_marker = k->has_marker};
	if (d->tail - d->head + sizeof(e) + k->n > d->cap) {
		s->t->dropped++;
		return;
	}
	line_copy(d, d->tail, &e, sizeof(e), true);
	line_copy(d, d->tail + sizeof(e), k->payload, k->n, true);
	d->tail += sizeof(e) + k->n;
}

void delay_tick(struct rt_stream *s)
{
	struct rt_delay *d = s->delay;
	uint8_t *payload = s->t->packet + RT_PACKET_ROOM;
	while (d->tail != d->head) {
		struct delayed e;
		line_copy(d, d->head, &e, sizeof(e), false);
		if (e.due_us > s->t->now_us)
			return;
		line_copy(d, d->head + sizeof(e), payload, e.n, false);
		d->head += sizeof(e) + e.n;
		struct pkt k = {
		    .payload = payload, .n = e.n, .ts = e.ts, .ssrc = e.ssrc, .seq = e.seq, .has_marker = e.has_marker};
		if (s->xcode)
			xcode_forward(s->t, s, s->f, &k);
		else
			flow_forward(s->t, s->f, &k, (uint8_t)s->f->send_pt);
	}
}
