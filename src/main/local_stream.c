/* mod_local_stream: hands the directories of local_stream.conf to the media side. Runs at load and again after
 * reloadxml. */
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/registry/api.h"
#include "core/registry/complete.h"
#include "core/registry/module.h"
#include "main/modules.h"
#include "media/ctl/mctl.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static ON_CTL void add_directory(const struct xml_node *dir)
{
	const char *name = xml_attr(dir, "name"), *path = xml_attr(dir, "path");
	uint32_t rate_hz = 8000;
	bool is_shuffled = false;

	if (!name || !path) {
		log_warning("%s:%u: a local_stream directory needs a name and a path", dir->file, dir->line);
		return;
	}
	xml_each(dir, "param", p)
	{
		const char *key = xml_attr_or(p, "name", ""), *value = xml_attr_or(p, "value", "");

		if (!strcmp(key, "rate"))
			rate_hz = (uint32_t)strtoul(value, NULL, 10);
		else if (!strcmp(key, "shuffle"))
			is_shuffled = str_is_true(value);
	}
	if (rate_hz < 8000 || rate_hz > 48000)
		rate_hz = 8000;
	if (mctl_local_stream_add(name, path, rate_hz, is_shuffled))
		log_warning("%s:%u: local_stream '%s': the directory %s has no sound to play", dir->file, dir->line,
		    name, path);
}

static const struct complete_list lists[2];

static int load(void)
{
	role_assert_ctl();
	mctl_local_stream_clear();
	xml_each(config_conf("local_stream.conf"), "directory", dir) add_directory(dir);
	return complete_lists_add(lists);
}

static int unload(void)
{
	role_assert_ctl();
	complete_lists_del(lists);
	mctl_local_stream_clear();
	return ST_OK;
}

/* ---- the command ---- */

struct shown {
	struct buf *out;
	const char *name; /* NULL: all, a line each */
	bool is_found;
};

static void show_one(const char *name, const char *dir, bool is_shuffled, void *arg)
{
	struct shown *s = arg;

	if (!s->name) {
		buf_printf(s->out, "%s,%s\n", name, dir);
	} else if (!strcasecmp(name, s->name)) {
		s->is_found = true;
		buf_printf(s->out, "%s\n  location: %s\n  shuffle:  %s\n", name, dir, is_shuffled ? "true" : "false");
	}
}

static ON_CTL int not_found(struct buf *out, const char *name)
{
	return buf_printf(out, "-ERR Cannot locate local_stream %s!\n", name);
}

/* Begins the stream of the configuration anew: its directory is read again, and it plays from its first file. */
static ON_CTL int begin(struct buf *out, const char *name)
{
	const struct xml_node *dir = xml_child_with(config_conf("local_stream.conf"), "directory", "name", name);

	if (!dir)
		return not_found(out, name);
	mctl_local_stream_del(name);
	add_directory(dir);
	return buf_printf(out, "+OK stream: %s\n", name);
}

static int api_local_stream(struct api_call *c)
{
	struct sv verb, rest, name_text;
	char *name;

	role_assert_ctl();
	sv_split(sv_trim(sv_of(c->args)), ' ', &verb, &rest);
	sv_split(sv_trim(rest), ' ', &name_text, &rest);
	struct shown s = {.out = c->out, .name = name = name_text.n ? sv_dup(name_text) : NULL};
	bool is_begin = sv_isi(verb, "start") || sv_isi(verb, "reload") || sv_isi(verb, "hup");
	if (sv_isi(verb, "show")) {
		mctl_local_stream_each(show_one, &s);
		if (name && !s.is_found)
			not_found(c->out, name);
	} else if (name && is_begin) {
		begin(c->out, name);
	} else if (name && sv_isi(verb, "stop")) {
		if (mctl_local_stream_del(name))
			buf_adds(c->out, "+OK\n");
		else
			not_found(c->out, name);
	} else {
		buf_adds(c->out, "-USAGE: <show|start|reload|stop|hup> <local_stream_name>\n");
	}
	mem_free(name);
	return ST_OK;
}

static void list_streams(const char *const *before, int count, void (*add)(const char *word, void *arg), void *arg)
    ON_CTL
{
	xml_each(config_conf("local_stream.conf"), "directory", dir) if (xml_attr(dir, "name"))
	    add(xml_attr(dir, "name"), arg);
}

static const struct complete_list lists[2] = {{"local_stream::list", list_streams}, {NULL, NULL}};
static const char *const complete_words[] = {"local_stream ::[show:start:reload:stop:hup ::local_stream::list", NULL};
static const struct api_desc apis[] = {
    {"local_stream", "manage local streams", "<show|start|reload|stop|hup> <local_stream_name>", 0, api_local_stream,
        complete_words},
    {0}};
const struct module mod_local_stream = {
    .abi = MODULE_ABI, .name = "mod_local_stream", .load = load, .unload = unload, .apis = apis};
