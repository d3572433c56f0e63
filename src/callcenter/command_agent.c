/* callcenter_config agent ... and tier ... */
#include "base/status.h"
#include "callcenter/callcenter_i.h"
#include "core/door/door.h"
#include "core/registry/api.h"
#include "core/registry/app_words.h"
#include "core/registry/principal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define INVALID "-ERR Invalid!\n"
#define NO_AGENT "-ERR Agent not found!\n"

/* ---- agent ---- */

static ON_CTL const char *agent_add(const struct app_words *w)
{
	struct cc_agent *a;
	if (w->n < 4)
		return INVALID;
	switch (cc_agent_new(w->w[2], w->w[3], &a)) {
	case ST_OK:
		a->is_touched = true;
		cc_tell_added(a);
		return "+OK\n";
	case ST_EXISTS:
		return "-ERR Agent already exist!\n";
	case ST_INVAL:
		return "-ERR Agent type invalid!\n";
	default:
		return "-ERR Unknown Error!\n";
	}
}

static ON_CTL const char *contact_set(struct api_call *c, struct cc_agent *a, const struct app_words *w)
{
	const char *why = "";
	struct buf checked;
	if (!c->who) {
		cc_agent_contact_set(a, w->m[4]);
		return "+OK\n";
	}
	buf_init(&checked);
	bool is_good = !principal_put_dial(&checked, w->w[4], &why) && checked.p;
	if (is_good)
		cc_agent_contact_set(a, checked.p);
	else
		buf_printf(c->out, "-ERR %s\n", why);
	buf_fini(&checked);
	return is_good ? "+OK\n" : "";
}

static ON_CTL const char *agent_set(struct api_call *c, const struct app_words *w)
{
	if (w->n < 5)
		return INVALID;
	const char *key = w->w[2], *value = w->w[4];
	struct cc_agent *a = cc_agent_find(w->w[3]);
	enum cc_status status;
	enum cc_state state;
	if (!a)
		return NO_AGENT;
	a->is_touched = true;
	if (!strcasecmp(key, "status")) {
		if (cc_status_parse(value, &status))
			return "-ERR Invalid Agent Status!\n";
		cc_agent_status_set(a, status);
	} else if (!strcasecmp(key, "state")) {
		if (cc_state_parse(value, &state))
			return "-ERR Invalid Agent State!\n";
		cc_agent_state_set(a, state);
	} else if (!strcasecmp(key, "contact")) {
		return contact_set(c, a, w);
	} else if (!strcasecmp(key, "type")) {
		if (cc_agent_type_set(a, value))
			return "-ERR Invalid Agent Type!\n";
	} else if (!strcasecmp(key, "uuid")) {
		cc_agent_uuid_set(a, value);
	} else if (cc_agent_number_set(a, key, str_number(value, 0, UINT32_MAX))) {
		return "-ERR Invalid Agent Update KEY!\n";
	}
	return "+OK\n";
}

static ON_CTL const char *agent_get(const struct app_words *w)
{
	if (w->n < 4)
		return INVALID;
	const char *key = w->w[2];
	const struct cc_agent *a = cc_agent_find(w->w[3]);
	if (!a)
		return NO_AGENT;
	if (!strcasecmp(key, "status")) {
		cc_tell_agent(a, "agent-status-get", "CC-Agent-Status", cc_status_name(a->status));
		return cc_status_name(a->status);
	}
	if (!strcasecmp(key, "state")) {
		cc_tell_agent(a, "agent-state-get", "CC-Agent-State", cc_state_name(a->state));
		return cc_state_name(a->state);
	}
	if (!strcasecmp(key, "uuid")) {
		cc_tell_agent(a, "agent-uuid-get", "CC-Agent-UUID", a->uuid);
		return a->uuid ? a->uuid : "";
	}
	return "-ERR Invalid Agent Update KEY!\n";
}

