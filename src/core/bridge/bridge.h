/* Bridges: two legs that hear each other. */
#pragma once
#include "core/leg/leg.h"

struct module;

/* Two legs that hear each other. Wakes by reports, holds no coroutine. Fires CHANNEL_BRIDGE/UNBRIDGE, sets bridge
 * variables. done is called once when it ends (either side hung up, broke or was transferred). ST_UNSUPPORTED: codecs
 * cannot be joined. */
typedef void (*bridge_done_fn)(struct leg *a, struct leg *b, void *arg);
ON_CTL int bridge_join(struct leg *a, struct leg *b, bridge_done_fn done, void *arg);
ON_CTL void bridge_leave(struct leg *leg); /* ends its bridge; NULL bridge is fine */
/* Its peer, or whom it dials, or whom it talked to last (variable signal_bond); borrowed; NULL when there is none. */
ON_CTL struct leg *leg_partner(const struct leg *leg);
/* Joins two legs that the running coroutine has (leg_exec_adopt, or its own) and waits until the bridge ends; b is
 * answered as far as a is. ST_OK when it was joined, however it ended. */
CO int bridge_wait(struct leg *a, struct leg *b);
/* Before it: each shows the other as its party, in events, records and on its phone. */
ON_CTL void bridge_show_ids(struct leg *a, struct leg *b);
/* uuid_bridge: two existing legs leave what they do and are joined. */
ON_CTL int bridge_two(struct leg *a, struct leg *b);
/* The same, but a keeps what is left of its list, and goes on with it when the bridge is over (unless
 * hangup_after_bridge). */
ON_CTL int bridge_two_within(struct leg *a, struct leg *b);

extern const struct module bridge_module; /* the application behind bridge_two */
