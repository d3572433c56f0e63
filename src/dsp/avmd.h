/* The beep of an answering machine: one sine of whatever frequency that stands still for a tenth of a second. Speech,
 * music and chords do not: their energy is at several frequencies, or moves. ANY; pure; one owner; embedded. */
#pragma once
#include "base/role.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { AVMD_RATE_HZ = 8000, AVMD_BLOCK = 160, AVMD_BLOCKS_MAX = 50 };
struct avmd_conf {
	double min_hz, max_hz;
	unsigned blocks; /* of 20 ms in a row that it takes; 2 to AVMD_BLOCKS_MAX */
};
#define AVMD_CONF_DEFAULT \
	{ \
		.min_hz = 440, .max_hz = 2000, .blocks = 6 \
	}
struct avmd_found {
	double hz, hz_variance, amplitude, amplitude_variance; /* amplitude: 1 is full scale */
	uint32_t at_ms;                                        /* of what was heard: where it began */
};
struct avmd {
	struct avmd_conf conf;
	struct avmd_found found;
	bool is_found;
	int16_t block[AVMD_BLOCK];
	unsigned fill, run;
	uint32_t blocks_heard;
	double hz_sum, hz_squares, amp_sum, amp_squares; /* of the run */
};
ANY void avmd_init(struct avmd *a, const struct avmd_conf *conf);
/* pcm at AVMD_RATE_HZ. True from when one was heard: found says which. */
ANY bool avmd_feed(struct avmd *a, const int16_t *pcm, size_t n);
