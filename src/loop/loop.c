/* The control loop over libuv. One iteration: [prepare: deferred calls, due timers, deferred calls, arm the one uv
 * timer for the head of the heap] -> poll (callbacks of descriptors) -> [check: deferred calls]. Deferred calls
 * therefore run after the current callback and before the loop can sleep. Both kinds are bounded per pass so that
 * descriptors are never starved. The slow-handler watch is in loop_watch.c, coroutines in co.c, workers in work.c. */
#include "loop/loop.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/loop_i.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { TIMERS_PER_PASS = 512, DEFERS_PER_PASS = 8192, LATENESS_COUNT = 1024, HEAP_FIRST = 64 };

/* The key is beside the pointer, so that sifting does not touch the timers. seq keeps equal deadlines in order. */
struct heap_entry {
	int64_t due_us;
	uint64_t seq;
	struct ltimer *timer;
};

struct lpoll {
	uv_poll_t uv;
	lpoll_fn fn;
	void *arg;
	const char *name;
	int events;
	bool is_closed;
	loop_fn fini_fn;
	void *fini_arg;
	struct lnode link;
};

struct lsignal {
	uv_signal_t uv;
	void (*fn)(int signum, void *arg);
	void *arg;
};

static struct {
	bool is_open;
	uv_loop_t uv;
	uv_timer_t timer;
	uv_prepare_t prepare;
	uv_check_t check;
	uv_idle_t idle;          /* runs while deferred calls are left over: the loop does not sleep then */
	struct heap_entry *heap; /* 1-based, 4-ary: children of i are 4i-2 .. 4i+1 */
	size_t heap_count, heap_cap;
	uint64_t next_seq;
	int64_t armed_us;
	int64_t now_us;
	int64_t busy_us, prepare_us, slept_us; /* of the last iteration; when it began, and all sleep until then */
	struct list defers;
	struct list polls;
	int32_t lateness_us[LATENESS_COUNT];
	size_t lateness_next, lateness_count;
	uint64_t iteration_count;
	uint64_t handler_count; /* timers and deferred calls run */
	bool is_once;           /* in loop_run_once */
	struct lsignal *signals[64];
} loop;

static inline bool is_before(const struct heap_entry *a, const struct heap_entry *b)
{
	return a->due_us < b->due_us || (a->due_us == b->due_us && a->seq < b->seq);
}

static inline void heap_put(size_t i, struct heap_entry e)
{
	loop.heap[i] = e;
	e.timer->heap_index = i;
}

static void sift_up(size_t i, struct heap_entry e)
{
	while (i > 1) {
		size_t parent = (i + 2) / 4;
		if (!is_before(&e, &loop.heap[parent]))
			break;
		heap_put(i, loop.heap[parent]);
		i = parent;
	}
	heap_put(i, e);
}

static void sift_down(size_t i, struct heap_entry e)
{
	for (;;) {
		size_t first = 4 * i - 2, last = first + 3, best = 0;
		if (last > loop.heap_count)
			last = loop.heap_count;
		for (size_t k = first; k <= last; k++) {
			if (!best || is_before(&loop.heap[k], &loop.heap[best]))
				best = k;
		}
		if (!best || !is_before(&loop.heap[best], &e))
			break;
		heap_put(i, loop.heap[best]);
		i = best;
	}
	heap_put(i, e);
}

static void heap_remove(size_t i)
{
	loop.heap[i].timer->heap_index = 0;
	struct heap_entry moved = loop.heap[loop.heap_count--];
	if (i > loop.heap_count)
		return;
	if (i > 1 && is_before(&moved, &loop.heap[(i + 2) / 4]))
		sift_up(i, moved);
	else
		sift_down(i, moved);
}

static void heap_reserve(void)
{
	if (loop.heap_count + 2 <= loop.heap_cap)
		return;
	size_t cap = loop.heap_cap ? loop.heap_cap * 2 : HEAP_FIRST;
	/* malloc: a timer cannot fail to be set, also not inside an out-of-memory test. */
	struct heap_entry *heap = realloc(loop.heap, cap * sizeof(*heap));
	CHECK(heap);
	loop.heap = heap, loop.heap_cap = cap;
}

