/* net/conn_limit and net/login_delay on a fake clock: who makes room, deadlines, budgets, shares of the control thread;
 * how long a guess waits, however many connections it comes on. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "harness.h"
#include "loop/loop.h"
#include "net/conn_limit.h"
#include "net/login_delay.h"

#include <stdio.h>
#include <stdlib.h>

enum { SECOND_US = 1000000, SECOND_NS = 1000000000 };

struct conn {
	struct conn_guard g;
	enum conn_end why;
};

static void on_end(enum conn_end why, void *arg)
{
	((struct conn *)arg)->why = why;
}

static struct addr host(const char *text)
{
	struct addr a;
	if (addr_parse(&a, sv_of(text), 1000))
		abort();
	return a;
}

static ON_CTL int enter(struct conn *c, struct conn_limit *l, const char *from)
{
	struct addr a = host(from);
	*c = (struct conn){0};
	return conn_guard_enter(&c->g, l, &a, false, on_end, c);
}

static ON_CTL void advance(int64_t us)
{
	clock_fake_advance(us);
	loop_run_nowait();
}

static const struct conn_limit_conf small = {.name = "test",
    .max_count = 4,
    .max_count_per_host = 3,
    .max_bytes = 300,
    .max_bytes_per_host = 200,
    .first_us = 10 * SECOND_US,
    .message_us = 5 * SECOND_US};

static ON_CTL void leave_all(struct conn *c, size_t n, struct conn_limit *l)
{
	for (size_t i = 0; i < n; i++)
		conn_guard_leave(&c[i].g);
	conn_limit_free(l);
}

static int test_room(void)
{
	struct conn_limit *l;
	struct conn c[8];
	struct conn_limit_counts n;
	role_assert_ctl();
	clock_fake_start(0);
	EXPECT_INT(conn_limit_new(&l, &small), ST_OK);
	for (int i = 0; i < 3; i++)
		EXPECT_INT(enter(&c[i], l, "10.0.0.1"), ST_OK);
	conn_guard_message(&c[0].g);
	EXPECT_INT(enter(&c[3], l, "10.0.0.1"), ST_OK); /* the oldest silent one */
	EXPECT_INT(c[1].why, CONN_END_ROOM);
	EXPECT(!c[0].why && !c[2].why);
	conn_guard_trust(&c[2].g), conn_guard_trust(&c[3].g);
	EXPECT_INT(enter(&c[1], l, "10.0.0.1"), ST_OK); /* then the one that spoke */
	EXPECT_INT(c[0].why, CONN_END_ROOM);
	conn_guard_trust(&c[1].g);
	EXPECT_INT(enter(&c[0], l, "10.0.0.1"), ST_LIMIT); /* those that logged in stay */
	EXPECT_INT(enter(&c[4], l, "10.0.0.2"), ST_OK);
	EXPECT_INT(enter(&c[5], l, "10.0.0.3"), ST_OK); /* at the bound in all */
	EXPECT_INT(c[4].why, CONN_END_ROOM);
	conn_limit_counts(l, &n);
	EXPECT(n.count == 4 && n.silent_count == 1 && n.made_room == 3 && n.refused == 1);
	EXPECT(conn_limit_relieve() && c[5].why == CONN_END_ROOM && !conn_limit_relieve());
	leave_all(c, 6, l);
	return 0;
}

static int test_spoken_stay(void)
{
	struct conn_limit_conf conf = small;
	struct conn_limit *l;
	struct conn c[6];
	role_assert_ctl();
	conf.keeps_spoken = true;
	EXPECT_INT(conn_limit_new(&l, &conf), ST_OK);
	for (int i = 0; i < 3; i++) {
		EXPECT_INT(enter(&c[i], l, "2001:db8::1"), ST_OK);
		conn_guard_message(&c[i].g);
	}
	EXPECT_INT(enter(&c[3], l, "2001:db8::2"), ST_LIMIT); /* the same /64 */
	EXPECT_INT(enter(&c[3], l, "2001:db8:0:1::2"), ST_OK);
	conn_guard_message(&c[3].g);
	conn_guard_message(&c[0].g);
	EXPECT_INT(enter(&c[4], l, "2001:db8:0:2::2"), ST_OK); /* in all: the one that spoke longest ago */
	EXPECT_INT(c[1].why, CONN_END_ROOM);
	leave_all(c, 5, l);
	return 0;
}

