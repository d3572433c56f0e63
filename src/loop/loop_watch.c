/* The slow-handler watch. Entering and leaving cost one clock reading each. CPU time and voluntary context switches are
 * read once per iteration (and again when a millisecond has passed), by the first handler after the loop slept. A
 * handler is slow when it used over 10 ms of CPU, or took over 10 ms and gave the CPU away itself, that is, it blocked:
 * a machine that merely had no CPU for us raises no alarm. A nested slow handler is reported once, by its own name. */
#include "base/check.h"
#include "base/log.h"
#include "loop/loop.h"
#include "loop/loop_i.h"

#include <stdatomic.h>
#include <sys/resource.h>
#include <time.h>

enum { DEPTH_MAX = 32, SLOW_NS = 10 * 1000 * 1000, SAMPLE_NS = 1000 * 1000 };

struct frame {
	const char *name;
	int64_t start_ns;
	int64_t reported_ns; /* of nested handlers, already told */
};

static _Thread_local struct {
	unsigned depth;
	bool is_fresh;
	int64_t wall_ns, cpu_ns; /* at the sample */
	long switch_count;
	struct frame frames[DEPTH_MAX];
} watch;

static _Atomic uint64_t slow_count;
static _Atomic int64_t longest_us;
static _Atomic(const char *) longest_name;

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

static void note_longest(const char *name, int64_t us)
{
	if (us <= atomic_load_explicit(&longest_us, memory_order_relaxed))
		return;
	atomic_store_explicit(&longest_us, us, memory_order_relaxed);
	atomic_store_explicit(&longest_name, name, memory_order_relaxed);
}

void loop_leave(void)
{
	int64_t now_ns = read_ns(CLOCK_MONOTONIC);
	CHECK(watch.depth > 0);
	struct frame *f = &watch.frames[--watch.depth];
	int64_t took_ns = now_ns - f->start_ns - f->reported_ns, told_ns = f->reported_ns;
	if (took_ns <= SLOW_NS) {
		note_longest(f->name, took_ns / 1000);
	} else if (is_really_slow(f)) {
		atomic_fetch_add(&slow_count, 1);
		note_longest(f->name, took_ns / 1000);
		log_warning("slow handler %s took %lld ms", f->name, (long long)(took_ns / 1000000));
		told_ns += took_ns;
		watch.is_fresh = false;
	}
	if (watch.depth)
		watch.frames[watch.depth - 1].reported_ns += told_ns;
}

void loop_watch_stats(struct loop_stats *out)
{
	out->slow_count = atomic_load(&slow_count);
	out->longest_us = atomic_load(&longest_us);
	out->longest_name = atomic_load(&longest_name);
}
