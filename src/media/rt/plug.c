/* Plug-ins of a stream (rt.h): how they come and go, and the packets that are theirs. A plain stream has no crypt and
 * the finder it was opened with; then nothing of this file runs for its RTP. */
#include "media/rt/rt_i.h"

#include <unistd.h>

static void crypt_free(struct rt_crypt *c)
{
	if (c)
		c->ops->free(c);
}

static void finder_free(const struct rt_finder *n)
{
	if (n->ops->free)
		n->ops->free((struct rt_finder *)n);
}

void plug_fini(struct rt_stream *s)
{
	crypt_free(s->f->crypt);
	s->f->crypt = NULL;
	turn_leave(s);
	finder_free(s->finder);
	s->finder = s->first_finder;
}

ON_MEDIA static void plug_follow(struct rt_stream *s)
{
	if (s->has_params)
		s->finder->ops->follow(s->finder, s);
	stream_plan(s);
}

ON_MEDIA static void socket_set(struct rt_stream *s, int fd)
{
	thread_sockets_unwatch(s);
	if (s->f->fd >= 0)
		close(s->f->fd);
	s->f->fd = fd;
	thread_sockets_watch(s);
	plug_follow(s);
}

void plug_cmd(struct rt_stream *s, const struct rt_cmd *c)
{
	if (c->kind == RT_C_WIRE) {
		socket_set(s, (int)c->number);
	} else if (c->kind == RT_C_CRYPT) {
		struct rt_crypt *next = c->ptr;
		if (next && next->ops->follow && s->f->crypt)
			next->ops->follow(next, s->f->crypt);
		crypt_free(s->f->crypt);
		s->f->crypt = next;
		if (s->f->is_passed && s->peer) /* what came before there were keys was not seen */
			key_frame_ask(s->peer);
		for (struct rt_stream *r = s->rider; r; r = r->next_rider)
			if (r->peer)
				key_frame_ask(r->peer);
	} else if (c->kind == RT_C_CRYPT_TELL) {
		struct rt_told *told = c->ptr;
		if (s->f->crypt && s->f->crypt->ops->told)
			s->f->crypt->ops->told(s->f->crypt, s, told);
		told->free(told);
	} else if (c->kind == RT_C_FINDER_TELL) {
		struct rt_told *told = c->ptr;
		if (s->finder->ops->told)
			s->finder->ops->told(s->finder, s, told);
		told->free(told);
	} else {
		if (s->finder->ops->leave)
			s->finder->ops->leave(s->finder, s);
		finder_free(s->finder);
		s->finder = c->ptr ? c->ptr : s->first_finder;
		plug_follow(s);
	}
}

/* A connected socket's packets are the far side's; of others the finder knows. */
static bool is_vouched(const struct rt_stream *s, const struct addr *from)
{
	const struct rt_finder *n = s->finder;
	return s->f->is_connected || (n->ops->vouches && n->ops->vouches(n, s, from));
}

static void bytes_send(int fd, bool is_connected, const struct addr *to, const uint8_t *p, size_t n)
{
	if (is_connected)
		(void)!send(fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	else
		(void)!sendto(fd, p, n, MSG_DONTWAIT, &to->sa, addr_len(to));
}

/* Keys of the two phones' own making go past us like their packets: as they are. */
ON_MEDIA static bool pass(struct rt_stream *s, const struct addr *from, const uint8_t *p, size_t n)
{
	struct rt_flow *f = s->f;
	if (f->how == HOW_NONE || !is_vouched(s, from))
		return false;
	struct rt_stream *to = s->t->flows[f->to].s;
	if (to->f->may_relay)
		rt_stream_send(to, &to->remote_rtp, p, n);
	return true;
}

bool plug_packet(struct rt_stream *s, enum rtp_kind kind, const struct addr *from, const uint8_t *p, size_t n)
{
	struct rt_crypt *c = s->f->crypt;
	if (!from)
		from = &s->remote_rtp;
	if (kind == RTP_KIND_STUN || kind == RTP_KIND_TURN) {
		if (!s->finder->ops->packet)
			return false;
		s->finder->ops->packet(s->finder, s, from, p, n);
	} else if (s->params.is_raw) {
		return pass(s, from, p, n);
	} else {
		if (!c || !c->ops->packet || !is_vouched(s, from))
			return false;
		c->ops->packet(c, s, from, p, n);
	}
	return true;
}

int plug_unprotect(struct rt_stream *s, bool is_rtcp, uint8_t *p, size_t n)
{
	struct rt_crypt *c = s->f->crypt;
	int left = c ? c->ops->unprotect(c, is_rtcp, p, n) : (int)n;
	if (left < 0)
		s->finder->ops->refused(s->finder, s, is_rtcp);
	return left;
}

void plug_rtcp_send(struct rt_stream *s, uint8_t *p, size_t n)
{
	if (s->carrier)
		s = s->carrier;
	struct rt_flow *f = s->f;
	bool is_shared = s->params.is_rtcp_mux || s->rtcp_fd < 0;
	int made = f->crypt ? f->crypt->ops->protect(f->crypt, true, p, n) : (int)n;
	if (made > 0 && is_shared && s->is_turned)
		s->t->dropped += !turn_bytes_send(s->turn, &s->remote_rtp, p, (size_t)made);
	else if (made > 0)
		bytes_send(
		    is_shared ? f->fd : s->rtcp_fd, is_shared && f->is_connected, &s->remote_rtcp, p, (size_t)made);
}

void rt_stream_send(struct rt_stream *s, const struct addr *to, const uint8_t *p, size_t n)
{
	if (s->is_turned && addr_eq(to, &s->remote_rtp))
		s->t->dropped += !turn_bytes_send(s->turn, to, p, n);
	else
		bytes_send(s->f->fd, s->f->is_connected && addr_eq(to, &s->remote_rtp), to, p, n);
}

void rt_stream_target_set(struct rt_stream *s, const struct addr *rtp, const struct addr *rtcp)
{
	s->remote_rtp = *rtp;
	s->remote_rtcp = *rtcp;
}
