/* What the files of this room share: the module's state, a profile while it runs, a call. */
#pragma once
#include "core/conf/acl.h"
#include "core/dial/originate.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/registry/complete.h"
#include "core/registry/module.h"
#include "core/sound/media.h"
#include "core/value/self.h"
#include "endpoint/sip/profile_conf.h"
#include "endpoint/sip/reg_table.h"
#include "sip/digest.h"
#include "sip/sip.h"

struct hash;
struct store;
struct dir_user;
struct gateway;

/* ---- the module ---- */
struct sofia {
	struct list profiles;    /* running ones, by name as FreeSWITCH lists them */
	struct hash *reg_tables; /* profile name -> struct reg_home: outlives a restart of its profile */
	struct store *store;     /* NULL: nothing is kept on disk */
	struct event_sub *events;
	bool is_tracing; /* sofia global siptrace */
	int log_levels[10];
	int trace_level;
};
extern struct sofia sofia;

/* ---- a profile ---- */
struct profile { /* counted */
	struct lnode link;
	struct profile_conf conf;
	struct sip_stack *stack;
	struct digest_server *digest;
	struct reg_table *regs;                          /* borrowed from the module */
	struct addr sip_addr;                            /* bound */
	char *sip_ip, *rtp_ip, *ext_sip_ip, *ext_rtp_ip; /* resolved; ext_* equal the others when not given */
	char *url, *bind_url;
	bool has_udp, has_tcp, is_tracing, is_paused;
	size_t call_count;
	struct list calls;
	struct list gateways, leaving_gateways; /* endpoint/sip/gateway.h */
	uint64_t calls_in, failed_in, calls_out, failed_out;
	int64_t started_us;
	struct hash *failures; /* source host -> struct auth_failures */
	struct hash *default_password_told;
	int64_t rps_second;
	unsigned rps_count;
	uint64_t rps_refused;
};
ON_CTL int profile_start(struct profile_conf *conf /* taken */, struct profile **out);
ON_CTL void profile_stop(struct profile *p); /* ends its calls, gives up the list's reference */
/* By name, alias or (domain) alias=true; NULL. */
ON_CTL struct profile *profile_find(struct sv name);
ON_CTL struct profile *profile_find_exact(struct sv name);
ON_CTL struct profile *profile_first(void);
extern const struct complete_list sofia_lists[]; /* command.c */
/* request.c: the request to whoever serves its method. */
ON_CTL void request_go(struct profile *p, struct sip_stx *tx, const struct sip_msg *m);
/* user_wait.c: true: it waits for its user, and comes back by request_go, or was answered. */
ON_CTL bool request_waits(struct profile *p, struct sip_stx *tx, const struct sip_msg *m);
ON_CTL int profiles_start_all(const struct xml_node *conf);
/* The profile's node of the running configuration; NULL when there is none. */
ON_CTL const struct xml_node *profile_conf_node(struct sv name);
/* profile_retry.c: the same as profile_start, and ST_OK also when it waits for a port that is in use. */
ON_CTL int profile_start_or_wait(struct profile_conf *conf /* taken */);
ON_CTL void profile_retry_cancel(struct sv name);
ON_CTL void profile_retry_cancel_all(void);
ON_CTL void profiles_stop_all(void);

ON_CTL void profile_trace_update(struct profile *p);
/* Names the profile answers for besides its own: fn for each. */
ON_CTL void profile_each_alias(
    struct profile *p, void (*fn)(struct profile *p, const char *alias, void *arg), void *arg);
ON_CTL bool profile_has_alias(const struct profile *p, struct sv name);

/* ---- requests (request.c) ---- */
ON_CTL void request_in(struct sip_stack *s, struct sip_stx *tx, const struct sip_msg *msg, void *arg);
ON_CTL void register_in(struct profile *p, struct sip_stx *tx, const struct sip_msg *msg);
ON_CTL void invite_in(struct profile *p, struct sip_stx *tx, const struct sip_msg *msg);

