/* Metrics: the walk over several tables, the Prometheus text byte for byte, and that core's own table is filled. */
#include "base/lock.h"
#include "base/mem.h"
#include "base/role.h"
#include "core/registry/metrics.h"
#include "harness.h"

#include <pthread.h>
#include <string.h>

static void fill_plain(struct metric_out *out, int which)
{
	role_assert_ctl();
	metric_put(out, which, NULL);
}

static void fill_labelled(struct metric_out *out, int which)
{
	role_assert_ctl();
	metric_put(out, which + 0.5, "ring", "a\"b\\c\nd", "n", "1", NULL);
}

static void fill_histogram(struct metric_out *out, int which)
{
	static const double bounds[] = {0.5, 1};
	static const uint64_t counts[] = {2, 0, 3};
	struct metric_histogram h = {2, bounds, counts, 7.25};
	role_assert_ctl();
	metric_put_histogram(out, &h, "x", "y", NULL);
}

static const struct metric_desc first[] = {
    {"t_rings", METRIC_GAUGE, 0, "Rings.", fill_labelled, 1},
    {"t_things_total", METRIC_COUNTER, 0, "Things.", fill_plain, 7},
    {"t_clients", METRIC_GAUGE, METRIC_INSIDE, "Clients.", fill_plain, 9},
    {0},
};
static const struct metric_desc second[] = {
    {"t_rings", METRIC_GAUGE, 0, "Not shown.", fill_labelled, 2},
    {"t_took_seconds", METRIC_HISTOGRAM, 0, "Took.", fill_histogram, 0},
    {0},
};

static int test_text(void)
{
	static const char want[] = "# HELP t_rings Rings.\n# TYPE t_rings gauge\n"
	                           "t_rings{ring=\"a\\\"b\\\\c\\nd\",n=\"1\"} 1.5\n"
	                           "t_rings{ring=\"a\\\"b\\\\c\\nd\",n=\"1\"} 2.5\n"
	                           "# HELP t_things_total Things.\n# TYPE t_things_total counter\nt_things_total 7\n"
	                           "# HELP t_took_seconds Took.\n# TYPE t_took_seconds histogram\n"
	                           "t_took_seconds_bucket{x=\"y\",le=\"0.5\"} 2\n"
	                           "t_took_seconds_bucket{x=\"y\",le=\"1\"} 2\n"
	                           "t_took_seconds_bucket{x=\"y\",le=\"+Inf\"} 5\n"
	                           "t_took_seconds_sum{x=\"y\"} 7.25\nt_took_seconds_count{x=\"y\"} 5\n";
	struct buf out;
	role_set(ROLE_CTL);
	role_assert_ctl();
	buf_init(&out);
	EXPECT_INT(metrics_add(first), 0);
	EXPECT_INT(metrics_add(second), 0);
	metrics_render(&out);
	EXPECT_STR(out.p, want);
	metrics_del(first);
	buf_clear(&out);
	metrics_render(&out);
	EXPECT(strstr(out.p, "# HELP t_rings Not shown.\n") && !strstr(out.p, "t_things_total"));
	metrics_del(second);
	buf_clear(&out);
	metrics_render(&out);
	EXPECT_INT(out.n, 0);
	buf_fini(&out);
	return 0;
}

static void count_inside(const struct metric_sample *s, void *arg)
{
	if (!strcmp(s->metric->name, "t_clients") && s->value == 9)
		(*(int *)arg)++;
}

/* What the text leaves out the commands still get. */
static int test_inside(void)
{
	int seen = 0;
	role_set(ROLE_CTL);
	role_assert_ctl();
	EXPECT_INT(metrics_add(first), 0);
	metrics_each("t_cl", count_inside, &seen);
	EXPECT_INT(seen, 1);
	metrics_del(first);
	return 0;
}

static void see_room(const char *room, size_t live, size_t bytes, void *arg)
{
	if (!strcmp(room, "base"))
		*(size_t *)arg = bytes;
}

/* A block made by base's buffer counts for base, and is gone from there when it is freed. */
static int test_memory_by_room(void)
{
	size_t before = 0, with = 0, after = 0;
	struct buf b;
	buf_init(&b);
	mem_each_room(see_room, &before);
	for (int i = 0; i < 1000; i++)
		buf_adds(&b, "0123456789");
	mem_each_room(see_room, &with);
	buf_fini(&b);
	mem_each_room(see_room, &after);
	EXPECT(with >= before + 10000);
	EXPECT_INT(after, before);
	return 0;
}

static struct lock lock = LOCK_INIT("test");

enum { TAKES = 100000 };
static pthread_barrier_t both;
static long guarded;

static void *take_many(void *arg)
{
	pthread_barrier_wait(&both);
	for (int i = 0; i < TAKES; i++) {
		lock_take(&lock);
		guarded++;
		lock_give(&lock);
	}
	return NULL;
}

static void see_lock(const struct lock *l, void *arg)
{
	if (l == &lock)
		(*(int *)arg)++;
}

static int test_lock_counts(void)
{
	pthread_t t;
	int seen = 0;
	EXPECT(!pthread_barrier_init(&both, NULL, 2));
	EXPECT(!pthread_create(&t, NULL, take_many, NULL));
	take_many(NULL);
	pthread_join(t, NULL);
	EXPECT_INT(lock.taken_count, 2 * TAKES);
	EXPECT(lock.waited_count <= lock.taken_count && (lock.waited_count == 0) == (lock.waited_ns == 0));
	EXPECT_INT(guarded, 2 * TAKES);
	lock_each(see_lock, &seen);
	EXPECT_INT(seen, 1);
	return 0;
}

TEST_MAIN({"text", test_text, 0}, {"inside", test_inside, 0}, {"memory_by_room", test_memory_by_room, 0},
    {"lock_counts", test_lock_counts, 0})
