/* MESSAGE (RFC 3428), outside of calls and inside: what phones send becomes a message of core (core/registry/chat.h),
 * and "sip" is the carrier that brings messages to registered phones. Control thread. */
#pragma once
#include "endpoint/sip/profile/profile.h"

struct leg;

extern const struct profile_part message_part;
/* sc, leg: the call it came in; NULL outside. */
ON_CTL void message_in(
    struct profile *p, struct sip_stx *tx, const struct sip_msg *m, struct sip_call *sc, struct leg *leg);
ON_CTL void message_out_stop(struct profile *p); /* those under way end */
ON_CTL int message_carrier_open(void);           /* at load */
ON_CTL void message_carrier_close(void);
ON_CTL uint64_t messages_refused(const struct profile *p); /* above message-rate-per-sender */
