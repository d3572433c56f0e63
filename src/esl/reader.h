/* The event socket's command reader: bytes in, whole requests out. Pure and bounded; knows the framing, not the
 * commands. A request is a block of lines ended by an empty one (CR before LF is dropped): the command line, then
 * "Name: value" lines, then, when they name a Content-Length, a body of so many bytes. Empty lines between requests
 * mean nothing. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"

enum {
	ESL_BLOCK_MAX_BYTES = 64 << 10,
	ESL_BODY_MAX_BYTES = 16 << 20,
	ESL_HEADER_MAX_COUNT = 512,
	ESL_LOGIN_BLOCK_MAX_BYTES = 4 << 10 /* before login; a body is refused then */
};

struct esl_header {
	const char *name, *value; /* value without the spaces around it */
};
struct esl_request {
	char *block;         /* owned: lines cut in place */
	const char *command; /* first line, spaces around it cut */
	struct esl_header *headers;
	size_t header_count;
	struct sv body; /* owned (body.p is a mem_alloc block, NUL-terminated) or empty */
};
/* The value of the first header of that name (any case), or NULL. */
ANY const char *esl_request_get(const struct esl_request *r, const char *name);
ANY void esl_request_fini(struct esl_request *r);

struct esl_reader {
	struct buf in;
	size_t scanned; /* bytes of in already searched for the block's end */
	size_t block_max, body_max;
	struct esl_request open; /* a block whose body is still coming */
	bool has_open;
	size_t body_bytes;
	int failure; /* sticky status */
};
ANY void esl_reader_init(struct esl_reader *r);
ANY void esl_reader_fini(struct esl_reader *r);
/* Raises the bounds from those before login to the full ones. */
ANY void esl_reader_trust(struct esl_reader *r);
/* Copies the bytes in. ST_NOMEM when more is buffered than one request of the largest kind needs. */
ANY int esl_reader_feed(struct esl_reader *r, const char *p, size_t n);
/* ST_OK: *out is the next request (esl_request_fini it); ST_AGAIN: not complete yet; ST_PARSE: a bound is crossed or
 * the Content-Length is no number: nothing more can be read. */
ANY int esl_reader_next(struct esl_reader *r, struct esl_request *out);
ANY size_t esl_reader_buffered_bytes(const struct esl_reader *r);
