/* What this room's files share. Data's way: transport_*.c -> stack.c (parse, dispatch) -> tx_server.c or tx_client.c ->
 * call_*.c or the user; and back through the transactions to sip_transport_send. */
#pragma once
#include "base/check.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "loop/loop.h"
#include "net/conn_limit.h"
#include "net/tcp.h"
#include "net/udp.h"
#include "sip/sip.h"
#include <string.h>

#define SIP_TAG_CHARS 13
#define SIP_BRANCH_CHARS 16
#define SIP_COOKIE "z9hG4bK"
/* Stands for our "host:port[;transport=x]" in text that is built before the transport is chosen. */
#define SIP_SELF_MARK '\001'
#define SIP_SELF_MARK_TEXT "\001"
/* Finished server transactions kept to absorb retransmissions; the oldest go first. */
#define SIP_DONE_MAX 32768

/* An intrusive table by 64-bit keyed hashes (base/hash.h's SipHash: outsiders cannot choose collisions, so equal keys
 * are taken as equal things for transactions; calls compare their texts as well). */
struct sip_node {
	struct sip_node *next;
	uint64_t key;
	bool is_linked;
};
struct sip_table {
	struct sip_node **slots;
	size_t mask, count;
};
int sip_table_init(struct sip_table *t);
void sip_table_fini(struct sip_table *t);
void sip_table_add(struct sip_table *t, struct sip_node *n, uint64_t key);
void sip_table_del(struct sip_table *t, struct sip_node *n);
struct sip_node *sip_table_first(const struct sip_table *t, uint64_t key);
struct sip_node *sip_node_next(const struct sip_node *n); /* with the same key */
uint64_t sip_key(struct sv a, struct sv b, struct sv c, uint64_t salt);

struct sip_stack {
	struct sip_stack_config cfg; /* its strings are owned */
	struct sip_stack_handlers h;
	void *arg;
	bool is_tracing, is_closing;
	struct list udps, tcp_listeners, conns;
	struct sip_table conn_table, stx_table, merge_table, ctx_table, call_table, sender_table;
	struct conn_limit *conn_limit;
	struct list senders;  /* the one heard longest ago first */
	size_t unacked_count; /* final answers over UDP that wait for their ACK */
	struct list stxs, ctxs, calls;
	struct list done; /* stx: finished, oldest first */
	size_t done_count;
	struct ltimer done_timer;
	struct sip_stack_stats stats;
	struct buf out;      /* scratch for what is sent */
	struct buf self;     /* scratch for our own host:port */
	struct buf unfolded; /* scratch for messages with folded lines */
	struct sip_hdr in_hdrs[SIP_MSG_HDRS_MAX];
	struct sip_hdr own_hdrs[SIP_MSG_HDRS_MAX];
};

/* ---- transports ---- */
struct sip_udp {
	struct lnode link;
	struct sip_stack *stack;
	struct udp *u;
	struct addr local;
};
struct sip_tcp_listener {
	struct lnode link;
	struct sip_stack *stack;
	struct tcp_listener *l;
	struct addr local;
};
struct sip_conn { /* counted: the stack's list holds one, each transaction on it one */
	struct sip_node node;
	struct lnode link;
	struct sip_stack *stack;
	struct tcp_conn *c;
	struct addr peer, local;
	bool is_open, is_connecting;
	struct conn_guard guard;
	struct sip_framer framer;
	struct buf in, pending;
	struct list ctxs; /* client requests whose answers come here */
};
struct sip_sender;
/* Where a message came from. */
struct sip_source {
	enum sip_transport transport;
	struct addr peer, local;
	struct sip_udp *udp;
	struct sip_conn *conn;
	struct sip_sender *sender; /* of a request; NULL when out of memory */
};
ON_CTL void sip_stack_input(struct sip_stack *s, const struct sip_source *src, const char *p, size_t n, bool is_stream);
ON_CTL void sip_stack_trace(struct sip_stack *s, bool is_out, enum sip_transport t, const struct addr *local,
    const struct addr *remote, const char *p, size_t n);
