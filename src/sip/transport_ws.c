/* SIP over WebSocket and secure WebSocket (RFC 7118), over net/tls.h's connections with and without TLS: first the
 * opening handshake (net/ws_open.h), then one SIP message a WebSocket message, text or binary (net/ws.h). Both keep the
 * connection alive by pings, which intermediaries see; one that answers none is given up. A browser cannot be connected
 * to: calls to it find its connection by its address (conn.c). We connect to other servers as a client does. */
#include "net/http_reader.h"
#include "net/tls.h"
#include "net/ws_open.h"
#include "sip/sip_i.h"

#include "base/clock.h"

static const char protocol[] = "sip";
#define PING_US (30 * 1000000LL)
#define SILENT_US (90 * 1000000LL)

struct ws_line {
	struct sip_conn c;
	struct tls_conn *tls;     /* a reference; NULL while it waits for what TLS is made with, and once closed */
	struct http_reader *http; /* the request to open, while it comes */
	struct ws *ws;            /* NULL: not opened yet */
	char key[WS_KEY_CHARS + 1];
	struct ltimer ping;
	int64_t heard_us;
	size_t queue_max;
	bool is_in_ws, is_over;
};

static struct ws_line *line_of(struct sip_conn *c)
{
	return (struct ws_line *)c;
}

/* ---- messages ---- */

static ON_CTL size_t message_max(const struct sip_conn *c)
{
	return SIP_MSG_HEAD_MAX_BYTES + sip_conn_body_max(c);
}

static void on_message(struct ws *ws, bool is_text, struct sv message, void *arg)
{
	struct sip_conn *c = arg;
	role_assert_ctl();
	if (!line_of(c)->is_over)
		sip_conn_message(c, message.p, message.n);
}

static int bytes_send(struct ws *ws, struct sv bytes, void *arg)
{
	struct ws_line *w = arg;
	role_assert_ctl();
	return w->tls ? tls_conn_send(w->tls, bytes.p, bytes.n) : ST_CLOSED;
}

static const struct ws_handlers ws_handlers = {.on_message = on_message, .send = bytes_send};

static bool is_utf8(struct sv v)
{
	size_t i = 0;
	while (i < v.n) {
		uint8_t b = (uint8_t)v.p[i++];
		unsigned more = b < 0x80                ? 0
		                : b >= 0xc2 && b < 0xe0 ? 1
		                : (b & 0xf0) == 0xe0    ? 2
		                : b >= 0xf0 && b < 0xf5 ? 3
		                                        : 9;
		uint8_t next = i < v.n ? (uint8_t)v.p[i] : 0;
		if (more == 9 || v.n - i < more || (b == 0xe0 && next < 0xa0) || (b == 0xed && next > 0x9f) ||
		    (b == 0xf0 && next < 0x90) || (b == 0xf4 && next > 0x8f))
			return false;
		for (; more; more--)
			if (((uint8_t)v.p[i++] & 0xc0) != 0x80)
				return false;
	}
	return true;
}

static void on_ping(void *arg)
{
	struct ws_line *w = arg;
	role_assert_ctl();
	int64_t silent_us = loop_now_us() - w->heard_us;
	if (silent_us >= SILENT_US || (silent_us >= PING_US && ws_ping(w->ws))) {
		sip_conn_lost(&w->c);
		return;
	}
	loop_timer_set(&w->ping, PING_US, "sip ws ping", on_ping, w);
}

static ON_CTL void hold_tell(struct ws_line *w)
{
	size_t bytes = w->http ? http_reader_held_bytes(w->http) : w->c.in.cap;
	bool is_in_message = w->http || (w->ws && ws_held_bytes(w->ws));
	if (!w->is_over && (w->c.is_open || w->c.is_connecting))
		conn_guard_hold(&w->c.guard,
		    bytes + (w->ws ? ws_held_bytes(w->ws) + ws_queued_bytes(w->ws) : 0) + tls_conn_queued_bytes(w->tls),
		    is_in_message);
}

