/* Keys: what comes from a leg's phone and goes to it. Taking those that wait: leg_dtmf_take (core/leg/leg.h). */
#pragma once
#include "core/leg/leg.h"

/* A digit from the far side: queued for the application, or passed on when bridged. duration in samples at 8 kHz. */
ON_CTL void leg_dtmf_received(struct leg *leg, char digit, unsigned duration, enum dtmf_source source);
/* While anybody holds its digits, what the leg's phone dials in a bridge comes here first and goes on to the other leg
 * only when nothing takes it; else media relays it at once. Holds are counted: each true needs its false. */
ON_CTL void leg_dtmf_capture(struct leg *leg, bool is_held);
/* What says who looks at its digits has changed: holds, bindings, the bridge, its stream, drop_dtmf. */
ON_CTL void leg_dtmf_capture_check(struct leg *leg);
/* A bridge of the leg begins: decides for as long as it lasts whether its keys go on to the other leg
 * (bridge_filter_dtmf keeps them back; who listens to the leg's keys still hears of them). */
ON_CTL void leg_dtmf_bridged(struct leg *leg);
/* Keys neither come from nor go to the leg. */
ON_CTL void leg_dtmf_block(struct leg *leg, bool is_blocked);
/* What tells a key twice, by telephone-event and by its tones, counts once; or tones never count. */
enum dtmf_dedup { DTMF_DEDUP_NONE, DTMF_DEDUP_BOTH, DTMF_DEDUP_ONLY_RTP };
ON_CTL void leg_dtmf_deduplicate(struct leg *leg, enum dtmf_dedup how);
/* digits[@ms][+digits[@ms]...], a ~ in front: as if the far side had pressed them; or sent to it, then with w and W for
 * pauses. ST_INVAL. */
ON_CTL int leg_dtmf_queue(struct leg *leg, const char *text);
ON_CTL int leg_dtmf_send(struct leg *leg, const char *text);
