/* Stanzas as the console reads them, without a command line, fed in pieces.
 * Parser: text/stanza.c */
#include "text/stanza.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stanza_reader r;
	struct stanza f;
	if (!size)
		return 0;
	size_t step = data[0] + 1u;
	stanza_reader_init(&r, STANZA_REPLY);
	for (size_t at = 1; at < size; at += step) {
		size_t n = size - at < step ? size - at : step;
		if (stanza_reader_feed(&r, (const char *)data + at, n))
			break;
		while (!stanza_reader_next(&r, &f)) {
			if (f.body.n > STANZA_BODY_MAX_BYTES || f.header_count > STANZA_HEADER_MAX_COUNT)
				__builtin_trap();
			stanza_get(&f, "content-type");
			stanza_fini(&f);
		}
	}
	stanza_reader_fini(&r);
	return 0;
}
