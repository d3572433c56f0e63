#include "phones.h"
#include "codec/codec.h"

#include <arpa/inet.h>
#include <math.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	FRAME = 160,
	PACKET = 12 + FRAME,
	BATCH = 32,
	VOICE_FRAMES = 50,
	SOCKET_BYTES = 8 << 20,
	SLOTS = 20 /* a frame's time is parted: each phone has its moment */
};

static uint8_t voice[VOICE_FRAMES][FRAME], silence[FRAME];
static int fds[PHONE_SOCKETS];

int64_t clock_ns(int id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

void pin(int core)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(core, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		perror("sched_setaffinity"); /* a machine of one core: the figures say less */
}

static void sounds_make(void)
{
	memset(silence, 0xff, sizeof(silence));
	for (int i = 0; i < VOICE_FRAMES * FRAME; i++) {
		double s = 3000 * sin(i * 2 * M_PI * 440 / 8000) + rand() % 1000 - 500;
		voice[i / FRAME][i % FRAME] = g711_ulaw_encode((int16_t)s);
	}
}

static void sockets_open(struct phones_shared *sh)
{
	for (int i = 0; i < PHONE_SOCKETS; i++) {
		struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		socklen_t len = sizeof(a);
		int bytes = SOCKET_BYTES;
		fds[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (fds[i] < 0 || bind(fds[i], (struct sockaddr *)&a, len) ||
		    getsockname(fds[i], (struct sockaddr *)&a, &len)) {
			perror("socket");
			exit(1);
		}
		if (setsockopt(fds[i], SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)))
			(void)setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
		sh->phone_port[i] = ntohs(a.sin_port);
	}
}

static uint8_t packets[BATCH][PACKET];
static struct sockaddr_in to[BATCH];
static struct iovec vec[BATCH];
static struct mmsghdr msgs[BATCH];

static void packet_make(const struct phones_shared *sh, int at, int i, uint32_t frame)
{
	uint8_t *p = packets[at];
	uint32_t ts = htonl(frame * FRAME), ssrc = htonl(0x10000u + (uint32_t)i);
	p[0] = 0x80, p[1] = 0, p[2] = (uint8_t)(frame >> 8), p[3] = (uint8_t)frame;
	memcpy(p + 4, &ts, 4), memcpy(p + 8, &ssrc, 4);
	memcpy(p + 12, sh->kind[i] == PHONE_TALKS ? voice[(frame + (uint32_t)i * 7) % VOICE_FRAMES] : silence, FRAME);
	to[at] = (struct sockaddr_in){
	    .sin_family = AF_INET, .sin_port = htons(sh->stream_port[i]), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	vec[at] = (struct iovec){p, PACKET};
	msgs[at].msg_hdr =
	    (struct msghdr){.msg_name = &to[at], .msg_namelen = sizeof(to[at]), .msg_iov = &vec[at], .msg_iovlen = 1};
}

static void batch_send(struct phones_shared *sh, int fd, int n)
{
	int done = n ? sendmmsg(fd, msgs, (unsigned)n, 0) : 0;
	if (done > 0)
		atomic_fetch_add_explicit(&sh->sent, (uint64_t)done, memory_order_relaxed);
}

/* The phones of a slot: those of one socket together. */
static void slot_send(struct phones_shared *sh, int count, int slot, uint32_t frame)
{
	for (int s = 0; s < PHONE_SOCKETS; s++) {
		int n = 0;
		for (int i = s; i < count; i += PHONE_SOCKETS) {
			if (i / PHONE_SOCKETS % SLOTS != slot || sh->kind[i] == PHONE_QUIET)
				continue;
			packet_make(sh, n++, i, frame);
			if (n == BATCH)
				batch_send(sh, fds[s], n), n = 0;
		}
		batch_send(sh, fds[s], n);
	}
}

static void all_receive(struct phones_shared *sh)
{
	static uint8_t in[BATCH][PACKET];
	static struct iovec iv[BATCH];
	static struct mmsghdr got[BATCH];
	for (int i = 0; i < BATCH; i++) {
		iv[i] = (struct iovec){in[i], PACKET};
		got[i].msg_hdr = (struct msghdr){.msg_iov = &iv[i], .msg_iovlen = 1};
	}
	for (int s = 0; s < PHONE_SOCKETS; s++)
		for (int n = BATCH; n == BATCH;) {
			n = recvmmsg(fds[s], got, BATCH, MSG_DONTWAIT, NULL);
			if (n > 0)
				atomic_fetch_add_explicit(&sh->received, (uint64_t)n, memory_order_relaxed);
		}
}

void phones_main(struct phones_shared *sh, int core)
{
	pin(core);
	sounds_make();
	sockets_open(sh);
	atomic_store(&sh->seen, 0);
	int64_t due = clock_ns(CLOCK_MONOTONIC);
	int slot = 0;
	uint32_t frame = 0;
	while (!atomic_load(&sh->is_over)) {
		int count = atomic_load(&sh->count);
		atomic_store(&sh->seen, count);
		slot_send(sh, count, slot, frame);
		all_receive(sh);
		if (++slot == SLOTS)
			slot = 0, frame++;
		atomic_store(&sh->cpu_ns, (uint64_t)clock_ns(CLOCK_PROCESS_CPUTIME_ID));
		due += 20000000 / SLOTS;
		struct timespec t = {.tv_sec = due / 1000000000, .tv_nsec = due % 1000000000};
		(void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
	}
	_exit(0);
}
