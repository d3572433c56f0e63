/* Whatever takes time was done before: a play is bytes in the codec they are sent in, already cut to parts (clips,
 * silence, a worker's ring, a shared stream with a clock), and a tick only copies one frame of them (drawn above struct
 * rt_play). Parts follow each other without a gap inside a frame; the last frame is filled up with silence. A disk that
 * is late costs this play silence. Timestamps go on from what was sent before. A codec that sound is not stored in gets
 * plain samples, encoded on the tick. */
#include "base/check.h"
#include "dsp/mix.h"
#include "media/rt/rt_i.h"

#include <string.h>

enum { CLOCK_SLIP_US = 200000, VOLUME_MAX = 4, SPEED_MAX = 2, SPEED_UNIT = 60 };
static const unsigned speed_of[] = {40, 48, 60, 80, 120}; /* samples read for SPEED_UNIT sent, from -2 on */

ON_MEDIA static bool is_playable(const struct rt_stream *s, const struct rt_play *p)
{
	const struct codec_ops *to = s->coders.enc.ops;
	return to && p->dec.ops && to->rate_hz == p->codec.rate_hz;
}

void play_end(struct rt_stream *s, int status)
{
	struct rt_play *p = s->play;
	s->play = NULL;
	p->status = status;
	tick_done(s, TICK_PLAY);
	stream_plan(s);
	report_play(s, p);
}

static void part_go(struct rt_play *p, size_t i)
{
	p->part_now = i;
	p->at = i < p->part_count ? p->parts[i].start_bytes : 0;
}

void play_start(struct rt_stream *s, struct rt_play *p)
{
	if (s->play)
		play_end(s, ST_CANCELLED);
	s->play = p;
	if (!p->part_now && !p->at)
		part_go(p, 0);
	if (!s->has_params || !is_playable(s, p)) {
		play_end(s, ST_UNSUPPORTED);
		return;
	}
	tick_need(s, TICK_PLAY);
	stream_plan(s);
}

/* Inside the part that plays: anywhere in a clip or a silence, forward in what comes through a ring. */
static void play_seek(struct rt_play *p, int64_t ms, bool is_relative)
{
	struct rt_part *part = p->part_now < p->part_count ? &p->parts[p->part_now] : NULL;
	int64_t bytes = ms * (int64_t)p->codec.rate_hz / 1000 * p->bytes_per_sample;
	if (part && part->kind == RT_PART_RING && is_relative && bytes > 0) {
		uint64_t at = atomic_load_explicit(&part->ring->read, memory_order_relaxed);
		uint64_t have = atomic_load_explicit(&part->ring->written, memory_order_acquire) - at;
		atomic_store_explicit(
		    &part->ring->read, at + ((uint64_t)bytes < have ? (uint64_t)bytes : have), memory_order_release);
	}
	if (!part || (part->kind != RT_PART_CLIP && part->kind != RT_PART_SILENCE))
		return;
	int64_t to = is_relative ? (int64_t)p->at + bytes : bytes;
	p->at = to < 0 ? 0 : (uint64_t)to < part->bytes_count ? (uint64_t)to : part->bytes_count;
}

static int bounded(int32_t value, int from, int max)
{
	int64_t sum = (int64_t)from + value;
	return (int)(sum < -max ? -max : sum > max ? max : sum);
}

void play_set(struct rt_stream *s, enum media_play_op op, int32_t value)
{
	struct rt_play *p = s->play;
	if (!p)
		return;
	switch (op) {
	case MEDIA_PLAY_PAUSE:
		p->is_paused = value < 0 ? !p->is_paused : value > 0;
		break;
	case MEDIA_PLAY_SEEK_TO:
	case MEDIA_PLAY_SEEK_BY:
		play_seek(p, value, op == MEDIA_PLAY_SEEK_BY);
		break;
	case MEDIA_PLAY_RESTART:
		if (p->parts[0].kind == RT_PART_CLIP || p->parts[0].kind == RT_PART_SILENCE)
			p->part_now = 0, p->at = 0;
		break;
	case MEDIA_PLAY_VOLUME_TO:
	case MEDIA_PLAY_VOLUME_BY:
		p->volume = bounded(value, op == MEDIA_PLAY_VOLUME_BY ? p->volume : 0, VOLUME_MAX);
		break;
	case MEDIA_PLAY_SPEED_TO:
	case MEDIA_PLAY_SPEED_BY:
		p->speed = bounded(value, op == MEDIA_PLAY_SPEED_BY ? p->speed : 0, SPEED_MAX);
		break;
	}
}