ON_CTL struct sip_udp *sip_udp_for(struct sip_stack *s, const struct addr *dst);
ON_CTL int sip_udp_write(struct sip_udp *u, const struct addr *dst, const char *p, size_t n);
ON_CTL void sip_udp_close_all(struct sip_stack *s);
/* Finds or opens a connection; borrowed. */
ON_CTL int sip_conn_get(struct sip_conn **out, struct sip_stack *s, const struct addr *dst);
ON_CTL struct sip_conn *sip_conn_find(struct sip_stack *s, const struct addr *dst);
ON_CTL int sip_conn_write(struct sip_conn *c, const char *p, size_t n);
ON_CTL void sip_tcp_close_all(struct sip_stack *s);
/* It is no stranger's any more: the full bounds. */
ON_CTL void sip_conn_trust(struct sip_conn *c);
/* Our "host:port" as seen from dst, with ";transport=tcp" for contacts when contact is set. Appends. */
ON_CTL int sip_self_put(
    struct sip_stack *s, enum sip_transport t, const struct addr *dst, bool is_contact, struct buf *out);

/* ---- senders (sender.c) ---- */
struct sip_sender {
	struct sip_node node;
	struct lnode link;
	unsigned refs;                        /* transactions */
	unsigned active_count, unacked_count; /* of these: without their end; waiting for an ACK */
	int64_t credit_bytes;
	int64_t known_until_us; /* it has shown that it receives our answers */
	int64_t second;
	unsigned second_count; /* requests in it */
};
/* A request of n bytes came; NULL when out of memory. */
ON_CTL struct sip_sender *sip_sender_heard(struct sip_stack *s, const struct sip_source *src, size_t n);
ON_CTL void sip_sender_proved(struct sip_sender *d);
ON_CTL bool sip_sender_is_known(const struct sip_sender *d);
enum sip_pay {
	SIP_PAY_EARLY, /* a provisional answer, a repeated one: something must be left for the final ones to come */
	SIP_PAY_REPEAT,
	SIP_PAY_FINAL,
	SIP_PAY_DUE /* goes out in any case */
};
/* May n bytes go to its address (over UDP)? They are taken off. final_n: what the transaction's final answer will be,
 * where it is known; else 0. */
ON_CTL bool sip_sender_pays(
    const struct sip_stack *s, struct sip_sender *d, size_t n, enum sip_pay how, size_t final_n);
ON_CTL void sip_senders_free(struct sip_stack *s);

/* ---- server transactions ---- */
enum stx_state { STX_TRYING, STX_PROCEEDING, STX_COMPLETED, STX_CONFIRMED, STX_ACCEPTED, STX_DONE };
struct sip_stx {
	struct sip_node node, merge_node;
	struct lnode link, done_link;
	struct sip_stack *stack;
	unsigned refs;
	uint8_t state, method;
	bool is_cancelled, is_counted /* as active */, is_unacked, has_answered /* something went out */;
	struct sip_source src;
	uint16_t via_port;
	uint32_t cseq;
	uint16_t code; /* of the last response */
	char to_tag[SIP_TAG_CHARS + 1];
	bool to_had_tag;
	uint64_t once_tag; /* the To tag of an answer that is not kept */
	char *head;        /* Via, From, Call-ID, CSeq lines; then To without CRLF; then Record-Route lines */
	uint32_t head_n, to_n, rr_n;
	char *last; /* the last response */
	size_t last_n;
	struct ltimer timer;
	int64_t deadline_us, interval_us, done_due_us;
	struct sip_call *call; /* INVITE usage that answers this; borrowed */
	void (*cancel_fn)(struct sip_stx *, void *);
	void *cancel_arg;
};
ON_CTL void sip_stx_input(struct sip_stack *s, const struct sip_source *src, struct sip_msg *m);
/* contact: whole value of a Contact to add or NULL; record_route: copy the request's Record-Route. */
ON_CTL int sip_stx_respond(struct sip_stx *tx, int code, const char *phrase, const char *headers, const char *ctype,
    struct sv body, const char *contact, bool record_route);
ON_CTL void sip_stx_resend(struct sip_stx *tx);
/* The ACK for this transaction's 2xx arrived (or nobody waits for it any more): only absorb retransmissions from now
 * on. */
