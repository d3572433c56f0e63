/* What a room's member costs: phones of another process (phones.c, on the second core) in rooms of PCMU at 8 kHz and
 * 20 ms, CPU time of the media threads per member and frame with packets in and out, resident memory per member, and
 * frames that were late. Usage: bench_room members rooms talkers others threads [seconds [room_hz]], others being what
 * those of a room do who do not talk: quiet (send nothing) or silent (send silence). With one thread it is pinned to
 * the first core. One line of JSON. */
#include "base/mem.h"
#include "base/role.h"
#include "loop/loop.h"
#include "media/ctl/mctl.h"
#include "media/ctl/room.h"
#include "phones.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SWITCH_CORE = 0, LOAD_CORE = 1, WARM_MS = 1500, JOINED_AT_ONCE = 100 };
static struct phones_shared *sh;
static struct mstream *streams[MEMBERS_MAX];
static struct mroom *rooms[MEMBERS_MAX];
static int members, room_count, talkers, threads, seconds = 5, room_hz = 8000;
static bool are_others_silent;

static void die(const char *what)
{
	fprintf(stderr, "bench_room: %s\n", what);
	exit(1);
}

static void on_report(struct mstream *s, const struct media_report *r, void *arg) {}
static void on_room(struct mroom *r, const struct mroom_report *report, void *arg) {}

static void timer_over(void *arg)
{
	role_assert_ctl();
	loop_stop();
}

static void run_ms(int ms)
{
	role_assert_ctl();
	struct ltimer t = {0};
	loop_timer_set(&t, ms * INT64_C(1000), "bench", timer_over, NULL);
	loop_run();
}

