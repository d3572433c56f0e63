/* One look-up, whoever drives its channel: what needs no server, the questions, and the way of a
 * worker that waits for it. c-ares checks that an answer is of the server asked and of this question; what is in it
 * dns_packet.c reads. */
#include "base/clock.h"
#include "base/mem.h"
#include "net/dns_i.h"
#include <arpa/nameser.h>
#include <errno.h>
#include <poll.h>
#include <string.h>

enum { LABEL_MAX = 63 };

/* A host name (RFC 952, 1123; underscores occur), whose last label is no number: "127.1" and the like are addresses to
 * some libraries and no names to anybody. */
static bool is_host_name(struct sv name)
{
	size_t label = 0;
	bool is_number = true;
	if (name.n && name.p[name.n - 1] == '.')
		name.n--;
	if (!name.n || name.n > DNS_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		char ch = name.p[i];
		bool is_digit = ch >= '0' && ch <= '9';
		if (ch == '.') {
			if (!label)
				return false;
			label = 0, is_number = true;
			continue;
		}
		if (!is_digit && !((ch | 32) >= 'a' && (ch | 32) <= 'z') && ch != '-' && ch != '_')
			return false;
		is_number &= is_digit;
		if (++label > LABEL_MAX)
			return false;
	}
	return label && !is_number;
}

static bool ends_in(struct sv name, struct sv tail)
{
	return name.n >= tail.n && sv_eqi(sv_sub(name, name.n - tail.n, name.n), tail) &&
	       (name.n == tail.n || name.p[name.n - tail.n - 1] == '.');
}

static bool known_is(struct dns_answer *a, int status)
{
	a->status = status;
	return true;
}

bool dns_known(const struct dns_conf *c, enum dns_kind kind, struct sv name, struct dns_answer *a)
{
	struct addr *first = &a->records[0].addr;
	a->count = a->text_n = 0;
	if (kind >= DNS_SRV) /* numbers and what the hosts file names have addresses and nothing else */
		return (!is_host_name(name) || ends_in(name, SV("invalid")) || ends_in(name, SV("localhost")) ||
		           dns_conf_has_host(c, name)) &&
		       known_is(a, ST_NOTFOUND);
	if (!addr_parse(first, name, 0)) {
		bool is_4 = first->sa.sa_family == AF_INET;
		a->count = kind == DNS_ADDRESS || (kind == DNS_A) == is_4;
		return known_is(a, a->count ? ST_OK : ST_NOTFOUND);
	}
	if (!is_host_name(name))
		return known_is(a, ST_PARSE);
	if (name.p[name.n - 1] == '.')
		name.n--;
	if (dns_conf_host(c, kind, name, a))
		return true;
	if (ends_in(name, SV("invalid"))) /* RFC 6761 6.4 */
		return known_is(a, ST_NOTFOUND);
	if (ends_in(name, SV("localhost"))) { /* RFC 6761 6.3 */
		a->count = 1;
		return known_is(a, addr_parse(first, kind == DNS_AAAA ? SV("::1") : SV("127.0.0.1"), 0));
	}
	return false;
}

/* ---- the questions ---- */

static void on_packet(void *arg, int rc, int timeouts, unsigned char *p, int n);

static void question_send(struct dns_lookup *l)
{
	bool is_6 = l->kind == DNS_AAAA || l->is_second;
	if (l->kind == DNS_SRV || l->kind == DNS_NAPTR) { /* of whole names only */
		ares_query(l->channel, l->name, ns_c_in, l->kind == DNS_SRV ? ns_t_srv : ns_t_naptr, on_packet, l);
		return;
	}
	ares_search(l->channel, l->name, ns_c_in, is_6 ? ns_t_aaaa : ns_t_a, on_packet, l);
}

