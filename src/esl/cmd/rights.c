/* What a client may do that logged in as a user of the directory (userauth): read once at login from his parameters,
 * asked for by each command. FreeSWITCH's parameters are esl-allowed-api, -events and -log; what it lets everybody do
 * (sendmsg, sendevent) needs a parameter of its own here. Commands and applications run as for any principal who may
 * not do everything (core/registry/principal.h), so that none reaches another. */
#include "base/mem.h"
#include "core/conf/dir.h"
#include "core/door/door.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/registry/principal.h"
#include "core/value/vars.h"
#include "esl/cmd/cmd_i.h"
#include "text/mark.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

bool esl_list_names(const char *list, struct sv name)
{
	for (const char *p = list; *p;) {
		size_t n = strcspn(p, " ,");
		if (n && sv_eqi((struct sv){p, n}, name))
			return true;
		p += n;
		p += strspn(p, " ,");
	}
	return false;
}

bool esl_list_has(const char *list, struct sv name)
{
	return !list || esl_list_names(list, SV("all")) || esl_list_names(list, name);
}

const char *esl_user_param(const struct dir_user *u, struct sv domain, const char *name)
{
	const char *v = dir_user_param(u, name);
	return v ? v : dir_domain_param(domain, name);
}

static bool may_run(const struct principal *p, const char *command)
{
	return esl_list_has(p->list, sv_of(command));
}

static ON_CTL void rights_free(void *obj)
{
	struct esl_rights *r = obj;
	char *texts[] = {r->api, r->events, r->sendmsg, r->applications, r->sendevent, r->user, r->domain};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		mem_free(texts[i]);
	mem_unref(r->who);
}

static ON_CTL char *list_of(const struct dir_user *u, struct sv domain, const char *param, const char *fallback)
{
	const char *v = esl_user_param(u, domain, param);
	return mem_strdup(v ? v : fallback);
}

struct esl_rights *esl_rights_new(const struct dir_user *u, struct sv user, struct sv domain)
{
	struct esl_rights *r = mem_new(sizeof(*r), rights_free, "esl.rights");
	char name[256];
	if (!r)
		return NULL;
	const char *legs = esl_user_param(u, domain, "esl-allowed-legs");
	r->legs = legs && !strcasecmp(legs, "all")      ? ESL_LEGS_ALL
	          : legs && !strcasecmp(legs, "domain") ? ESL_LEGS_DOMAIN
	                                                : ESL_LEGS_OWN;
	r->has_log = str_is_true(esl_user_param(u, domain, "esl-allowed-log"));
	r->events = list_of(u, domain, "esl-allowed-events", "all");
	r->api = list_of(u, domain, "esl-allowed-api", "show");
	r->sendmsg = list_of(u, domain, "esl-allowed-sendmsg", "");
	r->applications = list_of(u, domain, "esl-allowed-applications", "");
	r->sendevent = list_of(u, domain, "esl-allowed-sendevent", "");
	r->user = sv_dup(user), r->domain = sv_dup(domain);
	if (!r->events || !r->api || !r->sendmsg || !r->applications || !r->sendevent || !r->user || !r->domain)
		return mem_unref(r);
	snprintf(name, sizeof(name), "the event-socket user %.*s@%.*s", SVF(user), SVF(domain));
	if (!esl_list_has(r->api, SV("all")) && !(r->who = principal_new(name, r->api, may_run)))
		return mem_unref(r);
	return r;
}

void esl_client_denied(struct esl_client *c)
{
	esl_client_reply(c, "-ERR permission denied");
}

bool esl_may_hear(const struct esl_client *c, const char *event)
{
	return !c->rights || esl_list_has(c->rights->events, sv_of(event));
}

/* ---- legs ---- */
static ON_CTL bool is_var(const struct leg *leg, const char *name, const char *value)
{
	const char *v = vars_get(leg->vars, name);
	return v && *value && !strcasecmp(v, value);
}

/* The leg of the user's phone: it logged in as him, or he was dialled by it. */
static ON_CTL bool is_leg_of(const struct leg *leg, const struct esl_rights *r)
{
	static const char *const names[2][2] = {{"user_name", "domain_name"}, {"dialed_user", "dialed_domain"}};
	const char *const *n = names[leg->is_outbound];
	return is_var(leg, n[1], r->domain) && (r->legs == ESL_LEGS_DOMAIN || is_var(leg, n[0], r->user));
}

bool esl_may_tell(const struct esl_client *c, const struct leg *leg, const char *verb)
{
	const struct esl_rights *r = c->rights;
	return !r || (esl_list_has(r->sendmsg, sv_of(verb)) && leg && (r->legs == ESL_LEGS_ALL || is_leg_of(leg, r)));
}

char *esl_app_data(struct esl_client *c, const char *app, const char *data)
{
	const struct esl_rights *r = c->rights;
	const char *why = "";
	struct buf b;
	char *copy;
	if (!r || (!r->who && esl_list_has(r->applications, SV("all")))) {
		copy = mem_strdup(data);
	} else {
		buf_init(&b);
		buf_adds(&b, "");
		if (!esl_list_has(r->applications, sv_of(app)) || principal_put_app(&b, app, data, &why)) {
			esl_client_reply(c, "-ERR permission denied%s%s", *why ? ": " : "", why);
			buf_fini(&b);
			return NULL;
		}
		copy = buf_take(&b);
	}
	if (!copy)
		esl_client_reply(c, "-ERR out of resources");
	return copy;
}

/* ---- events ---- */
/* Headers that tell where an event comes from: only the switch writes them. */
static bool is_own_header(const char *name)
{
	return !strncasecmp(name, "FreeSWITCH-", 11) || !strcasecmp(name, "Core-UUID") ||
	       (!strncasecmp(name, "Event-", 6) && strcasecmp(name, "Event-Subclass") &&
	           strcasecmp(name, "Event-Name"));
}

bool esl_may_send(struct esl_client *c, enum event_id id, const char *subclass, const struct stanza *r)
{
	bool is_fine = true;
	if (!c->rights)
		return true;
	/* each by its name: "all" would be the switch's own */
	if (id != EVENT_CUSTOM || !subclass || !*subclass || !esl_list_names(c->rights->sendevent, sv_of(subclass)))
		is_fine = false;
	for (size_t i = 0; i < r->header_count && is_fine; i++)
		if (is_own_header(r->headers[i].name))
			is_fine = false;
		else if (!strcasecmp(r->headers[i].name, "unique-id") && leg_find(r->headers[i].value))
			is_fine = false; /* it would go to the server of that call */
	if (!is_fine)
		esl_client_denied(c);
	return is_fine;
}
