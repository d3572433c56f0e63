/* Private to lines.c and lines_wanted.c: a line that is passed, and those of one negotiation. */
#pragma once
#include "core/sound/media_i.h"
#include "sdp/sdp.h"

struct media_line {
	bool is_agreed, is_offered;
	struct sdp_codec codec; /* of sending, with the far side's format parameters */
	uint8_t fb, exts[SDP_EXT_COUNT];
	bool has_red, has_fec;
	/* as it was offered */
	uint8_t offered_fb, offered_exts[SDP_EXT_COUNT];
	bool was_red_offered, was_fec_offered;
};
struct media_parts {
	size_t count;
	struct sdp_part parts[SDP_PARTS_MAX];
	struct media_policy *q[SDP_PARTS_MAX];
	struct leg_media *m[SDP_PARTS_MAX];
};
static const uint8_t media_line_kinds[] = {MEDIA_VIDEO, MEDIA_TEXT};
_Static_assert(sizeof(media_line_kinds) <= SDP_PARTS_MAX, "a part for each");

/* lines.c */
ON_CTL bool media_lines_possible(const struct leg *leg);
ON_CTL struct leg_media *media_line_of(const struct leg *leg, unsigned kind);     /* NULL: none, or it is closing */
ON_CTL struct leg_media *media_line_agreed(const struct leg *leg, unsigned kind); /* the same, when it was agreed on */
/* One with a stream; made where there is none. */
ON_CTL int media_line_open(struct leg *leg, unsigned kind, bool is_bundled, struct leg_media **out);
