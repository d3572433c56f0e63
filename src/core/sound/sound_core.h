/* The sound of a leg as the rooms of core see it. */
#pragma once
#include "core/leg/part.h"
#include "core/sound/media.h"

ON_CTL void leg_record_check(struct leg *leg); /* it was answered, is bridged or no longer */

ON_CTL int leg_media_join(struct leg *a, struct leg *b); /* relays; ST_UNSUPPORTED when the codecs cannot be joined */
/* The answer that the leg makes meanwhile joins it to the leg it is made for, before its phone is told: what the phone
 * says from then on is heard, its first packet too. Only legs that are joined to nobody else. */
ON_CTL void leg_media_join_at_answer(struct leg *leg, bool is_on);

ON_CTL void bypass_when_possible(struct leg *leg); /* leg_bypass_ask, now or when it is possible */
ON_CTL void bypass_unbridged(struct leg *leg);     /* its bridge is over: what waits for the other phone is answered */

/* Keys from the leg's phone are made tones before they reach the other leg (leg_dtmf_generate). */
ON_CTL bool leg_read_digits_are_tones(const struct leg *leg);

/* How the leg's phone is told digits, as things stand. */
enum dtmf_way { DTMF_WAY_NONE, DTMF_WAY_EVENTS, DTMF_WAY_OWN /* the endpoint's */, DTMF_WAY_TONES };
ON_CTL enum dtmf_way leg_dtmf_way(struct leg *leg);
ON_CTL int leg_dtmf_put(struct leg *leg, const char *digits, unsigned duration_ms); /* that way */
/* Tones in what the leg says are listened for, or no longer: its phone has nothing else, and peer (NULL: there is none)
 * does not take tones for digits. */
ON_CTL void media_digits_listen(struct leg *leg, struct leg *peer);

extern struct leg_part sound_part;
