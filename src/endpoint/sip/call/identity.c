/* Who calls, as SIP says it. In: From, or the identity header that goes before it (P-Asserted-Identity,
 * P-Preferred-Identity, Remote-Party-ID), becomes the caller profile's number, name and ANI, with the wish to be
 * hidden; whether it is the account that logged in is told, and where the profile says so is made so. Out: one identity
 * header, made of the leg's own profile, never of what another leg was sent; a hidden caller stays hidden. RFC 3323,
 * 3325. */
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/dir.h"
#include "core/leg/leg.h"
#include "core/value/vars.h"
#include "endpoint/sip/call/call_i.h"

#include <string.h>
#include <strings.h>

/* ---- in ---- */

struct identity {
	struct sip_nameaddr who;
	enum sip_hdr_id hdr; /* where it stands */
	bool hides_name, hides_number, has_screen;
};

static char *user_text(struct sv escaped)
{
	struct buf b;
	buf_init(&b);
	sip_unescape(&b, escaped);
	return buf_take(&b);
}

/* The first address of that header with a number in it; of Remote-Party-ID the one that calls, or answers. */
static bool header_find(const struct sip_msg *m, enum sip_hdr_id id, struct sip_nameaddr *out)
{
	struct sip_list_it it;
	struct sv party;
	sip_list_start(&it, m, id);
	while (sip_list_next(&it))
		if (sip_nameaddr_parse(out, it.item) == ST_OK && out->uri.user.n &&
		    (!sip_param_get(out->params, ';', "party", &party) || sv_isi(party, "calling") ||
		        (!m->is_request && sv_isi(party, "called"))))
			return true;
	return false;
}

bool identity_shown(const struct sip_msg *m, struct sip_nameaddr *out)
{
	static const enum sip_hdr_id ids[] = {SIP_HDR_P_ASSERTED_IDENTITY, SIP_HDR_REMOTE_PARTY_ID};
	for (size_t i = 0; i < 2; i++)
		if (header_find(m, ids[i], out))
			return true;
	return false;
}

/* RFC 3323's header: anything but "none" is a wish to be hidden. */
static bool privacy_asks(const struct sip_msg *m)
{
	struct sv rest, one;
	for (const struct sip_hdr *h = sip_msg_hdr(m, SIP_HDR_PRIVACY); h; h = sip_msg_hdr_next(m, h))
		for (rest = h->value; rest.n;) {
			sv_split(rest, ';', &one, &rest);
			one = sv_trim(one);
			if (one.n && !sv_isi(one, "none"))
				return true;
		}
	return false;
}

static bool from_is_anonymous(const struct sip_msg *m)
{
	static const char tail[] = ".invalid";
	struct sv host = m->from.uri.host;
	size_t n = sizeof(tail) - 1;
	return sv_isi(m->from.uri.user, "anonymous") && host.n > n && sv_isi(sv_sub(host, host.n - n, n), tail);
}

/* Remote-Party-ID's own parameters; there may be several of privacy. */
static void rpid_read(const struct sip_nameaddr *na, struct identity *out)
{
	struct sip_params_it it = {.rest = na->params};
	while (sip_params_next(&it, ';')) {
		struct sv rest = it.value, one;
		if (sv_isi(it.name, "screen") && sv_isi(it.value, "no"))
			out->has_screen = false;
		while (sv_isi(it.name, "privacy") && rest.n) {
			sv_split(rest, ',', &one, &rest);
			one = sv_trim(one);
			out->hides_name |= sv_startsi(one, SV("full")) || sv_startsi(one, SV("name"));
			out->hides_number |= sv_startsi(one, SV("full")) || sv_startsi(one, SV("uri"));
		}
	}
}

