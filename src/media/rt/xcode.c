/* One codec into another between two legs, and the line of delayed packets for an echo. A packet that can be turned
 * over alone is: same rate and packet time, with its source's numbering (G.711 by table). Otherwise, also where only
 * the packet times differ, samples go through a resampler and a short queue that is cut into the far side's frames;
 * timestamps then count what was sent, and a hole in the source stays a hole. The decoder and the encoder are the
 * streams' own: what a codec remembers does not depend on who is joined to whom. */
#include "base/check.h"
#include "base/mem.h"
#include "dsp/resample.h"
#include "media/rt/rt_i.h"

#include <string.h>
#include <strings.h>

struct rt_xcode {
	const struct codec_ops *from, *to;
	struct codec_dec own; /* delayed: the stream's has gone on */
	bool is_one_to_one, is_free;
	uint8_t channels;          /* 2: both are kept */
	struct resample *resample; /* of one channel: samples that taps have changed have no more */
	struct resample *resample_two;
	size_t frame; /* samples of the far side's packet, of each channel */
	size_t fill;
	bool was_started;
	uint32_t src_ts_next, src_clock_hz, ts;
	int16_t queue[]; /* two frames and a packet; none when is_free */
};

/* On the wire; at which rate either side would code it is another matter (opus). */
static bool is_same_codec(const struct media_codec *a, const struct media_codec *b)
{
	return !strcasecmp(a->name, b->name) && a->clock_hz == b->clock_hz && a->channels == b->channels &&
	       a->variant == b->variant;
}

int rt_xcode_new(struct rt_xcode **out, const struct media_codec *from, const struct media_codec *to, unsigned channels,
    bool is_delayed, const char *fmtp)
{
	const struct codec_ops *f = codec_find_rate(from->name, from->clock_hz, from->channels, from->rate_hz);
	const struct codec_ops *o = codec_find_rate(to->name, to->clock_hz, to->channels, to->rate_hz);
	/* packets of another length are cut anew, where they can be: phones with a fixed frame take no others */
	bool is_cut_alike = from->ptime_ms == to->ptime_ms || !f;
	if (is_same_codec(from, to) && is_cut_alike) {
		*out = NULL;
		return ST_OK;
	}
	if (!f || !o)
		return ST_UNSUPPORTED;
	bool is_one_to_one =
	    f->rate_hz == o->rate_hz && from->clock_hz == to->clock_hz && from->ptime_ms == to->ptime_ms;
	bool is_free = is_one_to_one && o->sample_bytes; /* a packet of any length can be sent as it came */
	size_t frame = codec_frame_samples(o, to->ptime_ms ? to->ptime_ms : 20);
	if (frame > RT_FRAME_MAX_SAMPLES)
		return ST_UNSUPPORTED;
	struct rt_xcode *x =
	    mem_zalloc(sizeof(*x) + (is_free ? 0 : (2 * frame + RT_FRAME_MAX_SAMPLES) * channels * sizeof(int16_t)));
	if (!x)
		return ST_NOMEM;
	x->from = f, x->to = o, x->frame = frame, x->is_one_to_one = is_one_to_one, x->is_free = is_free;
	x->channels = (uint8_t)channels;
	x->src_clock_hz = from->clock_hz ? from->clock_hz : 8000;
	int st = f->rate_hz == o->rate_hz ? ST_OK : resample_new(&x->resample, f->rate_hz, o->rate_hz, 1);
	if (!st && x->resample && channels == 2)
		st = resample_new(&x->resample_two, f->rate_hz, o->rate_hz, 2);
	if (!st && is_delayed)
		st = codec_dec_open(&x->own, f, fmtp);
	if (st)
		rt_xcode_free(x);
	else
		*out = x;
	return st;
}

void rt_xcode_free(struct rt_xcode *x)
{
	if (!x)
		return;
	mem_unref(x->resample);
	mem_unref(x->resample_two);
	codec_dec_close(&x->own);
	mem_free(x);
}

/* k's samples, of the channels of x; NULL when there are none, which is counted. */
ON_MEDIA static const int16_t *xcode_samples(struct rt_thread *t, struct rt_stream *from, struct pkt *k)
{
	struct rt_xcode *x = from->xcode;
	if (x->own.ops && !k->was_decoded) {
		k->pcm_count = codec_decode(&x->own, k->payload, k->n, t->packet_pcm, RT_FRAME_MAX_SAMPLES);
		k->was_decoded = true;
	}
	const int16_t *pcm = x->channels == 2 ? pkt_two(from, k) : pkt_samples(from, k);
	t->dropped += !pcm;
	return pcm;
}

ON_MEDIA static int xcode_encode(
    const struct rt_xcode *x, struct rt_flow *to, const int16_t *pcm, size_t n, uint8_t *out)
{
	struct codec_enc *enc = &to->s->coders.enc;
	return x->channels == 2 ? codec_encode_two(enc, pcm, n, out, RT_PACKET_MAX - RTP_HEADER_BYTES)
	                        : codec_encode(enc, pcm, n, out, RT_PACKET_MAX - RTP_HEADER_BYTES);
}

