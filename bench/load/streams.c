/* Phones over kept TLS connections: each connects, shakes hands and registers once; then registrations with digest
 * (401, 200) are offered by the clock, in turns over the connections, or with --calls calls between them. With
 * --subscribe each also watches its mailbox and another phone. One thread; it shares no code with the switch. Prints
 * what bench_load prints, and how long all took to be there. With --keep it prints HELD and waits for a line on
 * standard input between the two: for who measures the switch's memory. */
#include "streams.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { UNDER_WAY_MAX = 128, SEEN_US_MAX = 4000000, EVENTS = 512, LATE_US = 20000000 };
static struct {
	int port, pid;
	unsigned conns, users, first_user;
	double rate, seconds;
	const char *password;
	bool is_kept, resumes, has_calls, subscribes;
} o = {.port = 5061, .conns = 200, .users = 20, .first_user = 1000, .password = "benchword"};
static struct phone *phones;
static SSL_CTX *ctx;
static SSL_SESSION *session;
static int epoll_fd;
static unsigned registered, subscribed, next_phone;
static uint64_t resumed;
struct stream_counts n_;
static bool is_measuring;

static int64_t switch_us(void)
{
	return o.pid ? cpu_ns(o.pid) / 1000 : 0;
}

static double seen_ms(double quantile)
{
	uint64_t want = (uint64_t)((double)n_.seen_count * quantile), sum = 0;
	for (uint32_t i = 0; i < SEEN_US_MAX; i++)
		if ((sum += n_.seen[i]) > want)
			return i / 1e3;
	return n_.seen_count ? SEEN_US_MAX / 1e3 : 0;
}

static void phone_end(struct phone *p, int code)
{
	if (p->phase == P_DEAD)
		return;
	if (p->phase != P_IDLE) {
		n_.failed++;
		n_.codes[code]++;
		n_.under_way -= n_.under_way > 0;
	}
	p->phase = P_DEAD;
	SSL_free(p->ssl);
	close(p->fd);
}

void phone_put(struct phone *p, const char *text, int n)
{
	if (p->phase != P_DEAD && SSL_write(p->ssl, text, n) != n)
		phone_end(p, 2);
}

void phone_seen(int64_t us)
{
	n_.seen_count++;
	n_.seen[us < SEEN_US_MAX ? us : SEEN_US_MAX - 1]++;
}

/* The mailbox of its own, and the phone next to it: Call-ID sub-<package>. */
static void phone_subscribe(struct phone *p, const char *package, unsigned user, const struct message *challenge)
{
	char text[2048], auth[600] = "", own[16], uri[64];
	snprintf(own, sizeof(own), "%u", o.first_user + p->id % o.users);
	snprintf(uri, sizeof(uri), "sip:%u@127.0.0.1", user);
	if (challenge && !auth_line(auth, sizeof(auth), challenge, "SUBSCRIBE", uri, own, o.password))
		phone_end(p, 1);
	p->cseq++;
	int n = snprintf(text, sizeof(text),
	    "SUBSCRIBE %s SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:%u;branch=z9hG4bK%u-%u;rport\r\nMax-Forwards: 70\r\n"
	    "From: <sip:%s@127.0.0.1>;tag=%u%s\r\nTo: <%s>\r\nCall-ID: sub-%s-%d-%u\r\nCSeq: %u SUBSCRIBE\r\n"
	    "Contact: <sip:%s@127.0.0.1:%u;transport=tls>\r\nEvent: %s\r\nExpires: 3600\r\n%sContent-Length: 0\r\n\r\n",
	    uri, 10000 + p->id % 50000, p->id, p->cseq, own, p->id, package, uri, package, getpid(), p->id, p->cseq,
	    own, 10000 + p->id % 50000, package, auth);
	phone_put(p, text, n);
}

static void subscribe_both(struct phone *p)
{
	p->is_subscribed = true;
	n_.under_way += 2;
	phone_subscribe(p, "message-summary", o.first_user + p->id % o.users, NULL);
	phone_subscribe(p, "dialog", o.first_user + (p->id + 1) % o.users, NULL);
}