void loop_timer_set(struct ltimer *t, int64_t delay_us, const char *name, loop_fn fn, void *arg)
{
	DCHECK(loop.is_open && fn);
	if (t->heap_index)
		heap_remove(t->heap_index);
	t->due_us = clock_mono_us() + (delay_us <= 0 ? 0 : delay_us < CLOCK_US_MAX ? delay_us : CLOCK_US_MAX);
	t->fn = fn, t->arg = arg, t->name = name;
	heap_reserve();
	sift_up(++loop.heap_count, (struct heap_entry){t->due_us, loop.next_seq++, t});
}

void loop_timer_cancel(struct ltimer *t)
{
	if (t->heap_index && loop.is_open)
		heap_remove(t->heap_index);
	t->heap_index = 0;
}

bool loop_timer_is_set(const struct ltimer *t)
{
	return t->heap_index != 0;
}

static ON_CTL void lateness_note(const char *name, int64_t us)
{
	loop_watch_late(name, us);
	loop.lateness_us[loop.lateness_next] = us > INT32_MAX ? INT32_MAX : (int32_t)us;
	loop.lateness_next = (loop.lateness_next + 1) % LATENESS_COUNT;
	if (loop.lateness_count < LATENESS_COUNT)
		loop.lateness_count++;
}

/* Runs what is due, at most TIMERS_PER_PASS; what a callback arms now waits for the next pass. */
static ON_CTL void timers_run(void)
{
	uint64_t seq_end = loop.next_seq;
	int64_t now_us = loop.now_us = clock_mono_us();
	for (int n = 0; n < TIMERS_PER_PASS && loop.heap_count; n++) {
		struct heap_entry e = loop.heap[1];
		if (e.due_us > now_us || e.seq >= seq_end)
			return;
		heap_remove(1);
		struct ltimer *t = e.timer;
		lateness_note(t->name, now_us - e.due_us);
		loop.handler_count++;
		loop_enter(t->name);
		t->fn(t->arg); /* t may be gone after this */
		loop_leave();
	}
}

static void idle_cb(uv_idle_t *h) {}

static void defers_run(void)
{
	int n = 0;
	struct lnode *node;
	while ((node = list_first(&loop.defers)) && n++ < DEFERS_PER_PASS) {
		struct ldefer *d = list_entry(node, struct ldefer, link);
		list_remove(node);
		loop.handler_count++;
		loop_enter(d->name);
		d->fn(d->arg);
		loop_leave();
	}
	if (!list_empty(&loop.defers))
		uv_idle_start(&loop.idle, idle_cb);
	else
		uv_idle_stop(&loop.idle);
}

void loop_defer(struct ldefer *d, const char *name, loop_fn fn, void *arg)
{
	DCHECK(loop.is_open);
	d->fn = fn, d->arg = arg, d->name = name;
	if (!lnode_is_linked(&d->link))
		list_push(&loop.defers, &d->link);
}

void loop_defer_cancel(struct ldefer *d)
{
	list_remove(&d->link);
}

static void timer_cb(uv_timer_t *h)
{
	role_assert_ctl();
	loop.armed_us = 0;
	timers_run();
}

/* libuv's timers have milliseconds: rounded up, so that a timer is never early. */
static void timer_arm(void)
{
	if (!loop.heap_count) {
		if (loop.armed_us)
			uv_timer_stop(&loop.timer);
		loop.armed_us = 0;
		return;
	}
	int64_t due_us = loop.heap[1].due_us, now_us = clock_mono_us();
	if (due_us == loop.armed_us && due_us > now_us)
		return;
	uv_update_time(&loop.uv);
	uv_timer_start(&loop.timer, timer_cb, due_us > now_us ? (uint64_t)(due_us - now_us + 999) / 1000 : 0, 0);
	loop.armed_us = due_us;
}

static ON_CTL void busy_note(void)
{
	int64_t now_us = clock_mono_us(), slept_us = (int64_t)(uv_metrics_idle_time(&loop.uv) / 1000);
	loop.busy_us = now_us - loop.prepare_us - (slept_us - loop.slept_us);
	loop.prepare_us = now_us;
	loop.slept_us = slept_us;
}

int64_t loop_busy_us(void)
{
	return loop.busy_us;
}