static size_t read_clip(struct rt_play *p, struct rt_part *part, uint8_t *out, size_t n, bool *is_over)
{
	uint64_t left = part->bytes_count - p->at;
	size_t take = left < n ? (size_t)left : n;
	if (part->kind == RT_PART_CLIP) { /* a clip shorter than its part goes round */
		size_t from = part->clip->bytes_count ? (size_t)(p->at % part->clip->bytes_count) : 0;
		if (take > part->clip->bytes_count - from)
			take = part->clip->bytes_count - from;
		memcpy(out, part->clip->bytes + from, take);
	} else {
		memset(out, p->silence, take);
	}
	p->at += take;
	if (p->at == part->bytes_count) {
		*is_over = !part->is_endless || !part->bytes_count;
		p->at = 0;
	}
	return take;
}

ON_MEDIA static size_t read_ring(
    struct rt_stream *s, struct rt_play *p, struct rt_part *part, uint8_t *out, size_t n, bool *is_over)
{
	struct rt_ring *r = part->ring;
	bool is_ended = atomic_load_explicit(&r->is_ended, memory_order_acquire);
	uint64_t at = atomic_load_explicit(&r->read, memory_order_relaxed);
	uint64_t have = atomic_load_explicit(&r->written, memory_order_acquire) - at;
	size_t take = have < n ? (size_t)have : n;
	rt_ring_copy(r, at, out, take);
	atomic_store_explicit(&r->read, at + take, memory_order_release);
	if (is_ended) {
		*is_over = take == have;
		return take;
	}
	memset(out + take, p->silence, n - take); /* the disk is late */
	bool was_low = have >= r->cap / 2;
	if (have - take < r->cap / 2 && (was_low || take < n))
		p->is_refill_due = true, report_wanted(s);
	return n;
}

ON_MEDIA static size_t read_clock(struct rt_stream *s, struct rt_play *p, struct rt_part *part, uint8_t *out, size_t n)
{
	struct rt_ring *r = part->ring;
	uint64_t bytes_per_s = (uint64_t)p->codec.rate_hz * p->bytes_per_sample;
	int64_t since_us = s->t->now_us - part->clock_start_us;
	uint64_t now = since_us > 0 ? (uint64_t)since_us * p->codec.rate_hz / 1000000 * p->bytes_per_sample : 0;
	uint64_t slip = CLOCK_SLIP_US * bytes_per_s / 1000000;
	if (!p->was_started || now > p->at + slip || p->at > now + slip)
		p->at = now;
	uint64_t written = atomic_load_explicit(&r->written, memory_order_acquire);
	if (p->at + n > written || written - p->at > r->cap)
		memset(out, p->silence, n);
	else
		rt_ring_copy(r, p->at, out, n);
	p->at += n;
	return n;
}

size_t play_read(struct rt_stream *s, struct rt_play *p, uint8_t *out, size_t n)
{
	size_t done = 0, empty_count = 0;
	while (done < n && empty_count <= p->part_count) {
		if (p->part_now == p->part_count) {
			if (!p->loops_left)
				break;
			p->loops_left -= p->loops_left > 0;
			part_go(p, 0);
		}
		struct rt_part *part = &p->parts[p->part_now];
		bool is_over = false;
		size_t got = 0;
		switch (part->kind) {
		case RT_PART_NONE:
			is_over = true;
			break;
		case RT_PART_CLIP:
		case RT_PART_SILENCE:
			got = read_clip(p, part, out + done, n - done, &is_over);
			break;
		case RT_PART_RING:
			got = read_ring(s, p, part, out + done, n - done, &is_over);
			break;
		case RT_PART_CLOCK:
			got = read_clock(s, p, part, out + done, n - done);
			break;
		}
		done += got;
		empty_count = got ? 0 : empty_count + 1;
		if (is_over)
			part_go(p, p->part_now + 1);
	}
	return done;
}

/* want samples between the first and the last of in, on straight lines between them: faster is higher, as FreeSWITCH's
 * is. */
static void squeeze(const int16_t *in, size_t n, int16_t *out, size_t want)
{
	for (size_t i = 0; i < want; i++) {
		size_t at = i * n / want, part = i * n % want;
		int32_t a = in[at], b = in[at + 1 < n ? at + 1 : at];
		out[i] = (int16_t)(a + (b - a) * (int32_t)part / (int32_t)want);
	}
}

