/* What people write and FreeSWITCH's parser takes, rewritten as XML. It runs only over a text that expat refused, and
 * only when the administrator wrote it. It knows tags, attributes, comments and text, and nothing of what they mean:
 * bytes are copied from p to out, and what XML does not allow is escaped, completed or left out on the way, each time
 * with a note of its place. Lines stay what they are; where columns move, a shift says by how much. What has two
 * readings (an open quote, a '<' in running text, elements that do not match) is left to fail. */
#include "base/check.h"
#include "base/mem.h"
#include "text/xml_i.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { NOTES_MAX = 200, SHIFTS_MAX = 200000, ATTRS_MAX = 64, NAME_CHARS = 60 };

struct fixer {
	struct xml_repair *r;
	const char *p, *begin, *end;
	unsigned line, column, out_line, out_column; /* columns are 0-based */
	int shift;                                   /* of the last one noted, in its line */
	unsigned shift_line;
	unsigned depth;
	bool has_root;
	int status;
};

/* ---- notes ---- */

/* column is 0-based */
__attribute__((format(printf, 4, 0))) static void place_text(
    struct xml_note *n, unsigned line, unsigned column, const char *fmt, va_list ap)
{
	n->line = line, n->column = column + 1;
	vsnprintf(n->text, sizeof n->text, fmt, ap);
}

