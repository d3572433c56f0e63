/* Media threads as control sees them: start, stop, the commands that go down and the reports that come up. Everything a
 * command points to is allocated by control and changes owner with it; what a media thread is done with comes back in a
 * report or is freed there between two packets. The media thread itself allocates nothing. */
#pragma once
#include "base/role.h"
#include "media/rt/media.h"
#include <stdatomic.h>
#include <stddef.h>

struct mailbox;
struct rt_thread;
struct rt_stream;

/* Reports of all threads go to one mailbox of control. */
ANY int rt_thread_start(struct rt_thread **out, unsigned index, struct mailbox *reports);
ANY void rt_thread_stop(struct rt_thread *t); /* joins; the streams must be closed before */
/* ST_FULL when the ring is full; the caller keeps the order. */
struct rt_cmd;
ANY int rt_thread_post(struct rt_thread *t, const struct rt_cmd *cmd);
/* The same without waking the thread, and the waking: for several commands in a row. */
ANY int rt_thread_put(struct rt_thread *t, const struct rt_cmd *cmd);
ANY void rt_thread_wake(struct rt_thread *t);
struct rt_counts {
	uint64_t rtp_in, rtp_out, rtp_dropped;
	uint64_t ticks, ticks_late;              /* wheel slots run; of these over 10 ms after their time */
	uint64_t tick_late_us, tick_late_max_us; /* sum and maximum of how late */
};
/* As of the last quarter of a second. Adds to the sums, raises the maximum. */
ANY void rt_thread_counts(const struct rt_thread *t, struct rt_counts *add_to);
ANY size_t rt_thread_commands_fill(const struct rt_thread *t); /* commands it has not taken yet */
enum { RT_COMMAND_SLOTS = 2048 };
ANY int64_t rt_thread_cpu_ns(const struct rt_thread *t); /* CPU time used so far */

/* A stream is made by control with its sockets open, lives on a media thread, and is freed by control after
 * RT_R_CLOSED. */
ANY int rt_stream_new(struct rt_stream **out, int rtp_fd, int rtcp_fd, void *owner);
ANY void rt_stream_free(struct rt_stream *s);
ANY void *rt_stream_owner(const struct rt_stream *s);
ANY void rt_stream_stats(const struct rt_stream *s, struct media_stats *out); /* only while control owns it */

/* Ring of encoded bytes or samples: one writer, readers keep their own position; what was written is never taken back.
 * Words are copied by relaxed atomics, so that a reader that came too late reads nonsense but nothing undefined. */
struct rt_ring {
	size_t cap;               /* bytes, power of two, multiple of 8 */
	_Atomic uint64_t written; /* by the writer */
	_Atomic uint64_t read;    /* by the only reader, where there is one */
	atomic_bool is_ended;     /* nothing more will be written */
	_Alignas(8) uint8_t bytes[];
};
ANY int rt_ring_new(struct rt_ring **out, size_t min_bytes);        /* mem_new_atomic */
ANY void rt_ring_write(struct rt_ring *r, const void *p, size_t n); /* the caller saw to the room */
ANY void rt_ring_copy(const struct rt_ring *r, uint64_t at, void *p, size_t n);

/* One part of a play, in the play's codec. */
enum rt_part_kind { RT_PART_NONE, RT_PART_CLIP, RT_PART_SILENCE, RT_PART_RING, RT_PART_CLOCK };
struct rt_clip { /* mem_new_atomic; shared by all who hear it */
	size_t bytes_count;
	uint8_t *bytes;
};
ANY int rt_clip_new(struct rt_clip **out, size_t bytes_count);
struct rt_part {
	enum rt_part_kind kind;
	struct rt_clip *clip; /* RT_PART_CLIP */
	uint64_t bytes_count; /* of a clip (looped over) or of silence */
	bool is_endless;
	struct rt_ring *ring;   /* RT_PART_RING: read from its `read`; RT_PART_CLOCK: position by the clock */
	int64_t clock_start_us; /* RT_PART_CLOCK: the moment of the ring's byte 0 */
};
/* A play: made by control, lent to the media thread, comes back with RT_R_PLAY_DONE. */
struct rt_play {
	struct rt_play *next; /* media thread's */
	uint32_t id;
	struct media_codec codec; /* of the bytes; sample-based */
	uint8_t bytes_per_sample;
	uint8_t silence;    /* the byte that stands for it */
	int32_t loops_left; /* -1 = for ever, else times to go after this one */
	size_t part_count, part_now;
	uint64_t at; /* bytes into the part */
	int status;
	bool was_started;
	uint32_t ts; /* RTP timestamp of the frame sent last */
	uint64_t sent_samples;
	struct rt_part parts[];
};
ANY struct rt_play *rt_play_new(size_t part_count);
ANY void rt_play_free(struct rt_play *p); /* drops its references */

