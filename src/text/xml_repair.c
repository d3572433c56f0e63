/* What people write and FreeSWITCH's parser takes, rewritten as XML. It runs only over a text that expat refused, and
 * only when the administrator wrote it. It knows tags, attributes, comments and text, and nothing of what they mean:
 * bytes are copied from p to out, and what XML does not allow is escaped, completed or left out on the way, each time
 * with a note of its place. Lines stay what they are; where columns move, a shift says by how much. What has two
 * readings (an open quote, a '<' in running text, elements that do not match) is left to fail. */
#include "base/check.h"
#include "base/mem.h"
#include "text/xml_fix_i.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { ATTRS_MAX = 64, NAME_CHARS = 60 };

/* ---- text ---- */

/* Whether an entity or character reference that means something stands at p. */
static bool is_reference(const struct fixer *f)
{
	static const char *const names[] = {"&lt;", "&gt;", "&amp;", "&quot;", "&apos;"};
	unsigned long n = 0;
	const char *p = f->p + 2;
	bool is_hex;

	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		if (xml_fix_starts(f, names[i]))
			return true;
	if (!xml_fix_starts(f, "&#"))
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
		xml_fix_take(f);
		return;
	}
	xml_fix_note(f, f->line, f->column, "a bare '&' %s is taken as text (write &amp;)", where);
	xml_fix_shift(f);
	xml_fix_put(f, "&amp;");
	xml_fix_skip(f);
}

/* Outside of the root element only blanks may stand. */
static void outside(struct fixer *f)
{
	xml_fix_note(f, f->line, f->column, "text outside of all elements is left out");
	while (f->p < f->end && *f->p != '<') {
		if (*f->p == '\n')
			xml_fix_take(f);
		else
			xml_fix_skip(f);
	}
}

static void text(struct fixer *f)
{
	bool is_bom = f->p == f->begin && xml_fix_starts(f, "\xef\xbb\xbf");

	if (!f->depth && !xml_fix_is_space(*f->p) && !is_bom) {
		outside(f);
	} else if (*f->p == '&') {
		ampersand(f, "in text");
	} else if (xml_fix_starts(f, "]]>")) {
		xml_fix_note(f, f->line, f->column, "']]>' in text is taken as text");
		xml_fix_take(f);
		xml_fix_take(f);
		xml_fix_put(f, "&gt;");
		xml_fix_skip(f);
	} else {
		xml_fix_take(f);
	}
}

/* ---- comments and the like ---- */

/* Its '-' that XML does not allow become blanks. */
static void comment(struct fixer *f)
{
	const char *end = xml_fix_find(f, 4, "-->");
	bool is_noted = false;

	if (!end) {
		xml_fix_fail(f, f->line, f->column, "the comment is not closed: no '-->'");
		return;
	}
	xml_fix_take_until(f, f->p + 4);
	while (f->p < end && !f->status) {
		if (f->p[0] != '-' || f->p[1] != '-') {
			xml_fix_take(f);
			continue;
		}
		if (!is_noted)
			xml_fix_note(f, f->line, f->column, "'--' within a comment");
		is_noted = true;
		xml_fix_shift(f);
		xml_fix_put(f, " ");
		xml_fix_skip(f);
	}
	xml_fix_take_until(f, end + 3);
}

/* <!DOCTYPE ...> or <?...?>: where XML has it, else left out. */
static void declaration(struct fixer *f, const char *close)
{
	const char *end = xml_fix_find(f, 1, close);
	bool is_xml_decl = xml_fix_starts(f, "<?xml") && f->end - f->p > 5 && xml_fix_is_space(f->p[5]);

	if (!end) {
		xml_fix_fail(f, f->line, f->column, "no '%s' after '%.2s'", close, f->p);
		return;
	}
	end += strlen(close);
	if ((is_xml_decl && f->p > f->begin) || (*close == '>' && f->has_root)) {
		xml_fix_note(f, f->line, f->column, "'%.*s' within the document is left out",
		    end - f->p < 5 ? (int)(end - f->p) : 5, f->p);
		while (f->p < end) {
			if (*f->p == '\n')
				xml_fix_take(f);
			else
				xml_fix_skip(f);
		}
		return;
	}
	xml_fix_take_until(f, end);
}

static void cdata(struct fixer *f)
{
	const char *end = xml_fix_find(f, 9, "]]>");

	if (end)
		xml_fix_take_until(f, end + 3);
	else
		xml_fix_fail(f, f->line, f->column, "the CDATA section is not closed: no ']]>'");
}

static void end_tag(struct fixer *f)
{
	while (f->p < f->end && *f->p != '>' && !f->status)
		xml_fix_take(f);
	if (f->p < f->end)
		xml_fix_take(f);
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
		while (next < to && xml_fix_is_space(*next))
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
	xml_fix_take(f);
	while (f->p < close && !f->status) {
		if (*f->p == '<') {
			xml_fix_note(f, f->line, f->column, "a bare '<' %s is taken as text (write &lt;)", where);
			xml_fix_shift(f);
			xml_fix_put(f, "&lt;");
			xml_fix_skip(f);
		} else if (*f->p == '&') {
			ampersand(f, where);
		} else {
			xml_fix_take(f);
		}
	}
	xml_fix_take(f);
}

