/* The walk of samples, for streams that have taps. What a tap only hears is taken from lanes, while the packets
 * themselves are relayed as ever. Where a tap changes a direction, its packets are not relayed: the frames that a tick
 * takes from a lane go through the taps, are encoded once, and sent.
 *
 *   changed read side:   lane of what came -> levels, displaced sound, whispers -> peer (and its write side's taps)
 *   changed write side:  lane of what the peer said, or a play -> levels, displaced sound -> lane that spies hear
 *                        -> whispers -> the phone
 */
#include "base/check.h"
#include "dsp/mix.h"
#include "dsp/resample.h"
#include "media/rt/lane_i.h"
#include "media/rt/rt_i.h"

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

void work_plan(struct rt_stream *s)
{
	const struct rt_work *w = s->work;
	const struct codec_ops *recv = s->coders.dec.ops, *send = s->coders.enc.ops;
	s->is_work_ready = w && recv && send && w->recv_hz == recv->rate_hz && w->send_hz == send->rate_hz;
	for (int i = 0; i < 2; i++)
		s->is_changed[i] = s->is_work_ready && has_tap(s, i, true);
}

bool work_hears(const struct rt_stream *s, int side)
{
	return s->is_work_ready && (has_tap(s, side, false) || (side == RT_READ && s->is_changed[RT_READ]));
}

void work_lay(struct rt_stream *s, int side, uint32_t clock_hz, uint32_t ts, const int16_t *pcm, size_t n)
{
	if (!work_hears(s, side) || (side == RT_WRITE && s->is_changed[RT_WRITE]))
		return; /* a changed write side lays what it sends itself */
	lane_lay(s->work->lanes[side], clock_hz, ts, pcm, n, s->t->pcm[1], RT_FRAME_MAX_SAMPLES);
}

void work_in(struct rt_thread *t, struct rt_stream *from, struct pkt *k)
{
	struct rt_stream *to = t->flows[from->f->to].s;
	if (from->is_changed[RT_READ] || !to->is_work_ready || !from->coders.dec.ops)
		return; /* the tick takes it from its lane */
	const int16_t *pcm = pkt_samples(from, k);
	if (!pcm) {
		t->dropped++;
		return;
	}
	size_t n = xcode_resample(from->xcode, pcm, (size_t)k->pcm_count, t->pcm[1], RT_FRAME_MAX_SAMPLES);
	lane_lay(to->work->in, clock_of(&from->params.recv), k->ts, t->pcm[1], n, NULL, 0);
}

static void level_apply(struct rt_level *l, int side, int16_t *pcm, size_t n)
{
	struct rt_level_side *v = &l->side[side];
	if (v->is_muted)
		noise_fill(&v->noise, pcm, n);
	else
		mix_gain(pcm, n, v->gain_q12);
}

static void over(struct rt_tap *tap, int status)
{
	tap->is_over = true;
	tap->status = status;
}

/* The play's next samples; silence after its end. */
ON_MEDIA static void displace_read(struct rt_stream *s, struct rt_displace *d, int16_t *out, size_t n)
{
	struct rt_play *p = d->play;
	uint32_t rate_hz = d->side == RT_READ ? s->work->recv_hz : s->work->send_hz;
	uint8_t *bytes = s->t->store;
	memset(out, 0, n * sizeof(*out));
	if (p->codec.rate_hz != rate_hz || n * p->bytes_per_sample > sizeof(s->t->store)) {
		over(&d->tap, ST_UNSUPPORTED);
		return;
	}
	size_t got = play_read(s, p, bytes, n * p->bytes_per_sample) / p->bytes_per_sample;
	p->was_started = true;
	(void)codec_decode(&p->dec, bytes, got * p->bytes_per_sample, out, n);
	d->done_samples += got;
	p->sent_samples += got;
	if (got < n || (d->limit_samples && d->done_samples >= d->limit_samples))
		over(&d->tap, ST_OK);
}

