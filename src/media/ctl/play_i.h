/* Private to play.c and play_prepare.c: a play as control has it. The whole way is drawn above struct rt_part.
 *
 *   PREPARING: play_prepare.c: job -> (files are missing: the finder is asked, job again) -> (a file has two channels,
 *              and the phone takes two: another format, job again) -> (local stream: its ring is joined)
 *              -> mplay_to_media, or mplay_failed
 *   ON_MEDIA:  play.c: the rt_play is lent, refills are jobs; when the phone comes to a codec of another rate, what
 *              turns it to that is lent too
 *   DONE:      it came back, or never went
 *
 * The play of a tap goes to tap.c instead of the media thread (displace_ready). Freed when no job holds it. */
#pragma once
#include "loop/loop.h"
#include "media/ctl/ctl_i.h"

struct play_ask; /* of the finder */
enum { PLAY_EARLY_SETS_MAX = 8 };
enum mplay_phase { PHASE_PREPARING, PHASE_ON_MEDIA, PHASE_DONE };
struct mplay {
	struct lnode link; /* in the stream's plays */
	struct mstream *s; /* a reference */
	uint32_t id;
	enum mplay_phase phase;
	bool is_cancelled;
	uint32_t tap_id; /* for a displaced side: the tap that wants it, else 0 */
	struct media_codec codec;
	char own_ext[sizeof(((struct media_codec *)0)->name)],
	    backup_ext[EXT_MAX]; /* of files without one, in this order */
	uint32_t heard_hz;       /* the rate that the media thread has it for; 0: that of no codec we know */
	const struct codec_ops *ops;
	struct src src;
	int32_t loops_left;
	bool may_be_two;   /* the phone takes two channels, and what is kept has one so far */
	bool is_local_two; /* the local stream that it is has two */
	/* the worker's while a job runs */
	bool is_two; /* with may_be_two: a file has two */
	bool is_job_running, is_refill_wanted;
	int status;
	struct rt_play *play;
	struct clip_ref refs[PARTS_MAX]; /* of the cache, or new ones to go into it */
	bool is_new[PARTS_MAX], is_missing[PARTS_MAX];
	bool is_long;
	struct gen *gen;
	struct rt_ring *ring;
	struct lring *local;
	struct play_ask *asks[PARTS_MAX];
	size_t ask_count;
	bool is_asked;
	struct ldefer cancel_defer;
	struct {
		enum media_play_op op;
		int32_t value;
	} early_sets[PLAY_EARLY_SETS_MAX]; /* asked for before media had the play */
	size_t early_set_count;
};

/* ---- play.c ---- */
ON_CTL int mplay_store_set(struct mplay *p, const struct codec_ops *ops); /* how its sound is stored from now on */
ON_CTL void mplay_to_media(struct mplay *p);                              /* it is prepared; p may be gone */
ON_CTL void mplay_failed(struct mplay *p, int status); /* its owner or its tap is told; p may be gone */

/* ---- play_prepare.c ---- */
ON_CTL void mplay_clips_get(struct mplay *p); /* what the cache has of its files: what a job may begin with */
/* Begins, or goes on: one of the two above follows, unless mplay_asks_leave said that none will. */
ON_CTL int mplay_prepare(struct mplay *p);
/* Nobody waits for the finder's answers any more. False: it was not asked; the job tells the end. */
ON_CTL bool mplay_asks_leave(struct mplay *p);
