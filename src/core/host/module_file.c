/* Modules built outside of the tree: NAME.so in the module directory with one object, tandem_module
 * (include/tandem/module.h). Opening and closing touch the disk and run the file's own code, so a worker does it when a
 * command asks; at the program's start and end it is done here and now. */
#include "base/log.h"
#include "base/mem.h"
#include "core/host/module_i.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "core/registry/app.h"
#include "core/registry/module.h"
#include "core/registry/registry.h"
#include "core/value/self.h"
#include "loop/co.h"
#include <ctype.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ROWS_MAX = 1000 };

bool module_name_is_good(const char *name)
{
	size_t n = strlen(name);

	if (!n || n >= MODULE_NAME_CHARS)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)name[i]) && name[i] != '_' && name[i] != '-')
			return false;
	return true;
}

/* ---- on a worker ---- */

struct job {
	const char *path;
	void *handle;
	const struct tandem_module *desc;
	int status;
	char why[MODULE_WHY_CHARS];
};

static void open_job(void *arg)
{
	struct job *j = arg;
	const char *error;

	if (access(j->path, F_OK)) {
		j->status = ST_NOTFOUND;
		snprintf(j->why, sizeof(j->why), "there is no file %s", j->path);
		return;
	}
	j->handle = dlopen(j->path, RTLD_NOW | RTLD_LOCAL);
	if (!j->handle) {
		error = dlerror();
		j->status = ST_INVAL;
		snprintf(j->why, sizeof(j->why), "cannot be loaded: %s", error ? error : j->path);
		return;
	}
	j->desc = dlsym(j->handle, "tandem_module");
}

static void close_job(void *arg)
{
	dlclose(arg);
}

static ON_CTL void run_job(const char *name, void (*fn)(void *arg), void *arg)
{
	int st = ST_NOMEM;

	if (co_self()) {
		role_assert_co();
		st = co_work(WORK_MODULE, name, fn, arg);
	}
	if (st == ST_NOMEM || st == ST_FULL) /* not begun */
		fn(arg);
}

/* ---- checks ---- */

static int check(const struct job *j, const char *name, char why[MODULE_WHY_CHARS])
{
	const struct tandem_module *d = j->desc;

	if (!d) {
		snprintf(why, MODULE_WHY_CHARS, "%s is no module of Tandem: it has no tandem_module", j->path);
		return ST_INVAL;
	}
	if (d->abi != TANDEM_MODULE_ABI) {
		snprintf(why, MODULE_WHY_CHARS,
		    "%s was built for version %u of the module interface, this Tandem has version %u: build it anew",
		    name, d->abi, TANDEM_MODULE_ABI);
		return ST_UNSUPPORTED;
	}
	if (d->bytes < sizeof(*d) || !d->name || strcmp(d->name, name) || !d->load) {
		snprintf(why, MODULE_WHY_CHARS, "%s calls itself '%s' or has no load function", j->path,
		    d->bytes >= sizeof(*d) && d->name ? d->name : "");
		return ST_INVAL;
	}
	return ST_OK;
}

/* ---- its tables, as the registry reads them ---- */

static int copy_apps(struct tandem_self *m)
{
	const struct tandem_app *from = m->desc->apps;
	struct app_desc *to;
	size_t n = 0;

	while (from && from[n].name && n < ROWS_MAX)
		n++;
	to = mem_zalloc((n + 1) * sizeof(*to));
	if (!to)
		return ST_NOMEM;
	for (size_t i = 0; i < n; i++)
		to[i] = (struct app_desc){.name = from[i].name,
		    .description = from[i].description,
		    .syntax = from[i].syntax,
		    .flags = from[i].flags,
		    .outside = &from[i],
		    .owner = m};
	m->module.apps = to;
	return ST_OK;
}

static int copy_apis(struct tandem_self *m)
{
	const struct tandem_api *from = m->desc->apis;
	struct api_desc *to;
	size_t n = 0;

	while (from && from[n].name && n < ROWS_MAX)
		n++;
	to = mem_zalloc((n + 1) * sizeof(*to));
	if (!to)
		return ST_NOMEM;
	for (size_t i = 0; i < n; i++)
		to[i] = (struct api_desc){.name = from[i].name,
		    .description = from[i].description,
		    .syntax = from[i].syntax,
		    .flags = API_MAY_WAIT | API_OWN_REPLY,
		    .outside = &from[i],
		    .owner = m};
	m->module.apis = to;
	return ST_OK;
}

static ON_CTL void self_free(struct tandem_self *m)
{
	module_host_drop(m);
	if (m->handle && !m->brought_count)
		run_job("module close", close_job, m->handle);
	mem_free((void *)m->module.apps);
	mem_free((void *)m->module.apis);
	mem_free(m->path);
	mem_free(m);
}