void cc_command_agent(struct api_call *c, const struct app_words *w)
{
	const char *verb = w->w[1], *reply = "";
	if (!strcasecmp(verb, "add")) {
		reply = agent_add(w);
	} else if (!strcasecmp(verb, "del")) {
		struct cc_agent *a = w->n > 2 ? cc_agent_find(w->w[2]) : NULL;
		if (a)
			cc_agent_del(a);
		reply = w->n > 2 ? "+OK\n" : INVALID;
	} else if (!strcasecmp(verb, "reload")) {
		if (w->n > 2)
			cc_agents_reload(w->w[2]);
		reply = w->n > 2 ? "+OK\n" : INVALID;
	} else if (!strcasecmp(verb, "set")) {
		reply = agent_set(c, w);
	} else if (!strcasecmp(verb, "get")) {
		reply = agent_get(w);
	} else if (!strcasecmp(verb, "list")) {
		cc_list_agents(c->out, w->n > 2 ? w->w[2] : NULL);
	} else {
		(void)cc_command_agent_plus(c, w, &reply);
	}
	buf_adds(c->out, reply);
}

/* ---- tier ---- */

static ON_CTL const char *tier_add(const struct app_words *w)
{
	if (w->n < 4)
		return INVALID;
	struct cc_queue *q = cc_queue_get(w->w[2]);
	struct cc_agent *a = cc_agent_find(w->w[3]);
	if (!q)
		return "-ERR Queue not found!\n";
	if (!a)
		return NO_AGENT;
	int64_t level = w->n > 4 ? str_number(w->w[4], 0, INT32_MAX) : 1,
	        position = w->n > 5 ? str_number(w->w[5], 0, INT32_MAX) : 1;
	int st = cc_tier_new(q, a, level, position, NULL);
	return st == ST_EXISTS ? "-ERR Tier already exist!\n" : st ? "-ERR Unknown Error!\n" : "+OK\n";
}

static ON_CTL struct cc_tier *tier_of(const char *queue, const char *agent)
{
	const struct cc_queue *q = cc_queue_find(queue);
	const struct cc_agent *a = cc_agent_find(agent);
	return q && a ? cc_tier_find(q, a) : NULL;
}

static ON_CTL const char *tier_set(const struct app_words *w)
{
	if (w->n < 6)
		return INVALID;
	const char *key = w->w[2], *value = w->w[5];
	struct cc_tier *t = tier_of(w->w[3], w->w[4]);
	enum cc_tier_state state;
	bool is_level = !strcasecmp(key, "level"), is_position = !strcasecmp(key, "position");
	if (!is_level && !is_position && strcasecmp(key, "state"))
		return "-ERR Invalid Tier Update KEY!\n";
	if (!t)
		return "-ERR Unknown Error!\n";
	if (is_level) {
		cc_tier_move(t, str_number(value, 0, INT32_MAX), t->position);
	} else if (is_position) {
		cc_tier_move(t, t->level, str_number(value, 0, INT32_MAX));
	} else {
		if (cc_tier_state_parse(value, &state))
			return "-ERR Invalid Tier State!\n";
		cc_tier_state_set(t, state);
	}
	return "+OK\n";
}

void cc_command_tier(struct api_call *c, const struct app_words *w)
{
	const char *verb = w->w[1], *reply = "";
	if (!strcasecmp(verb, "add")) {
		reply = tier_add(w);
	} else if (!strcasecmp(verb, "set")) {
		reply = tier_set(w);
	} else if (!strcasecmp(verb, "del")) {
		struct cc_tier *t = w->n > 3 ? tier_of(w->w[2], w->w[3]) : NULL;
		if (t) {
			cc_forget_tier(t);
			cc_tier_del(t);
		}
		reply = w->n > 3 ? "+OK\n" : INVALID;
	} else if (!strcasecmp(verb, "reload")) {
		if (w->n > 3)
			cc_tiers_reload(w->w[2], w->w[3]);
		reply = w->n > 3 ? "+OK\n" : INVALID;
	} else if (!strcasecmp(verb, "list")) {
		cc_list_tiers(c->out);
	}
	buf_adds(c->out, reply);
}
