/* A leg: one side of a call (FreeSWITCH's session and channel), and nothing of what it does: that is in its parts
 * (part.h) and in what holds it (hold.h), each of a room above. Counted, owned by the control thread. Fields are for
 * reading; they change by the functions below. Life: leg_new -> endpoint fills profile and variables -> leg_start ->
 * states (state.c holds the table) -> leg_hangup once -> steps of teardown.c -> freed with the last reference.
 */
#pragma once
#include "base/list.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/role.h"
#include "core/event/event.h"
#include "core/value/cause.h"
#include "core/value/vars.h"
#include "loop/co.h"

enum leg_state {
	CS_NEW,
	CS_INIT,
	CS_ROUTING,
	CS_SOFT_EXECUTE,
	CS_EXECUTE,
	CS_EXCHANGE_MEDIA,
	CS_PARK,
	CS_CONSUME_MEDIA,
	CS_HIBERNATE,
	CS_RESET,
	CS_HANGUP,
	CS_REPORTING,
	CS_DESTROY,
	CS_NONE
};
enum leg_callstate {
	CCS_DOWN,
	CCS_DIALING,
	CCS_RINGING,
	CCS_EARLY,
	CCS_ACTIVE,
	CCS_HELD,
	CCS_RING_WAIT,
	CCS_HANGUP,
	CCS_UNHELD
};
const char *leg_state_name(enum leg_state s);         /* "CS_NEW" */
const char *leg_callstate_name(enum leg_callstate s); /* "DOWN" */

struct leg_times { /* wall clock, microseconds, 0 = not yet */
	int64_t profile_created, created, answered, progress, progress_media, hungup, transferred, resurrected, bridged,
	    last_hold, hold_accum;
};
/* The caller profile; a transfer pushes a new one in front. All strings are held (str_share), for copies of a profile
 * differ in little; NULL when unset. */
struct leg_profile {
	char *username, *dialplan, *caller_id_name, *caller_id_number, *orig_caller_id_name, *orig_caller_id_number,
	    *callee_id_name, *callee_id_number, *network_addr, *ani, *aniii, *rdnis, *destination_number, *source,
	    *transfer_source, *context, *chan_name, *uuid;
	char *destination_text;  /* destination_number with its marks; NULL: all of it is from outside */
	bool is_originator_side; /* Logical-Direction: inbound */
	bool is_outbound;        /* Direction */
	bool has_screen, hides_name, hides_number;
	unsigned index;
	struct leg_times times;
	struct leg_profile *older;
	struct leg_profile *dialled, *reached; /* whom it called, the newest first, linked by older: for records */
};

struct leg;
struct endpoint_ops;
struct mstream;
struct media_codec;

/* A call on its way through the rooms, an inbound one that bridges:
 *
 *     endpoint          leg            run              dial             bridge          sound
 *     INVITE ---------> leg_new
 *       profile, vars   leg_start ---> exec_reroute
 *                         CS_ROUTING   hunt: dialplan
 *                         CS_EXECUTE   co: app by app
 *                                        bridge ------> originate_run
 *     INVITE <--------- leg_new (B) <------------------ attempt
 *     180, 183, 200 --> leg_mark_... --parts---------->  wakes: wins
 *     180, 200 <------- leg_answer_for(A, B) <---------+                              leg_media_answer
 *                                        detaches       bridge_join ----------------> leg_media_join
 *                         peer, CS_EXCHANGE_MEDIA (no coroutine, no stack: two relayed streams)
 *     BYE ------------> leg_hangup ---parts---------------------------> bridge_leave
 *                         teardown.c      the list goes on, or ends     (done: how)     last statistics
 *                         records, CHANNEL_HANGUP_COMPLETE, CS_DESTROY
 */
struct leg {
	char uuid[UUID_CHARS + 1];
	char call_uuid[UUID_CHARS + 1];
	char *name; /* "sofia/internal/1000@10.0.0.1" */
	bool is_outbound;
	bool is_answered, is_ringing, is_early, is_held, hit_dialplan;
	bool is_ended_by_far;                                      /* its far side ended the call */
	enum { HOLD_DUE_NOT, HOLD_DUE_OFF, HOLD_DUE_ON } hold_due; /* our hold, which its endpoint could not send yet */
	unsigned
	    callee_sent_profile; /* index of the profile it had when its phone was told the other party; 0 = never */
	enum leg_state state, running_state;
	enum leg_callstate callstate;
	enum cause cause; /* CAUSE_NONE until hung up */
	const struct endpoint_ops *ops;
	void *endpoint; /* the endpoint's private object */
	struct vars *vars;
	struct leg_profile *profile; /* newest; never NULL after leg_start */
	struct leg_profile *other;   /* copy of the other leg's (originator/originatee), or NULL */
	bool other_is_originator;
	struct leg *peer;                /* whom it is bridged to; borrowed; NULL: nobody. Set by core/bridge */
	const struct media_codec *codec; /* of sending; NULL before it is negotiated. Set by core/sound */
	bool is_late_told; /* it negotiates when it is answered, and early media is told of first. Set by core/sound */
	struct lnode all_link; /* in the table of live legs, by age */
	uint64_t serial;       /* FreeSWITCH's session id */
	char last_app[32];
	char *last_app_data;
	int loglevel; /* enum log_level, or LOG_DISABLE = the global one */
};

