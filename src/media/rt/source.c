/* Who may be heard is decided by a rule (source_rule.c); the socket follows it, so that the kernel does the work. As
 * long as more than one address may be taken it is open and every packet is compared; with the signalled address
 * speaking, or alone allowed, it is connected and the kernel drops everybody else. What is in the socket's buffer then
 * came before: it is read at once and strangers are dropped. This is the finder of every stream with ports (rt.h). */
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
		if (addr_eq(&from, &s->source.signalled))
			flow_rtp_in(t, s->f, p, (size_t)n, NULL);
		else
			s->in_wrong++, t->dropped++;
	}
}

ON_MEDIA static void socket_open(struct rt_stream *s)
{
	struct sockaddr none = {.sa_family = AF_UNSPEC};
	if (s->f->is_connected)
		(void)connect(s->f->fd, &none, sizeof(none));
	s->f->is_connected = s->is_drain_due = false;
}

/* Any connect failure (no route) leaves the socket open: then every packet is compared instead. */
ON_MEDIA static void socket_follow(struct rt_stream *s)
{
	struct rt_flow *f = s->f;
	const struct addr *only = rt_source_only(&s->source);
	source_filter_reset(s);
	if (only) {
		f->is_connected = connect(f->fd, &only->sa, addr_len(only)) == 0;
		s->is_drain_due = f->is_connected;
		return;
	}
	socket_open(s);
}

static bool is_learned(const struct rt_source *src)
{
	return src->rank != RT_RANK_NONE && src->rank != RT_RANK_SIGNALLED;
}

/* Where RTP and RTCP are sent. Signalling that says "nowhere" stops the sending and changes nothing else. A learned
 * host's RTCP has a port of its own behind a translator, which its first report tells. */
ON_MEDIA static void targets_set(struct rt_stream *s)
{
	const struct media_params *p = &s->params;
	const struct rt_source *src = &s->source;
	memset(&s->remote_rtp, 0, sizeof(s->remote_rtp));
	if (addr_is_set(&p->remote_rtp) || !addr_is_set(&src->signalled))
		s->remote_rtp = *rt_source_target(src);
	s->remote_rtcp = s->remote_rtp;
	if (p->is_rtcp_mux || !addr_is_set(&s->remote_rtp))
		return;
	if (!is_learned(src) && addr_is_set(&p->remote_rtcp))
		s->remote_rtcp = p->remote_rtcp;
	else if (is_learned(src) && addr_is_set(&s->rtcp.learned) && addr_eq_host(&s->rtcp.learned, &s->remote_rtp))
		s->remote_rtcp = s->rtcp.learned;
	else
		addr_set_port(&s->remote_rtcp, (uint16_t)(addr_port(&s->remote_rtp) + 1));
}

static bool learn_takes_rtcp(const struct rt_finder *n, struct rt_stream *s, const struct addr *from, uint32_t ssrc)
{
	role_assert_media();
	const struct rt_source *src = &s->source;
	const struct addr *signalled = is_learned(src) ? &s->params.remote_rtcp : &s->remote_rtcp;
	if (!rt_source_takes_rtcp(src, from, signalled, s->seq.is_started, s->seq.ssrc, ssrc))
		return false;
	if (is_learned(src) && addr_eq_host(from, &src->current))
		s->rtcp.learned = *from, targets_set(s);
	return true;
}

static bool is_only(const struct addr *now, const struct addr *was)
{
	return (now == NULL) == !addr_is_set(was) && (!now || addr_eq(now, was));
}

static void learn_follow(const struct rt_finder *n, struct rt_stream *s)
{
	role_assert_media();
	struct rt_source *src = &s->source;
	const struct addr *only = rt_source_only(src);
	struct addr was_only = {0};
	if (only)
		was_only = *only;
	rt_source_signal(src, &s->params, s->t->now_us);
	only = rt_source_only(src);
	if (!is_only(only, &was_only) || (only && !s->f->is_connected) || s->is_filtered || s->rtcp.is_filtered)
		socket_follow(s);
	targets_set(s);
	if (s->is_drain_due)
		source_drain(s);
}

/* Another one speaks: what the one before began to say is not his. */
ON_MEDIA static void digits_part(struct rt_stream *s)
{
	memset(&s->dtmf_in, 0, sizeof(s->dtmf_in));
	s->relayed_event = (struct rt_relayed_event){0};
}

static bool learn_takes_rtp(
    const struct rt_finder *n, struct rt_stream *s, const struct addr *from, const struct rtp_packet *pk)
{
	role_assert_media();
	const struct rt_flow *f = s->f;
	bool was_learned = s->source.rank != RT_RANK_NONE;
	struct rt_source_packet k = {.from = from,
	    .ssrc = pk->ssrc,
	    .seq = pk->seq,
	    .is_media = pk->pt == f->recv_pt || pk->pt == f->jitter_pt || pk->pt == f->cn_pt,
	    .has_own_ssrc = pk->ssrc == f->out.ssrc};
	enum rt_source_verdict v = rt_source_decide(&s->source, &k, s->t->now_us);
	if (v == RT_SOURCE_DROP)
		source_wrong(s);
	if (v != RT_SOURCE_ADOPT)
		return v == RT_SOURCE_TAKE;
	struct addr was = s->remote_rtp;
	socket_follow(s);
	targets_set(s);
	if (was_learned || s->seq.ssrc != pk->ssrc)
		digits_part(s);
	/* its numbers go on nobody's, whatever the SSRC: lower ones are not late */
	if (was_learned && (f->how == HOW_DIRECT || f->how == HOW_XCODE))
		s->t->flows[f->to].out.is_anchored = false;
	stream_plan(s);
	if (addr_is_set(&s->remote_rtp) && !addr_eq(&was, &s->remote_rtp))
		report_flag(s, PEND_LEARNED);
	return true;
}

static void learn_refused(const struct rt_finder *n, struct rt_stream *s, bool is_rtcp)
{
	role_assert_media();
	if (is_rtcp && s->rtcp_fd >= 0)
		source_wrong_rtcp(s);
	else
		source_wrong(s);
}

static bool learn_vouches(const struct rt_finder *n, const struct rt_stream *s, const struct addr *from)
{
	role_assert_media();
	const struct rt_source *src = &s->source; /* where it was learned, what came was unprotected */
	return rt_source_rank_of(src, from) >= RT_RANK_HOST ||
	       (src->rank != RT_RANK_NONE && addr_eq(from, &src->current));
}

static void learn_leave(const struct rt_finder *n, struct rt_stream *s)
{
	role_assert_media();
	source_filter_reset(s);
	socket_open(s);
}

static const struct rt_finder_ops learn_ops = {.name = "learn",
    .follow = learn_follow,
    .takes_rtp = learn_takes_rtp,
    .takes_rtcp = learn_takes_rtcp,
    .vouches = learn_vouches,
    .refused = learn_refused,
    .leave = learn_leave};
const struct rt_finder rt_finder_learn = {&learn_ops};
