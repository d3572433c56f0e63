/* mod_lcr: least cost routing by FreeSWITCH's tables (carriers, carrier_gateway, lcr). A profile is an order, or a
 * query of its own. Used as an application (variables lcr_route_N, lcr_auto_route), a dialplan (the context is the
 * profile), an endpoint (lcr/PROFILE/NUMBER) and a command. */
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/dial/dialstring.h"
#include "core/leg/leg.h"
#include "core/registry/app_words.h"
#include "core/registry/endpoint.h"
#include "core/registry/module.h"
#include "core/run/exec.h"
#include "routing/lcr_i.h"
#include "text/mark.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

struct lcr_database lcr_db;
struct lcr_profile *lcr_profiles;
static const char imported[] = "lcr_carrier,lcr_rate,lcr_user_rate";

/* ---- configuration ------------------------------------------------------------------------------------------- */

static void profile_fini(void *arg)
{
	struct lcr_profile *p = arg;
	mem_free(p->name);
	mem_free(p->order_by);
	mem_free(p->order);
	mem_free(p->custom_sql);
	mem_free(p->export_fields);
	mem_free(p->limit_type);
	mem_free(p->failover);
}

static ON_CTL void profiles_free(void)
{
	while (lcr_profiles) {
		struct lcr_profile *p = lcr_profiles;
		lcr_profiles = p->next;
		mem_unref(p);
	}
}

/* "rate,quality" as the end of an ORDER BY. */
static char *order_of(const char *text)
{
	struct sv rest = sv_of(text), one;
	struct buf b;
	buf_init(&b);
	while (rest.n) {
		sv_split(rest, ',', &one, &rest);
		one = sv_trim(one);
		if (sv_isi(one, "rate"))
			buf_adds(&b, ", ${lcr_rate_field}");
		else if (sv_isi(one, "quality") || sv_isi(one, "reliability"))
			buf_printf(&b, ", %.*s DESC", (int)one.n, one.p);
		else if (one.n)
			buf_printf(&b, ", %.*s", (int)one.n, one.p);
	}
	char *order = b.n ? buf_take(&b) : mem_strdup(", ${lcr_rate_field}");
	buf_fini(&b);
	return order;
}

static bool is_on(const struct xml_node *x, const char *name)
{
	return str_is_true(config_param(x, name, ""));
}

static char *text_of(const struct xml_node *x, const char *name)
{
	const char *v = config_param(x, name, "");
	return *v ? mem_strdup(v) : NULL;
}

static ON_CTL void profile_read(const struct xml_node *x)
{
	const char *name = xml_attr_or(x, "name", ""), *id = config_param(x, "id", "");
	struct lcr_profile *p = *name ? mem_new(sizeof(*p), profile_fini, "routing.lcr_profile") : NULL,
	                   **tail = &lcr_profiles;
	if (!p) {
		log_error("%s:%u: a profile needs a name", x->file ? x->file : "lcr.conf", x->line);
		return;
	}
	if (*id && sv_u32(sv_of(id), &p->id))
		log_error(
		    "%s:%u: profile %s: id \"%s\" is no number", x->file ? x->file : "lcr.conf", x->line, name, id);
	p->name = mem_strdup(name);
	p->order_by = order_of(config_param(x, "order_by", ""));
	p->order = mem_strdup(config_param(x, "order_by", "rate"));
	p->is_memory = !strcasecmp(config_param(x, "source", "sql"), "memory");
	if (!p->is_memory && strcasecmp(config_param(x, "source", "sql"), "sql") != 0)
		log_error("%s:%u: profile %s: source is sql or memory", x->file ? x->file : "lcr.conf", x->line, name);
	p->custom_sql = text_of(x, "custom_sql");
	p->export_fields = text_of(x, "export_fields");
	p->limit_type = mem_strdup(!strcasecmp(config_param(x, "limit_type", ""), "hash") ? "hash" : "db");
	p->is_reordered = is_on(x, "reorder_by_rate"), p->is_quoted = is_on(x, "quote_in_list");
	p->is_single = is_on(x, "single_bridge"), p->has_info_headers = is_on(x, "info_in_headers");
	p->is_redirect = is_on(x, "enable_sip_redir");
	p->failover = text_of(x, "failover_causes");
	p->asks_portability = is_on(x, "portability");
	if (!p->name || !p->order_by || !p->order || !p->limit_type) {
		mem_unref(p);
		return;
	}
	while (*tail)
		tail = &(*tail)->next;
	*tail = p;
}

struct lcr_profile *lcr_profile_find(const char *name)
{
	struct lcr_profile *p = lcr_profiles;
	if (!name || !*name)
		name = "default";
	while (p && strcmp(p->name, name) != 0)
		p = p->next;
	return p ? mem_ref(p) : NULL;
}

