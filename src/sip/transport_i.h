/* Transports: how bytes come and go. The rest of the stack knows flows, never sockets: a flow is one way between a
 * local and a far address (RFC 5626), for datagrams a listener's socket and an address, for streams one connection.
 *
 *   in:   socket -> transport_*.c -> [conn.c: streams are cut into messages] -> sip_stack_input (stack.c)
 *   out:  transaction -> sip_flow_open (finds or opens) -> sip_flow_send -> the ops' send or write -> socket
 *
 * A transport is one file with a struct sip_transport_ops, and a line in the table of transport.c. What RFCs say of it
 * (Via's token, default port, whether it is reliable) is sip/msg's sip_transport_facts. What streams have in common
 * (found again by address, kept until open, bounded, framed) is conn.c's; a stream's file only opens, writes, closes.
 */
#pragma once
#include "base/list.h"
#include "loop/loop.h"
#include "net/conn_limit.h"
#include "net/tls.h"
#include "sip/sip.h"
#include "sip/table_i.h"

struct sip_listener { /* the begin of each transport's own */
	struct lnode link;
	struct sip_stack *stack;
	const struct sip_transport_ops *ops;
	struct addr local;
};
struct sip_conn { /* the begin of each stream's own. Counted: the stack's list holds one, each transaction on it one */
	struct sip_node node;
	struct lnode link;
	struct sip_stack *stack;
	const struct sip_transport_ops *ops;
	struct addr peer, local;
	bool is_open, is_connecting;
	bool waits_for_tls; /* connects once sip_stack_set_tls brings what it needs */
	char *name;         /* the host that was asked for; NULL: an address, or they connected */
	struct conn_guard guard;
	struct sip_framer framer;
	struct buf in, pending;
	struct list ctxs; /* client requests whose answers come here */
	struct ltimer alive_timer;
	bool is_pinged; /* a keep-alive of ours went out, and nothing came since (conn_alive.c) */
};

/* All on the control loop; a call through this table asserts that where it arrives. */
struct sip_transport_ops {
	enum sip_transport id;
	bool needs_tls;                           /* certificates and the like: stack->tls */
	size_t listener_bytes, conn_bytes;        /* of its own structs; conn_bytes 0 = datagrams */
	size_t max_bytes;                         /* the longest message it carries; 0 = the stack's bound */
	int64_t connect_us, idle_us;              /* streams: until it stands; without a byte */
	size_t queue_bytes, stranger_queue_bytes; /* streams: what may wait to be sent, and to who is not trusted */
	/* Binds, and sets l->local to the real address. */
	int (*listen)(struct sip_listener *l, const struct addr *bind);
	/* For connections to come; NULL where TLS is not used. */
	void (*set_tls)(struct sip_listener *l, struct tls_ctx *ctx);
	void (*unlisten)(struct sip_listener *l);
	/* Datagrams: at once; one that the kernel does not take is a lost packet (ST_OK). */
	int (*send)(struct sip_listener *l, const struct addr *dst, const char *p, size_t n);
	/* Streams: to c->peer; sip_conn_opened or sip_conn_lost follows, not from inside. */
	int (*connect)(struct sip_conn *c);
	int (*write)(struct sip_conn *c, const char *p, size_t n);
	size_t (*queued_bytes)(const struct sip_conn *c);
	void (*set_limits)(struct sip_conn *c, size_t queue_bytes, int64_t idle_us);
	/* No callback any more; is_abort: nothing that waits is sent. Harmless when there is nothing to close. */
	void (*close)(struct sip_conn *c, bool is_abort);
};
extern const struct sip_transport_ops sip_udp_ops, sip_tcp_ops, sip_tls_ops, sip_ws_ops, sip_wss_ops;

/* ---- listeners and flows (transport.c) ---- */
struct sip_flow {
	const struct sip_transport_ops *ops; /* NULL: none yet */
	struct addr local, peer;
	struct sip_listener *listener; /* datagrams: the socket; lives as long as the stack */
	struct sip_conn *conn;         /* streams; borrowed until sip_flow_keep */
	uint16_t answer_port;          /* datagrams: where answers go; 0 = to peer's (rport.c) */
};
struct sip_sender;
/* Where a message came from. */
struct sip_source {
	struct sip_flow flow;
	struct sip_sender *sender; /* of a request; NULL when out of memory */
	int64_t waited_us;         /* until it was read */
	bool adds_rport, ignores_rport;
};
ANY const struct sip_transport_ops *sip_transport_ops_of(const struct sip_stack *s, enum sip_transport t);
/* The listener of that transport that reaches dst; NULL: none of its family. */
ON_CTL struct sip_listener *sip_listener_for(struct sip_stack *s, enum sip_transport t, const struct addr *dst);
/* Finds the socket, or finds or opens a connection, that leads to dst. ST_UNSUPPORTED: no such transport here. name:
 * the host that is meant; over TLS no connection to another name will do, and where dst was found for the name
 * (is_by_name) none that was not opened for it: who connected to us has shown no name. Empty: any. */
