/* G.722 at 64 kbit/s (ITU-T G.722; RFC 3551 section 4.5.2) by spandsp: two samples at 16 kHz are one byte, the RTP
 * clock says 8000 all the same. Its sub-bands remember: bytes cannot be cut out of a stream and put into another. */
#include "codec/codec_i.h"
#include <spandsp.h>

CODEC_STATE(enc, g722_encode_init(NULL, 64000, 0), g722_encode_free)
CODEC_STATE(dec, g722_decode_init(NULL, 64000, 0), g722_decode_free)

static int encode(void *state, const int16_t *in, size_t n, uint8_t *out, size_t cap)
{
	if (n % 2)
		return ST_INVAL;
	return n / 2 > cap ? ST_FULL : g722_encode(state, out, in, (int)n);
}
static int decode(void *state, const uint8_t *in, size_t n, int16_t *out, size_t cap)
{
	return n > cap / 2 ? ST_FULL : g722_decode(state, out, in, (int)n);
}

const struct codec_ops g722_rows[1] = {{.name = "G722",
    .title = "G.722",
    .pt = 9,
    .clock_hz = 8000,
    .rate_hz = 16000,
    .channels = 1,
    .ptime_ms = 20,
    .ptime_min_ms = 10,
    .ptime_max_ms = 120,
    .bitrate = 64000,
    .frame_bytes = codec_bytes_by_rate,
    .enc_open = enc_open,
    .dec_open = dec_open,
    .enc_close = enc_close,
    .dec_close = dec_close,
    .encode = encode,
    .decode = decode}};
