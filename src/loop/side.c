/* The thread is joined by a worker: it ends at once, but on a busy machine it has to get a CPU for that, and control
 * does not wait for it. Only when the loop is over (or the workers are busy) does who frees it wait himself. */
#include "loop/side.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/status.h"
#include "loop/loop.h"
#include "loop/work.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct side {
	struct side_ops ops;
	void *arg;
	struct mailbox *in, *out;
	pthread_t thread;
	int end_fd;
	atomic_bool is_ending;
};

struct mailbox *side_in(const struct side *s)
{
	return s->in;
}

struct mailbox *side_out(const struct side *s)
{
	return s->out;
}

int side_end_fd(const struct side *s)
{
	return s->end_fd;
}

bool side_is_ending(const struct side *s)
{
	return atomic_load(&s->is_ending);
}

static void *thread_main(void *arg)
{
	struct side *s = arg;
	role_set(ROLE_WORK);
	s->ops.run(s, s->arg);
	return NULL;
}

static int thread_make(struct side *s)
{
	sigset_t all, was;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &was); /* for threads that the library makes as well */
	int rc = pthread_create(&s->thread, NULL, thread_main, s);
	pthread_sigmask(SIG_SETMASK, &was, NULL);
	return rc ? ST_NOMEM : ST_OK;
}

static void release(struct side *s)
{
	mailbox_free(s->in), mailbox_free(s->out);
	if (s->end_fd >= 0)
		close(s->end_fd);
	mem_free(s);
}

int side_new(struct side **out, const struct side_ops *ops, size_t in_slots, size_t out_slots, void *arg)
{
	struct side *s = mem_zalloc(sizeof(*s));
	int st;
	if (!s)
		return ST_NOMEM;
	s->ops = *ops, s->arg = arg;
	s->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	*out = s;
	st = s->end_fd < 0 ? ST_IO : mailbox_new(&s->in, in_slots);
	if (!st)
		st = mailbox_new(&s->out, out_slots);
	if (!st && !(st = mailbox_attach_ctl(s->out, ops->name, ops->on_message, arg)) && (st = thread_make(s)))
		mailbox_detach_ctl(s->out);
	if (st) {
		*out = NULL;
		release(s);
	}
	return st;
}

static void join_here(struct side *s)
{
	pthread_join(s->thread, NULL);
}

static void join(void *arg)
{
	role_assert_work();
	join_here(arg);
}

static ON_CTL void destroy(struct side *s)
{
	mailbox_detach_ctl(s->out);
	s->ops.destroy(s, s->arg);
	release(s);
}

static void joined(int status, void *arg)
{
	role_assert_ctl();
	if (status == ST_CANCELLED)
		join_here(arg);
	destroy(arg);
}

void side_end(struct side *s)
{
	uint64_t one = 1;
	atomic_store(&s->is_ending, true);
	(void)!write(s->end_fd, &one, sizeof(one));
}

void side_free(struct side *s)
{
	if (!s)
		return;
	side_end(s);
	if (!loop_depth() || work_submit(WORK_NET, s->ops.name, join, joined, s)) {
		join_here(s);
		destroy(s);
	}
}
