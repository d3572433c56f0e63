/* Outbound calls: a target becomes a leg in CS_NEW (outgoing); the responses to its INVITE (call_invite.c) become
 * ringing, early media, an answer. Refusals and time-outs end in call_end.c, redirections in redirect.c. */
#include "base/log.h"
#include "base/mem.h"
#include "core/leg/leg.h"
#include "core/registry/endpoint.h"
#include "core/sound/media.h"
#include "core/value/cause.h"
#include "core/value/vars.h"
#include "endpoint/sip/call/call_i.h"
#include "text/mark.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- from target to leg ---- */

static ON_CTL struct profile *target_profile(const struct sofia_target *t)
{
	return t->profile.n ? profile_find(t->profile) : profile_first();
}

/* user%domain: the first contact registered; of whom a called by its GRUU only that. */
static ON_CTL int target_lookup(struct profile *p, struct sofia_target *t, const struct call *a)
{
	const struct reg *regs[REG_CONTACTS_MAX], *r = NULL;
	struct sofia_target found;
	struct buf b;
	struct sv host = sv_of(t->host);
	if (!host.n)
		host = *p->conf.force_register_db_domain ? sv_of(p->conf.force_register_db_domain) : t->profile;
	size_t n = reg_table_find(reg_table_of(p), sv_of(t->user), host, regs, REG_CONTACTS_MAX);
	for (size_t i = 0; !r && i < n && i < REG_CONTACTS_MAX; i++)
		r = gruu_is_for(a, regs[i]) ? regs[i] : NULL;
	if (!r)
		return ST_NOTFOUND;
	buf_init(&b);
	buf_printf(&b, "%s/%s", p->conf.name, r->target);
	int st = sofia_target_parse(&found, buf_sv(&b));
	if (st == ST_OK) {
		found.profile = SV_NONE; /* pointed into b */
		found.registered = mem_strdup(r->target);
		found.looked_up = t->user, found.looked_up_host = t->host;
		t->user = t->host = NULL;
		sofia_target_fini(t);
		*t = found;
	}
	buf_fini(&b);
	return st;
}

/* What was dialled, as the leg's number: "1000%domain" stays so. */
static void dialled_put(const struct sofia_target *t, struct buf *b)
{
	const char *host = t->looked_up_host ? t->looked_up_host : "";

	if (t->looked_up)
		buf_printf(b, "%s%s%s", t->looked_up, *host ? "%" : "", host);
	else
		buf_adds(b, *t->user ? t->user : t->host);
}

/* Where the INVITE goes when it is not where the URI says: a registered phone's source address, or a Path. */
static ON_CTL void vars_first(struct call *c, const struct sofia_target *t, const struct originate_target *o)
{
	struct leg *leg = c->leg;
	const char *domain;
	leg_var_set(leg, "sip_profile_name", c->p->conf.name);
	struct buf name;
	buf_init(&name);
	if (t->looked_up)
		buf_printf(&name, "sofia/%s/%s", c->p->conf.name, t->looked_up);
	else
		buf_printf(
		    &name, "sofia/%s/%s%s%s", c->p->conf.name, t->user, *t->user && *t->host ? "@" : "", t->host);
	leg_set_name(leg, name.p);
	if (t->looked_up && *t->looked_up_host)
		leg_var_setf(leg, "presence_id", "%s@%s", t->looked_up, t->looked_up_host);
	buf_fini(&name);
	leg_var_set(leg, "sip_destination_url", c->uri);
	if (o->vars)
		for (size_t i = 0; i < vars_count(o->vars); i++) {
			const char *n, *v;
			vars_at(o->vars, i, &n, &v);
			vars_copy_one(leg->vars, n, o->vars, n);
		}
	if (c->gateway)
		call_gateway_vars(c);
	c->has_own_domain = (domain = vars_get(leg->vars, "sip_invite_domain")) && *domain;
	if (!c->has_own_domain)
		leg_var_set(leg, "sip_invite_domain", c->p->ext_sip_ip);
}

