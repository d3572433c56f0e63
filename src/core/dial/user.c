/* The endpoints that stand for other targets: user/ID[@domain] (the directory's dial-string),
 * group/NAME[@domain] (one user/ per member) and error/CAUSE. */
#include "base/mem.h"
#include "base/status.h"
#include "core/conf/config.h"
#include "core/conf/dir.h"
#include "core/dial/dialstring.h"
#include "core/dial/targets.h"
#include "core/leg/leg.h"
#include "core/registry/endpoint.h"
#include "core/registry/module.h"
#include "core/run/expand.h"
#include "core/value/cause.h"
#include "core/value/vars.h"
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

/* The directory's dial-var-NAME parameters. */
static void add_dial_var(const char *name, const char *value, void *arg)
{
	role_assert_ctl();
	if (!strncasecmp(name, "dial-var-", 9) && name[9])
		(void)vars_set(arg, name + 9, value);
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

/* What FreeSWITCH sets on the leg of a user, ahead of the dial string's own. text: the dial string, expanded. */
static ON_CTL int user_vars(struct dir_user *u, const struct dialed *d, const char *text, struct vars *vars)
{
	struct buf b;
	int st = vars_set(vars, "dialed_user", d->user);

	if (!st)
		st = vars_set(vars, "dialed_domain", d->domain);
	if (!st && !strstr(text, "presence_id=")) {
		buf_init(&b);
		buf_printf(&b, "%s@%s", dir_user_id(u), d->domain);
		st = b.failed ? ST_NOMEM : vars_set(vars, "presence_id", b.p);
		buf_fini(&b);
	}
	if (!st)
		dir_user_each_param(u, add_dial_var, vars);
	return st;
}

static int user_expand(const struct originate_target *t, struct dial *out, enum cause *cause)
{
	struct dir_user *u = NULL;
	char *user = NULL, *domain = NULL, *text = NULL;
	struct dialed dialed = {NULL, NULL};
	struct vars *vars = NULL;
	const char *spec;
	int st;

	role_assert_ctl();
	*cause = CAUSE_SUBSCRIBER_ABSENT;
	st = address_split(t, sv_of(t->text), &user, &domain);
	if (!st)
		st = dir_user_get(sv_of(user), sv_of(domain), "user_call", &u);
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
	st = vars_new(&vars);
	if (!st)
		st = user_vars(u, &dialed, text, vars);
	if (!st) {
		dial_free(out);
		st = dial_parse_under(out, text, vars);
	}
out:
	vars_free(vars);
	mem_free(dialed.user);
	mem_free(dialed.domain);
	mem_free(text);
	mem_free(user);
	mem_free(domain);
	mem_unref(u);
	return st;
}

struct members {
	struct dial *out;
	const char *domain; /* marked */
	char flag;          /* A, F or E */
	unsigned count;
	int status;
};

static bool add_member(struct dir_user *u, void *arg)
{
	struct members *m = arg;
	struct buf text;

	role_assert_ctl();
	buf_init(&text);
	buf_printf(&text, "%s@%s", dir_user_id(u), m->domain);
	if (m->flag == 'E' || !m->count)
		m->status = dial_part_add(m->out, NULL);
	if (!m->status)
		m->status = text.failed
		                ? ST_NOMEM
		                : dial_leg_add(m->out, SV("user"), buf_sv(&text), m->flag == 'F' ? m->count : 0, NULL);
	buf_fini(&text);
	return ++m->count < DIAL_LEGS_MAX && !m->status;
}

/* group/NAME[@domain][+A|+F|+E]: all at once (the default), one after the other, or each on its own (the same here: one
 * of them wins). */
static int group_expand(const struct originate_target *t, struct dial *out, enum cause *cause)
{
	char *group = NULL, *domain = NULL, *marked = NULL;
	struct sv text, flag;
	struct members m = {.out = out};
	int st;

	role_assert_ctl();
	*cause = CAUSE_NO_ROUTE_DESTINATION;
	sv_split(sv_of(t->text), '+', &text, &flag);
	m.flag = sv_isi(flag, "F") ? 'F' : sv_isi(flag, "E") ? 'E' : 'A';
	st = address_split(t, text, &group, &domain);
	if (st)
		goto out;
	m.domain = marked = mark_dup(domain);
	if (!marked) {
		st = ST_NOMEM;
		goto out;
	}
	dir_each_user(sv_of(domain), group, add_member, &m);
	st = m.status ? m.status : m.count ? ST_OK : ST_NOTFOUND;
	if (!st && t->originator)
		leg_var_set(t->originator, "dialed_group", group);
out:
	mem_free(marked);
	mem_free(group);
	mem_free(domain);
	return st;
}

static int error_outgoing(const struct originate_target *t, struct leg **out, enum cause *cause)
{
	role_assert_ctl();
	*cause = cause_parse(t->data);
	if (*cause == CAUSE_SUCCESS || *cause == CAUSE_NONE) /* no leg comes of it all the same */
		*cause = CAUSE_DESTINATION_OUT_OF_ORDER;
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
