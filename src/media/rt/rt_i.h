/* What the files of this room share. Everything here belongs to one media thread. */
#pragma once
#include "base/list.h"
#include "base/role.h"
#include "base/status.h"
#include "codec/codec.h"
#include "dsp/dtmf.h"
#include "media/rt/rt.h"
#include "media/rt/source.h"
#include "rtp/rtcp.h"
#include "rtp/rtp.h"
#include "rtp/telev.h"
#include <pthread.h>

enum group_sound { GROUP_MIX, GROUP_SILENCE, GROUP_SOUNDS };
enum {
	FLOW_MAX = 16384,     /* streams of one thread */
	RT_PACKET_MAX = 2048, /* bytes (20 ms of L16 at 48 kHz); longer datagrams are cut and dropped */
	GROUPS_MAX = 8,       /* a room's encoders that many hear (room_i.h) */
	GROUP_PAYLOAD_MAX = RT_PACKET_MAX - RTP_HEADER_BYTES,
	RT_PACKET_ROOM = 64, /* before a received packet, so that a header can grow */
	WHEEL_SLOTS = 64,
	WHEEL_SLOT_US = 2000,
	RT_PTIME_MAX_MS = 120,
	RT_FRAME_MAX_SAMPLES = 48 * RT_PTIME_MAX_MS,
	FILTER_AFTER = 64,    /* packets of strangers on an open socket, and the kernel gets a filter */
	SEQ_JUMP_MAX = 1000,  /* more than this is a new beginning */
	IN_RATE_MAX = 1000,   /* packets a second of one stream; more is a flood, or two echoes facing each other */
	PASS_RATE_MAX = 10000 /* of one that is passed */
};
#define FLOW_NONE UINT32_MAX

enum flow_how { HOW_NONE, HOW_DIRECT, HOW_XCODE, HOW_DELAY, HOW_PCM };

/* What a stream sends is one continuous sequence, whatever the source: a relayed source is anchored to it (offsets),
 * our own packets (plays, digits) go on from it. RFC 3550 section 5.1. */
struct rt_out {
	uint64_t packets, bytes; /* bytes: payload */
	int64_t at_us;           /* when ts was sent */
	uint32_t ssrc, ts;       /* of the newest packet sent */
	uint16_t seq;
	bool was_started, is_anchored;
	uint16_t src_seq, seq_offset; /* newest relayed, and what is added */
	uint16_t anchor_seq;
	uint32_t src_ssrc, ts_offset;
};

/* The flow table's row: all that a plain relay touches, per port, 64-bit counters. The walk of a packet, the row of who
 * sent it on the left, that of whom it goes to on the right:
 *
 *   socket -> recv -> by first byte --- STUN, DTLS ... -> plug-in (finder, crypt); RTCP -> rtcp.c
 *               |        RTP
 *               |   crypt, if any -> header -> may this address be heard? (not asked of a connected socket: finder)
 *               |        counts, may_take
 *               |        |-- telephone-event -> dtmf.c ------------------------.
 *               |        |-- comfort noise ------------------------------------|
 *               |        |-- audio of jitter_pt -> jitter.c ... tick --.      |
 *               |        '-- audio -> records and lanes, if is_read_tapped     |
 *               |              how:  DIRECT ------------------ forward <-------'   may_relay: anchored to the row's
 *               |                    XCODE -> xcode.c -------- forward, or own     sequence, header in place
 *               |                    DELAY -> line ... tick -> forward               -> records and lanes, if
 *               |                    PCM   -> lane ... tick -> own                      is_write_tapped
 *               |                                               ^                    -> crypt, if any -> send
 *   tick -> play, digits, taps ---------------------------------'
 *
 * forward keeps the source's numbers (by offsets), own goes on from what was sent. */
