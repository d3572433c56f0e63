/* The SIP stack: transports, transactions, dialogs and the INVITE usage. It knows nothing of legs. All on the control
 * loop. Callbacks begin with role_assert_ctl(); messages and views given to them are valid during the call (sip_msg_dup
 * keeps one). Text for headers is given as whole "Name: value\r\n" lines or NULL. Lifetime:
 *  1. A sip_call is counted: sip_call_accept/_invite give the caller one reference, the stack holds its own until all
 * is over.
 *  2. on_closed comes exactly once, last, and never from inside a sip_call_* function (it is deferred).
 *  3. A sip_stx is the stack's; it stays valid until its final response is sent, or by sip_stx_ref until sip_stx_unref.
 *     An INVITE that is kept without a sip_call needs the reference: a CANCEL may end it.
 *  4. A sip_ctx handle is valid until its callback got a final answer, or sip_request_cancel. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "net/addr.h"
#include "net/conn_limit.h"
#include "sip/filter.h"
#include "sip/msg/msg.h"

struct sip_transport_ops;
struct tls_ctx;
struct sip_stack;
struct sip_stx;  /* server transaction */
struct sip_ctx;  /* a client request under way */
struct sip_call; /* INVITE usage: one dialog (several while forked) */

/* ---- stack = one profile ---- */
/* Whether answers over UDP go to the source port (RFC 3581). */
enum sip_rport {
	SIP_RPORT_ASKED,  /* when the sender asks for it */
	SIP_RPORT_ALWAYS, /* as if he did */
	SIP_RPORT_SAFE,   /* the same for phones that are known to forget it */
	SIP_RPORT_NEVER
};
struct sip_stack_config {
	const char *user_agent;        /* NULL or "" = header left out */
	const char *allow;             /* Allow of all but ACK, CANCEL, 100; NULL = what the stack handles */
	const char *allow_events;      /* Allow-Events beside Supported; NULL = none */
	const char *supported;         /* Supported, and what Require may name; NULL = none */
	const char *contact_user;      /* user part of default Contacts; NULL = "tandem" */
	const char *external_host;     /* host in Contact and Via instead of the local address; NULL = local */
	uint16_t external_port;        /* 0 = the local one */
	int t1_ms, t2_ms, t4_ms;       /* 0 = 500, 4000, 5000 */
	int timer_b_ms;                /* B, F, H, J ("T1X64"); 0 = 64 * T1 */
	int trying_delay_ms;           /* automatic 100 for INVITE; 0 = 200, -1 = at once */
	int proceeding_timeout_ms;     /* timer C for our INVITEs after a 1xx; 0 = 180 s */
	int resolve_timeout_ms;        /* 0 = 5 s */
	bool numeric_hosts_only;       /* no name look-ups: requests to host names fail with 503 */
	bool has_no_naptr, has_no_srv; /* names: the question is left out (RFC 3263) */
	bool has_no_503_failover;      /* a 503 is a final answer; else the next place of the name is tried */
	enum sip_rport rport;          /* of requests that come in */
	bool has_no_own_rport;         /* ours do not ask for it */
	int conn_ping_ms,
	    conn_pong_ms;          /* streams: silence before a keep-alive of ours; wait for its answer; 0 = none */
	size_t udp_max_bytes;      /* longer requests try TCP first (RFC 3261 18.1.1); 0 = never */
	size_t max_message_bytes;  /* streams; 0 = 1 MiB of body */
	size_t max_stranger_bytes; /* of the body, until sip_stx_trust; 0 = 64 KiB */
	size_t max_transactions;   /* server side; beyond it requests get a stateless 503; 0 = 100,000 */
	size_t max_transactions_per_host; /* of these, by one source address; 0 = 10,000 */
	/* connections of all streams, and of these by one address; bytes buffered for them; time to the first whole
	 * message and for each later one from its first byte */
	size_t max_conns, max_conns_per_host;           /* 0 = 10,000; 2,000 */
	size_t max_conn_bytes, max_conn_bytes_per_host; /* 0 = 64 MiB; 8 MiB */
	int conn_message_ms;                            /* 0 = 10 s */
	bool has_tls;           /* sip_stack_set_tls will bring what TLS and secure WebSocket need */
	int tls_connect_ms;     /* 0 = 10 s */
	const char *ws_origins; /* whose pages may open a WebSocket, comma-separated; NULL or "" = all */
	/* What messages travel in, ended by NULL; borrowed. NULL = all that there are (sip/transport_i.h). */
	const struct sip_transport_ops *const *transports;
	/* Over UDP an address that has not shown that it receives our answers is sent at most so many times the bytes
	 * that came from it; 0 = no bound */
	unsigned answer_factor;
	/* When messages wait longer than so until they are read, and that lasts, new calls that waited so get a 503
	 * (shed.c); 0 = never */
	int overload_ms;
};
struct sip_trace {
	bool is_outgoing;
	enum sip_transport transport;
	const struct addr *local, *remote;
	struct sv data;
};
struct sip_stack_handlers {
	/* A new request outside dialogs (INVITE, REGISTER, OPTIONS, MESSAGE, SUBSCRIBE, unknown methods ...; and with a
	 * To tag: SUBSCRIBE, NOTIFY, MESSAGE, OPTIONS, REGISTER, PUBLISH, REFER and unknown ones whose dialog is none
	 * of our calls). Must end in one final response, now or later. NULL: 501 for everything. */
	void (*on_request)(struct sip_stack *s, struct sip_stx *tx, const struct sip_msg *msg, void *arg);
	/* false: a request of ours may not go there (503). Contacts and Record-Routes are the far side's words; NULL:
	 * anywhere. */
	bool (*may_send)(struct sip_stack *s, enum sip_transport t, const struct addr *dst, void *arg);
	/* Is that address outside, so that it is told external_host? NULL: all are. */
	bool (*is_outside)(struct sip_stack *s, const struct addr *dst, void *arg);
	/* A connection that stood has ended; may be NULL. Not when the stack closes. */
	void (*on_conn_closed)(struct sip_stack *s, enum sip_transport t, const struct addr *peer, void *arg);
	void (*on_trace)(struct sip_stack *s, const struct sip_trace *t, void *arg); /* may be NULL */
	void (*on_overload)(struct sip_stack *s, bool is_on, void *arg);             /* may be NULL */
	/* A request as it was parsed: true = it was taken care of and goes no
	 * further: it is dropped without an answer. NULL: everything goes on. */
	bool (*is_unwanted)(struct sip_stack *s, const struct addr *src, const struct sip_msg *m, void *arg);
	/* Nothing of that address is read: datagrams are dropped before a byte is looked at, connections are not
	 * accepted and those that stand are closed when they speak. NULL: everybody is heard. */
	bool (*is_barred)(struct sip_stack *s, const struct addr *src, void *arg);
	void (*on_malformed)(
	    struct sip_stack *s, const struct addr *src, struct sv data, const char *why, void *arg); /* may be NULL */
};
ON_CTL int sip_stack_new(struct sip_stack **out, const struct sip_stack_config *cfg /* NULL = defaults; copied */,
    const struct sip_stack_handlers *h /* copied */, void *arg);
