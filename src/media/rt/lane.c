/* Packets come when they like, a tick takes samples at its own pace: a lane lies between, a short window of a timeline
 * with the packets laid where their timestamps say, a lead ahead of the tick. A source is anchored by its first packet,
 * and again when it jumps or comes too late three times in a row. Clocks that differ are made up for without a
 * resampler: when for some seconds no packet came closer than a good deal before its time, the anchor goes back to the
 * lead; when packets come too late, it goes forward. */
#include "base/mem.h"
#include "base/status.h"
#include "media/rt/lane_i.h"
#include "rtp/rtp.h"

#include <string.h>

enum { LATE_MAX = 3, SPARE_PACKETS = 250, SPARE_MS = 30, CAP_MIN = 1024, HOLE_MIN_PER_S = 1000 };

static size_t span_of(uint32_t rate_hz, unsigned ms)
{
	size_t cap = CAP_MIN;
	while (cap < (uint64_t)rate_hz * ms / 1000)
		cap *= 2;
	return cap;
}

static int lane_new(
    struct rt_lane **out, uint32_t in_hz, uint32_t rate_hz, unsigned lead_ms, unsigned span_ms, unsigned behind_ms)
{
	size_t reach = span_of(rate_hz, span_ms), cap = span_of(rate_hz, span_ms + behind_ms);
	struct rt_lane *l = mem_zalloc(sizeof(*l) + cap * sizeof(l->pcm[0]));
	if (!l)
		return ST_NOMEM;
	l->cap = cap, l->reach = reach;
	l->in_hz = in_hz, l->rate_hz = rate_hz;
	l->lead = (uint64_t)rate_hz * lead_ms / 1000;
	int st = in_hz == rate_hz ? ST_OK : resample_new(&l->resample, in_hz, rate_hz, 1);
	if (st)
		mem_free(l);
	else
		*out = l;
	return st;
}

int rt_lane_new(struct rt_lane **out, uint32_t in_hz, uint32_t rate_hz, unsigned lead_ms)
{
	return lane_new(out, in_hz, rate_hz, lead_ms, LANE_SPAN_MS, 0);
}

int rt_lane_new_span(struct rt_lane **out, uint32_t in_hz, uint32_t rate_hz, unsigned lead_ms, unsigned span_ms)
{
	return lane_new(out, in_hz, rate_hz, lead_ms, span_ms, 0);
}

int rt_lane_new_behind(struct rt_lane **out, uint32_t in_hz, uint32_t rate_hz, unsigned lead_ms, unsigned behind_ms)
{
	return lane_new(out, in_hz, rate_hz, lead_ms, LANE_SPAN_MS, behind_ms);
}

void rt_lane_free(struct rt_lane *l)
{
	if (l)
		mem_unref(l->resample);
	mem_free(l);
}

void lane_reset(struct rt_lane *l)
{
	l->is_anchored = l->goes_on = false;
	l->laid_to = l->at, l->hole_count = 0;
	memset(l->pcm, 0, l->cap * sizeof(l->pcm[0]));
	if (l->resample)
		resample_reset(l->resample);
}

void lane_rate_set(struct rt_lane *l, uint32_t in_hz, struct resample *resample)
{
	mem_unref(l->resample);
	l->in_hz = in_hz, l->resample = resample;
	l->is_anchored = false, l->goes_on = true;
}

static void lane_anchor(struct rt_lane *l, uint32_t ts)
{
	l->is_anchored = true;
	l->ts_anchor = ts, l->at_anchor = l->at + l->lead;
	if (l->goes_on && l->laid_to > l->at_anchor)
		l->at_anchor = l->laid_to;
	l->goes_on = false;
	l->spare_min = UINT64_MAX, l->spare_count = 0;
}

/* The source's clock is slower than ours: it is later from packet to packet; faster: what it is early piles up. */
static uint64_t lane_trim(struct rt_lane *l, uint64_t at)
{
	uint64_t spare = at - l->at, much = l->lead + (uint64_t)l->rate_hz * SPARE_MS / 1000;
	if (spare < l->spare_min)
		l->spare_min = spare;
	if (++l->spare_count < SPARE_PACKETS)
		return at;
	uint64_t back = l->spare_min > much ? l->spare_min - l->lead : 0;
	l->at_anchor -= back;
	l->spare_min = UINT64_MAX, l->spare_count = 0;
	return at - back;
}

