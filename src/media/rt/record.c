/* A record's time is the call's time, whatever is lost or late, and a disk never holds up a packet. So packets of
 * either side are laid on the record's lanes by their timestamps, 60 ms ahead of the tick that reads them (enough for
 * usual jitter); what is missing when the tick comes is silence. The tick takes the frames that are due by the clock
 * (one, but for a thread that was not run for a while), mixes or interleaves the two sides, and puts them into the ring
 * that a worker drains into the file. A ring that is full costs samples, counted. After a stall the packets that
 * waited come first, all at once, and lie as far ahead as the record is behind; lanes and ring have room for
 * RT_RECORD_LAG_MS, and what is over is left out. */
#include "base/status.h"
#include "dsp/mix.h"
#include "media/rt/lane_i.h"
#include "media/rt/rt_i.h"

#include <string.h>

enum { EARLY_US = 3000 /* a slot of the wheel */, DRAIN_MAX = 400 };

static uint64_t record_lead(const struct rt_record *r)
{
	return (uint64_t)r->rate_hz * r->lead_ms / 1000;
}

ON_MEDIA static void record_start(struct rt_stream *s, struct rt_record *r)
{
	struct rt_record **at = &s->records;
	while (*at)
		at = &(*at)->next;
	r->next = NULL;
	*at = r;
	tick_need(s, TICK_RECORD);
	stream_plan(s);
}

/* Frames that the clock is ahead of the record. */
ON_MEDIA static uint64_t record_lag(const struct rt_stream *s, struct rt_record *r)
{
	int64_t now_us = s->t->now_us + EARLY_US, most = (int64_t)r->rate_hz * RT_RECORD_LAG_MS / 1000;
	if (!r->start_us)
		return 0;
	int64_t lag = (now_us - r->start_us) * r->rate_hz / 1000000 - (int64_t)r->at;
	if (lag > most) {
		r->start_us += (lag - most) * 1000000 / r->rate_hz;
		lag = most;
	}
	return lag > 0 ? (uint64_t)lag : 0;
}

static bool is_at_limit(const struct rt_record *r)
{
	return r->limit_frames && r->frames_done >= r->limit_frames;
}

/* pcm: in one channel; two: in both, or NULL. */
ON_MEDIA static void record_lay(struct rt_stream *s, int side, const struct media_codec *codec,
    const struct codec_ops *ops, uint32_t ts, const int16_t *pcm, const int16_t *two, size_t n)
{
	struct rt_thread *t = s->t;
	uint32_t clock_hz = codec->clock_hz ? codec->clock_hz : 8000;
	for (struct rt_record *r = s->records; r; r = r->next) {
		struct rt_lane *l = r->lanes[side];
		if (!l || l->in_hz != ops->rate_hz)
			continue;
		l->behind = record_lag(s, r);
		for (unsigned i = 0; r->right[side] && i < 2; i++) {
			struct rt_lane *one = i ? r->right[side] : l;
			one->behind = l->behind;
			if (two)
				mix_side(t->side, two, n, i);
			lane_lay(one, clock_hz, ts, two ? t->side : pcm, n, t->pcm[1], RT_FRAME_MAX_SAMPLES);
		}
		if (!r->right[side])
			lane_lay(l, clock_hz, ts, pcm, n, t->pcm[1], RT_FRAME_MAX_SAMPLES);
	}
	pcm_lay(s, side, clock_hz, ts, pcm, n);
}

void record_tap_read(struct rt_stream *s, struct pkt *k)
{
	const int16_t *pcm = pkt_samples(s, k);
	if (pcm)
		record_lay(s, RT_READ, &s->params.recv, s->coders.dec.ops, k->ts, pcm,
		    k->has_two ? s->t->packet_two : NULL, (size_t)k->pcm_count);
}

