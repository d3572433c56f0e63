/* Any bytes as an Asterisk pattern: what converts must compile, and match without trouble.
 * Parser: text/re.c */
#include "base/check.h"
#include "base/mem.h"
#include "text/re.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv pattern = {(const char *)data, size < 200 ? size : 200};
	struct re_match m;
	struct buf text;
	struct re *re = NULL;

	buf_init(&text);
	if (re_asterisk(&text, pattern) == ST_OK && re_new(&re, buf_sv(&text), 0, NULL) == ST_OK) {
		re_match(re, pattern, &m);
		re_match(re, SV("2125551212"), &m);
		buf_clear(&text);
		re_substitute(&text, pattern, '$', &m);
	}
	mem_unref(re);
	buf_fini(&text);
	return 0;
}
