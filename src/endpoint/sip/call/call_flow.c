/* A call to a phone with several flows (RFC 5626) that could not go by the one it was sent on (no connection, nobody
 * answered, 430 of an edge proxy) goes by another one, by a new INVITE of the same leg. The flow that failed is
 * forgotten; so each is tried once. */
#include "base/mem.h"
#include "core/leg/leg.h"
#include "endpoint/sip/call/call_i.h"

#include <string.h>

static bool is_flow_failure(const struct sip_close *why)
{
	return (why->kind == SIP_CLOSE_REJECT && why->code == 430) || why->kind == SIP_CLOSE_TRANSPORT ||
	       (why->kind == SIP_CLOSE_TIMEOUT && why->code == 408);
}

bool call_flow_in(struct call *c, const struct sip_close *why)
{
	struct sofia_target t;
	struct buf b;
	if (!c->is_outbound || !c->flow_target || c->leg->is_answered || !is_flow_failure(why))
		return false;
	const struct reg *r = reg_flow_failed(c->p, sv_of(c->flow_target));
	if (!r)
		return false;
	buf_init(&b);
	buf_printf(&b, "%s/%s", c->p->conf.name, r->target);
	int st = b.failed ? ST_NOMEM : sofia_target_parse(&t, buf_sv(&b));
	if (!st) {
		mem_free(c->flow_target), mem_free(c->uri), mem_free(c->route);
		c->flow_target = mem_strdup(r->target);
		c->uri = t.uri, t.uri = NULL;
		c->route = NULL;
		memset(&c->dst, 0, sizeof(c->dst));
		sofia_target_route(&t, &c->route, &c->dst);
		c->is_nat = t.is_nat;
		c->is_closed = false;
		sofia_target_fini(&t);
		leg_log(c->leg, LOG_INFO, "by another flow of the phone: %s", c->uri);
		if ((st = call_out_invite(c->leg)) < 0)
			c->is_closed = true;
	}
	buf_fini(&b);
	return !st;
}
