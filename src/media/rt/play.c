/* Whatever takes time was done before: a play is bytes in the codec they are sent in, already cut to parts (clips,
 * silence, a worker's ring, a shared stream with a clock), and a tick only copies one frame of them (drawn above struct
 * rt_play). Parts follow each other without a gap inside a frame; the last frame is filled up with silence. A disk that
 * is late costs this play silence. Timestamps go on from what was sent before. A codec that sound is not stored in gets
 * plain samples, encoded on the tick; so does a phone that comes to another codec while it plays, at that one's rate.
 * A play of two channels is heard in two by a phone that takes two, unless a tap changes it; by all others in one. */
#include "base/check.h"
#include "dsp/mix.h"
#include "dsp/resample.h"
#include "media/rt/rt_i.h"

#include <string.h>

enum { CLOCK_SLIP_US = 200000, VOLUME_MAX = 4, SPEED_MAX = 2, SPEED_UNIT = 60 };
static const unsigned speed_of[] = {40, 48, 60, 80, 120}; /* samples read for SPEED_UNIT sent, from -2 on */

bool play_fits(const struct rt_play *p, uint32_t rate_hz)
{
	return p->codec.rate_hz == rate_hz || (p->rate && p->rate->to_hz == rate_hz);
}

ON_MEDIA static bool is_playable(const struct rt_stream *s, const struct rt_play *p)
{
	const struct codec_ops *to = s->coders.enc.ops;
	return to && p->dec.ops && play_fits(p, to->rate_hz);
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

void play_rate_set(struct rt_stream *s, uint32_t id, struct rt_play_rate *r)
{
	struct rt_play *p = s->play;
	if (!p || p->id != id) {
		rt_play_rate_free(r);
		return;
	}
	rt_play_rate_free(p->rate);
	p->rate = r;
	if (!is_playable(s, p))
		play_end(s, ST_UNSUPPORTED);
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
	if (!p->was_read || now > p->at + slip || p->at > now + slip)
		p->at = now;
	uint64_t written = atomic_load_explicit(&r->written, memory_order_acquire);
	if (p->at + n > written || written - p->at > r->cap)
		memset(out, p->silence, n);
	else
		rt_ring_copy(r, p->at, out, n);
	p->at += n;
	return n;
}

/* The next n bytes; fewer only at the end of everything. */
ON_MEDIA static size_t play_read(struct rt_stream *s, struct rt_play *p, uint8_t *out, size_t n)
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

/* want samples of one channel, every step-th of both, between the first and the last of in, on straight lines between
 * them: faster is higher, as FreeSWITCH's is. */
static void squeeze(const int16_t *in, size_t n, int16_t *out, size_t want, unsigned step)
{
	for (size_t i = 0; i < want; i++) {
		size_t at = i * n / want, part = i * n % want;
		int32_t a = in[at * step], b = in[(at + 1 < n ? at + 1 : at) * step];
		out[i * step] = (int16_t)(a + (b - a) * (int32_t)part / (int32_t)want);
	}
}

/* The samples of the bytes in the play's channels, as loud and as fast as they are wanted; how many of each. */
ON_MEDIA static int samples_of(
    struct rt_stream *s, struct rt_play *p, const uint8_t *bytes, size_t n, int16_t *out, size_t want)
{
	const unsigned channels = p->dec.channels;
	int16_t *raw = p->speed ? s->t->pcm[1] : out;
	int got = channels == 2 ? codec_decode_two(&p->dec, bytes, n, raw, RT_FRAME_MAX_SAMPLES)
	                        : codec_decode(&p->dec, bytes, n, raw, RT_FRAME_MAX_SAMPLES);
	if (got > 0 && p->speed) {
		for (unsigned i = 0; i < channels; i++)
			squeeze(raw + i, (size_t)got, out + i, want, channels);
		got = (int)want;
	}
	if (got > 0 && p->volume)
		mix_gain(out, (size_t)got * channels, mix_gain_of_step(p->volume));
	return got;
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

/* The play's next bytes, silence behind its last and while it pauses; fewer than want are its own at its end only. */
ON_MEDIA static size_t bytes_read(struct rt_stream *s, struct rt_play *p, uint8_t *bytes, size_t want)
{
	size_t got = p->is_paused ? 0 : play_read(s, p, bytes, want);
	memset(bytes + got, p->silence, want - got);
	p->was_read = true;
	p->sent_samples += got / p->bytes_per_sample;
	return p->is_paused ? want : got;
}

/* n frames at the play's own rate and in its channels. */
ON_MEDIA static size_t own_samples(struct rt_stream *s, struct rt_play *p, int16_t *out, size_t n)
{
	const unsigned channels = p->dec.channels;
	uint8_t *bytes = s->t->store;
	size_t frames = frame_samples(p, n), most = sizeof(s->t->store) / p->bytes_per_sample;
	if (frames > RT_FRAME_MAX_SAMPLES || frames > most) /* as fast as there is room for */
		frames = most < RT_FRAME_MAX_SAMPLES ? most : RT_FRAME_MAX_SAMPLES;
	size_t want = frames * p->bytes_per_sample, got = bytes_read(s, p, bytes, want);
	int made = got ? samples_of(s, p, bytes, want, out, n) : 0;
	size_t whole = made > 0 ? (size_t)made : 0;
	if (whole < n)
		memset(out + whole * channels, 0, (n - whole) * channels * sizeof(*out));
	return got < want ? got * n / want : n;
}

/* The same at another: a frame of its own at a time, since a resampler gives a sample more or less at times. */
ON_MEDIA static size_t turned_samples(struct rt_stream *s, struct rt_play *p, int16_t *out, size_t n)
{
	const unsigned channels = p->dec.channels;
	struct rt_play_rate *r = p->rate;
	size_t frame = (size_t)((uint64_t)p->codec.rate_hz * stream_frame_us(s) / 1000000);
	while (r->fill < n && !r->is_over) {
		size_t used = frame, got = own_samples(s, p, s->t->pcm[0], frame);
		r->is_over = got < frame;
		if (got)
			r->fill += resample_run(
			    r->resample, s->t->pcm[0], &used, r->pcm + r->fill * channels, r->cap - r->fill);
	}
	size_t have = r->fill < n ? r->fill : n;
	memcpy(out, r->pcm, have * channels * sizeof(*out));
	memset(out + have * channels, 0, (n - have) * channels * sizeof(*out));
	r->fill -= have;
	memmove(r->pcm, r->pcm + have * channels, r->fill * channels * sizeof(*out));
	return have;
}

/* play_samples in the play's channels. */
ON_MEDIA static size_t samples_read(struct rt_stream *s, struct rt_play *p, uint32_t rate_hz, int16_t *out, size_t n)
{
	return p->codec.rate_hz == rate_hz ? own_samples(s, p, out, n) : turned_samples(s, p, out, n);
}

size_t play_samples(struct rt_stream *s, struct rt_play *p, uint32_t rate_hz, int16_t *out, size_t n)
{
	int16_t *two = s->t->made_two;
	if (p->dec.channels != 2)
		return samples_read(s, p, rate_hz, out, n);
	size_t got = samples_read(s, p, rate_hz, two, n);
	mix_downmix(out, two, n, 2);
	return got;
}

ON_MEDIA static void frame_send(struct rt_stream *s, struct rt_play *p, uint8_t *payload, int bytes_count)
{
	struct rt_flow *f = s->f;
	bool is_going_on = p->was_started && f->out.ts == p->ts;
	p->ts = is_going_on ? p->ts + f->send_frame_ticks : flow_ts_now(f);
	p->was_started = true;
	if (bytes_count > 0 && f->may_send)
		flow_send_own(f, (uint8_t)f->send_pt, !is_going_on, p->ts, payload, (size_t)bytes_count);
	else
		p->ts--; /* no longer what was sent: the next frame starts anew */
}

/* The phone takes the codec of the play. */
ON_MEDIA static void bytes_tick(struct rt_stream *s, struct rt_play *p)
{
	uint8_t *payload = s->t->scratch + RT_PACKET_ROOM;
	size_t want = (size_t)((uint64_t)p->codec.rate_hz * stream_frame_us(s) / 1000000) * p->bytes_per_sample;
	if (want > RT_PACKET_MAX - RTP_HEADER_BYTES) {
		play_end(s, ST_UNSUPPORTED);
		return;
	}
	size_t got = bytes_read(s, p, payload, want);
	if (got)
		frame_send(s, p, payload, (int)want);
	if (got < want)
		play_end(s, ST_OK);
}

/* Another codec, or something is done to the sound: it is encoded by the stream's encoder. */
ON_MEDIA static void samples_tick(struct rt_stream *s, struct rt_play *p)
{
	struct codec_enc *enc = &s->coders.enc;
	int16_t *pcm = s->t->frame[FRAME_OUT];
	uint8_t *payload = s->t->scratch + RT_PACKET_ROOM;
	size_t n = (size_t)((uint64_t)enc->ops->rate_hz * stream_frame_us(s) / 1000000);
	size_t got = play_samples(s, p, enc->ops->rate_hz, pcm, n);
	if (got && s->is_changed[RT_WRITE]) {
		p->was_started = false; /* its own frames start anew */
		pcm_send(s, pcm, n);
	} else if (got) {
		frame_send(s, p, payload, codec_encode(enc, pcm, n, payload, RT_PACKET_MAX - RTP_HEADER_BYTES));
	}
	if (got < n)
		play_end(s, ST_OK);
}

/* The same of two channels to a phone that takes them. */
ON_MEDIA static void two_tick(struct rt_stream *s, struct rt_play *p)
{
	struct codec_enc *enc = &s->coders.enc;
	int16_t *pcm = s->t->made_two;
	uint8_t *payload = s->t->scratch + RT_PACKET_ROOM;
	size_t n = (size_t)((uint64_t)enc->ops->rate_hz * stream_frame_us(s) / 1000000);
	size_t got = samples_read(s, p, enc->ops->rate_hz, pcm, n);
	if (got)
		frame_send(s, p, payload, codec_encode_two(enc, pcm, n, payload, RT_PACKET_MAX - RTP_HEADER_BYTES));
	if (got < n)
		play_end(s, ST_OK);
}

void play_tick(struct rt_stream *s)
{
	struct rt_play *p = s->play;
	const struct codec_ops *to = s->coders.enc.ops;
	if (!to || !p->dec.ops)
		play_end(s, ST_UNSUPPORTED);
	else if (!play_fits(p, to->rate_hz))
		return; /* agreed on just now: what turns the play to that rate is on its way */
	else if (p->dec.ops == to && !s->is_changed[RT_WRITE] && !p->volume && !p->speed)
		bytes_tick(s, p);
	else if (p->dec.channels == 2 && s->coders.enc.channels == 2 && !s->is_changed[RT_WRITE])
		two_tick(s, p);
	else
		samples_tick(s, p);
}
