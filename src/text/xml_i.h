/* Private to text's XML: where a text that xml_repair rewrote differs from what stands in the file. */
#pragma once
#include "text/xml.h"

/* From this line and column of the rewritten text on, in that line, columns are shift characters too high. */
struct xml_shift {
	unsigned line, column; /* column 0-based */
	int shift;
};
struct xml_note { /* what was taken though it is no XML; places are of the text before */
	unsigned line, column;
	char text[160];
};
struct xml_repair {
	struct buf out;
	struct xml_shift *shifts;
	size_t shift_count, shift_cap;
	struct xml_note *notes;
	size_t note_count, note_cap, more; /* more: not kept */
	struct xml_note error;             /* of ST_PARSE */
};

/* Rewrites text as XML, reading it as FreeSWITCH's parser does. ST_OK: notes say what was changed (maybe nothing);
 * ST_PARSE: error says what cannot be understood. The caller calls xml_repair_fini in any case. */
ANY int xml_repair_run(struct xml_repair *r, const char *text, size_t n);
ANY void xml_repair_fini(struct xml_repair *r);
