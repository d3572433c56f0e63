/* Any bytes through the XML parser, and what parses looked up, written back and parsed again. What does not is tried
 * again as an administrator's text, which fuzz_xml_lenient.c looks at.
 * Parser: text/xml.c, text/xml_write.c */
#include "base/check.h"
#include "base/mem.h"
#include "text/xml.h"
#include <stddef.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void warned(const char *warning, void *arg)
{
	CHECK(*warning);
}

/* The look-ups find what a walk finds. */
static void looked_up(const struct xml_node *node, unsigned depth)
{
	for (const struct xml_node *c = node->child; c && depth < 4; c = c->next) {
		const struct xml_node *first = xml_child(node, c->name);
		struct xml_index *ix;
		CHECK(first && (first == c || xml_next(first, c->name)));
		for (unsigned i = 0; i < c->attr_count; i++) {
			const char *name = c->attrs[i].name, *value = c->attrs[i].value;
			CHECK(xml_attr(c, name) && xml_attr_or(c, name, NULL));
			const struct xml_node *found = xml_child_with(node, c->name, name, value);
			CHECK(found && !xml_index_new(&ix, node, c->name, name) &&
			      xml_index_get(ix, sv_of(value)) == found);
			xml_index_free(ix);
		}
		CHECK(!xml_attr(c, "<") && !xml_child_with(node, "<", "a", "b"));
		looked_up(c, depth + 1);
	}
	xml_index_free(NULL);
}
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct xml_line_map map[] = {{1, "a", 1}, {3, "b", 7}};
	struct xml_doc *doc = NULL, *again = NULL;
	char error[XML_ERROR_CHARS];
	struct buf out;

	if (xml_parse(&doc, (const char *)data, size, "f", map, 2, error) &&
	    xml_parse_lenient(&doc, (const char *)data, size, "f", map, 2, warned, NULL, error))
		return 0;
	buf_init(&out);
	CHECK(xml_doc_bytes(doc) > 0);
	if (size < 2000)
		looked_up(xml_root(doc), 0);
	xml_write(xml_root(doc), &out);
	CHECK(xml_parse(&again, out.p, out.n, "g", NULL, 0, error) == ST_OK);
	buf_fini(&out);
	mem_unref(again);
	mem_unref(doc);
	return 0;
}
