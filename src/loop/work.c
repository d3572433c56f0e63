/* Jobs for the worker threads (pool.c). A plain job goes straight to the pool; a serial queue has at most one of its
 * jobs there and sends the next when that one's completion reaches the loop. loop_fini cancels plain jobs that have not
 * begun and waits for all others, serial queues included. Once work_end was called such a wait is given up when no job
 * ends any more: the disk, peer or child that a job waits for is not ours to repair. */
#include "loop/work.h"
#include "base/check.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "loop/loop_i.h"
#include "loop/pool_i.h"

#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <uv.h>

enum { SLOW_WAITING_MAX = 4096, LOOK_MS = 50, LEFT_TOLD_MAX = 8 };
static const uint64_t patience_slow_ns = 1000000000, patience_data_ns = 3000000000, end_max_ns = 10000000000;

struct job {
	struct pool_job pool; /* first */
	struct lnode link;    /* in live_jobs, or in the serial queue's jobs while it waits */
	work_fn fn;
	work_done_fn done;
	void *arg;
	const char *name;
	struct work_serial *serial;
};
_Static_assert(offsetof(struct job, pool) == 0, "a pool job is its job");

struct work_serial {
	struct lnode link;
	const char *name;
	enum work_kind kind;
	struct list jobs;  /* waiting */
	size_t count, max; /* waiting and running */
	uint64_t refused_count;
	bool is_running, is_closing;
};

static struct list serials = {{&serials.head, &serials.head}};
static struct list live_jobs = {{&live_jobs.head, &live_jobs.head}};
static bool is_ending;
static struct {
	size_t count, refused;
} plain[WORK_KIND_COUNT];
static struct {
	int fd;                     /* -1: none yet */
	bool is_begun;              /* work_end */
	bool is_draining;           /* work_drain: slow work is not begun any more, but for closing */
	uint64_t begin_ns, last_ns; /* of the end; when a job ended last */
} end = {.fd = -1};

const char *work_kind_name(enum work_kind kind)
{
	static const char *const names[] = {"workers sound", "workers journal", "workers file", "workers config",
	    "workers net", "workers db", "workers process", "workers speech", "workers script", "workers module"};
	_Static_assert(sizeof(names) / sizeof(names[0]) == WORK_KIND_COUNT, "a name for each kind");
	return names[kind];
}

static bool is_data(enum work_kind kind)
{
	return (int)kind < WORK_SLOW_FIRST || kind == WORK_DB;
}

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
	end.last_ns = uv_hrtime();
	if (!s)
		plain[p->kind].count--;
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
	if (end.fd < 0)
		end.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	list_push(&live_jobs, &j->link);
	j->pool.run = job_run, j->pool.done = job_done;
	pool_submit(&j->pool);
}

static struct job *job_new(enum work_kind kind, const char *name, work_fn fn, work_done_fn done, void *arg)
{
	struct job *j = mem_zalloc(sizeof(*j));
	if (j)
		j->fn = fn, j->done = done, j->arg = arg, j->name = name, j->pool.kind = kind;
	return j;
}

int work_submit(enum work_kind kind, const char *name, work_fn fn, work_done_fn done, void *arg)
{
	if (is_ending || (end.is_draining && (int)kind >= WORK_SLOW_FIRST && done))
		return ST_CANCELLED;
	if ((int)kind >= WORK_SLOW_FIRST && done && plain[kind].count >= SLOW_WAITING_MAX) {
		plain[kind].refused++;
		return ST_FULL;
	}
	struct job *j = job_new(kind, name, fn, done, arg);
	if (!j)
		return ST_NOMEM;
	plain[kind].count++;
	job_queue(j);
	return ST_OK;
}

static void serial_free(void *obj)
{
	struct work_serial *s = obj;
	list_remove(&s->link);
}

int work_serial_new(struct work_serial **out, enum work_kind kind, const char *name, size_t max_jobs)
{
	struct work_serial *s = mem_new(sizeof(*s), serial_free, "loop.work_serial");
	if (!s)
		return ST_NOMEM;
	s->name = name, s->max = max_jobs, s->kind = kind;
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
	struct job *j = job_new(s->kind, s->name, fn, done, arg);
	if (!j)
		return ST_NOMEM;
	j->serial = s;
	s->count++;
	list_push(&s->jobs, &j->link);
	serial_next(s);
	return ST_OK;
}

static void look(uv_timer_t *t) {}

static void look_closed(uv_handle_t *h)
{
	*(bool *)h->data = true;
}

/* Whether a wait for jobs of that kind, begun at from_ns, is to go on. */
static bool is_patient(bool has_data, uint64_t from_ns)
{
	uint64_t now_ns = uv_hrtime(), since_ns = end.last_ns > from_ns ? end.last_ns : from_ns;
	if (!end.is_begun)
		return true;
	return now_ns - since_ns < (has_data ? patience_data_ns : patience_slow_ns) &&
	       now_ns - end.begin_ns < end_max_ns;
}

