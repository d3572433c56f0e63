/* The inside of a leg: what the files of core share and nobody else sees. */
#pragma once
#include "base/mem.h"
#include "core/exec.h"
#include "core/leg.h"
#include "core/leg_media.h"
#include "core/originate.h"
#include "loop/loop.h"

enum { DTMF_QUEUE_MAX = 64 };

/* Steps of the teardown, in order (leg_teardown.c). */
enum leg_end_step { END_NONE, END_DEFERRED, END_APPS, END_HOOK, END_MEDIA, END_REPORTED, END_DONE };

struct leg_digit {
	char digit;
	uint8_t source;
	uint16_t duration;
};
struct leg_meta;
struct originate;

struct leg_full {
	struct leg leg;
	enum leg_end_step end_step;
	struct ldefer end_defer;
	struct ltimer end_timer;
	struct ltimer park_timer;
	bool is_started, is_parked, is_far_end_gone, is_cid_flipped;
	bool is_end_waiting; /* the hook or media is awaited */
	bool is_codec_told;
	bool is_read_linear; /* tones play to it: FreeSWITCH reads it as L16 meanwhile, and says so */
	unsigned presence_count;
	struct originate *dialling; /* as originator */
	enum cause dialling_end;    /* what the legs it dials are given when it is taken away; 0 = ORIGINATOR_CANCEL */
	struct bridge *aside;       /* its bridge while one side of it talks to somebody else */
	uint32_t hold_play_id;      /* music that plays to it while its peer is held */
	struct leg *near;           /* the leg its answer is made for; borrowed while dialling */
	struct leg_digit digits[DTMF_QUEUE_MAX];
	uint8_t digit_count;
	unsigned capture_count; /* leg_dtmf_capture */
	bool is_dtmf_blocked, are_read_digits_tones;
	enum dtmf_dedup dedup;
	char last_digit; /* for dedup: the latest, and how it came */
	bool last_is_rtp;
	int64_t last_digit_us;
	struct buf digits_dialed;
	char *initial_cid_name, *initial_cid_number; /* before they were exchanged */
	struct ltimer beat_timer;
	int beat_s;
	unsigned keepalive_count;
	bool keeps_alive, reuses_profile, is_zombie;
	unsigned stats_count; /* reports so far */
	struct leg_meta *meta;
	struct leg_actions *actions[2]; /* on its own keys, on the other leg's; NULL = none */
	struct list taps;               /* leg_tap.h */
	struct leg_tap *spy;            /* of the leg it listens to, and its number there */
	uint32_t spy_id;
	/* leg_wait_energy */
	uint32_t watch_id;
	bool is_watch_over;
	unsigned watch_heard, watch_hits;
	/* the latest report of a play and of a recording, for leg_play and leg_record */
	uint32_t done_play_id, done_record_id;
	int done_play_status, done_record_status;
	uint64_t done_play_samples, done_record_samples;
	bool was_record_silent;
};
static inline struct leg_full *leg_i(const struct leg *leg)
{
	return (struct leg_full *)(uintptr_t)leg;
}

/* ---- leg_state.c ---- */
enum leg_input {
	IN_INIT,
	IN_ROUTE,
	IN_EXECUTE,
	IN_SOFT_EXECUTE,
	IN_EXCHANGE,
	IN_PARK,
	IN_CONSUME,
	IN_HIBERNATE,
	IN_RESET,
	IN_HANGUP,
	IN_REPORT,
	IN_DESTROY,
	IN_COUNT
};
/* The state becomes what the table says; CHANNEL_STATE follows when is_run. ST_DENIED where the table has no way. */
ON_CTL int leg_state_input(struct leg *leg, enum leg_input in);
/* running_state follows state: CHANNEL_STATE. */
ON_CTL void leg_state_run(struct leg *leg);
ON_CTL void leg_callstate_set(struct leg *leg, enum leg_callstate s);
ON_CTL void leg_codec_events(struct leg *leg);
/* Ringback tones start or stop playing to the leg: CODEC, when that is news. */
ON_CTL void leg_read_linear(struct leg *leg, bool is_linear);

