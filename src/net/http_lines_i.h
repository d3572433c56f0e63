/* The line ends of HTTP/1.1, exactly (RFC 9112 2.2, 7.1): CR LF and nothing else, in heads, chunk sizes and
 * trailers; no folded lines.
 * http-parser takes a bare LF for a line's end, and runs past one within a chunk's extension; who stands in front of us
 * may read the same bytes otherwise, and that is how requests are smuggled. */
#pragma once
#include "base/role.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_lines {
	uint8_t state;
	uint8_t digit_count;
	uint64_t left;  /* of a chunk */
	unsigned count; /* bytes of an extension, of the trailer */
};
/* How many of the bytes belong to the part at hand (the head; a chunked body; all of them otherwise) and are well
 * formed; *is_bad: the one behind them is not. */
ANY size_t http_lines_check(struct http_lines *l, const char *p, size_t n, bool *is_bad);
/* The head is over: what follows. */
ANY void http_lines_body(struct http_lines *l, bool is_chunked);
