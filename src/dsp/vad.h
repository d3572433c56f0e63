/* Does somebody speak? By the energy of 10 ms against a floor that follows the room's noise. ANY; pure; one owner. */
#pragma once
#include "base/role.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vad {
	uint32_t block; /* samples of 10 ms */
	uint32_t fill;
	uint64_t sum;         /* of squares */
	double floor;         /* mean square of the noise */
	unsigned loud, quiet; /* blocks in a row */
	bool is_talking;
};
ANY void vad_init(struct vad *v, uint32_t rate_hz);
/* True when it changed: look at is_talking. Talk begins after 30 ms of it and ends after 500 ms without. */
ANY bool vad_feed(struct vad *v, const int16_t *pcm, size_t n);
