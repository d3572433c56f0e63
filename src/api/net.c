/* Addresses: host_lookup, gethost, interface_ip, stun. Names are the resolver's, a STUN server is asked on a worker;
 * IPv4 but for interface_ip. */
#include "api/api_i.h"
#include "core/registry/api.h"
#include "loop/co.h"
#include "net/dns.h"
#include "net/stun.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>

enum { ASK_TIMEOUT_MS = 5000 };

struct ask {
	char what[300];
	char address[ADDR_TEXT_MAX];
	uint16_t port;
	int status;
};

static void stun_work(void *arg)
{
	struct ask *q = arg;
	role_assert_work();
	q->status = stun_public_address(sv_of(q->what), ASK_TIMEOUT_MS, q->address, &q->port);
}

struct name_ask {
	struct co_wait wait;
	struct dns_answer answer;
};

static void name_told(const struct dns_answer *a, void *arg)
{
	struct name_ask *n = arg;
	role_assert_ctl();
	n->answer = *a;
	co_signal(&n->wait, ST_OK);
}

static CO bool resolve(const char *name, struct ask *q)
{
	struct name_ask n = {0};
	struct dns_ask *waiting;
	int st = dns_ask(&waiting, DNS_A, sv_of(name), NULL, ASK_TIMEOUT_MS * 1000LL, &n.answer, name_told, &n);
	if (st == ST_AGAIN && (st = co_wait_or_stop(&n.wait, -1)))
		dns_cancel(waiting);
	else if (!st || st == ST_AGAIN)
		st = n.answer.status;
	if (!st)
		addr_host(&n.answer.records[0].addr, q->address);
	return st == ST_OK;
}

int api_host_lookup(struct api_call *c)
{
	struct ask q;
	role_assert_co();
	if (!*c->args)
		return api_text(c, "parameter missing\n");
	return api_text(c, resolve(c->args, &q) ? q.address : "!err!");
}

int api_gethost(struct api_call *c)
{
	struct ask q;
	role_assert_co();
	return api_text(c, *c->args && resolve(c->args, &q) ? q.address : "-ERR");
}

int api_stun(struct api_call *c)
{
	struct api_words w;
	struct ask q = {.status = ST_INVAL};
	role_assert_co();
	int st = api_words_init(&w, c, 2);
	if (st)
		goto out;
	if (!w.n || !*w.w[0]) {
		buf_adds(c->out, "-STUN Failed! NO STUN SERVER\n");
		goto out;
	}
	if (strlen(w.w[0]) < sizeof(q.what)) {
		strcpy(q.what, w.w[0]);
		co_work(WORK_NET, "api.stun", stun_work, &q);
	}
	if (q.status == ST_OK)
		buf_printf(c->out, "%s:%u\n", q.address, (unsigned)q.port);
	else
		buf_printf(c->out, "-STUN Failed! [%s]\n", status_text(q.status));
out:
	api_words_fini(&w);
	return st;
}

/* The first address of an interface that fits the family (AF_UNSPEC: IPv4 before IPv6); false: none. */
static bool interface_address(const char *name, int family, char out[INET6_ADDRSTRLEN])
{
	struct ifaddrs *all = NULL;
	int best = AF_UNSPEC;
	if (getifaddrs(&all))
		return false;
	for (struct ifaddrs *i = all; i; i = i->ifa_next) {
		int is = i->ifa_addr ? i->ifa_addr->sa_family : AF_UNSPEC;
		if (strcmp(i->ifa_name, name) || (is != AF_INET && is != AF_INET6) || (family && is != family) ||
		    best == AF_INET || best == is)
			continue;
		const void *bytes = is == AF_INET ? (void *)&((struct sockaddr_in *)(void *)i->ifa_addr)->sin_addr
		                                  : (void *)&((struct sockaddr_in6 *)(void *)i->ifa_addr)->sin6_addr;
		if (inet_ntop(is, bytes, out, INET6_ADDRSTRLEN))
			best = is;
	}
	freeifaddrs(all);
	return best != AF_UNSPEC;
}

int api_interface_ip(struct api_call *c)
{
	struct api_words w;
	char text[INET6_ADDRSTRLEN];
	role_assert_ctl();
	int st = api_words_init(&w, c, 3);
	if (st)
		goto out;
	const char *kind = w.n ? w.w[0] : "";
	bool is_auto = !strcasecmp(kind, "auto"), is_4 = !strcasecmp(kind, "ipv4"), is_6 = !strcasecmp(kind, "ipv6");
	if (w.n < 2 || (!is_auto && !is_4 && !is_6))
		buf_adds(c->out, "USAGE: interface_ip [auto|ipv4|ipv6] <ifname>\n");
	else if (interface_address(w.w[1], is_4 ? AF_INET : is_6 ? AF_INET6 : AF_UNSPEC, text))
		buf_adds(c->out, text);
out:
	api_words_fini(&w);
	return st;
}
