/* Sums, gains, levels: plain loops the compiler makes vectors of. All ANY and stateless. */
#pragma once
#include "base/role.h"
#include <stddef.h>
#include <stdint.h>

/* out[i] = clip(a[i] + b[i]); out may be a or b. */
ANY void mix_two(int16_t *out, const int16_t *a, const int16_t *b, size_t n);
ANY void mix_clear(int32_t *acc, size_t n);
ANY void mix_add(int32_t *acc, const int16_t *in, size_t n);
/* acc without own (own may be NULL), clipped: a conference member hears everybody else. */
ANY void mix_out(int16_t *out, const int32_t *acc, const int16_t *own, size_t n);
/* Multiplies by gain_q12 / 4096, clipped, in place. */
ANY void mix_gain(int16_t *s, size_t n, int32_t gain_q12);
ANY int32_t mix_gain_of_db(double db);                  /* q12, clamped to -96..+48 dB */
ANY int32_t mix_gain_of_step(int step);                 /* FreeSWITCH's -4..4 volume steps to q12: 0.2 .. 4.3 times */
ANY uint32_t mix_level_abs(const int16_t *s, size_t n); /* mean of absolute values, 0..32768; 0 for n = 0 */
ANY double mix_level_rms(const int16_t *s, size_t n);   /* 0..32768 */
ANY double mix_level_dbm0(const int16_t *s, size_t n);  /* G.711's scale: full-scale sine is +3.14; silence -99 */
ANY void mix_interleave(int16_t *out, const int16_t *left, const int16_t *right, size_t n); /* out: 2 n */
ANY void mix_double(int16_t *out, const int16_t *in, size_t frames); /* the same on both; out: 2 frames, may be in */
ANY void mix_side(int16_t *out, const int16_t *two, size_t frames, unsigned side);       /* 0 left, 1 right */
ANY void mix_downmix(int16_t *out, const int16_t *in, size_t frames, unsigned channels); /* mean; out may be in */
/* Amplitude (0..32768, of the sine's peak) at one frequency, by Goertzel's recursion over the whole block. */
ANY double goertzel_amplitude(const int16_t *s, size_t n, uint32_t rate_hz, double hz);
