/* loop/work, loop/pool: a kind that stalls holds up only its own, and the end of the program waits for nobody. */
#include "base/clock.h"
#include "base/mem.h"
#include "harness.h"
#include "loop/loop.h"
#include "loop/work.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

static int gate = -1; /* readable once stalled jobs may end */
static atomic_int stalled_now, stalled_most;
static int done_count, stalled_done_count;
static atomic_bool has_ran[WORK_KIND_COUNT];

static void stall(void *arg)
{
	struct pollfd p = {.fd = gate, .events = POLLIN};
	role_assert_work();
	int now = atomic_fetch_add(&stalled_now, 1) + 1, most = atomic_load(&stalled_most);
	while (now > most && !atomic_compare_exchange_weak(&stalled_most, &most, now))
		;
	while (poll(&p, 1, -1) < 0)
		;
	atomic_fetch_sub(&stalled_now, 1);
}

static void stalled_over(int status, void *arg)
{
	role_assert_ctl();
	stalled_done_count++;
}

static void quick(void *arg)
{
	role_assert_work();
	atomic_store((atomic_bool *)arg, true);
}

static void quick_over(int status, void *arg)
{
	role_assert_ctl();
	done_count++;
}

static void gate_open(void)
{
	eventfd_write(gate, 1);
}

NO_ROLE_CHECK static int jobs_stall(enum work_kind kind, int count)
{
	for (int i = 0; i < count; i++)
		EXPECT_INT(work_submit(kind, "stall", stall, stalled_over, NULL), 0);
	return 0;
}

NO_ROLE_CHECK static void run_until(const int *count, int want)
{
	while (*count < want)
		loop_run_once();
}

/* With count jobs of one kind that do not end, a job of every other kind runs: the test's deadline says no. */
NO_ROLE_CHECK static int one_stalls(enum work_kind stalled)
{
	gate = eventfd(0, EFD_CLOEXEC);
	done_count = stalled_done_count = 0;
	atomic_store(&stalled_most, 0);
	EXPECT_INT(jobs_stall(stalled, 50), 0);
	for (int k = 0; k < WORK_KIND_COUNT; k++) {
		has_ran[k] = k == (int)stalled;
		if (k != (int)stalled)
			EXPECT_INT(work_submit((enum work_kind)k, "quick", quick, quick_over, &has_ran[k]), 0);
	}
	run_until(&done_count, WORK_KIND_COUNT - 1);
	for (int k = 0; k < WORK_KIND_COUNT; k++)
		EXPECT(has_ran[k]);
	EXPECT_INT(stalled_done_count, 0);
	gate_open();
	run_until(&stalled_done_count, 50);
	EXPECT(atomic_load(&stalled_most) <= ((int)stalled < WORK_SLOW_FIRST ? 4 : 2));
	close(gate);
	return 0;
}

NO_ROLE_CHECK static int test_one_kind_stalls(void)
{
	unsetenv("UV_THREADPOOL_SIZE"); /* twenty threads */
	for (int k = 0; k < WORK_KIND_COUNT; k++)
		EXPECT_INT(one_stalls((enum work_kind)k), 0);
	return 0;
}

/* As few threads as there can be: asking for one gives fourteen. */
NO_ROLE_CHECK static int test_few_threads(void)
{
	setenv("UV_THREADPOOL_SIZE", "1", 1);
	for (int k = 0; k < WORK_KIND_COUNT; k++)
		EXPECT_INT(one_stalls((enum work_kind)k), 0);
	return 0;
}

/* Whatever else stalls, each kind has a thread of its own. */
NO_ROLE_CHECK static int all_but_one_stall(enum work_kind spared)
{
	gate = eventfd(0, EFD_CLOEXEC);
	done_count = stalled_done_count = 0;
	atomic_store(&stalled_most, 0);
	for (int k = 0; k < WORK_KIND_COUNT; k++)
		if (k != (int)spared)
			EXPECT_INT(jobs_stall((enum work_kind)k, 10), 0);
	for (int round = 0; round < 100; round++)
		EXPECT_INT(work_submit(spared, "quick", quick, quick_over, &has_ran[spared]), 0);
	run_until(&done_count, 100);
	EXPECT_INT(stalled_done_count, 0);
	gate_open();
	run_until(&stalled_done_count, 10 * (WORK_KIND_COUNT - 1));
	close(gate);
	return 0;
}

NO_ROLE_CHECK static int test_many_stall(void)
{
	unsetenv("UV_THREADPOOL_SIZE");
	for (int k = 0; k < WORK_KIND_COUNT; k++)
		EXPECT_INT(all_but_one_stall((enum work_kind)k), 0);
	return 0;
}

NO_ROLE_CHECK static int test_many_stall_few_threads(void)
{
	setenv("UV_THREADPOOL_SIZE", "1", 1);
	for (int k = 0; k < WORK_KIND_COUNT; k++)
		EXPECT_INT(all_but_one_stall((enum work_kind)k), 0);
	return 0;
}

/* All slow kinds together hold less than half of the threads. */
NO_ROLE_CHECK static int test_slow_half(void)
{
	unsetenv("UV_THREADPOOL_SIZE");
	gate = eventfd(0, EFD_CLOEXEC);
	for (int k = WORK_SLOW_FIRST; k < WORK_KIND_COUNT; k++)
		EXPECT_INT(jobs_stall((enum work_kind)k, 10), 0);
	while (atomic_load(&stalled_now) < 8)
		;
	gate_open();
	run_until(&stalled_done_count, 70);
	EXPECT_INT(atomic_load(&stalled_most), 8);
	close(gate);
	return 0;
}

