/* LPC-10 (FIPS 137) by spandsp: 180 samples are 54 bits in 7 bytes, four frames a packet (90 ms) by default. */
#include "codec/codec_i.h"
#include <spandsp.h>

enum { LPC10_BYTES = 7 };

CODEC_STATE(enc, lpc10_encode_init(NULL, 1), lpc10_encode_free)
CODEC_STATE(dec, lpc10_decode_init(NULL, 1), lpc10_decode_free)

static int encode(void *state, const int16_t *in, size_t n, uint8_t *out, size_t cap)
{
	if (n % LPC10_SAMPLES_PER_FRAME)
		return ST_INVAL;
	return n / LPC10_SAMPLES_PER_FRAME * LPC10_BYTES > cap ? ST_FULL : lpc10_encode(state, out, in, (int)n);
}
static int decode(void *state, const uint8_t *in, size_t n, int16_t *out, size_t cap)
{
	if (n % LPC10_BYTES)
		return ST_PARSE;
	return n / LPC10_BYTES * LPC10_SAMPLES_PER_FRAME > cap ? ST_FULL : lpc10_decode(state, out, in, (int)n);
}
static size_t frame_bytes(const struct codec_ops *c, unsigned ptime_ms)
{
	return codec_frame_samples(c, ptime_ms) / LPC10_SAMPLES_PER_FRAME * LPC10_BYTES;
}

const struct codec_ops lpc10_rows[1] = {{.name = "LPC",
    .title = "LPC-10",
    .pt = 7,
    .clock_hz = 8000,
    .rate_hz = 8000,
    .channels = 1,
    .ptime_ms = 90,
    .ptime_min_ms = 90,
    .ptime_max_ms = 90,
    .bitrate = 2400,
    .frame_samples = LPC10_SAMPLES_PER_FRAME,
    .frame_bytes = frame_bytes,
    .enc_open = enc_open,
    .dec_open = dec_open,
    .enc_close = enc_close,
    .dec_close = dec_close,
    .encode = encode,
    .decode = decode}};
