/* Tones measured with Goertzel, TGML by tables, DTMF both ways, resampling, mixing, noise, concealment. */
#include "base/check.h"
#include "base/mem.h"
#include "dsp/dtmf.h"
#include "dsp/mix.h"
#include "dsp/noise.h"
#include "dsp/plc.h"
#include "dsp/resample.h"
#include "dsp/stretch.h"
#include "dsp/tone.h"
#include "dsp/tonedet.h"
#include "dsp/vad.h"
#include "harness.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PI 3.14159265358979323846
enum { SECOND = 8000 };
static int16_t pcm[60 * SECOND];

static bool is_near(double got, double want, double part)
{
	return fabs(got - want) <= fabs(want) * part + 1;
}
static void sine(int16_t *out, size_t n, uint32_t rate, double hz, double peak)
{
	for (size_t i = 0; i < n; i++)
		out[i] = (int16_t)lrint(peak * sin(2 * PI * hz * (double)i / rate));
}
/* Reads all of a script (at most the buffer); -1 when it does not compile. */
static long play(const char *tgml, int loops)
{
	struct tone *t;
	size_t n = 0, m;
	if (tone_new(&t, tgml, SECOND, loops, NULL))
		return -1;
	while (n < ARRAY_COUNT(pcm) &&
	       (m = tone_read(t, pcm + n, 160 < ARRAY_COUNT(pcm) - n ? 160 : ARRAY_COUNT(pcm) - n)) > 0)
		n += m;
	mem_unref(t);
	return (long)n;
}

