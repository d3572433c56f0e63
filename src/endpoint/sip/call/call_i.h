/* What this room's files share: a call, the private object between a leg and its dialog. A leg holds one reference on
 * it, the dialog's callbacks another. Arrows, top to bottom: call_in, call_out (handlers and ops), respond ->
 * call_dialog, call_end -> call_info, redirect, refer -> call_invite -> call_gateway, headers, identity, forwarded,
 * call_body, call_isup, call_hosts -> call_common. */
#pragma once
#include "core/leg/leg.h"
#include "core/registry/endpoint.h"
#include "core/sound/media.h"
#include "core/value/cause.h"
#include "endpoint/sip/call/call.h"
#include "endpoint/sip/gateway/gateway.h"
#include "endpoint/sip/reg/reg.h"
#include "endpoint/sip/stir/attest.h"
#include "endpoint/sip/uri/uri.h"
#include "guard/guard.h"
#include "sip/sub.h"

enum { INFO_DIGITS_MAX = 128 };
struct info_digits { /* that go to the phone by INFO, one after the other (call_info.c) */
	char digits[INFO_DIGITS_MAX], sent;
	uint16_t durations_ms[INFO_DIGITS_MAX], sent_ms;
	uint8_t head, count;
	bool is_busy; /* sent is not answered yet */
	struct ltimer pause;
};
struct gruu_called { /* by what GRUU it was called (call_gruu.c); NULL: by none */
	char *user, *host, *instance;
};
struct session_timer {        /* RFC 4028 (session_timer.c) */
	uint32_t s;           /* agreed on; 0 = none */
	bool is_ours;         /* we refresh, else the far side does */
	bool is_asked;        /* a refresh of ours is under way */
	uint32_t their_min_s; /* of a 422 */
	unsigned retries;     /* of the INVITE after a 422 */
	int64_t deadline_us;
	struct ltimer timer;
};
struct call {              /* counted: one reference is the leg's, one the sip_call's */
	struct lnode link; /* in the profile's list */
	struct profile *p;
	struct leg *leg;                          /* NULL once it is destroyed */
	struct sip_call *sip;                     /* NULL before dialling and once closed */
	const struct sip_call_handlers *handlers; /* outbound: what its dialog is given */
	bool is_outbound, is_closed, is_counted;
	bool has_offered;    /* our SDP in the 2xx waits for its answer in the ACK */
	bool has_reoffered;  /* the same, of a re-INVITE without SDP */
	bool is_offer_asked; /* our re-INVITE had none: their 2xx brings an offer */
	bool has_answered;   /* our 200 went out: before the leg's own answer when the INVITE had no SDP */
	bool is_start_held;  /* the leg starts when the ACK brings SDP */
	char *display_due[2], *display_said[2]; /* name, number: to be told by on_free; that were told last */
	bool shows_updates;                     /* the far side said X-FS-Support: update_display */
	bool is_nat;
	unsigned passed_count; /* requests of the other side handed on to this one, not answered yet (call_body.c) */
	/* SIP-I (call_isup.c): what their INVITE had, in isup_text */
	struct sip_part isup;
	char *isup_text;
	bool speaks_isup, has_isup_acm;
	enum { ISUP_WAITS_NOT, ISUP_WAITS_WAY, ISUP_WAITS_END } isup_waits; /* given to the dialog, not sent yet */
	bool is_believed;          /* inbound: what it says of who calls, beside From (apply-identity-acl) */
	bool is_waiting_offerless; /* waiting_tx has no SDP */
	struct sip_stx
	    *waiting_tx;       /* their re-INVITE or UPDATE whose answer the other phone gives; a reference, or NULL */
	char *waiting_headers; /* lines of a 2xx to it, or NULL */
	int respond_code;
	char *respond_phrase, *respond_headers; /* headers: whole lines, or NULL */
	struct info_digits *info;               /* NULL: there were none */
	/* outbound */
	char *uri, *route, *to_uri; /* to_uri: before a redirection; NULL = uri */
	unsigned redirect_count;
	char *flow_target; /* the registered contact it goes to, as the registrar has it; NULL = none */
	struct sip_dst dst;
	char *originator_uuid; /* of the leg that dialled it; NULL = none */
	char *auth_user, *auth_password;
	struct sip_sub *transfer; /* their REFER waits for its outcome (confirm_blind_transfer); NULL = none */
	struct sip_sub *referral; /* we sent a REFER: what becomes of it is told here; NULL = none */
	struct gruu_called gruu;
	char *replaced_uuid;     /* of the leg whose place this one takes when it is up; NULL = none */
	struct gateway *gateway; /* the one it came or goes by; a reference, or NULL */
	struct session_timer session;
	bool takes_update;                    /* its Allow has UPDATE */
	char *again_call_id, *again_from_tag; /* of an INVITE that is sent again in the same call (422) */
	uint32_t again_cseq;
	bool has_own_domain;  /* sip_invite_domain was given */
	bool is_answer_asked; /* by NOTIFY: sip_auto_answer */
	bool is_bye_said;     /* ours went out, with all its headers */
	struct call_holds {
		struct guard_hold *address, *user;
	} holds;                  /* what it counts as, until it is gone; or NULL */
	struct guard_call *fraud; /* to an expensive destination; or NULL */
};
/* out: what hears of its dialog when it goes out; NULL: it came in. */
ON_CTL struct call *call_new(struct profile *p, struct leg *leg, const struct sip_call_handlers *out);
/* The operations of every leg of ours, wherever it is made (endpoint.c). */
ANY const struct endpoint_ops *call_endpoint(void);
ON_CTL void call_endpoint_set(const struct endpoint_ops *ops);
ANY struct call *call_of(const struct leg *leg); /* of a leg that is known to be ours */
ON_CTL int call_media_init(struct call *c);
/* From which hosts media may come: before an SDP of m, which came from peer, is given to the leg. */
ON_CTL void call_hosts_tell(struct call *c, const struct addr *peer, const struct sip_msg *m);
ON_CTL bool call_is_outside(const struct call *c); /* its far side is not on our network, or not known yet */
/* Value of the Reason header for the leg's cause; false: none is to be sent. */
ON_CTL bool call_reason_put(struct call *c, struct buf *b);
/* Whether its Allow has INFO: digits may go so. */
ON_CTL void call_allow_tell(struct call *c, const struct sip_msg *m);
ON_CTL void call_vars_from_msg(struct call *c, const struct sip_msg *m);
/* A variable of the form user@host:port, to be dialled as it is. */
ON_CTL void call_var_sv(struct leg *leg, const char *name, struct sv value); /* as data; empty: none */
ON_CTL void call_var_uri(struct leg *leg, const char *name, const struct sip_uri *u);
/* Those of the dialog as its latest message has them; an inbound call's are complete with its ACK. */
ON_CTL void call_vars_dialog(struct call *c, const struct sip_msg *m);
/* What the Reason headers of a message say, all of them; CAUSE_NONE: nothing. */
ON_CTL enum cause call_cause_of_reasons(const struct call *c, const struct sip_msg *m, bool is_cancel);
extern const struct sip_call_handlers call_in_handlers, call_out_handlers;
/* ---- session timers (session_timer.c) ---- */
ON_CTL void session_timer_ask_put(struct call *c, struct buf *b);  /* lines of our INVITE */
ON_CTL void session_timer_keep_put(struct call *c, struct buf *b); /* of our re-INVITE or UPDATE: as it was agreed on */
ON_CTL void session_timer_answered(struct call *c, const struct sip_msg *resp); /* a 2xx to one of these */
ON_CTL void session_timer_refused(struct call *c, int code, const struct sip_msg *resp /* or NULL */);
/* True: a 422 to our INVITE, which is to be sent again with the longer interval. */
ON_CTL bool session_timer_retry(struct call *c, const struct sip_close *why);
/* Of a request of theirs: *out gets the Min-SE line of the 422. */
ON_CTL bool session_timer_is_too_short(const struct profile *p, const struct sip_msg *m, char out[32]);
ON_CTL void session_timer_answer_put(struct call *c, const struct sip_msg *m, struct buf *b); /* lines of our 2xx */
ON_CTL void session_timer_stop(struct call *c);
/* With a 415: what a body may be (RFC 3261 21.4.13). */
#define CALL_ACCEPT "Accept: application/sdp, multipart/mixed\r\nAccept-Encoding: identity\r\n"
/* shared handlers and ops (call_end.c, call_dialog.c) */
ON_CTL void call_on_ack(struct sip_call *sc, const struct sip_msg *ack, void *arg);
ON_CTL void call_on_closed(struct sip_call *sc, const struct sip_close *why, void *arg);
ON_CTL void call_on_reinvite(struct sip_call *sc, struct sip_stx *tx, const struct sip_msg *m, void *arg);
ON_CTL int call_on_reinvite_again(struct sip_call *sc, struct buf *sdp, void *arg);
ON_CTL void call_on_free(struct sip_call *sc, void *arg); /* what had to wait for another exchange */
ON_CTL void call_on_reinvite_done(struct sip_call *sc, int code, const struct sip_msg *resp, void *arg);
ON_CTL void call_on_prack(struct sip_call *sc, struct sip_stx *tx, const struct sip_msg *m, void *arg);
ON_CTL void call_on_update_done(struct sip_call *sc, int code, const struct sip_msg *resp, void *arg);
ON_CTL void call_on_update(struct sip_call *sc, struct sip_stx *tx, const struct sip_msg *m, void *arg);
ON_CTL void call_on_bye(struct sip_call *sc, const struct sip_msg *bye, struct buf *headers, void *arg);
ON_CTL void call_on_request(struct sip_call *sc, struct sip_stx *tx, const struct sip_msg *m, void *arg);
/* ---- INFO (call_info.c) ---- */
ON_CTL void info_in(struct call *c, struct sip_call *sc, struct sip_stx *tx, const struct sip_msg *m);
ON_CTL void info_end(struct call *c); /* the dialog is over */
/* ---- what core asks of a leg of ours before and at its end (call_in.c) ---- */
ON_CTL int call_op_ring_ready(struct leg *leg);
ON_CTL int call_op_pre_answer(struct leg *leg, struct leg *near);
ON_CTL int call_op_answer(struct leg *leg, struct leg *near);
ON_CTL void call_op_on_hangup(struct leg *leg);
ON_CTL void call_op_on_destroy(struct leg *leg);

