/* RTCP XR (RFC 3611): the VoIP metrics block, written and found in what came. Pure and bounded; ANY. */
#pragma once
#include "rtp/rtcp.h"

enum {
	XR_VOIP_BYTES = 8 + 36 /* a whole packet with the one block */,
	XR_NONE = 127 /* of r, mos and the like: not known */
};
struct xr_voip {       /* section 4.7; fractions of 256 */
	uint32_t ssrc; /* of whom it tells */
	uint8_t loss, discard, burst_density, gap_density;
	uint16_t burst_ms, gap_ms, round_trip_ms, end_delay_ms;
	uint8_t r, mos_lq, mos_cq; /* MOS times ten */
	uint8_t is_concealed;      /* what is lost is made up */
	uint16_t jb_ms, jb_max_ms, jb_limit_ms;
};
/* XR_VOIP_BYTES, or ST_FULL. */
ANY int xr_voip_write(uint8_t *p, size_t cap, uint32_t sender, const struct xr_voip *v);
/* The first block of the packet that tells of ssrc. */
ANY bool xr_voip_get(const struct rtcp_item *it, uint32_t ssrc, struct xr_voip *out);
