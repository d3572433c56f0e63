/* Codecs: one constant table entry each, and what encodes or decodes one direction of a stream. Samples are int16 at
 * rate_hz, one channel: a codec of more mixes down in decode and doubles in encode. A codec that can do two channels
 * has a second pair, encode_two and decode_two, of interleaved samples, for the few who want them. Nothing allocates in
 * encode, decode or plc; open and close do, on control or a worker. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CODEC_FRAME_SAMPLES_MAX = 5760 /* 120 ms at 48 kHz, one channel */,
	CODEC_FRAME_BYTES_MAX = 4 * CODEC_FRAME_SAMPLES_MAX /* of two channels */
};

struct codec_ops {
	const char *name;  /* as in SDP; matched case-insensitively */
	const char *title; /* FreeSWITCH's name in `show codec`: "G.711 ulaw" */
	int16_t pt;        /* RFC 3551's number, -1 = dynamic */
	uint32_t clock_hz; /* RTP clock */
	uint32_t rate_hz;  /* samples */
	uint8_t channels;  /* as in SDP */
	uint16_t ptime_ms, ptime_min_ms, ptime_max_ms;
	uint32_t bitrate; /* bit/s; 0 = varies */
	/* Bytes of one sample, where encoded bytes may be cut anywhere and mean the same for everybody: such sound is
	 * kept encoded and shared (codec_store). 0 = it comes in frames, or what was before decides what a byte means.
	 */
	uint8_t sample_bytes;
	/* What can be encoded is a multiple of so many samples; 0 = any number, or what encode says. */
	uint16_t frame_samples;
	/* Encoded bytes of ptime_ms, at most (exactly, for codecs of fixed rate). */
	size_t (*frame_bytes)(const struct codec_ops *ops, unsigned ptime_ms);
	/* The state of one direction. fmtp: the far side's format parameters ("mode=20;..."), NULL = none; what is
	 * wrong in it is ST_UNSUPPORTED. All NULL for a codec without state: then state is NULL in the calls below. */
	int (*enc_open)(const struct codec_ops *ops, const char *fmtp, void **state_out);
	int (*dec_open)(const struct codec_ops *ops, const char *fmtp, void **state_out);
	void (*enc_close)(void *state);
	void (*dec_close)(void *state);
	/* n samples to bytes. Bytes written, ST_FULL when cap is too small, ST_INVAL when n is no whole frames; 0:
	 * nothing is sent for them (silence that needs no packet). */
	int (*encode)(void *enc, const int16_t *in, size_t n, uint8_t *out, size_t cap);
	/* bytes to samples. Samples written, ST_FULL, or ST_PARSE for a damaged frame. */
	int (*decode)(void *dec, const uint8_t *in, size_t n, int16_t *out, size_t cap);
	/* Two channels; all NULL for a codec of one. Samples are interleaved, left first; n, cap and what is returned
	 * count frames, a sample of each. The encoder may be given one channel or two from call to call; a decoder is
	 * opened for either, by dec_open_two (NULL: there is no state) for these two. */
	int (*dec_open_two)(const struct codec_ops *ops, const char *fmtp, void **state_out);
	int (*encode_two)(void *enc, const int16_t *in, size_t n, uint8_t *out, size_t cap);
	int (*decode_two)(void *dec, const uint8_t *in, size_t n, int16_t *out, size_t cap);
	/* plc and recover, below, by a decoder of two; NULL where those are. */
	int (*plc_two)(void *dec, int16_t *out, size_t n);
	int (*recover_two)(void *dec, const uint8_t *next, size_t next_bytes, int16_t *out, size_t n);
	/* Whether a far side with these format parameters takes two channels, or else sends them; NULL: always. */
	bool (*has_two)(const char *fmtp, bool takes);
	/* Conceals n missing samples from what was decoded before; NULL: the codec cannot. */
	int (*plc)(void *dec, int16_t *out, size_t n);
	/* The n samples before the packet next from what next knows of them (FEC); NULL: a packet knows of none. */
	int (*recover)(void *dec, const uint8_t *next, size_t next_bytes, int16_t *out, size_t n);
	/* How the far side asked, with the packet decoded last, to be sent (AMR's CMR), once; -1: nothing new. And the
	 * encoder to be told. NULL: a codec without. */
	int (*wish)(void *dec);
	void (*heed)(void *enc, int wish);
	/* What of the format parameters decides what the bytes mean (AMR's framing): packets of two variants are not
	 * the same. NULL: nothing does. */
	uint16_t (*variant)(const char *fmtp);
	/* The format parameters that our offer names. ST_NOTFOUND: those that the codec always has. May be NULL. */
	int (*offer_fmtp)(const struct codec_ops *ops, char *out, size_t cap);
};

/* clock_hz and channels 0 = any. NULL = not known here (it may still be relayed). */
ANY const struct codec_ops *codec_find(const char *name, uint32_t clock_hz, unsigned channels);
/* The same; of several rows at different sampling rates (opus) that of rate_hz, else the first. */
ANY const struct codec_ops *codec_find_rate(const char *name, uint32_t clock_hz, unsigned channels, uint32_t rate_hz);
ANY const struct codec_ops *codec_at(size_t i); /* NULL past the end */
/* One more, for as long as the program runs: of a module, at its start. ST_EXISTS, ST_FULL. */
ANY int codec_add(const struct codec_ops *ops);
/* In which codec sound that is to be sent in ops is kept and cut: ops, or L16 at its rate, of so many channels (1 or
 * 2). */