/* ---- life ---------------------------------------------------------------------------------------------------- */
/* A leg in CS_NEW of one reference, in the table. That reference is the leg's own life: the teardown drops it after
 * ops->on_destroy; who keeps the pointer longer takes one of its own. uuid NULL = made. ST_LIMIT when max-sessions,
 * sessions-per-second, pause or shutdown forbid it (inbound and outbound alike); ST_EXISTS when the uuid is taken,
 * ST_INVAL when it is more than a plain word (letters, digits, -_.:@+). The name may still be NULL. */
ON_CTL int leg_new(struct leg **out, const struct endpoint_ops *ops, bool is_outbound, const char *uuid);
ON_CTL void leg_set_name(struct leg *leg, const char *name);
/* The profile is taken; times.created is set. */
ON_CTL void leg_set_profile(struct leg *leg, struct leg_profile *profile);
ON_CTL struct leg_profile *leg_profile_new(void);
ON_CTL struct leg_profile *leg_profile_dup(const struct leg_profile *p); /* newest only */
ON_CTL void leg_profile_free(struct leg_profile *p);
/* Whom a leg dialled and whom it reached is kept with its profile, as they were then, from now on or no longer. */
ON_CTL void leg_keep_dialled(bool is_kept);
ON_CTL void leg_note_dialled(struct leg *leg, const struct leg *called);
ON_CTL void leg_note_reached(struct leg *leg, const struct leg *called);
/* Replaces one string of a profile by a new one, or by one that is held elsewhere. */
ON_CTL void leg_profile_set(char **field, const char *value);
ON_CTL void leg_profile_share(char **field, char *shared);
/* The extension, as text that has marks on what came from outside. */
ON_CTL void leg_profile_destination_set(struct leg_profile *p, const char *text);
ON_CTL void leg_profile_destination_outside(struct leg_profile *p, const char *number); /* all of it is from outside */
/* The marked text of the extension, to be freed with mem_free; NULL: there is none. */
ON_CTL char *leg_profile_destination_dup(const struct leg_profile *p);
/* Caller-profile fields by FreeSWITCH's names (destination_number, caller_id_name ...); NULL when unknown or unset.
 * Valid until the field changes, or (profile_index) until the next call. */
ON_CTL const char *leg_profile_field_sv(const struct leg_profile *p, struct sv name);
static inline ON_CTL const char *leg_profile_field(const struct leg_profile *p, const char *name)
{
	return leg_profile_field_sv(p, sv_of(name));
}
ON_CTL int leg_profile_field_set(struct leg_profile *p, const char *name, const char *value);
/* CS_NEW -> CS_INIT (CHANNEL_CREATE); inbound legs go on to CS_ROUTING and the dialplan in their coroutine; outbound
 * legs call ops->on_init (which dials) and go to CS_CONSUME_MEDIA. */
ON_CTL int leg_start(struct leg *leg);
/* Ends the leg: first call wins, later ones change nothing. Never frees at once: the caller's reference stays valid.
 * Waiting coroutines get ST_HANGUP; the endpoint is told (ops->on_hangup) unless it said so itself. */
ON_CTL void leg_hangup(struct leg *leg, enum cause cause);
/* The same for the endpoint, when the far side has ended the call. */
ON_CTL void leg_hangup_by_far(struct leg *leg, enum cause cause);
ON_CTL bool leg_is_up(const struct leg *leg); /* not hung up */
/* The caller id it began with: a dialled leg that goes on as a caller has its caller and callee ids exchanged. May be
 * NULL; borrowed. */
ON_CTL void leg_initial_cid(const struct leg *leg, const char **name, const char **number);
ON_CTL struct leg *leg_find(const char *uuid); /* borrowed; NULL when absent; legs before CS_DESTROY */
ON_CTL size_t leg_count(void);
/* In order of creation. fn returns false to stop. It may hang up legs. */
ON_CTL void leg_each(bool (*fn)(struct leg *leg, void *arg), void *arg);
/* Hangs up all (matching var=value when var is not NULL); returns how many. */
ON_CTL size_t leg_hangup_all(enum cause cause, const char *var, const char *value);

