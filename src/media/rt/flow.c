/* A relayed packet must cost no more than its two system calls. So all decisions are made beforehand (stream.c's plan)
 * and a packet finds them as a few flags in its row; it is rewritten in place and sent at once, without a tick, a queue
 * or a decoder. The way is drawn above struct rt_flow. What a stream sends is one sequence under its own SSRC: each
 * relayed source is anchored to it by two offsets, so that loss and order of the source stay visible to the far side. A
 * bad packet costs a counter. */
#include "base/check.h"
#include "dsp/mix.h"
#include "media/rt/fec.h"

#include <string.h>

static inline __attribute__((always_inline)) void crypt_fetch(const struct rt_flow *f, bool is_out)
{
	if (f->crypt && f->crypt->ops->fetch)
		f->crypt->ops->fetch(f->crypt, is_out);
}

bool flow_readable(struct rt_thread *t, struct rt_flow *f)
{
	uint8_t *p = t->packet + RT_PACKET_ROOM;
	const struct rt_flow *to = f->to == FLOW_NONE ? f : &t->flows[f->to];
	struct addr from;
	ssize_t n;
	/* keys come from memory while the kernel works, those of the way out while the packet is opened */
	crypt_fetch(f, false);
	__builtin_prefetch(to->crypt);
	if (f->is_connected) {
		n = recv(f->fd, p, RT_PACKET_MAX + 1, 0);
	} else {
		socklen_t len = sizeof(from);
		n = recvfrom(f->fd, p, RT_PACKET_MAX + 1, 0, &from.sa, &len);
	}
	if (n <= 0) { /* an ICMP error of an earlier send, or nothing; the other end of a pair is closed */
		if (n == 0 && f->s->finder == &rt_finder_wired)
			wired_gone(f->s);
		return false;
	}
	if (n > RT_PACKET_MAX) {
		f->in_skipped++, t->dropped++;
		return true;
	}
	if (f->kernel)
		kernel_pull(f);
	if (to != f)
		crypt_fetch(to, true);
	flow_rtp_in(t, f, p, (size_t)n, f->is_connected ? NULL : &from);
	if (f->kernel)
		kernel_push(f);
	if (f->s->is_drain_due)
		source_drain(f->s);
	return true;
}

uint32_t flow_ts_now(const struct rt_flow *f)
{
	const struct rt_out *o = &f->out;
	if (!o->was_started)
		return o->ts;
	int64_t ticks = (f->s->t->now_us - o->at_us) * f->send_clock_hz / 1000000;
	return o->ts + (ticks > f->send_frame_ticks ? (uint32_t)ticks : f->send_frame_ticks);
}

void flow_put(struct rt_thread *t, struct rt_flow *f, uint8_t *p, size_t n)
{
	size_t payload_bytes = n - RTP_HEADER_BYTES;
	const struct rt_flow *way = f->is_riding ? f->s->carrier->f : f;
	if (f->s->capture)
		capture_packet(f->s, true, false, p, n);
	if (way->crypt) {
		int made = way->crypt->ops->protect(way->crypt, false, p, n);
		if (made < 0) {
			t->dropped++;
			return;
		}
		n = (size_t)made;
	}
	ssize_t done = way->is_connected ? send(way->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL)
	               : way->s->is_turned
	                   ? turn_bytes_send(way->s->turn, &way->s->remote_rtp, p, n) - 1
	                   : sendto(way->fd, p, n, MSG_DONTWAIT, &way->s->remote_rtp.sa, addr_len(&way->s->remote_rtp));
	if (done < 0) { /* no buffer, or the ICMP error of an earlier packet: it never left */
		t->dropped++;
		return;
	}
	f->out.packets++, t->packets_out++;
	f->out.bytes += payload_bytes;
}

/* ts and the moment it stands for move together, so that packets of one event (same ts) keep its beginning. */
static void out_advance(struct rt_thread *t, struct rt_out *o, uint16_t seq, uint32_t ts)
{
	o->seq = seq;
	if (ts != o->ts || !o->was_started)
		o->ts = ts, o->at_us = t->now_us;
	o->was_started = true;
}