static size_t row_count, row_refused;

static void row(const char *name, size_t job_count, size_t max_jobs, uint64_t refused, void *arg)
{
	row_count += job_count;
	row_refused += refused;
}

/* So many may wait; who only closes something is never refused. */
NO_ROLE_CHECK static int test_slow_bound(void)
{
	gate = eventfd(0, EFD_CLOEXEC);
	EXPECT_INT(jobs_stall(WORK_DB, 4096), 0);
	EXPECT_INT(work_submit(WORK_DB, "stall", stall, stalled_over, NULL), ST_FULL);
	EXPECT_INT(work_submit(WORK_DB, "close", quick, NULL, &has_ran[0]), 0);
	EXPECT_INT(work_submit(WORK_NET, "quick", quick, quick_over, &has_ran[1]), 0);
	run_until(&done_count, 1);
	work_queues_each(row, NULL);
	EXPECT_INT(row_count, 4097);
	EXPECT_INT(row_refused, 1);
	gate_open();
	run_until(&stalled_done_count, 4096);
	while (!has_ran[0])
		loop_run_once();
	close(gate);
	return 0;
}

static struct ltimer more_timer, gate_timer;

static void gate_due(void *unused)
{
	role_assert_ctl();
	gate_open();
}

/* This job takes longer than the turn of the loop that it begins in. */
static void more(void *unused)
{
	role_assert_ctl();
	(void)work_submit(WORK_JOURNAL, "more", stall, stalled_over, NULL);
	loop_timer_set(&gate_timer, 20000, "gate", gate_due, NULL);
}

static void first_over(int status, void *arg)
{
	role_assert_ctl();
	loop_timer_set(&more_timer, 0, "more", more, NULL);
}

/* A job's end sets a timer, which begins the next: that is not taken for one that has stalled. */
NO_ROLE_CHECK static int test_drain_goes_on(void)
{
	gate = eventfd(0, EFD_CLOEXEC);
	EXPECT_INT(work_submit(WORK_JOURNAL, "first", quick, first_over, &has_ran[0]), 0);
	work_end();
	EXPECT(work_drain());
	EXPECT_INT(stalled_done_count, 1);
	close(gate);
	return 0;
}

/* Somebody stopped the loop before, as what the end cancels may do: the wait leaves nothing behind. */
NO_ROLE_CHECK static int test_drain_stopped(void)
{
	loop_stop();
	EXPECT(work_drain());
	return 0;
}

static void wait_for_end(void *arg)
{
	struct pollfd p = {.fd = work_end_fd(), .events = POLLIN};
	role_assert_work();
	while (poll(&p, 1, -1) < 0)
		;
}

/* Jobs that wait for a descriptor hear of the end; what hears nothing is given up after a second. */
NO_ROLE_CHECK static int test_end(void)
{
	struct work_serial *s;
	unsetenv("UV_THREADPOOL_SIZE");
	gate = eventfd(0, EFD_CLOEXEC);
	EXPECT_INT(work_submit(WORK_NET, "waits", wait_for_end, quick_over, NULL), 0);
	EXPECT_INT(work_serial_new(&s, WORK_SPEECH, "serial", 10), 0);
	EXPECT_INT(work_serial_submit(s, stall, stalled_over, NULL), 0);
	EXPECT_INT(jobs_stall(WORK_NET, 1), 0);
	while (atomic_load(&stalled_now) < 2)
		loop_run_nowait();
	EXPECT_INT(jobs_stall(WORK_NET, 5), 0); /* find no place: cancelled */
	int64_t begin_us = clock_mono_us();
	work_end();
	EXPECT(!work_drain());
	EXPECT_INT(done_count, 1);
	EXPECT(stalled_done_count >= 4); /* one may have got the place of the job that heard of the end */
	EXPECT_INT(work_submit(WORK_NET, "late", quick, quick_over, &has_ran[0]), ST_CANCELLED);
	work_serial_close(s); /* gives up too */
	EXPECT(clock_mono_us() - begin_us < 10 * 1000000);
	EXPECT(stalled_done_count < 6);
	gate_open();
	EXPECT(work_drain());
	EXPECT_INT(stalled_done_count, 7);
	mem_unref(s);
	close(gate);
	return 0;
}

static void write_late(void *arg)
{
	role_assert_work();
	poll(NULL, 0, 30);
}

/* What still makes progress is waited for, however much longer than a stall that takes. */
NO_ROLE_CHECK static int test_end_progress(void)
{
	struct work_serial *s;
	EXPECT_INT(work_serial_new(&s, WORK_JOURNAL, "journal", 100), 0);
	for (int i = 0; i < 100; i++)
		EXPECT_INT(work_serial_submit(s, write_late, quick_over, NULL), 0);
	work_end();
	EXPECT(work_drain());
	EXPECT_INT(done_count, 100);
	work_serial_close(s);
	return 0;
}

TEST_MAIN({"one_kind_stalls", test_one_kind_stalls, TEST_LOOP}, {"few_threads", test_few_threads, TEST_LOOP},
    {"many_stall", test_many_stall, TEST_LOOP}, {"many_stall_few_threads", test_many_stall_few_threads, TEST_LOOP},
    {"slow_half", test_slow_half, TEST_LOOP}, {"slow_bound", test_slow_bound, TEST_LOOP},
    {"drain_goes_on", test_drain_goes_on, TEST_LOOP}, {"drain_stopped", test_drain_stopped, TEST_LOOP},
    {"end", test_end, TEST_LOOP}, {"end_progress", test_end_progress, TEST_LOOP})
