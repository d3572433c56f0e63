/* mod_distributor: picks a name of a list in turn, by weight: of ten picks a node of weight 1 beside one of 9 gets one.
 * Each node is as far along as its picks are of its weight; the one least far is next, the first of equals. Names that
 * the caller excepts (gateways that are down: ${distributor(LIST ${sofia(profile external gwlist down)})}) are passed
 * over and do not catch up later. Lists are read at load and by `distributor_ctl reload`. */
#include "apps/apps_i.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "text/xml.h"

#include <inttypes.h>
#include <string.h>

enum { NODES_MAX = 1000, WEIGHT_MAX = 1000000, EXCEPTIONS_MAX = 256 };
struct node {
	char *name;
	uint32_t weight, picks; /* in this round; it ends when each has had its weight */
};
struct dist_list {
	struct dist_list *next;
	char *name;
	struct node *nodes;
	size_t count;
};
static struct dist_list *lists;

/* ---- configuration ---- */

static void list_free(struct dist_list *l)
{
	for (size_t i = 0; i < l->count; i++)
		mem_free(l->nodes[i].name);
	mem_free(l->nodes);
	mem_free(l->name);
	mem_free(l);
}

static ON_CTL void lists_free(void)
{
	while (lists) {
		struct dist_list *l = lists;
		lists = l->next;
		list_free(l);
	}
}

static ON_CTL void node_read(struct dist_list *l, const struct xml_node *x)
{
	const char *name = xml_attr_or(x, "name", ""), *weight = xml_attr_or(x, "weight", "1");
	uint32_t n;
	if (!*name || strpbrk(name, " \t") || sv_u32(sv_of(weight), &n) || !n || n > WEIGHT_MAX ||
	    l->count == NODES_MAX) {
		log_error("distributor: %s:%u: list %s: a node needs a name without blanks and a weight from 1 to %d, "
		          "and there are "
		          "%d at most",
		    x->file ? x->file : "distributor.conf", x->line, l->name, WEIGHT_MAX, NODES_MAX);
		return;
	}
	struct node *grown = mem_realloc(l->nodes, (l->count + 1) * sizeof(*grown));
	if (!grown)
		return;
	l->nodes = grown;
	grown[l->count] = (struct node){.name = mem_strdup(name), .weight = n};
	l->count += grown[l->count].name != NULL;
}

static ON_CTL void lists_read(void)
{
	struct dist_list **tail = &lists;
	lists_free();
	xml_each(xml_child(config_conf("distributor.conf"), "lists"), "list", x)
	{
		struct dist_list *l = mem_zalloc(sizeof(*l));
		if (!l || !(l->name = mem_strdup(xml_attr_or(x, "name", "")))) {
			mem_free(l);
			return;
		}
		xml_each(x, "node", n) node_read(l, n);
		*tail = l;
		tail = &l->next;
	}
}

static ON_CTL struct dist_list *list_find(const char *name)
{
	struct dist_list *l = lists;
	while (l && strcmp(l->name, name) != 0)
		l = l->next;
	return l;
}

/* ---- picking ---- */

static bool is_excepted(const struct node *n, char *const *except, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(except[i], n->name))
			return true;
	return false;
}

static bool is_before(const struct node *a, const struct node *b)
{
	return (uint64_t)a->picks * b->weight < (uint64_t)b->picks * a->weight;
}

/* NULL: all are excepted. */
static ON_CTL const char *pick(struct dist_list *l, char *const *except, size_t count)
{
	struct node *best = NULL;
	bool is_round_over = true;
	for (size_t i = 0; i < l->count; i++) {
		struct node *n = &l->nodes[i];
		if (!is_excepted(n, except, count) && (!best || is_before(n, best)))
			best = n;
	}
	if (!best)
		return NULL;
	for (size_t i = 0; i < l->count; i++) { /* who was passed over is as far as the one that is picked */
		struct node *n = &l->nodes[i];
		if (n != best && is_before(n, best))
			n->picks = (uint32_t)((uint64_t)best->picks * n->weight / best->weight);
	}
	best->picks++;
	for (size_t i = 0; i < l->count; i++)
		is_round_over &= l->nodes[i].picks >= l->nodes[i].weight || is_excepted(&l->nodes[i], except, count);
	for (size_t i = 0; i < l->count && is_round_over; i++)
		l->nodes[i].picks = 0;
	return best->name;
}