/* A record: made by control; the media thread writes samples into the ring, a worker drains it into the file. */
struct rt_record {
	struct rt_record *next; /* media thread's */
	uint32_t id;
	struct media_record_conf conf;
	uint32_t rate_hz;
	uint8_t channels;
	struct rt_ring *ring;                  /* int16 samples */
	uint64_t limit_frames, silence_frames; /* 0 = none */
	/* the media thread's */
	int status;
	uint64_t frames_done, quiet_frames, dropped_frames /* the disk was too slow */;
	uint64_t at;       /* the timeline: frames since the start */
	bool is_drain_due; /* to be reported */
	bool was_drain_told;
	struct rt_tap *taps[2]; /* read side, write side */
};
/* in_rates: sampling rates of the two sides' codecs, read and write. */
ANY int rt_record_new(
    struct rt_record **out, const struct media_record_conf *conf, uint32_t rate_hz, const uint32_t in_rates[2]);
ANY void rt_record_free(struct rt_record *r);

/* Turns one codec into another; made by control for a relay whose sides differ. */
struct rt_xcode;
/* NULL in *out when packets can be passed through; ST_UNSUPPORTED when the two cannot be joined. */
ANY int rt_xcode_new(struct rt_xcode **out, const struct media_codec *from, const struct media_codec *to);
ANY void rt_xcode_free(struct rt_xcode *x);
/* A line of delayed packets for an echo. */
struct rt_delay;
ANY int rt_delay_new(struct rt_delay **out, unsigned delay_ms, unsigned bytes_per_ms /* of the codec */);
ANY void rt_delay_free(struct rt_delay *d);

struct rt_stats {
	struct rt_stats *next; /* media thread's */
	struct media_stats stats;
};

enum rt_cmd_kind {
	RT_C_NONE,
	RT_C_OPEN,    /* s: taken in */
	RT_C_MOVE,    /* s goes to thread `to`, which reports RT_R_MOVED */
	RT_C_PARAMS,  /* ptr: struct media_params, freed there */
	RT_C_TIMEOUT, /* number: ms */
	RT_C_IDLE,
	RT_C_RELAY,       /* s, peer; ptr: xcode s -> peer, ptr2: xcode peer -> s */
	RT_C_ECHO,        /* ptr: struct rt_delay or NULL; ptr2: xcode or NULL */
	RT_C_MUTE,        /* number: bit 0 read, bit 1 write */
	RT_C_CAPTURE,     /* number: 1 = digits that come in are told only, 0 = relayed as well */
	RT_C_PLAY,        /* ptr: struct rt_play; replaces what plays */
	RT_C_PLAY_STOP,   /* number: id or 0 */
	RT_C_RECORD,      /* ptr: struct rt_record */
	RT_C_RECORD_STOP, /* number: id or 0 */
	RT_C_DTMF,        /* text: digits; number: duration in ms */
	RT_C_STATS,       /* ptr: struct rt_stats to fill */
	RT_C_CLOSE,
	RT_C_QUIT
};
#define RT_DTMF_TEXT_MAX 64
struct rt_cmd {
	enum rt_cmd_kind kind;
	uint32_t number;
	struct rt_stream *s;
	union {
		struct {
			struct rt_stream *peer;
			void *ptr, *ptr2;
		};
		struct rt_thread *to;
		char text[RT_DTMF_TEXT_MAX];
	};
};

enum rt_report_kind {
	RT_R_NONE,
	RT_R_EVENT,        /* what is in `event` goes to the stream's owner as it is */
	RT_R_PLAY_DONE,    /* ptr: the struct rt_play comes back */
	RT_R_PLAY_REFILL,  /* number: id; its ring is half empty */
	RT_R_RECORD_DONE,  /* ptr: the struct rt_record comes back, the ring may still hold samples */
	RT_R_RECORD_DRAIN, /* number: id; its ring is half full */
	RT_R_STATS,        /* ptr: the filled struct rt_stats */
	RT_R_MOVED,        /* s lives on another thread now */
	RT_R_CLOSED        /* s comes back; its sockets are closed */
};
struct rt_report {
	enum rt_report_kind kind;
	uint32_t number;
	struct rt_stream *s;
	void *owner;
	void *ptr;
	enum media_report_kind event;
	char digit;
	uint16_t duration;
	bool is_captured;
	struct addr addr;
};
