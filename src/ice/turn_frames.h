/* What a TURN server sends over a stream (RFC 8656 section 3.1): STUN messages and ChannelData one after the other,
 * each cut out by its own length, ChannelData filled up to four bytes (section 12.5). Pure and of a fixed size: bytes
 * go in, messages come out. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"
#include <stdint.h>

enum { TURN_FRAME_MAX = 2048, TURN_FRAMES_BYTES = 2 * TURN_FRAME_MAX };
struct turn_frames {       /* zero-initialised: nothing came */
	size_t at, n;      /* of p: what was not given yet */
	size_t skip;       /* bytes to come of a message that is too long */
	uint64_t too_long; /* those messages */
	uint8_t p[TURN_FRAMES_BYTES];
};
/* Where the next bytes go, *n at most (never 0 after turn_frames_next said ST_AGAIN); turn_frames_put says how many. A
 * message given before is not valid any more. */
ANY uint8_t *turn_frames_room(struct turn_frames *f, size_t *n);
ANY void turn_frames_put(struct turn_frames *f, size_t n);
/* ST_OK: *message (into f) is a whole one, without what fills it up; ST_AGAIN: bytes are missing; ST_PARSE: this is no
 * such stream, and never will be. One of more than TURN_FRAME_MAX is passed over: a peer chooses how long it is. */
ANY int turn_frames_next(struct turn_frames *f, struct sv *message);
