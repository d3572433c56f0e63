/* ICE of a stream on the control side (media/rt/ice.h): who starts it keeps a struct mice until the stream is closed or
 * goes back to what it was (mstream_set_finder with NULL). */
#pragma once
#include "media/ctl/mctl.h"
#include "media/rt/ice.h"

struct mice;
/* From here on only proven addresses are heard, and nothing is sent before one is. */
ON_CTL int mstream_ice_start(struct mstream *s, const struct media_ice_conf *c,
    struct rt_turn *turn /* NULL: no relay; taken (media/ctl/turn.h) */, struct mice **out);
ON_CTL int mstream_ice_remote(struct mstream *s, const struct media_ice_remote *r); /* copied */
ON_CTL int mstream_ice_restart(struct mstream *s, const struct media_ice_conf *c /* new credentials of ours */,
    struct rt_turn *turn /* NULL: the relay stays; taken, whatever comes of it */);
/* What was found since the last call, after MEDIA_R_PLUG with MEDIA_PLUG_FINDER; false: nothing more. */
ON_CTL bool mice_next(struct mice *i, struct media_ice_event *out);
ON_CTL void mice_free(struct mice *i); /* NULL is fine */