/* ---- leg_presence.c ---- */
/* PRESENCE_IN when the leg has a presence_id and somebody listens. */
#define leg_presence(leg, status) leg_presence_at((leg), (status), __func__, __LINE__)
ON_CTL void leg_presence_at(struct leg *leg, const char *status, const char *func, int line);

/* ---- leg.c ---- */
ON_CTL void leg_table_remove(struct leg *leg);
ON_CTL void leg_flip_cid(struct leg *leg);

/* ---- leg_profile.c ---- */
ON_CTL void leg_show_callee(struct leg *a, const struct leg *b); /* A learns whom it reached */

/* ---- leg_teardown.c ---- */
ON_CTL void leg_end_go(struct leg *leg); /* something the teardown waits for may be over */
ON_CTL void leg_hooks_run(struct leg *leg, enum leg_hook hook);
ON_CTL void leg_hooks_clear(void);

/* ---- leg_heartbeat.c ---- */
ON_CTL void leg_heartbeat_answered(struct leg *leg); /* enable_heartbeat_events */

/* ---- digit_actions.c ---- */
/* A key of leg's phone: true when a digit machine has it now (its own unless is_past_own, then the other leg's). */
ON_CTL bool digit_actions_take(struct leg *leg, char digit, bool is_past_own);
ON_CTL bool digit_actions_listen(const struct leg *leg);
ON_CTL void digit_actions_fini(struct leg *leg);

/* ---- vars_cdr.c ---- */
ON_CTL void leg_vars_cdr_set(struct leg *leg);

/* ---- exec.c ---- */
ON_CTL int exec_init(struct leg *leg);
ON_CTL void exec_fini(struct leg *leg);
ON_CTL void exec_kick(struct leg *leg); /* a coroutine looks at what there is to do, after this callback */
ON_CTL bool exec_is_running(const struct leg *leg);
/* What runs on it may collect digits: it is not one that only waits for a bridge. */
ON_CTL bool exec_takes_digits(const struct leg *leg);
ON_CTL void exec_set_joined(struct leg *leg, bool is_joined);
ON_CTL bool exec_is_detached(const struct leg *leg);
ON_CTL bool exec_is_own_co(const struct leg *leg);
ON_CTL void exec_hung_up(struct leg *leg); /* wakes every wait with ST_HANGUP */
/* What is left of the list runs although the leg is hung up (set_zombie_exec); false: nothing does. */
ON_CTL bool exec_zombie(struct leg *leg);
ON_CTL void exec_complete_detached(struct leg *leg); /* teardown: what was left detached is over */
ON_CTL void exec_reroute(struct leg *leg); /* the list is gone, the profile is new: hunt when the application unwinds */
ON_CTL void exec_unwind(struct leg *leg);  /* ends the running or detached application */
ON_CTL void exec_run_after(
    struct leg *leg, const char *app, const char *data); /* as exec_reroute with this one application */
ON_CTL bool exec_is_rerouted(const struct leg *leg);
ON_CTL void exec_hibernate_after(struct leg *leg); /* leaves what it does and waits to be bridged */
ON_CTL void exec_park_after(struct leg *leg);      /* as exec_reroute, then parked */
/* "app::data" or "app data" of execute_on_*, with marks: an application named from outside is refused. */
ON_CTL void exec_hook_spec(struct leg *leg, const char *spec);
/* The variable's "command arguments" (sep between them) on a coroutine of its own; done as api_spawn's. ST_NOTFOUND:
 * there is no such variable; ST_DENIED: the command is named from outside. */
ON_CTL int exec_api_hook(
    struct leg *leg, const char *name, char sep, void (*done)(int status, struct sv reply, void *arg), void *arg);
