/* The wheel of a media thread, its time told by the test: a stream stands in it exactly while it has needs, and a
 * slot's count is how many stand there, whatever a tick does to the streams beside it. */
#include "harness.h"
#include "media/rt/rt_i.h"

#include <stdlib.h>
#include <string.h>

enum { STREAMS = 40, TICKS = 20000 };
static struct rt_thread thread;
static struct rt_stream streams[STREAMS];
static struct rt_flow flows[STREAMS];
static unsigned ticks[STREAMS];
static void (*on_tick)(struct rt_stream *s);

static void finder_tick(const struct rt_finder *n, struct rt_stream *s)
{
	role_assert_media();
	ticks[s - streams]++;
	if (on_tick)
		on_tick(s);
}

static const struct rt_finder_ops ops = {.tick = finder_tick};
static const struct rt_finder finder = {.ops = &ops};

static ON_MEDIA void begin(void)
{
	memset(&thread, 0, sizeof(thread));
	memset(streams, 0, sizeof(streams));
	memset(ticks, 0, sizeof(ticks));
	wheel_init(&thread);
	thread.now_us = 1000000;
	for (unsigned i = 0; i < STREAMS; i++) {
		flows[i].s = &streams[i];
		streams[i].t = &thread, streams[i].f = &flows[i];
		streams[i].finder = (struct rt_finder *)(uintptr_t)&finder;
	}
	on_tick = NULL;
}

/* What the wheel says of its slots is what stands in them. */
static int is_exact(void)
{
	unsigned standing = 0, needing = 0;
	for (unsigned i = 0; i < WHEEL_SLOTS; i++) {
		struct lnode *n, *tmp;
		unsigned count = 0;
		list_each (&thread.wheel[i], n, tmp)
			count++;
		EXPECT_INT(thread.wheel_counts[i], count);
		EXPECT_INT(thread.wheel_bits >> i & 1, count != 0);
		standing += count;
	}
	for (unsigned i = 0; i < STREAMS; i++)
		needing += streams[i].tick_needs != 0;
	EXPECT_INT(standing, needing);
	return 0;
}

static ON_MEDIA void pass(int64_t us)
{
	for (int64_t until = thread.now_us + us; thread.now_us < until; thread.now_us += WHEEL_SLOT_US)
		wheel_run(&thread);
}

static struct rt_stream *victim;
static void take_out(struct rt_stream *s)
{
	role_assert_media();
	if (s != victim)
		tick_done(victim, TICK_FINDER);
}

/* One that stands behind another in its slot is taken out by that one's tick; the slot's next stream is stopped before
 * it runs, and others stand there after it. */
static int test_taken_out_by_a_neighbour(void)
{
	role_set(ROLE_MEDIA);
	role_assert_media();
	begin();
	for (unsigned i = 0; i < 11; i++) /* the eleventh stands where the first does */
		tick_need(&streams[i], TICK_FINDER);
	EXPECT_INT(streams[10].tick_due_us, streams[0].tick_due_us);
	victim = &streams[10], on_tick = take_out;
	pass(40000);
	EXPECT(ticks[0] && !ticks[10] && !victim->tick_needs);
	if (is_exact())
		return -1;
	for (unsigned i = 0; i < 10; i++)
		tick_done(&streams[i], TICK_FINDER);
	EXPECT(!thread.wheel_bits && wheel_due_us(&thread) == INT64_MAX);
	tick_need(&streams[20], TICK_FINDER);
	pass(100000);
	EXPECT(ticks[20] >= 4);
	return is_exact();
}

static void toggle(struct rt_stream *s)
{
	role_assert_media();
	for (unsigned n = (unsigned)rand() % 3; n; n--) {
		struct rt_stream *other = &streams[rand() % STREAMS];
		if (other->tick_needs)
			tick_done(other, TICK_FINDER);
		else
			tick_need(other, TICK_FINDER);
	}
}

static int test_whatever_ticks_do(void)
{
	role_set(ROLE_MEDIA);
	role_assert_media();
	begin();
	srand(7);
	on_tick = toggle;
	for (unsigned n = 0; n < TICKS; n++) {
		toggle(NULL);
		pass(WHEEL_SLOT_US * (1 + rand() % 20));
		if (is_exact())
			return -1;
	}
	for (unsigned i = 0; i < STREAMS; i++)
		EXPECT(ticks[i] > 100);
	return 0;
}

TEST_MAIN({"taken-out-by-a-neighbour", test_taken_out_by_a_neighbour}, {"whatever-ticks-do", test_whatever_ticks_do})
