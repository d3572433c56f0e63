/* What a relayed packet costs: the same load (N streams, 50 packets a second of 172 bytes, sent and received by another
 * process on another core) through a bare epoll loop of connected sockets and through the media room's relays; CPU time
 * of the relaying thread per packet, their ratio, and the delay each adds. The two take turns, so that noise meets
 * both. With srtp behind the numbers the room runs once more with encryption on both legs, the phones seal what they
 * send, and what opening and sealing alone take is measured too. Usage: bench_relay [streams [seconds [rounds
 * [srtp]]]]. One line of JSON. */
#include "base/mem.h"
#include "base/rand.h"
#include "base/role.h"
#include "loop/loop.h"
#include "media/ctl/mctl.h"
#include "media/rt/crypt.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { STREAMS_MAX = 8000, PACKET = 172, BUCKETS = 20000 /* us */, RELAY_CORE = 0, LOAD_CORE = 1, WARM_MS = 1000 };
enum side { SIDE_BARE, SIDE_ROOM, SIDE_SRTP, SIDE_COUNT };
enum { TAG = 10 };
static const enum srtp_suite suite = SRTP_AES_CM_128_HMAC_SHA1_80;

static struct shared {
	_Atomic int epoch; /* odd: send to relay_port; even: pause */
	_Atomic int epoch_seen;
	atomic_bool is_over, is_measuring, is_sealed;
	uint8_t key_in[STREAMS_MAX][SRTP_KEY_MAX], key_out[STREAMS_MAX][SRTP_KEY_MAX]; /* of the relay */
	uint16_t phone_port[STREAMS_MAX], relay_port[STREAMS_MAX];
	_Atomic uint64_t sent, received;
	_Atomic uint32_t buckets[BUCKETS];
} * sh;
static int stream_count = 1000, seconds = 5, rounds = 2;

static int64_t clock_ns(clockid_t id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void pin(int core)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(core, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		perror("sched_setaffinity"); /* a machine of one core: the figures say less */
}

static int udp_socket(uint16_t *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) || getsockname(fd, (struct sockaddr *)&a, &len))
		die("socket");
	*port = ntohs(a.sin_port);
	return fd;
}

static void udp_connect(int fd, uint16_t port)
{
	struct sockaddr_in a = {
	    .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)))
		die("connect");
}

/* The load: phones that send by the clock and take what comes. */
struct phone {
	int fd;
	uint16_t seq;
	uint32_t ts;
	struct srtp *seal;
};
static struct phone phones[STREAMS_MAX];

static void phone_send(int i)
{
	uint8_t p[PACKET + SRTP_TAIL_MAX] = {0x80, 0};
	int n = PACKET;
	struct phone *f = &phones[i];
	int64_t now = clock_ns(CLOCK_MONOTONIC);
	f->seq++, f->ts += 160;
	p[2] = (uint8_t)(f->seq >> 8), p[3] = (uint8_t)f->seq;
	uint32_t ts = htonl(f->ts), ssrc = htonl(0x10000u + (uint32_t)i);
	memcpy(p + 4, &ts, 4), memcpy(p + 8, &ssrc, 4), memcpy(p + 12, &now, 8);
	if (atomic_load_explicit(&sh->is_sealed, memory_order_relaxed))
		n = srtp_seal(f->seal, p, PACKET);
	if (n > 0 && send(f->fd, p, (size_t)n, 0) == n)
		atomic_fetch_add_explicit(&sh->sent, 1, memory_order_relaxed);
}

static void phone_receive(int fd)
{
	uint8_t p[256];
	int64_t then;
	bool is_sealed = atomic_load_explicit(&sh->is_sealed, memory_order_relaxed);
	if (recv(fd, p, sizeof(p), 0) != PACKET + (is_sealed ? TAG : 0))
		return;
	atomic_fetch_add_explicit(&sh->received, 1, memory_order_relaxed);
	if (is_sealed || !atomic_load_explicit(&sh->is_measuring, memory_order_relaxed))
		return;
	memcpy(&then, p + 12, 8);
	int64_t us = (clock_ns(CLOCK_MONOTONIC) - then) / 1000;
	us = us < 0 ? 0 : us >= BUCKETS ? BUCKETS - 1 : us;
	atomic_fetch_add_explicit(&sh->buckets[us], 1, memory_order_relaxed);
}