static long rss_kb(void)
{
	long pages = 0, all;
	FILE *f = fopen("/proc/self/statm", "r");
	if (!f || fscanf(f, "%ld %ld", &all, &pages) != 2)
		pages = 0;
	if (f)
		fclose(f);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* How long the media threads waited for a core: other programs' work, not the room's. */
static double waited_s(void)
{
	DIR *d = opendir("/proc/self/task");
	double sum = 0;
	for (struct dirent *e; d && (e = readdir(d));) {
		char path[300], name[32] = "";
		unsigned long long ran, waited;
		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", e->d_name);
		FILE *f = fopen(path, "r");
		bool is_media = f && fgets(name, sizeof(name), f) && !strncmp(name, "tandem-media", 12);
		if (f)
			fclose(f);
		snprintf(path, sizeof(path), "/proc/self/task/%s/schedstat", e->d_name);
		f = is_media ? fopen(path, "r") : NULL;
		if (f && fscanf(f, "%llu %llu", &ran, &waited) == 2)
			sum += (double)waited / 1e9;
		if (f)
			fclose(f);
	}
	if (d)
		closedir(d);
	return sum;
}

static void member_make(int i)
{
	role_assert_ctl();
	struct media_params m = {.dtmf_send_pt = 101,
	    .dtmf_recv_pt = 101,
	    .cn_pt = -1,
	    .may_send = true,
	    .may_recv = true,
	    .source_mode = MEDIA_SOURCE_NAT};
	struct mroom_member conf = {.can_speak = true, .can_hear = true, .energy_level = 100};
	struct addr local;
	m.send = m.recv =
	    (struct media_codec){.name = "PCMU", .clock_hz = 8000, .rate_hz = 8000, .channels = 1, .ptime_ms = 20};
	(void)addr_parse(&m.remote_rtp, SV("127.0.0.1"), sh->phone_port[i % PHONE_SOCKETS]);
	(void)addr_parse(&local, SV("127.0.0.1"), 0);
	if (mstream_open(&streams[i], &local, NULL, on_report, NULL) || mstream_set_params(streams[i], &m))
		die("mstream_open");
	sh->stream_port[i] = addr_port(&local);
	int of_room = i % room_count, in_room = i / room_count;
	sh->kind[i] = in_room < talkers ? PHONE_TALKS : are_others_silent ? PHONE_SILENT : PHONE_QUIET;
	if (mroom_join(rooms[of_room], streams[i], (uint32_t)i + 1, &conf))
		die("mroom_join");
}

struct counts {
	uint64_t ticks, late, late_max_us, cpu_ns, dropped;
};
static struct counts counts_now(void)
{
	role_assert_ctl();
	struct counts c = {0};
	struct mctl_thread_counts t;
	for (unsigned i = 0; !mctl_thread_counts(i, &t); i++) {
		c.ticks += t.ticks, c.late += t.ticks_late, c.cpu_ns += t.cpu_ns, c.dropped += t.rtp_dropped;
		c.late_max_us = t.tick_late_max_us > c.late_max_us ? t.tick_late_max_us : c.late_max_us;
	}
	return c;
}

static void all_make(void)
{
	role_assert_ctl();
	struct mroom_conf conf = {.rate_hz = (uint32_t)room_hz, .interval_ms = 20};
	for (int i = 0; i < room_count; i++)
		if (mroom_open(&rooms[i], &conf, on_room, NULL))
			die("mroom_open");
	for (int i = 0; i < members; i++) {
		member_make(i);
		if (i % JOINED_AT_ONCE == JOINED_AT_ONCE - 1)
			run_ms(5);
	}
}

static void all_end(void)
{
	role_assert_ctl();
	for (int i = 0; i < room_count; i++) {
		mroom_close(rooms[i]);
		mem_unref(rooms[i]);
	}
	for (int i = 0; i < members; i++) {
		mstream_close(streams[i]);
		mem_unref(streams[i]);
	}
}

static void measure(void)
{
	role_assert_ctl();
	long before_kb = rss_kb();
	all_make();
	atomic_store(&sh->count, members);
	run_ms(WARM_MS);
	struct counts a = counts_now();
	uint64_t sent = sh->sent, received = sh->received, load_ns = sh->cpu_ns;
	double waited = waited_s();
	int64_t begin = clock_ns(CLOCK_MONOTONIC);
	run_ms(seconds * 1000);
	double took = (double)(clock_ns(CLOCK_MONOTONIC) - begin) / 1e9;
	struct counts b = counts_now();
	waited = waited_s() - waited;
	sent = sh->sent - sent, received = sh->received - received, load_ns = sh->cpu_ns - load_ns;
	long after_kb = rss_kb();
	double frames = took * 50 * members, cpu_ns = (double)(b.cpu_ns - a.cpu_ns);
	printf("{\"bench\":\"room\",\"members\":%d,\"rooms\":%d,\"talkers\":%d,\"others\":\"%s\",\"threads\":%d,\"room_"
	       "hz\":"
	       "%d,\"seconds\":%.1f,",
	    members, room_count, talkers, are_others_silent ? "silent" : "quiet", threads, room_hz, took);
	printf("\"cpu_us_per_member_frame\":%.2f,\"share\":%.3f,\"waited_share\":%.3f,\"ticks\":%llu,\"late\":%llu,"
	       "\"late_max_ms\":%.1f,",
	    cpu_ns / 1000 / frames, cpu_ns / 1e9 / took, waited / took, (unsigned long long)(b.ticks - a.ticks),
	    (unsigned long long)(b.late - a.late), (double)b.late_max_us / 1000);
	printf("\"sent\":%llu,\"received\":%llu,\"received_share\":%.4f,\"load_share\":%.3f,\"kb_per_member\":%.1f}\n",
	    (unsigned long long)sent, (unsigned long long)received, (double)received / frames,
	    (double)load_ns / 1e9 / took, (double)(after_kb - before_kb) / members);
	atomic_store(&sh->count, 0);
	all_end();
}

static bool args_read(int argc, char **argv)
{
	if (argc < 6)
		return false;
	members = atoi(argv[1]), room_count = atoi(argv[2]), talkers = atoi(argv[3]), threads = atoi(argv[5]);
	are_others_silent = !strcmp(argv[4], "silent");
	if (argc > 6)
		seconds = atoi(argv[6]);
	if (argc > 7)
		room_hz = atoi(argv[7]);
	return members > 0 && members <= MEMBERS_MAX && room_count > 0 && room_count <= members && threads > 0 &&
	       seconds > 0 && (are_others_silent || !strcmp(argv[4], "quiet"));
}

int main(int argc, char **argv)
{
	struct rlimit r;
	if (!args_read(argc, argv)) {
		fprintf(stderr,
		    "usage: bench_room members (1..%d) rooms talkers quiet|silent threads [seconds [room_hz]]\n",
		    MEMBERS_MAX);
		return 2;
	}
	if (!getrlimit(RLIMIT_NOFILE, &r) && r.rlim_cur < r.rlim_max)
		r.rlim_cur = r.rlim_max, (void)setrlimit(RLIMIT_NOFILE, &r);
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sh == MAP_FAILED)
		die("mmap");
	atomic_store(&sh->seen, -1);
	pid_t load = fork();
	if (!load)
		phones_main(sh, LOAD_CORE);
	while (atomic_load(&sh->seen) < 0)
		usleep(1000);
	if (threads == 1)
		pin(SWITCH_CORE);
	struct mctl_conf conf = {.thread_count = (unsigned)threads, .port_min = 10000, .port_max = 32000};
	if (loop_init() || mctl_start(&conf))
		die("mctl_start");
	run_ms(100);
	measure();
	mctl_stop();
	atomic_store(&sh->is_over, true);
	waitpid(load, NULL, 0);
	loop_fini();
	return 0;
}
