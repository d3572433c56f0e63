/* Gateways come and go: <gateway> elements of a profile and of directory users become struct gateway, each once and
 * under one name, when the profile starts or is rescanned; one that is deleted says goodbye first. */
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "core/conf/config.h"
#include "core/conf/source.h"
#include "core/event/event.h"
#include "endpoint/sip/gateway/gateway_i.h"
#include "loop/co.h"
#include "loop/loop.h"
#include "text/xml.h"

#include <string.h>
#include <strings.h>

static void gateway_dtor(void *obj)
{
	struct gateway *g = obj;
	role_assert_ctl();
	gateway_subs_free(g);
	gateway_conf_free(g);
	mem_free(g->name), mem_free(g->learned_realm);
}

static bool name_is_good(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");
	return n && !name[n] && n < 128;
}

static ON_CTL void added_tell(const struct gateway *g, bool is_new)
{
	const char *subclass = is_new ? "sofia::gateway_add" : "sofia::gateway_delete";
	struct event *e;
	if (!event_is_wanted(EVENT_CUSTOM, subclass) || !(e = event_new(EVENT_CUSTOM, subclass)))
		return;
	/* the recorded order of each */
	if (is_new)
		event_add(e, "Gateway", g->name);
	event_add(e, "profile-name", g->p->conf.name);
	if (!is_new)
		event_add(e, "Gateway", g->name);
	event_fire(e);
}

static ON_CTL void gateway_add(struct profile *p, const struct xml_node *node, bool is_quiet)
{
	const char *name = xml_attr_or(node, "name", "");
	struct gateway *g;
	if (!name_is_good(name)) {
		log_error("sofia: %s:%u: gateway name \"%s\" is not of letters, digits and _.-",
		    node->file ? node->file : "sofia.conf", node->line, name);
		return;
	}
	if ((g = gateway_find(sv_of(name)))) {
		if (g->p != p || !is_quiet)
			log_warning(
			    "sofia: profile %s: gateway %s is there already; this one is left out", p->conf.name, name);
		return;
	}
	if (!(g = mem_new(sizeof(*g), gateway_dtor, "sofia.gateway")))
		return;
	g->p = p;
	list_init(&g->subs);
	g->name = mem_strdup(name);
	if (!g->name || gateway_conf_read(g, node) < 0)
		goto fail;
	gateway_subs_read(g, node);
	gateway_addrs_init(g);
	g->started_us = loop_now_us();
	uuid_make(g->call_id);
	g->cseq = rand_below(1u << 24);
	list_unshift(&gateways_in(p)->list, &g->link); /* FreeSWITCH lists the latest first */
	g->is_new = true;
	log_notice("sofia: profile %s: gateway %s is added", p->conf.name, g->name);
	added_tell(g, true);
	return;
fail:
	mem_unref(g);
}

static ON_CTL void user_gateways(struct profile *p, const struct xml_node *users, bool is_quiet)
{
	xml_each(users, "user", u) xml_each(xml_child(u, "gateways"), "gateway", g) gateway_add(p, g, is_quiet);
}

/* The users themselves are in memory as XML: this walks them, whatever their number, without making objects. */
static ON_CTL void directory_gateways(
    struct profile *p, const struct xml_node *section, const char *name, bool is_quiet)
{
	xml_each(section, "domain", d)
	{
		if (strcasecmp(name, "all") != 0 && strcasecmp(name, xml_attr_or(d, "name", "")) != 0)
			continue;
		user_gateways(p, xml_child(d, "users"), is_quiet);
		user_gateways(p, d, is_quiet);
		xml_each(xml_child(d, "groups"), "group", group)
		{
			user_gateways(p, xml_child(group, "users"), is_quiet);
			user_gateways(p, group, is_quiet);
		}
	}
}

static ON_CTL const struct xml_node *profile_node(const struct profile *p)
{
	return xml_child_with(xml_child(config_conf("sofia.conf"), "profiles"), "profile", "name", p->conf.name);
}