struct rt_flow {
	struct rt_stream *s; /* NULL: free, and `to` is the next free row */
	int fd;
	uint32_t to;            /* row whose peer gets what arrives here, FLOW_NONE */
	struct rt_crypt *crypt; /* NULL: plain */
	uint8_t how;            /* enum flow_how */
	bool is_connected;      /* the kernel drops other sources */
	bool may_take;          /* direction and mute let packets in */
	bool may_relay;         /* direction, mute, plays and digits let relayed packets out */
	bool may_send;          /* direction and mute let own packets out, and there is an address */
	bool is_read_tapped, is_write_tapped;
	bool is_passed;      /* video, text, or raw: pass.c */
	bool is_riding;      /* on another stream's socket: bundle.c */
	bool may_be_red;     /* what comes may be RED: red.c */
	bool is_red, is_fec; /* what goes is: each packet with the one before; in RED, with parity (fec_out.c) */
	bool has_dtx;        /* silence is not sent: comfort.c */
	int16_t recv_pt, recv_dtmf_pt, cn_pt;
	int16_t jitter_pt; /* in place of recv_pt, where it goes through the jitter buffer; else -1 */
	int16_t send_pt, send_dtmf_pt;
	uint32_t send_clock_hz;
	uint16_t send_frame_ticks; /* RTP clock ticks of one frame */
	int64_t last_in_us, rate_since_us;
	uint32_t rate_count;
	uint64_t in_packets, in_bytes, in_media, in_skipped;
	struct rt_out out;
	struct kernel_row *kernel; /* the kernel relays what comes (kernel.c); else NULL */
	int64_t kernel_after_us;   /* not handed to it before */
};
_Static_assert(sizeof(struct rt_flow) % 64 == 0, "a row's lines are its own: it is fetched as such");

enum tick_need {
	TICK_PLAY = 1,
	TICK_DTMF = 2,
	TICK_RECORD = 4,
	TICK_DELAY = 8,
	TICK_PCM = 16,
	TICK_JITTER = 32,
	TICK_FINDER = 64,
	TICK_COMFORT = 128
};

enum pend_flag {
	PEND_FIRST = 1,
	PEND_LEARNED = 2,
	PEND_TIMEOUT = 4,
	PEND_DTMF_SENT = 8,
	PEND_MOVED = 16,
	PEND_CLOSED = 32,
	PEND_TALK = 64,
	PEND_NOTALK = 128,
	PEND_KEY = 256,
	PEND_JITTER = 512,
	PEND_CODEC = 1024
};
enum { PEND_DIGITS_MAX = 32, PEND_RTCP_MAX = 2, DTMF_QUEUE_MAX = 128, DTMF_FEW = 8 };

struct rt_digit {
	char digit;
	uint8_t is_captured : 1; /* its peer was not sent it */
	uint8_t is_inband : 1;
	uint16_t duration;
};

/* What is to be reported, kept until the ring to control has room: nothing is lost. */
struct rt_pending {
	struct lnode link; /* in the thread's list */
	uint32_t flags, plug_bits;
	uint8_t digit_count, rtcp_count;
	struct media_rtcp rtcp[PEND_RTCP_MAX];
	struct rt_digit digits[PEND_DIGITS_MAX];
	struct rt_play *plays;
	struct rt_record *records;
	struct rt_tap *taps;
	struct rt_stats *stats;
};

struct rt_dtmf_digit {
	char digit;
	bool is_tone;
	uint16_t ms;
};
/* Of a stream that is told to send digits; those that one phone presses for another come one by one. */
struct rt_dtmf_room {
	struct rt_dtmf_digit v[DTMF_QUEUE_MAX];
};
struct rt_dtmf_out {
	struct rt_dtmf_digit few[DTMF_FEW];
	struct rt_dtmf_room *room; /* in place of few; NULL: control has not lent it yet */
	uint8_t head, count;
	bool is_busy; /* a digit or the gap after it: nothing else is sent */
	bool is_sending, is_inband;
	bool is_started;  /* in-band: its timestamp runs */
	int64_t pause_us; /* left of a gap or of w and W */
	struct telev_tx tx;
	struct dtmf_gen gen;
};

/* What came of a stream that may come redundantly. */
struct rt_red_in {
	uint32_t ssrc, ts, seen; /* bit n: n before seq was here */
	uint16_t seq;
	bool is_started;
	uint64_t recovered;
};

