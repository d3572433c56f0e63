/* A far side says how long a record is, and may dribble it. So OpenSSL is fed whole records only, found here by their
 * heads (no buffer of OpenSSL's waits for the rest of one), and at most so many in one go: the loop has others to
 * serve, and the rest of a burst waits for the loop's next turn with reading stopped. All connections read into one
 * buffer and write through one, since both are empty again when a call ends; what a connection keeps of its own is a
 * record that has not wholly come. All of it on the control thread, after the handshake; what goes before it:
 * tls_handshake.c. */
#include "base/mem.h"
#include "net/tcp.h"
#include "net/tls_conn_i.h"

#include <openssl/err.h>

enum {
	RECORD_HEAD_BYTES = 5,
	RECORD_MAX_BYTES = 16384 + 2048, /* RFC 5246 6.2.3; RFC 8446 5.2 has less */
	PLAIN_MAX_BYTES = 16384,
	RECORDS_PER_WAKE = 256,
	IN_KEEP_BYTES = 1024,
	OVERHEAD_BYTES = 64, /* a record's, more than any cipher's */
	SEND_RECORD_BYTES = 8192,
	WIRE_KEEP_BYTES = 256 << 10
};

static char plain[PLAIN_MAX_BYTES];
static struct buf wire;   /* of what is written on the control thread; empty between calls */
static size_t wire_users; /* connections with TLS: the last one frees it */

void tls_records_enter(void)
{
	wire_users++;
}

void tls_records_leave(void)
{
	if (!--wire_users)
		buf_fini(&wire);
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

int tls_records_span(const char *p, size_t n, unsigned max_count, size_t *span)
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

/* ---- reading ---- */

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
			tls_conn_fail(c, ST_CLOSED);
			return false;
		}
		if (got > 0) {
			if (c->h && c->h->on_data)
				c->h->on_data(c, plain, (size_t)got, c->arg);
			if (!tls_conn_is_up(c))
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
			tls_conn_fail_tell(c, why ? why : "a broken record");
		}
		ERR_clear_error();
		tls_conn_fail(c, error == SSL_ERROR_ZERO_RETURN ? ST_CLOSED : ST_IO);
		return false;
	}
}

static void on_more(void *arg)
{
	struct tls_conn *c = mem_ref(arg);
	role_assert_ctl();
	tls_conn_reading_update(c);
	if (!c->is_paused)
		tls_records_read(c, NULL, 0);
	mem_unref(c);
}

void tls_records_later(struct tls_conn *c)
{
	loop_timer_set(&c->timer, 0, "tls records", on_more, c);
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
		c->in.max = TLS_IN_MAX_BYTES;
	}
}

void tls_records_read(struct tls_conn *c, const char *p, size_t n)
{
	bool is_kept = c->in.n > 0;
	size_t at = 0, span;
	unsigned left = RECORDS_PER_WAKE;
	mem_ref(c);
	if (is_kept && n && buf_add(&c->in, p, n)) {
		tls_conn_fail(c, ST_CLOSED);
		goto out;
	}
	const char *all = is_kept ? c->in.p : p;
	size_t all_n = is_kept ? c->in.n : n;
	for (; left && !c->is_paused; left--) {
		if (tls_records_span(all + at, all_n - at, 1, &span)) {
			tls_conn_fail_tell(c, "a broken record");
			tls_conn_fail(c, ST_IO);
			goto out;
		}
		if (!span)
			break;
		if (!record_feed(c, all + at, span))
			goto out;
		at += span;
	}
	in_keep(c, at, all + at, all_n - at);
	tls_session_keep(c);
	if (c->in.failed) {
		tls_conn_fail(c, ST_NOMEM);
	} else if (!left || (c->is_paused && c->in.n)) {
		if (!c->is_paused)
			tls_records_later(c);
		tls_conn_reading_update(c);
	}
out:
	mem_unref(c);
}

/* ---- writing ---- */

int tls_records_write(struct tls_conn *c, const void *p, size_t n)
{
	size_t queued = tcp_conn_queued_bytes(c->tcp), more = n + (n / SEND_RECORD_BYTES + 1) * OVERHEAD_BYTES;
	if (more > c->out_max || queued > c->out_max - more || n > INT32_MAX)
		return ST_FULL;
	c->into = &wire;
	ERR_clear_error();
	if (SSL_write(c->ssl, p, (int)n) != (int)n || wire.failed) {
		buf_fini(&wire);
		buf_init(&wire);
		ERR_clear_error();
		tls_conn_fail_later(c, ST_IO);
		return ST_CLOSED;
	}
	int st = wire_send(c);
	if (st)
		tls_conn_fail_later(c, ST_CLOSED);
	return st ? ST_CLOSED : ST_OK;
}

void tls_records_goodbye(struct tls_conn *c)
{
	c->into = &wire;
	ERR_clear_error();
	SSL_shutdown(c->ssl);
	ERR_clear_error();
	wire_send(c);
}
