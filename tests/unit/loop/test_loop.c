/* loop: timers, deferred calls, descriptors, signals, the slow-handler watch, mailboxes, workers. */
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "harness.h"
#include "loop/loop.h"
#include "loop/mailbox.h"
#include "loop/work.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char order[64];

static void note(void *arg)
{
	size_t n = strlen(order);
	if (n < sizeof(order) - 1)
		order[n] = *(char *)arg, order[n + 1] = 0;
}

static void note_and_stop(void *arg)
{
	note(arg);
	role_assert_ctl();
	loop_stop();
}

NO_ROLE_CHECK static int test_timer_order(void)
{
	struct ltimer t[5] = {0};
	loop_timer_set(&t[0], 12000, "t", note, "c");
	loop_timer_set(&t[1], 3000, "t", note, "a");
	loop_timer_set(&t[2], 6000, "t", note, "b");
	loop_timer_set(&t[3], 6500, "t", note, "x");
	loop_timer_set(&t[4], 20000, "t", note_and_stop, "d");
	EXPECT(loop_timer_is_set(&t[3]));
	loop_timer_cancel(&t[3]);
	loop_timer_cancel(&t[3]);
	EXPECT(!loop_timer_is_set(&t[3]));
	int64_t start = clock_mono_us();
	loop_run();
	EXPECT_STR(order, "abcd");
	EXPECT(clock_mono_us() - start >= 20000 - 200);
	return 0;
}

static struct ltimer peers[3];

static void cancel_peer(void *arg)
{
	note(arg);
	role_assert_ctl();
	loop_timer_cancel(&peers[1]);                 /* due in this very pass */
	loop_timer_set(&peers[2], 0, "p", note, "3"); /* was idle; not in this pass */
	loop_timer_set(&peers[0], 0, "p", note, "1"); /* itself */
}

NO_ROLE_CHECK static int test_timer_cancel_in_callback(void)
{
	clock_fake_start(0);
	loop_timer_set(&peers[0], 1000, "p", cancel_peer, "0");
	loop_timer_set(&peers[1], 1000, "p", note, "x");
	loop_run_once();
	EXPECT_STR(order, "");
	clock_fake_advance(1000);
	loop_run_once();
	while (strlen(order) < 3)
		loop_run_once();
	EXPECT_STR(order, "031");
	clock_fake_stop();
	return 0;
}

enum { MANY = 3000 };
static struct ltimer many[MANY];
static int fired_count;
static int64_t last_due;
static bool is_out_of_order;

static void fired(void *arg)
{
	struct ltimer *t = arg;
	is_out_of_order |= t->due_us < last_due;
	last_due = t->due_us;
	fired_count++;
}

NO_ROLE_CHECK static int test_timer_heap(void)
{
	unsigned x = 12345;
	clock_fake_start(0);
	for (int i = 0; i < MANY; i++) {
		x = x * 1103515245 + 12345;
		loop_timer_set(&many[i], (x >> 8) % 100000, "m", fired, &many[i]);
	}
	for (int i = 0; i < MANY; i += 3)
		loop_timer_cancel(&many[i]);
	for (int i = 1; i < MANY; i += 3) {
		x = x * 1103515245 + 12345;
		loop_timer_set(&many[i], (x >> 8) % 100000, "m", fired, &many[i]);
	}
	for (int ms = 0; ms < 100; ms++) {
		clock_fake_advance(1000);
		loop_run_once();
		for (int i = 0; i < MANY; i++) {
			if (loop_timer_is_set(&many[i]) && many[i].due_us <= loop_now_us() && ms < 2)
				EXPECT(!"due but not run");
		}
	}
	loop_run_once();
	EXPECT_INT(fired_count, 2000);
	EXPECT(!is_out_of_order);
	clock_fake_stop();
	return 0;
}

static void nothing(void *arg) {}

static int storm_left;
static struct ltimer storm;

static void storm_again(void *arg)
{
	role_assert_ctl();
	storm_left++;
	loop_timer_set(&storm, 0, "storm", storm_again, NULL);
}

static void pipe_readable(int events, void *arg)
{
	char c;
	if (read(*(int *)arg, &c, 1) == 1)
		note(&c);
}

