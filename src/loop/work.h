/* Worker threads for what blocks, and serial queues for what must stay in order (journals, one file). */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include <stddef.h>
#include <stdint.h>

typedef void (*work_fn)(void *arg);                  /* begins with role_assert_work() */
typedef void (*work_done_fn)(int status, void *arg); /* on the control loop; ST_CANCELLED when the loop ends first */

/* Runs fn on a worker, then done (may be NULL) on the control loop. arg is the worker's between the two. */
ON_CTL int work_submit(const char *name, work_fn fn, work_done_fn done, void *arg);

/* Jobs of one serial queue run one at a time, in order. Bounded: ST_FULL beyond max_jobs. */
struct work_serial;
ON_CTL int work_serial_new(struct work_serial **out, const char *name, size_t max_jobs);
ON_CTL int work_serial_submit(struct work_serial *s, work_fn fn, work_done_fn done, void *arg);
/* Runs what is queued to its end, then frees. Outside loop callbacks (shutdown) it waits for that; inside one it
 * returns at once and the last job's completion frees the queue. Nothing may be submitted after it. */
ON_CTL void work_serial_close(struct work_serial *s);

/* For `show rings`: calls fn for each serial queue with its jobs waiting and running, and for the pool (max 0: no
 * bound) with the plain ones. refused: ST_FULL so far. */
ON_CTL void work_queues_each(
    void (*fn)(const char *name, size_t job_count, size_t max_jobs, uint64_t refused_count, void *arg), void *arg);
