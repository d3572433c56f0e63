/* What negotiation tells the media threads, and what they report: plain data, no behaviour. Callers outside of media
 * get it through media/ctl/mctl.h. RFC 3550 (RTP/RTCP), RFC 4733 (telephone-event), RFC 3551 (static payload types). */
#pragma once
#include "dsp/amd.h"
#include "dsp/avmd.h"
#include "dsp/cadence.h"
#include "dsp/preproc.h"
#include "net/addr.h"
#include "rtp/xr.h"
#include <stdbool.h>
#include <stdint.h>

#define MEDIA_CODEC_NAME_MAX 16
struct media_codec {
	char name[MEDIA_CODEC_NAME_MAX]; /* "PCMU", "PCMA", "L16", "G722", "opus" ...; as in SDP */
	uint8_t pt;                      /* payload type on the wire */
	uint32_t clock_hz;               /* RTP clock (8000 for G722) */
	uint32_t rate_hz;                /* sampling rate */
	uint8_t channels;
	uint16_t ptime_ms;
	uint16_t variant; /* what of the format parameters decides what the bytes mean (codec.h); media/ctl sets it */
};

/* Whom else than the signalled address a stream may believe (rtp-source of a profile). */
enum media_source_mode {
	MEDIA_SOURCE_STRICT, /* nobody */
	MEDIA_SOURCE_NAT,    /* hosts that signalling came from or names; any other only when is_remote_hidden */
	MEDIA_SOURCE_OFF     /* anybody */
};
enum { MEDIA_SIGNAL_HOSTS_MAX = 5 };

/* What a stream carries: video and text are passed between two that have the same, and never decoded. */
enum media_kind { MEDIA_AUDIO, MEDIA_VIDEO, MEDIA_TEXT };
/* RTCP feedback that the far side speaks, and header extensions that are passed, by the numbers agreed with it. */
enum media_fb {
	MEDIA_FB_NACK = 1,
	MEDIA_FB_PLI = 2,
	MEDIA_FB_FIR = 4,
	MEDIA_FB_TMMBR = 8,
	MEDIA_FB_REMB = 16,
	MEDIA_FB_TCC = 32
};
enum media_ext {
	MEDIA_EXT_MID,
	MEDIA_EXT_ABS_TIME,
	MEDIA_EXT_TCC,
	MEDIA_EXT_ORIENTATION,
	MEDIA_EXT_TOFFSET,
	MEDIA_EXT_COUNT
};

/* What negotiation found, applied as one message between two packets. */
struct media_params {
	struct addr remote_rtp, remote_rtcp; /* signalled; unset = nothing is sent until learned */
	struct media_codec send, recv;       /* codecs the engine knows are decoded; others only relay (pass-through) */
	int16_t dtmf_send_pt, dtmf_recv_pt;  /* telephone-event, -1 = none */
	int16_t cn_pt;                       /* -1 = none */
	uint8_t kind;                        /* enum media_kind */
	uint8_t fb, exts[MEDIA_EXT_COUNT];   /* enum media_fb; 0 = not agreed */
	uint32_t also[4]; /* bits: payload numbers of other codecs that may come; MEDIA_R_CODEC tells of the first */
	uint8_t red_send, red_recv; /* payload numbers of RED (RFC 2198), 0 = none */
	uint8_t fec_send, fec_recv; /* of parity in it (ULPFEC, RFC 5109), of a passed line; 0 = none */
	bool is_rsize;              /* RTCP of reduced size may be sent (RFC 5506) */
	const char *fmtp;        /* the far side's format parameters of send; NULL = none; read during the call only */
	bool may_send, may_recv; /* direction: hold is may_send && !may_recv ... */
	bool is_rtcp_mux;
	bool sends_xr;             /* VoIP metrics (RFC 3611) go with reports */
	bool tells_rtcp;           /* MEDIA_R_RTCP of this stream, whoever else watches */
	unsigned rtcp_interval_ms; /* between reports, about; 0 = 5 s */
	unsigned digit_gap_ms;     /* between two digits that are sent, 40 to 10000; 0 = 60 */
	bool is_raw; /* packets go to the peer as they are, of whatever payload type; nothing of our own is sent */
	enum media_source_mode source_mode;
	bool is_remote_hidden; /* remote_rtp cannot be reached from here: its packets come from an address nobody knows
	                        */
	struct addr
	    signal_hosts[MEDIA_SIGNAL_HOSTS_MAX]; /* signalling came from them or names them; ports are ignored */
};

