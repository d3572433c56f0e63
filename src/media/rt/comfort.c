/* Silence of a stream, both ways. What comes: a phone that fell silent says so by a packet of comfort noise (RFC 3389),
 * and whoever wants sound of it (another codec, a record, a room) gets noise that sounds so, a frame a tick, until it
 * speaks again; a peer that speaks comfort noise itself gets the packet (flow.c). Where it was asked for, a phone that
 * sends nothing at all is filled in the same way. What goes: where silence is to be suppressed each frame on its way
 * out is listened to, and instead of what is silent there goes a packet of comfort noise, again only when the noise
 * changed. The numbers go on as if the rest had never been; the time does not. */
#include "base/mem.h"
#include "codec/cn.h"
#include "dsp/noise.h"
#include "dsp/vad.h"
#include "media/rt/rt_i.h"

#include <stdlib.h>
#include <string.h>

enum {
	FILL_AFTER_US = 70000, /* without a packet: more than three of the usual ones */
	TELL_US = 200000,      /* between two packets of comfort noise, at least */
	TELL_DB = 2,           /* where the noise changed by so much */
	TELL_ORDER = 6
};

struct rt_comfort {
	struct media_comfort_conf conf;
	/* what comes */
	struct cn_noise noise;
	struct noise fill;
	bool is_noise; /* it told how its silence sounds, and nothing since */
	uint32_t ts, ssrc;
	uint16_t seq;
	/* what goes */
	const struct codec_ops *ops;
	struct codec_dec dec;
	struct vad vad;
	bool was_silent;
	uint8_t told_level;
	int64_t told_us;
};

int rt_comfort_new(struct rt_comfort **out, const struct media_params *p, const struct media_comfort_conf *conf)
{
	const struct media_codec *send = &p->send;
	struct rt_comfort *c = mem_zalloc(sizeof(*c));
	int st = ST_OK;

	if (!c)
		return ST_NOMEM;
	c->conf = *conf;
	noise_init_divisor(&c->fill, conf->fill_divisor, 1);
	if (conf->sends) {
		c->ops = codec_find_rate(send->name, send->clock_hz, send->channels, send->rate_hz);
		st = c->ops ? codec_dec_open(&c->dec, c->ops, p->fmtp) : ST_UNSUPPORTED;
	}
	if (st) {
		rt_comfort_free(c);
		return st;
	}
	if (conf->sends)
		vad_init(&c->vad, c->ops->rate_hz);
	*out = c;
	return ST_OK;
}

void rt_comfort_free(struct rt_comfort *c)
{
	if (c)
		codec_dec_close(&c->dec);
	mem_free(c);
}

void comfort_set(struct rt_stream *s, struct rt_comfort *c)
{
	rt_comfort_free(s->comfort);
	s->comfort = c;
	if (c)
		c->ssrc = ~s->seq.ssrc - 1; /* of no packet of its own */
	tick_done(s, TICK_COMFORT);
	stream_plan(s);
}

static bool fills(const struct rt_stream *s)
{
	return s->comfort->conf.fills && s->peer && s->peer != s;
}

void comfort_plan(struct rt_stream *s)
{
	struct rt_comfort *c = s->comfort;
	bool is_dtx = c && c->conf.sends && s->f->cn_pt >= 0 && c->ops == s->coders.enc.ops;
	s->f->has_dtx = is_dtx;
	if (c && s->coders.dec.ops && (c->is_noise || fills(s)))
		tick_need(s, TICK_COMFORT);
	else
		tick_done(s, TICK_COMFORT);
}

bool comfort_is_busy(const struct rt_stream *s)
{
	return s->comfort && (s->comfort->is_noise || fills(s));
}

/* ---- what comes ---- */

bool comfort_in(struct rt_stream *s, const struct pkt *k)
{
	struct rt_comfort *c = s->comfort;
	struct cn_params p;
	if (!c || !s->coders.dec.ops || cn_parse(k->payload, k->n, &p))
		return false;
	cn_noise_set(&c->noise, &p);
	if (!c->is_noise) {
		c->is_noise = true, c->ts = k->ts;
		comfort_plan(s);
		kernel_take_back(s->f);
	}
	return true;
}

void comfort_heard(struct rt_stream *s)
{
	struct rt_comfort *c = s->comfort;
	if (!c->is_noise)
		return;
	c->is_noise = false;
	xcode_part(s);
	comfort_plan(s);
}