/* ---- bounds (call_limits.c) ---- */
/* A call came from src, of a user or nobody: ST_LIMIT (told) when its address or user is over a bound. */
ON_CTL int call_limits_take(
    const struct profile *p, const struct addr *src, const struct auth *auth, bool is_gateway, struct call_holds *out);
ON_CTL void call_limits_give(struct call_holds *h);
/* a (NULL: nobody) calls that number: ST_DENIED when it may not (told). user: escaped, as in a URI. */
ON_CTL int call_fraud_begin(struct call *c, struct leg *a, const char *user);

/* ---- headers (headers.c) ---- */
/* X-, P-, Diversion and User-to-User as variables with that prefix. */
ON_CTL void call_vars_x_headers(struct call *c, const struct sip_msg *m, const char *prefix);
/* Those of an INVITE that go nowhere by themselves: sip_call_info and its like. */
ON_CTL void call_vars_kept(struct call *c, const struct sip_msg *m);
/* To a leg that a dials: sip_h_ variables, of what came from outside only what may. */
ON_CTL void call_headers_pass(struct call *c, struct leg *a);
/* The X- headers of a response of whom c is called come to its caller: they are in what he is told next. */
ON_CTL void call_headers_back(struct call *c, const struct sip_msg *resp);
/* Those of a BYE that came, as sip_bye_h_ of its leg; and all sip_bye_h_ of the leg that ends to the one it ends with.
 */
