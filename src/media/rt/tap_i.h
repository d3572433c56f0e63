/* Kinds of taps: one ops table each, and what the walk of samples (pcm.c) asks of them. Every function may be NULL;
 * all but fini run on the media thread and begin with role_assert_media. In one tick of a stream, in this order:
 *
 *   gather   each gets ready what it will add
 *   hear     each gets both sides as they are, as many samples of each
 *   change   in place, the read side and then the write side, each tap what the one before left
 *   add      mixed into a side after that, unheard by those who listen on the stream itself
 */
#pragma once
#include "media/rt/rt_i.h"

struct rt_tap_ops {
	const char *name;
	void (*fini)(struct rt_tap *tap); /* frees what it has, not itself */
	/* It is on its stream now; other: the stream of RT_C_TAP's peer. */
	void (*begin)(struct rt_tap *tap, struct rt_stream *other);
	void (*end)(struct rt_tap *tap); /* it is about to leave its stream */
	void (*set)(struct rt_tap *tap, unsigned flags);
	void (*gather)(struct rt_tap *tap, size_t n);
	void (*hear)(struct rt_tap *tap, const int16_t *const sides[2], size_t n);
	void (*change)(struct rt_tap *tap, int side, int16_t *pcm, size_t n);
	void (*add)(struct rt_tap *tap, int side, int16_t *pcm, size_t n);
	bool (*has_sound)(const struct rt_tap *tap); /* something for the write side though nobody else speaks */
	struct rt_play *(*play)(struct rt_tap *tap); /* whose ring may have to be filled up */
	struct rt_tap *(*whole)(struct rt_tap *tap); /* it is a part of that one, and ends with it */
	bool is_tied;                                /* to another stream of its thread: ends when either leaves it */
};

ANY int tap_new(void **out, size_t size, const struct rt_tap_ops *ops, const struct media_params *p);
ON_MEDIA void tap_add(struct rt_stream *s, struct rt_tap *tap);
ON_MEDIA void tap_leave(struct rt_tap *tap);           /* off its stream, whose plan is made anew */
ON_MEDIA void tap_end(struct rt_tap *tap, int status); /* reported to control, which frees it */
ON_MEDIA void tap_heard(struct rt_tap *tap);           /* what it waits for came: told to control */
ON_MEDIA void tap_replan(struct rt_stream *s);         /* and its peer: hears or changes became others */
static inline void tap_over(struct rt_tap *tap, int status)
{
	tap->is_over = true;
	tap->status = status;
}
/* Samples of a stream's own making, to listeners whose packets have another length. */
ON_MEDIA void frames_send(struct rt_frames *q, struct rt_stream *to, const int16_t *pcm, size_t n);
