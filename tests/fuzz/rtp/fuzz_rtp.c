/* Arbitrary datagrams through the RTP parser; what parses is written again and is the same; then a run of sequence
 * numbers through the source's bookkeeping.
 * Parser: rtp/rtp.c */
#include "rtp/rtp.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rtp_packet k, b;
	struct rtp_source s;
	static uint8_t out[70000];

	rtp_classify(data, size);
	if (!rtp_parse(data, size, &k)) {
		int n;
		if (k.payload + k.payload_bytes + k.padding_bytes != data + size)
			abort();
		if (k.ext && (k.ext < data || k.ext + k.ext_bytes > data + size))
			abort();
		k.csrc_count = 0;
		n = rtp_write(out, sizeof(out), &k);
		if (n > 0 && (rtp_parse(out, (size_t)n, &b) || b.payload_bytes != k.payload_bytes || b.seq != k.seq ||
		                 (k.payload_bytes && memcmp(b.payload, k.payload, k.payload_bytes))))
			abort();
	}
	rtp_source_init(&s, 1, 8000);
	for (size_t i = 0; i + 4 <= size; i += 4) {
		rtp_source_update(&s, (uint16_t)(data[i] << 8 | data[i + 1]), (uint32_t)data[i + 2] << 24 | data[i + 3],
		    (int64_t)i * 20000);
		rtp_source_lost(&s);
		rtp_source_jitter_us(&s);
		rtp_seq_extend(i, (uint16_t)(data[i] << 8 | data[i + 1]));
	}
	return 0;
}
