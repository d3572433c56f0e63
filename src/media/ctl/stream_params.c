/* What a stream sends and takes: addresses, codecs, their format parameters. Coders, jitter buffer and comfort noise
 * are made for one codec, so another codec means new ones; the media thread never allocates, so they are made here and
 * travel to it with the parameters. Whoever depends on the codecs is told too: the join, whose translators they need
 * (stream_join.c), and the records, plays and taps, which go on at another rate. Parameters that cannot be had change
 * nothing. */
#include "base/mem.h"
#include "codec/codec.h"
#include "media/ctl/ctl_i.h"

#include <string.h>

/* ---- jitter buffer and comfort noise ---- */

/* A new one, for the codec there is; what was in the old one is a few frames. */
ON_CTL static int jitter_tell(struct mstream *s)
{
	struct rt_jitter *j = NULL;
	struct rt_cmd c = {.kind = RT_C_JITTER};
	unsigned channels = s->has_params && params_send_two(&s->params, s->fmtp) ? 2 : 1;
	int st = !s->jitter.len_ms || !s->has_params ? ST_OK : rt_jitter_new(&j, &s->params.recv, channels, &s->jitter);
	if (st || (!j && !s->has_jitter))
		return st;
	c.ptr = j;
	s->has_jitter = j;
	return mstream_post(s, &c);
}

int mstream_set_jitter(struct mstream *s, const struct media_jitter_conf *conf)
{
	struct media_jitter_conf was = s->jitter;
	if (s->is_closing)
		return ST_CLOSED;
	s->jitter = *conf;
	int st = jitter_tell(s);
	if (st)
		s->jitter = was;
	return st;
}

ON_CTL static int comfort_tell(struct mstream *s)
{
	struct rt_comfort *made = NULL;
	struct rt_cmd c = {.kind = RT_C_COMFORT};
	struct media_params p = s->params;
	p.fmtp = s->fmtp;
	int st = !s->is_comfort_wanted || !s->has_params ? ST_OK : rt_comfort_new(&made, &p, &s->comfort);
	if (st || (!made && !s->has_comfort))
		return st;
	c.ptr = made;
	s->has_comfort = made;
	return mstream_post(s, &c);
}

int mstream_set_comfort(struct mstream *s, const struct media_comfort_conf *conf)
{
	if (s->is_closing)
		return ST_CLOSED;
	bool is_same = conf ? s->is_comfort_wanted && s->comfort.fills == conf->fills &&
	                          s->comfort.sends == conf->sends && s->comfort.fill_divisor == conf->fill_divisor
	                    : !s->is_comfort_wanted;
	if (is_same)
		return ST_OK;
	s->is_comfort_wanted = conf;
	if (conf)
		s->comfort = *conf;
	return comfort_tell(s);
}

/* ---- the rate of a codec that codes at any ---- */

uint32_t codec_rate_hz(const struct media_codec *c)
{
	const struct codec_ops *ops = codec_find_rate(c->name, c->clock_hz, c->channels, c->rate_hz);
	return ops ? ops->rate_hz : 0;
}

bool params_send_two(const struct media_params *p, const char *fmtp)
{
	const struct media_codec *c = &p->recv;
	return codec_sends_two(codec_find_rate(c->name, c->clock_hz, c->channels, c->rate_hz), fmtp);
}

bool params_take_two(const struct media_params *p, const char *fmtp)
{
	const struct media_codec *c = &p->send;
	return codec_takes_two(codec_find_rate(c->name, c->clock_hz, c->channels, c->rate_hz), fmtp);
}

static bool is_on_wire_same(const struct media_codec *a, const struct media_codec *b)
{
	return !strcmp(a->name, b->name) && a->clock_hz == b->clock_hz && a->channels == b->channels;
}

void stream_rate_follow(struct mstream *s, uint32_t rate_hz)
{
	const struct media_codec *c = &s->params.send;
	const struct codec_ops *ops = codec_find_rate(c->name, c->clock_hz, c->channels, rate_hz);
	if (!s->has_params || !ops || ops->rate_hz != rate_hz || c->rate_hz == ops->rate_hz ||
	    !is_on_wire_same(c, &s->params.recv) || !list_empty(&s->plays) || !list_empty(&s->records) ||
	    !list_empty(&s->taps) || !list_empty(&s->spying))
		return;
	struct media_params p = s->params;
	struct rt_coders *coders;
	p.fmtp = s->fmtp;
	p.send.rate_hz = p.recv.rate_hz = ops->rate_hz;
	if (rt_coders_new(&coders, &p))
		return; /* as it was, with a resampler */
	s->params.send.rate_hz = s->params.recv.rate_hz = ops->rate_hz;
	struct rt_cmd cmd = {.kind = RT_C_RATE, .number = ops->rate_hz, .ptr = coders};
	(void)mstream_post(s, &cmd);
	(void)jitter_tell(s);
}

void stream_rates_meet(struct mstream *a, struct mstream *b)
{
	if (is_on_wire_same(&a->params.send, &b->params.send))
		return;
	stream_rate_follow(a, b->params.send.rate_hz);
	stream_rate_follow(b, a->params.send.rate_hz);
}

/* ---- parameters ---- */

static bool is_same_codec(const struct media_codec *a, const struct media_codec *b)
{
	return !strcmp(a->name, b->name) && a->clock_hz == b->clock_hz && a->rate_hz == b->rate_hz &&
	       a->channels == b->channels && a->ptime_ms == b->ptime_ms && a->variant == b->variant;
}

