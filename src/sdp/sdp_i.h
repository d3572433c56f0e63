/* Private: what the parser, the codec names and the negotiation share. */
#pragma once
#include "sdp/sdp.h"

struct sdp_known { /* one row of what we know of a codec by its name */
	const char *name;
	int16_t pt; /* RFC 3551's static number, or the dynamic one we prefer to offer; -1 = any free */
	uint32_t clock_hz, rate_hz;
	uint8_t channels;
	uint16_t ptime_ms;
	const char *fmtp; /* offered when the policy names none; "" = none */
	bool is_video, is_text;
};
/* The first row of that name and clock (0 = any); NULL = not known. */
const struct sdp_known *sdp_known_find(struct sv name, uint32_t clock_hz);
/* By static payload type (0..34); NULL = none. */
const struct sdp_known *sdp_known_of_pt(int pt);

static inline bool sdp_is_token_char(char c)
{
	return c > ' ' && c < 127;
}
/* Copies at most cap - 1 bytes and a NUL. */
void sdp_copy(char *out, size_t cap, struct sv v);
/* The next run of characters other than spaces and tabs; *rest moves behind it. Empty at the end. */
struct sv sdp_word(struct sv *rest);
