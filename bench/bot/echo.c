/* The program at the other end of voice bots, for the bench: a WebSocket server (RFC 6455) that sends all sound back as
 * it came. One thread, one epoll loop; a connection has room for one read, and what its socket does not take is dropped
 * and counted, as a program that is too slow would lose it. It looks every NAP_US: on loopback each wake of it would be
 * the sender's, the switch's, which on a network the network card's is. It prints its port, and at the end of standard
 * input its counts. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM = 8192, EVENTS = 1024, BACKLOG = 1024, NAP_US = 2000 };
enum { OP_TEXT = 1, OP_BINARY = 2, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10 };
struct conn {
	int fd;
	bool is_open; /* the handshake is over */
	size_t n;
	uint8_t in[ROOM];
};
static struct {
	unsigned long connections, sounds, bytes, dropped;
} counts;
static int epoll_fd;

static void watch(int fd, void *what)
{
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = what};
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e)) {
		perror("epoll_ctl");
		exit(1);
	}
}

static void conn_close(struct conn *c)
{
	close(c->fd);
	free(c);
}

static bool put(struct conn *c, const void *p, size_t n)
{
	return send(c->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)n;
}

/* False: it is not over yet, or it is none. */
static bool handshake(struct conn *c, bool *is_bad)
{
	static const char magic[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", name[] = "\r\nSec-WebSocket-Key:";
	unsigned char digest[SHA_DIGEST_LENGTH], accept[32];
	char text[128], reply[256];
	const char *end = memmem(c->in, c->n, "\r\n\r\n", 4), *key;

	*is_bad = !end && c->n == ROOM;
	if (!end)
		return false;
	key = memmem(c->in, (size_t)(end - (char *)c->in), name, sizeof(name) - 1);
	*is_bad = !key;
	if (!key)
		return false;
	key += sizeof(name) - 1;
	key += strspn(key, " ");
	int n = snprintf(text, sizeof(text), "%.*s%s", (int)strcspn(key, "\r"), key, magic);
	SHA1((unsigned char *)text, (size_t)n, digest);
	EVP_EncodeBlock(accept, digest, sizeof(digest));
	n = snprintf(reply, sizeof(reply),
	    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Accept: %s\r\n\r\n",
	    accept);
	*is_bad = !put(c, reply, (size_t)n);
	size_t used = (size_t)(end + 4 - (char *)c->in);
	memmove(c->in, c->in + used, c->n -= used);
	c->is_open = true;
	counts.connections++;
	return !*is_bad;
}

/* A frame of the switch's, unmasked in place, goes back with a head of its own before it. */
static bool frame_answer(struct conn *c, unsigned op, uint8_t *p, size_t n)
{
	uint8_t out[4 + ROOM] = {(uint8_t)(0x80 | (op == OP_PING ? OP_PONG : op))};
	size_t head = n < 126 ? 2 : 4;

	if (op == OP_CLOSE)
		return false;
	if (op != OP_BINARY && op != OP_PING)
		return true;
	out[1] = (uint8_t)(n < 126 ? n : 126);
	if (head == 4)
		out[2] = (uint8_t)(n >> 8), out[3] = (uint8_t)n;
	memcpy(out + head, p, n);
	bool is_sent = put(c, out, head + n);
	if (op == OP_BINARY)
		counts.sounds++, counts.bytes += n, counts.dropped += !is_sent;
	return is_sent || errno == EAGAIN;
}

static bool frames_take(struct conn *c)
{
	size_t at = 0;
	bool goes_on = true;

	while (goes_on && c->n - at >= 6) {
		uint8_t *p = c->in + at;
		size_t n = p[1] & 127, head = 6;
		if (!(p[1] & 128) || n == 127)
			return false; /* a client masks, and says less */
		if (n == 126)
			head = 8, n = (size_t)p[2] << 8 | p[3];
		if (head + n > ROOM)
			return false;
		if (c->n - at < head + n)
			break;
		for (size_t i = 0; i < n; i++)
			p[head + i] ^= p[head - 4 + (i & 3)];
		goes_on = frame_answer(c, p[0] & 15, p + head, n);
		at += head + n;
	}
	memmove(c->in, c->in + at, c->n -= at);
	return goes_on;
}

static void conn_read(struct conn *c)
{
	ssize_t n = recv(c->fd, c->in + c->n, ROOM - c->n, MSG_DONTWAIT);
	bool is_bad = false;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		conn_close(c);
		return;
	}
	c->n += (size_t)n;
	if (!c->is_open && !handshake(c, &is_bad)) {
		if (is_bad)
			conn_close(c);
		return;
	}
	if (!frames_take(c))
		conn_close(c);
}

static void conn_take(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	struct conn *c = fd < 0 ? NULL : calloc(1, sizeof(*c));

	if (!c)
		return;
	c->fd = fd;
	watch(fd, c);
}

int main(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	struct epoll_event events[EVENTS];
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	epoll_fd = epoll_create1(0);
	if (listener < 0 || epoll_fd < 0 || bind(listener, (struct sockaddr *)&at, sizeof(at)) ||
	    listen(listener, BACKLOG) || getsockname(listener, (struct sockaddr *)&at, &len)) {
		perror("bench_bot");
		return 1;
	}
	printf("PORT %u\n", ntohs(at.sin_port));
	fflush(stdout);
	watch(listener, &listener);
	watch(STDIN_FILENO, NULL);
	for (;; usleep(NAP_US)) {
		int n = epoll_wait(epoll_fd, events, EVENTS, 0);
		for (int i = 0; i < n; i++) {
			if (!events[i].data.ptr) {
				printf("{\"connections\": %lu, \"sounds\": %lu, \"bytes\": %lu, \"dropped\": %lu}\n",
				    counts.connections, counts.sounds, counts.bytes, counts.dropped);
				return 0;
			}
			if (events[i].data.ptr == &listener)
				conn_take(listener);
			else
				conn_read(events[i].data.ptr);
		}
	}
}