/* The samples of the bytes, as loud and as fast as they are wanted; how many. */
ON_MEDIA static int samples_of(
    struct rt_stream *s, struct rt_play *p, const uint8_t *bytes, size_t n, int16_t *out, size_t want)
{
	int16_t *raw = p->speed ? s->t->pcm[1] : out;
	int got = codec_decode(&p->dec, bytes, n, raw, RT_FRAME_MAX_SAMPLES);
	if (got > 0 && p->speed) {
		squeeze(raw, (size_t)got, out, want);
		got = (int)want;
	}
	if (got > 0 && p->volume)
		mix_gain(out, (size_t)got, mix_gain_of_step(p->volume));
	return got;
}

/* A codec that is not stored in, or another one since the play was made: samples of the same rate are encoded. */
ON_MEDIA static int turn_over(
    struct rt_stream *s, struct rt_play *p, const uint8_t *bytes, size_t n, uint8_t *out, size_t want)
{
	int got = samples_of(s, p, bytes, n, s->t->pcm[0], want);
	return got < 0 ? got
	               : codec_encode(&s->coders.enc, s->t->pcm[0], (size_t)got, out, RT_PACKET_MAX - RTP_HEADER_BYTES);
}

/* Taps change what goes to the phone: samples, not bytes. */
ON_MEDIA static void changed_send(struct rt_stream *s, struct rt_play *p, const uint8_t *bytes, size_t n, size_t want)
{
	int16_t *pcm = s->t->frame[FRAME_OUT];
	int got = samples_of(s, p, bytes, n, pcm, want);
	p->was_started = false; /* its own frames start anew */
	if (got > 0)
		pcm_send(s, pcm, (size_t)got);
}

ON_MEDIA static void frame_send(struct rt_stream *s, struct rt_play *p, uint8_t *bytes, size_t n, size_t want)
{
	struct rt_flow *f = s->f;
	uint8_t *payload = s->t->scratch + RT_PACKET_ROOM;
	bool is_going_on = p->was_started && f->out.ts == p->ts;
	int made = (int)n;
	p->ts = is_going_on ? p->ts + f->send_frame_ticks : flow_ts_now(f);
	p->was_started = true;
	if (bytes != payload)
		made = turn_over(s, p, bytes, n, payload, want);
	if (made > 0 && f->may_send)
		flow_send_own(f, (uint8_t)f->send_pt, !is_going_on, p->ts, payload, (size_t)made);
	else
		p->ts--; /* no longer what was sent: the next frame starts anew */
}

/* How many samples of the source a frame of n takes. */
static size_t frame_samples(struct rt_play *p, size_t n)
{
	if (!p->speed)
		return n;
	size_t units = n * speed_of[p->speed + SPEED_MAX] + p->speed_rest;
	p->speed_rest = (unsigned)(units % SPEED_UNIT);
	return units / SPEED_UNIT;
}

void play_tick(struct rt_stream *s)
{
	struct rt_play *p = s->play;
	struct rt_thread *t = s->t;
	bool is_as_it_is = p->dec.ops == s->coders.enc.ops && !s->is_changed[RT_WRITE] && !p->volume && !p->speed;
	uint8_t *bytes = is_as_it_is ? t->scratch + RT_PACKET_ROOM : t->store;
	size_t cap = is_as_it_is ? RT_PACKET_MAX - RTP_HEADER_BYTES : sizeof(t->store);
	size_t samples = (size_t)((uint64_t)p->codec.rate_hz * stream_frame_us(s) / 1000000);
	size_t want = frame_samples(p, samples) * p->bytes_per_sample;
	if (!is_playable(s, p) || want > cap) {
		play_end(s, ST_UNSUPPORTED);
		return;
	}
	size_t got = p->is_paused ? 0 : play_read(s, p, bytes, want);
	if (!got && !p->is_paused) {
		play_end(s, ST_OK);
		return;
	}
	memset(bytes + got, p->silence, want - got);
	p->sent_samples += got / p->bytes_per_sample;
	if (p->is_paused)
		got = want;
	if (s->is_changed[RT_WRITE])
		changed_send(s, p, bytes, want, samples);
	else
		frame_send(s, p, bytes, want, samples);
	if (got < want)
		play_end(s, ST_OK);
}
