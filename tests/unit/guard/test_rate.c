/* How many at a time and within a minute, on a fake clock. */
#include "base/clock.h"
#include "guard/guard_i.h"
#include "harness.h"

#include <stdio.h>

static int test_now(void) NO_ROLE_CHECK;
static int test_now(void)
{
	struct guard_limit l = {.max_now = 2};
	struct guard_hold *h[3];
	const char *why = NULL;
	EXPECT_INT(rates_start(), 0);
	EXPECT_INT(guard_rate_take(&h[0], "calls", SV("a"), &l, &why), 0);
	EXPECT_INT(guard_rate_take(&h[1], "calls", SV("a"), &l, &why), 0);
	EXPECT_INT(guard_rate_take(&h[2], "calls", SV("a"), &l, &why), ST_LIMIT);
	EXPECT_STR(why, "at a time");
	EXPECT(!h[2]);
	EXPECT_INT(guard_rate_take(&h[2], "calls", SV("b"), &l, &why), 0);
	guard_rate_give(h[0]);
	EXPECT_INT(guard_rate_take(&h[0], "calls", SV("a"), &l, &why), 0);
	EXPECT_INT((int)rates_refused(), 1);
	rates_stop(); /* what is held beyond it is only memory */
	guard_rate_give(h[0]);
	EXPECT_INT(rates_start(), 0);
	guard_rate_give(h[1]);
	guard_rate_give(h[2]);
	EXPECT_INT((int)rates_count(), 0);
	rates_stop();
	return 0;
}

static int test_minute(void) NO_ROLE_CHECK;
static int test_minute(void)
{
	struct guard_limit l = {.max_per_minute = 3};
	const char *why = NULL;
	clock_fake_start(1700000000000000LL);
	clock_fake_advance(10000000 - clock_mono_us() % 10000000); /* a slice begins, whatever the machine's clock */
	EXPECT_INT(rates_start(), 0);
	for (int i = 0; i < 3; i++) {
		EXPECT_INT(guard_rate_take(NULL, "calls", SV("a"), &l, &why), 0);
		clock_fake_advance(10000000);
	}
	EXPECT_INT(guard_rate_take(NULL, "calls", SV("a"), &l, &why), ST_LIMIT);
	clock_fake_advance(31000000); /* the first one is a minute ago */
	EXPECT_INT(guard_rate_take(NULL, "calls", SV("a"), &l, &why), 0);
	EXPECT_INT(guard_rate_take(NULL, "calls", SV("a"), &l, &why), ST_LIMIT);
	clock_fake_advance(600000000);
	EXPECT_INT(guard_rate_take(NULL, "calls", SV("a"), &l, &why), 0);
	for (int i = 0; i < 40000; i++) {
		char who[12];
		snprintf(who, sizeof(who), "%d", i);
		EXPECT_INT(guard_rate_take(NULL, "calls", sv_of(who), &l, &why), 0);
	}
	EXPECT(rates_count() <= 16384);
	rates_stop();
	clock_fake_stop();
	return 0;
}

TEST_MAIN({"at a time", test_now}, {"minute", test_minute})
