/* Arbitrary payloads as RED: every view lies inside, one behind the other; two blocks written again are the same.
 * Parser: rtp/red.c */
#include "rtp/red.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct red_packet r;
	const uint8_t *at = data;

	if (red_parse(data, size, &r))
		return 0;
	if (!r.count || r.count > RED_BLOCKS_MAX)
		abort();
	for (size_t i = 0; i < r.count; at = r.blocks[i].p + r.blocks[i].n, i++)
		if (r.blocks[i].p < at || r.blocks[i].p + r.blocks[i].n > data + size)
			abort();
	if (r.count == 2 && size < 60000) {
		static uint8_t out[70000];
		size_t n = red_write(out, &r.blocks[0], r.blocks[1].pt, r.blocks[1].p, r.blocks[1].n);
		if (n != size || memcmp(out, data, n))
			abort();
	}
	return 0;
}
