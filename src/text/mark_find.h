/* Values from outside, found again in a text that a program composed of them. The program had them as plain text, and
 * gives plain text back; what in it came from outside is marked (text/mark.h) as far as it can be told:
 *
 *  - wherever a value stands whole;
 *  - a sign of a language alone, wherever it stands among the same bytes as in a value, MARK_FIND_WINDOW of them,
 *    whatever the case of their letters: values are cut to what a display shows, and put into lower case.
 *
 * A value without a sign of a language means nothing and is not looked for. What the program decoded, or took single
 * bytes out of, is not found. Marks that the text has already stay, and stop nothing: they may be what somebody outside
 * wrote. */
#pragma once
#include "base/role.h"
#include "base/str.h"

enum { MARK_FIND_WINDOW = 6, MARK_FIND_MAX_BYTES = 64 << 10, MARK_FIND_FILTER_LOG = 12 };

struct mark_find {
	struct sv text;
	bool *is_outside;                 /* for each byte of text; NULL until something was found */
	struct mark_find_window *windows; /* of the text, by their bytes */
	size_t window_count;
	uint64_t filter[(1 << MARK_FIND_FILTER_LOG) / 64]; /* which bytes there may be: most are not */
	bool has_failed;
};

/* The text has a sign of one of the switch's languages: a bracket, comma, quote, dollar and their like, or a blank. */
ANY bool mark_means_something(struct sv text);
/* The text lives until the end. One of more than MARK_FIND_MAX_BYTES is taken for found as a whole. */
ANY void mark_find_begin(struct mark_find *f, struct sv text);
ANY void mark_find_value(struct mark_find *f, struct sv value);
ANY void mark_find_whole(struct mark_find *f, struct sv value); /* not where it was cut */
/* The text with its marks, to be freed with mem_free; NULL: nothing was found. Without memory on the way all of it is
 * marked; without memory for that too it is empty, or NULL. */
ANY char *mark_find_end(struct mark_find *f);
