/* XML out, in the layout of FreeSWITCH's xml_locate: text (white space too) and children in document order, two more
 * spaces a level in front of a tag, a newline after every end tag, no empty-element tags. */
#include "base/scan.h"
#include "text/xml.h"
#include <string.h>

static const char *xml_escape_of(char c, bool is_attr)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return is_attr ? "&quot;" : NULL;
	case '\n':
		return is_attr ? "&#xA;" : NULL;
	case '\t':
		return is_attr ? "&#x9;" : NULL;
	case '\r':
		return "&#xD;";
	default:
		return NULL;
	}
}

enum { ESCAPED_TEXT = 1, ESCAPED_ATTR = 2, ESCAPED_BOTH = 3 };
static const unsigned char is_escaped[256] = {['&'] = ESCAPED_BOTH,
    ['<'] = ESCAPED_BOTH,
    ['>'] = ESCAPED_BOTH,
    ['\r'] = ESCAPED_BOTH,
    ['"'] = ESCAPED_ATTR,
    ['\n'] = ESCAPED_ATTR,
    ['\t'] = ESCAPED_ATTR};

int xml_escape(struct buf *out, struct sv v, bool is_attr)
{
	const unsigned char bit = is_attr ? ESCAPED_ATTR : ESCAPED_TEXT;
	int st = ST_OK;

	for (size_t i = scan_word(v.p, v.n), from = 0; from < v.n && !st; from = ++i) {
		while (i < v.n && !(is_escaped[(unsigned char)v.p[i]] & bit))
			i++;
		st = buf_add(out, v.p + from, i - from);
		if (!st && i < v.n)
			st = buf_adds(out, xml_escape_of(v.p[i], is_attr));
	}
	return st;
}

static void xml_indent(struct buf *out, unsigned level)
{
	for (unsigned i = 0; i < level; i++)
		buf_adds(out, "  ");
}

static bool xml_ends_with(const struct buf *out, char c)
{
	return out->n && out->p[out->n - 1] == c;
}

static void xml_write_node(const struct xml_node *node, struct buf *out, unsigned level, size_t base)
{
	struct sv text = sv_of(node->text);
	size_t at = 0;

	if (out->n > base && xml_ends_with(out, '>'))
		buf_addc(out, '\n');
	xml_indent(out, level);
	buf_printf(out, "<%s", node->name);
	for (unsigned i = 0; i < node->attr_count; i++) {
		buf_printf(out, " %s=\"", node->attrs[i].name);
		xml_escape(out, sv_of(node->attrs[i].value), true);
		buf_addc(out, '"');
	}
	buf_addc(out, '>');
	for (const struct xml_node *it = node->child; it && !out->failed; it = it->next) {
		xml_escape(out, sv_sub(text, at, it->text_before - at), false);
		at = it->text_before;
		xml_write_node(it, out, level + 1, base);
	}
	xml_escape(out, sv_sub(text, at, text.n), false);
	if (xml_ends_with(out, '\n'))
		xml_indent(out, level);
	buf_printf(out, "</%s>\n", node->name);
}

int xml_write(const struct xml_node *node, struct buf *out)
{
	xml_write_node(node, out, 0, out->n);
	return out->failed ? ST_NOMEM : ST_OK;
}
