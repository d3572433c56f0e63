/* GSM full rate (GSM 06.10; RFC 3551 section 4.5.8) by spandsp: 160 samples are 33 bytes, the first half byte is always
 * 0xD. A packet has any number of frames. */
#include "codec/codec_i.h"
#include <spandsp.h>

enum { GSM_SAMPLES = 160, GSM_BYTES = 33 };

CODEC_STATE(both, gsm0610_init(NULL, GSM0610_PACKING_VOIP), gsm0610_free)

static int encode(void *state, const int16_t *in, size_t n, uint8_t *out, size_t cap)
{
	if (n % GSM_SAMPLES)
		return ST_INVAL;
	return n / GSM_SAMPLES * GSM_BYTES > cap ? ST_FULL : gsm0610_encode(state, out, in, (int)n);
}
static int decode(void *state, const uint8_t *in, size_t n, int16_t *out, size_t cap)
{
	if (n % GSM_BYTES)
		return ST_PARSE;
	for (size_t i = 0; i < n; i += GSM_BYTES)
		if (in[i] >> 4 != 0xd)
			return ST_PARSE;
	return n / GSM_BYTES * GSM_SAMPLES > cap ? ST_FULL : gsm0610_decode(state, out, in, (int)n);
}
static size_t frame_bytes(const struct codec_ops *c, unsigned ptime_ms)
{
	return (size_t)ptime_ms / 20 * GSM_BYTES;
}

const struct codec_ops gsm_rows[1] = {{.name = "GSM",
    .title = "GSM",
    .pt = 3,
    .clock_hz = 8000,
    .rate_hz = 8000,
    .channels = 1,
    .ptime_ms = 20,
    .ptime_min_ms = 20,
    .ptime_max_ms = 120,
    .bitrate = 13200,
    .frame_samples = GSM_SAMPLES,
    .frame_bytes = frame_bytes,
    .enc_open = both_open,
    .dec_open = both_open,
    .enc_close = both_close,
    .dec_close = both_close,
    .encode = encode,
    .decode = decode}};
