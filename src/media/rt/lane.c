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

enum { LATE_MAX = 3, SPARE_PACKETS = 250, SPARE_MS = 30 };

int rt_lane_new(struct rt_lane **out, uint32_t in_hz, uint32_t rate_hz, unsigned lead_ms)
{
	size_t cap = 4096;
	while (cap < rate_hz / 2)
		cap *= 2;
	struct rt_lane *l = mem_zalloc(sizeof(*l) + cap * sizeof(l->pcm[0]));
	if (!l)
		return ST_NOMEM;
	l->cap = cap;
	l->in_hz = in_hz, l->rate_hz = rate_hz;
	l->lead = (uint64_t)rate_hz * lead_ms / 1000;
	int st = in_hz == rate_hz ? ST_OK : resample_new(&l->resample, in_hz, rate_hz, 1);
	if (st)
		mem_free(l);
	else
		*out = l;
	return st;
}

void rt_lane_free(struct rt_lane *l)
{
	if (l)
		mem_unref(l->resample);
	mem_free(l);
}

void lane_reset(struct rt_lane *l)
{
	l->is_anchored = false;
	memset(l->pcm, 0, l->cap * sizeof(l->pcm[0]));
	if (l->resample)
		resample_reset(l->resample);
}

static void lane_anchor(struct rt_lane *l, uint32_t ts)
{
	l->is_anchored = true;
	l->ts_anchor = ts, l->at_anchor = l->at + l->lead;
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
	bool is_far = at + (int64_t)n > (int64_t)(l->at + l->cap);
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
	size_t first = lane_first(l, at, n); /* up to the ring's end, then from its beginning */
	memcpy(&l->pcm[at & (l->cap - 1)], pcm, first * sizeof(*pcm));
	memcpy(l->pcm, pcm + first, (n - first) * sizeof(*pcm));
}

void lane_take(struct rt_lane *l, int16_t *out, size_t n)
{
	size_t first = lane_first(l, l->at, n);
	int16_t *from = &l->pcm[l->at & (l->cap - 1)];
	memcpy(out, from, first * sizeof(*out));
	memset(from, 0, first * sizeof(*out));
	memcpy(out + first, l->pcm, (n - first) * sizeof(*out));
	memset(l->pcm, 0, (n - first) * sizeof(*out));
	l->at += n;
}
