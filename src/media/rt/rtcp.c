/* RTCP of a stream (RFC 3550 section 6): a sender or receiver report with our own SSRC about every five seconds, varied
 * by half so that streams do not speak together (the first in half that time, section 6.2), and BYE at the end; the
 * peer's sender reports feed the statistics. Taken on its own port from the signalled address, or from the host that
 * RTP comes from under RTP's SSRC; then a learned host is answered there. With rtcp-mux (RFC 5761): on the RTP port,
 * from RTP's address. */
#include "base/clock.h"
#include "base/rand.h"
#include "media/rt/fec.h"
#include "rtp/quality.h"

enum { INTERVAL_US = 5000000, ROUND_TRIP_MAX_US = 60000000 /* more is no measurement */, RTCP_PACKET_MAX = 256 };

/* What the far side says of us. */
ON_MEDIA static void blocks_in(struct rt_stream *s, const struct rtcp_item *it)
{
	struct rtcp_block b;
	for (unsigned i = 0; rtcp_block_get(it, i, &b); i++) {
		if (b.ssrc != s->f->out.ssrc)
			continue;
		uint32_t us = rtcp_round_trip_us(&b, rtcp_ntp_mid(rtcp_ntp(clock_wall_us())));
		s->rtcp.far_lost = b.lost, s->rtcp.far_jitter = b.jitter;
		if (s->f->is_fec)
			fec_loss(s->f, b.fraction_lost);
		if (!us || us > ROUND_TRIP_MAX_US)
			continue;
		s->rtcp.round_trip_us = us;
		if (us > s->rtcp.round_trip_max_us)
			s->rtcp.round_trip_max_us = us;
	}
}

void rtcp_in(struct rt_stream *s, const uint8_t *p, size_t n)
{
	struct rtcp_item it;
	size_t off = 0;
	if (rtcp_check(p, n))
		return;
	if (s->capture)
		capture_packet(s, false, true, p, n);
	rtcp_watch_packet(s, false, p, n);
	while (rtcp_next(p, n, &off, &it) == ST_OK) {
		if (it.type == RTCP_SR || it.type == RTCP_RR)
			blocks_in(s, &it);
		else if (it.type == RTCP_XR)
			s->rtcp.has_xr |= xr_voip_get(&it, s->f->out.ssrc, &s->rtcp.xr);
		if ((it.type == RTCP_RTPFB || it.type == RTCP_PSFB) && s->f->is_passed)
			feedback_in(s, &it);
		if (it.type != RTCP_SR || ((s->carrier || s->rider) && it.ssrc != s->seq.ssrc))
			continue;
		s->rtcp.sr_mid = rtcp_ntp_mid(it.sr.ntp);
		s->rtcp.sr_ssrc = it.ssrc;
		s->rtcp.sr_at_us = s->t->now_us;
		s->rtcp.peer_packets = it.sr.packets;
		s->rtcp.peer_octets = it.sr.octets;
	}
}

/* What the phones of a raw relay tell each other. */
ON_MEDIA static void raw_forward(struct rt_stream *to, const uint8_t *p, size_t n)
{
	if (to && to->rtcp_fd >= 0 && addr_is_set(&to->remote_rtcp))
		(void)sendto(to->rtcp_fd, p, n, MSG_DONTWAIT, &to->remote_rtcp.sa, addr_len(&to->remote_rtcp));
}

void rtcp_readable(struct rt_thread *t, struct rt_stream *s)
{
	struct addr from;
	socklen_t len = sizeof(from);
	struct rtcp_item first;
	size_t off = 0;
	uint8_t *p = t->packet + RT_PACKET_ROOM;
	ssize_t n = recvfrom(s->rtcp_fd, p, RT_PACKET_MAX, MSG_DONTWAIT, &from.sa, &len);
	if (n <= 0)
		return;
	int left = plug_unprotect(s, true, p, (size_t)n);
	if (left < 0)
		return;
	/* what is relayed as it is may be SRTCP: behind its first 8 bytes nothing can be read */
	if ((!s->params.is_raw && rtcp_check(p, (size_t)left)) || rtcp_next(p, (size_t)left, &off, &first) ||
	    !s->finder->ops->takes_rtcp(s->finder, s, &from, first.ssrc))
		s->finder->ops->refused(s->finder, s, true);
	else if (s->params.is_raw)
		raw_forward(s->peer, p, (size_t)left);
	else
		rtcp_in(s, p, (size_t)left);
}

static uint16_t ms_of(uint64_t ms)
{
	return (uint16_t)(ms < UINT16_MAX ? ms : UINT16_MAX);
}
static uint8_t of_256(uint64_t part, uint64_t whole)
{
	uint64_t v = whole ? part * 256 / whole : 0;
	return (uint8_t)(v < 255 ? v : 255);
}

/* VoIP metrics of what comes. Bursts and gaps are told by the mean length of the holes in its numbers: a hole of
 * several packets is a burst in which all is lost, and between holes nothing is. */
