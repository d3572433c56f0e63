/* Worker threads. In: a ring of job pointers; control alone writes it, a semaphore counts what is in it, and a worker
 * that got a count owns the next position. What finds the ring full waits in a list of control's. Out: workers push on
 * a stack that control takes as a whole. UV_THREADPOOL_SIZE says how many threads, as it did for libuv's own pool. */
#include "base/check.h"
#include "loop/loop.h"
#include "loop/pool_i.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <uv.h>

enum { SLOT_COUNT = 1024, THREADS_DEFAULT = 4, THREADS_MAX = 128 };
enum { JOB_QUEUED, JOB_RUNS, JOB_CANCELLED };

static struct {
	_Atomic(struct pool_job *) slots[SLOT_COUNT];
	_Atomic uint64_t head;           /* the next position a worker takes */
	_Atomic(struct pool_job *) done; /* newest first */
	sem_t ready;
	atomic_bool is_ending;
	/* control's */
	uint64_t tail;
	struct pool_job *waiting, **waiting_end;
	size_t job_count;
	uv_async_t wake;
	pthread_t threads[THREADS_MAX];
	unsigned thread_count;
} pool;

static void done_push(struct pool_job *j)
{
	j->next = atomic_load(&pool.done);
	while (!atomic_compare_exchange_weak(&pool.done, &j->next, j))
		;
	uv_async_send(&pool.wake);
}

static void *worker_main(void *unused)
{
	role_set(ROLE_WORK);
	pthread_setname_np(pthread_self(), "worker");
	for (;;) {
		while (sem_wait(&pool.ready))
			; /* a signal */
		if (atomic_load(&pool.is_ending))
			return NULL;
		uint64_t at = atomic_fetch_add(&pool.head, 1);
		struct pool_job *j = atomic_exchange(&pool.slots[at % SLOT_COUNT], NULL);
		int queued = JOB_QUEUED;
		if (atomic_compare_exchange_strong(&j->state, &queued, JOB_RUNS))
			j->run(j);
		done_push(j);
	}
}

static ON_CTL bool slot_fill(struct pool_job *j)
{
	_Atomic(struct pool_job *) *slot = &pool.slots[pool.tail % SLOT_COUNT];
	if (atomic_load(slot))
		return false;
	atomic_store(slot, j);
	pool.tail++;
	sem_post(&pool.ready);
	return true;
}

static void on_wake(uv_async_t *unused)
{
	struct pool_job *j = atomic_exchange(&pool.done, NULL), *oldest = NULL, *next;
	role_assert_ctl();
	for (; j; j = next)
		next = j->next, j->next = oldest, oldest = j;
	while ((j = pool.waiting) && (next = j->next, slot_fill(j)))
		pool.waiting = next;
	for (j = oldest; j; j = next) {
		next = j->next;
		if (!--pool.job_count)
			uv_unref((uv_handle_t *)&pool.wake);
		j->done(j, atomic_load(&j->state) == JOB_CANCELLED);
	}
}

static ON_CTL void pool_start(void)
{
	const char *text = getenv("UV_THREADPOOL_SIZE");
	long want = text ? strtol(text, NULL, 10) : THREADS_DEFAULT;
	sigset_t all, old;
	want = want < 1 ? 1 : want > THREADS_MAX ? THREADS_MAX : want;
	CHECK(!sem_init(&pool.ready, 0, 0) && !uv_async_init(loop_uv(), &pool.wake, on_wake));
	uv_unref((uv_handle_t *)&pool.wake);
	atomic_store(&pool.is_ending, false);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (pool.thread_count < (unsigned)want &&
	       !pthread_create(&pool.threads[pool.thread_count], NULL, worker_main, NULL))
		pool.thread_count++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	CHECK(pool.thread_count);
}

void pool_submit(struct pool_job *j)
{
	if (!pool.thread_count)
		pool_start();
	j->next = NULL;
	atomic_store(&j->state, JOB_QUEUED);
	if (!pool.job_count++)
		uv_ref((uv_handle_t *)&pool.wake);
	if (!pool.waiting && slot_fill(j))
		return;
	if (!pool.waiting)
		pool.waiting_end = &pool.waiting;
	*pool.waiting_end = j;
	pool.waiting_end = &j->next;
}

void pool_cancel(struct pool_job *j)
{
	int queued = JOB_QUEUED;
	atomic_compare_exchange_strong(&j->state, &queued, JOB_CANCELLED);
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
