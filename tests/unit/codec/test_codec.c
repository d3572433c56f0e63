/* G.711 against the ITU's definition for every sample and every code; L16; the table. */
#include "base/mem.h"
#include "codec/codec.h"
#include "harness.h"
#include <stdlib.h>
#include <string.h>

/* The definition written slowly: mu-law on 14 bits with a bias of 33, segments doubling, all bits inverted. */
static int ulaw_by_definition(int s)
{
	int is_neg = s < 0, mag = (is_neg ? ~s : s) / 4 + 33, seg = 0, low = 64;
	if (mag > 8191)
		mag = 8191;
	while (mag >= low) {
		low *= 2;
		seg++;
	}
	return 255 - ((is_neg ? 128 : 0) + seg * 16 + (mag - low / 2) / (low / 32));
}
/* A-law on 13 bits: the first segment is linear, even bits inverted. */
static int alaw_by_definition(int s)
{
	int is_pos = s >= 0, mag = (is_pos ? s : ~s) / 16, seg = 0, low = 16, code;
	while (mag >= low * 2) {
		low *= 2;
		seg++;
	}
	code = mag < 16 ? mag : (seg + 1) * 16 + (mag - low) / (low / 16);
	return (code + (is_pos ? 128 : 0)) ^ 0x55;
}

static int test_encode_all(void)
{
	for (int s = -32768; s <= 32767; s++) {
		EXPECT_INT(g711_ulaw_encode((int16_t)s), ulaw_by_definition(s));
		EXPECT_INT(g711_alaw_encode((int16_t)s), alaw_by_definition(s));
	}
	return 0;
}
/* Every decoded value is the middle of the interval of samples that are encoded so. */
static int test_decode_all(void)
{
	for (int law = 0; law < 2; law++) {
		int low[256], high[256];
		for (int c = 0; c < 256; c++)
			low[c] = 40000, high[c] = -40000;
		for (int s = -32768; s <= 32767; s++) {
			int c = law ? g711_alaw_encode((int16_t)s) : g711_ulaw_encode((int16_t)s);
			low[c] = s < low[c] ? s : low[c];
			high[c] = s > high[c] ? s : high[c];
		}
		for (int c = 0; c < 256; c++) {
			int v = law ? g711_alaw_decode((uint8_t)c) : g711_ulaw_decode((uint8_t)c);
			if (!law && c == 0x7f) { /* minus zero: the ITU gives it the value 0 */
				EXPECT_INT(v, 0);
				continue;
			}
			EXPECT(high[c] >= low[c]);
			/* the outermost mu-law interval is open to full scale: its value is 32124 */
			if (abs(v) == 32124)
				continue;
			EXPECT(v >= low[c] && v <= high[c] + 1);
			EXPECT(abs(2 * v - (low[c] + high[c])) <= 6);
		}
	}
	return 0;
}
static int test_known_values(void)
{
	EXPECT_INT(g711_ulaw_encode(0), 0xff);
	EXPECT_INT(g711_ulaw_decode(0x80), 32124);
	EXPECT_INT(g711_ulaw_decode(0x00), -32124);
	EXPECT_INT(g711_alaw_encode(0), 0xd5);
	EXPECT_INT(g711_alaw_decode(0xaa), 32256);
	EXPECT_INT(g711_alaw_decode(0x2a), -32256);
	EXPECT_INT(g711_alaw_decode(0xd5), 8);
	return 0;
}
static int test_translate(void)
{
	const struct codec_ops *u = codec_find("pcmu", 0, 0), *a = codec_find("PCMA", 8000, 1),
	                       *l = codec_find("L16", 8000, 0);
	uint8_t in[256], out[256];

	EXPECT(u && a && l);
	for (int i = 0; i < 256; i++)
		in[i] = (uint8_t)i;
	EXPECT(codec_translate(u, a, in, out, 256));
	for (int i = 0; i < 256; i++)
		EXPECT_INT(out[i], g711_alaw_encode(g711_ulaw_decode((uint8_t)i)));
	EXPECT(codec_translate(a, u, in, out, 256));
	for (int i = 0; i < 256; i++)
		EXPECT_INT(out[i], g711_ulaw_encode(g711_alaw_decode((uint8_t)i)));
	EXPECT(codec_translate(u, a, in, in, 256)); /* in place */
	EXPECT_INT(in[0x55], g711_alaw_of_ulaw[0x55]);
	EXPECT(!codec_translate(u, u, in, out, 256));
	EXPECT(!codec_translate(u, l, in, out, 256));
	return 0;
}
static int test_round_trip(void)
{
	for (size_t i = 0; codec_at(i); i++) {
		const struct codec_ops *c = codec_at(i);
		int16_t in[CODEC_FRAME_SAMPLES_MAX], out[CODEC_FRAME_SAMPLES_MAX];
		uint8_t bytes[CODEC_FRAME_BYTES_MAX];
		size_t n = codec_frame_samples(c, c->ptime_ms);
		int m;

		if (!c->sample_bytes) /* test_codecs.c */
			continue;
		for (size_t k = 0; k < n; k++)
			in[k] = (int16_t)(k * 977 % 65536 - 32768);
		struct codec_enc e;
		struct codec_dec d;
		EXPECT_INT(codec_enc_open(&e, c, NULL), ST_OK);
		EXPECT_INT(codec_dec_open(&d, c, NULL), ST_OK);
		m = codec_encode(&e, in, n, bytes, sizeof(bytes));
		EXPECT_INT(m, c->frame_bytes(c, c->ptime_ms));
		EXPECT_INT(codec_decode(&d, bytes, (size_t)m, out, n), n);
		for (size_t k = 0; k < n; k++)
			EXPECT(abs(out[k] - in[k]) <= (c->pt == 0 || c->pt == 8 ? 1024 : 0));
		EXPECT_INT(codec_encode(&e, in, n, bytes, (size_t)m - 1), ST_FULL);
		EXPECT_INT(codec_decode(&d, bytes, (size_t)m, out, n - 1), ST_FULL);
		EXPECT_INT(codec_decode(&d, bytes, 0, out, n), 0);
		EXPECT_INT(c->sample_bytes * n, m);
		EXPECT(codec_store(c, 1) == c);
		EXPECT_INT(codec_conceal(&d, out, n), ST_UNSUPPORTED);
		codec_enc_close(&e);
		codec_dec_close(&d);
		EXPECT(!e.ops && !d.ops);
		EXPECT(codec_find(c->name, c->clock_hz, c->channels) == c);
		EXPECT(codec_frame_samples(c, 120) <= CODEC_FRAME_SAMPLES_MAX);
	}
	return 0;
}
static int test_l16(void)
{
	const struct codec_ops *c = codec_find("L16", 16000, 1);
	const int16_t in[2] = {0x1234, -2};
	const uint8_t odd[3] = {1, 2, 3};
	uint8_t out[4];
	int16_t back[4];

	EXPECT_INT(c->encode(NULL, in, 2, out, 4), 4);
	EXPECT(!memcmp(out, "\x12\x34\xff\xfe", 4));
	EXPECT_INT(c->decode(NULL, odd, 3, back, 4), ST_PARSE);
	EXPECT(!codec_find("L16", 11111, 1) && !codec_find("iLBC", 0, 0) && !codec_find(NULL, 0, 0));
	return 0;
}

