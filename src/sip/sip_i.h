/* What this room's files share. Data's way: transport_*.c -> stack.c (parse, dispatch) -> tx_server_in.c or tx_client.c
 * -> call_*.c or the user; and back through the transactions to sip_flow_send (sip/transport_i.h). */
#pragma once
#include "base/check.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "loop/loop.h"
#include "sip/dialog_i.h"
#include "sip/sip.h"
#include "sip/transport_i.h"
#include <string.h>

#define SIP_TAG_CHARS 13
#define SIP_BRANCH_CHARS 16
#define SIP_COOKIE "z9hG4bK"
/* Stands for our "host:port[;transport=x]" in text that is built before the transport is chosen. */
#define SIP_SELF_MARK '\001'
#define SIP_SELF_MARK_TEXT "\001"
/* Finished server transactions kept to absorb retransmissions; the oldest go first. */
#define SIP_DONE_MAX 32768

struct sip_stack {
	struct sip_stack_config cfg; /* its strings are owned */
	struct sip_stack_handlers h;
	void *arg;
	bool is_tracing, is_closing, has_100rel;
	struct list listeners, conns;
	struct sip_table conn_table, stx_table, merge_table, ctx_table, dialog_table, sender_table, dead_table;
	struct list locates;
	struct list dead; /* marked longest ago first */
	struct conn_limit *conn_limit;
	struct tls_ctx *tls[SIP_TRANSPORT_COUNT]; /* references; NULL: none yet, or */
	bool is_tls_told[SIP_TRANSPORT_COUNT];    /* sip_stack_set_tls was called: nobody waits for it any more */
	struct list senders;                      /* the one heard longest ago first */
	size_t unacked_count;                     /* final answers over UDP that wait for their ACK */
	struct list stxs, ctxs, dialogs;
	size_t call_count;
	struct list done; /* stx: finished, oldest first */
	size_t done_count;
	struct ltimer done_timer;
	struct sip_stack_stats stats;
	struct buf out;                       /* scratch for what is sent */
	struct buf self;                      /* scratch for our own host:port */
	struct buf unfolded;                  /* scratch for messages with folded lines */
	struct buf filtered_in, filtered_out; /* scratch for messages whose headers were filtered */
	struct sip_filter_lists filter_in, filter_out;
	bool has_filter_in, has_filter_out;
	struct sip_hdr in_hdrs[SIP_MSG_HDRS_MAX];
	struct sip_hdr own_hdrs[SIP_MSG_HDRS_MAX];
};

/* ---- overload (shed.c) ---- */
/* A message is read that had waited so long. */
ON_CTL void sip_shed_note(struct sip_stack *s, int64_t waited_us);
/* Before it is parsed: true when it is dropped. */
ON_CTL bool sip_shed_drops(struct sip_stack *s, const struct sip_source *src, const char *p, size_t n);
/* A new request, known to be no repetition: true when it was refused. */
ON_CTL bool sip_shed_refuses(struct sip_stack *s, const struct sip_source *src, const struct sip_msg *m);

/* Nothing is to be read of that address (counted). */
ON_CTL bool sip_stack_bars(struct sip_stack *s, const struct addr *src);

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
ON_CTL const struct sip_sender *sip_sender_find(const struct sip_stack *s, const struct addr *a); /* or NULL */
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

/* ---- server transactions (tx_server.c; what comes in: tx_server_in.c) ---- */
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
	uint32_t rseq;           /* of the provisional response that is being sent; 0 = it is not reliable */
	bool is_last_sent;       /* it went out: it was not held back */
	struct sip_usage *usage; /* that answers this INVITE; borrowed */
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
	char *hop;            /* URI to resolve when dst is unset */
	struct sip_flow flow; /* once it was sent; keeps its connection */
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
	/* where else it may go (tx_again.c) */
	struct sip_locate *locate;
	bool is_locating, may_widen, is_widened;
	uint16_t failed_code;    /* while the next place is looked for: what it ends with when there is none, */
	struct sip_msg *refusal; /* and the answer that said so */
	char *raw;               /* msg as it was given, while it may be needed again */
	size_t raw_n;
	sip_response_fn fn;
	void *arg;
	sip_credentials_fn credentials;
	void *credentials_arg;
	struct sip_dialog *dialog; /* owner of the CSeq space; a reference until the final answer */
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
	struct sip_dialog *dialog;
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
ON_CTL void sip_ctx_ack_again(struct sip_ctx *c);
ON_CTL void sip_ctx_shorten(struct sip_ctx *c); /* to what sip_ctx_drop_answer reads of the request */
ANY void sip_branch_make(char *out);            /* into sizeof(SIP_COOKIE) + SIP_BRANCH_CHARS bytes, cleared before */
/* Answers a challenge: rewrites c's request with credentials. false: leave the response to the user. */
ON_CTL bool sip_ctx_authorize(struct sip_ctx *c, const struct sip_msg *resp, struct buf *out, uint32_t cseq);