ANY const struct codec_ops *codec_store(const struct codec_ops *ops, unsigned channels);
/* Can two channels be sent to, or come from, a far side with these format parameters of ops? ops may be NULL. */
static inline bool codec_takes_two(const struct codec_ops *ops, const char *fmtp)
{
	return ops && ops->encode_two && (!ops->has_two || ops->has_two(fmtp, true));
}
static inline bool codec_sends_two(const struct codec_ops *ops, const char *fmtp)
{
	return ops && ops->decode_two && (!ops->has_two || ops->has_two(fmtp, false));
}
static inline size_t codec_frame_samples(const struct codec_ops *c, unsigned ptime_ms)
{
	return (size_t)c->rate_hz * ptime_ms / 1000;
}

/* ---- one direction; zero: none (ops NULL), and closed ---- */
struct codec_enc {
	const struct codec_ops *ops;
	void *state;
	uint8_t channels; /* what its far side takes: 1, or 2: codec_encode_two may be called as well */
};
struct codec_dec {
	const struct codec_ops *ops;
	void *state;
	uint8_t channels; /* 2: opened for two, and codec_decode_two may be called as well */
};
/* What e or d is stays as it was on failure: ST_NOMEM, ST_UNSUPPORTED (the fmtp). Close gives zero. */
ANY int codec_enc_open(struct codec_enc *e, const struct codec_ops *ops, const char *fmtp);
ANY int codec_dec_open(struct codec_dec *d, const struct codec_ops *ops, const char *fmtp);
/* The same for two channels; ST_UNSUPPORTED: a codec of one. */
ANY int codec_dec_open_two(struct codec_dec *d, const struct codec_ops *ops, const char *fmtp);
ANY void codec_enc_close(struct codec_enc *e);
ANY void codec_dec_close(struct codec_dec *d);
static inline int codec_encode(struct codec_enc *e, const int16_t *in, size_t n, uint8_t *out, size_t cap)
{
	return e->ops->encode(e->state, in, n, out, cap);
}
static inline int codec_decode(struct codec_dec *d, const uint8_t *in, size_t n, int16_t *out, size_t cap)
{
	return d->ops->decode(d->state, in, n, out, cap);
}
/* Two channels, interleaved; n, cap and what is returned count frames. Only where channels says 2. */
static inline int codec_encode_two(struct codec_enc *e, const int16_t *in, size_t n, uint8_t *out, size_t cap)
{
	return e->ops->encode_two(e->state, in, n, out, cap);
}
static inline int codec_decode_two(struct codec_dec *d, const uint8_t *in, size_t n, int16_t *out, size_t cap)
{
	return d->ops->decode_two(d->state, in, n, out, cap);
}
/* n samples in place of lost ones; ST_UNSUPPORTED: the codec cannot, dsp/plc.h can for the samples of any. */
static inline int codec_conceal(struct codec_dec *d, int16_t *out, size_t n)
{
	return d->ops->plc ? d->ops->plc(d->state, out, n) : ST_UNSUPPORTED;
}

/* What was lost before next, from next; ST_UNSUPPORTED: conceal it. */
static inline int codec_recover(struct codec_dec *d, const uint8_t *next, size_t next_bytes, int16_t *out, size_t n)
{
	return d->ops->recover ? d->ops->recover(d->state, next, next_bytes, out, n) : ST_UNSUPPORTED;
}
/* The two above for d->channels of 2, interleaved; n and what is returned count frames. */
static inline int codec_conceal_two(struct codec_dec *d, int16_t *out, size_t n)
{
	return d->ops->plc_two ? d->ops->plc_two(d->state, out, n) : ST_UNSUPPORTED;
}
static inline int codec_recover_two(struct codec_dec *d, const uint8_t *next, size_t next_bytes, int16_t *out, size_t n)
{
	return d->ops->recover_two ? d->ops->recover_two(d->state, next, next_bytes, out, n) : ST_UNSUPPORTED;
}
/* After a decode: what the far side asks for reaches the encoder that sends to it. */
static inline void codec_heed(struct codec_enc *e, struct codec_dec *d)
{
	if (d->ops && d->ops->wish && e->ops == d->ops)
		e->ops->heed(e->state, d->ops->wish(d->state));
}

/* ---- settings, for encoders opened from then on; control only ---- */
struct codec_opus_conf {
	uint8_t complexity, packet_loss_percent;
	bool has_vbr, keeps_fec, has_dtx, advertises_fec;
	bool is_mono;                                       /* one channel whatever the far side says */
	uint32_t max_average_bitrate, max_playback_rate_hz; /* 0 = none of ours */
	uint32_t max_capture_rate_hz;                       /* what is sent has no more than that; 0 = all there is */
};
#define CODEC_OPUS_CONF_DEFAULT \
	{ \
		.complexity = 5, .packet_loss_percent = 10, .has_vbr = true, .keeps_fec = true, .advertises_fec = true \
	}
struct codec_amr_conf {
	uint8_t default_mode;
	bool forces_octet_aligned; /* in offers */
};
ON_CTL void codec_opus_configure(const struct codec_opus_conf *c);
ON_CTL void codec_amr_configure(bool is_wide, const struct codec_amr_conf *c);

/* G.711 (ITU-T G.711), directly. */
extern const uint8_t g711_ulaw_of_alaw[256], g711_alaw_of_ulaw[256];
ANY uint8_t g711_ulaw_encode(int16_t s);
ANY uint8_t g711_alaw_encode(int16_t s);
ANY int16_t g711_ulaw_decode(uint8_t c);
ANY int16_t g711_alaw_decode(uint8_t c);
/* Translates a payload in place or across (in may equal out) without decoding; false when the pair is not PCMU and
 * PCMA. */
ANY bool codec_translate(
    const struct codec_ops *from, const struct codec_ops *to, const uint8_t *in, uint8_t *out, size_t n);
