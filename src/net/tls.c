/* A connection is a tcp_conn and, until it is plain, an SSL between two buffers. OpenSSL never sees a socket: it is fed
 * whole records out of what arrived (so a far side that dribbles holds no buffer of OpenSSL's), and what it writes goes
 * to the socket's queue.
 *
 *   handshake: records -> `in`, reading stops -> turn (tls_turn.c) -> worker: SSL_do_handshake -> done -> `out` ->
 * socket after it:  records, at most RECORDS_PER_WAKE in one go -> SSL_read -> on_data;  send -> SSL_write -> socket
 *
 * While a worker has the SSL nothing else touches it, nor `in` and `out`; who closes meanwhile leaves the object to the
 * worker's end. The SSL is made by the first step: who connects and says nothing costs a socket. */
#include "net/tls.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "loop/work.h"
#include "net/tcp.h"
#include "net/tls_i.h"
#include "net/tls_turn.h"

#include <errno.h>
#include <openssl/err.h>
#include <string.h>

enum {
	RECORD_HEAD_BYTES = 5,
	RECORD_MAX_BYTES = 16384 + 2048, /* RFC 5246 6.2.3; RFC 8446 5.2 has less */
	PLAIN_MAX_BYTES = 16384,
	RECORDS_PER_WAKE = 256,
	IN_MAX_BYTES = 128 << 10,
	IN_KEEP_BYTES = 1024,
	OVERHEAD_BYTES = 64, /* a record's, more than any cipher's */
	SEND_RECORD_BYTES = 8192,
	QUEUE_SLACK_BYTES = 32 << 10, /* alerts and the like may stand behind a full queue */
	HELLO_MAX_BYTES = 8 << 10,    /* what may come before our first answer */
	WIRE_KEEP_BYTES = 256 << 10,
	OUT_MAX_DEFAULT = 1 << 20,
	TOLD_PER_SECOND = 5
};
#define HANDSHAKE_US (10 * 1000000LL)
enum tls_state { TLS_CONNECTING, TLS_HANDSHAKE, TLS_OPEN, TLS_OVER };
enum step_end { STEP_WANTS, STEP_DONE, STEP_FAILED, STEP_DENIED };

struct tls_conn {
	struct tcp_conn *tcp; /* a reference */
	const struct tls_handlers *h;
	void *arg;
	struct tls_ctx *ctx; /* NULL: plain */
	SSL *ssl;
	struct tls_side side;
	struct buf in, out, early; /* arrived and not yet fed; the handshake's; sent before its end */
	struct sv fed;             /* what OpenSSL reads */
	struct buf *into;          /* where it writes */
	struct tls_turn turn;
	struct ltimer timer; /* handshake: deadline; open: the next records */
	struct ldefer failure;
	char *name;
	const char *why; /* a static text */
	size_t out_max;
	int failure_status;
	uint8_t state, step;
	bool is_server, is_working, is_paused, is_kicked, has_answered;
};
struct tls_listener {
	struct tcp_listener *tcp;
	struct tls_ctx *ctx;
	tls_accept_fn fn;
	void *arg;
};

static struct tls_counts counts;
static char plain[PLAIN_MAX_BYTES];
static struct buf wire;   /* of what is written on the control thread; empty between calls */
static size_t wire_users; /* connections with TLS: the last one frees it */
static int64_t told_second;
static unsigned told_count;

static const struct tcp_handlers under;
static ON_CTL void handshake_kick(struct tls_conn *c);
static ON_CTL void records_read(struct tls_conn *c, const char *p, size_t n);

/* ---- OpenSSL's end: a BIO over fed and into ---- */

static int bio_read(BIO *b, char *out, int n)
{
	struct tls_conn *c = BIO_get_data(b);
	BIO_clear_retry_flags(b);
	if (n <= 0)
		return 0;
	if (!c->fed.n) {
		BIO_set_retry_read(b);
		return -1;
	}
	size_t take = (size_t)n < c->fed.n ? (size_t)n : c->fed.n;
	memcpy(out, c->fed.p, take);
	c->fed.p += take, c->fed.n -= take;
	return (int)take;
}

