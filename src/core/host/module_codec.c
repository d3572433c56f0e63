/* Codecs of modules from files. What the public header calls a codec is put into a row as the room codec has them, with
 * the module's functions for encode, decode and conceal as they are: they run on media threads, so nothing lies
 * between. Streams keep pointers to the row and into the module's code, and nobody counts them: both stay until the
 * program ends, and a module that brought a codec is not unloaded (module.c). */
#include "base/log.h"
#include "codec/codec.h"
#include "core/host/module_i.h"

enum { ROWS_MAX = 16 /* of all modules */ };

struct row {
	struct codec_ops ops; /* first: the hooks below are given this */
	const struct tandem_codec *desc;
};
static struct row rows[ROWS_MAX];
static unsigned row_count;

static int enc_open(const struct codec_ops *ops, const char *fmtp, void **out)
{
	void *state = ((const struct row *)(const void *)ops)->desc->encoder_open(fmtp);

	if (!state)
		return ST_UNSUPPORTED;
	*out = state;
	return ST_OK;
}
static int dec_open(const struct codec_ops *ops, const char *fmtp, void **out)
{
	void *state = ((const struct row *)(const void *)ops)->desc->decoder_open(fmtp);

	if (!state)
		return ST_UNSUPPORTED;
	*out = state;
	return ST_OK;
}
static size_t frame_bytes(const struct codec_ops *c, unsigned ptime_ms)
{
	return (size_t)((uint64_t)c->bitrate * ptime_ms / 8000);
}

/* What is wrong with c; NULL: nothing. Its numbers bound what the media threads give it. */
static const char *flaw_of(const struct tandem_codec *c)
{
	if (!c || c->bytes < sizeof(*c))
		return "struct tandem_codec is too small";
	if (!c->name || !*c->name || !c->title || !*c->title)
		return "a codec without name or title";
	if (!c->encoder_open || !c->decoder_open || !c->encoder_close || !c->decoder_close || !c->encode || !c->decode)
		return "a function is missing";
	if (c->clock_hz < 8000 || c->clock_hz > 192000 || c->rate_hz < 8000 || c->rate_hz > 48000)
		return "clock_hz is 8000 to 192000, rate_hz 8000 to 48000";
	if (!c->ptime_min_ms || c->ptime_min_ms > c->ptime_ms || c->ptime_ms > c->ptime_max_ms || c->ptime_max_ms > 120)
		return "packet times are least, usual, most, 120 ms at most";
	if (!c->frame_samples || c->frame_samples > c->rate_hz / 1000 * c->ptime_ms)
		return "frame_samples is one or more and at most a usual packet";
	if (!c->bitrate || c->bitrate > 1000000 || c->payload_type < -1 || c->payload_type > 127)
		return "bitrate is 1 to 1000000, payload_type -1 to 127";
	return NULL;
}

int module_codec_add(struct tandem_self *m, const struct tandem_codec *c)
{
	const char *flaw = flaw_of(c);
	struct row *r = &rows[row_count];
	int st;

	role_assert_ctl();
	if (!m || flaw) {
		log_error("module %s: codec %s: %s", m ? m->name : "", c && c->name ? c->name : "",
		    flaw ? flaw : "no module");
		return ST_INVAL;
	}
	if (m->brought_count == MODULE_BROUGHT_MAX || row_count == ROWS_MAX)
		return ST_FULL;
	r->desc = c;
	r->ops = (struct codec_ops){.name = c->name,
	    .title = c->title,
	    .pt = (int16_t)c->payload_type,
	    .clock_hz = c->clock_hz,
	    .rate_hz = c->rate_hz,
	    .channels = 1,
	    .ptime_ms = (uint16_t)c->ptime_ms,
	    .ptime_min_ms = (uint16_t)c->ptime_min_ms,
	    .ptime_max_ms = (uint16_t)c->ptime_max_ms,
	    .bitrate = c->bitrate,
	    .frame_samples = (uint16_t)c->frame_samples,
	    .frame_bytes = frame_bytes,
	    .enc_open = enc_open,
	    .dec_open = dec_open,
	    .enc_close = c->encoder_close,
	    .dec_close = c->decoder_close,
	    .encode = c->encode,
	    .decode = c->decode,
	    .plc = c->conceal};
	st = codec_add(&r->ops);
	if (st)
		return st;
	row_count++;
	m->brought[m->brought_count++] = (struct name_desc){"codec", c->title};
	m->module.names = m->brought;
	return ST_OK;
}
