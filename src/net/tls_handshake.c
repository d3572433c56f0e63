/* A handshake costs public-key work, which would stop the loop, and strangers can ask for as many as they like. So its
 * steps run on workers, for so many connections at a time (tls_turn.h); until its first answer a far side may send
 * little, and it has a deadline for the whole. OpenSSL never sees a socket: a step is fed the whole records that have
 * arrived, writes into a buffer, and the control thread sends that when the worker gives the SSL back. Reading stops
 * meanwhile. The SSL is made by the first step: who connects and says nothing costs a socket. What comes after the
 * handshake: tls_records.c. */
#include "base/mem.h"
#include "loop/work.h"
#include "net/tcp.h"
#include "net/tls_conn_i.h"

#include <openssl/err.h>
#include <string.h>

enum { HELLO_MAX_BYTES = 8 << 10 }; /* what may come before our first answer */
enum step_end { STEP_WANTS, STEP_DONE, STEP_FAILED, STEP_DENIED };

static struct tls_counts counts;

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

bool tls_handshake_prepare(struct tls_conn *c)
{
	return bio_method() && (!c->is_server || (c->side.tickets = tls_ctx_tickets(c->ctx)));
}

/* ---- a step, on a worker ---- */

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

/* ---- between steps ---- */

void tls_session_keep(struct tls_conn *c)
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
	tls_session_keep(c);
	tcp_conn_pause(c->tcp, c->is_paused);
	if (!c->is_server && c->h && c->h->on_connect)
		c->h->on_connect(c, ST_OK, c->arg);
	if (tls_conn_is_up(c))
		tls_conn_early_send(c);
	if (tls_conn_is_up(c) && c->in.n)
		tls_records_read(c, NULL, 0);
}

static ON_CTL void handshake_failed(struct tls_conn *c, int status, const char *why)
{
	counts.failed++;
	tls_conn_fail_tell(c, why);
	tls_conn_fail(c, status);
}

/* The worker gives the SSL back. */
static ON_CTL void step_end(struct tls_conn *c, int status)
{
	c->is_working = false;
	if (!tls_conn_is_up(c)) {
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
		tls_conn_fail(c, ST_CLOSED);
	} else if (c->step == STEP_DONE) {
		handshake_done(c);
	} else {
		tls_turn_waits(&c->turn, true);
		tls_handshake_kick(c); /* there may be more */
		tls_conn_reading_update(c);
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
	if (tls_records_span(c->in.p, c->in.n, UINT32_MAX, &span)) {
		counts.failed++;
		tls_conn_fail_tell(c, "that is no TLS");
		tls_conn_fail_later(c, ST_IO); /* perhaps in a call of another one's owner (turns) */
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
		tls_conn_fail_later(c, ST_IO);
	}
	tls_conn_reading_update(c);
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
	tls_conn_fail(arg, ST_TIMEOUT);
}

/* A client's first step needs nothing. */
void tls_handshake_kick(struct tls_conn *c)
{
	size_t span = 0;
	bool is_first = !c->is_server && !c->ssl;
	if (c->is_working || c->is_kicked || c->state != TLS_HANDSHAKE)
		return;
	if (!is_first && tls_records_span(c->in.p, c->in.n, 1, &span)) {
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
		tls_conn_reading_update(c);
}

static void handshake_late(void *arg)
{
	struct tls_conn *c = arg;
	role_assert_ctl();
	counts.late++;
	tls_conn_fail(c, ST_TIMEOUT);
}

void tls_handshake_deadline(struct tls_conn *c, int64_t us, const char *what)
{
	loop_timer_set(&c->timer, us, what, handshake_late, c);
}

void tls_handshake_data(struct tls_conn *c, const char *p, size_t n)
{
	mem_ref(c);
	if (buf_add(&c->in, p, n) || (c->is_server && !c->has_answered && c->in.n > HELLO_MAX_BYTES))
		handshake_failed(c, ST_IO, "a handshake of too many bytes");
	else
		tls_handshake_kick(c);
	mem_unref(c);
}

void tls_counts(struct tls_counts *out)
{
	*out = counts;
	tls_turn_counts(&out->under_way, &out->waiting);
}