void flow_send_own(struct rt_flow *f, uint8_t pt, bool has_marker, uint32_t ts, uint8_t *payload, size_t n)
{
	struct rt_thread *t = f->s->t;
	struct rt_out *o = &f->out;
	uint8_t *p = payload - RTP_HEADER_BYTES;
	if (f->has_dtx && pt == f->send_pt && comfort_withholds(f, ts, payload, n))
		return;
	if (f->s->peer && f->s->peer->f->kernel)
		kernel_take_back(f->s->peer->f);
	uint16_t seq = (uint16_t)(o->seq + 1);
	o->is_anchored = false;
	if (f->is_write_tapped && pt == f->send_pt)
		record_tap_sent(f->s, ts, payload, n);
	rtp_write_header(p, has_marker, pt, seq, ts, o->ssrc);
	out_advance(t, o, seq, ts);
	if (f->is_red && pt == f->send_pt && red_out(t, f, has_marker, seq, ts, payload, n))
		return;
	flow_put(t, f, p, n + RTP_HEADER_BYTES);
}

static bool is_new_source(const struct rt_out *o, const struct pkt *k)
{
	int jump = rtp_seq_diff(k->seq, o->src_seq);
	return !o->is_anchored || o->src_ssrc != k->ssrc || jump > SEQ_JUMP_MAX || jump < -SEQ_JUMP_MAX;
}

/* The source goes on, from k, behind what was sent; k itself is of that time. */
ON_MEDIA static void anchor(struct rt_flow *f, const struct pkt *k, uint32_t ts)
{
	struct rt_out *o = &f->out;
	o->seq_offset = (uint16_t)(o->seq + 1 - k->seq);
	o->ts_offset = ts - k->ts;
	o->src_ssrc = k->ssrc, o->src_seq = o->anchor_seq = k->seq;
	o->is_anchored = true;
	if (f->is_fec)
		fec_anchor(f);
}

void flow_forward(struct rt_thread *t, struct rt_flow *f, struct pkt *k, uint8_t pt)
{
	struct rt_out *o = &f->out;
	if (!f->may_relay) {
		o->is_anchored = false;
		return;
	}
	if (is_new_source(o, k)) {
		anchor(f, k, flow_ts_now(f));
		if (f->is_passed && f->s->peer)
			key_frame_ask(f->s->peer);
		else
			k->has_marker = true;
	} else if (rtp_seq_diff(k->seq, o->anchor_seq) < 0 && rtp_seq_diff(o->src_seq, o->anchor_seq) < SEQ_JUMP_MAX) {
		return; /* older than the anchor: its number was used by the source before */
	}
	uint8_t *p = k->payload - k->ext_bytes - RTP_HEADER_BYTES;
	uint16_t seq = f->is_fec ? fec_number(f, k->seq) : (uint16_t)(k->seq + o->seq_offset);
	uint32_t ts = k->ts + o->ts_offset;
	if (f->has_dtx && pt == f->send_pt && comfort_withholds(f, ts, k->payload, k->n)) {
		o->is_anchored = false; /* what comes after goes on from what was sent */
		return;
	}
	if (f->is_write_tapped && pt == f->send_pt)
		record_tap_sent(f->s, ts, k->payload, k->n);
	rtp_write_header(p, k->has_marker, pt, seq, ts, o->ssrc);
	if (k->ext_bytes)
		p[0] |= 0x10;
	if (!o->was_started || rtp_seq_diff(seq, o->seq) > 0) {
		out_advance(t, o, seq, ts);
		o->src_seq = k->seq;
	}
	if (f->is_red && pt == f->send_pt && red_out(t, f, k->has_marker, seq, ts, k->payload, k->n))
		return;
	if (f->is_fec)
		fec_send(t, f, p, k->n + k->ext_bytes + RTP_HEADER_BYTES);
	else
		flow_put(t, f, p, k->n + k->ext_bytes + RTP_HEADER_BYTES);
}

const int16_t *pkt_samples(struct rt_stream *s, struct pkt *k)
{
	struct rt_thread *t = s->t;
	struct codec_dec *d = &s->coders.dec;
	if (!k->was_decoded) {
		k->has_two = d->channels == 2;
		k->pcm_count = !d->ops      ? ST_UNSUPPORTED
		               : k->has_two ? codec_decode_two(d, k->payload, k->n, t->packet_two, RT_FRAME_MAX_SAMPLES)
		                            : codec_decode(d, k->payload, k->n, t->packet_pcm, RT_FRAME_MAX_SAMPLES);
		if (k->has_two && k->pcm_count > 0)
			mix_downmix(t->packet_pcm, t->packet_two, (size_t)k->pcm_count, 2);
		if (d->ops)
			codec_heed(&s->coders.enc, d);
	}
	k->was_decoded = true;
	return k->pcm_count > 0 ? t->packet_pcm : NULL;
}

