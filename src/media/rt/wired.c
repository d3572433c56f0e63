/* A stream without ports: what it sends arrives at the stream at the other end of a pair of local sockets, in whatever
 * thread that lives; or it has no socket, hears nobody and sends nothing. There is nobody to learn or to refuse, and
 * the signalled addresses mean nothing. Packets wait in the socket as they do in a UDP one, so that two echoes that
 * face each other are a flood like any other, not a recursion. */
#include "media/rt/rt_i.h"

#include <string.h>

static void wired_follow(const struct rt_finder *n, struct rt_stream *s)
{
	struct addr nowhere = {0};
	bool has_end = s->f->fd >= 0;
	s->f->is_connected = has_end;
	rt_stream_target_set(s, has_end ? &s->params.remote_rtp : &nowhere, has_end ? &s->params.remote_rtp : &nowhere);
}

static bool wired_takes_rtp(
    const struct rt_finder *n, struct rt_stream *s, const struct addr *from, const struct rtp_packet *k)
{
	return true;
}

static bool wired_takes_rtcp(const struct rt_finder *n, struct rt_stream *s, const struct addr *from, uint32_t ssrc)
{
	return true;
}

static void wired_refused(const struct rt_finder *n, struct rt_stream *s, bool is_rtcp)
{
	s->in_wrong++, s->t->dropped++;
}

void wired_gone(struct rt_stream *s)
{
	struct rt_cmd c = {.kind = RT_C_WIRE, .number = (uint32_t)-1};
	plug_cmd(s, &c);
}

static const struct rt_finder_ops wired_ops = {.name = "wired",
    .follow = wired_follow,
    .takes_rtp = wired_takes_rtp,
    .takes_rtcp = wired_takes_rtcp,
    .refused = wired_refused};
const struct rt_finder rt_finder_wired = {&wired_ops};
