/* Records. Packets of either side are decoded as they pass and laid on the record's timeline by their RTP timestamps,
 * 60 ms ahead of the tick that reads it (enough for usual jitter); what is missing when the tick comes is silence, so
 * that the file's time is the call's time. The tick takes one frame of each side, mixes or interleaves them, and puts
 * it into the ring that a worker drains into the file. A ring that is full costs samples, counted, never time. */
#include "base/status.h"
#include "dsp/mix.h"
#include "media/rt/record_i.h"
#include "media/rt/rt_i.h"

#include <string.h>

enum { LEAD_MS = 60, LATE_MAX = 3 };

static uint64_t lead(const struct rt_record *r)
{
	return (uint64_t)r->rate_hz * LEAD_MS / 1000;
}

void record_start(struct rt_stream *s, struct rt_record *r)
{
	struct rt_record **at = &s->records;
	while (*at)
		at = &(*at)->next;
	r->next = NULL;
	*at = r;
	tick_need(s, TICK_RECORD);
	stream_plan(s);
}

/* Where on the timeline a packet belongs; false when it came too late. */
static bool place(
    const struct rt_record *r, struct rt_tap *tap, uint32_t clock_hz, uint32_t ts, size_t n, uint64_t *out)
{
	int64_t d = (int64_t)rtp_ts_diff(ts, tap->ts_anchor) * r->rate_hz / clock_hz;
	int64_t at = (int64_t)tap->at_anchor + d;
	bool is_late = at < (int64_t)r->at;
	bool is_far = at + (int64_t)n > (int64_t)(r->at + tap->cap);
	if (!tap->is_anchored || is_far || (is_late && ++tap->late_count >= LATE_MAX)) {
		tap->is_anchored = true;
		tap->ts_anchor = ts;
		tap->at_anchor = r->at + lead(r);
		at = (int64_t)tap->at_anchor;
		is_late = false;
	}
	if (is_late)
		return false;
	tap->late_count = 0;
	*out = (uint64_t)at;
	return true;
}

ON_MEDIA static void lay(struct rt_stream *s, struct rt_record *r, struct rt_tap *tap, uint32_t clock_hz, uint32_t ts,
    const int16_t *pcm, size_t n)
{
	uint64_t at;
	if (tap->resample) {
		size_t used = n;
		n = resample_run(tap->resample, pcm, &used, s->t->pcm[1], RT_FRAME_MAX_SAMPLES);
		pcm = s->t->pcm[1];
	}
	if (n > tap->cap || !place(r, tap, clock_hz, ts, n, &at))
		return;
	for (size_t i = 0; i < n; i++)
		tap->pcm[(at + i) & (tap->cap - 1)] = pcm[i];
}

void record_tap(struct rt_stream *s, int side, const struct media_codec *codec, uint32_t ts, const uint8_t *p, size_t n)
{
	const struct codec_ops *ops = side ? s->send_ops : s->recv_ops;
	struct rt_thread *t = s->t;
	if (!ops || ops->open)
		return;
	int got = ops->decode(NULL, p, n, t->pcm[0], RT_FRAME_MAX_SAMPLES);
	if (got <= 0)
		return;
	if (ops->channels > 1)
		mix_downmix(t->pcm[0], t->pcm[0], (size_t)got / ops->channels, ops->channels);
	for (struct rt_record *r = s->records; r; r = r->next) {
		struct rt_tap *tap = r->taps[side];
		if (tap && tap->in_hz == ops->rate_hz)
			lay(s, r, tap, codec->clock_hz ? codec->clock_hz : 8000, ts, t->pcm[0],
			    (size_t)got / ops->channels);
	}
}

static void take(struct rt_tap *tap, uint64_t at, int16_t *out, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int16_t *from = &tap->pcm[(at + i) & (tap->cap - 1)];
		out[i] = *from;
		*from = 0;
	}
}

/* One frame of the timeline into the ring. */
ON_MEDIA static void frame(struct rt_stream *s, struct rt_record *r, size_t n)
{
	int16_t *a = s->t->pcm[0], *b = s->t->pcm[1];
	int16_t both[2 * RT_FRAME_MAX_SAMPLES];
	if (r->taps[0])
		take(r->taps[0], r->at, a, n);
	if (r->taps[1])
		take(r->taps[1], r->at, r->taps[0] ? b : a, n);
	r->at += n;
	if (r->at <= lead(r)) /* nothing can lie before the lead */
		return;
	const int16_t *out = a;
	if (r->channels == 2)
		mix_interleave(both, a, b, n), out = both;
	else if (r->taps[0] && r->taps[1])
		mix_two(a, a, b, n);
	if (r->limit_frames && r->frames_done + n > r->limit_frames)
		n = (size_t)(r->limit_frames - r->frames_done);
	size_t bytes = n * r->channels * sizeof(int16_t);
	uint64_t fill = atomic_load_explicit(&r->ring->written, memory_order_relaxed) -
	                atomic_load_explicit(&r->ring->read, memory_order_acquire);
	if (fill + bytes > r->ring->cap)
		r->dropped_frames += n;
	else
		rt_ring_write(r->ring, out, bytes);
	r->frames_done += n;
	if (fill < r->ring->cap / 4)
		r->was_drain_told = false;
	else if (!r->was_drain_told)
		r->was_drain_told = r->is_drain_due = true;
	uint32_t level = r->silence_frames ? mix_level_abs(out, n * r->channels) : 0;
	r->quiet_frames = level < r->conf.silence_level ? r->quiet_frames + n : 0;
}

void record_end(struct rt_stream *s, struct rt_record *r, int status)
{
	struct rt_record **at = &s->records;
	while (*at && *at != r)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = r->next;
	/* What was laid ahead of the tick belongs to the record as well. */
	for (uint64_t end = r->at + lead(r); r->at < end && (!r->limit_frames || r->frames_done < r->limit_frames);)
		frame(s, r, r->rate_hz / 100);
	r->status = status;
	atomic_store_explicit(&r->ring->is_ended, true, memory_order_release);
	if (!s->records)
		tick_done(s, TICK_RECORD);
	stream_plan(s);
	report_record(s, r);
}

void record_stop(struct rt_stream *s, uint32_t id, int status)
{
	for (struct rt_record *r = s->records, *next; r; r = next) {
		next = r->next;
		if (!id || r->id == id)
			record_end(s, r, status);
	}
}

void record_tick(struct rt_stream *s)
{
	for (struct rt_record *r = s->records, *next; r; r = next) {
		next = r->next;
		frame(s, r, (size_t)((uint64_t)r->rate_hz * stream_frame_us(s) / 1000000));
		if (r->is_drain_due)
			report_wanted(s);
		if ((r->limit_frames && r->frames_done >= r->limit_frames) ||
		    (r->silence_frames && r->quiet_frames >= r->silence_frames))
			record_end(s, r, ST_OK);
	}
}
