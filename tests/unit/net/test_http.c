/* The HTTP request reader: a table of streams and what they hold, each cut at every byte; what it refuses and with
 * which status. And the WebSocket side: handshake key, frames in and out. */
#include "base/mem.h"
#include "harness.h"
#include "net/http_reader.h"
#include "net/ws.h"

#include <stdio.h>
#include <string.h>

struct row {
	const char *in,
	    *out; /* out: requests as "METHOD path?query{name=value;}body|", +: keeps alive; ! status: refused */
};
#define HOST "Host: h\r\n"
static const struct row rows[] = {
    {"GET / HTTP/1.1\r\n" HOST "\r\n", "GET /?{Host=h;}+|"},
    {"GET /a%20b?x=1&y=%41 HTTP/1.1\r\nHost:h\r\nX:  two words \r\nEmpty:\r\n\r\n",
        "GET /a b?x=1&y=%41{Host=h;X=two words;Empty=;}+|"},
    {"\r\nPOST /p HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhelloGET /q HTTP/1.0\r\n\r\n",
        "POST /p?{Host=h;Content-Length=5;}^hello+|GET /q?{}|"},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: t\r\n\r\n"
     "GET /z HTTP/1.1\r\n" HOST "\r\n",
        "POST /?{Host=h;Transfer-Encoding=chunked;}^abcde+|GET /z?{Host=h;}+|"},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\nConnection: close\r\n\r\n",
        "POST /?{Host=h;Content-Length=0;Connection=close;}|"},
    {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "OPTIONS *?{Host=h;}+|"},
    {"GET / HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        "GET /?{Host=h;Connection=Upgrade;Upgrade=websocket;}+U|"},
    {"GET / HTTP/1.1\r\n" HOST "X: a\r\n  b\r\n\r\n", "!400"}, /* a folded line (RFC 9112 5.2) */
    {"GET / HTTP/1.1\n" HOST "\r\n", "!400"},
    {"GET / HTTP/1.1\r\n" HOST "X: a\n\r\n", "!400"},
    {"GET / HTTP/1.1\r\n" HOST "\n", "!400"},
    {"GET / HTTP/1.1\r\n\r\n", "!400"},
    {"GET / HTTP/1.1\r\n" HOST HOST "\r\n", "!400"},
    {"GET / HTTP/1.1\r\nHost : h\r\n\r\n", "!400"},
    {"GET http://h/ HTTP/1.1\r\n" HOST "\r\n", "!400"},
    {"GET /a%00 HTTP/1.1\r\n" HOST "\r\n", "!400"},
    {"GET /#f HTTP/1.1\r\n" HOST "\r\n", "!400"},
    {"CONNECT h:1 HTTP/1.1\r\n" HOST "\r\n", "!400"},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "!400"},
    {"BREW / HTTP/1.1\r\n" HOST "\r\n", "!400"},
    {"GET / HTTP/1.2\r\n" HOST "\r\n", "!505"},
    {"GET / HTTP/1.1\r\n" HOST "X: a\001b\r\n\r\n", "!400"},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "!400"},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd", "!400"},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n", "!400"},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "!501"},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "!501"},
    {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "!400"},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 101\r\n\r\n", "!413"},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", "!400"},
    {"POST / HTTP/1.1\r\n" HOST "Expect: 200-ok\r\nContent-Length: 1\r\n\r\nx", "!417"},
    {"GET / HTTP/1.1\r\n" HOST "X:\x7f\r\n\r\n", "!400"},
    {"\x16\x03\x01\x02", "!400"},
};

static void request_put(const struct http_request *q, struct buf *out)
{
	buf_printf(out, "%.*s?%.*s{", SVF(q->path), SVF(q->query));
	for (size_t i = 0; i < q->header_count; i++)
		buf_printf(out, "%s=%s;", q->headers[i].name.p, q->headers[i].value.p);
	buf_adds(out, "}");
}

/* All requests in in, fed in two pieces. */
static void read_all(const char *in, size_t cut, struct buf *out)
{
	struct http_reader *r;
	size_t n = strlen(in), at = 0, end = cut;
	if (http_reader_new(&r, 100))
		return;
	for (;;) {
		size_t used;
		int st = http_reader_feed(r, in + at, end - at, &used);
		at += used;
		const struct http_request *q = http_reader_request(r);
		if (st == ST_AGAIN && end == n)
			break;
		if (st == ST_AGAIN) {
			end = n;
			continue;
		}
		if (st == ST_PARSE) {
			const char *why;
			buf_printf(out, "!%d", http_reader_error(r, &why));
			break;
		}
		if (st == ST_BUSY)
			continue;
		buf_printf(out, "%.*s ", SVF(q->method));
		request_put(q, out);
		buf_printf(out, "%s%.*s%s%s|", q->has_body ? "^" : "", SVF(q->body), q->keeps_alive ? "+" : "",
		    q->wants_upgrade ? "U" : "");
		http_reader_next(r);
	}
	http_reader_free(r);
}

