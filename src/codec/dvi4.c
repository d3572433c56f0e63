/* DVI4 (RFC 3551 section 4.5.1) by spandsp: every packet begins with the predicted sample and the step's index, four
 * bytes, then four bits a sample. So a lost packet costs nothing but itself. */
#include "codec/codec_i.h"
#include <spandsp.h>

enum { DVI4_HEAD_BYTES = 4, DVI4_INDEX_MAX = 88 };

CODEC_STATE(both, ima_adpcm_init(NULL, IMA_ADPCM_DVI4, 0), ima_adpcm_free)

static int encode(void *state, const int16_t *in, size_t n, uint8_t *out, size_t cap)
{
	if (n % 2)
		return ST_INVAL;
	return DVI4_HEAD_BYTES + n / 2 > cap ? ST_FULL : ima_adpcm_encode(state, out, in, (int)n);
}
static int decode(void *state, const uint8_t *in, size_t n, int16_t *out, size_t cap)
{
	if (!n)
		return 0;
	if (n < DVI4_HEAD_BYTES || in[2] > DVI4_INDEX_MAX)
		return ST_PARSE;
	return (n - DVI4_HEAD_BYTES) * 2 > cap ? ST_FULL : ima_adpcm_decode(state, out, in, (int)n);
}
static size_t frame_bytes(const struct codec_ops *c, unsigned ptime_ms)
{
	return DVI4_HEAD_BYTES + codec_frame_samples(c, ptime_ms) / 2;
}

#define ROW(hz, pt_) \
	{ \
		.name = "DVI4", .title = "ADPCM (IMA)", .pt = pt_, .clock_hz = hz, .rate_hz = hz, .channels = 1, \
		.ptime_ms = 20, .ptime_min_ms = 10, .ptime_max_ms = 120, .bitrate = 4 * hz, \
		.frame_bytes = frame_bytes, .enc_open = both_open, .dec_open = both_open, .enc_close = both_close, \
		.dec_close = both_close, .encode = encode, .decode = decode \
	}
const struct codec_ops dvi4_rows[DVI4_ROWS] = {ROW(8000, 5), ROW(16000, 6)};