/* Ends everything at once: calls get on_closed (kind SIP_CLOSE_STACK) before this returns, requests under way get no
 * callback. Hang up and wait beforehand for a clean end. Not from inside a callback. */
ON_CTL void sip_stack_close(struct sip_stack *s);
/* Port 0 = chosen by the system; bound (may be NULL) gets the real address. Several listeners are allowed. */
ON_CTL int sip_stack_listen(struct sip_stack *s, enum sip_transport t, const struct addr *bind, struct addr *bound);
/* What connections of t (SIP_TLS, SIP_WSS) are made with from now on; before sip_stack_listen on it. Those that stand
 * keep theirs; those that waited for it go on. NULL: there is none for now, and none begins. Referenced. */
ON_CTL void sip_stack_set_tls(struct sip_stack *s, enum sip_transport t, struct tls_ctx *ctx);
/* Whether a connection leads to that address now. */
ON_CTL bool sip_stack_has_conn(struct sip_stack *s, enum sip_transport t, const struct addr *peer);
ANY bool sip_stack_has_transport(const struct sip_stack *s, enum sip_transport t);
/* Another external_host and port from now on; NULL or 0: the local ones. Calls keep what they have told. */
ON_CTL int sip_stack_set_external(struct sip_stack *s, const char *host, uint16_t port);
ON_CTL void sip_stack_set_trace(struct sip_stack *s, bool is_on);
/* What passes in and out; the lists' texts are the caller's and must stay until they are set anew. NULL: everything. */
ON_CTL void sip_stack_set_filters(
    struct sip_stack *s, const struct sip_filter_lists *in, const struct sip_filter_lists *out);
