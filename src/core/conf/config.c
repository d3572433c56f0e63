/* Configuration snapshots. A load takes a copy of the globals, preprocesses, parses, writes the preprocessed text for
 * people to look at, and makes what the stages derive; it touches nothing that runs, so it may happen on a worker. Only
 * the swap, on the control thread, changes the world. */
#include "core/conf/config.h"
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config_i.h"
#include "core/conf/source.h"
#include "core/event/event.h"
#include "loop/co.h"
#include "loop/loop.h"
#include "loop/work.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG_MAX_STAGES 16
#define RELOAD_GRACE_MS 10000

struct config {
	struct xml_doc *doc;
	struct pre_set *sets;
	size_t set_count;
	void *made[CONFIG_MAX_STAGES];
	bool was_made[CONFIG_MAX_STAGES];
	struct config_extras extras;
};

static struct {
	char *conf_dir, *main_file, *fsxml_file;
	bool (*has_file)(const char *conf);
	struct config *current;
	unsigned generation;
	bool is_reloading;
	const struct config_stage *stages[CONFIG_MAX_STAGES];
	int stage_count;
	struct {
		void (*fn)(void *arg);
		void *arg;
	} listeners[64];
	size_t listener_count;
} state;

void config_extras_fini(struct config_extras *e)
{
	for (size_t i = 0; i < e->count; i++) {
		mem_free(e->list[i].name);
		mem_unref(e->list[i].doc);
	}
	mem_free(e->list);
	*e = (struct config_extras){0};
}

const struct config_extra *config_extra_of(const struct config *cfg, const char *name)
{
	for (size_t i = 0; cfg && i < cfg->extras.count; i++)
		if (sv_isi(sv_of(name), cfg->extras.list[i].name))
			return &cfg->extras.list[i];
	return NULL;
}

static void config_free(void *obj)
{
	struct config *cfg = obj;

	for (int i = 0; i < state.stage_count; i++)
		if (cfg->made[i] && state.stages[i]->free_fn)
			state.stages[i]->free_fn(cfg->made[i]);
	for (size_t i = 0; i < cfg->set_count; i++) {
		mem_free(cfg->sets[i].name);
		mem_free(cfg->sets[i].value);
	}
	mem_free(cfg->sets);
	config_extras_fini(&cfg->extras);
	mem_unref(cfg->doc);
}

int config_init(const struct config_source *source, const struct config_global *builtins, size_t count)
{
	struct buf path;

	buf_init(&path);
	if (source->main_file && *source->main_file == '/')
		buf_adds(&path, source->main_file);
	else
		buf_printf(&path, "%s/%s", source->conf_dir, source->main_file ? source->main_file : "freeswitch.xml");
	mem_free(state.conf_dir);
	mem_free(state.main_file);
	mem_free(state.fsxml_file);
	state.conf_dir = mem_strdup(source->conf_dir);
	state.main_file = path.failed ? NULL : buf_take(&path);
	state.fsxml_file = mem_strdup(source->fsxml_file);
	state.has_file = source->has_file;
	buf_fini(&path);
	if (!state.conf_dir || !state.main_file)
		return ST_NOMEM;
	for (size_t i = 0; i < count; i++)
		globals_set(builtins[i].name, builtins[i].value);
	return ST_OK;
}

void config_fini(void)
{
	state.current = mem_unref(state.current);
	mem_free(state.conf_dir);
	mem_free(state.main_file);
	mem_free(state.fsxml_file);
	memset(&state, 0, sizeof state);
	globals_fini();
}

/* ---- loading ------------------------------------------------------------------------------------------------- */

struct config_load {
	char *main_file, *fsxml_file;
	struct hash *vars; /* taken by the preprocessor */
	struct config_loaded result;
	struct config_extras extras;
	int status;
	config_done_fn done;
	void *arg;
	struct ltimer timer;
	bool is_given_up;
};

