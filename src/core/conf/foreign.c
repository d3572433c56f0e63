/* Whose file it is: a file that is no XML stops the start, but not when it belongs to a module that is not here, as a
 * whole FreeSWITCH configuration has many. A file belongs to the <configuration name="x.conf"> that it stands in, or
 * to those that it holds, or to the one of its name; and nobody reads sections but the four known ones. The text is
 * looked at as it is, since it cannot be parsed. What is left out becomes blanks, so that no line moves. */
#include "base/check.h"
#include "base/log.h"
#include "core/conf/config.h"
#include "core/conf/config_i.h"
#include <stdio.h>
#include <string.h>

enum { CONF_CHARS = 120 };

/* The value of name="..." after the next what in [*from, to); moves *from behind it. */
static bool next_name(const char **from, const char *to, const char *what, char out[CONF_CHARS])
{
	const char *at = memmem(*from, (size_t)(to - *from), what, strlen(what)), *open, *close;

	if (!at)
		return false;
	*from = at + strlen(what);
	open = memmem(*from, (size_t)(to - *from), "name=", 5);
	const char *end = memchr(*from, '>', (size_t)(to - *from));
	out[0] = 0;
	if (!open || open + 6 >= to || (end && open > end))
		return true;
	close = memchr(open + 6, open[5], (size_t)(to - open - 6));
	if (close && close - open - 6 < CONF_CHARS)
		snprintf(out, CONF_CHARS, "%.*s", (int)(close - open - 6), open + 6);
	return true;
}

static bool last_name(const char *from, const char *to, const char *what, char out[CONF_CHARS], const char **at)
{
	char name[CONF_CHARS];
	bool is_found = false;

	while (next_name(&from, to, what, name)) {
		memcpy(out, name, sizeof name);
		*at = from;
		is_found = true;
	}
	return is_found;
}

static bool is_read_section(const char *name)
{
	static const char *const read[] = {"configuration", "dialplan", "directory", "languages", "phrases"};
	for (size_t i = 0; i < ARRAY_COUNT(read); i++)
		if (sv_isi(sv_of(name), read[i]))
			return true;
	return false;
}

/* "/x/y/z.conf.xml" is named after z.conf. */
static bool is_foreign_file(const char *path)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	char conf[CONF_CHARS];
	size_t n = strlen(base);

	if (n < 10 || n >= sizeof conf || strcmp(base + n - 9, ".conf.xml"))
		return false;
	snprintf(conf, sizeof conf, "%.*s", (int)(n - 4), base);
	return !config_has_file(conf);
}

bool pre_span_is_foreign(const struct pre *p, const struct pre_span *span)
{
	const char *text = p->out.p, *from = text + span->from, *to = text + span->to, *at = from;
	char name[CONF_CHARS], section[CONF_CHARS];
	bool is_any = false;

	if (!text || !last_name(text, from, "<section", section, &at))
		return false;
	if (!is_read_section(section))
		return true;
	if (strcasecmp(section, "configuration") != 0)
		return false;
	if (last_name(at, from, "<configuration", name, &at) &&
	    !memmem(at, (size_t)(from - at), "</configuration>", 16))
		return !config_has_file(name);
	for (const char *next = from; next_name(&next, to, "<configuration", name); is_any = true)
		if (config_has_file(name))
			return false;
	return is_any || is_foreign_file(span->file);
}

/* The problem as a warning, which is not counted. */
static void tell(const struct pre *p, const char *problem)
{
	const char *reason = strstr(problem, ": ");
	char text[CONFIG_ERROR_CHARS];

	snprintf(text, sizeof text, "%.*s: warning: %s; left out, no module here reads this file",
	    reason ? (int)(reason - problem) : 0, problem, reason ? reason + 2 : problem);
	if (p->report)
		p->report(text, p->report_arg);
	else
		log_warning("%s", text);
}

void pre_span_blank(struct pre *p, const struct pre_span *span, const char *problem)
{
	tell(p, problem);
	for (size_t i = span->from; i < span->to && i < p->out.n; i++)
		if (p->out.p[i] != '\n')
			p->out.p[i] = ' ';
}

bool pre_drop_foreign(struct pre *p)
{
	char error[XML_ERROR_CHARS];
	bool is_any = false;

	for (size_t i = 0; i < p->span_count; i++)
		if (!pre_span_is_good(p, &p->spans[i], error) && pre_span_is_foreign(p, &p->spans[i])) {
			pre_span_blank(p, &p->spans[i], error);
			is_any = true;
		}
	return is_any;
}