struct rt_rtcp {
	int64_t next_us;
	uint32_t sr_mid, sr_ssrc; /* of the peer's last SR, of whom, and when it came */
	int64_t sr_at_us;
	uint64_t out_packets_told;
	uint32_t peer_packets, peer_octets;
	uint32_t round_trip_us, round_trip_max_us, far_jitter;
	int32_t far_lost;
	struct addr learned; /* of a learned source */
	bool is_filtered;
	unsigned wrong_run;
	bool has_xr;
	struct xr_voip xr; /* the peer's */
};

/* The telephone-event that was passed on last. */
struct rt_relayed_event {
	bool is_begun; /* ts is of one of which packets were passed on */
	uint32_t ts;   /* its time, as it came */
	bool is_sent;
	uint32_t sent_ts, sent_ssrc; /* as the far side was told it */
};

struct rt_stream {
	/* What every packet looks at besides the row, together: nobody has touched it for 20 ms (flow_fetch). */
	struct rt_flow *f; /* its row, or &parked */
	struct rt_thread *t;
	const struct rt_finder *finder;
	struct rt_capture *capture; /* who wants copies of its packets; NULL: nobody */
	struct rt_stream *rider;    /* the first of those it carries (bundle.c) */
	struct rt_comfort *comfort; /* NULL: silence is what comes or does not */
	struct rt_member *member;   /* of the room it is in */
	bool has_params;
	bool is_read_muted, is_write_muted;
	bool is_drain_due;     /* just connected: the socket's buffer may hold strangers' packets */
	struct rtp_source seq; /* RFC 3550 appendix A; of the current SSRC */
	struct telev_rx dtmf_in;
	uint32_t dtmf_in_ssrc; /* whose */

	struct rt_flow parked;
	void *owner;
	int rtcp_fd; /* -1: RTCP goes with RTP */
	uint32_t slot;

	struct media_params params;
	struct rt_coders coders; /* of the parameters' codecs */
	bool is_moving;
	struct lnode leaving;
	struct rt_thread *leaving_to;

	const struct rt_finder *first_finder; /* what it was opened with */
	struct rt_source source;              /* rt_finder_learn's, as all to remote_rtp */
	bool is_filtered;
	unsigned wrong_run;                  /* packets of strangers since the rule or the socket changed */
	struct addr remote_rtp, remote_rtcp; /* where we send */
	struct rt_turn *turn;                /* the finder's way by a relay; NULL: none */
	bool is_turned;                      /* what goes to remote_rtp goes by it */
	bool is_by_turn;                     /* the packet that is walked came by it */

	struct rt_stream *carrier, *next_rider;
	struct rt_stream *peer; /* who gets what we receive; itself for echo */
	struct rt_xcode *xcode; /* towards peer */
	struct rt_delay *delay;
	struct rt_jitter *jitter; /* NULL: nobody asked for a jitter buffer */

	struct lnode tick;
	unsigned tick_needs;
	int64_t tick_due_us, tick_exact_us; /* its slot's time; not rounded to slots, so that 15 ms stay 15 ms */

	struct rt_play *play;
	struct rt_record *records;
	struct rt_tap *taps;
	struct rt_pcm *pcm;             /* while there are taps */
	struct rt_tap *listening;       /* the spy whose listener it is */
	bool is_pcm_ready;              /* the lanes fit the codecs */
	bool is_changed[2];             /* a tap changes the side */
	uint32_t made_ts, made_ts_next; /* of the frame of samples sent last, and the one after it */
	bool was_made;
	struct rt_dtmf_out dtmf_out;
	unsigned digit_flags; /* enum rt_digit_flag */
	struct rt_relayed_event relayed_event;
	struct rt_red_in red_in;
	uint64_t lost_before; /* by earlier SSRCs */
	struct rt_rtcp rtcp;
	int64_t key_asked_us; /* video: a whole picture was asked for */
	bool is_key_due;      /* and is to be again */
	uint8_t fir_number;
	uint32_t timeout_ms;
	int64_t timeout_since_us; /* not counted from earlier than this */
	bool is_timeout_told;
	bool is_also_told; /* also_pt, of params.also, came */
	uint8_t also_pt;
	struct rt_pending pend;
	uint64_t in_dtmf, in_cng, in_wrong, in_flushed, out_dtmf, out_cng;
};

