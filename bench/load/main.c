/* bench_load MODE [options]: offers load to a switch on 127.0.0.1 by schedule (open loop: a slow switch does not slow
 * the offer), and prints one JSON object: what was started, what succeeded, how long answers took (from the moment the
 * schedule wanted the request), CPU time of the switch per success, and this program's own share of its core, so that a
 * saturated generator is noticed. `bench_load` alone lists the options. */
#include "load.h"
#include <arpa/inet.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

struct options opt = {.rate = 100,
    .seconds = 3,
    .users = 20,
    .first_user = 1000,
    .rooms = 1,
    .talkers = SLOTS,
    .domain = "127.0.0.1",
    .number = "9196"};
struct counts counts;
struct call *calls;
struct hist setup_hist, bye_hist, delay_hist;
int64_t now_us;
bool is_winding_up;
static int epoll_fd;

enum { SLACK_US = 50, DRAIN_US = 17000000, SETTLE_US = 1000000 };
struct window { /* what is measured between two moments */
	int64_t wall_us;
	int64_t switch_ns, own_ns;
	uint64_t ok;
};

void hist_add(struct hist *h, int64_t us)
{
	if (us < 0)
		us = 0;
	if (us >= HIST_US)
		us = HIST_US - 1;
	h->buckets[us]++;
	h->count++;
	if ((uint32_t)us > h->max_us)
		h->max_us = (uint32_t)us;
}

double hist_ms(const struct hist *h, double quantile)
{
	uint64_t want = (uint64_t)(quantile * (double)h->count), seen = 0;
	for (uint32_t i = 0; i <= h->max_us && h->count; i++) {
		seen += h->buckets[i];
		if (seen > want || i == h->max_us)
			return i / 1000.0;
	}
	return 0;
}

static struct window snapshot(void)
{
	return (struct window){clock_us(), opt.pid ? cpu_ns(opt.pid) : 0, cpu_ns(0), counts.ok};
}

/* ---- one round of the loop ---- */

static void receive(int fd)
{
	enum { BATCH = 32 };
	static char bytes[BATCH][MSG_MAX];
	static struct mmsghdr heads[BATCH];
	struct sockaddr_in from[BATCH];
	struct iovec parts[BATCH];
	int n;

	for (int i = 0; i < BATCH; i++) {
		parts[i] = (struct iovec){bytes[i], MSG_MAX};
		heads[i].msg_hdr = (struct msghdr){
		    .msg_name = &from[i], .msg_namelen = sizeof(from[i]), .msg_iov = &parts[i], .msg_iovlen = 1};
	}
	n = recvmmsg(fd, heads, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++)
		calls_message(fd, &from[i], bytes[i], heads[i].msg_len);
}

static void loop_round(int64_t wake_us)
{
	struct epoll_event events[8];
	struct timespec wait = {0};
	int64_t due = calls_next_due(), media_due = media_next_due();
	int n;

	wire_flush();
	if (media_due < due)
		due = media_due;
	if (wake_us < due)
		due = wake_us;
	due += SLACK_US - clock_us(); /* a little late is cheaper than often */
	if (due > 0)
		wait.tv_nsec = due > 20000 ? 20000000 : due * 1000;
	n = epoll_pwait2(epoll_fd, events, 8, &wait, NULL);
	now_us = clock_us();
	for (int i = 0; i < n; i++) {
		int fd = events[i].data.fd;
		if (fd == media_fd[0] || fd == media_fd[1])
			media_receive(fd == media_fd[1]);
		else if (fd != STDIN_FILENO)
			receive(fd);
	}
	now_us = clock_us();
	calls_timers();
	media_send_due();
}

static void run_until(int64_t end_us)
{
	while (now_us < end_us)
		loop_round(end_us);
}

/* Starts `total` calls by the clock. */
static void offer(uint64_t total)
{
	int64_t begin_us = now_us;
	for (uint64_t n = 0; n < total;) {
		int64_t due_us = begin_us;
		for (int k = 0; k < 16 && n < total; k++, n++) {
			due_us = begin_us + (int64_t)((double)n * 1e6 / opt.rate);
			if (due_us > now_us)
				break;
			calls_start_one(due_us);
		}
		loop_round(due_us);
	}
}

static void drain(void)
{
	int64_t end_us = now_us + DRAIN_US;
	while (busy_calls && now_us < end_us)
		loop_round(now_us + 20000);
	is_winding_up = true;
	for (end_us = now_us + 200000;
	     now_us < end_us || (counts.uas_byes < counts.uas_invites && now_us < end_us + 2000000);)
		loop_round(now_us + 20000); /* the last BYEs of the far legs */
}

/* Calls that stay: wait until all are up, tell, then wait for a line. */
static void hold(void)
{
	int64_t end_us = now_us + GIVE_UP_US;
	while (up_calls + counts.failed < opt.calls && now_us < end_us)
		loop_round(now_us + 20000);
	if (opt.is_kept) {
		struct epoll_event e = {.events = EPOLLIN, .data.fd = STDIN_FILENO};
		char line[16];
		printf("HELD %u\n", up_calls);
		fflush(stdout);
		if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &e) || read(STDIN_FILENO, line, sizeof(line)) < 0)
			exit(1);
		epoll_ctl(epoll_fd, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
		now_us = clock_us();
	}
}

