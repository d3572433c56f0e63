/* The exchange: one request and its answer. It outlives its connection when somebody holds it: then its conn is NULL
 * and every call is harmless. */
#include "base/clock.h"
#include "base/mem.h"
#include "net/http_i.h"

#include <stdio.h>
#include <time.h>

static ON_CTL void exchange_free(void *obj)
{
	struct http_exchange *x = obj;
	buf_fini(&x->headers);
}

/* The exchange loses its connection; a stream is told. */
void http_exchange_drop(struct http_conn *c, bool tells)
{
	struct http_exchange *x = c->x;
	if (!x)
		return;
	c->x = NULL;
	const struct http_stream_handlers *h = x->h;
	x->conn = NULL;
	x->h = NULL;
	if (tells && h && h->on_close)
		h->on_close(x, x->arg);
	mem_unref(x);
}

void http_exchange_make(struct http_conn *c)
{
	if (c->x)
		return;
	c->x = mem_new(sizeof(*c->x), exchange_free, "net.http_exchange");
	if (!c->x)
		return;
	c->x->conn = c;
	buf_init(&c->x->headers);
}

static ON_CTL void date_put(struct buf *b)
{
	static time_t cached_s = -1;
	static char text[40];
	time_t now = (time_t)(clock_wall_us() / 1000000);
	if (now != cached_s) {
		struct tm tm;
		gmtime_r(&now, &tm);
		strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		cached_s = now;
	}
	buf_printf(b, "Date: %s\r\n", text);
}

static ON_CTL void head_put(struct http_exchange *x, struct buf *b, int status, const char *content_type)
{
	struct http_conn *c = x->conn;
	buf_printf(b, "HTTP/1.1 %d %s\r\n", status, http_status_phrase(status));
	date_put(b);
	if (content_type)
		buf_printf(b, "Content-Type: %s\r\n", content_type);
	buf_addv(b, buf_sv(&x->headers));
	if (status != 101 && c->is_last)
		buf_adds(b, "Connection: close\r\n");
	else if (status != 101 && http_reader_request(c->reader)->is_http10)
		buf_adds(b, "Connection: keep-alive\r\n");
}

/* ---- the exchange ---------------------------------------------------------------------------------------------- */
const struct http_request *http_exchange_request(const struct http_exchange *x)
{
	static const struct http_request gone = {.path = {"", 0}};
	return x->conn ? http_reader_request(x->conn->reader) : &gone;
}

const struct addr *http_exchange_peer(const struct http_exchange *x)
{
	static const struct addr none;
	return x->conn && x->conn->tcp ? tcp_conn_peer(x->conn->tcp) : &none;
}

bool http_exchange_is_open(const struct http_exchange *x)
{
	return x->conn && x->conn->tcp && !x->is_answered;
}

void http_exchange_header(struct http_exchange *x, const char *name, const char *value)
{
	buf_printf(&x->headers, "%s: ", name);
	for (; *value; value++)
		buf_addc(&x->headers, (unsigned char)*value < ' ' || *value == 127 ? ' ' : *value);
	buf_adds(&x->headers, "\r\n");
}

void http_exchange_trust(struct http_exchange *x)
{
	if (x->conn)
		conn_guard_trust(&x->conn->guard);
}

void http_exchange_delay(struct http_exchange *x, int64_t delay_us)
{
	x->delay_us = delay_us;
}

void http_exchange_headers_clear(struct http_exchange *x)
{
	buf_clear(&x->headers);
}

void http_exchange_reply(struct http_exchange *x, int status, const char *content_type, struct sv body)
{
	struct http_conn *c = x->conn;
	struct buf head;
	if (!http_exchange_is_open(x))
		return;
	x->is_answered = true;
	/* What is not read cannot be skipped. */
	if (c->stage == STAGE_BODY || c->stage == STAGE_HEAD || x->delay_us)
		c->is_last = true;
	http_conn_stage(c, STAGE_ANSWER);
	buf_init(&head);
	head_put(x, &head, status, content_type);
	bool has_body = status != 204 && status != 304;
	if (has_body)
		buf_printf(&head, "Content-Length: %zu\r\n", body.n);
	buf_adds(&head, "\r\n");
	if (http_conn_out(c, buf_sv(&head)) || (has_body && !x->is_head_only && http_conn_out(c, body)))
		c->is_last = true; /* out of memory: what is cut off must not be taken for the next answer */
	buf_fini(&head);
	if (x->delay_us)
		http_conn_hold(c, x->delay_us);
	else
		http_conn_answer_done(c);
}

static ON_CTL void stream_begin(
    struct http_exchange *x, struct buf *head, enum stage stage, const struct http_stream_handlers *h, void *arg)
{
	struct http_conn *c = x->conn;
	x->is_answered = true;
	x->h = h, x->arg = arg;
	buf_adds(head, "\r\n");
	http_conn_out(c, buf_sv(head));
	buf_fini(head);
	http_conn_stage(c, stage);
	http_conn_flush(c);
}

void http_exchange_stream(
    struct http_exchange *x, const char *content_type, const struct http_stream_handlers *h, void *arg)
{
	struct http_conn *c = x->conn;
	struct buf head;
	if (!http_exchange_is_open(x))
		return;
	buf_init(&head);
	c->is_last = true;
	x->is_chunked = !http_reader_request(c->reader)->is_http10;
	head_put(x, &head, 200, content_type);
	if (x->is_chunked)
		buf_adds(&head, "Transfer-Encoding: chunked\r\n");
	stream_begin(x, &head, STAGE_STREAM, h, arg);
}

void http_exchange_upgrade(
    struct http_exchange *x, const char *protocol, const struct http_stream_handlers *h, void *arg)
{
	struct http_conn *c = x->conn;
	struct buf head;
	if (!http_exchange_is_open(x))
		return;
	buf_init(&head);
	c->is_last = true;
	head_put(x, &head, 101, NULL);
	buf_printf(&head, "Upgrade: %s\r\nConnection: Upgrade\r\n", protocol);
	stream_begin(x, &head, STAGE_UPGRADED, h, arg);
	http_conn_read_on(c);
}

size_t http_exchange_queued_bytes(const struct http_exchange *x)
{
	return x->conn ? http_conn_waiting_bytes(x->conn) : 0;
}

int http_exchange_write(struct http_exchange *x, struct sv bytes)
{
	struct http_conn *c = x->conn;
	char size[24];
	if (!c || !c->tcp || !x->h)
		return ST_CLOSED;
	if (http_conn_waiting_bytes(c) >= STREAM_QUEUE_MAX_BYTES)
		return ST_FULL;
	if (!bytes.n)
		return ST_OK;
	if (x->is_chunked) {
		int n = snprintf(size, sizeof(size), "%zx\r\n", bytes.n);
		http_conn_out(c, (struct sv){size, (size_t)n});
	}
	http_conn_out(c, bytes);
	if (x->is_chunked)
		http_conn_out(c, SV("\r\n"));
	http_conn_flush(c);
	return ST_OK;
}

void http_exchange_finish(struct http_exchange *x)
{
	struct http_conn *c = x->conn;
	if (!c || !x->h)
		return;
	if (x->is_chunked)
		http_conn_out(c, SV("0\r\n\r\n"));
	http_conn_answer_done(c);
}
