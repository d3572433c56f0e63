/* Arbitrary datagrams through the RTCP walk: every view must lie inside, and a checked datagram ends where it ends.
 * Parser: rtp/rtcp.c */
#include "rtp/rtcp.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rtcp_item it;
	struct rtcp_block b;
	size_t off = 0;
	int is_valid = !rtcp_check(data, size), st;
	unsigned sum = 0;

	while (!(st = rtcp_next(data, size, &off, &it))) {
		if (it.body < data || it.body + it.body_bytes > data + size || off > size)
			abort();
		if (it.text && ((const uint8_t *)it.text < it.body ||
		                   (const uint8_t *)it.text + it.text_bytes > it.body + it.body_bytes))
			abort();
		for (unsigned i = 0; rtcp_block_get(&it, i, &b); i++) {
			rtcp_round_trip_us(&b, 12345);
			sum += b.jitter;
		}
		for (size_t i = 0; i < it.text_bytes; i++)
			sum += (unsigned char)it.text[i];
	}
	if (is_valid && st == ST_NOTFOUND && off != size)
		abort();
	(void)sum;
	return 0;
}
