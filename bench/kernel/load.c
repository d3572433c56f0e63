/* The phones of `./dev bench kernel`: each side is one process in its network namespace with one socket, told the
 * ports to speak to; 50 packets a second and port, and what arrives is counted. Prints "sent received". */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { PORTS_MAX = 20000, FRAME_NS = 20000000, PACKET = 172, BATCH = 64, DRAIN_MAX = 64 };
static uint16_t ports[PORTS_MAX];
static uint8_t packets[BATCH][PACKET];
static uint64_t sent, received;

static int64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void drain(int fd)
{
	static uint8_t in[DRAIN_MAX][256];
	static struct mmsghdr m[DRAIN_MAX];
	static struct iovec v[DRAIN_MAX];
	int n;
	for (int i = 0; i < DRAIN_MAX; i++) {
		v[i] = (struct iovec){in[i], sizeof(in[i])};
		m[i].msg_hdr = (struct msghdr){.msg_iov = &v[i], .msg_iovlen = 1};
	}
	while ((n = recvmmsg(fd, m, DRAIN_MAX, MSG_DONTWAIT, NULL)) > 0)
		received += (unsigned)n;
}

static void speak(int fd, struct sockaddr_in to, unsigned first, unsigned count, uint32_t frame)
{
	struct mmsghdr m[BATCH];
	struct sockaddr_in tos[BATCH];
	struct iovec v[BATCH];
	memset(m, 0, sizeof(m));
	for (unsigned i = 0; i < count; i++) {
		uint8_t *p = packets[i];
		uint16_t seq = htons((uint16_t)frame);
		uint32_t ts = htonl(frame * 160), ssrc = htonl(first + i + 1);
		p[0] = 0x80, p[1] = 0;
		memcpy(p + 2, &seq, 2), memcpy(p + 4, &ts, 4), memcpy(p + 8, &ssrc, 4);
		tos[i] = to, tos[i].sin_port = htons(ports[first + i]);
		v[i] = (struct iovec){p, PACKET};
		m[i].msg_hdr =
		    (struct msghdr){.msg_name = &tos[i], .msg_namelen = sizeof(to), .msg_iov = &v[i], .msg_iovlen = 1};
	}
	int n = sendmmsg(fd, m, count, 0);
	sent += n > 0 ? (unsigned)n : 0;
}

/* usage: load FD ADDRESS SECONDS, ports on standard input */
int main(int argc, char **argv)
{
	unsigned count = 0, port;
	struct sockaddr_in to = {.sin_family = AF_INET};
	if (argc != 4 || inet_pton(AF_INET, argv[2], &to.sin_addr) != 1)
		return 1;
	int fd = atoi(argv[1]), big = 8 << 20;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof(big));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &big, sizeof(big));
	while (count < PORTS_MAX && scanf("%u", &port) == 1)
		ports[count++] = (uint16_t)port;
	int64_t due = now_ns();
	unsigned slices = (count + BATCH - 1) / BATCH;
	for (uint32_t frame = 1; frame <= (unsigned)atoi(argv[3]) * 50; frame++) {
		for (unsigned i = 0; i < slices; i++) {
			unsigned first = i * BATCH;
			int64_t at = due + (int64_t)FRAME_NS * i / slices;
			struct timespec t = {at / 1000000000, at % 1000000000};
			clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
			speak(fd, to, first, count - first < BATCH ? count - first : BATCH, frame);
			drain(fd);
		}
		due += FRAME_NS;
	}
	struct timespec rest = {0, 100000000};
	nanosleep(&rest, NULL);
	drain(fd);
	printf("%llu %llu\n", (unsigned long long)sent, (unsigned long long)received);
	return 0;
}
