/* Any bytes as a TCP stream that arrives in pieces: the frames found must not depend on where it was cut.
 * Parser: sip/msg/frame.c */
#include "base/check.h"
#include "sip/msg/msg.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Feeds step bytes at a time; returns a hash of the frames' places and sizes and how it ended. */
static size_t feed(const char *p, size_t n, size_t step, bool *is_broken)
{
	size_t start = 0, have = 0, h = 0;
	struct sip_framer fr = {0};
	const char *why = NULL;
	*is_broken = false;
	while (have < n) {
		have = have + step > n ? n : have + step;
		for (;;) {
			struct sip_frame f;
			/* a block of its own: a read beyond what has arrived is seen */
			char *part = malloc(have - start + 1);
			memcpy(part, p + start, have - start);
			int st = sip_frame_next(&fr, &f, part, have - start, 5000, &why);
			free(part);
			if (st) {
				CHECK(why);
				*is_broken = true;
				return h;
			}
			CHECK(f.skip + f.size <= have - start);
			start += f.skip;
			if (!f.size)
				break;
			h = (h * 31 + start) * 31 + f.size;
			start += f.size;
		}
	}
	return h;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool a_broken, b_broken;
	if (size > 4096)
		return 0;
	size_t a = feed((const char *)data, size, size ? size : 1, &a_broken);
	size_t b = feed((const char *)data, size, 7, &b_broken);
	CHECK(a == b && a_broken == b_broken);
	return 0;
}
