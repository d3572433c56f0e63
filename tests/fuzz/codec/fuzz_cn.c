/* Arbitrary comfort noise payloads: the noise stays finite, and what is measured of it can be written.
 * Parser: codec/cn.c */
#include "codec/cn.h"
#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cn_params p, q;
	struct cn_noise noise = {0};
	int16_t pcm[320];
	uint8_t out[CN_PAYLOAD_MAX];

	if (cn_parse(data, size, &p))
		return 0;
	cn_noise_set(&noise, &p);
	for (int i = 0; i < 4; i++)
		cn_noise_make(&noise, pcm, 320);
	for (unsigned i = 0; i < p.order; i++)
		if (!isfinite(noise.b[i]))
			abort();
	cn_measure(pcm, 320, (unsigned)(size % (CN_ORDER_MAX + 1)), &q);
	if (cn_write(&q, out, sizeof(out)) <= 0 || cn_parse(out, 1u + q.order, &p))
		abort();
	return 0;
}