static int test_tone_frequency(void)
{
	double peak = 22826 * pow(10, -7 / 20.0); /* -7 dBm0, the default */

	EXPECT_INT(play("%(1000,4000,440,480)", 0), 5 * SECOND);
	EXPECT(is_near(goertzel_amplitude(pcm, SECOND, SECOND, 440), peak, 0.01));
	EXPECT(is_near(goertzel_amplitude(pcm, SECOND, SECOND, 480), peak, 0.01));
	EXPECT(goertzel_amplitude(pcm, SECOND, SECOND, 460) < peak * 0.01);
	EXPECT_INT(mix_level_abs(pcm + SECOND, 4 * SECOND), 0);
	/* the milliwatt of extension 9197, looped: no click between the turns */
	EXPECT_INT(play("%(251,0,1004)", -1), ARRAY_COUNT(pcm));
	EXPECT(is_near(goertzel_amplitude(pcm, 251 * 8, SECOND, 1004), peak, 0.01));
	EXPECT(is_near(goertzel_amplitude(pcm, SECOND, SECOND, 1004), peak, 0.01));
	EXPECT_INT(play("v=0;%(1000,0,1000)", 0), SECOND);
	EXPECT(fabs(mix_level_dbm0(pcm, SECOND)) < 0.05);
	EXPECT_INT(play("v=-20;%(1000,0,1000)", 0), SECOND);
	EXPECT(fabs(mix_level_dbm0(pcm, SECOND) + 20) < 0.05);
	return 0;
}
static int test_tgml_lengths(void)
{
	static const struct {
		const char *tgml;
		long ms; /* -1 = does not compile */
	} rows[] = {
	    {"%(1000,0,350)", 1000},
	    {"%(100,200,350);%(300,400,350)", 1000},
	    {"%(100,0,350)%(100,0,350)\n%(100, 0, 350 )", 300},
	    {"%(500, 0, 620)", 500},
	    {"%(274,0,913.8);%(274,0,1370.6);%(380,0,1776.7)", 928},
	    {"%(100,100,350);loops=3", 600},
	    {"L=3;%(100,100,350)", 600},
	    {"l=3;%(100,100,350);%(100,0,1)", 700},
	    {"L=2;%(100,0,350);loops=2", 400},
	    {"v=-7;%(100,0,941.0,1477.0);v=-7;>=2;+=.1;%(1400,0,350,440)", 1500},
	    {"d=100;w=40;123", 420},
	    {"123", 900},
	    {"7(1000,500)", 1500},
	    {"0800500005", 3000},
	    {"*#abcdABCD", 3000},
	    {"%(400,200,383,417)@%(400,0,383)", 1000},
	    {"c=1;r=16000;%(100,0,1)", 100},
	    {"%(0,0,440)", 0},
	    {"%(0,0,440);loops=-1", 0},
	    {"%(100)", 100},
	    {"v=3;%(100,0,350)", 100},
	    {"%(428,0,659,494)\r\n\r\n%(214,0,494,415)\n", 642},
	    {"%(2000,4000,440,480)", 6000},
	    {"%(400,200,400,450);%(400,2000,400,450)", 3000},
	    {"%(100,0,0)", 100},
	    {"%(200,0,500,600,700)", 200},
	    {"", -1},
	    {";;", -1},
	    {"%", -1},
	    {"%(", -1},
	    {"%(100,0,350", 100},
	    {"%(,0,350)", -1},
	    {"%(-5,0,350)", -1},
	    {"%(99999999999,0,350)", -1},
	    {"v=;%(100,0,350)", -1},
	    {"hello", -1},
	    {"l=0;1", -1},
	    {"%(1,0,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1)", -1},
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		const char *err = NULL;
		long n = play(rows[i].tgml, 0);
		int st = tone_check(rows[i].tgml, &err);
		if (n != (rows[i].ms < 0 ? -1 : rows[i].ms * 8) || (st != ST_OK) != (rows[i].ms < 0) || (st && !err)) {
			test_fail(__FILE__, __LINE__, "\"%s\" has %ld samples", rows[i].tgml, n);
			return -1;
		}
	}
	return 0;
}
static int test_tgml_decay(void)
{
	EXPECT_INT(play("v=-7;>=10;+=1;%(400,0,1000)", 0), 400 * 8);
	EXPECT(fabs(mix_level_dbm0(pcm, 80) + 7) < 0.2);
	EXPECT(fabs(mix_level_dbm0(pcm + 80, 80) + 8) < 0.2);
	EXPECT(fabs(mix_level_dbm0(pcm + 800, 80) + 17) < 0.2);
	EXPECT_INT(play("v=-30;<=10;+=1;%(500,0,1000)", 0), 500 * 8);
	EXPECT(fabs(mix_level_dbm0(pcm + 1600, 80) + 10) < 0.2);
	EXPECT(fabs(mix_level_dbm0(pcm + 3840, 80)) < 0.2); /* not above 0 */
	return 0;
}
static int test_tone_endless(void)
{
	struct tone *t;
	int16_t a[1000], b[1000];

	EXPECT_INT(tone_new(&t, "%(10,10,1000);loops=-1", 16000, 0, NULL), ST_OK);
	EXPECT(tone_is_endless(t) && tone_samples(t) == 0);
	for (int i = 0; i < 1000; i++)
		EXPECT_INT(tone_read(t, a, 1000), 1000);
	tone_rewind(t);
	EXPECT_INT(tone_read(t, a, 1000), 1000);
	tone_rewind(t);
	for (size_t n = 0; n < 1000; n += 10)
		EXPECT_INT(tone_read(t, b + n, 10), 10);
	EXPECT(!memcmp(a, b, sizeof(a))); /* chunks do not matter */
	mem_unref(t);
	EXPECT_INT(tone_new(&t, "%(10,10,1000);loops=-1", 16000, 2, NULL), ST_OK);
	EXPECT_INT(tone_samples(t), 640);
	mem_unref(t);
	EXPECT_INT(tone_new(&t, "1", 0, 0, NULL), ST_INVAL);
	return 0;
}
static int test_tone_oom(void)
{
	struct tone *t;
	int st = tone_new(&t, "%(10,10,1000,2000);123", 8000, 0, NULL);
	if (!st)
		mem_unref(t);
	EXPECT_INT(st, ST_OK);
	return 0;
}

