/* RTCP (RFC 3550 section 6): compound packets validated as in appendix A.2 and walked; SR, RR, SDES, BYE written.
 * Pure and bounded; ANY. */
#pragma once
#include "rtp/rtp.h"

enum {
	RTCP_SR = 200,
	RTCP_RR = 201,
	RTCP_SDES = 202,
	RTCP_BYE = 203,
	RTCP_APP = 204,
	RTCP_RTPFB = 205,
	RTCP_PSFB = 206,
	RTCP_XR = 207
};
enum { RTCP_BLOCKS_MAX = 31, RTCP_CNAME_MAX = 255 };

struct rtcp_block { /* one report about one source */
	uint32_t ssrc;
	uint8_t fraction_lost; /* of 256 */
	int32_t lost;          /* cumulative, signed 24 bit */
	uint32_t seq_ext;
	uint32_t jitter;    /* clock units */
	uint32_t lsr, dlsr; /* middle 32 bits of NTP; 1/65536 s */
};
struct rtcp_sr {
	uint32_t ssrc;
	uint64_t ntp;
	uint32_t ts, packets, octets;
};
/* One packet of a compound. */
struct rtcp_item {
	uint8_t type, count;   /* count field as it is on the wire: blocks, chunks or sources */
	uint32_t ssrc;         /* sender, or the first source of BYE/SDES; 0 when there is none */
	struct rtcp_sr sr;     /* type RTCP_SR */
	uint8_t block_count;   /* SR and RR */
	const uint8_t *blocks; /* rtcp_block_get reads them */
	const char *text;      /* SDES: CNAME; BYE: reason; borrowed, not NUL-terminated; NULL = none */
	uint8_t text_bytes;
	const uint8_t *body; /* after the 4-byte header */
	size_t body_bytes;
};
/* Checks a whole datagram (A.2; RFC 5506 reduced size is accepted: any first type 200..207). ST_PARSE when it is not
 * one. */
ANY int rtcp_check(const uint8_t *p, size_t n);
/* Walks: *off starts at 0. ST_OK fills out; ST_NOTFOUND at the end; ST_PARSE for a bad packet. */
ANY int rtcp_next(const uint8_t *p, size_t n, size_t *off, struct rtcp_item *out);
ANY bool rtcp_block_get(const struct rtcp_item *it, unsigned i, struct rtcp_block *out);

/* A report block for s, and the interval's prior counts moved on (A.3). last_sr_ntp_mid 0 = no SR received; one of over
 * an hour ago is told as none. */
ANY void rtcp_block_make(struct rtp_source *s, uint32_t last_sr_ntp_mid, uint64_t since_sr_us, struct rtcp_block *out);
/* A compound report: SR when sr is given, else RR from ssrc; blocks; SDES with cname; BYE when is_bye. Bytes written,
 * ST_FULL when cap is too small, ST_INVAL over the bounds. */
struct rtcp_report {
	uint32_t ssrc;
	const struct rtcp_sr *sr; /* NULL = RR */
	const struct rtcp_block *blocks;
	uint8_t block_count;
	const char *cname; /* NULL = no SDES */
	bool is_bye;
	const char *bye_reason; /* NULL = none */
};
ANY int rtcp_write(uint8_t *p, size_t cap, const struct rtcp_report *r);
/* Wall microseconds since 1970 as a 64-bit NTP time, and the middle 32 bits used by LSR. */
ANY uint64_t rtcp_ntp(int64_t wall_us);
static inline uint32_t rtcp_ntp_mid(uint64_t ntp)
{
	return (uint32_t)(ntp >> 16);
}
/* Round trip from a block about us, now_mid = our clock when it arrived; 0 when the peer has no SR of ours. */
ANY uint32_t rtcp_round_trip_us(const struct rtcp_block *b, uint32_t now_mid);
