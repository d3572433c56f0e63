/* What the files of this room share; all of it belongs to the control thread. */
#pragma once
#include "base/list.h"
#include "base/status.h"
#include "media/ctl/mctl.h"
#include "media/rt/rt.h"

struct file_reader;
struct mroom_in;
struct codec_ops;
enum { CLIP_MAX_S = 60, PARTS_MAX = 128, SOURCE_TEXT_MAX = 16384 };

enum join_kind { JOIN_NONE, JOIN_RELAY, JOIN_ECHO };
struct held_cmd {
	struct held_cmd *next;
	unsigned thread;
	struct rt_cmd cmd;
};
struct cmd_queue {
	struct held_cmd *first, **last;
};
/* A stream as control has it, and the two ways between it and the media thread:
 *
 *   call -> mstream_... -> what is wanted is kept here -> mstream_post -> held while it moves -> overflow while the
 *           thread's ring is full -> ring of its thread -> rt/stream.c: stream_cmd
 *   rt/report.c -> ring of all threads -> mctl.c: report_in -> play.c, record.c, tap.c, or fn: the call
 */
enum { EXT_MAX = 16 };
struct mstream {
	struct lnode link;
	struct rt_stream *rt;
	unsigned thread;
	media_report_fn fn;
	void *arg;
	struct addr local, learned;
	uint16_t port; /* 0: none of its own */
	bool is_wired; /* without ports */
	bool has_wire;
	bool has_jitter;  /* the media thread has one */
	bool has_comfort; /* the same */
	bool has_params, is_learned, is_moving, is_closing, is_rt_closed, has_dtmf_room;
	unsigned digit_flags; /* enum rt_digit_flag */
	enum join_kind join;  /* what is wanted; told to the media thread when it can be */
	struct mstream *peer;
	struct mstream *carrier, *riders[2]; /* of a bundle */
	unsigned delay_ms;
	struct media_params params;
	struct media_jitter_conf jitter;
	struct media_comfort_conf comfort;
	bool is_comfort_wanted;
	char *fmtp;            /* of params.send */
	struct cmd_queue held; /* while it moves */
	struct list plays, records;
	char backup_ext[EXT_MAX];        /* of files without one that are not there in the codec's own */
	struct list taps, spying;        /* on it; whom it listens to */
	struct media_stats *final_stats; /* once the media thread has let go of it */
};

/* load.c: which thread gets a stream */
struct mctl_thread {
	struct rt_thread *rt;
	size_t streams;
	uint64_t moves;
	/* as of load_at_us */
	uint64_t cpu_us; /* used so far */
	uint64_t load;   /* microseconds of CPU a second, lately */
	size_t load_streams, peak_streams /* since then */;
};
enum { THREAD_STREAMS_MAX = 15000 };
ON_CTL void load_stream_came(unsigned thread);
ON_CTL void load_stream_went(unsigned thread);
ON_CTL bool load_has_room(unsigned thread);
ON_CTL int load_choose(unsigned *thread); /* the least loaded; ST_FULL */

/* mctl.c */
struct mctl {
	bool is_on;
	struct mctl_conf conf;
	unsigned thread_count;
	struct mctl_thread threads[MCTL_THREADS_MAX];
	struct mailbox *reports;
	struct cmd_queue overflow; /* a thread's ring was full */
	struct list streams;
	size_t stream_count, job_count;
	int64_t load_at_us;
	uint32_t next_id;
	uint64_t record_lost_samples, records_failed;
};
extern struct mctl mctl;
/* Hands the command over, in order: at once, or when the stream has arrived, or when the ring has room. */
ON_CTL int mstream_post(struct mstream *s, struct rt_cmd *cmd);
ON_CTL void mstream_report(struct mstream *s, const struct media_report *r);
ON_CTL void mstream_closed_try(struct mstream *s); /* tells CLOSED when nothing is left */
ON_CTL void cmd_queue_add(struct cmd_queue *q, unsigned thread, const struct rt_cmd *cmd);
ON_CTL bool cmd_queue_take(struct cmd_queue *q, unsigned *thread, struct rt_cmd *cmd);

