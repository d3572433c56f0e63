/* From a sip: URI to the places that serve it (RFC 3263), one after the other: what comes first in the records is tried
 * first, the next is only looked for when it is needed. Numbers and the resolver's cache are answered at once; other
 * questions wait in the resolver (net/dns.h), so a dead name server costs only the request that named it.
 *
 *   host, neither port nor transport -> NAPTR: transports in its order, else UDP, TCP as we have them
 *   no port                          -> SRV of each transport: by priority, drawn by weight (RFC 2782)
 *   port, or none of these           -> A or AAAA, whichever the profile's sockets reach
 *
 * Places that lately did not answer (dead.c) come last. Bounded: services, records, addresses and time, and by whoever
 * brought the name. */
#include "base/clock.h"
#include "net/dns.h"
#include "sip/sip_i.h"
#include <stdio.h>

enum { SERVICES_MAX = 4, LATER_MAX = 8 };
enum step { STEP_NAPTR, STEP_SRV, STEP_HOST, STEP_END };

struct service {
	enum sip_transport transport;
	bool is_host; /* an address, no SRV (NAPTR's flag "a") */
	char name[DNS_NAME_MAX + 1];
};
struct sip_locate {
	struct sip_stack *s; /* NULL once it is closed */
	struct lnode link;
	struct addr behalf;
	bool is_secure, has_service; /* has_service: SRV spoke, so the bare host is not meant */
	char host[DNS_NAME_MAX + 1];
	uint16_t port;
	enum sip_transport transport; /* NONE: the records choose */
	enum dns_kind kind;           /* of addresses */
	enum step step;
	struct service services[SERVICES_MAX];
	size_t service_count, service_at;
	struct dns_answer srv; /* of services[service_at - 1]; its records in the order to try */
	size_t srv_at;
	unsigned group_weight; /* of the SRV records of this priority */
	/* addresses of one target */
	struct addr addrs[DNS_RECORDS_MAX];
	size_t addr_count, addr_at;
	struct sip_place place; /* but for its address */
	struct sip_place later[LATER_MAX];
	size_t later_count, later_at;
	int status; /* why there is none */
	int64_t deadline_us;
	struct dns_ask *ask;
	sip_locate_fn fn;
	void *arg;
};

static ON_CTL int locate_go(struct sip_locate *l, struct sip_place *out);

void sip_locate_free(struct sip_locate *l)
{
	if (!l)
		return;
	dns_cancel(l->ask);
	list_remove(&l->link);
	mem_free(l);
}

void sip_locates_end(struct sip_stack *s)
{
	struct lnode *n;
	while ((n = list_first(&s->locates))) {
		struct sip_locate *l = list_entry(n, struct sip_locate, link);
		bool is_waiting = l->ask != NULL;
		list_remove(n);
		dns_cancel(l->ask);
		l->ask = NULL, l->s = NULL;
		if (is_waiting)
			l->fn(ST_CANCELLED, NULL, l->arg);
	}
}

/* ---- the URI ---- */

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

bool sip_uri_needs_name(const char *uri_text)
{
	return sip_uri_host_asked(uri_text).n > 0;
}

bool sip_uri_has_transport(const char *uri_text)
{
	struct sip_uri uri;
	return !sip_uri_parse(&uri, sv_of(uri_text)) && sip_uri_param(&uri, "transport", NULL);
}

/* What addresses its sockets can send to. */
static enum dns_kind kind_of(const struct sip_stack *s)
{
	bool has_4 = false, has_6 = false;
	for (const struct lnode *n = s->listeners.head.next; n != &s->listeners.head; n = n->next) {
		bool is_6 = list_entry(n, struct sip_listener, link)->local.sa.sa_family == AF_INET6;
		has_4 |= !is_6, has_6 |= is_6;
	}
	return has_4 == has_6 ? DNS_ADDRESS : has_6 ? DNS_AAAA : DNS_A;
}

static bool has_listener(const struct sip_stack *s, enum sip_transport t)
{
	for (const struct lnode *n = s->listeners.head.next; n != &s->listeners.head; n = n->next)
		if (list_entry(n, struct sip_listener, link)->ops->id == t)
			return true;
	return false;
}

/* ---- services ---- */