/* ---- what the endpoint reports ------------------------------------------------------------------------------- */
ON_CTL void leg_mark_ring_ready(struct leg *leg);         /* 180: CHANNEL_PROGRESS, RINGING */
ON_CTL void leg_mark_early_media(struct leg *leg);        /* 183 with SDP: CHANNEL_PROGRESS_MEDIA, EARLY */
ON_CTL void leg_mark_answered(struct leg *leg);           /* CHANNEL_ANSWER, ACTIVE */
ON_CTL void leg_mark_held(struct leg *leg, bool is_held); /* far side's hold: CHANNEL_HOLD/UNHOLD, callstate */
/* DTMF_RTP_CAPTURED: a telephone-event that media did not relay to the other leg (leg_dtmf_capture). */
enum dtmf_source { DTMF_UNKNOWN, DTMF_RTP, DTMF_ENDPOINT, DTMF_INBAND, DTMF_APP, DTMF_RTP_CAPTURED };

/* Each time it was held by its far side: from, to (wall clock, microseconds; 0: not over), and the uuid of whom it was
 * bridged to ("": nobody). */
ON_CTL void leg_held_each(
    const struct leg *leg, void (*fn)(int64_t on_us, int64_t off_us, const char *peer, void *arg), void *arg);

/* ---- what applications and commands do ----------------------------------------------------------------------- */
ON_CTL int leg_ring_ready(struct leg *leg); /* inbound: 180 once */
/* inbound: 183 with SDP once. ST_UNSUPPORTED: no common codec (leg is hung up) */
ON_CTL int leg_pre_answer(struct leg *leg);
ON_CTL int leg_answer(struct leg *leg); /* inbound: 200 with SDP once; fine when answered */
/* The same for a leg that is going to be joined with near, whose codec is preferred then. near may be NULL. */
ON_CTL int leg_pre_answer_for(struct leg *leg, struct leg *near);
ON_CTL int leg_answer_for(struct leg *leg, struct leg *near);
ON_CTL bool leg_dtmf_take(struct leg *leg, char *digit, unsigned *duration); /* fires the DTMF event */
ON_CTL size_t leg_dtmf_count(const struct leg *leg);
ON_CTL void leg_dtmf_flush(struct leg *leg);
/* Our hold towards the far side (re-INVITE). While another exchange is under way it is done after that: ST_OK, and the
 * leg counts as held or not at once. */
ON_CTL int leg_set_hold(struct leg *leg, bool is_held);
ON_CTL void leg_hold_owed(struct leg *leg); /* by its endpoint: what was ST_BUSY can be sent now */
/* Shows its phone who the other party is, and tells it by CALL_UPDATE. ST_UNSUPPORTED: the phone cannot. */
ON_CTL int leg_display(struct leg *leg, const char *name, const char *number);
/* Its own party calls itself so from now on: its profile; true: it is another than before. */
ON_CTL bool leg_own_id_set(struct leg *leg, const char *name, const char *number);

/* SESSION_HEARTBEAT every so many seconds; 0 or less ends it. keepalive: an INFO to the far side each time as well. */
ON_CTL void leg_heartbeat(struct leg *leg, int seconds);
ON_CTL void leg_keepalive(struct leg *leg, int seconds);
/* PRESENCE_IN with that rpid and status for id; NULL = its presence_id, without one nothing. */
ON_CTL void leg_presence_tell(struct leg *leg, const char *rpid, const char *status, const char *id);

/* ---- variables ----------------------------------------------------------------------------------------------- */
/* A value that is data, whoever it comes from: each byte counts as from outside (text/mark.h), whatever marks it had.
 * NULL removes. A value with "${" is refused, as in FreeSWITCH. */
ON_CTL void leg_var_put(struct leg *leg, struct sv name, struct sv value); /* name ends with a zero byte */
static inline ON_CTL void leg_var_set(struct leg *leg, const char *name, const char *value)
{
	leg_var_put(leg, sv_of(name), sv_of(value));
}
ON_CTL void leg_var_share(struct leg *leg, const char *name, char *shared);     /* the same, of a text of sv_share */
ON_CTL void leg_var_set_sv(struct leg *leg, const char *name, struct sv value); /* up to its first zero byte */
ON_CTL void leg_var_set_int(struct leg *leg, const char *name, int64_t value);  /* in decimals */
/* Text that may be read as a language later: as the configuration, an operator or the dialplan wrote it, what came from
 * outside marked. */
