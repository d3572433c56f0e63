/* Checking a configuration aside: everything that is wrong at once, nothing that runs is touched. What the check
 * compares with (the applications and keys of the modules) is copied first, so that the work may be done by a worker.
 */
#include "core/conf/check.h"
#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/conf/config_i.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct config_known {
	struct hash *apps;  /* name -> the module's name, with '+' in front when it is loaded */
	struct hash *files; /* "xml_cdr.conf" -> something; "xml_cdr.conf/key" -> something */
	char *conf_dir;     /* of the main file */
	int status;
};
struct config_check {
	char *main_file;
	struct hash *vars; /* taken by the preprocessor */
	struct config_known known;
	config_report_fn fn;
	void *arg;
	size_t count, stop_count;
	bool is_other; /* not the one that runs */
};

static void (*known_fill)(struct config_known *k);

/* ---- what there is ---- */

static void note(struct config_known *k, struct hash *in, const char *name, const char *value)
{
	char *copy = mem_strdup(value);
	if (!copy || hash_set(in, sv_of(name), copy)) {
		mem_free(copy);
		k->status = ST_NOMEM;
	}
}

void config_known_add_app(struct config_known *k, const char *app, const char *module, bool is_loaded)
{
	char text[160];

	snprintf(text, sizeof text, "%s%s", is_loaded ? "+" : "", module);
	note(k, k->apps, app, text);
}

void config_known_add_key(struct config_known *k, const char *file, const char *key)
{
	char text[160];

	if (!strcmp(file, "switch.conf")) /* most of its keys are nobody's */
		return;
	note(k, k->files, file, "");
	snprintf(text, sizeof text, "%s/%s", file, key);
	note(k, k->files, text, "");
}

void config_known_set(void (*fill)(struct config_known *k))
{
	known_fill = fill;
}

const char *config_known_dir(const struct config_known *k)
{
	return k->conf_dir;
}

static bool loads(const struct config *cfg, const char *module)
{
	const struct xml_node *list = xml_child(config_conf_of(cfg, "modules.conf"), "modules");
	return xml_child_with(list, "load", "module", module) != NULL;
}

bool config_known_app(const struct config_known *k, const struct config *cfg, const char *app, char *why, size_t cap)
{
	const char *module = hash_get(k->apps, sv_of(app));

	if (!hash_count(k->apps) || (module && (*module == '+' || loads(cfg, module))))
		return true;
	if (module)
		snprintf(why, cap, "the application '%s' is of %s, which is not loaded", app, module);
	else
		snprintf(why, cap, "no application is called '%s'", app);
	return false;
}

/* ---- the check ---- */

static void count_report(const char *problem, void *arg)
{
	struct config_check *c = arg;
	c->count += !strstr(problem, ": warning: ");
	c->fn(problem, c->arg);
}

static void stop_report(const char *problem, void *arg)
{
	struct config_check *c = arg;
	c->stop_count++;
	count_report(problem, c);
}

size_t config_check_stops(const struct config_check *c)
{
	return c->stop_count;
}

/* Parameters that no module reads, of files whose parameters are all known. */
static void check_params(struct config_check *c, const struct config *cfg)
{
	char key[200], text[CONFIG_ERROR_CHARS];

	xml_each(config_section_of(cfg, "configuration"), "configuration", conf)
	{
		const char *file = xml_attr_or(conf, "name", "");
		if (!hash_get(c->known.files, sv_of(file)))
			continue;
		xml_each(xml_child(conf, "settings"), "param", p)
		{
			snprintf(key, sizeof key, "%s/%s", file, xml_attr_or(p, "name", ""));
			if (hash_get(c->known.files, sv_of(key)))
				continue;
			snprintf(text, sizeof text, "%s:%u:%u: warning: %s: the parameter '%s' has no effect", p->file,
			    p->line, p->column, file, xml_attr_or(p, "name", ""));
			count_report(text, c);
		}
	}
}

struct config_check *config_check_new(const char *path)
{
	struct config_check *c = mem_zalloc(sizeof *c);
	struct config_known *k = c ? &c->known : NULL;

	if (!c)
		return NULL;
	c->vars = config_globals_copy();
	c->is_other = path && *path;
	c->main_file = mem_strdup(c->is_other ? path : config_main_file());
	if (!c->vars || !c->main_file || hash_new(&k->apps, HASH_NOCASE, mem_free) ||
	    hash_new(&k->files, HASH_NOCASE, mem_free)) {
		config_check_free(c);
		return NULL;
	}
	if (known_fill)
		known_fill(k);
	return c;
}

void config_check_free(struct config_check *c)
{
	if (!c)
		return;
	hash_free(c->vars);
	hash_free(c->known.apps);
	hash_free(c->known.files);
	mem_free(c->known.conf_dir);
	mem_free(c->main_file);
	mem_free(c);
}

/* A directory means its freeswitch.xml. */
static int find_main_file(struct config_check *c)
{
	struct stat st;
	struct buf b;
	const char *slash;

	if (c->is_other && !stat(c->main_file, &st) && S_ISDIR(st.st_mode)) {
		buf_init(&b);
		buf_printf(&b, "%s/freeswitch.xml", c->main_file);
		mem_free(c->main_file);
		c->main_file = buf_take(&b);
		buf_fini(&b);
	}
	slash = c->main_file ? strrchr(c->main_file, '/') : NULL;
	c->known.conf_dir = slash ? mem_strndup(c->main_file, (size_t)(slash - c->main_file)) : mem_strdup(".");
	return c->main_file && c->known.conf_dir ? ST_OK : ST_NOMEM;
}

size_t config_check_run(struct config_check *c, config_report_fn report, void *arg)
{
	char error[CONFIG_ERROR_CHARS] = "";
	struct config *cfg = NULL;
	struct pre pre;
	int st;

	c->fn = report, c->arg = arg, c->count = c->stop_count = 0;
	st = find_main_file(c);
	if (!st) {
		st = pre_init(&pre, c->vars);
		c->vars = NULL;
	}
	if (st) {
		stop_report("out of memory", c);
		return c->count;
	}
	pre.report = count_report, pre.report_stop = stop_report, pre.report_arg = c;
	pre.cuts_broken = true;
	pre.runs_nothing = c->is_other; /* whoever may ask for a check may not run the commands of any file */
	st = pre_file(&pre, c->main_file, 0);
	if (st) {
		snprintf(error, sizeof error, "%s:1:1: cannot be read: %s", c->main_file,
		    pre.why ? pre.why : status_text(st));
		stop_report(error, c);
	}
	if (!st && config_of_text(&cfg, &pre, c->main_file, error))
		stop_report(error, c);
	for (int i = 0; cfg && config_stage_at(i); i++)
		if (config_stage_at(i)->check)
			config_stage_at(i)->check(cfg, &c->known, count_report, c);
	if (cfg)
		check_params(c, cfg);
	if (!st)
		config_unread(&pre, c->known.conf_dir, count_report, c);
	pre_fini(&pre);
	mem_unref(cfg);
	return c->count;
}

size_t config_check(config_report_fn report, void *arg, size_t *stop_count)
{
	struct config_check *c = config_check_new(NULL);
	size_t count;

	if (!c) {
		report("out of memory", arg);
		if (stop_count)
			*stop_count = 1;
		return 1;
	}
	count = config_check_run(c, report, arg);
	if (stop_count)
		*stop_count = c->stop_count;
	config_check_free(c);
	return count;
}