/* read side, write side, what goes on, what a tap adds */
enum { FRAME_READ, FRAME_WRITE, FRAME_OUT, FRAME_TAP, FRAME_COUNT };

struct rt_thread {
	int epoll_fd;
	int64_t now_us;
	struct rt_flow *flows;
	uint32_t flow_top, flow_free;
	size_t stream_count;
	struct list wheel[WHEEL_SLOTS];
	uint16_t wheel_counts[WHEEL_SLOTS];
	uint64_t wheel_bits;
	int64_t wheel_slot; /* the next one to run, in units of WHEEL_SLOT_US */
	int64_t house_us;
	uint32_t house_turn, house_turns, house_rows; /* of the round that is under way */
	struct list rooms;                            /* parts with members (room.c) */
	int64_t room_due_us;                          /* the first of them */
	unsigned room_phase;
	struct list reporting, leaving;
	bool is_quitting;
	struct mailbox *box, *reports;
	uint64_t packets_in, packets_out, dropped; /* of all streams it ever had */
	struct rt_counts counts;                   /* ticks only; the rest is summed up when told */
	uint32_t kernel_flows;                     /* of its streams */
	uint64_t kernel_packets, kernel_xdp_packets;
	unsigned kernel_budget; /* hand-overs left in this turn */
	_Atomic uint64_t count_in, count_out, count_dropped, count_ticks, count_late, count_late_us, count_late_max_us;
	_Atomic uint64_t count_kernel_flows, count_kernel_packets, count_kernel_xdp_packets;
	pthread_t pthread;
	unsigned index;
	_Alignas(16) uint8_t packet[RT_PACKET_ROOM + RT_PACKET_MAX + RT_CRYPT_TAIL];
	uint8_t scratch[RT_PACKET_ROOM + RT_PACKET_MAX + RT_CRYPT_TAIL];
	uint8_t store[4 * RT_FRAME_MAX_SAMPLES];                            /* a frame of a play's bytes */
	uint8_t group_payload[GROUPS_MAX][GROUP_SOUNDS][GROUP_PAYLOAD_MAX]; /* of the room's part that has its tick */
	int16_t packet_pcm[RT_FRAME_MAX_SAMPLES]; /* the packet that is being walked, decoded */
	int16_t sent_pcm[RT_FRAME_MAX_SAMPLES];   /* comfort.c: the packet that is about to go */
	/* Of two channels, interleaved: the packet that is being walked, the frame that is being made, the one that is
	 * about to go. */
	int16_t packet_two[2 * RT_FRAME_MAX_SAMPLES], made_two[2 * RT_FRAME_MAX_SAMPLES];
	int16_t sent_two[2 * RT_FRAME_MAX_SAMPLES];
	int16_t side[RT_FRAME_MAX_SAMPLES]; /* one of the two */
	int16_t pcm[2][2 * RT_FRAME_MAX_SAMPLES];
	int16_t frame[FRAME_COUNT][RT_FRAME_MAX_SAMPLES]; /* pcm.c's */
};

/* object.c */
ANY void coders_close(struct rt_coders *c);

/* thread.c */
ON_MEDIA int thread_flow_take(struct rt_thread *t, struct rt_stream *s);
ON_MEDIA void thread_flow_release(struct rt_thread *t, struct rt_stream *s);
ON_MEDIA void thread_sockets_watch(struct rt_stream *s); /* those it has */
ON_MEDIA void thread_sockets_unwatch(struct rt_stream *s);
ON_MEDIA void thread_turn_watch(struct rt_stream *s);
ON_MEDIA void thread_turn_unwatch(struct rt_stream *s);

/* wheel.c */
ANY void wheel_init(struct rt_thread *t);
ON_MEDIA void tick_need(struct rt_stream *s, unsigned need);
ON_MEDIA void tick_done(struct rt_stream *s, unsigned need);
ON_MEDIA void wheel_run(struct rt_thread *t);        /* what is due by t->now_us */
ANY int64_t wheel_due_us(const struct rt_thread *t); /* the next slot's time; INT64_MAX: it is empty */
ON_MEDIA void thread_late_count(struct rt_thread *t, int64_t late_us);