/* A codec with memory: what it says is the difference to the sample before, its first is what the format parameters
 * say. */
struct step {
	int16_t last;
};
static int live_count;
static int step_open(const struct codec_ops *ops, const char *fmtp, void **out)
{
	struct step *s = mem_zalloc(sizeof(*s));
	if (fmtp && strncmp(fmtp, "start=", 6)) {
		mem_free(s);
		return ST_UNSUPPORTED;
	}
	s->last = (int16_t)(fmtp ? atoi(fmtp + 6) : 0);
	live_count++;
	*out = s;
	return ST_OK;
}
static void step_close(void *state)
{
	live_count--;
	mem_free(state);
}
static int step_encode(void *state, const int16_t *in, size_t n, uint8_t *out, size_t cap)
{
	struct step *s = state;
	for (size_t i = 0; i < n; s->last = in[i++])
		out[2 * i] = (uint8_t)((in[i] - s->last) >> 8), out[2 * i + 1] = (uint8_t)(in[i] - s->last);
	return (int)(2 * n);
}
static int step_decode(void *state, const uint8_t *in, size_t n, int16_t *out, size_t cap)
{
	struct step *s = state;
	for (size_t i = 0; i < n / 2; i++)
		out[i] = s->last = (int16_t)(s->last + (int16_t)(in[2 * i] << 8 | in[2 * i + 1]));
	return (int)(n / 2);
}
static int step_plc(void *state, int16_t *out, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = ((struct step *)state)->last;
	return (int)n;
}
static const struct codec_ops step = {.name = "STEP",
    .pt = -1,
    .clock_hz = 16000,
    .rate_hz = 16000,
    .channels = 1,
    .ptime_ms = 20,
    .enc_open = step_open,
    .dec_open = step_open,
    .enc_close = step_close,
    .dec_close = step_close,
    .encode = step_encode,
    .decode = step_decode,
    .plc = step_plc};

static int test_state(void)
{
	static const int16_t in[4] = {1000, -2000, 30000, 30000};
	struct codec_enc e = {0};
	struct codec_dec d = {0};
	uint8_t bytes[8];
	int16_t out[4];
	EXPECT_INT(codec_add(&step), ST_OK);
	EXPECT_INT(codec_add(&step), ST_EXISTS);
	EXPECT(codec_find("step", 16000, 1) == &step);
	EXPECT(codec_store(&step, 1) == codec_find("L16", 16000, 1));
	EXPECT_INT(codec_enc_open(&e, &step, "nonsense"), ST_UNSUPPORTED);
	EXPECT(!e.ops && !live_count);
	EXPECT_INT(codec_enc_open(&e, &step, "start=7"), ST_OK);
	EXPECT_INT(codec_dec_open(&d, &step, "start=7"), ST_OK);
	for (int turn = 0; turn < 2; turn++) { /* the second turn goes on from the first */
		EXPECT_INT(codec_encode(&e, in, 4, bytes, 8), 8);
		EXPECT_INT(codec_decode(&d, bytes, 8, out, 4), 4);
		EXPECT(!memcmp(in, out, sizeof(in)));
	}
	EXPECT_INT(codec_conceal(&d, out, 3), 3);
	EXPECT(out[0] == 30000 && out[2] == 30000);
	codec_enc_close(&e);
	codec_dec_close(&d);
	codec_dec_close(&d);
	EXPECT_INT(live_count, 0);
	return 0;
}

TEST_MAIN({"encode all", test_encode_all}, {"decode all", test_decode_all}, {"known values", test_known_values},
    {"translate", test_translate}, {"round trip", test_round_trip}, {"l16", test_l16},
    {"a codec with memory", test_state, 0})