/* ---- authentication (auth.c) ---- */
struct auth {
	struct dir_user *user;  /* reference, or NULL (blind, access list) */
	char *username, *realm; /* owned; NULL without digest */
};
enum auth_outcome {
	AUTH_NONE,
	AUTH_OK,
	AUTH_CHALLENGED, /* answered: 401 or 407 */
	AUTH_REFUSED     /* answered: 400 or 403 */
};
ON_CTL enum auth_outcome auth_check(struct profile *p, struct sip_stx *tx, const struct sip_msg *m, struct auth *out);
ON_CTL void auth_fini(struct auth *a);
ON_CTL void auth_failed_count(struct profile *p, const struct addr *src); /* a failed answer, never a challenge */
ON_CTL uint64_t auth_failures_of(struct profile *p, const struct addr *src);
/* The challenges for a realm, in every algorithm of the profile: whole lines. */
ON_CTL void auth_challenge_put(struct profile *p, const char *realm, bool is_proxy, bool is_stale, struct buf *out);
/* An answer to a challenge of ours is in it: auth_check has something to look at. */
ON_CTL bool auth_has_answer(const struct profile *p, const struct sip_msg *m);
/* The realm we ask for. Appended to out. */
ON_CTL void auth_realm_put(const struct profile *p, const struct sip_msg *m, struct buf *out);

/* ---- requests outside of calls, and those that events ask for (event_send.c) ---- */
struct sofia_request {
	const char *method, *target; /* target: as sofia_target_parse takes it */
	const char *from, *to;
	const char *headers, *ctype; /* whole lines; NULL = none */
	struct sv body;
};
/* One request whose answer nobody waits for. A failure to send is logged. */
ON_CTL int sofia_request_send(struct profile *p, const struct sofia_request *r);
ON_CTL int sofia_events_start(void);
ON_CTL void sofia_events_stop(void);

/* ---- registrations ---- */
/* NOTIFY of check-sync to each contact that what means (reg_is_meant); how many. */
ON_CTL size_t reg_sync(struct profile *p, struct sv what, bool is_reboot);
ON_CTL struct reg_table *reg_home_get(const char *profile_name); /* made on first use; NULL when out of memory */
ON_CTL int reg_store_open(const char *path); /* opens the store and brings registrations back as they arrive */
ON_CTL void reg_homes_free(void);
/* An address that phones give (Contact), as it may stand in a dial string: whatever there means something is escaped in
 * its user part; without URI headers, and without fs_ parameters unless keeps_ours. ST_INVAL and *why: elsewhere it
 * cannot be. */
ANY int contact_render(const struct sip_uri *u, bool keeps_ours, struct buf *out, const char **why);
ANY bool contact_is_rendered(struct sv target); /* it was made so */
ANY void contact_escape(
    struct buf *out, struct sv text); /* all but letters, digits and "-._~" as %XX: values of fs_path */
ON_CTL void reg_contact_text(const struct reg *r, struct buf *out); /* "\"\" <sip:...>" as FreeSWITCH keeps it */
/* "sofia/PROFILE/URI" of each contact, comma-separated. */
ON_CTL size_t contact_lookup(struct profile *p /* NULL = all */, struct sv user, struct sv host, struct buf *out);

/* ---- NAT (nat.c) ---- */
/* True when a contact is not where its messages come from and cannot be reached as written. */
ON_CTL bool nat_is_behind(const struct profile *p, const struct sip_uri *contact, const struct sip_via *via,
    const struct addr *src, enum sip_transport t);

/* ---- commands ---- */
extern const struct api_desc sofia_apis[];
extern const struct metric_desc sofia_metrics[];
ON_CTL bool sofia_is_ready(struct buf *why);
ON_CTL int status_cmd(struct api_call *c, struct sv args, bool is_xml);
ON_CTL int jsonstatus_cmd(struct api_call *c); /* the list; further words are ignored, as FreeSWITCH does */
int contact_cmd(struct api_call *c);
int count_cmd(struct api_call *c);
int username_cmd(struct api_call *c);
int presence_cmd(struct api_call *c);
int gateway_cmd(struct api_call *c);
ON_CTL void trace_print(struct sip_stack *s, const struct sip_trace *t, void *arg);

