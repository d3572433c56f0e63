/* Who an INVITE is of, before there is a call: by its gateway or an access list, else by the digest; and whether From
 * may say what it says. Who is refused here was answered. */
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/acl.h"
#include "core/conf/dir.h"
#include "endpoint/sip/call/call_i.h"

#include <stdio.h>

void caller_fini(struct caller *who)
{
	auth_fini(&who->auth);
	mem_free(who->token);
	who->token = NULL;
}

/* It came from a proxy of apply-proxy-acl, which says by X-AUTH-IP who asked it: that address is looked up instead. */
static ON_CTL bool is_proxy_of(struct profile *p, struct sip_stx *tx, const struct sip_msg *m, struct addr *behind)
{
	struct sv text = *p->conf.proxy_acl ? sip_msg_value_named(m, "X-AUTH-IP") : SV_NONE;
	return text.n && !addr_parse(behind, text, 0) &&
	       acl_allows(sv_of(p->conf.proxy_acl), sip_stx_peer(tx), NULL, NULL);
}

bool caller_check(struct profile *p, struct sip_stx *tx, const struct sip_msg *m, struct caller *who)
{
	const char *token = NULL;
	struct sv list = SV_NONE, user, domain;
	char host[ADDR_TEXT_MAX];
	struct gateway *g = who->gateway = gateway_of_request(p, m, sip_stx_peer(tx));
	if (g && *g->conf.auth_acl && acl_allows(sv_of(g->conf.auth_acl), sip_stx_peer(tx), NULL, NULL)) {
		who->is_authorized = true;
		sip_stx_trust(tx);
		return true;
	}
	if (*p->conf.inbound_acl) {
		struct addr behind;
		struct sv told;
		bool is_proxied = is_proxy_of(p, tx, m, &behind);
		if (acl_allows(sv_of(p->conf.inbound_acl), is_proxied ? &behind : sip_stx_peer(tx), &token, &list)) {
			if (is_proxied && (told = sip_msg_value_named(m, "X-AUTH-TOKEN")).n && !token)
				token = who->token = sv_dup(told);
			snprintf(who->acl, sizeof(who->acl), "%.*s", SVF(list));
			who->acl_name = who->acl;
			who->is_authorized = true;
			sip_stx_trust(tx);
			if (token && sv_split(sv_of(token), '@', &user, &domain) &&
			    dir_user_find(user, domain, &who->auth.user) == ST_OK)
				who->auth.username = sv_dup(user), who->auth.realm = sv_dup(domain);
			return true;
		}
		if (!p->conf.auths_calls || p->conf.auths_calls_acl_only) {
			auth_failed_count(p, sip_stx_peer(tx));
			log_warning(
			    "IP %s Rejected by acl \"%s\"", addr_host(sip_stx_peer(tx), host), p->conf.inbound_acl);
			sip_stx_reply_once(tx, 403, NULL, NULL);
			return false;
		}
	}
	if (p->conf.accepts_blind_auth || (!p->conf.auths_calls && !auth_has_answer(p, m)))
		return true; /* an answer to a challenge of ours is looked at where nobody has to: respond 407 asked for
		                it */
	who->is_authorized = auth_check(p, tx, m, &who->auth) == AUTH_OK;
	return who->is_authorized;
}

bool caller_account_check(struct profile *p, struct sip_stx *tx, const struct sip_msg *m, const struct caller *who)
{
	if (!identity_is_refused(p, m, &who->auth))
		return true;
	log_warning("sofia: %s: a call of account %s@%s is refused: it calls itself %.*s@%.*s", p->conf.name,
	    dir_user_id(who->auth.user), dir_user_domain(who->auth.user), SVF(m->from.uri.user), SVF(m->from.uri.host));
	sip_stx_reply(tx, 403, "From Is Not The Account", NULL, NULL, SV_NONE);
	return false;
}

bool caller_is_believed(const struct profile *p, const struct caller *who, const struct addr *src)
{
	return who->gateway || !*p->conf.identity_acl || acl_allows(sv_of(p->conf.identity_acl), src, NULL, NULL);
}
