/* AMR and AMR-WB payloads (RFC 4867 sections 4.3 and 4.4), parsed and written: a mode request, a table of contents with
 * an entry a frame, then the frames' bits. Bandwidth-efficient packets pack all of it bit after bit, octet-aligned ones
 * pad each part to bytes. A frame here is as files keep it: a head byte, then its bits from the highest on. The crc,
 * interleaving and robust sorting of octet-aligned packets are refused when the codec is opened. */
#include "codec/codec_i.h"
#include <string.h>

#define NONE UINT16_MAX
const struct amr_kind amr_nb = {
    "AMR", {95, 103, 118, 134, 148, 159, 204, 244, 39, NONE, NONE, NONE, NONE, NONE, NONE, 0}, 8, 8, 160};
const struct amr_kind amr_wb = {
    "AMR-WB", {132, 177, 253, 285, 317, 365, 397, 461, 477, 40, NONE, NONE, NONE, NONE, 0, 0}, 9, 9, 320};

static unsigned bits_get(const uint8_t *p, size_t at, unsigned count)
{
	unsigned v = 0;
	for (unsigned i = 0; i < count; i++, at++)
		v = v << 1 | (p[at / 8] >> (7 - at % 8) & 1u);
	return v;
}
static void bits_put(uint8_t *p, size_t at, unsigned v, unsigned count)
{
	for (unsigned i = 0; i < count; i++, at++)
		p[at / 8] |= (uint8_t)((v >> (count - 1 - i) & 1u) << (7 - at % 8));
}
/* count bits, byte by byte; the room behind is zero already. */
static void bits_copy(uint8_t *to, size_t to_at, const uint8_t *from, size_t from_at, size_t count)
{
	for (; count >= 8; count -= 8, to_at += 8, from_at += 8)
		bits_put(to, to_at, bits_get(from, from_at, 8), 8);
	bits_put(to, to_at, bits_get(from, from_at, (unsigned)count), (unsigned)count);
}

int amr_packet_parse(
    const struct amr_kind *k, bool is_octet_aligned, const uint8_t *in, size_t n, struct amr_packet *out)
{
	const size_t end = n * 8, step = is_octet_aligned ? 8 : 6;
	size_t at = is_octet_aligned ? 8 : 4;
	bool is_last = false;

	out->count = 0;
	if (n < 2)
		return ST_PARSE;
	out->cmr = (uint8_t)bits_get(in, 0, 4);
	while (!is_last) {
		if (at + step > end || out->count == AMR_FRAMES_MAX)
			return ST_PARSE;
		struct amr_frame *f = &out->frames[out->count++];
		is_last = !bits_get(in, at, 1);
		f->type = (uint8_t)bits_get(in, at + 1, 4);
		f->is_good = bits_get(in, at + 5, 1);
		if (k->bits[f->type] == NONE)
			return ST_PARSE;
		at += step;
	}
	for (unsigned i = 0; i < out->count; i++) {
		struct amr_frame *f = &out->frames[i];
		size_t bits = k->bits[f->type];
		if (at + bits > end)
			return ST_PARSE;
		memset(f->bytes, 0, sizeof(f->bytes));
		f->bytes[0] = (uint8_t)(f->type << 3 | (f->is_good ? 4 : 0));
		bits_copy(f->bytes + 1, 0, in, at, bits);
		at += is_octet_aligned ? (bits + 7) / 8 * 8 : bits;
		if (at > end)
			return ST_PARSE;
	}
	return ST_OK;
}

int amr_packet_write(
    const struct amr_kind *k, bool is_octet_aligned, const struct amr_packet *p, uint8_t *out, size_t cap)
{
	const size_t step = is_octet_aligned ? 8 : 6;
	size_t at = is_octet_aligned ? 8 : 4, all = at + step * p->count;

	for (unsigned i = 0; i < p->count; i++) {
		size_t bits = k->bits[p->frames[i].type];
		all += is_octet_aligned ? (bits + 7) / 8 * 8 : bits;
	}
	all = (all + 7) / 8;
	if (all > cap)
		return ST_FULL;
	memset(out, 0, all);
	bits_put(out, 0, p->cmr, 4);
	for (unsigned i = 0; i < p->count; i++, at += step) {
		bits_put(out, at, i + 1 < p->count, 1);
		bits_put(out, at + 1, p->frames[i].type, 4);
		bits_put(out, at + 5, p->frames[i].is_good, 1);
	}
	for (unsigned i = 0; i < p->count; i++) {
		size_t bits = k->bits[p->frames[i].type];
		bits_copy(out, at, p->frames[i].bytes + 1, 0, bits);
		at += is_octet_aligned ? (bits + 7) / 8 * 8 : bits;
	}
	return (int)all;
}
