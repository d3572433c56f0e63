/* mod_local_stream: hands the directories of local_stream.conf to the media side. Runs at load and again after
 * reloadxml. */
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/registry/api.h"
#include "core/registry/complete.h"
#include "core/registry/module.h"
#include "core/value/self.h"
#include "main/modules.h"
#include "media/ctl/mctl.h"
#include "text/xml.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { CHIME_EVERY_S = 30, VOLUME_MAX_DB = 50, SECONDS_MAX = 86400 };

static ON_CTL void wrong(const struct xml_node *p, const char *why)
{
	log_warning("%s:%u: local_stream: %s: \"%s\" %s", p->file, p->line, xml_attr_or(p, "name", ""),
	    xml_attr_or(p, "value", ""), why);
}

/* Within its bounds, or otherwise after a line in the log. */
static ON_CTL int number_of(const struct xml_node *p, int low, int high, int otherwise)
{
	int64_t n;

	if (!sv_i64(sv_trim(sv_of(xml_attr_or(p, "value", ""))), &n) && n >= low && n <= high)
		return (int)n;
	wrong(p, "is out of range");
	return otherwise;
}

/* Relative ones lie under the sounds. */
static ON_CTL void chimes_add(struct buf *out, const char *value)
{
	struct sv rest = sv_of(value), one;

	buf_clear(out);
	while (rest.n) {
		sv_split(rest, ',', &one, &rest);
		one = sv_trim(one);
		if (!one.n)
			continue;
		if (out->n)
			buf_addc(out, ',');
		if (one.p[0] != '/')
			buf_printf(out, "%s/", core_dirs() ? core_dirs()->sounds : "");
		buf_addv(out, one);
	}
}

/* What nobody has to set here (one clock for all listeners, rates by the listeners' codecs), and FreeSWITCH's pictures.
 */
static bool is_known(const char *key, bool *is_done)
{
	static const char *const needless[] = {"rate", "interval", "prebuf", "timer-name", NULL};
	static const char *const missing[] = {"auto-volume", "auto-volume-low-point", "blank-img", "logo-img",
	    "logo-always", "logo-position", "logo-opacity", "text-opacity", NULL};

	*is_done = false;
	for (const char *const *k = missing; *k; k++)
		if (!strcasecmp(key, *k))
			return true;
	*is_done = true;
	for (const char *const *k = needless; *k; k++)
		if (!strcasecmp(key, *k))
			return true;
	return false;
}

static ON_CTL void param_take(struct mctl_local_conf *conf, const struct xml_node *p, struct buf *chimes)
{
	const char *key = xml_attr_or(p, "name", ""), *value = xml_attr_or(p, "value", "");
	bool is_done;

	if (!strcasecmp(key, "shuffle"))
		conf->is_shuffled = str_is_true(value);
	else if (!strcasecmp(key, "channels"))
		conf->channels = (unsigned)number_of(p, 1, 2, 1);
	else if (!strcasecmp(key, "volume"))
		conf->volume_db = number_of(p, -VOLUME_MAX_DB, VOLUME_MAX_DB, 0);
	else if (!strcasecmp(key, "chime-list"))
		chimes_add(chimes, value);
	else if (!strcasecmp(key, "chime-freq"))
		conf->chime_every_s = (unsigned)number_of(p, 2, SECONDS_MAX, CHIME_EVERY_S);
	else if (!strcasecmp(key, "chime-max"))
		conf->chime_max_s = (unsigned)number_of(p, 2, SECONDS_MAX, 0);
	else if (!is_known(key, &is_done))
		wrong(p, "is no parameter of a local stream");
	else if (!is_done)
		wrong(p, "is not done here");
}

static ON_CTL void add_directory(const struct xml_node *dir)
{
	const char *name = xml_attr(dir, "name"), *path = xml_attr(dir, "path");
	struct mctl_local_conf conf = {.dir = path, .channels = 1, .chime_every_s = CHIME_EVERY_S};
	struct buf chimes;

	if (!name || !path) {
		log_warning("%s:%u: a local_stream directory needs a name and a path", dir->file, dir->line);
		return;
	}
	buf_init(&chimes);
	xml_each(dir, "param", p) param_take(&conf, p, &chimes);
	conf.chimes = chimes.n ? chimes.p : NULL;
	if (chimes.failed || mctl_local_stream_add(name, &conf))
		log_error("%s:%u: local_stream '%s': there is no memory for it", dir->file, dir->line, name);
	buf_fini(&chimes);
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
	bool is_xml, is_found;
};

