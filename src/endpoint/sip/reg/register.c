/* The registrar, RFC 3261 10.3: access list, digest, then each Contact into the profile's table; the answer lists what
 * is bound. One pass, no XML walk, no disk: the directory is indexed and the table tells the store by itself. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "core/conf/acl.h"
#include "core/conf/dir.h"
#include "core/event/event.h"
#include "endpoint/sip/reg/reg_i.h"
#include "endpoint/sip/uri/uri.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

struct reg_request {
	struct profile *p;
	struct sip_stx *tx;
	const struct sip_msg *m;
	struct auth auth;
	struct sv user, host; /* of the address of record, as kept */
	struct reg_owner owner;
	const char *bad_contact; /* why it is refused */
	struct buf path;         /* its proxies: "<a>,<b>" */
	size_t path_count;
	bool is_flow; /* RFC 5626: a contact of it is one */
	enum reg_mode mode;
	size_t max_contacts;
	int64_t expires_s;           /* of the header, or the default */
	struct sip_nameaddr contact; /* the first */
	bool has_contact;
	char src_host[ADDR_TEXT_MAX];
};
enum { EXPIRES_DEFAULT_S = 300 }; /* of a REGISTER that says none, as FreeSWITCH has it */

/* ---- events ---- */

static ON_CTL void event_common(const struct reg_request *r, struct event *e, bool has_presence)
{
	const struct sip_msg *m = r->m;
	event_add(e, "profile-name", r->p->conf.name);
	event_addf(e, "from-user", "%.*s", SVF(m->from.uri.user));
	event_addf(e, "from-host", "%.*s", SVF(m->from.uri.host));
	if (has_presence)
		event_add(e, "presence-hosts", *r->p->conf.presence_hosts ? r->p->conf.presence_hosts : "n/a");
	event_addf(e, "contact", "\"%.*s\" <%.*s>", SVF(r->contact.display), SVF(r->contact.uri.text));
	event_addf(e, "call-id", "%.*s", SVF(m->call_id));
	event_add(e, "rpid", "unknown");
	event_addf(e, "status", "Registered(%s)", sip_transport_name(sip_stx_transport(r->tx)));
	event_addf(e, "expires", "%" PRId64, r->expires_s);
	event_addf(e, "to-user", "%.*s", SVF(m->to.uri.user));
	event_addf(e, "to-host", "%.*s", SVF(m->to.uri.host));
	event_add(e, "network-ip", r->src_host);
	event_addf(e, "network-port", "%u", addr_port(sip_stx_peer(r->tx)));
	if (r->auth.username) {
		event_add(e, "username", r->auth.username);
		event_add(e, "realm", r->auth.realm);
	}
	event_addf(e, "user-agent", "%.*s", SVF(sip_msg_value(m, SIP_HDR_USER_AGENT)));
}

static void add_var(const char *name, const char *value, void *arg)
{
	role_assert_ctl();
	event_add(arg, name, value);
}

static ON_CTL void event_user(const struct reg_request *r, struct event *e)
{
	const struct dir_user *u = r->auth.user;
	if (!u)
		return;
	const char *alias = dir_user_attr(u, "number-alias");
	event_add(e, "sip_number_alias", alias && *alias ? alias : dir_user_id(u));
	event_add(e, "sip_auth_username", r->auth.username);
	event_add(e, "sip_auth_realm", r->auth.realm);
	event_add(e, "number_alias", alias && *alias ? alias : dir_user_id(u));
	event_add(e, "user_name", dir_user_id(u));
	event_add(e, "domain_name", dir_user_domain(u));
	dir_user_each_var(u, add_var, e);
}

static ON_CTL void fire(
    const struct reg_request *r, const char *subclass, bool has_presence, bool has_user, const char *result)
{
	struct event *e;
	if (!event_is_wanted(EVENT_CUSTOM, subclass) || !(e = event_new(EVENT_CUSTOM, subclass)))
		return;
	event_common(r, e, has_presence);
	if (result)
		event_add(e, "auth-result", result);
	if (has_user)
		event_user(r, e);
	event_fire(e);
}