/* room.c, member.c */
struct rt_member;
struct pkt;
ON_MEDIA void rooms_run(struct rt_thread *t);
ON_MEDIA void member_in(struct rt_stream *s, struct pkt *k);

/* stream.c: commands */
ON_MEDIA void stream_cmd(struct rt_thread *t, const struct rt_cmd *c);
ON_MEDIA void stream_plan(struct rt_stream *s);               /* recomputes the row from everything else */
ON_MEDIA void stream_unjoin(struct rt_stream *s);             /* and its peer */
ON_MEDIA unsigned stream_frame_us(const struct rt_stream *s); /* what one tick is worth */
ON_MEDIA bool stream_has_tick_now(const struct rt_stream *s); /* in its tick: another one follows at once */
ON_MEDIA void stream_house(struct rt_stream *s);              /* about once a second */
ON_MEDIA void stream_tick(struct rt_stream *s);

/* source.c: whom to believe, the rest of it */
ON_MEDIA void source_drain(struct rt_stream *s);

/* source_filter.c */
ON_MEDIA void source_filter_reset(struct rt_stream *s);
ON_MEDIA void source_wrong(struct rt_stream *s); /* counts a packet of a stranger */
ON_MEDIA void source_wrong_rtcp(struct rt_stream *s);

/* flow.c: packets in and relayed */
ON_MEDIA bool flow_readable(struct rt_thread *t, struct rt_flow *f); /* false: nothing was there */
ON_MEDIA void flow_rtp_in(struct rt_thread *t, struct rt_flow *f, uint8_t *p, size_t n, const struct addr *from);
struct pkt {
	uint8_t *payload; /* at least 12 writable bytes before it */
	size_t n;
	uint32_t ts, ssrc;
	uint16_t seq;
	uint8_t pt;
	bool has_marker;
	bool was_decoded, has_two; /* has_two: in both channels, too */
	uint16_t ext_bytes;        /* of a header extension right before payload, which goes with it */
	int pcm_count;             /* once decoded; negative: it could not be */
};
/* A packet of sound that came on f. */
ON_MEDIA void flow_sound(struct rt_thread *t, struct rt_flow *f, struct pkt *k);
/* Where the audio of f goes, in its turn. */
ON_MEDIA void flow_audio(struct rt_thread *t, struct rt_flow *f, struct pkt *k);
/* The samples of a packet that s received, decoded once whoever asks; NULL: damaged, or a codec that is not known. */
ANY const int16_t *pkt_samples(struct rt_stream *s, struct pkt *k);
/* The same in two channels, interleaved, as many frames; what came in one is on both. */
ANY const int16_t *pkt_two(struct rt_stream *s, struct pkt *k);
/* Sends a packet of another source on f's socket with f's own sequence. */
ON_MEDIA void flow_forward(struct rt_thread *t, struct rt_flow *f, struct pkt *k, uint8_t pt);
/* A whole packet to f's far side as it is, but for its protection. */
ON_MEDIA void flow_put(struct rt_thread *t, struct rt_flow *f, uint8_t *p, size_t n);
/* Sends our own packet: the next sequence number, ts as given. */
ON_MEDIA void flow_send_own(struct rt_flow *f, uint8_t pt, bool has_marker, uint32_t ts, uint8_t *payload, size_t n);
/* Comfort noise that comes on f goes on as it is: the far side speaks it too. */
ON_MEDIA bool flow_noise_passes(const struct rt_flow *f);
ON_MEDIA uint32_t flow_ts_now(const struct rt_flow *f); /* the timestamp for something that starts now */

/* bundle.c: streams that share a transport */
ON_MEDIA void bundle_tie(struct rt_stream *s, struct rt_stream *carrier);
ON_MEDIA void bundle_cut(struct rt_stream *s);
ON_MEDIA void bundle_follow(struct rt_stream *carrier); /* where it sends may have changed */
ON_MEDIA struct rt_stream *bundle_rider(const struct rt_stream *carrier, uint8_t pt); /* NULL: it is the carrier's */