static int test_dtmf(void)
{
	static const char all[] = "0123456789*#ABCD";
	struct dtmf_det *d;
	struct dtmf_gen g;
	char got[64];

	EXPECT_INT(dtmf_det_new(&d), ST_OK);
	for (int i = 0; i < 16; i++) {
		unsigned low, high;
		size_t n;
		EXPECT_INT(dtmf_gen_start(&g, SECOND, all[i], 100, 100), ST_OK);
		n = dtmf_gen_read(&g, pcm, 10000);
		EXPECT_INT(n, 1600);
		EXPECT_INT(dtmf_gen_read(&g, pcm + n, 100), 0);
		EXPECT(dtmf_pair(all[i], &low, &high));
		EXPECT(goertzel_amplitude(pcm, 800, SECOND, low) > 7000);
		EXPECT(goertzel_amplitude(pcm, 800, SECOND, high) > 9000);
		EXPECT_INT(mix_level_abs(pcm + 800, 800), 0);
		EXPECT_INT(dtmf_det_feed(d, pcm, n, got, sizeof(got)), 1);
		EXPECT_INT(got[0], all[i]);
	}
	sine(pcm, SECOND, SECOND, 1004, 10000);
	EXPECT_INT(dtmf_det_feed(d, pcm, SECOND, got, sizeof(got)), 0);
	/* two packets of 20 ms in the middle are silent: two digits; they are lost: one */
	for (int is_lost = 0; is_lost < 2; is_lost++) {
		size_t count = 0, n;
		EXPECT_INT(dtmf_gen_start(&g, SECOND, '0', 140, 100), ST_OK);
		n = dtmf_gen_read(&g, pcm, 10000);
		memset(pcm + 400, 0, 320 * sizeof(*pcm));
		count += dtmf_det_feed(d, pcm, 400, got, sizeof(got));
		if (is_lost)
			dtmf_det_miss(d, 320);
		else
			count += dtmf_det_feed(d, pcm + 400, 320, got, sizeof(got));
		count += dtmf_det_feed(d, pcm + 720, n - 720, got, sizeof(got));
		EXPECT_INT(count, is_lost ? 1 : 2);
	}
	mem_unref(d);
	EXPECT_INT(dtmf_gen_start(&g, SECOND, 'x', 100, 100), ST_INVAL);
	EXPECT_INT(dtmf_gen_start(&g, 48000, 'd', 20, 0), ST_OK);
	EXPECT_INT(dtmf_gen_read(&g, pcm, 10000), 960);
	return 0;
}

