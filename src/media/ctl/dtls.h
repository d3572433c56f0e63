/* DTLS-SRTP of a stream on the control side: a handshake in steps on workers, a bounded number at once in all and for
 * one host; the stream lets nothing through before its keys are there. */
#pragma once
#include "dtls/dtls.h"
#include "media/ctl/mctl.h"

/* Our certificate (made where path is missing) is read by a worker; without one nobody can start. */
ON_CTL void mctl_dtls_start(const char *path);
ON_CTL void mctl_dtls_stop(void);
ON_CTL const char *mctl_dtls_print(void); /* as a=fingerprint says it; NULL: there is none (yet) */

struct mdtls;
typedef void (*mdtls_fn)(struct mdtls *d, enum dtls_state state, void *arg); /* another state; it may free d */
/* From here on the stream's packets are refused until the far side (c->prints) has proven itself. c->ident is not read.
 * host: whose it is, for the bound. A client does nothing before mdtls_go. ST_AGAIN: no certificate of ours. */
ON_CTL int mstream_dtls_start(
    struct mstream *s, const struct dtls_conf *c, const struct addr *host, mdtls_fn fn, void *arg, struct mdtls **out);
ON_CTL void mdtls_go(struct mdtls *d);    /* it is known where to send: a client begins. Again is fine */
ON_CTL void mdtls_hurry(struct mdtls *d); /* the call is answered: from now on it has 30 s; before, a phone may ring */
ON_CTL void mdtls_heard(struct mdtls *d); /* MEDIA_R_PLUG with MEDIA_PLUG_CRYPT came */
ON_CTL enum dtls_state mdtls_state(const struct mdtls *d);
ON_CTL const char *mdtls_why(const struct mdtls *d);
ON_CTL enum srtp_suite mdtls_suite(const struct mdtls *d); /* once it is up */
/* Says good-bye when it is up; the stream's packets stay as they are protected. fn is not called again. NULL is fine.
 */
ON_CTL void mdtls_free(struct mdtls *d);

/* Of all, since the start. */
struct mdtls_counts {
	uint64_t up, failed, late; /* late: not done in time */
	uint64_t closed;           /* by the far side, after it was up */
	size_t steps_running, steps_waiting;
};
ON_CTL void mctl_dtls_counts(struct mdtls_counts *out);