/* For tx_again.c. */
ON_CTL void sip_ctx_launch(struct sip_ctx *c);
ON_CTL void sip_ctx_new_branch(struct sip_ctx *c);
ON_CTL void sip_ctx_leave_husk(struct sip_ctx *c); /* what repeats the answer of the present try is acknowledged */
/* It ends with that; resp NULL: no answer came. */
ON_CTL void sip_ctx_over(struct sip_ctx *c, int code, const struct sip_msg *resp);

/* ---- another place (tx_again.c) ---- */
/* No answer (resp NULL) or one that says no: true when it goes, or will go, to the next place. */
ON_CTL bool sip_ctx_try_next(struct sip_ctx *c, int code, const struct sip_msg *resp);
/* The name's next place is known: true when c waited for one. */
ON_CTL bool sip_ctx_place_found(struct sip_ctx *c, int st, const struct sip_place *place);
ON_CTL void sip_ctx_widen(struct sip_ctx *c);  /* TCP instead of UDP where the text is too long for it */
ON_CTL bool sip_ctx_narrow(struct sip_ctx *c); /* that led nowhere: over UDP again; false: it was not so */
/* Its time is over, but the connection has come to stand meanwhile: true, with a new deadline. */
ON_CTL bool sip_ctx_waits_on(struct sip_ctx *c);
ON_CTL int64_t sip_ctx_first_wait_us(const struct sip_ctx *c); /* for the first answer */

/* ---- names (resolve.c, dead.c) ---- */
/* The name that a URI's address is looked up for; empty: it says an address, or uri is NULL. A view. */
struct sv sip_uri_host_asked(const char *uri);
/* Whether that URI leads to a host by name; names its transport. */
bool sip_uri_needs_name(const char *uri);
bool sip_uri_has_transport(const char *uri);
ON_CTL void sip_locates_end(struct sip_stack *s); /* who waits is told ST_CANCELLED */
ON_CTL void sip_dead_mark(struct sip_stack *s, const struct sip_dst *dst, int64_t for_us);
ON_CTL bool sip_dead_is(const struct sip_stack *s, const struct sip_dst *dst);
ON_CTL void sip_dead_clear(struct sip_stack *s, const struct sip_dst *dst); /* it answers */
ON_CTL void sip_dead_free(struct sip_stack *s);

/* ---- rport (rport.c) ---- */
ON_CTL void sip_rport_settle(const struct sip_stack *s, struct sip_source *src, const struct sip_msg *m);

/* ---- STUN on the socket of SIP (stun_answer.c) ---- */
bool sip_is_stun(const char *p, size_t n);
ON_CTL void sip_stun_answer(struct sip_stack *s, const struct sip_flow *f, const char *p, size_t n); /* datagrams */