static void service_add(struct sip_locate *l, enum sip_transport t, bool is_host, const char *prefix, const char *name)
{
	struct service *v = &l->services[l->service_count];
	if (l->service_count == SERVICES_MAX)
		return;
	v->transport = t, v->is_host = is_host;
	if ((size_t)snprintf(v->name, sizeof(v->name), "%s%s", prefix, name) < sizeof(v->name))
		l->service_count++;
}

static void services_default(struct sip_locate *l)
{
	static const struct {
		enum sip_transport transport;
		const char *prefix;
	} known[] = {{SIP_UDP, "_sip._udp."}, {SIP_TCP, "_sip._tcp."}, {SIP_TLS, "_sips._tcp."}};
	for (size_t i = 0; i < ARRAY_COUNT(known); i++) {
		enum sip_transport t = known[i].transport;
		if (l->transport ? t == l->transport : (t == SIP_TLS) == l->is_secure && has_listener(l->s, t))
			service_add(l, t, false, known[i].prefix, l->host);
	}
}

static enum sip_transport service_transport(const char *service)
{
	static const struct {
		const char *name;
		enum sip_transport transport;
	} known[] = {{"sip+d2u", SIP_UDP}, {"sip+d2t", SIP_TCP}, {"sips+d2t", SIP_TLS}};
	for (size_t i = 0; i < ARRAY_COUNT(known); i++)
		if (!strcmp(known[i].name, service))
			return known[i].transport;
	return SIP_TRANSPORT_NONE;
}

static bool is_before(const struct dns_record *a, const struct dns_record *b)
{
	return a->first != b->first ? a->first < b->first : a->second < b->second;
}

static void services_take(struct sip_locate *l, const struct dns_answer *a)
{
	bool is_used[DNS_RECORDS_MAX] = {false};
	for (size_t k = 0; k < a->count; k++) {
		size_t best = a->count;
		for (size_t i = 0; i < a->count; i++)
			if (!is_used[i] && (best == a->count || is_before(&a->records[i], &a->records[best])))
				best = i;
		const struct dns_record *r = &a->records[best];
		enum sip_transport t = service_transport(dns_record_service(a, r));
		is_used[best] = true;
		if (t && has_listener(l->s, t) && (t == SIP_TLS || !l->is_secure) && *dns_record_name(a, r) &&
		    (r->flag == 's' || r->flag == 'a'))
			service_add(l, t, r->flag == 'a', "", dns_record_name(a, r));
	}
}

/* ---- questions ---- */

/* A third of the time at most for NAPTR, half of the rest for each SRV: who does not know these types may be silent. */
static ON_CTL int64_t wait_us(const struct sip_locate *l, enum dns_kind kind)
{
	int64_t left_us = l->deadline_us - loop_now_us();
	if (left_us < 1)
		left_us = 1;
	return kind == DNS_NAPTR ? left_us / 3 : kind == DNS_SRV ? left_us / 2 : left_us;
}

static ON_CTL void heard(struct sip_locate *l, const struct dns_answer *a);

static void on_answer(const struct dns_answer *a, void *arg)
{
	struct sip_locate *l = arg;
	struct sip_place place;
	role_assert_ctl();
	l->ask = NULL;
	heard(l, a);
	int st = locate_go(l, &place);
	if (st != ST_AGAIN)
		l->fn(st, st ? NULL : &place, l->arg);
}

static ON_CTL int ask(struct sip_locate *l, enum dns_kind kind, const char *name)
{
	struct dns_answer a;
	const struct addr *behalf = addr_is_set(&l->behalf) ? &l->behalf : NULL;
	int st = dns_ask(&l->ask, kind, sv_of(name), behalf, wait_us(l, kind), &a, on_answer, l);
	if (st != ST_AGAIN)
		heard(l, &a);
	return st;
}

/* The question whose answer heard() gets is the one of the present step. */
static ON_CTL void heard(struct sip_locate *l, const struct dns_answer *a)
{
	bool is_service = l->step == STEP_SRV && l->srv_at == SIZE_MAX;
	if (a->status && (l->status == ST_OK || a->status != ST_NOTFOUND))
		l->status = a->status;
	if (l->step == STEP_NAPTR) {
		if (!a->status)
			services_take(l, a);
		if (!l->service_count)
			services_default(l);
		l->step = STEP_SRV;
		return;
	}
	if (is_service) {
		l->srv_at = 0;
		l->srv.count = 0;
		if (a->status)
			return;
		memcpy(&l->srv, a, sizeof(*a));
		l->has_service = true;
		dns_srv_sort(&l->srv);
		return;
	}
	l->addr_at = 0;
	l->addr_count = a->status ? 0 : a->count;
	for (size_t i = 0; i < l->addr_count; i++)
		l->addrs[i] = a->records[i].addr;
}

