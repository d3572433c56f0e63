/* The jitter buffer of what a stream receives, where somebody asked for one and samples are needed. Its packets do not
 * go on when they come: they lie in rtp/jbuf, and the stream's tick takes as much as the packet time says. Towards
 * whoever works on samples (translators, records, taps) it gives frames without holes: what is lost is made up by the
 * codec or from what was heard before, and frames that were shortened are cut to size again. Towards a relay of packets
 * as they are, when it is to be buffered too, it gives the packets in order; what is lost stays a hole, whose far side
 * has a jitter buffer of its own. A stream without one never comes here (flow.c: jitter_pt). */
#include "base/clock.h"
#include "base/mem.h"
#include "dsp/mix.h"
#include "dsp/plc.h"
#include "dsp/stretch.h"
#include "media/rt/rt_i.h"
#include "rtp/jbuf.h"

#include <string.h>
#include <strings.h>

enum { EARLY_US = 3000 /* a slot of the wheel */, STALL_MAX_US = 2000000 };

struct rt_jitter {
	struct media_jitter_conf conf;
	struct media_codec codec;
	const struct codec_ops *ops; /* NULL: packets only */
	struct jbuf *buf;
	uint8_t channels; /* 2: what is in pcm is interleaved; frame, fill and cap count a sample of each */
	struct plc plc[2];
	struct jbuf_stats told;     /* what control knows */
	int64_t start_us, given_us; /* since when it gives, 0 = it does not; and how much */
	uint32_t ssrc, ts;          /* of what it gives */
	uint16_t seq;
	uint32_t frame_ticks;
	size_t frame;
	bool had_sound, is_silent; /* is_silent: nothing is given; the next packet has a marker */
	size_t fill, cap;
	int16_t pcm[];
};

int rt_jitter_new(
    struct rt_jitter **out, const struct media_codec *recv, unsigned channels, const struct media_jitter_conf *conf)
{
	const struct codec_ops *ops = codec_find_rate(recv->name, recv->clock_hz, recv->channels, recv->rate_hz);
	unsigned ptime_ms = recv->ptime_ms ? recv->ptime_ms : 20;
	size_t frame = ops ? codec_frame_samples(ops, ptime_ms) : 0, cap = frame + RT_FRAME_MAX_SAMPLES;
	if (frame > RT_FRAME_MAX_SAMPLES)
		return ST_UNSUPPORTED;
	struct rt_jitter *j = mem_zalloc(sizeof(*j) + cap * channels * sizeof(j->pcm[0]));
	if (!j)
		return ST_NOMEM;
	struct jbuf_conf c = {.clock_hz = recv->clock_hz ? recv->clock_hz : 8000,
	    .frame_ms = ptime_ms,
	    .len_ms = conf->len_ms,
	    .max_ms = conf->max_ms,
	    .drift_ms = conf->drift_ms,
	    .payload_max = RT_PACKET_MAX - RTP_HEADER_BYTES};
	int st = jbuf_new(&j->buf, &c);
	if (st) {
		mem_free(j);
		return st;
	}
	j->conf = *conf, j->codec = *recv, j->ops = ops;
	j->codec.clock_hz = c.clock_hz, j->codec.ptime_ms = (uint16_t)ptime_ms;
	j->frame = frame, j->cap = cap, j->channels = (uint8_t)channels;
	j->frame_ticks = c.clock_hz * ptime_ms / 1000;
	for (unsigned i = 0; ops && i < channels; i++)
		plc_init(&j->plc[i], ops->rate_hz);
	*out = j;
	return ST_OK;
}

void rt_jitter_free(struct rt_jitter *j)
{
	if (j)
		jbuf_free(j->buf);
	mem_free(j);
}

void jitter_stats(const struct rt_stream *s, struct media_stats *out)
{
	struct jbuf_stats st;
	if (!s->jitter)
		return;
	jbuf_stats_get(s->jitter->buf, &st);
	out->jb.taken = st.taken, out->jb.late = st.late, out->jb.twice = st.twice, out->jb.lost = st.lost;
	out->jb.dropped = st.dropped, out->jb.waits = st.waits, out->jb.slower = st.slower;
	out->jb.faster = st.faster, out->jb.resets = st.resets;
	out->jb.depth_ms = st.depth_ms, out->jb.depth_max_ms = st.depth_max_ms;
	out->jb.frame_ms = s->jitter->codec.ptime_ms;
}

void jitter_set(struct rt_stream *s, struct rt_jitter *j)
{
	struct rt_jitter *old = s->jitter;
	s->jitter = j;
	rt_jitter_free(old);
	if (j)
		j->ssrc = ~s->seq.ssrc;
	s->f->jitter_pt = -1;
	tick_done(s, TICK_JITTER);
	stream_plan(s);
}

static bool goes_as_packets(const struct rt_flow *f)
{
	return f->how == HOW_DIRECT || f->how == HOW_DELAY;
}

