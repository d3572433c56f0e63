/* JSON: what parses is written and parses again to the same; any bytes quoted are a string that parses.
 * Parser: text/json.c */
#include "base/check.h"
#include "base/mem.h"
#include "text/json.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv text = {(const char *)data, size};
	char error[JSON_ERROR_CHARS];
	json_t *v = NULL, *again = NULL;
	struct buf quoted;
	if (!json_parse(&v, text, 1 << 20, error)) {
		char *out = json_dumps(v, JSON_ENCODE_ANY | JSON_PRESERVE_ORDER);
		CHECK(out && !json_parse(&again, sv_of(out), 0, error) && json_equal(v, again));
		free(out);
		json_decref(again);
		json_decref(v);
	}
	buf_init(&quoted);
	CHECK(!json_quote(&quoted, text));
	if (!json_parse(&v, buf_sv(&quoted), 0, error)) {
		CHECK(json_is_string(v));
		json_decref(v);
	} else {
		CHECK(memchr(data, 0, size)); /* jansson refuses NUL in strings */
	}
	buf_fini(&quoted);
	return 0;
}
