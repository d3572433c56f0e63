/* mod_lua: the application and dialplan LUA, the commands lua and luarun, scripts begun at the start and by events
 * (lua.conf). */
#include "core/registry/module.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/conf/source.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "core/registry/app.h"
#include "core/registry/dialplan.h"
#include "core/run/exec.h"
#include "core/value/self.h"
#include "lua/lua_i.h"
#include <string.h>
#include <strings.h>

enum { HOOKS_MAX = 64, STARTUP_MAX = 64, INSTRUCTIONS_DEFAULT = 100000000, MEMORY_DEFAULT_MIB = 16 };

struct lua_conf lua_conf;

struct hook {
	struct event_sub *sub;
	char *script;
};
static struct hook hooks[HOOKS_MAX];
static size_t hook_count;

/* ---- what it offers ---- */

static int app_lua(struct leg *leg, const char *data)
{
	role_assert_co();
	if (!data || !*data) {
		leg_log(leg, LOG_ERR, "no args specified!");
		return ST_INVAL;
	}
	script_run(&(struct script_job){.code = leg_exec_text(leg, data), .leg = leg, .session = leg});
	return leg_is_up(leg) ? ST_OK : ST_HANGUP;
}

static int api_lua(struct api_call *c)
{
	role_assert_co();
	/* ${lua(...)} of a leg's texts has the leg */
	if (*c->args &&
	    script_run(&(struct script_job){.code = c->text, .session = c->leg, .env = c->env, .out = c->out}))
		buf_adds(c->out, "-ERR Cannot execute script\n");
	return ST_OK;
}

static int api_luarun(struct api_call *c)
{
	int st;

	role_assert_ctl();
	if (!*c->args)
		return buf_adds(c->out, "-ERR no args specified!\n");
	st = script_spawn(c->text, NULL);
	return st ? buf_printf(c->out, "-ERR %s\n", status_text(st)) : buf_adds(c->out, "+OK\n");
}

/* The context names the script, as in FreeSWITCH; its table ACTIONS is the route. */
static int dialplan_lua(struct leg *leg, const char *args)
{
	const char *script = args && *args ? args : leg->profile->context;
	char *code;
	int st;

	role_assert_co();
	code = mem_strdup(script && *script ? script : "lua/dialplan.lua");
	st = code ? script_run(&(struct script_job){.code = code, .leg = leg, .session = leg, .is_dialplan = true})
	          : ST_NOMEM;
	mem_free(code);
	return st ? ST_NOTFOUND : ST_OK;
}

/* ---- the XML handler ---- */

static char *handler; /* script and arguments; NULL: none */
static struct source_binding *handler_binding;

static int handler_answer(const struct source_question *q, struct source_answer *out, void *arg)
{
	char *code;
	int st;

	role_assert_co();
	code = mem_strdup(handler); /* the module may be reloaded while it runs */
	st = code ? script_run(&(struct script_job){.code = code, .question = q, .answer = &out->text}) : ST_NOMEM;
	mem_free(code);
	return st ? ST_NOTFOUND : ST_OK;
}

static ON_CTL void handler_read(const struct xml_node *settings)
{
	const char *script = config_param(settings, "xml-handler-script", NULL);
	const char *sections = config_param(settings, "xml-handler-bindings", NULL);

	if (!script || !*script || !sections)
		return;
	handler = mem_strdup(script);
	if (!handler || source_bind(&handler_binding, "lua.conf's xml-handler-script", sections, handler_answer, NULL))
		log_error("lua.conf: no memory for xml-handler-script");
}

/* ---- lua.conf ---- */

static void on_event(struct event *e, void *arg)
{
	const struct hook *h = arg;
	int st;

	role_assert_ctl();
	st = script_spawn(h->script, e);
	if (st)
		log_error("the hook %s of lua.conf was not run: %s", h->script, status_text(st));
}

static ON_CTL void add_hook(const struct xml_node *node)
{
	const char *name = xml_attr(node, "event"), *subclass = xml_attr(node, "subclass");
	const char *script = xml_attr(node, "script");
	struct hook *h = &hooks[hook_count];
	enum event_id id;

	if (!name || !script || !*script || event_id_parse(sv_of(name), &id)) {
		log_error("%s:%u: a hook needs event=\"NAME\" and script=\"file\"%s%s", node->file, node->line,
		    name ? "; there is no event " : "", name ? name : "");
		return;
	}
	if (hook_count == HOOKS_MAX || event_sub_new(&h->sub, on_event, h)) {
		log_error("%s:%u: no room for this hook", node->file, node->line);
		return;
	}
	hook_count++;
	h->script = mem_strdup(script);
	if (id == EVENT_CUSTOM && subclass && *subclass)
		event_sub_want_subclass(h->sub, subclass, true);
	else
		event_sub_want(h->sub, id, true);
}

