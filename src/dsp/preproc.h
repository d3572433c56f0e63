/* A voice made better, by speexdsp: steady loudness, less noise, less reverberation, and without the echo of what the
 * other side says. Blocks of 10 ms in place. ANY; one owner. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct preproc_conf {
	bool has_agc, has_noise, has_dereverb, has_echo;
	float agc_level;            /* 1 to 32768; 0 = speexdsp's own, 8000 */
	int noise_db;               /* at most so much less; negative; 0 = -15 */
	int echo_suppress_db;       /* of what the canceller leaves; 0 = -40 */
	unsigned echo_tail_ms;      /* 0 = 128; at most 500 */
	unsigned echo_tail_samples; /* 0 = echo_tail_ms counts; more than 500 ms is 500 ms */
};
struct preproc;
ANY int preproc_new(struct preproc **out, uint32_t rate_hz, const struct preproc_conf *conf); /* mem_unref */
/* far: what the other side says meanwhile, n samples, or NULL. What is behind the last whole block stays as it is. */
ANY void preproc_run(struct preproc *p, int16_t *pcm, const int16_t *far, size_t n);
