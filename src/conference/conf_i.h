/* Inside the room. A conference (struct conf_room) has members, what plays to it, what records it, and the settings it
 * began with; a member (struct conf_member) is a leg that runs the application. Both are counted and the control
 * thread's; all sound is the mixer's, behind mix.c. Nobody but room.c changes who is in, and each change is told there.
 *
 *   app.c ---- joins, waits, keys (controls.c) --+
 *   command*.c - `conference NAME ...` ----------+--> room.c, member.c --> event.c, live.c, cdr.c, lamp.c
 *   outcall.c -- dial, bgdial, bridge: ----------+         |
 *                                                     sound.c, record.c --> mix.c --> media/ctl/room.h */
#pragma once
#include "base/list.h"
#include "base/rand.h"
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"
#include "conference/conference.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "core/value/vars.h"
#include "loop/co.h"
#include "loop/loop.h"
#include <stddef.h>

#define CONF_EVENT "conference::maintenance"
enum {
	CONF_NAME_MAX = 255,
	CONF_PIN_MAX = 64,
	CONF_ROOMS_MAX = 100000,
	CONF_PLAYS_MAX = 100,  /* of a room or a member, that wait for their turn */
	CONF_RECORDS_MAX = 32, /* at once, of a room */
	CONF_RELATIONS_MAX = 10000,
	CONF_VARS_MAX = 500,
	CONF_TICK_US = 20000
};

/* ---- flags.c: what may stand in member-flags, conference-flags and +flags{} ---- */
enum conf_member_flag {
	CM_MUTE = 1 << 0,
	CM_DEAF = 1 << 1,
	CM_MUTE_DETECT = 1 << 2,
	CM_DIST_DTMF = 1 << 3,
	CM_SKIP_DTMF = 1 << 4,
	CM_MODERATOR = 1 << 5,
	CM_NOMOH = 1 << 6,
	CM_ENDCONF = 1 << 7,
	CM_MANDATORY = 1 << 8, /* mandatory_member_endconf */
	CM_MINTWO = 1 << 9,
	CM_GHOST = 1 << 10,
	CM_JOIN_ONLY = 1 << 11,
	CM_POSITIONAL = 1 << 12,
	CM_NO_POSITIONAL = 1 << 13
};
enum conf_room_flag {
	CR_WAIT_MOD = 1 << 0,
	CR_AUDIO_ALWAYS = 1 << 1,
	CR_RESTART_AUTO_RECORD = 1 << 2,
	CR_LIVEARRAY = 1 << 4,
	CR_LIVEARRAY_JSON = 1 << 5,
	CR_AUTO_3D = 1 << 6,
	CR_MUTE_DETECT = 1 << 7
};
/* Names parted by '|'; what is none of ours, and no word for video, is told by unknown (may be NULL). */
typedef void (*conf_unknown_fn)(struct sv name, void *arg);
ANY unsigned conf_member_flags_parse(struct sv text, conf_unknown_fn unknown, void *arg);
ANY unsigned conf_room_flags_parse(struct sv text, conf_unknown_fn unknown, void *arg);

/* ---- profile.c: a profile of conference.conf, read once for a room ---- */
struct conf_profile { /* counted; texts owned, NULL: not set */
	char *name, *domain, *description, *sound_prefix, *caller_id_name, *caller_id_number, *caller_controls,
	    *moderator_controls, *tts_engine, *tts_voice, *pin, *moderator_pin, *cdr_log_dir, *cdr_event_mode,
	    *suppress_events, *auto_record, *member_flags_text, *room_flags_text;
	char *enter_sound, *exit_sound, *alone_sound, *perpetual_sound, *moh_sound, *muted_sound, *unmuted_sound,
	    *mute_detect_sound, *deaf_sound, *undeaf_sound, *locked_sound, *is_locked_sound, *is_unlocked_sound,
	    *kicked_sound, *pin_sound, *bad_pin_sound, *max_members_sound, *member_enter_sound;
	char *rate, *interval, *comfort_noise; /* "auto" or a number; true or a number */
	unsigned energy_level, auto_energy_level, auto_energy_seconds, max_energy_level, max_energy_hit_trigger,
	    max_energy_mute_ms, agc_level, pin_retries, max_members, announce_count, min_recording, endconf_grace_s,
	    dtmf_timeout_ms, terminate_on_silence_s, heartbeat_s;
	bool is_verbose;
	unsigned member_flags, room_flags;
	struct vars *vars; /* confvar_NAME */
};
/* The profile of that name; none of it: everything at its built-in value, name "none". ST_NOMEM. */
ON_CTL int conf_profile_new(struct conf_profile **out, const char *name);
ON_CTL int conf_stage_init(void); /* checks conference.conf when it is loaded */
ANY unsigned conf_profile_rate(const struct conf_profile *p, unsigned leg_rate_hz);
ANY unsigned conf_profile_interval(const struct conf_profile *p, unsigned leg_ptime_ms);