ON_MEDIA static int metrics_write(struct rt_stream *s, uint8_t *p, size_t cap)
{
	struct media_stats st;
	struct quality_out q;
	rt_stream_stats(s, &st);
	uint64_t expected = st.in_packets + st.in_lost_packets, lost = st.in_lost_packets, holes = st.in_bursts;
	unsigned ptime_ms = s->params.recv.ptime_ms ? s->params.recv.ptime_ms : 20;
	struct quality_in in = {.codec = s->params.recv.name,
	    .loss = expected ? (double)lost / (double)expected : 0,
	    .burst = holes ? (double)lost / (double)holes : 1,
	    .delay_ms = (double)st.round_trip_us / 2000 + st.jb.depth_ms,
	    .is_concealed = 1};
	quality_rate(&in, &q);
	bool has_bursts = holes && lost > holes;
	struct xr_voip v = {.ssrc = s->seq.ssrc,
	    .loss = of_256(lost, expected),
	    .discard = of_256(st.jb.late + st.jb.dropped, expected),
	    .burst_density = has_bursts ? 255 : 0,
	    .gap_density = has_bursts ? 0 : of_256(lost, expected),
	    .burst_ms = has_bursts ? ms_of(lost / holes * ptime_ms) : 0,
	    .gap_ms = ms_of((expected - lost) / (has_bursts ? holes : 1) * ptime_ms),
	    .round_trip_ms = ms_of(st.round_trip_us / 1000),
	    .end_delay_ms = ms_of(st.jb.depth_ms + ptime_ms),
	    .r = (uint8_t)(q.r > 0 ? q.r + 0.5 : 0),
	    .mos_lq = (uint8_t)(q.mos * 10 + 0.5),
	    .mos_cq = (uint8_t)(q.mos * 10 + 0.5),
	    .is_concealed = 3,
	    .jb_ms = ms_of(st.jb.depth_ms),
	    .jb_max_ms = ms_of(st.jb.depth_max_ms),
	    .jb_limit_ms = ms_of(st.jb.depth_max_ms)};
	int n = xr_voip_write(p, cap, s->f->out.ssrc, &v);
	return n > 0 ? n : 0;
}

ON_MEDIA static void report_send(struct rt_stream *s, bool is_bye)
{
	struct rt_flow *f = s->f;
	int64_t now_us = s->t->now_us;
	struct rtcp_sr sr;
	struct rtcp_block block;
	struct rtcp_report r = {.ssrc = f->out.ssrc, .is_bye = is_bye, .cname = "tandem"};
	if (f->out.packets != s->rtcp.out_packets_told) {
		int64_t since_us = now_us - f->out.at_us;
		sr = (struct rtcp_sr){.ssrc = f->out.ssrc,
		    .ntp = rtcp_ntp(clock_wall_us()),
		    .ts = f->out.ts + (uint32_t)(since_us * f->send_clock_hz / 1000000),
		    .packets = (uint32_t)f->out.packets,
		    .octets = (uint32_t)f->out.bytes};
		r.sr = &sr;
		s->rtcp.out_packets_told = f->out.packets;
	}
	if (s->seq.is_started) {
		bool is_his = s->rtcp.sr_ssrc == s->seq.ssrc;
		rtcp_block_make(&s->seq, is_his ? s->rtcp.sr_mid : 0, (uint64_t)(now_us - s->rtcp.sr_at_us), &block);
		r.blocks = &block, r.block_count = 1;
	}
	if (s->params.is_raw)
		return;
	uint8_t p[RTCP_PACKET_MAX + RT_CRYPT_TAIL];
	int n = rtcp_write(p, RTCP_PACKET_MAX, &r);
	if (n <= 0)
		return;
	if (s->params.sends_xr && s->seq.is_started && !is_bye)
		n += metrics_write(s, p + n, RTCP_PACKET_MAX - (size_t)n);
	if (s->capture)
		capture_packet(s, true, true, p, (size_t)n);
	rtcp_watch_packet(s, true, p, (size_t)n);
	plug_rtcp_send(s, p, (size_t)n);
}

ON_MEDIA static void report_plan(struct rt_stream *s, bool is_first)
{
	uint32_t us = s->params.rtcp_interval_ms ? (uint32_t)clock_us_of_ms(s->params.rtcp_interval_ms) : INTERVAL_US;
	if (is_first)
		us /= 2;
	s->rtcp.next_us = s->t->now_us + us / 2 + rand_below(us);
}

void rtcp_begin(struct rt_stream *s)
{
	if (!s->rtcp.next_us)
		report_plan(s, true);
}

void rtcp_house(struct rt_stream *s)
{
	if (!s->rtcp.next_us || s->t->now_us < s->rtcp.next_us)
		return;
	report_plan(s, false);
	if (addr_is_set(&s->remote_rtcp) && (s->f->out.packets || s->seq.is_started))
		report_send(s, false);
}

void rtcp_bye(struct rt_stream *s)
{
	if (s->has_params && addr_is_set(&s->remote_rtcp) && s->f->out.packets)
		report_send(s, true);
}