static void subscribe_answer(struct phone *p, const struct message *m)
{
	bool is_dialog = m->call_id.n > 5 && m->call_id.p[4] == 'd';
	bool is_again = m->code == 503 || m->code == 401 || m->code == 407; /* 503: others are served first */
	unsigned user = o.first_user + (p->id + is_dialog) % o.users;
	if (m->code < 200)
		return;
	if (is_again) {
		phone_subscribe(p, is_dialog ? "dialog" : "message-summary", user, m->code == 503 ? NULL : m);
		return;
	}
	n_.under_way--;
	if (m->code / 100 == 2)
		subscribed++;
	else
		n_.failed++, n_.codes[m->code]++;
}

static void phone_send(struct phone *p, const struct message *challenge)
{
	char text[2048], auth[600] = "", user[16], uri[64];
	int n;
	snprintf(user, sizeof(user), "%u", o.first_user + p->id % o.users);
	snprintf(uri, sizeof(uri), "sip:127.0.0.1:%d", o.port);
	if (challenge && !auth_line(auth, sizeof(auth), challenge, "REGISTER", uri, user, o.password))
		phone_end(p, 1);
	p->cseq++;
	n = snprintf(text, sizeof(text),
	    "REGISTER %s SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:%u;branch=z9hG4bK%u-%u;rport\r\nMax-Forwards: 70\r\n"
	    "From: <sip:%s@127.0.0.1>;tag=%u\r\nTo: <sip:%s@127.0.0.1>\r\nCall-ID: tls-%d-%u\r\nCSeq: %u REGISTER\r\n"
	    "Contact: <sip:%s@127.0.0.1:%u;transport=tls>\r\nExpires: 3600\r\nUser-Agent: bench\r\n%sContent-Length: "
	    "0\r\n\r\n",
	    uri, 10000 + p->id % 50000, p->id, p->cseq, user, p->id, user, getpid(), p->id, p->cseq, user,
	    10000 + p->id % 50000, auth);
	p->phase = challenge ? P_SECOND : P_FIRST;
	phone_put(p, text, n);
}

static void phone_done(struct phone *p)
{
	int64_t us = clock_us() - p->begin_us;
	n_.under_way--;
	p->phase = P_IDLE;
	if (!p->was_registered)
		registered++;
	p->was_registered = true;
	if (o.subscribes && !p->is_subscribed)
		subscribe_both(p);
	if (!is_measuring)
		return;
	n_.ok++;
	phone_seen(us);
}

static void phone_message(struct phone *p, const char *text, size_t n)
{
	struct message m;
	if (!message_parse(&m, text, n))
		return;
	if (!m.code || m.call_id.p[m.call_id.n - 1] == 's')
		stream_call_message(p, &m);
	else if (!memcmp(m.call_id.p, "sub-", 4))
		subscribe_answer(p, &m);
	else if (m.code == 401 && p->phase == P_FIRST)
		phone_send(p, &m);
	else if (m.code == 200 && (p->phase == P_FIRST || p->phase == P_SECOND))
		phone_done(p);
	else if (m.code == 503 && !is_measuring)
		phone_send(p, NULL);
	else if (m.code >= 200)
		phone_end(p, m.code);
}

static void phone_read(struct phone *p)
{
	for (;;) {
		int n = SSL_read(p->ssl, p->in + p->in_n, (int)(sizeof(p->in) - p->in_n - 1));
		if (n <= 0) {
			if (SSL_get_error(p->ssl, n) != SSL_ERROR_WANT_READ)
				phone_end(p, 3);
			return;
		}
		p->in_n += (size_t)n;
		for (char *end; p->phase != P_DEAD && (end = memmem(p->in, p->in_n, "\r\n\r\n", 4));) {
			const char *body = memmem(p->in, (size_t)(end - p->in), "Content-Length:", 15);
			size_t size = (size_t)(end + 4 - p->in) + (body ? strtoul(body + 15, NULL, 10) : 0);
			if (size > p->in_n)
				break;
			phone_message(p, p->in, size);
			memmove(p->in, p->in + size, p->in_n - size);
			p->in_n -= size;
		}
		if (p->phase == P_DEAD)
			return;
	}
}