ON_CTL void sip_stx_acked(struct sip_stx *tx);
ON_CTL void sip_stx_set_to_tag(struct sip_stx *tx, const char *tag);
ON_CTL void sip_stx_kill(struct sip_stx *tx);
ON_CTL struct sip_stx *sip_stx_find_invite(struct sip_stack *s, const struct sip_msg *m);
/* Answers without any transaction, from the request alone. */
ON_CTL void sip_stateless_reply(struct sip_stack *s, const struct sip_source *src, const struct sip_msg *m, int code,
    const char *phrase, const char *headers);

/* ---- client transactions ---- */
enum ctx_state { CTX_IDLE, CTX_RESOLVING, CTX_CALLING, CTX_PROCEEDING, CTX_COMPLETED, CTX_ACCEPTED, CTX_DEAD };
struct sip_resolve;
struct sip_ctx {
	struct sip_node node;
	struct lnode link, conn_link;
	struct sip_stack *stack;
	unsigned refs;
	uint8_t state, method;
	bool is_invite, is_oneshot, is_cancel_wanted, is_cancel_sent, is_via_final;
	uint8_t auth_tries;
	uint32_t cseq;
	struct sip_dst dst;
	char *hop; /* URI to resolve when dst is unset */
	struct sip_conn *conn;
	struct sip_udp *udp;
	char branch[sizeof(SIP_COOKIE) + SIP_BRANCH_CHARS];
	char *msg; /* on the wire once is_via_final; before, without Via and with marks */
	size_t msg_n;
	char *ack; /* INVITE: the ACK to repeat; with Via after non-2xx, without after 2xx */
	size_t ack_n;
	char *ack_tag, *ack_hop; /* 2xx: whose answer it was, where the ACK goes */
	struct sip_dst ack_dst;
	char ack_branch[sizeof(SIP_COOKIE) + SIP_BRANCH_CHARS];
	char *auth_realm;
	struct addr from; /* the latest response */
	struct ltimer timer;
	int64_t deadline_us, interval_us;
	struct sip_resolve *resolve;
	sip_response_fn fn;
	void *arg;
	sip_credentials_fn credentials;
	void *credentials_arg;
	struct sip_call *call; /* borrowed; owner of the CSeq space */
};
struct ctx_params {
	const char *text; /* whole request without Via; may hold marks */
	size_t text_n;
	enum sip_method method;
	uint32_t cseq;
	struct sip_dst dst;
	const char *hop;
	sip_response_fn fn;
	void *arg;
	sip_credentials_fn credentials;
	void *credentials_arg;
	struct sip_call *call;
	const char *branch;        /* NULL = fresh */
	const struct addr *behalf; /* whose words hop is; NULL = ours */
	bool is_oneshot;           /* an ACK: sent once, no transaction */
};
/* Starts it; failures that show at once are told by fn from a deferred call, as all others are. */
ON_CTL int sip_ctx_start(struct sip_ctx **out, struct sip_stack *s, const struct ctx_params *p);
ON_CTL void sip_ctx_response(struct sip_stack *s, const struct sip_source *src, struct sip_msg *m);
/* INVITE: sends CANCEL now or as soon as a provisional came. */
ON_CTL void sip_ctx_cancel_invite(struct sip_ctx *c, const char *headers);
/* Forgets the callback; the transaction goes on by itself. */
ON_CTL void sip_ctx_orphan(struct sip_ctx *c);
ON_CTL void sip_ctx_kill(struct sip_ctx *c);
ON_CTL void sip_ctx_conn_lost(struct sip_ctx *c);
/* INVITE after a 2xx: keeps the ACK to be repeated and sends it. text is without Via. */
ON_CTL void sip_ctx_ack(
    struct sip_ctx *c, struct sv tag, const char *text, size_t n, const struct sip_dst *dst, const char *hop);
