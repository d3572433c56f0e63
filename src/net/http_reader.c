/* http-parser's callbacks gather target, header names and values one after another in one buffer, each ended by NUL;
 * the request's views are set when the head is complete, because the buffer moves while it grows. The parser is paused
 * at the end of a head with a body and at the end of a message, so that one feed never runs into the next request. Line
 * ends are looked at before the parser sees them (http_lines.c). */
#include "net/http_reader.h"
#include "base/mem.h"
#include "net/http_lines_i.h"
#include "text/url.h"

#include <http_parser.h>
#include <string.h>

struct span {
	size_t at, n;
};
struct http_reader {
	http_parser parser;
	struct http_lines lines;
	size_t checked_bytes; /* of what is fed next, by lines: the parser left them */
	struct http_request request;
	struct buf head, body, path;
	struct span target, names[HTTP_HEADERS_MAX], values[HTTP_HEADERS_MAX];
	size_t count; /* headers begun */
	size_t max_body_bytes;
	bool is_in_value; /* of header count - 1 */
	bool is_begun, is_head_done, is_complete;
	int error;
	const char *why;
};

static int refuse(struct http_reader *r, int status, const char *why)
{
	if (!r->error) {
		r->error = status;
		r->why = why;
	}
	return -1;
}

static int text_add(struct http_reader *r, struct span *s, const char *p, size_t n)
{
	if (r->head.n + n + 1 > HTTP_HEAD_MAX_BYTES)
		return refuse(r, 431, "the request line and headers are too long");
	if (buf_add(&r->head, p, n))
		return refuse(r, 503, "out of memory");
	s->n += n;
	return 0;
}

static void text_end(struct http_reader *r)
{
	buf_addc(&r->head, 0);
}

static struct http_reader *reader_of(http_parser *p)
{
	return p->data;
}

static int on_begin(http_parser *p)
{
	reader_of(p)->is_begun = true;
	return 0;
}

static int on_url(http_parser *p, const char *at, size_t n)
{
	struct http_reader *r = reader_of(p);
	if (r->target.n + n > HTTP_TARGET_MAX_BYTES)
		return refuse(r, 414, "the request target is too long");
	return text_add(r, &r->target, at, n);
}

static int on_field(http_parser *p, const char *at, size_t n)
{
	struct http_reader *r = reader_of(p);
	if (r->is_head_done)
		return 0; /* a trailer: not wanted */
	if (!r->count || r->is_in_value) {
		if (r->count == HTTP_HEADERS_MAX)
			return refuse(r, 431, "too many headers");
		text_end(r);
		r->is_in_value = false;
		r->names[r->count++] = (struct span){r->head.n, 0};
		r->values[r->count - 1] = (struct span){0, 0};
	}
	return text_add(r, &r->names[r->count - 1], at, n);
}

static int on_value(http_parser *p, const char *at, size_t n)
{
	struct http_reader *r = reader_of(p);
	if (r->is_head_done)
		return 0;
	if (!r->count)
		return refuse(r, 400, "a header has no name");
	if (!r->is_in_value) {
		text_end(r);
		r->is_in_value = true;
		r->values[r->count - 1] = (struct span){r->head.n, 0};
	}
	return text_add(r, &r->values[r->count - 1], at, n);
}

/* token of RFC 9110 5.6.2 */
static bool is_token(struct sv v)
{
	for (size_t i = 0; i < v.n; i++) {
		unsigned char c = (unsigned char)v.p[i];
		bool is_alnum = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
		if (!is_alnum && (!c || !strchr("!#$%&'*+-.^_`|~", c)))
			return false;
	}
	return v.n > 0;
}

/* field-content of RFC 9110 5.5, with bytes above ASCII let through; a line end inside is a folded line's. */
static bool is_field_text(struct sv v)
{
	for (size_t i = 0; i < v.n; i++) {
		unsigned char c = (unsigned char)v.p[i];
		if ((c < ' ' && c != '\t') || c == 127)
			return false;
	}
	return true;
}

