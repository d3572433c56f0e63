/* loop/co: spawning, nesting, waiting, signals, deadlines, workers, stacks. */
#include "base/clock.h"
#include "base/mem.h"
#include "harness.h"
#include "loop/co.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char order[64];

static void note(char c)
{
	size_t n = strlen(order);
	if (n < sizeof(order) - 1)
		order[n] = c, order[n + 1] = 0;
}

static struct co_wait waits[4];
static int results[8], result_count;

static void waiter(void *arg)
{
	role_assert_co();
	note('a');
	results[result_count++] = co_wait(arg, -1);
	note('b');
}

NO_ROLE_CHECK static int test_spawn_and_signal(void)
{
	struct co *c = NULL;
	EXPECT(!co_self());
	EXPECT_INT(co_spawn("waiter", waiter, &waits[0], &c), 0);
	EXPECT(c && !co_self());
	EXPECT_STR(co_name(c), "waiter");
	EXPECT_INT(co_live_count(), 1);
	EXPECT_STR(order, "a");
	co_signal(&waits[0], ST_HANGUP);
	memset(&waits[0], 0x5a, sizeof(waits[0])); /* its memory may go */
	EXPECT_STR(order, "a");
	loop_run_nowait();
	EXPECT_STR(order, "ab");
	EXPECT_INT(results[0], ST_HANGUP);
	EXPECT_INT(co_live_count(), 0);
	/* A signal before the wait is taken at once, the first of two counts; the coroutine ends inside co_spawn. */
	memset(&waits[0], 0, sizeof(waits[0]));
	co_signal(&waits[0], ST_CLOSED);
	co_signal(&waits[0], ST_OK);
	EXPECT_INT(co_spawn("waiter", waiter, &waits[0], &c), 0);
	EXPECT(!c);
	EXPECT_INT(results[1], ST_CLOSED);
	co_signal(&waits[0], ST_OK);
	co_wait_reset(&waits[0]);
	EXPECT(!waits[0].is_signalled);
	return 0;
}

static void inner(void *arg)
{
	role_assert_co();
	note('2');
	co_sleep(2000);
	note('5');
	co_signal(arg, 7);
}

static void outer(void *arg)
{
	role_assert_co();
	struct co *me = co_self();
	struct co_wait w = {0};
	note('1');
	co_spawn("inner", inner, &w, NULL);
	note(co_self() == me ? '3' : 'X');
	role_assert_co();
	note('4');
	results[result_count++] = co_wait(&w, 20000000);
	note('6');
	loop_stop();
}

NO_ROLE_CHECK static int test_nesting(void)
{
	EXPECT_INT(co_spawn("outer", outer, NULL, NULL), 0);
	EXPECT_STR(order, "1234");
	EXPECT_INT(co_live_count(), 2);
	loop_run();
	EXPECT_STR(order, "123456");
	EXPECT_INT(results[0], 7);
	return 0;
}

static void timed(void *arg)
{
	role_assert_co();
	int r = co_wait(arg, 5000);
	results[result_count++] = r;
	results[result_count++] = co_wait(arg, 0);
}

static struct ltimer signaller;

static void signal_it(void *arg)
{
	role_assert_ctl();
	co_signal(arg, 3);
}

