/* Opus (RFC 6716, RTP by RFC 7587) by libopus. On the wire it is opus/48000/2 whatever it carries; a row a sampling
 * rate says at which rate the samples are taken and given here, and the library codes at it directly, without a
 * resampler. Two channels are coded while there are two to code, for a far side that says stereo=1; with the first
 * frame of one channel the encoder begins anew with one, in the same memory, so that who never has two pays for none.
 * What comes in stereo is mixed down by the decoder, which RFC 7587 demands of every receiver, unless it was opened for
 * two. How it is coded: the far side's format parameters bound what the configuration (opus.conf) wishes. A frame in
 * which nothing happens (DTX) is no packet: encode gives 0. */
#include "base/mem.h"
#include "codec/codec_i.h"
#include "dsp/mix.h"
#include <opus/opus.h>
#include <stdio.h>

enum {
	BITRATE_MIN = 6000,
	BITRATE_MAX = 510000,
	FEC_BITRATE_MIN = 24000, /* below, libopus leaves the frame before out, or the frame itself suffers */
	DTX_BYTES = 2,
	/* Told of more loss than this, libopus 1.3 codes even music as speech, for the sake of FEC, and that runs the
	 * channels into each other (10 to 20 dB apart instead of 60). */
	MUSIC_LOSS_PERCENT_MAX = 8
};

static struct codec_opus_conf conf = CODEC_OPUS_CONF_DEFAULT;

void codec_opus_configure(const struct codec_opus_conf *c)
{
	conf = *c;
}

/* What is asked of a bit rate: the configuration's, else good speech at that rate (twice of it for two channels) and
 * what is needed to keep FEC, never more than the far side takes. */
static opus_int32 bitrate_of(uint32_t rate_hz, unsigned channels, const char *fmtp, bool keeps_fec)
{
	uint32_t rate = conf.max_average_bitrate ? conf.max_average_bitrate
	                : rate_hz <= 8000        ? 16000 * channels
	                : rate_hz <= 16000       ? 24000 * channels
	                                         : 32000 * channels;
	uint32_t theirs = codec_fmtp_u32(fmtp, "maxaveragebitrate", BITRATE_MAX);
	if (keeps_fec && rate < FEC_BITRATE_MIN)
		rate = FEC_BITRATE_MIN;
	rate = rate < theirs ? rate : theirs;
	return (opus_int32)(rate < BITRATE_MIN ? BITRATE_MIN : rate > BITRATE_MAX ? BITRATE_MAX : rate);
}
static opus_int32 bandwidth_of(uint32_t playback_hz)
{
	return playback_hz < 12000   ? OPUS_BANDWIDTH_NARROWBAND
	       : playback_hz < 16000 ? OPUS_BANDWIDTH_MEDIUMBAND
	       : playback_hz < 24000 ? OPUS_BANDWIDTH_WIDEBAND
	       : playback_hz < 48000 ? OPUS_BANDWIDTH_SUPERWIDEBAND
	                             : OPUS_BANDWIDTH_FULLBAND;
}
static bool has_two(const char *fmtp, bool takes)
{
	return !conf.is_mono && codec_fmtp_u32(fmtp, takes ? "stereo" : "sprop-stereo", 0) == 1;
}