/* ---- application --------------------------------------------------------------------------------------------- */

/* What the answered leg tells the caller's records. */
static ON_CTL void import_add(struct leg *leg)
{
	char *had = leg_text_dup(leg, "import");
	if (!had || !*had)
		leg_var_set_text(leg, "import", imported);
	else if (!strstr(had, imported)) {
		struct buf b;
		buf_init(&b);
		buf_printf(&b, "%s,%s", had, imported);
		leg_var_set_text(leg, "import", b.p);
		buf_fini(&b);
	}
	mem_free(had);
}

/* The routes as one dial string, in turn. */
static void auto_route(const struct lcr_ask *a, struct buf *out)
{
	for (size_t i = 0; i < a->count; i++) {
		if (i)
			buf_addc(out, a->profile && a->profile->is_redirect ? ',' : '|');
		buf_adds(out, a->routes[i].dialstring);
	}
}

static ON_CTL void numbered_set(struct leg *leg, const char *name, size_t n, const char *text)
{
	char numbered[40];
	snprintf(numbered, sizeof(numbered), "%s_%u", name, (unsigned)n);
	leg_var_set_text(leg, numbered, text && *text ? text : NULL);
}

static ON_CTL void routes_set(struct leg *leg, const struct lcr_ask *a)
{
	struct buf all;
	buf_init(&all);
	for (size_t i = 0; i < a->count; i++) {
		const struct lcr_route *r = &a->routes[i];
		numbered_set(leg, "lcr_route", i + 1, r->dialstring);
		numbered_set(leg, "lcr_rate", i + 1, r->rate);
		numbered_set(leg, "lcr_carrier", i + 1, r->carrier);
		numbered_set(leg, "lcr_codec", i + 1, r->codec);
	}
	leg_var_set_int(leg, "lcr_route_count", (int64_t)a->count);
	auto_route(a, &all);
	leg_var_set_text(leg, "lcr_auto_route", all.n ? all.p : NULL);
	buf_fini(&all);
	import_add(leg);
}

/* The caller's number as the carriers see it. To be freed. */
static ON_CTL char *caller_of(struct leg *leg)
{
	char *number = leg_text_dup(leg, "effective_caller_id_number");
	if (!number || !*number) {
		mem_free(number);
		number = mark_dup(leg->profile->caller_id_number ? leg->profile->caller_id_number : "");
	}
	return number;
}

/* What the leg's variables say of a look-up. cid, lrn: to be freed. */
static ON_CTL void ask_begin(struct lcr_ask *a, struct leg *leg, char **cid, char **lrn)
{
	const char *ported = leg_var(leg, "lrn");
	*lrn = ported && *ported ? mem_strdup(ported) : NULL;
	*cid = caller_of(leg);
	*a = (struct lcr_ask){.leg = leg,
	    .cid = *cid ? *cid : "",
	    .lrn = *lrn,
	    .is_intrastate = leg_var_is_true(leg, "intrastate"),
	    .is_intralata = leg_var_is_true(leg, "intralata")};
}

static int app_lcr(struct leg *leg, const char *data)
{
	struct app_words w;
	struct lcr_ask a;
	char *cid, *lrn;
	role_assert_co();
	int st = app_words_init(&w, leg_exec_text(leg, data), 4);
	ask_begin(&a, leg, &cid, &lrn);
	a.number = w.n ? w.m[0] : "";
	a.profile = lcr_profile_find(w.n > 1 ? w.w[1] : NULL);
	if (!st && !a.profile)
		leg_log(leg, LOG_ERR, "lcr: there is no profile \"%s\"", w.n > 1 ? w.w[1] : "default");
	else if (!st && w.n && !lcr_look(&a))
		routes_set(leg, &a);
	lcr_ask_fini(&a);
	mem_free(cid);
	mem_free(lrn);
	app_words_fini(&w);
	return st;
}

/* ---- dialplan and endpoint ----------------------------------------------------------------------------------- */

static ON_CTL int action_add(struct leg *leg, const struct lcr_ask *a, const struct lcr_route *r, const char *extension)
{
	struct buf b;
	if (!r->limit_realm || !r->limit_id)
		return leg_exec_add(leg, "bridge", r->dialstring, extension);
	buf_init(&b);
	buf_printf(&b, "%s %s %s %d bridge %s", a->profile->limit_type, r->limit_realm, r->limit_id, r->limit_max,
	    r->dialstring);
	int st = b.failed ? ST_NOMEM : leg_exec_add(leg, "limit_execute", b.p, extension);
	buf_fini(&b);
	return st;
}

