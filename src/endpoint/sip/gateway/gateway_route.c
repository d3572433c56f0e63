/* Service-Route (RFC 3608): the proxies that a registrar wants our requests to go through. Kept with the registration,
 * the Route of calls by the gateway unless the configuration names a proxy for them (outbound-proxy). The registrar's
 * words: bounded, and of the grammar, or left aside. */
#include "base/log.h"
#include "base/mem.h"
#include "endpoint/sip/gateway/gateway_i.h"

enum { ROUTES_MAX = 8, ROUTE_MAX_BYTES = 1024 };

void gateway_service_route_take(struct gateway *g, const struct sip_msg *resp)
{
	struct sip_list_it it;
	struct sip_nameaddr na;
	struct buf b;
	size_t count = 0;
	bool is_bad = false;
	buf_init(&b);
	sip_list_start(&it, resp, SIP_HDR_SERVICE_ROUTE);
	while (!is_bad && sip_list_next(&it)) {
		is_bad = sip_nameaddr_parse(&na, it.item) || !na.has_brackets || na.uri.scheme != SIP_SCHEME_SIP ||
		         ++count > ROUTES_MAX;
		if (!is_bad)
			buf_printf(&b, "%s<%.*s>", count > 1 ? ", " : "", SVF(na.uri.text));
	}
	mem_free(g->service_route);
	g->service_route = NULL;
	if (is_bad || it.is_bad || b.n > ROUTE_MAX_BYTES)
		log_warning(
		    "sofia: gateway %s: its registrar's Service-Route is not followed: no list of at most %d proxies",
		    g->name, ROUTES_MAX);
	else if (count && !b.failed)
		g->service_route = buf_take(&b);
	buf_fini(&b);
}

const char *gateway_route(const struct gateway *g)
{
	return g->outbound_route || addr_is_set(&g->outbound_dst.addr) ? g->outbound_route : g->service_route;
}