NO_ROLE_CHECK static int test_timeouts(void)
{
	clock_fake_start(0);
	/* Deadline alone. */
	EXPECT_INT(co_spawn("timed", timed, &waits[0], NULL), 0);
	clock_fake_advance(4999);
	loop_run_once();
	EXPECT_INT(result_count, 0);
	clock_fake_advance(1);
	loop_run_once();
	EXPECT_INT(result_count, 2);
	EXPECT_INT(results[0], ST_TIMEOUT);
	EXPECT_INT(results[1], ST_TIMEOUT);
	/* The signal first, then the deadline in the same pass: the signal is the result, the deadline is gone. */
	result_count = 0;
	loop_timer_set(&signaller, 5000, "signal", signal_it, &waits[1]);
	EXPECT_INT(co_spawn("timed", timed, &waits[1], NULL), 0);
	clock_fake_advance(5000);
	loop_run_once();
	EXPECT_INT(result_count, 2);
	EXPECT_INT(results[0], 3);
	EXPECT_INT(results[1], ST_TIMEOUT);
	/* The deadline first: the signal is remembered for the next wait. */
	result_count = 0;
	EXPECT_INT(co_spawn("timed", timed, &waits[2], NULL), 0);
	loop_timer_set(&signaller, 5000, "signal", signal_it, &waits[2]);
	clock_fake_advance(5000);
	loop_run_once();
	EXPECT_INT(result_count, 2);
	EXPECT_INT(results[0], ST_TIMEOUT);
	loop_run_once();
	EXPECT(waits[2].is_signalled && waits[2].result == 3);
	clock_fake_stop();
	return 0;
}

static void on_worker(void *arg)
{
	role_assert_work();
	*(int *)arg += 1;
}

static void uses_worker(void *arg)
{
	int n = 41;
	role_assert_co();
	results[0] = co_work(WORK_FILE, "job", on_worker, &n);
	results[1] = n;
	loop_stop();
}

NO_ROLE_CHECK static int test_work(void)
{
	EXPECT_INT(co_spawn("uses_worker", uses_worker, NULL, NULL), 0);
	loop_run();
	EXPECT_INT(results[0], 0);
	EXPECT_INT(results[1], 42);
	return 0;
}

#if defined(__SANITIZE_THREAD__)
#define MANY 500
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MANY 500
#endif
#endif
#ifndef MANY
#define MANY 10000
#endif
static int ended_count;
static int64_t checksum;

static void sleeps_long(void *arg)
{
	int *result = arg;
	role_assert_co();
	*result = co_sleep(3600 * INT64_C(1000000)) == ST_CANCELLED;
	*result += co_sleep(3600 * INT64_C(1000000)) == ST_CANCELLED;
}

NO_ROLE_CHECK static int test_sleepers_wake(void)
{
	int ends[2] = {0};
	EXPECT_INT(co_spawn("sleeper", sleeps_long, &ends[0], NULL), 0);
	EXPECT_INT(co_spawn("sleeper", sleeps_long, &ends[1], NULL), 0);
	co_sleepers_wake();
	while (co_live_count())
		loop_run_once();
	EXPECT(ends[0] == 2 && ends[1] == 2);
	return 0;
}

static void one_of_many(void *arg)
{
	volatile int64_t local[64];
	int number = (int)(intptr_t)arg;
	role_assert_co();
	for (int i = 0; i < 64; i++)
		local[i] = number;
	for (int round = 0; round < 3; round++)
		co_sleep(1000 + number % 7 * 1000);
	for (int i = 0; i < 64; i++)
		checksum += local[i];
	if (++ended_count == MANY)
		loop_stop();
}

NO_ROLE_CHECK static int test_many(void)
{
	int64_t start = clock_mono_us();
	for (int i = 0; i < MANY; i++)
		EXPECT_INT(co_spawn("many", one_of_many, (void *)(intptr_t)i, NULL), 0);
	EXPECT_INT(co_live_count(), MANY);
	loop_run();
	EXPECT_INT(checksum, (int64_t)MANY * (MANY - 1) / 2 * 64);
	EXPECT_INT(co_live_count(), 0);
	fprintf(stderr, "# %d coroutines: %lld ms\n", MANY, (long long)(clock_mono_us() - start) / 1000);
	return 0;
}

/* Each level writes into the one above, so that no compiler makes a loop of it. */
static int dig(int depth, volatile char *above)
{
	volatile char page[1000];
	for (size_t i = 0; i < sizeof(page); i++)
		page[i] = (char)depth;
	above[depth % 100] = 1;
	return depth ? dig(depth - 1, page) + page[(depth - 1) % 100] : page[0];
}

static void digs(void *arg)
{
	volatile char top[100];
	role_assert_co();
	results[0] = dig((int)(intptr_t)arg, top);
}