ON_CTL void call_bye_headers_take(struct call *c, const struct sip_msg *bye);
ON_CTL void call_bye_headers_pass(struct call *c, struct leg *to /* may be NULL */);
ANY bool call_header_is_structural(struct sv name); /* the stack writes it itself, and once */
/* A line for each variable with that prefix; none of those the stack writes itself. */
ON_CTL void call_headers_put(struct call *c, struct buf *b, const char *prefix);

/* ---- who calls, before there is a call (call_caller.c) ---- */
struct caller {
	struct auth auth;
	char *token;          /* owned: what a proxy says of who asked it; NULL: nothing */
	const char *acl_name; /* into acl, or NULL */
	char acl[64];
	bool is_authorized;
	struct gateway *gateway;            /* it came by, which is believed; borrowed */
	const struct stir_verdict *verdict; /* on its Identity; NULL: nobody asked */
};
/* What it says of who calls, beside From, is believed (apply-identity-acl). */
ON_CTL bool caller_is_believed(const struct profile *p, const struct caller *who, const struct addr *src);
ON_CTL void caller_fini(struct caller *who); /* what it owns */
/* Access list, then digest, into who (zeroed). False: it was refused. */
ON_CTL bool caller_check(struct profile *p, struct sip_stx *tx, const struct sip_msg *m, struct caller *who);
/* Where the profile wants From to be the account's. False: it was refused. */
ON_CTL bool caller_account_check(
    struct profile *p, struct sip_stx *tx, const struct sip_msg *m, const struct caller *who);
