/* A stream of telephone-event packets (timestamp step, length, payload, time step from the input): no event may be
 * reported twice, and no more reports than packets.
 * Parser: rtp/telev.c */
#include "rtp/telev.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct telev_rx rx = {0};
	struct telev_tx tx = {0};
	struct telev_report r = {0};
	uint32_t ts = 0;
	int64_t now = 0;
	size_t packets = 0, reports = 0;
	uint8_t p[TELEV_PAYLOAD_BYTES];
	bool is_marked;

	for (size_t i = 0; i + 6 <= size; i += 6) {
		ts += (uint32_t)(int8_t)data[i] * 37;
		now += data[i + 1] * 4000;
		packets++;
		if (telev_rx_packet(&rx, data + i + 2, data[i + 1] % 5, ts, now, &r)) {
			reports++;
			if (telev_of_digit(r.digit) < 0)
				abort();
		}
		reports += telev_rx_tick(&rx, now, 100000, &r);
		if (!telev_tx_start(&tx, (char)data[i + 2], ts, data[i + 3] * 100u))
			for (int k = 0; telev_tx_next(&tx, data[i + 4] + 1u, p, &is_marked); k++)
				if (k > 70000)
					abort();
	}
	if (reports > packets)
		abort();
	return 0;
}
