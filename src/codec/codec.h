/* Codecs: one constant table entry each. Samples are int16 at rate_hz, channels interleaved. Nothing allocates in
 * encode or decode; open and close do, on the thread that owns the stream. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CODEC_FRAME_SAMPLES_MAX = 5760 /* 120 ms at 48 kHz, one channel */,
	CODEC_FRAME_BYTES_MAX = 2 * CODEC_FRAME_SAMPLES_MAX
};

struct codec_ops {
	const char *name;  /* as in SDP; matched case-insensitively */
	const char *title; /* FreeSWITCH's name in `show codec`: "G.711 ulaw" */
	int16_t pt;        /* RFC 3551's number, -1 = dynamic */
	uint32_t clock_hz; /* RTP clock */
	uint32_t rate_hz;  /* samples */
	uint8_t channels;
	uint16_t ptime_ms, ptime_min_ms, ptime_max_ms;
	uint32_t bitrate; /* bit/s; 0 = varies */
	/* Encoded bytes of ptime_ms, at most (exactly, for codecs of fixed rate). */
	size_t (*frame_bytes)(const struct codec_ops *ops, unsigned ptime_ms);
	/* NULL when the codec keeps no state: then state is NULL everywhere. */
	int (*open)(const struct codec_ops *ops, void **state_out);
	void (*close)(void *state);
	/* n samples (all channels together) to bytes. Bytes written, or ST_FULL when cap is too small. */
	int (*encode)(void *state, const int16_t *in, size_t n, uint8_t *out, size_t cap);
	/* bytes to samples. Samples written (all channels together), ST_FULL, or ST_PARSE for a damaged frame. */
	int (*decode)(void *state, const uint8_t *in, size_t n, int16_t *out, size_t cap);
	/* Conceals n missing samples; NULL = use dsp/plc.h. */
	int (*plc)(void *state, int16_t *out, size_t n);
};

/* clock_hz and channels 0 = any. NULL = not known here (it may still be relayed). */
ANY const struct codec_ops *codec_find(const char *name, uint32_t clock_hz, unsigned channels);
ANY const struct codec_ops *codec_at(size_t i); /* NULL past the end */
static inline size_t codec_frame_samples(const struct codec_ops *c, unsigned ptime_ms)
{
	return (size_t)c->rate_hz * ptime_ms / 1000 * c->channels;
}

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
