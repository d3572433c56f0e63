/* Marks: the pairs that stand for bytes from outside. A byte b below 0x80 is MARK_LOW and b | 0x80, another is
 * MARK_HIGH and itself. A lead that no high byte follows is itself: it was in the configuration. Nothing here allocates
 * but the copies. */
#include "text/mark.h"
#include "base/mem.h"
#include "base/status.h"
#include "text/url.h"
#include <ctype.h>
#include <string.h>

bool mark_has(struct sv text)
{
	for (int lead = MARK_LOW; lead <= MARK_HIGH; lead += MARK_HIGH - MARK_LOW) {
		struct sv rest = text;
		while (rest.n) {
			const char *at = memchr(rest.p, lead, rest.n);
			if (!at)
				break;
			rest = sv_sub(rest, (size_t)(at - rest.p), rest.n);
			if (mark_is_pair(rest.p, rest.n))
				return true;
			rest = sv_sub(rest, 1, rest.n);
		}
	}
	return false;
}

bool mark_is_whole(struct sv text)
{
	struct mark_it it = {.rest = text};
	while (mark_next(&it))
		if (!it.is_outside)
			return false;
	return text.n > 0;
}

static inline char *put_byte(char *to, char c)
{
	bool is_high = (unsigned char)c & 0x80;
	*to++ = is_high ? MARK_HIGH : MARK_LOW;
	*to++ = (char)(c | 0x80);
	return to;
}

int mark_put(struct buf *out, struct sv outside)
{
	char *to = buf_room(out, 2 * outside.n);

	if (!to)
		return ST_LIMIT;
	for (size_t i = 0; i < outside.n; i++)
		to = put_byte(to, outside.p[i]);
	buf_end(out, to);
	return ST_OK;
}

int mark_put_whole(struct buf *out, struct sv text)
{
	struct mark_it it = {.rest = text};
	char *to = buf_room(out, 2 * (out->max ? mark_length(text) : text.n));

	if (!to)
		return ST_LIMIT;
	while (mark_next(&it))
		to = put_byte(to, it.byte);
	buf_end(out, to);
	return ST_OK;
}

char *mark_dup(const char *outside)
{
	struct buf b;

	buf_init(&b);
	mark_put(&b, sv_of(outside));
	if (b.failed) {
		buf_fini(&b);
		return NULL;
	}
	return buf_take(&b);
}

char *mark_strip_to(char *to, struct sv text)
{
	struct mark_it it = {.rest = text};

	while (mark_next(&it))
		*to++ = it.byte;
	return to;
}

int mark_strip(struct buf *out, struct sv text)
{
	char *to;

	if (!mark_has(text))
		return buf_addv(out, text);
	to = buf_room(out, out->max ? mark_length(text) : text.n);
	if (!to)
		return ST_LIMIT;
	buf_end(out, mark_strip_to(to, text));
	return ST_OK;
}

size_t mark_strip_in_place(char *text)
{
	struct sv marked = sv_of(text);
	char *end;

	if (!mark_has(marked))
		return marked.n;
	end = mark_strip_to(text, marked);
	*end = 0;
	return (size_t)(end - text);
}

char *mark_strip_dup(struct sv text)
{
	char *copy = sv_dup(text);
	if (copy)
		mark_strip_in_place(copy);
	return copy;
}

int mark_strip_words(char *const *words, char **out, int n, char **block)
{
	size_t size = 1;
	char *to;

	for (int i = 0; i < n; i++)
		size += strlen(words[i]) + 1;
	to = *block = mem_alloc(size);
	if (!to)
		return ST_NOMEM;
	for (int i = 0; i < n; i++) {
		out[i] = strcpy(to, words[i]);
		to += mark_strip_in_place(to) + 1;
	}
	return ST_OK;
}

size_t mark_length(struct sv text)
{
	struct mark_it it = {.rest = text};
	size_t n = 0;
	while (mark_next(&it))
		n++;
	return n;
}

struct sv mark_sub(struct sv text, size_t from, size_t n)
{
	struct mark_it it = {.rest = text};
	const char *begin;

	if (!mark_has(text))
		return sv_sub(text, from, n);
	while (from && mark_next(&it))
		from--;
	begin = it.rest.p;
	while (n && mark_next(&it))
		n--;
	return begin ? (struct sv){begin, (size_t)(text.p + text.n - it.rest.n - begin)} : SV_NONE;
}

