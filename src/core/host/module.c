/* Modules: the built-in ones that main makes known, those from files (module_file.c), loading by name (built-in ones
 * also under the names of the FreeSWITCH modules they answer for), unloading in reverse order. modules.conf of the
 * configuration says what is loaded. */
#include "core/host/module.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/conf/check.h"
#include "core/conf/config.h"
#include "core/conf/overlay.h"
#include "core/conf/source.h"
#include "core/host/module_i.h"
#include "core/leg/part.h"
#include "core/registry/app.h"
#include "core/registry/module.h"
#include "core/registry/registry.h"
#include "loop/co.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

static unsigned load_order;
static char why_text[MODULE_WHY_CHARS];
static bool is_changing; /* a file is being opened or closed: a worker may be at it */

static void say(const char **why, const char *text)
{
	if (why)
		*why = text;
}

static ON_CTL int load(struct module_slot *l)
{
	int st = l->module->part ? leg_parts_add(l->module->part) : ST_OK;

	if (!st && l->module->load)
		st = l->module->load();
	if (st)
		return st;
	l->is_loaded = true;
	l->order = ++load_order;
	return registry_add(l->module);
}

/* A module may be made of several descriptors of one name, each in its room. */
static bool is_part(const struct module_slot *l, const struct module_slot *of)
{
	return l != of && !strcmp(l->module->name, of->module->name);
}

static ON_CTL int unload(struct module_slot *l, bool is_forced);

static ON_CTL int load_file(const char *name, const char **why)
{
	struct tandem_self *m = NULL;
	int st;

	if (is_changing) {
		say(why, "another module is being loaded or unloaded");
		return ST_BUSY;
	}
	is_changing = true;
	why_text[0] = 0;
	st = module_file_open(name, &m, why_text);
	is_changing = false;
	if (st) {
		say(why, why_text[0] ? why_text : status_text(st));
		if (st != ST_NOTFOUND)
			log_error("the module %s was not loaded: %s", name, why_text);
		return st;
	}
	st = module_register(&m->module);
	if (st) {
		module_file_close(m);
		say(why, status_text(st));
		return st;
	}
	return load(module_find(name));
}

int module_load(const char *name, const char **why)
{
	struct module_slot *l = module_find(name);
	int st;

	say(why, "Success");
	if (!l)
		return load_file(name, why);
	if (l->is_loaded) {
		say(why, "Module already loaded");
		return ST_EXISTS;
	}
	st = load(l);
	for (unsigned i = 0; i < module_count() && !st; i++)
		if (is_part(module_at(i), l) && !module_at(i)->is_loaded)
			st = load(module_at(i));
	if (st) {
		say(why, status_text(st));
		for (unsigned i = module_count(); i > 0; i--) /* all of it or nothing */
			if (module_at(i - 1)->is_loaded && !strcmp(module_at(i - 1)->module->name, l->module->name))
				unload(module_at(i - 1), true);
	}
	return st;
}

/* A module from a file. Between the look at use_count and registry_del nothing waits, so nothing of it can begin. */
static ON_CTL int unload_file(struct module_slot *l, bool is_forced)
{
	struct tandem_self *m = l->module->outside;
	int st;

	if (m->brought_count && !is_forced) {
		snprintf(why_text, sizeof(why_text),
		    "Module in use: it brought a %s, which stays until the program ends",
		    strcmp(m->brought[0].kind, "asr") ? "codec" : "recogniser of speech");
		return ST_BUSY;
	}
	if (m->use_count || is_changing) {
		if (is_forced)
			log_error("the module %s still runs: it stays in memory", m->name);
		snprintf(why_text, sizeof(why_text),
		    "Module in use: %u of its applications, commands and callbacks run", m->use_count);
		if (!is_forced)
			return ST_BUSY;
	}
	st = m->desc->unload ? module_file_unload(m) : ST_OK;
	if (st && !is_forced) {
		snprintf(why_text, sizeof(why_text), "the module refuses: %s", status_text(st));
		return st;
	}
	registry_del(l->module);
	module_forget(l);
	if (m->use_count)
		return ST_BUSY;
	is_changing = true;
	module_file_close(m);
	is_changing = false;
	return ST_OK;
}

static ON_CTL int unload(struct module_slot *l, bool is_forced)
{
	int st;

	why_text[0] = 0;
	if (l->module->outside)
		return unload_file(l, is_forced);
	st = l->module->unload ? l->module->unload() : ST_OK;
	if (st && !is_forced)
		return st;
	registry_del(l->module);
	l->is_loaded = false;
	return ST_OK;
}

int module_unload(const char *name, const char **why)
{
	struct module_slot *l = module_find(name);
	int st;

	say(why, "Success");
	if (!l || !l->is_loaded) {
		say(why, "no such module");
		return ST_NOTFOUND;
	}
	if (l->module->outside) { /* one descriptor, and its row is gone afterwards */
		st = unload(l, false);
		say(why, st ? why_text : "Success");
		return st;
	}
	st = unload(l, false);
	for (unsigned i = module_count(); i > 0 && !st; i--)
		if (is_part(module_at(i - 1), l) && module_at(i - 1)->is_loaded)
			st = unload(module_at(i - 1), false);
	if (st)
		say(why, st == ST_BUSY ? "module in use" : status_text(st));
	return st;
}

const char *module_unready(struct buf *why)
{
	for (unsigned i = 0; i < module_count(); i++) {
		const struct module *m = module_at(i)->module;
		if (module_at(i)->is_loaded && m->is_ready && !m->is_ready(why))
			return m->name;
	}
	return NULL;
}

void module_unload_all(void)
{
	for (;;) {
		struct module_slot *last = NULL;
		for (unsigned i = 0; i < module_count(); i++)
			if (module_at(i)->is_loaded && (!last || module_at(i)->order > last->order))
				last = module_at(i);
		if (!last)
			break;
		unload(last, true);
	}
	registry_clear();
}

int module_load_configured(void)
{
	struct config *held = mem_ref(config_current()); /* an overlay may swap it */
	const struct xml_node *conf = config_conf("modules.conf");
	const char *why;
	bool was_bound = source_is_bound("configuration");

	xml_each(xml_child(conf, "modules"), "load", node)
	{
		const char *name = xml_attr(node, "module");
		int st = name ? module_load(name, &why) : ST_INVAL;
		if (st == ST_NOTFOUND)
			log_warning("%s:%u: the module %s does not exist here", node->file, node->line, name);
		else if (st && st != ST_EXISTS)
			log_error("%s:%u: the module %s was not loaded: %s", node->file, node->line, name ? name : "",
			    name ? why : "it has no name");
		if (!was_bound && source_is_bound("configuration")) { /* the modules after this one have it */
			was_bound = true;
			overlay_load_now();
		}
	}
	mem_unref(held);
	return ST_OK;
}

/* ---- what `config check` compares with ---- */

static void known_add(const struct module *m, void *arg)
{
	struct config_known *k = arg;

	role_assert_ctl();
	for (const struct app_desc *a = m->apps; a && a->name; a++)
		config_known_add_app(k, a->name, m->name, module_is_loaded(m->name));
	for (const struct conf_desc *c = m->confs; c && c->file; c++)
		config_known_add_key(k, c->file, c->key);
}

void module_known_fill(struct config_known *k)
{
	module_each(known_add, k);
}