static int target_read(struct http_reader *r)
{
	struct http_request *q = &r->request;
	struct sv target = {r->head.p + r->target.at, r->target.n}, path, query;
	if (sv_is(target, "*") && sv_is(q->method, "OPTIONS")) {
		q->path = target;
		return 0;
	}
	if (!target.n || target.p[0] != '/')
		return refuse(r, 400, "the request target must begin with /");
	sv_split(target, '?', &path, &query);
	size_t fragment = sv_find(query, '#');
	if (sv_find(path, '#') < path.n || fragment < query.n)
		return refuse(r, 400, "the request target has a fragment");
	buf_clear(&r->path);
	if (url_decode(&r->path, path))
		return refuse(r, 503, "out of memory");
	for (size_t i = 0; i < r->path.n; i++)
		if ((unsigned char)r->path.p[i] < ' ' || r->path.p[i] == 127)
			return refuse(r, 400, "the path has a control character");
	q->path = buf_sv(&r->path);
	q->query = query;
	return 0;
}

static int headers_read(struct http_reader *r)
{
	struct http_request *q = &r->request;
	size_t host_count = 0;
	for (size_t i = 0; i < r->count; i++) {
		struct http_header *h = &q->headers[i];
		h->name = (struct sv){r->head.p + r->names[i].at, r->names[i].n};
		h->value = sv_trim((struct sv){r->head.p + r->values[i].at, r->values[i].n});
		if (!r->values[i].at)
			h->value = SV("");
		else
			r->head.p[h->value.p - r->head.p + (ptrdiff_t)h->value.n] = 0; /* trimmed off, or the NUL */
		if (!is_token(h->name))
			return refuse(r, 400, "a header name has a character that may not be there");
		if (!is_field_text(h->value))
			return refuse(r, 400, "a header value has a control character");
		host_count += sv_isi(h->name, "Host");
	}
	q->header_count = r->count;
	if (host_count > 1 || (!host_count && !q->is_http10))
		return refuse(r, 400, "one Host header is needed");
	return 0;
}

static int expectation_read(struct http_reader *r)
{
	struct sv v = http_header_get(&r->request, "Expect");
	r->request.expects_continue = !r->request.is_http10 && sv_isi(v, "100-continue");
	if (v.n && !sv_isi(v, "100-continue"))
		return refuse(r, 417, "only Expect: 100-continue is known");
	return 0;
}