ON_MEDIA static void displace_apply(struct rt_stream *s, struct rt_displace *d, unsigned side, int16_t *pcm, size_t n)
{
	int16_t *x = s->t->frame[FRAME_TAP];
	if (d->tap.is_over)
		return;
	if (side != d->side && !d->is_both) {
		if (!d->is_mixed)
			memset(pcm, 0, n * sizeof(*pcm));
		return;
	}
	if (side == d->side) {
		displace_read(s, d, x, n);
		if (d->pipe)
			pipe_put(d->pipe, x, n);
	} else if (!pipe_get(d->pipe, x, n)) {
		memset(x, 0, n * sizeof(*x));
	}
	if (d->is_mixed)
		mix_two(pcm, pcm, x, n);
	else
		memcpy(pcm, x, n * sizeof(*pcm));
}

ON_MEDIA static void change(struct rt_stream *s, int side, int16_t *pcm, size_t n)
{
	for (struct rt_tap *tap = s->taps; tap; tap = tap->next) {
		if (!tap->changes[side])
			continue;
		if (tap->kind == RT_TAP_LEVEL)
			level_apply((struct rt_level *)tap, side, pcm, n);
		else if (tap->kind == RT_TAP_DISPLACE)
			displace_apply(s, (struct rt_displace *)tap, (unsigned)side, pcm, n);
	}
}

ON_MEDIA static void whispers(struct rt_stream *s, int side, int16_t *pcm, size_t n)
{
	int16_t *x = s->t->frame[FRAME_TAP];
	for (struct rt_tap *tap = s->taps; tap; tap = tap->next)
		if (tap->kind == RT_TAP_SPY && tap->changes[side] &&
		    pipe_get(((struct rt_spy *)tap)->whisper[side], x, n))
			mix_two(pcm, pcm, x, n);
}