ON_MEDIA static void xcode_one_to_one(struct rt_thread *t, struct rt_stream *from, struct rt_flow *to, struct pkt *k)
{
	uint8_t *out = t->scratch + RT_PACKET_ROOM;
	struct rt_xcode *x = from->xcode;
	if (!k->n || !codec_translate(x->from, x->to, k->payload, k->payload, k->n)) {
		const int16_t *pcm = xcode_samples(t, from, k);
		int n = pcm ? xcode_encode(x, to, pcm, (size_t)k->pcm_count, out) : 0;
		if (n <= 0) {
			t->dropped += n < 0;
			return;
		}
		k->payload = out, k->n = (size_t)n;
	}
	flow_forward(t, to, k, (uint8_t)to->send_pt);
}

ON_MEDIA static void xcode_queue_send(struct rt_thread *t, struct rt_xcode *x, struct rt_flow *to)
{
	uint8_t *out = t->scratch + RT_PACKET_ROOM;
	size_t at = 0;
	for (; x->fill - at >= x->frame; at += x->frame) {
		int n = xcode_encode(x, to, x->queue + at * x->channels, x->frame, out);
		if (n <= 0) { /* 0: silence that needs no packet */
			t->dropped += n < 0;
			continue;
		}
		bool is_going_on = x->was_started && to->out.ts == x->ts;
		x->ts = is_going_on ? x->ts + to->send_frame_ticks : flow_ts_now(to);
		x->was_started = true;
		if (to->may_relay)
			flow_send_own(to, (uint8_t)to->send_pt, !is_going_on, x->ts, out, (size_t)n);
	}
	x->fill -= at;
	memmove(x->queue, x->queue + at * x->channels, x->fill * x->channels * sizeof(x->queue[0]));
}

/* A hole or a new source: what is queued does not belong to what comes; the clock since the last packet says how long
 * the hole was. */
static void xcode_hole(struct rt_xcode *x)
{
	x->fill = 0;
	x->was_started = false;
	if (x->resample)
		resample_reset(x->resample);
	if (x->resample_two)
		resample_reset(x->resample_two);
}

/* n frames of its channels into the queue. */
static void xcode_queue(struct rt_xcode *x, const int16_t *in, size_t n)
{
	int16_t *out = x->queue + x->fill * x->channels;
	size_t room = 2 * x->frame + RT_FRAME_MAX_SAMPLES - x->fill;
	if (x->channels == 1) {
		x->fill += xcode_resample(x, in, n, out, room);
	} else if (x->resample_two) {
		x->fill += resample_run(x->resample_two, in, &n, out, room);
	} else {
		n = n < room ? n : room;
		memcpy(out, in, 2 * n * sizeof(*in));
		x->fill += n;
	}
}

size_t xcode_resample(struct rt_xcode *x, const int16_t *in, size_t n, int16_t *out, size_t cap)
{
	if (x && x->resample)
		return resample_run(x->resample, in, &n, out, cap);
	n = n < cap ? n : cap;
	memcpy(out, in, n * sizeof(*in));
	return n;
}

void xcode_part(struct rt_stream *s)
{
	if (s->xcode)
		xcode_hole(s->xcode);
}

/* Either side's codec just changed: the translator between the new ones is on its way. */
static bool xcode_fits(const struct rt_xcode *x, const struct rt_stream *from, const struct rt_stream *to)
{
	return x->from == from->coders.dec.ops && x->to == to->coders.enc.ops && x->channels <= to->coders.enc.channels;
}

void xcode_forward(struct rt_thread *t, struct rt_stream *from, struct rt_flow *to, struct pkt *k)
{
	struct rt_xcode *x = from->xcode;
	if (!xcode_fits(x, from, to->s)) {
		t->dropped++;
		return;
	}
	const int16_t *pcm = x->is_free ? NULL : xcode_samples(t, from, k);
	/* a codec of frames gets whole ones, whatever the length of the packets that come */
	if (x->is_free || (pcm && x->is_one_to_one && !x->fill && (size_t)k->pcm_count == x->frame)) {
		xcode_one_to_one(t, from, to, k);
		return;
	}
	if (!pcm)
		return;
	size_t got = (size_t)k->pcm_count;
	int32_t gap = rtp_ts_diff(k->ts, x->src_ts_next);
	if (x->was_started && gap < 0 && gap > -(int32_t)x->src_clock_hz)
		return; /* its place was sent over */
	if (gap != 0)
		xcode_hole(x);
	x->src_ts_next = k->ts + (uint32_t)((uint64_t)got * x->src_clock_hz / x->from->rate_hz);
	xcode_queue(x, pcm, got);
	xcode_queue_send(t, x, to);
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

static void delay_line_copy(struct rt_delay *d, uint64_t at, void *p, size_t n, bool is_put)
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
	delay_line_copy(d, d->tail, &e, sizeof(e), true);
	delay_line_copy(d, d->tail + sizeof(e), k->payload, k->n, true);
	d->tail += sizeof(e) + k->n;
}

void delay_tick(struct rt_stream *s)
{
	struct rt_delay *d = s->delay;
	uint8_t *payload = s->t->packet + RT_PACKET_ROOM;
	while (d->tail != d->head) {
		struct delayed e;
		delay_line_copy(d, d->head, &e, sizeof(e), false);
		if (e.due_us > s->t->now_us)
			return;
		delay_line_copy(d, d->head + sizeof(e), payload, e.n, false);
		d->head += sizeof(e) + e.n;
		struct pkt k = {
		    .payload = payload, .n = e.n, .ts = e.ts, .ssrc = e.ssrc, .seq = e.seq, .has_marker = e.has_marker};
		if (s->xcode)
			xcode_forward(s->t, s, s->f, &k);
		else
			flow_forward(s->t, s->f, &k, (uint8_t)s->f->send_pt);
	}
}
