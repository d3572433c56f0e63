/* Global variables, the configuration and modules: global_getvar, global_setvar, reloadxml, reloadacl, acl,
 * is_lan_addr, xml_locate, xml_wrap, load, unload, reload, module_exists, log. */
#include "api/api_i.h"
#include "core/conf/acl.h"
#include "core/conf/config.h"
#include "core/conf/dir.h"
#include "core/door/door.h"
#include "core/host/module.h"
#include "core/registry/api.h"
#include "core/registry/module.h"
#include "core/run/api.h"
#include "loop/co.h"
#include "text/mark.h"
#include "text/words.h"
#include "text/xml.h"

#include <stdlib.h>

static void put_global(const char *name, const char *value, void *arg)
{
	buf_printf(arg, "%s=%s\n", name, value);
}

int api_global_getvar(struct api_call *c)
{
	role_assert_ctl();
	if (*c->args) {
		c->is_reply_text = true;
		return api_text(c, globals_text(c->args) ? globals_text(c->args) : "");
	}
	globals_each(put_global, c->out);
	return ST_OK;
}

/* var=value, or var=value =test: only when the variable has the value test now. */
int api_global_setvar(struct api_call *c)
{
	role_assert_ctl();
	char *text = principal_parts_dup(c->who, c->args, c->text, '=', 2), *part[3];
	int n = text ? words_split(text, '=', part, 3) : 0;
	if (n < 1 || !*part[0]) {
		api_usage(c, "global_setvar");
	} else if (c->who ? api_variable_check(c, part[0]) : !api_is_outside(c, part[0])) {
		const char *value = n > 1 && *part[1] ? part[1] : NULL, *now = globals_get(part[0]);
		if (n > 2)
			mark_strip_in_place(part[2]);
		if (n < 3 || !*part[2] || !strcmp(now ? now : "", part[2]))
			globals_set(part[0], value);
		buf_adds(c->out, "+OK");
	}
	mem_free(text);
	return ST_OK;
}

/* ---- configuration --------------------------------------------------------------------------------------------- */
struct reload_wait {
	struct co_wait wait;
	int status;
	char message[CONFIG_ERROR_CHARS];
};

static void on_reloaded(int status, const char *message, void *arg)
{
	role_assert_ctl();
	struct reload_wait *w = arg;
	w->status = status;
	w->message[0] = 0;
	strncat(w->message, message ? message : "", sizeof(w->message) - 1);
	co_signal(&w->wait, ST_OK);
}

/* Reloads and waits; the message is "Success" or says file, line and reason. */
static CO int reload_now(struct reload_wait *w)
{
	*w = (struct reload_wait){.status = ST_OK};
	int st = config_reload(on_reloaded, w);
	if (st) {
		strncat(w->message, st == ST_BUSY ? "a reload is already running" : status_text(st),
		    sizeof(w->message) - 1);
		return st;
	}
	co_wait(&w->wait, -1);
	return w->status;
}

int api_reloadxml(struct api_call *c)
{
	role_assert_co();
	struct reload_wait w;
	int st = reload_now(&w);
	buf_printf(c->out, "%s [%s]\n", st ? "-ERR" : "+OK", w.message);
	return ST_OK;
}

int api_reloadacl(struct api_call *c)
{
	role_assert_co();
	struct reload_wait w;
	if (reload_now(&w))
		buf_printf(c->out, "-ERR [%s]\n", w.message);
	else
		buf_adds(c->out, "+OK acl reloaded\n");
	return ST_OK;
}

int api_acl(struct api_call *c)
{
	struct api_words w;
	role_assert_ctl();
	int st = api_words_init(&w, c, 3);
	bool is_allowed = !st && w.n > 1 && acl_allows_host(sv_of(w.w[1]), sv_of(w.w[0]));
	api_words_fini(&w);
	return st ? st : api_text(c, is_allowed ? "true" : "false");
}

/* FreeSWITCH looks at how the text begins: IPv4 only, and some that are nobody's LAN. */
static bool is_lan_text(const char *ip)
{
	static const char *const begins[] = {
	    "10.", "192.168.", "127.", "255.", "0.", "1.", "2.", "192.0.2.", "169.254.", NULL};
	for (size_t i = 0; begins[i]; i++)
		if (!strncmp(ip, begins[i], strlen(begins[i])))
			return true;
	int second = !strncmp(ip, "172.", 4) && ip[4] && ip[5] && ip[6] == '.' ? atoi(ip + 4) : 0;
	return second >= 16 && second <= 31;
}

int api_is_lan_addr(struct api_call *c)
{
	role_assert_ctl();
	return api_text(c, is_lan_text(c->args) ? "true" : "false");
}

static const struct xml_node *find_node(
    const struct xml_node *node, const char *tag, const char *attr, const char *value)
{
	for (const struct xml_node *k = node ? node->child : NULL; k; k = k->next) {
		const char *v = attr ? xml_attr(k, attr) : NULL;
		if (!strcmp(k->name, tag) && (!attr || (v && (!value || !strcasecmp(v, value)))))
			return k;
		const struct xml_node *below = find_node(k, tag, attr, value);
		if (below)
			return below;
	}
	return NULL;
}

