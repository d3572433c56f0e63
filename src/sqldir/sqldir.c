/* mod_sql_directory: users, their parameters and gateways in a database (docs/directories.md has the tables). A
 * question to the directory becomes one or two statements, their rows an XML document as a file would have it, which
 * the room directory reads and keeps for some seconds: what is changed in the tables counts after that, without a
 * reload. The database is whatever the DSN names (store/store.h); one that is silent costs whoever asks his answer. */
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/conf/source.h"
#include "core/event/event.h"
#include "core/registry/api.h"
#include "core/registry/module.h"
#include "core/value/self.h"
#include "loop/co.h"
#include "store/store.h"
#include "text/xml.h"
#include <string.h>

static const char *const schema[] = {
    "create table if not exists directory_users (domain varchar(255) not null, username varchar(255) not null, "
    "number_alias varchar(255), password varchar(255), a1_hash varchar(64), group_name varchar(255), "
    "enabled integer default 1 not null, primary key (domain, username))",
    "create index if not exists directory_users_alias on directory_users (domain, number_alias)",
    "create table if not exists directory_values (domain varchar(255) not null, username varchar(255) not null, "
    "kind varchar(16) not null, name varchar(255) not null, value text, primary key (domain, username, kind, name))",
    "create table if not exists directory_gateways (domain varchar(255) not null, username varchar(255) not null, "
    "gateway varchar(128) not null, name varchar(255) not null, value text, "
    "primary key (domain, username, gateway, name))",
    NULL};

static struct store *store;
static struct source_binding *bound;
static unsigned asking;
static struct {
	uint64_t asked, found, failed;
	bool is_failing;
} counts;

/* ---- rows to XML ---- */

static void attr_put(struct buf *out, const char *name, struct sv value)
{
	buf_printf(out, " %s=\"", name);
	xml_escape(out, value, true);
	buf_addc(out, '"');
}

static void pair_put(struct buf *out, const char *element, struct sv name, struct sv value)
{
	buf_printf(out, "<%s", element);
	attr_put(out, "name", name);
	attr_put(out, "value", value);
	buf_adds(out, "/>");
}

enum { CELLS_MAX = 8 };
/* values: username, kind, name, value of a domain (username "") and a user. */
static void values_put(struct buf *out, const struct store_rows *values, bool is_domain, const char *kind,
    const char *wrap, const char *element)
{
	struct sv c[CELLS_MAX] = {{0}};
	size_t at = 0;

	buf_printf(out, "<%s>", wrap);
	while (store_rows_row(values, &at, c, CELLS_MAX))
		if (!c[0].n == is_domain && sv_is(c[1], kind))
			pair_put(out, element, c[2], c[3]);
	buf_printf(out, "</%s>", wrap);
}

/* user: username, number_alias, password, a1_hash, group_name. */
static void user_put(struct buf *out, const char *domain, const struct sv *user, const struct store_rows *values)
{
	buf_adds(out, "<document type=\"freeswitch/xml\"><section name=\"directory\"><domain");
	attr_put(out, "name", sv_of(domain));
	buf_addc(out, '>');
	values_put(out, values, true, "param", "params", "param");
	values_put(out, values, true, "variable", "variables", "variable");
	buf_adds(out, "<groups><group");
	attr_put(out, "name", user[4].n ? user[4] : SV("default"));
	buf_adds(out, "><users><user");
	attr_put(out, "id", user[0]);
	if (user[1].n)
		attr_put(out, "number-alias", user[1]);
	buf_addc(out, '>');
	buf_adds(out, "<params>");
	if (user[2].n)
		pair_put(out, "param", SV("password"), user[2]);
	if (user[3].n)
		pair_put(out, "param", SV("a1-hash"), user[3]);
	buf_adds(out, "</params>");
	values_put(out, values, false, "param", "params", "param");
	values_put(out, values, false, "variable", "variables", "variable");
	buf_adds(out, "</user></users></group></groups></domain></section></document>");
}

/* ---- questions ---- */

static CO int sql(const char *text, const struct sv *params, size_t count, struct store_rows *rows)
{
	int st = store_sql_run(store, text, params, count, rows);

	if (!st && counts.is_failing)
		log_notice("sql_directory: the database answers again");
	if (st && !counts.is_failing)
		log_error("sql_directory: %s; told once until it answers again",
		    rows->error.n ? rows->error.p : status_text(st));
	counts.is_failing = st != ST_OK;
	counts.failed += st != ST_OK;
	return st;
}

static CO int user_ask(const char *name, const char *domain, struct source_answer *out)
{
	struct store_rows users = {0}, values = {0};
	struct sv who[] = {sv_of(domain), sv_of(name)}, user[CELLS_MAX] = {{0}};
	size_t at = 0;
	int st = sql("select username, number_alias, password, a1_hash, group_name from directory_users where "
	             "domain = $1 and (username = $2 or number_alias = $2) and enabled <> 0 "
	             "order by case when username = $2 then 0 else 1 end limit 1",
	    who, 2, &users);

	if (!st && !store_rows_row(&users, &at, user, CELLS_MAX))
		st = ST_NOTFOUND;
	if (!st) {
		struct sv mine[] = {who[0], user[0]};
		st = sql("select username, kind, name, value from directory_values where domain = $1 and "
		         "(username = '' or username = $2) order by username, name",
		    mine, 2, &values);
	}
	if (!st)
		user_put(&out->text, domain, user, &values);
	if (!st && out->text.failed)
		st = ST_LIMIT;
	counts.found += st == ST_OK;
	store_rows_fini(&users);
	store_rows_fini(&values);
	return st;
}

