/* Media threads as control sees them: start, stop, the commands that go down and the reports that come up. Everything a
 * command points to is allocated by control and changes owner with it; what a media thread is done with comes back in a
 * report or is freed there between two packets. The media thread itself allocates nothing. */
#pragma once
#include "base/role.h"
#include "codec/codec.h"
#include "dsp/noise.h"
#include "dsp/tonedet.h"
#include "dsp/vad.h"
#include "media/rt/media.h"
#include <stdatomic.h>
#include <stddef.h>

struct mailbox;
struct rt_thread;
struct rt_stream;

/* Reports of all threads go to one mailbox of control. */
ANY int rt_thread_start(struct rt_thread **out, unsigned index, struct mailbox *reports);
ANY void rt_thread_stop(struct rt_thread *t); /* joins; the streams must be closed before */
ANY void rt_thread_free(struct rt_thread *t); /* when all have stopped: they post to each other */
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
	uint64_t kernel_flows, kernel_packets;   /* relayed by the kernel (media/rt/kernel.h) */
	uint64_t kernel_xdp_packets;             /* of them by XDP */
};
/* As of the last quarter of a second. Adds to the sums, raises the maximum. */
ANY void rt_thread_counts(const struct rt_thread *t, struct rt_counts *add_to);
ANY size_t rt_thread_commands_fill(const struct rt_thread *t); /* commands it has not taken yet */
enum { RT_COMMAND_SLOTS = 2048 };
ANY int64_t rt_thread_cpu_ns(const struct rt_thread *t); /* CPU time used so far */

/* A stream is made by control with its sockets open, lives on a media thread, and is freed by control after
 * RT_R_CLOSED. rtcp_fd -1: RTCP goes with RTP on the one socket. */
struct rt_finder;
ANY int rt_stream_new(struct rt_stream **out, int rtp_fd, int rtcp_fd, const struct rt_finder *finder, void *owner);
ANY void rt_stream_free(struct rt_stream *s);
ANY void *rt_stream_owner(const struct rt_stream *s);
ANY void rt_stream_stats(const struct rt_stream *s, struct media_stats *out); /* only while control owns it */

/* What encodes and decodes a stream's packets: made by control for the codecs of its parameters, the media thread's
 * from then on. One of each, whoever makes the sound or wants it: what a codec remembers is of the packets that went
 * before. ops NULL: a codec that is only passed through. */
struct rt_coders {
	struct codec_enc enc;  /* of what is sent */
	struct codec_dec dec;  /* of what comes */
	struct codec_dec sent; /* of what was sent, for those who listen to that side */
	struct rt_red *red;    /* what is sent goes with what was sent before (red.c); NULL: alone */
	struct rt_fec *fec;    /* of a passed line with RED and parity (fec.c); NULL: without */
};
ANY struct rt_dtmf_room *rt_dtmf_room_new(void);                             /* for 128 digits; NULL: no memory */
ANY int rt_coders_new(struct rt_coders **out, const struct media_params *p); /* ST_UNSUPPORTED: p->fmtp */
ANY void rt_coders_free(struct rt_coders *c);
ANY int rt_red_new(struct rt_red **out);
ANY void rt_red_free(struct rt_red *r);
ANY int rt_fec_new(struct rt_fec **out);
ANY void rt_fec_free(struct rt_fec *c);

/* ---- plug-ins of a stream ----------------------------------------------------------------------------------------
 * Two things about a far side that differ from call to call and that the walk of a packet (flow.c) knows nothing of:
 * how packets are protected, and where they go and come from. Each is an object with a table, made by control, whose
 * own data lie behind the base; the media thread has it from RT_C_CRYPT or RT_C_FINDER on and frees the one before, so
 * that new keys are a new object. The functions run on the media thread (role_assert_media) between two packets, but
 * free. What is neither RTP nor RTCP goes to the one it is meant for by its first byte (RFC 7983). */
