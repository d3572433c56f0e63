/* Several streams on one transport (BUNDLE, RFC 8843): the carrier has the sockets, the keys and the finder, those that
 * ride on it have none. What comes is the rider's whose payload number it has (RFC 8843 section 9.2: the numbers of a
 * bundle differ); RTCP is shown to all, who know their SSRCs. What a rider sends goes through the carrier (flow_put,
 * plug_rtcp_send). They live on one thread; when one leaves it the tie is cut, and control ties it again. */
#include "media/rt/rt_i.h"

#include <string.h>

void bundle_follow(struct rt_stream *carrier)
{
	for (struct rt_stream *r = carrier->rider; r; r = r->next_rider) {
		r->remote_rtp = r->remote_rtcp = carrier->remote_rtp;
		stream_plan(r);
	}
}

ON_MEDIA static void part(struct rt_stream *r)
{
	struct rt_stream **at = &r->carrier->rider;
	while (*at != r)
		at = &(*at)->next_rider;
	*at = r->next_rider;
	r->carrier = r->next_rider = NULL;
	memset(&r->remote_rtp, 0, sizeof(r->remote_rtp));
	memset(&r->remote_rtcp, 0, sizeof(r->remote_rtcp));
	stream_plan(r);
}

void bundle_cut(struct rt_stream *s)
{
	if (s->carrier)
		part(s);
	while (s->rider)
		part(s->rider);
}

void bundle_tie(struct rt_stream *s, struct rt_stream *carrier)
{
	if (s->carrier)
		part(s);
	if (!carrier || !carrier->t || carrier->t != s->t)
		return;
	s->carrier = carrier;
	s->next_rider = carrier->rider;
	carrier->rider = s;
	bundle_follow(carrier);
}

struct rt_stream *bundle_rider(const struct rt_stream *carrier, uint8_t pt)
{
	struct rt_stream *r = carrier->rider;
	while (r && pt != r->f->recv_pt && (!pt || pt != r->params.red_recv))
		r = r->next_rider;
	return r;
}

static void rides_follow(const struct rt_finder *n, struct rt_stream *s)
{
	role_assert_media();
	if (s->carrier)
		s->remote_rtp = s->remote_rtcp = s->carrier->remote_rtp;
}
static bool rides_takes_rtp(
    const struct rt_finder *n, struct rt_stream *s, const struct addr *from, const struct rtp_packet *k)
{
	return false; /* it has no socket */
}
static bool rides_takes_rtcp(const struct rt_finder *n, struct rt_stream *s, const struct addr *from, uint32_t ssrc)
{
	return false;
}
static void rides_refused(const struct rt_finder *n, struct rt_stream *s, bool is_rtcp) {}
static const struct rt_finder_ops rides_ops = {.name = "bundle",
    .follow = rides_follow,
    .takes_rtp = rides_takes_rtp,
    .takes_rtcp = rides_takes_rtcp,
    .refused = rides_refused};
const struct rt_finder rt_finder_rides = {&rides_ops};
