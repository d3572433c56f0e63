/* Arbitrary datagrams as RTCP feedback: what is passed on fits, is a packet of its own, and speaks of the one source.
 * Parser: rtp/feedback.c */
#include "rtp/feedback.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t out[RTCP_FB_BYTES_MAX];
	struct rtcp_item it, got;
	size_t off = 0;

	while (!rtcp_next(data, size, &off, &it)) {
		struct rtcp_fb_way w = {
		    .sender = 3, .near = 0x11111111, .far = 0x22222222, .seq_offset = (uint16_t)size};
		size_t at = 0;
		int n;
		if (it.type != RTCP_RTPFB && it.type != RTCP_PSFB)
			continue;
		n = rtcp_fb_pass(&it, &w, out, size & 1 ? sizeof(out) : 24);
		if (n < 0)
			continue;
		if (!rtcp_fb_is_about(&it, w.near) || n > (int)sizeof(out) || rtcp_check(out, (size_t)n) ||
		    rtcp_next(out, (size_t)n, &at, &got) || at != (size_t)n || got.ssrc != 3 ||
		    rtcp_fb_kind(&got) != rtcp_fb_kind(&it))
			abort();
	}
	return 0;
}