NO_ROLE_CHECK static int test_high_water(void)
{
	co_spawn("shallow", digs, (void *)1, NULL);
	size_t shallow = co_stack_high_water_bytes();
	co_spawn("deep", digs, (void *)20, NULL);
	/* AddressSanitizer keeps locals elsewhere: only the bare frames count there. */
	EXPECT(shallow > 100);
	EXPECT(co_stack_high_water_bytes() > shallow + 1000 && co_stack_high_water_bytes() < 256 * 1024);
	return 0;
}

static void digs_for_ever(void *arg)
{
	volatile char top[100];
	role_assert_co();
	results[0] = dig(1000000, top);
}

/* A stack that overflows dies at the guard page; it does not write into its neighbour. */
NO_ROLE_CHECK static int test_guard_page(void)
{
	int st;
	pid_t pid = fork();
	if (!pid) {
		close(2);
		co_spawn("endless", digs_for_ever, NULL, NULL);
		_exit(0);
	}
	waitpid(pid, &st, 0);
	EXPECT(WIFSIGNALED(st) || WEXITSTATUS(st) != 0);
	return 0;
}

#if defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#endif

static void holds_memory(void *arg)
{
	role_assert_co();
	char *volatile block = mem_strdup("only this stack knows");
	co_wait(arg, -1);
	mem_free(block);
}

/* What only a suspended coroutine's stack refers to is no leak. */
NO_ROLE_CHECK static int test_root_region(void)
{
	int st;
	pid_t pid = fork();
	if (!pid) {
		co_spawn("holds_memory", holds_memory, &waits[0], NULL);
		exit(0); /* LeakSanitizer looks now */
	}
	waitpid(pid, &st, 0);
	EXPECT(WIFEXITED(st) && WEXITSTATUS(st) == 0);
	return 0;
}

#ifdef HAS_ASAN
static void writes_beyond(void *arg)
{
	char local[16] = "";
	char *volatile at = local;
	role_assert_co();
	co_wait(arg, -1);
	at[17] = 1;
	results[0] = local[0];
}
#endif

/* AddressSanitizer still knows a coroutine's locals after a suspension. */
NO_ROLE_CHECK static int test_overflow_is_seen(void)
{
#ifdef HAS_ASAN
	int st;
	pid_t pid = fork();
	if (!pid) {
		close(2);
		co_spawn("writes_beyond", writes_beyond, &waits[0], NULL);
		co_signal(&waits[0], 0);
		loop_run_nowait();
		_exit(0);
	}
	waitpid(pid, &st, 0);
	EXPECT(!WIFEXITED(st) || WEXITSTATUS(st) != 0);
#else
	test_skip("not built with AddressSanitizer");
#endif
	return 0;
}

static void asserts(void *arg)
{
	role_assert_co();
}

/* Waiting outside a coroutine is refused at once. */
NO_ROLE_CHECK static int test_outside(void)
{
	int st;
	pid_t pid = fork();
	EXPECT_INT(co_spawn("asserts", asserts, NULL, NULL), 0);
	if (!pid) {
		close(2);
		asserts(NULL);
		_exit(0);
	}
	waitpid(pid, &st, 0);
	EXPECT(WIFSIGNALED(st));
	return 0;
}

NO_ROLE_CHECK static int test_oom(void)
{
	int rc = co_spawn("waiter", waiter, &waits[0], NULL);
	EXPECT_INT(rc, 0);
	co_signal(&waits[0], 0);
	while (co_live_count())
		loop_run_nowait();
	return 0;
}

static struct co_wait ping, pong;
enum { ROUNDS = 100000 };

static void ping_side(void *arg)
{
	role_assert_co();
	for (int i = 0; i < ROUNDS; i++) {
		co_signal(&pong, 0);
		co_wait(&ping, -1);
	}
	loop_stop();
}

static void pong_side(void *arg)
{
	role_assert_co();
	for (int i = 0; i < ROUNDS; i++) {
		co_wait(&pong, -1);
		co_signal(&ping, 0);
	}
}

