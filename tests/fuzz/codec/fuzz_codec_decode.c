/* The first byte says which codec, the second how long packets are, and whether a codec of two channels is opened for
 * two; the rest is cut into packets and decoded by one decoder: nothing is written past the end. Parser: codec (every
 * codec's decode, decode_two, recover and plc) */
#include "codec/codec.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int16_t out[2 * CODEC_FRAME_SAMPLES_MAX + 1];
	size_t count = 0;
	struct codec_dec d = {0};

	while (codec_at(count))
		count++;
	if (size < 2)
		return 0;
	const struct codec_ops *c = codec_at(data[0] % count);
	const char *fmtp = data[1] & 1 ? "octet-align=1; mode=3200" : NULL;
	size_t step = 1 + (size_t)(data[1] >> 1) * 3;
	bool is_two = c->decode_two && data[1] & 2;
	if (is_two ? codec_dec_open_two(&d, c, fmtp) : codec_dec_open(&d, c, fmtp))
		return 0;
	for (size_t at = 2, turn = 0; at < size && turn < 16; at += step, turn++) {
		size_t n = size - at < step ? size - at : step, cap = turn % 4 == 3 ? 100 : CODEC_FRAME_SAMPLES_MAX;
		bool gives_two = is_two && turn % 3; /* a decoder of two gives one as well */
		size_t end = gives_two ? 2 * cap : cap;
		out[end] = 12345;
		int got =
		    gives_two ? codec_decode_two(&d, data + at, n, out, cap) : codec_decode(&d, data + at, n, out, cap);
		if (got > (int)cap || out[end] != 12345)
			abort();
		if (d.ops->wish)
			(void)d.ops->wish(d.state);
		if (turn % 5 == 4)
			(void)codec_recover(&d, data + at, n, out, c->rate_hz / 50);
		if (turn % 5 == 3)
			(void)codec_conceal(&d, out, c->rate_hz / 50);
		if (is_two && turn % 5 == 2)
			(void)codec_recover_two(&d, data + at, n, out, c->rate_hz / 50);
		if (is_two && turn % 5 == 1)
			(void)codec_conceal_two(&d, out, c->rate_hz / 50);
	}
	codec_dec_close(&d);
	return 0;
}