ON_CTL void *sip_stack_arg(const struct sip_stack *s);
/* "sip:USER@HOST:PORT;transport=tcp" (no brackets) that reaches us from dst; user may be NULL. */
ON_CTL int sip_stack_contact_uri(
    struct sip_stack *s, const char *user, enum sip_transport t, const struct addr *dst, struct buf *out);
/* Our address as dst would see it (external address left aside). */
ON_CTL int sip_stack_local_addr(struct sip_stack *s, enum sip_transport t, const struct addr *dst, struct addr *out);
struct sip_stack_stats {
	uint64_t requests_in, responses_in, requests_out, responses_out, retransmits_in, retransmits_out, malformed,
	    stray_responses, shed, auth_retries, timeouts;
	uint64_t held_back; /* responses not sent or repeated: their address had credit for no more */
	uint64_t host_shed; /* of shed: one address had too many transactions */
	uint64_t failovers, marked_dead, widened; /* requests sent to another place; over TCP for their length */
	uint64_t filtered;                        /* requests of denied methods, and such as nobody wants */
	uint64_t overload_shed;                   /* of shed: they had waited too long */
	uint64_t dropped;                         /* unread, in overload */
	uint64_t barred;                          /* messages and connections of addresses that are not heard */
	size_t server_transactions, client_transactions, dialogs, calls, conns, senders, dead;
	struct conn_limit_counts conn_limit;
};
/* How long the message read last had waited, and whether new calls are refused for it. Of all stacks. */
ON_CTL int64_t sip_shed_waited_us(void);
ON_CTL bool sip_shed_is_on(void);
ON_CTL void sip_stack_stats_get(const struct sip_stack *s, struct sip_stack_stats *out);

/* ---- server transactions ---- */
ON_CTL const struct addr *sip_stx_peer(const struct sip_stx *tx); /* where the request really came from */
ON_CTL const struct addr *sip_stx_local(const struct sip_stx *tx);
ON_CTL enum sip_transport sip_stx_transport(const struct sip_stx *tx);
ON_CTL enum sip_method sip_stx_method(const struct sip_stx *tx);
ON_CTL struct sip_stack *sip_stx_stack(const struct sip_stx *tx);
ON_CTL bool sip_stx_is_done(const struct sip_stx *tx); /* a final response was sent, or it was cancelled away */
/* The to-tag that responses without dialog carry (made on first use). */
ON_CTL const char *sip_stx_to_tag(struct sip_stx *tx);
ON_CTL struct sip_stx *sip_stx_ref(struct sip_stx *tx);
ON_CTL void sip_stx_unref(struct sip_stx *tx);
/* Sends a response; code 100..699. Retransmissions of the request get the last response again. ST_INVAL after a final
 * one. phrase NULL = standard. ctype and body may be NULL/SV_NONE. Not for the INVITE of a sip_call. */
ON_CTL int sip_stx_reply(
    struct sip_stx *tx, int code, const char *phrase, const char *headers, const char *ctype, struct sv body);
/* As sip_stx_reply with a final code, but keeps nothing: the transaction is forgotten at once, the To tag is made from
 * the request, so that a retransmission is answered the same again and the ACK is known by it (RFC 3261 8.2.7). For
 * what is said to strangers: challenges, refusals, answers that change nothing. Over UDP never more than three times
 * the bytes that came from the address: Allow and the like are left out for it, or nothing is sent. After a 100 the
 * transaction is kept as by sip_stx_reply. */
ON_CTL int sip_stx_reply_once(struct sip_stx *tx, int code, const char *phrase, const char *headers);
/* The sender has authenticated (digest, access list): his stream gets the full bounds, his address its answers. */
ON_CTL void sip_stx_trust(struct sip_stx *tx);
/* The sender's address has lately shown that it receives our answers. */
ON_CTL bool sip_stx_is_known(const struct sip_stx *tx);
ON_CTL unsigned sip_stx_sender_rate(const struct sip_stx *tx); /* requests of that address in this second */
/* Forgets the transaction without an answer. */
ON_CTL void sip_stx_drop(struct sip_stx *tx);
/* An INVITE that waits for a later answer and has no sip_call yet: told when a CANCEL came (the 487 is sent by the
 * stack). */
