/* A scanner of SQL: it steps over what may hold anything (strings, names in quotes, comments, dollar quotes), so that
 * a ';' or a $1 that it stops at is one. Statements of somebody's own go to databases that take one at a time; their
 * values, named $1, $2 ... everywhere in this program, become what the database knows. */
#include "store/sql_text.h"

#include <stdio.h>

static bool is_word(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
	       c >= 0x80;
}

static bool is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static bool is_blank(unsigned char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Behind the closing quote; a doubled one is a character. */
static size_t skip_quoted(struct sv s, size_t i, bool has_escapes)
{
	char quote = s.p[i++];
	while (i < s.n) {
		if (has_escapes && s.p[i] == '\\')
			i += 2;
		else if (s.p[i] != quote)
			i++;
		else if (i + 1 < s.n && s.p[i + 1] == quote)
			i += 2;
		else
			return i + 1;
	}
	return s.n;
}

static size_t skip_line(struct sv s, size_t i)
{
	while (i < s.n && s.p[i] != '\n')
		i++;
	return i;
}

/* They nest. */
static size_t skip_comment(struct sv s, size_t i)
{
	size_t depth = 0;
	while (i + 1 < s.n) {
		if (s.p[i] == '/' && s.p[i + 1] == '*') {
			depth++, i += 2;
		} else if (s.p[i] == '*' && s.p[i + 1] == '/') {
			i += 2;
			if (!--depth)
				return i;
		} else {
			i++;
		}
	}
	return s.n;
}

/* $tag$ ... $tag$; i itself when no dollar quote begins there. */
static size_t skip_dollars(struct sv s, size_t i)
{
	size_t end = i + 1;
	while (end < s.n && s.p[end] != '$' && is_word((unsigned char)s.p[end]) &&
	       !(end == i + 1 && is_digit((unsigned char)s.p[end])))
		end++;
	if (end >= s.n || s.p[end] != '$')
		return i;
	struct sv tag = sv_sub(s, i, end + 1 - i);
	const char *close = memmem(s.p + end + 1, s.n - end - 1, tag.p, tag.n);
	return close ? (size_t)(close - s.p) + tag.n : s.n;
}

static bool is_at(struct sv s, size_t i, char a, char b)
{
	return i + 1 < s.n && s.p[i] == a && s.p[i + 1] == b;
}

/* Where what begins at i ends, when it may hold anything; i when it is plain text. */
static size_t skip_opaque(struct sv s, size_t i, enum sql_dialect d)
{
	char c = s.p[i];
	bool in_word = i > 0 && is_word((unsigned char)s.p[i - 1]);
	if (c == '\'') {
		bool is_e =
		    i > 0 && (s.p[i - 1] == 'E' || s.p[i - 1] == 'e') && (i < 2 || !is_word((unsigned char)s.p[i - 2]));
		return skip_quoted(s, i, d == SQL_BACKSLASH || (d == SQL_STANDARD && is_e));
	}
	if (c == '"' || c == '`')
		return skip_quoted(s, i, d == SQL_BACKSLASH && c == '"');
	if (is_at(s, i, '-', '-') || (d == SQL_BACKSLASH && c == '#'))
		return skip_line(s, i);
	if (is_at(s, i, '/', '*'))
		return skip_comment(s, i);
	return c == '$' && d == SQL_STANDARD && !in_word ? skip_dollars(s, i) : i;
}

bool sql_next(struct sv *rest, enum sql_dialect d, struct sv *statement)
{
	while (rest->n) {
		size_t i = 0;
		bool has_text = false;
		while (i < rest->n && rest->p[i] != ';') {
			size_t end = skip_opaque(*rest, i, d);
			bool is_comment = end > i && (rest->p[i] == '-' || rest->p[i] == '/' || rest->p[i] == '#');
			if (!is_comment && !is_blank((unsigned char)rest->p[i]))
				has_text = true;
			i = end > i ? end : i + 1;
		}
		*statement = sv_trim(sv_sub(*rest, 0, i));
		*rest = sv_sub(*rest, i + 1, SIZE_MAX);
		if (has_text)
			return true;
	}
	return false;
}

/* The number behind the $ at i; *end behind it. 0: no value stands there. */
static size_t value_number(struct sv s, size_t i, size_t *end)
{
	size_t number = 0, at = i + 1;
	if (s.p[i] != '$' || (i > 0 && is_word((unsigned char)s.p[i - 1])))
		return 0;
	while (at < s.n && is_digit((unsigned char)s.p[at])) {
		if (number < 100000)
			number = number * 10 + (size_t)(s.p[at] - '0');
		at++;
	}
	*end = at;
	return number;
}

static int value_add(struct sql_values *v, size_t number, enum sql_dialect d, struct buf *out)
{
	size_t at = v->count;
	if (d == SQL_STANDARD)
		for (at = 0; at < v->count && v->at[at] != number - 1; at++)
			;
	if (at >= SQL_VALUES_MAX)
		return ST_LIMIT;
	if (at == v->count)
		v->at[v->count++] = (uint16_t)(number - 1);
	if (d == SQL_STANDARD)
		buf_printf(out, "$%zu", at + 1);
	else
		buf_addc(out, d == SQL_BACKSLASH ? '\1' : '?');
	return ST_OK;
}

bool sql_is_transaction(const char *text)
{
	return !strncasecmp(text, "BEGIN;", 6);
}

int sql_bind(
    struct sv s, enum sql_dialect d, size_t value_count, struct buf *out, struct sql_values *values, struct buf *error)
{
	values->count = 0;
	for (size_t i = 0, end = 0; i < s.n; i = end) {
		size_t number;
		if ((end = skip_opaque(s, i, d)) > i) {
			buf_addv(out, sv_sub(s, i, end - i));
			continue;
		}
		if (!(number = value_number(s, i, &end))) {
			buf_addc(out, s.p[i]);
			end = i + 1;
			continue;
		}
		if (number > value_count || number > SQL_VALUES_MAX) {
			buf_printf(error, "there is no value for '$%zu'", number);
			return ST_INVAL;
		}
		int st = value_add(values, number, d, out);
		if (st < 0)
			return st;
	}
	return out->failed ? ST_NOMEM : ST_OK;
}

/* The length of the character at i, 0: no UTF-8 (RFC 3629: no surrogates, nothing longer than it need be). */
static size_t utf8_length(struct sv s, size_t i)
{
	const unsigned char *p = (const unsigned char *)s.p + i;
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xC2 ? 0 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : p[0] < 0xF5 ? 4 : 0;
	if (!n || n > s.n - i || !p[0])
		return 0;
	for (size_t k = 1; k < n; k++)
		if ((p[k] & 0xC0) != 0x80)
			return 0;
	if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) || (p[0] == 0xF0 && p[1] < 0x90) ||
	    (p[0] == 0xF4 && p[1] > 0x8F))
		return 0;
	return n;
}

bool sql_is_utf8(struct sv s)
{
	for (size_t i = 0, n; i < s.n; i += n)
		if (!(n = utf8_length(s, i)))
			return false;
	return true;
}

void sql_utf8_put(struct buf *out, struct sv s)
{
	for (size_t i = 0; i < s.n;) {
		size_t n = utf8_length(s, i);
		if (n)
			buf_add(out, s.p + i, n);
		else if (s.p[i])
			buf_adds(out, "\xEF\xBF\xBD");
		i += n ? n : 1;
	}
}