struct rt_crypt;
struct rt_told;
struct rt_crypt_ops {
	const char *name;
	/* One whole packet in place; what is returned is its new length, negative drops and counts it. protect may
	 * write up to RT_CRYPT_TAIL bytes behind. */
	int (*protect)(struct rt_crypt *c, bool is_rtcp, uint8_t *p, size_t n);
	int (*unprotect)(struct rt_crypt *c, bool is_rtcp, uint8_t *p, size_t n);
	/* DTLS, ZRTP; may be NULL: skipped. p is valid during the call. */
	void (*packet)(struct rt_crypt *c, struct rt_stream *s, const struct addr *from, const uint8_t *p, size_t n);
	/* A message of control's (RT_C_CRYPT_TELL), borrowed; may be NULL: dropped. */
	void (*told)(struct rt_crypt *c, struct rt_stream *s, const struct rt_told *told);
	/* One will be protected, or unprotected, soon: what that needs is fetched from memory. May be NULL. */
	void (*fetch)(const struct rt_crypt *c, bool is_out);
	/* It takes the place of before, which is freed next; may be NULL. */
	void (*follow)(struct rt_crypt *c, struct rt_crypt *before);
	void (*free)(struct rt_crypt *c);
};
struct rt_crypt { /* a stream without one is plain: one branch a packet, no call */
	const struct rt_crypt_ops *ops;
};
enum { RT_CRYPT_TAIL = 64 };

struct rtp_packet;
struct rt_told { /* at the front of a message; whoever made it knows what is behind */
	void (*free)(struct rt_told *t);
};
struct rt_finder_ops {
	const char *name;
	/* There are new parameters, or another socket: sets where the stream sends (stream_target_set), connects. */
	void (*follow)(const struct rt_finder *n, struct rt_stream *s);
	/* The socket is not connected: may this one be taken? Of RTP, already unprotected; of RTCP on its own socket.
	 */
	bool (*takes_rtp)(
	    const struct rt_finder *n, struct rt_stream *s, const struct addr *from, const struct rtp_packet *k);
	bool (*takes_rtcp)(const struct rt_finder *n, struct rt_stream *s, const struct addr *from, uint32_t ssrc);
	/* May a handshake (DTLS, ZRTP) come from there, and, of a finder with packet, RTCP on the RTP port? Signalled,
	 * or proven by checks; NULL: from nobody. */
	bool (*vouches)(const struct rt_finder *n, const struct rt_stream *s, const struct addr *from);
	/* A packet that nobody answers for: damaged, or unprotect refused it. */
	void (*refused)(const struct rt_finder *n, struct rt_stream *s, bool is_rtcp);
	/* STUN, TURN's channel data; may be NULL: skipped. */
	void (*packet)(
	    const struct rt_finder *n, struct rt_stream *s, const struct addr *from, const uint8_t *p, size_t count);
	void (*house)(
	    const struct rt_finder *n, struct rt_stream *s); /* about once a second: keep-alives; may be NULL */
	/* On the stream's ticks, while it needs TICK_FINDER; may be NULL. */
	void (*tick)(const struct rt_finder *n, struct rt_stream *s);
	/* A message of control's (RT_C_FINDER_TELL), borrowed; may be NULL: dropped. It knows its own. */
	void (*told)(const struct rt_finder *n, struct rt_stream *s, struct rt_told *told /* freed after it */);
	void (*leave)(const struct rt_finder *n,
	    struct rt_stream *s);          /* another takes its place: the socket is as it was opened; may be NULL */
	void (*free)(struct rt_finder *n); /* NULL: it is constant */
};
struct rt_finder {
	const struct rt_finder_ops *ops;
};
extern const struct rt_finder rt_finder_rides; /* bundle.c: no socket of its own, another stream carries it */
extern const struct rt_finder rt_finder_learn; /* source.c: a UDP socket whose far side signalling names, or learned */
extern const struct rt_finder
    rt_finder_wired; /* wired.c: the stream at the other end of a pair of sockets, or nobody */
/* For plug-ins, on the media thread: sends bytes of their own on the stream's (first) socket, as they are; where the
 * stream sends from now on (not set: nowhere). */
