/* The sound of a leg as the rooms of core see it. */
#pragma once
#include "core/sound/media.h"

ON_CTL bool leg_tap_reported(struct leg *leg, const struct media_report *r); /* true: it was about a tap */
ON_CTL void leg_taps_end(struct leg *leg);
ON_CTL void leg_taps_fini(struct leg *leg);
ON_CTL void leg_record_check(struct leg *leg); /* it was answered, is bridged or no longer */

ON_CTL bool leg_media_is_closing(const struct leg *leg);
ON_CTL bool media_is_late(const struct leg *leg); /* its profile negotiates late */
ON_CTL void leg_media_free(struct leg *leg);
ON_CTL int leg_media_join(struct leg *a, struct leg *b); /* relays; ST_UNSUPPORTED when the codecs cannot be joined */

ON_CTL void bypass_when_possible(struct leg *leg); /* leg_bypass_start, now or when its answer is acknowledged */
ON_CTL void bypass_unbridged(struct leg *leg);     /* its bridge is over: what waits for the other phone is answered */
