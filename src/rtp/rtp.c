/* RTP headers read and written, and the per-source bookkeeping of RFC 3550 appendix A.1, A.3 and A.8. Packets are read
 * in place: every length is checked against what is left before it is used. */
#include "rtp/rtp.h"
#include "rtp/wire_i.h"
#include <string.h>

int rtp_parse(const uint8_t *p, size_t n, struct rtp_packet *out)
{
	struct rtp_packet k = {0};
	size_t at = RTP_HEADER_BYTES;

	if (n < RTP_HEADER_BYTES || p[0] >> 6 != 2)
		return ST_PARSE;
	k.csrc_count = p[0] & 15;
	k.is_marked = p[1] >> 7;
	k.pt = p[1] & 127;
	k.seq = wire_get16(p + 2);
	k.ts = wire_get32(p + 4);
	k.ssrc = wire_get32(p + 8);
	at += 4u * k.csrc_count;
	if (at > n)
		return ST_PARSE;
	if (p[0] & 0x10) {
		if (n - at < 4)
			return ST_PARSE;
		k.ext_profile = wire_get16(p + at);
		k.ext_bytes = 4u * wire_get16(p + at + 2);
		at += 4;
		if (n - at < k.ext_bytes)
			return ST_PARSE;
		k.ext = p + at;
		at += k.ext_bytes;
	}
	if (p[0] & 0x20) {
		if (n == at || !p[n - 1] || p[n - 1] > n - at)
			return ST_PARSE;
		k.padding_bytes = p[n - 1];
	}
	k.payload = p + at;
	k.payload_bytes = n - at - k.padding_bytes;
	*out = k;
	return ST_OK;
}

void rtp_write_header(uint8_t *p, bool is_marked, uint8_t pt, uint16_t seq, uint32_t ts, uint32_t ssrc)
{
	p[0] = 0x80;
	p[1] = (uint8_t)((is_marked ? 0x80 : 0) | (pt & 127));
	wire_put16(p + 2, seq);
	wire_put32(p + 4, ts);
	wire_put32(p + 8, ssrc);
}

int rtp_write(uint8_t *p, size_t cap, const struct rtp_packet *k)
{
	size_t ext = k->ext ? 4 + k->ext_bytes : 0, n = RTP_HEADER_BYTES + ext + k->payload_bytes + k->padding_bytes;
	size_t at = RTP_HEADER_BYTES;

	/* CSRC lists are read over, never made. */
	if (k->pt > RTP_PT_MAX || k->csrc_count || k->ext_bytes % 4 || k->ext_bytes / 4 > 65535 ||
	    k->payload_bytes > 65535)
		return ST_INVAL;
	if (n > cap)
		return ST_FULL;
	rtp_write_header(p, k->is_marked, k->pt, k->seq, k->ts, k->ssrc);
	if (k->ext) {
		p[0] |= 0x10;
		wire_put16(p + at, k->ext_profile);
		wire_put16(p + at + 2, (uint16_t)(k->ext_bytes / 4));
		memcpy(p + at + 4, k->ext, k->ext_bytes);
		at += ext;
	}
	if (k->payload_bytes)
		memcpy(p + at, k->payload, k->payload_bytes);
	at += k->payload_bytes;
	if (k->padding_bytes) {
		p[0] |= 0x20;
		memset(p + at, 0, k->padding_bytes);
		p[at + k->padding_bytes - 1u] = k->padding_bytes;
	}
	return (int)n;
}

void rtp_patch(uint8_t *p, uint8_t pt, uint16_t seq, uint32_t ts, uint32_t ssrc)
{
	p[1] = (uint8_t)((p[1] & 0x80) | (pt & 127));
	wire_put16(p + 2, seq);
	wire_put32(p + 4, ts);
	wire_put32(p + 8, ssrc);
}

enum rtp_kind rtp_classify(const uint8_t *p, size_t n)
{
	if (!n)
		return RTP_KIND_NONE;
	if (p[0] <= 3)
		return n >= 20 ? RTP_KIND_STUN : RTP_KIND_NONE;
	if (p[0] >= 16 && p[0] <= 19)
		return RTP_KIND_ZRTP;
	if (p[0] >= 20 && p[0] <= 63)
		return RTP_KIND_DTLS;
	if (p[0] >= 64 && p[0] <= 79)
		return RTP_KIND_TURN;
	if (p[0] >> 6 != 2 || n < 8)
		return RTP_KIND_NONE;
	/* RFC 5761: payload types 64..95 are not used on shared ports, so 192..223 here is RTCP. */
	if (p[1] >= 192 && p[1] <= 223)
		return RTP_KIND_RTCP;
	return n >= RTP_HEADER_BYTES ? RTP_KIND_RTP : RTP_KIND_NONE;
}

enum { DROPOUT_MAX = 3000, MISORDER_MAX = 100 };

