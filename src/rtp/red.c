/* A RED payload begins with a row of heads: four bytes for each earlier block (a bit that
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

size_t red_write(uint8_t *out, const struct red_block *old, uint8_t pt, const uint8_t *p, size_t n)
{
	uint8_t *at = out;
	if (old) {
		*at++ = 128 | old->pt;
		*at++ = (uint8_t)(old->ts_offset >> 6);
		*at++ = (uint8_t)((old->ts_offset & 63) << 2 | old->n >> 8);
		*at++ = (uint8_t)old->n;
	}
	*at++ = pt & 127;
	if (old) {
		memcpy(at, old->p, old->n);
		at += old->n;
	}
	memcpy(at, p, n);
	return (size_t)(at - out) + n;
}
