/* Media that comes late is worth nothing, so a stream must not become a queue: a packet is dropped when the kernel
 * holds UNSENT_MAX bytes that it could not send yet, or when the one before is not in the kernel whole. Of the latter
 * the rest is kept here, since a message that was begun must be ended, and TLS wants the same bytes again; the requests
 * of the client may queue behind it, a few, for they are not repeated. The records of TLS are made where the packet is:
 * the context was made ready by the handshake, and its buffers stay (dial_keep); what OpenSSL 3.0 still allocates are
 * two blocks of 40 bytes for each record that it writes, given back at once. Datagrams (DTLS) go or are dropped. */
#include "media/rt/turn_wire.h"
#include "base/mem.h"
#include "ice/stun.h"
#include "ice/turn_frames.h"
#include "media/rt/rt_i.h"
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

enum {
	UNSENT_MAX = 16384, /* over a second of speech, a picture or two */
	MESSAGE_MAX = RT_PACKET_MAX + RT_CRYPT_TAIL + 64,
	REQUESTS_MAX = 3,
	DATAGRAMS_MAX = 16, /* that are read at a time */
	IDLE_S = 30,        /* of silence, then the kernel asks whether it is there, */
	IDLE_EVERY_S = 10,
	GIVE_UP_MS = 30000 /* and what is not acknowledged for so long is the end */
};
_Static_assert((int)TURN_FRAME_MAX <= (int)RT_PACKET_MAX, "what comes fits a packet");

struct turn_wire {
	struct dial_conn *dial;
	int epoll_fd;
	uint64_t tag, dropped;
	bool is_over, waits, is_datagram;
	size_t datagram_n;  /* in in.p: one that was read */
	unsigned datagrams; /* one after the other: the socket does not tell of what OpenSSL holds */
	size_t out_at, out_n;
	struct turn_frames in;
	uint8_t out[MESSAGE_MAX + REQUESTS_MAX * STUN_OUT_MAX];
};

static void option(int fd, int level, int name, int value)
{
	(void)setsockopt(fd, level, name, &value, sizeof(value));
}

int turn_wire_new(struct turn_wire **out, struct dial_conn *dial)
{
	struct turn_wire *w = mem_zalloc(sizeof(*w));
	int fd = dial_fd(dial);
	if (!w)
		return ST_NOMEM;
	w->dial = dial, w->epoll_fd = -1;
	dial_keep(dial);
	*out = w;
	w->is_datagram = dial_is_datagram(dial);
	if (w->is_datagram)
		return ST_OK;
	option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	option(fd, IPPROTO_TCP, TCP_KEEPIDLE, IDLE_S);
	option(fd, IPPROTO_TCP, TCP_KEEPINTVL, IDLE_EVERY_S);
	option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, GIVE_UP_MS);
	return ST_OK;
}

bool turn_wire_is_datagram(const struct turn_wire *w)
{
	return w->is_datagram;
}

void turn_wire_free(struct turn_wire *w)
{
	if (!w)
		return;
	dial_close(w->dial);
	mem_free(w);
}

int turn_wire_fd(const struct turn_wire *w)
{
	return dial_fd(w->dial);
}

bool turn_wire_is_full(const struct turn_wire *w)
{
	return w->out_n && !w->is_over;
}

uint64_t turn_wire_dropped(const struct turn_wire *w)
{
	return w->dropped;
}

/* ---- out ---- */

static void watch(struct turn_wire *w, int op)
{
	struct epoll_event ev = {.events = EPOLLIN | (turn_wire_is_full(w) ? EPOLLOUT : 0), .data.u64 = w->tag};
	w->waits = turn_wire_is_full(w);
	if (w->epoll_fd >= 0)
		(void)epoll_ctl(w->epoll_fd, op, dial_fd(w->dial), &ev);
}

void turn_wire_watch(struct turn_wire *w, int epoll_fd, uint64_t tag)
{
	if (epoll_fd < 0)
		watch(w, EPOLL_CTL_DEL);
	w->epoll_fd = epoll_fd, w->tag = tag;
	if (epoll_fd >= 0)
		watch(w, EPOLL_CTL_ADD);
}

