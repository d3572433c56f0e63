/* Private: what the files of codecs share. Each codec is a file with its rows; codec.c lists them. */
#pragma once
#include "base/str.h"
#include "codec/codec.h"

int g711_ulaw_encode_frame(void *state, const int16_t *in, size_t n, uint8_t *out, size_t cap);
int g711_alaw_encode_frame(void *state, const int16_t *in, size_t n, uint8_t *out, size_t cap);
int g711_ulaw_decode_frame(void *state, const uint8_t *in, size_t n, int16_t *out, size_t cap);
int g711_alaw_decode_frame(void *state, const uint8_t *in, size_t n, int16_t *out, size_t cap);
int l16_encode_frame(void *state, const int16_t *in, size_t n, uint8_t *out, size_t cap);
int l16_decode_frame(void *state, const uint8_t *in, size_t n, int16_t *out, size_t cap);
/* Of two channels: from and to one, and interleaved. */
int l16_pair_encode_frame(void *state, const int16_t *in, size_t n, uint8_t *out, size_t cap);
int l16_pair_decode_frame(void *state, const uint8_t *in, size_t n, int16_t *out, size_t cap);
int l16_pair_encode_two(void *state, const int16_t *in, size_t n, uint8_t *out, size_t cap);
int l16_pair_decode_two(void *state, const uint8_t *in, size_t n, int16_t *out, size_t cap);

enum { OPUS_ROWS = 5, SPEEX_ROWS = 3, G726_ROWS = 8, DVI4_ROWS = 2, AMR_ROWS = 2 };
extern const struct codec_ops opus_rows[OPUS_ROWS], speex_rows[SPEEX_ROWS], g722_rows[1], g726_rows[G726_ROWS],
    gsm_rows[1], lpc10_rows[1], dvi4_rows[DVI4_ROWS], amr_rows[AMR_ROWS], codec2_rows[1];

/* Defines name_open and name_close of a state that is the library's alone; init_ is evaluated with ops and fmtp. */
#define CODEC_STATE(name_, init_, free_) \
	static int name_##_open(const struct codec_ops *ops, const char *fmtp, void **out) \
	{ \
		*out = init_; \
		return *out ? ST_OK : ST_NOMEM; \
	} \
	static void name_##_close(void *state) \
	{ \
		free_(state); \
	}

/* ptime_ms at the row's bit rate, whole bytes. */
ANY size_t codec_bytes_by_rate(const struct codec_ops *c, unsigned ptime_ms);
/* One format parameter ("mode" in "mode=20; vbr=on"); false: it is not there. A flag without a value is empty. */
ANY bool codec_fmtp_get(const char *fmtp, const char *name, struct sv *value);
/* The same as a number; otherwise when absent or no number. */
ANY uint32_t codec_fmtp_u32(const char *fmtp, const char *name, uint32_t otherwise);

/* ---- AMR's payloads (RFC 4867), amr_packet.c: pure, they meet bytes from outside ---- */
enum {
	AMR_FRAMES_MAX = 12,
	AMR_FRAME_BYTES_MAX = 1 + 60,
	AMR_CMR_NONE = 15,
	AMR_FT_NO_DATA = 15,
	AMR_FT_SPEECH_LOST = 14
};
struct amr_kind {
	const char *name;
	uint16_t bits[16]; /* of a frame by its type; UINT16_MAX: there is no such type */
	uint8_t mode_count, sid;
	uint16_t frame_samples;
};
extern const struct amr_kind amr_nb, amr_wb;
struct amr_frame {
	uint8_t type;                       /* FT */
	bool is_good;                       /* Q */
	uint8_t bytes[AMR_FRAME_BYTES_MAX]; /* a head byte as in files (RFC 4867 section 5.3), then the bits */
};
struct amr_packet {
	uint8_t cmr; /* the mode that is asked for; AMR_CMR_NONE */
	unsigned count;
	struct amr_frame frames[AMR_FRAMES_MAX];
};
/* ST_PARSE: cut off, a type that does not exist, too many frames. */
ANY int amr_packet_parse(
    const struct amr_kind *k, bool is_octet_aligned, const uint8_t *in, size_t n, struct amr_packet *out);
/* Bytes written, ST_FULL. */
ANY int amr_packet_write(
    const struct amr_kind *k, bool is_octet_aligned, const struct amr_packet *p, uint8_t *out, size_t cap);
