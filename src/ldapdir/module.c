/* mod_xml_ldap: xml_ldap.conf read at the load; a question to the directory is a search on a worker. So many at a time
 * as the binding says; a server that fails is told once and left alone for a second after each failure. */
#include "core/registry/module.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/event/event.h"
#include "core/registry/api.h"
#include "ldapdir/ldapdir_i.h"
#include "loop/co.h"
#include <string.h>
#include <strings.h>

enum { ALONE_US = 1000000, RUNNING_MAX = 100 };

static struct list bindings = {{&bindings.head, &bindings.head}};
static unsigned asking;

static void binding_free(void *obj)
{
	struct ld_binding *b = obj;
	char *texts[] = {b->name, b->url, b->base, b->filter, b->user, b->password, b->ca_file};
	role_assert_ctl();
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		mem_free(texts[i]);
	for (size_t i = 0; i < b->tran_count; i++)
		mem_free(b->trans[i].name), mem_free(b->trans[i].from);
	mem_free(b->trans);
}

/* What a name is when nobody says: names with "_" and a few more are variables, four are attributes. */
int ld_tran_read(struct ld_tran *out, const char *name, const char *from, const char *type)
{
	static const char *const attributes[] = {"id", "number-alias", "cidr", "cacheable"};
	static const char *const variables[] = {"accountcode", "callgroup"};

	if (!name || !from || !*name || !*from || strpbrk(name, " \"'<>&="))
		return ST_INVAL;
	out->kind = strchr(name, '_') ? LD_VARIABLE : LD_PARAM;
	for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++)
		if (!strcasecmp(name, attributes[i]))
			out->kind = LD_ATTRIBUTE;
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		if (!strcasecmp(name, variables[i]))
			out->kind = LD_VARIABLE;
	if (type && *type)
		out->kind = !strcasecmp(type, "variable")    ? LD_VARIABLE
		            : !strcasecmp(type, "attribute") ? LD_ATTRIBUTE
		                                             : LD_PARAM;
	out->name = mem_strdup(name);
	out->from = mem_strdup(from);
	return ST_OK;
}

static ON_CTL int trans_read(struct ld_binding *b, const struct xml_node *node)
{
	size_t count = 0;

	xml_each(xml_child(node, "trans"), "tran", it) count++;
	b->trans = mem_zalloc((count + 1) * sizeof(*b->trans));
	if (!b->trans)
		return ST_NOMEM;
	xml_each(xml_child(node, "trans"), "tran", it)
	{
		if (!ld_tran_read(
		        &b->trans[b->tran_count], xml_attr(it, "name"), xml_attr(it, "mapfrom"), xml_attr(it, "type")))
			b->tran_count++;
		else
			log_error("%s:%u: xml_ldap: a tran needs name= and mapfrom=", it->file, it->line);
	}
	return ST_OK;
}

static ON_CTL char *text(const struct xml_node *node, const char *name)
{
	const char *value = config_param(node, name, NULL);
	return value && *value ? mem_strdup(value) : NULL;
}

static ON_CTL int binding_new(struct ld_binding **out, const struct xml_node *node)
{
	const struct xml_node *filter = xml_child_with(node, "param", "name", "filter");
	const char *sections = xml_attr_or(filter, "bindings", "directory");
	struct ld_binding *b;
	int st;

	if (!filter || !config_param(node, "url", NULL) || !config_param(node, "basedn", NULL)) {
		log_error("%s:%u: xml_ldap: a binding needs filter, basedn and url", node->file, node->line);
		return ST_INVAL;
	}
	if (!sv_isi(sv_of(sections), "directory")) {
		log_error("%s:%u: xml_ldap: bindings=\"%s\": only the directory can be in LDAP here", filter->file,
		    filter->line, sections);
		return ST_UNSUPPORTED;
	}
	b = mem_new(sizeof(*b), binding_free, "ldapdir.binding");
	if (!b)
		return ST_NOMEM;
	b->name = mem_strdup(xml_attr_or(node, "name", "ldap"));
	b->filter = text(node, "filter");
	b->base = text(node, "basedn");
	b->url = text(node, "url");
	b->user = text(node, "binddn");
	b->password = text(node, "bindpass");
	b->ca_file = text(node, "ssl-cacert-file");
	b->starts_tls = str_is_true(config_param(node, "start-tls", "false"));
	b->skips_verify = !str_is_true(config_param(node, "enable-cacert-check", "true"));
	b->timeout_ms = clock_ms_of_s((uint64_t)str_number(config_param(node, "timeout", "3"), 1, 60));
	b->max_running = (unsigned)str_number(config_param(node, "max-concurrent", "10"), 1, RUNNING_MAX);
	st = b->url && b->filter && b->base ? trans_read(b, node) : ST_NOMEM;
	if (st)
		mem_unref(b);
	else
		*out = b;
	return st;
}

/* ---- a question ---- */

static ON_CTL void went(struct ld_binding *b, const struct ld_search *s)
{
	bool is_good = !s->status || s->status == ST_NOTFOUND;

	b->found += !s->status;
	b->failed += !is_good;
	if (!is_good && !b->is_failing)
		log_error("xml_ldap: %s (%s): %s; told once until it answers again", b->name, b->url,
		    *s->error ? s->error : status_text(s->status));
	if (is_good && b->is_failing)
		log_notice("xml_ldap: %s answers again", b->name);
	b->is_failing = !is_good;
	b->left_alone_until_us = is_good ? 0 : clock_mono_us() + ALONE_US;
}