NO_ROLE_CHECK static int test_ping_pong(void)
{
	int64_t start = clock_mono_us();
	co_spawn("pong", pong_side, NULL, NULL);
	co_spawn("ping", ping_side, NULL, NULL);
	loop_run();
	loop_run_nowait();
	fprintf(stderr, "# wait and wake: %lld ns\n", (long long)((clock_mono_us() - start) * 1000 / (2 * ROUNDS)));
	return 0;
}

/* Frames of 512 bytes, more of them than a coroutine's own stack takes; the deepest one waits. */
NO_ROLE_CHECK static __attribute__((noinline)) int recurse(int depth, struct co_wait *w)
{
	volatile char frame[512];
	frame[0] = (char)depth;
	if (depth)
		return recurse(depth - 1, w) + (frame[0] == (char)depth);
	return co_wait(w, -1);
}

static void deep_inner(void *arg)
{
	role_assert_co();
	note('d');
	int rc = recurse(1000, arg);
	results[result_count++] = rc;
	note('D');
}

static void deep_outer(void *arg)
{
	role_assert_co();
	struct co *me = co_self();
	int rc = co_call_deep(deep_inner, arg);
	results[result_count++] = rc;
	note(co_self() == me ? 'r' : 'X');
	co_sleep(1000); /* it waits on its own stack again */
	note('s');
}

NO_ROLE_CHECK static int test_deep(void)
{
	for (int round = 0; round < 2; round++) { /* the second time on stacks from the pool */
		order[0] = 0, result_count = 0;
		EXPECT_INT(co_spawn("deep", deep_outer, &waits[0], NULL), 0);
		EXPECT_INT(co_spawn("deep", deep_outer, &waits[1], NULL), 0);
		EXPECT_STR(order, "dd");
		co_signal(&waits[1], 5);
		co_signal(&waits[0], 7);
		while (co_live_count())
			loop_run_once();
		EXPECT_STR(order, "ddDrDrss");
		EXPECT_INT(results[0], 1005);
		EXPECT_INT(results[1], ST_OK);
		EXPECT_INT(results[2], 1007);
		EXPECT_INT(results[3], ST_OK);
	}
	return 0;
}

static void waits_or_stops(void *arg)
{
	role_assert_co();
	for (int i = 0; i < 3; i++) {
		int rc = co_wait_or_stop(arg, -1);
		results[result_count++] = rc;
	}
}

NO_ROLE_CHECK static int test_wait_or_stop(void)
{
	EXPECT_INT(co_spawn("waiter", waits_or_stops, &waits[0], NULL), 0);
	co_signal(&waits[0], 3);
	loop_run_nowait();
	EXPECT_INT(results[0], 3);
	EXPECT_INT(result_count, 1);
	co_sleepers_wake();
	while (co_live_count())
		loop_run_once();
	EXPECT_INT(results[1], ST_CANCELLED);
	EXPECT_INT(results[2], ST_CANCELLED);
	return 0;
}

TEST_MAIN({"spawn_and_signal", test_spawn_and_signal, TEST_LOOP}, {"nesting", test_nesting, TEST_LOOP},
    {"timeouts", test_timeouts, TEST_LOOP}, {"work", test_work, TEST_LOOP}, {"many", test_many, TEST_LOOP},
    {"sleepers_wake", test_sleepers_wake, TEST_LOOP}, {"high_water", test_high_water, TEST_LOOP},
    {"guard_page", test_guard_page, TEST_LOOP}, {"root_region", test_root_region, TEST_LOOP},
    {"deep", test_deep, TEST_LOOP}, {"wait_or_stop", test_wait_or_stop, TEST_LOOP},
    {"overflow_is_seen", test_overflow_is_seen, TEST_LOOP}, {"outside", test_outside, TEST_LOOP},
    {"oom", test_oom, TEST_LOOP | TEST_OOM}, {"ping_pong", test_ping_pong, TEST_LOOP})