ANY void rt_stream_send(struct rt_stream *s, const struct addr *to, const uint8_t *p, size_t n);
ANY void rt_stream_target_set(struct rt_stream *s, const struct addr *rtp, const struct addr *rtcp);

/* Tells control that there is something to be fetched from the plug-in, by whatever the two share (a ring, atomics):
 * MEDIA_R_PLUG with these bits (enum media_plug_bit), several in one. Never lost. */
ANY void rt_stream_plug_tell(struct rt_stream *s, uint32_t bits);

/* Ring of encoded bytes or samples: one writer, readers keep their own position; what was written is never taken back.
 * Words are copied by relaxed atomics, so that a reader that came too late reads nonsense but nothing undefined. */
struct rt_ring {
	size_t cap;               /* bytes, power of two, multiple of 8 */
	_Atomic uint64_t written; /* by the writer */
	_Atomic uint64_t read;    /* by the only reader, where there is one */
	_Atomic uint64_t dropped; /* what the writer had no room for, in its own units */
	atomic_bool is_ended;     /* nothing more will be written */
	_Alignas(8) uint8_t bytes[];
};
ANY int rt_ring_new(struct rt_ring **out, size_t min_bytes);        /* mem_new_atomic */
ANY void rt_ring_write(struct rt_ring *r, const void *p, size_t n); /* the caller saw to the room */
/* Writes at a place that is not told yet: `written` is the caller's to move. */
ANY void rt_ring_stage(struct rt_ring *r, uint64_t at, const void *p, size_t n);
ANY void rt_ring_copy(const struct rt_ring *r, uint64_t at, void *p, size_t n);

/* The way of a sound to a phone, from the text of its source on:
 *
 *   control   mstream_play -> source.c: parts      (a tap's: displaced sound, the same way)
 *   workers     file, tone, noise -> gen.c: decoded, resampled, encoded -> clip, kept and shared (ctl/clip.c)
 *               what is long      -> gen.c: piece by piece --------------> ring of 4 s <- refill, when half is read
 *               local_stream      -> ctl/local.c: one ring for all, 4 s ahead of the clock
 *   control   struct rt_play: parts in a row -> RT_C_PLAY
 *   media     tick: one frame from clip, silence, ring, or the ring at the clock's place
 *               as it is, where the phone takes that codec; else decoded (dec) and encoded by the stream's encoder
 *               where taps change the write side: decoded, changed, encoded (pcm.c)
 *             -> sent in the stream's one sequence (flow.c) -> RT_R_PLAY_DONE at its end
 */
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
	uint64_t start_bytes; /* of a clip: where it begins each time */
	bool is_endless;
	struct rt_ring *ring;   /* RT_PART_RING: read from its `read`; RT_PART_CLOCK: position by the clock */
	int64_t clock_start_us; /* RT_PART_CLOCK: the moment of the ring's byte 0 */
};
/* A play at another sampling rate than its bytes are at: the stream was agreed anew while it plays. Made by control,
 * the play's from then on, and freed in its place when the next one comes. */
struct rt_play_rate {
	uint32_t to_hz;
	struct resample *resample;
	bool is_over;     /* the play is; what is left in pcm is its end */
	size_t fill, cap; /* frames */
	int16_t pcm[];    /* at to_hz, in the play's channels, that no frame took yet */
};
/* NULL in *out: the two are the same. channels: the play's, 1 or 2. */
ANY int rt_play_rate_new(struct rt_play_rate **out, uint32_t from_hz, uint32_t to_hz, unsigned channels);
ANY void rt_play_rate_free(struct rt_play_rate *r);
/* A play: made by control, lent to the media thread, comes back with RT_R_PLAY_DONE. */
struct rt_play {
	struct rt_play *next; /* media thread's */
	uint32_t id;
	struct media_codec codec;  /* of the bytes: one that sound is stored in (codec_store) */
	struct codec_dec dec;      /* its; of as many channels as the codec has */
	struct rt_play_rate *rate; /* NULL: it is heard at the codec's rate */
	uint8_t bytes_per_sample;  /* of both channels */
	uint8_t silence;           /* the byte that stands for it */
	int32_t loops_left;        /* -1 = for ever, else times to go after this one */
	size_t part_count, part_now;
	uint64_t at; /* bytes into the part */
	int status;
	bool was_started, was_read, is_paused;
	int volume, speed;   /* -4..4, -2..2; 0 = as it is */
	unsigned speed_rest; /* of SPEED_UNIT */
	uint32_t ts;         /* RTP timestamp of the frame sent last */
	uint64_t sent_samples;
	bool is_refill_due; /* to be reported: its ring is half empty */
	struct rt_part parts[];
};
ANY struct rt_play *rt_play_new(size_t part_count);
ANY void rt_play_free(struct rt_play *p); /* drops its references */