/* No switch: the ports of a relay's two sides of each call are told by whoever runs both. */
static void bare_begin(void)
{
	unsigned ports[2];
	printf("PORTS %u %u\n", media_port[0], media_port[1]);
	fflush(stdout);
	for (uint32_t slot = 0; slot < opt.calls; slot++) {
		if (scanf("%u %u", &ports[0], &ports[1]) != 2) {
			fprintf(stderr, "bench_load: a call without ports\n");
			exit(1);
		}
		for (unsigned side = 0; side < 2; side++) {
			struct sockaddr_in to = opt.to;
			to.sin_port = htons((uint16_t)ports[side]);
			media_remote(side, slot, &to);
		}
		calls[slot].state = CALL_UP;
	}
	now_us = clock_us();
}

/* ---- options and report ---- */

static const char usage[] =
    "bench_load register|call|bridge|media|bare|conference [options]\n"
    "  --to PORT          the switch's SIP port on 127.0.0.1\n"
    "  --rate N           starts per second (100)\n"
    "  --seconds S        how long to start, or with media how long to measure (3)\n"
    "  --calls N          set up so many, hold them, then hang up\n"
    "  --keep             held calls: print HELD and wait for a line on standard input\n"
    "  --hold-ms N        from ACK to BYE (0)\n"
    "  --users N --first-user N --password P --domain D\n"
    "  --number N         what is dialled; bridge and media append digits that the switch must dial on to --uas-port\n"
    "  --rooms N          conference: in so many rooms in turn, the room's number is appended to --number (1)\n"
    "  --talkers N        conference: so many of each room talk, the others listen (all)\n"
    "  --srtp             media: both phones speak SRTP (SDES)\n"
    "  bare               media without SIP: prints PORTS, then reads the two ports of each call\n"
    "  --uac-port N --uas-port N   our own ports\n"
    "  --pid N            the switch's process, for its CPU time\n";

static const char *const mode_names[] = {"", "register", "call", "bridge", "media", "bare", "conference"};

