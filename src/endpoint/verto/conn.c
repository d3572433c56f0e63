/* Connections: the opening handshake, messages in, texts out, pings. A stranger may hold little and not for long; who
 * has logged in is trusted. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "endpoint/verto/verto_i.h"
#include "guard/guard.h"
#include "net/http_reader.h"
#include "net/ws_open.h"

#include <stdlib.h>
#include <string.h>

enum { PING_S = 30, SILENT_S = 90, QUEUE_MAX = 4 << 20 };
struct list verto_lines = {{&verto_lines.head, &verto_lines.head}};
static struct conn_limit *limit;

static void line_free(void *obj)
{
	struct verto_line *l = obj;
	role_assert_ctl();
	ws_free(l->ws);
	http_reader_free(l->http);
	mem_free(l->user);
	mem_free(l->domain);
	mem_free(l->methods);
	mem_free(l->channels);
	mem_free(l->jsapi);
	mem_free(l->fsapi);
	mem_free(l->context);
	mem_free(l->dialplan);
	json_decref(l->user_vars);
}

/* It leaves everything; its memory goes with the last reference. */
static ON_CTL void line_leave(struct verto_line *l)
{
	if (l->is_over)
		return;
	l->is_over = true;
	loop_timer_cancel(&l->ping);
	loop_timer_cancel(&l->ready);
	conn_guard_leave(&l->guard);
	verto_calls_detach(l);
	verto_subs_free(l);
	list_remove(&l->link);
}

static ON_CTL void line_lost(struct verto_line *l)
{
	struct tls_conn *tls = l->tls;
	if (l->is_over)
		return;
	line_leave(l);
	l->tls = NULL;
	tls_conn_close(tls);
	mem_unref(tls);
	mem_unref(l);
}

void verto_line_end(struct verto_line *l, uint16_t code, const char *reason)
{
	if (l->is_over)
		return;
	if (l->ws)
		ws_close(l->ws, code, reason);
	line_lost(l);
}

void verto_line_trust(struct verto_line *l)
{
	conn_guard_trust(&l->guard);
}

static void on_guard(enum conn_end why, void *arg)
{
	struct verto_line *l = arg;
	struct tls_conn *tls = l->tls;
	role_assert_ctl();
	if (l->is_over)
		return;
	line_leave(l);
	l->tls = NULL;
	tls_conn_abort(tls);
	mem_unref(tls);
	mem_unref(l);
}

static int bytes_send(struct ws *ws, struct sv bytes, void *arg)
{
	struct verto_line *l = arg;
	role_assert_ctl();
	return l->tls ? tls_conn_send(l->tls, bytes.p, bytes.n) : ST_CLOSED;
}

static void on_message(struct ws *ws, bool is_text, struct sv message, void *arg)
{
	struct verto_line *l = arg;
	role_assert_ctl();
	conn_guard_message(&l->guard);
	if (!l->is_over && is_text)
		verto_rpc_message(l, message);
}

static const struct ws_handlers ws_handlers = {.on_message = on_message, .send = bytes_send};

void verto_line_send(struct verto_line *l, struct sv text)
{
	if (l->is_over || !l->ws)
		return;
	if (ws_queued_bytes(l->ws) > QUEUE_MAX || ws_send_text(l->ws, text)) {
		log_warning("verto: %s takes nothing any more and is given up", l->peer);
		if (!l->is_in_ws)
			line_lost(l);
		else
			ws_close(l->ws, 1008, "too slow");
	}
}

static void on_ping(void *arg)
{
	struct verto_line *l = arg;
	role_assert_ctl();
	int64_t silent_us = loop_now_us() - l->heard_us;
	if (silent_us >= clock_us_of_s(SILENT_S) || (silent_us >= clock_us_of_s(PING_S) && ws_ping(l->ws))) {
		line_lost(l);
		return;
	}
	loop_timer_set(&l->ping, clock_us_of_s(PING_S), "verto ping", on_ping, l);
}

static ON_CTL void ws_in(struct verto_line *l, const char *p, size_t n)
{
	l->is_in_ws = true;
	int st = ws_feed(l->ws, p, n);
	l->is_in_ws = false;
	if (st)
		line_lost(l);
}

/* The request to open; ST_AGAIN: more is to come. */
static ON_CTL int open_answer(struct verto_line *l, const char *p, size_t n, size_t *used)
{
	struct buf answer;
	const char *why = "";
	if (!l->http && http_reader_new(&l->http, 0))
		return ST_NOMEM;
	int st = http_reader_feed(l->http, p, n, used);
	if (st == ST_AGAIN)
		return st;
	buf_init(&answer);
	if (st) {
		int code = st == ST_BUSY ? 400 : http_reader_error(l->http, &why);
		buf_printf(&answer, "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", code,
		    http_status_phrase(code));
	} else {
		st = ws_open_answer(http_reader_request(l->http), NULL, verto_param("ws-origins"), &answer);
	}
	if (!answer.failed && tls_conn_send(l->tls, answer.p, answer.n))
		st = ST_CLOSED;
	buf_fini(&answer);
	http_reader_free(l->http);
	l->http = NULL;
	if (!st)
		st = ws_server_new(&l->ws, VERTO_MESSAGE_MAX, &ws_handlers, l);
	if (!st)
		loop_timer_set(&l->ping, clock_us_of_s(PING_S), "verto ping", on_ping, l);
	return st;
}

