/* AMR and AMR-WB by opencore-amr and vo-amrwbenc; how packets are made of frames: amr_packet.c. Which mode is sent: the
 * configuration's (amr.conf, amrwb.conf default-bitrate), within the far side's mode-set, and what the far side asks
 * for with the packets it sends (CMR). A request goes from the decoder to the encoder of the same stream by whoever
 * owns both (codec_heed). mode-change-neighbor and mode-change-period bound how fast (RFC 4867 section 8.1). */
#include "base/mem.h"
#include "codec/codec_i.h"
#include <opencore-amrnb/interf_dec.h>
#include <opencore-amrnb/interf_enc.h>
#include <opencore-amrwb/dec_if.h>
#include <string.h>
#include <vo-amrwbenc/enc_if.h>

enum { REPEATS_MAX = 2 };

static struct codec_amr_conf confs[2] = {{.default_mode = 7}, {.default_mode = 8}};

void codec_amr_configure(bool is_wide, const struct codec_amr_conf *c)
{
	confs[is_wide] = *c;
}

struct amr {
	const struct amr_kind *kind;
	bool is_octet_aligned, is_stepwise;
	unsigned period, since; /* frames between changes of mode, and since the last one */
	uint16_t modes;         /* bits: those that may be sent */
	uint8_t mode, wanted;
	int wish;              /* of the packet decoded last; -1 = none */
	struct amr_frame last; /* of speech, decoded last; made_up_count frames were lost since */
	unsigned made_up_count;
	void *lib;
};

static bool is_wide(const struct amr *a)
{
	return a->kind == &amr_wb;
}
static bool is_allowed(const struct amr *a, unsigned mode)
{
	return a->modes >> mode & 1u;
}
/* The best of the set that is not over what is wanted, else its least. */
static uint8_t mode_within(const struct amr *a, unsigned wanted)
{
	for (unsigned m = wanted + 1; m-- > 0;)
		if (is_allowed(a, m))
			return (uint8_t)m;
	for (unsigned m = wanted; m < a->kind->mode_count; m++)
		if (is_allowed(a, m))
			return (uint8_t)m;
	return 0;
}
static int modes_parse(struct amr *a, const char *fmtp)
{
	struct sv set, one;
	uint32_t mode;

	a->modes = (uint16_t)((1u << a->kind->mode_count) - 1);
	if (!codec_fmtp_get(fmtp, "mode-set", &set) || !set.n)
		return ST_OK;
	a->modes = 0;
	while (set.n) {
		sv_split(set, ',', &one, &set);
		if (sv_u32(sv_trim(one), &mode) || mode >= a->kind->mode_count)
			return ST_UNSUPPORTED;
		a->modes |= (uint16_t)(1u << mode);
	}
	return ST_OK;
}
static int amr_new(struct amr **out, const struct codec_ops *ops, const char *fmtp)
{
	static const char *const unknown[] = {"crc", "robust-sorting", "interleaving"};
	struct amr *a;
	int st;

	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		if (codec_fmtp_u32(fmtp, unknown[i], 0))
			return ST_UNSUPPORTED;
	if (!(a = mem_zalloc(sizeof(*a))))
		return ST_NOMEM;
	a->kind = ops->rate_hz == 8000 ? &amr_nb : &amr_wb;
	a->is_octet_aligned = codec_fmtp_u32(fmtp, "octet-align", 0) == 1;
	a->is_stepwise = codec_fmtp_u32(fmtp, "mode-change-neighbor", 0) == 1;
	a->period = codec_fmtp_u32(fmtp, "mode-change-period", 1) == 2 ? 2 : 1;
	a->wish = -1;
	if ((st = modes_parse(a, fmtp))) {
		mem_free(a);
		return st;
	}
	a->mode = a->wanted = mode_within(a, confs[is_wide(a)].default_mode);
	*out = a;
	return ST_OK;
}
static int enc_open(const struct codec_ops *ops, const char *fmtp, void **out)
{
	struct amr *a = NULL;
	int st = amr_new(&a, ops, fmtp);
	if (st)
		return st;
	a->lib = is_wide(a) ? E_IF_init() : Encoder_Interface_init(0);
	if (!a->lib) {
		mem_free(a);
		return ST_NOMEM;
	}
	*out = a;
	return ST_OK;
}
static int dec_open(const struct codec_ops *ops, const char *fmtp, void **out)
{
	struct amr *a = NULL;
	int st = amr_new(&a, ops, fmtp);
	if (st)
		return st;
	a->lib = is_wide(a) ? D_IF_init() : Decoder_Interface_init();
	if (!a->lib) {
		mem_free(a);
		return ST_NOMEM;
	}
	*out = a;
	return ST_OK;
}
static void enc_close(void *state)
{
	struct amr *a = state;
	if (is_wide(a))
		E_IF_exit(a->lib);
	else
		Encoder_Interface_exit(a->lib);
	mem_free(a);
}
static void dec_close(void *state)
{
	struct amr *a = state;
	if (is_wide(a))
		D_IF_exit(a->lib);
	else
		Decoder_Interface_exit(a->lib);
	mem_free(a);
}