/* What decides how frames are coded, kept for the next time that the number of channels becomes another. */
struct enc {
	uint32_t rate_hz;
	uint8_t channels;
	bool has_fec, is_cbr, has_dtx;
	uint8_t complexity, packet_loss_percent;
	opus_int32 bitrates[2], bandwidth; /* bitrates: of one channel, of two */
	_Alignas(void *) uint8_t lib[];
};
static OpusEncoder *lib_of(struct enc *e)
{
	return (OpusEncoder *)(void *)e->lib;
}
/* Begins anew; takes no memory. */
static int enc_begin(struct enc *e, unsigned channels)
{
	OpusEncoder *o = lib_of(e);
	bool is_two = channels == 2;
	int loss =
	    is_two && e->packet_loss_percent > MUSIC_LOSS_PERCENT_MAX ? MUSIC_LOSS_PERCENT_MAX : e->packet_loss_percent;
	if (opus_encoder_init(
	        o, (opus_int32)e->rate_hz, (int)channels, is_two ? OPUS_APPLICATION_AUDIO : OPUS_APPLICATION_VOIP))
		return ST_UNSUPPORTED;
	opus_encoder_ctl(o, OPUS_SET_COMPLEXITY(e->complexity));
	opus_encoder_ctl(o, OPUS_SET_BITRATE(e->bitrates[is_two]));
	opus_encoder_ctl(o, OPUS_SET_MAX_BANDWIDTH(e->bandwidth));
	opus_encoder_ctl(o, OPUS_SET_VBR(!e->is_cbr));
	opus_encoder_ctl(o, OPUS_SET_DTX(e->has_dtx));
	opus_encoder_ctl(o, OPUS_SET_INBAND_FEC(e->has_fec));
	opus_encoder_ctl(o, OPUS_SET_PACKET_LOSS_PERC(loss));
	opus_encoder_ctl(o, OPUS_SET_SIGNAL(is_two ? OPUS_SIGNAL_MUSIC : OPUS_SIGNAL_VOICE));
	e->channels = (uint8_t)channels;
	return ST_OK;
}
static int enc_open(const struct codec_ops *ops, const char *fmtp, void **out)
{
	struct enc *e = mem_zalloc(sizeof(*e) + (size_t)opus_encoder_get_size(has_two(fmtp, true) ? 2 : 1));
	if (!e)
		return ST_NOMEM;
	e->rate_hz = ops->rate_hz;
	e->has_fec = codec_fmtp_u32(fmtp, "useinbandfec", 0) == 1;
	e->is_cbr = !conf.has_vbr || codec_fmtp_u32(fmtp, "cbr", 0) == 1;
	e->has_dtx = conf.has_dtx || codec_fmtp_u32(fmtp, "usedtx", 0) == 1;
	e->complexity = conf.complexity;
	e->packet_loss_percent = e->has_fec ? conf.packet_loss_percent : 0;
	for (unsigned i = 0; i < 2; i++)
		e->bitrates[i] = bitrate_of(ops->rate_hz, i + 1, fmtp, e->has_fec && conf.keeps_fec);
	uint32_t playback_hz = codec_fmtp_u32(fmtp, "maxplaybackrate", 48000), capture_hz = conf.max_capture_rate_hz;
	e->bandwidth = bandwidth_of(capture_hz && capture_hz < playback_hz ? capture_hz : playback_hz);
	int st = enc_begin(e, 1);
	if (st)
		mem_free(e);
	else
		*out = e;
	return st;
}

