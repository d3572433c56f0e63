/* mod_easyroute: where a number goes by a table of a database: gateway, account, limit, and the number it is dialled
 * as. Without a row, or without an answer, it is the configuration's default gateway. */
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/leg/leg.h"
#include "core/registry/app_words.h"
#include "core/registry/module.h"
#include "core/run/exec.h"
#include "routing/routing_i.h"
#include "text/mark.h"

#include <string.h>
#include <strings.h>

static struct store *store;

static const struct conf_desc confs[] = {
    {"easyroute.conf", "custom-query", "text", NULL, "",
        "in place of the own one; %s or %q stands for the number; columns: gateway, group, limit, tech prefix, account "
        "code, number"},
    {"easyroute.conf", "db-dsn", "text", NULL, "", "the database; a plain name with db-username is odbc's"},
    {"easyroute.conf", "db-password", "text", NULL, "", "of odbc"},
    {"easyroute.conf", "db-username", "text", NULL, "", "of odbc"},
    {"easyroute.conf", "default-gateway", "text", NULL, "192.168.1.1", "host of what the table does not have"},
    {"easyroute.conf", "default-techprofile", "text", NULL, "sofia/default",
        "endpoint and profile where the row has none"},
    {NULL},
};

static ON_CTL const char *param(const char *name)
{
	for (const struct conf_desc *d = confs; d->key; d++)
		if (!strcmp(d->key, name))
			return config_param(xml_child(config_conf("easyroute.conf"), "settings"), name, d->fallback);
	return "";
}

enum { GATEWAY, GROUP, LIMIT, PROFILE, ACCOUNT, NUMBER, COLUMNS };
struct route {
	struct buf dialstring; /* with marks where the number is from outside */
	char *cells[COLUMNS];  /* "" for nothing; NUMBER with marks */
};

static void route_fini(struct route *r)
{
	for (size_t i = 0; i < COLUMNS; i++)
		mem_free(r->cells[i]);
	buf_fini(&r->dialstring);
}

/* The question; %s and %q of a query of the configuration are the number. */
static ON_CTL int query_make(const char *number, struct buf *out)
{
	static const char own[] =
	    "SELECT gateways.gateway_ip, gateways.\"group\", gateways.\"limit\", gateways.techprofile, "
	    "numbers.acctcode, numbers.translated FROM gateways, numbers WHERE numbers.number = '%q' "
	    "AND numbers.gateway_id = gateways.gateway_id LIMIT 1";
	const char *q = *param("custom-query") ? param("custom-query") : own;
	struct buf text;
	buf_init(&text);
	for (; *q; q++) {
		if (*q == '%' && (q[1] == 's' || q[1] == 'q')) {
			mark_put_whole(&text, sv_of(number));
			q++;
		} else if (*q == '%' && q[1] == '%') {
			buf_addc(&text, *q++);
		} else {
			buf_addc(&text, *q);
		}
	}
	int st = text.failed ? ST_NOMEM : mark_strip_sql(out, buf_sv(&text));
	buf_fini(&text);
	if (st)
		log_error("easyroute: the number cannot stand in a query: %s", status_text(st));
	return st;
}

static CO void cells_ask(struct route *r, const char *number)
{
	struct store_rows rows = {0};
	struct routing_row row;
	struct buf sql;
	buf_init(&sql);
	if (!query_make(number, &sql) && !routing_ask(store, "easyroute", sql.p, &rows)) {
		routing_rows_begin(&row, &rows);
		if (routing_row_next(&row) && rows.column_count >= COLUMNS)
			for (size_t i = 0; i < COLUMNS; i++)
				r->cells[i] = row.cells[i].n ? sv_dup(row.cells[i]) : NULL;
	}
	store_rows_fini(&rows);
	buf_fini(&sql);
}

/* number may be marked. separator: what stands before the gateway. */
static CO int route_find(struct route *r, const char *number, const char *separator)
{
	*r = (struct route){0};
	buf_init(&r->dialstring);
	cells_ask(r, number);
	if (!r->cells[LIMIT])
		r->cells[LIMIT] = mem_strdup("9999");
	if (!r->cells[PROFILE])
		r->cells[PROFILE] = mem_strdup(param("default-techprofile"));
	if (!r->cells[GATEWAY])
		r->cells[GATEWAY] = mem_strdup(param("default-gateway"));
	if (!r->cells[NUMBER])
		r->cells[NUMBER] = mem_strdup(number);
	for (size_t i = 0; i < COLUMNS; i++)
		if (!r->cells[i] && !(r->cells[i] = mem_strdup("")))
			return ST_NOMEM;
	buf_printf(&r->dialstring, "%s/", r->cells[PROFILE]);
	buf_adds(&r->dialstring, r->cells[NUMBER]);
	buf_adds(&r->dialstring, separator);
	buf_adds(&r->dialstring, r->cells[GATEWAY]);
	return r->dialstring.failed ? ST_NOMEM : ST_OK;
}

