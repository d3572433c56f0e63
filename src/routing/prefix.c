/* mod_prefix: tables of prefixes in JSON files ({"49": "Germany", "4930": "Berlin"}), asked by command for the value of
 * the longest one that a number begins with: ${prefix(get TABLE ${destination_number})}. */
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/registry/app_words.h"
#include "core/registry/module.h"
#include "loop/co.h"
#include "routing/routing_i.h"
#include "text/mark.h"

#include <string.h>
#include <strings.h>

static struct routing_table *tables;

struct job {
	char *name, *path;
	struct routing_table *made;
};

static void read_one(void *arg)
{
	struct job *j = arg;
	role_assert_work();
	j->made = routing_table_read(j->name, j->path, ROUTING_JSON);
}

static CO int table_load(const char *name, const char *path)
{
	struct job j = {.name = mem_strdup(name), .path = mem_strdup(path)};
	int st = j.name && j.path ? co_work(WORK_FILE, "prefix", read_one, &j) : ST_NOMEM;
	mem_free(j.name);
	mem_free(j.path);
	if (!st && !j.made)
		st = ST_IO;
	if (!st)
		routing_table_put(&tables, j.made);
	return st;
}

static CO void reload(void)
{
	void *held = mem_ref(config_current()); /* it waits between the rows */
	xml_each(xml_child(config_conf("prefix.conf"), "tables"), "table", x)
	{
		if (xml_attr(x, "name") && xml_attr(x, "file"))
			(void)table_load(xml_attr(x, "name"), xml_attr(x, "file"));
	}
	mem_unref(held);
}

static ON_CTL void drop(const char *name)
{
	for (struct routing_table **at = &tables; *at; at = &(*at)->next) {
		struct routing_table *t = *at;
		if (strcmp(t->name, name) != 0)
			continue;
		*at = t->next;
		routing_table_free(t);
		return;
	}
}

static int api_prefix(struct api_call *c)
{
	struct app_words w;
	struct buf path;
	role_assert_co();
	buf_init(&path);
	int st = app_words_init(&w, c->text, 4);
	const struct routing_table *t = !st && w.n > 1 ? routing_table_find(tables, w.w[1]) : NULL;
	c->is_reply_text = true; /* the table's file is the configuration's */
	if (st)
		;
	else if (w.n > 2 && !strcasecmp(w.w[0], "get")) {
		const char *value = t ? routing_table_longest(t, sv_of(w.w[2])) : NULL;
		buf_adds(c->out, value ? value : "");
	} else if (w.n > 2 && !strcasecmp(w.w[0], "load")) {
		bool is_bad = mark_strip_path(&path, sv_of(w.m[2])) || !path.p;
		buf_adds(c->out, is_bad || table_load(w.w[1], path.p) ? "-ERR\n" : "+OK\n");
	} else if (w.n > 1 && !strcasecmp(w.w[0], "drop")) {
		drop(w.w[1]);
		buf_adds(c->out, "+OK\n");
	} else if (w.n && !strcasecmp(w.w[0], "reload")) {
		reload();
		buf_adds(c->out, "+OK\n");
	} else {
		buf_adds(
		    c->out, "-ERR Usage: prefix get <table> <key> | load <table> <file> | drop <table> | reload\n");
	}
	buf_fini(&path);
	app_words_fini(&w);
	return st;
}

static int load(void)
{
	role_assert_ctl();
	xml_each(xml_child(config_conf("prefix.conf"), "tables"), "table", x)
	{
		const char *name = xml_attr_or(x, "name", ""), *path = xml_attr_or(x, "file", "");
		struct routing_table *t = *name && *path ? routing_table_read(name, path, ROUTING_JSON) : NULL;
		if (t)
			routing_table_put(&tables, t);
		else
			log_error("%s:%u: a table needs name and file", x->file ? x->file : "prefix.conf", x->line);
	}
	return ST_OK;
}

static int unload(void)
{
	role_assert_ctl();
	routing_tables_free(&tables);
	return ST_OK;
}

static const char *const complete[] = {"prefix get", "prefix load", "prefix drop", "prefix reload", NULL};
static const struct api_desc apis[] = {
    {"prefix", "prefix handling", "get <table> <key> | load <table> <file> | drop <table> | reload", API_MAY_WAIT,
        api_prefix, complete},
    {NULL},
};
static const struct conf_desc confs[] = {
    {"prefix.conf", "tables/table", "name, file", "", "", "a table and its JSON file: {\"prefix\": \"value\"}"},
    {NULL},
};
extern const struct module mod_prefix;
const struct module mod_prefix = {
    .abi = MODULE_ABI, .name = "mod_prefix", .load = load, .unload = unload, .apis = apis, .confs = confs};