/* The name, variables and profile of c's leg (call_in_vars.c). */
ON_CTL void call_in_describe(struct call *c, struct sip_stx *tx, const struct sip_msg *m, const struct caller *who);
/* Goes on with an INVITE whose caller is known; what who owns is taken. */
ON_CTL void invite_go(struct profile *p, struct sip_stx *tx, const struct sip_msg *m, struct caller *who);

/* ---- STIR/SHAKEN (call_stir.c) ---- */
/* True: the INVITE waits for its verdict and goes on by invite_go, or was answered; who's auth is taken. */
ON_CTL bool call_stir_waits(struct profile *p, struct sip_stx *tx, const struct sip_msg *m, struct caller *who);
ON_CTL void call_stir_vars(struct leg *leg, const struct stir_verdict *v); /* and tells the event */
/* Date and Identity, where the leg, its gateway or its profile wants the caller attested. from, to: URIs. */
ON_CTL void call_stir_sign_put(struct call *c, struct buf *headers, const char *from_uri, const char *to_uri);
/* ";verstat=..." into a user part: what was found of the caller, for whom we call and who is no gateway. */
ON_CTL void call_verstat_put(struct call *c, struct buf *uri);
ANY void call_verstat_cut(char *number); /* a stranger's own word on it, off the number's end */

/* ---- identity (identity.c) ---- */
/* The number that identity_in will take for the caller's: a view into m. */
ON_CTL struct sv call_identity_number(const struct profile *p, const struct sip_msg *m, bool is_believed);
ON_CTL enum cid_type call_cid_type(struct call *c); /* which header tells who calls */
/* Who calls, by the INVITE and the account (whose user may be NULL): into lp and the variables. */
ON_CTL void identity_in(struct call *c, const struct sip_msg *m, const struct auth *who, struct leg_profile *lp);
/* The profile refuses accounts that give themselves out as others, and this one does. */
ON_CTL bool identity_is_refused(const struct profile *p, const struct sip_msg *m, const struct auth *who);
/* Who logged in gives himself out as somebody else. */
ON_CTL bool identity_is_others(const struct profile *p, const struct sip_msg *m, const struct auth *who);
/* The identity header that counts, of whoever sends m; false: there is none. */
ON_CTL bool identity_shown(const struct sip_msg *m, struct sip_nameaddr *out);
/* The identity header with its line's end, and Privacy; nothing where none is to be told. */
ON_CTL void call_identity_put(struct call *c, struct buf *b, bool is_response);
/* The same of a response before the answer, where the profile and the leg want it there. */
ON_CTL void call_identity_put_1xx(struct call *c, struct buf *b);
/* The domain of our identity: the dial string's, that of the From it gives, or ours. */
ON_CTL void call_domain_put(struct call *c, struct buf *b);
/* The host of an address of ours, IPv6 in brackets; what is no host gives way to our own. */
ON_CTL void call_host_put(struct call *c, struct buf *b, const char *host);