enum media_report_kind {
	MEDIA_R_NONE,
	MEDIA_R_DTMF,         /* digit, duration in samples at 8 kHz units, is_captured */
	MEDIA_R_PLAY_BEGUN,   /* id of the play: its source is there, media has it */
	MEDIA_R_PLAY_DONE,    /* id of the play; status ST_OK ended, ST_CANCELLED stopped, else error */
	MEDIA_R_RECORD_DONE,  /* id; status, samples, path was written */
	MEDIA_R_FIRST_PACKET, /* first RTP of the stream */
	MEDIA_R_LEARNED,      /* media goes to another address than before without new parameters: addr */
	MEDIA_R_TIMEOUT,      /* no RTP for the configured time */
	MEDIA_R_DTMF_SENT,    /* the queue of digits to send ran empty */
	MEDIA_R_TALK,         /* the phone's user speaks (mstream_detect_voice) */
	MEDIA_R_NOTALK,       /* and no more */
	MEDIA_R_TAP_DONE,     /* id; status: ST_OK ended by itself, ST_CANCELLED stopped, else error */
	MEDIA_R_TAP_EVENT,    /* id; what a watch waits for came; number: which of its tones */
	MEDIA_R_STATS,        /* answer to mstream_stats_ask */
	MEDIA_R_JITTER,       /* its jitter buffer (media_jitter_conf.tells) is not as it was: ask for statistics */
	MEDIA_R_KEY_FRAME,    /* a whole picture is wanted of a far side that knows no RTCP feedback */
	MEDIA_R_CODEC,        /* bits: the payload number of media_params.also that came; once until new parameters */
	MEDIA_R_PLUG,         /* bits: a plug-in has something to tell */
	MEDIA_R_RTCP,         /* rtcp, addr: a report came or was sent; only while mctl_rtcp_watch is on */
	MEDIA_R_CLOSED        /* last report of a stream; ports are free, statistics are final */
};
/* A jitter buffer for what comes (rtp/jbuf.h). */
struct media_jitter_conf {
	unsigned len_ms;   /* 0 = none */
	unsigned max_ms;   /* at least len_ms */
	unsigned drift_ms; /* so far over what is needed the delay may grow; 0 = a packet */
	bool has_bridges;  /* also packets that are relayed as they are; else those go at once */
	bool is_paused;    /* packets go at once */
	bool conceals;     /* what is lost is made up; else silence */
	bool tells;        /* MEDIA_R_JITTER, at most once a second */
};
/* Silence (RFC 3389), media/rt/comfort.c. Packets of comfort noise that come are sound for whoever wants samples. */
struct media_comfort_conf {
	bool fills;            /* in a relay a phone that sends nothing is filled in with noise */
	unsigned fill_divisor; /* FreeSWITCH's: the larger, the softer; 0 = digital silence */
	bool sends; /* what goes to the phone is not sent while it is silent, where it speaks comfort noise */
};
struct media_stats {
	uint64_t in_packets, in_bytes, in_media_packets, in_skip_packets, in_dtmf_packets, in_cng_packets,
	    in_flush_packets, in_wrong_source_packets;
	uint64_t out_packets, out_bytes, out_dtmf_packets, out_cng_packets;
	uint64_t in_lost_packets, in_jitter_us, in_jitter_max_us;
	uint64_t in_recovered_packets;             /* of those lost, made good by RED or parity */
	uint64_t in_fec_packets, out_fec_packets;  /* of parity */
	uint32_t round_trip_us, round_trip_max_us; /* by the peer's reports; 0 = not known */
	uint64_t out_lost_packets;                 /* as the peer told last */
	uint32_t out_jitter_us;
	uint64_t in_bursts;                 /* losses of more than one packet count once */
	uint32_t rtcp_packets, rtcp_octets; /* of the peer's last SR */
	uint32_t in_ssrc, out_ssrc;
	bool has_xr;
	struct xr_voip xr; /* what the peer told last of what it hears */
	struct {           /* of the jitter buffer; all zero without one */
		uint64_t taken, late, twice, lost, dropped, waits, slower, faster, resets;
		uint32_t depth_ms, depth_max_ms, frame_ms;
	} jb;
};
struct media_rtcp { /* one RTCP report, as it is on the wire */
	uint64_t sr_ntp;
	uint32_t ssrc, sr_ts, sr_packets, sr_octets;
	uint32_t block_ssrc, seq_ext, jitter, lsr, dlsr;
	int32_t lost;
	uint8_t fraction_lost;
	bool is_outgoing, has_sr, has_block;
};
/* What listens until it knows: who answered (the side it hears: the read side unless on_write only), or a beep. */
enum media_ear_kind { MEDIA_EAR_WHO, MEDIA_EAR_BEEP };
struct media_ear_conf {
	enum media_ear_kind kind;
	bool on_read, on_write;
	struct amd_conf who;
	struct avmd_conf beep;
};
struct media_heard {
	bool is_found; /* else it was stopped before; who tells how far it got */
	struct amd_found who;
	struct avmd_found beep;
};
struct media_preproc_conf { /* by side */
	bool is_on[2];
	struct preproc_conf side[2];
};
enum media_plug_bit { MEDIA_PLUG_CRYPT = 1 /* its handshake goes on */, MEDIA_PLUG_FINDER = 2 };
struct media_report {
	enum media_report_kind kind;
	uint32_t id;
	uint32_t bits; /* enum media_plug_bit */
	int status;
	char digit;
	uint16_t duration;
	bool is_captured; /* a digit the peer has not been sent (mstream_capture_dtmf) */
	bool is_inband;   /* a digit heard in the audio (mstream_detect_dtmf) */
	uint64_t samples;
	bool was_silent, had_sound, is_removed; /* of a record: silence ended it; there was sound; its file is gone */
	uint32_t hits, heard;                   /* of an energy watch that is over */
	uint32_t number;                        /* of a watch's event */
	struct media_heard ear;                 /* of an ear that is over */
	struct addr addr, local /* of MEDIA_R_RTCP: ours */;
	struct media_rtcp rtcp;
	struct media_stats stats;
};
/* What is done to a play that runs. Value: PAUSE 1, 0, or -1 for the other; SEEK milliseconds; VOLUME
 * and SPEED steps, FreeSWITCH's. */
