/* Every codec that remembers or codes in frames: a tone comes back with its frequency, level and little else;
 * speech-like pulses do through those that only know speech; damaged and cut bytes are refused or decoded, within
 * bounds; what Opus does beyond (loss, silence, rates, stereo); two channels. */
#include "base/mem.h"
#include "codec/codec.h"
#include "harness.h"
#include <math.h>
#include <opus/opus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECONDS = 2, MOST = 48000 * SECONDS };

static size_t tone(int16_t *x, uint32_t hz, uint32_t rate, double level)
{
	size_t n = (size_t)rate * SECONDS;
	for (size_t i = 0; i < n; i++)
		x[i] = (int16_t)lrint(level * sin(2 * M_PI * hz * (double)i / rate));
	return n;
}
struct fit {
	double level, snr_db;
};
/* The sine of that frequency that x holds, and what else. */
static struct fit fit_of(const int16_t *x, size_t n, double hz, double rate)
{
	double a = 0, b = 0, all = 0, rest = 0, w = 2 * M_PI * hz / rate;
	for (size_t i = 0; i < n; i++) {
		a += 2.0 / (double)n * x[i] * sin(w * (double)i);
		b += 2.0 / (double)n * x[i] * cos(w * (double)i);
	}
	for (size_t i = 0; i < n; i++) {
		double s = a * sin(w * (double)i) + b * cos(w * (double)i);
		all += s * s, rest += (x[i] - s) * (x[i] - s);
	}
	return (struct fit){hypot(a, b), 10 * log10((all + 1e-9) / (rest + 1e-9))};
}
/* All of in through c, with ptime; out has what came. */
static int through(const struct codec_ops *c, const char *fmtp, unsigned ptime_ms, const int16_t *in, size_t n,
    int16_t *out, size_t *out_n)
{
	struct codec_enc e = {0};
	struct codec_dec d = {0};
	uint8_t bytes[CODEC_FRAME_BYTES_MAX];
	size_t frame = codec_frame_samples(c, ptime_ms), most = c->frame_bytes(c, ptime_ms);

	static int16_t was[MOST];
	memcpy(was, in, n * sizeof(*in));
	*out_n = 0;
	EXPECT_INT(codec_enc_open(&e, c, fmtp), ST_OK);
	EXPECT_INT(codec_dec_open(&d, c, fmtp), ST_OK);
	for (size_t at = 0; at + frame <= n; at += frame) {
		int m = codec_encode(&e, in + at, frame, bytes, sizeof(bytes));
		EXPECT(m > 0 && (size_t)m <= most);
		int got = codec_decode(&d, bytes, (size_t)m, out + *out_n, frame);
		EXPECT_INT(got, frame);
		*out_n += (size_t)got;
	}
	EXPECT(!memcmp(was, in, n * sizeof(*in))); /* it belongs to the caller */
	codec_enc_close(&e);
	codec_dec_close(&d);
	return 0;
}