/* ---- who redirected the call (forwarded.c) ---- */
/* Of an INVITE: the redirecting number, where the profile says so, into lp. */
ON_CTL void forwarded_in(struct call *c, const struct sip_msg *m, struct leg_profile *lp);
/* Diversion and History-Info of ours for a call that was redirected on its way here, or by whom we called first. */
ON_CTL void forwarded_put(struct call *c, struct buf *b);

/* ---- bodies (call_body.c) ---- */
ON_CTL struct call *call_originator(const struct call *c);           /* whose leg dialled this one; NULL */
ON_CTL struct call *call_partner(const struct call *c);              /* that it talks to; NULL */
ON_CTL void body_invite_in(struct call *c, const struct sip_msg *m); /* its parts become sip_multipart */
ON_CTL void body_invite_pass(struct call *c, struct leg *a);         /* to a leg that a dials */
/* The body of our INVITE when it is more than the SDP, and its type; false: the SDP alone. */
ON_CTL bool body_invite_make(struct call *c, struct sv sdp, struct buf *ctype, struct buf *body);
/* An INFO or MESSAGE of a call goes to the other side in place of us; true: so it does, and was answered. */
ON_CTL bool body_request_passed(struct call *c, struct sip_call *sc, struct sip_stx *tx, const struct sip_msg *m);
/* The same of an INFO that is for us too (proxy-info-content-types), and is answered elsewhere. */
ON_CTL void body_info_copied(struct call *c, const struct sip_msg *m);

/* ---- GRUU (call_gruu.c) ---- */
/* The INVITE goes to a GRUU whose phone is not there: it was answered. */
ON_CTL bool gruu_refused(struct profile *p, struct sip_stx *tx, const struct sip_msg *m);
ON_CTL void gruu_invite_in(struct call *c, const struct sip_msg *m);
ON_CTL void gruu_fini(struct gruu_called *g);
ON_CTL void gruu_contact_take(
    struct call *c, const struct sip_msg *m); /* m's Contact is one: reached where it came from */
/* May a (NULL: nobody in particular) reach that contact; and what it dials, "profile/target". */
ON_CTL bool gruu_is_for(const struct call *a, const struct reg *r);
ON_CTL bool gruu_excludes(const struct call *a, struct profile *p, const char *dialled);

/* ---- SIP-I (call_isup.c) ---- */
ON_CTL void isup_invite_in(struct call *c, const struct sip_msg *m, struct leg_profile *lp);
/* What our INVITE has beside the SDP, of bytes (ISUP_BYTES_MAX) or the call that came; false: nothing. */
ON_CTL bool isup_invite_part(struct call *c, uint8_t *bytes, struct sip_part *out);
/* What the called side's response has goes to the caller with what he is told next. */
ON_CTL void isup_response_in(struct call *c, const struct sip_msg *resp);
/* Before a response of ours, a refusal or BYE: the part of our own, where the leg maps and has none to hand on. */
ON_CTL void isup_answering(struct call *c, int code);
ON_CTL void isup_releasing(struct call *c);
/* A BYE, or a refusal of whom we called: its part goes on; its cause. */
ON_CTL void isup_release_in(struct call *c, const struct sip_msg *m, struct call *to /* NULL: the partner */);
ON_CTL void isup_refusal_in(struct call *c, const struct sip_msg *m);
ON_CTL enum cause isup_cause(struct call *c, const struct sip_msg *m); /* CAUSE_NONE: none that counts */
ON_CTL bool isup_info_in(struct call *c, const struct sip_msg *m);     /* true: it was ISUP */

/* ---- transfers (refer.c) ---- */
/* What a REFER asks for: to the number, or with other's far end. */
ON_CTL int refer_do(struct call *c, struct call *other, const struct sip_msg *m, const struct refer_to *r);
ON_CTL void refer_in(struct call *c, struct sip_call *sc, struct sip_stx *tx, const struct sip_msg *m);
/* Sends a REFER inside the call; headers has its Refer-To. Once the far side tells that it is done, the leg hangs up.
 */
