/* Dial strings. */
#include "base/mem.h"
#include "core/originate_i.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_strndup((const char *)data, size > 65536 ? 65536 : size);
	struct dial d;

	dial_parse(&d, text);
	dial_free(&d);
	mem_free(text);
	return 0;
}