enum {
	RT_RECORD_LEAD_MS = 60 /* of a record that says nothing else */,
	RT_RECORD_RING_S = 6 /* a disk may stall for 5 */,
	RT_RECORD_LAG_MS = 1500, /* and its media thread for so long */
	RT_PCM_LEAD_MS = 40
}; /* how late packets may be */
/* A record: made by control; the media thread writes samples into the ring, a worker drains it into the file. */
struct rt_record {
	struct rt_record *next; /* media thread's */
	uint32_t id;
	struct media_record_conf conf;
	uint32_t rate_hz;
	uint8_t channels;
	bool is_two;          /* the channels are those of the sound; else 2 are a side each */
	struct rt_ring *ring; /* int16 samples */
	unsigned lead_ms;
	uint64_t limit_frames, silence_frames, initial_frames; /* 0 = none */
	bool is_masked, is_paused, had_sound, was_silent;
	/* the media thread's */
	int status;
	uint64_t frames_done, quiet_frames;
	uint64_t at;       /* the timeline: frames since the start, */
	int64_t start_us;  /* which was then (0: no tick yet) */
	bool is_drain_due; /* to be reported */
	bool was_drain_told;
	struct rt_lane *lanes[2]; /* read side, write side */
	struct rt_lane *right[2]; /* is_two, and the side may have two: its right one, laid and taken as its left is */
};
/* in_rates: sampling rates of the two sides' codecs, read and write; has_two: they have two channels. The file gets two
 * where the read side (where only the write side is recorded: that one) has them, as FreeSWITCH's has the read codec's
 * number. */
ANY int rt_record_new(struct rt_record **out, const struct media_record_conf *conf, uint32_t rate_hz,
    const uint32_t in_rates[2], const bool has_two[2]);
ANY void rt_record_free(struct rt_record *r);
/* A record's sides come at other rates from now on: what turns them to the record's. Made by control, freed on the
 * media thread when the record has it, or is no more. */
struct rt_record_rates {
	uint32_t id;
	struct {
		uint32_t in_hz; /* 0: as it was */
		struct resample *resample, *right;
	} sides[2]; /* RT_READ, RT_WRITE */
};
/* in_hz 0: that side stays. */
ANY int rt_record_rates_new(struct rt_record_rates **out, uint32_t id, const uint32_t in_hz[2], uint32_t rate_hz);
ANY void rt_record_rates_free(struct rt_record_rates *r);

/* ---- taps: what looks into the samples of a stream or changes them ------------------------------------------------
 * Side RT_READ is what comes from the stream's phone, RT_WRITE what goes to it. Made by control, lent to the media
 * thread, come back with RT_R_TAP_DONE. Only for codecs that are known. */
enum { RT_READ, RT_WRITE };
/* A stream's lanes while it has taps: every tap brings one along, a stream keeps one. */
struct rt_pcm;
ANY int rt_pcm_new(struct rt_pcm **out, const struct media_params *p); /* ST_UNSUPPORTED */
ANY void rt_pcm_free(struct rt_pcm *w);