static uint64_t lost_now(const struct rtp_source *s)
{
	uint64_t expected = s->is_started ? (uint64_t)rtp_source_seq_ext(s) - s->seq_base + 1 : 0;
	return expected > s->received ? expected - s->received : 0;
}

static void restart(struct rtp_source *s, uint16_t seq)
{
	s->lost_before += lost_now(s);
	s->seq_base = seq;
	s->seq_max = seq;
	s->seq_bad = 65537; /* no sequence number equals it */
	s->cycles = 0;
	s->received = 0;
	s->received_prior = s->expected_prior = 0;
	s->has_transit = false;
}
void rtp_source_init(struct rtp_source *s, uint32_t ssrc, uint32_t clock_hz)
{
	memset(s, 0, sizeof(*s));
	s->ssrc = ssrc;
	s->clock_hz = clock_hz ? clock_hz : 8000;
}
void rtp_source_clock(struct rtp_source *s, uint32_t clock_hz)
{
	if (!clock_hz || clock_hz == s->clock_hz)
		return;
	s->jitter_q4 = (uint32_t)((uint64_t)s->jitter_q4 * clock_hz / s->clock_hz);
	s->jitter_max_q4 = (uint32_t)((uint64_t)s->jitter_max_q4 * clock_hz / s->clock_hz);
	s->clock_hz = clock_hz;
	s->has_transit = false;
}
static void jitter(struct rtp_source *s, uint32_t ts, int64_t arrival_us)
{
	uint32_t arrival = (uint32_t)((uint64_t)arrival_us / 1000000 * s->clock_hz +
	                              (uint64_t)arrival_us % 1000000 * s->clock_hz / 1000000);
	uint32_t transit = arrival - ts;
	int64_t d = (int32_t)(transit - s->transit);

	s->transit = transit;
	if (!s->has_transit) {
		s->has_transit = true;
		return;
	}
	if (d < 0)
		d = -d;
	if (d > s->clock_hz * 10ll) /* the peer's clock jumped: not jitter */
		return;
	s->jitter_q4 += (uint32_t)d - ((s->jitter_q4 + 8) >> 4);
	if (s->jitter_q4 > s->jitter_max_q4)
		s->jitter_max_q4 = s->jitter_q4;
}
static enum rtp_seq_result sequence(struct rtp_source *s, uint16_t seq)
{
	uint16_t delta = (uint16_t)(seq - s->seq_max);

	if (!s->is_started) {
		restart(s, seq);
		s->is_started = true;
		s->received = 1;
		return RTP_SEQ_OK;
	}
	if (delta && delta < DROPOUT_MAX) {
		if (seq < s->seq_max)
			s->cycles += 65536;
		s->seq_max = seq;
		s->received++;
		if (__builtin_expect(delta > 1, 0))
			s->holes++;
		return RTP_SEQ_OK;
	}
	if (!delta || delta > 65536 - MISORDER_MAX) {
		s->received++;
		s->duplicates += !delta;
		return RTP_SEQ_LATE;
	}
	if (seq == s->seq_bad) { /* two in a row from the new place: the peer restarted */
		restart(s, seq);
		s->received = 1;
		s->restarts++;
		return RTP_SEQ_RESTART;
	}
	s->seq_bad = (seq + 1u) & 0xffff;
	return RTP_SEQ_BAD;
}
enum rtp_seq_result rtp_source_update(struct rtp_source *s, uint16_t seq, uint32_t ts, int64_t arrival_us)
{
	enum rtp_seq_result r = sequence(s, seq);
	if (r == RTP_SEQ_OK || r == RTP_SEQ_RESTART)
		jitter(s, ts, arrival_us);
	return r;
}
enum rtp_seq_result rtp_source_count(struct rtp_source *s, uint16_t seq)
{
	return sequence(s, seq);
}
uint32_t rtp_source_seq_ext(const struct rtp_source *s)
{
	return s->cycles + s->seq_max;
}
uint64_t rtp_source_lost(const struct rtp_source *s)
{
	return s->lost_before + lost_now(s);
}
static uint32_t jitter_us(const struct rtp_source *s, uint32_t q4)
{
	return (uint32_t)((uint64_t)q4 * 1000000 / 16 / s->clock_hz);
}
uint32_t rtp_source_jitter_us(const struct rtp_source *s)
{
	return jitter_us(s, s->jitter_q4);
}
uint32_t rtp_source_jitter_max_us(const struct rtp_source *s)
{
	return jitter_us(s, s->jitter_max_q4);
}

uint64_t rtp_seq_extend(uint64_t ref, uint16_t seq)
{
	int16_t d = (int16_t)(uint16_t)(seq - (uint16_t)ref);
	if (d < 0 && ref < (uint64_t) - (int64_t)d)
		return seq; /* before the first: stays on the first turn */
	return ref + (uint64_t)(int64_t)d;
}
