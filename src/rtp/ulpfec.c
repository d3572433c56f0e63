/* A packet of parity is the exclusive or of the packets that it protects, field by field: the first two bytes of their
 * heads, their timestamps, their lengths, and of what lies behind the 12 bytes of the head (CSRCs, extension, payload,
 * padding) as many bytes as its levels say, each level over packets of its own. So the one that is missing is the
 * exclusive or of all the others. Numbers and SSRC are not in it: the one is known by its place in the mask, the other
 * is the source's. Every length is checked against what is there; of a longer packet than what all levels together
 * protect nothing is given. */
#include "rtp/ulpfec.h"
#include "rtp/rtp.h"
#include "rtp/wire_i.h"
#include <string.h>

enum { SHORT_MASK = 16, LONG_FLAG = 0x40, EXTENDED_FLAG = 0x80 };

/* Of the wire's mask, whose first bit is the first packet: the same with bit i for packet i. */
static uint64_t mask_read(const uint8_t *p, unsigned bits)
{
	uint64_t mask = 0;
	for (unsigned i = 0; i < bits; i++)
		if (p[i / 8] & (128 >> i % 8))
			mask |= UINT64_C(1) << i;
	return mask;
}

static void mask_write(uint8_t *p, unsigned bits, uint64_t mask)
{
	memset(p, 0, bits / 8);
	for (unsigned i = 0; i < bits; i++)
		if (mask >> i & 1)
			p[i / 8] |= (uint8_t)(128 >> i % 8);
}

int ulpfec_parse(const uint8_t *p, size_t n, struct ulpfec_packet *out)
{
	struct ulpfec_packet f = {0};
	size_t at = ULPFEC_HEAD_BYTES, from = 0;

	if (n < ULPFEC_HEAD_BYTES || p[0] & EXTENDED_FLAG)
		return ST_PARSE;
	unsigned bits = p[0] & LONG_FLAG ? ULPFEC_PACKETS_MAX : SHORT_MASK;
	f.head[0] = p[0] & 0x3f, f.head[1] = p[1];
	f.seq_base = wire_get16(p + 2), f.ts = wire_get32(p + 4), f.n = wire_get16(p + 8);
	while (at < n) {
		if (f.level_count == ULPFEC_LEVELS_MAX || n - at < 2 + bits / 8)
			return ST_PARSE;
		struct ulpfec_level *l = &f.levels[f.level_count++];
		l->n = wire_get16(p + at);
		l->mask = mask_read(p + at + 2, bits);
		l->at = from;
		l->p = p + at + 2 + bits / 8;
		at += 2 + bits / 8;
		if (!l->mask || !l->n || l->n > n - at || l->n > ULPFEC_BYTES_MAX - from || l->mask & ~f.levels[0].mask)
			return ST_PARSE;
		at += l->n, from += l->n;
	}
	if (!f.level_count)
		return ST_PARSE;
	*out = f;
	return ST_OK;
}

static void xor_bytes(uint8_t *to, const uint8_t *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] ^= from[i];
}

/* The only one of the mask that is not there. */
static int missing(uint64_t mask, const struct ulpfec_media *media, unsigned *which)
{
	unsigned count = 0;
	for (unsigned i = 0; i < ULPFEC_PACKETS_MAX; i++)
		if (mask >> i & 1 && !media[i].p)
			*which = i, count++;
	return !count ? ST_NOTFOUND : count > 1 ? ST_AGAIN : ST_OK;
}

/* to: of the packet behind its head. */
static void level_undo(
    const struct ulpfec_level *l, const struct ulpfec_media *media, unsigned which, uint8_t *to, size_t n)
{
	n = n < l->n ? n : l->n;
	memcpy(to, l->p, n);
	for (unsigned i = 0; i < ULPFEC_PACKETS_MAX; i++) {
		size_t has = 0;
		if (i != which && l->mask >> i & 1 && media[i].n > RTP_HEADER_BYTES + l->at)
			has = media[i].n - RTP_HEADER_BYTES - l->at;
		if (has)
			xor_bytes(to, media[i].p + RTP_HEADER_BYTES + l->at, has < n ? has : n);
	}
}