/* Relayed packets are not held up for a record or a tap, but for whoever asked for it, and for an echo. */
static bool holds_packets(const struct rt_stream *s)
{
	return s->jitter->conf.has_bridges || s->peer == s;
}

static bool is_wanted(const struct rt_stream *s)
{
	const struct rt_jitter *j = s->jitter;
	const struct rt_flow *f = s->f;
	if (j->conf.is_paused || s->params.is_raw || j->ops != s->coders.dec.ops ||
	    (j->channels == 2 && s->coders.dec.channels != 2) || strcasecmp(j->codec.name, s->params.recv.name))
		return false;
	if (goes_as_packets(f))
		return holds_packets(s) || (f->is_read_tapped && j->ops);
	return j->ops && (f->how != HOW_NONE || f->is_read_tapped || s->member);
}

/* The tick is only there while it is needed: a relay with a buffer that it does not use costs what any other does. */
void jitter_plan(struct rt_stream *s)
{
	struct rt_flow *f = s->f;
	f->jitter_pt = -1;
	if (s->jitter && is_wanted(s)) {
		f->jitter_pt = f->recv_pt, f->recv_pt = -1;
		tick_need(s, TICK_JITTER);
	} else if (s->tick_needs & TICK_JITTER) {
		tick_done(s, TICK_JITTER);
		if (s->jitter)
			jbuf_reset(s->jitter->buf), s->jitter->fill = 0, s->jitter->start_us = 0;
	}
}

/* To a relay at once, and to the others later. */
ON_MEDIA static void relay_now(struct rt_stream *s, struct pkt *k)
{
	struct rt_thread *t = s->t;
	if (s->f->how == HOW_DELAY)
		delay_put(s, k);
	else
		flow_forward(t, &t->flows[s->f->to], k, (uint8_t)t->flows[s->f->to].send_pt);
}

void jitter_in(struct rt_stream *s, struct pkt *k)
{
	struct jbuf_packet p = {
	    .payload = k->payload, .n = k->n, .ts = k->ts, .ssrc = k->ssrc, .seq = k->seq, .has_marker = k->has_marker};
	(void)jbuf_put(s->jitter->buf, &p, s->t->now_us);
	if (goes_as_packets(s->f) && !holds_packets(s))
		relay_now(s, k);
}

/* Lost, late, dropped or begun anew, or longer or shorter by more than a frame. */
static bool is_changed(const struct rt_jitter *j, const struct jbuf_stats *now)
{
	const struct jbuf_stats *was = &j->told;
	unsigned frame_ms = j->codec.ptime_ms;
	return now->lost != was->lost || now->late != was->late || now->dropped != was->dropped ||
	       now->resets != was->resets || now->depth_ms > was->depth_ms + frame_ms ||
	       now->depth_ms + frame_ms < was->depth_ms;
}

void jitter_house(struct rt_stream *s)
{
	struct rt_jitter *j = s->jitter;
	struct jbuf_stats now;
	if (!j || !j->conf.tells)
		return;
	jbuf_stats_get(j->buf, &now);
	if (!is_changed(j, &now))
		return;
	j->told = now;
	report_flag(s, PEND_JITTER);
}

/* ---- samples ---- */

/* The codec's own ways, in as many channels as there are. */
static int codec_gives(struct rt_jitter *j, struct codec_dec *d, const struct jbuf_packet *p, int16_t *out, size_t cap)
{
	return j->channels == 2 ? codec_decode_two(d, p->payload, p->n, out, cap)
	                        : codec_decode(d, p->payload, p->n, out, cap);
}

static bool codec_recovers(struct rt_jitter *j, struct codec_dec *d, const struct jbuf_packet *next, int16_t *out)
{
	int got = j->channels == 2 ? codec_recover_two(d, next->payload, next->n, out, j->frame)
	                           : codec_recover(d, next->payload, next->n, out, j->frame);
	return got == (int)j->frame;
}

static bool codec_conceals(struct rt_jitter *j, struct codec_dec *d, int16_t *out)
{
	int got = j->channels == 2 ? codec_conceal_two(d, out, j->frame) : codec_conceal(d, out, j->frame);
	return got == (int)j->frame;
}

/* Each channel through its own: what came (is_good), or what is made up. */
ON_MEDIA static void plc_pass(struct rt_stream *s, int16_t *pcm, size_t n, bool is_good)
{
	struct rt_jitter *j = s->jitter;
	for (unsigned i = 0; i < j->channels; i++) {
		int16_t *one = j->channels == 2 ? s->t->side : pcm;
		if (j->channels == 2)
			mix_side(one, pcm, n, i);
		if (is_good)
			plc_good(&j->plc[i], one, n);
		else
			plc_lost(&j->plc[i], one, n);
		for (size_t k = 0; j->channels == 2 && k < n; k++)
			pcm[2 * k + i] = one[k];
	}
}

/* next: NULL, or the packet right after the lost one, which may tell what was in it (Opus' forward error correction).
 */