/* Whether this name may come; notes it. */
static bool is_wanted(struct fixer *f, struct attrs *a, struct sv name)
{
	if (!is_name(name)) {
		xml_fix_note(
		    f, f->line, f->column, "'%.*s' is no attribute's name and is left out", sv_shown(name), name.p);
		return false;
	}
	for (unsigned i = 0; i < a->count; i++)
		if (sv_eq(a->seen[i], name)) {
			xml_fix_note(f, f->line, f->column, "the attribute '%.*s' is given again; the first one counts",
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

	while (p < f->end && !xml_fix_is_space(*p) && !strchr("=/>", *p))
		p++;
	name = (struct sv){f->p, (size_t)(p - f->p)};
	for (; p < f->end && (xml_fix_is_space(*p) || *p == '='); p++)
		has_equals |= *p == '=';
	past = p;
	if (p < f->end && (*p == '"' || *p == '\'') && (has_equals || p > name.p + name.n)) {
		close = memchr(p + 1, *p, (size_t)(f->end - p - 1));
		if (!close || swallows(p + 1, close)) {
			xml_fix_fail(
			    f, f->line, f->column, "the value of '%.*s' has no closing quote", sv_shown(name), name.p);
			return;
		}
	}
	if (f->p > f->begin && !xml_fix_is_space(f->p[-1])) {
		xml_fix_note(
		    f, f->line, f->column, "no blank in front of the attribute '%.*s'", sv_shown(name), name.p);
		xml_fix_put(f, " ");
	}
	unsigned line = f->line, column = f->column;
	is_kept = is_wanted(f, a, name);
	if (!is_kept) {
		const char *to = close ? close + 1 : name.n ? name.p + name.n : past;
		while (f->p < to) {
			if (*f->p == '\n')
				xml_fix_take(f);
			else
				xml_fix_skip(f);
		}
		return;
	}
	xml_fix_take_until(f, name.p + name.n);
	if (close) {
		if (!has_equals)
			xml_fix_note(f, line, column, "no '=' between '%.*s' and its value", sv_shown(name), name.p);
		xml_fix_shift(f);
		xml_fix_put(f, "=");
		for (; f->p < past && !f->status;) {
			if (*f->p == '=')
				xml_fix_skip(f);
			else
				xml_fix_take(f);
		}
		value(f, name, close);
		return;
	}
	if (has_equals)
		xml_fix_note(
		    f, line, column, "the value of '%.*s' has no quotes and counts as empty", sv_shown(name), name.p);
	else
		xml_fix_note(f, line, column, "the attribute '%.*s' has no value", sv_shown(name), name.p);
	xml_fix_put(f, "=\"\"");
	while (f->p < past && !f->status) {
		if (*f->p == '=')
			xml_fix_skip(f);
		else
			xml_fix_take(f);
	}
	if (has_equals) /* the word is no name of its own */
		while (f->p < f->end && !xml_fix_is_space(*f->p) && !strchr("/><", *f->p))
			xml_fix_skip(f);
}

static void start_tag(struct fixer *f)
{
	struct attrs a;
	unsigned line = f->line, column = f->column;

	a.count = 0;
	xml_fix_take(f);
	a.element.p = f->p;
	while (f->p < f->end && !xml_fix_is_space(*f->p) && *f->p != '/' && *f->p != '>' && !f->status)
		xml_fix_take(f);
	a.element.n = (size_t)(f->p - a.element.p);
	f->has_root = true;
	while (!f->status) {
		while (f->p < f->end && xml_fix_is_space(*f->p))
			xml_fix_take(f);
		if (f->p == f->end || *f->p == '<' || (*f->p == '/' && (f->p + 1 == f->end || f->p[1] != '>'))) {
			xml_fix_fail(f, line, column, "the tag <%.*s> has no '>'", sv_shown(a.element), a.element.p);
		} else if (*f->p == '/') {
			xml_fix_take(f);
			xml_fix_take(f);
			return;
		} else if (*f->p == '>') {
			xml_fix_take(f);
			f->depth++;
			return;
		} else {
			attribute(f, &a);
		}
	}
}

static void markup(struct fixer *f)
{
	if (xml_fix_starts(f, "<!--"))
		comment(f);
	else if (xml_fix_starts(f, "<![CDATA["))
		cdata(f);
	else if (xml_fix_starts(f, "<?"))
		declaration(f, "?>");
	else if (xml_fix_starts(f, "<!"))
		declaration(f, ">");
	else if (xml_fix_starts(f, "</"))
		end_tag(f);
	else if (f->p + 1 < f->end && is_name_start(f->p[1]))
		start_tag(f);
	else
		xml_fix_fail(f, f->line, f->column, "this '<' begins no element (write &lt;)");
}

/* A text that holds a NUL ends there for FreeSWITCH; nobody means that. */
static bool has_nul(struct xml_repair *r, const char *bytes, size_t n)
{
	const char *nul = n ? memchr(bytes, 0, n) : NULL;
	unsigned line = 1, column = 0;

	for (const char *p = bytes; nul && p < nul; p++)
		xml_fix_advance(*p, &line, &column);
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
		xml_fix_fail(&f, 1, 0, "the document is too large");
	return f.status ? f.status : r->out.failed ? ST_NOMEM : ST_OK;
}

void xml_repair_fini(struct xml_repair *r)
{
	buf_fini(&r->out);
	mem_free(r->shifts);
	mem_free(r->notes);
}
