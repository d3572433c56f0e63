/* What negotiation tells the media threads, and what they report: plain data, no behaviour. Callers outside of media
 * get it through media/ctl/mctl.h. RFC 3550 (RTP/RTCP), RFC 4733 (telephone-event), RFC 3551 (static payload types). */
#pragma once
#include "net/addr.h"
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
};

/* What negotiation found, applied as one message between two packets. */
struct media_params {
	struct addr remote_rtp, remote_rtcp; /* signalled; unset = nothing is sent until learned */
	struct media_codec send, recv;       /* codecs the engine knows are decoded; others only relay (pass-through) */
	int16_t dtmf_send_pt, dtmf_recv_pt;  /* telephone-event, -1 = none */
	int16_t cn_pt;                       /* -1 = none */
	bool may_send, may_recv;             /* direction: hold is may_send && !may_recv ... */
	bool is_learning_allowed; /* symmetric RTP: learn the source within the window, then lock (design 8) */
	bool is_rtcp_mux;
	bool has_loopback_only_peer; /* unused by most callers: learn only from the signalled host */
};

enum media_report_kind {
	MEDIA_R_NONE,
	MEDIA_R_DTMF,         /* digit, duration in samples at 8 kHz units, is_captured */
	MEDIA_R_PLAY_DONE,    /* id of the play; status ST_OK ended, ST_CANCELLED stopped, else error */
	MEDIA_R_RECORD_DONE,  /* id; status, samples, path was written */
	MEDIA_R_FIRST_PACKET, /* first RTP of the stream */
	MEDIA_R_LEARNED,      /* the source address changed by learning: addr */
	MEDIA_R_TIMEOUT,      /* no RTP for the configured time */
	MEDIA_R_DTMF_SENT,    /* the queue of digits to send ran empty */
	MEDIA_R_STATS,        /* answer to mstream_stats_ask */
	MEDIA_R_CLOSED        /* last report of a stream; ports are free, statistics are final */
};
struct media_stats {
	uint64_t in_packets, in_bytes, in_media_packets, in_skip_packets, in_dtmf_packets, in_cng_packets,
	    in_flush_packets, in_wrong_source_packets;
	uint64_t out_packets, out_bytes, out_dtmf_packets, out_cng_packets;
	uint64_t in_lost_packets, in_jitter_us, in_jitter_max_us;
	uint32_t rtcp_packets, rtcp_octets; /* of the peer's last SR */
	uint32_t in_ssrc, out_ssrc;
};
struct media_report {
	enum media_report_kind kind;
	uint32_t id;
	int status;
	char digit;
	uint16_t duration;
	bool is_captured; /* a digit the peer has not been sent (mstream_capture_dtmf) */
	uint64_t samples;
	struct addr addr;
	struct media_stats stats;
};
struct media_record_conf {
	bool has_read, has_write; /* what comes from the peer; what is sent to it; both are mixed, or stereo */
	bool is_stereo;
	bool is_append;
	uint32_t limit_ms;      /* 0 = none */
	uint32_t silence_level; /* 0..32767 mean amplitude; 0 = no silence detection */
	uint32_t silence_ms;    /* stop after so much of it */
	uint32_t rate_hz;       /* 0 = the stream's */
};
