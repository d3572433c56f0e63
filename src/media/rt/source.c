/* Whom a stream believes (design, "safe by default"). Without learning the socket is connected to the signalled address
 * and the kernel drops everybody else. With learning it is open for a window: the signalled address wins with its first
 * packet; another one must send five packets in sequence; then the socket is connected and never flips. The window ends
 * three seconds after the first packet. New parameters with another address open it again, equal ones change nothing.
 * What is in the socket's buffer when it is connected came before the lock: it is read at once and strangers are
 * dropped. */
#include "media/rt/rt_i.h"

#include <string.h>

enum { DRAIN_MAX = 256 };

/* Later packets come from the right source only. */
void source_drain(struct rt_stream *s)
{
	struct rt_thread *t = s->t;
	struct addr from;
	s->is_drain_due = false;
	for (int i = 0; i < DRAIN_MAX; i++) {
		socklen_t len = sizeof(from);
		uint8_t *p = t->scratch + RT_PACKET_ROOM;
		ssize_t n = recvfrom(s->f->fd, p, RT_PACKET_MAX, MSG_DONTWAIT, &from.sa, &len);
		if (n < 0)
			return;
		if (addr_eq(&from, &s->remote_rtp))
			flow_rtp_in(t, s->f, p, (size_t)n, NULL);
		else
			s->in_wrong++, t->dropped++;
	}
}

ON_MEDIA static void lock_to(struct rt_stream *s, const struct addr *a, enum src_state state)
{
	s->remote_rtp = *a;
	s->src = state;
	memset(s->cands, 0, sizeof(s->cands));
	/* Any connect failure (no route) leaves the socket open: then every packet is compared instead. */
	s->f->is_connected = connect(s->f->fd, &a->sa, addr_len(a)) == 0;
	s->is_drain_due = s->f->is_connected;
}

ON_MEDIA static void open_window(struct rt_stream *s)
{
	struct sockaddr none = {.sa_family = AF_UNSPEC};
	if (s->f->is_connected)
		(void)connect(s->f->fd, &none, sizeof(none));
	s->f->is_connected = s->is_drain_due = false;
	s->src = SRC_OPEN;
	s->src_since_us = 0;
	memset(s->cands, 0, sizeof(s->cands));
}

static void rtcp_addr(struct rt_stream *s)
{
	const struct media_params *p = &s->params;
	if (p->is_rtcp_mux || !addr_is_set(&s->remote_rtp)) {
		s->remote_rtcp = s->remote_rtp;
	} else if (s->src != SRC_LOCKED && addr_is_set(&p->remote_rtcp)) {
		s->remote_rtcp = p->remote_rtcp;
	} else {
		s->remote_rtcp = s->remote_rtp;
		addr_set_port(&s->remote_rtcp, (uint16_t)(addr_port(&s->remote_rtp) + 1));
	}
}

void source_set(struct rt_stream *s, const struct media_params *was)
{
	const struct media_params *p = &s->params;
	bool is_same = was && s->src != SRC_NONE && was->is_learning_allowed == p->is_learning_allowed &&
	               addr_is_set(&was->remote_rtp) == addr_is_set(&p->remote_rtp) &&
	               (!addr_is_set(&p->remote_rtp) || addr_eq(&was->remote_rtp, &p->remote_rtp));
	if (!is_same) {
		s->remote_rtp = p->remote_rtp;
		if (p->is_learning_allowed) {
			open_window(s);
		} else if (addr_is_set(&p->remote_rtp)) {
			lock_to(s, &p->remote_rtp, SRC_STRICT);
			source_drain(s);
		} else {
			open_window(s);
			s->src = SRC_NONE;
		}
	}
	rtcp_addr(s);
}

static struct src_candidate *candidate(struct rt_stream *s, const struct addr *from)
{
	struct src_candidate *weakest = &s->cands[0];
	for (size_t i = 0; i < sizeof(s->cands) / sizeof(s->cands[0]); i++) {
		struct src_candidate *c = &s->cands[i];
		if (c->count && addr_eq(&c->addr, from))
			return c;
		if (c->count < weakest->count)
			weakest = c;
	}
	weakest->addr = *from;
	weakest->count = 0;
	return weakest;
}

ON_MEDIA static void settle(struct rt_stream *s, const struct addr *a, enum src_state state)
{
	lock_to(s, a, state);
	rtcp_addr(s);
	stream_plan(s);
}

bool source_accepts(struct rt_stream *s, const struct addr *from, uint32_t ssrc, uint16_t seq)
{
	const struct media_params *p = &s->params;
	if (s->src != SRC_OPEN) /* connect failed, or nobody is believed */
		return (s->src == SRC_STRICT || s->src == SRC_LOCKED) && addr_eq(from, &s->remote_rtp);
	if (!s->src_since_us)
		s->src_since_us = s->t->now_us;
	bool is_signalled_set = addr_is_set(&p->remote_rtp);
	if (is_signalled_set && addr_eq(from, &p->remote_rtp)) {
		settle(s, from, SRC_STRICT);
		return true;
	}
	if (p->has_loopback_only_peer && is_signalled_set && !addr_eq_host(from, &p->remote_rtp))
		return false;
	struct src_candidate *c = candidate(s, from);
	bool is_next = c->count && c->ssrc == ssrc && seq == (uint16_t)(c->seq + 1);
	c->count = is_next ? (uint8_t)(c->count + 1) : 1;
	c->ssrc = ssrc, c->seq = seq;
	if (c->count < LEARN_PACKETS)
		return false;
	struct addr learned = *from;
	settle(s, &learned, SRC_LOCKED);
	report_flag(s, PEND_LEARNED);
	return true;
}

void source_house(struct rt_stream *s)
{
	if (s->src != SRC_OPEN || !s->src_since_us || s->t->now_us - s->src_since_us < LEARN_WINDOW_US)
		return;
	if (addr_is_set(&s->params.remote_rtp)) {
		settle(s, &s->params.remote_rtp, SRC_STRICT);
		source_drain(s);
	} else {
		s->src = SRC_NONE;
	}
}