const int16_t *pkt_two(struct rt_stream *s, struct pkt *k)
{
	struct rt_thread *t = s->t;
	if (!pkt_samples(s, k))
		return NULL;
	if (!k->has_two)
		mix_double(t->packet_two, t->packet_pcm, (size_t)k->pcm_count);
	k->has_two = true;
	return t->packet_two;
}

ON_MEDIA static inline void audio_pass(struct rt_thread *t, struct rt_flow *f, struct pkt *k)
{
	struct rt_stream *s = f->s;
	if (f->is_read_tapped && !s->is_read_muted)
		record_tap_read(s, k);
	if (s->member && !s->is_read_muted)
		member_in(s, k);
	switch ((enum flow_how)f->how) {
	case HOW_NONE:
		break;
	case HOW_DIRECT:
		flow_forward(t, &t->flows[f->to], k, (uint8_t)t->flows[f->to].send_pt);
		break;
	case HOW_XCODE:
		xcode_forward(t, s, &t->flows[f->to], k);
		break;
	case HOW_DELAY:
		delay_put(s, k);
		break;
	case HOW_PCM:
		pcm_in(t, s, k);
		break;
	}
}

void flow_audio(struct rt_thread *t, struct rt_flow *f, struct pkt *k)
{
	audio_pass(t, f, k);
}

ON_MEDIA static void audio_in(struct rt_thread *t, struct rt_flow *f, struct pkt *k)
{
	f->in_media++;
	if (f->s->dtmf_in.is_active)
		dtmf_in_flush(f->s);
	if (f->s->comfort)
		comfort_heard(f->s);
	audio_pass(t, f, k);
}

ON_MEDIA static void buffered_in(struct rt_flow *f, struct pkt *k)
{
	f->in_media++;
	if (f->s->dtmf_in.is_active)
		dtmf_in_flush(f->s);
	if (f->s->comfort)
		comfort_heard(f->s);
	jitter_in(f->s, k);
}

ON_MEDIA static void event_in(struct rt_thread *t, struct rt_flow *f, struct pkt *k)
{
	f->s->in_dtmf++;
	if (!dtmf_in(f->s, k))
		return;
	struct rt_flow *to = &t->flows[f->to];
	struct rt_relayed_event *e = &f->s->relayed_event;
	/* An event's time is its name: of which the far side has seen the beginning goes on under it, though something
	 * of our own was sent meanwhile. Else it hears two keys. */
	if (to->may_relay && e->is_sent && e->sent_ssrc == to->out.ssrc && is_new_source(&to->out, k))
		anchor(to, k, e->sent_ts);
	if (to->may_relay)
		to->s->out_dtmf++;
	flow_forward(t, to, k, (uint8_t)to->send_dtmf_pt);
	if (to->may_relay)
		e->is_sent = true, e->sent_ts = k->ts + to->out.ts_offset, e->sent_ssrc = to->out.ssrc;
}

void flow_sound(struct rt_thread *t, struct rt_flow *f, struct pkt *k)
{
	if (k->pt == f->recv_pt)
		audio_in(t, f, k);
	else if (k->pt == f->jitter_pt)
		buffered_in(f, k);
}

bool flow_noise_passes(const struct rt_flow *f)
{
	if (f->how != HOW_DIRECT && f->how != HOW_XCODE)
		return false;
	const struct rt_flow *to = &f->s->t->flows[f->to];
	return to->cn_pt >= 0 && to->send_clock_hz == f->s->params.recv.clock_hz;
}

ON_MEDIA static void noise_in(struct rt_thread *t, struct rt_flow *f, struct pkt *k)
{
	f->s->in_cng++;
	(void)comfort_in(f->s, k);
	if (!flow_noise_passes(f))
		return;
	struct rt_flow *to = &t->flows[f->to];
	to->s->out_cng++;
	flow_forward(t, to, k, (uint8_t)to->cn_pt);
}

static bool is_flood(struct rt_flow *f, int64_t now_us)
{
	if (now_us - f->rate_since_us >= 1000000)
		f->rate_since_us = now_us, f->rate_count = 0;
	return ++f->rate_count > (f->is_passed ? PASS_RATE_MAX : IN_RATE_MAX);
}

