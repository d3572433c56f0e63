/* callcenter.conf: settings, queues, agents, tiers. It is read at the start and by the commands that load and reload;
 * reloadxml alone changes nothing here, as in FreeSWITCH. What a command added stays beside what the file has. */
#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "callcenter/callcenter_i.h"
#include "core/conf/config.h"
#include "text/xml.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct xml_node *conf(void)
{
	role_assert_ctl();
	return config_conf("callcenter.conf");
}

const char *cc_param(const char *name)
{
	return config_param(xml_child(conf(), "settings"), name, NULL);
}

const char *cc_instance(void)
{
	const char *id = cc_param("cc-instance-id");
	return id && *id ? id : "single_box";
}

int64_t cc_now_s(void)
{
	return clock_wall_us() / 1000000;
}

/* ---- agents ---- */

static ON_CTL void number_attr(struct cc_agent *a, const struct xml_node *n, const char *attr, const char *column)
{
	const char *v = xml_attr(n, attr);
	uint32_t s;
	if (!v)
		return;
	if (sv_u32(sv_trim(sv_of(v)), &s) || s > CC_SECONDS_MAX)
		log_error("%s:%u: %s=\"%s\" of agent %s is no number from 0 to %d", n->file, n->line, attr, v, a->name,
		    CC_SECONDS_MAX);
	else
		(void)cc_agent_number_set(a, column, s);
}

/* <skill name="english" level="3"/> within <agent> */
static ON_CTL void skills_read(struct cc_agent *a, const struct xml_node *n)
{
	xml_each(n, "skill", s)
	{
		const char *name = xml_attr_or(s, "name", ""), *text = xml_attr_or(s, "level", "1");
		uint32_t level;
		if (sv_u32(sv_trim(sv_of(text)), &level) || cc_agent_skill_set(a, name, level))
			log_error("%s:%u: <skill> of agent %s needs a name, and a level from 1 to %d", s->file, s->line,
			    a->name, CC_SKILL_LEVEL_MAX);
	}
}

static ON_CTL void agent_read(const struct xml_node *n)
{
	const char *name = xml_attr_or(n, "name", ""), *type = xml_attr_or(n, "type", "callback"),
	           *contact = xml_attr(n, "contact"), *text = xml_attr(n, "status");
	struct cc_agent *a = cc_agent_find(name);
	enum cc_status status;
	int st = a ? cc_agent_type_set(a, type) : cc_agent_new(name, type, &a);
	if (st) {
		log_error("%s:%u: <agent> needs a name, and callback or uuid-standby as its type", n->file, n->line);
		return;
	}
	if (contact)
		cc_agent_contact_set(a, contact);
	if (text && cc_status_parse(text, &status))
		log_error("%s:%u: status=\"%s\" of agent %s is none: Logged Out, Available, Available (On Demand), "
		          "On Break",
		    n->file, n->line, text, name);
	else if (text)
		cc_agent_status_set(a, status);
	a->has_status |= text != NULL;
	skills_read(a, n);
	number_attr(a, n, "max-no-answer", "max_no_answer");
	number_attr(a, n, "wrap-up-time", "wrap_up_time");
	number_attr(a, n, "reject-delay-time", "reject_delay_time");
	number_attr(a, n, "busy-delay-time", "busy_delay_time");
	number_attr(a, n, "no-answer-delay-time", "no_answer_delay_time");
}

void cc_agents_reload(const char *name)
{
	bool is_all = !strcasecmp(name, "all");
	xml_each(xml_child(conf(), "agents"), "agent", n)
	{
		if (is_all || !strcasecmp(name, xml_attr_or(n, "name", "")))
			agent_read(n);
	}
}

/* ---- tiers ---- */

