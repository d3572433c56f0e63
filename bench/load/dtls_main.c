/* bench_dtls_calls: offers browsers' calls (dtls_call.c) to a switch on 127.0.0.1 by the clock, and prints one JSON
 * object, as bench_load does. */
#include "dtls_load.h"
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { TIMERS_US = 20000, DRAIN_US = 10000000, SIP = UINT32_MAX };
int64_t now_us;
static struct {
	int port, pid;
	double rate, seconds;
	unsigned calls; /* held: so many */
	bool is_kept;
	const char *number;
} o = {.rate = 100, .seconds = 3, .number = "5000"};
static int64_t timers_us;

static void sip_read(void)
{
	static char text[MSG_MAX];
	ssize_t n;
	while ((n = recv(dtls_sip_fd, text, sizeof(text), 0)) > 0)
		dtls_call_sip(text, (size_t)n);
}

static void round_run(int64_t wake_us)
{
	struct epoll_event e[64];
	struct timespec wait = {0};
	wire_flush();
	int64_t left = (wake_us < timers_us ? wake_us : timers_us) - clock_us();
	if (left > 0)
		wait.tv_nsec = left > 20000 ? 20000000 : left * 1000;
	int n = epoll_pwait2(dtls_epoll, e, 64, &wait, NULL);
	now_us = clock_us();
	for (int i = 0; i < n; i++) {
		if (e[i].data.u32 == SIP)
			sip_read();
		else
			dtls_call_media(e[i].data.u32);
	}
	now_us = clock_us();
	if (now_us >= timers_us) {
		timers_us = now_us + TIMERS_US;
		dtls_calls_timers();
	}
	wire_flush();
}

static void offer(uint64_t total)
{
	int64_t begin_us = now_us;
	for (uint64_t n = 0; n < total;) {
		int64_t due_us = begin_us + (int64_t)((double)n * 1e6 / o.rate);
		if (due_us <= now_us)
			dtls_call_start(due_us), n++;
		round_run(due_us);
	}
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

static double took_ms(double share)
{
	uint64_t n = dtls_counts.shaken < DTLS_TOOK_MAX ? dtls_counts.shaken : DTLS_TOOK_MAX;
	return n ? dtls_counts.took_us[(uint64_t)(share * (double)(n - 1))] / 1000.0 : 0;
}

static int options_read(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";
		if (!strcmp(name, "--keep")) {
			o.is_kept = true;
			continue;
		} else if (!strcmp(name, "--to"))
			o.port = atoi(value);
		else if (!strcmp(name, "--rate"))
			o.rate = atof(value);
		else if (!strcmp(name, "--seconds"))
			o.seconds = atof(value);
		else if (!strcmp(name, "--calls"))
			o.calls = (unsigned)atoi(value);
		else if (!strcmp(name, "--number"))
			o.number = value;
		else if (!strcmp(name, "--hold-ms"))
			dtls_hold_us = atoi(value) * INT64_C(1000);
		else if (!strcmp(name, "--pid"))
			o.pid = atoi(value);
		else
			o.rate = 0;
		i++;
	}
	if (o.port && o.rate > 0 && o.calls <= DTLS_CALLS_MAX)
		return 0;
	fprintf(stderr, "bench_dtls_calls --to PORT [--rate N] [--seconds S] [--hold-ms N] [--calls N [--keep]] "
	                "[--number N] [--pid N]\n");
	return 2;
}

static void report(int64_t wall, int64_t own, int64_t of_switch, uint64_t shaken)
{
	qsort(dtls_counts.took_us, dtls_counts.shaken < DTLS_TOOK_MAX ? dtls_counts.shaken : DTLS_TOOK_MAX,
	    sizeof(uint32_t), by_size);
	printf(
	    "{\"mode\": \"dtls\", \"offered_per_s\": %.1f, \"seconds\": %.2f, \"started\": %lu, \"answered\": %lu, "
	    "\"shaken\": %lu, "
	    "\"ok\": %lu, \"failed\": %lu, \"retransmissions\": %lu, \"setup_p50_ms\": %.3f, \"setup_p99_ms\": %.3f, "
	    "\"setup_max_ms\": %.3f, \"done_per_s\": %.1f, \"own_cpu\": %.3f, \"switch_cpu\": %.3f, "
	    "\"switch_us_per_ok\": %.1f, "
	    "\"codes\": {",
	    o.rate, (double)wall / 1e6, dtls_counts.started, dtls_counts.answered, dtls_counts.shaken, dtls_counts.ok,
	    dtls_counts.failed, dtls_counts.again, took_ms(.5), took_ms(.99), took_ms(1),
	    (double)shaken * 1e6 / (double)wall, (double)own / (double)wall, (double)of_switch / (double)wall,
	    shaken ? (double)of_switch / (double)shaken : 0);
	for (int code = 0, n = 0; code < CODE_MAX; code++)
		if (dtls_counts.codes[code])
			printf("%s\"%d\": %lu", n++ ? ", " : "", code, dtls_counts.codes[code]);
	puts("}}");
}

int main(int argc, char **argv)
{
	struct rlimit r;
	struct epoll_event e = {.events = EPOLLIN, .data.u32 = SIP};
	if (options_read(argc, argv))
		return 2;
	struct sockaddr_in to = {
	    .sin_family = AF_INET, .sin_port = htons((uint16_t)o.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (!getrlimit(RLIMIT_NOFILE, &r))
		r.rlim_cur = r.rlim_max, (void)setrlimit(RLIMIT_NOFILE, &r);
	signal(SIGPIPE, SIG_IGN);
	dtls_epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!dtls_calls_init(&to, o.number) || epoll_ctl(dtls_epoll, EPOLL_CTL_ADD, dtls_sip_fd, &e)) {
		fprintf(stderr, "bench_dtls_calls: cannot begin\n");
		return 1;
	}
	if (o.calls)
		dtls_hold_us = -1;
	now_us = clock_us();
	int64_t wall = now_us, own = cpu_ns(0) / 1000, of_switch = o.pid ? cpu_ns(o.pid) / 1000 : 0;
	offer(o.calls ? o.calls : (uint64_t)(o.rate * o.seconds));
	wall = clock_us() - wall, own = cpu_ns(0) / 1000 - own,
	of_switch = o.pid ? cpu_ns(o.pid) / 1000 - of_switch : 0;
	uint64_t shaken = dtls_counts.shaken;
	if (o.calls) {
		for (int64_t end = now_us + DRAIN_US; dtls_counts.up + dtls_counts.failed < o.calls && now_us < end;)
			round_run(now_us + TIMERS_US);
		if (o.is_kept) {
			char line[16];
			printf("HELD %u\n", dtls_counts.up);
			fflush(stdout);
			if (read(STDIN_FILENO, line, sizeof(line)) < 0)
				return 1;
			now_us = clock_us();
		}
		dtls_calls_hang_up();
	}
	for (int64_t end = now_us + DRAIN_US; dtls_counts.under_way && now_us < end;)
		round_run(now_us + TIMERS_US);
	dtls_counts.failed += dtls_counts.under_way;
	report(wall, own, of_switch, shaken);
	return 0;
}
