/* Speex (RFC 5574) at 8, 16 and 32 kHz by libspeex: frames of 20 ms, of any number of bits, one after the other in a
 * packet, which ends with a terminator or with its last byte. Format parameters: vbr=on|off|vad, mode (RFC 5574
 * section 3.3; of the narrow band only). */
#include "base/mem.h"
#include "codec/codec_i.h"
#include <speex/speex.h>
#include <string.h>

enum {
	SPEEX_FRAMES_MAX = 6,
	SPEEX_PACKET_MAX = SPEEX_FRAMES_MAX * 112 /* bytes; 44 kbit/s is the most there is */,
	SPEEX_QUALITY = 8,
	SPEEX_COMPLEXITY = 3
};

struct spx {
	SpeexBits bits;
	void *lib;
	size_t samples; /* of one frame */
};

static const SpeexMode *mode_of(uint32_t rate_hz)
{
	return speex_lib_get_mode(rate_hz == 8000    ? SPEEX_MODEID_NB
	                          : rate_hz == 16000 ? SPEEX_MODEID_WB
	                                             : SPEEX_MODEID_UWB);
}
static struct spx *spx_new(const struct codec_ops *ops)
{
	struct spx *s = mem_zalloc(sizeof(*s));
	if (s) {
		speex_bits_init(&s->bits);
		s->samples = ops->frame_samples;
	}
	return s;
}
static int enc_open(const struct codec_ops *ops, const char *fmtp, void **out)
{
	struct spx *s = spx_new(ops);
	spx_int32_t quality = SPEEX_QUALITY, complexity = SPEEX_COMPLEXITY, on = 1;
	struct sv v;

	if (!s)
		return ST_NOMEM;
	s->lib = speex_encoder_init(mode_of(ops->rate_hz));
	speex_encoder_ctl(s->lib, SPEEX_SET_QUALITY, &quality);
	speex_encoder_ctl(s->lib, SPEEX_SET_COMPLEXITY, &complexity);
	if (codec_fmtp_get(fmtp, "vbr", &v) && sv_isi(v, "on"))
		speex_encoder_ctl(s->lib, SPEEX_SET_VBR, &on);
	if (codec_fmtp_get(fmtp, "vbr", &v) && sv_isi(v, "vad"))
		speex_encoder_ctl(s->lib, SPEEX_SET_VAD, &on);
	*out = s;
	return ST_OK;
}
static int dec_open(const struct codec_ops *ops, const char *fmtp, void **out)
{
	struct spx *s = spx_new(ops);
	spx_int32_t enhances = 1;

	if (!s)
		return ST_NOMEM;
	s->lib = speex_decoder_init(mode_of(ops->rate_hz));
	speex_decoder_ctl(s->lib, SPEEX_SET_ENH, &enhances);
	*out = s;
	return ST_OK;
}
static void spx_free(struct spx *s)
{
	speex_bits_destroy(&s->bits);
	mem_free(s);
}
static void enc_close(void *state)
{
	speex_encoder_destroy(((struct spx *)state)->lib);
	spx_free(state);
}
static void dec_close(void *state)
{
	speex_decoder_destroy(((struct spx *)state)->lib);
	spx_free(state);
}
static int encode(void *state, const int16_t *in, size_t n, uint8_t *out, size_t cap)
{
	struct spx *s = state;
	if (n % s->samples)
		return ST_INVAL;
	speex_bits_reset(&s->bits);
	for (size_t i = 0; i < n; i += s->samples) {
		spx_int16_t pcm[640]; /* the library may change what it is given */
		memcpy(pcm, in + i, s->samples * sizeof(*pcm));
		speex_encode_int(s->lib, pcm, &s->bits);
	}
	speex_bits_insert_terminator(&s->bits);
	if ((size_t)speex_bits_nbytes(&s->bits) > cap)
		return ST_FULL;
	return speex_bits_write(&s->bits, (char *)out, (int)cap);
}
/* The library tells stderr of every mode it does not know: what it would be told is looked through before. A packet is
 * a row of parts: five bits and a frame of the narrow band, or a layer above it (one more bit, three of its mode), two
 * of which may follow each other; a terminator, or too few bits for anything, ends it. */
static bool is_packet_sane(const uint8_t *in, size_t n)
{
	static const uint16_t frames[16] = {5, 43, 119, 160, 220, 300, 364, 492, 79};
	static const uint16_t layers[8] = {4, 36, 112, 192, 352};
	size_t at = 0, end = n * 8;
	unsigned layer_count = 0;

	while (end - at >= 5) {
		unsigned head = 0;
		for (size_t i = at; i < at + 5; i++)
			head = head << 1 | (in[i / 8] >> (7 - i % 8) & 1u);
		if (head == 15)
			return true;
		size_t bits = head & 16 ? layers[head >> 1 & 7] : frames[head];
		layer_count = head & 16 ? layer_count + 1 : 0;
		if (at == 0 && head & 16) /* none begins with a layer */
			return false;
		bool is_second_rich = layer_count == 2 && bits > 36; /* the third band has one mode */
		if (!bits || bits > end - at || layer_count > 2 || is_second_rich)
			return false;
		at += bits;
	}
	return true;
}
static int decode(void *state, const uint8_t *in, size_t n, int16_t *out, size_t cap)
{
	struct spx *s = state;
	size_t made = 0;
	int st = 0;

	if (n > SPEEX_PACKET_MAX || !is_packet_sane(in, n)) /* the library would grow its buffer, and say so */
		return ST_PARSE;
	speex_bits_read_from(&s->bits, (const char *)in, (int)n);
	for (int i = 0; i < SPEEX_FRAMES_MAX && n && speex_bits_remaining(&s->bits) >= 5; i++) {
		if (made + s->samples > cap)
			return ST_FULL;
		st = speex_decode_int(s->lib, &s->bits, out + made);
		if (st)
			break;
		made += s->samples;
	}
	return st == -2 ? ST_PARSE : (int)made;
}
static int plc(void *state, int16_t *out, size_t n)
{
	struct spx *s = state;
	if (n % s->samples)
		return ST_UNSUPPORTED;
	for (size_t i = 0; i < n; i += s->samples)
		speex_decode_int(s->lib, NULL, out + i);
	return (int)n;
}
static size_t frame_bytes(const struct codec_ops *c, unsigned ptime_ms)
{
	return (size_t)ptime_ms / 20 * (c->rate_hz == 8000 ? 63 : 110) + 1;
}

#define ROW(hz) \
	{ \
		.name = "speex", .title = "Speex", .pt = -1, .clock_hz = hz, .rate_hz = hz, .channels = 1, \
		.ptime_ms = 20, .ptime_min_ms = 20, .ptime_max_ms = 120, .frame_samples = hz / 50, \
		.frame_bytes = frame_bytes, .enc_open = enc_open, .dec_open = dec_open, .enc_close = enc_close, \
		.dec_close = dec_close, .encode = encode, .decode = decode, .plc = plc \
	}
const struct codec_ops speex_rows[SPEEX_ROWS] = {ROW(8000), ROW(16000), ROW(32000)};