static int bio_write(BIO *b, const char *p, int n)
{
	struct tls_conn *c = BIO_get_data(b);
	BIO_clear_retry_flags(b);
	return n > 0 && !buf_add(c->into, p, (size_t)n) ? n : -1;
}

static long bio_ctrl(BIO *b, int what, long n, void *p)
{
	return what == BIO_CTRL_FLUSH || what == BIO_CTRL_DUP ? 1 : 0;
}

static int bio_create(BIO *b)
{
	BIO_set_init(b, 1);
	return 1;
}

static BIO_METHOD *bio_method(void) /* made once, before the first worker needs it */
{
	static BIO_METHOD *m;
	if (m || !(m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "tandem")))
		return m;
	BIO_meth_set_read(m, bio_read);
	BIO_meth_set_write(m, bio_write);
	BIO_meth_set_ctrl(m, bio_ctrl);
	BIO_meth_set_create(m, bio_create);
	return m;
}

/* ---- life ---- */

static void conn_dtor(void *obj)
{
	struct tls_conn *c = obj;
	if (c->ctx && !--wire_users)
		buf_fini(&wire);
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
	wire_users += ctx != NULL;
	c->side.ctx = ctx;
	c->is_server = is_server;
	c->out_max = OUT_MAX_DEFAULT;
	buf_init(&c->in);
	buf_init(&c->out);
	buf_init(&c->early);
	c->in.max = IN_MAX_BYTES;
	if (ctx && (!bio_method() || (is_server && !(c->side.tickets = tls_ctx_tickets(ctx))))) {
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

static ON_CTL bool is_up(const struct tls_conn *c)
{
	return c->state != TLS_OVER;
}

/* The one way a connection ends other than by its owner. Not from inside a call of the owner's. */
static ON_CTL void conn_fail(struct tls_conn *c, int status)
{
	const struct tls_handlers *h = c->h;
	bool was_connecting = !c->is_server && c->state < TLS_OPEN;
	if (!is_up(c))
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
	conn_fail(c, c->failure_status);
}

static ON_CTL void fail_later(struct tls_conn *c, int status)
{
	if (c->failure_status || !is_up(c))
		return;
	c->failure_status = status;
	loop_defer(&c->failure, "tls failure", fail_cb, c);
}

static ON_CTL void fail_tell(struct tls_conn *c, const char *why)
{
	char text[ADDR_TEXT_MAX];
	int64_t second = loop_now_us() / 1000000;
	if (second != told_second)
		told_second = second, told_count = 0;
	if (told_count++ < TOLD_PER_SECOND)
		log_info("TLS %s %s: %s", c->is_server ? "from" : "to", addr_text(tcp_conn_peer(c->tcp), text), why);
}

/* What OpenSSL wrote on this thread goes out. */
static ON_CTL int wire_send(struct tls_conn *c)
{
	int st = wire.n ? tcp_conn_send(c->tcp, wire.p, wire.n) : ST_OK;
	if (wire.cap > WIRE_KEEP_BYTES) {
		buf_fini(&wire);
		buf_init(&wire);
	}
	buf_clear(&wire);
	return st;
}

/* ---- the handshake ---- */

static ON_CTL void reading_update(struct tls_conn *c)
{
	bool is_held = c->state == TLS_HANDSHAKE && (c->is_working || c->is_kicked);
	tcp_conn_pause(c->tcp, c->is_paused || is_held || (c->state == TLS_OPEN && loop_timer_is_set(&c->timer)));
}

/* Bytes of the whole records that p begins with, at most max_count; ST_PARSE: that is no TLS. */
static int records_span(const char *p, size_t n, unsigned max_count, size_t *span)
{
	size_t at = 0;
	while (n - at >= RECORD_HEAD_BYTES && max_count--) {
		const uint8_t *r = (const uint8_t *)p + at;
		size_t length = (size_t)r[3] << 8 | r[4];
		if (r[0] < 20 || r[0] > 24 || r[1] != 3 || length > RECORD_MAX_BYTES)
			return ST_PARSE;
		if (n - at - RECORD_HEAD_BYTES < length)
			break;
		at += RECORD_HEAD_BYTES + length;
	}
	*span = at;
	return ST_OK;
}

static bool ssl_open(struct tls_conn *c)
{
	struct addr a;
	BIO *bio = BIO_new(bio_method());
	c->ssl = bio ? tls_ctx_ssl_new(c->ctx, c->is_server, &c->side) : NULL;
	if (!c->ssl) {
		BIO_free(bio);
		return false;
	}
	BIO_set_data(bio, c);
	SSL_set_bio(c->ssl, bio, bio);
	if (c->is_server) {
		SSL_set_accept_state(c->ssl);
		return true;
	}
	SSL_set_connect_state(c->ssl);
	bool is_host = c->name && addr_parse(&a, sv_of(c->name), 0) != ST_OK;
	if (is_host)
		SSL_set_tlsext_host_name(c->ssl, c->name);
	if (tls_ctx_checks_name(c->ctx) && c->name &&
	    (is_host ? SSL_set1_host(c->ssl, c->name)
	             : X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(c->ssl), c->name)) != 1)
		return false; /* never without the check that was asked for */
	if (c->side.session)
		SSL_set_session(c->ssl, c->side.session);
	SSL_SESSION_free(c->side.session);
	c->side.session = NULL;
	return true;
}

static void step_run(void *arg)
{
	struct tls_conn *c = arg;
	role_assert_work();
	ERR_clear_error();
	c->into = &c->out;
	c->why = "out of memory";
	c->step = STEP_FAILED;
	if (!c->ssl && !ssl_open(c))
		return;
	int n = SSL_do_handshake(c->ssl);
	if (n == 1) {
		c->step = tls_ctx_accepts(c->ctx, c->ssl, c->is_server, &c->why) ? STEP_DONE : STEP_DENIED;
	} else if (SSL_get_error(c->ssl, n) == SSL_ERROR_WANT_READ) {
		c->step = STEP_WANTS;
	} else {
		unsigned long e = ERR_peek_last_error();
		const char *text = e ? ERR_reason_error_string(e) : NULL;
		bool is_refused = ERR_GET_REASON(e) == SSL_R_CERTIFICATE_VERIFY_FAILED ||
		                  ERR_GET_REASON(e) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE;
		c->step = is_refused ? STEP_DENIED : STEP_FAILED;
		c->why = ERR_GET_REASON(e) == SSL_R_CERTIFICATE_VERIFY_FAILED
		             ? X509_verify_cert_error_string(SSL_get_verify_result(c->ssl))
		         : text ? text
		                : "the handshake failed";
	}
	ERR_clear_error();
}

static ON_CTL void early_send(struct tls_conn *c)
{
	struct buf early = c->early;
	buf_init(&c->early);
	int st = early.n ? tls_conn_send(c, early.p, early.n) : ST_OK;
	buf_fini(&early);
	if (st)
		fail_later(c, ST_CLOSED);
}

static ON_CTL void session_keep(struct tls_conn *c)
{
	if (c->is_server || !c->side.session)
		return;
	tls_ctx_session_put(c->ctx, tcp_conn_peer(c->tcp), c->name, c->side.session);
	c->side.session = NULL;
}

static ON_CTL void handshake_done(struct tls_conn *c)
{
	counts.handshakes++;
	counts.resumed += SSL_session_reused(c->ssl) != 0;
	tls_turn_leave(&c->turn);
	loop_timer_cancel(&c->timer);
	c->state = TLS_OPEN;
	c->side.tickets = mem_unref(c->side.tickets);
	buf_fini(&c->out);
	buf_init(&c->out);
	session_keep(c);
	tcp_conn_pause(c->tcp, c->is_paused);
	if (!c->is_server && c->h && c->h->on_connect)
		c->h->on_connect(c, ST_OK, c->arg);
	if (is_up(c))
		early_send(c);
	if (is_up(c) && c->in.n)
		records_read(c, NULL, 0);
}

static ON_CTL void handshake_failed(struct tls_conn *c, int status, const char *why)
{
	counts.failed++;
	fail_tell(c, why);
	conn_fail(c, status);
}

/* The worker gives the SSL back. */
static ON_CTL void step_end(struct tls_conn *c, int status)
{
	c->is_working = false;
	if (!is_up(c)) {
		SSL_free(c->ssl);
		c->ssl = NULL;
		return;
	}
	if (status) {
		handshake_failed(c, ST_IO, status_text(status));
		return;
	}
	buf_drop(&c->in, (size_t)(c->fed.p - c->in.p)); /* nothing came meanwhile: reading stopped */
	c->fed = SV_NONE;
	int st = c->out.n ? tcp_conn_send(c->tcp, c->out.p, c->out.n) : ST_OK;
	c->has_answered = true;
	buf_clear(&c->out);
	if (c->step == STEP_FAILED || c->step == STEP_DENIED) {
		handshake_failed(c, c->step == STEP_DENIED ? ST_DENIED : ST_IO, c->why);
	} else if (st) {
		conn_fail(c, ST_CLOSED);
	} else if (c->step == STEP_DONE) {
		handshake_done(c);
	} else {
		tls_turn_waits(&c->turn, true);
		handshake_kick(c); /* there may be more */
		reading_update(c);
	}
}

static void step_done(int status, void *arg)
{
	struct tls_conn *c = arg;
	role_assert_ctl();
	step_end(c, status);
	mem_unref(c);
}

static ON_CTL void step_submit(struct tls_conn *c)
{
	size_t span = 0;
	c->is_kicked = false;
	if (records_span(c->in.p, c->in.n, UINT32_MAX, &span)) { /* perhaps in a call of another one's owner (turns) */
		counts.failed++;
		fail_tell(c, "that is no TLS");
		fail_later(c, ST_IO);
		return;
	}
	tls_turn_waits(&c->turn, false);
	c->fed = (struct sv){c->in.p, span};
	c->is_working = true;
	mem_ref(c);
	int st = work_submit(WORK_FILE, "tls handshake", step_run, step_done, c);
	if (st) {
		c->is_working = false;
		mem_unref(c);
		fail_later(c, ST_IO);
	}
	reading_update(c);
}

static void turn_granted(void *arg)
{
	struct tls_conn *c = arg;
	role_assert_ctl();
	step_submit(mem_ref(c));
	mem_unref(c);
}

static void turn_taken(void *arg)
{
	role_assert_ctl();
	counts.late++;
	conn_fail(arg, ST_TIMEOUT);
}

/* A step, when there is something for it; a client's first needs nothing. */
static ON_CTL void handshake_kick(struct tls_conn *c)
{
	size_t span = 0;
	bool is_first = !c->is_server && !c->ssl;
	if (c->is_working || c->is_kicked || c->state != TLS_HANDSHAKE)
		return;
	if (!is_first && records_span(c->in.p, c->in.n, 1, &span)) {
		handshake_failed(c, ST_IO, "that is no TLS");
		return;
	}
	if (!span && !is_first)
		return;
	c->is_kicked = true;
	c->turn.granted = turn_granted, c->turn.taken = turn_taken, c->turn.arg = c;
	/* ours wait for nobody: strangers must not be able to keep us from connecting */
	if (!c->is_server || c->turn.host || tls_turn_ask(&c->turn, tcp_conn_peer(c->tcp)))
		step_submit(c);
	else
		reading_update(c);
}

static void handshake_late(void *arg)
{
	struct tls_conn *c = arg;
	role_assert_ctl();
	counts.late++;
	conn_fail(c, ST_TIMEOUT);
}

/* ---- records ---- */

/* One record's bytes are fed. False: the connection is over. */
static ON_CTL bool record_feed(struct tls_conn *c, const char *p, size_t n)
{
	c->fed = (struct sv){p, n};
	c->into = &wire;
	for (;;) {
		ERR_clear_error();
		int got = SSL_read(c->ssl, plain, PLAIN_MAX_BYTES);
		int error = got > 0 ? SSL_ERROR_NONE : SSL_get_error(c->ssl, got);
		if (wire_send(c)) {
			conn_fail(c, ST_CLOSED);
			return false;
		}
		if (got > 0) {
			if (c->h && c->h->on_data)
				c->h->on_data(c, plain, (size_t)got, c->arg);
			if (!is_up(c))
				return false;
			if (!c->fed.n && !SSL_has_pending(c->ssl))
				return true;
			c->into = &wire; /* the owner may have sent */
			continue;
		}
		if (error == SSL_ERROR_WANT_READ)
			return true;
		if (error != SSL_ERROR_ZERO_RETURN) {
			unsigned long e = ERR_peek_last_error();
			const char *why = e ? ERR_reason_error_string(e) : NULL;
			fail_tell(c, why ? why : "a broken record");
		}
		ERR_clear_error();
		conn_fail(c, error == SSL_ERROR_ZERO_RETURN ? ST_CLOSED : ST_IO);
		return false;
	}
}

static void on_more(void *arg)
{
	struct tls_conn *c = mem_ref(arg);
	role_assert_ctl();
	reading_update(c);
	if (!c->is_paused)
		records_read(c, NULL, 0);
	mem_unref(c);
}

/* What a connection keeps of the last record is given back when it is little. */
static ON_CTL void in_keep(struct tls_conn *c, size_t used, const char *rest, size_t rest_n)
{
	if (c->in.n) {
		buf_drop(&c->in, used);
	} else if (rest_n) {
		buf_add(&c->in, rest, rest_n);
	}
	if (!c->in.n && c->in.cap > IN_KEEP_BYTES) {
		buf_fini(&c->in);
		buf_init(&c->in);
		c->in.max = IN_MAX_BYTES;
	}
}

/* p, n: what just arrived; it is behind what is in `in`. */
static ON_CTL void records_read(struct tls_conn *c, const char *p, size_t n)
{
	bool is_kept = c->in.n > 0;
	size_t at = 0, span;
	unsigned left = RECORDS_PER_WAKE;
	mem_ref(c);
	if (is_kept && n && buf_add(&c->in, p, n)) {
		conn_fail(c, ST_CLOSED);
		goto out;
	}
	const char *all = is_kept ? c->in.p : p;
	size_t all_n = is_kept ? c->in.n : n;
	for (; left && !c->is_paused; left--) {
		if (records_span(all + at, all_n - at, 1, &span)) {
			fail_tell(c, "a broken record");
			conn_fail(c, ST_IO);
			goto out;
		}
		if (!span)
			break;
		if (!record_feed(c, all + at, span))
			goto out;
		at += span;
	}
	in_keep(c, at, all + at, all_n - at);
	session_keep(c);
	if (c->in.failed) {
		conn_fail(c, ST_NOMEM);
	} else if (!left || (c->is_paused && c->in.n)) {
		if (!c->is_paused)
			loop_timer_set(&c->timer, 0, "tls records", on_more, c);
		reading_update(c);
	}
out:
	mem_unref(c);
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
		records_read(c, data, n);
		return;
	}
	mem_ref(c);
	if (buf_add(&c->in, data, n) || (c->is_server && !c->has_answered && c->in.n > HELLO_MAX_BYTES))
		handshake_failed(c, ST_IO, "a handshake of too many bytes");
	else
		handshake_kick(c);
	mem_unref(c);
}

