/* The way by a TURN server (ice/turn.h) of a stream that speaks ICE: a socket of its own, connected to the server,
 * whose packets are taken out of what the server wraps them in and walk as others do, marked as having come by the
 * relay; and what goes to the pair in use is wrapped while that pair is reached by the relay. Data are not copied: the
 * head goes before them in the same call. */
#include "base/mem.h"
#include "media/rt/ice.h"
#include "media/rt/rt_i.h"
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

void rt_turn_to_server(const uint8_t *p, size_t n, void *arg)
{
	const struct rt_turn *w = arg;
	(void)!send(w->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void rt_turn_free(struct rt_turn *w)
{
	if (!w)
		return;
	turn_end(&w->client, w->client.now_us);
	close(w->fd);
	mem_free(w);
}

void turn_enter(struct rt_stream *s, struct rt_turn *w)
{
	if (s->turn == w)
		return;
	s->turn = w;
	thread_turn_watch(s);
}

void turn_leave(struct rt_stream *s)
{
	if (s->turn)
		thread_turn_unwatch(s);
	s->turn = NULL;
	s->is_turned = false;
}

bool turn_bytes_send(struct rt_turn *w, const struct addr *to, const uint8_t *p, size_t n)
{
	static const uint8_t zeros[4];
	uint8_t head[TURN_HEAD_BYTES];
	size_t pad = 0, head_n = turn_head(&w->client, to, n, head, &pad);
	struct iovec v[] = {{head, head_n}, {(void *)p, n}, {(void *)zeros, pad}};
	struct msghdr m = {.msg_iov = v, .msg_iovlen = pad ? 3 : 2};
	return head_n && sendmsg(w->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

void turn_readable(struct rt_thread *t, struct rt_stream *s)
{
	uint8_t *p = t->packet + RT_PACKET_ROOM;
	struct addr from;
	struct sv data;

	if (!s || !s->turn)
		return;
	ssize_t n = recv(s->turn->fd, p, RT_PACKET_MAX, MSG_DONTWAIT);
	if (n <= 0)
		return;
	if (turn_packet(&s->turn->client, p, (size_t)n, t->now_us, &from, &data)) {
		s->is_by_turn = true;
		flow_rtp_in(t, s->f, p + ((const uint8_t *)data.p - p), data.n, &from);
		s->is_by_turn = false;
	} else {
		tick_need(s, TICK_FINDER); /* an answer may be what checks wait for */
	}
}