static int hunt(struct leg *leg, const char *args)
{
	struct lcr_ask a;
	char *cid, *lrn;
	role_assert_co();
	char *number = leg_profile_destination_dup(leg->profile);
	ask_begin(&a, leg, &cid, &lrn);
	a.number = number ? number : "";
	a.profile = lcr_profile_find(leg->profile->context);
	int st = a.profile ? lcr_look(&a) : ST_NOTFOUND;
	if (!st && a.count) {
		char *plain = mark_strip_dup(sv_of(a.number));
		leg_var_set(leg, "continue_on_fail", a.profile->failover ? a.profile->failover : "true");
		leg_var_set(leg, "hangup_after_bridge", "true");
		import_add(leg);
		for (size_t i = 0; i < a.count && !st; i++)
			st = action_add(leg, &a, &a.routes[i], plain ? plain : "lcr");
		mem_free(plain);
	} else {
		leg_log(leg, LOG_WARNING, "lcr: no route to %s by profile %s%s", leg->profile->destination_number,
		    leg->profile->context, a.profile ? "" : " (there is no such profile)");
		st = ST_NOTFOUND;
	}
	lcr_ask_fini(&a);
	mem_free(cid);
	mem_free(lrn);
	mem_free(number);
	return st;
}

/* lcr/PROFILE/NUMBER or lcr/NUMBER: the carriers in turn. */
static int endpoint_expand(const struct originate_target *t, struct dial *out, enum cause *cause)
{
	struct lcr_ask a = {.leg = t->originator, .cid = ""};
	struct buf all;
	char *cid = NULL, *lrn = NULL;
	role_assert_co();
	*cause = CAUSE_NO_ROUTE_DESTINATION;
	const char *slash = strchr(t->text, '/');
	char *name = slash ? sv_dup((struct sv){t->text, (size_t)(slash - t->text)}) : NULL;
	if (a.leg)
		ask_begin(&a, t->originator, &cid, &lrn);
	a.number = slash ? slash + 1 : t->text;
	a.profile = name && mark_has(sv_of(name)) ? NULL : lcr_profile_find(name);
	int st = a.profile ? lcr_look(&a) : ST_NOTFOUND;
	if (!a.profile)
		log_error("lcr/%s: there is no such profile", t->data);
	buf_init(&all);
	auto_route(&a, &all);
	for (size_t i = 0; i < a.count; i++)
		if (a.routes[i].limit_realm)
			log_warning("lcr/%s: limits count in the dialplan lcr only", t->data);
	dial_free(out); /* empty; the parser begins anew */
	if (!st)
		st = !a.count ? ST_NOTFOUND : all.failed ? ST_NOMEM : dial_parse(out, all.p);
	buf_fini(&all);
	lcr_ask_fini(&a);
	mem_free(name);
	mem_free(cid);
	mem_free(lrn);
	return st;
}

/* ---- module -------------------------------------------------------------------------------------------------- */

static ON_CTL void conf_read(void *arg)
{
	profiles_free();
	lcr_db.is_known = false; /* what an operator added is seen after a reload */
	xml_each(xml_child(config_conf("lcr.conf"), "profiles"), "profile", x) profile_read(x);
}

static int load(void)
{
	role_assert_ctl();
	conf_read(NULL);
	routing_store_open(&lcr_db.store, "lcr.conf", "odbc-dsn",
	    config_param(xml_child(config_conf("lcr.conf"), "settings"), "odbc-dsn", ""));
	int st = lcr_quality_start();
	return st ? st : config_on_swap(conf_read, NULL);
}

static int unload(void)
{
	role_assert_ctl();
	config_on_swap_del(conf_read, NULL);
	lcr_quality_stop();
	lcr_deck_stop();
	store_close(lcr_db.store);
	lcr_db = (struct lcr_database){0};
	profiles_free();
	return ST_OK;
}

static const struct app_desc apps[] = {
    {"lcr", "Perform an LCR lookup", "<number>", APP_NO_MEDIA | APP_ROUTING_EXEC, app_lcr},
    {NULL},
};
static const char *const complete_admin[] = {
    "lcr_admin show profiles", "lcr_admin show quality", "lcr_admin reload", NULL};
static const char *const complete_route[] = {"route explain", NULL};
static const struct api_desc apis[] = {
    {"lcr", "Least Cost Routing Module", "lcr <digits> [<lcr profile>] [caller_id] [intrastate] [as xml]", API_MAY_WAIT,
        api_lcr, NULL},
    {"lcr_admin", "Least Cost Routing Module Admin", "lcr_admin show profiles", API_MAY_WAIT, api_lcr_admin,
        complete_admin},
    {"route", "how a number is routed, and why", "explain <number> [<lcr profile>] [<caller_id>]", API_MAY_WAIT,
        api_route, complete_route},
    {NULL},
};
static const struct dialplan_desc dialplans[] = {{"lcr", hunt}, {NULL}};
static const struct endpoint_ops lcr_ops = {
    .name = "lcr", .operator_dials = OPERATOR_DIALS_DATA, .expand = endpoint_expand};
