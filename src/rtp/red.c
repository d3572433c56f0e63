/* RED and the head of ULPFEC. A RED payload begins with a row of heads: four bytes for each earlier block (a bit that
 * says that another follows, payload type, how much earlier, how long), one byte for the primary, which is as long as
 * what is left. Every length is checked against what is there before a view is given. */
#include "rtp/red.h"
#include <string.h>

int red_parse(const uint8_t *p, size_t n, struct red_packet *out)
{
	size_t at = 0;
	struct red_packet r = {0};

	for (;; at += 4) {
		if (at >= n || r.count == RED_BLOCKS_MAX)
			return ST_PARSE;
		struct red_block *b = &r.blocks[r.count++];
		b->pt = p[at] & 127;
		if (!(p[at] & 128))
			break;
		if (n - at < 4)
			return ST_PARSE;
		b->ts_offset = (uint32_t)p[at + 1] << 6 | p[at + 2] >> 2;
		b->n = (size_t)(p[at + 2] & 3) << 8 | p[at + 3];
	}
	at++;
	for (size_t i = 0; i + 1 < r.count; at += r.blocks[i++].n) {
		if (r.blocks[i].n > n - at)
			return ST_PARSE;
		r.blocks[i].p = p + at;
	}
	r.blocks[r.count - 1].p = p + at;
	r.blocks[r.count - 1].n = n - at;
	*out = r;
	return ST_OK;
}

int red_write(const struct red_packet *r, uint8_t *out, size_t cap)
{
	size_t at = 0, all = 0;

	if (!r->count || r->count > RED_BLOCKS_MAX)
		return ST_INVAL;
	for (size_t i = 0; i < r->count; i++) {
		const struct red_block *b = &r->blocks[i];
		bool is_primary = i + 1 == r->count;
		if (b->pt > 127 ||
		    (is_primary ? b->ts_offset != 0 : b->ts_offset > RED_OFFSET_MAX || b->n > RED_BLOCK_BYTES_MAX))
			return ST_INVAL;
		if (b->n > cap)
			return ST_FULL;
		all += b->n + (is_primary ? 1 : 4);
	}
	if (all > cap)
		return ST_FULL;
	for (size_t i = 0; i + 1 < r->count; i++) {
		const struct red_block *b = &r->blocks[i];
		out[at++] = (uint8_t)(128 | b->pt);
		out[at++] = (uint8_t)(b->ts_offset >> 6);
		out[at++] = (uint8_t)((b->ts_offset & 63) << 2 | b->n >> 8);
		out[at++] = (uint8_t)b->n;
	}
	out[at++] = r->blocks[r->count - 1].pt;
	for (size_t i = 0; i < r->count; at += r->blocks[i++].n)
		if (r->blocks[i].n)
			memcpy(out + at, r->blocks[i].p, r->blocks[i].n);
	return (int)all;
}

int ulpfec_parse(const uint8_t *p, size_t n, struct ulpfec *out)
{
	struct ulpfec f = {0};

	if (n < 10 || p[0] & 0x80)
		return ST_PARSE;
	f.is_long_mask = p[0] & 0x40;
	f.seq_base = (uint16_t)(p[2] << 8 | p[3]);
	f.ts_recovery = (uint32_t)p[4] << 24 | (uint32_t)p[5] << 16 | (uint32_t)p[6] << 8 | p[7];
	f.length_recovery = (uint16_t)(p[8] << 8 | p[9]);
	size_t mask_bytes = f.is_long_mask ? 6 : 2, at = 10 + 2 + mask_bytes;
	if (n < at)
		return ST_PARSE;
	f.protection_bytes = (uint16_t)(p[10] << 8 | p[11]);
	for (size_t i = 0; i < mask_bytes * 8; i++)
		f.mask |= (uint64_t)(p[12 + i / 8] >> (7 - i % 8) & 1) << i;
	if (f.protection_bytes > n - at)
		return ST_PARSE;
	f.payload = p + at;
	f.payload_bytes = f.protection_bytes;
	*out = f;
	return ST_OK;
}

bool ulpfec_protects(const struct ulpfec *f, uint16_t seq)
{
	uint16_t by = (uint16_t)(seq - f->seq_base);
	return by < (f->is_long_mask ? 48 : 16) && (f->mask >> by & 1);
}
