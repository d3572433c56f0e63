/* What the files of the module share, which see all of its rooms: commands, status, metrics, requests that open no
 * call, requests that events ask for. Nothing below knows of them. */
#pragma once
#include "core/registry/api.h"
#include "core/registry/complete.h"
#include "core/registry/metrics.h"
#include "endpoint/sip/call/call.h"
#include "endpoint/sip/gateway/gateway.h"
#include "endpoint/sip/profile/profile.h"
#include "endpoint/sip/profile/profile_tls.h"
#include "endpoint/sip/reg/reg.h"

extern const struct profile_hooks sofia_hooks; /* what stands on a profile (module.c) */

/* ---- requests (request.c) ---- */
extern const struct profile_part request_part;
ON_CTL void request_in(struct sip_stack *s, struct sip_stx *tx, const struct sip_msg *msg, void *arg);
ANY uint64_t requests_refused(const struct profile *p); /* for max-recv-requests-per-second */

/* ---- users that only the XML handler knows (user_wait.c) ---- */
typedef void (*request_fn)(struct profile *p, struct sip_stx *tx, const struct sip_msg *m);
/* True: it waits for its user, and comes back by go, or was answered. */
ON_CTL bool request_waits(struct profile *p, struct sip_stx *tx, const struct sip_msg *m, request_fn go);

/* ---- requests that events ask for (event_send.c) ---- */
ON_CTL int sofia_events_start(void);
ON_CTL void sofia_events_stop(void);

/* ---- commands, status, metrics ---- */
extern const struct api_desc sofia_apis[];
extern const struct metric_desc sofia_metrics[];
extern const struct complete_list sofia_lists[]; /* command.c */
ON_CTL bool sofia_is_ready(struct buf *why);
ON_CTL int status_cmd(struct api_call *c, struct sv args, bool is_xml);
int dig_cmd(struct api_call *c); /* dig.c */
ON_CTL int jsonstatus_cmd(struct api_call *c); /* the list; further words are ignored, as FreeSWITCH does */
