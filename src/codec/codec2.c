/* Codec 2 by libcodec2: speech at 1.2 to 3.2 kbit/s, in frames of 20 or 40 ms by its mode. The mode is the bit rate in
 * the format parameters ("mode=2400"), 2400 when nothing is said, as FreeSWITCH's module takes it. */
#include "base/check.h"
#include "base/mem.h"
#include "codec/codec_i.h"
#include <codec2/codec2.h>

struct c2 {
	struct CODEC2 *lib;
	size_t samples, bytes; /* of one frame */
};

static int open_state(const struct codec_ops *ops, const char *fmtp, void **out)
{
	static const struct {
		uint32_t bitrate;
		int mode;
	} modes[] = {{3200, CODEC2_MODE_3200}, {2400, CODEC2_MODE_2400}, {1600, CODEC2_MODE_1600},
	    {1400, CODEC2_MODE_1400}, {1300, CODEC2_MODE_1300}, {1200, CODEC2_MODE_1200}};
	uint32_t wanted = codec_fmtp_u32(fmtp, "mode", ops->bitrate);
	struct c2 *c;

	for (size_t i = 0; i < ARRAY_COUNT(modes); i++) {
		if (modes[i].bitrate != wanted)
			continue;
		if (!(c = mem_zalloc(sizeof(*c))))
			return ST_NOMEM;
		if (!(c->lib = codec2_create(modes[i].mode))) {
			mem_free(c);
			return ST_NOMEM;
		}
		c->samples = (size_t)codec2_samples_per_frame(c->lib);
		c->bytes = (size_t)(codec2_bits_per_frame(c->lib) + 7) / 8;
		*out = c;
		return ST_OK;
	}
	return ST_UNSUPPORTED;
}
static void close_state(void *state)
{
	struct c2 *c = state;
	codec2_destroy(c->lib);
	mem_free(c);
}
static int encode(void *state, const int16_t *in, size_t n, uint8_t *out, size_t cap)
{
	struct c2 *c = state;
	size_t count = n / c->samples;
	if (n % c->samples)
		return ST_INVAL;
	if (count * c->bytes > cap)
		return ST_FULL;
	for (size_t i = 0; i < count; i++)
		codec2_encode(c->lib, out + i * c->bytes, (short *)(uintptr_t)(in + i * c->samples));
	return (int)(count * c->bytes);
}
static int decode(void *state, const uint8_t *in, size_t n, int16_t *out, size_t cap)
{
	struct c2 *c = state;
	size_t count = n / c->bytes;
	if (n % c->bytes)
		return ST_PARSE;
	if (count * c->samples > cap)
		return ST_FULL;
	for (size_t i = 0; i < count; i++)
		codec2_decode(c->lib, out + i * c->samples, in + i * c->bytes);
	return (int)(count * c->samples);
}

/* Of the richest mode. */
static size_t frame_bytes(const struct codec_ops *c, unsigned ptime_ms)
{
	return (size_t)ptime_ms / 20 * 8;
}
static uint16_t variant(const char *fmtp)
{
	return (uint16_t)codec_fmtp_u32(fmtp, "mode", 2400);
}

const struct codec_ops codec2_rows[1] = {{.name = "CODEC2",
    .title = "CODEC2 2400bps",
    .pt = -1,
    .clock_hz = 8000,
    .rate_hz = 8000,
    .channels = 1,
    .ptime_ms = 20,
    .ptime_min_ms = 20,
    .ptime_max_ms = 120,
    .bitrate = 2400,
    .frame_samples = 160,
    .frame_bytes = frame_bytes,
    .enc_open = open_state,
    .dec_open = open_state,
    .enc_close = close_state,
    .dec_close = close_state,
    .encode = encode,
    .decode = decode,
    .variant = variant}};
