/* Phones are other processes on other cores, so that their CPU is not the relay's; they spin, as a load that sleeps is
 * late. They begin and pause by a counter in shared memory, and learn there where to send. */
#include "rig.h"

#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct rig_shared *rig;
int rig_streams = 1000, rig_seconds = 5;
static struct rig_phone phones[RIG_STREAMS_MAX];
static struct rig_hooks hooks;
static int load_count;
static pid_t loads[RIG_LOADS_MAX];

int64_t rig_clock(int id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

int64_t rig_thread_cpu(void)
{
	return rig_clock(CLOCK_THREAD_CPUTIME_ID);
}

void rig_die(const char *what)
{
	perror(what);
	exit(1);
}

static void pin(int first, int count)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	for (int i = 0; i < count; i++)
		CPU_SET(first + i, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		perror("sched_setaffinity"); /* a machine of one core: the figures say less */
}

int rig_socket(uint16_t *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) || getsockname(fd, (struct sockaddr *)&a, &len))
		rig_die("socket");
	*port = ntohs(a.sin_port);
	return fd;
}

void rig_connect(int fd, uint16_t port)
{
	struct sockaddr_in a = {
	    .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)))
		rig_die("connect");
}

/* ---- the phones ---- */

void rig_header(uint8_t *p, uint8_t pt, uint16_t seq, uint32_t ts, uint32_t ssrc)
{
	p[0] = 0x80, p[1] = pt, p[2] = (uint8_t)(seq >> 8), p[3] = (uint8_t)seq;
	ts = htonl(ts), ssrc = htonl(ssrc);
	memcpy(p + 4, &ts, 4), memcpy(p + 8, &ssrc, 4);
}

int rig_make_plain(int i, struct rig_phone *phone, uint8_t *p)
{
	int64_t now = rig_clock(CLOCK_MONOTONIC);
	phone->seq++, phone->ts += 160;
	memset(p, 0, RIG_PACKET);
	rig_header(p, 0, phone->seq, phone->ts, 0x10000u + (uint32_t)i);
	memcpy(p + 12, &now, 8);
	return RIG_PACKET;
}

enum rig_taken rig_take_plain(int i, const struct rig_phone *phone, const uint8_t *p, size_t n)
{
	return n == RIG_PACKET ? RIG_STAMPED : RIG_ODD;
}

static void phone_send(int i)
{
	uint8_t p[RIG_PACKET_MAX];
	int n = hooks.make(i, &phones[i], p);
	if (n > 0 && send(phones[i].fd, p, (size_t)n, 0) == n)
		atomic_fetch_add_explicit(&rig->sent, 1, memory_order_relaxed);
}

static void phone_receive(int i)
{
	uint8_t p[RIG_PACKET_MAX];
	int64_t then;
	ssize_t n = recv(phones[i].fd, p, sizeof(p), 0);
	enum rig_taken taken = n < 12 ? RIG_ODD : hooks.take(i, &phones[i], p, (size_t)n);
	if (taken == RIG_ODD)
		return;
	atomic_fetch_add_explicit(&rig->received, 1, memory_order_relaxed);
	if (atomic_load_explicit(&rig->is_flat, memory_order_relaxed))
		phone_send(i);
	if (taken != RIG_STAMPED || !atomic_load_explicit(&rig->is_measuring, memory_order_relaxed))
		return;
	memcpy(&then, p + 12, 8);
	int64_t us = (rig_clock(CLOCK_MONOTONIC) - then) / 1000;
	us = us < 0 ? 0 : us >= RIG_BUCKETS ? RIG_BUCKETS - 1 : us;
	atomic_fetch_add_explicit(&rig->buckets[us], 1, memory_order_relaxed);
}

/* Pairs of phones are shared out to the loads: l, l + load_count ... */
static void load_run(int ep, int epoch, int l)
{
	int pairs = rig_streams / 2, mine = 2 * ((pairs - l + load_count - 1) / load_count);
	int64_t gap = 20000000 / (mine ? mine : 1), due = rig_clock(CLOCK_MONOTONIC);
	for (int at = 0; atomic_load_explicit(&rig->epoch, memory_order_relaxed) == epoch;) {
		struct epoll_event ev[64];
		int64_t now = rig_clock(CLOCK_MONOTONIC);
		for (int burst = 0; due <= now && burst < 32; burst++, due += gap, at = (at + 1) % mine)
			phone_send(2 * (at / 2 * load_count + l) + at % 2);
		int n = epoll_wait(ep, ev, 64, 0);
		for (int i = 0; i < n; i++)
			phone_receive(ev[i].data.fd);
	}
}