static int test_rows_at_every_byte(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t cut = 0; cut <= strlen(rows[i].in); cut++) {
			struct buf out;
			buf_init(&out);
			read_all(rows[i].in, cut, &out);
			EXPECT_STR(out.p ? out.p : "", rows[i].out);
			buf_fini(&out);
		}
	}
	return 0;
}

/* Whatever allocation fails: a request comes whole or is refused, nothing leaks. */
static int test_memory(void)
{
	static const char in[] = "POST /a?b HTTP/1.1\r\n" HOST "X: y\r\nContent-Length: 5\r\n\r\nhello";
	struct http_reader *r;
	const char *why;
	size_t used, at = 0;
	int st;
	if (http_reader_new(&r, 100))
		return 0;
	do {
		st = http_reader_feed(r, in + at, sizeof(in) - 1 - at, &used);
		at += used;
	} while (st == ST_BUSY);
	if (st == ST_OK) {
		const struct http_request *q = http_reader_request(r);
		EXPECT(sv_is(q->path, "/a") && sv_is(q->query, "b") && sv_is(q->body, "hello") && q->header_count == 3);
	} else {
		EXPECT_INT(st, ST_PARSE);
		EXPECT_INT(http_reader_error(r, &why), 503);
	}
	http_reader_free(r);
	return 0;
}

static int status_of(const char *head, char fill, size_t count, const char *tail)
{
	struct http_reader *r;
	struct buf in;
	size_t used;
	const char *why;
	buf_init(&in);
	buf_adds(&in, head);
	for (size_t i = 0; i < count; i++)
		buf_addc(&in, fill);
	buf_adds(&in, tail);
	http_reader_new(&r, 100);
	int st = http_reader_feed(r, in.p, in.n, &used), status = st == ST_PARSE ? http_reader_error(r, &why) : st;
	http_reader_free(r);
	buf_fini(&in);
	return status;
}

static int test_bounds(void)
{
	struct buf many;
	buf_init(&many);
	EXPECT_INT(status_of("GET /", 'a', HTTP_TARGET_MAX_BYTES - 1, " HTTP/1.1\r\n" HOST "\r\n"), ST_OK);
	EXPECT_INT(status_of("GET /", 'a', HTTP_TARGET_MAX_BYTES, " HTTP/1.1\r\n" HOST "\r\n"), 414);
	EXPECT_INT(status_of("GET / HTTP/1.1\r\n" HOST "X: ", 'a', HTTP_HEAD_MAX_BYTES - 100, "\r\n\r\n"), ST_OK);
	EXPECT_INT(status_of("GET / HTTP/1.1\r\n" HOST "X: ", 'a', HTTP_HEAD_MAX_BYTES, "\r\n\r\n"), 431);
	EXPECT_INT(status_of("GET / HTTP/1.1\r\n", 'a', 1 << 20, "\r\n\r\n"), 431);
	buf_adds(&many, "GET / HTTP/1.1\r\n" HOST);
	for (int i = 1; i < HTTP_HEADERS_MAX; i++)
		buf_adds(&many, "a:b\r\n");
	EXPECT_INT(status_of(many.p, ' ', 0, "\r\n"), ST_OK);
	EXPECT_INT(status_of(many.p, ' ', 0, "a:b\r\n\r\n"), 431);
	buf_fini(&many);
	return 0;
}

static int test_looking(void)
{
	static const char in[] = "GET /?a=1&b=x+y%21&a=2&c HTTP/1.1\r\n" HOST
	                         "Accept: text/html;q=0.5, application/json ; q=1\r\nACCEPT: x/y\r\n\r\n";
	struct http_reader *r;
	struct buf v;
	size_t used;
	EXPECT_INT(http_reader_new(&r, 100), 0);
	EXPECT(http_reader_is_idle(r));
	EXPECT_INT(http_reader_feed(r, in, sizeof(in) - 1, &used), ST_OK);
	const struct http_request *q = http_reader_request(r);
	EXPECT(http_header_has(q, "accept", "application/json") && http_header_has(q, "accept", "TEXT/HTML") &&
	       http_header_has(q, "accept", "x/y") && !http_header_has(q, "accept", "text"));
	EXPECT(sv_is(http_header_get(q, "none"), ""));
	buf_init(&v);
	EXPECT_INT(http_query_get(q, "b", &v), 0);
	EXPECT_STR(v.p, "x y!");
	buf_clear(&v);
	EXPECT_INT(http_query_get(q, "a", &v), 0);
	EXPECT_STR(v.p, "1");
	EXPECT_INT(http_query_get(q, "c", &v), 0);
	EXPECT_INT(http_query_get(q, "d", &v), ST_NOTFOUND);
	buf_fini(&v);
	http_reader_free(r);
	EXPECT_STR(http_status_phrase(431), "Request Header Fields Too Large");
	return 0;
}

/* ---- WebSocket ---- */
struct wire {
	struct buf out, messages;
	bool is_full;
};

static int wire_send(struct ws *w, struct sv bytes, void *arg)
{
	struct wire *x = arg;
	if (x->is_full)
		return ST_FULL;
	buf_addv(&x->out, bytes);
	return ST_OK;
}

