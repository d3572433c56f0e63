/* base/fmt against the C library: generated formats and arguments, each with every size of room, must give the same
 * bytes and the same result. */
#include "base/fmt.h"
#include "harness.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat"
#pragma GCC diagnostic ignored "-Wformat-overflow"
#pragma GCC diagnostic ignored "-Wformat-truncation"
#pragma GCC diagnostic ignored "-Wformat-security"

static uint64_t state = 42; /* the same run each time */

static uint64_t next(void)
{
	state += 0x9e3779b97f4a7c15u;
	uint64_t z = state;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* Both print; the same, whatever room there is. */
#define SAME(...) \
	do { \
		char want[600], got[600]; \
		size_t caps[] = {sizeof(want), 0, 1, next() % 40}; \
		for (size_t c_ = 0; c_ < 4; c_++) { \
			memset(want, '#', sizeof(want)); \
			memset(got, '#', sizeof(got)); \
			int n_ = snprintf(want, caps[c_], __VA_ARGS__), m_ = fmt_print(got, caps[c_], __VA_ARGS__); \
			if (n_ != m_ || memcmp(want, got, sizeof(want))) { \
				want[599] = got[599] = 0; \
				test_fail(__FILE__, __LINE__, "format \"%s\": %d \"%s\", not %d \"%s\"", format, m_, \
				    got, n_, want); \
				return -1; \
			} \
		} \
	} while (0)

static const char *pick(const char *const *words, size_t count)
{
	return words[next() % count];
}
#define PICK(...) \
	pick((const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static uint64_t some_number(void)
{
	uint64_t v = next();
	switch (next() % 4) {
	case 0:
		return v % 1000;
	case 1:
		return 0 - v % 100000;
	case 2:
		return v >> v % 64;
	default:
		return (uint64_t[]){0, 1, 9, 10, 99, 100, INT_MAX, (uint64_t)INT_MIN, INT64_MAX, (uint64_t)INT64_MIN,
		    UINT64_MAX}[v % 11];
	}
}

static double some_double(void)
{
	uint64_t v = next();
	double d;

	switch (next() % 5) {
	case 0:
		memcpy(&d, &v, sizeof(d)); /* any bits at all */
		return d;
	case 1:
		return (double)(v % 200000) / 1000 - 50; /* ties and what lies near them */
	case 2:
		return (double)(int64_t)(v % 4001) / 8;
	case 3:
		return ldexp((double)(v % 1000), (int)(v % 200) - 150);
	default:
		return (double[]){0, -0.0, 0.5, 1.5, 2.5, 0.125, 1e15, 4503599627370495.5, 4503599627370496.0, 1e300,
		    DBL_MIN, DBL_MAX, INFINITY, -INFINITY, NAN, 5e-324}[v % 16];
	}
}

static const char *some_text(void)
{
	static char long_text[300];

	memset(long_text, 'x', sizeof(long_text) - 1);
	return PICK("", "a", "hello", "with %s in it", "\x1a\xe1 marks", long_text, "1234567890");
}

static int one_conversion(void)
{
	char format[64];
	const char *flags = PICK("", "", "0", "-", "-0", "+", " ", "#"), *width = PICK("", "", "1", "3", "12", "40"),
	           *precision = PICK("", "", "", ".", ".0", ".2", ".5", ".12"),
	           *size = PICK("", "", "l", "ll", "z", "j", "h", "hh"), *what = PICK("d", "i", "u", "x", "X", "o");
	uint64_t v = some_number();
	double d = some_double();
	const char *text = some_text();

	snprintf(format, sizeof(format), "<%s%s%s%s%s>", "%", flags, width, precision, "f");
	SAME(format, d);
	if (*flags != '0' || !*width) { /* undefined for text */
		snprintf(format, sizeof(format), "%s%s%s%ss", "%", *flags == '-' ? "-" : "", width, precision);
		SAME(format, text);
		snprintf(format, sizeof(format), "x%s%s%sc%s", "%", *flags == '-' ? "-" : "", width, "%%");
		SAME(format, (int)(v % 255 + 1));
	}
	snprintf(format, sizeof(format), "%s%s%s%s%s%s", "%", flags, width, precision, size, what);
	SAME(format, v);
	return 0;
}

static int test_conversions(void)
{
	for (int i = 0; i < 20000; i++)
		if (one_conversion())
			return -1;
	return 0;
}

static int test_lines(void)
{
	for (int i = 0; i < 3000; i++) {
		const char *a = some_text(), *b = some_text();
		uint64_t n = some_number();
		double d = some_double();
		int k = (int)(next() % 12);
		const char *format = "several";

		SAME("plain text");
		SAME("%s", a);
		SAME("%s <%s@%s>;tag=%s", a, "alice", "example.com", b);
		SAME("%.*s:%d", k, a, (int)n);
		SAME("%*s|%-*s|%.*s", k, a, k, b, -1, a);
		SAME("%*d|%*d", -k, (int)n, k, (int)n);
		SAME("%04d-%02d-%02d %02d:%02d:%02d.%06d [%s] %s:%d ", (int)(n % 10000), k, k, k, k, k,
		    (int)(n % 1000000), "NOTICE", "file.c", k);
		SAME("%llu %lld %zu %08x %lX %hhu %hd", (unsigned long long)n, (long long)n, (size_t)n, (unsigned)n,
		    (unsigned long)n, (unsigned char)n, (short)n);
		SAME("%c%c %5.1f%% %d of %u", 'a', 0, d, (int)n, (unsigned)n);
		SAME("left to the library: %s %g %p %d", a, d, (void *)&n, k);
	}
	return 0;
}

static int test_odd(void)
{
	const char *format = "odd", *none = NULL;

	SAME("%s", none);
	SAME("%.3s", none);
	SAME("%.6s", none);
	SAME("%10s", none);
	SAME("%%");
	format = "%";
	SAME(format);
	format = "%5";
	SAME(format, 1);
	format = "%1$s %1$s";
	SAME(format, "x");
	format = "%'d";
	SAME(format, 1234567);
	format = "%99999d";
	SAME(format, 1);
	format = "%q%d";
	SAME(format, 1, 2);
	return 0;
}

static int test_numbers(void)
{
	char room[24], want[24];

	for (int i = 0; i < 2000; i++) {
		uint64_t v = some_number();
		room[fmt_u64(room, v)] = 0;
		snprintf(want, sizeof(want), "%llu", (unsigned long long)v);
		EXPECT_STR(room, want);
	}
	return 0;
}

TEST_MAIN({"conversions", test_conversions}, {"lines", test_lines}, {"odd", test_odd}, {"numbers", test_numbers})
