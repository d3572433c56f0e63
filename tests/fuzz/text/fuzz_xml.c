/* Any bytes through the XML parser, and what parses written back and parsed again.
 * Parser: text/xml.c, text/xml_write.c */
#include "base/check.h"
#include "base/mem.h"
#include "text/xml.h"
#include <stddef.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct xml_line_map map[] = {{1, "a", 1}, {3, "b", 7}};
	struct xml_doc *doc = NULL, *again = NULL;
	char error[XML_ERROR_CHARS];
	struct buf out;

	if (xml_parse(&doc, (const char *)data, size, "f", map, 2, error))
		return 0;
	buf_init(&out);
	xml_write(xml_root(doc), &out);
	CHECK(xml_parse(&again, out.p, out.n, "g", NULL, 0, error) == ST_OK);
	buf_fini(&out);
	mem_unref(again);
	mem_unref(doc);
	return 0;
}
