/* Text that knows, byte by byte, what came from outside. The switch reads text as languages: expansion, dial strings,
 * inline dialplans, lists, file sources, patterns. What a caller, a phone, a peer or an HTTP client wrote may stand in
 * such a text, but only as data. So it is put in marked: each of its bytes becomes a pair (a lead byte, then one with
 * the high bit set), in which no language finds a separator, a quote, a brace or a name. The marks travel with the
 * bytes through whatever splits, copies, joins and substitutes; where a piece is at last used as a value they are taken
 * off. Who forgets to take them off shows a garbled value; nobody who forgets them lets a command in.
 *
 *     network -> leg variable (marked) -> ${name} in a dialplan -> "bridge" data: sofia/gw/<marked>@host
 *             -> dial string is split at what the configuration wrote -> endpoint takes the marks off
 *
 * Which texts are read as languages, and who may write them: docs/design/2026-11-26-outside-text.md. */
#pragma once
#include "base/role.h"
#include "base/str.h"

enum { MARK_LOW = 0x1a, MARK_HIGH = 0x1c };

/* Any byte of the text is from outside. */
ANY bool mark_has(struct sv text);
/* Not empty, and no byte of it is the configuration's. */
ANY bool mark_is_whole(struct sv text);
/* Appends bytes that came from outside, marked. What they hold is never taken for marks. ST_LIMIT, ST_NOMEM as buf. */
ANY int mark_put(struct buf *out, struct sv outside);
/* Appends text, which may have marks already, with every byte marked. */
ANY int mark_put_whole(struct buf *out, struct sv text);
/* The marked copy of text, to be freed with mem_free; NULL: no memory. */
ANY char *mark_dup(const char *outside);
/* Appends the bytes that the text stands for: what people, peers and files see. */
ANY int mark_strip(struct buf *out, struct sv text);
ANY char *mark_strip_to(char *to, struct sv text); /* to where as many bytes have room; returns the end */
/* The same in place; returns the new length. NULL is fine. */
ANY size_t mark_strip_in_place(char *text);
/* A copy without marks, to be freed with mem_free; NULL: no memory. */
ANY char *mark_strip_dup(struct sv text);
/* The same of n words, each to out; they live in *block, to be freed with mem_free. ST_NOMEM: nothing was changed. */
ANY int mark_strip_words(char *const *words, char **out, int n, char **block);
/* How many bytes the text stands for. */
ANY size_t mark_length(struct sv text);
/* The part that stands for n bytes from the given one on, both counted without marks, clamped. A view into text. */
ANY struct sv mark_sub(struct sv text, size_t from, size_t n);
/* Appends the text as a regular expression in which what is from outside stands for itself only. */
ANY int mark_strip_regex(struct buf *out, struct sv text);
/* Appends the text as a command line of /bin/sh in which what is from outside is one argument, or part of one, wherever
 * the configuration's quotes have it. ST_DENIED: it has outside bytes beside ` $( $' or <<, within which the shell
 * reads by other rules. */
ANY int mark_strip_shell(struct buf *out, struct sv text);

/* Appends the text as a statement of SQL: what is from outside stands within the configuration's 'quotes', doubled
 * where it is a quote itself, or is digits. ST_DENIED: elsewhere it is something else, or it has a backslash or a
 * control byte, or the configuration escapes a quote by a backslash: databases think differently of these. */
ANY int mark_strip_sql(struct buf *out, struct sv text);

/* Appends the text as the name of a file, or of another source of sound. What is from outside may name what lies below
 * a directory that the configuration named, nothing else: ST_DENIED when such bytes make it absolute, a "..", a scheme
 * ("://") or a control byte. */
ANY int mark_strip_path(struct buf *out, struct sv text);

/* Appends the text as a URL. What is from outside is one segment of the path or one value behind it, percent-coded, a
 * blank of the configuration too. ST_DENIED: it stands in the scheme or the host, or it is a "." or "..", which would
 * lead elsewhere. */
ANY int mark_strip_url(struct buf *out, struct sv text);
/* Appends the text as JSON, in which what is from outside is part of a string and ends none; where it stands in no
 * string it makes no JSON. A text that the configuration does not begin with a brace or a bracket is none: as it is. */
ANY int mark_strip_json(struct buf *out, struct sv text);
ANY void mark_put_json(struct buf *out, char c); /* one byte from outside, within such a string */

/* Goes through a text byte by byte: false at the end. */
struct mark_it {
	struct sv rest;
	char byte; /* without its mark */
	bool is_outside;
};
static inline bool mark_is_pair(const char *p, size_t n)
{
	return n > 1 && (*p == MARK_LOW || *p == MARK_HIGH) && ((unsigned char)p[1] & 0x80);
}
ANY static inline bool mark_next(struct mark_it *it)
{
	const char *p = it->rest.p;

	if (!it->rest.n)
		return false;
	it->is_outside = mark_is_pair(p, it->rest.n);
	it->byte = !it->is_outside ? *p : *p == MARK_LOW ? (char)(p[1] & 0x7f) : p[1];
	it->rest.p += it->is_outside ? 2 : 1;
	it->rest.n -= it->is_outside ? 2 : 1;
	return true;
}
