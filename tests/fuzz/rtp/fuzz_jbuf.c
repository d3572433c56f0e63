/* Packets of any numbers, timestamps and sources (8 bytes each from the input) into a jitter buffer, frames out of it:
 * what comes out lies inside, in order until it begins anew, and the delay stays bounded. Parser: rtp/jbuf.c */
#include "rtp/jbuf.h"
#include "rtp/rtp.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void get(struct jbuf *j, int64_t now, unsigned worth)
{
	struct jbuf_out o;
	struct jbuf_stats st;
	unsigned sum = 0;
	enum jbuf_get got = jbuf_get(j, now, &o);
	if (got == JBUF_PACKET || o.has_next)
		for (size_t i = 0; i < o.packet.n; i++)
			sum += o.packet.payload[i];
	if (got == JBUF_PACKET && (!o.packet.n || o.packet.n > 40 || sum != o.packet.n * o.packet.payload[0]))
		abort();
	if (got == JBUF_PACKET)
		jbuf_worth(j, worth);
	jbuf_stats_get(j, &st);
	if (st.depth_max_ms > 10000)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct jbuf *j;
	struct jbuf_conf c = {.clock_hz = 8000, .frame_ms = 20, .len_ms = 40, .max_ms = 200, .payload_max = 40};
	int64_t now = 0;
	if (jbuf_new(&j, &c))
		return 0;
	for (size_t i = 0; i + 8 <= size; i += 8) {
		uint8_t payload[64];
		memset(payload, data[i], sizeof(payload));
		struct jbuf_packet p = {.payload = payload,
		    .n = data[i + 1] & 63,
		    .ts = (uint32_t)data[i + 2] << (data[i + 3] & 31) | data[i + 4],
		    .ssrc = data[i + 5] & 1,
		    .seq = (uint16_t)(data[i + 6] << 8 | data[i + 4])};
		(void)jbuf_put(j, &p, now);
		now += (data[i + 7] & 15) * 10000;
		for (unsigned k = 0; k < (data[i + 7] & 15u) / 2; k++)
			get(j, now, data[i] * 4u);
	}
	jbuf_free(j);
	return 0;
}