static int test_resample(void)
{
	static const uint32_t rates[] = {8000, 11025, 16000, 22050, 32000, 44100, 48000};
	static int16_t in[48000], out[48100];

	for (size_t i = 0; i < ARRAY_COUNT(rates); i++)
		for (size_t k = 0; k < ARRAY_COUNT(rates); k++) {
			struct resample *r;
			size_t done = 0, at = 0;
			double got;
			sine(in, rates[i], rates[i], 1004, 10000);
			EXPECT_INT(resample_new(&r, rates[i], rates[k], 1), ST_OK);
			while (at < rates[i]) {
				size_t n = rates[i] / 50 < rates[i] - at ? rates[i] / 50 : rates[i] - at, given = n;
				size_t bound = resample_bound(r, n), m;
				EXPECT(done + bound <= ARRAY_COUNT(out));
				m = resample_run(r, in + at, &n, out + done, bound);
				EXPECT_INT(n, given);
				EXPECT(m <= bound);
				at += n;
				done += m;
			}
			EXPECT(labs((long)done - (long)rates[k]) <= 2);
			got = goertzel_amplitude(out + rates[k] / 10, rates[k] / 2, rates[k], 1004);
			EXPECT(is_near(got, 10000, 0.03));
			EXPECT(resample_latency(r) < rates[k] / 20);
			mem_unref(r);
		}
	{
		struct resample *r;
		EXPECT_INT(resample_new(&r, 0, 8000, 1), ST_INVAL);
		EXPECT_INT(resample_new(&r, 8000, 8000, 9), ST_INVAL);
	}
	return 0;
}
static int test_mix(void)
{
	int16_t a[4] = {30000, -30000, 100, -32768}, b[4] = {10000, -10000, -50, 0}, out[8], own[4];
	int32_t acc[4];

	mix_two(out, a, b, 4);
	EXPECT(out[0] == 32767 && out[1] == -32768 && out[2] == 50 && out[3] == -32768);
	mix_clear(acc, 4);
	mix_add(acc, a, 4);
	mix_add(acc, b, 4);
	memcpy(own, a, sizeof(own));
	mix_out(out, acc, own, 4);
	EXPECT(!memcmp(out, b, sizeof(b)));
	mix_out(out, acc, NULL, 4);
	EXPECT(out[0] == 32767 && out[2] == 50);
	mix_gain(a, 4, 8192);
	EXPECT(a[0] == 32767 && a[2] == 200 && a[3] == -32768);
	EXPECT_INT(mix_gain_of_db(0), 4096);
	EXPECT_INT(mix_gain_of_db(20), 40960);
	EXPECT(mix_gain_of_db(1000) > 0 && mix_gain_of_db(-1000) >= 0);
	EXPECT_INT(mix_gain_of_step(0), 4096);
	for (int i = -4; i < 4; i++)
		EXPECT(mix_gain_of_step(i) < mix_gain_of_step(i + 1));
	EXPECT_INT(mix_gain_of_step(99), mix_gain_of_step(4));
	mix_interleave(out, b, own, 4);
	EXPECT(out[0] == b[0] && out[1] == own[0] && out[6] == b[3]);
	mix_downmix(out, out, 4, 2);
	EXPECT_INT(out[0], (b[0] + own[0]) / 2);
	return 0;
}
static int test_levels(void)
{
	int16_t s[SECOND];

	sine(s, SECOND, SECOND, 1000, 32767);
	EXPECT(fabs(mix_level_dbm0(s, SECOND) - 3.14) < 0.01);
	EXPECT(is_near(mix_level_rms(s, SECOND), 32767 / sqrt(2), 0.001));
	EXPECT(is_near(mix_level_abs(s, SECOND), 32767 * 2 / PI, 0.06));
	memset(s, 0, sizeof(s));
	EXPECT_INT(mix_level_abs(s, SECOND), 0);
	EXPECT(mix_level_dbm0(s, SECOND) < -90);
	s[0] = -32768;
	EXPECT_INT(mix_level_abs(s, 1), 32768);
	EXPECT_INT(mix_level_abs(s, 0), 0);
	EXPECT(goertzel_amplitude(s, 0, SECOND, 1000) == 0);
	return 0;
}
static int test_noise(void)
{
	struct noise g;
	int16_t s[SECOND], t[SECOND];

	noise_init_divisor(&g, 0, 1);
	noise_fill(&g, s, SECOND);
	EXPECT_INT(mix_level_abs(s, SECOND), 0);
	noise_init_divisor(&g, 1400, 1);
	noise_fill(&g, s, SECOND);
	EXPECT(mix_level_abs(s, SECOND) > 5 && mix_level_abs(s, SECOND) < 50);
	noise_init_divisor(&g, 100, 1);
	noise_fill(&g, t, SECOND);
	EXPECT(mix_level_abs(t, SECOND) > 5 * mix_level_abs(s, SECOND));
	for (unsigned db = 30; db <= 60; db += 10) {
		noise_init_dbov(&g, db, 7);
		noise_fill(&g, s, SECOND);
		EXPECT(abs((int)noise_level_dbov(s, SECOND) - (int)db - 3) <= 3);
	}
	memset(s, 0, sizeof(s));
	EXPECT_INT(noise_level_dbov(s, SECOND), 127);
	return 0;
}
static int test_plc(void)
{
	static const uint32_t rates[] = {8000, 16000, 48000};
	static int16_t s[48000], lost[9600];

	for (size_t i = 0; i < ARRAY_COUNT(rates); i++) {
		struct plc p;
		size_t frame = rates[i] / 50;
		int16_t first[960];
		plc_init(&p, rates[i]);
		plc_lost(&p, lost, frame); /* nothing heard yet */
		EXPECT_INT(mix_level_abs(lost, frame), 0);
		sine(s, rates[i], rates[i], 200, 10000);
		for (size_t at = 0; at + frame <= rates[i] / 2; at += frame)
			plc_good(&p, s + at, frame);
		plc_lost(&p, lost, frame);
		/* the made-up frame goes on with the tone: same pitch, at nearly its level, no step at the seam */
		EXPECT(goertzel_amplitude(lost, frame, rates[i], 200) > 6000);
		EXPECT(abs(lost[0] - s[rates[i] / 2]) < 1500);
		memcpy(first, s, sizeof(first));
		plc_good(&p, s, frame);
		EXPECT(memcmp(first, s, frame * 2));                      /* cross-faded at its head */
		EXPECT(!memcmp(first + frame / 2, s + frame / 2, frame)); /* and only there */
		for (int k = 0; k < 10; k++)
			plc_lost(&p, lost, frame);
		EXPECT_INT(mix_level_abs(lost, frame), 0); /* faded out */
	}
	return 0;
}