/* is_believed: the headers besides From count (RFC 3325: of whom is trusted). */
static void identity_read(
    const struct profile_conf *conf, const struct sip_msg *m, bool is_believed, struct identity *out)
{
	static const enum sip_hdr_id ids[] = {
	    SIP_HDR_P_ASSERTED_IDENTITY, SIP_HDR_P_PREFERRED_IDENTITY, SIP_HDR_REMOTE_PARTY_ID};
	struct sip_nameaddr na;
	*out = (struct identity){.who = m->from, .hdr = SIP_HDR_FROM, .has_screen = true};
	if (privacy_asks(m) || from_is_anonymous(m))
		out->hides_name = out->hides_number = true;
	if (!is_believed)
		return;
	for (size_t i = 0; i < 3 && profile_conf_cid_type(conf) != CID_NONE && out->hdr == SIP_HDR_FROM; i++)
		if (header_find(m, ids[i], &na))
			out->who = na, out->hdr = ids[i];
	if (header_find(m, SIP_HDR_REMOTE_PARTY_ID, &na))
		rpid_read(&na, out);
}

/* ---- the account ---- */

static bool user_is(struct sv escaped, const char *text)
{
	char *user = text && *text ? user_text(escaped) : NULL;
	bool is_same = user && !strcmp(user, text);
	mem_free(user);
	return is_same;
}

/* One of the numbers the directory gives the account, in no other domain of the directory than its own. */
static ON_CTL bool uri_is_account(const struct sip_uri *u, const struct auth *who)
{
	const char *names[] = {dir_user_id(who->user), dir_user_attr(who->user, "number-alias"), who->username,
	    dir_user_var(who->user, "effective_caller_id_number"),
	    dir_user_var(who->user, "outbound_caller_id_number")};
	if (u->host.n && !sv_isi(u->host, dir_user_domain(who->user)) && dir_domain_exists(u->host))
		return false;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (user_is(u->user, names[i]))
			return true;
	return false;
}

static ON_CTL bool identity_is_account(const struct identity *id, const struct sip_msg *m, const struct auth *who)
{
	return uri_is_account(&m->from.uri, who) && (id->hdr == SIP_HDR_FROM || uri_is_account(&id->who.uri, who));
}

bool identity_is_refused(const struct profile *p, const struct sip_msg *m, const struct auth *who)
{
	struct identity id;
	if (!who->user || profile_conf_from_check(&p->conf) != FROM_REJECT)
		return false;
	identity_read(&p->conf, m, true, &id);
	/* Who only hides is not somebody else. */
	return !identity_is_account(&id, m, who) && !(from_is_anonymous(m) && id.hdr == SIP_HDR_FROM);
}

bool identity_is_others(const struct profile *p, const struct sip_msg *m, const struct auth *who)
{
	struct identity id;
	if (!who->user)
		return false;
	identity_read(&p->conf, m, true, &id);
	return !identity_is_account(&id, m, who);
}

static ON_CTL void account_put(struct leg *leg, const struct auth *who, struct leg_profile *lp)
{
	const char *id = dir_user_id(who->user), *number = dir_user_var(who->user, "effective_caller_id_number"),
	           *name = dir_user_var(who->user, "effective_caller_id_name");
	if (!number || !*number)
		number = id;
	leg_profile_set(&lp->username, id);
	leg_profile_set(&lp->ani, number);
	leg_profile_set(&lp->caller_id_number, number);
	leg_profile_set(&lp->caller_id_name, name && *name ? name : number);
	leg_var_setf(leg, "presence_id", "%s@%s", id, dir_user_domain(who->user));
}

/* ---- into the leg ---- */

/* p-asserted-id-parse: what of the header the variable holds. */
static ON_CTL void asserted_put(
    struct leg *leg, const char *parse, const struct identity *id, const char *whole, const char *number)
{
	if (!strcasecmp(parse, "verbatim"))
		leg_var_set(leg, "sip_P-Asserted-Identity", whole);
	else if (!strcasecmp(parse, "user-domain") && id->who.uri.host.n)
		leg_var_setf(leg, "sip_P-Asserted-Identity", "%s@%.*s", number ? number : "", SVF(id->who.uri.host));
	else
		leg_var_set(leg, "sip_P-Asserted-Identity", number);
}

