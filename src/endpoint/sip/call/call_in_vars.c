/* An inbound call's first variables and its caller profile, of its INVITE and of who sent it. FreeSWITCH's order of
 * variables begins with who calls. */
#include "base/clock.h"
#include "base/mem.h"
#include "core/conf/dir.h"
#include "core/leg/leg.h"
#include "core/value/vars.h"
#include "endpoint/sip/call/call_i.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static ON_CTL void set_sv(struct leg *leg, const char *name, struct sv v)
{
	leg_var_setf(leg, name, "%.*s", SVF(v));
}

/* The address of From without its port. */
static ON_CTL void from_var(struct leg *leg, const char *name, const struct sip_msg *m)
{
	struct sip_uri u = m->from.uri;
	u.port = 0;
	call_var_uri(leg, name, &u);
}

static void user_var(const char *name, const char *value, void *arg)
{
	role_assert_ctl();
	leg_var_set_text(arg, name, value);
}

static ON_CTL void user_vars(struct leg *leg, const struct caller *who)
{
	const struct dir_user *u = who->auth.user;
	if (who->is_authorized)
		leg_var_set(leg, "sip_authorized", "true");
	if (who->acl_name)
		leg_var_set(leg, "sip_acl_authed_by", who->acl_name);
	if (!u)
		return;
	const char *alias = dir_user_attr(u, "number-alias");
	if (!alias || !*alias)
		alias = dir_user_id(u);
	leg_var_set(leg, "sip_number_alias", alias);
	leg_var_set(leg, "sip_auth_username", who->auth.username);
	leg_var_set(leg, "sip_auth_realm", who->auth.realm);
	leg_var_set(leg, "number_alias", alias);
	leg_var_set(leg, "requested_user_name", who->auth.username);
	leg_var_set(leg, "requested_domain_name", dir_user_domain(u));
	dir_user_each_var(u, user_var, leg);
	leg_var_set(leg, "user_name", dir_user_id(u));
	leg_var_set(leg, "domain_name", dir_user_domain(u));
	const char *name, *value;
	for (size_t i = 0; who->auth.vars && i < vars_count(who->auth.vars); i++) {
		vars_at(who->auth.vars, i, &name, &value);
		leg_var_set(leg, name, value); /* of the authenticator: data */
	}
}

/* What the addresses of an INVITE say behind themselves. */
static ON_CTL void params_vars(struct leg *leg, const struct sip_msg *m)
{
	struct sip_nameaddr contact;
	call_var_sv(leg, "sip_req_params", m->ruri.params);
	call_var_sv(leg, "sip_to_params", m->to.uri.params);
	if (sip_msg_contact(m, &contact) == ST_OK && !contact.is_star)
		call_var_sv(leg, "sip_contact_params", contact.uri.params);
}