/* ---- calls ---- */
/* Provisional responses that are acknowledged (call_rel.c). */
ON_CTL void sip_stack_rel_init(struct sip_stack *s); /* its Supported is known */
enum rel_mode { REL_NONE, REL_SDP /* those with SDP */, REL_ALL };
enum rel_kind { REL_IN_PLAIN, REL_IN_NEXT, REL_IN_AGAIN };
struct rel_wait { /* a response that waits for its turn; 200: the answer */
	uint16_t code;
	char *phrase, *headers, *sdp;
};
enum { REL_QUEUE_MAX = 6 };
struct call_rel {
	enum rel_mode mode;
	bool is_waiting, has_sdp; /* one is out and not acknowledged; it had SDP */
	bool is_sdp_settled;      /* one with SDP was acknowledged */
	bool is_answered;         /* the answer is in the queue, or out */
	uint32_t next_rseq, waits_for;
	int64_t interval_us, deadline_us;
	struct ltimer timer;
	struct rel_wait *queue; /* REL_QUEUE_MAX of them; NULL: none had to wait yet */
	size_t count;
};
struct sip_call { /* the INVITE usage of its dialog */
	struct sip_usage usage;
	struct sip_dialog *dlg; /* a reference, for the getters, as long as the call */
	struct sip_stack *stack;
	const struct sip_call_handlers *h;
	void *arg;
	uint8_t state;
	bool is_uac, has_sdp_from_remote, has_sdp_sent, in_answer, in_reinvite_done, is_ack_held;
	bool is_bye_wanted, is_bye_sent, is_ok_initial; /* is_ok_initial: ok_tx is the INVITE itself */
	bool is_free_awaited;                           /* somebody has a re-INVITE to send (on_free) */
	struct sip_stx *inv_tx;    /* UAS: INVITE or re-INVITE not finally answered (a reference) */
	struct sip_stx *ok_tx;     /* 2xx sent, ACK missing (a reference) */
	struct sip_stx *update_tx; /* UPDATE not answered (a reference) */
	struct sip_ctx *inv_ctx;   /* UAC: INVITE or re-INVITE not finally answered */
	struct sip_ctx *update_ctx, *bye_ctx;
	struct sip_ctx *ack_ctx;             /* a re-INVITE of ours whose 2xx is not acknowledged yet (a reference) */
	char *ack_tag;                       /* whose 2xx it was */
	struct sip_msg *invite;              /* UAS: until the ACK */
	struct ltimer ok_timer, retry_timer; /* ok_timer: of ok_tx; without one, of on_free */
	int64_t ok_deadline_us, ok_interval_us;
	char *ack_body, *bye_headers;
	char *retry_headers, *retry_sdp; /* a re-INVITE that met 491 */
	struct call_rel rel;             /* UAS */
	struct list requests;            /* struct call_request: sip_call_request under way */
	struct sip_close close;
	char *close_phrase, *close_reason;
	struct sip_msg *close_msg;
	struct ldefer close_defer;
};
ON_CTL struct sip_call *sip_call_new(struct sip_stack *s, const struct sip_call_handlers *h, void *arg, bool is_uac);
ON_CTL void sip_call_register(struct sip_call *c);
ON_CTL void sip_call_request_in(struct sip_call *c, struct sip_stx *tx, const struct sip_msg *m);
ON_CTL void sip_call_ack_in(struct sip_call *c, const struct sip_msg *m);
ON_CTL void sip_call_cancelled(struct sip_call *c, const struct sip_msg *cancel);
/* Tells on_closed (deferred, once) and ends what is left. why is copied. */
ON_CTL void sip_call_close(struct sip_call *c, const struct sip_close *why);
ON_CTL void sip_call_finish(struct sip_call *c); /* leaves the dialog once nothing is left to do on the wire */
ON_CTL void sip_call_drop(struct sip_call *c);   /* the stack closes */
ON_CTL void sip_call_bye(struct sip_call *c);    /* BYE now, or when allowed */
ON_CTL void sip_call_abort_requests(struct sip_call *c);
ON_CTL void sip_call_uac_response(struct sip_ctx *ctx, int code, const struct sip_msg *resp, void *arg);
ON_CTL void sip_call_reinvite_response(struct sip_ctx *ctx, int code, const struct sip_msg *resp, void *arg);
ON_CTL void sip_call_wait_ack(struct sip_call *c, struct sip_stx *tx);
ON_CTL void sip_call_ack_release(struct sip_call *c, struct sv sdp); /* what sip_call_hold_ack kept back goes out */
ON_CTL void sip_call_retry_clear(struct sip_call *c);
ON_CTL void sip_call_freed(struct sip_call *c); /* an INVITE transaction ended: on_free may be due */
ON_CTL int sip_call_answer_now(struct sip_call *c, const char *headers, struct sv sdp);
ON_CTL void sip_call_rel_start(struct sip_call *c, const struct sip_msg *invite);
ON_CTL void sip_call_rel_end(struct sip_call *c); /* nothing waits any more */
ON_CTL void sip_call_prack_in(struct sip_call *c, struct sip_stx *tx, const struct sip_msg *m);
ON_CTL enum rel_kind sip_call_rel_in(struct sip_call *c, const struct sip_msg *resp);
ON_CTL void sip_call_prack(struct sip_call *c, const struct sip_msg *resp); /* its fork is the current one */
/* sip_put_common of an INVITE, with 100rel in Supported or without. */
ON_CTL void sip_put_common_invite(struct sip_stack *s, struct buf *b, bool has_100rel);

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
/* The same under another name; NULL: none. */
ON_CTL void sip_put_common_as(struct sip_stack *s, struct buf *b, const char *user_agent, bool with_allow);
/* Allow-Events, with INVITE outside of dialogs, SUBSCRIBE, NOTIFY and PUBLISH: m, or what is answered. */
ON_CTL void sip_put_events(struct sip_stack *s, struct buf *b, enum sip_method m);
/* sip_put_body with Content-Disposition: session in front of a session description. */
ANY void sip_put_call_body(struct buf *b, struct sv ctype, struct sv body);
