/* Silence and comfort noise. ANY; one owner. */
#pragma once
#include "base/role.h"
#include <stddef.h>
#include <stdint.h>

struct noise {
	uint32_t seed;
	int32_t amp;  /* peak */
	int32_t last; /* low-pass state */
};
/* FreeSWITCH's silence_stream://ms,divisor: the larger the divisor, the softer; 0 = digital silence; 1400 is usual. */
ANY void noise_init_divisor(struct noise *g, uint32_t divisor, uint32_t seed);
/* RFC 3389 noise level in -dBov (0..127). */
ANY void noise_init_dbov(struct noise *g, unsigned minus_dbov, uint32_t seed);
ANY void noise_fill(struct noise *g, int16_t *out, size_t n);
/* RFC 3389 payload level byte of a block of samples. */
ANY uint8_t noise_level_dbov(const int16_t *s, size_t n);