static ON_CTL bool jobs_are_left(const struct work_serial *s)
{
	return s ? s->count > 0 : !list_empty(&live_jobs);
}

/* The same, until there are none or no patience for them. */
static ON_CTL void jobs_run(const struct work_serial *s)
{
	bool has_data = true;
	uint64_t from_ns = uv_hrtime();
	while (jobs_are_left(s) && is_patient(has_data, from_ns)) {
		struct lnode *it, *tmp;
		uv_run(loop_uv(), UV_RUN_ONCE);
		has_data = s && is_data(s->kind);
		list_each (&live_jobs, it, tmp)
			has_data |= !s && is_data(list_entry(it, struct job, link)->pool.kind);
	}
}

/* Runs the loop until there are no jobs (of the queue, if one is given); false: given up. */
static ON_CTL bool jobs_await(const struct work_serial *s)
{
	bool is_given_up;
	do {
		bool is_closed = false;
		uv_timer_t timer = {.data = &is_closed};
		uv_timer_init(loop_uv(), &timer);
		uv_timer_start(&timer, look, LOOK_MS, LOOK_MS); /* a stalled job wakes nobody */
		jobs_run(s);
		is_given_up = jobs_are_left(s);
		uv_close((uv_handle_t *)&timer, look_closed);
		while (!is_closed) /* the timer lies on this stack, and uv_run after a loop_stop does nothing once */
			uv_run(loop_uv(), UV_RUN_NOWAIT); /* what else is due may begin jobs */
	} while (!is_given_up && jobs_are_left(s));
	return !jobs_are_left(s);
}

void work_serial_close(struct work_serial *s)
{
	if (!s || s->is_closing)
		return;
	if (!s->count) {
		mem_unref(s);
		return;
	}
	if (!work_may_wait()) {
		/* libuv's loop cannot be run from inside one of its callbacks: the last job frees the queue. */
		s->is_closing = true;
		return;
	}
	if (work_serial_drain(s))
		mem_unref(s);
}

bool work_may_wait(void)
{
	return !loop_depth();
}

bool work_serial_drain(struct work_serial *s)
{
	mem_ref(s); /* the last job's end may close it */
	bool is_drained = !s || !s->count || jobs_await(s);
	if (!is_drained)
		log_error("jobs %s: given up, %zu are left", s->name, s->count);
	mem_unref(s);
	return is_drained;
}

void work_queues_each(
    void (*fn)(const char *name, size_t job_count, size_t max_jobs, uint64_t refused_count, void *arg), void *arg)
{
	struct lnode *it, *tmp;
	list_each (&serials, it, tmp) {
		struct work_serial *s = list_entry(it, struct work_serial, link);
		fn(s->name, s->count, s->max, s->refused_count, arg);
	}
	for (unsigned k = 0; k < WORK_KIND_COUNT; k++)
		fn(work_kind_name((enum work_kind)k), plain[k].count, k >= WORK_SLOW_FIRST ? SLOW_WAITING_MAX : 0,
		    plain[k].refused, arg);
}

void work_end(void)
{
	uint64_t one = 1;
	if (end.is_begun)
		return;
	end.is_begun = true;
	end.begin_ns = uv_hrtime();
	if (end.fd >= 0 && write(end.fd, &one, sizeof(one)) < 0)
		log_error("the workers cannot be told of the end");
}

int work_end_fd(void)
{
	return end.fd;
}

static ON_CTL void left_tell(void)
{
	struct lnode *it, *tmp;
	size_t count = 0;
	list_each (&live_jobs, it, tmp) {
		const struct job *j = list_entry(it, struct job, link);
		if (count++ == LEFT_TOLD_MAX)
			log_warning("more jobs have stalled");
		if (count > LEFT_TOLD_MAX)
			return;
		log_warning("%s: the job \"%s\" has stalled and is left behind", work_kind_name(j->pool.kind), j->name);
	}
}

/* Cancels plain jobs that have not begun: all, or the slow ones that somebody waits for. */
static ON_CTL void plain_cancel(bool is_all)
{
	struct lnode *it, *tmp;
	list_each (&live_jobs, it, tmp) {
		struct job *j = list_entry(it, struct job, link);
		if (!j->serial && (is_all || ((int)j->pool.kind >= WORK_SLOW_FIRST && j->done)))
			pool_cancel(&j->pool);
	}
	pool_sweep();
}

bool work_drain(void)
{
	end.is_draining = true;
	plain_cancel(false);
	bool is_drained = jobs_await(NULL);
	if (!is_drained)
		left_tell();
	return is_drained;
}

void work_fini(void)
{
	is_ending = true;
	plain_cancel(true);
	if (jobs_await(NULL))
		pool_fini();
	else
		left_tell();
	if (end.fd >= 0 && list_empty(&live_jobs))
		close(end.fd), end.fd = -1;
	end.is_begun = end.is_draining = false;
	is_ending = false;
}
