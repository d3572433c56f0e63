/* Which port a stream gets is nobody's to guess, and a port that a call has left must not hear the next one's audio. So
 * a pair (even for RTP, the next for RTCP, RFC 3550 section 11) is drawn by the kernel's random numbers from those at
 * hand, and one that was given back rests first; where calls leave too little room for that, those that rested longest
 * come back sooner, so that at least half of the idle pairs are at hand. Taking and giving are a handful of steps
 * however full the pool is; a pair that another program holds rests as well. Without descriptors or memory for one the
 * pool is as good as empty: ST_FULL. Sockets are made here, non-blocking, with small buffers; the media thread closes
 * them. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "media/ctl/ctl_i.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
	SOCKET_BUFFER_BYTES = 32768, /* about a second of audio; the kernel doubles it for its own needs */
	TELL_EVERY_US = 10000000,
	REST_US = 30000000,
	TRIES_MAX = 64 /* pairs held by other programs, in one search */
};

struct rest {
	uint16_t pair;
	int64_t since_us;
};
static struct {
	uint16_t first; /* port of pair 0 */
	size_t count, idle_count, rest_count, rest_first;
	uint16_t *idle;    /* at hand, in no order */
	struct rest *rest; /* a ring, the longest first */
	uint8_t *taken;    /* one byte a pair */
} pool;

int ports_init(uint16_t min, uint16_t max)
{
	unsigned first = (min + 1u) & ~1u;
	if (!min || max < first + 1)
		return ST_INVAL;
	memset(&pool, 0, sizeof(pool));
	pool.first = (uint16_t)first;
	pool.count = (max + 1u - first) / 2;
	pool.taken = mem_zalloc(pool.count);
	pool.idle = mem_alloc(pool.count * sizeof(pool.idle[0]));
	pool.rest = mem_alloc(pool.count * sizeof(pool.rest[0]));
	if (!pool.taken || !pool.idle || !pool.rest) {
		pool.count = 0;
		ports_fini();
		return ST_NOMEM;
	}
	for (size_t i = 0; i < pool.count; i++)
		pool.idle[pool.idle_count++] = (uint16_t)i;
	return ST_OK;
}

void ports_fini(void)
{
	size_t taken_count = pool.count - ports_free_count();
	if (taken_count)
		log_error("still alive at the end: %zu pairs of ports", taken_count);
	mem_free(pool.taken);
	mem_free(pool.idle);
	mem_free(pool.rest);
	memset(&pool, 0, sizeof(pool));
}

size_t ports_free_count(void)
{
	return pool.idle_count + pool.rest_count;
}

static void rest_add(uint16_t pair)
{
	size_t at = (pool.rest_first + pool.rest_count++) % pool.count;
	pool.rest[at] = (struct rest){pair, clock_mono_us()};
}

static void rest_end(void)
{
	pool.idle[pool.idle_count++] = pool.rest[pool.rest_first].pair;
	pool.rest_first = (pool.rest_first + 1) % pool.count;
	pool.rest_count--;
}

/* A random one of those at hand; false when there is none. */
static bool port_draw(uint16_t *pair)
{
	int64_t now_us = clock_mono_us();
	while (pool.rest_count &&
	       (now_us - pool.rest[pool.rest_first].since_us >= REST_US || pool.rest_count > pool.idle_count))
		rest_end();
	if (!pool.idle_count)
		return false;
	size_t at = rand_below((uint32_t)pool.idle_count);
	*pair = pool.idle[at];
	pool.idle[at] = pool.idle[--pool.idle_count];
	return true;
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
	uint16_t tried[TRIES_MAX], pair; /* kept out of the pool meanwhile, so that none is drawn twice */
	size_t tried_count = 0;
	int st = ST_BUSY;
	while (st == ST_BUSY && tried_count < TRIES_MAX && port_draw(&pair)) {
		unsigned port = pool.first + 2u * pair;
		st = bind_pair(host, port, rtp_fd, rtcp_fd);
		if (st) {
			tried[tried_count++] = pair;
		} else {
			pool.taken[pair] = 1;
			addr_set_port(host, (uint16_t)port);
		}
	}
	for (size_t i = 0; i < tried_count; i++)
		rest_add(tried[i]);
	return st == ST_BUSY ? ST_FULL : st;
}

void ports_give(uint16_t port)
{
	size_t at = (size_t)(port - pool.first) / 2;
	if (port < pool.first || at >= pool.count || !pool.taken[at])
		return;
	pool.taken[at] = 0;
	rest_add((uint16_t)at);
}
