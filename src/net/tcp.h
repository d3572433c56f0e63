/* TCP on the control loop: listeners and connections with a bounded output queue. TLS and WebSocket will sit above with
 * the same shape. Counted: an open connection holds one reference to itself; tcp_connect gives the caller another, and
 * who keeps an accepted one takes his own. tcp_conn_close gives none of the caller's back: mem_unref it when done. */
#pragma once
#include "base/role.h"
#include "net/addr.h"
#include <stdbool.h>

struct conn_guard;
struct tcp_listener;
struct tcp_conn;
struct tcp_handlers {
	/* Bytes arrived; valid during the call. */
	void (*on_data)(struct tcp_conn *c, const char *data, size_t n, void *arg);
	/* Connected (outgoing) or failed (refused: ST_CLOSED, ST_TIMEOUT, ST_IO), then the last call; NULL for accepted
	 * ones. */
	void (*on_connect)(struct tcp_conn *c, int status, void *arg);
	/* Closed by the far side (ST_CLOSED), an error or the idle timeout (ST_TIMEOUT): last call. Not called after
	 * tcp_conn_close, nor inside a call of the owner's. */
	void (*on_close)(struct tcp_conn *c, int status, void *arg);
	/* The output queue drained below half; may be NULL. */
	void (*on_drain)(struct tcp_conn *c, void *arg);
};
typedef void (*tcp_accept_fn)(
    struct tcp_conn *c, void *arg); /* borrows; mem_ref and tcp_conn_set to keep it, else it is closed */

ON_CTL int tcp_listen(struct tcp_listener **out, const struct addr *bind, tcp_accept_fn fn, void *arg);
ON_CTL void tcp_listener_local(const struct tcp_listener *l, struct addr *out);
ON_CTL void tcp_listener_close(struct tcp_listener *l);
ON_CTL int tcp_connect(
    struct tcp_conn **out, const struct addr *dst, int64_t timeout_us, const struct tcp_handlers *h, void *arg);
ON_CTL void tcp_conn_set(struct tcp_conn *c, const struct tcp_handlers *h, void *arg);
/* Copies and queues; writes at once what the kernel takes. ST_FULL, and nothing is sent, when the queue could exceed
 * its bound (1 MiB unless set): the caller decides what that means. ST_CLOSED when the connection is gone. */
ON_CTL int tcp_conn_send(struct tcp_conn *c, const void *p, size_t n);
ON_CTL void tcp_conn_set_limits(struct tcp_conn *c, size_t out_queue_max_bytes, int64_t idle_timeout_us /* 0 = none */);
ON_CTL void tcp_conn_pause(struct tcp_conn *c, bool is_paused); /* stops reading */
ON_CTL size_t tcp_conn_queued_bytes(const struct tcp_conn *c);
ON_CTL const struct addr *tcp_conn_peer(const struct tcp_conn *c);
ON_CTL const struct addr *tcp_conn_local(const struct tcp_conn *c);
/* Sends what is queued for up to 2 s, then closes; no callback any more. */
ON_CTL void tcp_conn_close(struct tcp_conn *c);
/* Closes at once: nothing more is sent, the descriptor is free when it returns. */
ON_CTL void tcp_conn_abort(struct tcp_conn *c);
/* The guard (net/conn_limit.h) is told the time that the connection's reading takes; NULL: none any more. Borrowed
 * until the connection is closed or ended. */
ON_CTL void tcp_conn_set_guard(struct tcp_conn *c, struct conn_guard *g);