static void prepare_cb(uv_prepare_t *h)
{
	role_assert_ctl();
	uint64_t was = loop.handler_count;
	busy_note();
	loop.iteration_count++;
	defers_run();
	timers_run();
	defers_run();
	timer_arm();
	if (loop.is_once && loop.handler_count != was)
		uv_idle_start(&loop.idle, idle_cb); /* something ran: this iteration does not sleep any more */
	loop_watch_stale();
}

static void check_cb(uv_check_t *h)
{
	loop.now_us = clock_mono_us();
	defers_run();
}

int loop_init(void)
{
	CHECK(!loop.is_open);
	memset(&loop, 0, sizeof(loop));
	role_set(ROLE_CTL);
	role_assert_ctl();
	if (uv_loop_init(&loop.uv))
		return ST_IO;
	uv_loop_configure(&loop.uv, UV_METRICS_IDLE_TIME);
	loop.prepare_us = clock_mono_us();
	loop_watch_reset();
	list_init(&loop.defers);
	list_init(&loop.polls);
	uv_timer_init(&loop.uv, &loop.timer);
	uv_idle_init(&loop.uv, &loop.idle);
	uv_prepare_init(&loop.uv, &loop.prepare);
	uv_check_init(&loop.uv, &loop.check);
	uv_prepare_start(&loop.prepare, prepare_cb);
	uv_check_start(&loop.check, check_cb);
	loop.now_us = clock_mono_us();
	loop.is_open = true;
	return ST_OK;
}

void loop_run(void)
{
	DCHECK(!loop_depth()); /* libuv's loop cannot run inside one of its callbacks */
	loop.now_us = clock_mono_us();
	uv_run(&loop.uv, UV_RUN_DEFAULT);
}

void loop_run_once(void)
{
	DCHECK(!loop_depth());
	/* Under the fake clock the time of the next timer comes only when the test says so. */
	loop.is_once = true;
	uv_run(&loop.uv, clock_is_fake() ? UV_RUN_NOWAIT : UV_RUN_ONCE);
	loop.is_once = false;
}

void loop_run_nowait(void)
{
	DCHECK(!loop_depth());
	uv_run(&loop.uv, UV_RUN_NOWAIT);
}

void loop_stop(void)
{
	uv_stop(&loop.uv);
}

struct uv_loop_s *loop_uv(void)
{
	return &loop.uv;
}

int64_t loop_now_us(void)
{
	return clock_is_fake() ? clock_mono_us() : loop.now_us;
}

static void poll_closed(uv_handle_t *h)
{
	mem_unref(h->data);
}

static void poll_cb(uv_poll_t *h, int status, int uv_events)
{
	struct lpoll *p = h->data;
	int events = 0;
	if (status < 0) {
		/* libuv stops the handle on POLLERR. The owner learns the error from its next read or write. */
		events = LOOP_READ | LOOP_WRITE;
	} else {
		events = (uv_events & (UV_READABLE | UV_DISCONNECT) ? LOOP_READ : 0) |
		         (uv_events & UV_WRITABLE ? LOOP_WRITE : 0);
	}
	mem_ref(p);
	loop_enter(p->name);
	p->fn(events, p->arg);
	loop_leave();
	if (status < 0 && !p->is_closed && p->events)
		uv_poll_start(&p->uv, p->events, poll_cb);
	mem_unref(p);
}

int loop_poll_open(struct lpoll **out, int fd, const char *name, lpoll_fn fn, void *arg)
{
	struct lpoll *p = mem_new(sizeof(*p), NULL, "loop.poll");
	if (!p)
		return ST_NOMEM;
	int rc = uv_poll_init(&loop.uv, &p->uv, fd);
	if (rc) {
		log_error("poll %s: %s", name, uv_strerror(rc));
		mem_unref(p);
		return ST_IO;
	}
	p->uv.data = p;
	p->fn = fn, p->arg = arg, p->name = name;
	list_push(&loop.polls, &p->link);
	*out = p;
	return ST_OK;
}

int loop_poll_set(struct lpoll *p, int events)
{
	_Static_assert((int)LOOP_READ == (int)UV_READABLE && (int)LOOP_WRITE == (int)UV_WRITABLE, "same bits");
	if (p->is_closed)
		return ST_INVAL;
	if (p->events == events)
		return ST_OK;
	int rc = events ? uv_poll_start(&p->uv, events, poll_cb) : uv_poll_stop(&p->uv);
	if (rc)
		return ST_IO;
	p->events = events;
	return ST_OK;
}

