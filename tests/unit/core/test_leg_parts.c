/* Parts: a feature of legs that counts keys is one room and one line of one table; a part of a leg is called in order,
 * and what it wants to be waited for is waited for. */
#include "base/mem.h"
#include "core/keys/dtmf.h"
#include "core/leg/hold.h"
#include "core/leg/leg.h"
#include "core/leg/leg_core.h"
#include "core/leg/part.h"
#include "core/registry/module.h"
#include "core/value/cause.h"
#include "fake.h"
#include <stdio.h>
#include <string.h>

/* ---- the room of a feature: all of it ---- */

struct counted {
	unsigned digits;
	char first;
};
static struct leg_part count_part;
static unsigned digits_of_all;

static struct counted *counted_of(const struct leg *leg)
{
	return leg_part_of(leg, &count_part);
}
static void count_digit(struct leg *leg, char digit)
{
	struct counted *c = counted_of(leg);

	role_assert_ctl();
	if (!c->digits++)
		c->first = digit;
}
static void count_over(struct leg *leg)
{
	role_assert_ctl();
	digits_of_all += counted_of(leg)->digits;
}
static struct leg_part count_part = {
    .name = "count", .bytes = sizeof(struct counted), .on_digit = count_digit, .on_destroy = count_over};

/* The line in the table. */
static const struct module count_module = {.abi = MODULE_ABI, .name = "mod_count", .part = &count_part};

static const struct fake_route routes[] = {{"park", "answer;park"}, {"call", "bridge:fake/ring-answer"}, {0}};

static bool is_executed(void *arg)
{
	return ((struct leg *)arg)->is_answered;
}
static bool is_joined(void *arg)
{
	return ((struct leg *)arg)->peer != NULL;
}

static NO_ROLE_CHECK int test_feature(void)
{
	struct leg *a, *b;

	fake_routes(routes);
	EXPECT_INT(fake_start(), 0);
	EXPECT_INT(module_register(&count_module), 0);
	EXPECT_INT(leg_parts_add(&count_part), 0);
	digits_of_all = 0;
	a = mem_ref(fake_inbound("park", "PCMU"));
	b = mem_ref(fake_inbound("call", "PCMU"));
	EXPECT(fake_until(is_executed, a, 2000) && fake_until(is_joined, b, 2000));
	EXPECT_INT(leg_dtmf_queue(a, "123"), 0);
	EXPECT_INT(leg_dtmf_queue(b, "9"), 0);
	leg_dtmf_received(a, 'x', 1600, DTMF_RTP); /* no key */
	EXPECT_INT(counted_of(a)->digits, 3);
	EXPECT_INT(counted_of(a)->first, '1');
	EXPECT_INT(counted_of(b)->digits, 1);
	EXPECT_INT(counted_of(b->peer)->digits, 0);
	leg_hangup(a, CAUSE_NORMAL_CLEARING);
	leg_hangup(b, CAUSE_NORMAL_CLEARING);
	EXPECT(fake_until(fake_no_legs, NULL, 3000));
	EXPECT_INT(digits_of_all, 4);
	mem_unref(a);
	mem_unref(b);
	fake_stop();
	return 0;
}

/* ---- the order, and waiting ---- */

static char order[400];
static struct leg_part low, high;
static bool is_held_up;