/* ---- calls ---- */
enum { INFO_DIGITS_MAX = 128 };
struct info_digits { /* that go to the phone by INFO, one after the other (call_info.c) */
	char digits[INFO_DIGITS_MAX], sent;
	uint16_t durations_ms[INFO_DIGITS_MAX], sent_ms;
	uint8_t head, count;
	bool is_busy; /* sent is not answered yet */
	struct ltimer pause;
};
struct call {              /* counted: one reference is the leg's, one the sip_call's */
	struct lnode link; /* in the profile's list */
	struct profile *p;
	struct leg *leg;      /* NULL once it is destroyed */
	struct sip_call *sip; /* NULL before dialling and once closed */
	bool is_outbound, is_closed, is_counted;
	bool has_offered;    /* our SDP in the 2xx waits for its answer in the ACK */
	bool has_reoffered;  /* the same, of a re-INVITE without SDP */
	bool is_offer_asked; /* our re-INVITE had none: their 2xx brings an offer */
	bool has_answered;   /* our 200 went out: before the leg's own answer when the INVITE had no SDP */
	bool is_start_held;  /* the leg starts when the ACK brings SDP */
	bool is_hold_due;    /* asked for before the ACK: a re-INVITE has to wait for it, and so does an UPDATE */
	char *display_due[2];
	bool shows_updates; /* the far side said X-FS-Support: update_display */
	bool is_nat;
	bool is_waiting_offerless; /* waiting_tx has no SDP */
	struct sip_stx
	    *waiting_tx; /* their re-INVITE or UPDATE whose answer the other phone gives; a reference, or NULL */
	int respond_code;
	char *respond_phrase, *respond_headers; /* headers: whole lines, or NULL */
	struct info_digits info;
	/* outbound */
	char *uri, *route, *to_uri; /* to_uri: before a redirection; NULL = uri */
	unsigned redirect_count;
	struct sip_dst dst;
	char originator_uuid[UUID_CHARS + 1];
	char *auth_user, *auth_password;
	bool has_referred;                  /* we sent a REFER: its NOTIFY is awaited */
	char replaced_uuid[UUID_CHARS + 1]; /* of the leg whose place this one takes when it is up; "" = none */
	struct gateway *gateway;            /* the one it came or goes by; a reference, or NULL */
	struct ltimer session_timer;        /* RFC 4028: the far side refreshes before it is due */
	bool has_own_domain;                /* sip_invite_domain was given */
	bool is_bye_said;                   /* ours went out, with all its headers */
};
extern const struct endpoint_ops sofia_ops, sip_ops;
ON_CTL struct call *call_new(struct profile *p, struct leg *leg, bool is_outbound);
ANY struct call *call_of(const struct leg *leg);
ON_CTL int call_media_init(struct call *c);
/* From which hosts media may come: before an SDP of m, which came from peer, is given to the leg. */
ON_CTL void call_hosts_tell(struct call *c, const struct addr *peer, const struct sip_msg *m);
ON_CTL void call_owed(struct call *c); /* acknowledged: what had to wait for it */
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
ON_CTL enum cause call_cause_from_msg(const struct sip_msg *m, int code);
ON_CTL enum cause call_cause_from_reason(struct sv reason);
extern const struct sip_call_handlers call_in_handlers, call_out_handlers;
/* Adds Session-Expires and Require when the request asks for a session timer, and watches it. */
ON_CTL void call_session_timer_put(struct call *c, const struct sip_msg *m, struct buf *b);
ANY uint32_t session_expires_of(const struct sip_msg *m); /* seconds; 0 = none asked for */
/* With a 415: what a body may be (RFC 3261 21.4.13). */
#define CALL_ACCEPT "Accept: application/sdp, multipart/mixed\r\nAccept-Encoding: identity\r\n"
/* shared handlers and ops (call_common.c, call_dialog.c) */
ON_CTL void call_on_ack(struct sip_call *sc, const struct sip_msg *ack, void *arg);
ON_CTL void call_on_closed(struct sip_call *sc, const struct sip_close *why, void *arg);
ON_CTL void call_on_reinvite(struct sip_call *sc, struct sip_stx *tx, const struct sip_msg *m, void *arg);
ON_CTL void call_on_reinvite_done(struct sip_call *sc, int code, const struct sip_msg *resp, void *arg);
ON_CTL void call_on_update(struct sip_call *sc, struct sip_stx *tx, const struct sip_msg *m, void *arg);
ON_CTL void call_on_bye(struct sip_call *sc, const struct sip_msg *bye, struct buf *headers, void *arg);
ON_CTL void call_on_request(struct sip_call *sc, struct sip_stx *tx, const struct sip_msg *m, void *arg);
/* ---- INFO (call_info.c) ---- */
ON_CTL void info_in(struct call *c, struct sip_call *sc, struct sip_stx *tx, const struct sip_msg *m);
ON_CTL void info_end(struct call *c); /* the dialog is over */
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
/* A line for each variable with that prefix; none of those the stack writes itself. */
ON_CTL void call_headers_put(struct call *c, struct buf *b, const char *prefix);