void loop_poll_close(struct lpoll *p)
{
	if (!p || p->is_closed)
		return;
	p->is_closed = true;
	list_remove(&p->link);
	uv_poll_stop(&p->uv); /* takes the descriptor out of epoll at once: the caller may close it */
	uv_close((uv_handle_t *)&p->uv, poll_closed);
}

void loop_poll_on_fini(struct lpoll *p, loop_fn fn, void *arg)
{
	p->fini_fn = fn, p->fini_arg = arg;
}

static void signal_cb(uv_signal_t *h, int signum)
{
	struct lsignal *s = h->data;
	loop_enter("signal");
	s->fn(signum, s->arg);
	loop_leave();
}

static void signal_closed(uv_handle_t *h)
{
	mem_unref(h->data);
}

int loop_signal(int signum, void (*fn)(int signum, void *arg), void *arg)
{
	if (signum <= 0 || signum >= (int)ARRAY_COUNT(loop.signals))
		return ST_INVAL;
	struct lsignal *s = loop.signals[signum];
	if (!s) {
		s = mem_new(sizeof(*s), NULL, "loop.signal");
		if (!s)
			return ST_NOMEM;
		uv_signal_init(&loop.uv, &s->uv);
		s->uv.data = s;
		if (uv_signal_start(&s->uv, signal_cb, signum)) {
			uv_close((uv_handle_t *)&s->uv, signal_closed);
			return ST_IO;
		}
		uv_unref((uv_handle_t *)&s->uv);
		loop.signals[signum] = s;
	}
	s->fn = fn, s->arg = arg;
	return ST_OK;
}

static int compare_i32(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
	return (x > y) - (x < y);
}

void loop_stats_get(struct loop_stats *out)
{
	int32_t sorted[LATENESS_COUNT];
	memset(out, 0, sizeof(*out));
	loop_watch_stats(out);
	out->iteration_count = loop.iteration_count;
	if (!loop.lateness_count)
		return;
	memcpy(sorted, loop.lateness_us, loop.lateness_count * sizeof(sorted[0]));
	qsort(sorted, loop.lateness_count, sizeof(sorted[0]), compare_i32);
	out->lateness_us_p99 = sorted[(loop.lateness_count - 1) * 99 / 100];
}

static void count_forgotten(uv_handle_t *h, void *arg)
{
	if (uv_is_closing(h))
		return;
	(*(size_t *)arg)++;
	fprintf(stderr, "a libuv handle (%s) is still open at loop_fini\n", uv_handle_type_name(h->type));
}

static void close_forgotten(uv_handle_t *h, void *arg)
{
	if (!uv_is_closing(h))
		uv_close(h, NULL);
}

void loop_fini(void)
{
	struct lnode *it, *tmp;
	size_t forgotten_count = 0;
	if (!loop.is_open)
		return;
	work_fini();
	for (size_t i = 0; i < ARRAY_COUNT(loop.signals); i++) {
		if (loop.signals[i])
			uv_close((uv_handle_t *)&loop.signals[i]->uv, signal_closed);
	}
	uv_close((uv_handle_t *)&loop.timer, NULL);
	uv_close((uv_handle_t *)&loop.prepare, NULL);
	uv_close((uv_handle_t *)&loop.check, NULL);
	uv_close((uv_handle_t *)&loop.idle, NULL);
	list_each (&loop.polls, it, tmp) {
		struct lpoll *p = list_entry(it, struct lpoll, link);
		if (p->fini_fn) {
			p->fini_fn(p->fini_arg);
			continue;
		}
		fprintf(stderr, "descriptor watch \"%s\" is still open at loop_fini\n", p->name);
		forgotten_count++;
		loop_poll_close(p);
	}
	uv_walk(&loop.uv, count_forgotten, &forgotten_count);
	DCHECK(!forgotten_count);
	uv_walk(&loop.uv, close_forgotten, NULL);
	while (uv_run(&loop.uv, UV_RUN_NOWAIT))
		;
	int rc = uv_loop_close(&loop.uv);
	DCHECK(rc == 0);
	(void)rc;
	co_fini();
	free(loop.heap);
	loop.heap = NULL;
	loop.is_open = false;
}
