/* The first two bits tell STUN from ChannelData (whose numbers begin with 4), and both have their length in bytes three
 * and four. What is too long to be kept is counted down as it comes; what is neither of the two means that the ends of
 * messages are lost, and with them the stream. */
#include "ice/turn_frames.h"
#include "ice/stun.h"
#include <string.h>

uint8_t *turn_frames_room(struct turn_frames *f, size_t *n)
{
	if (f->at) {
		memmove(f->p, f->p + f->at, f->n - f->at);
		f->n -= f->at, f->at = 0;
	}
	*n = sizeof(f->p) - f->n;
	return f->p + f->n;
}

static void skip(struct turn_frames *f)
{
	size_t have = f->n - f->at, n = f->skip < have ? f->skip : have;
	f->at += n, f->skip -= n;
}

void turn_frames_put(struct turn_frames *f, size_t n)
{
	f->n += n;
	skip(f);
}

int turn_frames_next(struct turn_frames *f, struct sv *message)
{
	while (f->n - f->at >= 4) {
		const uint8_t *p = f->p + f->at;
		size_t len = (size_t)p[2] << 8 | p[3], head = p[0] >> 6 ? 4 : STUN_HEADER_BYTES;
		size_t whole = head + ((len + 3) & ~(size_t)3);
		if ((p[0] >> 6 && p[0] >> 4 != 4) || (!(p[0] >> 6) && len % 4))
			return ST_PARSE;
		if (whole > TURN_FRAME_MAX) {
			f->too_long++;
			f->skip = whole;
			skip(f);
			continue;
		}
		if (whole > f->n - f->at)
			return ST_AGAIN;
		*message = (struct sv){(const char *)p, head + len};
		f->at += whole;
		return ST_OK;
	}
	return ST_AGAIN;
}