static bool is_speech_only(const struct codec_ops *c)
{
	return !strcmp(c->name, "LPC") || !strcmp(c->name, "CODEC2");
}
static double least_snr(const struct codec_ops *c)
{
	static const struct {
		const char *name;
		double db;
	} least[] = {{"G722", 35}, {"G726-16", 8}, {"G726-24", 15}, {"G726-32", 22}, {"G726-40", 28},
	    {"AAL2-G726-16", 8}, {"AAL2-G726-24", 15}, {"AAL2-G726-32", 22}, {"AAL2-G726-40", 28}, {"GSM", 15},
	    {"AMR", 15}, {"AMR-WB", 12}, {"DVI4", 20}, {"speex", 8}, {"opus", 10}};
	for (size_t i = 0; i < sizeof(least) / sizeof(least[0]); i++)
		if (!strcmp(c->name, least[i].name))
			return least[i].db;
	return 0;
}
static int test_tones(void)
{
	static int16_t in[MOST], out[MOST];
	for (size_t i = 0; codec_at(i); i++) {
		const struct codec_ops *c = codec_at(i);
		size_t n, got;
		if (c->sample_bytes || is_speech_only(c))
			continue;
		n = tone(in, 500, c->rate_hz, 8000);
		EXPECT(!through(c, NULL, c->ptime_ms, in, n, out, &got));
		EXPECT_INT(got, n);
		struct fit f = fit_of(out + got / 2, got / 2, 500, c->rate_hz);
		printf(
		    "# %s/%u at %u Hz: level %.0f, SNR %.1f dB\n", c->name, c->clock_hz, c->rate_hz, f.level, f.snr_db);
		EXPECT(fabs(20 * log10(f.level / 8000)) < 1.5);
		EXPECT(f.snr_db >= least_snr(c));
		/* twice the packet, half of them */
		unsigned twice = 2u * c->ptime_ms;
		EXPECT(!through(c, NULL, twice, in, n, out, &got));
		f = fit_of(out + got / 2, got / 2, 500, c->rate_hz);
		printf("# twice: level %.0f, SNR %.1f dB\n", f.level, f.snr_db);
		EXPECT(fabs(20 * log10(f.level / 8000)) < 1.5);
		EXPECT(c->frame_samples <= codec_frame_samples(c, c->ptime_ms));
	}
	return 0;
}
/* Pulses at 125 Hz through a resonance: a vowel, more or less. */
static size_t vowel(int16_t *x)
{
	double y1 = 0, y2 = 0;
	for (size_t i = 0; i < 8000u * SECONDS; i++) {
		double y = (i % 64 ? 0 : 6000) + 1.6 * cos(2 * M_PI * 600 / 8000) * y1 - 0.81 * y2;
		y2 = y1, y1 = y;
		x[i] = (int16_t)lrint(y);
	}
	return 8000u * SECONDS;
}
static double rms(const int16_t *x, size_t n)
{
	double s = 0;
	for (size_t i = 0; i < n; i++)
		s += (double)x[i] * x[i];
	return sqrt(s / (double)n);
}
/* How much of x repeats after so many samples, 1 = all. */
static double repeats(const int16_t *x, size_t n, size_t after)
{
	double ab = 0, aa = 0, bb = 0;
	for (size_t i = 0; i + after < n; i++)
		ab += (double)x[i] * x[i + after], aa += (double)x[i] * x[i], bb += (double)x[i + after] * x[i + after];
	return ab / sqrt(aa * bb + 1);
}
static int test_speech(void)
{
	static int16_t in[MOST], out[MOST];
	static const char *const modes[] = {
	    "mode=3200", "mode=2400", "mode=1600", "mode=1400", "mode=1300", "mode=1200"};
	const struct codec_ops *c2 = codec_find("codec2", 8000, 1), *lpc = codec_find("lpc", 8000, 1);
	size_t n = vowel(in), got;
	struct codec_enc e = {0};

	for (size_t i = 0; i < 7; i++) {
		const struct codec_ops *c = i < 6 ? c2 : lpc;
		EXPECT(!through(c, i < 6 ? modes[i] : NULL, i < 6 ? 40 : 90, in, n, out, &got));
		double by = 20 * log10(rms(out + got / 2, got / 2) / rms(in + got / 2, got / 2));
		printf("# %s %s: %.1f dB, repeats %.2f\n", c->name, i < 6 ? modes[i] : "", by,
		    repeats(out + got / 2, got / 2, 64));
		EXPECT(fabs(by) < 9);
		EXPECT(repeats(out + got / 2, got / 2, 64) > 0.6);
	}
	EXPECT_INT(codec_enc_open(&e, c2, "mode=1"), ST_UNSUPPORTED);
	EXPECT(c2->variant("mode=1300") == 1300 && c2->variant(NULL) == 2400);
	return 0;
}
/* Anything may come: nothing is written past the end, and the next good packet is decoded. */
static int test_damaged(void)
{
	static int16_t out[CODEC_FRAME_SAMPLES_MAX + 8];
	uint8_t bytes[700];
	uint32_t r = 1;
	for (size_t i = 0; codec_at(i); i++) {
		const struct codec_ops *c = codec_at(i);
		struct codec_dec d = {0};
		EXPECT_INT(codec_dec_open(&d, c, NULL), ST_OK);
		for (unsigned turn = 0; turn < 600; turn++) {
			size_t n = turn % 301, cap = turn % 7 ? CODEC_FRAME_SAMPLES_MAX : turn;
			for (size_t k = 0; k < n; k++)
				bytes[k] = (uint8_t)((r = r * 1664525 + 1013904223) >> 24);
			if (!strcmp(c->name, "GSM") && n)
				bytes[0] = (uint8_t)(0xd0 | (bytes[0] & 15));
			for (size_t k = cap; k < cap + 8; k++)
				out[k] = 12345;
			int got = codec_decode(&d, bytes, n, out, cap);
			EXPECT(got <= (int)cap);
			EXPECT(
			    got >= 0 || got == ST_PARSE || got == ST_FULL || got == ST_UNSUPPORTED || got == ST_INVAL);
			for (size_t k = cap; k < cap + 8; k++)
				EXPECT_INT(out[k], 12345);
		}
		EXPECT_INT(codec_decode(&d, bytes, 0, out, 8), 0);
		codec_dec_close(&d);
	}
	return 0;
}
static int test_frames(void)
{
	static int16_t in[CODEC_FRAME_SAMPLES_MAX];
	uint8_t bytes[CODEC_FRAME_BYTES_MAX];
	for (size_t i = 0; codec_at(i); i++) {
		const struct codec_ops *c = codec_at(i);
		struct codec_enc e = {0};
		size_t n = codec_frame_samples(c, c->ptime_ms);
		if (c->sample_bytes)
			continue;
		EXPECT_INT(codec_enc_open(&e, c, NULL), ST_OK);
		EXPECT_INT(codec_encode(&e, in, n + 1, bytes, sizeof(bytes)), ST_INVAL);
		EXPECT_INT(codec_encode(&e, in, n, bytes, 0), strcmp(c->name, "opus") ? ST_FULL : ST_INVAL);
		EXPECT(codec_encode(&e, in, n, bytes, sizeof(bytes)) >= 0);
		EXPECT(codec_store(c, 1) == codec_find("L16", c->rate_hz, 1));
		EXPECT(codec_find_rate(c->name, c->clock_hz, c->channels, c->rate_hz) == c);
		codec_enc_close(&e);
	}
	EXPECT_INT(codec_find("opus", 48000, 2)->rate_hz, 48000);
	EXPECT_INT(codec_find_rate("OPUS", 48000, 2, 8000)->rate_hz, 8000);
	EXPECT_INT(codec_find_rate("opus", 48000, 2, 44100)->rate_hz, 48000);
	return 0;
}

