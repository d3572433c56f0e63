/* `sofia_presence_data`: what is known of a registered user. */
#include "endpoint/sip/presence/watch_i.h"

static const char header[] = "status|rpid|user_agent|network_ip|network_port\n";

/* [profile/]user@domain; profile * or none: all. */
static ON_CTL bool who_parse(struct sv text, struct profile **p, struct sv *user, struct sv *host)
{
	struct sv head, rest;
	*p = NULL;
	if (sv_split(text, '/', &head, &rest)) {
		text = rest;
		if (!sv_is(head, "*") && !(*p = profile_find(head)))
			return false;
	}
	return sv_split(text, '@', user, host) && user->n && host->n;
}

static ON_CTL const struct reg *reg_find(struct profile *only, struct sv user, struct sv host)
{
	const struct reg *r[1];
	for (struct profile *p = profile_next(NULL); p; p = profile_next(p))
		if ((!only || p == only) && reg_table_find(reg_table_of(p), user, host, r, 1))
			return r[0];
	return NULL;
}

int presence_cmd(struct api_call *c)
{
	struct sv what, who, user, host;
	struct profile *p;
	const char *status = "unknown", *rpid = "unknown";
	role_assert_ctl();
	sv_split(sv_trim(sv_of(c->args)), ' ', &what, &who);
	if (!who_parse(sv_trim(who), &p, &user, &host))
		return ST_OK;
	const struct reg *r = reg_find(p, user, host);
	const struct presence_entity *e = presence_entity_peek(SV_NONE, user, host);
	if (!r && !(e && e->has_note))
		return ST_OK;
	if (e && e->has_note) {
		status = e->is_closed ? "Unregistered" : e->note ? e->note : "Available";
		rpid = e->rpid ? e->rpid : rpid;
	}
	if (sv_isi(what, "status"))
		return buf_adds(c->out, status);
	if (sv_isi(what, "rpid"))
		return buf_adds(c->out, rpid);
	if (sv_isi(what, "user_agent"))
		return buf_adds(c->out, r ? r->agent : "");
	buf_printf(c->out, "%s%s|%s|%s|%s|%u\n", header, status, rpid, r ? r->agent : "", r ? r->network_ip : "",
	    r ? r->network_port : 0);
	return sv_isi(what, "list") ? buf_adds(c->out, "+OK\n") : ST_OK;
}