static ON_CTL void invite_vars(struct call *c, struct sip_stx *tx, const struct sip_msg *m, const struct caller *who)
{
	struct leg *leg = c->leg;
	char host[ADDR_TEXT_MAX];
	const char *transport = sip_transport_facts(sip_stx_transport(tx))->param;
	unsigned port = addr_port(sip_stx_peer(tx));
	leg_var_set(leg, "sip_local_network_addr", c->p->ext_sip_ip);
	leg_var_set(leg, "sip_network_ip", addr_host(sip_stx_peer(tx), host));
	leg_var_setf(leg, "sip_network_port", "%u", port);
	leg_var_setf(leg, "sip_invite_stamp", "%" PRId64, clock_wall_us());
	leg_var_set(leg, "sip_received_ip", host);
	leg_var_setf(leg, "sip_received_port", "%u", port);
	leg_var_set(leg, "sip_via_protocol", transport);
	if (port == addr_port(&c->p->sip_addr) && !strcmp(host, c->p->sip_ip))
		leg_var_set(leg, "sip_looped_call", "true"); /* from ourselves */
	user_vars(leg, who);
	if (m->from.uri.user.n)
		set_sv(leg, "sip_from_user_stripped",
		    m->from.uri.user.p[0] == '+' ? sv_sub(m->from.uri.user, 1, SIZE_MAX) : m->from.uri.user);
	leg_var_set(leg, "sofia_profile_name", c->p->conf.name);
	leg_var_set(leg, "sofia_profile_url", c->p->url);
	leg_var_set(leg, "recovery_profile_name", c->p->conf.name);
	if (m->ruri.user.n)
		set_sv(leg, "sip_req_user", m->ruri.user);
	call_var_uri(leg, "sip_req_uri", &m->ruri);
	set_sv(leg, "sip_req_host", m->ruri.host);
	if (m->ruri.port)
		leg_var_setf(leg, "sip_req_port", "%u", m->ruri.port);
	call_vars_from_msg(c, m);
	params_vars(leg, m);
	set_sv(leg, "sip_via_host", m->via.host);
	if (m->via.port)
		leg_var_setf(leg, "sip_via_port", "%u", m->via.port);
	if (m->via.has_rport)
		leg_var_setf(leg, "sip_via_rport", "%u", port);
	body_invite_in(c, m);
	leg_var_setf(leg, "max_forwards", "%d", m->max_forwards >= 0 ? m->max_forwards : 70);
	if (profile_conf_has_presence(&c->p->conf))
		from_var(leg, "presence_id", m);
	call_vars_kept(c, m);
	if (c->p->conf.trusts_traceparent)
		call_var_sv(leg, "otel_traceparent", sip_msg_value_named(m, "traceparent"));
	call_vars_x_headers(c, m, "sip_h_");
}

static char *user_text(struct sv escaped)
{
	struct buf b;
	buf_init(&b);
	sip_unescape(&b, escaped);
	return buf_take(&b);
}

static ON_CTL struct leg_profile *invite_profile(
    struct call *c, struct sip_stx *tx, const struct sip_msg *m, const struct caller *who)
{
	struct leg_profile *lp = leg_profile_new();
	char host[ADDR_TEXT_MAX];
	if (!lp)
		return NULL;
	gruu_invite_in(c, m);
	char *dest = user_text(c->gruu.user ? sv_of(c->gruu.user) : m->ruri.user);
	const char *context = leg_var(c->leg, "user_context");
	leg_profile_set(&lp->dialplan, c->p->conf.dialplan);
	leg_profile_set(&lp->network_addr, addr_host(sip_stx_peer(tx), host));
	leg_profile_set(&lp->source, "mod_sofia");
	leg_profile_set(&lp->context, context && *context ? context : c->p->conf.context);
	if (c->p->conf.has_full_id) {
		struct buf full;
		buf_init(&full);
		buf_printf(&full, "%s@%.*s", dest ? dest : "", SVF(m->ruri.host));
		leg_profile_destination_outside(lp, full.p);
		buf_fini(&full);
	} else {
		leg_profile_destination_outside(lp, dest && *dest ? dest : "service");
	}
	c->is_believed = caller_is_believed(c->p, who, sip_stx_peer(tx));
	identity_in(c, m, &who->auth, lp);
	forwarded_in(c, m, lp);
	call_gateway_inbound(c, who->gateway, m, lp);
	isup_invite_in(c, m, lp);
	mem_free(dest);
	return lp;
}

void call_in_describe(struct call *c, struct sip_stx *tx, const struct sip_msg *m, const struct caller *who)
{
	struct leg *leg = c->leg;
	struct buf name;
	buf_init(&name);
	buf_printf(&name, "sofia/%s/%.*s@%.*s", c->p->conf.name, SVF(m->from.uri.user), SVF(m->from.uri.host));
	set_sv(leg, "sip_from_user", m->from.uri.user);
	from_var(leg, "sip_from_uri", m);
	set_sv(leg, "sip_from_host", m->from.uri.host);
	leg_set_name(leg, name.p);
	buf_fini(&name);
	invite_vars(c, tx, m, who);
	struct leg_profile *lp = invite_profile(c, tx, m, who);
	if (lp)
		leg_set_profile(leg, lp);
}