/* ---- known bytes ---- */

/* G.726's words are the same in both packings, only their place in a byte differs. */
static int test_g726_packing(void)
{
	static int16_t in[MOST];
	static const char *const rates[] = {"16", "24", "32", "40"};
	tone(in, 700, 8000, 5000);
	for (unsigned b = 2; b <= 5; b++) {
		char rtp[16], aal2[16];
		uint8_t x[100], y[100];
		snprintf(rtp, sizeof(rtp), "G726-%s", rates[b - 2]);
		snprintf(aal2, sizeof(aal2), "AAL2-G726-%s", rates[b - 2]);
		struct codec_enc e = {0}, f = {0};
		EXPECT(!codec_enc_open(&e, codec_find(rtp, 8000, 1), NULL) &&
		       !codec_enc_open(&f, codec_find(aal2, 8000, 1), NULL));
		EXPECT_INT(codec_encode(&e, in, 160, x, sizeof(x)), 20 * b);
		EXPECT_INT(codec_encode(&f, in, 160, y, sizeof(y)), 20 * b);
		for (unsigned w = 0; w < 160; w++) { /* word by word, RFC 3551 section 4.5.4 */
			unsigned low = 0, high = 0;
			for (unsigned k = 0; k < b; k++) {
				unsigned at = w * b + k;
				low |= (unsigned)(x[at / 8] >> (at % 8) & 1) << k;
				high = high << 1 | (y[at / 8] >> (7 - at % 8) & 1u);
			}
			EXPECT_INT(low, high);
		}
		codec_enc_close(&e);
		codec_enc_close(&f);
	}
	return 0;
}
/* DVI4 decoded by the IMA's definition, sample by sample. */
static int test_dvi4(void)
{
	static const int16_t steps[89] = {7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 19, 21, 23, 25, 28, 31, 34, 37, 41, 45,
	    50, 55, 60, 66, 73, 80, 88, 97, 107, 118, 130, 143, 157, 173, 190, 209, 230, 253, 279, 307, 337, 371, 408,
	    449, 494, 544, 598, 658, 724, 796, 876, 963, 1060, 1166, 1282, 1411, 1552, 1707, 1878, 2066, 2272, 2499,
	    2749, 3024, 3327, 3660, 4026, 4428, 4871, 5358, 5894, 6484, 7132, 7845, 8630, 9493, 10442, 11487, 12635,
	    13899, 15289, 16818, 18500, 20350, 22385, 24623, 27086, 29794, 32767};
	static const int moves[8] = {-1, -1, -1, -1, 2, 4, 6, 8};
	static int16_t in[MOST];
	struct codec_enc e = {0};
	struct codec_dec d = {0};
	const struct codec_ops *c = codec_find("dvi4", 8000, 1);
	uint8_t x[100];
	int16_t out[160];

	tone(in, 700, 8000, 5000);
	EXPECT(!codec_enc_open(&e, c, NULL) && !codec_dec_open(&d, c, NULL));
	for (int turn = 0; turn < 5; turn++) {
		EXPECT_INT(codec_encode(&e, in + 160 * turn, 160, x, sizeof(x)), 84);
		EXPECT_INT(codec_decode(&d, x, 84, out, 160), 160);
		int v = (int16_t)(x[0] << 8 | x[1]), index = x[2];
		for (int i = 0; i < 160; i++) {
			int code = i % 2 ? x[4 + i / 2] & 15 : x[4 + i / 2] >> 4, step = steps[index];
			int by =
			    step / 8 + (code & 4 ? step : 0) + (code & 2 ? step / 2 : 0) + (code & 1 ? step / 4 : 0);
			v += code & 8 ? -by : by;
			v = v > 32767 ? 32767 : v < -32768 ? -32768 : v;
			index += moves[code & 7];
			index = index < 0 ? 0 : index > 88 ? 88 : index;
			EXPECT_INT(out[i], v);
		}
	}
	codec_enc_close(&e);
	codec_dec_close(&d);
	return 0;
}