static ON_CTL void vars_put(
    struct leg *leg, const char *parse, const struct identity *id, const struct sip_msg *m, const char *number)
{
	struct sv privacy = sip_msg_value(m, SIP_HDR_PRIVACY), whole = sip_msg_value(m, id->hdr);
	char *text = sv_dup(whole);
	if (id->hdr == SIP_HDR_P_ASSERTED_IDENTITY)
		asserted_put(leg, parse, id, text, number);
	else if (id->hdr == SIP_HDR_P_PREFERRED_IDENTITY)
		leg_var_set(leg, "sip_P-Preferred-Identity", text);
	else if (id->hdr == SIP_HDR_REMOTE_PARTY_ID)
		leg_var_set(leg, "sip_Remote-Party-ID", text);
	if (id->hdr != SIP_HDR_FROM)
		leg_var_set(leg, "sip_cid_type", id->hdr == SIP_HDR_REMOTE_PARTY_ID ? "rpid" : "pid");
	mem_free(text);
	if (!privacy.n)
		return;
	text = sv_dup(privacy);
	leg_var_set(leg, "sip_Privacy", text);
	mem_free(text);
}

void identity_in(struct call *c, const struct sip_msg *m, const struct auth *who, struct leg_profile *lp)
{
	struct identity id;
	struct buf name;
	identity_read(&c->p->conf, m, c->is_believed, &id);
	char *number = user_text(id.who.uri.user);
	call_verstat_cut(number);
	buf_init(&name);
	sip_unquote(&name, id.who.display.n ? id.who.display : m->from.display);
	leg_profile_set(&lp->username, number);
	leg_profile_set(&lp->ani, number);
	leg_profile_set(&lp->caller_id_number, number);
	leg_profile_set(&lp->caller_id_name, name.n ? name.p : number);
	lp->hides_name = id.hides_name, lp->hides_number = id.hides_number, lp->has_screen = id.has_screen;
	vars_put(c->leg, c->p->conf.pai_parse, &id, m, number);
	buf_fini(&name);
	mem_free(number);
	if (!who->user)
		return;
	bool is_account = identity_is_account(&id, m, who);
	enum from_check check = profile_conf_from_check(&c->p->conf);
	if (!is_account)
		leg_var_set(c->leg, "sip_from_is_account", "false");
	else if (check != FROM_FREE)
		leg_var_set(c->leg, "sip_from_is_account", "true");
	if (!is_account && check != FROM_FREE)
		account_put(c->leg, who, lp);
}

/* ---- out ---- */

static bool type_parse(const char *text, enum cid_type *out)
{
	static const char *const names[] = {[CID_RPID] = "rpid", [CID_PID] = "pid", [CID_NONE] = "none"};
	for (size_t i = 0; text && i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcasecmp(text, names[i])) {
			*out = (enum cid_type)i;
			return true;
		}
	return false;
}

/* The leg's own word; then its gateway's; of a dialled one then the caller's, unless the profile tells nobody; else the
 * profile's. */
static ON_CTL enum cid_type cid_type_of(struct call *c)
{
	enum cid_type type = profile_conf_cid_type(&c->p->conf), other;
	struct leg *a = c->originator_uuid ? leg_find(c->originator_uuid) : NULL;
	if (type_parse(leg_var(c->leg, "sip_cid_type"), &other))
		return other;
	if (c->gateway && type_parse(c->gateway->conf.cid_type, &other))
		return other;
	if (a && type != CID_NONE && type_parse(vars_get(a->vars, "sip_cid_type"), &other))
		return other;
	return type;
}

void call_host_put(struct call *c, struct buf *b, const char *host)
{
	struct buf text;
	const char *colon = strchr(host, ':');
	buf_init(&text);
	buf_printf(&text, colon && *host != '[' && colon != strrchr(host, ':') ? "[%s]" : "%s", host);
	if (sip_is_host(buf_sv(&text))) {
		buf_addv(b, buf_sv(&text));
	} else {
		leg_log(c->leg, LOG_WARNING, "\"%s\" is no host: %s stands in its place", host, c->p->ext_sip_ip);
		buf_printf(b, strchr(c->p->ext_sip_ip, ':') ? "[%s]" : "%s", c->p->ext_sip_ip);
	}
	buf_fini(&text);
}

