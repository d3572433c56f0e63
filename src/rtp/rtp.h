/* RTP packets (RFC 3550) read and written in place; sequence validation, loss and jitter of one source (appendix A).
 * Pure: the arrival time comes in as an argument. ANY: one owner at a time. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RTP_HEADER_BYTES = 12, RTP_CSRC_MAX = 15, RTP_PT_MAX = 127 };

struct rtp_packet {
	bool is_marked;
	uint8_t pt, csrc_count;
	uint16_t seq;
	uint32_t ts, ssrc;
	uint16_t ext_profile; /* valid when ext is not NULL */
	const uint8_t *ext;   /* extension body, borrowed; NULL = none */
	size_t ext_bytes;
	const uint8_t *payload; /* borrowed; padding removed */
	size_t payload_bytes;
	uint8_t padding_bytes;
};
/* ST_PARSE: short, not version 2, CSRCs, extension or padding over the end. */
ANY int rtp_parse(const uint8_t *p, size_t n, struct rtp_packet *out);
/* Writes the 12-byte header to p, which holds them. */
ANY void rtp_write_header(uint8_t *p, bool is_marked, uint8_t pt, uint16_t seq, uint32_t ts, uint32_t ssrc);
/* Whole packet; bytes written, or ST_FULL when cap is too small, ST_INVAL for a bad payload type. */
ANY int rtp_write(uint8_t *p, size_t cap, const struct rtp_packet *pk);
/* Fields of a packet that already passed rtp_parse, rewritten in place (relay). */
ANY void rtp_patch(uint8_t *p, uint8_t pt, uint16_t seq, uint32_t ts, uint32_t ssrc);

/* What a datagram on an RTP port is by its first bytes (RFC 5761, RFC 7983). */
enum rtp_kind {
	RTP_KIND_NONE,
	RTP_KIND_RTP,
	RTP_KIND_RTCP,
	RTP_KIND_STUN,
	RTP_KIND_TURN, /* channel data */
	RTP_KIND_ZRTP,
	RTP_KIND_DTLS
};
ANY enum rtp_kind rtp_classify(const uint8_t *p, size_t n);

/* a - b on the circle of 16 or 32 bits: positive when a is later. */
static inline int16_t rtp_seq_diff(uint16_t a, uint16_t b)
{
	return (int16_t)(uint16_t)(a - b);
}
static inline int32_t rtp_ts_diff(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

/* One received source. */
struct rtp_source {
	uint32_t ssrc, clock_hz;
	bool is_started;
	uint16_t seq_max, probation;
	uint32_t cycles, seq_base, seq_bad;
	uint64_t received, lost_before;          /* lost_before: the numbers began anew */
	uint64_t expected_prior, received_prior; /* at the last report block */
	uint32_t transit;
	bool has_transit;
	uint32_t jitter_q4; /* RFC 3550 A.8: estimate scaled by 16, in clock units */
	uint32_t jitter_max_q4;
	uint64_t duplicates, restarts, holes; /* holes: losses, of one packet or several; also what came late */
};
enum rtp_seq_result {
	RTP_SEQ_OK,
	RTP_SEQ_LATE /* old or twice */,
	RTP_SEQ_RESTART /* accepted as a new start */,
	RTP_SEQ_BAD /* a jump: wait for its successor */
};
ANY void rtp_source_init(struct rtp_source *s, uint32_t ssrc, uint32_t clock_hz);
ANY void rtp_source_clock(struct rtp_source *s, uint32_t clock_hz); /* its timestamps count another clock from now on */
/* Accounts one packet. arrival_us: monotonic. The first packet is accepted at once (telephony has no probation). */
ANY enum rtp_seq_result rtp_source_update(struct rtp_source *s, uint16_t seq, uint32_t ts, int64_t arrival_us);
/* The same of a packet whose time tells nothing of the network's (comfort noise): no jitter is made of it. */
ANY enum rtp_seq_result rtp_source_count(struct rtp_source *s, uint16_t seq);
ANY uint32_t rtp_source_seq_ext(const struct rtp_source *s); /* extended highest sequence number */
ANY uint64_t rtp_source_lost(
    const struct rtp_source *s); /* never negative here; duplicates can hide loss, as in the RFC */
ANY uint32_t rtp_source_jitter_us(const struct rtp_source *s);
ANY uint32_t rtp_source_jitter_max_us(const struct rtp_source *s);
/* The extended number nearest to ref: for buffers that index packets across wraps. */
ANY uint64_t rtp_seq_extend(uint64_t ref, uint16_t seq);