ON_CTL void exec_hooks(struct leg *leg, const char *execute_prefix, const char *api_prefix);
/* The same; true: done is called when the last of them is over. */
ON_CTL bool exec_hooks_then(
    struct leg *leg, const char *execute_prefix, const char *api_prefix, void (*done)(void *arg), void *arg);

/* ---- leg_dtmf_way.c ---- */
enum dtmf_way { DTMF_WAY_NONE, DTMF_WAY_EVENTS, DTMF_WAY_OWN /* the endpoint's */, DTMF_WAY_TONES };
ON_CTL enum dtmf_way leg_dtmf_way(struct leg *leg); /* of telling its phone digits, as things stand */
ON_CTL int leg_dtmf_put(struct leg *leg, const char *digits, unsigned duration_ms); /* that way */
/* What says who looks at its digits, or how they travel, has changed: holds, bindings, the bridge, its stream, its SDP.
 * Its peer's are looked at as well. */
ON_CTL void leg_dtmf_capture_check(struct leg *leg);

/* ---- leg_dtmf.c ---- */
/* A key goes its ordinary way: to the application that collects, to a binding, or to the other leg. */
ON_CTL void leg_dtmf_deliver(struct leg *leg, char digit, unsigned duration, enum dtmf_source source);

/* ---- leg_tap.c, leg_recording.c ---- */
ON_CTL bool leg_tap_reported(struct leg *leg, const struct media_report *r); /* true: it was about a tap */
ON_CTL void leg_taps_end(struct leg *leg);
ON_CTL void leg_taps_fini(struct leg *leg);
ON_CTL void leg_record_check(struct leg *leg); /* it was answered, is bridged or no longer */

/* ---- leg_media.c ---- */
ON_CTL bool leg_media_is_closing(const struct leg *leg);
ON_CTL bool media_is_late(const struct leg *leg); /* its profile negotiates late */
ON_CTL void leg_media_free(struct leg *leg);
ON_CTL void leg_media_answered(struct leg *leg);         /* its timeouts count from now on */
ON_CTL int leg_media_join(struct leg *a, struct leg *b); /* relays; ST_UNSUPPORTED when the codecs cannot be joined */

/* ---- leg_bypass.c ---- */
ON_CTL void bypass_when_possible(struct leg *leg); /* leg_bypass_start, now or when its answer is acknowledged */
ON_CTL void bypass_unbridged(struct leg *leg);     /* its bridge is over: what waits for the other phone is answered */

/* ---- bridge.c ---- */
/* The after-bridge variables of a leg; true: it is taken care of (or gone, or on its way elsewhere). */
ON_CTL bool bridge_after(struct leg *leg);
ON_CTL int bridge_app_register(void);
ON_CTL void bridge_leg_answered(struct leg *leg); /* bridged in early media, it answered: its peer does too */
ON_CTL void bridge_hold_music(struct leg *leg, bool is_held); /* leg is held by its far side: its peer hears music */
/* While an application runs on one side of a bridge the two do not hear each other. Nothing for a leg without one. */
ON_CTL void bridge_suspend(struct leg *leg);
ON_CTL void bridge_resume(struct leg *leg);

/* ---- bridge_aside.c ---- */
ON_CTL void bridge_aside_leave(struct leg *leg); /* it leaves a bridge that is set aside, if it is in one */

/* ---- originate.c ---- */
ON_CTL void originate_leg_changed(struct leg *leg);   /* rings, early, answered or hung up while dialled */
ON_CTL void originate_cancel(struct leg *originator); /* it hung up or was sent elsewhere */
ON_CTL void originate_wake(struct leg *originator);   /* digits or requests came while it dials */

/* ---- limits.c ---- */
ON_CTL int limits_session_begin(bool is_outbound);
ON_CTL void limits_session_end(void);
ON_CTL uint64_t limits_serial(void);
ON_CTL void limits_count_answered(void);
ON_CTL void limits_count_bridged(void);
ON_CTL void limits_count_failed(void);
ON_CTL void limits_start(void);
ON_CTL void limits_stop(void);