static ON_CTL void fire_unregister(const struct reg_request *r)
{
	const struct sip_msg *m = r->m;
	struct event *e;
	if (!event_is_wanted(EVENT_CUSTOM, "sofia::unregister") || !(e = event_new(EVENT_CUSTOM, "sofia::unregister")))
		return;
	event_add(e, "profile-name", r->p->conf.name);
	event_add(e, "username", r->auth.username ? r->auth.username : "");
	event_addf(e, "from-user", "%.*s", SVF(m->from.uri.user));
	event_addf(e, "from-host", "%.*s", SVF(m->from.uri.host));
	event_addf(e, "contact", "\"%.*s\" <%.*s>", SVF(r->contact.display), SVF(r->contact.uri.text));
	event_addf(e, "call-id", "%.*s", SVF(m->call_id));
	event_add(e, "rpid", "unknown");
	event_add(e, "realm", r->auth.realm ? r->auth.realm : "");
	event_add(e, "network-ip", r->src_host);
	event_addf(e, "network-port", "%u", addr_port(sip_stx_peer(r->tx)));
	event_addf(e, "user-agent", "%.*s", SVF(sip_msg_value(m, SIP_HDR_USER_AGENT)));
	event_add(e, "expires", "0");
	event_user(r, e);
	event_fire(e);
}

/* A phone that goes is seen to go by those who watch it. */
static ON_CTL void fire_presence_gone(const struct reg_request *r)
{
	struct event *e;
	if (!event_is_wanted(EVENT_PRESENCE_IN, NULL) || !(e = event_new(EVENT_PRESENCE_IN, NULL)))
		return;
	event_add(e, "proto", "sip");
	event_add(e, "rpid", "unknown");
	event_add(e, "login", r->p->url);
	event_addf(e, "user-agent", "%.*s", SVF(sip_msg_value(r->m, SIP_HDR_USER_AGENT)));
	event_addf(e, "from", "%.*s@%.*s", SVF(r->user), SVF(r->host));
	event_add(e, "status", "Unregistered");
	event_add(e, "presence-source", "register");
	event_add(e, "event_type", "presence");
	event_fire(e);
}

/* Asks whoever keeps voicemail to tell the new phone's lamp. */
static ON_CTL void fire_message_query(const struct reg_request *r)
{
	const char *when = r->p->conf.message_query;
	const struct reg *first[1];
	struct event *e;
	if (strcasecmp(when, "first-only") ? !str_is_true(when)
	                                   : reg_table_find(reg_table_of(r->p), r->user, r->host, first, 1) > 1)
		return;
	if (!event_is_wanted(EVENT_MESSAGE_QUERY, NULL) || !(e = event_new(EVENT_MESSAGE_QUERY, NULL)))
		return;
	event_addf(e, "Message-Account", "sip:%.*s@%.*s", SVF(r->user), SVF(r->host));
	event_add(e, "VM-Sofia-Profile", r->p->conf.name);
	event_addf(e, "VM-Call-ID", "%.*s", SVF(r->m->call_id));
	event_fire(e);
}

static ON_CTL void fire_failure(const struct reg_request *r)
{
	const struct sip_msg *m = r->m;
	struct event *e;
	if (!event_is_wanted(EVENT_CUSTOM, "sofia::register_failure") ||
	    !(e = event_new(EVENT_CUSTOM, "sofia::register_failure")))
		return;
	event_add(e, "profile-name", r->p->conf.name);
	event_addf(e, "to-user", "%.*s", SVF(m->to.uri.user));
	event_addf(e, "to-host", "%.*s", SVF(m->to.uri.host));
	event_add(e, "network-ip", r->src_host);
	event_addf(e, "user-agent", "%.*s", SVF(sip_msg_value(m, SIP_HDR_USER_AGENT)));
	event_addf(e, "network-port", "%u", addr_port(sip_stx_peer(r->tx)));
	event_add(e, "registration-type", "REGISTER");
	event_fire(e);
}

