/* For tables of text: « begins and » ends what is from outside. */
#pragma once
#include "text/mark.h"
#include <string.h>

/* The marked text, into out, which is cleared before. */
static inline int mark_text_make(struct buf *out, const char *text)
{
	const char *open, *close;

	buf_clear(out);
	while ((open = strstr(text, "«")) && (close = strstr(open, "»"))) {
		buf_add(out, text, (size_t)(open - text));
		mark_put(out, (struct sv){open + 2, (size_t)(close - open - 2)});
		text = close + 2;
	}
	return buf_adds(out, text);
}

/* The other way round: each run from outside within « and ». */
static inline int mark_text_show(struct buf *out, struct sv text)
{
	struct mark_it it = {.rest = text};
	bool was_outside = false;

	buf_clear(out);
	while (mark_next(&it)) {
		if (it.is_outside != was_outside)
			buf_adds(out, it.is_outside ? "«" : "»");
		was_outside = it.is_outside;
		buf_addc(out, it.byte);
	}
	return buf_adds(out, was_outside ? "»" : "");
}
