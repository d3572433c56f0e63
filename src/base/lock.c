/* Counted locks over pthread mutexes: a lock that is free is taken by trylock, so that only one that is not costs a
 * clock reading. Every lock joins a list of all the first time it is taken. */
#include "base/lock.h"
#include <time.h>

static _Atomic(struct lock *) all;

static int64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void make_known(struct lock *l)
{
	if (atomic_exchange(&l->is_known, true))
		return;
	l->next = atomic_load(&all);
	while (!atomic_compare_exchange_weak(&all, &l->next, l))
		;
}

void lock_take(struct lock *l)
{
	if (!atomic_load_explicit(&l->is_known, memory_order_relaxed))
		make_known(l);
	if (pthread_mutex_trylock(&l->mutex)) {
		int64_t from_ns = now_ns();
		pthread_mutex_lock(&l->mutex);
		atomic_fetch_add_explicit(&l->waited_count, 1, memory_order_relaxed);
		atomic_fetch_add_explicit(&l->waited_ns, (uint64_t)(now_ns() - from_ns), memory_order_relaxed);
	}
	atomic_fetch_add_explicit(&l->taken_count, 1, memory_order_relaxed);
}

void lock_give(struct lock *l)
{
	pthread_mutex_unlock(&l->mutex);
}

void lock_each(void (*fn)(const struct lock *l, void *arg), void *arg)
{
	for (const struct lock *l = atomic_load(&all); l; l = l->next)
		fn(l, arg);
}
