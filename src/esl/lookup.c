/* Host names of the `socket` application. One serial worker queue asks the system's resolver, so a dead name server
 * costs one worker and never the loop; the queue is bounded, a caller waits a few seconds at most, and what was found
 * is remembered for a minute. Numeric addresses need none of it. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "esl/esl_i.h"
#include "loop/work.h"

#include <netdb.h>
#include <stdatomic.h>
#include <string.h>

enum { QUEUE_MAX = 256, CACHE_MAX = 256 };
static const int64_t wait_max_us = 5 * 1000000LL, keep_us = 60 * 1000000LL;

struct lookup {
	char *host;
	struct addr addr;
	int status;
	bool is_done;
	atomic_bool is_given_up;
	struct leg *leg; /* a reference: woken at the end */
};
struct entry {
	struct addr addr;
	int64_t until_us;
};
static struct work_serial *queue;
static struct hash *cache;

static void lookup_free(void *obj)
{
	struct lookup *l = obj;
	mem_free(l->host);
	mem_unref(l->leg);
}

static void on_work(void *arg)
{
	struct lookup *l = arg;
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG}, *found = NULL;
	role_assert_work();
	l->status = ST_NOTFOUND;
	if (atomic_load(&l->is_given_up) || getaddrinfo(l->host, NULL, &hints, &found))
		return;
	for (struct addrinfo *it = found; it && l->status; it = it->ai_next) {
		if (it->ai_family != AF_INET && it->ai_family != AF_INET6)
			continue;
		memcpy(&l->addr, it->ai_addr, it->ai_addrlen);
		l->status = ST_OK;
	}
	freeaddrinfo(found);
}

static ON_CTL void remember(const char *host, const struct addr *addr)
{
	struct entry *e = mem_alloc(sizeof(*e));
	if (!e || !cache)
		goto fail;
	*e = (struct entry){*addr, clock_mono_us() + keep_us};
	if (hash_count(cache) >= CACHE_MAX) {
		struct hash_it it = {0};
		if (hash_next(cache, &it))
			hash_del(cache, it.key);
	}
	if (!hash_set(cache, sv_of(host), e))
		return;
fail:
	mem_free(e);
}

static void on_done(int status, void *arg)
{
	struct lookup *l = arg;
	role_assert_ctl();
	l->is_done = true;
	if (status)
		l->status = status;
	if (!l->status)
		remember(l->host, &l->addr);
	leg_wake(l->leg);
	mem_unref(l);
}

static CO int ask(struct leg *leg, const char *host, struct addr *out)
{
	struct lookup *l = mem_new(sizeof(*l), lookup_free, "esl.lookup");
	int64_t deadline = clock_mono_us() + wait_max_us;
	int st = ST_NOMEM;
	if (!l || !(l->host = mem_strdup(host)))
		goto out;
	l->leg = mem_ref(leg);
	st = work_serial_submit(queue, on_work, on_done, mem_ref(l));
	if (st) {
		mem_unref(l);
		goto out;
	}
	while (!st && !l->is_done) {
		int64_t left = deadline - clock_mono_us();
		st = left > 0 ? leg_wait(leg, left) : ST_TIMEOUT;
	}
	if (l->is_done && leg_is_up(leg)) {
		st = l->status;
		if (!st)
			*out = l->addr;
	} else {
		atomic_store(&l->is_given_up, true);
	}
out:
	mem_unref(l);
	return st;
}

int esl_lookup(struct leg *leg, const char *host, uint16_t port, struct addr *out)
{
	const struct entry *known;
	struct addr found;
	int st = addr_parse(out, sv_of(host), port);
	if (!st)
		return ST_OK;
	known = hash_get(cache, sv_of(host));
	if (known && known->until_us > clock_mono_us())
		found = known->addr;
	else if ((st = ask(leg, host, &found)))
		return st;
	addr_set_port(&found, port);
	*out = found;
	return ST_OK;
}

int esl_lookup_start(void)
{
	int st = hash_new(&cache, HASH_NOCASE, mem_free);
	return st ? st : work_serial_new(&queue, "esl.lookup", QUEUE_MAX);
}

void esl_lookup_stop(void)
{
	if (queue)
		work_serial_close(queue);
	queue = NULL;
	hash_free(cache);
	cache = NULL;
}
