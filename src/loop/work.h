/* Worker threads for what blocks, and serial queues for what must stay in order (journals, one file). Each job is of a
 * kind, and the threads that a kind may hold are bounded (pool.c): what stalls holds up only its own. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum work_kind {
	/* short: a fifth of the threads for each of these */
	WORK_SOUND,   /* prompts, recordings */
	WORK_JOURNAL, /* what must get to the disk: call records, journals */
	WORK_FILE,    /* other files, and what only takes time */
	/* slow: one thread for each of these, a few more for who has much to do; at most half for all */
	WORK_CONFIG, /* configuration: its commands and STUN servers may be silent; one at a time */
	WORK_NET,    /* STUN */
	WORK_DB,
	WORK_PROCESS, /* child processes */
	WORK_SPEECH,  /* synthesis */
	WORK_SCRIPT,  /* a script's own files: pipes, devices */
	WORK_MODULE,  /* what modules from files want */
	WORK_KIND_COUNT
};
enum { WORK_SLOW_FIRST = WORK_CONFIG };
ANY const char *work_kind_name(enum work_kind kind); /* "workers sound" ... */

typedef void (*work_fn)(void *arg);                  /* begins with role_assert_work() */
typedef void (*work_done_fn)(int status, void *arg); /* on the control loop; ST_CANCELLED when the loop ends first */

/* Runs fn on a worker, then done (may be NULL) on the control loop. arg is the worker's between the two. ST_FULL: so
 * many of a slow kind wait already (one without done is never refused). */
ON_CTL int work_submit(enum work_kind kind, const char *name, work_fn fn, work_done_fn done, void *arg);

/* Jobs of one serial queue run one at a time, in order. Bounded: ST_FULL beyond max_jobs. */
struct work_serial;
ON_CTL int work_serial_new(struct work_serial **out, enum work_kind kind, const char *name, size_t max_jobs);
ON_CTL int work_serial_submit(struct work_serial *s, work_fn fn, work_done_fn done, void *arg);
/* Runs what is queued to its end, then frees. Outside loop callbacks (shutdown) it waits for that; inside one it
 * returns at once and the last job's completion frees the queue. Nothing may be submitted after it. */
ON_CTL void work_serial_close(struct work_serial *s);
/* Outside loop callbacks: runs the loop until the queue is empty, for owners whose jobs' ends submit more; these may
 * close it, too. NULL is fine. False: given up (work_end), jobs are left and may still come back. */
ON_CTL bool work_serial_drain(struct work_serial *s);
ON_CTL bool work_may_wait(void); /* false inside a loop callback */

/* The end of the program waits for nobody. work_end: from now on whoever waits for jobs (work_drain,
 * work_serial_close, loop_fini) gives up when none has ended for a while, a second for slow kinds, three for what has
 * something to write. Jobs not begun are cancelled; of those given up done is never called, and what they hold stays
 * theirs: the program must then leave by _exit. */
ON_CTL void work_end(void);
/* Runs the loop until no job is left; false: some stall, their names are logged. Slow jobs that somebody waits for are
 * not begun any more (ST_CANCELLED). */
ON_CTL bool work_drain(void);
/* Readable from work_end on: for the poll of a job that waits for a descriptor. -1 before the first job. */
ANY int work_end_fd(void);

/* For `show rings`: calls fn for each serial queue with its jobs waiting and running, and for each kind ("workers
 * KIND") with its plain ones. max_jobs 0: no bound. refused: ST_FULL so far. */
ON_CTL void work_queues_each(
    void (*fn)(const char *name, size_t job_count, size_t max_jobs, uint64_t refused_count, void *arg), void *arg);
