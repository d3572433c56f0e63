/* HTTP/1.x requests out of a stream of bytes (RFC 9110, RFC 9112), over the http-parser library: its callbacks fill one
 * bounded struct http_request. No sockets here. What http-parser lets pass and RFC 9112 forbids is refused here: spaces
 * in header names, requests without or with two Host headers, absolute targets, other versions than 1.0 and 1.1, line
 * ends that are not CR LF. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"

enum {
	HTTP_HEAD_MAX_BYTES = 32 << 10,  /* request line and headers; beyond: 431 */
	HTTP_TARGET_MAX_BYTES = 8 << 10, /* beyond: 414 */
	HTTP_HEADERS_MAX = 64,           /* beyond: 431 */
	HTTP_BODY_MAX_BYTES = 16 << 20   /* the most http_reader_new takes */
};
struct http_header {
	struct sv name, value; /* as sent; the value trimmed */
};
/* Views are NUL-terminated and valid until the next http_reader_next. */
struct http_request {
	struct sv method; /* "GET" */
	struct sv path;   /* decoded, begins with '/'; "*" for OPTIONS * */
	struct sv query;  /* after '?', not decoded */
	struct http_header headers[HTTP_HEADERS_MAX];
	size_t header_count;
	struct sv body; /* complete when the reader says ST_OK */
	bool is_http10, keeps_alive, wants_upgrade, expects_continue, has_body;
};
struct http_reader;
/* max_body_bytes: longer bodies are refused with 413, by their announced length before a byte of them is read. */
ANY int http_reader_new(struct http_reader **out, size_t max_body_bytes);
ANY void http_reader_free(struct http_reader *r); /* NULL is fine */

/* Takes bytes up to the end of a part of a request; *used says how many. ST_AGAIN: all were taken, more are needed.
 * ST_OK: a request is complete; the bytes behind *used belong to the next one (or to the upgraded protocol).
 * ST_BUSY: the head is complete and a body follows: look at it, then feed on. ST_PARSE: it cannot be read;
 * http_reader_error tells why and nothing can be fed any more. */
ANY int http_reader_feed(struct http_reader *r, const char *p, size_t n, size_t *used);
/* HTTP status to refuse with (400, 413, 414, 417, 431, 501, 505) and a sentence. */
ANY int http_reader_error(const struct http_reader *r, const char **why);
ANY const struct http_request *http_reader_request(const struct http_reader *r);
/* Forgets the complete request, ready for the next. */
ANY void http_reader_next(struct http_reader *r);
ANY size_t http_reader_held_bytes(const struct http_reader *r); /* its buffers */
/* True when nothing of a request has come yet. */
ANY bool http_reader_is_idle(const struct http_reader *r);

/* A header's value (names without case), the empty view when absent. Several of a name: the first. */
ANY struct sv http_header_get(const struct http_request *q, const char *name);
/* True when a comma-separated header (Connection, Upgrade, Accept) has the word; parameters after ';' are left out. */
ANY bool http_header_has(const struct http_request *q, const char *name, const char *word);
/* The decoded value of a query parameter appended to out; ST_NOTFOUND. */
ANY int http_query_get(const struct http_request *q, const char *name, struct buf *out);
ANY const char *http_status_phrase(int status); /* "Not Found"; "Status" for unknown ones */