static void note(const struct leg_part *part, const char *what)
{
	size_t n = strlen(order);
	snprintf(order + n, sizeof(order) - n, "%s.%s ", part->name, what);
}
#define NOTE(part, op) \
	static void part##_##op(struct leg *leg) \
	{ \
		note(&part, #op); \
	}
NOTE(low, on_start)
NOTE(low, on_answer)
NOTE(low, on_hangup)
NOTE(low, on_leave)
NOTE(low, on_close)
NOTE(low, on_destroy)
NOTE(low, fini)
NOTE(high, on_start)
NOTE(high, on_answer)
NOTE(high, on_hangup)
NOTE(high, on_leave)
NOTE(high, on_close)
NOTE(high, on_destroy)
NOTE(high, fini)
static bool high_is_closing(struct leg *leg)
{
	return is_held_up;
}
static struct leg_part low = {.name = "low",
    .bytes = 3,
    .on_start = low_on_start,
    .on_answer = low_on_answer,
    .on_hangup = low_on_hangup,
    .on_leave = low_on_leave,
    .on_close = low_on_close,
    .on_destroy = low_on_destroy,
    .fini = low_fini};
static struct leg_part high = {.name = "high",
    .bytes = 5,
    .on_start = high_on_start,
    .on_answer = high_on_answer,
    .on_hangup = high_on_hangup,
    .on_leave = high_on_leave,
    .on_close = high_on_close,
    .is_waited_for = {[LEG_WAIT_REPORT] = high_is_closing},
    .on_destroy = high_on_destroy,
    .fini = high_fini};

static NO_ROLE_CHECK int test_order(void)
{
	struct leg *a;

	fake_routes(routes);
	EXPECT_INT(fake_start(), 0);
	EXPECT_INT(leg_parts_add(&low), 0);
	EXPECT_INT(leg_parts_add(&high), 0);
	order[0] = 0, is_held_up = true;
	a = fake_inbound("park", "PCMU");
	EXPECT(a && fake_until(is_executed, a, 2000));
	EXPECT_INT(leg_parts_add(&low), 0); /* it is there */
	EXPECT_INT(leg_parts_add(&count_part), ST_BUSY);
	EXPECT_INT((uintptr_t)leg_part_of(a, &high) % 16, 0);
	EXPECT_STR(order, "low.on_start high.on_start low.on_answer high.on_answer ");
	order[0] = 0;
	leg_hangup(a, CAUSE_NORMAL_CLEARING);
	EXPECT_STR(order, "high.on_hangup low.on_hangup ");
	EXPECT(!fake_until(fake_no_legs, NULL, 50)); /* the last report is awaited */
	EXPECT_STR(order, "high.on_hangup low.on_hangup high.on_leave low.on_leave high.on_close low.on_close ");
	is_held_up = false;
	leg_end_go(a);
	EXPECT(fake_until(fake_no_legs, NULL, 100));
	EXPECT(strstr(order, "high.on_destroy low.on_destroy high.fini low.fini "));
	/* One that never says so is waited for 200 ms. */
	is_held_up = true;
	a = fake_inbound("park", "PCMU");
	EXPECT(a && fake_until(is_executed, a, 2000));
	leg_hangup(a, CAUSE_NORMAL_CLEARING);
	EXPECT(fake_until(fake_no_legs, NULL, 5000));
	fake_stop();
	return 0;
}

/* ---- holds ---- */

struct held {
	struct leg_hold a, b, c;
};
static struct held holds;
static char left[16];
static NO_ROLE_CHECK bool leave_a(struct leg *leg)
{
	strcat(left, "a");
	leg_hold_del(leg, &holds.a);
	return true;
}
static NO_ROLE_CHECK bool leave_b(struct leg *leg)
{
	strcat(left, "b");
	leg_hold_del(leg, &holds.a); /* takes another away under the walk */
	leg_hold_del(leg, &holds.b);
	return false;
}
static bool leave_c(struct leg *leg)
{
	strcat(left, "c");
	return false; /* stays */
}
static const struct leg_hold_ops ops_a = {.name = "a", .leave = leave_a, .is_exclusive = true};
static const struct leg_hold_ops ops_b = {.name = "b", .leave = leave_b};
static const struct leg_hold_ops ops_c = {.name = "c", .leave = leave_c};

static NO_ROLE_CHECK int test_holds(void)
{
	struct leg *leg;

	fake_routes(routes);
	EXPECT_INT(fake_start(), 0);
	leg = fake_inbound("park", "PCMU");
	EXPECT(leg && fake_until(is_executed, leg, 2000));
	EXPECT(!leg_is_held_by_some(leg) && !leg_is_held_alone(leg) && !leg_holds_leave(leg));
	leg_hold_add(leg, &holds.a, &ops_a);
	leg_hold_add(leg, &holds.a, &ops_b); /* linked: nothing changes */
	leg_hold_add(leg, &holds.c, &ops_c);
	EXPECT(leg_is_held_by_some(leg) && leg_is_held_alone(leg));
	left[0] = 0;
	EXPECT(leg_holds_leave(leg));
	EXPECT_STR(left, "ca");
	EXPECT(leg_is_held_by_some(leg) && !leg_is_held_alone(leg));
	leg_hold_add(leg, &holds.a, &ops_a);
	leg_hold_add(leg, &holds.b, &ops_b);
	left[0] = 0;
	EXPECT(!leg_holds_leave(leg)); /* a was gone before its turn */
	EXPECT_STR(left, "bc");
	leg_hold_del(leg, &holds.c);
	leg_hold_del(leg, &holds.c);
	EXPECT(!leg_is_held_by_some(leg));
	leg_hangup(leg, CAUSE_NORMAL_CLEARING);
	EXPECT(fake_until(fake_no_legs, NULL, 3000));
	fake_stop();
	return 0;
}

TEST_MAIN({"a feature is a part", test_feature, TEST_LOOP}, {"order and waiting", test_order, TEST_LOOP},
    {"holds", test_holds, TEST_LOOP})
