/* A packet is a list of blocks, each with its length in words: those that are not ours are passed over, one that says
 * more than there is ends the walk. */
#include "rtp/xr.h"
#include "rtp/wire_i.h"
#include <string.h>

enum { VOIP = 7, VOIP_WORDS = 8, UNKNOWN_LEVEL = 127, GMIN = 16 };

int xr_voip_write(uint8_t *p, size_t cap, uint32_t sender, const struct xr_voip *v)
{
	if (cap < XR_VOIP_BYTES)
		return ST_FULL;
	memset(p, 0, XR_VOIP_BYTES);
	p[0] = 0x80, p[1] = RTCP_XR;
	wire_put16(p + 2, XR_VOIP_BYTES / 4 - 1);
	wire_put32(p + 4, sender);
	p += 8;
	p[0] = VOIP;
	wire_put16(p + 2, VOIP_WORDS);
	wire_put32(p + 4, v->ssrc);
	p[8] = v->loss, p[9] = v->discard, p[10] = v->burst_density, p[11] = v->gap_density;
	wire_put16(p + 12, v->burst_ms);
	wire_put16(p + 14, v->gap_ms);
	wire_put16(p + 16, v->round_trip_ms);
	wire_put16(p + 18, v->end_delay_ms);
	p[20] = p[21] = p[22] = UNKNOWN_LEVEL; /* signal, noise, echo: nobody measures them */
	p[23] = GMIN;
	p[24] = v->r, p[25] = XR_NONE, p[26] = v->mos_lq, p[27] = v->mos_cq;
	p[28] =
	    (uint8_t)(v->is_concealed << 6 | (v->jb_ms ? 3 << 4 : 0)); /* standard concealment; an adaptive buffer */
	wire_put16(p + 30, v->jb_ms);
	wire_put16(p + 32, v->jb_max_ms);
	wire_put16(p + 34, v->jb_limit_ms);
	return XR_VOIP_BYTES;
}

static void read(const uint8_t *p, struct xr_voip *v)
{
	*v = (struct xr_voip){.ssrc = wire_get32(p + 4),
	    .loss = p[8],
	    .discard = p[9],
	    .burst_density = p[10],
	    .gap_density = p[11],
	    .burst_ms = wire_get16(p + 12),
	    .gap_ms = wire_get16(p + 14),
	    .round_trip_ms = wire_get16(p + 16),
	    .end_delay_ms = wire_get16(p + 18),
	    .r = p[24],
	    .mos_lq = p[26],
	    .mos_cq = p[27],
	    .is_concealed = p[28] >> 6,
	    .jb_ms = wire_get16(p + 30),
	    .jb_max_ms = wire_get16(p + 32),
	    .jb_limit_ms = wire_get16(p + 34)};
}

bool xr_voip_get(const struct rtcp_item *it, uint32_t ssrc, struct xr_voip *out)
{
	if (it->type != RTCP_XR)
		return false;
	for (size_t at = 4; at + 4 <= it->body_bytes;) {
		const uint8_t *p = it->body + at;
		size_t bytes = 4u * (wire_get16(p + 2) + 1u);
		if (bytes > it->body_bytes - at)
			return false;
		if (p[0] == VOIP && bytes == 4 * (VOIP_WORDS + 1) && wire_get32(p + 4) == ssrc) {
			read(p, out);
			return true;
		}
		at += bytes;
	}
	return false;
}
