/* What the repair of XML (xml_repair.c) stands on: bytes copied from p to out, with the places of both; notes, and
 * shifts where columns move. Bytes that are no UTF-8 and control characters are mended here, wherever they stand. */
#include "base/mem.h"
#include "text/xml_fix_i.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { NOTES_MAX = 200, SHIFTS_MAX = 200000 };

/* ---- notes ---- */

/* column is 0-based */
__attribute__((format(printf, 4, 0))) static void place_text(
    struct xml_note *n, unsigned line, unsigned column, const char *fmt, va_list ap)
{
	n->line = line, n->column = column + 1;
	vsnprintf(n->text, sizeof n->text, fmt, ap);
}

__attribute__((format(printf, 4, 5))) void xml_fix_note(
    struct fixer *f, unsigned line, unsigned column, const char *fmt, ...)
{
	struct xml_repair *r = f->r;
	va_list ap;

	if (r->note_count == NOTES_MAX) {
		r->more++;
		return;
	}
	if (r->note_count == r->note_cap) {
		size_t cap = r->note_cap ? r->note_cap * 2 : 8;
		struct xml_note *more = mem_realloc(r->notes, cap * sizeof *more);
		if (!more) {
			f->status = ST_NOMEM;
			return;
		}
		r->notes = more, r->note_cap = cap;
	}
	va_start(ap, fmt);
	place_text(&r->notes[r->note_count++], line, column, fmt, ap);
	va_end(ap);
}

__attribute__((format(printf, 4, 5))) void xml_fix_fail(
    struct fixer *f, unsigned line, unsigned column, const char *fmt, ...)
{
	va_list ap;

	if (f->status)
		return;
	f->status = ST_PARSE;
	va_start(ap, fmt);
	place_text(&f->r->error, line, column, fmt, ap);
	va_end(ap);
}

/* ---- bytes ---- */

bool xml_fix_is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

void xml_fix_advance(char c, unsigned *line, unsigned *column)
{
	if (c == '\n')
		++*line, *column = 0;
	else if (((unsigned char)c & 0xc0) != 0x80) /* characters, as expat counts them */
		++*column;
}

/* What comes out next stands shift columns from where it stood. */
void xml_fix_shift(struct fixer *f)
{
	int shift = (int)f->out_column - (int)f->column;
	struct xml_repair *r = f->r;

	if (f->shift_line != f->out_line)
		f->shift_line = f->out_line, f->shift = 0;
	if (shift == f->shift || r->shift_count == SHIFTS_MAX)
		return;
	if (r->shift_count == r->shift_cap) {
		size_t cap = r->shift_cap ? r->shift_cap * 2 : 16;
		struct xml_shift *more = mem_realloc(r->shifts, cap * sizeof *more);
		if (!more) {
			f->status = ST_NOMEM;
			return;
		}
		r->shifts = more, r->shift_cap = cap;
	}
	r->shifts[r->shift_count++] = (struct xml_shift){f->out_line, f->out_column, shift};
	f->shift = shift;
}

void xml_fix_put(struct fixer *f, const char *text)
{
	for (const char *c = text; *c; c++)
		xml_fix_advance(*c, &f->out_line, &f->out_column);
	buf_adds(&f->r->out, text);
}

void xml_fix_skip(struct fixer *f)
{
	xml_fix_advance(*f->p++, &f->line, &f->column);
}

/* Bytes of the UTF-8 character at p that XML allows, or 0. */
static size_t utf8_len(const char *text, const char *end)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t left = (size_t)(end - text);
	size_t n = p[0] >= 0xc2 && p[0] < 0xe0   ? 2
	           : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
	           : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
	                                         : 0;

	if (!n || n > left)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
	    (p[0] == 0xf4 && p[1] > 0x8f) || (p[0] == 0xef && p[1] == 0xbf && p[2] > 0xbd))
		return 0;
	return n;
}

/* Copies one character. */
void xml_fix_take(struct fixer *f)
{
	unsigned char c = (unsigned char)*f->p;
	size_t n = c < 0x80 ? 1 : utf8_len(f->p, f->end);
	char two[3] = {(char)(0xc0 | c >> 6), (char)(0x80 | (c & 0x3f)), 0};

	xml_fix_shift(f);
	if (!n) {
		xml_fix_note(f, f->line, f->column, "the byte 0x%02x is no UTF-8 and is taken as Latin-1", c);
		xml_fix_put(f, two);
		f->p++, f->column++;
		return;
	}
	if (c < 0x20 && c && !xml_fix_is_space((char)c)) {
		xml_fix_note(f, f->line, f->column, "the control character 0x%02x is taken as a blank", c);
		xml_fix_put(f, " ");
		xml_fix_skip(f);
		return;
	}
	buf_add(&f->r->out, f->p, n);
	for (size_t i = 0; i < n; i++, f->p++) {
		xml_fix_advance(*f->p, &f->line, &f->column);
		xml_fix_advance(*f->p, &f->out_line, &f->out_column);
	}
}

void xml_fix_take_until(struct fixer *f, const char *end)
{
	while (f->p < end && !f->status)
		xml_fix_take(f);
}

bool xml_fix_starts(const struct fixer *f, const char *what)
{
	size_t n = strlen(what);
	return (size_t)(f->end - f->p) >= n && !memcmp(f->p, what, n);
}

const char *xml_fix_find(const struct fixer *f, size_t from, const char *what)
{
	size_t left = (size_t)(f->end - f->p);
	return left < from ? NULL : memmem(f->p + from, left - from, what, strlen(what));
}