/* Headers the caller's phone sent travel on, and the hops are counted. ST_LIMIT: none left. */
static ON_CTL int from_originator(struct call *c, struct leg *a)
{
	uint32_t hops = 70;
	const char *left = leg_var(a, "max_forwards");
	mem_free(c->originator_uuid);
	c->originator_uuid = mem_strdup(a->uuid);
	call_headers_pass(c, a);
	body_invite_pass(c, a);
	if (left)
		sv_u32(sv_of(left), &hops);
	if (hops > 255)
		hops = 255;
	if (hops <= 1)
		return ST_LIMIT;
	leg_var_setf(c->leg, "max_forwards", "%" PRIu32, hops - 1);
	return ST_OK;
}

static ON_CTL struct leg_profile *profile_make(
    struct call *c, const struct sofia_target *t, const struct originate_target *o)
{
	struct leg_profile *lp = o->profile ? leg_profile_dup(o->profile) : leg_profile_new();
	if (!lp)
		return NULL;
	struct buf number;
	buf_init(&number);
	dialled_put(t, &number);
	leg_profile_destination_outside(lp, number.p);
	buf_fini(&number);
	leg_profile_set(&lp->source, "mod_sofia");
	if (!lp->context)
		leg_profile_set(&lp->context, c->p->conf.context);
	return lp;
}

/* The registrar's text of a contact that may be a flow (those are kept as behind NAT). */
static char *flow_target_dup(const struct sofia_target *t, const char *text)
{
	const char *slash = strchr(text, '/');
	if (!t->is_nat)
		return NULL;
	return t->registered ? mem_strdup(t->registered) : slash ? mark_strip_dup(sv_of(slash + 1)) : NULL;
}

int call_out_outgoing(const struct originate_target *o, struct leg **out, enum cause *cause)
{
	struct sofia_target t = {0};
	struct profile *p = NULL;
	struct leg *leg;
	struct call *c = NULL;
	struct gateway *g = NULL;
	int st;
	role_assert_ctl();
	*cause = CAUSE_INVALID_URL;
	if ((st = sofia_target_parse(&t, sv_of(o->text))) < 0)
		return st;
	if (t.gateway.n && (st = gateway_target(&t, &g, cause)) < 0)
		goto done;
	if (!(p = g ? g->p : target_profile(&t))) {
		*cause = CAUSE_INVALID_PROFILE;
		st = ST_NOTFOUND;
		goto done;
	}
	const struct call *a = o->originator && o->originator->ops == call_endpoint() ? call_of(o->originator) : NULL;
	if (t.needs_lookup)
		st = target_lookup(p, &t, a);
	else if (gruu_excludes(a, p, o->text))
		st = ST_NOTFOUND;
	if (st < 0) {
		*cause = CAUSE_USER_NOT_REGISTERED;
		goto done;
	}
	*cause = CAUSE_DESTINATION_OUT_OF_ORDER; /* no room, or outbound calls are paused */
	if ((st = leg_new(&leg, call_endpoint(), true, o->vars ? vars_get(o->vars, "origination_uuid") : NULL)) < 0)
		goto done;
	st = ST_NOMEM;
	*cause = CAUSE_SWITCH_CONGESTION;
	if (!(c = call_new(p, leg, &call_out_handlers))) {
		leg_hangup(leg, CAUSE_SWITCH_CONGESTION);
		goto done;
	}
	c->uri = mem_strdup(t.uri);
	c->is_nat = t.is_nat;
	c->flow_target = flow_target_dup(&t, o->text);
	c->dst.transport = SIP_TRANSPORT_NONE;
	sofia_target_route(&t, &c->route, &c->dst);
	profile_flow_choose(p, t.is_nat, &c->dst);
	if (g) {
		c->gateway = mem_ref(g);
		g->calls_out++;
		c->route = mem_strdup(gateway_route(g));
		c->dst = g->outbound_dst;
	}
	vars_first(c, &t, o);
	struct leg_profile *lp = profile_make(c, &t, o);
	if (lp)
		leg_set_profile(leg, lp);
	if (o->originator && from_originator(c, o->originator) < 0) {
		*cause = CAUSE_EXCHANGE_ROUTING_ERROR;
		leg_hangup(leg, CAUSE_EXCHANGE_ROUTING_ERROR);
		st = ST_LIMIT;
		goto done;
	}
	if (call_fraud_begin(c, o->originator, t.user) < 0) {
		*cause = CAUSE_OUTGOING_CALL_BARRED;
		leg_hangup(leg, CAUSE_OUTGOING_CALL_BARRED);
		st = ST_DENIED;
		goto done;
	}
	profile_calls_of(p)->out++;
	*cause = CAUSE_NONE;
	*out = leg;
	st = ST_OK;
done:
	sofia_target_fini(&t);
	return st;
}

