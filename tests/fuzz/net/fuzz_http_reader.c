/* The HTTP request reader: the same bytes at once and cut into pieces (the first byte says how long) must give the same
 * requests and refuse at the same, and every view must be a text of its announced length.
 * Parser: net/http_reader.c, net/http_lines.c */
#include "base/check.h"
#include "base/mem.h"
#include "net/http_reader.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void view_check(struct sv v, struct buf *seen)
{
	buf_addv(seen, v);
	buf_addc(seen, 0);
}

static void request_check(const struct http_request *q, struct buf *seen)
{
	CHECK(q->header_count <= HTTP_HEADERS_MAX && q->body.n <= 1000);
	CHECK(q->path.n && (q->path.p[0] == '/' || q->path.p[0] == '*') && strlen(q->path.p) == q->path.n);
	view_check(q->method, seen);
	view_check(q->path, seen);
	view_check(q->query, seen);
	for (size_t i = 0; i < q->header_count; i++) {
		CHECK(strlen(q->headers[i].value.p) == q->headers[i].value.n);
		view_check(q->headers[i].name, seen);
		view_check(q->headers[i].value, seen);
		http_header_has(q, "connection", "close");
	}
	view_check(q->body, seen);
	struct buf value;
	buf_init(&value);
	http_query_get(q, "a", &value);
	buf_fini(&value);
}

static void read_all(const char *p, size_t n, size_t step, struct buf *seen)
{
	struct http_reader *r;
	const char *why;
	size_t at = 0, end = step < n ? step : n, used;
	int st;
	CHECK(!http_reader_new(&r, 1000) && http_reader_is_idle(r));
	for (;;) {
		st = http_reader_feed(r, p + at, end - at, &used);
		CHECK(used <= end - at);
		at += used;
		if (st == ST_AGAIN && end == n)
			break;
		if (st == ST_AGAIN)
			end = end + step < n ? end + step : n;
		else if (st == ST_OK) {
			request_check(http_reader_request(r), seen);
			http_reader_next(r);
		} else if (st != ST_BUSY)
			break;
	}
	if (st == ST_PARSE) {
		int status = http_reader_error(r, &why);
		CHECK(status >= 400 && status < 600 && why && strcmp(http_status_phrase(status), "Status"));
		buf_addc(seen, '!'); /* of several faults any may be told */
	}
	CHECK(http_reader_held_bytes(r) < 1 << 20);
	http_reader_free(r);
	http_reader_free(NULL);
	CHECK(!strcmp(http_status_phrase(1), "Status"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole, pieces;
	if (!size)
		return 0;
	buf_init(&whole);
	buf_init(&pieces);
	read_all((const char *)data + 1, size - 1, size, &whole);
	read_all((const char *)data + 1, size - 1, (data[0] & 63) + 1u, &pieces);
	CHECK(whole.n == pieces.n && (!whole.n || !memcmp(whole.p, pieces.p, whole.n)));
	buf_fini(&whole);
	buf_fini(&pieces);
	return 0;
}