void module_file_close(struct tandem_self *m)
{
	char *path = m->path;
	void *still;

	m->path = NULL;
	if (m->brought_count) { /* at the program's end */
		mem_free(path);
		self_free(m);
		return;
	}
	self_free(m);
	/* The C library keeps a file that asked for it; a rebuilt one would not be seen. */
	still = path ? dlopen(path, RTLD_NOW | RTLD_NOLOAD) : NULL;
	if (still) {
		log_warning("%s stays in memory: a new version of it needs a restart", path);
		dlclose(still);
	}
	mem_free(path);
}

static ON_CTL struct tandem_self *self_new(const char *name)
{
	struct tandem_self *m = mem_zalloc(sizeof(*m));
	struct buf path;

	if (!m)
		return NULL;
	list_init(&m->subscriptions);
	list_init(&m->timers);
	snprintf(m->name, sizeof(m->name), "%s", name);
	buf_init(&path);
	buf_printf(&path, "%s/%s.so", core_dirs() && core_dirs()->mod ? core_dirs()->mod : ".", name);
	m->path = buf_take(&path);
	m->module.abi = MODULE_ABI, m->module.name = m->name, m->module.filename = m->path;
	m->module.outside = m;
	return m;
}

struct edge {
	struct tandem_self *m;
	bool is_load;
	int status;
};

static void edge_main(void *arg)
{
	struct edge *e = arg;
	e->status = e->is_load ? e->m->desc->load(&module_host, e->m) : e->m->desc->unload();
}

static ON_CTL int edge_call(struct edge *e)
{
	int st = ST_OK;
	e->m->use_count++;
	module_host_at_once(true);
	if (co_self()) {
		role_assert_co();
		st = co_call_deep(edge_main, e);
	} else {
		edge_main(e);
	}
	module_host_at_once(false);
	e->m->use_count--;
	return st ? st : e->status;
}

int module_file_load(struct tandem_self *m)
{
	return edge_call(&(struct edge){.m = m, .is_load = true});
}

int module_file_unload(struct tandem_self *m)
{
	return edge_call(&(struct edge){.m = m});
}

int module_file_open(const char *name, struct tandem_self **out, char why[MODULE_WHY_CHARS])
{
	struct job j = {0};
	struct tandem_self *m;
	int st;

	if (!module_name_is_good(name)) {
		snprintf(why, MODULE_WHY_CHARS, "'%.60s' is no name of a module", name);
		return ST_INVAL;
	}
	m = self_new(name);
	if (!m)
		return ST_NOMEM;
	j.path = m->path;
	run_job("module open", open_job, &j);
	m->handle = j.handle;
	st = j.status;
	if (st)
		memcpy(why, j.why, sizeof(j.why));
	else
		st = check(&j, name, why);
	if (!st) {
		m->desc = j.desc;
		st = copy_apps(m);
	}
	if (!st)
		st = copy_apis(m);
	if (!st) {
		st = module_file_load(m);
		if (st) {
			snprintf(why, MODULE_WHY_CHARS, "its load function failed: %s", status_text(st));
			st = ST_INVAL;
		}
	}
	if (st) {
		self_free(m);
		return st;
	}
	*out = m;
	return ST_OK;
}

/* ---- calling what is in it, on a stack that fits a stranger's code ---- */

struct call {
	struct tandem_self *owner;
	const struct tandem_app *app;
	struct leg *leg;
	const char *data;
	const struct tandem_api *api;
	struct api_call *command;
	int status;
};

static void call_main(void *arg)
{
	struct call *c = arg;

	if (c->app)
		c->status = c->app->run((struct tandem_leg *)(void *)c->leg, c->data);
	else
		c->status = c->api->run((struct tandem_command *)(void *)c->command, c->command->args);
}

/* What a module returns is no way to detach. */
static CO int call_outside(struct call *c)
{
	int st;

	c->owner->use_count++;
	st = co_call_deep(call_main, c);
	c->owner->use_count--;
	return st ? st : c->status > 0 ? ST_OK : c->status;
}

static int app_outside(const struct app_desc *app, struct leg *leg, const char *data)
{
	struct call c = {.owner = app->owner, .app = app->outside, .leg = leg, .data = data};
	role_assert_co();
	return call_outside(&c);
}

static int api_outside(const struct api_desc *api, struct api_call *call)
{
	struct call c = {.owner = api->owner, .api = api->outside, .command = call};
	role_assert_co();
	return call_outside(&c);
}

static void outside_keep(struct tandem_self *m, bool is_held)
{
	role_assert_ctl();
	m->use_count += is_held ? 1 : -1u;
}

const struct registry_outside module_outside = {app_outside, api_outside, outside_keep};
