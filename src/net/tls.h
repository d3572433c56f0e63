/* TLS on the control loop, over net/tcp.h and with its shape: listeners and connections with a bounded output queue.
 * The handshake's public-key work runs on workers, for so many at a time (net/tls_turn.h), and has a deadline; records
 * are read and written on the control thread, a bounded number in one go. Without a context a connection is plain TCP:
 * for doors that take both. Counted as tcp_conn is: an open connection holds one reference to itself; tls_connect gives
 * the caller another, and who keeps an accepted one takes his own. */
#pragma once
#include "base/role.h"
#include "net/addr.h"
#include "net/tls_ctx.h"
#include <stdbool.h>

struct conn_guard;
struct tls_listener;
struct tls_conn;
struct tls_handlers {
	/* Bytes arrived, decrypted; valid during the call. */
	void (*on_data)(struct tls_conn *c, const char *data, size_t n, void *arg);
	/* Connected and, with a context, through the handshake; or failed (ST_CLOSED, ST_TIMEOUT, ST_IO; ST_DENIED: its
	 * certificate is not accepted), then the last call; NULL for accepted ones, whose handshake nobody hears of. */
	void (*on_connect)(struct tls_conn *c, int status, void *arg);
	/* Closed by the far side (ST_CLOSED), an error or a deadline (ST_TIMEOUT): last call. Not called after
	 * tls_conn_close, nor inside a call of the owner's. */
	void (*on_close)(struct tls_conn *c, int status, void *arg);
	/* The output queue drained below half; may be NULL. */
	void (*on_drain)(struct tls_conn *c, void *arg);
};
typedef void (*tls_accept_fn)(
    struct tls_conn *c, void *arg); /* borrows; mem_ref and tls_conn_set to keep it, else it is closed */

/* ctx: referenced, NULL = plain. */
ON_CTL int tls_listen(
    struct tls_listener **out, const struct addr *bind, struct tls_ctx *ctx, tls_accept_fn fn, void *arg);
ON_CTL void tls_listener_set_ctx(struct tls_listener *l, struct tls_ctx *ctx); /* for those to come */
ON_CTL void tls_listener_local(const struct tls_listener *l, struct addr *out);
ON_CTL void tls_listener_close(struct tls_listener *l);
/* name: the host that was asked for (a name, an address), looked for in the far side's certificate if the context says
 * so; a name is told to it (SNI). NULL: neither. timeout_us: until it stands, handshake included; 0 = 10 s. */
ON_CTL int tls_connect(struct tls_conn **out, const struct addr *dst, struct tls_ctx *ctx, const char *name,
    int64_t timeout_us, const struct tls_handlers *h, void *arg);
ON_CTL void tls_conn_set(struct tls_conn *c, const struct tls_handlers *h, void *arg);
/* As tcp_conn_send; what comes before the handshake's end waits for it. */
ON_CTL int tls_conn_send(struct tls_conn *c, const void *p, size_t n);
ON_CTL void tls_conn_set_limits(struct tls_conn *c, size_t out_queue_max_bytes, int64_t idle_timeout_us);
ON_CTL void tls_conn_pause(struct tls_conn *c, bool is_paused); /* stops reading */
/* What it buffers in both directions. */
ON_CTL size_t tls_conn_queued_bytes(const struct tls_conn *c);
ON_CTL const struct addr *tls_conn_peer(const struct tls_conn *c);
ON_CTL const struct addr *tls_conn_local(const struct tls_conn *c);
/* Sends what is queued and the goodbye for up to 2 s, then closes; no callback any more. NULL is fine. */
ON_CTL void tls_conn_close(struct tls_conn *c);
ON_CTL void tls_conn_abort(struct tls_conn *c);                           /* at once; NULL is fine */
ON_CTL void tls_conn_set_guard(struct tls_conn *c, struct conn_guard *g); /* as tcp_conn_set_guard */