/* To whoever takes packets of the same codec as they are there is none: it is encoded for them. */
ON_MEDIA static void direct_send(struct rt_stream *s, struct pkt *k)
{
	struct rt_thread *t = s->t;
	struct rt_flow *to = &t->flows[s->f->to];
	k->payload = t->scratch + RT_PACKET_ROOM;
	int n = to->s->coders.enc.ops ? codec_encode(&to->s->coders.enc, t->packet_pcm, (size_t)k->pcm_count,
	                                    k->payload, RT_PACKET_MAX - RTP_HEADER_BYTES)
	                              : 0;
	if (n <= 0)
		return;
	k->n = (size_t)n;
	flow_forward(t, to, k, (uint8_t)to->send_pt);
}

ON_MEDIA static void frame_give(struct rt_stream *s, size_t n)
{
	struct rt_comfort *c = s->comfort;
	struct rt_thread *t = s->t;
	struct rt_flow *f = s->f;
	bool passes = c->is_noise && flow_noise_passes(f); /* the packet went on as it is */
	struct pkt k = {.payload = t->packet + RT_PACKET_ROOM,
	    .ts = c->ts,
	    .ssrc = c->ssrc,
	    .seq = c->seq++,
	    .was_decoded = true,
	    .pcm_count = (int)n};
	if (passes || f->how == HOW_DIRECT || f->how == HOW_NONE || f->how == HOW_DELAY) {
		if (f->is_read_tapped && !s->is_read_muted)
			record_tap_read(s, &k);
		if (s->member && !s->is_read_muted)
			member_in(s, &k);
		if (f->how == HOW_DIRECT && !passes)
			direct_send(s, &k);
	} else {
		flow_audio(t, f, &k);
	}
}

void comfort_tick(struct rt_stream *s)
{
	struct rt_comfort *c = s->comfort;
	const struct codec_ops *ops = s->coders.dec.ops;
	struct rt_flow *f = s->f;
	uint32_t clock_hz = s->params.recv.clock_hz ? s->params.recv.clock_hz : 8000;
	size_t n = ops ? (size_t)((uint64_t)ops->rate_hz * stream_frame_us(s) / 1000000) : 0;
	bool is_missing = fills(s) && s->t->now_us - f->last_in_us > FILL_AFTER_US;
	if (!n || n > RT_FRAME_MAX_SAMPLES || !f->may_take || (!c->is_noise && !is_missing))
		return;
	if (c->is_noise)
		cn_noise_make(&c->noise, s->t->packet_pcm, n);
	else
		noise_fill(&c->fill, s->t->packet_pcm, n);
	frame_give(s, n);
	c->ts += (uint32_t)((uint64_t)n * clock_hz / ops->rate_hz);
}

/* ---- what goes ---- */

ON_MEDIA static void noise_tell(struct rt_flow *f, uint32_t ts, const int16_t *pcm, size_t n)
{
	struct rt_comfort *c = f->s->comfort;
	uint8_t p[RTP_HEADER_BYTES + CN_PAYLOAD_MAX + RT_CRYPT_TAIL];
	struct cn_params now;
	cn_measure(pcm, n, TELL_ORDER, &now);
	bool is_same = abs((int)now.level - (int)c->told_level) < TELL_DB;
	if (c->was_silent && (is_same || f->s->t->now_us - c->told_us < TELL_US))
		return;
	int made = cn_write(&now, p + RTP_HEADER_BYTES, CN_PAYLOAD_MAX);
	c->told_level = now.level, c->told_us = f->s->t->now_us;
	if (made <= 0 || !f->may_send)
		return;
	f->s->out_cng++;
	flow_send_own(f, (uint8_t)f->cn_pt, false, ts, p + RTP_HEADER_BYTES, (size_t)made);
}

bool comfort_withholds(struct rt_flow *f, uint32_t ts, const uint8_t *payload, size_t n)
{
	struct rt_comfort *c = f->s->comfort;
	int16_t *pcm = f->s->t->sent_pcm;
	int got = codec_decode(&c->dec, payload, n, pcm, RT_FRAME_MAX_SAMPLES);
	if (got <= 0)
		return false;
	(void)vad_feed(&c->vad, pcm, (size_t)got);
	if (c->vad.is_talking || c->vad.loud) { /* a first loud moment already, so that no word is cut */
		c->was_silent = false;
		return false;
	}
	noise_tell(f, ts, pcm, (size_t)got);
	c->was_silent = true;
	return true;
}
