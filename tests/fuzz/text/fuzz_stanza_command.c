/* Stanzas as the event socket reads them: the first byte says how the rest is cut into pieces, and whether the client
 * is trusted.
 * Parser: text/stanza.c */
#include "text/stanza.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stanza_reader r;
	struct stanza q;
	if (!size)
		return 0;
	size_t step = (data[0] & 63) + 1;
	stanza_reader_init(&r, STANZA_COMMAND);
	if (data[0] & 64)
		stanza_reader_trust(&r);
	for (size_t at = 1; at < size; at += step) {
		size_t n = size - at < step ? size - at : step;
		if (stanza_reader_feed(&r, (const char *)data + at, n))
			break;
		while (!stanza_reader_next(&r, &q)) {
			if (!q.command || q.header_count > STANZA_HEADER_MAX_COUNT || q.body.n > STANZA_BODY_MAX_BYTES)
				__builtin_trap();
			for (size_t i = 0; i < q.header_count; i++)
				if (stanza_get(&q, q.headers[i].name) == NULL)
					__builtin_trap();
			stanza_fini(&q);
		}
	}
	stanza_reader_fini(&r);
	return 0;
}