static void on_packet(void *arg, int rc, int timeouts, unsigned char *p, int n)
{
	struct dns_lookup *l = arg;
	if (l->is_done || rc == ARES_EDESTRUCTION || rc == ARES_ECANCELLED)
		return;
	bool is_6 = l->kind == DNS_AAAA || l->is_second;
	if (rc)
		dns_packet_failed(&l->answer, rc, &l->ttl_s);
	else
		dns_packet_read(l->kind >= DNS_SRV ? l->kind : is_6 ? DNS_AAAA : DNS_A, p, n, &l->answer, &l->ttl_s);
	/* NXDOMAIN is true of every type; only a name that is there may have another one */
	if (l->answer.status == ST_NOTFOUND && rc != ARES_ENOTFOUND && l->kind == DNS_ADDRESS && !l->is_second) {
		l->is_second = true;
		question_send(l);
		return;
	}
	l->is_done = true;
	if (l->on_done)
		l->on_done(l);
}

void dns_lookup_begin(struct dns_lookup *l)
{
	question_send(l);
}

/* ---- waited for ---- */

/* One turn: until a packet, a time-out of c-ares, the deadline or the end of the program. False: the latter two. */
static bool wait_turn(struct dns_lookup *l, int64_t deadline_us, int stop_fd)
{
	ares_socket_t socks[ARES_GETSOCK_MAXNUM];
	struct pollfd fds[ARES_GETSOCK_MAXNUM + 1];
	unsigned bits = (unsigned)ares_getsock(l->channel, socks, ARES_GETSOCK_MAXNUM);
	nfds_t n = 0;
	for (int i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
		/* the macros of c-ares shift a signed 1 out at the last of them */
		short events =
		    (short)((bits >> i & 1 ? POLLIN : 0) | (bits >> (i + ARES_GETSOCK_MAXNUM) & 1 ? POLLOUT : 0));
		if (events)
			fds[n++] = (struct pollfd){.fd = socks[i], .events = events};
	}
	fds[n] = (struct pollfd){.fd = stop_fd, .events = POLLIN}; /* -1 is left out by poll */
	int64_t left_us = deadline_us - clock_mono_us();
	struct timeval most = {.tv_sec = left_us / 1000000, .tv_usec = left_us % 1000000}, tv;
	if (left_us <= 0)
		return false;
	const struct timeval *t = ares_timeout(l->channel, &most, &tv);
	int rc = poll(fds, n + 1, (int)(t->tv_sec * 1000 + (t->tv_usec + 999) / 1000));
	if (rc > 0 && fds[n].revents)
		return false;
	bool is_any = false;
	for (nfds_t i = 0; rc > 0 && i < n; i++) {
		bool is_in = fds[i].revents & (POLLIN | POLLERR | POLLHUP), is_out = fds[i].revents & POLLOUT;
		if (!is_in && !is_out)
			continue;
		is_any = true;
		ares_process_fd(l->channel, is_in ? fds[i].fd : ARES_SOCKET_BAD, is_out ? fds[i].fd : ARES_SOCKET_BAD);
	}
	if (!is_any)
		ares_process_fd(l->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	return true;
}

int dns_lookup_blocking(enum dns_kind kind, struct sv name, int64_t timeout_us, int stop_fd, struct dns_answer *a)
{
	int64_t deadline_us = clock_mono_us() + timeout_us;
	struct dns_lookup l = {.kind = kind};
	struct dns_conf *conf;
	int st = dns_conf_read(&conf);
	if (st)
		return a->count = 0, a->status = st;
	if (dns_known(conf, kind, name, a))
		goto out;
	memcpy(l.name, name.p, name.n);
	a->count = 0;
	a->status = dns_conf_channel(conf, NULL, NULL, NULL, &l.channel);
	if (a->status)
		goto out;
	dns_lookup_begin(&l);
	while (!l.is_done && wait_turn(&l, deadline_us, stop_fd))
		;
	if (l.is_done)
		*a = l.answer;
	else
		a->status = ST_TIMEOUT;
	ares_destroy(l.channel);
out:
	mem_unref(conf);
	return a->status;
}
