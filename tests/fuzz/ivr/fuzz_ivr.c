/* Any XML as menus, and any keys against their entries: what a param becomes is the param with keys in it and nothing
 * else. Input: keys, a line feed, the menus. Parser: ivr/menu.c */
#include "base/check.h"
#include "base/mem.h"
#include "ivr/ivr_i.h"
#include "text/mark.h"
#include "text/xml.h"

#include <string.h>

static void told(const char *problem, void *arg)
{
	CHECK(problem && *problem);
}

static void entries_try(const struct ivr_menu *m, const char *keys)
{
	for (unsigned i = 0; i < m->entry_count; i++) {
		struct buf out;
		buf_init(&out);
		if (ivr_entry_fits(&m->entries[i], keys, &out) && !m->entries[i].re)
			CHECK(!strcmp(out.p ? out.p : "", m->entries[i].param));
		buf_fini(&out);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char keys[129] = "";
	const uint8_t *end = memchr(data, '\n', n);
	size_t len = end ? (size_t)(end - data) : 0;
	struct xml_doc *doc;
	struct ivr_menus *set;
	if (!end || len >= sizeof(keys) || memchr(data, 0, len))
		return 0;
	memcpy(keys, data, len);
	if (xml_parse(&doc, (const char *)end + 1, n - len - 1, "m.xml", NULL, 0, NULL))
		return 0;
	if (!ivr_menus_new(&set)) {
		ivr_menus_read(set, xml_root(doc), told, NULL);
		for (unsigned i = 0; i < set->count; i++)
			entries_try(set->menus[i], keys);
		mem_unref(set);
	}
	mem_unref(doc);
	return 0;
}
