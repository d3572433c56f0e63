/* XML in: expat's events build the tree in an arena of chunks. Names are kept once per document. The text of the open
 * elements waits in one buffer per depth and is copied into the arena when an element ends. Positions go through the
 * line map, so that nodes and errors name the file a person edits. What is no XML is refused; of an administrator's
 * text xml_repair.c may make one, and then the tree is built of that. Writing is in xml_write.c. */
#include "base/hash.h"
#include "base/mem.h"
#include "text/xml_i.h"
#include <expat.h>
#include <stdio.h>
#include <string.h>

#define XML_CHUNK_BYTES 16384u

struct xml_chunk {
	struct xml_chunk *next;
	size_t used, cap;
	_Alignas(8) char data[];
};

struct xml_doc {
	struct xml_chunk *chunks;
	size_t bytes;
	struct xml_node *root;
};

struct xml_build {
	XML_Parser expat;
	struct xml_doc *doc;
	struct hash *names;
	struct xml_node *open[XML_MAX_DEPTH + 1], *last[XML_MAX_DEPTH + 1];
	struct buf text[XML_MAX_DEPTH + 1];
	unsigned depth;
	const char *file_name;
	const struct xml_line_map *map;
	const char **map_files;
	size_t map_count, map_at;
	const struct xml_repair *repair; /* whose text this is; NULL: as it was written */
	int status;
	const char *reason;
};

static void xml_doc_free(void *obj)
{
	struct xml_doc *doc = obj;
	for (struct xml_chunk *c = doc->chunks, *next; c; c = next) {
		next = c->next;
		mem_free(c);
	}
}

static void *xml_arena(struct xml_doc *doc, size_t bytes, size_t align)
{
	struct xml_chunk *c = doc->chunks;
	size_t at = c ? (c->used + align - 1) / align * align : 0;

	if (!c || at > c->cap || bytes > c->cap - at) {
		size_t cap = bytes > XML_CHUNK_BYTES / 4 ? bytes : XML_CHUNK_BYTES - sizeof *c;
		struct xml_chunk *fresh = mem_alloc(sizeof *c + cap);
		if (!fresh)
			return NULL;
		fresh->cap = cap, fresh->used = 0;
		doc->bytes += sizeof *c + cap;
		if (c && cap == bytes) { /* a big piece must not hide the room left in the current chunk */
			fresh->next = c->next, c->next = fresh;
		} else {
			fresh->next = c, doc->chunks = fresh;
		}
		c = fresh, at = 0;
	}
	c->used = at + bytes;
	return c->data + at;
}

static char *xml_arena_text(struct xml_doc *doc, const char *p, size_t n)
{
	char *s = xml_arena(doc, n + 1, 1);
	if (s) {
		if (n)
			memcpy(s, p, n);
		s[n] = 0;
	}
	return s;
}

static void xml_stop(struct xml_build *b, int status, const char *reason)
{
	if (!b->status) {
		b->status = status;
		b->reason = reason;
		XML_StopParser(b->expat, XML_FALSE);
	}
}

static const char *xml_name(struct xml_build *b, const char *name)
{
	struct sv key = sv_of(name);
	char *kept = hash_get(b->names, key);

	if (!kept && (kept = xml_arena_text(b->doc, name, key.n)) && hash_set(b->names, key, kept))
		kept = NULL;
	return kept;
}

/* The original place of a line of the parsed text. Events come in rising lines, errors may look back. */
static void xml_place(struct xml_build *b, unsigned line, const char **file, unsigned *file_line)
{
	*file = b->file_name, *file_line = line;
	if (!b->map_count)
		return;
	if (b->map_at >= b->map_count || b->map[b->map_at].from_line > line)
		b->map_at = 0;
	while (b->map_at + 1 < b->map_count && b->map[b->map_at + 1].from_line <= line)
		b->map_at++;
	if (b->map[b->map_at].from_line <= line) {
		*file = b->map_files[b->map_at];
		*file_line = b->map[b->map_at].first_line + (line - b->map[b->map_at].from_line);
	}
}

