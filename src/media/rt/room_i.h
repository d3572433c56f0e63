/* A room's part on one media thread, and a member in it: for room.c (the tick) and member.c (coming, going, packets).
 */
#pragma once
#include "dsp/noise.h"
#include "dsp/resample.h"
#include "media/rt/lane_i.h"
#include "media/rt/room.h"
#include "media/rt/tap_i.h"

enum { GROUP_FMTP_MAX = 160, LANE_LEAD_MS = 40 };

/* Those who only listen in one codec: one encoder for all of them. Control makes one with each member; the first of a
 * codec becomes the part's. */
struct rt_group {
	const struct codec_ops *ops;
	uint16_t ptime_ms;
	char fmtp[GROUP_FMTP_MAX];
	struct codec_enc enc;
	struct resample *rate;   /* NULL: the room's is the codec's */
	int bytes[GROUP_SOUNDS]; /* of this tick; 0: not made, negative: it failed */
	unsigned at;             /* in its part's groups, and its payloads in the thread's */
};

struct rt_member {
	struct rt_tap tap;
	struct lnode link; /* in its part */
	struct media_room *room;
	struct media_member *m;
	struct rt_room_part *part;
	struct rt_lane *lane;               /* what it says, at the room's rate */
	struct resample *to_codec;          /* what only it hears; NULL: same rate */
	struct rt_frames *packets;          /* its packets have another length than the room's frames; or NULL */
	struct rt_group *seed, *group;      /* group: NULL when its codec cannot be shared */
	bool is_heard;                      /* in this tick */
	unsigned loud_frames, quiet_frames; /* in a row */
	uint32_t agc_sum, agc_count;
	int32_t agc_gain_q12;
	int16_t frame[]; /* of this tick */
};

struct rt_room_part {
	struct media_room *room; /* not counted: it is the room's */
	unsigned thread;
	struct rt_ring *out; /* what its members say, for the other parts */
	struct lnode link;   /* in its thread's rooms, while it has members */
	struct list members;
	size_t count;
	int64_t due_us;
	uint64_t read_at[RT_ROOM_THREADS_MAX]; /* in the other parts' rings */
	struct noise noise;
	struct rt_group *groups[GROUPS_MAX];
	unsigned group_count;
	size_t frame;
	int32_t *sum;     /* frame samples */
	int16_t *mix, *x; /* the same */
};

void rt_room_part_free(struct rt_room_part *p);
void rt_group_free(struct rt_group *g);
ON_MEDIA void part_enter(struct rt_room_part *p, struct rt_member *m);
ON_MEDIA void part_leave(struct rt_member *m);