/* The ACK for that answer comes later: until then its repetitions wait for it as well. */
ON_CTL void sip_ctx_hold_ack(struct sip_ctx *c, struct sv tag);
ON_CTL struct sip_ctx *sip_ctx_ref(struct sip_ctx *c);
ON_CTL void sip_ctx_unref(struct sip_ctx *c); /* NULL is fine */
/* Builds and sends ACK, then BYE, for a 2xx nobody wants (another fork's, or of an abandoned call). */
ON_CTL void sip_ctx_drop_answer(struct sip_ctx *c, const struct sip_msg *resp);
/* Answers a challenge: rewrites c's request with credentials. false: leave the response to the user. */
ON_CTL bool sip_ctx_authorize(struct sip_ctx *c, const struct sip_msg *resp, struct buf *out, uint32_t cseq);

/* ---- names ---- */
typedef void (*sip_resolve_fn)(int status, const struct sip_dst *dst, void *arg);
/* Finds the address for a sip: URI. What is known at once (numeric hosts, the resolver's cache) is returned (ST_OK with
 * *dst set, or why not; fn is not called); ST_AGAIN: fn comes later, never from inside, unless sip_resolve_cancel.
 * behalf: whose name it is, NULL when it is ours. */
ON_CTL int sip_resolve(struct sip_resolve **out, const struct sip_stack *s, const char *uri, const struct addr *behalf,
    struct sip_dst *dst, sip_resolve_fn fn, void *arg);
/* Whether that URI leads to a host by name. */
bool sip_uri_needs_name(const char *uri);
ON_CTL void sip_resolve_cancel(struct sip_resolve *r);

/* ---- dialogs (dialog.c): the state both sides share ---- */
struct sip_dialog {
	struct lnode link; /* in the call's forks */
	char *remote_tag, *target, *route_set;
	uint32_t remote_cseq;
	bool has_remote_cseq;
};
void sip_dialog_fini(struct sip_dialog *d);
/* Takes tag, target and route set from a response (UAC: Record-Route reversed) or a request (UAS). */
int sip_dialog_from_response(struct sip_dialog *d, const struct sip_msg *resp);
int sip_dialog_from_request(struct sip_dialog *d, const struct sip_msg *req);
void sip_dialog_refresh(struct sip_dialog *d, const struct sip_msg *m); /* target from Contact */
/* Request line, Route, Max-Forwards, From, To, Call-ID, CSeq; *hop gets the URI the request goes to (mem_alloc'd). */
int sip_dialog_put_request(const struct sip_dialog *d, struct buf *b, const char *method, const char *local_uri,
    const char *local_tag, const char *remote_uri, const char *call_id, uint32_t cseq, char **hop);

/* ---- calls ---- */
struct sip_call {
	struct sip_node node; /* call-id + local tag */
	struct lnode link;
	struct sip_stack *stack;
	const struct sip_call_handlers *h;
	void *arg;
	uint8_t state, transport;
	bool is_uac, is_closed_told, is_finishing, use_source_address, has_sdp_from_remote, has_sdp_sent, in_answer,
	    in_reinvite_done, is_ack_held;
	bool has_own_names_only;                        /* what the far side names is not looked up */
	bool is_bye_wanted, is_bye_sent, is_ok_initial; /* is_ok_initial: ok_tx is the INVITE itself */
	char *call_id, *local_uri, *remote_uri, *contact_user, *contact, *contact_params, *local_contact;
	char local_tag[40];
	struct sip_dialog dlg;
	struct list forks;
	uint32_t local_cseq;
	struct addr remote, local;
	struct sip_stx *inv_tx;    /* UAS: INVITE or re-INVITE not finally answered (a reference) */
	struct sip_stx *ok_tx;     /* 2xx sent, ACK missing (a reference) */
	struct sip_stx *update_tx; /* UPDATE not answered (a reference) */
	struct sip_ctx *inv_ctx;   /* UAC: INVITE or re-INVITE not finally answered */
	struct sip_ctx *update_ctx, *bye_ctx;
	struct sip_ctx *ack_ctx; /* a re-INVITE of ours whose 2xx is not acknowledged yet (a reference) */
	char *ack_tag;           /* whose 2xx it was */
	struct sip_msg *invite;  /* UAS: until the ACK */
	struct ltimer ok_timer, retry_timer;
	int64_t ok_deadline_us, ok_interval_us;
	char *ack_body, *bye_headers;
	char *retry_headers, *retry_sdp; /* a re-INVITE that met 491 */
	struct list requests;            /* struct call_request: sip_call_request under way */
	struct sip_close close;
	char *close_phrase, *close_reason;
	struct sip_msg *close_msg;
	struct ldefer close_defer;
	sip_credentials_fn credentials;
	void *credentials_arg;
	/* what was given last: a BYE may be challenged after the user's end */
	char *auth_realm, *auth_user, *auth_password, *auth_ha1;
	struct addr auth_host; /* for whose challenges alone; not set: for anybody's */
};
/* A sip_credentials_fn with the call as its argument: what is known, else what the user says. */
ON_CTL bool sip_call_credentials(const struct sip_challenge *ch, struct sip_credentials *out, void *arg);
ON_CTL struct sip_call *sip_call_new(struct sip_stack *s, const struct sip_call_handlers *h, void *arg, bool is_uac);
ON_CTL void sip_call_register(struct sip_call *c);
ON_CTL bool sip_call_in_dialog(
    struct sip_stack *s, const struct sip_msg *m, struct sip_call **out); /* by Call-ID and both tags */
