/* The control loop: one libuv loop per process, run by the control thread. Timers, deferred calls, mailboxes from other
 * threads, signals. Every callback runs between loop_enter and loop_leave, which report a handler of over 10 ms by
 * name. */
#pragma once
#include "base/list.h"
#include "base/role.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef void (*loop_fn)(void *arg);
struct uv_loop_s;

/* Makes the calling thread the control thread. Once per process (tests: once per test process). */
ANY int loop_init(void) ROLE_ATTR(assert_capability(role_ctl));
/* None of the three may be called from a callback or a coroutine. Under the fake clock use the latter two: nothing
 * waits. */
ON_CTL void loop_run(void); /* until loop_stop; may be called again */
ON_CTL void loop_run_once(
    void); /* one iteration; waits for an event or the next timer, unless timers or deferred calls ran */
ON_CTL void loop_run_nowait(void);
ON_CTL void loop_stop(void);
ON_CTL void loop_fini(void); /* closes the handles that remain; DCHECKs that none is forgotten */
/* Callbacks under way; 0: outside the loop (start, shutdown), where a wait may run it. */
ANY unsigned loop_depth(void);
ON_CTL struct uv_loop_s *loop_uv(void);
ON_CTL int64_t loop_busy_us(void); /* what the last whole iteration took, without its sleep */
ON_CTL int64_t loop_now_us(void);  /* monotonic, cached at the start of the iteration */

/* Timers are embedded, need no closing, and live in one 4-ary heap behind one uv timer. A timer that is linked must be
 * cancelled before its memory goes. Zero-initialised is a valid idle timer. */
struct ltimer {
	int64_t due_us;
	size_t heap_index; /* 0 = idle */
	loop_fn fn;
	void *arg;
	const char *name; /* string literal, for reports */
};
/* (Re)arms; delay_us <= 0 fires in the next iteration. fn may free the timer's owner. */
ON_CTL void loop_timer_set(struct ltimer *t, int64_t delay_us, const char *name, loop_fn fn, void *arg);
ON_CTL void loop_timer_cancel(struct ltimer *t); /* idle is fine */
ON_CTL bool loop_timer_is_set(const struct ltimer *t);

/* Runs fn once later in the same iteration, after the current callback; FIFO. Embedded, cancellable. */
struct ldefer {
	struct lnode link;
	loop_fn fn;
	void *arg;
	const char *name;
};
ON_CTL void loop_defer(struct ldefer *d, const char *name, loop_fn fn, void *arg);
ON_CTL void loop_defer_cancel(struct ldefer *d);

/* Watches a file descriptor, level-triggered (uv_poll underneath). */
struct lpoll;
enum { LOOP_READ = 1, LOOP_WRITE = 2 };
typedef void (*lpoll_fn)(int events, void *arg);
ON_CTL int loop_poll_open(struct lpoll **out, int fd, const char *name, lpoll_fn fn, void *arg);
ON_CTL int loop_poll_set(struct lpoll *p, int events); /* 0 stops */
ON_CTL void loop_poll_close(struct lpoll *p);          /* does not close the fd; fn is not called again; NULL is fine */
/* For watches that may outlive their owners (a socket still flushing): loop_fini calls fn, which closes p. */
ON_CTL void loop_poll_on_fini(struct lpoll *p, loop_fn fn, void *arg);

/* SIGTERM, SIGHUP ...: fn(signum) on the loop. */
ON_CTL int loop_signal(int signum, void (*fn)(int signum, void *arg), void *arg);

/* Slow-handler watch. Pairs nest; a coroutine switch counts as a leave. */
ANY void loop_enter(const char *name);
ANY void loop_leave(void);
/* Something begins that may take long (a socket, a map, a log line's block): the line of a slow handler then tells how
 * long it took from mark to mark. A clock reading. name: a static text. */
ANY void loop_mark(const char *name);
/* How long things took or came late, in fixed steps. */
enum { LOOP_STEPS_COUNT = 12 };
extern const double loop_steps_s[LOOP_STEPS_COUNT]; /* upper bounds, seconds */
struct loop_histogram {
	uint64_t counts[LOOP_STEPS_COUNT + 1]; /* the last: above all bounds */
	double sum_s;
};
struct loop_stats {
	uint64_t iteration_count, slow_count;
	int64_t longest_us;
	const char *longest_name;       /* NULL before the first handler */
	int64_t lateness_us_p99;        /* of timers, over the last 1,024 */
	struct loop_histogram lateness; /* of timers, since the start */
};
ON_CTL void loop_stats_get(struct loop_stats *out);
/* What ran under one name, since the start. Times are the handler's own, without handlers nested in it. */
struct loop_handler {
	const char *name;
	uint64_t run_count, slow_count;
	int64_t total_us, longest_us;
	uint64_t timer_count; /* of the runs, those as a timer */
	int64_t late_total_us, late_longest_us;
};
ON_CTL void loop_handlers_each(void (*fn)(const struct loop_handler *h, void *arg), void *arg);