void record_tap_sent(struct rt_stream *s, uint32_t ts, const uint8_t *p, size_t n)
{
	struct codec_dec *d = &s->coders.sent;
	int16_t *pcm = s->t->pcm[0], *two = s->t->sent_two;
	const bool is_two = d->channels == 2;
	int got = !d->ops  ? 0
	          : is_two ? codec_decode_two(d, p, n, two, RT_FRAME_MAX_SAMPLES)
	                   : codec_decode(d, p, n, pcm, RT_FRAME_MAX_SAMPLES);
	if (got <= 0)
		return;
	if (is_two)
		mix_downmix(pcm, two, (size_t)got, 2);
	record_lay(s, RT_WRITE, &s->params.send, d->ops, ts, pcm, is_two ? two : NULL, (size_t)got);
}

ON_MEDIA static void record_set(struct rt_stream *s, uint32_t id, bool is_masked, bool is_paused)
{
	for (struct rt_record *r = s->records; r; r = r->next)
		if (r->id == id)
			r->is_masked = is_masked, r->is_paused = is_paused;
}

/* The lanes stay, with the timeline and what lies ahead on it. */
ON_MEDIA static void record_rates_set(struct rt_stream *s, struct rt_record_rates *to)
{
	for (struct rt_record *r = s->records; r; r = r->next)
		for (int i = 0; i < 2 && r->id == to->id; i++) {
			if (!r->lanes[i] || !to->sides[i].in_hz)
				continue;
			lane_rate_set(r->lanes[i], to->sides[i].in_hz, to->sides[i].resample);
			to->sides[i].resample = NULL;
			if (!r->right[i])
				continue;
			lane_rate_set(r->right[i], to->sides[i].in_hz, to->sides[i].right);
			to->sides[i].right = NULL;
		}
	rt_record_rates_free(to);
}

static void silence_count(struct rt_record *r, const int16_t *out, size_t n)
{
	bool is_quiet = r->conf.silence_level && mix_level_abs(out, n * r->channels) < r->conf.silence_level;
	r->quiet_frames = is_quiet ? r->quiet_frames + n : 0;
	r->had_sound |= !is_quiet;
	uint64_t most = r->had_sound ? r->silence_frames : r->initial_frames;
	r->was_silent = most && r->quiet_frames >= most;
}

/* The disk has stalled for longer than the ring lasts: control is told of the first, the others are counted. */
static void lose(struct rt_record *r, size_t n)
{
	r->is_drain_due |= !atomic_load_explicit(&r->ring->dropped, memory_order_relaxed);
	atomic_fetch_add_explicit(&r->ring->dropped, n, memory_order_relaxed);
}

/* The next frame of what is recorded in its own two channels: the sides, left with left and right with right. */
ON_MEDIA static void two_take(struct rt_stream *s, struct rt_record *r, int16_t *out, size_t n)
{
	int16_t *sum[2] = {s->t->pcm[0], s->t->pcm[1]}, *one = s->t->side;
	memset(sum[0], 0, n * sizeof(*one));
	memset(sum[1], 0, n * sizeof(*one));
	for (int side = 0; side < 2; side++) {
		if (!r->lanes[side])
			continue;
		lane_take(r->lanes[side], one, n);
		mix_two(sum[0], sum[0], one, n);
		if (r->right[side])
			lane_take(r->right[side], one, n);
		mix_two(sum[1], sum[1], one, n);
	}
	mix_interleave(out, sum[0], sum[1], n);
}