ON_CTL void sip_call_request_in(struct sip_call *c, struct sip_stx *tx, const struct sip_msg *m);
ON_CTL void sip_call_ack_in(struct sip_call *c, const struct sip_msg *m);
ON_CTL void sip_call_cancelled(struct sip_call *c, const struct sip_msg *cancel);
/* Tells on_closed (deferred, once) and ends what is left. why is copied. */
ON_CTL void sip_call_close(struct sip_call *c, const struct sip_close *why);
ON_CTL void sip_call_finish(struct sip_call *c); /* lets go of the call once nothing is left to do on the wire */
ON_CTL void sip_call_bye(struct sip_call *c);    /* BYE now, or when allowed */
ON_CTL int sip_call_send(struct sip_call *c, struct sip_ctx **out, const char *method, const char *headers,
    const char *ctype, struct sv body, bool with_contact, sip_response_fn fn, void *arg);
/* Sets dst when a request inside the dialog does not go where its hop says. */
ON_CTL void sip_call_choose_dst(const struct sip_call *c, const char *hop, struct sip_dst *dst);
ON_CTL void sip_call_seen_from(struct sip_call *c, const struct sip_source *src);
ON_CTL void sip_call_abort_requests(struct sip_call *c);
ON_CTL void sip_call_uac_response(struct sip_ctx *ctx, int code, const struct sip_msg *resp, void *arg);
ON_CTL void sip_call_reinvite_response(struct sip_ctx *ctx, int code, const struct sip_msg *resp, void *arg);
ON_CTL void sip_call_contact_put(struct sip_call *c, struct buf *out);  /* value of our Contact, with the mark */
ON_CTL void sip_call_contact_line(struct sip_call *c, struct buf *out); /* the whole line */
ON_CTL int sip_call_answer_tx(struct sip_call *c, struct sip_stx *tx, int code, const char *phrase, const char *headers,
    const char *ctype, struct sv body);
ON_CTL void sip_call_wait_ack(struct sip_call *c, struct sip_stx *tx);
ON_CTL void sip_call_drop_all(struct sip_stack *s);
ON_CTL struct sip_dialog *sip_call_fork(struct sip_call *c, struct sv remote_tag); /* NULL when unknown */
ON_CTL void sip_call_ack_release(struct sip_call *c, struct sv sdp); /* what sip_call_hold_ack kept back goes out */
ON_CTL void sip_call_retry_clear(struct sip_call *c);

struct call_request {
	struct lnode link;
	struct sip_call *call;
	struct sip_ctx *ctx;
	sip_response_fn fn;
	void *arg;
};

/* User-Agent, and Allow with Supported. FreeSWITCH's phones hear all three in every message except ACK, CANCEL and the
 * answer to a CANCEL, which carry none, and 100, which carries User-Agent only. */
ON_CTL void sip_put_common(struct sip_stack *s, struct buf *b, bool with_allow);
/* sip_put_body with Content-Disposition: session in front of a session description. */
ANY void sip_put_call_body(struct buf *b, struct sv ctype, struct sv body);