ON_CTL void sip_stx_on_cancel(struct sip_stx *tx, void (*fn)(struct sip_stx *tx, void *arg), void *arg);

/* ---- client requests outside dialogs ---- */
struct sip_dst {
	struct addr addr; /* unset = found from the Route or the request URI */
	enum sip_transport transport;
	bool is_flow_only; /* by the connection that leads there; none is opened (a phone behind NAT, a browser) */
	bool is_by_name;   /* found for the host's name: a connection over TLS must be to that name */
};
/* ---- names: the places that serve a URI, in their order (RFC 3263) ---- */
struct sip_place {
	struct sip_dst dst;
	unsigned preference, weight_milli; /* 1 = first; of its preference */
	bool is_any_transport;             /* nobody said which; the default one is in dst */
};
struct sip_locate;
typedef void (*sip_locate_fn)(int status, const struct sip_place *place, void *arg);
/* The first place. ST_OK: *place is set; *out is NULL for a numeric host, else there may be more. ST_AGAIN: fn comes
 * later, once, never from inside. Else there is none, and *out is NULL. behalf: whose name it is; NULL: ours. *out is
 * the caller's to free, from inside fn too. */
ON_CTL int sip_locate(struct sip_locate **out, struct sip_stack *s, const char *uri, const struct addr *behalf,
    struct sip_place *place, sip_locate_fn fn, void *arg);
/* The next one: ST_OK, ST_AGAIN (fn as before), or why there is none. */
ON_CTL int sip_locate_next(struct sip_locate *l, struct sip_place *place);
ON_CTL bool sip_locate_has_more(const struct sip_locate *l); /* as far as it is known */
ON_CTL void sip_locate_free(struct sip_locate *l);           /* NULL is fine; fn is not called any more */

struct sip_credentials {
	struct sv user, password, ha1; /* ha1 (hex, MD5) or password; views valid until the callback's next call */
	bool is_for_host;              /* for a challenge from this host only: a call asks again for another one's */
};
struct sip_challenge {
	struct sv realm;
	const struct addr *from;    /* where the response came from */
	const struct addr *sent_to; /* where the request went */
};
/* true when there are credentials for this challenge. A call keeps what it was given, so that a BYE can be
 * authenticated after on_closed; the function is not called any more from then on. */
typedef bool (*sip_credentials_fn)(const struct sip_challenge *ch, struct sip_credentials *out, void *arg);
/* resp NULL: no response came; code is then 408 (timeout), 503 (transport or no address) or 487 (cancelled). 1xx are
 * given too. */
typedef void (*sip_response_fn)(struct sip_ctx *c, int code, const struct sip_msg *resp, void *arg);
struct sip_request_params {
	const char *method;
	const char *uri;       /* request URI, no brackets */
	const char *from, *to; /* name-addr or bare URI; a tag is added to from when it has none; to NULL = uri */
	const char *call_id;   /* NULL = generated */
	uint32_t cseq;         /* 0 = random start; plus one when a challenge is answered */
	const char *contact;   /* whole header value; NULL = none, "" = the stack's default */
	const char *route;     /* Route header value(s), comma-separated; NULL = none */
	const char *headers;
	const char *user_agent; /* NULL = the stack's */
	const char *ctype;
	struct sv body;
	int max_forwards; /* 0 = 70 */
	struct sip_dst dst;
	sip_credentials_fn credentials; /* NULL = challenges are final answers */
	void *credentials_arg;
};
/* out may be NULL. fn may be NULL. A failure found at once is returned and fn is not called. */
ON_CTL int sip_request_send(
    struct sip_ctx **out, struct sip_stack *s, const struct sip_request_params *p, sip_response_fn fn, void *arg);
ON_CTL void sip_request_cancel(struct sip_ctx *c);     /* fn is not called any more; the handle is gone */
ON_CTL uint32_t sip_ctx_cseq(const struct sip_ctx *c); /* of the latest try */
ON_CTL const struct addr *sip_ctx_remote_addr(const struct sip_ctx *c); /* where it was sent; borrowed, perhaps unset */

