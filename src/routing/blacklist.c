/* mod_blacklist: lists of numbers in files, asked and changed by command: ${blacklist(check LIST ${caller_id_number})}.
 * What is added or deleted is in memory until `save`. The configuration names the lists and their files; nothing else
 * does. */
#include "base/disk.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/registry/app_words.h"
#include "core/registry/module.h"
#include "loop/co.h"
#include "routing/routing_i.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static struct routing_table *lists;

/* What is read or written aside. */
struct job {
	struct routing_table *wanted, *made; /* names and paths; tables */
	char *path;
	struct buf text;
	int status;
};

static ON_CTL void wanted_add(struct routing_table **out, const struct xml_node *x)
{
	const char *name = xml_attr_or(x, "name", ""), *path = xml_attr_or(x, "filename", "");
	struct routing_table *t = *name && *path ? mem_zalloc(sizeof(*t)) : NULL;
	if (!t) {
		log_error("%s:%u: a list needs name and filename", x->file ? x->file : "blacklist.conf", x->line);
		return;
	}
	t->name = mem_strdup(name), t->path = mem_strdup(path);
	t->next = *out;
	*out = t;
}

static void read_all(void *arg)
{
	struct job *j = arg;
	role_assert_work();
	for (const struct routing_table *w = j->wanted; w; w = w->next) {
		struct routing_table *t =
		    w->name && w->path ? routing_table_read(w->name, w->path, ROUTING_LINES) : NULL;
		if (t)
			routing_table_put(&j->made, t);
	}
}

static ON_CTL void wanted_read(struct job *j)
{
	/* FreeSWITCH's module asks for "mod_blacklist.conf" */
	const struct xml_node *conf = config_conf("mod_blacklist.conf");
	xml_each(xml_child(conf ? conf : config_conf("blacklist.conf"), "lists"), "list", x) wanted_add(&j->wanted, x);
}

static CO int reload(void)
{
	struct job j = {0};
	wanted_read(&j);
	int st = co_work(WORK_FILE, "blacklist", read_all, &j);
	if (!st) {
		routing_tables_free(&lists);
		lists = j.made;
	}
	routing_tables_free(&j.wanted);
	return st;
}

static void write_one(void *arg)
{
	struct job *j = arg;
	role_assert_work();
	j->status = disk_replace(j->path, buf_sv(&j->text), 0640, false);
	if (j->status)
		log_error("%s: %s", j->path, strerror(errno));
}

static CO int save(const struct routing_table *t)
{
	struct job j = {.path = mem_strdup(t->path)};
	struct hash_it it = {0};
	buf_init(&j.text);
	while (hash_next(t->items, &it)) {
		buf_addv(&j.text, it.key);
		buf_addc(&j.text, '\n');
	}
	int st = !j.path || j.text.failed ? ST_NOMEM : co_work(WORK_FILE, "blacklist", write_one, &j);
	buf_fini(&j.text);
	mem_free(j.path);
	return st ? st : j.status;
}

/* One line a number: what has a line's end in it would be two. */
static bool is_line(const char *item)
{
	return *item && !strpbrk(item, "\r\n") && strlen(item) <= ROUTING_NUMBER_MAX;
}

static ON_CTL void change(struct api_call *c, bool is_add, const char *list, const char *item)
{
	struct routing_table *t = routing_table_find(lists, list);
	if (!t)
		buf_adds(c->out, "-ERR Unknown blacklist\n");
	else if (!is_line(item))
		buf_printf(c->out, "-ERR an item is one line of at most %d characters\n", ROUTING_NUMBER_MAX);
	else if (is_add)
		buf_adds(c->out, routing_table_add(t, sv_of(item), SV_NONE) ? "-ERR no memory\n" : "+OK\n");
	else {
		(void)hash_del(t->items, sv_of(item));
		buf_adds(c->out, "+OK\n");
	}
}

static int api_blacklist(struct api_call *c)
{
	struct app_words w;
	role_assert_co();
	int st = app_words_init(&w, c->text, 3);
	const char *verb = w.n > 0 ? w.w[0] : "", *list = w.n > 1 ? w.w[1] : "", *item = w.n > 2 ? w.w[2] : "";
	struct routing_table *t = st ? NULL : routing_table_find(lists, list);
	c->is_reply_text = true;
	if (st || !*verb)
		;
	else if (!strcasecmp(verb, "check") && *item)
		buf_adds(c->out, t && hash_get(t->items, sv_of(item)) ? "true" : "false");
	else if ((!strcasecmp(verb, "add") || !strcasecmp(verb, "del")) && *item)
		change(c, !strcasecmp(verb, "add"), list, item);
	else if (!strcasecmp(verb, "save") && *list)
		buf_adds(c->out, !t        ? "-ERR Unknown blacklist\n"
		                 : save(t) ? "-ERR the file cannot be written\n"
		                           : "+OK\n");
	else if (!strcasecmp(verb, "reload"))
		buf_adds(c->out, reload() ? "-ERR not reloaded\n" : "+OK\n");
	else if (!strcasecmp(verb, "help"))
		buf_adds(c->out, "blacklist check <listname> <item>\nblacklist add <listname> <item>\n"
		                 "blacklist del <listname> <item>\nblacklist save <listname>\nblacklist reload\n"
		                 "blacklist help\n+OK\n");
	else if (strcasecmp(verb, "check") != 0 && strcasecmp(verb, "add") != 0 && strcasecmp(verb, "del") != 0 &&
	         strcasecmp(verb, "save") != 0) {
		c->is_reply_text = false;
		buf_printf(c->out, "-ERR: No such command: %s (see 'blacklist help')\n", verb);
	}
	app_words_fini(&w);
	return st;
}

/* At the start calls must not pass before the lists are there: the files are read here. */
static int load(void)
{
	struct job j = {0};
	role_assert_ctl();
	wanted_read(&j);
	for (const struct routing_table *w = j.wanted; w; w = w->next) {
		struct routing_table *t =
		    w->name && w->path ? routing_table_read(w->name, w->path, ROUTING_LINES) : NULL;
		if (t)
			routing_table_put(&lists, t);
	}
	routing_tables_free(&j.wanted);
	return ST_OK;
}

static int unload(void)
{
	role_assert_ctl();
	routing_tables_free(&lists);
	return ST_OK;
}

static const char *const complete[] = {
    "blacklist check", "blacklist add", "blacklist del", "blacklist save", "blacklist reload", "blacklist help", NULL};
static const struct api_desc apis[] = {
    {"blacklist", "Control blacklists", "", API_MAY_WAIT, api_blacklist, complete},
    {NULL},
};
static const struct conf_desc confs[] = {
    {"blacklist.conf", "lists/list", "name, filename", "", "", "a list and its file, one number a line"},
    {"mod_blacklist.conf", "lists/list", "name, filename", "", "", "the same, under the name that FreeSWITCH reads"},
    {NULL},
};
extern const struct module mod_blacklist;
const struct module mod_blacklist = {
    .abi = MODULE_ABI, .name = "mod_blacklist", .load = load, .unload = unload, .apis = apis, .confs = confs};