/* Where on the timeline a packet belongs; false when it came too late. */
static bool lane_place(struct rt_lane *l, uint32_t clock_hz, uint32_t ts, size_t n, uint64_t *out)
{
	int64_t d = (int64_t)rtp_ts_diff(ts, l->ts_anchor) * l->rate_hz / clock_hz;
	int64_t at = (int64_t)l->at_anchor + d;
	bool is_late = at < (int64_t)l->at;
	uint64_t reach = l->reach + l->behind < l->cap ? l->reach + l->behind : l->cap;
	bool is_far = at + (int64_t)n > (int64_t)(l->at + reach);
	if (!l->is_anchored || is_far || (is_late && ++l->late_count >= LATE_MAX)) {
		lane_anchor(l, ts);
		at = (int64_t)l->at_anchor;
		is_late = false;
	}
	if (is_late)
		return false;
	l->late_count = 0;
	*out = lane_trim(l, (uint64_t)at);
	return true;
}

/* How many of n samples (at most the ring's) lie there in one piece. */
static size_t lane_first(const struct rt_lane *l, uint64_t at, size_t n)
{
	size_t left = l->cap - (at & (l->cap - 1));
	return n < left ? n : left;
}

static void holes_fill(struct rt_lane *l, uint64_t from, uint64_t to)
{
	for (unsigned i = 0; i < l->hole_count; i++) {
		if (to <= l->holes[i].from || from >= l->holes[i].to)
			continue;
		if (from <= l->holes[i].from)
			l->holes[i].from = to < l->holes[i].to ? to : l->holes[i].to;
		else
			l->holes[i].to = from;
	}
}

static void holes_pass(struct rt_lane *l)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < l->hole_count; i++)
		if (l->holes[i].to > l->at && l->holes[i].to > l->holes[i].from)
			l->holes[kept++] = l->holes[i];
	l->hole_count = kept;
}

/* A resampler gives a sample more or less at times: that is no hole. */
static void lane_laid(struct rt_lane *l, uint64_t from, size_t n)
{
	uint64_t end = l->laid_to > l->at ? l->laid_to : l->at;
	if (from < end)
		holes_fill(l, from, from + n);
	else if (from - end > l->rate_hz / HOLE_MIN_PER_S && l->hole_count < LANE_HOLES_MAX)
		l->holes[l->hole_count].from = end, l->holes[l->hole_count++].to = from;
	if (from + n > l->laid_to)
		l->laid_to = from + n;
}

void lane_skipped(struct rt_lane *l)
{
	l->late_count = LATE_MAX - 1;
}

void lane_lay(
    struct rt_lane *l, uint32_t clock_hz, uint32_t ts, const int16_t *pcm, size_t n, int16_t *scratch, size_t cap)
{
	uint64_t at;
	if (l->resample) {
		size_t used = n;
		n = resample_run(l->resample, pcm, &used, scratch, cap);
		pcm = scratch;
	}
	if (n > l->cap || !lane_place(l, clock_hz, ts, n, &at))
		return;
	size_t in = at & (l->cap - 1), first = lane_first(l, at, n);
	memcpy(l->pcm + in, pcm, first * sizeof(*pcm));
	memcpy(l->pcm, pcm + first, (n - first) * sizeof(*pcm));
	lane_laid(l, at, n);
}

void lane_lay_silence(struct rt_lane *l, uint32_t clock_hz, uint32_t ts, size_t n)
{
	uint64_t at;
	n = (size_t)((uint64_t)n * l->rate_hz / l->in_hz);
	if (n > l->cap || !lane_place(l, clock_hz, ts, n, &at))
		return;
	size_t in = at & (l->cap - 1), first = lane_first(l, at, n);
	memset(l->pcm + in, 0, first * sizeof(l->pcm[0]));
	memset(l->pcm, 0, (n - first) * sizeof(l->pcm[0]));
	lane_laid(l, at, n);
}

static void lane_move(struct rt_lane *l, size_t in, int16_t *out, size_t n)
{
	memcpy(out, l->pcm + in, n * sizeof(*out));
	memset(l->pcm + in, 0, n * sizeof(*out));
}

void lane_take(struct rt_lane *l, int16_t *out, size_t n)
{
	size_t in = l->at & (l->cap - 1), first = lane_first(l, l->at, n);
	lane_move(l, in, out, first);
	lane_move(l, 0, out + first, n - first);
	l->at += n;
	if (l->hole_count)
		holes_pass(l);
}

bool lane_missing(const struct rt_lane *l, size_t n, size_t *first, size_t *count)
{
	uint64_t end = l->at + n, from = l->laid_to < l->at ? l->at : l->laid_to, to = end;
	uint64_t slack = l->rate_hz / HOLE_MIN_PER_S;
	for (unsigned i = 0; i < l->hole_count; i++) {
		uint64_t begin = l->holes[i].from < l->at ? l->at : l->holes[i].from;
		if (l->holes[i].to > l->at && begin < from)
			from = begin, to = l->holes[i].to < end ? l->holes[i].to : end;
	}
	if (from + slack >= end || to <= from)
		return false;
	*first = (size_t)(from - l->at), *count = (size_t)(to - from);
	return true;
}
