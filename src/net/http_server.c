/* Connections and their exchanges. In: on_data -> `in`, a bounded buffer -> the reader -> on_head, on_request. While an
 * exchange is open the rest stays in `in` (reading pauses when much has come), so answers keep their order. Out: an
 * answer is rendered into `out` and handed to the connection in pieces that fit its queue. One timer a connection: the
 * deadline of what it is waiting for (head, body, next request), or, while something is to be sent, a look whether the
 * client took any. An exchange outlives its connection when somebody holds it: then its conn is NULL. */
#include "net/http_server.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "net/tcp.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
	IN_MAX_BYTES = 256 << 10,  /* pipelined ahead; more ends the connection */
	IN_PAUSE_BYTES = 64 << 10, /* reading pauses */
	TCP_OUT_MAX_BYTES = 1 << 20,
	PIECE_BYTES = 256 << 10,                       /* handed over at a time */
	STREAM_QUEUE_MAX_BYTES = TCP_OUT_MAX_BYTES / 2 /* where on_drain tells */
};

enum stage { STAGE_IDLE, STAGE_HEAD, STAGE_BODY, STAGE_ANSWER, STAGE_STREAM, STAGE_UPGRADED, STAGE_CLOSING };

struct http_conn {
	struct lnode link;
	struct http_server *server;
	struct tcp_conn *tcp;
	struct http_reader *reader;
	struct http_exchange *x; /* a reference; NULL between requests */
	struct buf in, out;
	size_t out_at;
	enum stage stage;
	bool is_processing, is_last /* closes after the answer */, is_write_watched;
	struct ltimer timer;
	struct ldefer again;
	uint64_t sent_seen; /* bytes the client had taken when last looked */
	uint64_t queued_bytes_total;
	char host[ADDR_TEXT_MAX];
};
struct http_exchange {
	struct http_conn *conn; /* NULL: the client has gone */
	struct buf headers;
	bool is_answered, is_chunked, is_head_only;
	const struct http_stream_handlers *h;
	void *arg;
};
struct http_server {
	struct http_server_conf conf;
	const struct http_handlers *h;
	void *arg;
	struct tcp_listener *listener;
	struct list conns;
	struct hash *hosts; /* address -> (void *) number of connections */
	struct http_server_counts counts;
	int64_t refused_told_us;
};

static void process_again(void *arg);
static ON_CTL void conn_flush(struct http_conn *c);

/* ---- life of a connection -------------------------------------------------------------------------------------- */
static ON_CTL void host_count_add(struct http_server *s, const char *host, long change)
{
	long n = (long)(intptr_t)hash_get(s->hosts, sv_of(host)) + change;
	if (n > 0)
		hash_set(s->hosts, sv_of(host), (void *)(intptr_t)n);
	else
		hash_take(s->hosts, sv_of(host));
}

static ON_CTL void exchange_free(void *obj)
{
	struct http_exchange *x = obj;
	buf_fini(&x->headers);
}

static ON_CTL void conn_free(void *obj)
{
	struct http_conn *c = obj;
	http_reader_free(c->reader);
	buf_fini(&c->in);
	buf_fini(&c->out);
}

/* The exchange loses its connection; a stream is told. */
static ON_CTL void exchange_drop(struct http_conn *c, bool tells)
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

static ON_CTL void conn_end(struct http_conn *c, bool is_closed_by_peer)
{
	if (!c->tcp)
		return;
	struct tcp_conn *tcp = c->tcp;
	c->tcp = NULL;
	loop_timer_cancel(&c->timer);
	loop_defer_cancel(&c->again);
	if (c->server) {
		list_remove(&c->link);
		c->server->counts.conns--;
		host_count_add(c->server, c->host, -1);
	}
	if (!is_closed_by_peer)
		tcp_conn_close(tcp);
	mem_unref(tcp);
	exchange_drop(c, true);
	mem_unref(c);
}

/* ---- out ------------------------------------------------------------------------------------------------------- */
static ON_CTL size_t waiting_bytes(const struct http_conn *c)
{
	return c->out.n - c->out_at + (c->tcp ? tcp_conn_queued_bytes(c->tcp) : 0);
}

static ON_CTL int64_t stage_timeout_us(const struct http_conn *c)
{
	const struct http_server_conf *f = &c->server->conf;
	switch (c->stage) {
	case STAGE_IDLE:
		return f->idle_timeout_us;
	case STAGE_HEAD:
		return f->head_timeout_us;
	case STAGE_BODY:
		return f->body_timeout_us;
	default:
		return 0;
	}
}

static void on_timer(void *arg);