/* What a kind of tap does is its ops table (tap_i.h); nothing else asks what kind a tap is. */
struct rt_tap_ops;
struct rt_tap {
	struct rt_tap *next; /* media thread's */
	uint32_t id;
	const struct rt_tap_ops *ops;
	struct rt_stream *s;       /* on whom it is; media thread's */
	bool hears[2], changes[2]; /* by side */
	struct rt_pcm *pcm;        /* until it is on its stream */
	/* the media thread's */
	int status;
	bool is_bare;      /* it needs no samples of the stream's: no lanes, no tick */
	bool is_over;      /* leaves with its stream's next tick */
	bool is_event_due; /* to be reported */
	uint16_t event;    /* which */
};
ANY void rt_tap_free(struct rt_tap *tap); /* of any kind below */

/* How loud: gain, silence or noise instead. One a stream; a second one with its id takes its place. */
struct rt_level_side {
	int32_t gain_q12;
	bool is_muted;
	struct noise noise; /* when muted */
};
struct rt_level {
	struct rt_tap tap;
	struct rt_level_side side[2];
};

/* A play in place of (or mixed into) one side, or the same on both. Unless mixed the other side is silent. */
struct rt_pipe;
struct rt_displace {
	struct rt_tap tap;
	struct rt_play *play;
	unsigned side;
	bool is_both, is_mixed;
	uint64_t limit_samples, done_samples; /* at its side's rate; 0 = none */
	struct rt_pipe *pipe;                 /* is_both: from the read side to the write side */
};
/* Takes play when ST_OK; it is at the rate of its side, or has what turns it to that. */
ANY int rt_displace_new(struct rt_displace **out, const struct media_params *p, struct rt_play *play,
    const struct media_displace_conf *conf);

/* Somebody listens in, and may speak into the target's sides. */
struct rt_spy {
	struct rt_tap tap, voice; /* on its target; on its listener, for what he says */
	unsigned flags;           /* enum media_spy_flag */
	struct resample *hear;    /* NULL: same rate */
	struct rt_frames *heard;
	struct rt_pipe *whisper[2];
	struct rt_pipe *said; /* what he whispers, for the other spies of the target */
	int16_t *said_now;    /* its frame of this tick */
	bool has_said;
};
ANY int rt_spy_new(struct rt_spy **out, const struct media_params *target, const struct media_params *listener);

struct rt_tone_watch {
	struct rt_tap tap;
	struct media_tone_conf conf;
	struct tonedet det[2];
	unsigned hits, sleep_frames, expire_frames;
	uint32_t frame_samples, fill; /* of 20 ms, in which the two are counted */
	bool is_up;
};
ANY int rt_tone_watch_new(struct rt_tone_watch **out, const struct media_params *p, const struct media_tone_conf *conf);

struct rt_cadence_watch {
	struct rt_tap tap;
	struct cadence *cadence;
	struct resample *to_8k; /* NULL: it is */
};
ANY int rt_cadence_watch_new(struct rt_tap **out, const struct media_params *p, const struct media_cadence_conf *conf);

struct rt_energy_watch {
	struct rt_tap tap;
	struct media_energy_conf conf;
	uint32_t frame_samples, fill; /* 20 ms */
	uint64_t sum;
	unsigned hits, heard, countdown;
};
ANY int rt_energy_watch_new(
    struct rt_energy_watch **out, const struct media_params *p, const struct media_energy_conf *conf);

