/* The pool of port pairs: an even port for RTP, the next for RTCP (RFC 3550 section 11). The search starts at a random
 * pair and goes round, so that a port just given back is not the next one taken; a pair that somebody else holds is
 * passed over. Without descriptors or memory for one the pool is as good as empty: ST_FULL. Sockets are made here,
 * non-blocking, with small buffers; the media thread closes them. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "media/ctl/ctl_i.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { TELL_EVERY_US = 10000000 };
enum { SOCKET_BUFFER_BYTES = 32768 }; /* about a second of audio; the kernel doubles it for its own needs */

static struct {
	uint16_t first;
	size_t count, taken_count, next;
	uint8_t *taken; /* one byte a pair */
} pool;

int ports_init(uint16_t min, uint16_t max)
{
	unsigned first = (min + 1u) & ~1u;
	if (!min || max < first + 1)
		return ST_INVAL;
	pool.first = (uint16_t)first;
	pool.count = (max + 1u - first) / 2;
	pool.taken_count = 0;
	pool.next = rand_below((uint32_t)pool.count);
	pool.taken = mem_zalloc(pool.count);
	return pool.taken ? ST_OK : ST_NOMEM;
}

void ports_fini(void)
{
	if (pool.taken_count)
		log_error("still alive at the end: %zu pairs of ports", pool.taken_count);
	mem_free(pool.taken);
	memset(&pool, 0, sizeof(pool));
}

size_t ports_free_count(void)
{
	return pool.count - pool.taken_count;
}

static int bind_failed(unsigned port, int error)
{
	static int64_t told_us;
	int64_t now_us = clock_mono_us();
	if (error == EADDRINUSE)
		return ST_BUSY;
	if (!told_us || now_us - told_us > TELL_EVERY_US) {
		told_us = now_us;
		log_error("media: port %u: %s", port, strerror(error));
	}
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM ? ST_FULL : ST_IO;
}

static int bind_one(const struct addr *host, unsigned port, int *fd_out)
{
	struct addr a = *host;
	int bytes = SOCKET_BUFFER_BYTES;
	addr_set_port(&a, (uint16_t)port);
	int fd = socket(a.sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, &a.sa, addr_len(&a))) {
		int st = bind_failed(port, errno);
		if (fd >= 0)
			close(fd);
		return st;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	*fd_out = fd;
	return ST_OK;
}

static int bind_pair(const struct addr *host, unsigned port, int *rtp_fd, int *rtcp_fd)
{
	int rtp = -1;
	int st = bind_one(host, port, &rtp);
	if (!st)
		st = bind_one(host, port + 1, rtcp_fd);
	if (st && rtp >= 0)
		close(rtp);
	if (!st)
		*rtp_fd = rtp;
	return st;
}

int ports_take(struct addr *host, int *rtp_fd, int *rtcp_fd)
{
	for (size_t i = 0; i < pool.count; i++) {
		size_t at = pool.next++ % pool.count;
		if (pool.taken[at])
			continue;
		unsigned port = pool.first + 2 * (unsigned)at;
		int st = bind_pair(host, port, rtp_fd, rtcp_fd);
		if (st == ST_BUSY)
			continue;
		if (st)
			return st;
		pool.taken[at] = 1;
		pool.taken_count++;
		addr_set_port(host, (uint16_t)port);
		return ST_OK;
	}
	return ST_FULL;
}

void ports_give(uint16_t port)
{
	size_t at = (size_t)(port - pool.first) / 2;
	if (port < pool.first || at >= pool.count || !pool.taken[at])
		return;
	pool.taken[at] = 0;
	pool.taken_count--;
}