/* What is to be sent is watched first: a client that does not read will not ask either. */
static ON_CTL void timer_choose(struct http_conn *c)
{
	c->is_write_watched = waiting_bytes(c) > 0;
	if (c->is_write_watched) {
		c->sent_seen = c->queued_bytes_total - waiting_bytes(c);
		loop_timer_set(&c->timer, c->server->conf.write_timeout_us, "http write", on_timer, c);
	} else if (stage_timeout_us(c)) {
		loop_timer_set(&c->timer, stage_timeout_us(c), "http", on_timer, c);
	} else {
		loop_timer_cancel(&c->timer);
	}
}

static ON_CTL void stage_set(struct http_conn *c, enum stage stage)
{
	if (c->stage == stage && stage != STAGE_IDLE)
		return;
	c->stage = stage;
	timer_choose(c);
}

/* Something was handed over: the timer looks whether it is taken, or goes back to what the stage waits for. */
static ON_CTL void write_watch(struct http_conn *c)
{
	if (c->stage != STAGE_HEAD && c->stage != STAGE_BODY && c->is_write_watched != (waiting_bytes(c) > 0))
		timer_choose(c);
}

static ON_CTL int out_add(struct http_conn *c, struct sv v)
{
	c->queued_bytes_total += v.n;
	c->server->counts.bytes_out += v.n;
	return buf_addv(&c->out, v);
}