/* The original column (1-based) of where expat is. */
static unsigned xml_column(const struct xml_build *b)
{
	unsigned line = (unsigned)XML_GetCurrentLineNumber(b->expat), low = 0;
	unsigned column = (unsigned)XML_GetCurrentColumnNumber(b->expat);
	size_t high = b->repair ? b->repair->shift_count : 0;

	while (low < high) { /* the last one that is not behind it */
		unsigned middle = low + (unsigned)(high - low) / 2;
		const struct xml_shift *s = &b->repair->shifts[middle];
		if (s->line < line || (s->line == line && s->column <= column))
			low = middle + 1;
		else
			high = middle;
	}
	if (low && b->repair->shifts[low - 1].line == line)
		column -= (unsigned)b->repair->shifts[low - 1].shift;
	return column + 1;
}

static bool xml_fill_attrs(struct xml_build *b, struct xml_node *node, const XML_Char **attrs)
{
	unsigned count = 0;
	while (attrs[2 * count])
		count++;
	if (!count)
		return true;
	struct xml_attr *list = xml_arena(b->doc, count * sizeof *list, _Alignof(struct xml_attr));
	for (unsigned i = 0; list && i < count; i++) {
		list[i].name = xml_name(b, attrs[2 * i]);
		list[i].value = xml_arena_text(b->doc, attrs[2 * i + 1], strlen(attrs[2 * i + 1]));
		if (!list[i].name || !list[i].value)
			list = NULL;
	}
	node->attrs = list;
	node->attr_count = count;
	return list != NULL;
}

static void XMLCALL xml_on_start(void *arg, const XML_Char *name, const XML_Char **attrs)
{
	struct xml_build *b = arg;
	struct xml_node *node;

	if (b->status)
		return;
	if (b->depth >= XML_MAX_DEPTH) {
		xml_stop(b, ST_PARSE, "elements are nested too deep");
		return;
	}
	node = xml_arena(b->doc, sizeof *node, _Alignof(struct xml_node));
	if (!node)
		goto nomem;
	memset(node, 0, sizeof *node);
	node->text = "";
	node->name = xml_name(b, name);
	if (!node->name || !xml_fill_attrs(b, node, attrs))
		goto nomem;
	xml_place(b, (unsigned)XML_GetCurrentLineNumber(b->expat), &node->file, &node->line);
	node->column = xml_column(b);
	if (b->depth > 0) {
		node->parent = b->open[b->depth];
		node->text_before = (unsigned)b->text[b->depth].n;
		if (b->last[b->depth])
			b->last[b->depth]->next = node;
		else
			node->parent->child = node;
		b->last[b->depth] = node;
	} else {
		b->doc->root = node;
	}
	b->depth++;
	b->open[b->depth] = node;
	b->last[b->depth] = NULL;
	buf_clear(&b->text[b->depth]);
	return;
nomem:
	xml_stop(b, ST_NOMEM, "out of memory");
}

static void XMLCALL xml_on_end(void *arg, const XML_Char *name)
{
	struct xml_build *b = arg;
	struct buf *text = &b->text[b->depth];

	if (b->status)
		return;
	if (text->n && !(b->open[b->depth]->text = xml_arena_text(b->doc, text->p, text->n)))
		xml_stop(b, ST_NOMEM, "out of memory");
	b->depth--;
}

static void XMLCALL xml_on_text(void *arg, const XML_Char *s, int n)
{
	struct xml_build *b = arg;
	if (!b->status && buf_add(&b->text[b->depth], s, (size_t)n))
		xml_stop(b, ST_NOMEM, "out of memory");
}

static void XMLCALL xml_on_entity(void *arg, const XML_Char *name, int is_parameter, const XML_Char *value,
    int value_len, const XML_Char *base, const XML_Char *system_id, const XML_Char *public_id, const XML_Char *notation)
{
	xml_stop(arg, ST_PARSE, "entity declarations are not allowed");
}

static void xml_error_text(struct xml_build *b, char error[XML_ERROR_CHARS])
{
	const char *file, *reason = b->reason ? b->reason : XML_ErrorString(XML_GetErrorCode(b->expat));
	unsigned line;

	if (!error)
		return;
	xml_place(b, (unsigned)XML_GetCurrentLineNumber(b->expat), &file, &line);
	snprintf(error, XML_ERROR_CHARS, "%s:%u:%u: %s", file ? file : "", line, xml_column(b), reason);
}

