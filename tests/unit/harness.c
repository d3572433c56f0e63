/* The unit-test harness: forks a child per test, gives it 30 s (TEST_TIMEOUT_S in the environment changes that), reads
 * its verdict from the exit code and prints TAP. In the child: the loop where asked for, the leak check over base/mem's
 * counters, the out-of-memory ladder. Failures go to stderr with file and line as they happen.
 * test_x [-n] [name...]: only these tests; -n without a child process, for a debugger. */
#include "harness.h"
#include "base/mem.h"
#include "base/role.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	EXIT_SKIPPED = 77,
	EXIT_FAILED = 1,
	EXIT_LEAK = 3,
	EXIT_UNTOUCHED = 4,
	EXIT_UNFED = 5,
	DEADLINE_S = 30,
	OOM_RUNS_MAX = 100000
};

/* Weak: rooms below loop are tested without it. */
#pragma weak loop_init
#pragma weak loop_fini
#pragma weak co_live_count
int loop_init(void);
void loop_fini(void);
size_t co_live_count(void);

static bool is_skipped, is_in_ladder;
static char skip_reason[200];

void test_fail(const char *file, int line, const char *fmt, ...)
{
	va_list ap;
	if (is_in_ladder)
		return;
	va_start(ap, fmt);
	fprintf(stderr, "# %s:%d: ", file, line);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
}

void test_skip(const char *why)
{
	is_skipped = true;
	snprintf(skip_reason, sizeof(skip_reason), "%s", why);
}

const char *test_data_dir(void)
{
	return TEST_SOURCE_DIR "/tests/data";
}

const char *test_shared_dir(void)
{
	static const char dir[] = TEST_SOURCE_DIR "/../shared";
	return access(TEST_SOURCE_DIR "/../shared/vanilla", R_OK) ? NULL : dir;
}

static void print_type(const char *type, size_t live, size_t bytes, void *arg)
{
	fprintf(stderr, "#   %s: %zu live, %zu bytes\n", type, live, bytes);
}

/* fail_at: the allocation to fail, 0 = none. */
static int run_once(const struct test_case *t, long fail_at)
{
	size_t objects = mem_live_objects(), blocks = mem_live_blocks();
	if (t->flags & TEST_LOOP) {
		if (!loop_init || loop_init()) {
			fprintf(stderr, "# the loop does not start (is the room linked against it?)\n");
			return EXIT_FAILED;
		}
	}
	mem_fail_after(fail_at);
	int rc = t->fn() ? EXIT_FAILED : 0;
	bool is_untouched = fail_at && mem_fail_left() > 0;
	mem_fail_after(0);
	if (t->flags & TEST_LOOP && !rc) {
		if (co_live_count && co_live_count()) {
			fprintf(stderr, "# %zu coroutines still live\n", co_live_count());
			return EXIT_LEAK;
		}
		loop_fini();
	}
	/* A test that stopped half-way still owns what it held. */
	if (!rc && (mem_live_objects() != objects || mem_live_blocks() != blocks)) {
		fprintf(stderr, "# leak: %zu objects and %zu blocks before, now %zu and %zu\n", objects, blocks,
		    mem_live_objects(), mem_live_blocks());
		mem_each_type(print_type, NULL);
		rc = EXIT_LEAK;
	}
	return is_untouched && rc != EXIT_LEAK ? EXIT_UNTOUCHED : rc;
}

/* Fails the first allocation, then the second, and so on, each in a child of its own, until a run does not reach the
 * failing one. */
static int run_ladder(const struct test_case *t)
{
	for (long n = 1; n < OOM_RUNS_MAX; n++) {
		int status = 0;
		pid_t pid = fork();
		if (pid == 0) {
			is_in_ladder = true;
			alarm(DEADLINE_S);
			int rc = run_once(t, n);
			/* Past LeakSanitizer: what a failed test held is no leak. Its own exit code is 1, hence another
			 * one. */
			if (rc == EXIT_FAILED || rc == EXIT_UNTOUCHED)
				_exit(rc == EXIT_FAILED ? EXIT_UNFED : rc);
			exit(rc);
		}
		if (pid < 0 || waitpid(pid, &status, 0) < 0)
			return EXIT_FAILED;
		int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
		if (code == EXIT_UNTOUCHED)
			return run_once(t, 0);
		if (code != 0 && code != EXIT_UNFED) {
			fprintf(stderr, "# with allocation %ld failing: %s %d\n", n, code < 0 ? "signal" : "exit code",
			    code < 0 ? WTERMSIG(status) : code);
			return EXIT_LEAK;
		}
	}
	fprintf(stderr, "# the ladder does not end\n");
	return EXIT_FAILED;
}

static int run_in_child(const struct test_case *t)
{
	role_set(t->flags & TEST_LOOP ? ROLE_CTL : ROLE_NONE);
	int rc = t->flags & TEST_OOM ? run_ladder(t) : run_once(t, 0);
	if (!rc && is_skipped) {
		printf("# %s\n", skip_reason);
		fflush(stdout);
		return EXIT_SKIPPED;
	}
	return rc;
}

static double now_s(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void report(size_t number, const struct test_case *t, int wait_status, double took_s)
{
	bool is_exit = WIFEXITED(wait_status);
	int code = is_exit ? WEXITSTATUS(wait_status) : -1;
	if (code == EXIT_SKIPPED) {
		printf("ok %zu - %s # SKIP\n", number, t->name);
	} else if (code == 0) {
		printf("ok %zu - %s\n", number, t->name);
	} else if (is_exit) {
		printf("not ok %zu - %s # exit code %d\n", number, t->name, code);
	} else {
		int sig = WTERMSIG(wait_status);
		printf("not ok %zu - %s # %s after %.1f s\n", number, t->name,
		    sig == SIGALRM ? "deadline passed" : strsignal(sig), took_s);
	}
	fflush(stdout);
}

static bool is_wanted(int argc, char **argv, int first, const char *name)
{
	if (first >= argc)
		return true;
	for (int i = first; i < argc; i++) {
		if (!strcmp(argv[i], name))
			return true;
	}
	return false;
}

int test_main(int argc, char **argv, const struct test_case *cases, size_t count)
{
	bool is_forking = !(argc > 1 && !strcmp(argv[1], "-n"));
	int first = is_forking ? 1 : 2, failed_count = 0;
	const char *seconds = getenv("TEST_TIMEOUT_S");
	unsigned deadline_s = seconds ? (unsigned)atoi(seconds) : DEADLINE_S;
	setenv("UV_THREADPOOL_SIZE", "4", 0);
	signal(SIGPIPE, SIG_IGN);
	printf("1..%zu\n", count);
	fflush(stdout);
	for (size_t i = 0; i < count; i++) {
		const struct test_case *t = &cases[i];
		if (!is_wanted(argc, argv, first, t->name)) {
			printf("ok %zu - %s # SKIP not asked for\n", i + 1, t->name);
			continue;
		}
		double start_s = now_s();
		int wait_status = 0;
		pid_t pid = is_forking ? fork() : 0;
		if (pid == 0) {
			if (is_forking)
				alarm(deadline_s);
			int rc = run_in_child(t);
			if (is_forking)
				exit(rc); /* not _exit: LeakSanitizer looks at exit */
			wait_status = rc << 8;
		} else if (pid < 0 || waitpid(pid, &wait_status, 0) < 0) {
			perror("# fork");
			return 1;
		}
		report(i + 1, t, wait_status, now_s() - start_s);
		failed_count +=
		    wait_status != 0 && !(WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == EXIT_SKIPPED);
		is_skipped = false;
	}
	return failed_count ? 1 : 0;
}
