/* Any bytes through the parser for an administrator's texts: what strict reading takes it takes as it is; what it takes
 * beyond is written back as XML; it never takes what repairing a second time would change.
 * Parser: text/xml_repair.c, text/xml_fix.c */
#include "base/check.h"
#include "base/mem.h"
#include "text/xml.h"
#include <stddef.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count(const char *warning, void *arg)
{
	CHECK(strstr(warning, ": warning: "));
	++*(unsigned *)arg;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct xml_line_map map[] = {{1, "a", 1}, {3, "b", 7}};
	struct xml_doc *strict = NULL, *lenient = NULL, *again = NULL;
	char error[XML_ERROR_CHARS];
	unsigned warnings = 0;
	struct buf out, same;
	int st = xml_parse(&strict, (const char *)data, size, "f", map, 2, error);
	int lenient_st = xml_parse_lenient(&lenient, (const char *)data, size, "f", map, 2, count, &warnings, error);

	CHECK(st || !lenient_st);
	CHECK(lenient_st ? *error : !*error);
	CHECK(st || !warnings);
	CHECK(warnings <= 201);
	buf_init(&out);
	buf_init(&same);
	if (lenient)
		xml_write(xml_root(lenient), &out);
	if (strict) {
		xml_write(xml_root(strict), &same);
		CHECK(sv_eq(buf_sv(&out), buf_sv(&same)));
	}
	if (lenient)
		CHECK(xml_parse(&again, out.p, out.n, "g", NULL, 0, error) == ST_OK);
	buf_fini(&out);
	buf_fini(&same);
	mem_unref(again);
	mem_unref(lenient);
	mem_unref(strict);
	return 0;
}
