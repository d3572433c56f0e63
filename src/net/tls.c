/* A connection is a tcp_conn and, unless it is plain, an SSL that never sees the socket. Here is its life, the same
 * with and without TLS, so that a door needs no second way for those that are plain: made by connecting or by a
 * listener, handed what arrives (to the handshake, tls_handshake.c; to the records, tls_records.c; or to its owner as
 * it is), ended once. Its owner is told last of all, and never from inside a call of his: what fails there fails a
 * moment later. */
#include "net/tls.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/tcp.h"
#include "net/tls_conn_i.h"

enum {
	QUEUE_SLACK_BYTES = 32 << 10, /* alerts and the like may stand behind a full queue */
	OUT_MAX_DEFAULT = 1 << 20,
	TOLD_PER_SECOND = 5
};

struct tls_listener {
	struct tcp_listener *tcp;
	struct tls_ctx *ctx;
	tls_accept_fn fn;
	void *arg;
};

static int64_t told_second;
static unsigned told_count;

/* ---- life ---- */

static void conn_dtor(void *obj)
{
	struct tls_conn *c = obj;
	role_assert_ctl();
	if (c->ctx)
		tls_records_leave();
	SSL_free(c->ssl);
	SSL_SESSION_free(c->side.session);
	mem_unref(c->side.tickets);
	mem_unref(c->ctx);
	mem_unref(c->tcp);
	buf_fini(&c->in);
	buf_fini(&c->out);
	buf_fini(&c->early);
	mem_free(c->name);
}

static ON_CTL struct tls_conn *conn_new(struct tls_ctx *ctx, bool is_server)
{
	struct tls_conn *c = mem_new(sizeof(*c), conn_dtor, "net.tls_conn");
	if (!c)
		return NULL;
	c->ctx = mem_ref(ctx);
	if (ctx)
		tls_records_enter();
	c->side.ctx = ctx;
	c->is_server = is_server;
	c->out_max = OUT_MAX_DEFAULT;
	buf_init(&c->in);
	buf_init(&c->out);
	buf_init(&c->early);
	c->in.max = TLS_IN_MAX_BYTES;
	if (ctx && !tls_handshake_prepare(c)) {
		mem_unref(c);
		return NULL;
	}
	return c;
}

/* Nobody is told any more; the socket goes its own way. */
static ON_CTL void conn_end(struct tls_conn *c, bool is_abort)
{
	if (c->state == TLS_OVER)
		return;
	c->state = TLS_OVER;
	c->h = NULL;
	loop_timer_cancel(&c->timer);
	loop_defer_cancel(&c->failure);
	tls_turn_leave(&c->turn);
	if (is_abort)
		tcp_conn_abort(c->tcp);
	else
		tcp_conn_close(c->tcp);
	if (!c->is_working) { /* else the worker's end */
		SSL_free(c->ssl);
		c->ssl = NULL;
	}
	mem_unref(c);
}

void tls_conn_fail(struct tls_conn *c, int status)
{
	const struct tls_handlers *h = c->h;
	bool was_connecting = !c->is_server && c->state < TLS_OPEN;
	if (!tls_conn_is_up(c))
		return;
	mem_ref(c);
	c->h = NULL;
	tls_turn_leave(&c->turn);
	if (h && was_connecting && h->on_connect)
		h->on_connect(c, status, c->arg);
	else if (h && h->on_close)
		h->on_close(c, status, c->arg);
	conn_end(c, status == ST_TIMEOUT);
	mem_unref(c);
}

static void fail_cb(void *arg)
{
	struct tls_conn *c = arg;
	role_assert_ctl();
	tls_conn_fail(c, c->failure_status);
}

void tls_conn_fail_later(struct tls_conn *c, int status)
{
	if (c->failure_status || !tls_conn_is_up(c))
		return;
	c->failure_status = status;
	loop_defer(&c->failure, "tls failure", fail_cb, c);
}