static int session_kept(SSL *ssl, SSL_SESSION *s)
{
	SSL_SESSION_free(session);
	session = s;
	return 1;
}

static void phone_shake(struct phone *p)
{
	int n = SSL_do_handshake(p->ssl);
	if (n == 1) {
		resumed += SSL_session_reused(p->ssl) != 0;
		phone_send(p, NULL);
	} else {
		int e = SSL_get_error(p->ssl, n);
		if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE)
			phone_end(p, 4);
	}
}

static void phone_connect(struct phone *p)
{
	/* many source addresses, as phones have */
	struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000100u + p->id % 200)};
	struct sockaddr_in to = {
	    .sin_family = AF_INET, .sin_port = htons((uint16_t)o.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = p};
	int one = 1;
	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(p->fd, IPPROTO_IP, 24 /* IP_BIND_ADDRESS_NO_PORT */, &one, sizeof(one));
	p->ssl = SSL_new(ctx);
	p->phase = P_CONNECT;
	p->begin_us = clock_us();
	n_.under_way++;
	if (p->fd < 0 || bind(p->fd, (struct sockaddr *)&from, sizeof(from)) ||
	    (connect(p->fd, (struct sockaddr *)&to, sizeof(to)) && errno != EINPROGRESS) || !p->ssl ||
	    !SSL_set_fd(p->ssl, p->fd) || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, p->fd, &e)) {
		perror("bench_streams: connect");
		exit(1);
	}
	SSL_set_connect_state(p->ssl);
	if (o.resumes && session)
		SSL_set_session(p->ssl, session);
}

static void round_run(int wait_ms)
{
	struct epoll_event e[EVENTS];
	int n = epoll_wait(epoll_fd, e, EVENTS, wait_ms);
	for (int i = 0; i < n; i++) {
		struct phone *p = e[i].data.ptr;
		if (p->phase == P_CONNECT && e[i].events & EPOLLOUT)
			p->phase = P_SHAKE;
		if (p->phase == P_SHAKE)
			phone_shake(p);
		if (p->phase > P_SHAKE && p->phase < P_DEAD)
			phone_read(p);
	}
}

static void all_register(void)
{
	unsigned begun = 0;
	int64_t end = clock_us() + 60 * INT64_C(1000000);
	unsigned wanted = o.subscribes ? 2 * o.conns : 0;
	while ((registered + n_.failed < o.conns || subscribed + n_.failed < wanted) && clock_us() < end) {
		while (begun < o.conns && n_.under_way < UNDER_WAY_MAX)
			phone_connect(&phones[begun++]);
		round_run(20);
	}
}

static void offer(void)
{
	int64_t begin = clock_us(), due;
	uint64_t total = (uint64_t)(o.rate * o.seconds);
	is_measuring = true;
	for (uint64_t n = 0; n < total;) {
		for (; n < total && (due = begin + (int64_t)((double)n * 1e6 / o.rate)) <= clock_us(); n++) {
			struct phone *p = NULL;
			if (o.has_calls) {
				p = &phones[next_phone];
				next_phone = (next_phone + 1) % o.conns;
				if (p->phase == P_IDLE)
					stream_call_start(
					    p, o.port, o.first_user + (p->id + o.conns / 2) % o.conns, due);
				if (!(n & 7))
					round_run(0);
				continue;
			}
			for (unsigned k = 0; k < o.conns && !p; k++, next_phone = (next_phone + 1) % o.conns)
				if (phones[next_phone].phase == P_IDLE)
					p = &phones[next_phone];
			if (!p)
				break; /* all are under way: the clock goes on, and the wait counts */
			n_.started++;
			n_.under_way++;
			p->begin_us = due;
			phone_send(p, NULL);
			if (!(n & 15))
				round_run(0);
		}
		round_run(n_.under_way ? 0 : 1);
		if (clock_us() - begin > (int64_t)(o.seconds * 1e6) + 10000000)
			break; /* far too much */
	}
}