static void on_connect(struct tcp_conn *tcp, int status, void *arg)
{
	struct tls_conn *c = mem_ref(arg);
	role_assert_ctl();
	if (status) {
		conn_fail(c, status);
	} else if (c->ctx) {
		c->state = TLS_HANDSHAKE;
		handshake_kick(c);
	} else {
		c->state = TLS_OPEN;
		loop_timer_cancel(&c->timer);
		if (c->h && c->h->on_connect)
			c->h->on_connect(c, ST_OK, c->arg);
		if (is_up(c))
			early_send(c);
	}
	mem_unref(c);
}

static void on_close(struct tcp_conn *tcp, int status, void *arg)
{
	role_assert_ctl();
	conn_fail(arg, status);
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
		loop_timer_set(&c->timer, HANDSHAKE_US, "tls handshake", handshake_late, c);
	mem_ref(c);
	l->fn(c, l->arg);
	if (is_up(c) && !c->h)
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
	int64_t us = timeout_us > 0 ? timeout_us : HANDSHAKE_US;
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
	loop_timer_set(&c->timer, us, "tls connect", handshake_late, c);
	*out = mem_ref(c);
	return ST_OK;
}

void tls_conn_set(struct tls_conn *c, const struct tls_handlers *h, void *arg)
{
	if (is_up(c))
		c->h = h, c->arg = arg;
}

