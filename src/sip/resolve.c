/* From a sip: URI to an address. Numeric hosts are answered at once; other names by getaddrinfo on a worker, with a
 * deadline: a dead name server costs only the request that named it. */
#include "loop/work.h"
#include "sip/sip_i.h"
#include <netdb.h>

struct sip_resolve {
	/* the worker's between work_submit and its end */
	char host[256];
	struct addr found;
	bool is_found;
	/* control's */
	bool is_done, is_told;
	uint16_t port;
	enum sip_transport transport;
	struct ltimer timer;
	sip_resolve_fn fn;
	void *arg;
};

static void lookup(void *arg)
{
	role_assert_work();
	struct sip_resolve *r = arg;
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM, .ai_flags = AI_ADDRCONFIG},
	                *list = NULL;
	if (getaddrinfo(r->host, NULL, &hints, &list))
		return;
	/* IPv4 first: a profile without an IPv6 listener is the common case */
	for (struct addrinfo *a = list; a; a = a->ai_next) {
		if (a->ai_addrlen > sizeof(r->found) || (a->ai_family != AF_INET && a->ai_family != AF_INET6))
			continue;
		if (r->is_found && !(a->ai_family == AF_INET && r->found.sa.sa_family == AF_INET6))
			continue;
		memcpy(&r->found, a->ai_addr, a->ai_addrlen);
		r->is_found = true;
	}
	freeaddrinfo(list);
}

static ON_CTL void tell(struct sip_resolve *r, int status)
{
	struct sip_dst dst = {.transport = r->transport};
	loop_timer_cancel(&r->timer);
	if (r->is_told)
		return;
	r->is_told = true;
	if (!status) {
		dst.addr = r->found;
		addr_set_port(&dst.addr, r->port);
	}
	r->fn(status, &dst, r->arg);
}

static void on_found(int status, void *arg)
{
	role_assert_ctl();
	struct sip_resolve *r = arg;
	r->is_done = true;
	tell(r, status ? status : r->is_found ? ST_OK : ST_NOTFOUND);
	mem_free(r);
}

static void on_deadline(void *arg)
{
	role_assert_ctl();
	tell(arg, ST_TIMEOUT); /* the object stays with the worker until it ends */
}

void sip_resolve_cancel(struct sip_resolve *r)
{
	if (!r)
		return;
	loop_timer_cancel(&r->timer);
	r->is_told = true;
}

int sip_resolve(struct sip_resolve **out, const struct sip_stack *s, const char *uri_text, struct sip_dst *dst,
    sip_resolve_fn fn, void *arg)
{
	struct sip_uri uri;
	struct sv host;
	int st = sip_uri_parse(&uri, sv_of(uri_text));
	if (st || uri.scheme != SIP_SCHEME_SIP)
		return st ? st : ST_UNSUPPORTED;
	enum sip_transport t = sip_uri_transport(&uri);
	uint16_t port = uri.port ? uri.port : 5060;
	if (t == SIP_TRANSPORT_NONE)
		t = SIP_UDP;
	if (t != SIP_UDP && t != SIP_TCP)
		return ST_UNSUPPORTED;
	if (!sip_uri_param(&uri, "maddr", &host) || !host.n)
		host = uri.host;
	if (!addr_parse(&dst->addr, host, port)) {
		dst->transport = t;
		return ST_OK;
	}
	if (s->cfg.numeric_hosts_only)
		return ST_NOTFOUND;
	struct sip_resolve *r = mem_zalloc(sizeof(*r));
	if (!r)
		return ST_NOMEM;
	if (host.n >= sizeof(r->host)) {
		mem_free(r);
		return ST_PARSE;
	}
	memcpy(r->host, host.p, host.n);
	r->port = port;
	r->transport = t;
	r->fn = fn;
	r->arg = arg;
	st = work_submit("sip.resolve", lookup, on_found, r);
	if (st) {
		mem_free(r);
		return st;
	}
	loop_timer_set(&r->timer, s->cfg.resolve_timeout_ms * 1000LL, "sip.resolve", on_deadline, r);
	*out = r;
	return ST_AGAIN;
}
