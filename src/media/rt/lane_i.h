/* A lane: a short window of a timeline into which packets are laid by their RTP timestamps, ahead of the tick that
 * takes frames from it. What did not come in time is silence, which who takes may ask for and make up. Used by records
 * and by everything that works on samples. */
#pragma once
#include "base/role.h"
#include "dsp/resample.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LANE_HOLES_MAX = 4, LANE_SPAN_MS = 500 };
struct rt_lane {
	uint32_t in_hz, rate_hz;   /* of what is laid, and of the timeline */
	struct resample *resample; /* NULL: same rate */
	uint64_t at;               /* the next sample to be taken */
	uint64_t lead;             /* a new source is laid so far ahead */
	bool is_anchored;
	bool goes_on; /* the next anchor is not before the end of what was laid */
	uint32_t ts_anchor;
	uint64_t at_anchor;  /* where ts_anchor lies on the timeline */
	unsigned late_count; /* packets in a row that came after their time */
	uint64_t spare_min;  /* the least that a packet came before its time, of the last spare_count */
	unsigned spare_count;
	uint64_t laid_to; /* the end of what came */
	struct {
		uint64_t from, to;
	} holes[LANE_HOLES_MAX]; /* of what did not come, before that */
	unsigned hole_count;
	size_t reach;  /* a packet that lies further ahead than this is a new beginning, */
	size_t behind; /* or than this as well: what the taker is behind by the clock; it says so */
	size_t cap;    /* samples, power of two */
	int16_t pcm[];
};
/* lead_ms: how late a packet may be, and what the lane adds in delay. */
ANY int rt_lane_new(struct rt_lane **out, uint32_t in_hz, uint32_t rate_hz, unsigned lead_ms);
/* With room for packets of the next span_ms at least; longer leaps are a new beginning. */
ANY int rt_lane_new_span(struct rt_lane **out, uint32_t in_hz, uint32_t rate_hz, unsigned lead_ms, unsigned span_ms);
/* With room for what comes while the taker is behind by so much (`behind`). */
ANY int rt_lane_new_behind(
    struct rt_lane **out, uint32_t in_hz, uint32_t rate_hz, unsigned lead_ms, unsigned behind_ms);
ANY void rt_lane_free(struct rt_lane *l);
/* n samples at in_hz of the packet with this timestamp; scratch holds as many at rate_hz. */
ANY void lane_lay(
    struct rt_lane *l, uint32_t clock_hz, uint32_t ts, const int16_t *pcm, size_t n, int16_t *scratch, size_t cap);
/* The same of nothing but silence, without a look at samples: n at in_hz. */
ANY void lane_lay_silence(struct rt_lane *l, uint32_t clock_hz, uint32_t ts, size_t n);
/* The next n samples of the timeline. */
ANY void lane_take(struct rt_lane *l, int16_t *out, size_t n);
/* Its taker has gone ahead of what was not there: the next packet that is late is laid anew and not left out. */
ANY void lane_skipped(struct rt_lane *l);
/* Of the next n samples the first stretch that did not come (yet): lost, late, or nothing is sent. Asked before they
 * are taken. */
ANY bool lane_missing(const struct rt_lane *l, size_t n, size_t *first, size_t *count);
/* What is laid from now on comes at in_hz, by a clock and timestamps of its own, and goes on where what was laid ends.
 * Takes resample; NULL: in_hz is the timeline's rate. */
ANY void lane_rate_set(struct rt_lane *l, uint32_t in_hz, struct resample *resample);
/* What was laid belongs to a source that is gone. */
ANY void lane_reset(struct rt_lane *l);
