/* G.729 (ITU-T G.729 annex A; RTP by RFC 3551 section 4.5.6) by libbcg729. That library is under the GPL-3.0 or later,
 * so is this module as it is linked: it is built apart, with Tandem's public header alone, and the program does without
 * it (G.729 is then passed through).
 *
 * A packet is frames of 10 ms, 10 bytes each; the last may be 2 bytes, annex B's description of silence, which is
 * decoded and never sent. A frame in a file or a packet knows nothing of its neighbours, the decoder does. */
#include <bcg729/decoder.h>
#include <bcg729/encoder.h>
#include <stdlib.h>
#include <string.h>
#include <tandem/module.h>

enum { FRAME_SAMPLES = 80, FRAME_BYTES = 10, SID_BYTES = 2, REPEATS_MAX = 2 };

struct decoder {
	bcg729DecoderChannelContextStruct *channel;
	uint8_t last[FRAME_BYTES]; /* of speech, decoded last */
	int has_last;
	unsigned made_up_count; /* frames lost since */
};

static void *encoder_open(const char *fmtp)
{
	(void)fmtp;
	return initBcg729EncoderChannel(0 /* no annex B */);
}
static void *decoder_open(const char *fmtp)
{
	struct decoder *d = calloc(1, sizeof(*d));

	(void)fmtp;
	if (d)
		d->channel = initBcg729DecoderChannel();
	if (d && !d->channel) {
		free(d);
		return NULL;
	}
	return d;
}
static void encoder_close(void *encoder)
{
	closeBcg729EncoderChannel(encoder);
}
static void decoder_close(void *decoder)
{
	struct decoder *d = decoder;
	closeBcg729DecoderChannel(d->channel);
	free(d);
}

static int encode(void *encoder, const int16_t *in, size_t count, uint8_t *out, size_t capacity)
{
	size_t frames = count / FRAME_SAMPLES, made = 0;

	if (count % FRAME_SAMPLES)
		return TANDEM_INVAL;
	if (frames * FRAME_BYTES > capacity)
		return TANDEM_FULL;
	for (size_t i = 0; i < frames; i++) {
		uint8_t bytes = 0;
		bcg729Encoder(encoder, in + i * FRAME_SAMPLES, out + made, &bytes);
		made += bytes;
	}
	return (int)made;
}

static int decode(void *decoder, const uint8_t *in, size_t bytes, int16_t *out, size_t capacity)
{
	struct decoder *d = decoder;
	size_t frames = bytes / FRAME_BYTES, rest = bytes % FRAME_BYTES;

	if (rest && rest != SID_BYTES)
		return TANDEM_PARSE;
	if ((frames + (rest ? 1 : 0)) * FRAME_SAMPLES > capacity)
		return TANDEM_FULL;
	for (size_t i = 0; i < frames; i++)
		bcg729Decoder(d->channel, in + i * FRAME_BYTES, FRAME_BYTES, 0, 0, 0, out + i * FRAME_SAMPLES);
	if (frames)
		memcpy(d->last, in + (frames - 1) * FRAME_BYTES, FRAME_BYTES);
	d->has_last = frames && !rest;
	d->made_up_count = 0;
	if (rest)
		bcg729Decoder(d->channel, in + bytes - SID_BYTES, SID_BYTES, 0, 1, 0, out + frames * FRAME_SAMPLES);
	return (int)((frames + (rest ? 1 : 0)) * FRAME_SAMPLES);
}

/* The last frame once more is nearer to what was said than what the library makes of a lost one, which fades at once
 * (tests/e2e/test_audio.py measures it): for 20 ms; then the library. */
static int conceal(void *decoder, int16_t *out, size_t count)
{
	struct decoder *d = decoder;

	if (count % FRAME_SAMPLES)
		return TANDEM_UNSUPPORTED;
	for (size_t i = 0; i < count; i += FRAME_SAMPLES) {
		int is_repeated = d->has_last && d->made_up_count < REPEATS_MAX;
		bcg729Decoder(d->channel, d->last, FRAME_BYTES, !is_repeated, 0, 0, out + i);
		d->made_up_count++;
	}
	return (int)count;
}

static const struct tandem_codec g729 = {.bytes = sizeof(g729),
    .name = "G729",
    .title = "G.729",
    .payload_type = 18,
    .clock_hz = 8000,
    .rate_hz = 8000,
    .ptime_ms = 20,
    .ptime_min_ms = 10,
    .ptime_max_ms = 120,
    .bitrate = 8000,
    .frame_samples = FRAME_SAMPLES,
    .encoder_open = encoder_open,
    .decoder_open = decoder_open,
    .encoder_close = encoder_close,
    .decoder_close = decoder_close,
    .encode = encode,
    .decode = decode,
    .conceal = conceal};

static int load(const struct tandem_host *host, struct tandem_self *self)
{
	if (host->bytes < offsetof(struct tandem_host, codec_add) + sizeof(host->codec_add))
		return TANDEM_UNSUPPORTED;
	return host->codec_add(self, &g729);
}

TANDEM_MODULE_EXPORT = {TANDEM_MODULE_HEAD, "mod_g729", "1.0", load, NULL, NULL, NULL};