/* One frame of the timeline into the ring. */
ON_MEDIA static void record_frame(struct rt_stream *s, struct rt_record *r, size_t n)
{
	int16_t *a = s->t->pcm[0], *b = s->t->pcm[1];
	int16_t both[2 * RT_FRAME_MAX_SAMPLES];
	if (r->is_two)
		two_take(s, r, both, n);
	if (r->lanes[0] && !r->is_two)
		lane_take(r->lanes[0], a, n);
	if (r->lanes[1] && !r->is_two)
		lane_take(r->lanes[1], r->lanes[0] ? b : a, n);
	r->at += n;
	if (r->at <= record_lead(r) || r->is_paused) /* nothing can lie before the lead */
		return;
	const int16_t *out = r->is_two ? both : a;
	if (r->channels == 2 && !r->is_two)
		mix_interleave(both, r->conf.is_swapped ? b : a, r->conf.is_swapped ? a : b, n), out = both;
	else if (!r->is_two && r->lanes[0] && r->lanes[1])
		mix_two(a, a, b, n);
	if (r->limit_frames && r->frames_done + n > r->limit_frames)
		n = (size_t)(r->limit_frames - r->frames_done);
	silence_count(r, out, n);
	if (r->is_masked)
		memset(both, 0, n * r->channels * sizeof(*both)), out = both;
	size_t bytes = n * r->channels * sizeof(int16_t);
	uint64_t fill = atomic_load_explicit(&r->ring->written, memory_order_relaxed) -
	                atomic_load_explicit(&r->ring->read, memory_order_acquire);
	if (fill + bytes > r->ring->cap)
		lose(r, n);
	else
		rt_ring_write(r->ring, out, bytes);
	r->frames_done += n;
	if (fill < (uint64_t)r->rate_hz * r->channels * sizeof(int16_t) / 2) /* half a second */
		r->was_drain_told = false;
	else if (!r->was_drain_told)
		r->was_drain_told = r->is_drain_due = true;
}

void record_end(struct rt_stream *s, struct rt_record *r, int status)
{
	struct rt_record **at = &s->records;
	while (*at && *at != r)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = r->next;
	/* What is not taken yet, and was laid ahead of the tick, belongs to the record as well. */
	uint64_t end = r->at + record_lag(s, r) + record_lead(r);
	for (int side = 0; side < 2; side++)
		if (r->lanes[side] && r->lanes[side]->laid_to > end)
			end = r->lanes[side]->laid_to;
	while (r->at < end && !is_at_limit(r))
		record_frame(s, r, r->rate_hz / 100);
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

void record_cmd(struct rt_stream *s, const struct rt_cmd *c)
{
	if (c->kind == RT_C_RECORD)
		record_start(s, c->ptr);
	else if (c->kind == RT_C_RECORD_STOP)
		record_stop(s, c->number, ST_OK);
	else if (c->kind == RT_C_RECORD_RATE)
		record_rates_set(s, c->ptr);
	else
		record_set(s, c->number, c->flags & 1, c->flags & 2);
}

void record_drain_sockets(struct rt_stream *s)
{
	struct rt_stream *both[] = {s, s->peer && s->peer != s ? s->peer : NULL};
	if (!s->records && !(both[1] && both[1]->records))
		return;
	for (unsigned got = 1, count = 0; got && count < DRAIN_MAX; count++) {
		got = 0;
		for (unsigned i = 0; i < 2 && both[i]; i++) {
			struct rt_stream *way = both[i]->carrier ? both[i]->carrier : both[i];
			got += way->f->fd >= 0 && flow_readable(s->t, way->f);
			got += way->turn && turn_readable(s->t, way);
		}
	}
}

/* One frame, or as many as are due when no other tick follows at once: what plays sends one frame a tick. */
ON_MEDIA static void record_run(struct rt_stream *s, struct rt_record *r)
{
	size_t n = (size_t)((uint64_t)r->rate_hz * stream_frame_us(s) / 1000000);
	bool may_all = !stream_has_tick_now(s);
	unsigned count = 0;
	if (!r->start_us)
		r->start_us = s->t->now_us - stream_frame_us(s);
	while (record_lag(s, r) >= n && (may_all || !count) && !is_at_limit(r) && !r->was_silent) {
		record_frame(s, r, n);
		count++;
	}
	if (count > 1 && r->lanes[RT_WRITE])
		lane_skipped(r->lanes[RT_WRITE]);
	if (count > 1 && r->right[RT_WRITE])
		lane_skipped(r->right[RT_WRITE]);
}

void record_tick(struct rt_stream *s)
{
	for (struct rt_record *r = s->records, *next; r; r = next) {
		next = r->next;
		record_run(s, r);
		if (r->is_drain_due)
			report_wanted(s);
		if (is_at_limit(r) || r->was_silent)
			record_end(s, r, ST_OK);
	}
}