/* One step towards what is wanted, or all of it. */
static void mode_move(struct amr *a)
{
	a->since++;
	if (a->mode == a->wanted || a->since < a->period)
		return;
	uint8_t to = a->wanted;
	if (a->is_stepwise) {
		int by = a->wanted > a->mode ? 1 : -1, m = a->mode + by;
		while (m != a->wanted && !is_allowed(a, (unsigned)m))
			m += by;
		to = (uint8_t)m;
	}
	a->mode = to;
	a->since = 0;
}
static void heed(void *state, int wish)
{
	struct amr *a = state;
	if (wish >= 0 && wish < a->kind->mode_count)
		a->wanted = mode_within(a, (unsigned)wish);
}
static int wish(void *state)
{
	struct amr *a = state;
	int w = a->wish;
	a->wish = -1;
	return w;
}
static int encode(void *state, const int16_t *in, size_t n, uint8_t *out, size_t cap)
{
	struct amr *a = state;
	struct amr_packet p;

	p.cmr = AMR_CMR_NONE;
	p.count = (unsigned)(n / a->kind->frame_samples);
	if (n % a->kind->frame_samples || p.count > AMR_FRAMES_MAX)
		return ST_INVAL;
	if (!p.count)
		return 0;
	for (unsigned i = 0; i < p.count; i++) {
		struct amr_frame *f = &p.frames[i];
		int16_t pcm[320]; /* the library filters what it is given in place */
		memcpy(pcm, in + i * a->kind->frame_samples, a->kind->frame_samples * sizeof(*pcm));
		mode_move(a);
		if (is_wide(a))
			E_IF_encode(a->lib, a->mode, pcm, f->bytes, 0);
		else
			Encoder_Interface_Encode(a->lib, (enum Mode)a->mode, pcm, f->bytes, 0);
		f->type = f->bytes[0] >> 3 & 15;
		f->is_good = true;
	}
	return amr_packet_write(a->kind, a->is_octet_aligned, &p, out, cap);
}
static void frame_decode(struct amr *a, const struct amr_frame *f, int16_t *out)
{
	int is_bad = !f->is_good || f->type == AMR_FT_SPEECH_LOST;
	if (is_wide(a))
		D_IF_decode(a->lib, f->bytes, out, is_bad);
	else
		Decoder_Interface_Decode(a->lib, f->bytes, out, is_bad);
}
static int decode(void *state, const uint8_t *in, size_t n, int16_t *out, size_t cap)
{
	struct amr *a = state;
	struct amr_packet p;
	int st;

	if (!n)
		return 0;
	if ((st = amr_packet_parse(a->kind, a->is_octet_aligned, in, n, &p)))
		return st;
	if ((size_t)p.count * a->kind->frame_samples > cap)
		return ST_FULL;
	if (p.cmr < a->kind->mode_count)
		a->wish = p.cmr;
	for (unsigned i = 0; i < p.count; i++)
		frame_decode(a, &p.frames[i], out + i * a->kind->frame_samples);
	if (p.count) {
		a->last = p.frames[p.count - 1];
		a->last.is_good = a->last.is_good && a->last.type < a->kind->mode_count;
		a->made_up_count = 0;
	}
	return (int)(p.count * a->kind->frame_samples);
}
/* The libraries fade from the first lost frame on, by 2 dB on the whole where one packet in ten is lost. The last frame
 * once more is much nearer to what was said (tests/e2e/test_audio.py measures it), for a frame or two; then they fade.
 */
static int plc(void *state, int16_t *out, size_t n)
{
	static const struct amr_frame none = {.type = AMR_FT_NO_DATA, .bytes = {AMR_FT_NO_DATA << 3}};
	struct amr *a = state;

	if (n % a->kind->frame_samples)
		return ST_UNSUPPORTED;
	for (size_t i = 0; i < n; i += a->kind->frame_samples) {
		bool is_repeated = a->made_up_count < REPEATS_MAX && a->last.is_good;
		frame_decode(a, is_repeated ? &a->last : &none, out + i);
		a->made_up_count++;
	}
	return (int)n;
}
static size_t frame_bytes(const struct codec_ops *c, unsigned ptime_ms)
{
	return 1 + (size_t)ptime_ms / 20 * (c->rate_hz == 8000 ? 32 : 61);
}
static uint16_t variant(const char *fmtp)
{
	return codec_fmtp_u32(fmtp, "octet-align", 0) == 1;
}
static int offer_fmtp(const struct codec_ops *ops, char *out, size_t cap)
{
	if (!confs[ops->rate_hz != 8000].forces_octet_aligned || cap < sizeof("octet-align=1"))
		return ST_NOTFOUND;
	memcpy(out, "octet-align=1", sizeof("octet-align=1"));
	return ST_OK;
}

#define ROW(name_, title_, hz) \
	{ \
		.name = name_, .title = title_, .pt = -1, .clock_hz = hz, .rate_hz = hz, .channels = 1, \
		.ptime_ms = 20, .ptime_min_ms = 20, .ptime_max_ms = 120, .frame_samples = hz / 50, \
		.frame_bytes = frame_bytes, .enc_open = enc_open, .dec_open = dec_open, .enc_close = enc_close, \
		.dec_close = dec_close, .encode = encode, .decode = decode, .plc = plc, .wish = wish, .heed = heed, \
		.variant = variant, .offer_fmtp = offer_fmtp \
	}
const struct codec_ops amr_rows[AMR_ROWS] = {
    ROW("AMR", "AMR / Bandwidth Efficient", 8000), ROW("AMR-WB", "AMR-WB / Bandwidth Efficient", 16000)};