ON_CTL int refer_send(struct call *c, const char *headers);
ON_CTL void refer_referral_end(struct call *c); /* what becomes of it is of no interest any more */
/* The leg an INVITE's Replaces or Join names (NULL without them; borrowed). False: it cannot be, and was answered. */
struct named_leg {
	struct leg *leg;
	bool is_join;
};
ON_CTL bool replaces_check(struct profile *p, struct sip_stx *tx, const struct sip_msg *m, struct named_leg *out);
ON_CTL struct call *call_by_name(const struct dialog_name *r);           /* of any profile; NULL */
ON_CTL void replaces_prepare(struct call *c, const struct named_leg *n); /* before the leg starts */
/* The outcome of a blind transfer that its phone waits to hear of (confirm_blind_transfer). */
ON_CTL int call_transfer_told(struct leg *leg, struct leg *other, bool is_good);
ON_CTL void refer_waiting_end(struct call *c); /* nobody waits any more */
ON_CTL void replaces_run(struct call *c);      /* once it is acknowledged */

ON_CTL int call_hold(struct leg *leg, bool is_hold);
ON_CTL bool call_await_free(struct leg *leg);
ON_CTL int call_reinvite(struct leg *leg, struct sv sdp);
ON_CTL void call_reinvite_reply(struct leg *leg, int code, struct sv sdp);
ON_CTL int call_reinvite_ack(struct leg *leg, struct sv sdp);
ON_CTL int call_send_dtmf(struct leg *leg, const char *digits, unsigned duration_ms);
ON_CTL int call_respond(struct leg *leg, int code, const char *phrase); /* respond.c */
ON_CTL int call_send_info(struct leg *leg, const char *ctype, struct sv body);
ON_CTL int call_send_message(struct leg *leg, const char *ctype, struct sv body);
ON_CTL int call_phone_event(struct leg *leg, const char *event);
ON_CTL int call_display(struct leg *leg, const char *name, const char *number);      /* display.c */
ON_CTL void call_display_said(struct call *c, const char *name, const char *number); /* its phone shows them */
ON_CTL void call_display_read(struct call *c, const struct sip_msg *m);              /* of a re-INVITE, UPDATE, INFO */
ON_CTL void call_display_learn(struct call *c, const struct sip_msg *resp);          /* of who is called */
ON_CTL bool call_is_unacknowledged(const struct call *c);                            /* its 2xx waits for the ACK */
ON_CTL int call_out_outgoing(const struct originate_target *t, struct leg **out, enum cause *cause);
ON_CTL int call_out_dial(struct leg *leg);
/* Again in the same call: its Call-ID and tag, the next CSeq (RFC 4028 7.3). */
ON_CTL int call_out_again(struct call *c, const struct sip_call *before);
ON_CTL int call_out_invite(struct leg *leg); /* to c->uri, with a new offer; again after a redirection */

/* ---- redirection (redirect.c) ---- */
/* A 3xx to our INVITE; true: it is taken care of (a new INVITE is out, or the leg was hung up). */
/* True: it could not go by its flow, and goes by another one of the phone (call_flow.c). */
ON_CTL bool call_flow_in(struct call *c, const struct sip_close *why);
ON_CTL bool redirect_in(struct call *c, const struct sip_close *why);
ON_CTL int call_redirect(struct leg *leg, const char *uris);

/* ---- calls by gateways (call_gateway.c) ---- */
ON_CTL void call_gateway_vars(struct call *c);
/* An answer to the call's INVITE came from a: learned when it went to the gateway's own proxy, not to an address that
 * was dialled or that a redirection named. */
ON_CTL void call_gateway_learn(struct call *c, const struct addr *a);
/* The same for its challenge; in a call that stands it may be anybody's. */
ON_CTL bool call_gateway_credentials(struct call *c, const struct sip_challenge *ch, struct sip_credentials *out);
ON_CTL void call_gateway_from_put(struct call *c, struct buf *b);
ON_CTL void call_gateway_inbound(struct call *c, struct gateway *g, const struct sip_msg *m, struct leg_profile *lp);