void turn_wire_flush(struct turn_wire *w)
{
	unsigned want;
	while (turn_wire_is_full(w)) {
		int n = dial_write(w->dial, w->out + w->out_at, w->out_n - w->out_at, &want);
		if (n == ST_AGAIN)
			break;
		if (n <= 0) {
			w->is_over = true;
			break;
		}
		w->out_at += (size_t)n;
		if (w->out_at == w->out_n)
			w->out_at = w->out_n = 0;
	}
	if (w->waits != turn_wire_is_full(w))
		watch(w, EPOLL_CTL_MOD);
}

static bool is_behind(const struct turn_wire *w)
{
	int unsent = 0;
	return w->out_n || (!ioctl(dial_fd(w->dial), SIOCOUTQNSD, &unsent) && unsent > UNSENT_MAX);
}

/* OpenSSL does not keep one that the socket has no room for. */
static bool datagram_send(struct turn_wire *w, const struct iovec *v, size_t count)
{
	size_t n = 0;
	unsigned want;

	for (size_t i = 0; i < count; i++) {
		memcpy(w->out + n, v[i].iov_base, v[i].iov_len);
		n += v[i].iov_len;
	}
	int st = dial_write(w->dial, w->out, n, &want);
	if (st > 0)
		return true;
	w->is_over = st != ST_AGAIN;
	w->dropped++;
	return false;
}

bool turn_wire_send(struct turn_wire *w, const struct iovec *v, size_t count, bool is_request)
{
	size_t n = 0;
	for (size_t i = 0; i < count; i++)
		n += v[i].iov_len;
	if (w->is_datagram && !w->is_over && n <= sizeof(w->out))
		return datagram_send(w, v, count);
	if (w->out_n)
		turn_wire_flush(w);
	if (w->is_over || n > sizeof(w->out) - (w->out_n - w->out_at) ||
	    (!is_request && (n > MESSAGE_MAX || is_behind(w)))) {
		w->dropped++;
		return false;
	}
	memmove(w->out, w->out + w->out_at, w->out_n - w->out_at);
	w->out_n -= w->out_at, w->out_at = 0;
	for (size_t i = 0; i < count; i++) {
		memcpy(w->out + w->out_n, v[i].iov_base, v[i].iov_len);
		w->out_n += v[i].iov_len;
	}
	turn_wire_flush(w);
	return !w->is_over;
}

/* ---- in ---- */

int turn_wire_read(struct turn_wire *w, const char **why)
{
	unsigned want;
	size_t room;
	uint8_t *p = turn_frames_room(&w->in, &room);
	int n = w->is_over ? ST_IO : dial_read(w->dial, p, room, &want);
	w->datagrams = n > 0 && w->datagrams < DATAGRAMS_MAX ? w->datagrams + 1 : 0;
	if (n > 0 && w->is_datagram) {
		w->datagram_n = (size_t)n;
		return ST_OK;
	}
	if (n > 0) {
		turn_frames_put(&w->in, (size_t)n);
		return ST_OK;
	}
	if (n == ST_AGAIN)
		return ST_AGAIN;
	*why = n == ST_CLOSED ? "it closed the connection" : "the connection broke";
	w->is_over = true;
	return ST_CLOSED;
}

int turn_wire_next(struct turn_wire *w, struct sv *message, const char **why)
{
	if (w->is_datagram) { /* a record is up to 16 kB: what is over the frames' is cut off, and this is no message */
		*message = (struct sv){(const char *)w->in.p, w->datagram_n};
		w->datagram_n = 0;
		return message->n && message->n <= TURN_FRAME_MAX ? ST_OK : ST_AGAIN;
	}
	int st = turn_frames_next(&w->in, message);
	if (st == ST_PARSE)
		*why = "what it sends is not TURN", w->is_over = true;
	return st;
}

bool turn_wire_has_more(const struct turn_wire *w)
{
	return !w->is_over && (w->is_datagram ? w->datagrams > 0 : dial_has_more(w->dial));
}