/* ---- the objects ---- */
struct mroom;
struct conf_room;
struct conf_member;

struct conf_play { /* a sound: of the room's queue, the room's music, or a member's queue */
	struct lnode link;
	struct conf_room *room;
	struct conf_member *member; /* NULL: for all */
	char *source, *name;        /* with marks, whole; plain, as events tell it */
	uint32_t id;                /* of the mixer, 0: it waits */
	int64_t started_us, paused_us;
	int volume, loops;
	bool is_async, is_paused, is_begun;
	struct co_wait *waiter; /* a command that wants to know whether it could be opened */
};
struct conf_record {
	struct lnode link;
	struct conf_room *room;
	char *path;
	unsigned id; /* a member number, as FreeSWITCH counts records */
	uint32_t mix_id;
	int64_t join_us, paused_at_us, paused_us;
	bool is_paused, is_auto, is_ending;
	struct conf_cdr_entry *cdr;
};
struct conf_relation {
	struct lnode link;
	unsigned id, other_id;
	bool no_speak, no_hear, sends_video;
};
struct conf_room {
	struct conf_profile *profile;
	char *name, uuid[UUID_CHARS + 1];
	char *pin, *moderator_pin, *enter_sound, *exit_sound, *moh_sound, *sound_prefix, *caller_id_name,
	    *caller_id_number;
	bool is_locked, is_over, waits_for_moderator, is_bridge, plays_enter, plays_exit, is_moh_off, was_forced,
	    has_music_stopped, was_two, is_answered, is_min_two;
	unsigned max_members, endconf_grace_s, rate_hz, interval_ms, channels;
	unsigned flags;
	struct list members; /* the newest first */
	unsigned count, ghost_count, end_count, mandatory_count, moderator_count;
	unsigned user_count; /* whoever is at its door, inside, or rings for it: none, and it goes */
	struct conf_member *floor;
	struct list plays, records, relations;
	struct conf_play *async;
	struct vars *vars;
	int64_t start_us, wall_start_us, endconf_at_us, last_talk_us; /* monotonic but the second; 0: not */
	struct ltimer tick, heartbeat;
	struct mroom *mix;
	struct list cdr_members, cdr_rejected;
	unsigned cdr_count;
	uint64_t live_serial;
	unsigned presence_count;
	bool was_auto_recorded;
	struct lnode link;
};
enum conf_leave { CONF_STAYS, CONF_LEAVES, CONF_KICKED, CONF_HUNG_UP, CONF_TRANSFERRED };
struct conf_member {
	struct lnode link;
	struct conf_room *room; /* NULL: not, or no longer in */
	struct leg *leg;
	unsigned id, flags;
	bool is_muted, is_deaf, is_blind, is_vmuted, is_held, is_talking;
	bool
	    is_level_set; /* energy_level is new: to be told to the mixer whatever auto-energy made of the one before */
	int volume_in, volume_out;
	unsigned energy_level, auto_energy_level, max_energy_level, agc_level, score;
	int64_t join_us, last_talk_us;
	struct list plays;
	enum conf_leave leave;
	char *leave_sound, *goes_to; /* when it is kicked; when it is transferred */
	struct digit_machine *keys;
	struct conf_cdr_entry *cdr;
	double x, y, z;
};
static inline bool conf_member_is(const struct conf_member *m, enum conf_member_flag f)
{
	return (m->flags & f) != 0;
}
#define conf_members_each(room, it, tmp) list_each (&(room)->members, it, tmp)
static inline struct conf_member *conf_member_of(struct lnode *n)
{
	return list_entry(n, struct conf_member, link);
}

/* ---- room.c ---- */
ON_CTL int conf_rooms_start(void);
ON_CTL void conf_rooms_stop(void);
ON_CTL struct conf_room *conf_room_find(const char *name); /* borrowed */
ON_CTL size_t conf_rooms_count(void);
ON_CTL void conf_rooms_close_empty(void); /* at once, not a tick after the last one left */
/* In order of creation; fn must not end rooms. */
ON_CTL void conf_rooms_each(void (*fn)(struct conf_room *room, void *arg), void *arg);
/* The room of that name, made with that profile when there is none; leg (or NULL) says its rate where it is "auto" and
 * its sound_prefix. A reference and a use, to be given back by conf_room_leave. ST_INVAL: no such name; ST_LIMIT. */
