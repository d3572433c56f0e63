/* The unit-test harness: TAP out, each test in its own process with a deadline (30 s), leak check over base/mem's
 * counters, failure by return (never longjmp: tests may run inside coroutines). */
#pragma once
#include <stdbool.h>
#include <stddef.h>

typedef int (*test_fn)(void); /* 0 = passed */
struct test_case {
	const char *name;
	test_fn fn;
	unsigned flags;
};
enum {
	TEST_LOOP = 1 /* loop_init before, loop_fini and live-coroutine check after; thread role is control */,
	TEST_OOM = 2 /* repeated with every allocation failing in turn until it passes untouched; then a failed
	              * EXPECT counts only in the untouched run, a crash or leak in any */
};

int test_main(int argc, char **argv, const struct test_case *cases, size_t count);
void test_fail(const char *file, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void test_skip(const char *why); /* then return 0 */
/* Absolute path of the source tree's tests/data, and of ../shared or NULL where absent. */
const char *test_data_dir(void);
const char *test_shared_dir(void);
#define TEST_NO_SHARED "../shared (FreeSWITCH's stock configuration, recordings of it) is not here"

#define EXPECT(e) \
	do { \
		if (!(e)) { \
			test_fail(__FILE__, __LINE__, "%s", #e); \
			return -1; \
		} \
	} while (0)
#define EXPECT_INT(got, want) \
	do { \
		long long g_ = (long long)(got), w_ = (long long)(want); \
		if (g_ != w_) { \
			test_fail(__FILE__, __LINE__, "%s is %lld, not %lld", #got, g_, w_); \
			return -1; \
		} \
	} while (0)
#define EXPECT_STR(got, want) \
	do { \
		const char *g_ = (got), *w_ = (want); \
		if (!g_ || strcmp(g_, w_)) { \
			test_fail(__FILE__, __LINE__, "%s is \"%s\", not \"%s\"", #got, g_ ? g_ : "(null)", w_); \
			return -1; \
		} \
	} while (0)
#define TEST_MAIN(...) \
	int main(int argc, char **argv) \
	{ \
		static const struct test_case cases[] = {__VA_ARGS__}; \
		return test_main(argc, argv, cases, sizeof(cases) / sizeof(cases[0])); \
	}
