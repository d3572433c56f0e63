/* A room: streams that hear each other. Each media thread on which members live has a part of it, with a tick of its
 * own; the parts give each other what their members say through rings, so that no stream moves for a room, nothing is
 * locked, and a thread that stands still costs its own members.
 *
 *     packet -> lane at the room's rate ---.                                 (each member, when packets come)
 *     tick:  lane -> frame, gain, level ---+--> sum of those who talk -----> ring for the other parts
 *                                          |    sum + what other parts say
 *                                          '--> who talks: sum - own -> gain -> his encoder -> packet
 *                                               who listens: sum -> the group's encoder, once a codec -> packets
 *
 * What may change while it runs is in the member as atomics: control writes, the media thread looks. */
#pragma once
#include "base/role.h"
#include "codec/codec.h"
#include "media/rt/media.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { RT_ROOM_THREADS_MAX = 64, RT_ROOM_DEAF_MAX = 16, RT_ROOM_FRAME_MAX = 48 * 60 /* samples */ };

struct media_member { /* counted, atomically */
	uint32_t id;  /* of the owner's making, not 0 */
	/* by control */
	atomic_bool can_speak, can_hear;
	atomic_bool is_quiet;               /* nothing at all is sent to it while it cannot hear; else silence is */
	_Atomic uint32_t energy_level;      /* mean of absolute samples from which on it is heard; 0: always. Where
	                                     * auto_energy_level is set the media thread moves it too */
	_Atomic uint32_t auto_energy_level; /* 0: it stays as it is; else as high as it may become */
	_Atomic uint32_t energy_floor, energy_sink_ms;        /* and as low; so long without talk lowers it a step */
	_Atomic uint32_t max_energy_level;                    /* over it one is too loud; 0: nobody is */
	_Atomic uint32_t max_energy_hits, max_energy_mute_ms; /* more such frames than that: silent for so long */
	_Atomic int32_t gain_in_q12, gain_out_q12;
	_Atomic uint32_t agc_level;                 /* the mean that it is brought to while it talks; 0: as it is */
	_Atomic uint32_t deaf_to[RT_ROOM_DEAF_MAX]; /* ids that it does not hear, of the same thread; 0: none */
	/* by the media thread */
	_Atomic uint32_t score; /* of its last frame */
	atomic_bool is_talking; /* with a while of pauses in between; also of one that cannot speak */
};
ANY int media_member_new(struct media_member **out, uint32_t id); /* speaks and hears, as it is */

struct media_room_conf {
	uint32_t rate_hz;       /* 8000 to 48000, a whole number of samples a frame */
	uint32_t interval_ms;   /* 10 to 60 */
	uint32_t noise_divisor; /* comfort noise under everything (dsp/noise.h); 0: none */
};
struct rt_room_part;
struct media_room { /* counted, atomically; read-only but for its parts */
	struct media_room_conf conf;
	uint32_t frame;                                            /* samples */
	_Atomic(struct rt_room_part *) parts[RT_ROOM_THREADS_MAX]; /* by thread; made by control, never taken back */
	atomic_uint part_count;
};
ANY int media_room_new(struct media_room **out, const struct media_room_conf *conf); /* ST_INVAL */
/* The part of a thread is there from now on. */
ANY int media_room_part_need(struct media_room *room, unsigned thread);

/* A stream in a room, as a tap of it. References to room and member are taken. thread: where the stream is, or will be
 * when the tap gets there. */
struct rt_tap;
ANY int rt_member_new(struct rt_tap **out, const struct media_params *p, struct media_room *room,
    struct media_member *member, unsigned thread);