struct rt_dtmf_watch {
	struct rt_tap tap;
	struct dtmf_det *det;
	struct resample *to_8k; /* NULL: it is */
	size_t missed_count;    /* samples in a row that did not come */
};
struct rt_voice_watch {
	struct rt_tap tap;
	struct vad vad;
};
/* A voice made better (dsp/preproc.h). */
ANY int rt_preproc_new(struct rt_tap **out, const struct media_params *p, const struct media_preproc_conf *conf);
/* Who answered, or a beep (media_ear_conf); over when it knows. */
struct rt_ear {
	struct rt_tap tap;
	struct amd who;
	struct avmd beep[2];
	struct resample *to_8k[2]; /* NULL: it is */
	struct media_heard heard;
};
ANY int rt_ear_new(struct rt_ear **out, const struct media_params *p, const struct media_ear_conf *conf);
ANY void rt_ear_heard(const struct rt_ear *e, struct media_heard *out);
ANY int rt_voice_watch_new(struct rt_voice_watch **out, const struct media_params *p);
ANY int rt_dtmf_watch_new(struct rt_dtmf_watch **out, const struct media_params *p);
/* port.h; a reference is taken. */
struct media_port;
ANY int rt_port_new(struct rt_tap **out, const struct media_params *p, struct media_port *port);
ANY int rt_level_new(struct rt_level **out, const struct media_params *p, const struct media_level *level);

/* Turns one codec into another; made by control for a relay whose sides differ. */
struct rt_xcode;
/* NULL in *out when packets can be passed through; ST_UNSUPPORTED when the two cannot be joined. channels: 2 where two
 * come and are taken, so that they are kept. is_delayed: what it
 * gets was heard by others before, so that the stream's decoder is somewhere else; fmtp is then what that one was
 * opened with (NULL = none). */
ANY int rt_xcode_new(struct rt_xcode **out, const struct media_codec *from, const struct media_codec *to,
    unsigned channels, bool is_delayed, const char *fmtp);
ANY void rt_xcode_free(struct rt_xcode *x);
/* A line of delayed packets for an echo. */
struct rt_delay;
ANY int rt_delay_new(struct rt_delay **out, unsigned delay_ms, unsigned bytes_per_ms /* of the codec */);
ANY void rt_delay_free(struct rt_delay *d);

/* A jitter buffer for what a stream receives: made by control for its codec; the media thread's from RT_C_JITTER on,
 * where it goes in place of the one before. */
struct rt_jitter;
/* channels: 2 where two come. */
ANY int rt_jitter_new(struct rt_jitter **out, const struct media_codec *recv, unsigned channels,
    const struct media_jitter_conf *conf); /* ST_INVAL */
ANY void rt_jitter_free(struct rt_jitter *j);

/* What is made of silence: by control for the codecs of p, the media thread's from RT_C_COMFORT on. */
struct rt_comfort;
ANY int rt_comfort_new(struct rt_comfort **out, const struct media_params *p,
    const struct media_comfort_conf *conf); /* ST_UNSUPPORTED: sends, of a codec that is not known */
ANY void rt_comfort_free(struct rt_comfort *c);

/* ---- copies of packets (capture.c) ---- */
struct rt_captured {
	bool is_outgoing, is_rtcp, is_stream /* it went over TCP or the like */;
	int64_t wall_us;
	struct addr local, remote;
	const uint8_t *p;
	size_t n;
};
struct rt_capture { /* counted, atomically: who puts holds one, who takes another */
	struct rt_ring *ring;
	struct addr local; /* of the stream; set before it is lent */
	_Atomic uint64_t dropped;
};
ANY int rt_capture_new(struct rt_capture **out, size_t ring_bytes);
ANY void rt_capture_put(struct rt_capture *c, const struct rt_captured *k); /* one thread at a time */
/* The oldest, into p (cut at max); false: there is none. One thread at a time. */
ANY bool rt_capture_take(struct rt_capture *c, struct rt_captured *out, uint8_t *p, size_t max);
/* RTCP that comes and goes is reported (RT_R_RTCP). */
ANY void rt_rtcp_watch(bool is_on);

struct rt_stats {
	struct rt_stats *next; /* media thread's */
	struct media_stats stats;
};

