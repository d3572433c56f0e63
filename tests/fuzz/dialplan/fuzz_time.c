/* Any text as the value of each time attribute, and as a time zone. The first byte chooses the attribute.
 * Parser: dialplan/time.c, text/tz.c */
#include "base/mem.h"
#include "base/str.h"
#include "dialplan/dialplan.h"
#include "text/tz.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dp_time t = {{NULL}};
	struct tm now;
	struct tz tz;
	char *text;

	if (size < 2)
		return 0;
	text = mem_strndup((const char *)data + 1, size - 1);
	if (tz_parse(&tz, sv_of(text)) == ST_OK) {
		tz_local(&tz, 1795262400, &now);
		tz_local(&tz, INT64_MAX, &now);
		tz_local(&tz, INT64_MIN, &now);
	} else {
		memset(&now, 0, sizeof now);
		now.tm_year = 126, now.tm_mon = 10, now.tm_mday = 21, now.tm_wday = 6, now.tm_yday = 324,
		now.tm_hour = 12;
	}
	t.attr[data[0] % DPT_COUNT] = text;
	dp_time_match(&t, &now);
	mem_free(text);
	return 0;
}
