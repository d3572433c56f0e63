/* UDP sockets of the control loop. Readable: recvmmsg fills one set of buffers shared by all sockets, the handler is
 * called per datagram, at most 32 of them a wake-up, so that one socket's flood leaves the loop to the others. Sends go
 * straight to the kernel and are never queued. ICMP errors of earlier sends are not ours to act on: transactions time
 * out by their own clocks. */
#include "net/udp.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "loop/loop.h"
#include "net/sock_i.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { WAITED_MAX_US = 60000000 };
enum { BATCH = 16, DATAGRAM_MAX = 65535, BATCHES_PER_WAKE = 2, RCVBUF_DEFAULT = 4 << 20 };

struct udp {
	int fd;
	struct lpoll *poll;
	struct addr local;
	udp_recv_fn fn;
	void *arg;
};

static char data[BATCH][DATAGRAM_MAX + 1];
static struct addr sources[BATCH];
static struct iovec vectors[BATCH];
static struct mmsghdr messages[BATCH];
/* When the kernel got each, and the two clocks as the batch was read. */
static char stamps[BATCH][CMSG_SPACE(sizeof(struct timespec))] __attribute__((aligned(8)));
static int current;
static int64_t read_wall_us, read_mono_us;

static void messages_prepare(void)
{
	for (int i = 0; i < BATCH; i++) {
		vectors[i] = (struct iovec){data[i], DATAGRAM_MAX};
		messages[i].msg_hdr = (struct msghdr){.msg_name = &sources[i],
		    .msg_namelen = sizeof(sources[i]),
		    .msg_iov = &vectors[i],
		    .msg_iovlen = 1,
		    .msg_control = stamps[i],
		    .msg_controllen = sizeof(stamps[i])};
	}
}

/* The clock that stamps: not the one of base/clock, which tests may set. */
static int64_t kernel_wall_us(void)
{
	struct timespec t = {0};
	syscall(SYS_clock_gettime, CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t udp_waited_us(const struct udp *u)
{
	struct msghdr *m = &messages[current].msg_hdr;
	struct timespec t;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS)
			continue;
		memcpy(&t, CMSG_DATA(c), sizeof(t));
		int64_t us = read_wall_us - ((int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000);
		if (us < 0 || us > WAITED_MAX_US) /* the machine's clock was set meanwhile */
			us = 0;
		return us + (clock_mono_us() - read_mono_us);
	}
	return 0;
}

static void readable(int events, void *arg)
{
	struct udp *u = mem_ref(arg);
	for (int round = 0; round < BATCHES_PER_WAKE && u->fd >= 0; round++) {
		messages_prepare();
		int n = recvmmsg(u->fd, messages, BATCH, MSG_DONTWAIT, NULL);
		if (n < 0 && (errno == EINTR || errno == ECONNREFUSED || errno == EHOSTUNREACH || errno == ENETUNREACH))
			continue;
		if (n <= 0)
			break;
		read_mono_us = clock_mono_us();
		read_wall_us = kernel_wall_us();
		for (int i = 0; i < n && u->fd >= 0; i++) {
			data[i][messages[i].msg_len] = 0;
			current = i;
			u->fn(data[i], messages[i].msg_len, &sources[i], u->arg);
		}
		if (n < BATCH)
			break;
	}
	mem_unref(u);
}

int udp_open(struct udp **out, const struct addr *bind_addr, size_t rcvbuf_bytes, udp_recv_fn fn, void *arg)
{
	struct udp *u = mem_new(sizeof(*u), NULL, "net.udp");
	if (!u)
		return ST_NOMEM;
	u->fn = fn, u->arg = arg;
	int rc = sock_open(&u->fd, SOCK_DGRAM, bind_addr);
	if (rc)
		goto fail;
	int bytes = rcvbuf_bytes ? (int)rcvbuf_bytes : RCVBUF_DEFAULT;
	if (setsockopt(u->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)))
		setsockopt(u->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	setsockopt(u->fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	int on = 1;
	setsockopt(u->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
	sock_local(u->fd, &u->local);
	rc = loop_poll_open(&u->poll, u->fd, "udp", readable, u);
	if (!rc)
		rc = loop_poll_set(u->poll, LOOP_READ);
	if (rc)
		goto fail;
	*out = u;
	return ST_OK;
fail:
	loop_poll_close(u->poll);
	if (u->fd >= 0)
		close(u->fd);
	mem_unref(u);
	return rc;
}

int udp_send(struct udp *u, const struct addr *dst, const void *p, size_t n)
{
	char text[ADDR_TEXT_MAX];
	for (int attempt = 0; attempt < 3; attempt++) {
		if (sendto(u->fd, p, n, MSG_NOSIGNAL, &dst->sa, addr_len(dst)) >= 0)
			return ST_OK;
		if (errno == EAGAIN || errno == ENOBUFS)
			return ST_AGAIN;
		/* An error left by an earlier datagram: this one has not been tried yet. */
		if (errno != ECONNREFUSED && errno != EINTR)
			break;
	}
	log_info("cannot send %zu bytes to %s: %s", n, addr_text(dst, text), strerror(errno));
	return ST_IO;
}

void udp_local(const struct udp *u, struct addr *out)
{
	*out = u->local;
}

void udp_close(struct udp *u)
{
	if (!u || u->fd < 0)
		return;
	loop_poll_close(u->poll);
	close(u->fd);
	u->fd = -1;
	mem_unref(u);
}