static const char *separator_of(const struct app_words *w)
{
	if (w->n >= 2 && !strcasecmp(w->w[1], "noat"))
		return "";
	return w->n == 3 && !strcasecmp(w->w[1], "separator") ? w->w[2] : "@";
}

static int app_easyroute(struct leg *leg, const char *data)
{
	struct app_words w;
	struct route r;
	role_assert_co();
	int st = app_words_init(&w, leg_exec_text(leg, data), 4);
	if (!st && w.n) {
		st = route_find(&r, w.m[0], separator_of(&w));
		if (!st) {
			leg_var_set(leg, "easy_destnum", w.w[0]);
			leg_var_set_text(leg, "easy_dialstring", r.dialstring.p);
			leg_var_set_text(leg, "easy_group", r.cells[GROUP]);
			leg_var_set_text(leg, "easy_limit", r.cells[LIMIT]);
			leg_var_set_text(leg, "easy_acctcode", r.cells[ACCOUNT]);
		}
		route_fini(&r);
	}
	app_words_fini(&w);
	return st;
}

static ON_CTL void print(struct buf *out, const struct route *r, const struct app_words *w)
{
	static const struct {
		const char *word;
		int cell;
	} parts[] = {{"translated", NUMBER}, {"limit", LIMIT}, {"group", GROUP}, {"acctcode", ACCOUNT}};
	if (w->n != 2) {
		buf_adds(out, "Number    \tLimit     \tGroup    \tAcctCode  \tDialstring\n");
		buf_printf(
		    out, "%-10s\t%-10s\t%-10s\t%-10s\t", w->m[0], r->cells[LIMIT], r->cells[GROUP], r->cells[ACCOUNT]);
		buf_addv(out, buf_sv(&r->dialstring));
		buf_addc(out, '\n');
		return;
	}
	if (!strncasecmp(w->w[1], "dialstring", 10)) {
		buf_addv(out, buf_sv(&r->dialstring));
		return;
	}
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		if (!strncasecmp(w->w[1], parts[i].word, strlen(parts[i].word))) {
			buf_adds(out, r->cells[parts[i].cell]);
			return;
		}
	}
	buf_adds(out, "Invalid Input!\n");
}

static int api_easyroute(struct api_call *c)
{
	struct app_words w;
	struct route r;
	role_assert_co();
	int st = app_words_init(&w, c->text, 4);
	c->is_reply_text = true;
	if (!st && (w.n < 1 || w.n > 3)) {
		buf_adds(c->out, "Invalid Input!\n");
	} else if (!st) {
		st = route_find(&r, w.m[0], separator_of(&w));
		if (!st)
			print(c->out, &r, &w);
		route_fini(&r);
	}
	app_words_fini(&w);
	return st;
}

static int load(void)
{
	struct buf dsn;
	role_assert_ctl();
	buf_init(&dsn);
	buf_adds(&dsn, param("db-dsn"));
	if (*param("db-username") && !strstr(param("db-dsn"), "://"))
		buf_printf(&dsn, ":%s:%s", param("db-username"), param("db-password"));
	routing_store_open(&store, "easyroute.conf", "db-dsn", dsn.n ? dsn.p : "");
	buf_fini(&dsn);
	return ST_OK;
}

static int unload(void)
{
	role_assert_ctl();
	store_close(store);
	store = NULL;
	return ST_OK;
}

static const struct app_desc apps[] = {
    {"easyroute", "Perform an easyroute lookup", "<number>", APP_NO_MEDIA | APP_ROUTING_EXEC, app_easyroute},
    {NULL},
};
static const struct api_desc apis[] = {
    {"easyroute", "EasyRoute", "", API_MAY_WAIT, api_easyroute, NULL},
    {NULL},
};
static const struct var_desc vars[] = {
    {"easy_acctcode", "text", "account code of the number's row", false, true},
    {"easy_destnum", "text", "the number that easyroute looked for", false, true},
    {"easy_dialstring", "text", "where it goes, for bridge", false, true},
    {"easy_group", "text", "group of the gateway", false, true},
    {"easy_limit", "text", "calls that the gateway takes; 9999 without a row", false, true},
    {NULL},
};
extern const struct module mod_easyroute;
const struct module mod_easyroute = {.abi = MODULE_ABI,
    .name = "mod_easyroute",
    .load = load,
    .unload = unload,
    .apps = apps,
    .apis = apis,
    .vars = vars,
    .confs = confs};