static int test_deadlines(void)
{
	struct conn_limit *l;
	struct conn c[3];
	role_assert_ctl();
	clock_fake_start(0);
	EXPECT_INT(conn_limit_new(&l, &small), ST_OK);
	for (int i = 0; i < 3; i++)
		EXPECT_INT(enter(&c[i], l, "10.0.0.1"), ST_OK);
	conn_guard_hold(&c[0].g, 10, true); /* the first has its time from the connection on */
	conn_guard_message(&c[1].g);
	advance(9 * SECOND_US);
	conn_guard_hold(&c[0].g, 20, true);
	conn_guard_hold(&c[1].g, 10, true);
	EXPECT(!c[0].why && !c[2].why);
	advance(SECOND_US);
	EXPECT(c[0].why == CONN_END_LATE && c[2].why == CONN_END_LATE && !c[1].why);
	for (int i = 0; i < 3; i++, advance(SECOND_US))
		conn_guard_hold(&c[1].g, 10 + (size_t)i, true); /* dribbling does not help */
	advance(2 * SECOND_US);
	EXPECT_INT(c[1].why, CONN_END_LATE);
	EXPECT_INT(enter(&c[0], l, "10.0.0.1"), ST_OK);
	conn_guard_message(&c[0].g);
	advance(100 * SECOND_US); /* between messages there is none */
	EXPECT(!c[0].why);
	leave_all(c, 3, l);
	return 0;
}

static int test_bytes(void)
{
	struct conn_limit *l;
	struct conn c[4];
	role_assert_ctl();
	EXPECT_INT(conn_limit_new(&l, &small), ST_OK);
	EXPECT_INT(enter(&c[0], l, "10.0.0.1"), ST_OK);
	EXPECT_INT(enter(&c[1], l, "10.0.0.1"), ST_OK);
	EXPECT_INT(enter(&c[2], l, "10.0.0.2"), ST_OK);
	EXPECT_INT(conn_guard_hold(&c[0].g, 100, true), ST_OK);
	EXPECT_INT(conn_guard_hold(&c[1].g, 90, true), ST_OK);
	EXPECT_INT(conn_guard_hold(&c[2].g, 110, true), ST_OK);
	EXPECT_INT(
	    conn_guard_hold(&c[1].g, 101, true), ST_OK); /* its address has too many: the oldest half message goes */
	EXPECT_INT(c[0].why, CONN_END_BYTES);
	EXPECT_INT(enter(&c[0], l, "10.0.0.3"), ST_OK);
	conn_guard_trust(&c[1].g);
	EXPECT_INT(conn_guard_hold(&c[0].g, 100, true), ST_OK); /* too many in all: a stranger's goes */
	EXPECT(c[2].why == CONN_END_BYTES && !c[1].why);
	EXPECT_INT(conn_guard_hold(&c[0].g, 201, true), ST_CLOSED);
	struct conn_limit_counts n;
	conn_limit_counts(l, &n);
	EXPECT(n.bytes == 101 && n.count == 1 && n.starved == 3);
	leave_all(c, 3, l);
	return 0;
}

static void scribble(enum conn_end why, void *arg)
{
	memset(arg, 0xa5, sizeof(struct conn));
}

/* An owner that frees the guard as it is told to end. */
static int test_bytes_freed(void)
{
	struct conn_limit *l;
	struct conn c[2];
	struct addr peer;
	role_assert_ctl();
	EXPECT_INT(conn_limit_new(&l, &small), ST_OK);
	EXPECT_INT(addr_parse(&peer, SV("10.0.0.1"), 0), 0);
	for (int i = 0; i < 2; i++) {
		memset(&c[i], 0, sizeof(c[i]));
		EXPECT_INT(conn_guard_enter(&c[i].g, l, &peer, false, scribble, &c[i]), ST_OK);
		EXPECT_INT(conn_guard_hold(&c[i].g, i ? 2000 : 201, true), ST_CLOSED);
	}
	struct conn_limit_counts n;
	conn_limit_counts(l, &n);
	EXPECT(!n.count && !n.bytes);
	conn_limit_free(l);
	return 0;
}