static const struct endpoint_ops *const endpoints[] = {&lcr_ops, NULL};
static const struct var_desc vars[] = {
    {"import", "names", "lcr_carrier, lcr_rate and lcr_user_rate are added: the leg that was reached has them", true,
        true},
    {"intralata", "bool", "rates of lcr are those of one area", true, false},
    {"intrastate", "bool", "rates of lcr are those of one state", true, false},
    {"lcr_auto_route", "text", "all routes in turn, for bridge", false, true},
    {"lcr_carrier_N", "text", "carrier of the route N, from 1", false, true},
    {"lcr_carrier", "text", "the carrier that this leg was dialled by: its calls count for the carrier's quality", true,
        false},
    {"lcr_codec_N", "text", "its codecs", false, true},
    {"lcr_digits", "text", "the prefix that this leg was dialled by, of decks in memory", true, false},
    {"lcr_lrn", "text", "the ported number that lcr looked for", false, true},
    {"lcr_query_digits", "text", "the number's digits", false, true},
    {"lcr_query_expanded_digits", "text", "all its prefixes, as a list for IN ()", false, true},
    {"lcr_query_expanded_lrn_digits", "text", "the same of the ported number", false, true},
    {"lcr_query_profile", "number", "id of the profile", false, true},
    {"lcr_rate_N", "text", "rate of the route N", false, true},
    {"lcr_rate_field", "text", "the column that rates were taken from", false, true},
    {"lcr_route_N", "text", "dial string of the route N", false, true},
    {"lcr_route_count", "number", "how many routes there are", false, true},
    {"lcr_user_rate_field", "text", "the column of what users pay", false, true},
    {"lrn", "text", "the ported number (local routing number) of whom is called", true, false},
    {"max_rate", "number", "dearer routes of lcr are left out", true, false},
    {NULL},
};
static const struct conf_desc confs[] = {
    {"lcr.conf", "deck-reload", "number", "s", "300", "decks in memory are read again; 0: by lcr_admin reload only"},
    {"lcr.conf", "odbc-dsn", "text", NULL, "", "the database"},
    {"lcr.conf", "profiles/profile", "name", "", "",
        "an order of carriers; the dialplan lcr takes that of the context"},
    {"lcr.conf", "profiles/profile/custom_sql", "text", NULL, "", "a query in place of the own one"},
    {"lcr.conf", "profiles/profile/enable_sip_redir", "bool", NULL, "false",
        "routes for a redirect: no variables, commas"},
    {"lcr.conf", "profiles/profile/export_fields", "names", NULL, "",
        "columns that become variables of the dialled leg"},
    {"lcr.conf", "profiles/profile/failover_causes", "names", NULL, "",
        "dialplan lcr: causes after which the next carrier is tried (continue_on_fail); none: any"},
    {"lcr.conf", "profiles/profile/portability", "bool", NULL, "false",
        "mod_portability is asked for the ported number, unless the variable lrn says it"},
    {"lcr.conf", "profiles/profile/id", "number", NULL, "0", "rows of that lcr_profile only; 0: all"},
    {"lcr.conf", "profiles/profile/info_in_headers", "bool", NULL, "false", "carriers get X-LCR-INFO"},
    {"lcr.conf", "profiles/profile/limit_type", "db or hash", NULL, "db", "who counts the calls of limit_execute"},
    {"lcr.conf", "profiles/profile/order_by", "names", NULL, "rate", "rate, quality, reliability, or columns"},
    {"lcr.conf", "profiles/profile/quote_in_list", "bool", NULL, "false", "the prefixes stand in quotes"},
    {"lcr.conf", "profiles/profile/reorder_by_rate", "bool", NULL, "false", "cheapest first, whatever the query says"},
    {"lcr.conf", "profiles/profile/source", "sql or memory", NULL, "sql",
        "memory: by the tables as they were read last; order_by may be asr, acd, pdd too"},
    {"lcr.conf", "profiles/profile/single_bridge", "bool", NULL, "false", "each carrier once"},
    {NULL},
};
extern const struct module mod_lcr;
const struct module mod_lcr = {.abi = MODULE_ABI,
    .name = "mod_lcr",
    .load = load,
    .unload = unload,
    .apps = apps,
    .apis = apis,
    .endpoints = endpoints,
    .dialplans = dialplans,
    .vars = vars,
    .confs = confs};
