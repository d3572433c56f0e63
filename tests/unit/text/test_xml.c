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

/* ---- what an administrator may write ---- */

static void collect(const char *warning, void *arg)
{
	struct buf *told = arg;
	buf_printf(told, "%s\n", warning);
}

static int test_lenient(void)
{
	static const struct {
		const char *text, *want, *told; /* as written back; the warnings, or where the first is */
	} rows[] = {
	    {"<a x=\"1\"/>", "<a x=\"1\"></a>\n", ""},
	    {"<a x=\"<sip:1@h>\"/>", "<a x=\"&lt;sip:1@h&gt;\"></a>\n",
	        "f:1:7: warning: a bare '<' in 'x' is taken as text (write &lt;)\n"},
	    {"<a x=\"?a=1&b=2&amp;c\"/>", "<a x=\"?a=1&amp;b=2&amp;c\"></a>\n",
	        "f:1:11: warning: a bare '&' in 'x' is taken as text (write &amp;)\n"},
	    {"<a>R&D &nbsp; &#65; &#x42; &#0;</a>", "<a>R&amp;D &amp;nbsp; A B &amp;#0;</a>\n", "f:1:5: "},
	    {"<a value \"\"/>", "<a value=\"\"></a>\n", "f:1:4: warning: no '=' between 'value' and its value\n"},
	    {"<a value\"v\"/>", NULL, "f:1:4: "}, /* one word, which names nothing */
	    {"<a x=\"1\"y='2'/>", "<a x=\"1\" y=\"2\"></a>\n",
	        "f:1:9: warning: no blank in front of the attribute 'y'\n"},
	    {"<a x=\"1\" x=\"2\" y=\"3\"/>", "<a x=\"1\" y=\"3\"></a>\n",
	        "f:1:10: warning: the attribute 'x' is given again; the first one counts\n"},
	    {"<a x/>", "<a x=\"\"></a>\n", "f:1:4: warning: the attribute 'x' has no value\n"},
	    {"<a x=1 y=\"2\"/>", "<a x=\"\" y=\"2\"></a>\n",
	        "f:1:4: warning: the value of 'x' has no quotes and counts as empty\n"},
	    {"<a x = = \"1\" />", "<a x=\"1\"></a>\n", ""},
	    {"<a x=\"say \"hi\" now\"/>", NULL, "f:1:12: "},
	    {"<a><!-- a -- b ---><b/></a>", "<a>\n  <b></b>\n</a>\n", "f:1:11: warning: '--' within a comment\n"},
	    {"<a><!-- caf\xe9 --><b x=\"\xe9t\xc3\xa9\"/></a>", "<a>\n  <b x=\"\xc3\xa9t\xc3\xa9\"></b>\n</a>\n",
	        "f:1:12: warning: the byte 0xe9 is no UTF-8 and is taken as Latin-1\n"
	        "f:1:23: warning: the byte 0xe9 is no UTF-8 and is taken as Latin-1\n"},
	    {"<a>x\x01y</a>", "<a>x y</a>\n", "f:1:5: warning: the control character 0x01 is taken as a blank\n"},
	    {"<a>]]></a>", "<a>]]&gt;</a>\n", "f:1:4: warning: ']]>' in text is taken as text\n"},
	    {"junk <a/> tail", "<a></a>\n",
	        "f:1:1: warning: text outside of all elements is left out\n"
	        "f:1:11: warning: text outside of all elements is left out\n"},
	    {"\n<?xml version='1.0'?><a/>", "<a></a>\n", "f:2:1: warning: '<?xml' within the document is left out\n"},
	    {"<a><![CDATA[<&>]]>&</a>", "<a>&lt;&amp;&gt;&amp;</a>\n", "f:1:19: "},
	    {"<a x=\"1\n & 2\"/>", "<a x=\"1  &amp; 2\"></a>\n", "f:2:2: "},
	    {"<a x=\"where a\n < 3\"/>", "<a x=\"where a  &lt; 3\"></a>\n", "f:2:2: "},
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct xml_doc *doc = NULL;
		struct buf out, told;
		char error[XML_ERROR_CHARS];
		buf_init(&out);
		buf_init(&told);
		EXPECT_INT(
		    xml_parse_lenient(&doc, rows[i].text, strlen(rows[i].text), "f", NULL, 0, collect, &told, error),
		    ST_OK);
		EXPECT_STR(error, "");
		EXPECT_INT(xml_write(xml_root(doc), &out), ST_OK);
		if (rows[i].want)
			EXPECT_STR(out.p, rows[i].want);
		if (*rows[i].told && rows[i].told[strlen(rows[i].told) - 1] == '\n')
			EXPECT_STR(told.p, rows[i].told);
		else
			EXPECT(!strncmp(told.p ? told.p : "", rows[i].told, strlen(rows[i].told)));
		buf_fini(&out);
		buf_fini(&told);
		mem_unref(doc);
	}
	return 0;
}

