/* Opus (RFC 6716, RTP by RFC 7587) by libopus. On the wire it is opus/48000/2 whatever it carries; a row a sampling
 * rate says at which rate the samples are taken and given here, and the library codes at it directly, without a
 * resampler. One channel: what comes in stereo is mixed down by the decoder, which RFC 7587 demands of every receiver.
 * How it is coded: the far side's format parameters bound what the configuration (opus.conf) wishes. A frame in which
 * nothing happens (DTX) is no packet: encode gives 0. */
#include "base/mem.h"
#include "codec/codec_i.h"
#include <opus/opus.h>
#include <stdio.h>

enum {
	BITRATE_MIN = 6000,
	BITRATE_MAX = 510000,
	FEC_BITRATE_MIN = 24000, /* below, libopus leaves the frame before out, or the frame itself suffers */
	DTX_BYTES = 2
};

static struct codec_opus_conf conf = CODEC_OPUS_CONF_DEFAULT;

void codec_opus_configure(const struct codec_opus_conf *c)
{
	conf = *c;
}

/* What is asked of a bit rate: the configuration's, else good speech at that rate and what is needed to keep FEC, never
 * more than the far side takes. */
static opus_int32 bitrate_of(uint32_t rate_hz, const char *fmtp, bool keeps_fec)
{
	uint32_t rate = conf.max_average_bitrate ? conf.max_average_bitrate
	                : rate_hz <= 8000        ? 16000
	                : rate_hz <= 16000       ? 24000
	                                         : 32000;
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
static int enc_open(const struct codec_ops *ops, const char *fmtp, void **out)
{
	OpusEncoder *e = mem_zalloc((size_t)opus_encoder_get_size(1));
	bool has_fec = codec_fmtp_u32(fmtp, "useinbandfec", 0) == 1;
	bool is_cbr = !conf.has_vbr || codec_fmtp_u32(fmtp, "cbr", 0) == 1;
	bool has_dtx = conf.has_dtx || codec_fmtp_u32(fmtp, "usedtx", 0) == 1;

	if (!e)
		return ST_NOMEM;
	if (opus_encoder_init(e, (opus_int32)ops->rate_hz, 1, OPUS_APPLICATION_VOIP)) {
		mem_free(e);
		return ST_UNSUPPORTED;
	}
	opus_encoder_ctl(e, OPUS_SET_COMPLEXITY(conf.complexity));
	opus_encoder_ctl(e, OPUS_SET_BITRATE(bitrate_of(ops->rate_hz, fmtp, has_fec && conf.keeps_fec)));
	opus_encoder_ctl(e, OPUS_SET_MAX_BANDWIDTH(bandwidth_of(codec_fmtp_u32(fmtp, "maxplaybackrate", 48000))));
	opus_encoder_ctl(e, OPUS_SET_VBR(!is_cbr));
	opus_encoder_ctl(e, OPUS_SET_DTX(has_dtx));
	opus_encoder_ctl(e, OPUS_SET_INBAND_FEC(has_fec));
	opus_encoder_ctl(e, OPUS_SET_PACKET_LOSS_PERC(has_fec ? conf.packet_loss_percent : 0));
	opus_encoder_ctl(e, OPUS_SET_SIGNAL(OPUS_SIGNAL_VOICE));
	*out = e;
	return ST_OK;
}
static int dec_open(const struct codec_ops *ops, const char *fmtp, void **out)
{
	OpusDecoder *d = mem_zalloc((size_t)opus_decoder_get_size(1));
	if (!d)
		return ST_NOMEM;
	if (opus_decoder_init(d, (opus_int32)ops->rate_hz, 1)) {
		mem_free(d);
		return ST_UNSUPPORTED;
	}
	*out = d;
	return ST_OK;
}
static int status_of(int n)
{
	return n >= 0                       ? n
	       : n == OPUS_BUFFER_TOO_SMALL ? ST_FULL
	       : n == OPUS_BAD_ARG          ? ST_INVAL
	       : n == OPUS_INVALID_PACKET   ? ST_PARSE
	                                    : ST_UNSUPPORTED;
}
static int encode(void *state, const int16_t *in, size_t n, uint8_t *out, size_t cap)
{
	int made = status_of(opus_encode(state, in, (int)n, out, (opus_int32)cap));
	return made <= DTX_BYTES && made > 0 ? 0 : made;
}
static int decode(void *state, const uint8_t *in, size_t n, int16_t *out, size_t cap)
{
	return n ? status_of(opus_decode(state, in, (opus_int32)n, out, (int)cap, 0)) : 0;
}
/* Samples in place of lost ones are whole 2.5 ms. */
static bool is_whole(OpusDecoder *d, size_t n)
{
	opus_int32 rate = 48000;
	opus_decoder_ctl(d, OPUS_GET_SAMPLE_RATE(&rate));
	return n && n % ((size_t)rate / 400) == 0;
}
static int plc(void *state, int16_t *out, size_t n)
{
	return is_whole(state, n) ? status_of(opus_decode(state, NULL, 0, out, (int)n, 0)) : ST_UNSUPPORTED;
}
static int recover(void *state, const uint8_t *next, size_t bytes, int16_t *out, size_t n)
{
	return bytes && is_whole(state, n) ? status_of(opus_decode(state, next, (opus_int32)bytes, out, (int)n, 1))
	                                   : ST_UNSUPPORTED;
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
		.offer_fmtp = offer_fmtp \
	}
const struct codec_ops opus_rows[OPUS_ROWS] = {ROW(48000), ROW(8000), ROW(12000), ROW(16000), ROW(24000)};