/* pass.c: what is passed on and never decoded. p: the whole packet, plain */
ON_MEDIA void pass_in(struct rt_thread *t, struct rt_flow *f, uint8_t *p, size_t n, struct rtp_packet *pk);
/* RED, k->pt being its number: goes to a far side that agreed to it as well as it is. False: it cannot. */
ON_MEDIA bool pass_red_whole(struct rt_thread *t, struct rt_flow *f, struct pkt *k);
/* red.c: of audio. Any packet, where the far side agreed to RED. False: nothing is left to do. Else k may be the newest
 * block of what came. */
ON_MEDIA bool red_in(struct rt_thread *t, struct rt_flow *f, struct pkt *k);
/* f->is_red: sends the payload with the one before. False: it is sent alone. */
ON_MEDIA bool red_out(
    struct rt_thread *t, struct rt_flow *f, bool has_marker, uint16_t seq, uint32_t ts, const uint8_t *p, size_t n);
/* feedback.c: RTCP feedback between the legs of a video relay */
ON_MEDIA void feedback_in(struct rt_stream *s, const struct rtcp_item *it);
ON_MEDIA void key_frame_ask(struct rt_stream *s); /* of the phone of s, now or soon */
ON_MEDIA void key_frame_run(struct rt_stream *s); /* is_key_due */

/* dtmf.c */
/* A telephone-event packet: a digit that is complete is reported. Should this packet be relayed to the peer as it is?
 */
ON_MEDIA bool dtmf_in(struct rt_stream *s, const struct pkt *k);
ON_MEDIA void dtmf_in_flush(struct rt_stream *s); /* a digit whose end was lost */
ON_MEDIA void dtmf_out_widen(struct rt_stream *s, struct rt_dtmf_room *room);
ON_MEDIA void dtmf_out_queue(struct rt_stream *s, const char *digits, unsigned duration_ms, bool are_tones);
ON_MEDIA bool dtmf_out_tick(struct rt_stream *s); /* true: nothing else may be sent in this tick */
ON_MEDIA void dtmf_out_clear(struct rt_stream *s);

/* play.c */
ON_MEDIA void play_start(struct rt_stream *s, struct rt_play *p);
ON_MEDIA void play_set(struct rt_stream *s, enum media_play_op op, int32_t value); /* what plays, if anything does */
ON_MEDIA void play_end(struct rt_stream *s, int status);
ON_MEDIA void play_rate_set(struct rt_stream *s, uint32_t id, struct rt_play_rate *r); /* takes r */
ON_MEDIA void play_tick(struct rt_stream *s);
/* The play can be heard at that rate: it is its own, or that of what it was lent. */
ANY bool play_fits(const struct rt_play *p, uint32_t rate_hz);
/* The next n samples at a rate that it fits, as loud and as fast as they are wanted, silence behind the last. How many
 * are the play's: fewer than n only at the end of everything. Not into the thread's pcm. */
ON_MEDIA size_t play_samples(struct rt_stream *s, struct rt_play *p, uint32_t rate_hz, int16_t *out, size_t n);

/* record.c */
ON_MEDIA void record_cmd(struct rt_stream *s, const struct rt_cmd *c);
ON_MEDIA void record_end(struct rt_stream *s, struct rt_record *r, int status);
ON_MEDIA void record_stop(struct rt_stream *s, uint32_t id, int status); /* 0 = all */
ON_MEDIA void record_tick(struct rt_stream *s);
/* s, or the stream it is joined to, is recorded, and that may be over: what waits in their sockets is of before. */
ON_MEDIA void record_drain_sockets(struct rt_stream *s);
/* A packet passes that records or lanes want to hear: what came, what was sent. */
ON_MEDIA void record_tap_read(struct rt_stream *s, struct pkt *k);
ON_MEDIA void record_tap_sent(struct rt_stream *s, uint32_t ts, const uint8_t *p, size_t n);

