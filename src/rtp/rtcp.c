/* RTCP compounds: checked as a whole, walked packet by packet, and written. A packet's own length field is trusted only
 * after it was compared with what is left of the datagram. */
#include "rtp/rtcp.h"
#include "rtp/wire_i.h"
#include <string.h>

enum { HEADER = 4, SR_BYTES = 24, BLOCK_BYTES = 24 };

static bool header(const uint8_t *p, size_t left, size_t *bytes)
{
	if (left < HEADER || p[0] >> 6 != 2 || p[1] < RTCP_SR || p[1] > RTCP_XR)
		return false;
	*bytes = 4u * (wire_get16(p + 2) + 1u);
	return *bytes <= left;
}
int rtcp_check(const uint8_t *p, size_t n)
{
	size_t at = 0, bytes = 0;
	if (!n)
		return ST_PARSE;
	for (; at < n; at += bytes) {
		if (!header(p + at, n - at, &bytes))
			return ST_PARSE;
		if (p[at] & 0x20 && at + bytes != n) /* padding belongs to the last packet only */
			return ST_PARSE;
	}
	return ST_OK;
}
/* The CNAME of the first chunk. */
static void sdes(struct rtcp_item *it)
{
	size_t at = 4;
	while (it->count && at + 2 <= it->body_bytes && it->body[at]) {
		size_t len = it->body[at + 1];
		if (len > it->body_bytes - at - 2)
			return;
		if (it->body[at] == 1) {
			it->text = (const char *)it->body + at + 2;
			it->text_bytes = (uint8_t)len;
			return;
		}
		at += 2 + len;
	}
}
static void bye(struct rtcp_item *it)
{
	size_t at = 4u * it->count;
	if (at < it->body_bytes && it->body[at] && it->body[at] <= it->body_bytes - at - 1) {
		it->text = (const char *)it->body + at + 1;
		it->text_bytes = it->body[at];
	}
}
int rtcp_next(const uint8_t *p, size_t n, size_t *off, struct rtcp_item *out)
{
	struct rtcp_item it = {0};
	size_t bytes = 0, fixed;

	if (*off >= n)
		return ST_NOTFOUND;
	p += *off;
	if (!header(p, n - *off, &bytes))
		return ST_PARSE;
	it.type = p[1];
	it.count = p[0] & 31;
	it.body = p + HEADER;
	it.body_bytes = bytes - HEADER;
	if (p[0] & 0x20) {
		uint8_t pad = p[bytes - 1];
		if (!pad || pad % 4 || pad > it.body_bytes)
			return ST_PARSE;
		it.body_bytes -= pad;
	}
	if (it.body_bytes >= 4)
		it.ssrc = wire_get32(it.body);
	if (it.type == RTCP_SR || it.type == RTCP_RR) {
		fixed = it.type == RTCP_SR ? SR_BYTES : 4;
		if (it.body_bytes < fixed + (size_t)it.count * BLOCK_BYTES)
			return ST_PARSE;
		if (it.type == RTCP_SR)
			it.sr =
			    (struct rtcp_sr){it.ssrc, (uint64_t)wire_get32(it.body + 4) << 32 | wire_get32(it.body + 8),
			        wire_get32(it.body + 12), wire_get32(it.body + 16), wire_get32(it.body + 20)};
		it.blocks = it.body + fixed;
		it.block_count = it.count;
	} else if (it.type == RTCP_SDES) {
		if (it.count && it.body_bytes < 4)
			return ST_PARSE;
		sdes(&it);
	} else if (it.type == RTCP_BYE) {
		if (it.body_bytes < 4u * it.count)
			return ST_PARSE;
		bye(&it);
	}
	*off += bytes;
	*out = it;
	return ST_OK;
}
bool rtcp_block_get(const struct rtcp_item *it, unsigned i, struct rtcp_block *out)
{
	const uint8_t *b;
	int32_t lost;
	if (i >= it->block_count)
		return false;
	b = it->blocks + (size_t)i * BLOCK_BYTES;
	lost = (int32_t)(wire_get32(b + 4) & 0xffffff);
	if (lost & 0x800000)
		lost -= 0x1000000;
	*out = (struct rtcp_block){
	    wire_get32(b), b[4], lost, wire_get32(b + 8), wire_get32(b + 12), wire_get32(b + 16), wire_get32(b + 20)};
	return true;
}

#define SR_OLD_US UINT64_C(3600000000)

