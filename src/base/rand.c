/* Random bytes: getrandom into a buffer per thread, handed out and wiped. A fork throws the child's buffers away, so
 * that parent and child never hand out the same bytes. */
#include "base/rand.h"
#include "base/check.h"
#include "base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>

enum { POOL_BYTES = 512 };

struct pool {
	size_t left;
	unsigned generation;
	unsigned char bytes[POOL_BYTES];
};
static _Thread_local struct pool pool;
static atomic_uint generation;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void forked(void)
{
	atomic_fetch_add(&generation, 1);
}

static void fork_watch(void)
{
	pthread_atfork(NULL, NULL, forked);
}

static void kernel_bytes(void *p, size_t n)
{
	char *at = p;
	while (n) {
		ssize_t got = getrandom(at, n, 0);
		CHECK(got > 0 || errno == EINTR);
		if (got > 0)
			at += got, n -= (size_t)got;
	}
}

void rand_bytes(void *p, size_t n)
{
	if (n > POOL_BYTES / 2) {
		kernel_bytes(p, n);
		return;
	}
	unsigned now = atomic_load_explicit(&generation, memory_order_relaxed);
	if (pool.left < n || pool.generation != now) {
		pthread_once(&fork_once, fork_watch);
		kernel_bytes(pool.bytes, POOL_BYTES);
		pool.left = POOL_BYTES, pool.generation = now;
	}
	pool.left -= n;
	memcpy(p, pool.bytes + pool.left, n);
	memset(pool.bytes + pool.left, 0, n);
}

uint32_t rand_u32(void)
{
	uint32_t v;
	rand_bytes(&v, sizeof(v));
	return v;
}

uint64_t rand_u64(void)
{
	uint64_t v;
	rand_bytes(&v, sizeof(v));
	return v;
}

uint32_t rand_below(uint32_t bound)
{
	CHECK(bound > 0);
	/* Values below 2^32 mod bound would favour the small results. */
	uint32_t least = -bound % bound, v;
	do {
		v = rand_u32();
	} while (v < least);
	return v % bound;
}

void rand_token(char *out, size_t n)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	size_t i = 0;
	while (i < n) {
		unsigned char v;
		rand_bytes(&v, 1);
		if (v < 62 * 4)
			out[i++] = letters[v % 62];
	}
	out[n] = 0;
}

static atomic_uint uuid_version = 4;

void uuid_set_version(unsigned version)
{
	atomic_store_explicit(&uuid_version, version == 7 ? 7 : 4, memory_order_relaxed);
}

void uuid_make(char out[UUID_CHARS + 1])
{
	static const char hex[] = "0123456789abcdef";
	unsigned version = atomic_load_explicit(&uuid_version, memory_order_relaxed);
	unsigned char b[16];
	rand_bytes(b, sizeof(b));
	if (version == 7) { /* RFC 9562 5.7: milliseconds first, so that they sort by time */
		uint64_t ms = (uint64_t)clock_wall_us() / 1000;
		for (int i = 5; i >= 0; i--, ms >>= 8)
			b[i] = (unsigned char)ms;
	}
	b[6] = (unsigned char)((b[6] & 0x0f) | version << 4);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80); /* RFC 4122's variant */
	char *at = out;
	for (size_t i = 0; i < sizeof(b); i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*at++ = '-';
		*at++ = hex[b[i] >> 4];
		*at++ = hex[b[i] & 15];
	}
	*at = 0;
}
