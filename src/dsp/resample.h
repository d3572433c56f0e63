/* Sampling rates changed by speexdsp, quality 3 (what a call can afford; about 2.6 us for 20 ms, 8 to 16 kHz). ANY. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include <stddef.h>
#include <stdint.h>

struct resample; /* counted: mem_unref. State of the filter; one direction of one stream */

ANY int resample_new(struct resample **out, uint32_t in_hz, uint32_t out_hz, unsigned channels);
/* Frames in (one sample per channel, interleaved), frames out; *in_frames says how many were given and returns how many
 * were used (all of them unless out_cap is short). Returns frames written. Does not allocate. */
ANY size_t resample_run(struct resample *r, const int16_t *in, size_t *in_frames, int16_t *out, size_t out_cap_frames);
/* What resample_run writes at most for in_frames. */
ANY size_t resample_bound(const struct resample *r, size_t in_frames);
ANY void resample_reset(struct resample *r);
/* Frames of delay at the output rate: to be dropped at the head of a file, not in a call. */
ANY size_t resample_latency(const struct resample *r);
