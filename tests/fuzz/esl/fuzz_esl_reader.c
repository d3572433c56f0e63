/* The event socket's command reader: the first byte says how the rest is cut into pieces, and whether the client is
 * trusted. */
#include "esl/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct esl_reader r;
	struct esl_request q;
	if (!size)
		return 0;
	size_t step = (data[0] & 63) + 1;
	esl_reader_init(&r);
	if (data[0] & 64)
		esl_reader_trust(&r);
	for (size_t at = 1; at < size; at += step) {
		size_t n = size - at < step ? size - at : step;
		if (esl_reader_feed(&r, (const char *)data + at, n))
			break;
		while (!esl_reader_next(&r, &q)) {
			if (!q.command || q.header_count > ESL_HEADER_MAX_COUNT || q.body.n > ESL_BODY_MAX_BYTES)
				__builtin_trap();
			for (size_t i = 0; i < q.header_count; i++)
				if (esl_request_get(&q, q.headers[i].name) == NULL)
					__builtin_trap();
			esl_request_fini(&q);
		}
	}
	esl_reader_fini(&r);
	return 0;
}