ON_MEDIA static void account(struct rt_thread *t, struct rt_flow *f, const struct rtp_packet *k, size_t n)
{
	struct rt_stream *s = f->s;
	f->in_packets++, t->packets_in++;
	f->in_bytes += n;
	if (!f->last_in_us)
		report_flag(s, PEND_FIRST);
	f->last_in_us = t->now_us;
	if (s->seq.ssrc != k->ssrc || !s->seq.is_started) {
		if (s->seq.is_started)
			s->lost_before += rtp_source_lost(&s->seq);
		rtp_source_init(&s->seq, k->ssrc, s->params.recv.clock_hz ? s->params.recv.clock_hz : 8000);
	}
	if (k->pt == f->cn_pt) /* sent when there is something to tell, not in time */
		(void)rtp_source_count(&s->seq, k->seq);
	else
		(void)rtp_source_update(&s->seq, k->seq, k->ts, t->now_us);
}

/* Who speaks ICE may send by another of the pairs that work than the one we send by. */
ON_MEDIA static bool is_his(const struct rt_stream *s, const struct addr *from)
{
	const struct rt_finder_ops *ops = s->finder->ops;
	return !from || (addr_is_set(&s->remote_rtp) && addr_eq(from, &s->remote_rtp)) ||
	       (ops->packet && ops->vouches && ops->vouches(s->finder, s, from));
}

/* On the RTP socket, but no RTP. */
ON_MEDIA static void other_in(
    struct rt_thread *t, struct rt_flow *f, enum rtp_kind kind, uint8_t *p, size_t n, const struct addr *from)
{
	struct rt_stream *s = f->s;
	if (kind == RTP_KIND_RTCP) {
		bool is_shared = s->params.is_rtcp_mux || s->rtcp_fd < 0;
		int left = -1;
		if (is_shared && is_his(s, from))
			left = plug_unprotect(s, true, p, n);
		if (left > 0)
			rtcp_in(s, p, (size_t)left);
		for (struct rt_stream *r = s->rider; r && left > 0; r = r->next_rider)
			rtcp_in(r, p, (size_t)left);
		if (left <= 0)
			f->in_skipped++;
		return;
	}
	if (kind != RTP_KIND_NONE && plug_packet(s, kind, from, p, n))
		return;
	f->in_skipped++, t->dropped++;
}

/* Of none that is taken. Where the far side may send another codec, control is told: it is taken from its parameters
 * on, and what comes until then is lost. */
ON_MEDIA static void other_codec_in(struct rt_flow *f, const struct pkt *k)
{
	struct rt_stream *s = f->s;
	f->in_skipped++;
	if (s->is_also_told || !(s->params.also[k->pt / 32] >> (k->pt % 32) & 1))
		return;
	s->also_pt = k->pt, s->is_also_told = true;
	report_flag(s, PEND_CODEC);
}

void flow_rtp_in(struct rt_thread *t, struct rt_flow *f, uint8_t *p, size_t n, const struct addr *from)
{
	struct rt_stream *s = f->s;
	struct rtp_packet pk;
	enum rtp_kind kind = rtp_classify(p, n);
	if (kind != RTP_KIND_RTP) {
		other_in(t, f, kind, p, n, from);
		return;
	}
	if (f->crypt) {
		int left = plug_unprotect(s, false, p, n);
		if (left < 0)
			return;
		n = (size_t)left;
	}
	if (rtp_parse(p, n, &pk)) {
		f->in_skipped++, t->dropped++;
		return;
	}
	if (from && !s->finder->ops->takes_rtp(s->finder, s, from, &pk))
		return;
	if (s->capture)
		capture_packet(s, false, false, p, n);
	if (s->rider) {
		struct rt_stream *r = bundle_rider(s, pk.pt);
		if (r)
			s = r, f = r->f;
	}
	if (is_flood(f, t->now_us)) {
		s->in_flushed++, t->dropped++;
		return;
	}
	account(t, f, &pk, n);
	if (!f->may_take) {
		f->in_skipped++;
		return;
	}
	if (f->is_passed) {
		pass_in(t, f, p, n, &pk);
		return;
	}
	struct pkt k = {.payload = p + (pk.payload - p),
	    .n = pk.payload_bytes,
	    .ts = pk.ts,
	    .ssrc = pk.ssrc,
	    .seq = pk.seq,
	    .pt = pk.pt,
	    .has_marker = pk.is_marked};
	if (f->may_be_red && !red_in(t, f, &k))
		return;
	if (k.pt == f->recv_pt)
		audio_in(t, f, &k);
	else if (k.pt == f->jitter_pt)
		buffered_in(f, &k);
	else if (k.pt == f->recv_dtmf_pt)
		event_in(t, f, &k);
	else if (k.pt == f->cn_pt)
		noise_in(t, f, &k);
	else
		other_codec_in(f, &k);
}
