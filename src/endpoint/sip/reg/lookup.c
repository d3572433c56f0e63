/* Where a registered user can be reached: `sofia_contact`, `sofia_count_reg`, `sofia_username_of`, which dial strings
 * of the directory use. Answers come from memory. What a phone gave as its Contact was written by contact_render
 * (uri/contact.c), so that it stays one address here. */
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/dir.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "endpoint/sip/reg/reg.h"
#include "endpoint/sip/uri/uri.h"

#include <string.h>

/* What the user's login was looked up in. */
static struct sv login_domain(const struct profile *p, const struct reg *r)
{
	return sv_of(*p->conf.force_register_domain ? p->conf.force_register_domain : r->auth_realm);
}

/* Of the flows of one phone (RFC 5626) the one that was refreshed last is called; the others stand by. */
static bool is_spare_flow(const struct reg *const *regs, size_t i)
{
	for (size_t k = 0; regs[i]->reg_id && k < i; k++)
		if (regs[k]->reg_id && !strcmp(regs[k]->instance, regs[i]->instance))
			return true;
	return false;
}

/* domain: only those who logged in there; empty = all. but: none that has this text in its address; NULL = all. */
static ON_CTL size_t contacts_put(
    struct profile *p, struct sv user, struct sv host, struct sv domain, const char *but, struct buf *out)
{
	const struct reg *regs[REG_CONTACTS_MAX];
	size_t total = 0;
	for (struct profile *each = profile_next(NULL); each; each = profile_next(each)) {
		if (p && each != p)
			continue;
		size_t n = reg_table_find(reg_table_of(each), user, host, regs, REG_CONTACTS_MAX);
		for (size_t i = 0; i < n && i < REG_CONTACTS_MAX; i++) {
			if ((domain.n && !sv_eqi(login_domain(each, regs[i]), domain)) || is_spare_flow(regs, i) ||
			    (but && *but && strstr(regs[i]->target, but)))
				continue;
			buf_printf(out, "%ssofia/%s/%s", total++ ? "," : "", each->conf.name, regs[i]->target);
		}
	}
	return total;
}

size_t contact_lookup(struct profile *p, struct sv user, struct sv host, struct buf *out)
{
	return contacts_put(p, user, host, SV_NONE, NULL, out);
}

/* Every contact of that name, when they are all of one domain. */
static ON_CTL size_t only_one_domain(struct profile *p, struct sv user, const char *but, struct buf *out)
{
	const struct reg *regs[REG_CONTACTS_MAX];
	size_t n = reg_table_find(reg_table_of(p), user, SV_NONE, regs, REG_CONTACTS_MAX);
	for (size_t i = 1; i < n && i < REG_CONTACTS_MAX; i++)
		if (strcmp(regs[i]->host, regs[0]->host) != 0)
			return 0;
	return n && n <= REG_CONTACTS_MAX ? contacts_put(p, user, sv_of(regs[0]->host), SV_NONE, but, out) : 0;
}

/* "[profile/]user@domain[/...]": false when there is no user in it. p NULL = every profile. */
static ON_CTL bool args_parse(
    struct sv text, struct profile **p, struct sv *user, struct sv *host, bool *is_bad_profile)
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

static ON_CTL size_t lookup(struct sv args, const char *but, struct buf *out)
{
	struct profile *p;
	struct sv user, host;
	bool is_bad;
	if (!args_parse(args, &p, &user, &host, &is_bad) || is_bad)
		return 0;
	size_t n = contacts_put(p, user, host, SV_NONE, but, out);
	bool is_domain = dir_domain_exists(host);
	/* The domain may be an alias of a profile that keeps its users under another one; of several domains' users
	 * that are kept there only those of this one. */
	if (!n && p && *p->conf.force_register_db_domain)
		n = contacts_put(
		    p, user, sv_of(p->conf.force_register_db_domain), is_domain ? host : SV_NONE, but, out);
	if (!n && p && host.n && !is_domain)
		n = only_one_domain(p, user, but, out);
	return n;
}

int contact_cmd(struct api_call *c)
{
	role_assert_ctl();
	c->is_reply_text = true; /* a dial string; what phones wrote of it is escaped by the registrar */
	if (!lookup(sv_of(c->args), c->leg ? leg_var(c->leg, "sip_exclude_contact") : NULL, c->out))
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
	size_t n = has_place ? lookup(sv_of(c->args), NULL, &b) : 0;
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
	role_assert_ctl();
	if (args_parse(sv_of(c->args), &p, &user, &host, &is_bad) && !is_bad)
		for (struct profile *each = profile_next(NULL); each; each = profile_next(each)) {
			if ((!p || each == p) && reg_table_find(reg_table_of(each), user, host, &r, 1))
				return buf_adds(c->out, r->auth_user);
		}
	return ST_OK;
}