static ON_CTL void tier_read(const struct xml_node *n)
{
	struct cc_queue *q = cc_queue_find(xml_attr_or(n, "queue", ""));
	struct cc_agent *a = cc_agent_find(xml_attr_or(n, "agent", ""));
	const char *level = xml_attr(n, "level"), *position = xml_attr(n, "position");
	if (!q || !a) {
		log_error("%s:%u: <tier> of agent \"%s\" in queue \"%s\": there is no such %s", n->file, n->line,
		    xml_attr_or(n, "agent", ""), xml_attr_or(n, "queue", ""), q ? "agent" : "queue");
		return;
	}
	struct cc_tier *t = cc_tier_find(q, a);
	int64_t l = level ? str_number(level, 0, INT32_MAX) : 1, p = position ? str_number(position, 0, INT32_MAX) : 1;
	if (t)
		cc_tier_move(t, level ? l : t->level, position ? p : t->position);
	else if (cc_tier_new(q, a, l, p, NULL))
		log_error("%s:%u: there are too many tiers", n->file, n->line);
}

void cc_tiers_reload(const char *queue, const char *agent)
{
	bool all_queues = !strcasecmp(queue, "all"), all_agents = !strcasecmp(agent, "all");
	xml_each(xml_child(conf(), "tiers"), "tier", n)
	{
		if ((all_queues || !strcmp(queue, xml_attr_or(n, "queue", ""))) &&
		    (all_agents || !strcasecmp(agent, xml_attr_or(n, "agent", ""))))
			tier_read(n);
	}
}

/* ---- queues ---- */

static ON_CTL void settings_read(struct cc_queue *q, const struct xml_node *n)
{
	struct lnode *it, *tmp;
	const char *why = "";
	q->plus.is_zone_known = q->plus.has_zone = false;
	cc_settings_fini(&q->s);
	cc_settings_init(&q->s);
	xml_each(n, "param", p)
	{
		const char *name = xml_attr_or(p, "name", ""), *value = xml_attr_or(p, "value", "");
		int st = cc_settings_set(&q->s, name, value, &why);
		if (st == ST_NOTFOUND)
			log_warning("%s:%u: queues have no param \"%s\"", p->file, p->line, name);
		else if (st == ST_PARSE)
			log_error("%s:%u: %s=\"%s\" of queue %s: %s", p->file, p->line, name, value, q->name, why);
	}
	list_each (&q->tiers, it, tmp) /* the strategy may be another */
		cc_tier_changed(list_entry(it, struct cc_tier, in_queue));
}

static ON_CTL const struct xml_node *queue_node(const char *name)
{
	return *name ? xml_child_with(xml_child(conf(), "queues"), "queue", "name", name) : NULL;
}

/* The agents of its tiers in the file, then these. */
static ON_CTL void people_read(const char *queue)
{
	const struct xml_node *agents = xml_child(conf(), "agents");
	xml_each(xml_child(conf(), "tiers"), "tier", n)
	{
		const char *agent = xml_attr_or(n, "agent", "");
		const struct xml_node *a =
		    strcmp(queue, xml_attr_or(n, "queue", "")) ? NULL : xml_child_with(agents, "agent", "name", agent);
		if (a)
			agent_read(a);
	}
	cc_tiers_reload(queue, "all");
}

struct cc_queue *cc_queue_get(const char *name)
{
	struct cc_queue *q = cc_queue_find(name);
	const struct xml_node *n = q ? NULL : queue_node(name);
	if (q || !n || cc_queue_new(name, &q))
		return q;
	settings_read(q, n);
	people_read(name);
	cc_keep_tiers_of(q);
	return q;
}

struct cc_queue *cc_queue_reload(const char *name)
{
	struct cc_queue *q = cc_queue_find(name);
	const struct xml_node *n = queue_node(name);
	if (!q)
		return cc_queue_get(name);
	if (!n) {
		cc_queue_del(q);
		return NULL;
	}
	settings_read(q, n);
	people_read(name);
	cc_serve(q);
	return q;
}

void cc_configure(void)
{
	xml_each(xml_child(conf(), "queues"), "queue", n)
	{
		const char *name = xml_attr_or(n, "name", "");
		struct cc_queue *q = cc_queue_find(name);
		if (!q && cc_queue_new(name, &q))
			log_error("%s:%u: <queue> needs a name of at most %d characters, without \"|\"", n->file,
			    n->line, CC_NAME_MAX);
		else
			settings_read(q, n);
	}
	cc_agents_reload("all");
	cc_tiers_reload("all", "all");
}
