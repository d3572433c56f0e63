/* The few locks there are (docs/threads.md lists them), counted: how often taken, how often that had to wait and how
 * long, for `show locks` and metrics. A lock is static and names itself; it is known from its first use on. */
#pragma once
#include "base/role.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

struct lock {
	pthread_mutex_t mutex;
	const char *name; /* string literal */
	_Atomic uint64_t taken_count, waited_count, waited_ns;
	atomic_bool is_known;
	struct lock *next;
};
#define LOCK_INIT(text) \
	{ \
		.mutex = PTHREAD_MUTEX_INITIALIZER, .name = (text) \
	}
#define LOCK_INIT_RECURSIVE(text) \
	{ \
		.mutex = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP, .name = (text) \
	}
ANY void lock_take(struct lock *l);
ANY void lock_give(struct lock *l);
/* Newest first. */
ANY void lock_each(void (*fn)(const struct lock *l, void *arg), void *arg);
