/* One side of a record: a short window of the timeline into which packets are laid by their timestamps. */
#pragma once
#include "dsp/resample.h"
#include "media/rt/rt.h"

struct rt_tap {
	uint32_t in_hz;
	struct resample *resample; /* NULL: same rate */
	bool is_anchored;
	uint32_t ts_anchor;
	uint64_t at_anchor;  /* where ts_anchor lies on the timeline */
	unsigned late_count; /* packets in a row that came after their time */
	size_t cap;          /* samples, power of two */
	int16_t pcm[];
};
