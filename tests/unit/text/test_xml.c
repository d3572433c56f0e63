/* The XML tree: what it holds, where it says things are, what it refuses, and how it is written back. */
#include "base/check.h"
#include "base/mem.h"
#include "harness.h"
#include "text/xml.h"
#include <stdio.h>
#include <string.h>

static const char sample[] =
    "<a x='1' y=\"&lt;2&gt;\">\n  <b name=\"One\">t1</b>\n  <c/>\n  <b name=\"two\"><![CDATA[<&>]]></b>tail</a>\n";

static int test_tree(void)
{
	struct xml_doc *doc = NULL;
	char error[XML_ERROR_CHARS];
	int st = xml_parse(&doc, sample, sizeof sample - 1, "f.xml", NULL, 0, error);

	if (st == ST_NOMEM)
		return 0;
	EXPECT_INT(st, ST_OK);
	const struct xml_node *a = xml_root(doc), *b = xml_child(a, "b"), *b2 = xml_next(b, "b");
	EXPECT_STR(a->name, "a");
	EXPECT_STR(xml_attr(a, "x"), "1");
	EXPECT_STR(xml_attr(a, "y"), "<2>");
	EXPECT(xml_attr(a, "z") == NULL);
	EXPECT_STR(xml_attr_or(a, "z", "-"), "-");
	EXPECT_STR(b->text, "t1");
	EXPECT_INT(b->line, 2);
	EXPECT_INT(b->column, 3);
	EXPECT_STR(b->file, "f.xml");
	EXPECT_STR(b2->text, "<&>");
	EXPECT(b2->parent == a && !xml_next(b2, "b") && !xml_child(NULL, "x") && !xml_attr(NULL, "x"));
	EXPECT(xml_child_with(a, "b", "name", "TWO") == b2);
	EXPECT_STR(a->text, "\n  \n  \n  tail");
	mem_unref(doc);
	return 0;
}

static int test_index(void)
{
	struct buf text;
	struct xml_doc *doc = NULL;
	struct xml_index *ix = NULL;

	buf_init(&text);
	buf_adds(&text, "<users>");
	for (int i = 0; i < 1000; i++)
		buf_printf(&text, "<user id=\"u%d\"/>", i);
	buf_adds(&text, "</users>");
	EXPECT_INT(xml_parse(&doc, text.p, text.n, NULL, NULL, 0, NULL), ST_OK);
	EXPECT_INT(xml_index_new(&ix, xml_root(doc), "user", "id"), ST_OK);
	EXPECT_STR(xml_attr(xml_index_get(ix, SV("U999")), "id"), "u999");
	EXPECT(xml_index_get(ix, SV("u1000")) == NULL);
	EXPECT(xml_doc_bytes(doc) < 1000 * 160);
	xml_index_free(ix);
	mem_unref(doc);
	buf_fini(&text);
	return 0;
}

static int test_errors(void)
{
	static const struct xml_line_map map[] = {{1, "one.xml", 1}, {3, "two.xml", 10}, {5, "one.xml", 4}};
	static const struct {
		const char *text, *want;
	} rows[] = {
	    {"<a>\n<b>\n</a>", "two.xml:10:3: mismatched tag"},
	    {"<a>\n\n\n\n<b x=1/></a>", "one.xml:4:6: not well-formed (invalid token)"},
	    {"<a", "one.xml:1:1: unclosed token"},
	    {"", "one.xml:1:1: no element found"},
	    {"<!DOCTYPE a [<!ENTITY e 'x'>]>\n<a>&e;</a>", "one.xml:1:27: entity declarations are not allowed"},
	    {"<a>&nosuch;</a>", "one.xml:1:4: undefined entity"},
	    {"<a/><b/>", "one.xml:1:5: junk after document element"},
	};
	char error[XML_ERROR_CHARS];
	struct xml_doc *doc = NULL;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		EXPECT_INT(xml_parse(&doc, rows[i].text, strlen(rows[i].text), "x", map, 3, error), ST_PARSE);
		if (i == 4)
			EXPECT(strstr(error, "entity declarations are not allowed"));
		else
			EXPECT_STR(error, rows[i].want);
		EXPECT(doc == NULL);
	}
	EXPECT_INT(xml_parse(&doc, "<a>\n\n\n<b/></a>", 14, "x", map, 3, error), ST_OK);
	EXPECT_STR(xml_child(xml_root(doc), "b")->file, "two.xml");
	EXPECT_INT(xml_child(xml_root(doc), "b")->line, 11);
	mem_unref(doc);
	return 0;
}

static int test_depth(void)
{
	struct buf text;
	struct xml_doc *doc = NULL;

	buf_init(&text);
	for (int depth = XML_MAX_DEPTH; depth <= XML_MAX_DEPTH + 1; depth++) {
		buf_clear(&text);
		for (int i = 0; i < depth; i++)
			buf_adds(&text, "<a>");
		for (int i = 0; i < depth; i++)
			buf_adds(&text, "</a>");
		EXPECT_INT(
		    xml_parse(&doc, text.p, text.n, NULL, NULL, 0, NULL), depth > XML_MAX_DEPTH ? ST_PARSE : ST_OK);
		doc = mem_unref(doc);
	}
	buf_fini(&text);
	return 0;
}

static int test_write(void)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
	    {"<a><b/></a>", "<a>\n  <b></b>\n</a>\n"},
	    {"<a x=\"1&amp;&quot;\">t&lt;</a>", "<a x=\"1&amp;&quot;\">t&lt;</a>\n"},
	    {"<a>\n  <b/>\n  <c>\n\t<d/>\n  </c>\n</a>",
	        "<a>\n    <b></b>\n\n    <c>\n\t    <d></d>\n\n  </c>\n\n</a>\n"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct xml_doc *doc = NULL;
		struct buf out;
		buf_init(&out);
		EXPECT_INT(xml_parse(&doc, rows[i].text, strlen(rows[i].text), NULL, NULL, 0, NULL), ST_OK);
		EXPECT_INT(xml_write(xml_root(doc), &out), ST_OK);
		EXPECT_STR(out.p, rows[i].want);
		buf_fini(&out);
		mem_unref(doc);
	}
	return 0;
}

TEST_MAIN({"tree", test_tree, TEST_OOM}, {"index", test_index, 0}, {"errors", test_errors, 0}, {"depth", test_depth, 0},
    {"write", test_write, 0})