ON_CTL int sip_flow_open(struct sip_flow *out, struct sip_stack *s, const struct sip_dst *dst, struct sv name);
ON_CTL int sip_flow_send(struct sip_stack *s, const struct sip_flow *f, const char *p, size_t n);
/* An answer (RFC 3261 18.2.2): where the request came from or, when that connection is gone, where the far side's Via
 * says that it listens (via_port, 0 = the default one). */
ON_CTL int sip_flow_answer(struct sip_stack *s, const struct sip_flow *f, uint16_t via_port, const char *p, size_t n);
ON_CTL void sip_flow_keep(struct sip_flow *f); /* takes a reference to its connection */
ON_CTL void sip_flow_drop(struct sip_flow *f); /* gives that back */
ANY enum sip_transport sip_flow_transport(const struct sip_flow *f);
ANY bool sip_flow_is_reliable(const struct sip_flow *f);
ON_CTL void sip_listeners_close(struct sip_stack *s);
/* Our "host:port" as seen from dst, with ";transport=tcp" for contacts when is_contact is set. Appends. */
ON_CTL int sip_self_put(
    struct sip_stack *s, enum sip_transport t, const struct addr *dst, bool is_contact, struct buf *out);

/* ---- connections (conn.c) ---- */
ON_CTL struct sip_conn *sip_conn_find(struct sip_stack *s, enum sip_transport t, const struct addr *peer);
/* Finds or opens; borrowed. */
ON_CTL int sip_conn_get(struct sip_conn **out, struct sip_stack *s, const struct sip_transport_ops *ops,
    const struct sip_dst *dst, struct sv name);
ON_CTL int sip_conn_write(struct sip_conn *c, const char *p, size_t n);
/* Whom it is to show that it is: the name that was asked for, else the address. */
ANY const char *sip_conn_host(const struct sip_conn *c, char text[ADDR_TEXT_MAX]);
/* It is no stranger's any more: the full bounds. */
ON_CTL void sip_conn_trust(struct sip_conn *c);
ON_CTL void sip_conns_close(struct sip_stack *s);
/* Those that wait for it connect, or end when it is not there. */
ON_CTL void sip_conns_tls_came(struct sip_stack *s, enum sip_transport t);
/* For a stream's file. An accepted one: entered, or NULL when there is no room; set its socket and limits, and the
 * guard to the socket. */
ON_CTL struct sip_conn *sip_conn_accepted(struct sip_listener *l, const struct addr *peer, const struct addr *local);
ON_CTL void sip_conn_opened(struct sip_conn *c, const struct addr *local);
ON_CTL void sip_conn_input(struct sip_conn *c, const char *p, size_t n);   /* bytes as they come */
ON_CTL void sip_conn_message(struct sip_conn *c, const char *p, size_t n); /* a whole message, where that is known */
ANY size_t sip_conn_body_max(const struct sip_conn *c);
ON_CTL void sip_conn_drained(struct sip_conn *c);
ON_CTL void sip_conn_lost(struct sip_conn *c);
ON_CTL void sip_conn_heard(struct sip_conn *c); /* it stands, or bytes came: not silent (conn_alive.c) */

/* ---- below streams (stream_door.c) ---- */
struct sip_door { /* a stream's listener */
	struct sip_listener l;
	struct tls_listener *tls;
};
ON_CTL int sip_door_open(struct sip_listener *l, const struct addr *bind, tls_accept_fn fn); /* fn's arg is l */
ON_CTL void sip_door_set_tls(struct sip_listener *l, struct tls_ctx *ctx);
ON_CTL void sip_door_close(struct sip_listener *l);
/* An accepted one, entered, with a stranger's limits; NULL: there is no room, it is gone. tls is borrowed. */
ON_CTL struct sip_conn *sip_door_accepted(struct sip_listener *l, struct tls_conn *tls, const struct tls_handlers *h);
/* To c's peer. ST_OK with *out left as it is: it waits for what TLS is made with, and is asked to connect again then.
 */
ON_CTL int sip_line_connect(struct sip_conn *c, const struct tls_handlers *h, struct tls_conn **out);

/* ---- what they call (stack.c, tx_client.c) ---- */
ON_CTL void sip_stack_input(struct sip_stack *s, const struct sip_source *src, const char *p, size_t n, bool is_stream);
ON_CTL void sip_stack_trace(struct sip_stack *s, bool is_out, enum sip_transport t, const struct addr *local,
    const struct addr *remote, const char *p, size_t n);