/* port.c: the pool of port pairs */
ON_CTL int ports_init(uint16_t min, uint16_t max);
ON_CTL void ports_fini(void);
ON_CTL size_t ports_free_count(void);
/* Binds an even port of host and the next one; ST_FULL when none is left. */
ON_CTL int ports_take(struct addr *host, int *rtp_fd, int *rtcp_fd);
ON_CTL void ports_give(uint16_t port);

/* source.c: the text of a source, read */
struct src_part {
	enum src_kind kind;
	char *text;             /* path, TGML, name of the local stream */
	char *path;             /* the file that was found for it; NULL = text is it */
	char *known;            /* what the finder found for it before, or NULL */
	int64_t ms;             /* silence; -1 = for ever */
	uint32_t noise;         /* divisor, 0 = digital silence */
	char ext[EXT_MAX];      /* that was put behind a text without one, or "" */
	uint64_t start_samples; /* of a file: "@@N" behind it, at the rate that it is played at */
};
struct src {
	size_t count;
	struct src_part parts[PARTS_MAX];
	bool has_loops;
	int32_t loops;
};
ANY int src_parse(struct src *out, const char *text); /* ST_INVAL, ST_DENIED */
ANY void src_fini(struct src *s);

/* clip.c: prompts kept encoded */
struct clip_key {
	char *text; /* codec, rate, channels, path */
};
struct clip_ref {
	struct rt_clip *clip;
	int64_t mtime_ns;
	uint64_t file_bytes;
	uint8_t file_channels;
};
ON_CTL void clips_init(size_t max_bytes);
ON_CTL void clips_fini(void);
/* A reference to what is kept for it; clip NULL when nothing is. The worker compares the times with the file's. found:
 * what the finder found for it then, a copy; left alone when there is none. */
ON_CTL struct clip_ref clips_get(const char *path, const struct media_codec *codec, char **found);
ON_CTL void clips_put(const char *path, const struct media_codec *codec, const struct clip_ref *ref, const char *found);
ON_CTL void clips_forget_found(void);

/* gen.c (workers): sources to bytes */
struct gen;
ON_WORK int gen_clip_of_file(
    struct rt_clip **out, const char *path, const struct codec_ops *codec, bool *is_long, unsigned *file_channels);
ON_WORK int gen_file_channels(const char *path, unsigned *channels);
ON_WORK int gen_clip_of_tone(
    struct rt_clip **out, const char *tgml, const struct codec_ops *codec, bool *is_endless, bool *is_long);
ON_WORK int gen_clip_of_noise(struct rt_clip **out, uint32_t ms, uint32_t divisor, const struct codec_ops *codec);
ON_WORK int gen_new(
    struct gen **out, const struct src *src, int32_t loops, const struct codec_ops *codec); /* copies src's texts */
/* Writes until the ring holds until bytes in all, or the end (then the ring is marked ended). */
ON_WORK int gen_fill(struct gen *g, struct rt_ring *r, uint64_t until);
ON_WORK void gen_free(struct gen *g);

/* play_prepare.c */
extern mctl_find_fn play_finder, play_url_finder;

/* play.c */
struct mplay;
ON_CTL void play_returned(struct mstream *s, struct rt_play *p);
/* Prepares a source in codec for a tap, which gets it by displace_ready; id of its own. */
ON_CTL int play_prepare(
    struct mstream *s, const char *source, int loops, const struct media_codec *codec, uint32_t tap_id);
