/* Is a tone (or a chord of up to eight) sounding? Goertzel's recursion over blocks of 20 ms; a tone is there when, in
 * three blocks in a row, its frequencies hold most of the energy and each of them its share. ANY; one owner; embedded.
 */
#pragma once
#include "base/role.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TONEDET_FREQS_MAX = 8 };
struct tonedet {
	unsigned freq_count, good_blocks;
	size_t block, fill; /* samples */
	double energy;
	struct {
		double c, q1, q2;
	} freq[TONEDET_FREQS_MAX];
};
/* Frequencies over half the rate never sound. count is cut to TONEDET_FREQS_MAX. */
ANY void tonedet_init(struct tonedet *d, uint32_t rate_hz, const double *freqs_hz, unsigned count);
/* True when the tone sounds at the end of one of the blocks that these samples completed. */
ANY bool tonedet_feed(struct tonedet *d, const int16_t *s, size_t n);
