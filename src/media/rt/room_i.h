/* A room's part on one media thread, and a member in it: for room.c (the tick, what they say), room_send.c (what they
 * hear) and member.c (coming, going, packets). */
#pragma once
#include "dsp/noise.h"
#include "dsp/plc.h"
#include "dsp/resample.h"
#include "media/rt/lane_i.h"
#include "media/rt/room.h"
#include "media/rt/tap_i.h"
#include <string.h>

enum { GROUP_FMTP_MAX = 160, LANE_LEAD_MS = 40, LANE_ROOM_MS = 160 /* the lead and the longest packet */ };

/* Samples on their way into packets of another length than the room's frames. */
struct rt_cut {
	size_t fill;
	int16_t *pcm; /* a frame and a packet; NULL: a frame is a packet */
};

/* Those who only listen in one codec and packet time: one encoder for all of them. Control makes one with the first
 * members; what the part takes stays as long as the room. */
struct rt_group {
	const struct codec_ops *ops;
	uint16_t ptime_ms;
	char fmtp[GROUP_FMTP_MAX];
	struct codec_enc enc;
	struct resample *rate;   /* NULL: the room's is the codec's */
	size_t packet;           /* samples of one, at the room's rate */
	struct rt_cut cut;       /* all that is heard */
	int bytes[GROUP_SOUNDS]; /* of the packet that is being sent; 0: not made, negative: it failed */
	unsigned at;             /* in its part's groups, and its payloads in the thread's */
};

enum member_sends { SENDS_NOTHING, SENDS_SHARED, SENDS_OWN };
struct rt_member {
	struct rt_tap tap;
	struct lnode link; /* in its part */
	struct media_room *room;
	struct media_member *m;
	struct rt_room_part *part;
	struct rt_lane *lane; /* what it says, at the room's rate */
	struct plc plc;
	struct resample *to_codec;          /* what only it hears; NULL: same rate */
	size_t packet;                      /* samples of one, at the room's rate */
	struct rt_cut cut;                  /* what only it hears; empty while it has the group's packets */
	struct rt_group *seed, *group;      /* group: NULL when its codec cannot be shared */
	bool is_heard;                      /* in this tick */
	enum member_sends sends;            /* the same */
	uint32_t quiet_score;               /* of its newest packet, when that was not worth laying */
	unsigned loud_frames, quiet_frames; /* in a row */
	uint32_t agc_sum, agc_count;
	uint64_t gate_sum;                                /* of the scores of gate_frames */
	uint32_t gate_frames, nogate_frames, idle_frames; /* of this talk, loud and not; without talk */
	uint32_t hit_frames, mute_frames;                 /* too loud; still to be silent */
	int32_t agc_gain_q12;
	int16_t frame[]; /* of this tick */
};

/* Of another part. */
struct rt_remote {
	uint64_t read_at; /* in its ring; UINT64_MAX: from where it is */
	bool is_flowing;
};

struct rt_room_part {
	struct media_room *room; /* not counted: it is the room's */
	unsigned thread;
	struct rt_ring *out; /* what its members say, for the other parts */
	struct lnode link;   /* in its thread's rooms, while it has members */
	struct list members;
	size_t count;
	int64_t due_us;
	struct rt_remote remotes[RT_ROOM_THREADS_MAX];
	struct noise noise;
	struct rt_group *groups[GROUPS_MAX];
	atomic_uint group_count; /* control looks for a codec's */
	size_t frame;
	int32_t *sum;     /* frame samples */
	int16_t *mix, *x; /* the same */
};

void rt_room_part_free(struct rt_room_part *p);
void rt_group_free(struct rt_group *g);
ON_MEDIA void part_enter(struct rt_room_part *p, struct rt_member *m);
ON_MEDIA void part_leave(struct rt_member *m);
ON_MEDIA void part_send(struct rt_room_part *p); /* what was summed, to all */
static inline bool group_is_for(
    const struct rt_group *g, const struct codec_ops *ops, unsigned ptime_ms, const char *fmtp)
{
	return g->ops == ops && g->ptime_ms == ptime_ms && !strcmp(g->fmtp, fmtp);
}
