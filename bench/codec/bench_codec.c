/* What a codec costs through the table of hooks that streams use, and by its bare library, one after the other in the
 * same run: nanoseconds of CPU for 20 ms of sound, and the ratio. The sound is speech-like (pulses through a resonance
 * that moves), so that encoders that look for speech find some. Prints one JSON object. */
#include "codec/codec.h"
#include <math.h>
#include <opencore-amrnb/interf_dec.h>
#include <opencore-amrnb/interf_enc.h>
#include <opus/opus.h>
#include <spandsp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FRAMES = 400, ROUNDS = 5, MOST = 960 };

static int16_t sound[FRAMES * MOST], heard[5760];
static uint8_t packets[FRAMES][2048];
static int sizes[FRAMES];

static void sound_make(uint32_t rate)
{
	double y1 = 0, y2 = 0;
	for (size_t i = 0; i < (size_t)FRAMES * rate / 50; i++) {
		double hz = 500 + 300 * sin((double)i / rate * 3);
		double y = (i % (rate / 125) ? 0 : 5000) + 1.7 * cos(2 * M_PI * hz / rate) * y1 - 0.81 * y2;
		y2 = y1, y1 = y;
		sound[i] = (int16_t)y;
	}
}
static double now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* ---- the bare libraries ---- */
struct bare {
	const char *name;
	uint32_t rate_hz;
	void *(*enc)(uint32_t rate_hz);
	void *(*dec)(uint32_t rate_hz);
	int (*encode)(void *s, const int16_t *in, int n, uint8_t *out);
	void (*decode)(void *s, const uint8_t *in, int n, int16_t *out);
};
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

static const struct bare *bare_of(const struct codec_ops *c)
{
	for (size_t i = 0; i < sizeof(bares) / sizeof(bares[0]); i++)
		if (!strcmp(bares[i].name, c->name) && bares[i].rate_hz == c->rate_hz)
			return &bares[i];
	return NULL;
}
static void bare_run(const struct bare *b, int n, double *enc, double *dec)
{
	void *e = b->enc(b->rate_hz), *d = b->dec(b->rate_hz);
	double t0 = now_ns();
	for (int i = 0; i < FRAMES; i++)
		sizes[i] = b->encode(e, sound + i * n, n, packets[i]);
	double t1 = now_ns();
	for (int i = 0; i < FRAMES; i++)
		b->decode(d, packets[i], sizes[i], heard);
	double t2 = now_ns();
	*enc = fmin(*enc, (t1 - t0) / FRAMES), *dec = fmin(*dec, (t2 - t1) / FRAMES);
}
static void hooks_run(const struct codec_ops *c, int n, double *enc, double *dec)
{
	struct codec_enc e;
	struct codec_dec d;
	if (codec_enc_open(&e, c, NULL) || codec_dec_open(&d, c, NULL))
		exit(1);
	double t0 = now_ns();
	for (int i = 0; i < FRAMES; i++)
		sizes[i] = codec_encode(&e, sound + i * n, (size_t)n, packets[i], sizeof(packets[i]));
	double t1 = now_ns();
	for (int i = 0; i < FRAMES; i++)
		(void)codec_decode(&d, packets[i], (size_t)sizes[i], heard, 5760);
	double t2 = now_ns();
	*enc = fmin(*enc, (t1 - t0) / FRAMES), *dec = fmin(*dec, (t2 - t1) / FRAMES);
	codec_enc_close(&e);
	codec_dec_close(&d);
}

int main(void)
{
	printf("{");
	for (size_t i = 0; codec_at(i); i++) {
		const struct codec_ops *c = codec_at(i);
		int n = (int)c->rate_hz / 50;
		double he = 1e18, hd = 1e18, be = 1e18, bd = 1e18;
		const struct bare *b = bare_of(c);
		if ((c->frame_samples && (unsigned)n % c->frame_samples) || n > MOST)
			continue;
		sound_make(c->rate_hz);
		for (int r = 0; r < ROUNDS; r++) {
			hooks_run(c, n, &he, &hd);
			if (b)
				bare_run(b, n, &be, &bd);
		}
		printf("%s\"%s/%u\": {\"encode_ns\": %.0f, \"decode_ns\": %.0f", i ? ",\n " : "", c->name, c->rate_hz,
		    he, hd);
		if (b)
			printf(", \"bare_encode_ns\": %.0f, \"bare_decode_ns\": %.0f, \"ratio\": %.3f", be, bd,
			    (he + hd) / (be + bd));
		printf("}");
	}
	printf("}\n");
	return 0;
}
