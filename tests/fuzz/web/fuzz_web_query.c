/* What a client of the event stream says: names of events, and the id it comes back with.
 * Parser: web/ring.c */
#include "base/check.h"
#include "web/web_i.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv text = {(const char *)data, size}, wrong, epoch;
	struct web_filter f = {.subclass_count = 0};
	uint64_t seq = 0;
	role_set(ROLE_CTL);
	role_assert_ctl();
	int st = web_filter_parse(&f, text, &wrong);
	CHECK(f.subclass_count <= FILTER_SUBCLASSES_MAX);
	if (st)
		CHECK(wrong.p >= text.p && wrong.p + wrong.n <= text.p + text.n);
	for (unsigned i = 0; i < f.subclass_count; i++)
		CHECK(memchr(f.subclasses[i], 0, FILTER_TEXT_MAX));
	if (!web_event_id_parse(text, &epoch, &seq) && epoch.n)
		CHECK(epoch.p >= text.p && epoch.p + epoch.n <= text.p + text.n);
	return 0;
}
