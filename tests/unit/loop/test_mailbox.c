/* loop/mailbox with producers that are interrupted between taking the wake-up and writing it: each then owes a write,
 * and the consumer must neither miss one nor find its descriptor readable for ever. Their write() stops at a gate. */
#include "harness.h"
#include "loop/mailbox.h"

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PRODUCERS_MAX = 5 };
struct producer {
	pthread_t thread;
	struct mailbox *m;
	uint64_t msg;
	sem_t at_gate, go;
};
static _Thread_local struct producer *self; /* NULL: nobody is held */
static struct producer producers[PRODUCERS_MAX];

/* Stands in front of the C library's: the mailbox is linked into this program. */
ssize_t write(int fd, const void *p, size_t n)
{
	if (self) {
		sem_post(&self->at_gate);
		while (sem_wait(&self->go))
			;
	}
	return syscall(SYS_write, fd, p, n);
}

static void *post(void *arg)
{
	struct producer *p = arg;

	self = p;
	mailbox_post(p->m, &p->msg, sizeof(p->msg));
	return NULL;
}

/* Returns when it has taken the wake-up and is about to write. */
static int producer_start(struct mailbox *m, unsigned i)
{
	struct producer *p = &producers[i];

	p->m = m, p->msg = 100 + i;
	EXPECT(!sem_init(&p->at_gate, 0, 0) && !sem_init(&p->go, 0, 0));
	EXPECT(!pthread_create(&p->thread, NULL, post, p));
	while (sem_wait(&p->at_gate))
		;
	return 0;
}

static int producer_end(unsigned i)
{
	struct producer *p = &producers[i];

	sem_post(&p->go);
	EXPECT(!pthread_join(p->thread, NULL));
	sem_destroy(&p->at_gate);
	sem_destroy(&p->go);
	return 0;
}

static bool is_readable(const struct mailbox *m)
{
	struct pollfd f = {mailbox_fd(m), POLLIN, 0};
	return poll(&f, 1, 0) > 0;
}

/* The consumer looks because of something else, takes what there is and may sleep again. */
static int take_all(struct mailbox *m, unsigned *count)
{
	uint64_t msg;
	size_t n;

	for (*count = 0; mailbox_take(m, &msg, &n); ++*count)
		EXPECT_INT(n, sizeof(msg));
	return 0;
}

/* Producers first to last take the wake-up one after the other, none writes; their writes come in the given order, with
 * a look of the consumer after every step. */
static int each_owes(unsigned count, const unsigned *order)
{
	struct mailbox *m;
	unsigned got;
	uint64_t last = 7;

	EXPECT_INT(mailbox_new(&m, 16), 0);
	for (unsigned i = 0; i < count; i++) {
		EXPECT_INT(producer_start(m, i), 0);
		EXPECT_INT(take_all(m, &got), 0);
		EXPECT_INT(got, 1);
		EXPECT(!is_readable(m));
	}
	for (unsigned i = 0; i < count; i++) {
		EXPECT_INT(producer_end(order[i]), 0);
		EXPECT_INT(take_all(m, &got), 0);
		EXPECT_INT(got, 0);
		EXPECT(!is_readable(m)); /* else the consumer spins from here on */
	}
	EXPECT_INT(mailbox_post(m, &last, sizeof(last)), 0);
	EXPECT(is_readable(m));
	EXPECT_INT(take_all(m, &got), 0);
	EXPECT_INT(got, 1);
	EXPECT(!is_readable(m));
	mailbox_free(m);
	return 0;
}

static int test_two_owe(void)
{
	EXPECT_INT(each_owes(2, (const unsigned[]){0, 1}), 0);
	return each_owes(2, (const unsigned[]){1, 0});
}

static int test_five_owe(void)
{
	EXPECT_INT(each_owes(5, (const unsigned[]){4, 3, 2, 1, 0}), 0);
	return each_owes(5, (const unsigned[]){2, 0, 4, 1, 3});
}

/* All writes at once, while the consumer was elsewhere: one read takes them all. */
static int test_writes_add_up(void)
{
	struct mailbox *m;
	unsigned got;

	EXPECT_INT(mailbox_new(&m, 16), 0);
	for (unsigned i = 0; i < 3; i++) {
		EXPECT_INT(producer_start(m, i), 0);
		EXPECT_INT(take_all(m, &got), 0);
	}
	for (unsigned i = 0; i < 3; i++)
		EXPECT_INT(producer_end(i), 0);
	EXPECT(is_readable(m));
	EXPECT_INT(take_all(m, &got), 0);
	EXPECT_INT(got, 0);
	EXPECT(!is_readable(m));
	mailbox_free(m);
	return 0;
}

/* One is late, the next is not: the second's message is not held up by the first's debt. */
static int test_one_late(void)
{
	struct mailbox *m;
	uint64_t msg = 1;
	unsigned got;

	EXPECT_INT(mailbox_new(&m, 16), 0);
	EXPECT_INT(producer_start(m, 0), 0);
	EXPECT_INT(take_all(m, &got), 0);
	for (int i = 0; i < 100; i++) {
		EXPECT_INT(mailbox_post(m, &msg, sizeof(msg)), 0);
		EXPECT(is_readable(m));
		EXPECT_INT(take_all(m, &got), 0);
		EXPECT_INT(got, 1);
		EXPECT(!is_readable(m));
	}
	EXPECT_INT(producer_end(0), 0);
	EXPECT_INT(take_all(m, &got), 0);
	EXPECT(!is_readable(m));
	mailbox_free(m);
	return 0;
}

TEST_MAIN({"two_owe", test_two_owe}, {"five_owe", test_five_owe}, {"writes_add_up", test_writes_add_up},
    {"one_late", test_one_late})