/* ---- responses ---- */

static ON_CTL void vars_answering(struct call *c, const struct sip_msg *resp)
{
	const struct addr *a = sip_call_remote_addr(c->sip);
	char host[ADDR_TEXT_MAX];
	struct sip_nameaddr contact;
	if (a && addr_is_set(a)) {
		if (c->gateway)
			call_gateway_learn(c, a);
		addr_host(a, host);
		leg_var_set(c->leg, "sip_reply_host", host);
		leg_var_setf(c->leg, "sip_reply_port", "%u", addr_port(a));
		leg_var_set(c->leg, "sip_network_ip", host);
		leg_var_setf(c->leg, "sip_network_port", "%u", addr_port(a));
	}
	gruu_contact_take(c, resp);
	if (sip_msg_contact(resp, &contact) == ST_OK)
		leg_var_setf(c->leg, "sip_recover_contact", "%.*s", SVF(contact.text));
	leg_var_setf(c->leg, "sip_recover_via", "%.*s", SVF(resp->via.text));
	call_vars_from_msg(c, resp);
	call_vars_x_headers(c, resp, "sip_rh_");
	call_headers_back(c, resp);
	call_display_learn(c, resp);
	isup_response_in(c, resp);
	call_hosts_tell(c, a, resp);
}

/* A phone that is to answer by itself and does not know it by the INVITE: told once it rings (BroadSoft's talk). */
static ON_CTL void answer_ask(struct call *c, int code)
{
	if (code != 180 || c->is_answer_asked || !leg_var_is_true(c->leg, "sip_auto_answer") ||
	    leg_var_is_true(c->leg, "sip_auto_answer_suppress_notify"))
		return;
	c->is_answer_asked = true;
	(void)sip_call_request(c->sip, "NOTIFY", "Event: talk\r\nSubscription-State: terminated;reason=noresource\r\n",
	    NULL, SV_NONE, NULL, NULL);
}

static void on_progress(struct sip_call *sc, const struct sip_msg *resp, void *arg)
{
	struct call *c = arg;
	role_assert_ctl();
	if (!c->leg || !leg_is_up(c->leg))
		return;
	if (resp->code > 100)
		vars_answering(c, resp);
	if (resp->sdp.n && leg_media_remote_answer(c->leg, resp->sdp) == ST_OK)
		leg_mark_early_media(c->leg);
	else if (resp->code == 180 || (resp->code == 183 && !resp->sdp.n))
		leg_mark_ring_ready(c->leg);
	if (c->leg && leg_is_up(c->leg) && c->sip)
		answer_ask(c, resp->code);
}

static void on_answer(struct sip_call *sc, const struct sip_msg *resp, void *arg)
{
	struct call *c = arg;
	int st = ST_OK;
	role_assert_ctl();
	if (!c->leg || !leg_is_up(c->leg))
		return;
	guard_fraud_answered(c->fraud);
	vars_answering(c, resp);
	if (resp->sdp.n)
		st = leg_media_remote_answer(c->leg, resp->sdp);
	else if (!leg_media_is_ready(c->leg))
		st = ST_UNSUPPORTED;
	if (resp->sdp.n && leg_media_owes_answer(c->leg))
		sip_call_hold_ack(sc);
	leg_mark_answered(c->leg);
	session_timer_answered(c, resp);
	if (st < 0)
		leg_hangup(c->leg, cause_of_media(st, CAUSE_INCOMPATIBLE_DESTINATION));
}

const struct sip_call_handlers call_out_handlers = {.on_progress = on_progress,
    .on_answer = on_answer,
    .on_ack = call_on_ack,
    .on_reinvite = call_on_reinvite,
    .on_reinvite_again = call_on_reinvite_again,
    .on_reinvite_done = call_on_reinvite_done,
    .on_free = call_on_free,
    .on_update = call_on_update,
    .on_update_done = call_on_update_done,
    .on_request = call_on_request,
    .on_bye = call_on_bye,
    .on_closed = call_on_closed};