struct dec {
	uint8_t channels;
	_Alignas(void *) uint8_t lib[];
};
static int dec_new(const struct codec_ops *ops, unsigned channels, void **out)
{
	struct dec *d = mem_zalloc(sizeof(*d) + (size_t)opus_decoder_get_size((int)channels));
	if (!d)
		return ST_NOMEM;
	if (opus_decoder_init((OpusDecoder *)(void *)d->lib, (opus_int32)ops->rate_hz, (int)channels)) {
		mem_free(d);
		return ST_UNSUPPORTED;
	}
	d->channels = (uint8_t)channels;
	*out = d;
	return ST_OK;
}
static int dec_open(const struct codec_ops *ops, const char *fmtp, void **out)
{
	return dec_new(ops, 1, out);
}
static int dec_open_two(const struct codec_ops *ops, const char *fmtp, void **out)
{
	return dec_new(ops, 2, out);
}
static int status_of(int n)
{
	return n >= 0                       ? n
	       : n == OPUS_BUFFER_TOO_SMALL ? ST_FULL
	       : n == OPUS_BAD_ARG          ? ST_INVAL
	       : n == OPUS_INVALID_PACKET   ? ST_PARSE
	                                    : ST_UNSUPPORTED;
}
static int encode_in(struct enc *e, unsigned channels, const int16_t *in, size_t n, uint8_t *out, size_t cap)
{
	if (e->channels != channels && enc_begin(e, channels))
		return ST_UNSUPPORTED;
	int made = status_of(opus_encode(lib_of(e), in, (int)n, out, (opus_int32)cap));
	return made <= DTX_BYTES && made > 0 ? 0 : made;
}
static int encode(void *state, const int16_t *in, size_t n, uint8_t *out, size_t cap)
{
	return encode_in(state, 1, in, n, out, cap);
}
static int encode_two(void *state, const int16_t *in, size_t n, uint8_t *out, size_t cap)
{
	return encode_in(state, 2, in, n, out, cap);
}
/* One packet, or what is made up for one (in NULL), in as many channels as the decoder has. */
static int decode_in(struct dec *d, const uint8_t *in, size_t bytes, int16_t *out, size_t n, bool is_fec)
{
	return status_of(
	    opus_decode((OpusDecoder *)(void *)d->lib, in, (opus_int32)bytes, out, (int)n, is_fec ? 1 : 0));
}
/* The same in one, mixed down here where the decoder has two: others want both of the same packet. */
static int decode_one(struct dec *d, const uint8_t *in, size_t bytes, int16_t *out, size_t n, bool is_fec)
{
	int16_t both[2 * CODEC_FRAME_SAMPLES_MAX];
	if (d->channels == 1)
		return decode_in(d, in, bytes, out, n, is_fec);
	int got = decode_in(d, in, bytes, both, n < CODEC_FRAME_SAMPLES_MAX ? n : CODEC_FRAME_SAMPLES_MAX, is_fec);
	if (got > 0)
		mix_downmix(out, both, (size_t)got, 2);
	return got;
}
static int decode(void *state, const uint8_t *in, size_t n, int16_t *out, size_t cap)
{
	return n ? decode_one(state, in, n, out, cap, false) : 0;
}
static int decode_two(void *state, const uint8_t *in, size_t n, int16_t *out, size_t cap)
{
	return n ? decode_in(state, in, n, out, cap, false) : 0;
}
/* Samples in place of lost ones are whole 2.5 ms. */
static bool is_whole(struct dec *d, size_t n)
{
	opus_int32 rate = 48000;
	opus_decoder_ctl((OpusDecoder *)(void *)d->lib, OPUS_GET_SAMPLE_RATE(&rate));
	return n && n % ((size_t)rate / 400) == 0;
}
static int plc(void *state, int16_t *out, size_t n)
{
	return is_whole(state, n) ? decode_one(state, NULL, 0, out, n, false) : ST_UNSUPPORTED;
}
static int recover(void *state, const uint8_t *next, size_t bytes, int16_t *out, size_t n)
{
	return bytes && is_whole(state, n) ? decode_one(state, next, bytes, out, n, true) : ST_UNSUPPORTED;
}
static int plc_two(void *state, int16_t *out, size_t n)
{
	return is_whole(state, n) ? decode_in(state, NULL, 0, out, n, false) : ST_UNSUPPORTED;
}
static int recover_two(void *state, const uint8_t *next, size_t bytes, int16_t *out, size_t n)
{
	return bytes && is_whole(state, n) ? decode_in(state, next, bytes, out, n, true) : ST_UNSUPPORTED;
}
static size_t frame_bytes(const struct codec_ops *c, unsigned ptime_ms)
{
	return 1275 + (ptime_ms > 60 ? 200 : 0);
}
static int offer_fmtp(const struct codec_ops *ops, char *out, size_t cap)
{
	int n = snprintf(
	    out, cap, "%s%sminptime=10", conf.advertises_fec ? "useinbandfec=1" : "", conf.advertises_fec ? "; " : "");
	if (conf.max_average_bitrate && n > 0 && (size_t)n < cap)
		n += snprintf(out + n, cap - (size_t)n, "; maxaveragebitrate=%u", conf.max_average_bitrate);
	if (conf.max_playback_rate_hz && n > 0 && (size_t)n < cap)
		n += snprintf(out + n, cap - (size_t)n, "; maxplaybackrate=%u", conf.max_playback_rate_hz);
	if (conf.max_capture_rate_hz && n > 0 && (size_t)n < cap)
		n += snprintf(out + n, cap - (size_t)n, "; sprop-maxcapturerate=%u", conf.max_capture_rate_hz);
	if (!conf.has_vbr && n > 0 && (size_t)n < cap)
		n += snprintf(out + n, cap - (size_t)n, "; cbr=1");
	if (conf.has_dtx && n > 0 && (size_t)n < cap)
		n += snprintf(out + n, cap - (size_t)n, "; usedtx=1");
	return n > 0 && (size_t)n < cap ? ST_OK : ST_FULL;
}

#define ROW(hz) \
	{ \
		.name = "opus", .title = "OPUS (STANDARD)", .pt = -1, .clock_hz = 48000, .rate_hz = hz, .channels = 2, \
		.ptime_ms = 20, .ptime_min_ms = 10, .ptime_max_ms = 120, .frame_samples = hz / 100, \
		.frame_bytes = frame_bytes, .enc_open = enc_open, .dec_open = dec_open, .enc_close = mem_free, \
		.dec_close = mem_free, .encode = encode, .decode = decode, .plc = plc, .recover = recover, \
		.dec_open_two = dec_open_two, .encode_two = encode_two, .decode_two = decode_two, .plc_two = plc_two, \
		.recover_two = recover_two, .has_two = has_two, .offer_fmtp = offer_fmtp \
	}
const struct codec_ops opus_rows[OPUS_ROWS] = {ROW(48000), ROW(8000), ROW(12000), ROW(16000), ROW(24000)};