/* tap.c: taps come and go */
ON_MEDIA void tap_cmd(struct rt_stream *s, const struct rt_cmd *c);
ON_MEDIA void taps_end(struct rt_stream *s, int status);
ON_MEDIA void taps_reap(struct rt_stream *s);            /* those that are over */
ON_MEDIA void taps_cut(struct rt_stream *s, int status); /* s leaves the thread: what ties it to others of it */
/* pipe.c: a short queue of samples between two ticks, with the rate changed on the way */
struct rt_pipe {
	struct resample *resample; /* NULL: same rate */
	size_t fill;
	bool is_flowing; /* one frame lies in stock */
	size_t cap;
	int16_t pcm[];
};
/* For takers of frames of the longest packet time of the two streams. */
ANY int rt_pipe_new(
    struct rt_pipe **out, uint32_t from_hz, uint32_t to_hz, const struct media_params *a, const struct media_params *b);
ANY void rt_pipe_free(struct rt_pipe *p);
ANY void pipe_put(struct rt_pipe *p, const int16_t *pcm, size_t n);
ANY bool pipe_get(struct rt_pipe *p, int16_t *out, size_t n); /* all or nothing */

/* pcm.c: samples of a stream with taps */
struct rt_frames { /* samples on their way to a stream whose packets have another length */
	size_t fill;
	int16_t pcm[2 * RT_FRAME_MAX_SAMPLES];
};
struct rt_pcm {
	uint32_t recv_hz, send_hz;
	struct rt_lane *lanes[2]; /* both at recv_hz; the write side as it is before anybody whispers into it */
	size_t missed_first, missed_count; /* of the frame of the read side: samples of packets that did not come */
	struct rt_lane *in;                /* at send_hz: what its peer says, while the write side is changed */
	struct rt_frames to_peer;          /* its changed read side */
};
ON_MEDIA void pcm_plan(struct rt_stream *s); /* what of the row depends on taps; before the rest of the plan */
ON_MEDIA bool pcm_hears(const struct rt_stream *s, int side);
ON_MEDIA void pcm_lay(struct rt_stream *s, int side, uint32_t clock_hz, uint32_t ts, const int16_t *pcm, size_t n);
ON_MEDIA void pcm_in(struct rt_thread *t, struct rt_stream *from, struct pkt *k); /* a packet for a peer in HOW_PCM */
ON_MEDIA void pcm_send(struct rt_stream *s, int16_t *pcm, size_t n); /* n samples at send_hz: changed, encoded, sent */
ON_MEDIA void pcm_tick(struct rt_stream *s);

/* xcode.c */
/* At the far side's rate, into out; 0 when something is wrong. */
ANY size_t xcode_resample(struct rt_xcode *x, const int16_t *in, size_t n, int16_t *out, size_t cap);
ON_MEDIA void xcode_forward(struct rt_thread *t, struct rt_stream *from, struct rt_flow *to, struct pkt *k);
ON_MEDIA void xcode_part(struct rt_stream *s); /* what comes next does not go on from what came */
ON_MEDIA void delay_put(struct rt_stream *s, const struct pkt *k);
ON_MEDIA void delay_tick(struct rt_stream *s);

/* jitter.c: the jitter buffer of what a stream receives */
ON_MEDIA void jitter_set(struct rt_stream *s, struct rt_jitter *j); /* takes it; NULL: none */
ON_MEDIA void jitter_plan(struct rt_stream *s);                     /* the end of a plan */
ON_MEDIA void jitter_in(struct rt_stream *s, struct pkt *k);
ON_MEDIA void jitter_tick(struct rt_stream *s);
ON_MEDIA void jitter_house(struct rt_stream *s); /* tells what became of it */
ANY void jitter_stats(const struct rt_stream *s, struct media_stats *out);

/* comfort.c: silence that comes and goes */
ON_MEDIA void comfort_set(struct rt_stream *s, struct rt_comfort *c); /* takes it; NULL: none */
ON_MEDIA void comfort_plan(struct rt_stream *s);                      /* a part of the plan */
ANY bool comfort_is_busy(const struct rt_stream *s);                  /* it makes, or may have to make, noise */
ON_MEDIA bool comfort_in(struct rt_stream *s, const struct pkt *k);   /* a packet of it; false: it is none */
ON_MEDIA void comfort_heard(struct rt_stream *s);                     /* s->comfort: the phone speaks again */
ON_MEDIA void comfort_tick(struct rt_stream *s);
/* f->has_dtx, what is about to be sent: true, it is silence and is not sent; comfort noise may have gone in its place.
 */
