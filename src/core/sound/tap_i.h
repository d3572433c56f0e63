/* A tap as core keeps it: for tap.c (life, levels, displaced sound), watch.c (tones, keys, energy, listening
 * in) and recording.c. */
#pragma once
#include "core/sound/sound_i.h"
#include "core/sound/tap.h"

enum leg_tap_kind {
	LEG_TAP_LEVEL,
	LEG_TAP_DISPLACE,
	LEG_TAP_TONE,
	LEG_TAP_DTMF,
	LEG_TAP_GENERATE,
	LEG_TAP_SPY,
	LEG_TAP_RECORD,
	LEG_TAP_EAR,
	LEG_TAP_CADENCE,
	LEG_TAP_PREPROCESS
};
struct leg_tap {
	struct lnode link; /* in the leg's taps */
	struct leg *leg;   /* on whom it is; not counted: goes with the leg */
	enum leg_tap_kind kind;
	char *target;
	uint32_t id;    /* of the stream's tap or record; 0 = none of its own */
	bool is_told;   /* MEDIA_BUG_START was fired */
	bool is_hidden; /* one of several that FreeSWITCH shows as one */
	bool is_ending; /* stopped; its report is awaited */
	struct ltimer timer;
	/* by kind */
	struct media_level level;
	const struct leg_ear *ear;
	char *path;           /* displaced, recorded: as it was given */
	char *file;           /* recorded: the file alone, of target */
	struct leg *listener; /* spy: not counted: it stops when it goes */
	char *app, *data;     /* tone */
	bool (*heard)(struct leg *leg, const char *data);
	struct media_tone_conf tone;
	bool is_once, is_heard, is_fax;
	struct leg_cadence *cadence;
	struct media_preproc_conf preproc;
	struct vars *vars; /* recording: its own, or NULL */
	bool is_masked, is_paused, wants_answer, wants_bridge, is_halted, is_mask_new;
	bool hangs_up_on_error;
	uint32_t rate_hz;
	unsigned limit_s;
	uint8_t sides; /* recording: of which ways, recording.c */
	char *follows; /* a recording that goes on with that leg (uuid) when it is over here */
};
ON_CTL int leg_tap_ready(struct leg *leg); /* pre-answers; ST_UNSUPPORTED without sound */
ON_CTL struct leg_tap *leg_tap_new(struct leg *leg, enum leg_tap_kind kind, const char *target);
ON_CTL void leg_tap_told(struct leg_tap *t); /* it is there: MEDIA_BUG_START */
/* Of that kind, not ending, and called so. */
ON_CTL bool leg_tap_is(const struct leg_tap *t, enum leg_tap_kind kind, const char *path /* NULL = any */);
ON_CTL struct leg_tap *leg_tap_find(struct leg *leg, enum leg_tap_kind kind, const char *path /* NULL = any */);
ON_CTL struct leg_tap *leg_tap_find_id(struct leg *leg, uint32_t id);
ON_CTL void leg_tap_free(struct leg_tap *t); /* MEDIA_BUG_STOP when it was told */
ON_CTL void leg_tap_stop(struct leg_tap *t); /* the stream lets go; freed here or when that is reported */

/* watch.c */
ON_CTL void leg_tone_heard(struct leg_tap *t);
ON_CTL void leg_cadence_heard(struct leg_tap *t, uint32_t tone);
ON_CTL void leg_spy_over(struct leg *listener, uint32_t id);
/* ear.c */
ON_CTL void leg_ear_over(struct leg_tap *t, const struct media_report *r); /* r NULL: stopped */
/* recording.c */
ON_CTL void leg_record_over(struct leg_tap *t, const struct media_report *r); /* r NULL: nothing is known of its end */

/* tap.c */
ON_CTL bool leg_tap_reported(struct leg *leg, const struct media_report *r); /* true: it was about a tap */
ON_CTL void leg_taps_end(struct leg *leg);
ON_CTL void leg_taps_fini(struct leg *leg); /* before the last events: what has not been reported by now */