/* The tunes that the stock configuration brings. */
static int test_stock_tunes(void)
{
	static const char *const names[] = {"tetris.ttml", "fur_elise.ttml"};
	for (size_t i = 0; i < ARRAY_COUNT(names) && test_shared_dir(); i++) {
		char path[4096], text[TONE_TEXT_MAX];
		struct tone *t;
		snprintf(path, sizeof(path), "%s/vanilla/%s", test_shared_dir(), names[i]);
		FILE *f = fopen(path, "r");
		if (!f)
			continue;
		size_t n = fread(text, 1, sizeof(text) - 1, f);
		fclose(f);
		text[n] = 0;
		EXPECT_INT(tone_new(&t, text, 8000, 0, NULL), ST_OK);
		EXPECT(tone_samples(t) > 10 * 8000);
		mem_unref(t);
	}
	return 0;
}

/* One tone or two, in noise, half of a chord, too short, too soft; at two rates. */
static int test_tonedet(void)
{
	static const struct {
		double a, b, noise, level;
		double want[2];
		unsigned ms;
		bool is_heard;
	} cases[] = {
	    {1100, 0, 0, 8000, {1100, 0}, 200, true},
	    {1110, 0, 0, 8000, {1100, 0}, 200, true},
	    {1250, 0, 0, 8000, {1100, 0}, 400, false},
	    {440, 480, 0, 6000, {440, 480}, 200, true},
	    {440, 0, 0, 8000, {440, 480}, 400, false},
	    {350, 440, 0, 6000, {350, 440}, 200, true},
	    {350, 0, 0, 8000, {350, 620}, 400, false},
	    {1100, 0, 0, 8000, {1100, 0}, 50, false},
	    {1100, 0, 0, 100, {1100, 0}, 400, false},
	    {1100, 0, 2000, 8000, {1100, 0}, 200, true},
	    {1100, 0, 8000, 3000, {1100, 0}, 400, false},
	    {0, 0, 0, 0, {1100, 0}, 400, false},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (uint32_t rate = 8000; rate <= 16000; rate += 8000) {
			static int16_t s[16000];
			struct tonedet d;
			struct noise noise;
			size_t n = rate * cases[i].ms / 1000;
			bool is_heard = false;
			noise_init_divisor(&noise, cases[i].noise > 0 ? (uint32_t)(65535 / cases[i].noise) : 0, 3);
			noise_fill(&noise, s, n);
			for (size_t k = 0; k < n; k++)
				s[k] =
				    (int16_t)(s[k] + cases[i].level * (sin(2 * PI * cases[i].a * (double)k / rate) +
				                                          sin(2 * PI * cases[i].b * (double)k / rate)));
			tonedet_init(&d, rate, cases[i].want, cases[i].want[1] > 0 ? 2 : 1);
			for (size_t at = 0; at < n; at += 77)
				is_heard |= tonedet_feed(&d, s + at, n - at < 77 ? n - at : 77);
			if (is_heard != cases[i].is_heard)
				printf("# case %zu at %u\n", i, rate);
			EXPECT_INT(is_heard, cases[i].is_heard);
		}
	}
	return 0;
}

