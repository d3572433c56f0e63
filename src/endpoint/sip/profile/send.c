/* Requests of a profile outside of dialogs, to an address as dial strings write it. */
#include "base/log.h"
#include "base/mem.h"
#include "endpoint/sip/profile/profile_i.h"
#include "endpoint/sip/uri/uri.h"

void profile_flow_choose(const struct profile *p, bool is_nat, struct sip_dst *dst)
{
	if (!addr_is_set(&dst->addr) || !sip_transport_is_reliable(dst->transport))
		return;
	if (is_nat)
		dst->is_flow_only = true;
	else if (!p->stack || !sip_stack_has_conn(p->stack, dst->transport, &dst->addr))
		*dst = (struct sip_dst){.transport = SIP_TRANSPORT_NONE};
}

int profile_request_send(struct profile *p, const struct profile_request *r)
{
	struct sofia_target t;
	char *route = NULL;
	int st = sofia_target_parse(&t, sv_of(r->target));
	if (st < 0)
		return st;
	struct sip_request_params rp = {.method = r->method,
	    .uri = t.uri,
	    .from = r->from,
	    .to = r->to,
	    .contact = "",
	    .headers = r->headers,
	    .ctype = r->ctype,
	    .body = r->body,
	    .dst = {.transport = t.transport}};
	sofia_target_route(&t, &route, &rp.dst);
	profile_flow_choose(p, t.is_nat, &rp.dst);
	rp.route = route;
	st = sip_request_send(NULL, p->stack, &rp, NULL, NULL);
	if (st)
		log_notice("sofia: %s: no %s to %s: %s", p->conf.name, r->method, t.uri, status_text(st));
	mem_free(route);
	sofia_target_fini(&t);
	return st;
}
