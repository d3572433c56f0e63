/* What a codec costs through the table of hooks that streams use, and by its bare library, one after the other in the
 * same run: nanoseconds of CPU for 20 ms of sound, and the ratio. Prints one JSON object. */
#include "bare.h"
#include "codec/codec.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { FRAMES = 400, ROUNDS = 5, MOST = 960 };

static int16_t sound[FRAMES * MOST], heard[5760];
static uint8_t packets[FRAMES][2048];
static int sizes[FRAMES];

static double now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
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
		const struct bare *b = bare_of(c->name, c->rate_hz);
		if ((c->frame_samples && (unsigned)n % c->frame_samples) || n > MOST)
			continue;
		bare_speech(sound, (size_t)FRAMES * c->rate_hz / 50, c->rate_hz);
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
