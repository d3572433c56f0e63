/* What phones say of their users and lines: a presence document, the value of a Call-Info, a name or note on its way
 * into a document. What is taken must be fit to be told: a name of small letters, ASCII that XML reads.
 * Parser: endpoint/sip/presence/pidf_read.c */
#include "base/check.h"
#include "endpoint/sip/presence/watch_i.h"
#include "text/xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void told(struct sv text)
{
	struct buf b;
	struct xml_doc *doc;
	buf_init(&b);
	buf_adds(&b, "<a b=\"");
	body_escape(&b, text);
	buf_adds(&b, "\">");
	body_escape(&b, text);
	buf_adds(&b, "</a>");
	for (size_t i = 0; i < b.n; i++)
		CHECK(b.p[i] >= ' ' && b.p[i] < 127);
	CHECK(!xml_parse(&doc, b.p, b.n, "told", NULL, 0, NULL));
	CHECK(!xml_root(doc)->child);
	mem_unref(doc);
	buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv text = {(const char *)data, size < 32768 ? size : 32768};
	struct pidf p;
	CHECK(shared_appearance_of(text) <= 64);
	if (!pidf_read(&p, text)) {
		CHECK(strlen(p.rpid) < sizeof(p.rpid) && strlen(p.note) < sizeof(p.note));
		for (const char *c = p.rpid; *c; c++)
			CHECK((*c >= 'a' && *c <= 'z') || *c == '-');
		told(sv_of(p.note));
	}
	if (text.n < 4096)
		told(text);
	return 0;
}
