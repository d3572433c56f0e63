/* Worker threads. A thread that waits for a silent disk, server or child is lost until that answers, so what a kind of
 * job may hold is counted, and every kind has a thread that no other can take: whatever stalls, one kind or several,
 * the rest goes on. Short kinds (sounds, journals, files) have some threads each; the slow ones (databases, processes,
 * synthesis ...) have one each and share a few more, all together at most half.
 *
 *   control: pool_submit -> the kind's ring (control alone writes it; what finds it full waits in a list) -> semaphore
 *   worker:  looks at the rings in turn, takes a running place of the kind, then the job; runs it; pushes it on `done`
 *   control: on_wake takes `done` as a whole and tells each job's owner
 *
 * All running places are one 64-bit word, six bits a kind, changed by one compare-and-swap: a place is never held for a
 * moment and given back, so nobody is turned away by a count that was not true. Whoever takes a job wakes another
 * worker when more could be taken, and who ends one looks again before it sleeps. UV_THREADPOOL_SIZE says how many
 * threads, as it did for libuv's own pool. */
#include "base/check.h"
#include "loop/loop.h"
#include "loop/pool_i.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <uv.h>

enum { SLOT_COUNT = 256, THREADS_DEFAULT = 20, THREADS_MIN = 14, THREADS_MAX = 126, PLACE_BITS = 6, PLACE_MAX = 63 };
enum { JOB_QUEUED, JOB_RUNS, JOB_CANCELLED };
_Static_assert(THREADS_MIN >= 2 * (WORK_KIND_COUNT - WORK_SLOW_FIRST), "slow kinds hold half of the threads at most");
_Static_assert(WORK_KIND_COUNT *PLACE_BITS <= 64, "the running places of all kinds fit in one word");

struct queue {
	_Atomic(struct pool_job *) slots[SLOT_COUNT];
	_Atomic uint64_t head; /* the next position a worker takes */
	_Atomic uint64_t tail; /* control's; what lies before it may be taken */
	/* control's */
	struct pool_job *waiting, **waiting_end;
};

static struct {
	struct queue queues[WORK_KIND_COUNT];
	_Atomic uint64_t running;
	_Atomic(struct pool_job *) done; /* newest first */
	sem_t ready;
	atomic_bool is_ending;
	unsigned bounds[WORK_KIND_COUNT], slow_bound; /* read-only once threads run */
	/* control's */
	size_t job_count;
	uv_async_t wake;
	pthread_t threads[THREADS_MAX];
	unsigned thread_count;
} pool;

static unsigned places_of(uint64_t word, unsigned kind)
{
	return (unsigned)(word >> (kind * PLACE_BITS)) & PLACE_MAX;
}

/* A slow kind has its first place whatever the others hold; further ones only while each other still has its first. */
static bool has_place(uint64_t word, unsigned kind)
{
	unsigned taken = 0;
	if (places_of(word, kind) >= pool.bounds[kind])
		return false;
	if (kind < WORK_SLOW_FIRST || !places_of(word, kind))
		return true;
	for (unsigned k = WORK_SLOW_FIRST; k < WORK_KIND_COUNT; k++)
		taken += places_of(word, k) ? places_of(word, k) : 1;
	return taken < pool.slow_bound;
}

static bool is_waiting(unsigned kind)
{
	return atomic_load(&pool.queues[kind].head) < atomic_load(&pool.queues[kind].tail);
}

/* The oldest job of a queue, or NULL. The slot is read before it is claimed: control writes it anew only once head has
 * passed it, and then the claim fails. */
static struct pool_job *queue_take(struct queue *q)
{
	uint64_t at = atomic_load(&q->head);
	for (;;) {
		if (at >= atomic_load(&q->tail))
			return NULL;
		struct pool_job *j = atomic_load(&q->slots[at % SLOT_COUNT]);
		if (atomic_compare_exchange_weak(&q->head, &at, at + 1))
			return j;
	}
}

/* A job with a running place for its kind; NULL: it has none, or another worker was quicker (then *is_stale). */
static struct pool_job *kind_take(unsigned kind, bool *is_stale)
{
	const uint64_t one = (uint64_t)1 << (kind * PLACE_BITS);
	uint64_t word = atomic_load(&pool.running);
	do {
		if (!is_waiting(kind) || !has_place(word, kind))
			return NULL;
	} while (!atomic_compare_exchange_weak(&pool.running, &word, word + one));
	struct pool_job *j = queue_take(&pool.queues[kind]);
	if (!j) {
		atomic_fetch_sub(&pool.running, one);
		*is_stale = true; /* somebody may have seen the place taken meanwhile */
	}
	return j;
}

static bool could_take(void)
{
	uint64_t word = atomic_load(&pool.running);
	for (unsigned k = 0; k < WORK_KIND_COUNT; k++)
		if (is_waiting(k) && has_place(word, k))
			return true;
	return false;
}

/* The kinds in turn, so that none is always the last. */
static struct pool_job *job_take(unsigned *turn)
{
	bool is_stale;
	do {
		is_stale = false;
		for (unsigned i = 0; i < WORK_KIND_COUNT; i++) {
			unsigned kind = (*turn + i) % WORK_KIND_COUNT;
			struct pool_job *j = kind_take(kind, &is_stale);
			if (!j)
				continue;
			*turn = kind + 1;
			if (could_take())
				sem_post(&pool.ready);
			return j;
		}
	} while (is_stale);
	return NULL;
}

static void done_push(struct pool_job *j)
{
	j->next = atomic_load(&pool.done);
	while (!atomic_compare_exchange_weak(&pool.done, &j->next, j))
		;
	uv_async_send(&pool.wake);
}