/* A timer that always re-arms itself with no delay does not starve descriptors. */
NO_ROLE_CHECK static int test_timer_storm(void)
{
	int fd[2];
	struct lpoll *p;
	EXPECT(!pipe(fd));
	EXPECT_INT(loop_poll_open(&p, fd[0], "pipe", pipe_readable, &fd[0]), 0);
	EXPECT_INT(loop_poll_set(p, LOOP_READ), 0);
	EXPECT(write(fd[1], "r", 1) == 1);
	loop_timer_set(&storm, 0, "storm", storm_again, NULL);
	for (int i = 0; i < 10 && !order[0]; i++)
		loop_run_once();
	EXPECT_STR(order, "r");
	EXPECT(storm_left >= 1);
	loop_timer_cancel(&storm);
	loop_poll_close(p);
	close(fd[0]);
	EXPECT(write(fd[1], "s", 1) == -1);
	close(fd[1]);
	loop_run_nowait();
	EXPECT_STR(order, "r");
	return 0;
}

static struct ldefer defers[3];

static void defer_more(void *arg)
{
	note(arg);
	role_assert_ctl();
	loop_defer(&defers[2], "d", note_and_stop, "3");
}

static void timer_defers(void *arg)
{
	note(arg);
	role_assert_ctl();
	loop_defer(&defers[0], "d", defer_more, "1");
	loop_defer(&defers[1], "d", note, "2");
	loop_defer(&defers[0], "d", defer_more, "1"); /* stays where it is */
	note("t");
}

NO_ROLE_CHECK static int test_defer(void)
{
	struct ltimer t = {0};
	struct ldefer never = {0};
	loop_defer(&never, "n", note, "x");
	loop_defer_cancel(&never);
	loop_timer_set(&t, 0, "t", timer_defers, "0");
	loop_run();
	EXPECT_STR(order, "0t123");
	return 0;
}

static void on_signal(int signum, void *arg)
{
	role_assert_ctl();
	note(signum == SIGHUP ? "h" : "?");
	loop_stop();
}

NO_ROLE_CHECK static int test_signal(void)
{
	EXPECT_INT(loop_signal(SIGHUP, on_signal, NULL), 0);
	kill(getpid(), SIGHUP);
	loop_run();
	EXPECT_STR(order, "h");
	return 0;
}

static char slow_text[800];

static void slow_sink(const struct log_line *l, void *arg)
{
	if (strstr(l->text, arg ? arg : "slow handler"))
		snprintf(slow_text, sizeof(slow_text), "%s", l->text);
}

static void burn(void *arg)
{
	struct timespec t;
	do {
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	} while (t.tv_sec * 1000 + t.tv_nsec / 1000000 < *(long *)arg);
}

static void block(void *arg)
{
	struct pollfd none = {-1, 0, 0};
	poll(&none, 1, 15);
}

struct seen_handlers {
	struct loop_handler burner, quick;
};

static void see_handler(const struct loop_handler *h, void *arg)
{
	struct seen_handlers *s = arg;
	if (!strcmp(h->name, "burner"))
		s->burner = *h;
	if (!strcmp(h->name, "quick"))
		s->quick = *h;
}

/* A handler that burns CPU and one that blocks are told by name; one that just is short is not. */
NO_ROLE_CHECK static int test_slow_handler(void)
{
	struct ltimer t = {0};
	struct loop_stats st;
	struct timespec now;
	int id;
	EXPECT_INT(log_start(), 0);
	EXPECT_INT(log_sink_add(LOG_DEBUG, slow_sink, NULL, &id), 0);
	loop_timer_set(&t, 0, "quick", nothing, NULL);
	loop_run_once();
	loop_stats_get(&st);
	EXPECT_INT(st.slow_count, 0);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	long until_ms = now.tv_sec * 1000 + now.tv_nsec / 1000000 + 15;
	loop_timer_set(&t, 0, "burner", burn, &until_ms);
	while (loop_timer_is_set(&t))
		loop_run_once();
	log_flush();
	EXPECT(strstr(slow_text, "slow handler burner took "));
	loop_timer_set(&t, 0, "blocker", block, NULL);
	while (loop_timer_is_set(&t))
		loop_run_once();
	log_stop();
	EXPECT(strstr(slow_text, "slow handler blocker took "));
	log_sink_del(id);
	loop_stats_get(&st);
	EXPECT_INT(st.slow_count, 2);
	EXPECT(st.longest_us >= 14000 && st.longest_name);
	struct seen_handlers seen = {{0}, {0}};
	loop_handlers_each(see_handler, &seen);
	EXPECT_INT(seen.burner.run_count, 1);
	EXPECT_INT(seen.burner.slow_count, 1);
	EXPECT(seen.burner.longest_us >= 10000 && seen.burner.total_us == seen.burner.longest_us);
	EXPECT(seen.quick.timer_count == 1 && seen.quick.run_count == 1 && !seen.quick.slow_count);
	uint64_t late_count = 0;
	for (size_t i = 0; i <= LOOP_STEPS_COUNT; i++)
		late_count += st.lateness.counts[i];
	EXPECT(late_count >= 3 && st.lateness.sum_s > 0);
	EXPECT(st.iteration_count > 2);
	return 0;
}