__attribute__((format(printf, 4, 5))) static void note(
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

__attribute__((format(printf, 4, 5))) static void fail(
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

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void advance(char c, unsigned *line, unsigned *column)
{
	if (c == '\n')
		++*line, *column = 0;
	else if (((unsigned char)c & 0xc0) != 0x80) /* characters, as expat counts them */
		++*column;
}

/* What comes out next stands shift columns from where it stood. */
static void note_shift(struct fixer *f)
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

static void put(struct fixer *f, const char *text)
{
	for (const char *c = text; *c; c++)
		advance(*c, &f->out_line, &f->out_column);
	buf_adds(&f->r->out, text);
}

static void skip(struct fixer *f)
{
	advance(*f->p++, &f->line, &f->column);
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
static void take(struct fixer *f)
{
	unsigned char c = (unsigned char)*f->p;
	size_t n = c < 0x80 ? 1 : utf8_len(f->p, f->end);
	char two[3] = {(char)(0xc0 | c >> 6), (char)(0x80 | (c & 0x3f)), 0};

	note_shift(f);
	if (!n) {
		note(f, f->line, f->column, "the byte 0x%02x is no UTF-8 and is taken as Latin-1", c);
		put(f, two);
		f->p++, f->column++;
		return;
	}
	if (c < 0x20 && c && !is_space((char)c)) {
		note(f, f->line, f->column, "the control character 0x%02x is taken as a blank", c);
		put(f, " ");
		skip(f);
		return;
	}
	buf_add(&f->r->out, f->p, n);
	for (size_t i = 0; i < n; i++, f->p++) {
		advance(*f->p, &f->line, &f->column);
		advance(*f->p, &f->out_line, &f->out_column);
	}
}

static void take_until(struct fixer *f, const char *end)
{
	while (f->p < end && !f->status)
		take(f);
}

static bool starts(const struct fixer *f, const char *what)
{
	size_t n = strlen(what);
	return (size_t)(f->end - f->p) >= n && !memcmp(f->p, what, n);
}

static const char *find(const struct fixer *f, size_t from, const char *what)
{
	size_t left = (size_t)(f->end - f->p);
	return left < from ? NULL : memmem(f->p + from, left - from, what, strlen(what));
}

/* ---- text ---- */

/* Whether an entity or character reference that means something stands at p. */
static bool is_reference(const struct fixer *f)
{
	static const char *const names[] = {"&lt;", "&gt;", "&amp;", "&quot;", "&apos;"};
	unsigned long n = 0;
	const char *p = f->p + 2;
	bool is_hex;

	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		if (starts(f, names[i]))
			return true;
	if (!starts(f, "&#"))
		return false;
	is_hex = p < f->end && *p == 'x';
	p += is_hex;
	const char *digits = p;
	for (; p < f->end && (is_hex ? isxdigit((unsigned char)*p) : isdigit((unsigned char)*p)); p++)
		if (n < 0x110000)
			n = n * (is_hex ? 16 : 10) + (unsigned)(*p <= '9' ? *p - '0' : (*p | 0x20) - 'a' + 10);
	return p > digits && p < f->end && *p == ';' &&
	       (n == 9 || n == 10 || n == 13 || (n >= 0x20 && n < 0xd800) || (n >= 0xe000 && n < 0xfffe) ||
	           (n >= 0x10000 && n < 0x110000));
}

static void ampersand(struct fixer *f, const char *where)
{
	if (is_reference(f)) {
		take(f);
		return;
	}
	note(f, f->line, f->column, "a bare '&' %s is taken as text (write &amp;)", where);
	note_shift(f);
	put(f, "&amp;");
	skip(f);
}

/* Outside of the root element only blanks may stand. */
static void outside(struct fixer *f)
{
	note(f, f->line, f->column, "text outside of all elements is left out");
	while (f->p < f->end && *f->p != '<') {
		if (*f->p == '\n')
			take(f);
		else
			skip(f);
	}
}

static void text(struct fixer *f)
{
	bool is_bom = f->p == f->begin && starts(f, "\xef\xbb\xbf");

	if (!f->depth && !is_space(*f->p) && !is_bom) {
		outside(f);
	} else if (*f->p == '&') {
		ampersand(f, "in text");
	} else if (starts(f, "]]>")) {
		note(f, f->line, f->column, "']]>' in text is taken as text");
		take(f);
		take(f);
		put(f, "&gt;");
		skip(f);
	} else {
		take(f);
	}
}

/* ---- comments and the like ---- */

/* Its '-' that XML does not allow become blanks. */
static void comment(struct fixer *f)
{
	const char *end = find(f, 4, "-->");
	bool is_noted = false;

	if (!end) {
		fail(f, f->line, f->column, "the comment is not closed: no '-->'");
		return;
	}
	take_until(f, f->p + 4);
	while (f->p < end && !f->status) {
		if (f->p[0] != '-' || f->p[1] != '-') {
			take(f);
			continue;
		}
		if (!is_noted)
			note(f, f->line, f->column, "'--' within a comment");
		is_noted = true;
		note_shift(f);
		put(f, " ");
		skip(f);
	}
	take_until(f, end + 3);
}

/* <!DOCTYPE ...> or <?...?>: where XML has it, else left out. */
static void declaration(struct fixer *f, const char *close)
{
	const char *end = find(f, 1, close);
	bool is_xml_decl = starts(f, "<?xml") && f->end - f->p > 5 && is_space(f->p[5]);

	if (!end) {
		fail(f, f->line, f->column, "no '%s' after '%.2s'", close, f->p);
		return;
	}
	end += strlen(close);
	if ((is_xml_decl && f->p > f->begin) || (*close == '>' && f->has_root)) {
		note(f, f->line, f->column, "'%.*s' within the document is left out",
		    end - f->p < 5 ? (int)(end - f->p) : 5, f->p);
		while (f->p < end) {
			if (*f->p == '\n')
				take(f);
			else
				skip(f);
		}
		return;
	}
	take_until(f, end);
}

static void cdata(struct fixer *f)
{
	const char *end = find(f, 9, "]]>");

	if (end)
		take_until(f, end + 3);
	else
		fail(f, f->line, f->column, "the CDATA section is not closed: no ']]>'");
}

static void end_tag(struct fixer *f)
{
	while (f->p < f->end && *f->p != '>' && !f->status)
		take(f);
	if (f->p < f->end)
		take(f);
	if (f->depth)
		f->depth--;
}

/* ---- elements ---- */

static bool is_name_start(char c)
{
	return isalpha((unsigned char)c) || c == '_' || c == ':' || (unsigned char)c >= 0x80;
}

static bool is_name(struct sv name)
{
	if (!name.n || !is_name_start(*name.p))
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (!is_name_start(name.p[i]) && !isdigit((unsigned char)name.p[i]) && name.p[i] != '-' &&
		    name.p[i] != '.')
			return false;
	return true;
}

/* An open quote swallows what follows; a line or element that begins within the value tells. */
static bool swallows(const char *from, const char *to)
{
	for (const char *p = from; p < to; p++) {
		bool is_end = p[0] == '/' && p + 1 < to && p[1] == '>';
		if (*p != '\n' && !is_end)
			continue;
		const char *next = p + (is_end ? 2 : 1);
		while (next < to && is_space(*next))
			next++;
		if (to - next > 1 && *next == '<' && (is_name_start(next[1]) || next[1] == '/' || next[1] == '!'))
			return true;
	}
	return false;
}

struct attrs {
	struct sv seen[ATTRS_MAX];
	unsigned count;
	struct sv element;
};

static int sv_shown(struct sv v)
{
	return (int)(v.n < NAME_CHARS ? v.n : NAME_CHARS);
}

/* The quoted value at p, up to and with close. */
static void value(struct fixer *f, struct sv name, const char *close)
{
	char where[NAME_CHARS + 20];

	snprintf(where, sizeof where, "in '%.*s'", sv_shown(name), name.p);
	take(f);
	while (f->p < close && !f->status) {
		if (*f->p == '<') {
			note(f, f->line, f->column, "a bare '<' %s is taken as text (write &lt;)", where);
			note_shift(f);
			put(f, "&lt;");
			skip(f);
		} else if (*f->p == '&') {
			ampersand(f, where);
		} else {
			take(f);
		}
	}
	take(f);
}

/* Whether this name may come; notes it. */
static bool is_wanted(struct fixer *f, struct attrs *a, struct sv name)
{
	if (!is_name(name)) {
		note(f, f->line, f->column, "'%.*s' is no attribute's name and is left out", sv_shown(name), name.p);
		return false;
	}
	for (unsigned i = 0; i < a->count; i++)
		if (sv_eq(a->seen[i], name)) {
			note(f, f->line, f->column, "the attribute '%.*s' is given again; the first one counts",
			    sv_shown(name), name.p);
			return false;
		}
	if (a->count < ATTRS_MAX)
		a->seen[a->count++] = name;
	return true;
}

/* One attribute: name, '=' and blanks, value. */
static void attribute(struct fixer *f, struct attrs *a)
{
	const char *p = f->p, *close = NULL, *past;
	struct sv name;
	bool has_equals = false, is_kept;

	while (p < f->end && !is_space(*p) && !strchr("=/>", *p))
		p++;
	name = (struct sv){f->p, (size_t)(p - f->p)};
	for (; p < f->end && (is_space(*p) || *p == '='); p++)
		has_equals |= *p == '=';
	past = p;
	if (p < f->end && (*p == '"' || *p == '\'') && (has_equals || p > name.p + name.n)) {
		close = memchr(p + 1, *p, (size_t)(f->end - p - 1));
		if (!close || swallows(p + 1, close)) {
			fail(f, f->line, f->column, "the value of '%.*s' has no closing quote", sv_shown(name), name.p);
			return;
		}
	}
	if (f->p > f->begin && !is_space(f->p[-1])) {
		note(f, f->line, f->column, "no blank in front of the attribute '%.*s'", sv_shown(name), name.p);
		put(f, " ");
	}
	unsigned line = f->line, column = f->column;
	is_kept = is_wanted(f, a, name);
	if (!is_kept) {
		const char *to = close ? close + 1 : name.n ? name.p + name.n : past;
		while (f->p < to) {
			if (*f->p == '\n')
				take(f);
			else
				skip(f);
		}
		return;
	}
	take_until(f, name.p + name.n);
	if (close) {
		if (!has_equals)
			note(f, line, column, "no '=' between '%.*s' and its value", sv_shown(name), name.p);
		note_shift(f);
		put(f, "=");
		for (; f->p < past && !f->status;) {
			if (*f->p == '=')
				skip(f);
			else
				take(f);
		}
		value(f, name, close);
		return;
	}
	if (has_equals)
		note(f, line, column, "the value of '%.*s' has no quotes and counts as empty", sv_shown(name), name.p);
	else
		note(f, line, column, "the attribute '%.*s' has no value", sv_shown(name), name.p);
	put(f, "=\"\"");
	while (f->p < past && !f->status) {
		if (*f->p == '=')
			skip(f);
		else
			take(f);
	}
	if (has_equals) /* the word is no name of its own */
		while (f->p < f->end && !is_space(*f->p) && !strchr("/><", *f->p))
			skip(f);
}

static void start_tag(struct fixer *f)
{
	struct attrs a;
	unsigned line = f->line, column = f->column;

	a.count = 0;
	take(f);
	a.element.p = f->p;
	while (f->p < f->end && !is_space(*f->p) && *f->p != '/' && *f->p != '>' && !f->status)
		take(f);
	a.element.n = (size_t)(f->p - a.element.p);
	f->has_root = true;
	while (!f->status) {
		while (f->p < f->end && is_space(*f->p))
			take(f);
		if (f->p == f->end || *f->p == '<' || (*f->p == '/' && (f->p + 1 == f->end || f->p[1] != '>'))) {
			fail(f, line, column, "the tag <%.*s> has no '>'", sv_shown(a.element), a.element.p);
		} else if (*f->p == '/') {
			take(f);
			take(f);
			return;
		} else if (*f->p == '>') {
			take(f);
			f->depth++;
			return;
		} else {
			attribute(f, &a);
		}
	}
}

static void markup(struct fixer *f)
{
	if (starts(f, "<!--"))
		comment(f);
	else if (starts(f, "<![CDATA["))
		cdata(f);
	else if (starts(f, "<?"))
		declaration(f, "?>");
	else if (starts(f, "<!"))
		declaration(f, ">");
	else if (starts(f, "</"))
		end_tag(f);
	else if (f->p + 1 < f->end && is_name_start(f->p[1]))
		start_tag(f);
	else
		fail(f, f->line, f->column, "this '<' begins no element (write &lt;)");
}

/* A text that holds a NUL ends there for FreeSWITCH; nobody means that. */
static bool has_nul(struct xml_repair *r, const char *bytes, size_t n)
{
	const char *nul = n ? memchr(bytes, 0, n) : NULL;
	unsigned line = 1, column = 0;

	for (const char *p = bytes; nul && p < nul; p++)
		advance(*p, &line, &column);
	if (nul)
		r->error = (struct xml_note){line, column + 1, "a NUL byte"};
	return nul != NULL;
}

int xml_repair_run(struct xml_repair *r, const char *bytes, size_t n)
{
	struct fixer f = {.r = r, .p = bytes, .begin = bytes, .end = bytes + n, .line = 1, .out_line = 1};

	memset(r, 0, sizeof *r);
	buf_init(&r->out);
	r->out.max = XML_MAX_BYTES;
	if (has_nul(r, bytes, n))
		return ST_PARSE;
	while (f.p < f.end && !f.status && !r->out.failed) {
		if (*f.p == '<')
			markup(&f);
		else
			text(&f);
	}
	if (!f.status && r->out.failed && n > XML_MAX_BYTES / 8) /* what it adds is at most fourfold */
		fail(&f, 1, 0, "the document is too large");
	return f.status ? f.status : r->out.failed ? ST_NOMEM : ST_OK;
}

void xml_repair_fini(struct xml_repair *r)
{
	buf_fini(&r->out);
	mem_free(r->shifts);
	mem_free(r->notes);
}