/* A tone gets shorter by whole periods, without a step. */
static int test_stretch(void)
{
	static const uint32_t rates[] = {8000, 16000, 48000};
	for (size_t i = 0; i < ARRAY_COUNT(rates); i++) {
		size_t n = rates[i] / 50, left;
		sine(pcm, n, rates[i], 200, 10000);
		left = stretch_cut(pcm, n, rates[i]);
		EXPECT(left < n && left >= n / 2);
		for (size_t k = 1; k < left; k++)
			EXPECT(abs(pcm[k] - pcm[k - 1]) < 10000 * 2 * PI * 200 / rates[i] * 1.5 + 50);
		memset(pcm, 0, n * sizeof(*pcm));
		EXPECT(stretch_cut(pcm, n, rates[i]) < n);
		EXPECT(stretch_cut(pcm, rates[i] / 1000, rates[i]) == rates[i] / 1000);
	}
	return 0;
}

/* Of two channels: one period for both, each is what it was. */
static int test_stretch_two(void)
{
	static int16_t one[960], two[2 * 960], other[960];
	for (unsigned is_other = 0; is_other < 2; is_other++) {
		sine(one, 960, 48000, 200, 10000);
		sine(other, 960, 48000, is_other ? 400 : 200, is_other ? 5000 : 10000);
		for (size_t i = 0; i < 960; i++)
			two[2 * i] = one[i], two[2 * i + 1] = other[i];
		size_t left = stretch_cut_two(two, 960, 48000);
		EXPECT_INT(left, stretch_cut(one, 960, 48000));
		if (is_other)
			(void)stretch_cut(other, 960, 48000);
		for (size_t i = 0; i < left; i++) {
			EXPECT(abs(two[2 * i] - one[i]) <= 1);
			EXPECT(is_other ? i == 0 || abs(two[2 * i + 1] - two[2 * i - 1]) < 450
			                : two[2 * i + 1] == two[2 * i]);
		}
	}
	return 0;
}

/* Silence, noise and a steady hum are no talk; bursts of sound over them are, and end half a second later. */
static int test_vad(void)
{
	struct vad v;
	struct noise noise = {0};
	int16_t block[80];
	unsigned began = 0, ended = 0;

	vad_init(&v, 8000);
	for (unsigned ms = 0; ms < 20000; ms += 10) {
		bool is_speech = ms % 4000 >= 2000 && ms % 4000 < 3000;
		for (unsigned k = 0; k < 80; k++)
			block[k] = (int16_t)((int)((noise.seed = noise.seed * 1103515245u + 12345u) >> 16 & 127) - 64 +
			                     (is_speech ? (int)(4000 * sin(2 * PI * 300 * k / 8000.0)) : 0));
		if (!vad_feed(&v, block, 80))
			continue;
		began += v.is_talking, ended += !v.is_talking;
		EXPECT(v.is_talking ? ms % 4000 < 2100 && ms % 4000 >= 2000 : ms % 4000 >= 3450 && ms % 4000 <= 3600);
	}
	EXPECT_INT(began, 5);
	EXPECT_INT(ended, 5);
	return 0;
}

TEST_MAIN({"stretch", test_stretch}, {"sound of two channels made shorter", test_stretch_two}, {"vad", test_vad},
    {"tone frequency", test_tone_frequency}, {"tgml lengths", test_tgml_lengths}, {"tgml decay", test_tgml_decay},
    {"tone endless", test_tone_endless}, {"tone oom", test_tone_oom, TEST_OOM}, {"dtmf", test_dtmf},
    {"resample", test_resample}, {"mix", test_mix}, {"levels", test_levels}, {"tone detector", test_tonedet},
    {"stock tunes", test_stock_tunes}, {"noise", test_noise}, {"plc", test_plc})