static void mark_and_block(void *arg)
{
	loop_mark("quick part");
	loop_mark("long part");
	loop_enter("inner");
	block(NULL);
	loop_leave();
	loop_mark("rest");
	block(NULL);
}

static double ms_after(const char *mark)
{
	const char *at = strstr(slow_text, "ms after each mark: ");
	at = at ? strstr(at, mark) : NULL;
	return at ? strtod(at + strlen(mark), NULL) : 0;
}

/* The line tells where the time went: between marks, nested handlers, and what the kernel counted. */
NO_ROLE_CHECK static int test_slow_handler_ring(void)
{
	struct ltimer t = {0};
	int id;
	EXPECT_INT(log_start(), 0);
	EXPECT_INT(log_sink_add(LOG_DEBUG, slow_sink, "slow handler outer", &id), 0);
	for (int i = 0; i < 300; i++) { /* the ring has come around */
		loop_enter("before");
		loop_mark("old");
		loop_leave();
	}
	/* what it waited for a CPU is taken off: on a crowded machine little may be left */
	for (int i = 0; i < 50 && !strstr(slow_text, "slow handler outer took "); i++) {
		loop_timer_set(&t, 0, "outer", mark_and_block, NULL);
		while (loop_timer_is_set(&t))
			loop_run_once();
		log_flush();
	}
	EXPECT(strstr(slow_text, "slow handler outer took "));
	EXPECT(strstr(slow_text, "gave it away "));
	EXPECT(ms_after("inner ") >= 14 && ms_after("rest ") >= 14);
	EXPECT(!strstr(slow_text, "quick part") && !strstr(slow_text, "old"));
	log_stop();
	log_sink_del(id);
	return 0;
}

static atomic_bool is_hogging, is_hog_ready;

static void *hog(void *arg)
{
	atomic_store(&is_hog_ready, true);
	while (atomic_load(&is_hogging))
		;
	return NULL;
}

static int starved_ms;

/* Sleeps for a moment, as a page fault that meets another thread's does, and finds no CPU when it wakes. */
static void starve(void *arg)
{
	int64_t begin_us = clock_mono_us();
	usleep(50);
	for (volatile int i = 0; i < 200000; i++)
		;
	starved_ms = (int)((clock_mono_us() - begin_us) / 1000);
}

/* A handler that merely waited for a CPU is not slow, though it gave the CPU away once. */
NO_ROLE_CHECK static int test_starved_handler(void)
{
	struct ltimer t = {0};
	struct loop_stats st;
	pthread_t thread;
	cpu_set_t all, one;
	struct sched_param none = {0};
	int cpu = 0;
	EXPECT_INT(sched_getaffinity(0, sizeof(all), &all), 0);
	while (!CPU_ISSET(cpu, &all))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (access("/proc/thread-self/schedstat", R_OK) || sched_setaffinity(0, sizeof(one), &one)) {
		test_skip("the kernel does not count waits, or no CPU can be chosen");
		return 0;
	}
	atomic_store(&is_hogging, true);
	EXPECT_INT(pthread_create(&thread, NULL, hog, NULL), 0);
	while (!atomic_load(&is_hog_ready))
		sched_yield();
	EXPECT_INT(sched_setscheduler(0, SCHED_IDLE, &none), 0); /* after the hog, which stays ordinary */
	for (int i = 0; i < 50 && starved_ms < 20; i++) {
		loop_timer_set(&t, 0, "starved", starve, NULL);
		while (loop_timer_is_set(&t))
			loop_run_once();
	}
	atomic_store(&is_hogging, false);
	pthread_join(thread, NULL);
	EXPECT(starved_ms >= 20);
	loop_stats_get(&st);
	EXPECT_INT(st.slow_count, 0);
	return 0;
}

static int test_watch_cost(void)
{
	int64_t start = clock_mono_us();
	for (int i = 0; i < 100000; i++) {
		loop_enter("x");
		loop_leave();
	}
	fprintf(stderr, "# loop_enter and loop_leave: %lld ns a pair\n", (long long)(clock_mono_us() - start) / 100);
	return 0;
}

/* ---- mailbox ---- */

