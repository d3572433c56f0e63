/* The way by a TURN server (ice/turn.h) of a stream that speaks ICE: a socket of its own, connected to the server,
 * whose packets are taken out of what the server wraps them in and walk as others do, marked as having come by the
 * relay; and what goes to the pair in use is wrapped while that pair is reached by the relay. Over UDP data are not
 * copied: the head goes before them in the same call. A stream that breaks (turn_wire.c) is the end of the allocation:
 * the agent's pairs by the relay fall silent, and others are used. */
#include "base/mem.h"
#include "media/rt/ice.h"
#include "media/rt/rt_i.h"
#include "media/rt/turn_wire.h"
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

void rt_turn_to_server(const uint8_t *p, size_t n, void *arg)
{
	const struct rt_turn *w = arg;
	if (w->wire)
		(void)turn_wire_send(w->wire, &(struct iovec){(void *)p, n}, 1, true);
	else
		(void)!send(w->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void rt_turn_free(struct rt_turn *w)
{
	if (!w)
		return;
	turn_end(&w->client, w->client.now_us);
	if (w->wire)
		turn_wire_free(w->wire);
	else
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
	if (!head_n)
		return false;
	return w->wire ? turn_wire_send(w->wire, v, 3, false) : sendmsg(w->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

/* ---- what comes ---- */

/* Calls fn for each message that is there, of UDP for one. How many; negative: the stream is over. */
typedef void (*message_fn)(struct rt_turn *w, const uint8_t *p, size_t n, void *arg);
static int messages_read(struct rt_turn *w, uint8_t *p, message_fn fn, void *arg)
{
	const char *why = NULL;
	struct sv m;
	int st, count = 0;

	if (!w->wire) {
		ssize_t n = recv(w->fd, p, RT_PACKET_MAX, MSG_DONTWAIT);
		if (n > 0)
			fn(w, p, (size_t)n, arg);
		return n > 0;
	}
	turn_wire_flush(w->wire);
	do {
		st = turn_wire_read(w->wire, &why);
		while (!st && !(st = turn_wire_next(w->wire, &m, &why))) {
			memcpy(p, m.p, m.n);
			fn(w, p, m.n, arg);
			count++;
		}
	} while (st == ST_AGAIN && turn_wire_has_more(w->wire));
	if (st == ST_AGAIN)
		return count;
	turn_lost(&w->client, why);
	return -1;
}

static void answer_look(struct rt_turn *w, const uint8_t *p, size_t n, void *arg)
{
	struct addr from;
	struct sv data;
	(void)turn_packet(&w->client, p, n, *(int64_t *)arg, &from, &data);
}

void rt_turn_look(struct rt_turn *w, int64_t now_us)
{
	uint8_t p[RT_PACKET_MAX];
	(void)messages_read(w, p, answer_look, &now_us);
}

static void packet_in(struct rt_turn *w, const uint8_t *p, size_t n, void *arg)
{
	struct rt_stream *s = arg;
	struct rt_thread *t = s->t;
	struct addr from;
	struct sv data;

	role_assert_media();
	if (turn_packet(&w->client, p, n, t->now_us, &from, &data)) {
		s->is_by_turn = true;
		flow_rtp_in(t, s->f, t->packet + RT_PACKET_ROOM + ((const uint8_t *)data.p - p), data.n, &from);
		s->is_by_turn = false;
	} else {
		tick_need(s, TICK_FINDER); /* an answer may be what checks wait for */
	}
}

bool turn_readable(struct rt_thread *t, struct rt_stream *s)
{
	int got = s && s->turn ? messages_read(s->turn, t->packet + RT_PACKET_ROOM, packet_in, s) : 0;
	if (got < 0) {
		thread_turn_unwatch(s);
		tick_need(s, TICK_FINDER);
	}
	return got > 0;
}