static void on_data(struct tls_conn *tls, const char *data, size_t n, void *arg)
{
	struct verto_line *l = mem_ref(arg);
	size_t used = 0;
	role_assert_ctl();
	l->heard_us = loop_now_us();
	if (l->ws) {
		ws_in(l, data, n);
	} else {
		int st = open_answer(l, data, n, &used);
		if (st && st != ST_AGAIN)
			line_lost(l);
		else if (!st && used < n)
			ws_in(l, data + used, n - used);
	}
	if (!l->is_over)
		conn_guard_hold(&l->guard,
		    (l->http ? http_reader_held_bytes(l->http) : 0) +
		        (l->ws ? ws_held_bytes(l->ws) + ws_queued_bytes(l->ws) : 0) + tls_conn_queued_bytes(l->tls),
		    l->http || (l->ws && ws_held_bytes(l->ws)));
	mem_unref(l);
}

static void on_drain(struct tls_conn *tls, void *arg)
{
	struct verto_line *l = arg;
	role_assert_ctl();
	if (l->ws && ws_flush(l->ws))
		line_lost(l);
}

static void on_close(struct tls_conn *tls, int status, void *arg)
{
	struct verto_line *l = arg;
	role_assert_ctl();
	if (l->is_over)
		return;
	line_leave(l);
	mem_unref(l->tls);
	l->tls = NULL;
	mem_unref(l);
}

static const struct tls_handlers handlers = {.on_data = on_data, .on_close = on_close, .on_drain = on_drain};

static void on_accept(struct tls_conn *c, void *arg)
{
	struct verto_bind *b = arg;
	role_assert_ctl();
	struct verto_line *l = guard_is_barred(tls_conn_peer(c)) ? NULL : mem_new(sizeof(*l), line_free, "verto.line");
	if (!l)
		return;
	l->profile = b->profile, l->is_secure = b->is_secure;
	l->heard_us = loop_now_us();
	l->addr = *tls_conn_peer(c);
	addr_text(&l->addr, l->peer);
	list_init(&l->subs);
	list_init(&l->grants);
	if (conn_guard_enter(&l->guard, limit, &l->addr, false, on_guard, l)) {
		mem_unref(l);
		return;
	}
	l->tls = mem_ref(c);
	tls_conn_set_guard(c, &l->guard);
	tls_conn_set(c, &handlers, l);
	list_push(&verto_lines, &l->link);
}

/* ---- listeners ----------------------------------------------------------------------------------------------- */

int verto_bind_open(struct verto_profile *p, const char *address, const struct tls_conf *tls)
{
	struct verto_bind *b = &p->binds[p->bind_count];
	struct addr at;
	struct buf why;
	if (p->bind_count == VERTO_BINDS_MAX)
		return ST_FULL;
	if (addr_parse_hostport(&at, sv_of(address), 0)) {
		log_error("verto: profile %s: bind-local \"%s\" is no address with a port", p->name, address);
		return ST_INVAL;
	}
	*b = (struct verto_bind){.profile = p, .is_secure = tls != NULL};
	snprintf(b->name, sizeof(b->name), "%s", address);
	buf_init(&why);
	int st = tls ? tls_ctx_new(&b->ctx, tls, &why) : ST_OK;
	if (st)
		log_error("verto: profile %s: %s: %s", p->name, address, why.n ? why.p : status_text(st));
	buf_fini(&why);
	if (st)
		return st;
	st = tls_listen(&b->listener, &at, b->ctx, on_accept, b);
	if (st) {
		log_error("verto: profile %s: %s cannot be listened at: %s", p->name, address, status_text(st));
		mem_unref(b->ctx);
		return st;
	}
	p->bind_count++;
	log_notice("verto: profile %s listens at %s%s", p->name, tls ? "wss:" : "ws:", address);
	return ST_OK;
}

void verto_bind_close(struct verto_bind *b)
{
	tls_listener_close(b->listener);
	mem_unref(b->ctx);
}

static ON_CTL size_t number(const char *name)
{
	uint32_t n;
	return sv_u32(sv_of(verto_param(name)), &n) ? 0 : n;
}

int verto_conn_start(void)
{
	const struct conn_limit_conf conf = {.name = "verto",
	    .max_count = number("max-connections"),
	    .max_count_per_host = number("max-connections-per-address"),
	    .max_bytes = 64 << 20,
	    .max_bytes_per_host = 8 << 20,
	    .first_us = clock_us_of_s(10),
	    .message_us = clock_us_of_s(10),
	    .is_trusted_free = true};
	return conn_limit_new(&limit, &conf);
}

void verto_conn_stop(void)
{
	struct lnode *n, *tmp;
	list_each (&verto_lines, n, tmp)
		verto_line_end(list_entry(n, struct verto_line, link), 1001, "the switch ends");
	conn_limit_free(limit);
	limit = NULL;
}
