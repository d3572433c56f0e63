/* Arbitrary payloads as RED: every view lies inside, one behind the other.
 * Parser: rtp/red.c */
#include "rtp/red.h"
#include <stdlib.h>

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
	return 0;
}
