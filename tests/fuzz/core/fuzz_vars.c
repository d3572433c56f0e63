/* The inside of {} [] <>.
 * Parser: core/value/vars.c */
#include "base/str.h"
#include "core/value/vars.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vars *v;

	if (vars_new(&v))
		return 0;
	vars_parse(v, (struct sv){(const char *)data, size});
	vars_free(v);
	return 0;
}
