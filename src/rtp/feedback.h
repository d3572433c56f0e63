/* RTCP feedback (RFC 4585, 5104; REMB and transport-wide congestion control as browsers speak them): what a packet asks
 * for, and the same said to the other side of a relay that rewrites SSRCs and sequence numbers. Pure and bounded; ANY.
 */
#pragma once
#include "rtp/rtcp.h"

enum rtcp_fb_kind {
	RTCP_FB_NONE, /* not known, or cut off */
	RTCP_FB_NACK,
	RTCP_FB_PLI,
	RTCP_FB_FIR,
	RTCP_FB_TMMBR, /* and its answer */
	RTCP_FB_REMB,
	RTCP_FB_TCC
};
enum { RTCP_FB_BYTES_MAX = 1400 };
/* it is of type RTCP_RTPFB or RTCP_PSFB. */
ANY enum rtcp_fb_kind rtcp_fb_kind(const struct rtcp_item *it);
/* Whether it speaks of this source: as the media source, or in one of its entries. */
ANY bool rtcp_fb_is_about(const struct rtcp_item *it, uint32_t ssrc);

struct rtcp_fb_way {
	uint32_t sender;     /* who says it there */
	uint32_t near, far;  /* the source as it is called here; there */
	uint16_t seq_offset; /* near's numbers less far's */
	/* NULL, or in place of the offset: the number there; false: it is not asked for. */
	bool (*number)(uint16_t seq, uint16_t *out, void *arg);
	void *arg;
};
/* The packet as it is said there: of the source alone. Bytes, ST_FULL, or ST_PARSE: none is left. */
ANY int rtcp_fb_pass(const struct rtcp_item *it, const struct rtcp_fb_way *w, uint8_t *out, size_t cap);
/* Asks for a picture that needs no other (PLI), or FIR with its own number, which goes up with each. */
ANY int rtcp_fb_pli(uint8_t *out, size_t cap, uint32_t sender, uint32_t media);
ANY int rtcp_fb_fir(uint8_t *out, size_t cap, uint32_t sender, uint32_t media, uint8_t number);