/* ---- the INVITE usage ---- */
enum sip_close_kind {
	SIP_CLOSE_NONE,
	SIP_CLOSE_BYE,       /* an established call ended by BYE */
	SIP_CLOSE_CANCEL,    /* CANCEL before the answer */
	SIP_CLOSE_REJECT,    /* a final response >= 300 */
	SIP_CLOSE_TIMEOUT,   /* no (final) response: 408; or 408/481 to a request inside the dialog */
	SIP_CLOSE_NO_ACK,    /* our 2xx was never acknowledged; a BYE was sent */
	SIP_CLOSE_TRANSPORT, /* could not send, host not found: 503 */
	SIP_CLOSE_STACK      /* the stack was closed */
};
struct sip_close {
	enum sip_close_kind kind;
	bool is_remote;            /* the far side decided */
	int code;                  /* of REJECT the response's; 487 for CANCEL, 200 for BYE, 408, 503 */
	struct sv phrase;          /* may be empty */
	struct sv reason;          /* value of the Reason header that came, or empty */
	const struct sip_msg *msg; /* the BYE, CANCEL or response that came, or NULL */
};
struct sip_call_handlers { /* any may be NULL; the struct must outlive the call */
	void (*on_progress)(struct sip_call *c, const struct sip_msg *resp, void *arg); /* UAC: 101..199, each fork's */
	void (*on_answer)(struct sip_call *c, const struct sip_msg *resp,
	    void *arg); /* UAC: the first 2xx; it is ACKed after this
	                   returns: with sip_call_set_ack_body's SDP if given */
	void (*on_ack)(
	    struct sip_call *c, const struct sip_msg *ack, void *arg); /* UAS: of the INVITE or a re-INVITE */
	void (*on_reinvite)(
	    struct sip_call *c, struct sip_stx *tx, const struct sip_msg *msg, void *arg); /* NULL: 488 */
	void (*on_reinvite_done)(
	    struct sip_call *c, int code, const struct sip_msg *resp, void *arg); /* ours; resp NULL: timeout */
	void (*on_update)(struct sip_call *c, struct sip_stx *tx, const struct sip_msg *msg,
	    void *arg); /* NULL: 200 without a body, 488 with one */
	void (*on_update_done)(struct sip_call *c, int code, const struct sip_msg *resp, void *arg);
	/* INFO, MESSAGE, NOTIFY, REFER, OPTIONS, SUBSCRIBE and others inside the dialog; NULL: 200 for INFO and
	 * OPTIONS, 501 else. */
	void (*on_request)(struct sip_call *c, struct sip_stx *tx, const struct sip_msg *msg, void *arg);
	void (*on_cancel)(struct sip_call *c, const struct sip_msg *cancel,
	    void *arg); /* UAS; 487 is sent by the stack, on_closed follows */
	void (*on_closed)(struct sip_call *c, const struct sip_close *why, void *arg);
	/* Their BYE, before it is answered: whole lines for the 200 may be added. on_closed follows. */
	void (*on_bye)(struct sip_call *c, const struct sip_msg *bye, struct buf *headers, void *arg);
	/* A PRACK with SDP: an offer, answered like one in an UPDATE. NULL: 488. */
	void (*on_prack)(struct sip_call *c, struct sip_stx *tx, const struct sip_msg *msg, void *arg);
	/* Our re-INVITE with SDP is sent again after a 491: another text in its place. ST_NOTFOUND: the same. */
	int (*on_reinvite_again)(struct sip_call *c, struct buf *sdp, void *arg);
	/* Awaited by sip_call_await_free: no INVITE transaction is under way any more, a re-INVITE can be sent. */
	void (*on_free)(struct sip_call *c, void *arg);
};
/* UAS. Takes over the answering of tx (an INVITE given to the stack's on_request, now or later). No response is sent
 * yet. */
ON_CTL int sip_call_accept(
    struct sip_call **out, struct sip_stx *tx, const struct sip_msg *msg, const struct sip_call_handlers *h, void *arg);

