/* Subscriptions as usages of a dialog, beside a call or alone (RFC 6665, RFC 5057). Here is what a REFER implies
 * (RFC 3515); one that SUBSCRIBE makes joins the same way. All on the control loop. Lifetime: a sip_sub is the stack's
 * and valid until on_ended or sip_sub_end; it may outlive its call, and the dialog lasts until both are over. */
#pragma once
#include "sip/sip.h"

struct sip_sub;
struct sip_sub_handlers { /* any may be NULL; the struct must outlive the subscription */
	/* Subscriber: a NOTIFY came, and was answered by 200. is_last: it says terminated, on_ended follows. */
	void (*on_notify)(struct sip_sub *u, const struct sip_msg *m, bool is_last, void *arg);
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
