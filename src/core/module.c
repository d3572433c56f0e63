/* Modules: the built-in ones that main makes known, loading by name (also under the names of the FreeSWITCH modules
 * they answer for), unloading in reverse order. modules.conf of the configuration says what is loaded. */
#include "core/module.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/config.h"
#include "core/registry_i.h"
#include <string.h>
#include <strings.h>

enum { MODULES_MAX = 128 };
struct loaded {
	const struct module *module;
	bool is_loaded;
	unsigned order;
};
static struct loaded modules[MODULES_MAX];
static unsigned module_count, load_order;

int module_register(const struct module *m)
{
	if (m->abi != MODULE_ABI || !m->name)
		return ST_UNSUPPORTED;
	if (module_count == MODULES_MAX)
		return ST_FULL;
	for (unsigned i = 0; i < module_count; i++)
		if (modules[i].module == m)
			return ST_EXISTS;
	modules[module_count++] = (struct loaded){.module = m};
	return ST_OK;
}

void module_each(void (*fn)(const struct module *m, void *arg), void *arg)
{
	for (unsigned i = 0; i < module_count; i++)
		fn(modules[i].module, arg);
}

static bool answers_for(const struct module *m, const char *name)
{
	if (!strcasecmp(m->name, name))
		return true;
	for (const char *const *also = m->also; also && *also; also++)
		if (!strcasecmp(*also, name))
			return true;
	return false;
}

static struct loaded *find(const char *name)
{
	for (unsigned i = 0; i < module_count; i++)
		if (answers_for(modules[i].module, name))
			return &modules[i];
	return NULL;
}

static void say(const char **why, const char *text)
{
	if (why)
		*why = text;
}

static ON_CTL int load(struct loaded *l)
{
	int st = l->module->load ? l->module->load() : ST_OK;

	if (st)
		return st;
	l->is_loaded = true;
	l->order = ++load_order;
	return registry_add(l->module);
}

/* A module may be made of several descriptors of one name, each in its room. */
static bool is_part(const struct loaded *l, const struct loaded *of)
{
	return l != of && !strcmp(l->module->name, of->module->name);
}

int module_load(const char *name, const char **why)
{
	struct loaded *l = find(name);
	int st;

	say(why, "Success");
	if (!l) {
		say(why, "no such module");
		return ST_NOTFOUND;
	}
	if (l->is_loaded) {
		say(why, "Module already loaded");
		return ST_EXISTS;
	}
	st = load(l);
	for (unsigned i = 0; i < module_count && !st; i++)
		if (is_part(&modules[i], l) && !modules[i].is_loaded)
			st = load(&modules[i]);
	if (st)
		say(why, status_text(st));
	return st;
}

static ON_CTL int unload(struct loaded *l, bool is_forced)
{
	int st = l->module->unload ? l->module->unload() : ST_OK;

	if (st && !is_forced)
		return st;
	registry_del(l->module);
	l->is_loaded = false;
	return ST_OK;
}

int module_unload(const char *name, const char **why)
{
	struct loaded *l = find(name);
	int st;

	say(why, "Success");
	if (!l || !l->is_loaded) {
		say(why, "no such module");
		return ST_NOTFOUND;
	}
	st = unload(l, false);
	for (unsigned i = module_count; i > 0 && !st; i--)
		if (is_part(&modules[i - 1], l) && modules[i - 1].is_loaded)
			st = unload(&modules[i - 1], false);
	if (st)
		say(why, st == ST_BUSY ? "module in use" : status_text(st));
	return st;
}

const char *module_unready(struct buf *why)
{
	for (unsigned i = 0; i < module_count; i++) {
		const struct module *m = modules[i].module;
		if (modules[i].is_loaded && m->is_ready && !m->is_ready(why))
			return m->name;
	}
	return NULL;
}

bool module_is_loaded(const char *name)
{
	struct loaded *l = find(name);
	return l && l->is_loaded;
}

void module_unload_all(void)
{
	for (;;) {
		struct loaded *last = NULL;
		for (unsigned i = 0; i < module_count; i++)
			if (modules[i].is_loaded && (!last || modules[i].order > last->order))
				last = &modules[i];
		if (!last)
			break;
		unload(last, true);
	}
	registry_clear();
	module_count = 0;
}

int module_load_configured(void)
{
	const struct xml_node *conf = config_conf("modules.conf");
	const char *why;

	xml_each(xml_child(conf, "modules"), "load", node)
	{
		const char *name = xml_attr(node, "module");
		int st = name ? module_load(name, &why) : ST_INVAL;
		if (st == ST_NOTFOUND)
			log_warning("%s:%u: the module %s does not exist here", node->file, node->line, name);
		else if (st && st != ST_EXISTS)
			log_error("%s:%u: the module %s was not loaded: %s", node->file, node->line, name ? name : "",
			    status_text(st));
	}
	return ST_OK;
}