ON_CTL int conf_room_enter(struct conf_room **out, const char *name, const char *profile, struct leg *leg);
ON_CTL void conf_room_leave(struct conf_room *room);
ON_CTL void conf_room_kick(struct conf_room *room); /* it looks at what there is to do in a moment */
ON_CTL void conf_room_end(struct conf_room *room);  /* all members are hung up */
ON_CTL int conf_member_add(struct conf_room *room, struct conf_member *m);
ON_CTL void conf_member_del(struct conf_member *m); /* fine when it is not in */
ON_CTL struct conf_member *conf_member_find(struct conf_room *room, unsigned id);
ON_CTL void conf_floor_set(struct conf_room *room, struct conf_member *m); /* NULL: nobody has it */
ON_CTL unsigned conf_next_id(void);

/* ---- member.c ---- */
ON_CTL struct conf_member *conf_member_new(struct leg *leg, const struct conf_profile *p, unsigned flags);
ON_CTL void conf_member_mute(struct conf_member *m, bool is_muted, bool is_quiet);
ON_CTL void conf_member_deaf(struct conf_member *m, bool is_deaf, bool is_quiet);
ON_CTL void conf_member_hold(struct conf_member *m, bool is_held, const char *sound);
ON_CTL void conf_member_leave(struct conf_member *m, enum conf_leave how); /* as soon as its coroutine runs */
ON_CTL void conf_member_talks(struct conf_member *m, bool is_talking, unsigned score);
ON_CTL bool conf_member_hears_music(const struct conf_member *m);

