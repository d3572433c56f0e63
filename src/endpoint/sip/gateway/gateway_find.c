/* The table of gateways: by name, by a request that came, by what is dialled; and from which addresses a gateway is
 * believed. The name that a request gives is anybody's word: only the addresses that its proxies have, or showed by
 * answering a request of ours, make it the gateway's. */
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/acl.h"
#include "core/value/cause.h"
#include "endpoint/sip/gateway/gateway_i.h"

#include <string.h>

const struct profile_slot gateway_slot = {"gateways", sizeof(struct gateways)};

struct gateways *gateways_in(const struct profile *p)
{
	return profile_slot_of(p, &gateway_slot);
}

const struct list *gateways_of(const struct profile *p)
{
	return &gateways_in(p)->list;
}

void gateway_left(struct gateway *g)
{
	list_remove(&g->link);
	g->p = NULL;
	mem_unref(g);
}

struct gateway *gateway_find_in(struct profile *p, struct sv name)
{
	struct lnode *it, *tmp;
	list_each (&gateways_in(p)->list, it, tmp) {
		struct gateway *g = list_entry(it, struct gateway, link);
		if (sv_isi(name, g->name))
			return g;
	}
	return NULL;
}

struct gateway *gateway_find(struct sv name)
{
	struct sv profile;
	size_t colon = sv_find(name, ':');
	if (colon + 2 < name.n && name.p[colon + 1] == ':') {
		profile = sv_sub(name, 0, colon);
		struct profile *p = profile_find(profile);
		return p ? gateway_find_in(p, sv_sub(name, colon + 2, SIZE_MAX)) : NULL;
	}
	for (struct profile *p = profile_next(NULL); p; p = profile_next(p)) {
		struct gateway *g = gateway_find_in(p, name);
		if (g)
			return g;
	}
	return NULL;
}

void gateway_addr_learn(struct gateway *g, const struct addr *a)
{
	if (!addr_is_set(a))
		return;
	for (size_t i = 0; i < g->known_count; i++)
		if (addr_eq(&g->known[i], a))
			return;
	if (g->known_count == GATEWAY_ADDRS_MAX) /* the oldest makes room */
		memmove(&g->known[0], &g->known[1], --g->known_count * sizeof(g->known[0]));
	g->known[g->known_count++] = *a;
}

bool gateway_has_addr(const struct gateway *g, const struct addr *a)
{
	/* A proxy may send from another port than it listens on; but on this machine the host says nothing. */
	for (size_t i = 0; i < g->known_count; i++)
		if (addr_is_loopback(a) ? addr_eq(&g->known[i], a) : addr_eq_host(&g->known[i], a))
			return true;
	return false;
}

bool gateway_is_at(const struct gateway *g, const struct addr *src)
{
	return gateway_has_addr(g, src) || (*g->conf.auth_acl && acl_allows(sv_of(g->conf.auth_acl), src, NULL, NULL));
}

bool gateway_is_any_at(const struct addr *src)
{
	struct lnode *n, *tmp;
	for (struct profile *p = profile_next(NULL); p; p = profile_next(p)) {
		list_each (&gateways_in(p)->list, n, tmp) {
			const struct gateway *g = list_entry(n, struct gateway, link);
			for (size_t i = 0; i < g->known_count; i++)
				if (addr_eq_host(&g->known[i], src))
					return true;
		}
	}
	return false;
}

void gateway_addrs_init(struct gateway *g)
{
	struct sip_uri u;
	struct addr a;
	uint16_t port = sip_transport_facts(sip_transport_of(sv_of(g->conf.transport)))->default_port;
	if (sip_uri_parse(&u, sv_of(g->proxy_uri)) == ST_OK && addr_parse(&a, u.host, u.port ? u.port : port) == ST_OK)
		gateway_addr_learn(g, &a);
	gateway_addr_learn(g, &g->register_dst.addr);
	gateway_addr_learn(g, &g->outbound_dst.addr);
}

struct gateway *gateway_of_request(struct profile *p, const struct sip_msg *m, const struct addr *src)
{
	struct sv name;
	struct gateway *g = NULL;
	char host[ADDR_TEXT_MAX];
	if (list_empty(&gateways_in(p)->list))
		return NULL;
	if (sip_uri_param(&m->ruri, "gw", &name))
		g = gateway_find_in(p, name);
	else if (sv_starts(m->ruri.user, SV("gw+")))
		g = gateway_find_in(p, sv_sub(m->ruri.user, 3, SIZE_MAX));
	if (!g || gateway_is_at(g, src))
		return g;
	log_notice("sofia: %s: a call from %s names gateway %s, whose host it is not: it is taken as any other",
	    p->conf.name, addr_host(src, host), g->name);
	return NULL;
}

int gateway_target(struct sofia_target *t, struct gateway **out, enum cause *cause)
{
	struct gateway *g = gateway_find(t->gateway);
	struct buf b;
	struct sip_uri u;
	if (!g) {
		log_error("sofia: there is no gateway %.*s", SVF(t->gateway));
		*cause = CAUSE_INVALID_GATEWAY;
		return ST_NOTFOUND;
	}
	if (!g->is_up) {
		log_error("sofia: gateway %s is down", g->name);
		g->failed_out++;
		*cause = CAUSE_GATEWAY_DOWN;
		return ST_CLOSED;
	}
	buf_init(&b);
	buf_printf(&b, "sip:%s%s", g->conf.prefix, t->user);
	if (!strchr(t->user, '@'))
		buf_printf(&b, "@%s", g->call_uri + 4);
	if (b.failed || !sip_is_value(buf_sv(&b)) || sip_uri_parse(&u, buf_sv(&b)) < 0) {
		buf_fini(&b);
		*cause = CAUSE_INVALID_URL;
		return ST_PARSE;
	}
	t->uri = buf_take(&b);
	*out = g;
	return t->uri ? ST_OK : ST_NOMEM;
}