static int options_read(int argc, char **argv)
{
	enum {
		O_TO = 1,
		O_RATE,
		O_SECONDS,
		O_CALLS,
		O_KEEP,
		O_HOLD,
		O_USERS,
		O_FIRST,
		O_PASSWORD,
		O_DOMAIN,
		O_NUMBER,
		O_UAC,
		O_UAS,
		O_PID,
		O_ROOMS,
		O_TALKERS,
		O_SRTP
	};
	static const struct option names[] = {{"to", 1, NULL, O_TO}, {"rate", 1, NULL, O_RATE},
	    {"seconds", 1, NULL, O_SECONDS}, {"calls", 1, NULL, O_CALLS}, {"keep", 0, NULL, O_KEEP},
	    {"hold-ms", 1, NULL, O_HOLD}, {"users", 1, NULL, O_USERS}, {"first-user", 1, NULL, O_FIRST},
	    {"password", 1, NULL, O_PASSWORD}, {"domain", 1, NULL, O_DOMAIN}, {"number", 1, NULL, O_NUMBER},
	    {"uac-port", 1, NULL, O_UAC}, {"uas-port", 1, NULL, O_UAS}, {"pid", 1, NULL, O_PID},
	    {"rooms", 1, NULL, O_ROOMS}, {"talkers", 1, NULL, O_TALKERS}, {"srtp", 0, NULL, O_SRTP}, {0}};

	for (enum mode m = MODE_REGISTER; argc > 1 && m <= MODE_CONFERENCE; m++)
		if (!strcmp(argv[1], mode_names[m]))
			opt.mode = m;
	optind = 2;
	opt.to = (struct sockaddr_in){
	    .sin_family = AF_INET, .sin_port = htons(5060), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	for (int o; opt.mode && (o = getopt_long(argc, argv, "", names, NULL)) != -1;) {
		switch (o) {
		case O_TO:
			opt.to.sin_port = htons((uint16_t)atoi(optarg));
			break;
		case O_RATE:
			opt.rate = atof(optarg);
			break;
		case O_SECONDS:
			opt.seconds = atof(optarg);
			break;
		case O_CALLS:
			opt.calls = (unsigned)atoi(optarg);
			break;
		case O_KEEP:
			opt.is_kept = true;
			break;
		case O_HOLD:
			opt.hold_us = atoi(optarg) * INT64_C(1000);
			break;
		case O_USERS:
			opt.users = (unsigned)atoi(optarg);
			break;
		case O_FIRST:
			opt.first_user = (unsigned)atoi(optarg);
			break;
		case O_PASSWORD:
			opt.password = optarg;
			break;
		case O_DOMAIN:
			opt.domain = optarg;
			break;
		case O_NUMBER:
			opt.number = optarg;
			break;
		case O_UAC:
			opt.uac_port = (uint16_t)atoi(optarg);
			break;
		case O_UAS:
			opt.uas_port = (uint16_t)atoi(optarg);
			break;
		case O_PID:
			opt.pid = atoi(optarg);
			break;
		case O_ROOMS:
			opt.rooms = (unsigned)atoi(optarg);
			break;
		case O_TALKERS:
			opt.talkers = (unsigned)atoi(optarg);
			break;
		case O_SRTP:
			opt.has_srtp = true;
			break;
		default:
			opt.mode = MODE_NONE;
		}
	}
	if (!opt.mode || opt.rate <= 0 || !opt.users || opt.calls > SLOTS || !opt.rooms ||
	    (opt.mode >= MODE_MEDIA && !opt.calls)) {
		fputs(usage, stderr);
		return 1;
	}
	if (opt.calls)
		opt.hold_us = 1;
	return 0;
}

static void report(const struct window *a, const struct window *b)
{
	double wall = (double)(b->wall_us - a->wall_us), done = (double)(b->ok - a->ok);
	bool is_first = true;

	printf("{\"mode\": \"%s\", \"offered_per_s\": %.1f, \"seconds\": %.2f, \"started\": %lu, \"ok\": %lu, "
	       "\"failed\": %lu, \"timeouts\": %lu, "
	       "\"early_byes\": %lu, \"retransmissions\": %lu, \"strays\": %lu, \"uas_invites\": %lu, \"uas_acks\": "
	       "%lu, \"uas_byes\": %lu, ",
	    mode_names[opt.mode], opt.rate, wall / 1e6, counts.started, counts.ok, counts.failed, counts.timeouts,
	    counts.early_byes, counts.retransmissions, counts.strays, counts.uas_invites, counts.uas_acks,
	    counts.uas_byes);
	printf("\"setup_p50_ms\": %.3f, \"setup_p99_ms\": %.3f, \"setup_max_ms\": %.3f, \"bye_p50_ms\": %.3f, "
	       "\"bye_p99_ms\": %.3f, ",
	    hist_ms(&setup_hist, .5), hist_ms(&setup_hist, .99), setup_hist.max_us / 1e3, hist_ms(&bye_hist, .5),
	    hist_ms(&bye_hist, .99));
	if (opt.mode >= MODE_MEDIA)
		printf("\"media_sent\": %lu, \"media_received\": %lu, \"media_strays\": %lu, \"delay_p50_ms\": %.3f, "
		       "\"delay_p99_ms\": %.3f, \"delay_max_ms\": %.3f, \"media_timed\": %lu, \"media_late\": %lu, "
		       "\"media_late_seconds\": %lu, \"media_unjudged\": %lu, "
		       "\"lag_max_ms\": %.3f, ",
		    media_counts.sent, media_counts.received, media_counts.strays, hist_ms(&delay_hist, .5),
		    hist_ms(&delay_hist, .99), delay_hist.max_us / 1e3, delay_hist.count, media_counts.late,
		    media_counts.late_seconds, media_counts.unjudged, (double)media_counts.lag_max_us / 1e3);
	printf(
	    "\"done_per_s\": %.1f, \"own_cpu\": %.3f, \"switch_cpu\": %.3f, \"switch_us_per_ok\": %.1f, \"codes\": {",
	    wall > 0 ? done * 1e6 / wall : 0, (double)(b->own_ns - a->own_ns) / 1e3 / wall,
	    (double)(b->switch_ns - a->switch_ns) / 1e3 / wall,
	    done > 0 ? (double)(b->switch_ns - a->switch_ns) / 1e3 / done : 0);
	for (int code = 0; code < CODE_MAX; code++) {
		if (!counts.codes[code])
			continue;
		printf("%s\"%d\": %lu", is_first ? "" : ", ", code, counts.codes[code]);
		is_first = false;
	}
	puts("}}");
}

static void watch(int fd)
{
	struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e)) {
		perror("bench_load: epoll");
		exit(1);
	}
}

int main(int argc, char **argv)
{
	struct window a, b;
	struct hist *const hists[] = {&setup_hist, &bye_hist, &delay_hist};

	if (options_read(argc, argv))
		return 2;
	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < 3; i++)
		if (!(hists[i]->buckets = calloc(HIST_US, sizeof(uint32_t))))
			return 1;
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	media_init();
	calls_init();
	watch(uac_fd);
	watch(uas_fd);
	watch(media_fd[0]);
	watch(media_fd[1]);

	if (opt.mode == MODE_BARE)
		bare_begin();
	a = snapshot();
	if (opt.mode != MODE_BARE)
		offer(opt.calls ? opt.calls : (uint64_t)(opt.rate * opt.seconds));
	b = snapshot();
	if (opt.calls && opt.mode != MODE_BARE)
		hold();
	if (opt.mode >= MODE_MEDIA) {
		media_begin();
		run_until(now_us + SETTLE_US);
		media_measure(true);
		a = snapshot();
		run_until(now_us + (int64_t)(opt.seconds * 1e6));
		media_measure(false);
		b = snapshot();
		run_until(now_us + 200000); /* what is under way */
	}
	if (opt.mode != MODE_BARE) {
		if (opt.calls)
			calls_hang_up_all();
		drain();
	}
	report(&a, &b);
	return 0;
}
