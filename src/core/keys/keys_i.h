/* What the files of keys keep of a leg. */
#pragma once
#include "core/keys/keys_core.h"
#include "core/leg/part.h"

struct leg_meta;
struct leg_keys {
	unsigned capture_count; /* leg_dtmf_capture */
	bool is_dtmf_blocked;
	bool is_dtmf_filtered; /* bridge_filter_dtmf, as it was when its bridge began */
	bool is_mask_playing;  /* drop_dtmf_masking_file */
	enum dtmf_dedup dedup;
	char last_digit; /* for dedup: the latest, and how it came */
	bool last_is_rtp;
	int64_t last_digit_us;
	struct leg_meta *meta;
	struct leg_actions *actions[2]; /* on its own keys, on the other leg's; NULL = none */
};
static inline struct leg_keys *keys_of(const struct leg *leg)
{
	return leg_part_of(leg, &keys_part);
}
