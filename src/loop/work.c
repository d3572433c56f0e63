/* Jobs for the worker threads (pool.c). A plain job goes straight to the pool; a serial queue has at most one of its
 * jobs there and sends the next when that one's completion reaches the loop. loop_fini cancels plain jobs that have not
 * begun and waits for all others, serial queues included. */
#include "loop/work.h"
#include "base/check.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "loop/loop_i.h"
#include "loop/pool_i.h"

#include <uv.h>

struct job {
	struct pool_job pool; /* first */
	struct lnode link;    /* in live_jobs, or in the serial queue's jobs while it waits */
	work_fn fn;
	work_done_fn done;
	void *arg;
	const char *name;
	struct work_serial *serial;
};

struct work_serial {
	struct lnode link;
	const char *name;
	struct list jobs;  /* waiting */
	size_t count, max; /* waiting and running */
	uint64_t refused_count;
	bool is_running, is_closing;
};

static struct list serials = {{&serials.head, &serials.head}};
static struct list live_jobs = {{&live_jobs.head, &live_jobs.head}};
static bool is_ending;

static void job_run(struct pool_job *p)
{
	struct job *j = (struct job *)p;
	j->fn(j->arg);
}

static ON_CTL void serial_next(struct work_serial *s);

static void job_done(struct pool_job *p, bool was_cancelled)
{
	struct job *j = (struct job *)p;
	struct work_serial *s = mem_ref(j->serial);
	role_assert_ctl();
	list_remove(&j->link);
	if (s) {
		/* The next one starts before done runs: done may submit to this queue or close it. */
		s->count--;
		s->is_running = false;
		serial_next(s);
	}
	if (j->done) {
		loop_enter(j->name);
		j->done(was_cancelled ? ST_CANCELLED : ST_OK, j->arg);
		loop_leave();
	}
	mem_free(j);
	if (s && s->is_closing && !s->count)
		mem_unref(s);
	mem_unref(s);
}

static ON_CTL void job_queue(struct job *j)
{
	list_push(&live_jobs, &j->link);
	j->pool.run = job_run, j->pool.done = job_done;
	pool_submit(&j->pool);
}

static struct job *job_new(const char *name, work_fn fn, work_done_fn done, void *arg)
{
	struct job *j = mem_zalloc(sizeof(*j));
	if (j)
		j->fn = fn, j->done = done, j->arg = arg, j->name = name;
	return j;
}

int work_submit(const char *name, work_fn fn, work_done_fn done, void *arg)
{
	if (is_ending)
		return ST_CANCELLED;
	struct job *j = job_new(name, fn, done, arg);
	if (!j)
		return ST_NOMEM;
	job_queue(j);
	return ST_OK;
}

static void serial_free(void *obj)
{
	struct work_serial *s = obj;
	list_remove(&s->link);
}

int work_serial_new(struct work_serial **out, const char *name, size_t max_jobs)
{
	struct work_serial *s = mem_new(sizeof(*s), serial_free, "loop.work_serial");
	if (!s)
		return ST_NOMEM;
	s->name = name, s->max = max_jobs;
	list_init(&s->jobs);
	list_push(&serials, &s->link);
	*out = s;
	return ST_OK;
}

static ON_CTL void serial_next(struct work_serial *s)
{
	struct lnode *node = list_first(&s->jobs);
	if (s->is_running || !node)
		return;
	list_remove(node);
	s->is_running = true;
	job_queue(list_entry(node, struct job, link));
}

int work_serial_submit(struct work_serial *s, work_fn fn, work_done_fn done, void *arg)
{
	if (s->is_closing)
		return ST_CANCELLED;
	if (s->count >= s->max) {
		s->refused_count++;
		return ST_FULL;
	}
	struct job *j = job_new(s->name, fn, done, arg);
	if (!j)
		return ST_NOMEM;
	j->serial = s;
	s->count++;
	list_push(&s->jobs, &j->link);
	serial_next(s);
	return ST_OK;
}

void work_serial_close(struct work_serial *s)
{
	if (!s || s->is_closing)
		return;
	if (!s->count) {
		mem_unref(s);
		return;
	}
	if (loop_depth()) {
		/* libuv's loop cannot be run from inside one of its callbacks: the last job frees the queue. */
		s->is_closing = true;
		return;
	}
	while (s->count)
		uv_run(loop_uv(), UV_RUN_ONCE);
	mem_unref(s);
}

void work_queues_each(
    void (*fn)(const char *name, size_t job_count, size_t max_jobs, uint64_t refused_count, void *arg), void *arg)
{
	struct lnode *it, *tmp;
	size_t plain_count = 0;
	list_each (&serials, it, tmp) {
		struct work_serial *s = list_entry(it, struct work_serial, link);
		fn(s->name, s->count, s->max, s->refused_count, arg);
	}
	list_each (&live_jobs, it, tmp)
		plain_count += !list_entry(it, struct job, link)->serial;
	fn("workers", plain_count, 0, 0, arg);
}

void work_fini(void)
{
	struct lnode *it, *tmp;
	is_ending = true;
	list_each (&live_jobs, it, tmp) {
		struct job *j = list_entry(it, struct job, link);
		if (!j->serial)
			pool_cancel(&j->pool);
	}
	while (!list_empty(&live_jobs))
		uv_run(loop_uv(), UV_RUN_ONCE);
	pool_fini();
	is_ending = false;
}