/* The next thing to ask, for which the place's transport and port are set; false: there is nothing more. */
static ON_CTL bool question_next(struct sip_locate *l, enum dns_kind *kind, const char **name)
{
	*kind = l->kind;
	if (l->step == STEP_NAPTR) {
		*kind = DNS_NAPTR, *name = l->host;
		return true;
	}
	while (l->step == STEP_SRV) {
		const struct service *v = &l->services[l->service_at ? l->service_at - 1 : 0];
		if (l->service_at && l->srv_at < l->srv.count) {
			const struct dns_record *r = &l->srv.records[l->srv_at];
			bool is_first = !l->srv_at || r->first != l->srv.records[l->srv_at - 1].first;
			if (is_first)
				l->place.preference++, l->group_weight = 0;
			for (size_t i = l->srv_at; is_first && i < l->srv.count; i++)
				l->group_weight += l->srv.records[i].first == r->first ? l->srv.records[i].second : 0;
			l->place.weight_milli = l->group_weight ? r->second * 1000u / l->group_weight : 1000;
			l->place.dst.transport = v->transport;
			l->port = r->port ? r->port : sip_transport_facts(v->transport)->default_port;
			*name = dns_record_name(&l->srv, r);
			l->srv_at++;
			if (!**name)
				continue; /* decidedly not there */
			return true;
		}
		if (l->service_at == l->service_count)
			break;
		v = &l->services[l->service_at++];
		l->srv.count = 0;
		*name = v->name;
		if (v->is_host) {
			l->has_service = true, l->srv_at = 0;
			l->place.preference++, l->place.weight_milli = 1000;
			l->place.dst.transport = v->transport;
			l->port = sip_transport_facts(v->transport)->default_port;
			return true;
		}
		l->srv_at = SIZE_MAX;
		*kind = DNS_SRV;
		return true;
	}
	if (l->step == STEP_END || l->has_service)
		return false;
	l->step = STEP_END;
	enum sip_transport otherwise = l->is_secure ? SIP_TLS : SIP_TRANSPORT_DEFAULT;
	l->place = (struct sip_place){
	    .dst.is_by_name = true, .preference = 1, .weight_milli = 1000, .is_any_transport = !l->transport};
	l->place.dst.transport = l->transport ? l->transport : otherwise;
	if (!l->port)
		l->port = sip_transport_facts(l->place.dst.transport)->default_port;
	*name = l->host;
	return true;
}

/* Up to the next place: ST_OK; ST_AGAIN: a question waits; else there is none more, and why. */
static ON_CTL int locate_go(struct sip_locate *l, struct sip_place *out)
{
	enum dns_kind kind;
	const char *name;
	for (;;) {
		while (l->addr_at < l->addr_count) {
			*out = l->place;
			out->dst.addr = l->addrs[l->addr_at++];
			addr_set_port(&out->dst.addr, l->port);
			if (!sip_dead_is(l->s, &out->dst) || l->later_count == LATER_MAX)
				return ST_OK;
			l->later[l->later_count++] = *out;
		}
		if (!question_next(l, &kind, &name))
			break;
		if (ask(l, kind, name) == ST_AGAIN)
			return ST_AGAIN;
	}
	if (l->later_at < l->later_count) {
		*out = l->later[l->later_at++];
		return ST_OK;
	}
	return l->status ? l->status : ST_NOTFOUND;
}

int sip_locate_next(struct sip_locate *l, struct sip_place *out)
{
	if (!l->s)
		return ST_CANCELLED;
	l->deadline_us = loop_now_us() + clock_us_of_ms(l->s->cfg.resolve_timeout_ms);
	return locate_go(l, out);
}

bool sip_locate_has_more(const struct sip_locate *l)
{
	return l->addr_at < l->addr_count || l->later_at < l->later_count ||
	       (l->step == STEP_SRV && l->srv_at != SIZE_MAX && l->srv_at < l->srv.count);
}

/* ---- begin ---- */