/* "LIST EXCEPTION ..."; NULL: no such list, or nobody is left. */
static ON_CTL const char *pick_by_text(const char *text)
{
	char *words[EXCEPTIONS_MAX + 1], *copy = mem_strdup(text);
	const char *name = NULL;
	size_t n = 0;
	for (char *save, *w = copy ? strtok_r(copy, " ", &save) : NULL; w && n <= EXCEPTIONS_MAX;
	     w = strtok_r(NULL, " ", &save))
		words[n++] = w;
	struct dist_list *l = n ? list_find(words[0]) : NULL;
	if (l)
		name = pick(l, words + 1, n - 1);
	mem_free(copy);
	return name;
}

/* ---- commands and application ---- */

static int api_distributor(struct api_call *c)
{
	role_assert_ctl();
	const char *name = pick_by_text(c->args);
	c->is_reply_text = name != NULL; /* the configuration's word, whoever named the exceptions */
	return buf_adds(c->out, name ? name : "-err");
}

static int api_distributor_ctl(struct api_call *c)
{
	struct sv what, rest;
	role_assert_ctl();
	sv_split(sv_trim(sv_of(c->args)), ' ', &what, &rest);
	rest = sv_trim(rest);
	if (sv_isi(what, "reload")) {
		lists_read();
		return buf_adds(c->out, "+OK reloaded.\n");
	}
	if (!sv_isi(what, "dump"))
		return buf_adds(c->out, "-error\n");
	if (!rest.n)
		return buf_adds(c->out, "missing list name\n");
	char *name = sv_dup(rest);
	const struct dist_list *l = name ? list_find(name) : NULL;
	mem_free(name);
	if (!l)
		return buf_adds(c->out, "cannot find list\n");
	buf_printf(c->out, "list: name=%s\n", l->name);
	for (size_t i = 0; i < l->count; i++)
		buf_printf(c->out, "node: name=%s weight=%" PRIu32 "\n", l->nodes[i].name, l->nodes[i].weight);
	return ST_OK;
}

static int app_distributor(struct leg *leg, const char *data)
{
	role_assert_co();
	const char *name = pick_by_text(data ? data : "");
	leg_var_set_text(leg, "DISTRIBUTOR", name ? name : "-err");
	return ST_OK;
}

static int load(void)
{
	role_assert_ctl();
	lists_read();
	return ST_OK;
}

static int unload(void)
{
	role_assert_ctl();
	lists_free();
	return ST_OK;
}

static const char *const complete_ctl[] = {"distributor_ctl reload", "distributor_ctl dump", NULL};
static const struct api_desc apis[] = {
    {"distributor", "Distributor API", "<list name>[ <exception1> <exceptionN>]", 0, api_distributor, NULL},
    {"distributor_ctl", "Distributor API", "[reload]", 0, api_distributor_ctl, complete_ctl},
    {0},
};
static const struct app_desc apps[] = {
    {"distributor", "Distributor APP", "<list name>[ <exception1> <exceptionN>]", APP_NO_MEDIA | APP_ROUTING_EXEC,
        app_distributor},
    {0},
};
static const struct var_desc vars[] = {
    {"DISTRIBUTOR", "text", "what the application distributor picked; -err: nothing", false, true},
    {0},
};
static const struct conf_desc confs[] = {
    {"distributor.conf", "lists/list/node", "name, weight", "", "",
        "a name of the list and how often it is picked beside the others"},
    {0},
};
extern const struct module mod_distributor;
const struct module mod_distributor = {.abi = MODULE_ABI,
    .name = "mod_distributor",
    .load = load,
    .unload = unload,
    .apps = apps,
    .apis = apis,
    .vars = vars,
    .confs = confs};