static void load_run(int ep, int epoch)
{
	int64_t gap = 20000000 / stream_count, due = clock_ns(CLOCK_MONOTONIC);
	for (int at = 0; atomic_load_explicit(&sh->epoch, memory_order_relaxed) == epoch;) {
		struct epoll_event ev[64];
		int64_t now = clock_ns(CLOCK_MONOTONIC);
		for (int burst = 0; due <= now && burst < 32; burst++, due += gap, at = (at + 1) % stream_count)
			phone_send(at);
		int n = epoll_wait(ep, ev, 64, 0);
		for (int i = 0; i < n; i++)
			phone_receive(ev[i].data.fd);
	}
}

static void load_main(void)
{
	pin(LOAD_CORE);
	int ep = epoll_create1(0);
	for (int i = 0; i < stream_count; i++) {
		phones[i].fd = udp_socket(&sh->phone_port[i]);
		if (srtp_new(&phones[i].seal, suite, sh->key_in[i]))
			die("srtp_new");
		struct epoll_event ev = {.events = EPOLLIN, .data.fd = phones[i].fd};
		(void)epoll_ctl(ep, EPOLL_CTL_ADD, phones[i].fd, &ev);
	}
	int seen = 0;
	atomic_store(&sh->epoch_seen, seen);
	while (!atomic_load(&sh->is_over)) {
		int epoch = atomic_load(&sh->epoch);
		if (epoch == seen) {
			usleep(1000);
			continue;
		}
		for (int i = 0; epoch & 1 && i < stream_count; i++)
			udp_connect(phones[i].fd, sh->relay_port[i]);
		seen = epoch;
		atomic_store(&sh->epoch_seen, seen);
		if (epoch & 1)
			load_run(ep, epoch);
	}
	_exit(0);
}

static void load_switch(void)
{
	int epoch = atomic_fetch_add(&sh->epoch, 1) + 1;
	while (atomic_load(&sh->epoch_seen) != epoch)
		usleep(1000);
}

struct figures {
	double cpu_ns; /* per packet */
	uint32_t p50, p99;
	uint64_t sent, received;
};

static uint32_t percentile(double share)
{
	uint64_t total = 0, sum = 0;
	for (int i = 0; i < BUCKETS; i++)
		total += sh->buckets[i];
	for (int i = 0; i < BUCKETS; i++)
		if ((sum += sh->buckets[i]) >= (uint64_t)((double)total * share))
			return (uint32_t)i;
	return BUCKETS;
}

/* One measured stretch: wait runs the time (and whatever must run meanwhile), cpu reads the relaying thread's clock. */
static struct figures measure(void (*wait)(int ms), int64_t (*cpu)(void))
{
	struct figures f;
	wait(WARM_MS);
	memset(sh->buckets, 0, sizeof(sh->buckets));
	int64_t cpu0 = cpu();
	uint64_t sent0 = sh->sent, received0 = sh->received;
	atomic_store(&sh->is_measuring, true);
	wait(seconds * 1000);
	atomic_store(&sh->is_measuring, false);
	int64_t cpu1 = cpu();
	f.sent = sh->sent - sent0, f.received = sh->received - received0;
	f.cpu_ns = (double)(cpu1 - cpu0) / (double)(f.received ? f.received : 1);
	f.p50 = percentile(0.5), f.p99 = percentile(0.99);
	return f;
}

/* The bare loop. */
static int bare_ep, bare_fd[STREAMS_MAX];

static void bare_wait(int ms)
{
	int64_t end = clock_ns(CLOCK_MONOTONIC) + ms * INT64_C(1000000);
	while (clock_ns(CLOCK_MONOTONIC) < end) {
		struct epoll_event ev[256];
		int n = epoll_wait(bare_ep, ev, 256, 10);
		for (int i = 0; i < n; i++) {
			uint8_t p[2048];
			int at = (int)ev[i].data.u32;
			ssize_t got = recv(bare_fd[at], p, sizeof(p), 0);
			if (got > 0)
				(void)!send(bare_fd[at ^ 1], p, (size_t)got, 0);
		}
	}
}