int ulpfec_recover(const struct ulpfec_packet *f, const struct ulpfec_media media[ULPFEC_PACKETS_MAX], uint32_t ssrc,
    uint8_t *out, size_t cap, unsigned *which)
{
	uint8_t first = f->head[0], second = f->head[1];
	uint32_t ts = f->ts;
	uint16_t n = f->n;
	unsigned lost = 0;
	size_t done = 0;
	struct rtp_packet k;
	int st = missing(f->levels[0].mask, media, &lost);

	if (st)
		return st;
	for (unsigned i = 0; i < ULPFEC_PACKETS_MAX; i++) {
		if (i == lost || !(f->levels[0].mask >> i & 1))
			continue;
		first ^= media[i].p[0] & 0x3f, second ^= media[i].p[1];
		ts ^= wire_get32(media[i].p + 4);
		n ^= (uint16_t)(media[i].n - RTP_HEADER_BYTES);
	}
	if ((size_t)n + RTP_HEADER_BYTES > cap)
		return ST_FULL;
	for (size_t i = 0; i < f->level_count && done < n; i++) {
		if (!(f->levels[i].mask >> lost & 1))
			return ST_PARSE;
		level_undo(&f->levels[i], media, lost, out + RTP_HEADER_BYTES + done, n - done);
		done += f->levels[i].n;
	}
	if (done < n)
		return ST_PARSE;
	out[0] = 0x80 | (first & 0x3f), out[1] = second;
	wire_put16(out + 2, (uint16_t)(f->seq_base + lost));
	wire_put32(out + 4, ts);
	wire_put32(out + 8, ssrc);
	if (rtp_parse(out, RTP_HEADER_BYTES + n, &k))
		return ST_PARSE;
	*which = lost;
	return RTP_HEADER_BYTES + n;
}

int ulpfec_add(struct ulpfec_maker *m, const uint8_t *p, size_t n)
{
	uint16_t seq = wire_get16(p + 2);
	int at = m->count ? rtp_seq_diff(seq, m->seq_base) : 0;
	size_t behind = n - RTP_HEADER_BYTES;

	if (at < 0 || at >= ULPFEC_PACKETS_MAX || m->mask >> at & 1 || behind > ULPFEC_BYTES_MAX)
		return ST_FULL;
	if (!m->count++)
		m->seq_base = seq;
	m->mask |= UINT64_C(1) << at;
	m->head[0] ^= p[0] & 0x3f, m->head[1] ^= p[1];
	m->ts ^= wire_get32(p + 4);
	m->n ^= (uint16_t)behind;
	if (behind > m->longest)
		m->longest = (uint16_t)behind;
	xor_bytes(m->bytes, p + RTP_HEADER_BYTES, behind);
	return ST_OK;
}

int ulpfec_take(struct ulpfec_maker *m, uint8_t *out, size_t cap)
{
	bool is_long = m->mask >> SHORT_MASK;
	unsigned bits = is_long ? ULPFEC_PACKETS_MAX : SHORT_MASK;
	size_t at = ULPFEC_HEAD_BYTES + 2 + bits / 8;

	if (!m->count || !m->longest)
		return ST_NOTFOUND;
	if (at + m->longest > cap)
		return ST_FULL;
	out[0] = (uint8_t)(m->head[0] | (is_long ? LONG_FLAG : 0)), out[1] = m->head[1];
	wire_put16(out + 2, m->seq_base);
	wire_put32(out + 4, m->ts);
	wire_put16(out + 8, m->n);
	wire_put16(out + ULPFEC_HEAD_BYTES, m->longest);
	mask_write(out + ULPFEC_HEAD_BYTES + 2, bits, m->mask);
	memcpy(out + at, m->bytes, m->longest);
	at += m->longest;
	memset(m, 0, sizeof(*m));
	return (int)at;
}
