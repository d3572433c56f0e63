/* XML: an immutable tree over expat, made from a memory buffer. Nodes know the line, column and file they came from
 * even when the text was put together from several included files (a line map tells). Everything of a document lives in
 * one arena and goes at once. No entity declarations, depth 100, 64 MiB. A parsed document may be read by any thread;
 * the owner decides who frees it. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"

#define XML_MAX_DEPTH 100
#define XML_MAX_BYTES (64u << 20)
#define XML_ERROR_CHARS 512

struct xml_attr {
	const char *name, *value;
};

struct xml_node {
	const char *name;
	const char *text;             /* the element's own text, pieces joined; never NULL */
	const struct xml_attr *attrs; /* in document order */
	unsigned attr_count;
	struct xml_node *parent, *child, *next; /* first child; next sibling */
	const char *file;                       /* as the line map names it */
	unsigned line, column;                  /* 1-based, in that file */
	unsigned text_before; /* bytes of the parent's text that precede this node: keeps mixed content in order */
};

/* One run of lines of the parsed text: from text line from_line on (until the next entry), lines are file's
 * first_line... */
struct xml_line_map {
	unsigned from_line;
	const char *file;
	unsigned first_line;
};

struct xml_doc; /* counted, atomically: mem_ref, mem_unref */

/* Parses text[0..n). map may be NULL (then file_name names the file and lines are the text's own); map entries are in
 * rising from_line, strings are copied. On failure error (may be NULL) holds "file:line:column: reason".
 * ST_PARSE: not well-formed or over a bound. */
ANY int xml_parse(struct xml_doc **out, const char *text, size_t n, const char *file_name,
    const struct xml_line_map *map, size_t map_count, char error[XML_ERROR_CHARS]);
/* The same for what an administrator wrote, never for what comes from the network: what FreeSWITCH's parser takes
 * beyond XML (bare & and <, attributes without '=' or value or twice, '--' in comments, bytes that are no UTF-8) is
 * taken, and told by "file:line:column: warning: what", at most 200 and how many more. warn may be NULL. */
typedef void (*xml_warn_fn)(const char *warning, void *arg);
ANY int xml_parse_lenient(struct xml_doc **out, const char *text, size_t n, const char *file_name,
    const struct xml_line_map *map, size_t map_count, xml_warn_fn warn, void *arg, char error[XML_ERROR_CHARS]);
ANY const struct xml_node *xml_root(const struct xml_doc *doc); /* never NULL */
ANY size_t xml_doc_bytes(const struct xml_doc *doc);            /* memory the arena holds */

/* All NULL-tolerant: a NULL node has no children and no attributes. */
ANY const struct xml_node *xml_child(const struct xml_node *node, const char *name); /* first child so named */
ANY const struct xml_node *xml_next(const struct xml_node *node, const char *name);  /* next sibling so named */
ANY const char *xml_attr(const struct xml_node *node, const char *name);             /* NULL when absent */
ANY const char *xml_attr_or(const struct xml_node *node, const char *name, const char *otherwise);
/* First child called name whose attribute attr has that value (compared without case, as FreeSWITCH does). */
ANY const struct xml_node *xml_child_with(
    const struct xml_node *node, const char *name, const char *attr, const char *value);
#define xml_each(parent, child_name, it) \
	for (const struct xml_node *it = xml_child((parent), (child_name)); it; it = xml_next(it, (child_name)))

/* An index over parent's children called name by the value of attr (first one wins, case-insensitive); borrows the
 * document. For big directories. Free with xml_index_free before the document goes. */
struct xml_index;
ANY int xml_index_new(struct xml_index **out, const struct xml_node *parent, const char *name, const char *attr);
ANY const struct xml_node *xml_index_get(const struct xml_index *ix, struct sv value);
ANY void xml_index_free(struct xml_index *ix); /* NULL is fine */

/* Appends node and what is below as text, in the layout of FreeSWITCH's xml_locate. */
ANY int xml_write(const struct xml_node *node, struct buf *out);
/* Appends v with & < > and, in attributes, quotes escaped. */
ANY int xml_escape(struct buf *out, struct sv v, bool is_attr);