static ON_CTL void conn_flush(struct http_conn *c)
{
	while (c->tcp && c->out_at < c->out.n) {
		size_t n = c->out.n - c->out_at;
		if (n > PIECE_BYTES)
			n = PIECE_BYTES;
		if (tcp_conn_queued_bytes(c->tcp) + n > TCP_OUT_MAX_BYTES)
			break;
		int st = tcp_conn_send(c->tcp, c->out.p + c->out_at, n);
		if (st)
			break; /* ST_CLOSED: on_close follows */
		c->out_at += n;
	}
	if (c->out_at == c->out.n) {
		c->out_at = 0;
		buf_clear(&c->out);
		if (c->out.cap > PIECE_BYTES)
			buf_fini(&c->out);
	}
	if (!c->tcp)
		return;
	if (c->stage != STAGE_CLOSING || c->out_at < c->out.n)
		write_watch(c);
	else if (tcp_conn_queued_bytes(c->tcp))
		tcp_conn_set_limits(c->tcp, 2, 0); /* on_drain tells when less than half of 2 waits: nothing */
	else
		conn_end(c, false);
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

/* The answer is complete: the next request, or the end. */
static ON_CTL void answer_done(struct http_conn *c)
{
	exchange_drop(c, false);
	mem_ref(c);
	if (c->is_last) {
		stage_set(c, STAGE_CLOSING);
		conn_flush(c);
	} else {
		http_reader_next(c->reader);
		stage_set(c, STAGE_IDLE);
		conn_flush(c);
		/* not from here: this may be the coroutine of the command that was answered */
		if (c->tcp && !c->is_processing && c->in.n)
			loop_defer(&c->again, "http", process_again, c);
	}
	mem_unref(c);
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
	if (c->stage == STAGE_BODY || c->stage == STAGE_HEAD)
		c->is_last = true;
	stage_set(c, STAGE_ANSWER);
	buf_init(&head);
	head_put(x, &head, status, content_type);
	bool has_body = status != 204 && status != 304;
	if (has_body)
		buf_printf(&head, "Content-Length: %zu\r\n", body.n);
	buf_adds(&head, "\r\n");
	if (out_add(c, buf_sv(&head)) || (has_body && !x->is_head_only && out_add(c, body)))
		c->is_last = true; /* out of memory: what is cut off must not be taken for the next answer */
	buf_fini(&head);
	answer_done(c);
}

static ON_CTL void stream_begin(
    struct http_exchange *x, struct buf *head, enum stage stage, const struct http_stream_handlers *h, void *arg)
{
	struct http_conn *c = x->conn;
	x->is_answered = true;
	x->h = h, x->arg = arg;
	buf_adds(head, "\r\n");
	out_add(c, buf_sv(head));
	buf_fini(head);
	stage_set(c, stage);
	conn_flush(c);
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
	if (x->conn && c->in.n && !c->is_processing)
		loop_defer(&c->again, "http", process_again, c);
}

size_t http_exchange_queued_bytes(const struct http_exchange *x)
{
	return x->conn ? waiting_bytes(x->conn) : 0;
}

int http_exchange_write(struct http_exchange *x, struct sv bytes)
{
	struct http_conn *c = x->conn;
	char size[24];
	if (!c || !c->tcp || !x->h)
		return ST_CLOSED;
	if (waiting_bytes(c) >= STREAM_QUEUE_MAX_BYTES)
		return ST_FULL;
	if (!bytes.n)
		return ST_OK;
	if (x->is_chunked) {
		int n = snprintf(size, sizeof(size), "%zx\r\n", bytes.n);
		out_add(c, (struct sv){size, (size_t)n});
	}
	out_add(c, bytes);
	if (x->is_chunked)
		out_add(c, SV("\r\n"));
	conn_flush(c);
	return ST_OK;
}

void http_exchange_finish(struct http_exchange *x)
{
	struct http_conn *c = x->conn;
	if (!c || !x->h)
		return;
	if (x->is_chunked)
		out_add(c, SV("0\r\n\r\n"));
	answer_done(c);
}

/* ---- in -------------------------------------------------------------------------------------------------------- */
static ON_CTL void exchange_make(struct http_conn *c)
{
	if (c->x)
		return;
	c->x = mem_new(sizeof(*c->x), exchange_free, "net.http_exchange");
	if (!c->x)
		return;
	c->x->conn = c;
	buf_init(&c->x->headers);
}

/* The request is refused in the owner's form; the connection closes. */
static ON_CTL void conn_refuse(struct http_conn *c, int status, const char *why)
{
	exchange_make(c);
	c->is_last = true;
	c->server->counts.errors++;
	if (!c->x) {
		conn_end(c, false);
		return;
	}
	struct http_exchange *x = mem_ref(c->x);
	c->server->h->on_error(x, status, why, c->server->arg);
	if (http_exchange_is_open(x))
		http_exchange_reply(x, status, "text/plain", sv_of(why));
	mem_unref(x);
}

static ON_CTL void request_take(struct http_conn *c, bool is_whole)
{
	struct http_server *s = c->server;
	const struct http_request *q = http_reader_request(c->reader);
	exchange_make(c);
	if (!c->x) {
		conn_end(c, false);
		return;
	}
	struct http_exchange *x = mem_ref(c->x);
	x->is_head_only = sv_is(q->method, "HEAD");
	c->is_last = !q->keeps_alive;
	if (!is_whole) {
		stage_set(c, STAGE_BODY);
		if (s->h->on_head)
			s->h->on_head(x, s->arg);
		if (http_exchange_is_open(x) && q->expects_continue) {
			out_add(c, SV("HTTP/1.1 100 Continue\r\n\r\n"));
			conn_flush(c);
		}
	} else {
		s->counts.requests++;
		stage_set(c, STAGE_ANSWER);
		s->h->on_request(x, s->arg);
	}
	mem_unref(x);
}

static ON_CTL void feed(struct http_conn *c)
{
	size_t used = 0;
	const char *why;
	int st = http_reader_feed(c->reader, c->in.p, c->in.n, &used);
	buf_drop(&c->in, used);
	if (st == ST_PARSE) {
		int status = http_reader_error(c->reader, &why);
		buf_clear(&c->in);
		conn_refuse(c, status, why);
	} else if (st == ST_AGAIN) {
		if (!http_reader_is_idle(c->reader))
			stage_set(c, c->stage == STAGE_BODY ? STAGE_BODY : STAGE_HEAD);
	} else {
		request_take(c, st == ST_OK);
	}
}

static ON_CTL void data_pass(struct http_conn *c)
{
	struct buf got = c->in;
	struct http_exchange *x = mem_ref(c->x);
	buf_init(&c->in);
	if (x->h && x->h->on_data)
		x->h->on_data(x, got.p, got.n, x->arg);
	buf_fini(&got);
	mem_unref(x);
}

static ON_CTL void conn_process(struct http_conn *c)
{
	if (c->is_processing)
		return;
	c->is_processing = true;
	mem_ref(c);
	while (c->tcp && c->in.n && c->stage <= STAGE_BODY)
		feed(c);
	if (c->tcp && c->in.n && c->stage == STAGE_UPGRADED && c->x)
		data_pass(c);
	if (c->tcp && (c->stage == STAGE_STREAM || c->stage == STAGE_CLOSING))
		buf_clear(&c->in); /* nothing more is expected */
	c->is_processing = false;
	if (c->tcp)
		tcp_conn_pause(c->tcp, c->in.n > IN_PAUSE_BYTES);
	mem_unref(c);
}

static void process_again(void *arg)
{
	role_assert_ctl();
	conn_process(arg);
}

static void on_data(struct tcp_conn *tcp, const char *data, size_t n, void *arg)
{
	role_assert_ctl();
	struct http_conn *c = arg;
	if (c->in.n + n > IN_MAX_BYTES || buf_add(&c->in, data, n)) {
		conn_end(c, false);
		return;
	}
	conn_process(c);
}

static void on_close(struct tcp_conn *tcp, int status, void *arg)
{
	role_assert_ctl();
	conn_end(arg, true);
}

static void on_drain(struct tcp_conn *tcp, void *arg)
{
	struct http_conn *c = mem_ref(arg);
	role_assert_ctl();
	conn_flush(c);
	if (c->tcp && c->x && c->x->h && c->x->h->on_drain && waiting_bytes(c) < STREAM_QUEUE_MAX_BYTES) {
		struct http_exchange *x = mem_ref(c->x);
		x->h->on_drain(x, x->arg);
		mem_unref(x);
	}
	mem_unref(c);
}

static void on_timer(void *arg)
{
	struct http_conn *c = arg;
	role_assert_ctl();
	if (waiting_bytes(c)) {
		uint64_t sent = c->queued_bytes_total - waiting_bytes(c);
		if (sent > c->sent_seen) {
			c->sent_seen = sent;
			loop_timer_set(&c->timer, c->server->conf.write_timeout_us, "http write", on_timer, c);
			return;
		}
		c->server->counts.timeouts++;
		log_info("HTTP client %s does not read: closed", c->host);
		conn_end(c, false);
		return;
	}
	if (c->is_write_watched) {
		timer_choose(c); /* all is taken, and nobody told us when */
		return;
	}
	if (!stage_timeout_us(c))
		return;
	if (c->stage == STAGE_IDLE) {
		conn_end(c, false);
		return;
	}
	c->server->counts.timeouts++;
	mem_ref(c);
	conn_refuse(c, 408, c->stage == STAGE_BODY ? "the body took too long" : "the request took too long");
	mem_unref(c);
}

static const struct tcp_handlers tcp_handlers = {.on_data = on_data, .on_close = on_close, .on_drain = on_drain};

/* ---- the listener ---------------------------------------------------------------------------------------------- */
static ON_CTL struct http_conn *conn_new(struct http_server *s, struct tcp_conn *tcp)
{
	struct http_conn *c = mem_new(sizeof(*c), conn_free, "net.http_conn");
	if (!c)
		return NULL;
	buf_init(&c->in);
	buf_init(&c->out);
	if (http_reader_new(&c->reader, s->conf.max_body_bytes)) {
		mem_unref(c);
		return NULL;
	}
	c->server = s;
	c->tcp = mem_ref(tcp);
	addr_host(tcp_conn_peer(tcp), c->host);
	host_count_add(s, c->host, 1);
	list_push(&s->conns, &c->link);
	s->counts.conns++;
	s->counts.accepted++;
	tcp_conn_set(tcp, &tcp_handlers, c);
	tcp_conn_set_limits(tcp, TCP_OUT_MAX_BYTES, 0);
	return c;
}

static void on_accept(struct tcp_conn *tcp, void *arg)
{
	struct http_server *s = arg;
	char host[ADDR_TEXT_MAX];
	role_assert_ctl();
	if (s->h->may_connect && !s->h->may_connect(tcp_conn_peer(tcp), s->arg)) {
		s->counts.refused++;
		return;
	}
	addr_host(tcp_conn_peer(tcp), host);
	size_t of_host = (size_t)(intptr_t)hash_get(s->hosts, sv_of(host));
	bool is_full = s->counts.conns >= s->conf.max_conns || of_host >= s->conf.max_conns_per_host;
	struct http_conn *c = conn_new(s, tcp);
	if (!c)
		return;
	if (!is_full) {
		/* the first request has to come like any head: not a byte is like one that never ends */
		stage_set(c, STAGE_HEAD);
		return;
	}
	s->counts.refused++;
	if (!s->refused_told_us || loop_now_us() - s->refused_told_us > 10000000) {
		s->refused_told_us = loop_now_us();
		log_warning("HTTP: too many connections (%zu, %zu of them from %s): refused", s->counts.conns - 1,
		    of_host, host);
	}
	c->stage = STAGE_HEAD;
	conn_refuse(c, 503, "too many connections");
}

int http_server_open(
    struct http_server **out, const struct http_server_conf *conf, const struct http_handlers *h, void *arg)
{
	struct http_server *s = mem_zalloc(sizeof(*s));
	int st = s ? hash_new(&s->hosts, 0, NULL) : ST_NOMEM;
	if (st)
		goto fail;
	s->conf = *conf;
	s->h = h, s->arg = arg;
	list_init(&s->conns);
	st = tcp_listen(&s->listener, &conf->bind, on_accept, s);
	if (st)
		goto fail;
	*out = s;
	return ST_OK;
fail:
	if (s)
		hash_free(s->hosts);
	mem_free(s);
	return st;
}

void http_server_local(const struct http_server *s, struct addr *out)
{
	tcp_listener_local(s->listener, out);
}

void http_server_close(struct http_server *s)
{
	struct lnode *node;
	if (!s)
		return;
	tcp_listener_close(s->listener);
	while ((node = list_first(&s->conns))) {
		struct http_conn *c = mem_ref(list_entry(node, struct http_conn, link));
		conn_end(c, false);
		mem_unref(c);
	}
	hash_free(s->hosts);
	mem_free(s);
}

void http_server_counts(const struct http_server *s, struct http_server_counts *out)
{
	*out = s->counts;
}