static void wire_message(struct ws *w, bool is_text, struct sv message, void *arg)
{
	struct wire *x = arg;
	buf_printf(&x->messages, "%s:%.*s|", is_text ? "text" : "binary", SVF(message));
}

static const struct ws_handlers wire_handlers = {.on_message = wire_message, .send = wire_send};

static int test_ws(void)
{
	char key[WS_ACCEPT_CHARS + 1];
	struct wire x = {.is_full = false};
	struct ws *w;
	role_set(ROLE_CTL);
	role_assert_ctl();
	EXPECT_INT(ws_accept_key(SV("dGhlIHNhbXBsZSBub25jZQ=="), key), 0); /* RFC 6455 1.3 */
	EXPECT_STR(key, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
	EXPECT_INT(ws_accept_key(SV("dGhl"), key), ST_PARSE);
	EXPECT_INT(ws_accept_key(SV("!"), key), ST_PARSE);
	EXPECT_INT(ws_server_new(&w, 16, &wire_handlers, &x), 0);
	/* "Hello" masked (RFC 6455 5.7), byte by byte; then in two fragments; then a ping */
	static const char hello[] = "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
	for (size_t i = 0; i < sizeof(hello) - 1; i++)
		EXPECT_INT(ws_feed(w, hello + i, 1), 0);
	EXPECT_INT(ws_feed(w, "\x01\x82\0\0\0\0ab\x80\x81\0\0\0\0c", 15), 0);
	EXPECT_STR(x.messages.p, "text:Hello|text:abc|");
	EXPECT_INT(ws_feed(w, "\x89\x81\0\0\0\0p", 7), 0);
	EXPECT(x.out.n == 3 && !memcmp(x.out.p, "\x8a\x01p", 3));
	buf_clear(&x.out);
	/* a wire that is full keeps what is to be sent */
	x.is_full = true;
	EXPECT_INT(ws_send_text(w, SV("hi")), 0);
	EXPECT(ws_queued_bytes(w) > 0 && !x.out.n);
	x.is_full = false;
	EXPECT_INT(ws_flush(w), 0);
	EXPECT(x.out.n == 4 && !memcmp(x.out.p, "\x81\x02hi", 4));
	buf_clear(&x.out);
	/* the far side closes: echoed, over */
	EXPECT_INT(ws_feed(w, "\x88\x82\0\0\0\0\x03\xe8", 8), ST_CLOSED);
	EXPECT(x.out.n == 4 && !memcmp(x.out.p, "\x88\x02\x03\xe8", 4));
	EXPECT_INT(ws_send_text(w, SV("late")), ST_CLOSED);
	ws_free(w);
	buf_fini(&x.out);
	buf_fini(&x.messages);
	return 0;
}

/* Each ends the connection with its code. */
static int test_ws_wrong(void)
{
	static const struct {
		const char *in;
		size_t n;
		unsigned code;
	} wrong[] = {
	    {"\x81\x02hi", 4, 1002},                                         /* not masked */
	    {"\x81\x91\0\0\0\0x", 7, 1009},                                  /* 17 bytes */
	    {"\xc1\x81\0\0\0\0x", 7, 1002},                                  /* a reserved bit */
	    {"\x83\x81\0\0\0\0x", 7, 1002},                                  /* an unknown opcode */
	    {"\x89\xfe\0\x7e\0\0\0\0", 8, 0},                                /* a long ping */
	    {"\x81\x82\0\0\0\0\xc3\x28", 8, 1007},                           /* no UTF-8 */
	    {"\x80\x81\0\0\0\0x", 7, 1002},                                  /* goes on with nothing */
	    {"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0x", 15, 1009}, /* 2^63 - 1 bytes */
	};
	role_set(ROLE_CTL);
	role_assert_ctl();
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct wire x = {.is_full = false};
		struct ws *w;
		EXPECT_INT(ws_server_new(&w, 16, &wire_handlers, &x), 0);
		int st = ws_feed(w, wrong[i].in, wrong[i].n);
		if (st != ST_CLOSED)
			test_fail(__FILE__, __LINE__, "row %zu: %d", i, st);
		EXPECT(x.out.n >= 2 && (unsigned char)x.out.p[0] == 0x88);
		unsigned code = x.out.n >= 4 ? (unsigned)(unsigned char)x.out.p[2] << 8 | (unsigned char)x.out.p[3] : 0;
		if (code != wrong[i].code)
			test_fail(__FILE__, __LINE__, "row %zu: %u", i, code);
		EXPECT(!x.messages.n);
		ws_free(w);
		buf_fini(&x.out);
		buf_fini(&x.messages);
	}
	return 0;
}

TEST_MAIN({"rows_at_every_byte", test_rows_at_every_byte}, {"memory", test_memory, TEST_OOM}, {"bounds", test_bounds},
    {"looking", test_looking}, {"ws", test_ws}, {"ws_wrong", test_ws_wrong})
