/* Dialogs (RFC 3261 12) and what uses them (RFC 5057). Two ends agree on Call-ID, tags, routes and the order of
 * requests once; a call, a subscription, the one a REFER implies are usages of that beside one another. The dialog
 * begins with the first and ends with the last; one of them ending leaves the others alone.
 *
 *   in:   transaction (tx_server_in.c) -> sip_dialog_of: Call-ID, our tag, the far tag -> sip_dialog_request_in:
 *         order of CSeq -> the usage that owns it (by method, by event) -> endpoint
 *   out:  endpoint -> usage -> sip_dialog_send: head, Contact, the next CSeq -> transaction (tx_client.c) -> flow
 *
 * 481 is said for a request that needs a dialog when there is none (tx_server_in.c), and for one whose usage is over.
 * A usage is one file with ops: call*.c, sub.c. */
#pragma once
#include "sip/table_i.h"
#include "sip/transport_i.h"

/* ---- the far end (far.c): pure ---- */
struct sip_far {
	struct lnode link; /* in the dialog's forks */
	char *remote_tag, *target, *route_set;
	uint32_t remote_cseq;
	uint32_t rseq; /* of its last reliable provisional response; 0 = none yet */
	bool has_remote_cseq;
};
void sip_far_fini(struct sip_far *f);
/* Takes tag, target and route set from a response (UAC: Record-Route reversed) or a request (UAS). */
int sip_far_from_response(struct sip_far *f, const struct sip_msg *resp);
int sip_far_from_request(struct sip_far *f, const struct sip_msg *req);
void sip_far_refresh(struct sip_far *f, const struct sip_msg *m); /* target from Contact */
/* Request line, Route, Max-Forwards, From, To, Call-ID, CSeq; *hop gets the URI the request goes to (mem_alloc'd). */
int sip_far_put_request(const struct sip_far *f, struct buf *b, const char *method, const char *local_uri,
    const char *local_tag, const char *remote_uri, const char *call_id, uint32_t cseq, char **hop);

/* ---- usages ---- */
struct sip_usage;
struct sip_usage_ops { /* all on the control loop */
	const char *name;
	bool takes_others; /* requests inside the dialog that no usage owns */
	bool (*owns)(const struct sip_usage *u, const struct sip_msg *m);
	void (*request_in)(
	    struct sip_usage *u, struct sip_stx *tx, const struct sip_msg *m); /* answers tx, now or later */
	void (*ack_in)(struct sip_usage *u, const struct sip_msg *m);          /* NULL: has no INVITEs */
	void (*cancel_in)(
	    struct sip_usage *u, const struct sip_msg *m); /* of the INVITE it answers; NULL with ack_in */
	void (*drop)(struct sip_usage *u);                 /* the stack closes */
};
struct sip_usage { /* embedded in what uses the dialog */
	struct lnode link;
	struct sip_dialog *dialog; /* a reference while it is linked */
	const struct sip_usage_ops *ops;
};

/* ---- dialogs (dialog.c) ---- */
struct sip_dialog {           /* counted: each usage and each request under way in it holds one */
	struct sip_node node; /* Call-ID and our tag: forks share it */
	struct lnode link;
	struct sip_stack *stack; /* NULL once the last usage has left */
	struct list usages;
	uint8_t transport;
	bool is_uac, use_source_address;
	bool is_sips;            /* its INVITE was for a sips: URI: so is our Contact (RFC 3261 12.1.1) */
	bool has_own_names_only; /* what the far side names is not looked up */
	char *call_id, *local_uri, *remote_uri, *contact_user, *contact, *contact_params, *local_contact;
	char local_tag[40];
	uint32_t local_cseq;
	struct sip_far far; /* the current one */
	struct list forks;  /* struct sip_far: others that answered our INVITE */
	struct addr remote, local;
	bool has_credentials;           /* challenges are answered */
	sip_credentials_fn credentials; /* NULL once its owner is gone; then only what was given last */
	void *credentials_arg;
	char *auth_realm, *auth_user, *auth_password, *auth_ha1;
	struct addr auth_host; /* for whose challenges alone; not set: for anybody's */
	struct sip_part part;  /* goes with the next response to an INVITE, or BYE; of part_text */
	char *part_text;
};
ON_CTL struct sip_dialog *sip_dialog_new(struct sip_stack *s, bool is_uac);
/* The first usage enters it into the stack's table. */
ON_CTL void sip_dialog_join(struct sip_dialog *d, struct sip_usage *u, const struct sip_usage_ops *ops);
ON_CTL void sip_dialog_leave(struct sip_usage *u); /* harmless when it has left */
/* By its identifiers, or those of a request inside it; borrowed, NULL when there is none. */
ON_CTL struct sip_dialog *sip_dialog_find(
    struct sip_stack *s, struct sv call_id, struct sv local_tag, struct sv remote_tag);
ON_CTL struct sip_dialog *sip_dialog_of(struct sip_stack *s, const struct sip_msg *m);
/* False: none of its usages takes it; nothing was answered. */
ON_CTL bool sip_dialog_request_in(struct sip_dialog *d, struct sip_stx *tx, const struct sip_msg *m);
ON_CTL void sip_dialog_ack_in(struct sip_dialog *d, const struct sip_msg *m);
ON_CTL void sip_dialog_seen_from(struct sip_dialog *d, const struct sip_source *src);
ON_CTL void sip_dialogs_drop(struct sip_stack *s);
struct sip_far *sip_dialog_fork(struct sip_dialog *d, struct sv remote_tag); /* NULL when unknown */
void sip_dialog_forks_free(struct sip_dialog *d);

/* ---- messages of a dialog (dialog_send.c) ---- */
ON_CTL int sip_dialog_send(struct sip_dialog *d, struct sip_ctx **out, const char *method, const char *headers,
    const char *ctype, struct sv body, bool with_contact, sip_response_fn fn, void *arg);
ON_CTL int sip_dialog_add_part(struct sip_dialog *d, const struct sip_part *part /* or NULL: sip_call_add_part */);
/* A response with Contact (for 101..299) and Record-Route. */
ON_CTL int sip_dialog_answer(struct sip_dialog *d, struct sip_stx *tx, int code, const char *phrase,
    const char *headers, const char *ctype, struct sv body);
/* Sets dst when a request inside the dialog does not go where its hop says. */
ON_CTL void sip_dialog_choose_dst(const struct sip_dialog *d, const char *hop, struct sip_dst *dst);
ON_CTL bool sip_dialog_is_reachable(const struct sip_dialog *d); /* sip_call_is_reachable */
/* A sip_credentials_fn with the dialog as its argument: what is known, else what the user says. */
ON_CTL bool sip_dialog_credentials(const struct sip_challenge *ch, struct sip_credentials *out, void *arg);
ON_CTL void sip_dialog_contact_put(struct sip_dialog *d, struct buf *out);  /* value of our Contact, with the mark */
ON_CTL void sip_dialog_contact_line(struct sip_dialog *d, struct buf *out); /* the whole line */
ON_CTL const char *sip_dialog_local_contact(struct sip_dialog *d);          /* its URI; "" when unknown */
/* What a final response to a request inside a dialog ends (RFC 5057 5.1). */
enum sip_end { SIP_END_NONE, SIP_END_USAGE, SIP_END_DIALOG };
ANY enum sip_end sip_end_of(int code);