int tls_conn_send(struct tls_conn *c, const void *p, size_t n)
{
	if (!is_up(c) || c->failure_status)
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
	size_t queued = tcp_conn_queued_bytes(c->tcp), more = n + (n / SEND_RECORD_BYTES + 1) * OVERHEAD_BYTES;
	if (more > c->out_max || queued > c->out_max - more || n > INT32_MAX)
		return ST_FULL;
	c->into = &wire;
	ERR_clear_error();
	if (SSL_write(c->ssl, p, (int)n) != (int)n || wire.failed) {
		buf_fini(&wire);
		buf_init(&wire);
		ERR_clear_error();
		fail_later(c, ST_IO);
		return ST_CLOSED;
	}
	int st = wire_send(c);
	if (st)
		fail_later(c, ST_CLOSED);
	return st ? ST_CLOSED : ST_OK;
}

void tls_conn_set_limits(struct tls_conn *c, size_t out_queue_max_bytes, int64_t idle_timeout_us)
{
	if (!is_up(c))
		return;
	c->out_max = out_queue_max_bytes;
	tcp_conn_set_limits(c->tcp, out_queue_max_bytes + (c->ctx ? QUEUE_SLACK_BYTES : 0), idle_timeout_us);
}

void tls_conn_pause(struct tls_conn *c, bool is_paused)
{
	if (!is_up(c))
		return;
	c->is_paused = is_paused;
	if (!is_paused && c->state == TLS_OPEN && c->in.n)
		loop_timer_set(&c->timer, 0, "tls records", on_more, c);
	reading_update(c);
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
	if (!c || !is_up(c))
		return;
	if (c->ctx && c->state == TLS_OPEN && !c->failure_status) {
		c->into = &wire;
		ERR_clear_error();
		SSL_shutdown(c->ssl);
		ERR_clear_error();
		wire_send(c);
	}
	conn_end(c, c->failure_status != 0);
}

void tls_conn_abort(struct tls_conn *c)
{
	if (c)
		conn_end(c, true);
}

void tls_conn_set_guard(struct tls_conn *c, struct conn_guard *g)
{
	if (is_up(c))
		tcp_conn_set_guard(c->tcp, g);
}

void tls_counts(struct tls_counts *out)
{
	*out = counts;
	tls_turn_counts(&out->under_way, &out->waiting);
}