void tls_conn_fail_tell(const struct tls_conn *c, const char *why)
{
	char text[ADDR_TEXT_MAX];
	int64_t second = loop_now_us() / 1000000;
	if (second != told_second)
		told_second = second, told_count = 0;
	if (told_count++ < TOLD_PER_SECOND)
		log_info("TLS %s %s: %s", c->is_server ? "from" : "to", addr_text(tcp_conn_peer(c->tcp), text), why);
}

void tls_conn_reading_update(struct tls_conn *c)
{
	bool is_held = c->state == TLS_HANDSHAKE && (c->is_working || c->is_kicked);
	tcp_conn_pause(c->tcp, c->is_paused || is_held || (c->state == TLS_OPEN && loop_timer_is_set(&c->timer)));
}

void tls_conn_early_send(struct tls_conn *c)
{
	struct buf early = c->early;
	buf_init(&c->early);
	int st = early.n ? tls_conn_send(c, early.p, early.n) : ST_OK;
	buf_fini(&early);
	if (st)
		tls_conn_fail_later(c, ST_CLOSED);
}

/* ---- under it ---- */

static void on_data(struct tcp_conn *tcp, const char *data, size_t n, void *arg)
{
	struct tls_conn *c = arg;
	role_assert_ctl();
	if (!c->ctx) {
		if (c->h && c->h->on_data)
			c->h->on_data(c, data, n, c->arg);
		return;
	}
	if (c->state == TLS_OPEN) {
		tls_records_read(c, data, n);
		return;
	}
	tls_handshake_data(c, data, n);
}

static void on_connect(struct tcp_conn *tcp, int status, void *arg)
{
	struct tls_conn *c = mem_ref(arg);
	role_assert_ctl();
	if (status) {
		tls_conn_fail(c, status);
	} else if (c->ctx) {
		c->state = TLS_HANDSHAKE;
		tls_handshake_kick(c);
	} else {
		c->state = TLS_OPEN;
		loop_timer_cancel(&c->timer);
		if (c->h && c->h->on_connect)
			c->h->on_connect(c, ST_OK, c->arg);
		if (tls_conn_is_up(c))
			tls_conn_early_send(c);
	}
	mem_unref(c);
}

static void on_close(struct tcp_conn *tcp, int status, void *arg)
{
	role_assert_ctl();
	tls_conn_fail(arg, status);
}

static void on_drain(struct tcp_conn *tcp, void *arg)
{
	struct tls_conn *c = arg;
	role_assert_ctl();
	if (c->h && c->h->on_drain && c->state == TLS_OPEN)
		c->h->on_drain(c, c->arg);
}

static const struct tcp_handlers under = {
    .on_data = on_data, .on_connect = on_connect, .on_close = on_close, .on_drain = on_drain};

static void on_accept(struct tcp_conn *tcp, void *arg)
{
	struct tls_listener *l = arg;
	role_assert_ctl();
	struct tls_conn *c = conn_new(l->ctx, true);
	if (!c) {
		tcp_conn_abort(tcp);
		return;
	}
	c->tcp = mem_ref(tcp);
	c->state = c->ctx ? TLS_HANDSHAKE : TLS_OPEN;
	tcp_conn_set(tcp, &under, c);
	if (c->ctx)
		tls_handshake_deadline(c, TLS_HANDSHAKE_US, "tls handshake");
	mem_ref(c);
	l->fn(c, l->arg);
	if (tls_conn_is_up(c) && !c->h)
		conn_end(c, false);
	mem_unref(c);
}

static void listener_dtor(void *obj)
{
	mem_unref(((struct tls_listener *)obj)->ctx);
}

int tls_listen(struct tls_listener **out, const struct addr *bind, struct tls_ctx *ctx, tls_accept_fn fn, void *arg)
{
	struct tls_listener *l = mem_new(sizeof(*l), listener_dtor, "net.tls_listener");
	if (!l)
		return ST_NOMEM;
	l->ctx = mem_ref(ctx);
	l->fn = fn, l->arg = arg;
	int st = tcp_listen(&l->tcp, bind, on_accept, l);
	if (st) {
		mem_unref(l);
		return st;
	}
	*out = l;
	return ST_OK;
}

