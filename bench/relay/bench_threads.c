/* Whether media threads share anything on the way of a packet: the same streams through one media thread and through
 * two, paced (50 packets a second each) and flat out (what comes back is answered at once); CPU time per packet,
 * packets a second, and how often the threads gave up their core by themselves. Of the paced stretches the ids of the
 * threads and the moments of begin and end are told, so that who traces the program's futex calls can count those in
 * between. With four cores there are two for the relays and two for the load; with less both threads live on the first
 * one, and packets a second say nothing. Usage: bench_threads [streams [seconds]]. One line of JSON. */
#include "base/role.h"
#include "loop/loop.h"
#include "rig.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 2 };
struct stretch {
	struct rig_figures f;
	double begin_s, end_s; /* CLOCK_REALTIME */
	double seconds;
	long waits; /* of the media threads: gave up the core */
	int ids[THREADS];
	int id_count;
};

static double real_s(void)
{
	return (double)rig_clock(CLOCK_REALTIME) / 1e9;
}

/* Ids of the media threads, and the sum of their voluntary switches. */
static long threads_look(struct stretch *x)
{
	DIR *d = opendir("/proc/self/task");
	long sum = 0;
	x->id_count = 0;
	for (struct dirent *e; d && (e = readdir(d));) {
		char path[300], line[128], name[32] = "";
		long n = 0;
		snprintf(path, sizeof(path), "/proc/self/task/%s/status", e->d_name);
		FILE *f = fopen(path, "r");
		while (f && fgets(line, sizeof(line), f)) {
			(void)sscanf(line, "Name: %31s", name);
			(void)sscanf(line, "voluntary_ctxt_switches: %ld", &n);
		}
		if (f)
			fclose(f);
		if (strncmp(name, "tandem-media", 12) || x->id_count == THREADS)
			continue;
		x->ids[x->id_count++] = atoi(e->d_name);
		sum += n;
	}
	if (d)
		closedir(d);
	return sum;
}

static struct stretch run(unsigned threads, bool is_flat)
{
	role_assert_ctl();
	struct stretch x = {0};
	rig_room_begin(threads);
	for (int i = 0; i < rig_streams; i++) {
		rig_room_stream(i, &rig_pcmu, NULL);
		if (i & 1)
			rig_room_relay(i);
	}
	rig_room_wait(100);
	atomic_store(&rig->is_flat, is_flat);
	rig_switch();
	rig_room_wait(RIG_WARM_MS); /* streams have learned where their phones are */
	x.waits = -threads_look(&x);
	x.begin_s = real_s();
	x.f = rig_measure(rig_room_wait, rig_room_cpu);
	x.end_s = real_s();
	x.waits += threads_look(&x);
	x.seconds = x.end_s - x.begin_s;
	rig_switch();
	atomic_store(&rig->is_flat, false);
	rig_room_end();
	return x;
}

static void print(const char *name, const struct stretch *x)
{
	printf("\"%s\":{\"cpu_ns_per_packet\":%.0f,\"cpu_share\":%.3f,\"per_s\":%.0f,\"sent\":%llu,\"received\":%llu,"
	       "\"waits_"
	       "per_s\":%.1f,\"begin\":%.6f,\"end\":%.6f,\"ids\":[",
	    name, x->f.cpu_ns, x->f.cpu_share, (double)x->f.received / rig_seconds, (unsigned long long)x->f.sent,
	    (unsigned long long)x->f.received, (double)x->waits / x->seconds, x->begin_s, x->end_s);
	for (int i = 0; i < x->id_count; i++)
		printf("%s%d", i ? "," : "", x->ids[i]);
	printf("]}");
}

int main(int argc, char **argv)
{
	static const struct rig_hooks hooks = {.make = rig_make_plain, .take = rig_take_plain};
	if (!rig_options(argc, argv)) {
		fprintf(stderr, "usage: bench_threads [streams (2..%d) [seconds]]\n", RIG_STREAMS_MAX);
		return 2;
	}
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	rig_begin(&hooks, cores >= 4 ? 2 : 1);
	if (loop_init())
		rig_die("loop_init");
	struct stretch one = run(1, false), two = run(2, false), one_flat = run(1, true), two_flat = run(2, true);
	rig_end();
	printf("{\"bench\":\"threads\",\"streams\":%d,\"seconds\":%d,\"relay_cores\":%d,", rig_streams, rig_seconds,
	    cores >= 4 ? 2 : 1);
	print("one", &one);
	printf(",");
	print("two", &two);
	printf(",");
	print("one_flat", &one_flat);
	printf(",");
	print("two_flat", &two_flat);
	printf(",\"cpu_ratio\":%.2f,\"throughput_ratio\":%.2f}\n", two.f.cpu_ns / one.f.cpu_ns,
	    (double)two_flat.f.received / (double)(one_flat.f.received ? one_flat.f.received : 1));
	loop_fini();
	return 0;
}