/* From here on it is WebSocket. */
static ON_CTL int ws_begin(struct ws_line *w, bool is_client)
{
	size_t max = message_max(&w->c);
	int st = is_client ? ws_client_new(&w->ws, max, &ws_handlers, w) : ws_server_new(&w->ws, max, &ws_handlers, w);
	if (st)
		return st;
	w->heard_us = loop_now_us();
	loop_timer_set(&w->ping, PING_US, "sip ws ping", on_ping, w);
	return ST_OK;
}

static ON_CTL void ws_in(struct ws_line *w, const char *p, size_t n)
{
	w->is_in_ws = true;
	int st = ws_feed(w->ws, p, n);
	w->is_in_ws = false;
	if (w->is_over) {
		ws_free(w->ws);
		w->ws = NULL;
	} else if (st) {
		sip_conn_lost(&w->c);
	}
}

/* ---- opening ---- */

static ON_CTL void server_open(struct ws_line *w, const char *p, size_t n)
{
	struct buf answer;
	const char *why = "";
	size_t used = 0;
	if (!w->http && http_reader_new(&w->http, 0)) {
		sip_conn_lost(&w->c);
		return;
	}
	int st = http_reader_feed(w->http, p, n, &used);
	if (st == ST_AGAIN)
		return;
	buf_init(&answer);
	if (st != ST_OK) {
		int code = st == ST_BUSY ? 400 : http_reader_error(w->http, &why);
		buf_printf(&answer, "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", code,
		    http_status_phrase(code));
	} else {
		st = ws_open_answer(http_reader_request(w->http), protocol, w->c.stack->cfg.ws_origins, &answer);
	}
	if (!answer.failed && tls_conn_send(w->tls, answer.p, answer.n))
		st = ST_CLOSED;
	buf_fini(&answer);
	if (!st)
		st = ws_begin(w, false);
	http_reader_free(w->http);
	w->http = NULL;
	if (st)
		sip_conn_lost(&w->c);
	else if (used < n)
		ws_in(w, p + used, n - used);
}

static ON_CTL void client_open(struct ws_line *w, const char *p, size_t n)
{
	char text[ADDR_TEXT_MAX];
	size_t used = 0, at = w->c.in.n;
	int code = 0, st = buf_add(&w->c.in, p, n);
	if (!st)
		st = ws_open_answered(buf_sv(&w->c.in), w->key, protocol, &used, &code);
	if (st == ST_AGAIN)
		return;
	if (st) {
		log_info("%s opens no WebSocket for SIP (%d)", addr_text(&w->c.peer, text), code);
		sip_conn_lost(&w->c);
		return;
	}
	buf_clear(&w->c.in);
	if (ws_begin(w, true)) {
		sip_conn_lost(&w->c);
		return;
	}
	sip_conn_opened(&w->c, tls_conn_local(w->tls));
	if (!w->is_over && used - at < n)
		ws_in(w, p + (used - at), n - (used - at));
}

/* ---- under it ---- */

static void on_data(struct tls_conn *tls, const char *data, size_t n, void *arg)
{
	struct ws_line *w = mem_ref(arg);
	role_assert_ctl();
	w->heard_us = loop_now_us();
	if (w->ws)
		ws_in(w, data, n);
	else if (w->c.is_connecting)
		client_open(w, data, n);
	else
		server_open(w, data, n);
	hold_tell(w);
	mem_unref(w);
}

static void on_drain(struct tls_conn *tls, void *arg)
{
	struct ws_line *w = arg;
	role_assert_ctl();
	if (w->ws && ws_flush(w->ws)) {
		sip_conn_lost(&w->c);
		return;
	}
	hold_tell(w);
}

static void on_connect(struct tls_conn *tls, int status, void *arg)
{
	struct ws_line *w = arg;
	struct buf request;
	char text[ADDR_TEXT_MAX];
	role_assert_ctl();
	if (status) {
		sip_conn_lost(&w->c);
		return;
	}
	buf_init(&request);
	ws_open_request(&request, w->c.name ? w->c.name : addr_text(&w->c.peer, text), "/", protocol, NULL, w->key);
	bool has_failed = request.failed || tls_conn_send(tls, request.p, request.n);
	buf_fini(&request);
	if (has_failed)
		sip_conn_lost(&w->c);
}

