/* mod_enum: where a telephone number goes by the domain name system (RFC 6116): the number's digits backwards are a
 * name, its NAPTR records say how the number becomes an address, and the routes of the configuration how the address
 * becomes a dial string. A number with a star is an ISN (NUMBER*DOMAIN), looked up under another root.
 *
 *   +15551234 -> 4.3.2.1.5.5.5.1.ROOT -> records by order and preference -> "!^.*$!sip:x@y!" -> routes -> dial strings
 *
 * What a record says is from outside: its address may stand in a dial string where the configuration has it, as data.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/leg/leg.h"
#include "core/registry/app_words.h"
#include "core/registry/module.h"
#include "core/run/exec.h"
#include "net/dns.h"
#include "routing/routing_i.h"
#include "text/mark.h"
#include "text/re.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { RESULTS_MAX = 64, TIMEOUT_MS_MAX = 60000 };
struct enum_result {
	unsigned order, preference;
	char *service, *route; /* route: marked where it is from outside */
	bool is_supported;
};
struct results {
	struct enum_result list[RESULTS_MAX];
	size_t count;
};

static const struct conf_desc confs[] = {
    {"enum.conf", "default-isn-root", "text", NULL, "freenum.org", "where NUMBER*DOMAIN is looked up"},
    {"enum.conf", "default-root", "text", NULL, "e164.org", "where numbers are looked up"},
    {"enum.conf", "nameserver", "address", NULL, "",
        "asked in place of the machine's name servers; several are asked in turn; with or without a port"},
    {"enum.conf", "use-server", "address", NULL, "", "the same"},
    {"enum.conf", "random-nameserver", "bool", NULL, "false", "the first to be asked is any of them"},
    {"enum.conf", "query-timeout", "number", "s", "", "for the answer; query-timeout-ms counts before it"},
    {"enum.conf", "query-timeout-ms", "number", "ms", "5000", "for the answer"},
    {"enum.conf", "routes/route", "service, regex, replace", "", "",
        "addresses of that service (E2U+SIP) that the pattern fits become this dial string"},
    {NULL},
};

static ON_CTL const char *param(const char *name, const char *otherwise)
{
	return config_param(xml_child(config_conf("enum.conf"), "settings"), name, otherwise);
}

static ON_CTL int64_t timeout_us(void)
{
	uint32_t n;
	if (!sv_u32(sv_of(param("query-timeout-ms", "")), &n) && n && n <= TIMEOUT_MS_MAX)
		return clock_us_of_ms(n);
	if (!sv_u32(sv_of(param("query-timeout", "")), &n) && n && n <= TIMEOUT_MS_MAX / 1000)
		return clock_us_of_s(n);
	return 5000000;
}

static void results_fini(struct results *r)
{
	for (size_t i = 0; i < r->count; i++) {
		mem_free(r->list[i].service);
		mem_free(r->list[i].route);
	}
	r->count = 0;
}

/* Takes route. */
static void result_add(
    struct results *r, const struct dns_record *rec, const char *service, char *route, bool is_supported)
{
	char *copy = mem_strdup(service);
	if (!copy || !route || r->count == RESULTS_MAX) {
		mem_free(copy);
		mem_free(route);
		return;
	}
	r->list[r->count++] = (struct enum_result){.order = rec->first,
	    .preference = rec->second,
	    .service = copy,
	    .route = route,
	    .is_supported = is_supported};
}

/* ---- from a record to dial strings --------------------------------------------------------------------------- */

/* A route's dial string for an address; NULL: the address does not fit. */
static ON_CTL char *route_of(const struct xml_node *x, const char *uri)
{
	char *marked = mark_dup(uri), *text = NULL;
	struct re_match m = {0};
	struct buf b;
	buf_init(&b);
	if (marked && re_match_once(sv_of(xml_attr_or(x, "regex", "")), sv_of(uri), &m) == 1) {
		re_match_mark(&m, sv_of(uri), sv_of(marked));
		if (!re_substitute(&b, sv_of(xml_attr_or(x, "replace", "")), '$', &m) && !b.failed)
			(void)routing_expand(NULL, b.p ? b.p : "", NULL, &text);
	}
	buf_fini(&b);
	mem_free(marked);
	return text;
}

static ON_CTL void record_use(struct results *r, const struct dns_record *rec, const char *service, const char *uri)
{
	bool is_supported = false;
	xml_each(xml_child(config_conf("enum.conf"), "routes"), "route", x)
	{
		char *route = strcasecmp(service, xml_attr_or(x, "service", "")) ? NULL : route_of(x, uri);
		if (route) {
			result_add(r, rec, service, route, true);
			is_supported = true;
		}
	}
	if (!is_supported)
		result_add(r, rec, service, mark_dup(uri), false);
}