int mark_strip_regex(struct buf *out, struct sv text)
{
	struct mark_it it = {.rest = text};

	while (mark_next(&it)) {
		if (it.is_outside && !((unsigned char)it.byte & 0x80) && !isalnum((unsigned char)it.byte))
			buf_addc(out, '\\');
		buf_addc(out, it.byte);
	}
	return out->failed ? ST_LIMIT : ST_OK;
}

struct path_reader {
	size_t dots, others;    /* of the component so far */
	bool has_outside;       /* in the component */
	bool is_scheme_outside; /* in the word in front of the colon, or since then */
	enum { IN_WORD, COLON, COLON_SLASH } at;
};

/* "word://": the word names a scheme. */
static bool is_bad_scheme(struct path_reader *r, char c, bool is_outside)
{
	bool is_word = isalnum((unsigned char)c) || c == '_' || c == '-' || c == '+' || c == '.';

	if (r->at == COLON_SLASH && c == '/')
		return r->is_scheme_outside || is_outside;
	if (r->at == COLON && c == '/') {
		r->at = COLON_SLASH, r->is_scheme_outside |= is_outside;
	} else if (c == ':') {
		r->is_scheme_outside = (r->at != COLON_SLASH && r->is_scheme_outside) || is_outside;
		r->at = COLON;
	} else if (is_word && r->at == IN_WORD) {
		r->is_scheme_outside |= is_outside;
	} else {
		r->at = IN_WORD, r->is_scheme_outside = is_word && is_outside;
	}
	return false;
}

/* "..", when the component ends. */
static bool is_bad_component(struct path_reader *r)
{
	bool is_bad = r->dots == 2 && !r->others && r->has_outside;

	r->dots = r->others = 0, r->has_outside = false;
	return is_bad;
}

/* "." or ".." that is from outside, when a segment ends. */
static bool is_dots(struct path_reader *r)
{
	bool is_it = r->dots && r->dots <= 2 && !r->others && r->has_outside;

	r->dots = r->others = 0, r->has_outside = false;
	return is_it;
}

int mark_strip_path(struct buf *out, struct sv text)
{
	struct mark_it it = {.rest = text};
	struct path_reader r = {0};

	if (!mark_has(text))
		return buf_addv(out, text);
	for (bool is_first = true; mark_next(&it); is_first = false) {
		unsigned char c = (unsigned char)it.byte;
		if (it.is_outside && (c < ' ' || c == 0x7f || (is_first && c == '/')))
			return ST_DENIED;
		if (is_bad_scheme(&r, it.byte, it.is_outside))
			return ST_DENIED;
		if (c == '/' && is_bad_component(&r))
			return ST_DENIED;
		if (c != '/')
			r.dots += c == '.', r.others += c != '.', r.has_outside |= it.is_outside;
		buf_addc(out, it.byte);
	}
	if (is_bad_component(&r))
		return ST_DENIED;
	return out->failed ? ST_LIMIT : ST_OK;
}

int mark_strip_url(struct buf *out, struct sv text)
{
	enum { SCHEME_SLASHES = 2, HOST_SLASHES = 3 /* "http://host/" */ };
	struct mark_it it = {.rest = text};
	struct path_reader r = {0};
	int slashes = 0;
	bool is_query = false;

	while (mark_next(&it)) {
		bool is_host = slashes < HOST_SLASHES, is_sign = !it.is_outside && (it.byte == '?' || it.byte == '#');
		bool is_slash = !it.is_outside && it.byte == '/';
		if ((it.is_outside || it.byte == ' ') && is_host)
			return ST_DENIED;
		slashes += is_slash || (slashes == SCHEME_SLASHES && is_sign);
		if (!is_query && (is_slash || is_sign) && is_dots(&r))
			return ST_DENIED;
		is_query |= is_sign && slashes >= HOST_SLASHES;
		if (!is_slash && !is_sign)
			r.dots += it.byte == '.', r.others += it.byte != '.', r.has_outside |= it.is_outside;
		if (!it.is_outside && it.byte != ' ')
			buf_addc(out, it.byte);
		else if (it.byte == '/')
			buf_adds(out, "%2F");
		else
			url_encode(out, (struct sv){&it.byte, 1}, 0);
	}
	if (!is_query && is_dots(&r))
		return ST_DENIED;
	return out->failed ? ST_LIMIT : ST_OK;
}

void mark_put_json(struct buf *out, char c)
{
	if ((unsigned char)c < ' ' || strchr("\"\\{}[]:,", c))
		buf_printf(out, "\\u%04x", (unsigned char)c);
	else
		buf_addc(out, c);
}

