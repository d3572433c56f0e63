/* Any text as anything that can be said, in each language; what comes out is names of prompts only. The first byte
 * chooses.
 * Parser: say/en.c, say/zh.c, say/number.c */
#include "base/check.h"
#include "base/status.h"
#include "say/say.h"
#include "text/tz.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const languages[] = {"en", "zh", "zh_CN"};
	struct tz zone;
	struct buf row;

	if (size < 2)
		return 0;
	struct say_args args = {.type = (enum say_type)(data[0] % SAY_TYPE_COUNT),
	    .method = (enum say_method)(data[1] % SAY_METHOD_COUNT),
	    .now_s = 1795264245,
	    .zone = &zone};
	CHECK(!tz_parse(&zone, SV("CET-1CEST,M3.5.0,M10.5.0/3")));
	for (size_t i = 0; i < sizeof(languages) / sizeof(languages[0]); i++) {
		buf_init(&row);
		int st =
		    say_language_find(languages[i])->say(&args, (struct sv){(const char *)data + 2, size - 2}, &row);
		CHECK(st == ST_OK || st == ST_PARSE || st == ST_LIMIT);
		for (size_t k = 0; k < row.n; k++)
			CHECK(row.p[k] > ' ' && row.p[k] < 127);
		CHECK(!row.n || row.p[row.n - 1] != '!');
		buf_fini(&row);
	}
	return 0;
}
