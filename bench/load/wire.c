/* UDP sockets on loopback with large buffers; outgoing datagrams are gathered per round and sent by one system call. */
#include "load.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { BATCH = 64 };
static struct {
	int fd, count;
	struct mmsghdr head[BATCH];
	struct iovec part[BATCH];
	struct sockaddr_in to[BATCH];
	char bytes[BATCH][MSG_MAX];
} out = {.fd = -1};

int wire_socket(uint16_t *port, bool has_stamps)
{
	struct sockaddr_in a = {
	    .sin_family = AF_INET, .sin_port = htons(*port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), bytes = 16 << 20, on = 1;

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) || getsockname(fd, (struct sockaddr *)&a, &n)) {
		fprintf(stderr, "bench_load: no UDP socket on port %u: %s\n", *port, strerror(errno));
		exit(1);
	}
	if (setsockopt(
	        fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes))) /* needs privilege; else what is allowed */
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	if (has_stamps)
		setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
	*port = ntohs(a.sin_port);
	return fd;
}

void wire_flush(void)
{
	for (int done = 0; done < out.count;) {
		int n = sendmmsg(out.fd, out.head + done, (unsigned)(out.count - done), 0);
		if (n > 0)
			done += n;
		else if (errno != EINTR && errno != EAGAIN)
			done++; /* the switch's port is closed: its timer tells */
	}
	out.count = 0;
}

void wire_send(int fd, const struct sockaddr_in *to, const char *p, size_t n)
{
	int i;

	if (fd != out.fd || out.count == BATCH) {
		wire_flush();
		out.fd = fd;
	}
	i = out.count++;
	if (n > MSG_MAX)
		n = MSG_MAX;
	memcpy(out.bytes[i], p, n);
	out.to[i] = *to;
	out.part[i] = (struct iovec){out.bytes[i], n};
	out.head[i].msg_hdr = (struct msghdr){
	    .msg_name = &out.to[i], .msg_namelen = sizeof(*to), .msg_iov = &out.part[i], .msg_iovlen = 1};
}