static bool is_sane(const struct media_codec *c)
{
	return memchr(c->name, 0, sizeof(c->name)) && c->pt <= 127 && c->clock_hz <= 192000 && c->rate_hz <= 192000 &&
	       c->ptime_ms <= 120;
}

/* Other codecs, or the same with other format parameters, begin anew: coders for them, else NULL. */
static int codecs_change(struct mstream *s, const struct media_params *p, bool *is_other, struct rt_coders **coders)
{
	/* one channel in place of two, or the other way round, is another codec to who works with samples */
	*is_other = !s->has_params || !is_same_codec(&p->send, &s->params.send) ||
	            !is_same_codec(&p->recv, &s->params.recv) ||
	            params_send_two(p, p->fmtp) != params_send_two(&s->params, s->fmtp) ||
	            params_take_two(p, p->fmtp) != params_take_two(&s->params, s->fmtp);
	*coders = NULL;
	if (!*is_other && !p->red_send == !s->params.red_send && !p->fec_send == !s->params.fec_send &&
	    sv_is(sv_of(p->fmtp), s->fmtp ? s->fmtp : ""))
		return ST_OK;
	char *fmtp = p->fmtp ? mem_strdup(p->fmtp) : NULL;
	int st = p->fmtp && !fmtp ? ST_NOMEM : rt_coders_new(coders, p);
	if (st) {
		mem_free(fmtp);
		return st;
	}
	mem_free(s->fmtp);
	s->fmtp = fmtp;
	return ST_OK;
}

/* What the caller does not know of a codec: its variant, and the rate that its partner made it code at. */
static void codec_complete(
    const struct mstream *s, struct media_codec *c, const struct media_codec *was, const char *fmtp)
{
	const struct codec_ops *ops = codec_find(c->name, c->clock_hz, c->channels);
	c->variant = ops && ops->variant ? ops->variant(fmtp) : 0;
	if (s->has_params && is_on_wire_same(c, was) && c->rate_hz != was->rate_hz)
		c->rate_hz = was->rate_hz;
}

int mstream_check_params(struct mstream *s, const struct media_params *wanted)
{
	struct media_params p = *wanted;
	struct rt_coders *coders;

	if (!is_sane(&p.send) || !is_sane(&p.recv))
		return ST_INVAL;
	codec_complete(s, &p.send, &s->params.send, p.fmtp);
	codec_complete(s, &p.recv, &s->params.recv, p.fmtp);
	int st = rt_coders_new(&coders, &p);
	if (!st)
		rt_coders_free(coders);
	return st;
}

int mstream_set_params(struct mstream *s, const struct media_params *wanted)
{
	struct media_params whole = *wanted, *p = &whole;
	if (s->is_closing)
		return ST_CLOSED;
	if (!is_sane(&p->send) || !is_sane(&p->recv))
		return ST_INVAL;
	struct rt_coders *coders;
	struct media_params *copy;
	codec_complete(s, &p->send, &s->params.send, p->fmtp);
	codec_complete(s, &p->recv, &s->params.recv, p->fmtp);
	bool is_other;
	int st = codecs_change(s, p, &is_other, &coders);
	if (st)
		return st;
	copy = mem_alloc(sizeof(*copy));
	if (!copy) {
		rt_coders_free(coders);
		return ST_NOMEM;
	}
	*copy = *p;
	copy->fmtp = NULL;
	/* "c=IN IP4 0.0.0.0" (RFC 2543's hold) and port 0 are nowhere, and connecting to them would reach ourselves. */
	if (addr_is_set(&copy->remote_rtp) && (addr_is_any(&copy->remote_rtp) || !addr_port(&copy->remote_rtp)))
		memset(&copy->remote_rtp, 0, sizeof(copy->remote_rtp));
	if (addr_is_set(&copy->remote_rtcp) && (addr_is_any(&copy->remote_rtcp) || !addr_port(&copy->remote_rtcp)))
		memset(&copy->remote_rtcp, 0, sizeof(copy->remote_rtcp));
	p = copy;
	bool is_moved =
	    s->has_params && (addr_is_set(&p->remote_rtp) != addr_is_set(&s->params.remote_rtp) ||
	                         (addr_is_set(&p->remote_rtp) && !addr_eq(&p->remote_rtp, &s->params.remote_rtp)));
	if (is_moved)
		s->is_learned = false;
	s->params = *p;
	s->has_params = true;
	struct rt_cmd c = {.kind = RT_C_PARAMS, .number = is_other, .ptr = copy, .ptr2 = coders};
	bool has_new_coders = coders != NULL;
	(void)mstream_post(s, &c);
	if (is_other) { /* first what packets and ticks meet at once */
		records_params_changed(s);
		plays_params_changed(s);
		(void)jitter_tell(s);
		(void)comfort_tell(s);
		join_apply(s);
	}
	if (is_other || has_new_coders)
		taps_params_changed(s);
	return ST_OK;
}

int mstream_set_codecs(struct mstream *s, const struct media_params *p)
{
	struct media_params whole = s->params;
	if (!s->has_params)
		return ST_INVAL;
	whole.send = p->send, whole.recv = p->recv, whole.fmtp = p->fmtp;
	whole.dtmf_send_pt = p->dtmf_send_pt, whole.dtmf_recv_pt = p->dtmf_recv_pt, whole.cn_pt = p->cn_pt;
	return mstream_set_params(s, &whole);
}