static int test_mailbox(void)
{
	struct mailbox *m;
	char big[MAILBOX_MSG_BYTES + 1] = {0};
	int v;
	size_t n;
	EXPECT_INT(mailbox_new(&m, 100), ST_INVAL);
	EXPECT_INT(mailbox_new(&m, 4), 0);
	EXPECT_INT(mailbox_post(m, big, sizeof(big)), ST_INVAL);
	for (int i = 0; i < 4; i++)
		EXPECT_INT(mailbox_post(m, &i, sizeof(i)), 0);
	EXPECT_INT(mailbox_post(m, &n, sizeof(n)), ST_FULL);
	EXPECT_INT(mailbox_fill(m), 4);
	for (int i = 0; i < 4; i++) {
		EXPECT(mailbox_take(m, &v, &n));
		EXPECT(n == sizeof(v) && v == i);
	}
	EXPECT(!mailbox_take(m, &v, &n));
	struct pollfd p = {mailbox_fd(m), POLLIN, 0};
	EXPECT_INT(poll(&p, 1, 0), 0);
	EXPECT_INT(mailbox_post(m, NULL, 0), 0);
	EXPECT_INT(poll(&p, 1, 0), 1);
	EXPECT(mailbox_take(m, &v, &n) && n == 0);
	EXPECT(!mailbox_take(m, &v, &n));
	EXPECT_INT(poll(&p, 1, 0), 0);
	mailbox_free(m);
	return 0;
}

enum { POSTS = 500000 };
struct post {
	uint32_t producer, number;
};
struct producer {
	struct mailbox *m;
	uint32_t id;
	uint64_t full_count;
};

static void *produce(void *arg)
{
	struct producer *p = arg;
	for (uint32_t i = 0; i < POSTS;) {
		struct post msg = {p->id, i};
		if (mailbox_post(p->m, &msg, sizeof(msg)) == 0) {
			i++;
		} else {
			p->full_count++;
			sched_yield();
		}
	}
	return NULL;
}

/* Two producers, a million messages; the consumer sleeps in poll whenever it may: a lost wake-up hangs the test. */
static int test_mailbox_threads(void)
{
	pthread_t t[2];
	struct producer p[2] = {{.id = 0}, {.id = 1}};
	uint32_t next[2] = {0};
	struct mailbox *m;
	struct post msg;
	size_t n, sleep_count = 0;
	EXPECT_INT(mailbox_new(&m, 1024), 0);
	for (int i = 0; i < 2; i++) {
		p[i].m = m;
		EXPECT(!pthread_create(&t[i], NULL, produce, &p[i]));
	}
	while (next[0] + next[1] < 2 * POSTS) {
		while (mailbox_take(m, &msg, &n)) {
			EXPECT(n == sizeof(msg) && msg.producer < 2 && msg.number == next[msg.producer]);
			next[msg.producer]++;
		}
		if (next[0] + next[1] == 2 * POSTS)
			break;
		struct pollfd f = {mailbox_fd(m), POLLIN, 0};
		EXPECT(poll(&f, 1, 20000) == 1);
		sleep_count++;
	}
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	fprintf(stderr, "# slept %zu times, full %llu times\n", sleep_count,
	    (unsigned long long)(p[0].full_count + p[1].full_count));
	mailbox_free(m);
	return 0;
}

static uint32_t ctl_next[2];

static void ctl_message(const void *msg, size_t n, void *arg)
{
	const struct post *p = msg;
	role_assert_ctl();
	if (n != sizeof(*p) || p->producer > 1 || p->number != ctl_next[p->producer]) {
		note("!");
		loop_stop();
		return;
	}
	ctl_next[p->producer]++;
	if (ctl_next[0] + ctl_next[1] == 2 * POSTS)
		loop_stop();
}

NO_ROLE_CHECK static int test_mailbox_ctl(void)
{
	pthread_t t[2];
	struct producer p[2] = {{.id = 0}, {.id = 1}};
	struct mailbox *m;
	EXPECT_INT(mailbox_new(&m, 1024), 0);
	for (int i = 0; i < 2; i++) {
		p[i].m = m;
		EXPECT(!pthread_create(&t[i], NULL, produce, &p[i]));
	}
	EXPECT_INT(mailbox_attach_ctl(m, "test", ctl_message, NULL), 0);
	loop_run();
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	EXPECT_STR(order, "");
	EXPECT_INT(ctl_next[0] + ctl_next[1], 2 * POSTS);
	mailbox_detach_ctl(m);
	mailbox_free(m);
	return 0;
}

/* ---- workers ---- */

