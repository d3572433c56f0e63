/* The codecs this switch can encode and decode; anything else is relayed as it comes. A codec is a constant: functions
 * and numbers. What it remembers belongs to a direction of a stream (struct codec_enc, codec_dec), is made where memory
 * may be taken and travels with the stream, so that no codec has to know of threads, and a codec without memory costs
 * nothing. Who has sound to share among streams keeps it in a form that has none (codec_store). */
#include "base/check.h"
#include "codec/codec_i.h"
#include <stdatomic.h>
#include <strings.h>

size_t codec_bytes_by_rate(const struct codec_ops *c, unsigned ptime_ms)
{
	return (size_t)((uint64_t)c->bitrate * ptime_ms / 8000);
}

#define G711(name_, title_, pt_, law_) \
	{ \
		.name = name_, .title = title_, .pt = pt_, .clock_hz = 8000, .rate_hz = 8000, .channels = 1, \
		.ptime_ms = 20, .ptime_min_ms = 10, .ptime_max_ms = 120, .bitrate = 64000, .sample_bytes = 1, \
		.frame_bytes = codec_bytes_by_rate, .encode = g711_##law_##_encode_frame, \
		.decode = g711_##law_##_decode_frame \
	}
#define L16(hz_, pt_) \
	{ \
		.name = "L16", .title = "RAW Signed Linear (16 bit)", .pt = pt_, .clock_hz = hz_, .rate_hz = hz_, \
		.channels = 1, .ptime_ms = 20, .ptime_min_ms = 10, .ptime_max_ms = 120, .bitrate = 16 * hz_, \
		.sample_bytes = 2, .frame_bytes = codec_bytes_by_rate, .encode = l16_encode_frame, \
		.decode = l16_decode_frame \
	}

static const struct codec_ops codecs[] = {
    G711("PCMU", "G.711 ulaw", 0, ulaw),
    G711("PCMA", "G.711 alaw", 8, alaw),
    L16(8000, -1),
    L16(16000, -1),
    L16(32000, -1),
    L16(48000, -1),
    L16(12000, -1),
    L16(24000, -1),
    L16(44100, 11),
};
#define L16_PAIR(hz_, pt_) \
	{ \
		.name = "L16", .title = "RAW Signed Linear (16 bit)", .pt = pt_, .clock_hz = hz_, .rate_hz = hz_, \
		.channels = 2, .ptime_ms = 10, .ptime_min_ms = 10, .ptime_max_ms = 120, .bitrate = 32 * hz_, \
		.sample_bytes = 4, .frame_bytes = codec_bytes_by_rate, .encode = l16_pair_encode_frame, \
		.decode = l16_pair_decode_frame, .encode_two = l16_pair_encode_two, .decode_two = l16_pair_decode_two \
	}
/* Behind all others: a name without a number of channels is the one of one. */
static const struct codec_ops pairs[] = {L16_PAIR(8000, -1), L16_PAIR(16000, -1), L16_PAIR(32000, -1),
    L16_PAIR(48000, -1), L16_PAIR(12000, -1), L16_PAIR(24000, -1), L16_PAIR(44100, 10)};
static const struct {
	const struct codec_ops *rows;
	size_t count;
} groups[] = {{codecs, ARRAY_COUNT(codecs)}, {opus_rows, OPUS_ROWS}, {g722_rows, 1}, {g726_rows, G726_ROWS},
    {gsm_rows, 1}, {amr_rows, AMR_ROWS}, {speex_rows, SPEEX_ROWS}, {dvi4_rows, DVI4_ROWS}, {lpc10_rows, 1},
    {codec2_rows, 1}, {pairs, ARRAY_COUNT(pairs)}};
enum { ADDED_MAX = 32 };
static const struct codec_ops *added[ADDED_MAX];
static _Atomic size_t added_count; /* media threads look while control adds */

int codec_add(const struct codec_ops *ops)
{
	size_t n;

	if (codec_find(ops->name, ops->clock_hz, ops->channels))
		return ST_EXISTS;
	n = atomic_load_explicit(&added_count, memory_order_relaxed);
	if (n == ADDED_MAX)
		return ST_FULL;
	added[n] = ops;
	atomic_store_explicit(&added_count, n + 1, memory_order_release);
	return ST_OK;
}

const struct codec_ops *codec_find(const char *name, uint32_t clock_hz, unsigned channels)
{
	const struct codec_ops *c;
	for (size_t i = 0; name && (c = codec_at(i)); i++)
		if (((c->name[0] ^ name[0]) & 0xdf) == 0 && !strcasecmp(c->name, name) &&
		    (!clock_hz || clock_hz == c->clock_hz) && (!channels || channels == c->channels))
			return c;
	return NULL;
}

const struct codec_ops *codec_find_rate(const char *name, uint32_t clock_hz, unsigned channels, uint32_t rate_hz)
{
	const struct codec_ops *first = codec_find(name, clock_hz, channels), *c;
	if (!first || first->rate_hz == rate_hz)
		return first;
	for (size_t i = 0; (c = codec_at(i)); i++)
		if (c->rate_hz == rate_hz && c->clock_hz == first->clock_hz && c->channels == first->channels &&
		    !strcasecmp(c->name, name))
			return c;
	return first;
}

const struct codec_ops *codec_at(size_t i)
{
	for (size_t g = 0; g < ARRAY_COUNT(groups); i -= groups[g++].count)
		if (i < groups[g].count)
			return &groups[g].rows[i];
	return i < atomic_load_explicit(&added_count, memory_order_acquire) ? added[i] : NULL;
}

const struct codec_ops *codec_store(const struct codec_ops *ops, unsigned channels)
{
	return ops->sample_bytes ? ops : codec_find("L16", ops->rate_hz, channels);
}

int codec_enc_open(struct codec_enc *e, const struct codec_ops *ops, const char *fmtp)
{
	void *state = NULL;
	int st = ops->enc_open ? ops->enc_open(ops, fmtp, &state) : ST_OK;
	if (!st)
		*e = (struct codec_enc){ops, state, codec_takes_two(ops, fmtp) ? 2 : 1};
	return st;
}

int codec_dec_open(struct codec_dec *d, const struct codec_ops *ops, const char *fmtp)
{
	void *state = NULL;
	int st = ops->dec_open ? ops->dec_open(ops, fmtp, &state) : ST_OK;
	if (!st)
		*d = (struct codec_dec){ops, state, 1};
	return st;
}

int codec_dec_open_two(struct codec_dec *d, const struct codec_ops *ops, const char *fmtp)
{
	void *state = NULL;
	int st = !ops->decode_two ? ST_UNSUPPORTED : ops->dec_open_two ? ops->dec_open_two(ops, fmtp, &state) : ST_OK;
	if (!st)
		*d = (struct codec_dec){ops, state, 2};
	return st;
}

void codec_enc_close(struct codec_enc *e)
{
	if (e->ops && e->ops->enc_close && e->state)
		e->ops->enc_close(e->state);
	*e = (struct codec_enc){0};
}

void codec_dec_close(struct codec_dec *d)
{
	if (d->ops && d->ops->dec_close && d->state)
		d->ops->dec_close(d->state);
	*d = (struct codec_dec){0};
}