static void copy_global(const char *name, const char *value, void *arg)
{
	struct hash **vars = arg;
	char *copy = *vars ? mem_strdup(value) : NULL;
	if (*vars && (!copy || hash_set(*vars, sv_of(name), copy))) {
		mem_free(copy);
		hash_free(*vars);
		*vars = NULL;
	}
}

struct hash *config_globals_copy(void)
{
	struct hash *vars = NULL;
	if (!hash_new(&vars, HASH_NOCASE, mem_free))
		globals_each(copy_global, &vars);
	return vars;
}

static void config_load_free(struct config_load *l)
{
	hash_free(l->vars);
	config_extras_fini(&l->extras);
	mem_free(l->main_file);
	mem_free(l->fsxml_file);
	mem_unref(l->result.cfg);
	mem_free(l);
}

ON_CTL static struct config_load *config_load_prepare(void)
{
	struct config_load *l = mem_zalloc(sizeof *l);

	if (!l)
		return NULL;
	l->main_file = mem_strdup(state.main_file);
	l->fsxml_file = mem_strdup(state.fsxml_file);
	l->vars = config_globals_copy();
	if (!l->vars || !l->main_file) {
		config_load_free(l);
		return NULL;
	}
	return l;
}

/* Beside the old one, then renamed: a reader never sees half of it. */
static void write_fsxml(const char *path, struct sv text)
{
	struct buf fresh;
	int fd;

	buf_init(&fresh);
	buf_printf(&fresh, "%s.new", path);
	fd = fresh.p ? open(fresh.p, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1; /* passwords are in it */
	bool is_written = fd >= 0 && write(fd, text.p, text.n) == (ssize_t)text.n;
	if (fd >= 0)
		close(fd);
	if (!is_written || rename(fresh.p, path))
		log_warning("cannot write %s: %s", path, strerror(errno));
	buf_fini(&fresh);
}

static void config_make_stages(struct config *cfg)
{
	for (int i = 0; i < state.stage_count; i++) {
		if (cfg->was_made[i])
			continue;
		cfg->was_made[i] = true;
		int st = state.stages[i]->make(cfg, &cfg->made[i]);
		if (st)
			log_error("configuration: %s: %s", state.stages[i]->name, status_text(st));
	}
}

/* arg: the struct pre. What is no XML and taken all the same. */
static void warn_of_text(const char *warning, void *arg)
{
	const struct pre *pre = arg;
	if (pre->report)
		pre->report(warning, pre->report_arg);
	else
		log_warning("%s", warning);
}

int config_of_text(struct config **out, struct pre *pre, const char *main_file, char error[CONFIG_ERROR_CHARS])
{
	struct config *cfg = mem_new_atomic(sizeof *cfg, config_free, "core.config");
	int st = cfg ? xml_parse_lenient(&cfg->doc, pre->out.p, pre->out.n, main_file, pre->map, pre->map_count,
	                   warn_of_text, pre, error)
	             : ST_NOMEM;

	if (st)
		mem_unref(cfg);
	else
		*out = cfg;
	return st;
}

const struct config_stage *config_stage_at(int i)
{
	return i < state.stage_count ? state.stages[i] : NULL;
}

/* What core itself reads; the modules' files main knows. */
bool config_has_file(const char *conf)
{
	static const char *const own[] = {"acl.conf", "modules.conf", "pre_load_modules.conf", "post_load_modules.conf",
	    "post_load_switch.conf", "switch.conf", "timezones.conf"};

	for (size_t i = 0; i < ARRAY_COUNT(own); i++)
		if (sv_isi(sv_of(conf), own[i]))
			return true;
	return !state.has_file || state.has_file(conf);
}

const char *config_dir(void)
{
	return state.conf_dir;
}

const char *config_main_file(void)
{
	return state.main_file;
}

/* ANY thread. Stages are registered at start only, so reading their table here is safe. */
static void config_load_run(struct config_load *l)
{
	char *error = l->result.error;
	struct pre pre;
	struct config *cfg = NULL;

	l->status = pre_init(&pre, l->vars);
	l->vars = NULL;
	if (!l->status)
		l->status = pre_file(&pre, l->main_file, 0);
	if (l->status) {
		snprintf(error, CONFIG_ERROR_CHARS, "%s:1:1: cannot be read: %s", l->main_file,
		    pre.why ? pre.why : status_text(l->status));
		goto out;
	}
	if (l->fsxml_file)
		write_fsxml(l->fsxml_file, buf_sv(&pre.out));
	l->status = config_of_text(&cfg, &pre, l->main_file, error);
	if (l->status == ST_PARSE && pre_drop_foreign(&pre))
		l->status = config_of_text(&cfg, &pre, l->main_file, error);
	if (l->status) {
		if (l->status == ST_PARSE)
			pre_blame(
			    &pre, error); /* an element left open is found at the end of all, which helps nobody */
		goto out;
	}
	cfg->sets = pre.sets, cfg->set_count = pre.set_count;
	pre.sets = NULL, pre.set_count = 0;
	cfg->extras = l->extras;
	l->extras = (struct config_extras){0};
	config_make_stages(cfg);
	l->result.cfg = cfg;
out:
	pre_fini(&pre);
}

int config_load(struct config **out, char error[CONFIG_ERROR_CHARS])
{
	struct config_load *l = config_load_prepare();
	int st = ST_NOMEM;

	if (error)
		error[0] = 0;
	if (!l)
		return ST_NOMEM;
	config_load_run(l);
	st = l->status;
	if (error)
		memcpy(error, l->result.error, CONFIG_ERROR_CHARS);
	if (!st) {
		*out = l->result.cfg;
		l->result.cfg = NULL;
	}
	config_load_free(l);
	return st;
}

static void reload_on_worker(void *arg)
{
	role_assert_work();
	config_load_run(arg);
}

static void reload_done(int status, void *arg)
{
	struct config_load *l = arg;
	role_assert_ctl();

	loop_timer_cancel(&l->timer);
	if (!status)
		status = l->status;
	state.is_reloading = false;
	if (l->is_given_up) {
		log_warning("reloadxml: what was given up has ended and is dropped");
	} else if (status) {
		log_error("reloadxml: %s; the running configuration stays",
		    *l->result.error ? l->result.error : status_text(status));
	} else {
		config_swap(l->result.cfg);
		l->result.cfg = NULL;
		if (event_is_wanted(EVENT_RELOADXML, NULL))
			event_fire(event_new(EVENT_RELOADXML, NULL));
	}
	if (l->done)
		l->done(status, !status ? "Success" : *l->result.error ? l->result.error : status_text(status), l->arg);
	config_load_free(l);
}

/* The preprocessor looks at the clock itself; this is for a worker that a disk holds. */
static void reload_late(void *arg)
{
	struct config_load *l = arg;
	config_done_fn done = l->done;
	role_assert_ctl();

	l->is_given_up = true;
	l->done = NULL;
	log_error("reloadxml: the files cannot be read in time; the running configuration stays");
	if (done)
		done(ST_TIMEOUT, "the files cannot be read in time", l->arg);
}

/* What others answer for comes first, then the files. */
static void reload_gather(void *arg)
{
	struct config_load *l = arg;
	int st = ST_CANCELLED;

	role_assert_co();
	co_sleep(0); /* whoever asked for the reload has armed its timer */
	overlay_gather(&l->extras);
	if (!l->is_given_up)
		st = work_submit(WORK_CONFIG, "reloadxml", reload_on_worker, reload_done, l);
	if (st)
		reload_done(st, l);
}

int config_reload(config_done_fn done, void *arg)
{
	struct config_load *l;
	int st;

	if (state.is_reloading)
		return ST_BUSY;
	l = config_load_prepare();
	if (!l)
		return ST_NOMEM;
	l->done = done, l->arg = arg;
	if (source_is_bound("configuration"))
		st = co_spawn("reloadxml", reload_gather, l, NULL);
	else
		st = work_submit(WORK_CONFIG, "reloadxml", reload_on_worker, reload_done, l);
	if (st)
		config_load_free(l);
	else
		loop_timer_set(&l->timer, (PRE_LOAD_MS + RELOAD_GRACE_MS) * 1000LL, "reloadxml", reload_late, l);
	if (!st)
		state.is_reloading = true;
	return st;
}

/* ---- the current one ----------------------------------------------------------------------------------------- */

void config_swap(struct config *cfg)
{
	struct config *old = state.current;

	state.current = cfg;
	state.generation++;
	for (size_t i = 0; cfg && i < cfg->set_count; i++)
		globals_set(cfg->sets[i].name, cfg->sets[i].value);
	for (size_t i = 0; i < state.listener_count; i++)
		state.listeners[i].fn(state.listeners[i].arg);
	mem_unref(old);
}

struct config *config_current(void)
{
	return state.current;
}

unsigned config_generation(void)
{
	return state.generation;
}

int config_on_swap(void (*fn)(void *arg), void *arg)
{
	if (state.listener_count >= ARRAY_COUNT(state.listeners))
		return ST_FULL;
	state.listeners[state.listener_count].fn = fn;
	state.listeners[state.listener_count++].arg = arg;
	return ST_OK;
}

void config_on_swap_del(void (*fn)(void *arg), void *arg)
{
	size_t kept = 0;
	for (size_t i = 0; i < state.listener_count; i++)
		if (state.listeners[i].fn != fn || state.listeners[i].arg != arg)
			state.listeners[kept++] = state.listeners[i];
	state.listener_count = kept;
}

int config_stage_add(const struct config_stage *stage, int *slot)
{
	if (state.stage_count >= CONFIG_MAX_STAGES || state.is_reloading)
		return ST_FULL;
	*slot = state.stage_count;
	state.stages[state.stage_count++] = stage;
	return ST_OK;
}

void *config_stage_get(int slot)
{
	struct config *cfg = state.current;
	DCHECK(slot >= 0 && slot < state.stage_count);
	if (cfg && !cfg->was_made[slot])
		config_make_stages(cfg); /* registered after this snapshot was loaded */
	return cfg ? cfg->made[slot] : NULL;
}

const struct xml_node *config_root(const struct config *cfg)
{
	return cfg ? xml_root(cfg->doc) : NULL;
}

struct xml_doc *config_doc(const struct config *cfg)
{
	return cfg->doc;
}

const struct xml_node *config_section_of(const struct config *cfg, const char *name)
{
	const struct xml_node *root = config_root(cfg), *node = xml_child_with(root, "section", "name", name);
	if (!node && !strcmp(name, "languages"))
		node = xml_child_with(root, "section", "name", "phrases");
	if (!node && !strcmp(name, "phrases"))
		node = xml_child_with(root, "section", "name", "languages");
	return node;
}

const struct xml_node *config_conf_of(const struct config *cfg, const char *name)
{
	const struct config_extra *extra = config_extra_of(cfg, name);

	return extra ? extra->node
	             : xml_child_with(config_section_of(cfg, "configuration"), "configuration", "name", name);
}

const struct xml_node *config_section(const char *name)
{
	return config_section_of(state.current, name);
}

const struct xml_node *config_conf(const char *name)
{
	return config_conf_of(state.current, name);
}

static const struct xml_node *param_find(const struct xml_node *settings, const char *name)
{
	const struct xml_node *found = NULL;
	xml_each(settings, "param", p) if (sv_isi(sv_of(xml_attr(p, "name")), name)) found = p;
	return found;
}

const char *config_param(const struct xml_node *settings, const char *name, const char *otherwise)
{
	const struct xml_node *p = param_find(settings, name);
	return p ? xml_attr_or(p, "value", "") : otherwise;
}

const char *config_param_at(const struct xml_node *settings, const char *name, char out[CONFIG_AT_CHARS])
{
	const struct xml_node *p = param_find(settings, name);
	*out = 0;
	if (p && p->file)
		snprintf(out, CONFIG_AT_CHARS, "%s:%u: ", p->file, p->line);
	return out;
}