void tls_listener_set_ctx(struct tls_listener *l, struct tls_ctx *ctx)
{
	mem_ref(ctx);
	mem_unref(l->ctx);
	l->ctx = ctx;
}

void tls_listener_local(const struct tls_listener *l, struct addr *out)
{
	tcp_listener_local(l->tcp, out);
}

void tls_listener_close(struct tls_listener *l)
{
	if (!l)
		return;
	tcp_listener_close(l->tcp);
	mem_unref(l);
}

int tls_connect(struct tls_conn **out, const struct addr *dst, struct tls_ctx *ctx, const char *name,
    int64_t timeout_us, const struct tls_handlers *h, void *arg)
{
	struct tls_conn *c = conn_new(ctx, false);
	int64_t us = timeout_us > 0 ? timeout_us : TLS_HANDSHAKE_US;
	if (!c)
		return ST_NOMEM;
	c->h = h, c->arg = arg;
	c->state = TLS_CONNECTING;
	c->name = mem_strdup(name);
	if (ctx)
		c->side.session = tls_ctx_session_get(ctx, dst, name);
	int st = name && !c->name ? ST_NOMEM : tcp_connect(&c->tcp, dst, us, &under, c);
	if (st) {
		c->tcp = NULL;
		mem_unref(c);
		return st;
	}
	tls_handshake_deadline(c, us, "tls connect");
	*out = mem_ref(c);
	return ST_OK;
}

void tls_conn_set(struct tls_conn *c, const struct tls_handlers *h, void *arg)
{
	if (tls_conn_is_up(c))
		c->h = h, c->arg = arg;
}

int tls_conn_send(struct tls_conn *c, const void *p, size_t n)
{
	if (!tls_conn_is_up(c) || c->failure_status)
		return ST_CLOSED;
	if (!n)
		return ST_OK;
	if (c->state != TLS_OPEN) {
		if (n > c->out_max || c->early.n > c->out_max - n)
			return ST_FULL;
		return buf_add(&c->early, p, n) ? ST_NOMEM : ST_OK;
	}
	if (!c->ctx)
		return tcp_conn_send(c->tcp, p, n);
	return tls_records_write(c, p, n);
}

void tls_conn_set_limits(struct tls_conn *c, size_t out_queue_max_bytes, int64_t idle_timeout_us)
{
	if (!tls_conn_is_up(c))
		return;
	c->out_max = out_queue_max_bytes;
	tcp_conn_set_limits(c->tcp, out_queue_max_bytes + (c->ctx ? QUEUE_SLACK_BYTES : 0), idle_timeout_us);
}

void tls_conn_pause(struct tls_conn *c, bool is_paused)
{
	if (!tls_conn_is_up(c))
		return;
	c->is_paused = is_paused;
	if (!is_paused && c->state == TLS_OPEN && c->in.n)
		tls_records_later(c);
	tls_conn_reading_update(c);
}

size_t tls_conn_queued_bytes(const struct tls_conn *c)
{
	return tcp_conn_queued_bytes(c->tcp) + c->early.n + (c->is_working ? 0 : c->in.cap);
}

const struct addr *tls_conn_peer(const struct tls_conn *c)
{
	return tcp_conn_peer(c->tcp);
}

const struct addr *tls_conn_local(const struct tls_conn *c)
{
	return tcp_conn_local(c->tcp);
}

void tls_conn_close(struct tls_conn *c)
{
	if (!c || !tls_conn_is_up(c))
		return;
	if (c->ctx && c->state == TLS_OPEN && !c->failure_status)
		tls_records_goodbye(c);
	conn_end(c, c->failure_status != 0);
}

void tls_conn_abort(struct tls_conn *c)
{
	if (c)
		conn_end(c, true);
}

void tls_conn_set_guard(struct tls_conn *c, struct conn_guard *g)
{
	if (tls_conn_is_up(c))
		tcp_conn_set_guard(c->tcp, g);
}
