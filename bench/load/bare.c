/* bench_bare PORT_A PORT_B CALLS: the bare loop that calls are compared with. For each call two connected sockets, one
 * to either side of bench_load; what comes on one goes out by the other, one receive and one send a packet. Prints the
 * ports of each call on a line and relays until its standard input ends. */
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { NICE = -10 }; /* as a media thread has it */

static int pair_socket(uint16_t to, unsigned *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, n) || getsockname(fd, (struct sockaddr *)&a, &n)) {
		perror("bench_bare: socket");
		exit(1);
	}
	*port = ntohs(a.sin_port);
	a.sin_port = htons(to);
	if (connect(fd, (struct sockaddr *)&a, n)) {
		perror("bench_bare: connect");
		exit(1);
	}
	return fd;
}

int main(int argc, char **argv)
{
	struct rlimit r;
	int calls = argc == 4 ? atoi(argv[3]) : 0, ep = epoll_create1(EPOLL_CLOEXEC), *fds;
	if (calls <= 0 || ep < 0) {
		fprintf(stderr, "bench_bare PORT_A PORT_B CALLS\n");
		return 2;
	}
	if (!getrlimit(RLIMIT_NOFILE, &r))
		r.rlim_cur = r.rlim_max, (void)setrlimit(RLIMIT_NOFILE, &r);
	fds = calloc(2 * (size_t)calls, sizeof(*fds));
	if (!fds)
		return 1;
	for (int i = 0; i < 2 * calls; i++) {
		struct epoll_event e = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
		unsigned port;
		fds[i] = pair_socket((uint16_t)atoi(argv[1 + i % 2]), &port);
		if (epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &e))
			return 1;
		printf("%u%c", port, i % 2 ? '\n' : ' ');
	}
	fflush(stdout);
	(void)setpriority(PRIO_PROCESS, 0, NICE);
	struct epoll_event over = {.events = EPOLLIN, .data.u32 = UINT32_MAX};
	if (epoll_ctl(ep, EPOLL_CTL_ADD, STDIN_FILENO, &over))
		return 1;
	for (;;) {
		struct epoll_event ev[256];
		int n = epoll_wait(ep, ev, 256, -1);
		for (int i = 0; i < n; i++) {
			uint8_t p[2048];
			uint32_t at = ev[i].data.u32;
			if (at == UINT32_MAX)
				return 0;
			ssize_t got = recv(fds[at], p, sizeof(p), 0);
			if (got > 0)
				(void)!send(fds[at ^ 1], p, (size_t)got, 0);
		}
	}
}
