/* Arbitrary payloads as AMR and AMR-WB in both framings: what parses is written again and is the same.
 * Parser: codec/amr_packet.c */
#include "codec/codec_i.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct amr_kind *const kinds[] = {&amr_nb, &amr_wb};
	uint8_t out[1024];

	for (int k = 0; k < 2; k++)
		for (int aligned = 0; aligned < 2; aligned++) {
			struct amr_packet p, q;
			if (amr_packet_parse(kinds[k], aligned, data, size, &p))
				continue;
			int n = amr_packet_write(kinds[k], aligned, &p, out, sizeof(out));
			if (n <= 0 || (size_t)n > size || amr_packet_parse(kinds[k], aligned, out, (size_t)n, &q) ||
			    q.count != p.count)
				abort();
			for (unsigned i = 0; i < p.count; i++)
				if (memcmp(p.frames[i].bytes, q.frames[i].bytes, AMR_FRAME_BYTES_MAX))
					abort();
		}
	return 0;
}
