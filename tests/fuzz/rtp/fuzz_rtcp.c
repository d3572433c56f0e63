/* Arbitrary datagrams through the RTCP walk: every view must lie inside, and a checked datagram ends where it ends.
 * Parser: rtp/rtcp.c */
#include "rtp/rtcp.h"
#include "rtp/xr.h"
#include <stdlib.h>

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A report of a source that got these packets: it fits or is refused, and is one. */
static void written(const uint8_t *data, size_t size)
{
	struct rtp_source s;
	struct rtcp_block block;
	char name[300];
	uint8_t out[512];
	size_t n = size < sizeof(name) ? size : sizeof(name) - 1;

	rtp_source_init(&s, 1, 8000);
	for (size_t i = 0; i + 2 <= size; i += 2)
		rtp_source_update(&s, (uint16_t)(data[i] << 8 | data[i + 1]), (uint32_t)i * 160, (int64_t)i * 20000);
	rtcp_block_make(&s, size & 1 ? rtcp_ntp_mid(rtcp_ntp(1700000000000000LL)) : 0, 5000, &block);
	memcpy(name, data, n);
	name[n] = 0;
	struct rtcp_sr sr = {.ntp = rtcp_ntp((int64_t)size - 4), .packets = (uint32_t)size};
	for (unsigned kind = 0; kind < 16; kind++) {
		struct rtcp_report r = {.ssrc = 7,
		    .sr = kind & 1 ? &sr : NULL,
		    .blocks = &block,
		    .block_count = kind & 2 ? 1 : 0,
		    .cname = kind & 4 ? name : NULL,
		    .is_bye = kind & 8,
		    .bye_reason = kind & 8 ? name : NULL};
		int bytes = rtcp_write(out, size & 2 ? sizeof(out) : 60, &r);
		if (bytes >= 0 && (bytes > (int)sizeof(out) || rtcp_check(out, (size_t)bytes)))
			abort();
	}
}
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
		struct xr_voip v;
		if (xr_voip_get(&it, it.ssrc, &v))
			sum += v.loss;
		if (it.body_bytes >= 12 && xr_voip_get(&it, 7, &v)) { /* written again it is read as the same */
			uint8_t out[XR_VOIP_BYTES];
			struct rtcp_item again;
			struct xr_voip w;
			size_t at = 0;
			if (xr_voip_write(out, sizeof(out), 7, &v) != sizeof(out) || rtcp_check(out, sizeof(out)) ||
			    rtcp_next(out, sizeof(out), &at, &again) || !xr_voip_get(&again, 7, &w) ||
			    w.loss != v.loss || w.jb_limit_ms != v.jb_limit_ms || w.mos_cq != v.mos_cq)
				abort();
		}
		for (size_t i = 0; i < it.text_bytes; i++)
			sum += (unsigned char)it.text[i];
	}
	if (is_valid && st == ST_NOTFOUND && off != size)
		abort();
	(void)sum;
	written(data, size);
	return 0;
}