/* A phone that is late with its refresh is kept a little longer: FreeSWITCH's margin, but no more than a tenth of the
 * time granted. */
static int64_t late_margin_s(const struct profile *p, int64_t granted_s)
{
	int64_t tenth = (granted_s + 9) / 10, most = p->conf.expires_late_margin_s;
	return tenth < most ? tenth : most;
}

/* ---- the answer ---- */

static void date_put(struct buf *b)
{
	static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t now = (time_t)(clock_wall_us() / 1000000);
	struct tm tm;
	gmtime_r(&now, &tm);
	buf_printf(b, "Date: %.3s, %02d %.3s %d %02d:%02d:%02d GMT\r\n", days + 3 * tm.tm_wday, tm.tm_mday,
	    months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static ON_CTL void answer(struct reg_request *r)
{
	const struct reg *regs[REG_CONTACTS_MAX];
	struct buf b;
	size_t n = reg_table_find(reg_table_of(r->p), r->user, r->host, regs, REG_CONTACTS_MAX);
	int64_t now_s = clock_wall_us() / 1000000;
	bool has_gruu = sip_msg_has_token(r->m, SIP_HDR_SUPPORTED, "gruu");
	buf_init(&b);
	for (size_t i = 0; i < n && i < REG_CONTACTS_MAX; i++) {
		if (!reg_is_owned(regs[i], &r->owner)) /* another account's are not this one's to see */
			continue;
		int64_t left = regs[i]->expires_epoch_s - late_margin_s(r->p, regs[i]->expires_s) - now_s;
		buf_printf(&b, "Contact: <%s>;expires=%" PRId64, regs[i]->contact_uri, left > 0 ? left : 0);
		if (regs[i]->q_milli < 1000)
			buf_printf(&b, ";q=0.%03u", regs[i]->q_milli);
		if (*regs[i]->instance)
			buf_printf(&b, ";+sip.instance=\"<%s>\"", regs[i]->instance);
		if (regs[i]->reg_id)
			buf_printf(&b, ";reg-id=%u", regs[i]->reg_id);
		if (has_gruu)
			gruu_put(regs[i], &b);
		buf_adds(&b, "\r\n");
	}
	if (r->p->conf.tells_expires)
		buf_printf(&b, "Expires: %" PRId64 "\r\n", r->expires_s);
	if (r->is_flow)
		buf_printf(&b, "Require: outbound\r\nFlow-Timer: %d\r\n", FLOW_TIMER_S);
	struct sip_list_it it;
	sip_list_start(&it, r->m, SIP_HDR_PATH);
	while (sip_list_next(&it))
		buf_printf(&b, "Path: %.*s\r\n", SVF(it.item));
	date_put(&b);
	sip_stx_reply(r->tx, 200, NULL, b.failed ? NULL : b.p, NULL, SV_NONE);
	buf_fini(&b);
}

/* ---- policy ---- */

static ON_CTL unsigned user_uint(const struct dir_user *u, const char *name, unsigned otherwise)
{
	uint32_t n;
	const char *text = u ? dir_user_param(u, name) : NULL;
	if (!text && u)
		text = dir_user_var(u, name);
	return text && sv_u32(sv_of(text), &n) == ST_OK ? n : otherwise;
}

static ON_CTL int64_t granted_s(const struct reg_request *r, int64_t asked_s)
{
	const struct profile_conf *c = &r->p->conf;
	const struct dir_user *u = r->auth.user;
	unsigned force = user_uint(u, "sip-force-expires", c->force_expires_s),
	         min = user_uint(u, "sip-force-expires-min", c->force_expires_min_s),
	         max = user_uint(u, "sip-force-expires-max", c->force_expires_max_s),
	         spread = user_uint(u, "sip-expires-max-deviation", c->expires_max_deviation_s);
	if (force)
		asked_s = force;
	if (min && asked_s < (int64_t)min)
		asked_s = min;
	if (max && asked_s > (int64_t)max)
		asked_s = max;
	if (asked_s > UINT32_MAX / 2)
		asked_s = UINT32_MAX / 2;
	if (spread && asked_s > (int64_t)spread)
		asked_s += (int64_t)rand_below(2 * spread + 1) - (int64_t)spread;
	return asked_s;
}

static int64_t contact_expires_s(const struct reg_request *r, const struct sip_nameaddr *na)
{
	int64_t s = sip_nameaddr_expires_s(na);
	return s >= 0 ? s : r->expires_s;
}

/* Where calls go. A flow's way back is the one it came, as for a phone behind NAT. */
static ON_CTL void target_put(
    const struct reg_request *r, const struct sip_nameaddr *na, bool is_nat, bool is_flow, struct buf *out)
{
	const struct sip_uri *u = &na->uri;
	enum sip_transport t = sip_stx_transport(r->tx);
	struct sip_nameaddr hop;
	struct sv path = buf_sv(&r->path);
	const char *why;
	contact_render(u, false, out, &why); /* it can be: contacts_check */
	/* a phone's own connection: nobody can open another one to a browser, or to a phone that listens nowhere */
	bool is_by_flow = is_flow || t == SIP_TLS || t == SIP_WS || t == SIP_WSS;
	if (!is_nat && !path.n && !is_by_flow)
		return;
	char host[ADDR_TEXT_MAX];
	if (is_nat && r->p->conf.tells_received && sip_stx_peer(r->tx)->sa.sa_family == AF_INET)
		buf_printf(
		    out, ";received=%s:%u", addr_host(sip_stx_peer(r->tx), host), addr_port(sip_stx_peer(r->tx)));
	if (is_nat || is_by_flow)
		buf_adds(out, ";fs_nat=yes");
	struct buf plain;
	buf_init(&plain);
	if (r->path_count == 1 && sip_nameaddr_parse(&hop, path) == ST_OK) {
		buf_addv(&plain, hop.uri.text);
	} else if (r->path_count) {
		buf_addv(&plain, path);
	} else {
		char text[ADDR_TEXT_MAX];
		buf_printf(
		    &plain, "sip:%.*s%s%s", SVF(u->user), u->user.n ? "@" : "", addr_text(sip_stx_peer(r->tx), text));
		sip_put_transport(&plain, t);
	}
	buf_adds(out, ";fs_path=");
	contact_escape(out, buf_sv(&plain));
	buf_fini(&plain);
}

/* ---- contacts ---- */

static ON_CTL int contact_put(struct reg_request *r, const struct sip_nameaddr *na, int64_t expires_s)
{
	const struct sip_msg *m = r->m;
	const struct addr *src = sip_stx_peer(r->tx);
	enum sip_transport t = sip_stx_transport(r->tx);
	struct buf target;
	struct reg_outbound flow;
	bool is_nat = nat_is_behind(r->p, &na->uri, &m->via, src, t);
	outbound_read(m, na, &flow); /* it can be: contacts_check */
	r->is_flow |= flow.reg_id > 0;
	buf_init(&target);
	target_put(r, na, is_nat, flow.reg_id > 0, &target);
	struct reg_put put = {.user = r->user,
	    .host = r->host,
	    .contact_uri = na->uri.text,
	    .target = buf_sv(&target),
	    .display = na->display,
	    .call_id = m->call_id,
	    .agent = sip_msg_value(m, SIP_HDR_USER_AGENT),
	    .network_ip = sv_of(r->src_host),
	    .auth_user = r->owner.user,
	    .auth_realm = r->owner.realm,
	    .has_any_realm = r->owner.has_any_realm,
	    .path = buf_sv(&r->path),
	    .instance = flow.instance,
	    .reg_id = flow.reg_id,
	    .proto = sip_transport_facts(t)->param,
	    .network_port = addr_port(src),
	    .q_milli = (unsigned)sip_nameaddr_q_milli(na),
	    .is_nat = is_nat,
	    .cseq = m->cseq,
	    .expires_s = expires_s,
	    .late_margin_s = late_margin_s(r->p, expires_s),
	    .max_contacts = r->max_contacts};
	int st = target.failed ? ST_NOMEM : reg_table_put(reg_table_of(r->p), r->mode, &put, NULL);
	buf_fini(&target);
	return st;
}

/* Every contact is looked at before the first is bound (RFC 3261 10.3: all or nothing). */
static ON_CTL int contacts_check(struct reg_request *r)
{
	struct sip_list_it it;
	struct sip_nameaddr na;
	size_t n = 0;
	sip_list_start(&it, r->m, SIP_HDR_CONTACT);
	while (sip_list_next(&it)) {
		if (sip_nameaddr_parse(&na, it.item) < 0 || ++n > REG_CONTACTS_MAX)
			return 400;
		if (na.is_star)
			return r->m->expires_s == 0 && n == 1 && !sip_list_next(&it) ? 0 : 400;
		struct buf scratch;
		buf_init(&scratch);
		int st = contact_render(&na.uri, false, &scratch, &r->bad_contact);
		buf_fini(&scratch);
		if (st < 0)
			return 400;
		r->bad_contact = NULL;
		struct reg_outbound flow;
		int code = outbound_read(r->m, &na, &flow);
		if (code || (flow.reg_id && n > 1)) {
			r->bad_contact = code == 439 ? NULL : "a flow that is none of RFC 5626";
			return code ? code : 400;
		}
		int64_t s = contact_expires_s(r, &na);
		if (s > 0 && s < (int64_t)r->p->conf.min_expires_s)
			return 423;
	}
	return it.is_bad ? 400 : 0;
}

static ON_CTL int contacts_apply(struct reg_request *r)
{
	struct sip_list_it it;
	struct sip_nameaddr na;
	bool has_added = false, has_removed = false;
	int st = ST_OK;
	sip_list_start(&it, r->m, SIP_HDR_CONTACT);
	while (st == ST_OK && sip_list_next(&it)) {
		if (sip_nameaddr_parse(&na, it.item) < 0)
			continue;
		if (na.is_star) {
			reg_table_del_all(reg_table_of(r->p), r->user, r->host, &r->owner);
			has_removed = true;
			continue;
		}
		int64_t s = contact_expires_s(r, &na);
		if (s == 0) {
			st = reg_table_del(
			    reg_table_of(r->p), r->user, r->host, &r->owner, na.uri.text, r->m->call_id, r->m->cseq);
			has_removed = true;
			if (st == ST_NOTFOUND)
				st = ST_OK;
		} else {
			r->expires_s = granted_s(r, s);
			st = contact_put(r, &na, r->expires_s);
			has_added = true;
		}
	}
	if (st == ST_OK && has_added) {
		fire(r, "sofia::register", true, true, NULL);
		fire_message_query(r);
	} else if (st == ST_OK && has_removed) {
		fire_presence_gone(r);
		fire_unregister(r);
	}
	return st;
}

static ON_CTL void refuse_expires(struct reg_request *r)
{
	char line[48];
	snprintf(line, sizeof(line), "Min-Expires: %u\r\n", r->p->conf.min_expires_s);
	sip_stx_reply(r->tx, 423, NULL, line, NULL, SV_NONE);
}

static ON_CTL void refuse_contact(struct reg_request *r, int code)
{
	struct buf line;
	buf_init(&line);
	if (r->bad_contact) {
		log_warning("sofia: %s: a Contact of %.*s@%.*s from %s is refused: %s", r->p->conf.name, SVF(r->user),
		    SVF(r->host), r->src_host, r->bad_contact);
		buf_printf(&line, "Warning: 399 %s ", r->p->ext_sip_ip);
		sip_put_quoted(&line, sv_of(r->bad_contact));
		buf_adds(&line, "\r\n");
	}
	sip_stx_reply(r->tx, code, "Bad Contact", line.p, NULL, SV_NONE);
	buf_fini(&line);
}

static ON_CTL void bind_contacts(struct reg_request *r)
{
	int code = contacts_check(r);
	if (!code && outbound_path_put(r->m, &r->path, &r->path_count) < 0) {
		sip_stx_reply(r->tx, 400, "Bad Path", NULL, NULL, SV_NONE);
		return;
	}
	if (code == 439) {
		sip_stx_reply(r->tx, 439, "First Hop Lacks Outbound Support", NULL, NULL, SV_NONE);
		return;
	}
	if (code == 423) {
		refuse_expires(r);
		return;
	}
	if (code) {
		refuse_contact(r, code);
		return;
	}
	switch (contacts_apply(r)) {
	case ST_OK:
		answer(r);
		break;
	case ST_LIMIT:
		log_notice(
		    "sofia: %s: %.*s@%.*s has too many registrations", r->p->conf.name, SVF(r->user), SVF(r->host));
		sip_stx_reply(r->tx, 403, "Maximum Registrations Exceeded", NULL, NULL, SV_NONE);
		break;
	case ST_DENIED:
		log_notice("sofia: %s: a contact of %.*s@%.*s was registered by another account", r->p->conf.name,
		    SVF(r->user), SVF(r->host));
		sip_stx_reply(r->tx, 403, NULL, NULL, NULL, SV_NONE);
		break;
	case ST_EXISTS:
		/* An older request that came late: what is bound now is newer. */
		sip_stx_reply(r->tx, 500, "Out Of Order", NULL, NULL, SV_NONE);
		break;
	default:
		sip_stx_reply(r->tx, 500, NULL, NULL, NULL, SV_NONE);
		break;
	}
}

/* The address of record is of a domain of the directory that is not the login's; with force-register-domain there is
 * only one, whatever the phone says. */
static ON_CTL bool is_of_other_domain(const struct reg_request *r)
{
	struct sv host = r->m->to.uri.host;
	return !*r->p->conf.force_register_domain && !sv_isi(host, dir_user_domain(r->auth.user)) &&
	       dir_domain_exists(host);
}

static ON_CTL bool is_allowed(struct reg_request *r)
{
	const struct profile_conf *c = &r->p->conf;
	const struct dir_user *u = r->auth.user;
	if (u && str_is_true(dir_user_param(u, "sip-forbid-register")))
		return false;
	if (u && !border_agent_may_register(dir_user_param(u, "user-agent-filter"), r->m))
		return false;
	if (u && is_of_other_domain(r)) {
		log_warning("sofia: %s: account %s@%s registers as %.*s@%.*s: refused", r->p->conf.name, dir_user_id(u),
		    dir_user_domain(u), SVF(r->m->to.uri.user), SVF(r->m->to.uri.host));
		return false;
	}
	if (r->auth.is_unlisted && !sv_is(r->m->to.uri.user, r->auth.username)) /* no extension of the directory's */
		return false;
	if (u && c->forces_matching_username && !sv_is(r->m->to.uri.user, dir_user_id(u)) &&
	    !sv_is(r->m->to.uri.user, r->auth.username)) {
		const char *alias = dir_user_attr(u, "number-alias");
		return alias && sv_is(r->m->to.uri.user, alias);
	}
	return true;
}

/* That of the login, whatever To says; force-register-db-domain may name another one, but not another domain of the
 * directory. Without a login To's. */
static ON_CTL struct sv binding_domain(const struct reg_request *r)
{
	const struct profile_conf *c = &r->p->conf;
	struct sv forced = sv_of(c->force_register_db_domain), own = r->m->to.uri.host;
	if (*c->force_register_domain)
		own = sv_of(c->force_register_domain);
	else if (r->auth.user)
		own = sv_of(dir_user_domain(r->auth.user));
	bool is_others =
	    r->auth.user && !*c->force_register_domain && !sv_eqi(forced, own) && dir_domain_exists(forced);
	return forced.n && !is_others ? forced : own;
}

static ON_CTL void policy_read(struct reg_request *r)
{
	const struct profile_conf *c = &r->p->conf;
	static const enum reg_mode modes[] = {
	    [MULTI_REG_NONE] = REG_SINGLE, [MULTI_REG_CONTACT] = REG_BY_CONTACT, [MULTI_REG_CALL_ID] = REG_BY_CALL_ID};
	const char *own = r->auth.user ? dir_user_var(r->auth.user, "sip-allow-multiple-registrations") : NULL;
	r->mode = modes[profile_conf_multi_reg(c)];
	if (own)
		r->mode = str_is_true(own) ? REG_BY_CONTACT : REG_SINGLE;
	r->max_contacts = user_uint(r->auth.user, "max-registrations-per-extension", c->max_regs_per_extension);
	r->user = r->m->to.uri.user;
	r->host = binding_domain(r);
	r->owner = (struct reg_owner){
	    sv_of(r->auth.username), sv_of(r->auth.realm), .has_any_realm = *c->force_register_domain};
}

void register_in(struct profile *p, struct sip_stx *tx, const struct sip_msg *m)
{
	struct reg_request r = {.p = p, .tx = tx, .m = m};
	buf_init(&r.path);
	addr_host(sip_stx_peer(tx), r.src_host);
	r.has_contact = sip_msg_hdr(m, SIP_HDR_CONTACT) != NULL; /* a broken one is no question what is bound */
	if (sip_msg_contact(m, &r.contact) < 0)
		memset(&r.contact, 0, sizeof(r.contact));
	r.expires_s = m->expires_s >= 0 ? m->expires_s : EXPIRES_DEFAULT_S;
	if (r.has_contact && sip_nameaddr_expires_s(&r.contact) >= 0)
		r.expires_s = sip_nameaddr_expires_s(&r.contact);
	if (p->conf.has_register_off) {
		sip_stx_reply_once(tx, 403, NULL, NULL);
		return;
	}
	if (*p->conf.register_acl && !acl_allows(sv_of(p->conf.register_acl), sip_stx_peer(tx), NULL, NULL)) {
		auth_failed_count(p, sip_stx_peer(tx));
		log_notice("sofia: %s: REGISTER from %s: not in %s", p->conf.name, r.src_host, p->conf.register_acl);
		sip_stx_reply_once(tx, 403, NULL, NULL);
		return;
	}
	if (!border_agent_may_register(p->conf.user_agent_filter, m)) {
		log_warning("sofia: %s: REGISTER from %s: User-Agent \"%.*s\" is not of %s", p->conf.name, r.src_host,
		    SVF(sip_msg_value(m, SIP_HDR_USER_AGENT)), p->conf.user_agent_filter);
		sip_stx_reply_once(tx, 403, NULL, NULL);
		return;
	}
	fire(&r, "sofia::pre_register", false, false, NULL);
	if (!p->conf.accepts_blind_reg) {
		enum auth_outcome outcome = auth_check(p, tx, m, &r.auth);
		if (outcome != AUTH_OK) {
			if (outcome == AUTH_REFUSED)
				fire_failure(&r);
			auth_fini(&r.auth);
			return;
		}
	}
	r.expires_s = m->expires_s >= 0 ? m->expires_s : EXPIRES_DEFAULT_S;
	if (!is_allowed(&r)) {
		auth_failed_count(p, sip_stx_peer(tx));
		fire_failure(&r);
		sip_stx_reply(tx, 403, NULL, NULL, NULL, SV_NONE);
	} else {
		policy_read(&r);
		fire(&r, "sofia::register_attempt", false, false, "RENEWED");
		if (r.has_contact)
			bind_contacts(&r);
		else
			answer(&r);
	}
	buf_fini(&r.path);
	auth_fini(&r.auth);
}
