/* A consultation: one side of a bridge (the holder) talks to somebody else while the other (the held) waits with music;
 * then both are as before, or the held one is given to whoever was consulted. The applications att_xfer and soft_hold
 * are made of it. The bridge is set aside, not ended: its application goes on afterwards. */
#pragma once
#include "core/bridge/bridge.h"
#include "core/leg/leg.h"

/* Sets the bridge of holder aside; the held leg hears the holder's hold_music. ST_NOTFOUND: it is not bridged. Whoever
 * begins calls consult_end, whatever happens to the legs. */
ON_CTL int consult_begin(struct leg *holder);
/* Who waits: borrowed; NULL when nobody does (any more). */
ON_CTL struct leg *consult_held(const struct leg *holder);
/* Joins holder and other while it consults. done is called once when that ends; nobody is hung up by it. */
ON_CTL int consult_join(struct leg *holder, struct leg *other, bridge_done_fn done, void *arg);
/* holder and held hear each other again; is_told: somebody else was joined meanwhile, so that CHANNEL_BRIDGE is due.
 * When one of them is gone or was sent elsewhere, their bridge ends as it would have then. */
ON_CTL void consult_end(struct leg *holder, bool is_told);
