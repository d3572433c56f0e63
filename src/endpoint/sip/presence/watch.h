/* Subscriptions of phones (RFC 6665) to the state of people, lots and rooms, their mailboxes and their shared lines;
 * and what they publish of themselves (RFC 3903). The state is the room presence's; here is who watches it over SIP:
 *
 *   SUBSCRIBE -> subscribe.c: digest, domain, bounds -> watchers.c: one watcher, its dialog, its time, disk (home.c)
 *   presence table -> watcher is due -> notify.c: queue, a slice an iteration -> body_*.c -> NOTIFY -> answer: the next
 *   PUBLISH -> publish.c, pidf_read.c -> presence table          MESSAGE_WAITING -> mwi.c -> presence table, NOTIFY
 *
 * A watcher has one NOTIFY on its way at most; what changes meanwhile is told in the next one, as it then is. Control
 * thread. */
#pragma once
#include "core/registry/api.h"
#include "endpoint/sip/profile/profile.h"

extern const struct profile_part watch_part;
/* May a request wait for its user (endpoint/sip/user_wait.c)? Borrowed. */
typedef void (*watch_go_fn)(struct profile *p, struct sip_stx *tx, const struct sip_msg *m);
typedef bool (*watch_waits_fn)(struct profile *p, struct sip_stx *tx, const struct sip_msg *m, watch_go_fn go);
ON_CTL int watch_start(watch_waits_fn waits);
ON_CTL void watch_stop(void);

ON_CTL void subscribe_in(struct profile *p, struct sip_stx *tx, const struct sip_msg *m);
ON_CTL void publish_in(struct profile *p, struct sip_stx *tx, const struct sip_msg *m);

/* A connection that a phone came on is over (profile_hooks.on_conn_closed). */
ON_CTL void watch_conn_closed(struct sip_stack *s, enum sip_transport t, const struct addr *peer, void *profile);

struct watch_counts {
	size_t watchers, publications;
	uint64_t notifies, failed, merged; /* merged: changes told with a later one */
};
ON_CTL void watch_counts_get(const struct profile *p, struct watch_counts *out);

int presence_cmd(struct api_call *c); /* sofia_presence_data */