struct sip_invite_params {
	const char *uri;                       /* request URI, no brackets */
	const char *to_uri;                    /* NULL = uri */
	const char *to_display, *from_display; /* NULL or "" = none */
	const char *from_uri;                  /* no brackets */
	const char *from_tag;                  /* NULL = generated */
	const char *contact_user;              /* NULL = the stack's */
	const char *contact;                   /* whole Contact value instead; NULL = made */
	const char *contact_params;            /* added to its address, with "~" in front after it; NULL = none */
	const char *route;                     /* Route value(s); NULL = none */
	const char *call_id;                   /* NULL = generated */
	const char *headers;
	struct sv sdp;     /* empty = delayed offer */
	const char *ctype; /* NULL = application/sdp */
	int max_forwards;  /* 0 = 70 */
	uint32_t cseq;     /* of the INVITE; 0 = any, below 2^31 */
	enum { SIP_RELIABLE_AS_STACK, SIP_RELIABLE_ON, SIP_RELIABLE_OFF } reliable; /* 100rel in Supported */
	struct sip_dst dst;
	bool use_source_address;
	sip_credentials_fn credentials;
	void *credentials_arg;
};
ON_CTL int sip_call_invite(struct sip_call **out, struct sip_stack *s, const struct sip_invite_params *p,
    const struct sip_call_handlers *h, void *arg);

/* UAS before the answer: 101..199. */
ON_CTL int sip_call_progress(struct sip_call *c, int code, const char *phrase, const char *headers, struct sv sdp);
/* Reliable provisional responses (RFC 3262) where the stack's Supported has 100rel: of a caller who supports them those
 * with SDP are, of one who requires them all. Each waits for the PRACK of the one before, and so does the answer after
 * one with SDP; without a PRACK the call ends by 504. ST_BUSY: too many wait. */
ON_CTL bool sip_stack_has_100rel(const struct sip_stack *s);
/* UAS, for what is said from now on: of who supports them, whatever the stack's Supported has. One who requires them
 * gets them. */
ON_CTL void sip_call_set_100rel(struct sip_call *c, bool is_on);
ON_CTL bool sip_call_has_reliable_sdp(const struct sip_call *c); /* our SDP was said in one and acknowledged */
ON_CTL bool sip_call_is_answer_queued(const struct sip_call *c); /* sip_call_answer waits for a PRACK */
/* UAS: 200, retransmitted until the ACK. */
ON_CTL int sip_call_answer(struct sip_call *c, const char *headers, struct sv sdp);
/* UAS before the answer: 300..699; on_closed follows. */
ON_CTL int sip_call_reject(struct sip_call *c, int code, const char *phrase, const char *headers);
/* Does what the state asks for: final response, CANCEL (as soon as allowed), BYE (as soon as allowed). on_closed
 * (is_remote false) follows at once; what is left to do on the wire the stack does alone. code: of the final response
 * (0 = 480; UAS early), reason: value of a Reason header ("Q.850;cause=16;text=...") or NULL; headers: further lines
 * for BYE, CANCEL or the response. ST_INVAL when it is closed already. */
ON_CTL int sip_call_hangup(struct sip_call *c, int code, const char *phrase, const char *reason, const char *headers);
/* A part for the body of the next message of these that is sent: a response to their INVITE (a provisional one with or
 * without SDP, the 2xx, a refusal), or our BYE. Beside the SDP it makes a multipart/mixed of it. Copied; one at a time,
 * the latest counts. NULL: none waits any more. */
ON_CTL int sip_call_add_part(struct sip_call *c, const struct sip_part *part);
/* UAC inside on_answer: the SDP that goes into the ACK (answer to a delayed offer). Also inside on_reinvite_done for a
 * re-INVITE without SDP. */
ON_CTL int sip_call_set_ack_body(struct sip_call *c, struct sv sdp);
/* Inside on_answer or on_reinvite_done, our INVITE having had no SDP: the ACK waits for sip_call_reinvite_ack, or for
 * the call's end. No other INVITE of either side is served meanwhile. */
ON_CTL int sip_call_hold_ack(struct sip_call *c);
/* False: its phone is reached by a connection that it opened, and that is gone. */
ON_CTL bool sip_call_is_reachable(const struct sip_call *c);
/* Sends it, with the answer to their offer. ST_INVAL when none waits. */
ON_CTL int sip_call_reinvite_ack(struct sip_call *c, struct sv sdp);
/* Confirmed calls. sdp empty = without offer. ST_BUSY while an INVITE transaction is under way in either direction. A
 * 491 is tried again by RFC 3261 14.1 without the caller's doing. */