/* ---- Opus ---- */

static size_t chirp(int16_t *x, uint32_t rate)
{
	double phase = 0;
	for (size_t i = 0; i < rate; i++) {
		phase += 2 * M_PI * (200 + 1500 * fabs(sin((double)i / rate * 7))) / rate;
		x[i] = (int16_t)lrint(7000 * sin(phase) * (0.6 + 0.4 * sin((double)i / rate * 40)));
	}
	return rate;
}
static double error_of(const int16_t *a, const int16_t *b, size_t n)
{
	double s = 0;
	for (size_t i = 0; i < n; i++)
		s += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
	return sqrt(s / (double)n);
}
/* What was lost comes back from the packet after it, better than it is guessed. */
static NO_ROLE_CHECK int test_opus_fec(void)
{
	static int16_t in[MOST], whole[960], fec[960], plc[960];
	struct codec_opus_conf conf = CODEC_OPUS_CONF_DEFAULT;
	const struct codec_ops *c = codec_find_rate("opus", 48000, 2, 16000);
	struct codec_enc e = {0};
	struct codec_dec d[3] = {0};
	uint8_t packets[50][1500];
	int bytes[50];
	double better = 0, worse = 0;

	conf.packet_loss_percent = 25;
	codec_opus_configure(&conf);
	chirp(in, 16000);
	EXPECT(!codec_enc_open(&e, c, "useinbandfec=1; maxaveragebitrate=40000"));
	for (int i = 0; i < 50; i++)
		bytes[i] = codec_encode(&e, in + 320 * i, 320, packets[i], 1500);
	for (int lost = 20; lost < 45; lost += 3) {
		for (int k = 0; k < 3; k++)
			EXPECT(!codec_dec_open(&d[k], c, NULL));
		for (int i = 0; i < lost; i++)
			for (int k = 0; k < 3; k++)
				EXPECT_INT(codec_decode(&d[k], packets[i], (size_t)bytes[i], whole, 320), 320);
		EXPECT_INT(codec_decode(&d[0], packets[lost], (size_t)bytes[lost], whole, 320), 320);
		EXPECT_INT(codec_recover(&d[1], packets[lost + 1], (size_t)bytes[lost + 1], fec, 320), 320);
		EXPECT_INT(codec_conceal(&d[2], plc, 320), 320);
		better += error_of(whole, fec, 320), worse += error_of(whole, plc, 320);
		for (int k = 0; k < 3; k++)
			codec_dec_close(&d[k]);
	}
	printf("# error of a lost frame: FEC %.0f, concealed %.0f\n", better / 9, worse / 9);
	EXPECT(better < 0.6 * worse);
	EXPECT(!codec_dec_open(&d[0], c, NULL));
	EXPECT_INT(codec_conceal(&d[0], plc, 7), ST_UNSUPPORTED);
	EXPECT_INT(codec_recover(&d[0], packets[0], 0, plc, 320), ST_UNSUPPORTED);
	codec_dec_close(&d[0]);
	codec_enc_close(&e);
	codec_opus_configure(&(struct codec_opus_conf)CODEC_OPUS_CONF_DEFAULT);
	return 0;
}
static int bytes_of(const char *fmtp, const int16_t *in, size_t frame, int count, int *empty)
{
	struct codec_enc e = {0};
	uint8_t x[1500];
	int sum = 0;
	*empty = 0;
	if (codec_enc_open(&e, codec_find_rate("opus", 48000, 2, 16000), fmtp))
		return -1;
	for (int i = 0; i < count; i++) {
		int n = codec_encode(&e, in + (size_t)i * frame, frame, x, sizeof(x));
		sum += n, *empty += !n;
	}
	codec_enc_close(&e);
	return sum;
}
static NO_ROLE_CHECK int test_opus_parameters(void)
{
	static int16_t in[MOST], silent[MOST];
	int none;
	char text[200];
	struct codec_opus_conf conf = CODEC_OPUS_CONF_DEFAULT;

	chirp(in, 16000);
	bytes_of("usedtx=1", silent, 320, 50, &none);
	EXPECT(none > 25);
	bytes_of(NULL, silent, 320, 50, &none);
	EXPECT_INT(none, 0);
	int slow = bytes_of("maxaveragebitrate=8000", in, 320, 50, &none),
	    fast = bytes_of("maxaveragebitrate=510000", in, 320, 50, &none);
	printf("# a second at 8 kbit/s: %d bytes, unlimited: %d\n", slow, fast);
	EXPECT(2 * slow < fast);
	EXPECT_INT(bytes_of("cbr=1", in, 320, 50, &none), 50 * 60); /* 24 kbit/s */
	conf.max_average_bitrate = 12000, conf.max_playback_rate_hz = 16000, conf.max_capture_rate_hz = 12000,
	conf.has_vbr = false, conf.has_dtx = true;
	const struct codec_ops *c = codec_find("opus", 0, 0);
	EXPECT_INT(c->offer_fmtp(c, text, sizeof(text)), ST_OK);
	EXPECT_STR(text, "useinbandfec=1; minptime=10");
	codec_opus_configure(&conf);
	EXPECT_INT(c->offer_fmtp(c, text, sizeof(text)), ST_OK);
	EXPECT_STR(text, "useinbandfec=1; minptime=10; maxaveragebitrate=12000; maxplaybackrate=16000; "
	                 "sprop-maxcapturerate=12000; cbr=1; usedtx=1");
	EXPECT_INT(c->offer_fmtp(c, text, 40), ST_FULL);
	EXPECT_INT(bytes_of(NULL, in, 320, 50, &none), 50 * 30);
	for (uint32_t hz = 8000; hz <= 16000; hz += 8000) { /* 8000: no packet of SILK or CELT that is not narrow */
		struct codec_enc e = {0};
		uint8_t packet[1500];
		conf.max_capture_rate_hz = hz;
		codec_opus_configure(&conf);
		EXPECT(!codec_enc_open(&e, codec_find_rate("opus", 48000, 2, 16000), "maxplaybackrate=48000"));
		EXPECT(codec_encode(&e, in, 320, packet, sizeof(packet)) > 0);
		unsigned mode = packet[0] >> 3;
		EXPECT_INT(mode < 4 || (mode >= 16 && mode < 20), hz == 8000);
		codec_enc_close(&e);
	}
	codec_opus_configure(&(struct codec_opus_conf)CODEC_OPUS_CONF_DEFAULT);
	return 0;
}
/* Packets of two channels, of any length, decoded to one at every rate. */
static NO_ROLE_CHECK int test_opus_stereo(void)
{
	static int16_t in[MOST], out[CODEC_FRAME_SAMPLES_MAX], all[MOST];
	int err, frames[] = {480, 960, 1920, 2880, 5760};
	for (size_t r = 0; codec_at(r); r++) {
		const struct codec_ops *c = codec_at(r);
		if (strcmp(c->name, "opus"))
			continue;
		for (int f = 0; f < 5; f++) {
			OpusEncoder *o = opus_encoder_create(48000, 2, OPUS_APPLICATION_AUDIO, &err);
			struct codec_dec d = {0};
			uint8_t x[4000];
			size_t n = 0;
			EXPECT(!codec_dec_open(&d, c, "stereo=1"));
			opus_encoder_ctl(o, OPUS_SET_BITRATE(96000));
			for (int i = 0; i < 48000 / frames[f]; i++) {
				for (int k = 0; k < frames[f]; k++)
					in[2 * k] = in[2 * k + 1] =
					    (int16_t)(8000 * sin(2 * M_PI * 500 * (i * frames[f] + k) / 48000.0));
				int m = opus_encode(o, in, frames[f], x, sizeof(x)), got;
				EXPECT(m > 0);
				got = codec_decode(&d, x, (size_t)m, out, CODEC_FRAME_SAMPLES_MAX);
				EXPECT_INT(got, (uint32_t)frames[f] * c->rate_hz / 48000);
				memcpy(all + n, out, (size_t)got * 2), n += (size_t)got;
			}
			struct fit t = fit_of(all + n / 2, n / 2, 500, c->rate_hz);
			EXPECT(fabs(20 * log10(t.level / 8000)) < 1 && t.snr_db > 15);
			opus_encoder_destroy(o);
			codec_dec_close(&d);
		}
	}
	return 0;
}