static void options_read(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";
		if (!strcmp(name, "--keep")) {
			o.is_kept = true;
			continue;
		} else if (!strcmp(name, "--calls")) {
			o.has_calls = true;
			continue;
		} else if (!strcmp(name, "--subscribe")) {
			o.subscribes = true;
			continue;
		} else if (!strcmp(name, "--resume")) {
			o.resumes = true;
			continue;
		} else if (!strcmp(name, "--to"))
			o.port = atoi(value);
		else if (!strcmp(name, "--conns"))
			o.conns = (unsigned)atoi(value);
		else if (!strcmp(name, "--users"))
			o.users = (unsigned)atoi(value);
		else if (!strcmp(name, "--first-user"))
			o.first_user = (unsigned)atoi(value);
		else if (!strcmp(name, "--rate"))
			o.rate = atof(value);
		else if (!strcmp(name, "--seconds"))
			o.seconds = atof(value);
		else if (!strcmp(name, "--password"))
			o.password = value;
		else if (!strcmp(name, "--pid"))
			o.pid = atoi(value);
		else {
			fprintf(stderr, "bench_streams: --to --conns --users --first-user --rate --seconds --password "
			                "--pid --keep --resume --calls --subscribe\n");
			exit(2);
		}
		i++;
	}
}

int main(int argc, char **argv)
{
	options_read(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	phones = calloc(o.conns, sizeof(*phones));
	n_.seen = calloc(SEEN_US_MAX, sizeof(*n_.seen));
	ctx = SSL_CTX_new(TLS_client_method());
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!phones || !n_.seen || !ctx || epoll_fd < 0)
		return 1;
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, session_kept);
	for (unsigned i = 0; i < o.conns; i++)
		phones[i].id = i;
	int64_t a_us = clock_us(), a_switch = switch_us();
	all_register();
	int64_t there_us = clock_us() - a_us, there_switch = switch_us() - a_switch;
	if (o.is_kept) {
		char line[16];
		printf("HELD %u %u\n", registered, subscribed);
		fflush(stdout);
		if (read(STDIN_FILENO, line, sizeof(line)) < 0)
			return 1;
	}
	uint64_t lost = n_.failed;
	a_us = clock_us(), a_switch = switch_us();
	int64_t a_own = cpu_ns(0) / 1000;
	if (o.rate > 0)
		offer();
	int64_t b_us = clock_us(), b_switch = switch_us(), b_own = cpu_ns(0) / 1000;
	uint64_t done = n_.ok;
	for (int64_t end = clock_us() + LATE_US; n_.under_way && clock_us() < end;)
		round_run(20);
	double wall = (double)(b_us - a_us);
	printf("{\"mode\": \"tls\", \"conns\": %u, \"registered\": %u, \"resumed\": %lu, \"registered_s\": %.3f, "
	       "\"switch_us_per_connect\": %.1f, "
	       "\"offered_per_s\": %.1f, \"seconds\": %.2f, \"started\": %lu, \"ok\": %lu, \"failed\": %lu, "
	       "\"retransmissions\": 0, "
	       "\"setup_p50_ms\": %.3f, \"setup_p99_ms\": %.3f, \"done_per_s\": %.1f, \"own_cpu\": %.3f, "
	       "\"switch_cpu\": %.3f, "
	       "\"switch_us_per_ok\": %.1f, \"codes\": {",
	    o.conns, registered, resumed, (double)there_us / 1e6, registered ? (double)there_switch / registered : 0,
	    o.rate, wall / 1e6, n_.started, n_.ok, n_.failed - lost, seen_ms(.5), seen_ms(.99),
	    wall > 0 ? (double)done * 1e6 / wall : 0, (double)(b_own - a_own) / wall,
	    (double)(b_switch - a_switch) / wall, done ? (double)(b_switch - a_switch) / (double)done : 0);
	for (int code = 0, n = 0; code < CODE_MAX; code++)
		if (n_.codes[code])
			printf("%s\"%d\": %lu", n++ ? ", " : "", code, n_.codes[code]);
	puts("}}");
	return 0;
}
