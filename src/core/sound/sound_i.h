/* What the files of sound keep of a leg. */
#pragma once
#include "base/list.h"
#include "core/leg/leg_core.h"
#include "core/sound/sound_core.h"

struct leg_media;
struct leg_tap;
struct leg_sound {
	struct leg_media *media; /* NULL before the endpoint has said what its profile says; outlives the leg */
	struct list taps;        /* tap.h */
	struct leg_tap *spy;     /* of the leg it listens to, and its number there */
	uint32_t spy_id;
	bool are_read_digits_tones;
	bool is_joined_at_answer;
	/* leg_wait_energy */
	uint32_t watch_id;
	bool is_watch_over;
	unsigned watch_heard, watch_hits;
	/* the latest report of a play and of a recording, for leg_play and leg_record */
	uint32_t begun_play_id, done_play_id, done_record_id;
	uint32_t record_id;    /* of the record that an application waits for, or 0 */
	uint32_t idle_play_id; /* what it hears while it only waits, or 0 */
	bool is_record_paused;
	int done_play_status, done_record_status;
	uint64_t done_play_samples, done_record_samples;
	bool was_record_silent;
	unsigned stats_count; /* reports so far */
};
/* The URL without its marks, which may be around what is below the server only; NULL after a line in the log. */
ON_CTL char *leg_url_dup(struct leg *leg, const char *text); /* target.c */
static inline struct leg_sound *sound_of(const struct leg *leg)
{
	return leg_part_of(leg, &sound_part);
}