void rtcp_block_make(struct rtp_source *s, uint32_t last_sr_ntp_mid, uint64_t since_sr_us, struct rtcp_block *out)
{
	bool has_sr = last_sr_ntp_mid && since_sr_us < SR_OLD_US;
	uint64_t expected = s->is_started ? (uint64_t)rtp_source_seq_ext(s) - s->seq_base + 1 : 0;
	int64_t lost = (int64_t)(expected - s->received);
	int64_t exp_now = (int64_t)(expected - s->expected_prior), got_now = (int64_t)(s->received - s->received_prior);
	int64_t lost_now = exp_now - got_now;

	s->expected_prior = expected;
	s->received_prior = s->received;
	*out = (struct rtcp_block){
	    .ssrc = s->ssrc,
	    .fraction_lost = (uint8_t)(exp_now <= 0 || lost_now <= 0 ? 0
	                               : lost_now >= exp_now         ? 255
	                                                             : lost_now * 256 / exp_now),
	    .lost = (int32_t)(lost > 0x7fffff    ? 0x7fffff
	                      : lost < -0x800000 ? -0x800000
	                                         : lost),
	    .seq_ext = rtp_source_seq_ext(s),
	    .jitter = s->jitter_q4 >> 4,
	    .lsr = has_sr ? last_sr_ntp_mid : 0,
	    .dlsr = has_sr ? (uint32_t)(since_sr_us * 65536 / 1000000) : 0,
	};
}

static void put_block(uint8_t *p, const struct rtcp_block *b)
{
	wire_put32(p, b->ssrc);
	wire_put32(p + 4, (uint32_t)b->fraction_lost << 24 | ((uint32_t)b->lost & 0xffffff));
	wire_put32(p + 8, b->seq_ext);
	wire_put32(p + 12, b->jitter);
	wire_put32(p + 16, b->lsr);
	wire_put32(p + 20, b->dlsr);
}
static void put_header(uint8_t *p, unsigned count, uint8_t type, size_t bytes)
{
	p[0] = (uint8_t)(0x80 | count);
	p[1] = type;
	wire_put16(p + 2, (uint16_t)(bytes / 4 - 1));
}
static size_t put_report(uint8_t *p, const struct rtcp_report *r, size_t bytes)
{
	size_t at = HEADER + 4;
	put_header(p, r->block_count, r->sr ? RTCP_SR : RTCP_RR, bytes);
	wire_put32(p + 4, r->ssrc);
	if (r->sr) {
		wire_put32(p + 8, (uint32_t)(r->sr->ntp >> 32));
		wire_put32(p + 12, (uint32_t)r->sr->ntp);
		wire_put32(p + 16, r->sr->ts);
		wire_put32(p + 20, r->sr->packets);
		wire_put32(p + 24, r->sr->octets);
		at = HEADER + SR_BYTES;
	}
	for (unsigned i = 0; i < r->block_count; i++, at += BLOCK_BYTES)
		put_block(p + at, &r->blocks[i]);
	return at;
}
int rtcp_write(uint8_t *p, size_t cap, const struct rtcp_report *r)
{
	size_t cname = r->cname ? strlen(r->cname) : 0, reason = r->bye_reason ? strlen(r->bye_reason) : 0;
	size_t report, chunk = 0, bye_bytes = 0, at;

	if (r->block_count > RTCP_BLOCKS_MAX || cname > RTCP_CNAME_MAX || reason > 255)
		return ST_INVAL;
	report = HEADER + (r->sr ? SR_BYTES : 4) + (size_t)r->block_count * BLOCK_BYTES;
	if (r->cname) /* ssrc, item, at least one zero to end the list, filled to 4 */
		chunk = HEADER + ((4 + 2 + cname + 1 + 3) & ~(size_t)3);
	if (r->is_bye)
		bye_bytes = HEADER + 4 + (reason ? (1 + reason + 3) & ~(size_t)3 : 0);
	if (report + chunk + bye_bytes > cap)
		return ST_FULL;
	memset(p, 0, report + chunk + bye_bytes);
	at = put_report(p, r, report);
	if (r->cname) {
		put_header(p + at, 1, RTCP_SDES, chunk);
		wire_put32(p + at + 4, r->ssrc);
		p[at + 8] = 1;
		p[at + 9] = (uint8_t)cname;
		memcpy(p + at + 10, r->cname, cname);
		at += chunk;
	}
	if (r->is_bye) {
		put_header(p + at, 1, RTCP_BYE, bye_bytes);
		wire_put32(p + at + 4, r->ssrc);
		if (reason) {
			p[at + 8] = (uint8_t)reason;
			memcpy(p + at + 9, r->bye_reason, reason);
		}
		at += bye_bytes;
	}
	return (int)at;
}

uint64_t rtcp_ntp(int64_t wall_us)
{
	uint64_t us = wall_us < 0 ? 0 : (uint64_t)wall_us;
	return (us / 1000000 + 2208988800u) << 32 | ((us % 1000000) << 32) / 1000000;
}
uint32_t rtcp_round_trip_us(const struct rtcp_block *b, uint32_t now_mid)
{
	uint32_t rtt = now_mid - b->lsr - b->dlsr;
	/* Clocks that disagree by a tick give a tiny negative number, which is none. */
	return !b->lsr || rtt > 0x7fffffff ? 0
	                                   : (uint32_t)((uint64_t)rtt * 15625 / 1024) /* of 65,536ths of a second */;
}