/* All users' gateways as one document, each row a parameter: domain, username, gateway, name, value. */
static void gateways_put(struct buf *out, const struct store_rows *rows)
{
	struct sv c[CELLS_MAX] = {{0}}, last[3] = {SV_NONE, SV_NONE, SV_NONE};
	bool is_open = false;
	size_t at = 0;

	buf_adds(out, "<document type=\"freeswitch/xml\"><section name=\"directory\">");
	while (store_rows_row(rows, &at, c, CELLS_MAX)) {
		if (!is_open || !sv_eq(c[0], last[0]) || !sv_eq(c[1], last[1]) || !sv_eq(c[2], last[2])) {
			buf_adds(out, is_open ? "</gateway></gateways></user></users></domain><domain" : "<domain");
			attr_put(out, "name", c[0]);
			buf_adds(out, "><users><user");
			attr_put(out, "id", c[1]);
			buf_adds(out, "><gateways><gateway");
			attr_put(out, "name", c[2]);
			buf_addc(out, '>');
			is_open = true;
			memcpy(last, c, sizeof(last));
		}
		pair_put(out, "param", c[3], c[4]);
	}
	buf_adds(out,
	    is_open ? "</gateway></gateways></user></users></domain></section></document>" : "</section></document>");
}

static CO int gateways_ask(struct source_answer *out)
{
	struct store_rows rows = {0};
	int st =
	    sql("select g.domain, g.username, g.gateway, g.name, g.value from directory_gateways g, directory_users u "
	        "where u.domain = g.domain and u.username = g.username and u.enabled <> 0 "
	        "order by g.domain, g.username, g.gateway, g.name",
	        NULL, 0, &rows);

	if (!st)
		gateways_put(&out->text, &rows);
	if (!st && out->text.failed)
		st = ST_LIMIT;
	store_rows_fini(&rows);
	return st;
}

static int answer(const struct source_question *q, struct source_answer *out, void *arg)
{
	const char *user, *domain, *purpose;
	int st = ST_NOTFOUND;

	role_assert_co();
	user = event_get(q->params, "user"), domain = event_get(q->params, "domain");
	purpose = event_get(q->params, "purpose");
	if (!store)
		return ST_CLOSED;
	asking++;
	counts.asked++;
	if (user && domain)
		st = user_ask(user, domain, out);
	else if (purpose && !strcmp(purpose, "gateways"))
		st = gateways_ask(out);
	asking--;
	return st;
}

/* ---- the module ---- */

static void schema_done(int status, struct store_rows *rows, void *arg)
{
	role_assert_ctl();
	if (status && status != ST_CANCELLED)
		log_error("sql_directory: its tables cannot be made: %s",
		    rows->error.n ? rows->error.p : status_text(status));
}

static int load(void)
{
	const struct xml_node *s;
	int st;

	role_assert_ctl();
	s = xml_child(config_conf("sql_directory.conf"), "settings");
	const char *dsn = config_param(s, "dsn", "directory");
	st = store_open(&store, dsn, core_dirs() ? core_dirs()->db : NULL, STORE_ASKS, NULL);
	if (st)
		return st;
	if (str_is_true(config_param(s, "create-tables", "true")))
		for (size_t i = 0; schema[i]; i++)
			store_sql(store, schema[i], NULL, 0, NULL, schema_done, NULL);
	return source_bind(&bound, "the SQL directory's answer", "directory", answer, NULL);
}

static int unload(void)
{
	role_assert_ctl();
	if (asking)
		return ST_BUSY;
	source_unbind(bound);
	bound = NULL;
	store_close(store);
	store = NULL;
	return ST_OK;
}

static int api_sql_directory(struct api_call *c)
{
	role_assert_ctl();
	return buf_printf(c->out, "asked: %llu\nfound: %llu\nfailed: %llu\nasking: %u\nstate: %s\n",
	    (unsigned long long)counts.asked, (unsigned long long)counts.found, (unsigned long long)counts.failed,
	    asking, counts.is_failing ? "failing" : "answers");
}

static const struct api_desc apis[] = {
    {"sql_directory", "what was asked of the SQL directory", "", 0, api_sql_directory, NULL},
    {NULL},
};
static const struct conf_desc confs[] = {
    {"sql_directory.conf", "dsn", "text", NULL, "directory",
        "the database: a plain name (sqlite in the db directory) or sqlite://path"},
    {"sql_directory.conf", "create-tables", "boolean", NULL, "true", "the tables are made when they are not there"},
    {NULL},
};

extern const struct module mod_sql_directory;
const struct module mod_sql_directory = {
    .abi = MODULE_ABI, .name = "mod_sql_directory", .load = load, .unload = unload, .apis = apis, .confs = confs};
