/* The console's frame reader, fed in pieces. */
#include "cli/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame_reader r;
	struct frame f;
	if (!size)
		return 0;
	size_t step = data[0] + 1u;
	frame_reader_init(&r);
	for (size_t at = 1; at < size; at += step) {
		size_t n = size - at < step ? size - at : step;
		if (frame_reader_feed(&r, (const char *)data + at, n))
			break;
		while (!frame_reader_next(&r, &f)) {
			if (f.body.n > FRAME_BODY_MAX_BYTES || f.header_count > FRAME_HEADER_MAX_COUNT)
				__builtin_trap();
			frame_get(&f, "content-type");
			frame_fini(&f);
		}
	}
	frame_reader_fini(&r);
	return 0;
}
