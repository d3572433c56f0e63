/* loop/side: messages each way, an end from inside the loop and from outside of it, and what the mailboxes still hold
 * then. */
#include "base/check.h"
#include "base/mem.h"
#include "harness.h"
#include "loop/loop.h"
#include "loop/side.h"

#include <poll.h>
#include <string.h>

struct echo {
	struct side *side;
	int heard, left, destroyed; /* what came back; what was still in its mailbox at the end */
	bool is_deaf, ends_inside;
};
enum { LAST = 7 };

static void run(struct side *s, void *arg)
{
	const struct echo *e = arg;
	struct pollfd fds[2] = {
	    {.fd = side_end_fd(s), .events = POLLIN}, {.fd = mailbox_fd(side_in(s)), .events = POLLIN}};
	int number;
	size_t n;
	role_assert_work();
	while (!side_is_ending(s)) {
		while (!e->is_deaf && mailbox_take(side_in(s), &number, &n))
			(void)mailbox_post(side_out(s), &number, sizeof(number));
		(void)poll(fds, e->is_deaf ? 1 : 2, -1);
	}
}

static void on_message(const void *msg, size_t n, void *arg)
{
	struct echo *e = arg;
	int number;
	role_assert_ctl();
	memcpy(&number, msg, sizeof(number));
	e->heard++;
	if (number != LAST)
		return;
	if (e->ends_inside)
		side_free(e->side);
	else
		loop_stop();
}

static void destroy(struct side *s, void *arg)
{
	struct echo *e = arg;
	int number;
	size_t n;
	role_assert_ctl();
	while (mailbox_take(side_in(s), &number, &n))
		e->left++;
	e->destroyed++;
	if (e->ends_inside)
		loop_stop();
}

static const struct side_ops ops = {"echo", run, on_message, destroy};

NO_ROLE_CHECK static int say(struct echo *e)
{
	for (int i = 1; i <= LAST; i++)
		EXPECT_INT(mailbox_post(side_in(e->side), &i, sizeof(i)), 0);
	return 0;
}

NO_ROLE_CHECK static int test_ended_from_outside(void)
{
	struct echo e = {0};
	EXPECT_INT(side_new(&e.side, &ops, 8, 8, &e), 0);
	EXPECT_INT(say(&e), 0);
	loop_run();
	EXPECT_INT(e.heard, LAST);
	side_free(e.side);
	EXPECT_INT(e.destroyed, 1);
	EXPECT_INT(e.left, 0);
	return 0;
}

NO_ROLE_CHECK static int test_ended_from_inside(void)
{
	struct echo e = {.ends_inside = true};
	EXPECT_INT(side_new(&e.side, &ops, 8, 8, &e), 0);
	EXPECT_INT(say(&e), 0);
	loop_run();
	EXPECT_INT(e.heard, LAST);
	EXPECT_INT(e.destroyed, 1);
	return 0;
}

NO_ROLE_CHECK static int test_what_is_left(void)
{
	struct echo e = {.is_deaf = true};
	EXPECT_INT(side_new(&e.side, &ops, 8, 8, &e), 0);
	EXPECT_INT(say(&e), 0);
	side_free(e.side);
	EXPECT_INT(e.left, LAST);
	EXPECT_INT(e.heard, 0);
	EXPECT_INT(e.destroyed, 1);
	side_free(NULL);
	return 0;
}

TEST_MAIN({"ended_from_outside", test_ended_from_outside, TEST_LOOP},
    {"ended_from_inside", test_ended_from_inside, TEST_LOOP}, {"what_is_left", test_what_is_left, TEST_LOOP})
