/* Expansion, with variables whose values lead on.
 * Parser: core/run/expand.c */
#include "base/mem.h"
#include "core/run/expand.h"
#include <string.h>

static const char *lookup(const char *name, void *arg)
{
	return !strcmp(name, "a")   ? "${b}x"
	       : !strcmp(name, "b") ? "value"
	       : !strcmp(name, "c") ? "${c}${c}"
	       : !strcmp(name, "d") ? "ARRAY::1|:2"
	                            : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
NO_ROLE_CHECK int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_strndup((const char *)data, size > 65536 ? 65536 : size), *out = NULL;

	role_set(ROLE_CTL);
	if (!expand_with(NULL, lookup, NULL, text, &out))
		mem_free(out);
	mem_free(text);
	return 0;
}
