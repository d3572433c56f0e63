/* Arbitrary payloads as RED and as ULPFEC: every view lies inside; RED that parses is written again and is the same.
 * Parser: rtp/red.c */
#include "rtp/red.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t out[70000];
	struct red_packet r;
	struct ulpfec f;

	if (!red_parse(data, size, &r)) {
		for (size_t i = 0; i < r.count; i++)
			if (r.blocks[i].p < data || r.blocks[i].p + r.blocks[i].n > data + size)
				abort();
		int n = red_write(&r, out, sizeof(out));
		if (size <= sizeof(out) && (n != (int)size || memcmp(out, data, size)))
			abort();
	}
	if (!ulpfec_parse(data, size, &f) && (f.payload < data || f.payload + f.payload_bytes > data + size ||
	                                         ulpfec_protects(&f, (uint16_t)(f.seq_base + 48))))
		abort();
	return 0;
}
