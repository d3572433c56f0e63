/* A connection as tls.c, tls_handshake.c and tls_records.c share it, and its two ways:
 *
 *   handshake: records -> `in`, reading stops -> turn (tls_turn.c) -> worker: SSL_do_handshake -> `out` -> socket
 *   then:      records, at most so many in one go -> SSL_read -> on_data;  send -> SSL_write -> socket
 *
 * While a worker has the SSL (is_working) nothing else touches it, nor `in`, `out`, `side` and where OpenSSL reads and
 * writes; who closes meanwhile leaves the SSL to the worker's end. */
#pragma once
#include "base/str.h"
#include "loop/loop.h"
#include "net/tls.h"
#include "net/tls_i.h"
#include "net/tls_turn.h"

enum { TLS_IN_MAX_BYTES = 128 << 10 }; /* of what arrived and was not fed */
#define TLS_HANDSHAKE_US (10 * 1000000LL)
enum tls_state { TLS_CONNECTING, TLS_HANDSHAKE, TLS_OPEN, TLS_OVER };

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
static inline bool tls_conn_is_up(const struct tls_conn *c)
{
	return c->state != TLS_OVER;
}

/* ---- tls.c: its end, and what both halves of its life need ---- */
/* The one way a connection ends other than by its owner, who is told. Not from inside a call of the owner's: then
 * later, of the failures the first. */
ON_CTL void tls_conn_fail(struct tls_conn *c, int status);
ON_CTL void tls_conn_fail_later(struct tls_conn *c, int status);
ON_CTL void tls_conn_fail_tell(const struct tls_conn *c, const char *why); /* to the log, a few a second */
/* The socket is read or not, as the owner, the handshake and records that still wait would have it. */
ON_CTL void tls_conn_reading_update(struct tls_conn *c);
ON_CTL void tls_conn_early_send(struct tls_conn *c); /* it is open: what was sent before goes out */

/* ---- tls_handshake.c ---- */
/* For a new connection with a context; false: out of memory. */
ON_CTL bool tls_handshake_prepare(struct tls_conn *c);
/* It fails with ST_TIMEOUT unless it stands by then; what: the timer's name. */
ON_CTL void tls_handshake_deadline(struct tls_conn *c, int64_t us, const char *what);
ON_CTL void tls_handshake_kick(struct tls_conn *c); /* a step, when there is something for it */
ON_CTL void tls_handshake_data(struct tls_conn *c, const char *p, size_t n);
/* The session that the far side gave us goes to the context. */
ON_CTL void tls_session_keep(struct tls_conn *c);

/* ---- tls_records.c ---- */
/* One more connection with a context, one less: the last one gives the buffer back that all write through. */
ON_CTL void tls_records_enter(void);
ON_CTL void tls_records_leave(void);
/* Bytes of the whole records that p begins with, at most max_count; ST_PARSE: that is no TLS. */
ANY int tls_records_span(const char *p, size_t n, unsigned max_count, size_t *span);
/* p, n: what just arrived; it is behind what is in `in`. */
ON_CTL void tls_records_read(struct tls_conn *c, const char *p, size_t n);
ON_CTL void tls_records_later(struct tls_conn *c); /* what is in `in` is read in another turn of the loop */
/* As tls_conn_send, of an open connection. */
ON_CTL int tls_records_write(struct tls_conn *c, const void *p, size_t n);
ON_CTL void tls_records_goodbye(struct tls_conn *c);
