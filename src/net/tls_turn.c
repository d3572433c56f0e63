/* Turns are counted in all and by host. Who finds no place joins his host's queue; hosts that wait and may go on stand
 * in a ring, so that each gets its share whatever another one sends. While anybody waits, a tick looks at the turns
 * whose far side is silent, the longest first, and takes as many as others wait for; to close one costs its owner and
 * OpenSSL tens of microseconds, so after SLICE_US it goes on in the loop's next iteration. */
#include "net/tls_turn.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "loop/loop.h"

#include <string.h>

enum { TURN_NONE, TURN_QUEUED, TURN_BUSY, TURN_SILENT };
enum { TICK_US = 250000, SILENT_MAX_US = 1000000, SLICE_US = 2000 };

struct turn_host {
	uint8_t key[16];
	size_t key_bytes, held, waiting;
	struct list queue;
	struct lnode ring; /* linked: it waits, and is below its bound */
};
static struct {
	struct hash *hosts;
	struct list ring, silent;
	size_t held, waiting;
	struct ltimer tick;
	bool is_ready, is_granting;
} turns;

static ON_CTL bool turns_ready(void)
{
	if (turns.is_ready)
		return true;
	list_init(&turns.ring);
	list_init(&turns.silent);
	return turns.is_ready = !hash_new(&turns.hosts, 0, mem_free);
}

static ON_CTL struct turn_host *host_get(const struct addr *peer)
{
	struct sv key = addr_host_key(peer);
	struct turn_host *h = turns_ready() ? hash_get(turns.hosts, key) : NULL;
	if (h || !turns.is_ready || key.n > sizeof(h->key) || !(h = mem_zalloc(sizeof(*h))))
		return h;
	memcpy(h->key, key.p, key.n);
	h->key_bytes = key.n;
	list_init(&h->queue);
	if (hash_set(turns.hosts, key, h)) {
		mem_free(h);
		return NULL;
	}
	return h;
}

static ON_CTL void host_put(struct turn_host *h)
{
	if (h->held || h->waiting)
		return;
	hash_del(turns.hosts, (struct sv){(const char *)h->key, h->key_bytes});
	if (hash_count(turns.hosts))
		return;
	hash_free(turns.hosts);
	turns.hosts = NULL;
	turns.is_ready = false;
	loop_timer_cancel(&turns.tick);
}

static ON_CTL void ring_update(struct turn_host *h)
{
	bool belongs = h->waiting && h->held < TLS_TURNS_PER_HOST;
	if (belongs && !lnode_is_linked(&h->ring))
		list_push(&turns.ring, &h->ring);
	else if (!belongs)
		list_remove(&h->ring);
}

static ON_CTL void turn_hold(struct tls_turn *t)
{
	t->state = TURN_BUSY;
	t->host->held++;
	turns.held++;
}

/* Those that wait, a host after the other. */
static ON_CTL void grant(void)
{
	struct lnode *n;
	if (turns.is_granting)
		return;
	turns.is_granting = true;
	while (turns.is_ready && turns.held < TLS_TURNS_MAX && (n = list_first(&turns.ring))) {
		struct turn_host *h = list_entry(n, struct turn_host, ring);
		struct tls_turn *t = list_entry(list_first(&h->queue), struct tls_turn, link);
		list_remove(&t->link);
		list_remove(&h->ring);
		h->waiting--, turns.waiting--;
		turn_hold(t);
		ring_update(h);
		t->granted(t->arg);
	}
	turns.is_granting = false;
}

/* The longest silent one whose turn somebody waits for; NULL: none. */
static ON_CTL struct tls_turn *late_get(void)
{
	struct lnode *n, *tmp;
	if (!turns.waiting) /* also: nothing is there any more */
		return NULL;
	list_each (&turns.silent, n, tmp) {
		struct tls_turn *t = list_entry(n, struct tls_turn, all_link);
		if (loop_now_us() - t->since_us < SILENT_MAX_US)
			break;
		if (t->host->waiting || turns.held >= TLS_TURNS_MAX)
			return t;
	}
	return NULL;
}

static void on_tick(void *unused)
{
	int64_t end_us = clock_mono_us() + SLICE_US;
	struct tls_turn *t;
	role_assert_ctl();
	while ((t = late_get())) {
		if (clock_mono_us() >= end_us)
			break;
		t->taken(t->arg); /* leaves; closes its own connection only */
	}
	if (turns.waiting)
		loop_timer_set(&turns.tick, t ? 0 : TICK_US, "tls turns", on_tick, NULL);
}

bool tls_turn_ask(struct tls_turn *t, const struct addr *peer)
{
	if (t->state != TURN_NONE || !(t->host = host_get(peer)))
		return t->state == TURN_BUSY;
	struct turn_host *h = t->host;
	if (turns.held < TLS_TURNS_MAX && h->held < TLS_TURNS_PER_HOST && !h->waiting) {
		turn_hold(t);
		return true;
	}
	t->state = TURN_QUEUED;
	list_push(&h->queue, &t->link);
	h->waiting++, turns.waiting++;
	ring_update(h);
	if (!loop_timer_is_set(&turns.tick))
		loop_timer_set(&turns.tick, TICK_US, "tls turns", on_tick, NULL);
	return false;
}

void tls_turn_waits(struct tls_turn *t, bool is_waiting)
{
	if (t->state != (is_waiting ? TURN_BUSY : TURN_SILENT))
		return;
	t->state = is_waiting ? TURN_SILENT : TURN_BUSY;
	if (!is_waiting) {
		list_remove(&t->all_link);
		return;
	}
	t->since_us = loop_now_us();
	list_push(&turns.silent, &t->all_link);
}

void tls_turn_leave(struct tls_turn *t)
{
	struct turn_host *h = t->host;
	if (t->state == TURN_NONE)
		return;
	if (t->state == TURN_QUEUED) {
		list_remove(&t->link);
		h->waiting--, turns.waiting--;
	} else {
		list_remove(&t->all_link);
		h->held--, turns.held--;
	}
	t->state = TURN_NONE;
	t->host = NULL;
	ring_update(h);
	host_put(h);
	if (turns.is_ready)
		grant();
}

void tls_turn_counts(size_t *held, size_t *waiting)
{
	*held = turns.held;
	*waiting = turns.waiting;
}