ON_MEDIA static void conceal(struct rt_stream *s, const struct jbuf_packet *next)
{
	struct rt_jitter *j = s->jitter;
	int16_t *out = j->pcm + j->fill * j->channels;
	size_t n = j->frame;
	if (next && j->had_sound && codec_recovers(j, &s->coders.dec, next, out)) {
		j->fill += n;
		return;
	}
	if (!j->conf.conceals || !j->had_sound) {
		memset(out, 0, n * j->channels * sizeof(*out));
	} else if (!codec_conceals(j, &s->coders.dec, out)) {
		plc_pass(s, out, n, false);
	}
	j->fill += n;
}

ON_MEDIA static void decode(struct rt_stream *s, const struct jbuf_out *o)
{
	struct rt_jitter *j = s->jitter;
	int16_t *out = j->pcm + j->fill * j->channels;
	int n = codec_gives(j, &s->coders.dec, &o->packet, out, j->cap - j->fill);
	codec_heed(&s->coders.enc, &s->coders.dec);
	if (n <= 0) {
		s->t->dropped++;
		conceal(s, NULL);
		return;
	}
	jbuf_worth(j->buf, (uint32_t)((uint64_t)n * j->codec.clock_hz / j->ops->rate_hz));
	if (!s->coders.dec.ops->plc)
		plc_pass(s, out, (size_t)n, true);
	j->had_sound = true;
	if (!o->is_faster)
		j->fill += (size_t)n;
	else
		j->fill += j->channels == 2 ? stretch_cut_two(out, (size_t)n, j->ops->rate_hz)
		                            : stretch_cut(out, (size_t)n, j->ops->rate_hz);
}

/* A frame's worth of samples; false: nobody talks. */
ON_MEDIA static bool frame_fill(struct rt_stream *s)
{
	struct rt_jitter *j = s->jitter;
	struct jbuf_out o;
	while (j->fill < j->frame) {
		enum jbuf_get got = jbuf_get(j->buf, s->t->now_us, &o);
		if (got == JBUF_NONE && !j->fill) {
			j->had_sound = false;
			return false;
		}
		if (got == JBUF_PACKET)
			decode(s, &o);
		else
			conceal(s, got == JBUF_LOST && o.has_next ? &o.packet : NULL);
	}
	return true;
}

ON_MEDIA static void frame_give(struct rt_stream *s)
{
	struct rt_jitter *j = s->jitter;
	struct rt_thread *t = s->t;
	if (!frame_fill(s)) {
		j->is_silent = true;
		return;
	}
	const bool is_two = j->channels == 2;
	memcpy(is_two ? t->packet_two : t->packet_pcm, j->pcm, j->frame * j->channels * sizeof(j->pcm[0]));
	if (is_two)
		mix_downmix(t->packet_pcm, t->packet_two, j->frame, 2);
	j->fill -= j->frame;
	memmove(j->pcm, j->pcm + j->frame * j->channels, j->fill * j->channels * sizeof(j->pcm[0]));
	struct pkt k = {.payload = t->packet + RT_PACKET_ROOM,
	    .ts = j->ts,
	    .ssrc = j->ssrc,
	    .seq = j->seq++,
	    .has_marker = j->is_silent,
	    .was_decoded = true,
	    .has_two = is_two,
	    .pcm_count = (int)j->frame};
	j->is_silent = false;
	if (!goes_as_packets(s->f))
		flow_audio(t, s->f, &k);
	else if (s->f->is_read_tapped && !s->is_read_muted)
		record_tap_read(s, &k);
}

/* ---- packets ---- */

ON_MEDIA static void packets_give(struct rt_stream *s)
{
	struct rt_thread *t = s->t;
	struct jbuf_out o;
	do {
		if (jbuf_get(s->jitter->buf, t->now_us, &o) != JBUF_PACKET)
			return;
		struct pkt k = {.payload = t->packet + RT_PACKET_ROOM,
		    .n = o.packet.n,
		    .ts = o.packet.ts,
		    .ssrc = o.packet.ssrc,
		    .seq = o.packet.seq,
		    .pt = (uint8_t)s->f->jitter_pt,
		    .has_marker = o.packet.has_marker};
		memcpy(k.payload, o.packet.payload, k.n);
		flow_audio(t, s->f, &k);
	} while (o.is_faster); /* the next one as well: nothing is cut from what is not decoded */
}

/* What is due by the clock: after a stall that is more than a tick's. */
void jitter_tick(struct rt_stream *s)
{
	struct rt_jitter *j = s->jitter;
	int64_t frame_us = clock_us_of_ms(j->codec.ptime_ms), now_us = s->t->now_us;
	if (!j->start_us || now_us - j->start_us - j->given_us > STALL_MAX_US)
		j->start_us = now_us - stream_frame_us(s), j->given_us = 0;
	while (j->start_us + j->given_us + frame_us <= now_us + EARLY_US) {
		if (goes_as_packets(s->f) && holds_packets(s))
			packets_give(s);
		else
			frame_give(s);
		j->ts += j->frame_ticks;
		j->given_us += frame_us;
	}
}
