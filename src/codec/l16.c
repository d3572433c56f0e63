/* L16 (RFC 3551 section 4.5.11): 16-bit samples in network byte order, of two channels left before right. */
#include "codec/codec_i.h"

int l16_encode_frame(void *state, const int16_t *in, size_t n, uint8_t *out, size_t cap)
{
	if (n > cap / 2)
		return ST_FULL;
	for (size_t i = 0; i < n; i++) {
		out[2 * i] = (uint8_t)((uint16_t)in[i] >> 8);
		out[2 * i + 1] = (uint8_t)in[i];
	}
	return (int)(2 * n);
}
int l16_decode_frame(void *state, const uint8_t *in, size_t n, int16_t *out, size_t cap)
{
	if (n % 2)
		return ST_PARSE;
	if (n / 2 > cap)
		return ST_FULL;
	for (size_t i = 0; i < n / 2; i++)
		out[i] = (int16_t)(uint16_t)(in[2 * i] << 8 | in[2 * i + 1]);
	return (int)(n / 2);
}

int l16_pair_encode_two(void *state, const int16_t *in, size_t n, uint8_t *out, size_t cap)
{
	return n > cap / 4 ? ST_FULL : l16_encode_frame(state, in, 2 * n, out, cap);
}
int l16_pair_decode_two(void *state, const uint8_t *in, size_t n, int16_t *out, size_t cap)
{
	if (n % 4)
		return ST_PARSE;
	if (n / 4 > cap)
		return ST_FULL;
	return l16_decode_frame(state, in, n, out, 2 * cap) / 2;
}
int l16_pair_encode_frame(void *state, const int16_t *in, size_t n, uint8_t *out, size_t cap)
{
	if (n > cap / 4)
		return ST_FULL;
	for (size_t i = 0; i < n; i++) {
		out[4 * i] = out[4 * i + 2] = (uint8_t)((uint16_t)in[i] >> 8);
		out[4 * i + 1] = out[4 * i + 3] = (uint8_t)in[i];
	}
	return (int)(4 * n);
}
int l16_pair_decode_frame(void *state, const uint8_t *in, size_t n, int16_t *out, size_t cap)
{
	if (n % 4)
		return ST_PARSE;
	if (n / 4 > cap)
		return ST_FULL;
	for (size_t i = 0; i < n / 4; i++, in += 4)
		out[i] =
		    (int16_t)(((int16_t)(uint16_t)(in[0] << 8 | in[1]) + (int16_t)(uint16_t)(in[2] << 8 | in[3])) / 2);
	return (int)(n / 4);
}
