/* A log line's text and the mappings of console.conf and logfile.conf. Pure. */
#include "base/clock.h"
#include "base/fmt.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/scan.h"
#include "logger/logger_i.h"
#include <string.h>

static unsigned mask_of(const char *levels)
{
	struct sv rest = sv_of(levels), one;
	enum log_level level;
	unsigned mask = 0;
	char name[16];

	while (rest.n) {
		sv_split(rest, ',', &one, &rest);
		one = sv_trim(one);
		if (!one.n || one.n >= sizeof(name))
			continue;
		memcpy(name, one.p, one.n);
		name[one.n] = 0;
		if (!strcmp(name, "all"))
			mask = ~0u;
		else if (log_level_parse(name, &level) == ST_OK && level >= 0)
			mask |= 1u << level;
	}
	return mask;
}

void logger_map_init(struct logger_map *m, const struct xml_node *mappings)
{
	const char *name, *value;

	memset(m, 0, sizeof(*m));
	if (!xml_child(mappings, "map")) {
		m->all_mask = ~0u;
		return;
	}
	xml_each(mappings, "map", map)
	{
		name = xml_attr_or(map, "name", "");
		value = xml_attr_or(map, "value", "");
		if (!strcmp(name, "all")) {
			m->all_mask |= mask_of(value);
		} else if (m->count < LOGGER_MAPS_MAX) {
			m->maps[m->count].name = mem_strdup(name);
			m->maps[m->count++].mask = mask_of(value);
		}
	}
}

void logger_map_fini(struct logger_map *m)
{
	size_t i;

	for (i = 0; i < m->count; i++)
		mem_free(m->maps[i].name);
	memset(m, 0, sizeof(*m));
}

static const char *base_name(const char *file)
{
	const char *slash = strrchr(file, '/');

	return slash ? slash + 1 : file;
}

bool logger_map_passes(const struct logger_map *m, const struct log_line *line)
{
	unsigned bit = 1u << line->level;
	size_t i;

	if (m->all_mask & bit)
		return true;
	for (i = 0; i < m->count; i++)
		if ((m->maps[i].mask & bit) &&
		    (!strcmp(m->maps[i].name, base_name(line->file)) || !strcmp(m->maps[i].name, line->func)))
			return true;
	return false;
}

static void put_one_line(struct buf *out, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t run = scan_plain(p + i, n - i, 0, 0);
		buf_add(out, p + i, run);
		i += run;
		if (i < n)
			buf_addc(out, ((unsigned char)p[i] < 32 && p[i] != '\t') || p[i] == 127 ? '?' : p[i]);
	}
}

static void put_uuid(struct buf *out, const struct log_line *line)
{
	buf_adds(out, line->uuid);
	buf_addc(out, ' ');
}

/* "2026-11-20 20:54:35.495010 [NOTICE] file.c:1143 " */
static void put_head(struct buf *out, const struct log_line *line)
{
	char stamp[CLOCK_STAMP_CHARS], digits[24];
	uint64_t us = (uint64_t)(line->wall_us % 1000000);

	buf_adds(out, clock_stamp(line->wall_us / 1000000, stamp));
	fmt_u64(digits + 1, us + 1000000);
	digits[1] = '.'; /* in place of the one that keeps the zeros */
	buf_add(out, digits + 1, 7);
	buf_addv(out, SV(" ["));
	buf_adds(out, log_level_name(line->level));
	buf_addv(out, SV("] "));
	buf_adds(out, base_name(line->file));
	buf_addc(out, ':');
	buf_add(out, digits, fmt_u64(digits, (unsigned)line->line));
	buf_addc(out, ' ');
}

static void put_text(struct buf *out, const struct log_line *line, bool has_uuid)
{
	const char *p = line->text, *eol;

	if (has_uuid && line->uuid[0])
		put_uuid(out, line);
	if (line->level != LOG_CONSOLE)
		put_head(out, line);
	for (; *p; p = eol) {
		eol = strchrnul(p, '\n');
		put_one_line(out, p, (size_t)(eol - p));
		if (!*eol)
			break;
		buf_addc(out, '\n');
		eol++;
		if (*eol && has_uuid && line->uuid[0]) /* further lines carry the uuid too */
			put_uuid(out, line);
	}
}

/* Several sinks write the same line one after the other, mostly in the same form. */
void logger_line_text(struct buf *out, const struct log_line *line, bool has_uuid)
{
	static _Thread_local struct {
		uint64_t number; /* of the line; 0: none */
		size_t n;
		bool has_uuid;
		char text[512];
	} last;
	size_t from = out->n;

	if (last.number && last.number == line->number && last.has_uuid == has_uuid) {
		buf_add(out, last.text, last.n);
		return;
	}
	put_text(out, line, has_uuid);
	last.n = out->n - from;
	last.number = last.n <= sizeof(last.text) && !out->failed ? line->number : 0;
	last.has_uuid = has_uuid;
	if (last.number && last.n)
		memcpy(last.text, out->p + from, last.n);
}