static void *worker_main(void *unused)
{
	unsigned turn = 0;
	role_set(ROLE_WORK);
	pthread_setname_np(pthread_self(), "worker");
	for (;;) {
		struct pool_job *j;
		while (sem_wait(&pool.ready))
			; /* a signal */
		if (atomic_load(&pool.is_ending))
			return NULL;
		while ((j = job_take(&turn))) {
			unsigned kind = j->kind;
			int queued = JOB_QUEUED;
			if (atomic_compare_exchange_strong(&j->state, &queued, JOB_RUNS))
				j->run(j);
			done_push(j); /* before the place is free: who sees the place sees the job's end */
			atomic_fetch_sub(&pool.running, (uint64_t)1 << (kind * PLACE_BITS));
		}
	}
}

static ON_CTL bool slot_fill(struct queue *q, struct pool_job *j)
{
	uint64_t tail = atomic_load(&q->tail);
	if (tail - atomic_load(&q->head) >= SLOT_COUNT)
		return false;
	atomic_store(&q->slots[tail % SLOT_COUNT], j);
	atomic_store(&q->tail, tail + 1);
	sem_post(&pool.ready);
	return true;
}

static ON_CTL void slots_refill(void)
{
	struct pool_job *j, *next;
	for (unsigned k = 0; k < WORK_KIND_COUNT; k++) {
		struct queue *q = &pool.queues[k];
		while ((j = q->waiting) && (next = j->next, slot_fill(q, j)))
			q->waiting = next;
	}
}

static ON_CTL void job_end(struct pool_job *j)
{
	if (!--pool.job_count)
		uv_unref((uv_handle_t *)&pool.wake);
	j->done(j, atomic_load(&j->state) == JOB_CANCELLED);
}

static void on_wake(uv_async_t *unused)
{
	struct pool_job *j = atomic_exchange(&pool.done, NULL), *oldest = NULL, *next;
	role_assert_ctl();
	for (; j; j = next)
		next = j->next, j->next = oldest, oldest = j;
	slots_refill();
	for (j = oldest; j; j = next) {
		next = j->next;
		job_end(j);
	}
}

static ON_CTL void bounds_set(unsigned threads)
{
	const unsigned slow_kinds = WORK_KIND_COUNT - WORK_SLOW_FIRST;
	unsigned slow = threads * 2 / 5 > slow_kinds ? threads * 2 / 5 : slow_kinds;
	for (unsigned k = 0; k < WORK_KIND_COUNT; k++)
		pool.bounds[k] = k < WORK_SLOW_FIRST                ? (threads - slow) / WORK_SLOW_FIRST
		                 : k == WORK_CONFIG || slow / 4 < 1 ? 1
		                                                    : slow / 4;
	pool.slow_bound = slow;
}

static ON_CTL void pool_start(void)
{
	const char *text = getenv("UV_THREADPOOL_SIZE");
	long want = text ? strtol(text, NULL, 10) : THREADS_DEFAULT;
	sigset_t all, old;
	want = want < THREADS_MIN ? THREADS_MIN : want > THREADS_MAX ? THREADS_MAX : want;
	CHECK(!sem_init(&pool.ready, 0, 0) && !uv_async_init(loop_uv(), &pool.wake, on_wake));
	uv_unref((uv_handle_t *)&pool.wake);
	atomic_store(&pool.is_ending, false);
	bounds_set((unsigned)want);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (pool.thread_count < (unsigned)want &&
	       !pthread_create(&pool.threads[pool.thread_count], NULL, worker_main, NULL))
		pool.thread_count++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	CHECK(pool.thread_count >= THREADS_MIN);
}

unsigned pool_bound(enum work_kind kind)
{
	return pool.bounds[kind];
}

void pool_submit(struct pool_job *j)
{
	struct queue *q = &pool.queues[j->kind];
	if (!pool.thread_count)
		pool_start();
	j->next = NULL;
	atomic_store(&j->state, JOB_QUEUED);
	if (!pool.job_count++)
		uv_ref((uv_handle_t *)&pool.wake);
	if (!q->waiting && slot_fill(q, j))
		return;
	if (!q->waiting)
		q->waiting_end = &q->waiting;
	*q->waiting_end = j;
	q->waiting_end = &j->next;
}

void pool_cancel(struct pool_job *j)
{
	int queued = JOB_QUEUED;
	atomic_compare_exchange_strong(&j->state, &queued, JOB_CANCELLED);
}

void pool_sweep(void)
{
	struct pool_job *cancelled = NULL, *j, *next;
	for (unsigned k = 0; k < WORK_KIND_COUNT; k++) {
		struct queue *q = &pool.queues[k];
		struct pool_job *kept = NULL, **end = &kept;
		while ((j = queue_take(q)) || (j = q->waiting)) {
			if (j == q->waiting)
				q->waiting = j->next;
			if (atomic_load(&j->state) == JOB_CANCELLED) {
				j->next = cancelled, cancelled = j;
			} else {
				j->next = NULL, *end = j, end = &j->next;
			}
		}
		q->waiting = kept, q->waiting_end = end == &kept ? &q->waiting : end;
	}
	slots_refill();
	for (j = cancelled; j; j = next) {
		next = j->next;
		job_end(j);
	}
}

void pool_fini(void)
{
	if (!pool.thread_count)
		return;
	CHECK(!pool.job_count);
	atomic_store(&pool.is_ending, true);
	for (unsigned i = 0; i < pool.thread_count; i++)
		sem_post(&pool.ready);
	for (unsigned i = 0; i < pool.thread_count; i++)
		pthread_join(pool.threads[i], NULL);
	pool.thread_count = 0;
	sem_destroy(&pool.ready);
	uv_close((uv_handle_t *)&pool.wake, NULL);
}
