/* Lists of numbers as people export them: a row at a time into a buffer of fixed size, quotes taken off, cells as views
 * into it. What is bad costs its own row: it is told with its line, and the reader goes on behind it. A quote that is
 * never closed is told once and ends the text. */
#include "dialler/csv.h"
#include "base/status.h"

#include <stdio.h>
#include <string.h>

struct reader {
	struct sv rest;
	unsigned line;
	char delimiter;
	char bytes[LIST_ROW_MAX_BYTES];
	struct sv cells[LIST_COLUMNS_MAX];
	size_t count, used;
	const char *why; /* NULL: the row is good */
};

static void bad(struct reader *r, const char *why)
{
	if (!r->why)
		r->why = why;
}

static void put(struct reader *r, char c)
{
	if ((unsigned char)c < ' ' || c == 0x7f)
		bad(r, "a control character in a value");
	else if (r->used == sizeof(r->bytes))
		bad(r, "the row is too long");
	else
		r->bytes[r->used++] = c;
}

/* A quoted cell up to its closing quote, which is passed over. */
static void quoted(struct reader *r)
{
	size_t i = 1;
	for (; i < r->rest.n; i++) {
		char c = r->rest.p[i];
		if (c == '"') {
			if (i + 1 < r->rest.n && r->rest.p[i + 1] == '"')
				i++;
			else
				break;
		}
		if (c == '\n')
			r->line++;
		put(r, c);
	}
	if (i >= r->rest.n)
		bad(r, "a quote is not closed");
	r->rest = sv_sub(r->rest, i + 1, r->rest.n);
}

/* The well-formed characters of RFC 3629. */
static bool is_utf8(struct sv t)
{
	const unsigned char *p = (const unsigned char *)t.p, *end = p + t.n;
	while (p < end) {
		unsigned c = *p++, more = c < 0x80                ? 0
		                          : c >= 0xc2 && c < 0xe0 ? 1
		                          : c >= 0xe0 && c < 0xf0 ? 2
		                          : c >= 0xf0 && c < 0xf5 ? 3
		                                                  : 9;
		if (more == 9 || (size_t)(end - p) < more)
			return false;
		if ((c == 0xe0 && *p < 0xa0) || (c == 0xed && *p > 0x9f) || (c == 0xf0 && *p < 0x90) ||
		    (c == 0xf4 && *p > 0x8f))
			return false;
		for (; more; more--)
			if ((*p++ & 0xc0) != 0x80)
				return false;
	}
	return true;
}

/* A row of at least one cell; false: the text is over. */
static bool row_next(struct reader *r)
{
	r->count = r->used = 0;
	r->why = NULL;
	if (!r->rest.n)
		return false;
	for (;;) {
		size_t from = r->used;
		bool is_quoted = r->rest.n && *r->rest.p == '"';
		if (is_quoted)
			quoted(r);
		size_t n = 0;
		while (n < r->rest.n && r->rest.p[n] != r->delimiter && r->rest.p[n] != '\n')
			n++;
		struct sv plain = sv_trim(sv_sub(r->rest, 0, n));
		if (is_quoted && plain.n)
			bad(r, "text behind a closing quote");
		for (size_t i = 0; !is_quoted && i < plain.n; i++)
			put(r, plain.p[i]);
		char end = n < r->rest.n ? r->rest.p[n] : '\n';
		r->rest = sv_sub(r->rest, n + 1, r->rest.n);
		struct sv cell = {r->bytes + from, r->used - from};
		if (cell.n > LIST_CELL_MAX_BYTES)
			bad(r, "a value is too long");
		else if (!is_utf8(cell))
			bad(r, "a value is not UTF-8");
		if (r->count < LIST_COLUMNS_MAX)
			r->cells[r->count] = cell;
		else
			bad(r, "too many columns");
		r->count++;
		if (end == '\n')
			break;
	}
	r->line++;
	return true;
}

static int head_read(
    struct reader *r, struct sv names[LIST_COLUMNS_MAX], char text[LIST_COLUMNS_MAX][LIST_NAME_MAX + 1])
{
	bool has_number = false;
	if (r->why)
		return ST_PARSE;
	for (size_t i = 0; i < r->count; i++) {
		struct sv v = r->cells[i];
		if (!v.n || v.n > LIST_NAME_MAX) {
			r->why = "the first line names the columns: each of 1 to 32 letters, digits and \"_\"";
			return ST_PARSE;
		}
		for (size_t k = 0; k < v.n; k++) {
			char c = v.p[k] >= 'A' && v.p[k] <= 'Z'   ? (char)(v.p[k] + 32)
			         : v.p[k] == ' ' || v.p[k] == '-' ? '_'
			                                          : v.p[k];
			if (!((c >= 'a' && c <= 'z') || (k && ((c >= '0' && c <= '9') || c == '_')))) {
				r->why = "the first line names the columns: letters, digits and \"_\", a letter first";
				return ST_PARSE;
			}
			text[i][k] = c;
		}
		text[i][v.n] = 0;
		names[i] = (struct sv){text[i], v.n};
		has_number |= sv_is(names[i], "number");
		for (size_t k = 0; k < i; k++)
			if (sv_eq(names[k], names[i])) {
				r->why = "a column is there twice";
				return ST_PARSE;
			}
	}
	if (!has_number)
		r->why = "there is no column \"number\"";
	return has_number ? ST_OK : ST_PARSE;
}

static char delimiter_of(struct sv text)
{
	size_t n = sv_find(text, '\n'), semi = 0, tab = 0, comma = 0;
	for (size_t i = 0; i < n && i < text.n; i++) {
		semi += text.p[i] == ';';
		tab += text.p[i] == '\t';
		comma += text.p[i] == ',';
	}
	return tab > comma && tab > semi ? '\t' : semi > comma ? ';' : ',';
}

int list_csv_read(struct sv text, const struct list_csv *to)
{
	struct reader r = {.line = 1};
	struct sv names[LIST_COLUMNS_MAX];
	char name_text[LIST_COLUMNS_MAX][LIST_NAME_MAX + 1];
	if (sv_starts(text, SV("\xef\xbb\xbf")))
		text = sv_sub(text, 3, text.n);
	r.rest = text;
	r.delimiter = delimiter_of(text);
	if (!row_next(&r) || head_read(&r, names, name_text)) {
		to->bad(1, r.why ? r.why : "the list is empty", to->arg);
		return ST_PARSE;
	}
	struct list_row row = {.names = names, .count = r.count};
	for (;;) {
		row.line = r.line;
		if (!row_next(&r))
			return ST_OK;
		if (r.count == 1 && !r.cells[0].n && !r.why)
			continue; /* an empty line */
		if (!r.why && r.count > row.count)
			r.why = "more values than columns";
		if (r.why) {
			to->bad(row.line, r.why, to->arg);
			continue;
		}
		for (size_t i = 0; i < row.count; i++)
			row.cells[i] = i < r.count ? r.cells[i] : SV_NONE;
		to->row(&row, to->arg);
	}
}

struct sv list_row_get(const struct list_row *row, const char *name)
{
	for (size_t i = 0; i < row->count; i++)
		if (sv_is(row->names[i], name))
			return row->cells[i];
	return SV_NONE;
}
