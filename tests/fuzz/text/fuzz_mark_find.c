/* A text composed of a value in some way, and the value found in it: what the text stands for does not change, and
 * where the value stands no sign of a language is the program's. */
#include "base/check.h"
#include "base/mem.h"
#include "text/mark.h"
#include "text/mark_find.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *zero = n ? memchr(data, 0, n) : NULL;
	size_t value_bytes = zero ? (size_t)(zero - (const char *)data) : n;
	struct sv value = {(const char *)data, value_bytes},
	          rest = zero ? (struct sv){zero + 1, n - value_bytes - 1} : SV_NONE;
	struct mark_find f;
	struct buf text, back;

	if (memchr(rest.p ? rest.p : "", 0, rest.n))
		return 0;
	buf_init(&text), buf_init(&back);
	buf_addv(&text, rest);
	buf_addv(&text, value);
	buf_addv(&text, rest);
	mark_find_begin(&f, buf_sv(&text));
	mark_find_value(&f, value);
	char *marked = mark_find_end(&f);
	if (marked && !mark_has(buf_sv(&text))) {
		mark_strip(&back, sv_of(marked));
		CHECK(back.n == text.n && !memcmp(back.p ? back.p : "", text.p ? text.p : "", text.n));
	}
	if (value.n > 1 && mark_means_something(value)) {
		CHECK(marked);
		struct mark_it it = {.rest = mark_sub(sv_of(marked), rest.n, value.n)};
		/* no sign of a language is the program's where the value stands */
		while (!mark_has(buf_sv(&text)) && mark_next(&it))
			CHECK(it.is_outside || !mark_means_something((struct sv){&it.byte, 1}));
	}
	mem_free(marked);
	buf_fini(&text), buf_fini(&back);
	return 0;
}
