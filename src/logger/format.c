/* A log line's text and the mappings of console.conf and logfile.conf. Pure. */
#include "base/clock.h"
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

void logger_line_text(struct buf *out, const struct log_line *line, bool has_uuid)
{
	const char *p = line->text, *eol;
	char stamp[CLOCK_STAMP_CHARS];

	if (has_uuid && line->uuid[0])
		buf_printf(out, "%s ", line->uuid);
	if (line->level != LOG_CONSOLE)
		buf_printf(out, "%s.%06d [%s] %s:%d ", clock_stamp(line->wall_us / 1000000, stamp),
		    (int)(line->wall_us % 1000000), log_level_name(line->level), base_name(line->file), line->line);
	for (; *p; p = eol) {
		eol = strchrnul(p, '\n');
		put_one_line(out, p, (size_t)(eol - p));
		if (!*eol)
			break;
		buf_addc(out, '\n');
		eol++;
		if (*eol && has_uuid && line->uuid[0]) /* further lines carry the uuid too */
			buf_printf(out, "%s ", line->uuid);
	}
}
