/* G.726 (ITU-T G.726) at 16 to 40 kbit/s by spandsp. A code word is 2 to 5 bits; RTP's own names put the first into the
 * lowest bits of a byte (RFC 3551 section 4.5.4), the AAL2 names into the highest (ITU-T I.366.2). Eight samples are
 * always whole bytes, so a payload is a multiple of as many bytes as a code word has bits. */
#include "codec/codec_i.h"
#include <spandsp.h>
#include <string.h>

CODEC_STATE(both,
    g726_init(NULL, (int)ops->bitrate, G726_ENCODING_LINEAR,
        strncmp(ops->name, "AAL2", 4) ? G726_PACKING_RIGHT : G726_PACKING_LEFT),
    g726_free)

static int encode(void *state, const int16_t *in, size_t n, uint8_t *out, size_t cap, unsigned bits)
{
	if (n % 8)
		return ST_INVAL;
	return n / 8 * bits > cap ? ST_FULL : g726_encode(state, out, in, (int)n);
}
static int decode(void *state, const uint8_t *in, size_t n, int16_t *out, size_t cap, unsigned bits)
{
	if (n % bits)
		return ST_PARSE;
	return n / bits * 8 > cap ? ST_FULL : g726_decode(state, out, in, (int)n);
}
#define BITS(b) \
	static int encode_##b(void *state, const int16_t *in, size_t n, uint8_t *out, size_t cap) \
	{ \
		return encode(state, in, n, out, cap, b); \
	} \
	static int decode_##b(void *state, const uint8_t *in, size_t n, int16_t *out, size_t cap) \
	{ \
		return decode(state, in, n, out, cap, b); \
	}
BITS(2)
BITS(3)
BITS(4)
BITS(5)

#define ROW(name_, title_, b) \
	{ \
		.name = name_, .title = title_, .pt = -1, .clock_hz = 8000, .rate_hz = 8000, .channels = 1, \
		.ptime_ms = 20, .ptime_min_ms = 10, .ptime_max_ms = 120, .bitrate = 8000 * b, \
		.frame_bytes = codec_bytes_by_rate, .enc_open = both_open, .dec_open = both_open, \
		.enc_close = both_close, .dec_close = both_close, .encode = encode_##b, .decode = decode_##b \
	}
const struct codec_ops g726_rows[G726_ROWS] = {
    ROW("G726-16", "G.726 16k", 2),
    ROW("G726-24", "G.726 24k", 3),
    ROW("G726-32", "G.726 32k", 4),
    ROW("G726-40", "G.726 40k", 5),
    ROW("AAL2-G726-16", "G.726 16k (AAL2)", 2),
    ROW("AAL2-G726-24", "G.726 24k (AAL2)", 3),
    ROW("AAL2-G726-32", "G.726 32k (AAL2)", 4),
    ROW("AAL2-G726-40", "G.726 40k (AAL2)", 5),
};
