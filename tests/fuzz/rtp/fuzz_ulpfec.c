/* Arbitrary payloads as parity, over packets that the input's end is cut into: what is given back lies inside, is an
 * RTP packet under the number that was missing; what we protect and lose comes back. Parser: rtp/ulpfec.c */
#include "rtp/rtp.h"
#include "rtp/ulpfec.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* data: a packet a length byte; all of them but one are enough. */
static void both_ways(const uint8_t *data, size_t size)
{
	static uint8_t packets[ULPFEC_PACKETS_MAX][12 + 255], out[2000], got[12 + 255];
	struct ulpfec_media media[ULPFEC_PACKETS_MAX] = {{0}};
	struct ulpfec_maker m = {0};
	struct ulpfec_packet f;
	unsigned count = 0, lost, which;
	struct rtp_packet k;

	while (size > 2 && count < ULPFEC_PACKETS_MAX) {
		size_t n = data[0] < size - 2 ? data[0] : size - 2;
		rtp_write_header(
		    packets[count], data[1] & 128, data[1] & 127, (uint16_t)(65500 + count), data[1] * 77u, 5);
		packets[count][0] |= data[1] >> 2;
		memcpy(packets[count] + 12, data + 2, n);
		media[count] = (struct ulpfec_media){packets[count], 12 + n};
		if (ulpfec_add(&m, packets[count], 12 + n))
			abort();
		data += 2 + n, size -= 2 + n, count++;
	}
	int n = ulpfec_take(&m, out, sizeof(out));
	if (n < 0)
		return;
	if (ulpfec_parse(out, (size_t)n, &f))
		abort();
	lost = size ? data[0] % count : 0;
	struct ulpfec_media was = media[lost];
	media[lost].p = NULL;
	n = ulpfec_recover(&f, media, 5, got, sizeof(got), &which);
	if (rtp_parse(was.p, was.n, &k) ? n != ST_PARSE : n != (int)was.n || which != lost || memcmp(got, was.p, was.n))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ulpfec_media media[ULPFEC_PACKETS_MAX] = {{0}};
	struct ulpfec_packet f;
	struct rtp_packet k;
	static uint8_t out[1600];
	unsigned which = 99;

	both_ways(data, size);
	if (ulpfec_parse(data, size, &f))
		return 0;
	if (!f.level_count || f.level_count > ULPFEC_LEVELS_MAX)
		abort();
	for (size_t i = 0; i < f.level_count; i++)
		if (!f.levels[i].mask || f.levels[i].p < data || f.levels[i].p + f.levels[i].n > data + size)
			abort();
	/* of each but the one that the second byte names a piece of the input is the packet */
	for (unsigned i = 0; i < ULPFEC_PACKETS_MAX; i++)
		if (i != data[1] % ULPFEC_PACKETS_MAX)
			media[i] = (struct ulpfec_media){data, size - i % 2};
	int n = ulpfec_recover(&f, media, 7, out, data[2] & 1 ? sizeof(out) : 100, &which);
	if (n >= 0 && (n < RTP_HEADER_BYTES || n > (int)sizeof(out) || which != data[1] % ULPFEC_PACKETS_MAX ||
	                  rtp_parse(out, (size_t)n, &k) || k.seq != (uint16_t)(f.seq_base + which) || k.ssrc != 7))
		abort();
	return 0;
}
