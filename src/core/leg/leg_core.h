/* A leg as the rooms of core see it and nobody else. */
#pragma once
#include "base/mem.h"
#include "core/leg/leg.h"
#include "core/registry/endpoint.h"
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

/* ---- state.c ---- */
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

/* PRESENCE_IN when the leg has a presence_id and somebody listens. */
#define leg_presence(leg, status) leg_presence_at((leg), (status), __func__, __LINE__)
ON_CTL void leg_presence_at(struct leg *leg, const char *status, const char *func, int line);

ON_CTL void leg_flip_cid(struct leg *leg);
ON_CTL void leg_show_callee(struct leg *a, const struct leg *b); /* A learns whom it reached */

ON_CTL void leg_end_go(struct leg *leg); /* something the teardown waits for may be over */
ON_CTL void leg_hooks_run(struct leg *leg, enum leg_hook hook);
ON_CTL void leg_hooks_clear(void);