static enum step first_step(const struct sip_locate *l)
{
	const struct sip_stack_config *cfg = &l->s->cfg;
	bool has_srv = l->transport != SIP_WS && l->transport != SIP_WSS && !cfg->has_no_srv;
	return l->port || (!has_srv && (l->transport || cfg->has_no_naptr)) ? STEP_HOST
	       : l->transport || cfg->has_no_naptr                          ? STEP_SRV
	                                                                    : STEP_NAPTR;
}

/* While NAPTR and SRV are asked for, the host's addresses are fetched: mostly it is they that are needed. */
static ON_CTL void prefetch(struct sip_locate *l)
{
	struct dns_answer a;
	struct dns_ask *waiting = NULL;
	const struct addr *behalf = addr_is_set(&l->behalf) ? &l->behalf : NULL;
	if (dns_ask(&waiting, l->kind, sv_of(l->host), behalf, 1000000, &a, on_answer, l) == ST_AGAIN)
		dns_cancel(waiting);
}

static ON_CTL int locate_new(struct sip_locate **out, struct sip_stack *s, const struct sip_uri *uri, struct sv host,
    enum sip_transport t, const struct addr *behalf)
{
	if (host.n > DNS_NAME_MAX)
		return ST_NOTFOUND;
	struct sip_locate *l = mem_alloc(sizeof(*l));
	if (!l)
		return ST_NOMEM;
	memset(l, 0, offsetof(struct sip_locate, srv));
	memset(&l->srv_at, 0, sizeof(*l) - offsetof(struct sip_locate, srv_at));
	l->srv.count = l->srv.text_n = 0;
	l->s = s, l->port = uri->port, l->transport = t;
	l->place.dst.is_by_name = true;
	l->is_secure = uri->scheme == SIP_SCHEME_SIPS;
	l->kind = kind_of(s);
	if (behalf)
		l->behalf = *behalf;
	memcpy(l->host, host.p, host.n);
	l->step = first_step(l);
	if (l->step == STEP_SRV)
		services_default(l);
	if (l->step != STEP_HOST)
		prefetch(l);
	list_push(&s->locates, &l->link);
	*out = l;
	return ST_OK;
}

/* NONE: it says nothing of it. sips: is TLS, whatever transport= says (RFC 3261 26.2.2); over WebSocket the secure one
 * (RFC 7118 5.5). */
static enum sip_transport transport_of(const struct sip_uri *uri)
{
	enum sip_transport t = sip_uri_transport(uri);
	if (uri->scheme != SIP_SCHEME_SIPS)
		return t;
	return t == SIP_WS || t == SIP_WSS ? SIP_WSS : SIP_TLS;
}

int sip_locate(struct sip_locate **out, struct sip_stack *s, const char *uri_text, const struct addr *behalf,
    struct sip_place *place, sip_locate_fn fn, void *arg)
{
	struct sip_uri uri;
	struct sip_locate *l;
	*out = NULL;
	int st = sip_uri_parse(&uri, sv_of(uri_text));
	if (st || (uri.scheme != SIP_SCHEME_SIP && uri.scheme != SIP_SCHEME_SIPS))
		return st ? st : ST_UNSUPPORTED;
	enum sip_transport t = transport_of(&uri), known = t ? t : SIP_TRANSPORT_DEFAULT;
	if (uri.scheme == SIP_SCHEME_SIPS && sip_uri_transport(&uri) == SIP_UDP)
		return ST_UNSUPPORTED;
	if (!sip_stack_has_transport(s, known) || (!t && sip_uri_param(&uri, "transport", NULL)))
		return ST_UNSUPPORTED;
	struct sv host = host_of(&uri);
	*place =
	    (struct sip_place){.dst.transport = known, .preference = 1, .weight_milli = 1000, .is_any_transport = !t};
	if (!addr_parse(&place->dst.addr, host, uri.port ? uri.port : sip_transport_facts(known)->default_port))
		return ST_OK;
	if (s->cfg.numeric_hosts_only)
		return ST_NOTFOUND;
	if ((st = locate_new(&l, s, &uri, host, t, behalf)))
		return st;
	l->fn = fn, l->arg = arg;
	st = sip_locate_next(l, place);
	if (st && st != ST_AGAIN)
		sip_locate_free(l);
	else
		*out = l;
	return st;
}
