/* Any bytes as a traceparent header.
 * Parser: otel/traceparent.c */
#include "base/check.h"
#include "otel/otel_i.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char trace[TRACE_ID_CHARS + 1], parent[SPAN_ID_CHARS + 1];
	bool is_sampled;
	if (!otel_traceparent_parse((struct sv){(const char *)data, size}, trace, parent, &is_sampled)) {
		CHECK(strspn(trace, "0123456789abcdef") == TRACE_ID_CHARS && strspn(trace, "0") < TRACE_ID_CHARS);
		CHECK(strspn(parent, "0123456789abcdef") == SPAN_ID_CHARS && strspn(parent, "0") < SPAN_ID_CHARS);
	}
	return 0;
}
