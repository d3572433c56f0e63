/* What a browser says in Cookie and Range, and a line of call records.
 * Parser: web/words.c */
#include "base/check.h"
#include "web/web_i.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv text = {(const char *)data, size}, found = web_cookie_find(text, "tandem_session_8090");
	size_t from = 0, to = 0, whole = size * 3 + 1;
	struct json_writer w;
	struct buf b;
	json_t *array = NULL;
	if (found.n)
		CHECK(found.p >= text.p && found.p + found.n <= text.p + text.n);
	if (web_range_parse(text, whole, &from, &to))
		CHECK(from <= to && to < whole);
	buf_init(&b);
	jw_init(&w, &b, false);
	web_cells_put(&w, text);
	CHECK(b.failed || !json_parse(&array, buf_sv(&b), b.n + 1, NULL));
	CHECK(b.failed || json_array_size(array) >= 1);
	json_decref(array);
	buf_fini(&b);
	return 0;
}
