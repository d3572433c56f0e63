/* Calls by gateways: one that is dialled through it has its variables and its From; a call that comes to the gateway's
 * Contact gets its context, extension and variables. */
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "endpoint/sip/call/call_i.h"

#include <string.h>
#include <strings.h>

void call_gateway_vars(struct call *c)
{
	const struct gateway *g = c->gateway;
	for (size_t i = 0; i < vars_count(g->vars_out); i++) {
		const char *name, *value;
		vars_at(g->vars_out, i, &name, &value);
		leg_var_set_text(c->leg, name, value);
	}
	leg_var_set(c->leg, "sip_gateway_name", g->name);
	if (*g->conf.prefix)
		leg_var_set_text(c->leg, "sip_destination_prefix", g->conf.prefix);
	if (*g->conf.from_domain && !vars_get(c->leg->vars, "sip_invite_domain"))
		leg_var_set(c->leg, "sip_invite_domain", g->conf.from_domain);
}

/* Variables may send the INVITE to another place than the gateway's. */
static ON_CTL bool is_sent_elsewhere(const struct call *c)
{
	static const char *const names[] = {"sip_invite_req_uri", "sip_invite_route_uri", "sip_route_uri"};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		const char *v = c->leg ? vars_get(c->leg->vars, names[i]) : NULL;
		if (v && *v)
			return true;
	}
	return false;
}

void call_gateway_learn(struct call *c, const struct addr *a)
{
	struct sip_uri u, proxy;
	if (c->redirect_count || is_sent_elsewhere(c) || sip_uri_parse(&u, sv_of(c->uri)) < 0 ||
	    sip_uri_parse(&proxy, sv_of(c->gateway->proxy_uri)) < 0)
		return;
	bool is_proxy = sv_eqi(u.host, proxy.host) && (u.port ? u.port : 5060) == (proxy.port ? proxy.port : 5060);
	if (c->gateway->outbound_route || is_proxy)
		gateway_addr_learn(c->gateway, a);
}

bool call_gateway_credentials(struct call *c, const struct sip_challenge *ch, struct sip_credentials *out)
{
	bool is_dialling = !c->sip || sip_call_state(c->sip) <= SIP_CALL_EARLY;
	if (is_dialling && addr_eq(ch->from, ch->sent_to))
		call_gateway_learn(c, ch->from);
	return gateway_credentials(c->gateway, ch, out);
}

void call_gateway_from_put(struct call *c, struct buf *b)
{
	const struct gateway *g = c->gateway;
	const struct leg_profile *lp = c->leg->profile;
	struct sip_uri u;
	if (!str_is_true(g->conf.has_caller_id_in_from)) {
		struct sv from = sv_sub(sv_of(g->from), 1, strlen(g->from) - 2);
		/* The address itself: the transport of registering is no part of who calls. */
		if (sip_uri_parse(&u, from) == ST_OK && u.params.n)
			from.n = (size_t)(u.params.p - from.p) - 1;
		buf_addv(b, from);
		return;
	}
	const char *number = lp->hides_number ? "anonymous" : lp->caller_id_number;
	const char *domain = vars_get(c->leg->vars, "sip_invite_domain");
	buf_adds(b, "sip:");
	sip_escape_user(b, sv_of(number && *number ? number : g->conf.from_user));
	if (*g->conf.from_domain && (!domain || !*domain))
		domain = g->conf.from_domain;
	buf_addc(b, '@');
	call_host_put(c, b, domain && *domain ? domain : c->p->ext_sip_ip);
}

static ON_CTL void exten_set(const struct gateway *g, const struct sip_msg *m, struct leg_profile *lp)
{
	struct buf b;
	if (strcasecmp(g->conf.extension, "auto") == 0)
		return; /* what the request URI says */
	if (strcasecmp(g->conf.extension, "auto_to_user") != 0) {
		leg_profile_destination_set(lp, g->conf.extension);
		return;
	}
	buf_init(&b);
	sip_unescape(&b, m->to.uri.user);
	if (b.n)
		leg_profile_destination_outside(lp, b.p);
	buf_fini(&b);
}

void call_gateway_inbound(struct call *c, struct gateway *g, const struct sip_msg *m, struct leg_profile *lp)
{
	if (!g)
		return;
	c->gateway = mem_ref(g);
	g->calls_in++;
	leg_var_set(c->leg, "sip_gateway", g->name);
	for (size_t i = 0; i < vars_count(g->vars_in); i++) {
		const char *name, *value;
		vars_at(g->vars_in, i, &name, &value);
		leg_var_set_text(c->leg, name, value);
	}
	leg_profile_set(&lp->context, g->conf.context);
	exten_set(g, m, lp);
}
