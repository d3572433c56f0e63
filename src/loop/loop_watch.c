/* The slow-handler watch. Entering and leaving cost one clock reading each. CPU time and context switches are read once
 * per iteration (and again when a millisecond has passed), by the first handler after the loop slept. A handler is slow
 * when it used over 10 ms of CPU, or took over 10 ms and gave the CPU away itself, that is, it blocked: a machine that
 * merely had no CPU for us raises no alarm. Giving the CPU away is not yet blocking: a page fault that meets another
 * thread's mmap sleeps for microseconds, counts as given away, and on a full machine the thread then waits long for a
 * CPU. So the kernel's own count of that wait (schedstat) is taken off what the handler took. A nested slow handler is
 * reported once, by its own name; the line tells what the kernel says of the time and between which marks it passed.
 * What control's handlers took, and how late its timers were, is added up by name in an open-addressing table keyed by
 * the name's address; the text is copied, as the module it lies in may go. */
#include "base/check.h"
#include "base/log.h"
#include "base/str.h"
#include "loop/loop.h"
#include "loop/loop_i.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { MARKS_COUNT = 64 /* a power of two */, MARKS_TOLD = 8, RUN_DELAY_NS = 20 * 1000 * 1000 };
enum { DEPTH_MAX = 32, SLOW_NS = 10 * 1000 * 1000, SAMPLE_NS = 1000 * 1000, NAMES_MAX = 512, NAME_CHARS = 40 };
const double loop_steps_s[LOOP_STEPS_COUNT] = {
    0.0005, 0.001, 0.0015, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1};

struct frame {
	const char *name;
	int64_t start_ns;
	int64_t reported_ns; /* of nested handlers, already told */
	int64_t nested_ns;   /* of all nested handlers */
};

struct mark {
	const char *name; /* NULL: back in the handler around */
	int64_t at_ns;
};

static _Thread_local struct {
	unsigned depth;
	bool is_fresh, is_delay_stale;
	int64_t wall_ns, cpu_ns; /* at the sample */
	struct rusage usage;
	int delay_fd;                  /* 0: not opened yet, -1: there is none */
	int64_t delay_ns, delay_at_ns; /* how long the thread has waited for a CPU; when that was read */
	struct frame frames[DEPTH_MAX];
	unsigned mark_next;
	struct mark marks[MARKS_COUNT];
} watch;

struct named {
	const char *key; /* NULL = free */
	char name[NAME_CHARS];
	uint64_t run_count, slow_count, timer_count;
	int64_t total_ns, longest_ns, late_total_us, late_longest_us;
};
/* Control's. */
static struct named named[NAMES_MAX], others = {.name = "other"};
static size_t named_count;
static struct loop_histogram lateness;