static void load_main(int l)
{
	pin((int)sysconf(_SC_NPROCESSORS_ONLN) - load_count + l, 1);
	int ep = epoll_create1(0);
	for (int i = 0; i < rig_streams; i++) {
		if (i / 2 % load_count != l)
			continue;
		phones[i].fd = rig_socket(&rig->phone_port[i]);
		if (hooks.begin)
			hooks.begin(i, &phones[i]);
		struct epoll_event ev = {.events = EPOLLIN, .data.fd = i};
		(void)epoll_ctl(ep, EPOLL_CTL_ADD, phones[i].fd, &ev);
	}
	int seen = 0;
	atomic_store(&rig->epoch_seen[l], seen);
	while (!atomic_load(&rig->is_over)) {
		int epoch = atomic_load(&rig->epoch);
		if (epoch == seen) {
			usleep(1000);
			continue;
		}
		for (int i = 0; epoch & 1 && i < rig_streams; i++)
			if (i / 2 % load_count == l)
				rig_connect(phones[i].fd, rig->relay_port[i]);
		seen = epoch;
		atomic_store(&rig->epoch_seen[l], seen);
		if (epoch & 1)
			load_run(ep, epoch, l);
	}
	_exit(0);
}

/* ---- the measuring side ---- */

int rig_options(int argc, char **argv)
{
	if (argc > 1)
		rig_streams = atoi(argv[1]) & ~1;
	if (argc > 2)
		rig_seconds = atoi(argv[2]);
	return rig_streams >= 2 && rig_streams <= RIG_STREAMS_MAX && rig_seconds >= 1;
}

static void seen_await(int epoch)
{
	for (int l = 0; l < load_count; l++)
		while (atomic_load(&rig->epoch_seen[l]) != epoch)
			usleep(1000);
}

void rig_begin(const struct rig_hooks *h, int count)
{
	struct rlimit r;
	if (!getrlimit(RLIMIT_NOFILE, &r) && r.rlim_cur < r.rlim_max)
		r.rlim_cur = r.rlim_max, (void)setrlimit(RLIMIT_NOFILE, &r);
	hooks = *h, load_count = count;
	rig = mmap(NULL, sizeof(*rig), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (rig == MAP_FAILED)
		rig_die("mmap");
	for (int l = 0; l < load_count; l++) {
		atomic_store(&rig->epoch_seen[l], -1);
		if (!(loads[l] = fork()))
			load_main(l);
	}
	seen_await(0);
	pin(0, load_count);
}

void rig_end(void)
{
	atomic_store(&rig->is_over, true);
	for (int l = 0; l < load_count; l++)
		waitpid(loads[l], NULL, 0);
}

void rig_switch(void)
{
	seen_await(atomic_fetch_add(&rig->epoch, 1) + 1);
}

static uint32_t percentile(double share)
{
	uint64_t total = 0, sum = 0;
	for (int i = 0; i < RIG_BUCKETS; i++)
		total += rig->buckets[i];
	for (int i = 0; i < RIG_BUCKETS; i++)
		if ((sum += rig->buckets[i]) >= (uint64_t)((double)total * share))
			return (uint32_t)i;
	return RIG_BUCKETS;
}

struct rig_figures rig_measure(void (*wait)(int ms), int64_t (*cpu)(void))
{
	struct rig_figures f;
	wait(RIG_WARM_MS);
	memset(rig->buckets, 0, sizeof(rig->buckets));
	int64_t cpu0 = cpu(), wall0 = rig_clock(CLOCK_MONOTONIC);
	uint64_t sent0 = rig->sent, received0 = rig->received;
	atomic_store(&rig->is_measuring, true);
	wait(rig_seconds * 1000);
	atomic_store(&rig->is_measuring, false);
	int64_t cpu1 = cpu(), wall1 = rig_clock(CLOCK_MONOTONIC);
	f.sent = rig->sent - sent0, f.received = rig->received - received0;
	f.cpu_ns = (double)(cpu1 - cpu0) / (double)(f.received ? f.received : 1);
	f.cpu_share = (double)(cpu1 - cpu0) / (double)(wall1 - wall0);
	f.p50 = percentile(0.5), f.p99 = percentile(0.99);
	return f;
}

void rig_add(struct rig_figures *sum, const struct rig_figures *f, int rounds)
{
	sum->cpu_ns += f->cpu_ns / rounds;
	sum->cpu_share += f->cpu_share / rounds;
	sum->p50 = f->p50 > sum->p50 ? f->p50 : sum->p50;
	sum->p99 = f->p99 > sum->p99 ? f->p99 : sum->p99;
	sum->sent += f->sent, sum->received += f->received;
}

void rig_print(const char *name, const struct rig_figures *f)
{
	printf(
	    "\"%s\":{\"cpu_ns_per_packet\":%.0f,\"cpu_share\":%.3f,\"delay_us_p50\":%u,\"delay_us_p99\":%u,\"sent\":%"
	    "llu,\"received\":%llu}",
	    name, f->cpu_ns, f->cpu_share, f->p50, f->p99, (unsigned long long)f->sent,
	    (unsigned long long)f->received);
}
