/* Log lines on the terminal (mod_console), coloured by level. One sink; until the module is loaded it shows everything
 * up to NOTICE so that errors of the start are seen. */
#include "base/lock.h"
#include "base/log.h"
#include "core/conf/config.h"
#include "core/registry/api.h"
#include "core/registry/module.h"
#include "logger/logger_i.h"
#include <string.h>
#include <unistd.h>

static struct {
	int id;
	bool has_sink, is_coloured, has_uuid;
	enum log_level level;
	struct logger_map map;
	struct buf text;  /* writer thread's: lines of one batch are one write */
	struct lock lock; /* between a reload on control and the writer: map and colour only */
} console = {.level = LOG_NOTICE, .map = {.all_mask = ~0u}, .lock = LOCK_INIT("console")};

enum { WRITE_BYTES = 32768 };
static const char *const colours[] = {
    "\033[0m", "\033[1;31m", "\033[1;31m", "\033[31m", "\033[35m", "\033[36m", "\033[32m", "\033[33m"};

static void write_all(const char *p, size_t n)
{
	ssize_t got;

	while (n) {
		got = write(STDOUT_FILENO, p, n);
		if (got <= 0) /* a terminal that went away costs its lines, nothing else */
			return;
		p += got, n -= (size_t)got;
	}
}

static void console_flush(void *arg)
{
	write_all(console.text.p, console.text.n);
	buf_clear(&console.text);
}

static void console_sink(const struct log_line *line, void *arg)
{
	bool is_coloured, has_uuid, passes;

	lock_take(&console.lock);
	passes = logger_map_passes(&console.map, line);
	is_coloured = console.is_coloured;
	has_uuid = console.has_uuid;
	lock_give(&console.lock);
	if (!passes)
		return;
	if (is_coloured)
		buf_adds(&console.text, colours[line->level]);
	logger_line_text(&console.text, line, has_uuid);
	if (is_coloured)
		buf_adds(&console.text, "\033[0m");
	if (console.text.n >= WRITE_BYTES)
		console_flush(NULL);
}

void logger_console_enable(bool is_enabled)
{
	if (is_enabled && !console.has_sink) {
		buf_init(&console.text);
		console.is_coloured = isatty(STDOUT_FILENO);
		console.has_sink = log_sink_add(console.level, console_sink, NULL, &console.id) == ST_OK;
		if (console.has_sink)
			log_sink_set_flush(console.id, console_flush);
	} else if (!is_enabled && console.has_sink) {
		log_flush(); /* what was said before it went is still to be seen */
		log_sink_del(console.id);
		console.has_sink = false;
		buf_fini(&console.text);
	}
}

int logger_console_set_level(enum log_level level)
{
	console.level = level;
	if (console.has_sink)
		log_sink_set_level(console.id, level);
	return ST_OK;
}

enum log_level logger_console_level(void)
{
	return console.level;
}

static ON_CTL int console_load(void)
{
	const struct xml_node *conf = config_conf("console.conf");
	struct logger_map map, old;
	enum log_level level = LOG_INFO;
	bool is_coloured = true;

	logger_map_init(&map, xml_child(conf, "mappings"));
	xml_each(xml_child(conf, "settings"), "param", p)
	{
		const char *name = xml_attr_or(p, "name", ""), *value = xml_attr_or(p, "value", "");

		if (!strcmp(name, "colorize"))
			is_coloured = str_is_true(value);
		else if (!strcmp(name, "loglevel") && log_level_parse(value, &level))
			log_warning("%s:%u: loglevel '%s' is no log level", p->file, p->line, value);
	}
	lock_take(&console.lock);
	old = console.map;
	console.map = map;
	console.is_coloured = is_coloured && isatty(STDOUT_FILENO);
	lock_give(&console.lock);
	logger_map_fini(&old);
	return logger_console_set_level(level);
}

static ON_CTL int console_unload(void)
{
	lock_take(&console.lock);
	logger_map_fini(&console.map);
	console.map.all_mask = ~0u;
	lock_give(&console.lock);
	return ST_OK;
}

static void usage(struct buf *out)
{
	static const char line[] = "--------------------------------------------------------------------------------\n";

	buf_printf(out,
	    "USAGE:\n%sconsole help\nconsole loglevel [[0-7] | <loglevel_string>]\nconsole uuid [on|off|toggle]\n"
	    "console json [on|off|toggle]\nconsole colorize [on|off|toggle]\n%s",
	    line, line);
}

static ON_CTL void api_loglevel(struct api_call *c, struct sv text)
{
	enum log_level level;
	uint32_t number;

	if (text.n && sv_u32(text, &number) == ST_OK && number > LOG_DEBUG)
		level = LOG_DEBUG;
	else if (text.n && log_level_parse(text.p, &level)) {
		buf_printf(c->out, "-ERR Invalid console loglevel (%.*s)!\n\n", SVF(text));
		return;
	} else if (!text.n)
		level = console.level;
	logger_console_set_level(level);
	buf_printf(
	    c->out, "+OK console log level set to %s\n", level == LOG_DISABLE ? "DISABLE" : log_level_name(level));
}

/* on, off, toggle, or nothing: only says */
static ON_CTL void api_switch(struct api_call *c, const char *what, bool *flag, struct sv text)
{
	lock_take(&console.lock);
	if (sv_isi(text, "toggle"))
		*flag = !*flag;
	else if (text.n)
		*flag = sv_isi(text, "on") || sv_isi(text, "true");
	lock_give(&console.lock);
	buf_printf(c->out, "+OK console %s %s\n", what, *flag ? "enabled" : "disabled");
}

static int api_console(struct api_call *c)
{
	struct sv word, rest;

	role_assert_ctl();
	sv_split(sv_of(c->args), ' ', &word, &rest);
	rest = sv_trim(rest);
	if (sv_isi(word, "loglevel"))
		api_loglevel(c, rest);
	else if (sv_isi(word, "colorize"))
		api_switch(c, "color", &console.is_coloured, rest);
	else if (sv_isi(word, "uuid"))
		api_switch(c, "uuid", &console.has_uuid, rest);
	else
		usage(c->out);
	return ST_OK;
}

static const struct api_desc apis[] = {
    {"console", "Console", "loglevel [[0-7] | <loglevel_string>]", 0, api_console, NULL},
    {NULL},
};

const struct module mod_console = {
    .abi = MODULE_ABI,
    .name = "mod_console",
    .load = console_load,
    .unload = console_unload,
    .apis = apis,
};