static int64_t bare_cpu(void)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static struct figures bare_run(void)
{
	bare_ep = epoll_create1(EPOLL_CLOEXEC);
	for (int i = 0; i < stream_count; i++) {
		bare_fd[i] = udp_socket(&sh->relay_port[i]);
		udp_connect(bare_fd[i], sh->phone_port[i]);
		struct epoll_event ev = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
		(void)epoll_ctl(bare_ep, EPOLL_CTL_ADD, bare_fd[i], &ev);
	}
	load_switch();
	struct figures f = measure(bare_wait, bare_cpu);
	load_switch();
	for (int i = 0; i < stream_count; i++)
		close(bare_fd[i]);
	close(bare_ep);
	return f;
}

/* The media room. */
static struct mstream *streams[STREAMS_MAX];

static void on_report(struct mstream *s, const struct media_report *r, void *arg) {}

static void timer_over(void *arg)
{
	role_assert_ctl();
	loop_stop();
}

static void room_wait(int ms)
{
	role_assert_ctl();
	struct ltimer t = {0};
	loop_timer_set(&t, ms * INT64_C(1000), "bench", timer_over, NULL);
	loop_run();
}

static int64_t room_cpu(void)
{
	role_assert_ctl();
	return (int64_t)mctl_cpu_ns();
}

static void room_stream(int i, bool is_sealed)
{
	struct rt_crypt *crypt = NULL;
	role_assert_ctl();
	struct media_params m = {.dtmf_send_pt = 101,
	    .dtmf_recv_pt = 101,
	    .cn_pt = -1,
	    .may_send = true,
	    .may_recv = true,
	    .source_mode = MEDIA_SOURCE_NAT};
	struct addr local;
	m.send = m.recv =
	    (struct media_codec){.name = "PCMU", .clock_hz = 8000, .rate_hz = 8000, .channels = 1, .ptime_ms = 20};
	(void)addr_parse(&m.remote_rtp, SV("127.0.0.1"), sh->phone_port[i]);
	(void)addr_parse(&local, SV("127.0.0.1"), 0);
	if (is_sealed && rt_crypt_srtp_new(&crypt, suite, sh->key_out[i], sh->key_in[i]))
		die("rt_crypt_srtp_new");
	if (mstream_open(&streams[i], &local, i & 1 ? streams[i - 1] : NULL, on_report, NULL) ||
	    (crypt && mstream_set_crypt(streams[i], crypt)) || mstream_set_params(streams[i], &m))
		die("mstream_open");
	sh->relay_port[i] = addr_port(&local);
	if (i & 1 && mstream_relay(streams[i - 1], streams[i]))
		die("mstream_relay");
}

static struct figures room_run(bool is_sealed)
{
	role_assert_ctl();
	struct mctl_conf conf = {.thread_count = 1, .port_min = 10000, .port_max = 32000};
	if (mctl_start(&conf))
		die("mctl_start");
	for (int i = 0; i < stream_count; i++)
		room_stream(i, is_sealed);
	room_wait(100);
	atomic_store(&sh->is_sealed, is_sealed);
	load_switch();
	struct figures f = measure(room_wait, room_cpu);
	load_switch();
	for (int i = 0; i < stream_count; i++) {
		mstream_close(streams[i]);
		mem_unref(streams[i]);
	}
	mctl_stop();
	return f;
}

/* Opening and sealing of one packet, nothing else; the same contexts as the room's, one after another. */
static double primitives_ns(void)
{
	enum { PACKETS = 200000 };
	struct srtp *far, *in, *out;
	int64_t spent = 0;
	if (srtp_new(&far, suite, sh->key_in[0]) || srtp_new(&in, suite, sh->key_in[0]) ||
	    srtp_new(&out, suite, sh->key_out[0]))
		die("srtp_new");
	for (int i = 0; i < PACKETS; i++) {
		uint8_t p[PACKET + SRTP_TAIL_MAX] = {0x80, 0, (uint8_t)(i >> 8), (uint8_t)i};
		int n = srtp_seal(far, p, PACKET);
		int64_t begin = clock_ns(CLOCK_THREAD_CPUTIME_ID);
		n = srtp_open(in, p, (size_t)n);
		if (n != PACKET || srtp_seal(out, p, (size_t)n) != PACKET + TAG)
			die("srtp");
		spent += clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin;
	}
	int64_t begin = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	for (int i = 0; i < PACKETS; i++)
		(void)clock_ns(CLOCK_THREAD_CPUTIME_ID);
	spent -= clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin;
	srtp_free(far), srtp_free(in), srtp_free(out);
	return (double)spent / PACKETS;
}

