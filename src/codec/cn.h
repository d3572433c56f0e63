/* Comfort noise (RFC 3389): a payload says how loud the background is and, by reflection coefficients, how it sounds.
 * Pure; the noise is made of samples at any rate. ANY. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include <stddef.h>
#include <stdint.h>

enum { CN_ORDER_MAX = 12, CN_LEVEL_MAX = 127, CN_PAYLOAD_MAX = 1 + CN_ORDER_MAX };

struct cn_params {
	uint8_t level;         /* -dBov, 0 (loudest) .. 127 */
	uint8_t order;         /* coefficients that count */
	float k[CN_ORDER_MAX]; /* reflection coefficients, -1 .. 1 */
};
/* ST_PARSE: empty. A level over 127 is 127; coefficients over CN_ORDER_MAX are left out. */
ANY int cn_parse(const uint8_t *p, size_t n, struct cn_params *out);
/* Bytes written, at most CN_PAYLOAD_MAX; ST_FULL. */
ANY int cn_write(const struct cn_params *c, uint8_t *out, size_t cap);
/* What n samples of background sound like: level, and order (at most CN_ORDER_MAX) coefficients. */
ANY void cn_measure(const int16_t *pcm, size_t n, unsigned order, struct cn_params *out);

struct cn_noise { /* zero it, cn_noise_set, then make */
	struct cn_params params;
	float gain, b[CN_ORDER_MAX];
	uint32_t seed;
};
/* New parameters; what sounds goes on from what was. */
ANY void cn_noise_set(struct cn_noise *c, const struct cn_params *p);
/* n samples. */
ANY void cn_noise_make(struct cn_noise *c, int16_t *out, size_t n);
