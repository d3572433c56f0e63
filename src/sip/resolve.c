/* From a sip: URI to an address. Numeric hosts are answered at once; other names by the resolver (net/dns.h), which
 * never holds the loop up: a dead name server costs only the request that named it. Bounded by whoever brought the
 * name. RFC 3263's NAPTR and SRV come in front of the address question here once the resolver knows them. */
#include "base/clock.h"
#include "net/dns.h"
#include "sip/sip_i.h"

struct sip_resolve {
	struct dns_ask *ask;
	uint16_t port;
	enum sip_transport transport;
	sip_resolve_fn fn;
	void *arg;
};

static void dst_fill(struct sip_dst *dst, const struct dns_answer *a, enum sip_transport t, uint16_t port)
{
	dst->addr = a->records[0].addr;
	dst->transport = t;
	addr_set_port(&dst->addr, port);
}

static void on_answer(const struct dns_answer *a, void *arg)
{
	role_assert_ctl();
	struct sip_resolve r = *(struct sip_resolve *)arg;
	struct sip_dst dst = {.transport = r.transport};
	mem_free(arg);
	if (a->status == ST_OK)
		dst_fill(&dst, a, r.transport, r.port);
	r.fn(a->status, &dst, r.arg);
}

void sip_resolve_cancel(struct sip_resolve *r)
{
	if (!r)
		return;
	dns_cancel(r->ask);
	mem_free(r);
}

/* The host that a URI sends to: maddr (RFC 3261 19.1.1) before the host. */
static struct sv host_of(const struct sip_uri *uri)
{
	struct sv host;
	return sip_uri_param(uri, "maddr", &host) && host.n ? host : uri->host;
}

struct sv sip_uri_host_asked(const char *uri_text)
{
	struct sip_uri uri;
	struct addr a;
	bool is_named = uri_text && !sip_uri_parse(&uri, sv_of(uri_text)) && addr_parse(&a, host_of(&uri), 0) != ST_OK;
	return is_named ? host_of(&uri) : SV_NONE;
}

/* sips: is TLS, whatever transport= says (RFC 3261 26.2.2); over WebSocket the secure one (RFC 7118 5.5). */
static enum sip_transport transport_of(const struct sip_uri *uri)
{
	enum sip_transport t = sip_uri_transport(uri);
	if (uri->scheme != SIP_SCHEME_SIPS)
		return t == SIP_TRANSPORT_NONE ? SIP_TRANSPORT_DEFAULT : t;
	return t == SIP_WS || t == SIP_WSS ? SIP_WSS : t == SIP_UDP ? SIP_TRANSPORT_NONE : SIP_TLS;
}

bool sip_uri_needs_name(const char *uri_text)
{
	struct sip_uri uri;
	struct addr a;
	return !sip_uri_parse(&uri, sv_of(uri_text)) && addr_parse(&a, host_of(&uri), 0) != ST_OK;
}

int sip_resolve(struct sip_resolve **out, const struct sip_stack *s, const char *uri_text, const struct addr *behalf,
    struct sip_dst *dst, sip_resolve_fn fn, void *arg)
{
	struct dns_answer a;
	struct sip_uri uri;
	int st = sip_uri_parse(&uri, sv_of(uri_text));
	if (st || (uri.scheme != SIP_SCHEME_SIP && uri.scheme != SIP_SCHEME_SIPS))
		return st ? st : ST_UNSUPPORTED;
	enum sip_transport t = transport_of(&uri);
	if (!sip_stack_has_transport(s, t))
		return ST_UNSUPPORTED;
	uint16_t port = uri.port ? uri.port : sip_transport_facts(t)->default_port;
	struct sv host = host_of(&uri);
	if (!addr_parse(&dst->addr, host, port)) {
		dst->transport = t;
		return ST_OK;
	}
	if (s->cfg.numeric_hosts_only)
		return ST_NOTFOUND;
	struct sip_resolve *r = mem_zalloc(sizeof(*r));
	if (!r)
		return ST_NOMEM;
	*r = (struct sip_resolve){.port = port, .transport = t, .fn = fn, .arg = arg};
	st = dns_ask(&r->ask, DNS_ADDRESS, host, behalf, clock_us_of_ms(s->cfg.resolve_timeout_ms), &a, on_answer, r);
	if (st == ST_AGAIN) {
		*out = r;
		return ST_AGAIN;
	}
	mem_free(r);
	if (!st)
		dst_fill(dst, &a, t, port);
	return st;
}