static int xml_copy_files(struct xml_build *b, const char *file_name)
{
	b->file_name = xml_name(b, file_name ? file_name : "");
	if (!b->file_name)
		return ST_NOMEM;
	if (!b->map_count)
		return ST_OK;
	b->map_files = mem_alloc(b->map_count * sizeof *b->map_files);
	if (!b->map_files)
		return ST_NOMEM;
	for (size_t i = 0; i < b->map_count; i++)
		if (!(b->map_files[i] = xml_name(b, b->map[i].file)))
			return ST_NOMEM;
	return ST_OK;
}

static int xml_build_run(struct xml_build *b, const char *text, size_t n)
{
	static const XML_Memory_Handling_Suite memory = {mem_alloc, mem_realloc, mem_free};

	b->expat = XML_ParserCreate_MM(NULL, &memory, NULL);
	if (!b->expat)
		return ST_NOMEM;
	XML_SetUserData(b->expat, b);
	XML_SetElementHandler(b->expat, xml_on_start, xml_on_end);
	XML_SetCharacterDataHandler(b->expat, xml_on_text);
	XML_SetEntityDeclHandler(b->expat, xml_on_entity);
	if (XML_Parse(b->expat, text, (int)n, 1) == XML_STATUS_OK && !b->status)
		return ST_OK;
	if (b->status)
		return b->status;
	return XML_GetErrorCode(b->expat) == XML_ERROR_NO_MEMORY ? ST_NOMEM : ST_PARSE;
}

struct xml_source {
	const char *text;
	size_t n;
	const char *file_name;
	const struct xml_line_map *map;
	size_t map_count;
	xml_warn_fn warn;
	void *warn_arg;
	bool is_lenient;
};

/* Builds the tree of the source's text, or of what repair made of it. *may_repair: expat refused it, not we. */
static int xml_build_tree(struct xml_doc **out, const struct xml_source *src, const struct xml_repair *repair,
    bool *may_repair, char error[XML_ERROR_CHARS])
{
	struct xml_build *b = mem_zalloc(sizeof *b);
	struct sv text = repair ? buf_sv(&repair->out) : (struct sv){src->text, src->n};
	int st = ST_NOMEM;

	if (!b)
		return ST_NOMEM;
	b->map = src->map, b->map_count = src->map ? src->map_count : 0;
	b->repair = repair;
	b->doc = mem_new_atomic(sizeof *b->doc, xml_doc_free, "text.xml_doc");
	if (!b->doc || (st = hash_new(&b->names, 0, NULL)) || (st = xml_copy_files(b, src->file_name)))
		goto out;
	st = xml_build_run(b, text.p ? text.p : "", text.n);
	*may_repair = st == ST_PARSE && !b->reason;
	if (st == ST_PARSE)
		xml_error_text(b, error);
	if (!st)
		*out = mem_ref(b->doc);
out:
	if (b->expat)
		XML_ParserFree(b->expat);
	for (size_t i = 0; i <= XML_MAX_DEPTH; i++)
		buf_fini(&b->text[i]);
	hash_free(b->names);
	mem_free(b->map_files);
	mem_unref(b->doc);
	mem_free(b);
	return st;
}

/* "file:line:column: kind what" of a note, whose line is the text's. */
static void xml_note_text(
    const struct xml_source *src, const struct xml_note *note, const char *kind, char out[XML_ERROR_CHARS])
{
	const char *file = src->file_name ? src->file_name : "";
	unsigned line = note->line;

	for (size_t i = 0; src->map && i < src->map_count && src->map[i].from_line <= note->line; i++) {
		file = src->map[i].file;
		line = src->map[i].first_line + (note->line - src->map[i].from_line);
	}
	snprintf(out, XML_ERROR_CHARS, "%s:%u:%u: %s%s", file, line, note->column, kind, note->text);
}

static void xml_warn_all(const struct xml_source *src, const struct xml_repair *r)
{
	char text[XML_ERROR_CHARS];

	for (size_t i = 0; src->warn && i < r->note_count; i++) {
		xml_note_text(src, &r->notes[i], "warning: ", text);
		src->warn(text, src->warn_arg);
	}
	if (src->warn && r->more) {
		snprintf(text, sizeof text, "%s:1:1: warning: %zu more of this kind",
		    src->file_name ? src->file_name : "", r->more);
		src->warn(text, src->warn_arg);
	}
}