enum media_play_op {
	MEDIA_PLAY_PAUSE,
	MEDIA_PLAY_SEEK_TO,
	MEDIA_PLAY_SEEK_BY,
	MEDIA_PLAY_RESTART,
	MEDIA_PLAY_VOLUME_TO, /* -4..4 */
	MEDIA_PLAY_VOLUME_BY,
	MEDIA_PLAY_SPEED_TO, /* -2..2 */
	MEDIA_PLAY_SPEED_BY
};
/* Sides by index: 0 read (what comes from the stream's phone), 1 write (what goes to it). */
struct media_level {
	int steps[2];     /* FreeSWITCH's -4..4; 0 = as it is */
	unsigned mute[2]; /* 0 no, 1 silence, more: comfort noise of that divisor (the larger, the softer) */
};
enum media_spy_flag { MEDIA_SPY_READ = 1, MEDIA_SPY_WRITE = 2, MEDIA_WHISPER_READ = 4, MEDIA_WHISPER_WRITE = 8 };
struct media_displace_conf {
	bool on_read, on_write; /* one, or both with the same */
	bool is_mixed;          /* else in place of what is there, and the other side is silent */
	uint32_t limit_ms;      /* 0 = none */
};
struct media_cadence_conf { /* on the read side */
	size_t count;
	struct cadence_element elements[CADENCE_ELEMENTS_MAX];
};
enum { MEDIA_TONE_FREQS_MAX = 8 };
struct media_tone_conf {
	double freqs_hz[MEDIA_TONE_FREQS_MAX]; /* all at once */
	unsigned freq_count;
	bool on_read, on_write;
	unsigned hits;                        /* so often, then the event; 0 = once */
	unsigned sleep_frames, expire_frames; /* of 20 ms: deaf after a hit; hits are forgotten after; 0 = 25 and 250 */
};
struct media_energy_conf { /* on the read side, in frames of 20 ms, as FreeSWITCH counts */
	bool wants_silence;
	uint32_t level;       /* mean of absolute samples */
	unsigned hits;        /* so many frames in a row */
	unsigned listen_hits; /* silence counts only after more than so many frames with sound; 0 = from the start */
	unsigned after;       /* told so many frames later */
};
/* In file.h's order. */
enum media_tag {
	MEDIA_TAG_TITLE,
	MEDIA_TAG_COPYRIGHT,
	MEDIA_TAG_SOFTWARE,
	MEDIA_TAG_ARTIST,
	MEDIA_TAG_COMMENT,
	MEDIA_TAG_DATE,
	MEDIA_TAG_COUNT
};
struct media_record_conf {
	bool has_read, has_write; /* what comes from the peer; what is sent to it; both are mixed, or stereo */
	bool is_stereo;
	bool is_append;
	uint32_t limit_ms;      /* 0 = none */
	uint32_t silence_level; /* 0..32767 mean amplitude; 0 = no silence detection */
	uint32_t silence_ms;    /* stop after so much of it; 0 = never */
	uint32_t initial_ms;    /* stop after so much before any sound; 0 = as silence_ms, UINT32_MAX = never */
	uint32_t rate_hz;       /* 0 = the stream's */
	unsigned lead_ms;       /* how late packets may be: 60 to 400; 0 = 60 */
	bool is_swapped;        /* stereo: what is sent to the peer is on the left */
	/* A file that is not appended to is removed again when it is empty or shorter. */
	bool removes_empty;
	uint32_t min_ms;
	const char *tags[MEDIA_TAG_COUNT]; /* or NULL; read at the start only */
	/* Of the file, where it is another than what is recorded: 0 = as that is, or what the format takes by itself.
	 */
	uint32_t file_rate_hz;
	unsigned file_channels, bit_rate_kbps;
	bool is_constant_rate; /* of mp3, with bit_rate_kbps */
};