static int by_order(const void *a, const void *b)
{
	const struct dns_record *x = a, *y = b;
	return x->first != y->first ? (x->first > y->first) - (x->first < y->first)
	                            : (x->second > y->second) - (x->second < y->second);
}

static ON_CTL void answer_use(struct results *r, struct dns_answer *a, const char *number)
{
	struct buf uri;
	buf_init(&uri);
	qsort(a->records, a->count, sizeof(*a->records), by_order);
	for (size_t i = 0; i < a->count; i++) {
		const struct dns_record *rec = &a->records[i];
		buf_clear(&uri);
		if (!routing_enum_uri(dns_record_regexp(a, rec), number, &uri) && uri.n)
			record_use(r, rec, dns_record_service(a, rec), uri.p);
	}
	buf_fini(&uri);
}

/* ---- the question -------------------------------------------------------------------------------------------- */

/* number, plain: what was dialled; root NULL or "": the configuration's. */
static CO int look_up(const char *number, const char *root, struct results *r)
{
	struct dns_answer *answer = mem_zalloc(sizeof(*answer));
	struct buf name, dialled, servers;
	buf_init(&name);
	buf_init(&dialled);
	buf_init(&servers);
	r->count = 0;
	const char *star = strchr(number, '*');
	buf_printf(
	    &dialled, "%s%.*s", *number == '+' ? "" : "+", star ? (int)(star - number) : (int)strlen(number), number);
	if (!root || !*root)
		root = star ? param("default-isn-root", "freenum.org") : param("default-root", "e164.org");
	const struct xml_node *settings = xml_child(config_conf("enum.conf"), "settings");
	bool has_own = routing_servers(settings, &servers);
	struct dns_servers at = {servers.p, str_is_true(param("random-nameserver", ""))};
	int st = answer && !dialled.failed ? routing_enum_name(&name, dialled.p, star ? star + 1 : "", root) : ST_NOMEM;
	if (!st)
		st = routing_naptr(buf_sv(&name), has_own ? &at : NULL, timeout_us(), answer);
	if (!st)
		answer_use(r, answer, dialled.p);
	else if (st != ST_NOTFOUND)
		log_warning("enum: %s: %s", name.p ? name.p : number, status_text(st));
	buf_fini(&name);
	buf_fini(&dialled);
	buf_fini(&servers);
	mem_free(answer);
	return st == ST_NOMEM ? st : ST_OK;
}

/* All that can be dialled, as one dial string: those of one order and preference at once, the others in turn. */
static void auto_route(const struct results *r, struct buf *out)
{
	const struct enum_result *last = NULL;
	for (size_t i = 0; i < r->count; i++) {
		const struct enum_result *e = &r->list[i];
		if (!e->is_supported)
			continue;
		if (last)
			buf_addc(out, last->order == e->order && last->preference == e->preference ? ',' : '|');
		buf_adds(out, e->route);
		last = e;
	}
}

/* ---- commands, application, dialplan ------------------------------------------------------------------------- */

static void table_print(const struct results *r, const char *title, bool only_supported, struct buf *out)
{
	buf_printf(out, "\n%s Routes:\nOrder\tPref\tService   \tRoute\n%s\n", title,
	    "==============================================================================");
	for (size_t i = 0; i < r->count; i++) {
		const struct enum_result *e = &r->list[i];
		if (only_supported && !e->is_supported)
			continue;
		buf_printf(out, "%u\t%u\t", e->order, e->preference);
		mark_put(out, sv_of(e->service));
		for (size_t n = strlen(e->service); n < 10; n++)
			buf_addc(out, ' ');
		buf_printf(out, "\t%s\n", e->route);
	}
}

/* Where numbers are looked up is not said from outside: *root is the configuration's. */
static ON_CTL bool root_read(const struct app_words *w, const char **root)
{
	*root = w->n > 1 ? w->w[1] : NULL;
	if (!*root || !mark_has(sv_of(w->m[1])))
		return true;
	log_warning("enum: a root that is named from outside is not asked");
	return false;
}