static void run(void *arg)
{
	role_assert_work();
	ld_search_run(arg);
}

static void close_run(void *arg)
{
	role_assert_work();
	ld_connection_close(arg);
}

static ON_CTL void connection_keep(struct ld_binding *b, void *connection)
{
	if (!connection)
		return;
	if (!b->idle && b->bound)
		b->idle = connection;
	else if (work_submit(WORK_NET, "ldap close", close_run, NULL, connection))
		ld_connection_close(connection);
}

CO static int ask(struct ld_binding *b, const char *user, const char *domain, struct source_answer *out)
{
	struct ld_search *s = mem_zalloc(sizeof(*s)); /* not on the coroutine's small stack */
	int st;

	if (!s)
		return ST_NOMEM;
	s->b = b, s->user = user, s->domain = domain;
	buf_init(&s->base), buf_init(&s->filter), buf_init(&s->out);
	st = ld_name_put(&s->base, b->base, sv_of(domain));
	if (!st)
		st = ld_filter_put(&s->filter, b->filter, sv_of(user));
	if (!st) {
		s->connection = b->idle;
		b->idle = NULL;
		st = co_work(WORK_NET, "ldap search", run, s);
		if (!st) {
			went(b, s);
			st = s->status;
		}
		connection_keep(b, s->connection);
	}
	if (!st)
		st = buf_addv(&out->text, buf_sv(&s->out));
	buf_fini(&s->base), buf_fini(&s->filter), buf_fini(&s->out);
	mem_free(s);
	return st;
}

static int answer(const struct source_question *q, struct source_answer *out, void *arg)
{
	const char *user, *domain;
	struct ld_binding *b = arg;
	int st;

	role_assert_co();
	user = event_get(q->params, "user"), domain = event_get(q->params, "domain");
	if (!user || !domain || !*user)
		return ST_NOTFOUND;
	b->asked++;
	if (b->running >= b->max_running || clock_mono_us() < b->left_alone_until_us) {
		b->refused++;
		return ST_BUSY;
	}
	mem_ref(b);
	b->running++, asking++;
	st = ask(b, user, domain, out);
	b->running--, asking--;
	mem_unref(b);
	return st;
}

static int load(void)
{
	const struct xml_node *conf;

	role_assert_ctl();
	conf = config_conf("xml_ldap.conf");
	if (!conf) {
		log_error("xml_ldap: open of xml_ldap.conf failed");
		return ST_NOTFOUND;
	}
	xml_each(xml_child(conf, "bindings"), "binding", node)
	{
		struct ld_binding *b = NULL;
		if (binding_new(&b, node))
			continue;
		if (source_bind(&b->bound, b->name, "directory", answer, b))
			mem_unref(b);
		else
			list_push(&bindings, &b->link);
	}
	return ST_OK;
}

static int unload(void)
{
	role_assert_ctl();
	if (asking)
		return ST_BUSY;
	while (!list_empty(&bindings)) {
		struct ld_binding *b = list_entry(list_first(&bindings), struct ld_binding, link);
		list_remove(&b->link);
		source_unbind(b->bound);
		b->bound = NULL;
		connection_keep(b, b->idle);
		b->idle = NULL;
		mem_unref(b);
	}
	return ST_OK;
}

static int api_xml_ldap(struct api_call *c)
{
	struct lnode *it, *tmp;

	role_assert_ctl();
	list_each (&bindings, it, tmp) {
		const struct ld_binding *b = list_entry(it, struct ld_binding, link);
		buf_printf(c->out, "%s %s %s asked: %llu found: %llu failed: %llu refused: %llu running: %u of %u\n",
		    b->name, b->url, b->is_failing ? "failing" : "answers", (unsigned long long)b->asked,
		    (unsigned long long)b->found, (unsigned long long)b->failed, (unsigned long long)b->refused,
		    b->running, b->max_running);
	}
	return ST_OK;
}

static const struct api_desc apis[] = {
    {"xml_ldap", "what was asked of LDAP directories", "", 0, api_xml_ldap, NULL},
    {NULL},
};
static const struct conf_desc confs[] = {
    {"xml_ldap.conf", "url", "url", NULL, NULL, "binding: ldap:// or ldaps:// and the server"},
    {"xml_ldap.conf", "basedn", "text", NULL, NULL, "binding: below what is searched; %s is the domain"},
    {"xml_ldap.conf", "filter", "text", NULL, NULL, "binding: which entry; %s is the user"},
    {"xml_ldap.conf", "binddn", "text", NULL, "", "binding: who asks; none: anybody"},
    {"xml_ldap.conf", "bindpass", "text", NULL, "", "binding: his password"},
    {"xml_ldap.conf", "start-tls", "boolean", NULL, "false", "binding: TLS within ldap://"},
    {"xml_ldap.conf", "enable-cacert-check", "boolean", NULL, "true", "binding: the server's certificate is checked"},
    {"xml_ldap.conf", "ssl-cacert-file", "path", NULL, "", "binding: authorities; none: the system's"},
    {"xml_ldap.conf", "timeout", "number", "s", "3", "binding: for each step of a search"},
    {"xml_ldap.conf", "max-concurrent", "number", NULL, "10", "binding: searches at a time"},
    {NULL},
};

extern const struct module mod_xml_ldap;
const struct module mod_xml_ldap = {
    .abi = MODULE_ABI, .name = "mod_xml_ldap", .load = load, .unload = unload, .apis = apis, .confs = confs};
