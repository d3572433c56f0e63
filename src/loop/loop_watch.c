/* The slow-handler watch. Entering and leaving cost one clock reading each. CPU time and voluntary context switches are
 * read once per iteration (and again when a millisecond has passed), by the first handler after the loop slept. A
 * handler is slow when it used over 10 ms of CPU, or took over 10 ms and gave the CPU away itself, that is, it blocked:
 * a machine that merely had no CPU for us raises no alarm. A nested slow handler is reported once, by its own name.
 * What control's handlers took, and how late its timers were, is added up by name in an open-addressing table keyed by
 * the name's address; the text is copied, as the module it lies in may go. */
#include "base/check.h"
#include "base/log.h"
#include "loop/loop.h"
#include "loop/loop_i.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { DEPTH_MAX = 32, SLOW_NS = 10 * 1000 * 1000, SAMPLE_NS = 1000 * 1000, NAMES_MAX = 512, NAME_CHARS = 40 };
const double loop_steps_s[LOOP_STEPS_COUNT] = {
    0.0005, 0.001, 0.0015, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1};

struct frame {
	const char *name;
	int64_t start_ns;
	int64_t reported_ns; /* of nested handlers, already told */
	int64_t nested_ns;   /* of all nested handlers */
};

static _Thread_local struct {
	unsigned depth;
	bool is_fresh;
	int64_t wall_ns, cpu_ns; /* at the sample */
	long switch_count;
	struct frame frames[DEPTH_MAX];
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

static long switches_get(void)
{
	struct rusage u;
	getrusage(RUSAGE_THREAD, &u);
	return u.ru_nvcsw;
}

static void sample(int64_t now_ns)
{
	watch.wall_ns = now_ns;
	watch.cpu_ns = read_ns(CLOCK_THREAD_CPUTIME_ID);
	watch.switch_count = switches_get();
	watch.is_fresh = true;
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
}

/* What the handler itself used cannot be more than all since the sample less the time before it began. */
static bool is_really_slow(const struct frame *f)
{
	int64_t cpu_ns = read_ns(CLOCK_THREAD_CPUTIME_ID) - watch.cpu_ns - (f->start_ns - watch.wall_ns);
	return cpu_ns - f->reported_ns > SLOW_NS || switches_get() != watch.switch_count;
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
	bool is_slow = took_ns > SLOW_NS && is_really_slow(f);
	run_note(f->name, all_ns - f->nested_ns, is_slow);
	if (is_slow) {
		log_warning("slow handler %s took %lld ms", f->name, (long long)(took_ns / 1000000));
		told_ns += took_ns;
		watch.is_fresh = false;
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
