/* Playing to a leg. */
#pragma once
#include "core/leg/leg.h"

/* Play to the leg (pre-answers an unanswered inbound leg); ends at end of source, a terminator digit, break, hang-up.
 * source: text with marks (text/mark.h): a file (relative: under sound_prefix), a source of media/ctl/mctl.h,
 * "phrase:macro[:data]", "say:text"; several with playback_delimiter between them. ST_DENIED: outside bytes name what
 * they must not. Fires PLAYBACK_START/STOP, sets playback_* variables. terminators NULL
 * = variable playback_terminators, default "*". digit_out may be NULL. ST_NOTFOUND when the file cannot be opened;
 * ST_TIMEOUT when playback_timeout_sec or playback_timeout_sec_cumulative ended it, unless playback_timeout_as_success
 * makes that ST_OK. */
CO int leg_play(struct leg *leg, const char *source, const char *terminators, char *digit_out);
/* Whether one of these two bounds what the leg plays. */
ON_CTL bool leg_play_is_limited(struct leg *leg);
/* Who looks at keys and the like himself while something plays or is recorded: goes_on is called at the start and each
 * time the leg was woken (leg_wake); it may take digits and wait; false ends the play. Digits it does not take stay
 * queued. goes_on may be NULL. */
struct leg_watch {
	bool (*goes_on)(struct leg *leg, void *arg); /* begins with role_assert_co() */
	void *arg;
	bool is_prompt; /* no music that is waited with: playback_timeout_sec bounds it */
	bool ends_well; /* may be set while it plays: however it ends, PLAYBACK_STOP says done, not break */
};
CO int leg_play_watched(struct leg *leg, const char *source, const struct leg_watch *watch);
/* The same in one, for what plays several sources one after another. */
struct leg_play_end {
	const char *terminators;       /* as leg_play's */
	const struct leg_watch *watch; /* instead of terminators, or NULL */
	char digit;                    /* out: the terminator, or 0 */
	bool is_ended;                 /* out: by the terminator or the watch */
};
CO int leg_play_until(struct leg *leg, const char *source, struct leg_play_end *end);
/* The source as the media side takes it: relative files, those of a file_string:// too, under sound_prefix. source is
 * text with marks, and so is what comes back (mstream_play reads it). Free with mem_free. NULL: no memory. */
ON_CTL char *leg_source_full(struct leg *leg, const char *source);