/* ---- event.c ---- */
/* A new event with what tells the room, or NULL: nobody wants it, or the profile suppresses the action. */
ON_CTL struct event *conf_event_new(struct conf_room *room, const char *action);
ON_CTL void conf_event_room_add(struct event *e, struct conf_room *room);
ON_CTL void conf_event_member_add(struct event *e, struct conf_member *m);
ON_CTL void conf_event_room(struct conf_room *room, const char *action); /* nothing more than the action */
ON_CTL void conf_event_member(struct conf_member *m, const char *action);
ON_CTL void conf_event_member_with(struct conf_member *m, const char *action, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* PRESENCE_IN of the room, for lamps. */
ON_CTL void conf_presence(struct conf_room *room);
ON_CTL void conf_lamps_advertise(void); /* <advertise> of conference.conf */

/* ---- sound.c ---- */
/* The source as the mixer takes it: relative names below the room's sound_prefix. To be freed; NULL: no memory. */
ON_CTL char *conf_source_full(struct conf_room *room, const char *source);
/* For all (m NULL) or one; source: text with marks. Music (is_async) is one at a time and in place of what there was.
 * waiter: signalled ST_OK when it could be opened, else why not. ST_LIMIT: too many wait. */
struct conf_play_words {
	const char *source;
	struct conf_member *member;
	bool is_async, is_speech;
	int loops;
	struct co_wait *waiter;
};
ON_CTL int conf_play(struct conf_room *room, const struct conf_play_words *w);
ON_CTL void conf_play_to(struct conf_member *m, const char *source); /* NULL or "": nothing */
ON_CTL void conf_play_all(struct conf_room *room, const char *source);
/* What plays now, all that waits too, or the music; how many ended. */
enum conf_stop { CONF_STOP_CURRENT, CONF_STOP_ALL, CONF_STOP_ASYNC };
ON_CTL unsigned conf_play_stop(struct conf_room *room, struct conf_member *m /* or NULL */, enum conf_stop what);
ON_CTL struct conf_play *conf_play_current(struct conf_room *room, struct conf_member *m);
ON_CTL void conf_play_told(struct conf_room *room, uint32_t id, bool is_begun, int status); /* by mix.c */
/* Whoever waits for a play's beginning goes. */
ON_CTL void conf_play_forget(struct conf_room *room, const struct co_wait *waiter);
ON_CTL void conf_music_check(struct conf_room *room); /* hold music begins or ends, as things stand */

/* ---- record.c ---- */
ON_CTL int conf_record_start(struct conf_room *room, const char *path, bool is_auto); /* ST_EXISTS, ST_LIMIT */
ON_CTL unsigned conf_record_stop(struct conf_room *room, const char *path /* NULL = all */, struct buf *out);
ON_CTL bool conf_record_pause(struct conf_room *room, const char *path, bool is_paused);
ON_CTL void conf_record_told(struct conf_room *room, uint32_t mix_id, int status, uint64_t samples);
ON_CTL void conf_record_auto(struct conf_room *room);

/* ---- mix.c: the mixer ---- */
extern struct leg_part conf_part;
ON_CTL int conf_mix_open(struct conf_room *room);
ON_CTL void conf_mix_close(struct conf_room *room);
ON_CTL int conf_mix_join(struct conf_member *m);
ON_CTL void conf_mix_leave(struct conf_member *m);
ON_CTL void conf_mix_tell(struct conf_member *m);             /* all its settings, as they are now */
ON_CTL unsigned conf_mix_energy(const struct conf_member *m); /* energy_level, or what auto-energy made of it */
ON_CTL void conf_mix_tell_all(struct conf_room *room);
ON_CTL void conf_mix_relate(struct conf_room *room, const struct conf_relation *r);
ON_CTL int conf_mix_play(struct conf_play *p);
ON_CTL void conf_mix_play_stop(struct conf_play *p);
ON_CTL int conf_mix_play_pause(struct conf_play *p, bool is_paused);
ON_CTL int conf_mix_play_seek(struct conf_play *p, bool is_relative, int ms);
ON_CTL int conf_mix_play_volume(struct conf_play *p);
ON_CTL int conf_mix_record(struct conf_record *r);
ON_CTL void conf_mix_record_stop(struct conf_record *r);
ON_CTL void conf_mix_record_pause(struct conf_record *r);

/* ---- controls.c: what a member's keys do ---- */
ON_CTL int conf_keys_new(struct conf_member *m);
/* The key, or time is over (0). */
CO void conf_keys_feed(struct conf_member *m, char digit);
ON_CTL int64_t conf_keys_wait_us(const struct conf_member *m); /* until the next conf_keys_feed(m, 0); <0: none */
ANY bool conf_control_is_known(const char *action);

/* ---- cdr.c ---- */
struct conf_cdr_entry;
ON_CTL void conf_cdr_join(struct conf_member *m);
ON_CTL void conf_cdr_leave(struct conf_member *m);
ON_CTL void conf_cdr_record(struct conf_record *r);
ON_CTL void conf_cdr_record_end(struct conf_record *r);
ON_CTL void conf_cdr_reject(struct conf_room *room, struct leg *leg, const char *reason);
ON_CTL void conf_cdr_write(struct conf_room *room, struct buf *out);
ON_CTL void conf_cdr_finish(struct conf_room *room); /* the file and the event, at the end */
ON_CTL void conf_cdr_free(struct conf_room *room);

/* ---- live.c ---- */
ON_CTL void conf_live_tell(struct conf_room *room, struct conf_member *m, enum conf_live_what what);

/* ---- outcall.c ---- */
struct conf_outcall {
	struct conf_room *room; /* of the events, or NULL: there is none yet */
	const char *name;       /* whatever stands before the flags: name[@profile] */
	const char *dialstring; /* text with marks */
	const char *flags;      /* "" */
	const char *cid_name, *cid_number;
	unsigned timeout_s;
	struct leg *originator; /* or NULL */
	const char *job_uuid;   /* NULL: no bgdial-result */
	const char *announce;   /* played to whom was called, before; or NULL */
};
CO int conf_outcall(const struct conf_outcall *o, enum cause *cause, char uuid[UUID_CHARS + 1]);
/* The same on a coroutine of its own, told by bgdial-result. Strings are copied. */
ON_CTL int conf_outcall_spawn(const struct conf_outcall *o);

/* ---- app.c ---- */
int app_conference(struct leg *leg, const char *data);
int app_conference_auto_outcall(struct leg *leg, const char *data);
/* "name@profile+pin+flags{a|b}": text with marks; each part a view into it, empty when it is not there. */
struct conf_words {
	struct sv bridge; /* the dial string of bridge:name:dialstring */
	struct sv name, profile, pin, flags;
	bool is_bridge;
};
ANY int conf_words_parse(struct sv text, struct conf_words *out);

/* ---- list.c ---- */
/* Appends an element on a line of its own, the value escaped. */
ON_CTL void conf_xml_tag(struct buf *out, const char *pad, const char *name, const char *value);
ON_CTL void conf_list_members(struct conf_room *room, struct buf *out, const char *delim);
ON_CTL void conf_list_pretty(struct conf_room *room, struct buf *out);
ON_CTL void conf_list_head(struct conf_room *room, struct buf *out);
ON_CTL void conf_list_xml(struct conf_room *room /* NULL: all */, struct buf *out);
ON_CTL void conf_list_json(struct conf_room *room, struct buf *out, bool is_compact);

/* ---- command.c ---- */
int api_conference(struct api_call *c);