int api_xml_locate(struct api_call *c)
{
	struct api_words w;
	role_assert_ctl();
	int st = api_words_init(&w, c, 4);
	if (st)
		goto out;
	if (w.n != 1 && w.n != 4) {
		buf_adds(c->out, "-ERR bad args\n");
		goto out;
	}
	const struct xml_node *node = w.n == 1 && !strcasecmp(w.w[0], "root")
	                                  ? (config_current() ? config_root(config_current()) : NULL)
	                                  : config_section(w.w[0]);
	if (node && w.n > 1)
		node = find_node(node, w.w[1], w.n > 2 ? w.w[2] : NULL, w.n > 3 ? w.w[3] : NULL);
	if (node)
		xml_write(node, c->out);
	else
		buf_adds(c->out, "can't find anything\n");
out:
	api_words_fini(&w);
	return st;
}

int api_xml_wrap(struct api_call *c)
{
	role_assert_co();
	struct buf reply;
	const char *line = api_own_text(c);
	char *cmd = mem_strndup(line, strcspn(line, " "));
	buf_init(&reply);
	if (!cmd)
		return ST_NOMEM;
	const char *args = line + strlen(cmd);
	args += strspn(args, " ");
	int st = !*cmd    ? ST_NOTFOUND
	         : c->who ? api_run_for(c->who, cmd, args, c->leg, &reply)
	                  : api_run(cmd, args, c->leg, &reply);
	if (st == ST_NOTFOUND)
		buf_adds(&reply, "INVALID COMMAND!\n");
	buf_adds(c->out, "<result>\n  <row id=\"1\">\n    <data>");
	xml_escape(c->out, buf_sv(&reply), false);
	buf_adds(c->out, "</data>\n  </row>\n</result>\n");
	buf_fini(&reply);
	mem_free(cmd);
	return ST_OK;
}

int api_xml_flush_cache(struct api_call *c)
{
	role_assert_ctl();
	return buf_printf(
	    c->out, "+OK cleared %zu entries\n", dir_forget()); /* nothing else is cached outside of the snapshot */
}

/* ---- modules --------------------------------------------------------------------------------------------------- */
static const char *load_failure(int st, const char *why)
{
	return st == ST_EXISTS             ? "Module already loaded"
	       : st == ST_NOTFOUND || !why ? "module load file routine returned an error"
	                                   : why;
}

int api_load(struct api_call *c)
{
	role_assert_co();
	if (!c->who && api_is_outside(c, c->text))
		return ST_OK;
	struct reload_wait w;
	const char *why = NULL;
	if (!*c->args)
		return api_usage(c, "load");
	if (reload_now(&w))
		buf_printf(c->out, "-ERR [%s]\n", w.message);
	else
		buf_adds(c->out, "+OK Reloading XML\n");
	int st = module_load(c->args, &why);
	if (st)
		buf_printf(c->out, "-ERR [%s]\n", load_failure(st, why));
	else
		buf_adds(c->out, "+OK\n");
	return ST_OK;
}

static const char *skip_force(const char *args)
{
	return !strncmp(args, "-f ", 3) ? args + 3 + strspn(args + 3, " ") : args;
}

static CO int unload_one(const char *name, const char **why)
{
	*why = NULL;
	if (!strcasecmp(name, "mod_commands")) {
		*why = "Module is not unloadable";
		return ST_DENIED;
	}
	int st = module_unload(name, why);
	if (st == ST_NOTFOUND)
		*why = "No such module!";
	else if (st && !*why)
		*why = st == ST_BUSY ? "Module in use, cannot unload" : status_text(st);
	return st;
}

int api_unload(struct api_call *c)
{
	role_assert_co();
	if (!c->who && api_is_outside(c, c->text))
		return ST_OK;
	const char *name = skip_force(c->args), *why;
	if (!*name)
		return api_usage(c, "unload");
	if (unload_one(name, &why))
		buf_printf(c->out, "-ERR [%s]\n", why);
	else
		buf_adds(c->out, "+OK\n");
	return ST_OK;
}

int api_reload(struct api_call *c)
{
	role_assert_co();
	if (!c->who && api_is_outside(c, c->text))
		return ST_OK;
	struct reload_wait w;
	const char *name = skip_force(c->args), *why;
	if (!*name)
		return api_usage(c, "reload");
	if (reload_now(&w))
		buf_printf(c->out, "-ERR [%s]\n", w.message);
	else
		buf_adds(c->out, "+OK Reloading XML\n");
	if (unload_one(name, &why))
		buf_printf(c->out, "-ERR unloading module [%s]\n", why);
	else
		buf_adds(c->out, "+OK module unloaded\n");
	why = NULL;
	int st = module_load(name, &why);
	if (st)
		buf_printf(c->out, "-ERR loading module [%s]\n", load_failure(st, why));
	else
		buf_adds(c->out, "+OK module loaded\n");
	return ST_OK;
}

int api_module_exists(struct api_call *c)
{
	role_assert_ctl();
	return *c->args ? api_text(c, module_is_loaded(c->args) ? "true" : "false") : ST_OK;
}

int api_log(struct api_call *c)
{
	role_assert_ctl();
	char level_text[16] = "";
	enum log_level level = LOG_DEBUG;
	size_t n = strcspn(c->args, " ");
	strncat(level_text, c->args, n < sizeof(level_text) ? n : sizeof(level_text) - 1);
	bool has_level = n && !log_level_parse(level_text, &level);
	const char *text = has_level ? c->args + n + strspn(c->args + n, " ") : c->args;
	if (*text)
		log_uuid(level, c->leg ? c->leg->uuid : NULL, "%s", text);
	return api_text(c, "+OK\n");
}