static int test_share(void)
{
	struct conn_limit *l;
	struct conn c[3];
	role_assert_ctl();
	clock_fake_start(0);
	EXPECT_INT(conn_limit_new(&l, &small), ST_OK);
	for (int i = 0; i < 3; i++)
		EXPECT_INT(enter(&c[i], l, "10.0.0.1"), ST_OK);
	conn_guard_message(&c[1].g);
	conn_guard_trust(&c[2].g);
	for (int tenth = 0; tenth < 39; tenth++) {
		advance(SECOND_US / 10);
		conn_guard_used(&c[0].g, SECOND_NS / 10 / 10); /* a tenth of the thread for nothing: no matter */
		conn_guard_message(&c[1].g);
		conn_guard_used(&c[1].g, SECOND_NS / 10 / 10 * 6); /* a stranger's messages take six */
		conn_guard_message(&c[2].g);
		conn_guard_used(&c[2].g, SECOND_NS / 10 / 10 * 9); /* a trunk's may */
	}
	EXPECT_INT(c[1].why, CONN_END_SHARE);
	EXPECT(!c[0].why && !c[2].why);
	for (int second = 0; second < 5 && !c[2].why; second++) {
		advance(SECOND_US);
		conn_guard_used(&c[2].g, SECOND_NS / 10 * 3); /* but not for bytes without a message */
	}
	EXPECT_INT(c[2].why, CONN_END_SHARE);
	leave_all(c, 3, l);
	return 0;
}

static int test_tell(void)
{
	struct conn_limit *l;
	struct addr a = host("10.0.0.1"), b;
	char text[32];
	int told = 0;
	role_assert_ctl();
	clock_fake_start(0);
	EXPECT_INT(conn_limit_new(&l, &small), ST_OK);
	advance(SECOND_US);
	EXPECT(conn_limit_may_tell(l, &a) && !conn_limit_may_tell(l, &a));
	for (int i = 0; i < 2000; i++) {
		snprintf(text, sizeof(text), "10.1.%d.%d", i / 250, i % 250);
		b = host(text);
		told += conn_limit_may_tell(l, &b);
	}
	EXPECT_INT(told, 59);
	advance(61 * SECOND_US);
	EXPECT(conn_limit_may_tell(l, &a));
	conn_limit_free(l);
	return 0;
}

static int test_guesses(void)
{
	struct login_delay *d;
	struct addr a = host("10.0.0.1"), b = host("10.0.0.2");
	int64_t wait = 0, last = 0;
	role_assert_ctl();
	clock_fake_start(0);
	EXPECT_INT(login_delay_new(&d), ST_OK);
	for (int i = 0; i < 8; i++) {
		EXPECT_INT(login_delay_turn(d, &a, &wait), ST_OK);
		EXPECT(i < 3 ? wait == 0 : wait > 0 && wait >= last);
		last = wait;
		advance(wait);
		login_delay_failed(d, &a);
	}
	EXPECT_INT(wait, 4 * SECOND_US);
	EXPECT_INT(login_delay_turn(d, &b, &wait), ST_OK); /* another address is not concerned */
	EXPECT_INT(wait, 0);
	/* at once on many connections: they take turns, and then there are none left */
	int served = 0;
	while (served < 100 && !login_delay_turn(d, &a, &wait))
		served++;
	EXPECT_INT(served, 2);
	advance(10 * 60LL * SECOND_US); /* it is forgotten */
	EXPECT_INT(login_delay_turn(d, &a, &wait), ST_OK);
	EXPECT_INT(wait, 0);
	/* fixed memory */
	char text[32];
	for (int i = 0; i < 10000; i++) {
		snprintf(text, sizeof(text), "10.%d.%d.1", 1 + i / 250, i % 250);
		b = host(text);
		login_delay_failed(d, &b);
	}
	struct login_delay_counts n;
	login_delay_counts(d, &n);
	EXPECT(n.address_count <= 4096 && n.failed == 10008);
	login_delay_free(d);
	return 0;
}

TEST_MAIN({"room", test_room, TEST_LOOP}, {"spoken stay", test_spoken_stay, TEST_LOOP},
    {"deadlines", test_deadlines, TEST_LOOP}, {"bytes", test_bytes, TEST_LOOP},
    {"bytes freed", test_bytes_freed, TEST_LOOP}, {"share", test_share, TEST_LOOP}, {"tell", test_tell, TEST_LOOP},
    {"guesses", test_guesses, TEST_LOOP})
