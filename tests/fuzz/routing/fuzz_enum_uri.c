/* A number and the expression of a NAPTR record: "number=!regex!replacement!flags".
 * Parser: routing/enum_uri.c */
#include "base/mem.h"
#include "routing/routing_i.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv number, regexp;
	struct buf out;
	sv_split((struct sv){(const char *)data, size}, '=', &number, &regexp);
	char *n = sv_dup(number), *r = sv_dup(regexp);
	buf_init(&out);
	if (n && r)
		(void)routing_enum_uri(r, n, &out);
	buf_fini(&out);
	mem_free(n);
	mem_free(r);
	return 0;
}