/* ---- identity (identity.c) ---- */
/* Who calls, by the INVITE and the account (whose user may be NULL): into lp and the variables. */
ON_CTL void identity_in(struct call *c, const struct sip_msg *m, const struct auth *who, struct leg_profile *lp);
/* The profile refuses accounts that give themselves out as others, and this one does. */
ON_CTL bool identity_is_refused(const struct profile *p, const struct sip_msg *m, const struct auth *who);
/* The identity header with its line's end, and Privacy; nothing where none is to be told. */
ON_CTL void call_identity_put(struct call *c, struct buf *b, bool is_response);
/* The host of an address of ours, IPv6 in brackets; what is no host gives way to our own. */
ON_CTL void call_host_put(struct call *c, struct buf *b, const char *host);

/* ---- transfers (refer.c) ---- */
ON_CTL void refer_in(struct call *c, struct sip_call *sc, struct sip_stx *tx, const struct sip_msg *m);
ON_CTL void refer_notify_in(struct call *c, struct sip_call *sc, struct sip_stx *tx, const struct sip_msg *m);
/* The leg an INVITE's Replaces names (NULL without the header; borrowed). False: it cannot be, and was answered. */
ON_CTL bool replaces_check(struct profile *p, struct sip_stx *tx, const struct sip_msg *m, struct leg **out);
ON_CTL void replaces_prepare(struct call *c, const struct leg *replaced); /* before the leg starts */
ON_CTL void replaces_run(struct call *c);                                 /* once it is acknowledged */

ON_CTL int call_hold(struct leg *leg, bool is_hold);
ON_CTL int call_reinvite(struct leg *leg, struct sv sdp);
ON_CTL void call_reinvite_reply(struct leg *leg, int code, struct sv sdp);
ON_CTL int call_reinvite_ack(struct leg *leg, struct sv sdp);
ON_CTL int call_send_dtmf(struct leg *leg, const char *digits, unsigned duration_ms);
ON_CTL int call_respond(struct leg *leg, int code, const char *phrase);
ON_CTL int call_send_info(struct leg *leg, const char *ctype, struct sv body);
ON_CTL int call_send_message(struct leg *leg, const char *ctype, struct sv body);
ON_CTL int call_phone_event(struct leg *leg, const char *event);
ON_CTL int call_display(struct leg *leg, const char *name, const char *number);
ON_CTL int call_out_outgoing(const struct originate_target *t, struct leg **out, enum cause *cause);
ON_CTL int call_out_dial(struct leg *leg);
ON_CTL int call_out_invite(struct leg *leg); /* to c->uri, with a new offer; again after a redirection */

/* ---- redirection (redirect.c) ---- */
/* A 3xx to our INVITE; true: it is taken care of (a new INVITE is out, or the leg was hung up). */
ON_CTL bool redirect_in(struct call *c, const struct sip_close *why);
ON_CTL int call_redirect(struct leg *leg, const char *uris);

/* ---- dial strings (dialstring.c): what follows "sofia/" ---- */
struct sofia_target {
	struct sv profile;                /* "" = none named */
	struct sv gateway;                /* of sofia/gateway/NAME/... */
	char *name;                       /* owned: what profile or gateway is a view of */
	char *uri;                        /* request URI without fs_* parameters, owned */
	char *fs_path;                    /* decoded, owned; NULL when absent */
	char *user, *host;                /* owned; host with port */
	char *looked_up, *looked_up_host; /* owned: the registered user it was found by; NULL = none was looked for */
	bool is_nat;
	bool needs_lookup; /* user%domain: a registered user */
	enum sip_transport transport;
};
/* data: text with marks (text/mark.h). ST_PARSE also when what is from outside would be more than a user or a host. */
ANY int sofia_target_parse(struct sofia_target *out, struct sv data);
/* Appends user@host:port as text: what the address holds is from outside, its form is not. */
ANY void sofia_uri_put_text(struct buf *out, const struct sip_uri *u);
ANY void sofia_target_fini(struct sofia_target *t);
/* Where its fs_path sends it: a Route (owned by the caller, lr) or an address. Leaves both alone without one. */
ANY void sofia_target_route(const struct sofia_target *t, char **route, struct sip_dst *dst);
