/* Each library as its documentation says, with the settings that our hooks choose (codec/opus.c: complexity 5, bits by
 * the sampling rate, speech), so that only the way to it differs. */
#include "bare.h"
#include <math.h>
#include <opencore-amrnb/interf_dec.h>
#include <opencore-amrnb/interf_enc.h>
#include <opus/opus.h>
#include <spandsp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *g722_e(uint32_t hz)
{
	return g722_encode_init(NULL, 64000, 0);
}
static void *g722_d(uint32_t hz)
{
	return g722_decode_init(NULL, 64000, 0);
}
static int g722_enc(void *s, const int16_t *in, int n, uint8_t *out)
{
	return g722_encode(s, out, in, n);
}
static void g722_dec(void *s, const uint8_t *in, int n, int16_t *out)
{
	g722_decode(s, out, in, n);
}
static void *g726_o(uint32_t hz)
{
	return g726_init(NULL, 32000, G726_ENCODING_LINEAR, G726_PACKING_RIGHT);
}
static int g726_enc(void *s, const int16_t *in, int n, uint8_t *out)
{
	return g726_encode(s, out, in, n);
}
static void g726_dec(void *s, const uint8_t *in, int n, int16_t *out)
{
	g726_decode(s, out, in, n);
}
static void *gsm_o(uint32_t hz)
{
	return gsm0610_init(NULL, GSM0610_PACKING_VOIP);
}
static int gsm_enc(void *s, const int16_t *in, int n, uint8_t *out)
{
	return gsm0610_encode(s, out, in, n);
}
static void gsm_dec(void *s, const uint8_t *in, int n, int16_t *out)
{
	gsm0610_decode(s, out, in, n);
}
static void *opus_e(uint32_t hz)
{
	int err;
	OpusEncoder *e = opus_encoder_create((opus_int32)hz, 1, OPUS_APPLICATION_VOIP, &err);
	opus_encoder_ctl(e, OPUS_SET_COMPLEXITY(5));
	opus_encoder_ctl(e, OPUS_SET_BITRATE(hz <= 8000 ? 16000 : hz <= 16000 ? 24000 : 32000));
	opus_encoder_ctl(e, OPUS_SET_SIGNAL(OPUS_SIGNAL_VOICE));
	return e;
}
static void *opus_d(uint32_t hz)
{
	int err;
	return opus_decoder_create((opus_int32)hz, 1, &err);
}
static int opus_enc(void *s, const int16_t *in, int n, uint8_t *out)
{
	return opus_encode(s, in, n, out, 1500);
}
static void opus_dec(void *s, const uint8_t *in, int n, int16_t *out)
{
	if (opus_decode(s, in, n, out, 5760, 0) < 0)
		exit(1);
}
static void *amr_e(uint32_t hz)
{
	return Encoder_Interface_init(0);
}
static void *amr_d(uint32_t hz)
{
	return Decoder_Interface_init();
}
static int amr_enc(void *s, const int16_t *in, int n, uint8_t *out)
{
	int16_t copy[160];
	memcpy(copy, in, sizeof(copy));
	return Encoder_Interface_Encode(s, MR122, copy, out, 0);
}
static void amr_dec(void *s, const uint8_t *in, int n, int16_t *out)
{
	Decoder_Interface_Decode(s, in, out, 0);
}
static const struct bare bares[] = {{"G722", 16000, g722_e, g722_d, g722_enc, g722_dec},
    {"G726-32", 8000, g726_o, g726_o, g726_enc, g726_dec}, {"GSM", 8000, gsm_o, gsm_o, gsm_enc, gsm_dec},
    {"opus", 8000, opus_e, opus_d, opus_enc, opus_dec}, {"opus", 16000, opus_e, opus_d, opus_enc, opus_dec},
    {"opus", 48000, opus_e, opus_d, opus_enc, opus_dec}, {"AMR", 8000, amr_e, amr_d, amr_enc, amr_dec}};

const struct bare *bare_of(const char *name, uint32_t rate_hz)
{
	for (size_t i = 0; i < sizeof(bares) / sizeof(bares[0]); i++)
		if (!strcmp(bares[i].name, name) && bares[i].rate_hz == rate_hz)
			return &bares[i];
	return NULL;
}

void bare_speech(int16_t *out, size_t n, uint32_t rate_hz)
{
	double y1 = 0, y2 = 0;
	for (size_t i = 0; i < n; i++) {
		double hz = 500 + 300 * sin((double)i / rate_hz * 3);
		double y = (i % (rate_hz / 125) ? 0 : 5000) + 1.7 * cos(2 * M_PI * hz / rate_hz) * y1 - 0.81 * y2;
		y2 = y1, y1 = y;
		out[i] = (int16_t)y;
	}
}