ON_CTL void play_unprepare(struct mstream *s, uint32_t tap_id); /* it is not wanted any more */
ON_CTL struct rt_play *play_rt(struct mplay *p);                /* borrowed */
ON_CTL void play_lent(struct mplay *p); /* it is on its way to the media thread; play_returned ends it */
ON_CTL void play_drop(struct mplay *p);
ON_CTL void play_refill(struct mstream *s, uint32_t id);
ON_CTL void plays_cancel(struct mstream *s, uint32_t id);
/* It is heard at that rate when it is lent next; 0: a codec that is not known. */
ON_CTL int play_fit(struct mplay *p, uint32_t to_hz);
ON_CTL struct mplay *play_back(struct mstream *s, struct rt_play *p); /* to be lent again; borrowed, as by play_rt */
ON_CTL void plays_params_changed(struct mstream *s);

/* tap.c */
/* p is the tap's now, or is dropped; with a failure there is none to be had. */
ON_CTL void displace_ready(struct mstream *s, uint32_t id, struct mplay *p, int status);
ON_CTL void tap_reported(struct mstream *s, struct rt_tap *tap);
ON_CTL void tap_event(struct mstream *s, uint32_t id, uint32_t number);
ON_CTL void taps_params_changed(struct mstream *s);
ON_CTL void taps_moved(struct mstream *s);
ON_CTL void taps_close(struct mstream *s);

ON_CTL int tap_can(const struct mstream *s); /* ST_CLOSED, ST_INVAL: no parameters yet, ST_UNSUPPORTED: its codec */
ON_CTL int tap_room(struct mstream *s, struct mroom_in *in, uint32_t *id_out);

/* room.c: what its taps ask and tell */
struct rt_tap;
ON_CTL int mroom_tap_make(const struct mroom_in *in, struct rt_tap **out);
ON_CTL void mroom_tap_event(struct mroom_in *in);
ON_CTL void mroom_tap_over(struct mroom_in *in, int status);

/* stream.c */
ON_CTL int mstream_move(struct mstream *s, unsigned thread); /* moved() follows; ST_FULL: that thread has no room */
ON_CTL void bundle_apply(struct mstream *s); /* it and those it is bundled with are where they should be: tied again */

/* stream_join.c */
ON_CTL void join_apply(struct mstream *s); /* the media thread is told what is wanted, if it can be done now */
ON_CTL void join_part(struct mstream *s);  /* it and its peer want nothing of one another any more; nothing is told */

/* stream_params.c */
/* Do packets of these two parameters of a far side (fmtp: its format parameters, or NULL) have two channels that are
 * worth to be kept: does it send two, does it take two? */
ANY bool params_send_two(const struct media_params *p, const char *fmtp);
ANY bool params_take_two(const struct media_params *p, const char *fmtp);
ANY uint32_t codec_rate_hz(const struct media_codec *c); /* of its samples; 0: it is not known */
/* A codec that codes at any rate (opus) codes at its partner's: no resampler, and less to do. Not while somebody else
 * works with its samples. */
ON_CTL void stream_rate_follow(struct mstream *s, uint32_t rate_hz);
ON_CTL void stream_rates_meet(struct mstream *a, struct mstream *b); /* the same of two whose codecs differ */

/* record.c */
ON_CTL void record_reported(struct mstream *s, struct rt_record *r);
ON_CTL void record_drain(struct mstream *s, uint32_t id);
ON_CTL void records_params_changed(struct mstream *s);

/* local.c: local_stream:// */
struct lring;
typedef void (*lring_ready_fn)(int status, struct lring *r, void *arg);
/* Calls fn once, when the name's stream in this codec runs; r is held for the caller until lring_leave. */
ON_CTL int lring_join(const char *name, const struct media_codec *codec, lring_ready_fn fn, void *arg);
ON_CTL bool lring_has_two(const char *name, uint32_t rate_hz); /* the stream that would be joined has two channels */
ON_CTL void lring_leave(struct lring *r);
ON_CTL struct rt_ring *lring_ring(struct lring *r);
ON_CTL int64_t lring_start_us(const struct lring *r);
