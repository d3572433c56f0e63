/* Private to play.c and record.c: what playing and recording from an application have in common. */
#pragma once
#include "core/event/event.h"
#include "core/sound/play.h"

/* What may end a play or a record besides its own end: a watch, else a digit of terminators; and playback_timeout_sec.
 */
struct play_ender {
	const struct leg_watch *watch;
	char *terminators;
	char digit; /* that ended it, or 0 */
	bool is_ended;
	int64_t left_us; /* of playback_timeout_sec; 0: no bound */
	bool is_left_used, is_cumulative, is_timeout_success, is_timed_out;
};
/* terminators, as leg_play's, count without a watch only. The owner frees e->terminators. */
ON_CTL void play_ender_init(
    struct play_ender *e, struct leg *leg, const char *terminators, const struct leg_watch *watch);
/* Pre-answers where that is due; ST_UNSUPPORTED: there is no sound on this leg. */
ON_CTL int play_make_ready(struct leg *leg);
/* The event, with its file under path_name; status may be NULL. */
ON_CTL void play_fire(struct leg *leg, enum event_id id, const char *path_name, const char *path, const char *status);
/* Waits until the report with that id, or what the ender says; ST_HANGUP, ST_CANCELLED, ST_TIMEOUT (the bound, unless
 * that counts as success). */
CO int play_wait_done(struct leg *leg, const uint32_t *done_id, uint32_t id, struct play_ender *e);