void call_domain_put(struct call *c, struct buf *b)
{
	const char *domain = leg_var(c->leg, "sip_invite_domain"), *from = vars_get(c->leg->vars, "sip_from_uri");
	struct sip_nameaddr na;
	if (!c->has_own_domain && from && sip_nameaddr_parse(&na, sv_of(from)) == ST_OK && na.uri.host.n)
		buf_printf(b, na.uri.is_ipv6 ? "[%.*s]" : "%.*s", SVF(na.uri.host));
	else
		call_host_put(c, b, domain && *domain ? domain : c->p->ext_sip_ip);
}

/* NULL: none of them says anything. */
static const char *first_said(const char *const *texts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (texts[i] && *texts[i])
			return texts[i];
	return NULL;
}

static ON_CTL void callee_of(struct call *c, const char **name, const char **number)
{
	const struct leg_profile *lp = c->leg->profile;
	const char *const names[] = {leg_var(c->leg, "initial_callee_id_name"), leg_var(c->leg, "sip_callee_id_name"),
	    leg_var(c->leg, "effective_callee_id_name"), lp->callee_id_name, lp->destination_number};
	const char *const numbers[] = {leg_var(c->leg, "sip_callee_id_number"),
	    leg_var(c->leg, "effective_callee_id_number"), lp->callee_id_number, lp->destination_number};
	*name = first_said(names, ARRAY_COUNT(names));
	*number = first_said(numbers, ARRAY_COUNT(numbers));
}

static ON_CTL void privacy_put(struct call *c, struct buf *b, enum cid_type type)
{
	const struct leg_profile *lp = c->leg->profile;
	if (type == CID_RPID)
		buf_printf(b, ";party=calling;screen=%s;privacy=%s\r\n", lp->has_screen ? "yes" : "no",
		    lp->hides_number ? "full"
		    : lp->hides_name ? "name"
		                     : "off");
	else if (lp->hides_name || lp->hides_number)
		buf_adds(b, "\r\nPrivacy: id\r\n");
	else if (leg_var_is_true(c->leg, "sip_cid_suppress_privacy_none"))
		buf_adds(b, "\r\n");
	else
		buf_adds(b, "\r\nPrivacy: none\r\n");
}

/* To a caller: who answers. To a callee: who calls. */
void call_identity_put(struct call *c, struct buf *b, bool is_response)
{
	const struct leg_profile *lp = c->leg->profile;
	enum cid_type type = cid_type_of(c);
	struct buf uri;
	const char *name = lp->caller_id_name, *number = lp->caller_id_number, *hdr = "Remote-Party-ID";
	if (type == CID_NONE || (is_response && !c->p->conf.passes_callee_id))
		return;
	if (is_response)
		callee_of(c, &name, &number);
	call_display_said(c, name, number);
	if (type == CID_PID)
		hdr = is_response || lp->has_screen ? "P-Asserted-Identity" : "P-Preferred-Identity";
	buf_init(&uri);
	buf_adds(&uri, "sip:");
	sip_escape_user(&uri, sv_of(number));
	if (!is_response && number && *number)
		call_verstat_put(c, &uri);
	if (number && *number)
		buf_addc(&uri, '@');
	if (is_response)
		call_host_put(c, &uri, c->p->ext_sip_ip);
	else
		call_domain_put(c, &uri);
	buf_printf(b, "%s: ", hdr);
	sip_put_nameaddr(b, sv_of(name ? name : ""), buf_sv(&uri));
	if (!is_response)
		privacy_put(c, b, type);
	else
		buf_adds(b, type == CID_RPID ? ";party=calling;privacy=off;screen=no\r\n" : "\r\n");
	buf_fini(&uri);
}

struct sv call_identity_number(const struct profile *p, const struct sip_msg *m, bool is_believed)
{
	struct identity id;
	identity_read(&p->conf, m, is_believed, &id);
	return id.who.uri.user;
}

enum cid_type call_cid_type(struct call *c)
{
	return cid_type_of(c);
}

void call_identity_put_1xx(struct call *c, struct buf *b)
{
	const char *own = leg_var(c->leg, "sip_cid_in_1xx");
	if (c->p->conf.has_cid_in_1xx && (!own || str_is_true(own)))
		call_identity_put(c, b, true);
}
