/* Rooms as control has them: streams are joined to hear each other, sounds are played to all, records are made of all.
 * The mixing is media/rt/room.h's. What a room plays and records goes through a pair of wired streams of its own, of
 * which one is a member: so sources, records, loops and seeking are those of any stream. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "media/rt/media.h"

struct mstream;
struct mroom; /* counted: mroom_open gives a reference; mem_unref alone does not close */
struct mroom_conf {
	uint32_t rate_hz;       /* 8000, 12000, 16000, 24000, 32000, 48000 */
	uint32_t interval_ms;   /* 10 to 60; members whose packets are as long share what they hear */
	uint32_t noise_divisor; /* comfort noise (dsp/noise.h); 0: none */
};
enum mroom_report_kind {
	MROOM_TALK,        /* member id began (is_on) or ceased to talk; score: its level */
	MROOM_GONE,        /* member id is not in the room any more though nobody took it out; status says why */
	MROOM_PLAY_BEGUN,  /* id of the play: its source is open */
	MROOM_PLAY_DONE,   /* status: ST_OK ended, ST_CANCELLED stopped, else error */
	MROOM_RECORD_DONE, /* id; status, samples, is_removed as of a stream's */
};
struct mroom_report {
	enum mroom_report_kind kind;
	uint32_t id, score;
	int status;
	bool is_on;
	uint64_t samples;
	bool is_removed;
};
typedef void (*mroom_fn)(struct mroom *r, const struct mroom_report *report, void *arg);

/* ST_INVAL: a rate that there is not. */
ON_CTL int mroom_open(struct mroom **out, const struct mroom_conf *conf, mroom_fn fn, void *arg);
/* All members are out, all that plays and records ends; fn is not called any more, but for records' ends. */
ON_CTL void mroom_close(struct mroom *r);

struct mroom_member {
	bool can_speak, can_hear;
	uint32_t energy_level;                 /* mean of absolute samples, 0 = it is always heard */
	bool keeps_energy;                     /* of mroom_set: the level stays what auto_energy_level made of it */
	uint32_t auto_energy_level;            /* 0: the level stays; else it follows how loud one talks, up to this */
	uint32_t energy_floor, energy_sink_ms; /* and comes back to that, a step each time so long nobody talks */
	uint32_t max_energy_level, max_energy_hits,
	    max_energy_mute_ms;    /* more frames louder than that: silent so long */
	int volume_in, volume_out; /* FreeSWITCH's -4..4 */
	uint32_t agc_level;        /* 0 = off */
};
/* The stream leaves what it was joined to. id: the caller's, not 0, one of each in a room. ST_UNSUPPORTED: its codec;
 * ST_EXISTS. */
ON_CTL int mroom_join(struct mroom *r, struct mstream *s, uint32_t id, const struct mroom_member *conf);
ON_CTL int mroom_leave(struct mroom *r, uint32_t id); /* ST_NOTFOUND */
ON_CTL int mroom_set(struct mroom *r, uint32_t id, const struct mroom_member *conf);
/* hearer does not hear (is_deaf), or hears again, what speaker says. Streams of two threads come to one. ST_LIMIT: 16
 * of a member. */
ON_CTL int mroom_relate(struct mroom *r, uint32_t speaker, uint32_t hearer, bool is_deaf);
ON_CTL uint32_t mroom_score(struct mroom *r, uint32_t id);
ON_CTL int mroom_energy(struct mroom *r, uint32_t id, uint32_t *level_out); /* as it is now; ST_NOTFOUND */

/* A source (as for mstream_play) to all. is_music: beside what plays otherwise, one of each kind at a time, a new one
 * in the place of the one before. */
ON_CTL int mroom_play(struct mroom *r, const char *source, int loops, bool is_music, uint32_t *id_out);
/* To one member, in place of the others' voices. */
ON_CTL int mroom_play_to(struct mroom *r, uint32_t member, const char *source, int loops, uint32_t *id_out);
ON_CTL int mroom_play_stop(struct mroom *r, uint32_t id);
ON_CTL int mroom_play_set(struct mroom *r, uint32_t id, enum media_play_op op, int32_t value);
ON_CTL int mroom_play_volume(struct mroom *r, uint32_t id, int steps); /* -4..4; of a play to all */
/* All that is heard in the room, into a file. */
ON_CTL int mroom_record(struct mroom *r, const char *path, const struct media_record_conf *conf, uint32_t *id_out);
ON_CTL int mroom_record_stop(struct mroom *r, uint32_t id);
ON_CTL int mroom_record_pause(struct mroom *r, uint32_t id, bool is_paused);