/* What has two readings, or none, stays an error with its place; outside texts are read strictly. */
static int test_lenient_refuses(void)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
	    {"<a>\n<b>\n</a>", "two:1:3: mismatched tag"},
	    {"<a x='&'>\n<b>\n</a>", "two:1:3: mismatched tag"},
	    {"<a>\n<b x=\"1/>\n<c y=\"2\"/></a>", "one:2:4: the value of 'x' has no closing quote"},
	    {"<a x=\"1/><b y=\"2\"/></a>", "one:1:4: the value of 'x' has no closing quote"},
	    {"<a x=\"1", "one:1:4: the value of 'x' has no closing quote"},
	    {"<a>1 < 2</a>", "one:1:6: this '<' begins no element (write &lt;)"},
	    {"<a><!-- x</a>", "one:1:4: the comment is not closed: no '-->'"},
	    {"<a><![CDATA[ x</a>", "one:1:4: the CDATA section is not closed: no ']]>'"},
	    {"<a x='1' / y='2'></a>", "one:1:1: the tag <a> has no '>'"},
	    {"<a", "one:1:1: the tag <a> has no '>'"},
	    {"<a><b\n<c x='1'/></a>", "one:1:4: the tag <b> has no '>'"},
	    {"<a><b x=<c/></a>", "one:1:4: the tag <b> has no '>'"},
	    {"<a x='1&2'/><b/>", "one:1:13: junk after document element"},
	    {"<!DOCTYPE a [<!ENTITY e 'x'>]>\n<a x='&'>&e;</a>", "one:1:14: entity declarations are not allowed"},
	    {"<a><b\"c/></a>", "one:1:6: not well-formed (invalid token)"},
	    {"", "one:1:1: no element found"},
	    {"& & &", "one:1:1: no element found"},
	};
	static const struct xml_line_map map[] = {{1, "one", 1}, {3, "two", 1}};
	struct xml_doc *doc = NULL;
	struct buf told;
	char error[XML_ERROR_CHARS];

	buf_init(&told);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		EXPECT_INT(
		    xml_parse_lenient(&doc, rows[i].text, strlen(rows[i].text), "x", map, 2, collect, &told, error),
		    ST_PARSE);
		if (strstr(rows[i].want, "entity"))
			EXPECT(strstr(error, "entity declarations are not allowed"));
		else
			EXPECT_STR(error, rows[i].want);
		EXPECT(doc == NULL && !told.n);
	}
	EXPECT_INT(xml_parse_lenient(&doc, "<a>&\0</a>", 9, "x", NULL, 0, NULL, NULL, error), ST_PARSE);
	EXPECT_STR(error, "x:1:5: a NUL byte");
	EXPECT_INT(xml_parse(&doc, "<a x='&'/>", 10, "x", NULL, 0, error), ST_PARSE);
	buf_fini(&told);
	return 0;
}

/* Places are those of the file, whatever was added in front of them; warnings are bounded. */
static int test_lenient_places(void)
{
	static const struct xml_line_map map[] = {{1, "one", 1}, {2, "two", 40}};
	static const char text[] = "<a x=\"&&&\"><b/></a>", two[] = "<a>\n<b y=\"1\"z=\"2\"w=\"<\"/><c/></a>";
	struct xml_doc *doc = NULL;
	struct buf big, told;
	size_t lines = 0;

	EXPECT_INT(xml_parse_lenient(&doc, text, sizeof text - 1, "f", NULL, 0, NULL, NULL, NULL), ST_OK);
	EXPECT_INT(xml_child(xml_root(doc), "b")->column, 12);
	doc = mem_unref(doc);
	EXPECT_INT(xml_parse_lenient(&doc, two, sizeof two - 1, "f", map, 2, NULL, NULL, NULL), ST_OK);
	const struct xml_node *c = xml_child(xml_root(doc), "c");
	EXPECT_STR(c->file, "two");
	EXPECT_INT(c->line, 40);
	EXPECT_INT(c->column, 21);
	doc = mem_unref(doc);
	buf_init(&big);
	buf_init(&told);
	buf_adds(&big, "<a>");
	for (int i = 0; i < 1000; i++)
		buf_adds(&big, "&");
	buf_adds(&big, "</a>");
	EXPECT_INT(xml_parse_lenient(&doc, big.p, big.n, "f", NULL, 0, collect, &told, NULL), ST_OK);
	EXPECT_INT(strlen(xml_root(doc)->text), 1000);
	for (size_t i = 0; i < told.n; i++)
		lines += told.p[i] == '\n';
	EXPECT_INT(lines, 201);
	EXPECT(strstr(told.p, "f:1:1: warning: 800 more of this kind"));
	buf_fini(&big);
	buf_fini(&told);
	mem_unref(doc);
	return 0;
}

static int test_lenient_memory(void)
{
	static const char text[] = "<a x=\"&\" x='2' y>caf\xe9<!-- -- --></a>";
	struct xml_doc *doc = NULL;
	int st = xml_parse_lenient(&doc, text, sizeof text - 1, "f", NULL, 0, NULL, NULL, NULL);

	if (st == ST_NOMEM)
		return 0;
	EXPECT_INT(st, ST_OK);
	mem_unref(doc);
	return 0;
}

TEST_MAIN({"tree", test_tree, TEST_OOM}, {"index", test_index, 0}, {"errors", test_errors, 0}, {"depth", test_depth, 0},
    {"write", test_write, 0}, {"lenient", test_lenient, 0}, {"lenient_refuses", test_lenient_refuses, 0},
    {"lenient_places", test_lenient_places, 0}, {"lenient_memory", test_lenient_memory, TEST_OOM})