static int on_head(http_parser *p)
{
	struct http_reader *r = reader_of(p);
	struct http_request *q = &r->request;
	text_end(r);
	if (r->head.failed)
		return refuse(r, 503, "out of memory");
	if (p->http_major != 1 || p->http_minor > 1)
		return refuse(r, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
	q->is_http10 = p->http_minor == 0;
	q->method = sv_of(http_method_str((enum http_method)p->method));
	q->keeps_alive = http_should_keep_alive(p);
	q->wants_upgrade = p->upgrade;
	q->has_body = p->flags & F_CHUNKED || (p->content_length != UINT64_MAX && p->content_length > 0);
	if (target_read(r) || headers_read(r) || expectation_read(r))
		return -1;
	if (!(p->flags & F_CHUNKED) && q->has_body && p->content_length > r->max_body_bytes)
		return refuse(r, 413, "the body is too long");
	if (p->flags & F_CHUNKED && !sv_isi(http_header_get(q, "Transfer-Encoding"), "chunked"))
		return refuse(r, 501, "of transfer codings only chunked is known");
	if (p->flags & F_CHUNKED && q->is_http10)
		return refuse(r, 400, "HTTP/1.0 has no chunks");
	r->is_head_done = true;
	http_lines_body(&r->lines, p->flags & F_CHUNKED);
	if (q->has_body)
		http_parser_pause(p, 1);
	return 0;
}

static int on_body(http_parser *p, const char *at, size_t n)
{
	struct http_reader *r = reader_of(p);
	if (n > r->max_body_bytes || r->body.n > r->max_body_bytes - n)
		return refuse(r, 413, "the body is too long");
	return buf_add(&r->body, at, n) ? refuse(r, 503, "out of memory") : 0;
}

static int on_complete(http_parser *p)
{
	struct http_reader *r = reader_of(p);
	r->is_complete = true;
	r->request.body = (struct sv){r->body.p ? r->body.p : "", r->body.n};
	http_parser_pause(p, 1);
	return 0;
}

static const http_parser_settings settings = {.on_message_begin = on_begin,
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_headers_complete = on_head,
    .on_body = on_body,
    .on_message_complete = on_complete};

int http_reader_new(struct http_reader **out, size_t max_body_bytes)
{
	struct http_reader *r = mem_zalloc(sizeof(*r));
	if (!r)
		return ST_NOMEM;
	r->max_body_bytes = max_body_bytes < HTTP_BODY_MAX_BYTES ? max_body_bytes : HTTP_BODY_MAX_BYTES;
	buf_init(&r->head);
	buf_init(&r->body);
	buf_init(&r->path);
	http_parser_init(&r->parser, HTTP_REQUEST);
	r->parser.data = r;
	*out = r;
	return ST_OK;
}

void http_reader_free(struct http_reader *r)
{
	if (!r)
		return;
	buf_fini(&r->head);
	buf_fini(&r->body);
	buf_fini(&r->path);
	mem_free(r);
}

void http_reader_next(struct http_reader *r)
{
	enum { KEEP_BYTES = 64 << 10 };
	struct buf *bufs[] = {&r->head, &r->body, &r->path};
	for (size_t i = 0; i < sizeof(bufs) / sizeof(bufs[0]); i++) {
		if (bufs[i]->cap > KEEP_BYTES)
			buf_fini(bufs[i]);
		buf_clear(bufs[i]);
	}
	memset(&r->request, 0, sizeof(r->request));
	r->target = (struct span){0, 0};
	r->count = 0;
	r->is_in_value = r->is_begun = r->is_head_done = r->is_complete = false;
	r->lines = (struct http_lines){0};
	r->checked_bytes = 0;
	http_parser_init(&r->parser, HTTP_REQUEST);
	r->parser.data = r;
}

size_t http_reader_held_bytes(const struct http_reader *r)
{
	return r->head.cap + r->body.cap + r->path.cap;
}

bool http_reader_is_idle(const struct http_reader *r)
{
	return !r->is_begun;
}

int http_reader_feed(struct http_reader *r, const char *p, size_t n, size_t *used)
{
	*used = 0;
	if (r->error || r->is_complete)
		return r->error ? ST_PARSE : ST_OK;
	bool is_bad = false;
	if (r->checked_bytes < n)
		n = r->checked_bytes + http_lines_check(&r->lines, p + r->checked_bytes, n - r->checked_bytes, &is_bad);
	if (is_bad) {
		refuse(r, 400, "a line does not end in CR LF, or a chunk is malformed");
		return ST_PARSE;
	}
	http_parser_pause(&r->parser, 0);
	*used = http_parser_execute(&r->parser, &settings, p, n);
	r->checked_bytes = *used < n ? n - *used : 0;
	enum http_errno err = HTTP_PARSER_ERRNO(&r->parser);
	if (err == HPE_PAUSED) {
		return r->is_complete ? ST_OK : ST_BUSY;
	}
	if (err == HPE_OK && !r->error)
		return r->is_complete ? ST_OK : ST_AGAIN;
	if (!r->error) {
		bool is_long = err == HPE_HEADER_OVERFLOW;
		refuse(r,
		    is_long                                ? 431
		    : err == HPE_INVALID_TRANSFER_ENCODING ? 501
		                                           : 400,
		    is_long ? "the request line and headers are too long" : http_errno_description(err));
	}
	return ST_PARSE;
}

int http_reader_error(const struct http_reader *r, const char **why)
{
	*why = r->why;
	return r->error;
}

const struct http_request *http_reader_request(const struct http_reader *r)
{
	return &r->request;
}

/* ---- looking into a request ---- */
struct sv http_header_get(const struct http_request *q, const char *name)
{
	for (size_t i = 0; i < q->header_count; i++)
		if (sv_isi(q->headers[i].name, name))
			return q->headers[i].value;
	return SV("");
}

bool http_header_has(const struct http_request *q, const char *name, const char *word)
{
	for (size_t i = 0; i < q->header_count; i++) {
		struct sv rest = q->headers[i].value, part, params;
		if (!sv_isi(q->headers[i].name, name))
			continue;
		while (rest.n) {
			sv_split(rest, ',', &part, &rest);
			sv_split(part, ';', &part, &params);
			if (sv_isi(sv_trim(part), word))
				return true;
		}
	}
	return false;
}

int http_query_get(const struct http_request *q, const char *name, struct buf *out)
{
	struct sv rest = q->query, pair, key;
	while (rest.n) {
		sv_split(rest, '&', &pair, &rest);
		sv_split(pair, '=', &key, &pair);
		if (sv_is(key, name))
			return url_decode_form(out, pair);
	}
	return ST_NOTFOUND;
}

const char *http_status_phrase(int status)
{
	static const struct {
		int status;
		const char *phrase;
	} rows[] = {
#define STATUS_ROW(num, name, string) {num, #string},
	    HTTP_STATUS_MAP(STATUS_ROW)
#undef STATUS_ROW
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].status == status)
			return rows[i].phrase;
	return "Status";
}