static int xml_build_repaired(struct xml_doc **out, const struct xml_source *src, char error[XML_ERROR_CHARS])
{
	struct xml_repair r;
	bool may_repair;
	int st = xml_repair_run(&r, src->text, src->n);

	if (!st)
		st = xml_build_tree(out, src, &r, &may_repair, error);
	else if (st == ST_PARSE && error)
		xml_note_text(src, &r.error, "", error);
	if (!st)
		xml_warn_all(src, &r);
	xml_repair_fini(&r);
	return st;
}

static int xml_parse_source(struct xml_doc **out, const struct xml_source *src, char error[XML_ERROR_CHARS])
{
	bool may_repair = false;
	int st;

	if (error)
		snprintf(error, XML_ERROR_CHARS, "%s:1:1: out of memory", src->file_name ? src->file_name : "");
	if (src->n > XML_MAX_BYTES) {
		if (error)
			snprintf(error, XML_ERROR_CHARS, "%s:1:1: %zu bytes are too many",
			    src->file_name ? src->file_name : "", src->n);
		return ST_PARSE;
	}
	st = xml_build_tree(out, src, NULL, &may_repair, error);
	if (may_repair && src->is_lenient && src->n)
		st = xml_build_repaired(out, src, error);
	if (!st && error)
		error[0] = 0;
	return st;
}

int xml_parse(struct xml_doc **out, const char *text, size_t n, const char *file_name, const struct xml_line_map *map,
    size_t map_count, char error[XML_ERROR_CHARS])
{
	struct xml_source src = {.text = text, .n = n, .file_name = file_name, .map = map, .map_count = map_count};
	return xml_parse_source(out, &src, error);
}

int xml_parse_lenient(struct xml_doc **out, const char *text, size_t n, const char *file_name,
    const struct xml_line_map *map, size_t map_count, xml_warn_fn warn, void *arg, char error[XML_ERROR_CHARS])
{
	struct xml_source src = {text, n, file_name, map, map_count, warn, arg, true};
	return xml_parse_source(out, &src, error);
}

const struct xml_node *xml_root(const struct xml_doc *doc)
{
	return doc->root;
}

size_t xml_doc_bytes(const struct xml_doc *doc)
{
	return doc->bytes;
}

static const struct xml_node *xml_skip_to(const struct xml_node *node, const char *name)
{
	while (node && strcmp(node->name, name))
		node = node->next;
	return node;
}

const struct xml_node *xml_child(const struct xml_node *node, const char *name)
{
	return node ? xml_skip_to(node->child, name) : NULL;
}

const struct xml_node *xml_next(const struct xml_node *node, const char *name)
{
	return node ? xml_skip_to(node->next, name) : NULL;
}

const char *xml_attr(const struct xml_node *node, const char *name)
{
	for (unsigned i = 0; node && i < node->attr_count; i++)
		if (!strcmp(node->attrs[i].name, name))
			return node->attrs[i].value;
	return NULL;
}

const char *xml_attr_or(const struct xml_node *node, const char *name, const char *otherwise)
{
	const char *value = xml_attr(node, name);
	return value ? value : otherwise;
}

const struct xml_node *xml_child_with(
    const struct xml_node *node, const char *name, const char *attr, const char *value)
{
	xml_each(node, name, it) if (sv_isi(sv_of(xml_attr(it, attr)), value)) return it;
	return NULL;
}

struct xml_index {
	struct hash *by_value;
};

int xml_index_new(struct xml_index **out, const struct xml_node *parent, const char *name, const char *attr)
{
	struct xml_index *ix = mem_zalloc(sizeof *ix);
	int st = ix ? hash_new(&ix->by_value, HASH_NOCASE, NULL) : ST_NOMEM;

	for (const struct xml_node *it = xml_child(parent, name); it && !st; it = xml_next(it, name)) {
		const char *value = xml_attr(it, attr);
		if (value && !hash_get(ix->by_value, sv_of(value)))
			st = hash_set(ix->by_value, sv_of(value), (void *)(uintptr_t)it);
	}
	if (st)
		xml_index_free(ix);
	else
		*out = ix;
	return st;
}

const struct xml_node *xml_index_get(const struct xml_index *ix, struct sv value)
{
	return hash_get(ix->by_value, value);
}

void xml_index_free(struct xml_index *ix)
{
	if (!ix)
		return;
	hash_free(ix->by_value);
	mem_free(ix);
}