enum rt_cmd_kind {
	RT_C_NONE,
	RT_C_OPEN,   /* s: taken in */
	RT_C_MOVE,   /* s goes to thread `to`, which reports RT_R_MOVED */
	RT_C_PARAMS, /* ptr: struct media_params, freed there; ptr2: struct rt_coders, NULL: those it has; number: 1 =
	              * another codec, and its join is told anew */
	RT_C_RATE,   /* number: the sampling rate that its codec is coded at from now on; ptr: its struct rt_coders */
	RT_C_CRYPT,  /* ptr: struct rt_crypt; NULL: plain */
	RT_C_CRYPT_TELL,  /* ptr: struct rt_told, freed there */
	RT_C_FINDER,      /* ptr: struct rt_finder; NULL: what it was opened with */
	RT_C_FINDER_TELL, /* ptr: struct rt_told, freed there */
	RT_C_WIRE,        /* number: a socket in place of the first one */
	RT_C_JITTER,      /* ptr: struct rt_jitter; NULL: none */
	RT_C_COMFORT,     /* ptr: struct rt_comfort; NULL: none */
	RT_C_TIMEOUT,     /* number: ms */
	RT_C_IDLE,
	RT_C_RELAY,       /* s, peer; ptr: xcode s -> peer, ptr2: xcode peer -> s */
	RT_C_ECHO,        /* ptr: struct rt_delay or NULL; ptr2: xcode or NULL */
	RT_C_MUTE,        /* number: bit 0 read, bit 1 write */
	RT_C_DIGITS,      /* number: enum rt_digit_flag */
	RT_C_PLAY,        /* ptr: struct rt_play; replaces what plays */
	RT_C_PLAY_STOP,   /* number: id or 0 */
	RT_C_PLAY_SET,    /* number: enum media_play_op, flags: value; of what plays */
	RT_C_PLAY_RATE,   /* number: id; ptr: struct rt_play_rate in place of the one it has; NULL: none */
	RT_C_RECORD,      /* ptr: struct rt_record */
	RT_C_RECORD_STOP, /* number: id or 0 */
	RT_C_RECORD_SET,  /* number: id; flags: bit 0 masked, bit 1 paused */
	RT_C_RECORD_RATE, /* ptr: struct rt_record_rates */
	RT_C_TAP,         /* ptr: struct rt_tap; in place of the one with its id; peer: another stream it ties to s */
	RT_C_TAP_STOP,    /* number: id; flags: the status it ends with */
	RT_C_TAP_SET,     /* number: id; flags: of its kind */
	RT_C_DTMF_ROOM,   /* ptr: of rt_dtmf_room_new, before the first RT_C_DTMF; the stream's from then on */
	RT_C_DTMF,        /* text: digits; number: duration in ms; flags: 1 = as tones in the audio */
	RT_C_CAPTURE,     /* ptr: struct rt_capture, a reference; NULL: none */
	RT_C_BUNDLE,      /* s rides on peer */
	RT_C_KEY_FRAME,   /* a whole picture is asked of its phone */
	RT_C_STATS,       /* ptr: struct rt_stats to fill */
	RT_C_CLOSE,
	RT_C_QUIT
};
/* Digits that come in are told only; go on as tones in the audio; those that go out go as tones in the audio. */
enum rt_digit_flag { RT_DIGITS_CAPTURED = 1, RT_DIGITS_READ_TONES = 2, RT_DIGITS_WRITE_TONES = 4 };
#define RT_DTMF_TEXT_MAX 64
struct rt_cmd {
	enum rt_cmd_kind kind;
	uint32_t number;
	int32_t flags;
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
	RT_R_TAP_DONE,     /* ptr: the struct rt_tap comes back */
	RT_R_TAP_EVENT,    /* number: id; what it watches for came */
	RT_R_STATS,        /* ptr: the filled struct rt_stats */
	RT_R_RTCP,         /* rtcp, addr */
	RT_R_MOVED,        /* s lives on another thread now */
	RT_R_CLOSED        /* s comes back; its sockets are closed */
};
struct rt_report {
	enum rt_report_kind kind;
	uint32_t number;
	struct rt_stream *s;
	void *owner;
	union {
		struct {
			void *ptr;
			enum media_report_kind event;
			char digit;
			uint16_t duration;
			bool is_captured, is_inband;
		};
		struct media_rtcp rtcp;
	};
	struct addr addr;
};
