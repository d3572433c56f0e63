/* Shared by the sinks: which lines a mapping lets through, and a line's text. */
#pragma once
#include "logger/logger.h"
#include "text/xml.h"

#define LOGGER_MAPS_MAX 64
struct logger_map {
	unsigned all_mask; /* bit per enum log_level: map "all" */
	size_t count;
	struct {
		char *name; /* a file's or function's */
		unsigned mask;
	} maps[LOGGER_MAPS_MAX];
};
ANY void logger_map_init(struct logger_map *m, const struct xml_node *mappings); /* NULL: everything */
ANY void logger_map_fini(struct logger_map *m);
ANY bool logger_map_passes(const struct logger_map *m, const struct log_line *line);
/* "[uuid ]2026-11-20 20:54:35.495010 98.07% [NOTICE] file.c:1143 text", FreeSWITCH's form; control characters of the
 * text but tab and newline become '?', so that nobody outside writes escape sequences to a terminal. */
ANY void logger_line_text(struct buf *out, const struct log_line *line, bool has_uuid);
