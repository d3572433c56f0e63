/* Worker threads that control feeds without taking a lock: a worker that lost the CPU inside libuv's pool lock kept
 * control waiting for tens of milliseconds. */
#pragma once
#include "base/role.h"
#include "loop/work.h"
#include <stdatomic.h>
#include <stdbool.h>

struct pool_job {
	struct pool_job *next;                                /* the pool's */
	void (*run)(struct pool_job *j);                      /* on a worker */
	void (*done)(struct pool_job *j, bool was_cancelled); /* on control; the job is the caller's again */
	enum work_kind kind;
	atomic_int state;
};
ON_CTL void pool_submit(struct pool_job *j);
ON_CTL void pool_cancel(struct pool_job *j); /* if no worker has begun it: done comes with was_cancelled */
/* Takes what no worker has begun out of the queues, done for each that was cancelled; others stay. No kind's stalled
 * jobs can then hold a cancelled one back. */
ON_CTL void pool_sweep(void);
ON_CTL void pool_fini(void); /* no job may be left */
/* How many of a kind may run at once. */
ON_CTL unsigned pool_bound(enum work_kind kind);