static char worked[2000];
static size_t worked_count;
static atomic_int running_count;
static atomic_bool was_parallel;
static int done_count, done_cancelled;

static void serial_job(void *arg)
{
	role_assert_work();
	if (atomic_fetch_add(&running_count, 1))
		atomic_store(&was_parallel, true);
	worked[worked_count++] = *(char *)arg; /* unlocked: the queue is what orders the jobs */
	atomic_fetch_sub(&running_count, 1);
}

static void job_done(int status, void *arg)
{
	role_assert_ctl();
	done_count++;
	done_cancelled += status == ST_CANCELLED;
	if (arg && *(char *)arg == '.')
		loop_stop();
}

NO_ROLE_CHECK static int test_work_serial(void)
{
	static char letters[1000];
	struct work_serial *s;
	EXPECT_INT(work_serial_new(&s, WORK_JOURNAL, "serial", 1000), 0);
	for (int i = 0; i < 1000; i++) {
		letters[i] = i == 999 ? '.' : (char)('a' + i % 26);
		EXPECT_INT(work_serial_submit(s, serial_job, job_done, &letters[i]), 0);
	}
	EXPECT_INT(work_serial_submit(s, serial_job, job_done, letters), ST_FULL);
	loop_run();
	EXPECT_INT(done_count, 1000);
	EXPECT(!memcmp(worked, letters, 1000) && !atomic_load(&was_parallel));
	for (int i = 0; i < 20; i++)
		EXPECT_INT(work_serial_submit(s, serial_job, job_done, letters), 0);
	work_serial_close(s);
	EXPECT_INT(done_count, 1020);
	return 0;
}

static atomic_int plain_count;

static void plain_job(void *arg)
{
	block(NULL);
	atomic_fetch_add(&plain_count, 1);
}

static atomic_int runs[5000];

static void count_job(void *arg)
{
	atomic_fetch_add((atomic_int *)arg, 1);
}

static void counted(int status, void *arg)
{
	role_assert_ctl();
	done_cancelled += status == ST_CANCELLED;
	if (++done_count == (int)ARRAY_COUNT(runs))
		loop_stop();
}

/* More than the pool's ring holds, on several threads: each runs and is reported once. */
NO_ROLE_CHECK static int test_work_many(void)
{
	for (size_t i = 0; i < ARRAY_COUNT(runs); i++)
		EXPECT_INT(work_submit(WORK_FILE, "count", count_job, counted, &runs[i]), 0);
	loop_run();
	EXPECT_INT(done_count, ARRAY_COUNT(runs));
	EXPECT_INT(done_cancelled, 0);
	for (size_t i = 0; i < ARRAY_COUNT(runs); i++)
		EXPECT_INT(atomic_load(&runs[i]), 1);
	return 0;
}

/* loop_fini waits for running jobs and cancels those that have not begun; each is reported once. */
NO_ROLE_CHECK static int test_work_fini(void)
{
	struct work_serial *s;
	for (int i = 0; i < 40; i++)
		EXPECT_INT(work_submit(WORK_FILE, "plain", plain_job, job_done, NULL), 0);
	EXPECT_INT(work_serial_new(&s, WORK_JOURNAL, "serial", 10), 0);
	for (int i = 0; i < 10; i++)
		EXPECT_INT(work_serial_submit(s, serial_job, NULL, "s"), 0);
	loop_fini();
	mem_unref(s);
	EXPECT_INT(done_count, 40);
	EXPECT_INT(atomic_load(&plain_count) + done_cancelled, 40);
	EXPECT_INT(worked_count, 10);
	return 0;
}

TEST_MAIN({"timer_order", test_timer_order, TEST_LOOP},
    {"timer_cancel_in_callback", test_timer_cancel_in_callback, TEST_LOOP}, {"timer_heap", test_timer_heap, TEST_LOOP},
    {"timer_storm", test_timer_storm, TEST_LOOP}, {"defer", test_defer, TEST_LOOP}, {"signal", test_signal, TEST_LOOP},
    {"slow_handler", test_slow_handler, TEST_LOOP}, {"slow_handler_ring", test_slow_handler_ring, TEST_LOOP},
    {"starved_handler", test_starved_handler, TEST_LOOP}, {"watch_cost", test_watch_cost}, {"mailbox", test_mailbox},
    {"mailbox_threads", test_mailbox_threads}, {"mailbox_ctl", test_mailbox_ctl, TEST_LOOP},
    {"work_serial", test_work_serial, TEST_LOOP}, {"work_many", test_work_many, TEST_LOOP},
    {"work_fini", test_work_fini, TEST_LOOP})