ON_CTL void leg_var_set_text(struct leg *leg, const char *name, const char *text);
/* The variable of one leg, marks too, as a variable of another or of the same. Absent: nothing changes. */
ON_CTL void leg_var_copy(struct leg *to, const char *to_name, const struct leg *from, const char *name);
ON_CTL void leg_var_setf(struct leg *leg, const char *name, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Channel variable, else caller-profile field (with aleg_ or bleg_ in front the caller's or the callee's, as seen from
 * here), else global; borrowed until the next change. */
ON_CTL const char *leg_var_beyond(struct leg *leg, const char *name); /* where it is no variable */
static inline ON_CTL const char *leg_var(struct leg *leg, const char *name)
{
	const char *value = vars_get(leg->vars, name);
	return value ? value : leg_var_beyond(leg, name);
}
ON_CTL bool leg_var_is_true(struct leg *leg, const char *name);
/* The same value as leg_var's with its marks, for whatever reads it as a language (a hook, a source, a dial string): of
 * a field of the caller profile every byte is from outside, except of an extension that the dialplan or an operator
 * wrote. Borrowed until the next change of a variable or of scratch, which the caller has initialised and frees. */
ON_CTL const char *leg_text(struct leg *leg, const char *name, struct buf *scratch);
/* The same of an array's element (index < 0: the whole). Only variables are arrays: of a plain one there is no element,
 * and the profile's field or the global of that name counts, whole. */
ON_CTL const char *leg_text_at(struct leg *leg, const char *name, long index, struct buf *scratch);
ON_CTL char *leg_text_dup(struct leg *leg, const char *name); /* a copy, to be freed with mem_free; NULL when absent */
/* What a program (a script, an event-socket client) composed, plain: the values from outside that it used, the leg's
 * and its partner's, and that could mean something to a language are marked, whole or cut (text/mark_find.h). To be
 * freed with mem_free; NULL: there are none, text is as it is. */
ON_CTL char *leg_text_traced(struct leg *leg, const char *text);
/* The same of a text that names no leg: every leg's values with a whole "${command()}" in them are looked for, where
 * text has one. */
ON_CTL char *leg_text_traced_any(const char *text);
/* The text of a file's name as a path (mark_strip_path), to be freed with mem_free. NULL, and told in the log, when
 * what is from outside would lead out of the directories that the configuration names. */
ON_CTL char *leg_path_dup(struct leg *leg, const char *text);

/* ---- events -------------------------------------------------------------------------------------------------- */
/* Adds basic channel headers, profiles and (where FreeSWITCH does) variables. */
ON_CTL void leg_event_headers(struct leg *leg, struct event *e);
/* The same with the variables, whatever kind of event it is. */
ON_CTL void leg_event_all(struct leg *leg, struct event *e);
/* The caller profile as "Hunt-..." headers, for who looks a dialplan up. */
ON_CTL void leg_event_hunt(struct leg *leg, struct event *e);
/* The caller profile as "Channel-..." headers, in front of the others of an outbound socket's greeting. */
ON_CTL void leg_event_channel_profile(struct leg *leg, struct event *e);
/* Builds, fills and fires when wanted. */
#define leg_event(leg, id) leg_event_at((leg), (id), __FILE__, __func__, __LINE__)
ON_CTL void leg_event_at(struct leg *leg, enum event_id id, const char *file, const char *func, int line);
/* Who writes a leg's record as XML: the body of CHANNEL_HANGUP_COMPLETE when hangup_complete_with_xml is true. */
ON_CTL void leg_record_writer_set(void (*fn)(struct leg *leg, struct buf *out));
ON_CTL void leg_record_write(struct leg *leg, struct buf *out); /* appends the record's XML as it is now */
#define leg_log(leg, level, ...) log_uuid((level), (leg)->uuid, __VA_ARGS__)

/* Steps others hang into the life of a leg: each time it begins a dialplan, each time it is joined with another and
 * leaves it (of both), and in the teardown: at the hang-up, in CS_REPORTING before CHANNEL_HANGUP_COMPLETE (records),
 * after that event, and at the end. */
enum leg_hook {
	LEG_HOOK_ROUTING,
	LEG_HOOK_BRIDGED,
	LEG_HOOK_UNBRIDGED,
	LEG_HOOK_HANGUP,
	LEG_HOOK_REPORTING,
	LEG_HOOK_REPORTED,
	LEG_HOOK_DESTROY,
	LEG_HOOK_COUNT
};
ON_CTL int leg_hook_add(enum leg_hook hook, void (*fn)(struct leg *leg, void *arg), void *arg);
ON_CTL void leg_hook_del(enum leg_hook hook, void (*fn)(struct leg *leg, void *arg), void *arg);