static int api_enum(struct api_call *c)
{
	struct app_words w;
	struct results *r = mem_zalloc(sizeof(*r));
	const char *root;
	role_assert_co();
	int st = app_words_init(&w, c->text, 4);
	c->is_reply_text = true;
	if (!r)
		st = ST_NOMEM;
	if (!st && !w.n) {
		buf_adds(c->out, "Invalid Input!\n");
	} else if (!st && !strcasecmp(w.w[0], "reload")) {
		buf_adds(c->out, "+OK ENUM Reloaded.\n"); /* the configuration is asked each time */
	} else if (!st && root_read(&w, &root) && !(st = look_up(w.w[0], root, r))) {
		table_print(r, "Offered", false, c->out);
		table_print(r, "Supported", true, c->out);
		results_fini(r);
	}
	app_words_fini(&w);
	mem_free(r);
	return st;
}

static int api_enum_auto(struct api_call *c)
{
	struct app_words w;
	struct results *r = mem_zalloc(sizeof(*r));
	const char *root;
	role_assert_co();
	int st = app_words_init(&w, c->text, 4);
	c->is_reply_text = true;
	if (!r)
		st = ST_NOMEM;
	if (!st && !w.n) {
		buf_adds(c->out, "none");
	} else if (!st && root_read(&w, &root) && !(st = look_up(w.w[0], root, r))) {
		auto_route(r, c->out);
		results_fini(r);
	}
	app_words_fini(&w);
	mem_free(r);
	return st;
}

static ON_CTL void vars_clear(struct leg *leg)
{
	char name[32];
	uint32_t n;
	const char *count = leg_var(leg, "enum_route_count");
	if (!count || sv_u32(sv_of(count), &n))
		return;
	for (uint32_t i = 1; i <= n && i <= RESULTS_MAX; i++) {
		snprintf(name, sizeof(name), "enum_route_%u", (unsigned)i);
		leg_var_set(leg, name, NULL);
	}
}

static int app_enum(struct leg *leg, const char *data)
{
	struct app_words w;
	struct results *r = mem_zalloc(sizeof(*r));
	const char *root;
	role_assert_co();
	int st = app_words_init(&w, leg_exec_text(leg, data), 4), count = 0;
	if (!r)
		st = ST_NOMEM;
	if (!st && w.n && root_read(&w, &root) && !(st = look_up(w.w[0], root, r))) {
		struct buf all;
		char name[32];
		buf_init(&all);
		vars_clear(leg);
		for (size_t i = 0; i < r->count; i++) {
			if (!r->list[i].is_supported)
				continue;
			snprintf(name, sizeof(name), "enum_route_%d", ++count);
			leg_var_set_text(leg, name, r->list[i].route);
		}
		leg_var_set_int(leg, "enum_route_count", count);
		auto_route(r, &all);
		leg_var_set_text(leg, "enum_auto_route", all.n ? all.p : NULL);
		buf_fini(&all);
		results_fini(r);
	}
	app_words_fini(&w);
	mem_free(r);
	return st;
}

static int hunt(struct leg *leg, const char *args)
{
	role_assert_co();
	struct results *r = mem_zalloc(sizeof(*r));
	char *root = args ? mem_strdup(args) : NULL;
	char *number = mem_strdup(leg->profile->destination_number ? leg->profile->destination_number : "");
	int st = r && number ? look_up(number, root, r) : ST_NOMEM, found = ST_NOTFOUND;
	for (size_t i = 0; !st && i < r->count; i++) {
		if (!r->list[i].is_supported)
			continue;
		if (found)
			leg_var_set(leg, "hangup_after_bridge", "true");
		st = leg_exec_add(leg, "bridge", r->list[i].route, number);
		found = ST_OK;
	}
	if (r)
		results_fini(r);
	mem_free(r);
	mem_free(root);
	mem_free(number);
	return st ? st : found;
}

static const struct app_desc apps[] = {
    {"enum", "Perform an ENUM lookup", "[reload | <number> [<root>]]", APP_NO_MEDIA | APP_ROUTING_EXEC, app_enum},
    {NULL},
};
static const struct api_desc apis[] = {
    {"enum", "ENUM", "", API_MAY_WAIT, api_enum, NULL},
    {"enum_auto", "ENUM", "", API_MAY_WAIT, api_enum_auto, NULL},
    {NULL},
};
static const struct dialplan_desc dialplans[] = {{"enum", hunt}, {NULL}};
static const struct var_desc vars[] = {
    {"enum_auto_route", "text", "all routes of a number as one dial string, for bridge", false, true},
    {"enum_route_N", "text", "dial string of the route N, from 1", false, true},
    {"enum_route_count", "number", "how many routes there are", true, true},
    {NULL},
};
extern const struct module mod_enum;
const struct module mod_enum = {.abi = MODULE_ABI,
    .name = "mod_enum",
    .apps = apps,
    .apis = apis,
    .dialplans = dialplans,
    .vars = vars,
    .confs = confs};
