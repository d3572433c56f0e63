/* TLS, WebSocket and secure WebSocket of a profile: a part that stands on it (profile.h). */
#pragma once
#include "endpoint/sip/profile/profile.h"

extern const struct profile_part profile_tls_part;
/* Whether it listens there (SIP_TLS, SIP_WS, SIP_WSS), and its addresses as FreeSWITCH writes them. */
ANY bool profile_tls_is_on(const struct profile *p, enum sip_transport t);
ANY void profile_tls_url_put(const struct profile *p, enum sip_transport t, struct buf *out);
ANY void profile_tls_bind_url_put(const struct profile *p, enum sip_transport t, struct buf *out);
/* The port that our Contacts for it name; that of UDP and TCP where it does not listen. */
ANY unsigned profile_tls_port(const struct profile *p, enum sip_transport t);
/* CERT_RELOAD (`reloadcert`): the files are read again; connections that stand stay as they are. */
ON_CTL int profile_tls_events_start(void);
ON_CTL void profile_tls_events_stop(void);