void work_send(struct rt_stream *s, int16_t *pcm, size_t n)
{
	struct rt_flow *f = s->f;
	uint8_t *p = s->t->scratch + RT_PACKET_ROOM;
	bool is_going_on = s->was_made && f->out.was_started && f->out.ts == s->made_ts;
	uint32_t ts = is_going_on ? s->made_ts_next : flow_ts_now(f);
	if (s->is_changed[RT_WRITE]) {
		change(s, RT_WRITE, pcm, n);
		if (has_tap(s, RT_WRITE, false))
			lane_lay(
			    s->work->lanes[RT_WRITE], f->send_clock_hz, ts, pcm, n, s->t->pcm[1], RT_FRAME_MAX_SAMPLES);
		whispers(s, RT_WRITE, pcm, n);
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
ON_MEDIA static void frames_send(struct rt_frames *q, struct rt_stream *to, const int16_t *pcm, size_t n)
{
	int16_t *x = to->t->frame[FRAME_OUT];
	size_t frame = (size_t)((uint64_t)to->coders.enc.ops->rate_hz * stream_frame_us(to) / 1000000), at = 0;
	if (frame > RT_FRAME_MAX_SAMPLES || n > RT_FRAME_MAX_SAMPLES || q->fill > RT_FRAME_MAX_SAMPLES)
		frame = n, q->fill = 0;
	memcpy(q->pcm + q->fill, pcm, n * sizeof(*pcm));
	q->fill += n;
	for (; frame && q->fill - at >= frame; at += frame) {
		memcpy(x, q->pcm + at, frame * sizeof(*x));
		work_send(to, x, frame);
	}
	q->fill -= at;
	memmove(q->pcm, q->pcm + at, q->fill * sizeof(*x));
}

/* A frame at the rate of the sender's lanes to whom it goes. */
ON_MEDIA static void push(struct rt_stream *s, const int16_t *pcm, size_t n)
{
	struct rt_stream *to = s->t->flows[s->f->to].s;
	int16_t *x = s->t->frame[FRAME_OUT];
	if (!to->f->may_relay || !to->coders.enc.ops)
		return;
	n = xcode_resample(s->xcode, pcm, n, x, RT_FRAME_MAX_SAMPLES);
	frames_send(&s->work->to_peer, to, x, n);
}

/* What each spy whispers in this tick. */
ON_MEDIA static void spies_say(struct rt_stream *s, size_t n)
{
	for (struct rt_tap *tap = s->taps; tap; tap = tap->next) {
		struct rt_spy *y = (struct rt_spy *)tap;
		if (tap->kind == RT_TAP_SPY)
			y->has_said = pipe_get(y->said, y->said_now, n);
	}
}

ON_MEDIA static void spy_hear(struct rt_spy *y, const int16_t *const sides[2], size_t n)
{
	struct rt_stream *l = y->listener;
	int16_t *x = l->t->frame[FRAME_OUT], *heard = l->t->frame[FRAME_TAP];
	if (!l->f->may_relay || l->peer || !l->coders.enc.ops)
		return;
	memset(heard, 0, n * sizeof(*heard));
	for (int i = 0; i < 2; i++)
		if (y->tap.hears[i])
			mix_two(heard, heard, sides[i], n);
	for (struct rt_tap *tap = y->target->taps; tap; tap = tap->next) {
		struct rt_spy *other = (struct rt_spy *)tap;
		if (tap->kind == RT_TAP_SPY && other != y && other->has_said)
			mix_two(heard, heard, other->said_now, n);
	}
	if (y->hear)
		n = resample_run(y->hear, heard, &n, x, RT_FRAME_MAX_SAMPLES);
	else
		memcpy(x, heard, n * sizeof(*x));
	frames_send(y->heard, l, x, n);
}

ON_MEDIA static void hear(struct rt_stream *s, const int16_t *const sides[2], size_t n)
{
	spies_say(s, n);
	for (struct rt_tap *tap = s->taps; tap; tap = tap->next) {
		if (tap->kind == RT_TAP_SPY) {
			spy_hear((struct rt_spy *)tap, sides, n);
		} else if (tap->kind == RT_TAP_VOICE) {
			struct rt_spy *y = (struct rt_spy *)(void *)((char *)tap - offsetof(struct rt_spy, voice));
			for (int i = 0; i < 2; i++)
				if (y->tap.changes[i])
					pipe_put(y->whisper[i], sides[RT_READ], n);
			if (y->tap.changes[RT_READ] || y->tap.changes[RT_WRITE])
				pipe_put(y->said, sides[RT_READ], n);
		} else {
			watch_hear(s, tap, sides, n);
		}
	}
}

/* Is there anything to be said to a phone that nobody else talks to? */
static bool has_own_sound(const struct rt_stream *s)
{
	for (const struct rt_tap *tap = s->taps; tap; tap = tap->next) {
		if (tap->kind == RT_TAP_DISPLACE && tap->changes[RT_WRITE] && !tap->is_over)
			return true;
		if (tap->kind == RT_TAP_SPY && tap->changes[RT_WRITE] &&
		    ((const struct rt_spy *)tap)->whisper[RT_WRITE]->fill)
			return true;
	}
	return false;
}

/* What goes to a changed write side by its own tick: unless a play or a digit has it, or its peer pushes. */
ON_MEDIA static void write_own(struct rt_stream *s)
{
	size_t n = (size_t)((uint64_t)s->work->send_hz * stream_frame_us(s) / 1000000);
	int16_t *x = s->t->frame[FRAME_OUT];
	const struct rt_stream *peer = s->peer;
	if (s->play || s->dtmf_out.is_busy || s->delay)
		return;
	if (peer && peer->is_changed[RT_READ] && peer->f->how == HOW_WORK)
		return;
	if (!peer && (s->listening || !has_own_sound(s)))
		return;
	lane_take(s->work->in, x, n);
	work_send(s, x, n);
}

void work_tick(struct rt_stream *s)
{
	taps_reap(s);
	if (!s->is_work_ready)
		return;
	struct rt_thread *t = s->t;
	size_t n = (size_t)((uint64_t)s->work->recv_hz * stream_frame_us(s) / 1000000);
	int16_t *r = t->frame[FRAME_READ], *w = t->frame[FRAME_WRITE];
	lane_take(s->work->lanes[RT_READ], r, n);
	lane_take(s->work->lanes[RT_WRITE], w, n);
	hear(s, (const int16_t *const[2]){r, w}, n);
	if (s->is_changed[RT_READ]) {
		change(s, RT_READ, r, n);
		whispers(s, RT_READ, r, n);
		if (s->f->how == HOW_WORK)
			push(s, r, n);
	}
	if (s->is_changed[RT_WRITE])
		write_own(s);
}
