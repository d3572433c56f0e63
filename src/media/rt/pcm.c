/* Samples are wanted by few streams, and only those pay: packets are decoded where a tap hears them, and relayed as
 * packets all the same; only a direction that a tap changes is not relayed any more, but made anew by the tick. Streams
 * have different packet times and moments, so that both sides are first laid on lanes, from which a tick takes as many
 * samples of each. Each frame is encoded once.
 *
 *   changed read side:   lane of what came -> taps change, add -> peer (and its write side's taps)
 *   changed write side:  lane of what the peer said, or a play -> taps change -> lane that listeners hear
 *                        -> taps add -> the phone */
#include "base/check.h"
#include "dsp/mix.h"
#include "dsp/resample.h"
#include "media/rt/lane_i.h"
#include "media/rt/tap_i.h"

#include <string.h>

static uint32_t clock_of(const struct media_codec *c)
{
	return c->clock_hz ? c->clock_hz : 8000;
}

static bool has_tap(const struct rt_stream *s, int side, bool is_changing)
{
	for (const struct rt_tap *tap = s->taps; tap; tap = tap->next)
		if (is_changing ? tap->changes[side] : tap->hears[side])
			return true;
	return false;
}

void pcm_plan(struct rt_stream *s)
{
	const struct rt_pcm *w = s->pcm;
	const struct codec_ops *recv = s->coders.dec.ops, *send = s->coders.enc.ops;
	s->is_pcm_ready = w && recv && send && w->recv_hz == recv->rate_hz && w->send_hz == send->rate_hz;
	for (int i = 0; i < 2; i++)
		s->is_changed[i] = s->is_pcm_ready && has_tap(s, i, true);
}

bool pcm_hears(const struct rt_stream *s, int side)
{
	return s->is_pcm_ready && (has_tap(s, side, false) || (side == RT_READ && s->is_changed[RT_READ]));
}

void pcm_lay(struct rt_stream *s, int side, uint32_t clock_hz, uint32_t ts, const int16_t *pcm, size_t n)
{
	if (!pcm_hears(s, side) || (side == RT_WRITE && s->is_changed[RT_WRITE]))
		return; /* a changed write side lays what it sends itself */
	lane_lay(s->pcm->lanes[side], clock_hz, ts, pcm, n, s->t->pcm[1], RT_FRAME_MAX_SAMPLES);
}

void pcm_in(struct rt_thread *t, struct rt_stream *from, struct pkt *k)
{
	struct rt_stream *to = t->flows[from->f->to].s;
	if (from->is_changed[RT_READ] || !to->is_pcm_ready || !from->coders.dec.ops)
		return; /* the tick takes it from its lane */
	const int16_t *pcm = pkt_samples(from, k);
	if (!pcm) {
		t->dropped++;
		return;
	}
	size_t n = xcode_resample(from->xcode, pcm, (size_t)k->pcm_count, t->pcm[1], RT_FRAME_MAX_SAMPLES);
	lane_lay(to->pcm->in, clock_of(&from->params.recv), k->ts, t->pcm[1], n, NULL, 0);
}

/* The read side, or the write side, as taps leave it. */
static void taps_change(struct rt_stream *s, int side, int16_t *pcm, size_t n)
{
	for (struct rt_tap *tap = s->taps; tap; tap = tap->next)
		if (tap->changes[side] && tap->ops->change)
			tap->ops->change(tap, side, pcm, n);
}

static void taps_add(struct rt_stream *s, int side, int16_t *pcm, size_t n)
{
	for (struct rt_tap *tap = s->taps; tap; tap = tap->next)
		if (tap->ops->add)
			tap->ops->add(tap, side, pcm, n);
}

void pcm_send(struct rt_stream *s, int16_t *pcm, size_t n)
{
	struct rt_flow *f = s->f;
	uint8_t *p = s->t->scratch + RT_PACKET_ROOM;
	bool is_going_on = s->was_made && f->out.was_started && f->out.ts == s->made_ts;
	uint32_t ts = is_going_on ? s->made_ts_next : flow_ts_now(f);
	if (s->is_changed[RT_WRITE]) {
		taps_change(s, RT_WRITE, pcm, n);
		if (has_tap(s, RT_WRITE, false))
			lane_lay(
			    s->pcm->lanes[RT_WRITE], f->send_clock_hz, ts, pcm, n, s->t->pcm[1], RT_FRAME_MAX_SAMPLES);
		taps_add(s, RT_WRITE, pcm, n);
	}
	int bytes = codec_encode(&s->coders.enc, pcm, n, p, RT_PACKET_MAX - RTP_HEADER_BYTES);
	s->was_made = bytes > 0 && f->may_send;
	if (!s->was_made)
		return;
	s->made_ts = ts;
	s->made_ts_next = ts + (uint32_t)((uint64_t)n * f->send_clock_hz / s->coders.enc.ops->rate_hz);
	flow_send_own(f, (uint8_t)f->send_pt, !is_going_on, ts, p, (size_t)bytes);
}