int mark_strip_json(struct buf *out, struct sv text)
{
	struct mark_it it = {.rest = text};
	struct sv begin = sv_trim(text);
	bool is_json = begin.n && (begin.p[0] == '{' || begin.p[0] == '[');

	while (mark_next(&it)) {
		if (is_json && it.is_outside)
			mark_put_json(out, it.byte);
		else
			buf_addc(out, it.byte);
	}
	return out->failed ? ST_LIMIT : ST_OK;
}

/* How a byte from outside stands for itself where the shell is within these quotes (0: none). */
static void put_shell(struct buf *out, char c, char quote)
{
	if (quote == '\'')
		buf_adds(out, c == '\'' ? "'\\''" : (char[]){c, 0});
	else if (quote == '"')
		buf_adds(out, strchr("$`\"\\", c) ? (char[]){'\\', c, 0} : (char[]){c, 0});
	else if (c == '\n' || c == '\'') /* a newline behind a backslash would be nothing at all */
		buf_adds(out, c == '\n' ? "'\n'" : "\\'");
	else if ((unsigned char)c & 0x80 || isalnum((unsigned char)c))
		buf_addc(out, c);
	else
		buf_adds(out, (char[]){'\\', c, 0});
}

static bool has_inner_shell(struct sv text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] == '`' || (i + 1 < text.n && text.p[i] == '$' && strchr("('", text.p[i + 1])) ||
		    (i + 1 < text.n && text.p[i] == '<' && text.p[i + 1] == '<'))
			return true;
	return false;
}

int mark_strip_shell(struct buf *out, struct sv text)
{
	struct mark_it it = {.rest = text};
	bool is_escaped = false;
	char quote = 0;

	if (mark_has(text) && has_inner_shell(text))
		return ST_DENIED;
	while (mark_next(&it)) {
		if (it.is_outside) {
			/* the configuration's backslash in front of it would take the first of what is put here */
			if (is_escaped && quote != '\'')
				buf_addc(out, '\\');
			put_shell(out, it.byte, quote);
			is_escaped = false;
			continue;
		}
		buf_addc(out, it.byte);
		if (is_escaped)
			is_escaped = false;
		else if (it.byte == '\\' && quote != '\'')
			is_escaped = true;
		else if (quote ? it.byte == quote : it.byte == '\'' || it.byte == '"')
			quote = quote ? 0 : it.byte;
	}
	return out->failed ? ST_LIMIT : ST_OK;
}

/* Where in a statement the next byte stands. */
enum sql_place {
	SQL_PLAIN,
	SQL_STRING,
	SQL_NAME /* in double quotes */,
	SQL_LINE /* a comment to the line's end */,
	SQL_BLOCK
};

/* A byte of the configuration; before: the one in front of it. */
static enum sql_place sql_next(enum sql_place place, char before, char byte)
{
	switch (place) {
	case SQL_STRING:
		return byte == '\'' ? SQL_PLAIN : SQL_STRING;
	case SQL_NAME:
		return byte == '"' ? SQL_PLAIN : SQL_NAME;
	case SQL_LINE:
		return byte == '\n' ? SQL_PLAIN : SQL_LINE;
	case SQL_BLOCK:
		return before == '*' && byte == '/' ? SQL_PLAIN : SQL_BLOCK;
	case SQL_PLAIN:
		break;
	}
	return byte == '\''                   ? SQL_STRING
	       : byte == '"'                  ? SQL_NAME
	       : before == '-' && byte == '-' ? SQL_LINE
	       : before == '/' && byte == '*' ? SQL_BLOCK
	                                      : SQL_PLAIN;
}

int mark_strip_sql(struct buf *out, struct sv text)
{
	struct mark_it it = {.rest = text};
	enum sql_place place = SQL_PLAIN;
	bool has_outside = mark_has(text);
	char before = 0;

	while (mark_next(&it)) {
		bool is_digit = it.byte >= '0' && it.byte <= '9',
		     is_odd = it.byte == '\\' || (it.byte >= 0 && it.byte < ' ');
		if (it.is_outside && (is_odd || (place != SQL_STRING && !is_digit)))
			return ST_DENIED;
		if (has_outside && !it.is_outside && before == '\\' && (it.byte == '\'' || it.byte == '"'))
			return ST_DENIED;
		if (it.is_outside && it.byte == '\'')
			buf_addc(out, '\'');
		enum sql_place was = place;
		if (!it.is_outside)
			place = sql_next(place, before, it.byte);
		before = it.is_outside || place != was ? 0 : it.byte; /* one byte is of one sign only */
		buf_addc(out, it.byte);
	}
	return out->failed ? ST_LIMIT : ST_OK;
}
