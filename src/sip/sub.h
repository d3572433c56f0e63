/* Subscriptions as usages of a dialog, beside a call or alone (RFC 6665, RFC 5057). Here is what a REFER implies
 * (RFC 3515), in the dialog of its call, and one that SUBSCRIBE makes, which begins its own dialog and may be kept over
 * a restart of the program (sip_sub_save, sip_sub_restore). All on the control loop. Lifetime: a sip_sub is the stack's
 * and valid until on_ended or sip_sub_end; it may outlive its call, and the dialog lasts until both are over. */
#pragma once
#include "sip/sip.h"

struct sip_sub;
struct sip_sub_handlers { /* any may be NULL; the struct must outlive the subscription */
	/* Subscriber: a NOTIFY came, and was answered by 200. is_last: it says terminated, on_ended follows. */
	void (*on_notify)(struct sip_sub *u, const struct sip_msg *m, bool is_last, void *arg);
	/* Notifier: a SUBSCRIBE inside the dialog. Must end in one final answer: sip_sub_answer, or a refusal. NULL: it
	 * is none of this usage's. */
	void (*on_subscribe)(struct sip_sub *u, struct sip_stx *tx, const struct sip_msg *m, void *arg);
	/* Notifier: the NOTIFY was answered, and the subscription goes on: the next one may be sent. */
	void (*on_told)(struct sip_sub *u, void *arg);
	/* The last call, not from inside a sip_sub_* function. code: 200 after the last NOTIFY, else that of the
	 * response that ended it (RFC 5057 5.1; 408: none came), 503: the stack was closed. */
	void (*on_ended)(struct sip_sub *u, int code, void *arg);
};
struct sip_sub_params {
	const char *event; /* package, a token of at most 31 bytes */
	const char *id;    /* the event's id parameter, at most 31 bytes; NULL: none, and a subscriber takes any */
	bool is_notifier;
};
/* In the dialog of c, which is not closed and knows its far end. *out is borrowed. */
ON_CTL int sip_sub_new(struct sip_sub **out, struct sip_call *c, const struct sip_sub_params *p,
    const struct sip_sub_handlers *h, void *arg);
/* Notifier: NOTIFY with that Subscription-State ("active;expires=60", "terminated;reason=noresource"). The subscription
 * is over once a terminated one is answered; when it cannot be sent, at once, and nothing follows. */
ON_CTL int sip_sub_notify(struct sip_sub *u, const char *state, const char *ctype, struct sv body);
/* It is over for us: no callback any more. NOTIFYs that still come get 481. */
ON_CTL void sip_sub_end(struct sip_sub *u);

/* ---- of a dialog of its own (sub_accept.c) ---- */
/* A SUBSCRIBE outside of dialogs begins one; nothing is answered yet. contact_user: of our Contact. */
ON_CTL int sip_sub_accept(struct sip_sub **out, struct sip_stx *tx, const struct sip_msg *m,
    const struct sip_sub_params *p, struct sv contact_user, const struct sip_sub_handlers *h, void *arg);
/* A response of the dialog to that SUBSCRIBE, with Contact. After a 2xx NOTIFYs go where it came from, or to its
 * Contact. */
ON_CTL int sip_sub_answer(
    struct sip_sub *u, struct sip_stx *tx, const struct sip_msg *m, int code, const char *headers);
/* The arg of the subscription with those handlers in whose dialog a SUBSCRIBE came; NULL: there is none (any more). */
ON_CTL void *sip_sub_find(struct sip_stack *s, const struct sip_msg *m, const struct sip_sub_handlers *h);
/* NOTIFYs go where the far side's messages came from instead of to its Contact (phones behind NAT). */
ON_CTL void sip_sub_set_use_source_address(struct sip_sub *u, bool is_on);
/* As sip_sub_notify, with further whole header lines (may be NULL). */
ON_CTL int sip_sub_tell(struct sip_sub *u, const char *state, const char *more, const char *ctype, struct sv body);
ON_CTL bool sip_sub_is_told(const struct sip_sub *u); /* no NOTIFY waits for its answer */
/* What makes the dialog again. Views: of a live one valid until its next message. */
struct sip_sub_saved {
	struct sv call_id, local_tag, remote_tag, local_uri, remote_uri, target, route_set /* may be empty */;
	struct addr remote, local; /* where the far side's messages came from, and to */
	enum sip_transport transport;
	uint32_t local_cseq, remote_cseq; /* the last ones used */
	bool uses_source_address;
};
ON_CTL void sip_sub_save(const struct sip_sub *u, struct sip_sub_saved *out);
/* ST_EXISTS: there is a dialog of these identifiers. ST_INVAL: something lacks. */
ON_CTL int sip_sub_restore(struct sip_sub **out, struct sip_stack *s, const struct sip_sub_saved *saved,
    const struct sip_sub_params *p, struct sv contact_user, const struct sip_sub_handlers *h, void *arg);