ON_CTL int sip_call_reinvite(struct sip_call *c, const char *headers, struct sv sdp);
/* on_free is called, once for all who asked, when sip_call_reinvite is not ST_BUSY any more, and never after on_closed.
 * False: it is not now, and nobody waits to be told; there is no such call. */
ON_CTL bool sip_call_await_free(struct sip_call *c);
/* RFC 3311; early or confirmed. ST_BUSY while an UPDATE of ours is under way. */
ON_CTL int sip_call_update(struct sip_call *c, const char *headers, struct sv sdp);
/* Any other request inside the dialog (INFO, MESSAGE, NOTIFY, REFER, OPTIONS ...). fn as for sip_request_send; it is
 * not called after on_closed. */
ON_CTL int sip_call_request(struct sip_call *c, const char *method, const char *headers, const char *ctype,
    struct sv body, sip_response_fn fn, void *arg);
/* Answers on_reinvite, on_update, on_request: adds Contact where it belongs; a 2xx to a re-INVITE is retransmitted
 * until its ACK. */
ON_CTL int sip_call_reply(struct sip_call *c, struct sip_stx *tx, int code, const char *phrase, const char *headers,
    const char *ctype, struct sv body);
/* No callback any more, not even on_closed; the call itself goes on. */
ON_CTL void sip_call_detach(struct sip_call *c);
ON_CTL void sip_call_set_handlers(struct sip_call *c, const struct sip_call_handlers *h, void *arg);

/* Requests inside the dialog go to the address the far side's messages came from instead of its Contact (phones behind
 * NAT). */
ON_CTL void sip_call_set_use_source_address(struct sip_call *c, bool is_on);
/* Whether host names in the far side's Contact and Record-Route are looked up; otherwise requests go to the address its
 * messages came from. Off for calls that came in, on for ours. */
ON_CTL void sip_call_set_looks_up(struct sip_call *c, bool is_on);
/* User part of our Contact; before the first response or re-INVITE. */
ON_CTL int sip_call_set_contact_user(struct sip_call *c, const char *user);

enum sip_call_state {
	SIP_CALL_NONE,
	SIP_CALL_CALLING,
	SIP_CALL_EARLY,
	SIP_CALL_ANSWERED /* 2xx sent or got, no ACK yet */,
	SIP_CALL_CONFIRMED,
	SIP_CALL_CLOSED
};
ON_CTL enum sip_call_state sip_call_state(const struct sip_call *c);
ON_CTL bool sip_call_is_uac(const struct sip_call *c);
ON_CTL struct sip_stack *sip_call_stack(const struct sip_call *c);
/* Borrowed until the call is freed or (remote target, remote tag) the next message of the dialog. Never NULL, "" when
 * unknown. */
ON_CTL const char *sip_call_id(const struct sip_call *c);
ON_CTL const char *sip_call_local_tag(const struct sip_call *c);
ON_CTL const char *sip_call_remote_tag(const struct sip_call *c);
ON_CTL const char *sip_call_local_uri(const struct sip_call *c); /* name-addr without tag */
ON_CTL const char *sip_call_remote_uri(const struct sip_call *c);
ON_CTL const char *sip_call_remote_target(const struct sip_call *c); /* the far Contact's URI */
ON_CTL const char *sip_call_local_contact(const struct sip_call *c); /* our Contact's URI */
ON_CTL const char *sip_call_route_set(const struct sip_call *c);     /* ", "-separated */
ON_CTL const struct addr *sip_call_remote_addr(
    const struct sip_call *c); /* where the last message came from, or the INVITE went */
ON_CTL const struct addr *sip_call_local_addr(const struct sip_call *c);
ON_CTL enum sip_transport sip_call_transport(const struct sip_call *c);
ON_CTL uint32_t sip_call_local_cseq(const struct sip_call *c);
/* UAS: the INVITE, until the ACK; then NULL. */
ON_CTL const struct sip_msg *sip_call_invite_msg(const struct sip_call *c);
/* A live call of this stack by its Call-ID and tags (Replaces, bench); borrowed, NULL when none. */
ON_CTL struct sip_call *sip_call_find(
    struct sip_stack *s, struct sv call_id, struct sv local_tag, struct sv remote_tag);
ON_CTL void *sip_call_arg(const struct sip_call *c);