static inline int64_t read_ns(clockid_t id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* "nanoseconds run, nanoseconds waited in the run queue, slices"; 0 where the kernel does not count it. */
static int64_t run_delay_ns(void)
{
	char text[80], *end;
	if (!watch.delay_fd)
		watch.delay_fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
	ssize_t n = watch.delay_fd > 0 ? pread(watch.delay_fd, text, sizeof(text) - 1, 0) : -1;
	if (n <= 0)
		return 0;
	text[n] = 0;
	strtoll(text, &end, 10);
	return strtoll(end, NULL, 10);
}

static void sample(int64_t now_ns)
{
	watch.wall_ns = now_ns;
	watch.cpu_ns = read_ns(CLOCK_THREAD_CPUTIME_ID);
	getrusage(RUSAGE_THREAD, &watch.usage);
	if (watch.is_delay_stale || now_ns - watch.delay_at_ns > RUN_DELAY_NS) {
		watch.is_delay_stale = false;
		watch.delay_ns = run_delay_ns();
		watch.delay_at_ns = now_ns;
	}
	watch.is_fresh = true;
}

static void mark_put(const char *name, int64_t now_ns)
{
	watch.marks[watch.mark_next++ % MARKS_COUNT] = (struct mark){name, now_ns};
}

void loop_mark(const char *name)
{
	if (watch.depth)
		mark_put(name, read_ns(CLOCK_MONOTONIC));
}

unsigned loop_depth(void)
{
	return watch.depth;
}

void loop_watch_stale(void)
{
	watch.is_fresh = false;
}

void loop_enter(const char *name)
{
	int64_t now_ns = read_ns(CLOCK_MONOTONIC);
	CHECK(watch.depth < DEPTH_MAX);
	if (!watch.depth && (!watch.is_fresh || now_ns - watch.wall_ns > SAMPLE_NS))
		sample(now_ns);
	watch.frames[watch.depth++] = (struct frame){name, now_ns, 0};
	mark_put(name, now_ns);
}

/* What the kernel says of a handler's time. */
struct account {
	int64_t took_ns, cpu_ns, delay_ns; /* both at least */
	struct rusage now;
};

/* What the handler itself used, or waited, cannot be less than all since the sample less the time before it began. */
static void account_make(struct account *a, const struct frame *f, int64_t took_ns)
{
	int64_t delay_ns = run_delay_ns() - watch.delay_ns - (f->start_ns - watch.delay_at_ns);
	a->took_ns = took_ns;
	a->cpu_ns = read_ns(CLOCK_THREAD_CPUTIME_ID) - watch.cpu_ns - (f->start_ns - watch.wall_ns);
	a->delay_ns = delay_ns < 0 || watch.delay_fd <= 0 ? 0 : delay_ns;
	getrusage(RUSAGE_THREAD, &a->now);
}

static bool is_really_slow(const struct account *a, const struct frame *f)
{
	if (a->cpu_ns - f->reported_ns > SLOW_NS)
		return true;
	return a->now.ru_nvcsw != watch.usage.ru_nvcsw && a->took_ns - a->delay_ns > SLOW_NS;
}

/* The longest of what lay between the marks of the handler, in their order. */
static void marks_tell(const struct frame *f, int64_t end_ns, struct buf *out)
{
	const int64_t least_ns = (end_ns - f->start_ns) / 100;
	unsigned first = watch.mark_next > MARKS_COUNT ? watch.mark_next - MARKS_COUNT : 0, told = 0;
	for (unsigned i = first; i < watch.mark_next && told < MARKS_TOLD; i++) {
		const struct mark *m = &watch.marks[i % MARKS_COUNT];
		int64_t to_ns = i + 1 < watch.mark_next ? watch.marks[(i + 1) % MARKS_COUNT].at_ns : end_ns;
		if (m->at_ns < f->start_ns || to_ns - m->at_ns < least_ns)
			continue;
		buf_printf(out, "%s%s %.1f", told++ ? ", " : "", m->name ? m->name : "(back)",
		    (double)(to_ns - m->at_ns) / 1e6);
	}
	if (watch.mark_next > MARKS_COUNT && watch.marks[first % MARKS_COUNT].at_ns > f->start_ns)
		buf_printf(
		    out, "; before these %.1f", (double)(watch.marks[first % MARKS_COUNT].at_ns - f->start_ns) / 1e6);
}

static void slow_tell(const struct account *a, const struct frame *f, int64_t end_ns)
{
	const struct rusage *was = &watch.usage, *now = &a->now;
	struct buf marks;
	buf_init(&marks);
	marks_tell(f, end_ns, &marks);
	log_warning(
	    "slow handler %s took %lld ms (CPU %.1f, waited for a CPU %.1f; gave it away %ld times, lost it %ld; "
	    "%ld pages mapped, %ld from disk); ms after each mark: %s",
	    f->name, (long long)(a->took_ns / 1000000), (double)(a->cpu_ns > 0 ? a->cpu_ns : 0) / 1e6,
	    (double)a->delay_ns / 1e6, now->ru_nvcsw - was->ru_nvcsw, now->ru_nivcsw - was->ru_nivcsw,
	    now->ru_minflt - was->ru_minflt, now->ru_majflt - was->ru_majflt, marks.p ? marks.p : "");
	buf_fini(&marks);
}

static struct named *named_find(const char *name)
{
	size_t i = ((uintptr_t)name * 0x9e3779b97f4a7c15u) >> 55;
	for (; named[i].key; i = (i + 1) % NAMES_MAX)
		if (named[i].key == name)
			return &named[i];
	if (named_count >= NAMES_MAX / 4 * 3)
		return &others;
	named_count++;
	named[i].key = name;
	snprintf(named[i].name, sizeof(named[i].name), "%s", name ? name : "");
	return &named[i];
}

static void run_note(const char *name, int64_t ns, bool is_slow)
{
	if (role_get() != ROLE_CTL)
		return;
	struct named *h = named_find(name);
	h->run_count++;
	h->slow_count += is_slow;
	h->total_ns += ns;
	if (ns > h->longest_ns)
		h->longest_ns = ns;
}

void loop_watch_late(const char *name, int64_t us)
{
	struct named *h = named_find(name);
	double s = (double)us / 1e6;
	size_t step = 0;
	while (step < LOOP_STEPS_COUNT && s > loop_steps_s[step])
		step++;
	lateness.counts[step]++;
	lateness.sum_s += s;
	h->timer_count++;
	h->late_total_us += us;
	if (us > h->late_longest_us)
		h->late_longest_us = us;
}

void loop_leave(void)
{
	int64_t now_ns = read_ns(CLOCK_MONOTONIC);
	CHECK(watch.depth > 0);
	struct frame *f = &watch.frames[--watch.depth];
	int64_t all_ns = now_ns - f->start_ns, took_ns = all_ns - f->reported_ns, told_ns = f->reported_ns;
	bool is_slow = false;
	if (took_ns > SLOW_NS) {
		struct account a;
		account_make(&a, f, took_ns);
		is_slow = is_really_slow(&a, f);
		if (is_slow)
			slow_tell(&a, f, now_ns);
		watch.is_delay_stale = true; /* not now: the handlers around this one count from the old reading */
		watch.is_fresh = false;
	}
	mark_put(NULL, now_ns);
	run_note(f->name, all_ns - f->nested_ns, is_slow);
	if (is_slow) {
		told_ns += took_ns;
	}
	if (watch.depth) {
		watch.frames[watch.depth - 1].reported_ns += told_ns;
		watch.frames[watch.depth - 1].nested_ns += all_ns;
	}
}

void loop_watch_reset(void)
{
	memset(named, 0, sizeof(named));
	memset(&lateness, 0, sizeof(lateness));
	others = (struct named){.name = "other"};
	named_count = 0;
}

void loop_watch_stats(struct loop_stats *out)
{
	int64_t longest_ns = -1;
	for (size_t i = 0; i <= NAMES_MAX; i++) {
		const struct named *h = i < NAMES_MAX ? &named[i] : &others;
		out->slow_count += h->slow_count;
		if (!h->run_count || h->longest_ns <= longest_ns)
			continue;
		longest_ns = h->longest_ns;
		out->longest_us = longest_ns / 1000;
		out->longest_name = h->name;
	}
	out->lateness = lateness;
}

static bool is_repeated(size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (named[j].key && !strcmp(named[j].name, named[i].name))
			return true;
	return false;
}

/* Equal texts at different addresses are one handler. */
static struct named named_sum(size_t i)
{
	struct named sum = named[i];
	for (size_t j = i + 1; j < NAMES_MAX; j++) {
		const struct named *h = &named[j];
		if (!h->key || strcmp(h->name, sum.name))
			continue;
		sum.run_count += h->run_count, sum.slow_count += h->slow_count;
		sum.timer_count += h->timer_count, sum.late_total_us += h->late_total_us;
		sum.total_ns += h->total_ns;
		sum.longest_ns = h->longest_ns > sum.longest_ns ? h->longest_ns : sum.longest_ns;
		sum.late_longest_us =
		    h->late_longest_us > sum.late_longest_us ? h->late_longest_us : sum.late_longest_us;
	}
	return sum;
}

void loop_handlers_each(void (*fn)(const struct loop_handler *h, void *arg), void *arg)
{
	for (size_t i = 0; i <= NAMES_MAX; i++) {
		if (i < NAMES_MAX && (!named[i].key || is_repeated(i)))
			continue;
		struct named h = i < NAMES_MAX ? named_sum(i) : others;
		struct loop_handler row = {h.name, h.run_count, h.slow_count, h.total_ns / 1000, h.longest_ns / 1000,
		    h.timer_count, h.late_total_us, h.late_longest_us};
		if (h.run_count || h.timer_count)
			fn(&row, arg);
	}
}