/* Of the users of the domains that the profile parses. True: there are such domains. */
static ON_CTL bool parsed_gateways(struct profile *p, const struct xml_node *section, bool is_quiet)
{
	bool is_any = false;
	xml_each(xml_child(profile_node(p), "domains"), "domain", d)
	{
		if (!str_is_true(xml_attr(d, "parse")))
			continue;
		directory_gateways(p, section, xml_attr_or(d, "name", ""), is_quiet);
		is_any = true;
	}
	return is_any;
}

static ON_CTL void start_new(struct profile *p);

/* Those of who answers for the directory come when he has answered; a failure leaves what there is. */
static void ask_main(void *arg)
{
	struct profile *p = arg;
	struct source_question q = {.section = "directory"};
	const struct xml_node *section;
	struct xml_doc *doc = NULL;
	int st = ST_NOMEM;
	role_assert_co();
	q.params = event_new(EVENT_REQUEST_PARAMS, NULL);
	if (q.params) {
		event_add(q.params, "purpose", "gateways");
		event_add(q.params, "profile", p->conf.name);
		st = source_ask(&q, &doc, &section);
	}
	mem_unref(q.params);
	if (!st && p->stack) {
		parsed_gateways(p, section, true);
		start_new(p);
	} else if (st && st != ST_NOTFOUND) {
		log_error(
		    "sofia: profile %s: the directory's gateways are not known: %s", p->conf.name, status_text(st));
	}
	mem_unref(doc);
	mem_unref(p);
}

void gateways_load(struct profile *p)
{
	bool is_rescan = !list_empty(&gateways_in(p)->list);
	xml_each(xml_child(profile_node(p), "gateways"), "gateway", g) gateway_add(p, g, is_rescan);
	bool is_parsed = parsed_gateways(p, config_section("directory"), is_rescan);
	start_new(p);
	if (is_parsed && source_is_bound("directory") && co_spawn("gateways", ask_main, mem_ref(p), NULL))
		mem_unref(p);
}

static ON_CTL void start_new(struct profile *p)
{
	struct lnode *it, *tmp;
	list_each (&gateways_in(p)->list, it, tmp) {
		struct gateway *g = list_entry(it, struct gateway, link);
		if (g->is_new)
			g->is_new = false, gateway_start(g);
	}
}

void gateway_delete(struct gateway *g, bool is_stack_closing)
{
	gateway_stop(g, is_stack_closing);
	added_tell(g, false);
	if (!g->is_leaving) {
		gateway_left(g);
		return;
	}
	list_remove(&g->link);
	list_push(&gateways_in(g->p)->leaving, &g->link);
}

/* ---- a profile's part ---- */

static int gateways_part_open(struct profile *p, void *mine)
{
	struct gateways *all = mine;
	list_init(&all->list);
	list_init(&all->leaving);
	return ST_OK;
}

static void gateways_part_start(struct profile *p, void *mine)
{
	role_assert_ctl();
	gateways_load(p);
}

static void gateways_part_stop(struct profile *p, void *mine)
{
	struct gateways *all = mine;
	role_assert_ctl();
	while (!list_empty(&all->list))
		gateway_delete(list_entry(list_first(&all->list), struct gateway, link), true);
	while (!list_empty(&all->leaving)) {
		struct gateway *g = list_entry(list_first(&all->leaving), struct gateway, link);
		gateway_stop(g, true);
		gateway_left(g);
	}
}

const struct profile_part gateway_part = {
    .slot = &gateway_slot, .open = gateways_part_open, .start = gateways_part_start, .stop = gateways_part_stop};

void gateways_address_changed(struct profile *p)
{
	struct lnode *n, *tmp;
	role_assert_ctl();
	list_each (gateways_of(p), n, tmp) {
		struct gateway *g = list_entry(n, struct gateway, link);
		if (gateway_contact_remake(g) && (g->state == GW_REGED || g->state == GW_TRYING))
			gateway_register(g);
	}
}