static ON_CTL void show_fields(struct shown *s, const char *name, const struct mctl_local_conf *conf, size_t listeners)
{
	const struct xml_node *dir = xml_child_with(config_conf("local_stream.conf"), "directory", "name", name);
	unsigned long rate_hz = strtoul(config_param(dir, "rate", "8000"), NULL, 10);
	unsigned long interval_ms = strtoul(config_param(dir, "interval", "20"), NULL, 10);
	char channels[16], rate[24], interval[24], samples[24], total[24];
	const struct {
		const char *label, *value;
	} fields[] = {{"location", conf->dir}, {"channels", channels}, {"rate", rate}, {"interval", interval},
	    {"samples", samples}, {"prebuf", config_param(dir, "prebuf", "65536")},
	    {"timer", config_param(dir, "timer-name", "soft")}, {"total", total},
	    {"shuffle", conf->is_shuffled ? "true" : "false"}, {"ready", "true"}, {"stopped", "false"},
	    {"reloading", "false"}};

	snprintf(channels, sizeof(channels), "%u", conf->channels);
	snprintf(rate, sizeof(rate), "%lu", rate_hz);
	snprintf(interval, sizeof(interval), "%lu", interval_ms);
	snprintf(samples, sizeof(samples), "%lu", rate_hz * interval_ms / 1000);
	snprintf(total, sizeof(total), "%zu", listeners);
	if (s->is_xml) {
		buf_adds(s->out, "<?xml version=\"1.0\"?>\n<local_stream name=\"");
		xml_escape(s->out, sv_of(name), true);
		buf_adds(s->out, "\">\n");
	} else {
		buf_printf(s->out, "%s\n", name);
	}
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]) - s->is_xml; i++) {
		if (!s->is_xml) {
			char label[16];
			snprintf(label, sizeof(label), "%s:", fields[i].label);
			buf_printf(s->out, "  %-9s %s\n", label, fields[i].value);
			continue;
		}
		buf_printf(s->out, "  <%s>", fields[i].label);
		xml_escape(s->out, sv_of(fields[i].value), false);
		buf_printf(s->out, "</%s>\n", fields[i].label);
	}
	if (s->is_xml)
		buf_adds(s->out, "</local_stream>\n");
}

static void show_one(const char *name, const struct mctl_local_conf *conf, size_t listeners, void *arg)
{
	struct shown *s = arg;

	role_assert_ctl();
	if (!s->name) {
		buf_printf(s->out, "%s,%s\n", name, conf->dir);
	} else if (!strcasecmp(name, s->name)) {
		s->is_found = true;
		show_fields(s, name, conf, listeners);
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

struct found {
	const char *name;
	int volume_db;
};

static void volume_find(const char *name, const struct mctl_local_conf *conf, size_t listeners, void *arg)
{
	struct found *f = arg;

	if (!strcasecmp(name, f->name))
		f->volume_db = conf->volume_db;
}

/* As in FreeSWITCH "auto:" is the other way to set it, which is not done here. */
static ON_CTL int volume(struct buf *out, const char *name, struct sv text)
{
	struct found f = {.name = name};
	int64_t db;

	if (!mctl_local_stream_exists(name))
		return not_found(out, name);
	if (text.n && sv_i64(text, &db))
		return buf_printf(out, "-ERR invalid volume for stream: %s\n", name);
	if (text.n)
		(void)mctl_local_stream_volume(name, (int)(db > VOLUME_MAX_DB    ? VOLUME_MAX_DB
		                                           : db < -VOLUME_MAX_DB ? -VOLUME_MAX_DB
		                                                                 : db));
	mctl_local_stream_each(volume_find, &f);
	return buf_printf(out, "+OK vol stream: %s is %d\n", name, f.volume_db);
}

static int api_local_stream(struct api_call *c)
{
	struct sv verb, rest, name_text;
	char *name;

	role_assert_ctl();
	sv_split(sv_trim(sv_of(c->args)), ' ', &verb, &rest);
	sv_split(sv_trim(rest), ' ', &name_text, &rest);
	rest = sv_trim(rest);
	name = name_text.n ? sv_dup(name_text) : NULL;
	struct shown s = {.out = c->out, .name = name, .is_xml = sv_isi(rest, "as xml")};
	bool is_begin = sv_isi(verb, "start") || sv_isi(verb, "reload") || sv_isi(verb, "hup");
	if (sv_isi(verb, "show")) {
		mctl_local_stream_each(show_one, &s);
		if (name && !s.is_found)
			not_found(c->out, name);
	} else if (name && is_begin) {
		begin(c->out, name);
	} else if (name && sv_isi(verb, "vol")) {
		volume(c->out, name, rest);
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
static const char *const complete_words[] = {
    "local_stream ::[show:start:reload:stop:hup:vol ::local_stream::list", NULL};
static const struct api_desc apis[] = {
    {"local_stream", "manage local streams", "<show|start|reload|stop|hup> <local_stream_name>", 0, api_local_stream,
        complete_words},
    {0}};
static const struct conf_desc confs[] = {
    {"local_stream.conf", "channels", "number", NULL, "1", "2: who takes two channels hears two"},
    {"local_stream.conf", "chime-freq", "number", "s", "30", "music between two chimes"},
    {"local_stream.conf", "chime-list", "list", NULL, "",
        "files that break in one after the other, with commas between; a relative one under the sounds"},
    {"local_stream.conf", "chime-max", "number", "s", "", "so much of a chime at most; none: all of it"},
    {"local_stream.conf", "interval", "number", "ms", "20", "shown only: all listen to one clock"},
    {"local_stream.conf", "prebuf", "number", "byte", "65536", "shown only"},
    {"local_stream.conf", "rate", "number", "Hz", "8000", "shown only: files are read at the listeners' rates"},
    {"local_stream.conf", "shuffle", "boolean", NULL, "false", "the files in another order"},
    {"local_stream.conf", "timer-name", "text", NULL, "soft", "shown only"},
    {"local_stream.conf", "volume", "number", "dB", "0", "-50 to 50"},
    {NULL},
};
const struct module mod_local_stream = {
    .abi = MODULE_ABI, .name = "mod_local_stream", .load = load, .unload = unload, .apis = apis, .confs = confs};
