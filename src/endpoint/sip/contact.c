/* Where a registered user can be reached: `sofia_contact`, `sofia_count_reg`, `sofia_username_of`, which dial strings
 * of the directory use. Answers come from memory. What a phone gave as its Contact is text from outside that becomes
 * part of a dial string here: contact_render writes it so that it stays one address. */
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/dir.h"
#include "core/registry/api.h"
#include "endpoint/sip/sofia_i.h"

#include <string.h>

static bool is_unreserved(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c && strchr("-._~", c));
}

/* Means nothing to dial strings, variables and lists. */
static bool is_plain(char c)
{
	return is_unreserved(c) || (c && strchr("!*+&=/;?()%", c));
}

static void escape(struct buf *out, struct sv text, bool (*is_kept)(char c))
{
	static const char hex[] = "0123456789ABCDEF";
	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = (uint8_t)text.p[i];
		if (is_kept((char)c)) {
			buf_addc(out, (char)c);
			continue;
		}
		buf_addc(out, '%');
		buf_addc(out, hex[c >> 4]);
		buf_addc(out, hex[c & 15]);
	}
}

void contact_escape(struct buf *out, struct sv text)
{
	escape(out, text, is_unreserved);
}

static int params_render(struct sv params, bool keeps_ours, struct buf *out)
{
	struct sv one;
	while (params.n) {
		sv_split(params, ';', &one, &params);
		if (!one.n || (!keeps_ours && sv_startsi(one, SV("fs_"))))
			continue;
		for (size_t i = 0; i < one.n; i++)
			if (!is_plain(one.p[i]) && one.p[i] != ':')
				return ST_INVAL;
		buf_printf(out, ";%.*s", SVF(one));
	}
	return ST_OK;
}

int contact_render(const struct sip_uri *u, bool keeps_ours, struct buf *out, const char **why)
{
	struct buf b;
	int st = ST_INVAL;
	buf_init(&b);
	*why = "no sip address";
	if ((u->scheme != SIP_SCHEME_SIP && u->scheme != SIP_SCHEME_SIPS) || !u->host.n)
		goto done;
	buf_adds(&b, u->scheme == SIP_SCHEME_SIPS ? "sips:" : "sip:");
	escape(&b, u->user, is_plain);
	if (u->password.n) {
		buf_addc(&b, ':');
		escape(&b, u->password, is_plain);
	}
	buf_printf(&b, u->is_ipv6 ? "%s[%.*s]" : "%s%.*s", u->user.n ? "@" : "", SVF(u->host));
	if (u->port)
		buf_printf(&b, ":%u", u->port);
	*why = "a parameter with characters that need escaping";
	if (params_render(u->params, keeps_ours, &b) < 0)
		goto done;
	*why = "\":_:\" in it";
	if (b.p && strstr(b.p, ":_:"))
		goto done;
	st = b.failed ? ST_NOMEM : buf_addv(out, buf_sv(&b));
done:
	buf_fini(&b);
	return st;
}

bool contact_is_rendered(struct sv target)
{
	struct sip_uri u;
	struct buf b;
	const char *why;
	buf_init(&b);
	bool is_same = sip_uri_parse(&u, target) == ST_OK && contact_render(&u, true, &b, &why) == ST_OK &&
	               sv_eq(buf_sv(&b), target);
	buf_fini(&b);
	return is_same;
}

/* What the user's login was looked up in. */
static struct sv login_domain(const struct profile *p, const struct reg *r)
{
	return sv_of(*p->conf.force_register_domain ? p->conf.force_register_domain : r->auth_realm);
}

/* domain: only those who logged in there; empty = all. */
static size_t contacts_put(struct profile *p, struct sv user, struct sv host, struct sv domain, struct buf *out) ON_CTL;
static size_t contacts_put(struct profile *p, struct sv user, struct sv host, struct sv domain, struct buf *out)
{
	const struct reg *regs[REG_CONTACTS_MAX];
	struct lnode *it, *tmp;
	size_t total = 0;
	list_each (&sofia.profiles, it, tmp) {
		struct profile *each = list_entry(it, struct profile, link);
		if (p && each != p)
			continue;
		size_t n = reg_table_find(each->regs, user, host, regs, REG_CONTACTS_MAX);
		for (size_t i = 0; i < n && i < REG_CONTACTS_MAX; i++) {
			if (domain.n && !sv_eqi(login_domain(each, regs[i]), domain))
				continue;
			buf_printf(out, "%ssofia/%s/%s", total++ ? "," : "", each->conf.name, regs[i]->target);
		}
	}
	return total;
}