static void add(struct figures *sum, const struct figures *f)
{
	sum->cpu_ns += f->cpu_ns / rounds;
	sum->p50 = f->p50 > sum->p50 ? f->p50 : sum->p50;
	sum->p99 = f->p99 > sum->p99 ? f->p99 : sum->p99;
	sum->sent += f->sent, sum->received += f->received;
}

static void print_side(const char *name, const struct figures *f)
{
	printf("\"%s\":{\"cpu_ns_per_packet\":%.0f,\"delay_us_p50\":%u,\"delay_us_p99\":%u,\"sent\":%llu,\"received\":%"
	       "llu}",
	    name, f->cpu_ns, f->p50, f->p99, (unsigned long long)f->sent, (unsigned long long)f->received);
}

static void files_raise(void)
{
	struct rlimit r;
	if (!getrlimit(RLIMIT_NOFILE, &r) && r.rlim_cur < r.rlim_max)
		r.rlim_cur = r.rlim_max, (void)setrlimit(RLIMIT_NOFILE, &r);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		stream_count = atoi(argv[1]) & ~1;
	if (argc > 2)
		seconds = atoi(argv[2]);
	if (argc > 3)
		rounds = atoi(argv[3]);
	bool has_srtp = argc > 4 && !strcmp(argv[4], "srtp");
	if (stream_count < 2 || stream_count > STREAMS_MAX || seconds < 1 || rounds < 1) {
		fprintf(stderr, "usage: bench_relay [streams (2..%d) [seconds [rounds [srtp]]]]\n", STREAMS_MAX);
		return 2;
	}
	files_raise();
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sh == MAP_FAILED)
		die("mmap");
	atomic_store(&sh->epoch_seen, -1);
	rand_bytes(sh->key_in, sizeof(sh->key_in));
	rand_bytes(sh->key_out, sizeof(sh->key_out));
	pid_t load = fork();
	if (!load)
		load_main();
	while (atomic_load(&sh->epoch_seen) < 0)
		usleep(1000);
	pin(RELAY_CORE);
	if (loop_init())
		die("loop_init");
	struct figures sum[SIDE_COUNT] = {0};
	for (int i = 0; i < rounds; i++) {
		struct figures bare = bare_run(), room = room_run(false);
		add(&sum[SIDE_BARE], &bare);
		add(&sum[SIDE_ROOM], &room);
		if (!has_srtp)
			continue;
		struct figures sealed = room_run(true);
		atomic_store(&sh->is_sealed, false);
		add(&sum[SIDE_SRTP], &sealed);
	}
	atomic_store(&sh->is_over, true);
	waitpid(load, NULL, 0);
	printf("{\"bench\":\"relay\",\"streams\":%d,\"packets_per_s\":%d,\"seconds\":%d,\"rounds\":%d,", stream_count,
	    stream_count * 50, seconds, rounds);
	print_side("bare", &sum[SIDE_BARE]);
	printf(",");
	print_side("room", &sum[SIDE_ROOM]);
	if (has_srtp) {
		double both = primitives_ns();
		printf(",");
		print_side("srtp", &sum[SIDE_SRTP]);
		printf(",\"primitives_ns\":%.0f,\"srtp_ratio\":%.2f", both,
		    sum[SIDE_SRTP].cpu_ns / (sum[SIDE_ROOM].cpu_ns + both));
	}
	printf(",\"ratio\":%.2f}\n", sum[SIDE_ROOM].cpu_ns / sum[SIDE_BARE].cpu_ns);
	loop_fini();
	return 0;
}