/* n samples at the rate of to, in packets of its length. */
void frames_send(struct rt_frames *q, struct rt_stream *to, const int16_t *pcm, size_t n)
{
	int16_t *x = to->t->frame[FRAME_OUT];
	size_t frame = (size_t)((uint64_t)to->coders.enc.ops->rate_hz * stream_frame_us(to) / 1000000), at = 0;
	if (frame > RT_FRAME_MAX_SAMPLES || n > RT_FRAME_MAX_SAMPLES || q->fill > RT_FRAME_MAX_SAMPLES)
		frame = n, q->fill = 0;
	memcpy(q->pcm + q->fill, pcm, n * sizeof(*pcm));
	q->fill += n;
	for (; frame && q->fill - at >= frame; at += frame) {
		memcpy(x, q->pcm + at, frame * sizeof(*x));
		pcm_send(to, x, frame);
	}
	q->fill -= at;
	memmove(q->pcm, q->pcm + at, q->fill * sizeof(*x));
}

/* A frame at the rate of the sender's lanes to whom it goes. */
ON_MEDIA static void push_to_peer(struct rt_stream *s, const int16_t *pcm, size_t n)
{
	struct rt_stream *to = s->t->flows[s->f->to].s;
	int16_t *x = s->t->frame[FRAME_OUT];
	if (!to->f->may_relay || !to->coders.enc.ops)
		return;
	n = xcode_resample(s->xcode, pcm, n, x, RT_FRAME_MAX_SAMPLES);
	frames_send(&s->pcm->to_peer, to, x, n);
}

static void taps_hear(struct rt_stream *s, const int16_t *const sides[2], size_t n)
{
	for (struct rt_tap *tap = s->taps; tap; tap = tap->next)
		if (tap->ops->gather)
			tap->ops->gather(tap, n);
	for (struct rt_tap *tap = s->taps; tap; tap = tap->next)
		if (tap->ops->hear)
			tap->ops->hear(tap, sides, n);
}

/* Is there anything to be said to a phone that nobody else talks to? */
static bool has_own_sound(const struct rt_stream *s)
{
	for (const struct rt_tap *tap = s->taps; tap; tap = tap->next)
		if (tap->ops->has_sound && tap->ops->has_sound(tap))
			return true;
	return false;
}

/* What goes to a changed write side by its own tick: unless a play or a digit has it, or its peer pushes. */
ON_MEDIA static void write_own(struct rt_stream *s)
{
	size_t n = (size_t)((uint64_t)s->pcm->send_hz * stream_frame_us(s) / 1000000);
	int16_t *x = s->t->frame[FRAME_OUT];
	const struct rt_stream *peer = s->peer;
	if (s->play || s->dtmf_out.is_busy || s->delay || s->member) /* a room has a tick of its own */
		return;
	if (peer && peer->is_changed[RT_READ] && peer->f->how == HOW_PCM)
		return;
	if (!peer && (s->listening || !has_own_sound(s)))
		return;
	lane_take(s->pcm->in, x, n);
	pcm_send(s, x, n);
}

void pcm_tick(struct rt_stream *s)
{
	taps_reap(s);
	if (!s->is_pcm_ready)
		return;
	struct rt_thread *t = s->t;
	size_t n = (size_t)((uint64_t)s->pcm->recv_hz * stream_frame_us(s) / 1000000);
	int16_t *r = t->frame[FRAME_READ], *w = t->frame[FRAME_WRITE];
	if (!lane_missing(s->pcm->lanes[RT_READ], n, &s->pcm->missed_first, &s->pcm->missed_count))
		s->pcm->missed_first = n, s->pcm->missed_count = 0;
	lane_take(s->pcm->lanes[RT_READ], r, n);
	lane_take(s->pcm->lanes[RT_WRITE], w, n);
	taps_hear(s, (const int16_t *const[2]){r, w}, n);
	if (s->is_changed[RT_READ]) {
		taps_change(s, RT_READ, r, n);
		taps_add(s, RT_READ, r, n);
		if (s->f->how == HOW_PCM)
			push_to_peer(s, r, n);
	}
	if (s->is_changed[RT_WRITE])
		write_own(s);
}