/* How far the tones of left and right are apart, in dB, on the side where they are less. */
static double apart_db(const int16_t *two, size_t n, uint32_t rate_hz, const double hz[2])
{
	static int16_t one[MOST];
	double least = 200;
	for (unsigned side = 0; side < 2; side++) {
		for (size_t i = 0; i < n; i++)
			one[i] = two[2 * i + side];
		double its = fit_of(one, n, hz[side], rate_hz).level, other = fit_of(one, n, hz[!side], rate_hz).level;
		double db = 20 * log10((its + 1e-9) / (other + 1e-9));
		least = db < least ? db : least;
	}
	return least;
}
/* Frames of both channels from first on, n of them, through e and d. */
static int two_through(
    struct codec_enc *e, struct codec_dec *d, const int16_t *in, size_t frame, size_t n, int16_t *out)
{
	uint8_t bytes[CODEC_FRAME_BYTES_MAX];
	for (size_t at = 0; at + frame <= n; at += frame) {
		int m = codec_encode_two(e, in + 2 * at, frame, bytes, sizeof(bytes));
		EXPECT(m > 0);
		EXPECT_INT(codec_decode_two(d, bytes, (size_t)m, out + 2 * at, frame), frame);
	}
	return 0;
}
/* Left stays left, right stays right; what one channel, or a decoder of one, gets and gives in between. */
static int test_two_channels(void)
{
	static const char both[] = "useinbandfec=1; stereo=1; sprop-stereo=1";
	static int16_t in[2 * MOST], out[2 * MOST], mono[MOST], mixed[MOST];
	const double hz[2] = {440, 1000};
	unsigned count = 0;
	for (size_t i = 0; codec_at(i); i++) {
		const struct codec_ops *c = codec_at(i);
		struct codec_enc e = {0};
		struct codec_dec d = {0}, one = {0};
		uint8_t bytes[CODEC_FRAME_BYTES_MAX];
		size_t n = (size_t)c->rate_hz, frame = codec_frame_samples(c, c->ptime_ms);
		if (!c->encode_two) {
			EXPECT_INT(codec_dec_open_two(&d, c, both), ST_UNSUPPORTED);
			EXPECT(!codec_takes_two(c, both) && !codec_sends_two(c, both));
			continue;
		}
		count++;
		for (size_t k = 0; k < n; k++) {
			in[2 * k] = (int16_t)lrint(8000 * sin(2 * M_PI * hz[0] * (double)k / c->rate_hz));
			in[2 * k + 1] = (int16_t)lrint(8000 * sin(2 * M_PI * hz[1] * (double)k / c->rate_hz));
			mono[k] = (int16_t)((in[2 * k] + in[2 * k + 1]) / 2);
		}
		EXPECT(
		    !codec_enc_open(&e, c, both) && !codec_dec_open_two(&d, c, both) && !codec_dec_open(&one, c, both));
		EXPECT(e.channels == 2 && d.channels == 2 && one.channels == 1);
		EXPECT(codec_takes_two(c, both) && codec_sends_two(c, both));
		EXPECT_INT(two_through(&e, &d, in, frame, n, out), 0);
		double db = apart_db(out + n, n / 2, c->rate_hz, hz);
		printf("# %s at %u Hz: %.0f dB apart\n", c->name, c->rate_hz, db);
		EXPECT(db >= 30);
		/* one channel, and two again: by the same encoder; decoders of either hear both */
		for (size_t at = 0; at + frame <= n; at += frame) {
			int m = codec_encode(&e, mono + at, frame, bytes, sizeof(bytes));
			EXPECT(m > 0 && (c->sample_bytes || !(bytes[0] & 4)));
			EXPECT_INT(codec_decode_two(&d, bytes, (size_t)m, out + 2 * at, frame), frame);
			EXPECT_INT(codec_decode(&one, bytes, (size_t)m, mixed + at, frame), frame);
		}
		EXPECT(fabs(apart_db(out + n, n / 2, c->rate_hz, hz)) < 1);
		EXPECT(fit_of(mixed + n / 2, n / 2, hz[0], c->rate_hz).level > 3400);
		EXPECT_INT(two_through(&e, &d, in, frame, n, out), 0);
		EXPECT(apart_db(out + n, n / 2, c->rate_hz, hz) >= 30);
		for (size_t at = 0; at + frame <= n; at += frame) {
			int m = codec_encode_two(&e, in + 2 * at, frame, bytes, sizeof(bytes));
			EXPECT(m > 0);
			EXPECT_INT(codec_decode(&d, bytes, (size_t)m, mixed + at, frame), frame); /* a decoder of two */
		}
		EXPECT(fit_of(mixed + n / 2, n / 2, hz[0], c->rate_hz).level > 3400);
		EXPECT(fit_of(mixed + n / 2, n / 2, hz[1], c->rate_hz).level > 3400);
		EXPECT_INT(codec_decode_two(&d, bytes, 0, out, frame), 0);
		codec_enc_close(&e), codec_dec_close(&d), codec_dec_close(&one);
		if (c->has_two) { /* the far side says so, or else nothing is taken for granted */
			EXPECT(!codec_enc_open(&e, c, "sprop-stereo=1") && e.channels == 1);
			codec_enc_close(&e);
			EXPECT(!codec_takes_two(c, NULL) && !codec_sends_two(c, "stereo=1") &&
			       !codec_takes_two(c, "stereo=0"));
		}
	}
	EXPECT_INT(count, 12);
	EXPECT(codec_store(codec_find("opus", 0, 0), 2) == codec_find("L16", 48000, 2));
	EXPECT(codec_find("L16", 48000, 0)->channels == 1);
	return 0;
}
/* Nothing is written past the end, of two channels either; what is lost is made up within bounds. */
static int test_two_damaged(void)
{
	enum { GUARD = 8 };
	static int16_t out[2 * CODEC_FRAME_SAMPLES_MAX + GUARD];
	uint8_t bytes[700];
	uint32_t r = 1;
	for (size_t i = 0; codec_at(i); i++) {
		const struct codec_ops *c = codec_at(i);
		struct codec_dec d = {0};
		if (!c->decode_two)
			continue;
		EXPECT_INT(codec_dec_open_two(&d, c, NULL), ST_OK);
		for (unsigned turn = 0; turn < 900; turn++) {
			bool is_two = turn % 3;
			size_t n = turn % 301, cap = turn % 7 ? CODEC_FRAME_SAMPLES_MAX : turn,
			       end = is_two ? 2 * cap : cap;
			for (size_t k = 0; k < n; k++)
				bytes[k] = (uint8_t)((r = r * 1664525 + 1013904223) >> 24);
			for (size_t k = end; k < end + GUARD; k++)
				out[k] = 12345;
			int got =
			    is_two ? codec_decode_two(&d, bytes, n, out, cap) : codec_decode(&d, bytes, n, out, cap);
			EXPECT(got <= (int)cap && (got >= 0 || got == ST_PARSE || got == ST_FULL ||
			                              got == ST_UNSUPPORTED || got == ST_INVAL));
			for (size_t k = end; k < end + GUARD; k++)
				EXPECT_INT(out[k], 12345);
		}
		size_t n = c->rate_hz / 50;
		for (size_t k = n; k < n + GUARD; k++)
			out[k] = 12345;
		EXPECT_INT(codec_conceal(&d, out, n), c->plc ? (int)n : ST_UNSUPPORTED);
		EXPECT(codec_recover(&d, bytes, 300, out, n) <= (int)n);
		for (size_t k = n; k < n + GUARD; k++) {
			EXPECT_INT(out[k], 12345);
			out[k + n] = 12345;
		}
		EXPECT_INT(codec_conceal_two(&d, out, n), c->plc ? (int)n : ST_UNSUPPORTED);
		EXPECT(codec_recover_two(&d, bytes, 300, out, n) <= (int)n);
		for (size_t k = 2 * n; k < 2 * n + GUARD; k++)
			EXPECT_INT(out[k], 12345);
		codec_dec_close(&d);
	}
	return 0;
}
/* opus.conf's mono: nobody takes two, whatever he says. */
static NO_ROLE_CHECK int test_opus_mono(void)
{
	struct codec_opus_conf conf = CODEC_OPUS_CONF_DEFAULT;
	const struct codec_ops *c = codec_find("opus", 48000, 2);
	struct codec_enc e = {0};
	conf.is_mono = true;
	codec_opus_configure(&conf);
	EXPECT(!codec_enc_open(&e, c, "stereo=1") && e.channels == 1);
	EXPECT(!codec_takes_two(c, "stereo=1") && !codec_sends_two(c, "sprop-stereo=1"));
	codec_enc_close(&e);
	codec_opus_configure(&(struct codec_opus_conf)CODEC_OPUS_CONF_DEFAULT);
	return 0;
}

TEST_MAIN({"tones", test_tones}, {"speech", test_speech}, {"damaged bytes", test_damaged}, {"frames", test_frames},
    {"G.726 packing", test_g726_packing}, {"DVI4 by definition", test_dvi4}, {"Opus FEC", test_opus_fec},
    {"Opus parameters", test_opus_parameters}, {"Opus stereo", test_opus_stereo}, {"two channels", test_two_channels},
    {"two channels, damaged", test_two_damaged}, {"Opus mono", test_opus_mono})