ON_MEDIA bool comfort_withholds(struct rt_flow *f, uint32_t ts, const uint8_t *payload, size_t n);

/* plug.c: plug-ins come and go, packets that are not RTP find theirs */
ON_MEDIA void plug_cmd(struct rt_stream *s, const struct rt_cmd *c);
ON_MEDIA void plug_fini(struct rt_stream *s);
/* kind is neither RTP nor RTCP; false: nobody wanted it. from NULL: from where the stream sends. */
ON_MEDIA bool plug_packet(struct rt_stream *s, enum rtp_kind kind, const struct addr *from, const uint8_t *p, size_t n);
/* Protects and sends an RTCP packet; p has RT_CRYPT_TAIL bytes behind. */
ON_MEDIA void plug_rtcp_send(struct rt_stream *s, uint8_t *p, size_t n);
/* The length of what is left, negative: refused. */
ON_MEDIA int plug_unprotect(struct rt_stream *s, bool is_rtcp, uint8_t *p, size_t n);

/* turn.c */
ON_MEDIA void turn_enter(struct rt_stream *s, struct rt_turn *w);
ON_MEDIA void turn_leave(struct rt_stream *s);
ANY bool turn_bytes_send(struct rt_turn *w, const struct addr *to, const uint8_t *p, size_t n);
ON_MEDIA bool turn_readable(struct rt_thread *t, struct rt_stream *s); /* false: nothing was there */

/* wired.c */
ON_MEDIA void wired_gone(struct rt_stream *s); /* nobody is at the other end any more */

/* capture.c */
ON_MEDIA void capture_packet(struct rt_stream *s, bool is_outgoing, bool is_rtcp, const uint8_t *p, size_t n);
ON_MEDIA void capture_cmd(struct rt_stream *s, const struct rt_cmd *c);
ON_MEDIA void rtcp_watch_packet(struct rt_stream *s, bool is_outgoing, const uint8_t *p, size_t n);

/* kernel.c: flows that the kernel relays. Pull and push only while f->kernel is set. */
ON_MEDIA void kernel_pull(struct rt_flow *f);      /* closes the row: numbers and counters are ours, and right */
ON_MEDIA void kernel_push(struct rt_flow *f);      /* opens it again, or takes the flow back */
ON_MEDIA void kernel_take_back(struct rt_flow *f); /* and not again for a second */
ON_MEDIA void kernel_fold(struct rt_stream *s);    /* what it received and sent is right */
ON_MEDIA void kernel_house(struct rt_stream *s);   /* the same; hands over what may be */
ON_MEDIA void kernel_turn(
    struct rt_thread *t, unsigned of); /* a turn of housekeeping begins, one of so many a second */

/* rtcp.c */
ON_MEDIA void rtcp_readable(struct rt_thread *t, struct rt_stream *s);
ON_MEDIA void rtcp_in(struct rt_stream *s, const uint8_t *p, size_t n); /* plain */
ON_MEDIA void rtcp_begin(struct rt_stream *s);                          /* the first report is planned */
ON_MEDIA void rtcp_house(struct rt_stream *s);
ON_MEDIA void rtcp_bye(struct rt_stream *s);

/* report.c */
ON_MEDIA void report_flag(struct rt_stream *s, enum pend_flag flag);
ON_MEDIA void report_digit(struct rt_stream *s, const struct rt_digit *d);
ON_MEDIA void report_play(struct rt_stream *s, struct rt_play *p);
ON_MEDIA void report_record(struct rt_stream *s, struct rt_record *r);
ON_MEDIA void report_tap(struct rt_stream *s, struct rt_tap *tap);
ON_MEDIA void report_stats(struct rt_stream *s, struct rt_stats *st);
ON_MEDIA void report_wanted(struct rt_stream *s); /* something of it is to be looked at in report_flush */
ON_MEDIA void reports_flush(struct rt_thread *t);
