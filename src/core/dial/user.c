/* The endpoints that are other dial strings in disguise: user/ID[@domain] (the directory's dial-string),
 * group/NAME[@domain] (one user/ per member) and error/CAUSE. */
#include "base/mem.h"
#include "base/status.h"
#include "core/conf/config.h"
#include "core/conf/dir.h"
#include "core/leg/leg.h"
#include "core/registry/endpoint.h"
#include "core/registry/module.h"
#include "core/run/expand.h"
#include "core/value/cause.h"
#include "text/mark.h"
#include <string.h>
#include <strings.h>

struct dialed {
	char *user, *domain; /* marked */
};

static const char *dialed_lookup(const char *name, void *arg)
{
	const struct dialed *d = arg;
	return !strcmp(name, "dialed_user") ? d->user : !strcmp(name, "dialed_domain") ? d->domain : NULL;
}

/* "ID@domain", marked; without a domain: the call's domain_name, then the global domain. Copies without marks. */
static ON_CTL int address_split(const struct originate_target *t, struct sv text, char **user, char **domain)
{
	struct sv id, at;
	const char *fallback = t->originator ? leg_var(t->originator, "domain_name") : NULL;

	sv_split(text, '@', &id, &at);
	if (!fallback)
		fallback = globals_get("domain");
	*user = mark_strip_dup(id);
	*domain = at.n ? mark_strip_dup(at) : mem_strdup(fallback ? fallback : "");
	return *user && *domain ? ST_OK : ST_NOMEM;
}

static ON_CTL void tell_dialed(const struct originate_target *t, const char *user, const char *domain)
{
	if (!t->originator)
		return;
	leg_var_set(t->originator, "dialed_user", user);
	leg_var_set(t->originator, "dialed_domain", domain);
}

/* The directory's dial-var-NAME parameters, and presence_id unless the dial string sets one. */
static void add_dial_var(const char *name, const char *value, void *arg)
{
	struct buf *out = arg;
	role_assert_ctl();
	if (!strncasecmp(name, "dial-var-", 9) && name[9] && !strpbrk(value, ";{}'\\"))
		buf_printf(out, ";%s=%s", name + 9, value);
}

/* A dial string whose expansion names nobody: sofia_contact prints error/user_not_registered. */
static bool is_nobody(const char *text)
{
	const char *at = strrchr(text, '}');
	at = at ? at + 1 : text;
	while (*at == ' ')
		at++;
	return !*at;
}

static int user_expand(const struct originate_target *t, char **dialstring, enum cause *cause)
{
	struct dir_user *u = NULL;
	char *user = NULL, *domain = NULL, *text = NULL;
	struct dialed dialed = {NULL, NULL};
	const char *spec;
	struct buf b;
	int st;

	role_assert_ctl();
	buf_init(&b);
	*cause = CAUSE_SUBSCRIBER_ABSENT;
	st = address_split(t, sv_of(t->text), &user, &domain);
	if (!st)
		st = dir_user_find(sv_of(user), sv_of(domain), &u);
	if (st) {
		log_uuid(LOG_WARNING, t->originator ? t->originator->uuid : NULL, "Can't find user [%s@%s]",
		    user ? user : "", domain ? domain : "");
		goto out;
	}
	spec = dir_user_param(u, "dial-string");
	if (!spec) {
		st = ST_NOTFOUND;
		*cause = CAUSE_MANDATORY_IE_MISSING;
		log_uuid(LOG_ERR, t->originator ? t->originator->uuid : NULL,
		    "No dial-string available for user %s@%s, please check your user directory.", user, domain);
		goto out;
	}
	tell_dialed(t, user, domain);
	dialed = (struct dialed){mark_dup(user), mark_dup(domain)};
	st = dialed.user && dialed.domain ? expand_with(t->originator, dialed_lookup, &dialed, spec, &text) : ST_NOMEM;
	if (st)
		goto out;
	if (is_nobody(text)) {
		*cause = CAUSE_USER_NOT_REGISTERED;
		st = ST_NOTFOUND;
		goto out;
	}
	/* What FreeSWITCH sets on the leg of a user, ahead of the dial string's own. */
	buf_printf(&b, "{^^;dialed_user=%s;dialed_domain=%s", dialed.user, dialed.domain);
	if (!strstr(text, "presence_id="))
		buf_printf(&b, ";presence_id=%s@%s", dir_user_id(u), dialed.domain);
	dir_user_each_param(u, add_dial_var, &b);
	buf_printf(&b, "}%s", text);
	st = b.failed ? ST_NOMEM : ST_OK;
	if (!st)
		*dialstring = buf_take(&b);
out:
	buf_fini(&b);
	mem_free(dialed.user);
	mem_free(dialed.domain);
	mem_free(text);
	mem_free(user);
	mem_free(domain);
	mem_unref(u);
	return st;
}

struct members {
	struct buf text;
	const char *domain; /* marked */
	const char *separator;
	unsigned count;
};

static bool add_member(struct dir_user *u, void *arg)
{
	struct members *m = arg;
	role_assert_ctl();
	buf_printf(&m->text, "%suser/%s@%s", m->count ? m->separator : "", dir_user_id(u), m->domain);
	return ++m->count < 128;
}

/* group/NAME[@domain][+A|+F|+E]: all at once (the default), one after the other, or each on its own (the same here: one
 * of them wins). */
static int group_expand(const struct originate_target *t, char **dialstring, enum cause *cause)
{
	char *group = NULL, *domain = NULL, *marked = NULL;
	struct sv text, flag;
	struct members m = {.separator = ","};
	int st;

	role_assert_ctl();
	buf_init(&m.text);
	*cause = CAUSE_NO_ROUTE_DESTINATION;
	sv_split(sv_of(t->text), '+', &text, &flag);
	if (sv_isi(flag, "F"))
		m.separator = "|";
	else if (sv_isi(flag, "E"))
		m.separator = ":_:";
	st = address_split(t, text, &group, &domain);
	if (st)
		goto out;
	m.domain = marked = mark_dup(domain);
	if (!marked) {
		st = ST_NOMEM;
		goto out;
	}
	dir_each_user(sv_of(domain), group, add_member, &m);
	if (!m.count) {
		st = ST_NOTFOUND;
		goto out;
	}
	if (t->originator)
		leg_var_set(t->originator, "dialed_group", group);
	*dialstring = buf_take(&m.text);
out:
	buf_fini(&m.text);
	mem_free(marked);
	mem_free(group);
	mem_free(domain);
	return st;
}

static int error_outgoing(const struct originate_target *t, struct leg **out, enum cause *cause)
{
	role_assert_ctl();
	*cause = cause_parse(t->data);
	return ST_NOTFOUND;
}

static const struct endpoint_ops user_ops = {
    .name = "user", .operator_dials = OPERATOR_DIALS_DATA, .expand = user_expand};
static const struct endpoint_ops group_ops = {
    .name = "group", .operator_dials = OPERATOR_DIALS_DATA, .expand = group_expand};
static const struct endpoint_ops error_ops = {
    .name = "error", .operator_dials = OPERATOR_DIALS_DATA, .outgoing = error_outgoing};
static const struct endpoint_ops *const endpoints[] = {&user_ops, &group_ops, &error_ops, NULL};
const struct module dial_user_module = {.abi = MODULE_ABI, .name = "CORE_ENDPOINTS", .endpoints = endpoints};