size_t contact_lookup(struct profile *p, struct sv user, struct sv host, struct buf *out)
{
	return contacts_put(p, user, host, SV_NONE, out);
}

/* Every contact of that name, when they are all of one domain. */
static size_t only_one_domain(struct profile *p, struct sv user, struct buf *out) ON_CTL;
static size_t only_one_domain(struct profile *p, struct sv user, struct buf *out)
{
	const struct reg *regs[REG_CONTACTS_MAX];
	size_t n = reg_table_find(p->regs, user, SV_NONE, regs, REG_CONTACTS_MAX);
	for (size_t i = 1; i < n && i < REG_CONTACTS_MAX; i++)
		if (strcmp(regs[i]->host, regs[0]->host) != 0)
			return 0;
	return n && n <= REG_CONTACTS_MAX ? contact_lookup(p, user, sv_of(regs[0]->host), out) : 0;
}

/* "[profile/]user@domain[/...]": false when there is no user in it. p NULL = every profile. */
static bool args_parse(struct sv text, struct profile **p, struct sv *user, struct sv *host, bool *is_bad_profile)
    ON_CTL;
static bool args_parse(struct sv text, struct profile **p, struct sv *user, struct sv *host, bool *is_bad_profile)
{
	struct sv head, rest, more;
	*p = NULL;
	*is_bad_profile = false;
	text = sv_trim(text);
	bool has_profile = sv_find(text, '/') < sv_find(text, '@') && sv_split(text, '/', &head, &rest);
	if (has_profile)
		text = rest;
	sv_split(text, '/', &text, &more);
	sv_split(text, '@', user, host);
	if (has_profile && !sv_is(head, "*") && !sv_is(head, "all")) {
		*p = profile_find(head);
		*is_bad_profile = !*p;
	} else if (!has_profile && host->n) {
		*p = profile_find(*host);
	}
	return user->n > 0;
}

static size_t lookup(struct sv args, struct buf *out) ON_CTL;
static size_t lookup(struct sv args, struct buf *out)
{
	struct profile *p;
	struct sv user, host;
	bool is_bad;
	if (!args_parse(args, &p, &user, &host, &is_bad) || is_bad)
		return 0;
	size_t n = contact_lookup(p, user, host, out);
	bool is_domain = dir_domain_exists(host);
	/* The domain may be an alias of a profile that keeps its users under another one; of several domains' users
	 * that are kept there only those of this one. */
	if (!n && p && *p->conf.force_register_db_domain)
		n = contacts_put(p, user, sv_of(p->conf.force_register_db_domain), is_domain ? host : SV_NONE, out);
	if (!n && p && host.n && !is_domain)
		n = only_one_domain(p, user, out);
	return n;
}

int contact_cmd(struct api_call *c)
{
	role_assert_ctl();
	c->is_reply_text = true; /* a dial string; what phones wrote of it is escaped by the registrar */
	if (!lookup(sv_of(c->args), c->out))
		buf_adds(c->out, "error/user_not_registered");
	return ST_OK;
}

int count_cmd(struct api_call *c)
{
	struct buf b;
	role_assert_ctl();
	buf_init(&b);
	struct profile *p;
	struct sv user, host;
	bool is_bad, has_place = args_parse(sv_of(c->args), &p, &user, &host, &is_bad) && !is_bad && (p || host.n);
	size_t n = has_place ? lookup(sv_of(c->args), &b) : 0;
	buf_fini(&b);
	if (!has_place && *c->args) /* no profile to count in */
		return buf_adds(c->out, "-1");
	return buf_printf(c->out, "%zu", n);
}

int username_cmd(struct api_call *c)
{
	struct profile *p;
	struct sv user, host;
	bool is_bad;
	const struct reg *r;
	struct lnode *it, *tmp;
	role_assert_ctl();
	if (args_parse(sv_of(c->args), &p, &user, &host, &is_bad) && !is_bad)
		list_each (&sofia.profiles, it, tmp) {
			struct profile *each = list_entry(it, struct profile, link);
			if ((!p || each == p) && reg_table_find(each->regs, user, host, &r, 1))
				return buf_adds(c->out, r->auth_user);
		}
	return ST_OK;
}

int presence_cmd(struct api_call *c)
{
	role_assert_ctl();
	return ST_OK;
}
