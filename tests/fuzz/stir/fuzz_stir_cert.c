/* Any bytes as a list of numbers in DER, and as certificates in PEM. */
#include "base/check.h"
#include "base/mem.h"
#include "stir/stir.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct stir_tn_entry entries[STIR_TN_ENTRIES_MAX];
	struct stir_cert *c = NULL;
	char error[STIR_ERROR_CHARS];
	size_t n = 0;
	if (!stir_tn_list_parse(entries, STIR_TN_ENTRIES_MAX, &n, data, size)) {
		CHECK(n > 0 && n <= STIR_TN_ENTRIES_MAX);
		for (size_t i = 0; i < n; i++)
			CHECK(entries[i].kind != STIR_TN_NONE && *entries[i].text);
	}
	if (!stir_cert_parse(&c, (struct sv){(const char *)data, size}, error))
		stir_cert_covers(c, "12155550100");
	mem_unref(c);
	return 0;
}