/* The directories of require: script-directory templates, then the script directory. */
static ON_CTL void read_paths(const struct xml_node *settings)
{
	const char *scripts = core_dirs() && core_dirs()->scripts ? core_dirs()->scripts : ".";
	struct buf path;

	buf_init(&path);
	xml_each(settings, "param", node)
	{
		const char *name = xml_attr(node, "name"), *value = xml_attr(node, "value");
		if (name && value && *value && !strcmp(name, "script-directory"))
			buf_printf(&path, "%s%s;", value, strchr(value, '?') ? "" : "/?.lua");
		else if (name && !strcmp(name, "module-directory"))
			log_warning("%s:%u: %s of lua.conf is not available here", node->file, node->line, name);
	}
	buf_printf(&path, "%s/?.lua;%s/?/init.lua", scripts, scripts);
	lua_conf.path = buf_take(&path);
}

static ON_CTL uint64_t number_param(const struct xml_node *settings, const char *name, uint64_t otherwise)
{
	const char *text = config_param(settings, name, NULL);
	uint64_t n = otherwise;

	if (text && (sv_u64(sv_of(text), &n) || !n)) {
		log_error("lua.conf: %s is no number: '%s'", name, text);
		n = otherwise;
	}
	return n;
}

static int load(void)
{
	const struct xml_node *conf, *settings;
	const char *startup[STARTUP_MAX];
	size_t startup_count = 0;

	role_assert_ctl();
	conf = config_conf("lua.conf");
	settings = xml_child(conf, "settings");
	lua_conf.instruction_limit = number_param(settings, "instruction-limit", INSTRUCTIONS_DEFAULT);
	lua_conf.memory_limit_bytes = number_param(settings, "memory-limit", MEMORY_DEFAULT_MIB) << 20;
	read_paths(settings);
	handler_read(settings);
	xml_each(settings, "hook", node) add_hook(node);
	xml_each(settings, "param", node)
	{
		const char *name = xml_attr(node, "name"), *value = xml_attr(node, "value");
		if (name && value && *value && !strcmp(name, "startup-script") && startup_count < STARTUP_MAX)
			startup[startup_count++] = value;
	}
	for (size_t i = 0; i < startup_count; i++)
		script_spawn(startup[i], NULL);
	return ST_OK;
}

static int unload(void)
{
	role_assert_ctl();
	if (script_count())
		return ST_BUSY;
	source_unbind(handler_binding);
	handler_binding = NULL;
	mem_free(handler);
	handler = NULL;
	while (hook_count) {
		struct hook *h = &hooks[--hook_count];
		event_sub_free(h->sub);
		mem_free(h->script);
	}
	chunk_cache_clear();
	mem_free(lua_conf.path);
	lua_conf.path = NULL;
	return ST_OK;
}

static const struct app_desc apps[] = {
    {"lua", "Launch LUA ivr", "<script>", APP_ROUTING_EXEC | APP_ZOMBIE_EXEC | APP_NO_MEDIA, app_lua},
    {0},
};
static const struct api_desc apis[] = {
    {"lua", "run a script as an api function", "<script>", API_MAY_WAIT | API_OWN_REPLY, api_lua},
    {"luarun", "run a script", "<script>", 0, api_luarun},
    {0},
};
static const struct dialplan_desc dialplans[] = {{"LUA", dialplan_lua}, {0}};
static const struct conf_desc confs[] = {
    {"lua.conf", "script-directory", "path", NULL, NULL, "where require looks, with ? for the name; may repeat"},
    {"lua.conf", "xml-handler-script", "file", NULL, NULL,
        "a script asked for XML before the files: XML_REQUEST, params, XML_STRING"},
    {"lua.conf", "xml-handler-bindings", "list", NULL, NULL,
        "of which sections: dialplan, directory, configuration, phrases"},
    {"lua.conf", "startup-script", "file", NULL, NULL, "a script begun with the program; may repeat"},
    {"lua.conf", "instruction-limit", "number", "instructions", "100000000",
        "a script that runs so many without a wait is stopped"},
    {"lua.conf", "memory-limit", "number", "MiB", "16", "memory one script may take"},
    {0},
};

const struct module mod_lua = {.abi = MODULE_ABI,
    .name = "mod_lua",
    .load = load,
    .unload = unload,
    .apps = apps,
    .apis = apis,
    .dialplans = dialplans,
    .confs = confs};
