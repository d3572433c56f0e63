/* RTCP feedback between the two legs of a video relay. What the receiving phone says of our SSRC is said to the phone
 * that the pictures come from, under its own SSRC and numbers, where it agreed to that kind of feedback. A picture that
 * needs no other is asked for in the way the phone knows (PLI, FIR, else control asks by signalling): when somebody
 * asks, and when another source begins to be passed or goes on. Not more often than every 300 ms; what is asked for
 * meanwhile is asked for with the next packet after. */
#include "rtp/feedback.h"
#include "media/rt/fec.h"

enum { KEY_INTERVAL_US = 300000, SIGNALLED_KEY_INTERVAL_US = 1000000 };

/* A packet of feedback, with the head that a compound needs unless it may go alone. */
ON_MEDIA static void feedback_send(struct rt_stream *s, uint8_t *p, size_t at, size_t n)
{
	if (s->capture)
		capture_packet(s, true, true, p, at + n);
	plug_rtcp_send(s, p, at + n);
}

/* Where the packet begins in p. */
ON_MEDIA static size_t head_write(struct rt_stream *s, uint8_t *p, size_t cap)
{
	struct rtcp_report r = {.ssrc = s->f->out.ssrc, .cname = "tandem"};
	int n = s->params.is_rsize ? 0 : rtcp_write(p, cap, &r);
	return n > 0 ? (size_t)n : 0;
}

ON_MEDIA static bool may_ask(const struct rt_stream *s)
{
	return s->params.kind == MEDIA_VIDEO && s->seq.is_started && s->f->may_take;
}

ON_MEDIA static void key_frame_send(struct rt_stream *s)
{
	uint8_t p[128 + RT_CRYPT_TAIL];
	size_t at;
	int n;

	s->key_asked_us = s->t->now_us;
	s->is_key_due = false;
	if (!(s->params.fb & (MEDIA_FB_PLI | MEDIA_FB_FIR))) {
		report_flag(s, PEND_KEY);
		return;
	}
	if (!addr_is_set(&s->remote_rtcp))
		return;
	at = head_write(s, p, 96);
	if (s->params.fb & MEDIA_FB_PLI)
		n = rtcp_fb_pli(p + at, 128 - at, s->f->out.ssrc, s->seq.ssrc);
	else
		n = rtcp_fb_fir(p + at, 128 - at, s->f->out.ssrc, s->seq.ssrc, ++s->fir_number);
	if (n > 0)
		feedback_send(s, p, at, (size_t)n);
}

void key_frame_run(struct rt_stream *s)
{
	int64_t interval_us =
	    s->params.fb & (MEDIA_FB_PLI | MEDIA_FB_FIR) ? KEY_INTERVAL_US : SIGNALLED_KEY_INTERVAL_US;
	if (!may_ask(s))
		s->is_key_due = false;
	else if (!s->key_asked_us || s->t->now_us - s->key_asked_us >= interval_us)
		key_frame_send(s);
}

void key_frame_ask(struct rt_stream *s)
{
	if (!s->t || !may_ask(s))
		return;
	s->is_key_due = true;
	key_frame_run(s);
}

static unsigned bit_of(enum rtcp_fb_kind kind)
{
	static const uint8_t bits[] = {[RTCP_FB_NACK] = MEDIA_FB_NACK,
	    [RTCP_FB_TMMBR] = MEDIA_FB_TMMBR,
	    [RTCP_FB_REMB] = MEDIA_FB_REMB,
	    [RTCP_FB_TCC] = MEDIA_FB_TCC};
	return kind < sizeof(bits) ? bits[kind] : 0;
}

/* A number that the phone of `arg` misses, as the source has it. */
static bool number_of(uint16_t seq, uint16_t *out, void *arg)
{
	struct rt_stream *s = arg;
	uint16_t number = (uint16_t)(seq - s->f->out.seq_offset);

	role_assert_media();
	if (s->f->is_fec && !fec_number_back(s->f, seq, &number))
		return false;
	*out = number;
	return !s->peer->coders.fec || fec_wanted(s->peer, number, out);
}

void feedback_in(struct rt_stream *s, const struct rtcp_item *it)
{
	uint8_t p[128 + RTCP_FB_BYTES_MAX + RT_CRYPT_TAIL];
	struct rt_stream *peer = s->peer;
	enum rtcp_fb_kind kind = rtcp_fb_kind(it);
	const struct rt_out *o = &s->f->out;

	if (!peer || kind == RTCP_FB_NONE || !rtcp_fb_is_about(it, o->ssrc))
		return;
	if (kind == RTCP_FB_PLI || kind == RTCP_FB_FIR) {
		key_frame_ask(peer);
		return;
	}
	if (!(peer->params.fb & bit_of(kind)) || !peer->seq.is_started || !addr_is_set(&peer->remote_rtcp) ||
	    !o->is_anchored || o->src_ssrc != peer->seq.ssrc)
		return;
	if (kind == RTCP_FB_TCC && (!s->params.exts[MEDIA_EXT_TCC] || !peer->params.exts[MEDIA_EXT_TCC]))
		return;
	struct rtcp_fb_way w = {
	    .sender = peer->f->out.ssrc, .near = o->ssrc, .far = peer->seq.ssrc, .seq_offset = o->seq_offset};
	if (s->f->is_fec || peer->coders.fec)
		w.number = number_of, w.arg = s;
	size_t at = head_write(peer, p, 128);
	int n = rtcp_fb_pass(it, &w, p + at, RTCP_FB_BYTES_MAX);
	if (n > 0)
		feedback_send(peer, p, at, (size_t)n);
}
