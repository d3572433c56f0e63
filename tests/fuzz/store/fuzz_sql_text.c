/* SQL taken apart into statements and values, in each dialect (the first byte says which); texts made UTF-8.
 * Parser: store/sql_text.c */
#include "store/sql_text.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sql_values v;
	struct sv rest, one;
	struct buf out, error;
	size_t bytes = 0;
	if (!size || size > 65536)
		return 0;
	enum sql_dialect d = (enum sql_dialect)(data[0] % 3);
	rest = (struct sv){(const char *)data + 1, size - 1};
	buf_init(&out), buf_init(&error);
	sql_utf8_put(&out, rest);
	if (!sql_is_utf8(buf_sv(&out)))
		abort();
	while (sql_next(&rest, d, &one)) {
		bytes += one.n;
		buf_clear(&out);
		if (!one.n || bytes > size)
			abort(); /* a statement is never empty, and none is told twice */
		if (sql_bind(one, d, 9, &out, &v, &error))
			continue;
		for (size_t i = 0; i < v.count; i++)
			if (v.at[i] >= 9 || (d == SQL_STANDARD && v.count > 9))
				abort();
	}
	buf_fini(&out), buf_fini(&error);
	return 0;
}