static void on_close(struct tls_conn *tls, int status, void *arg)
{
	role_assert_ctl();
	sip_conn_lost(arg);
}

static const struct tls_handlers handlers = {
    .on_data = on_data, .on_connect = on_connect, .on_close = on_close, .on_drain = on_drain};

static void on_accept(struct tls_conn *tls, void *arg)
{
	role_assert_ctl();
	struct sip_conn *c = sip_door_accepted(arg, tls, &handlers);
	if (!c)
		return;
	line_of(c)->tls = mem_ref(tls);
	line_of(c)->queue_max = c->ops->stranger_queue_bytes;
}

static int door_open(struct sip_listener *l, const struct addr *bind)
{
	role_assert_ctl();
	return sip_door_open(l, bind, on_accept);
}

static int line_connect(struct sip_conn *c)
{
	role_assert_ctl();
	line_of(c)->queue_max = c->ops->queue_bytes;
	return sip_line_connect(c, &handlers, &line_of(c)->tls);
}

static int line_write(struct sip_conn *c, const char *p, size_t n)
{
	struct ws_line *w = line_of(c);
	struct sv message = {p, n};
	role_assert_ctl();
	if (!w->ws || w->is_over)
		return ST_CLOSED;
	if (n > w->queue_max || ws_queued_bytes(w->ws) + tls_conn_queued_bytes(w->tls) > w->queue_max - n)
		return ST_FULL;
	return is_utf8(message) ? ws_send_text(w->ws, message) : ws_send_binary(w->ws, message);
}

static size_t line_queued_bytes(const struct sip_conn *c)
{
	const struct ws_line *w = (const struct ws_line *)c;
	role_assert_ctl();
	return tls_conn_queued_bytes(w->tls) + (w->ws ? ws_queued_bytes(w->ws) : 0);
}

static void line_set_limits(struct sip_conn *c, size_t queue_bytes, int64_t idle_us)
{
	struct ws_line *w = line_of(c);
	role_assert_ctl();
	w->queue_max = queue_bytes;
	tls_conn_set_limits(w->tls, queue_bytes, idle_us);
	if (w->ws)
		ws_set_max_message(w->ws, message_max(c));
}

static void line_close(struct sip_conn *c, bool is_abort)
{
	struct ws_line *w = line_of(c);
	role_assert_ctl();
	if (w->is_over)
		return;
	loop_timer_cancel(&w->ping);
	if (w->ws && !is_abort)
		ws_close(w->ws, 1001, "going away"); /* RFC 6455 7.4.1 */
	w->is_over = true;
	if (!w->is_in_ws) { /* else when that is back */
		ws_free(w->ws);
		w->ws = NULL;
	}
	http_reader_free(w->http);
	w->http = NULL;
	if (is_abort)
		tls_conn_abort(w->tls);
	else
		tls_conn_close(w->tls);
	w->tls = mem_unref(w->tls);
}

#define WS_OPS(transport, is_secure) \
	{ \
		.id = transport, .needs_tls = is_secure, .listener_bytes = sizeof(struct sip_door), \
		.conn_bytes = sizeof(struct ws_line), .connect_us = 10 * 1000000LL, .idle_us = 3600 * 1000000LL, \
		.queue_bytes = 1u << 20, .stranger_queue_bytes = 64u << 10, .listen = door_open, \
		.set_tls = sip_door_set_tls, .unlisten = sip_door_close, .connect = line_connect, .write = line_write, \
		.queued_bytes = line_queued_bytes, .set_limits = line_set_limits, .close = line_close, \
	}
const struct sip_transport_ops sip_ws_ops = WS_OPS(SIP_WS, false);
const struct sip_transport_ops sip_wss_ops = WS_OPS(SIP_WSS, true);
