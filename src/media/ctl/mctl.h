/* Control's side of media: streams (one leg's RTP port pair), and what is done with them on a media thread. Control never
 * touches a sample; every call here posts a message and returns; answers come as reports on the control loop.
 * RFC 3550 (RTP/RTCP), RFC 4733 (telephone-event), RFC 3551 (static payload types). */
#pragma once
#include "base/role.h"
#include "base/str.h"
#include "net/addr.h"

struct mstream; /* counted; mem_unref alone does not close: mstream_close does, once */

struct mctl_conf {
	unsigned thread_count;      /* media threads; 0 = one */
	uint16_t port_min, port_max; /* RTP ports, even ones used, RTCP on the next; FreeSWITCH's rtp-start-port, rtp-end-port */
	size_t prompt_cache_max_bytes; /* decoded prompts shared by all callers; 0 = 32 MiB */
};
ON_CTL int mctl_start(const struct mctl_conf *conf);
ON_CTL void mctl_stop(void); /* closes what is open, joins the threads */
ON_CTL void mctl_counts(size_t *streams_open, size_t *ports_free, uint64_t *rtp_in, uint64_t *rtp_out, uint64_t *rtp_dropped);

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
	bool is_learning_allowed;            /* symmetric RTP: learn the source within the window, then lock (design 8) */
	bool is_rtcp_mux;
	bool has_loopback_only_peer;         /* unused by most callers: learn only from the signalled host */
};

enum media_report_kind {
	MEDIA_R_NONE,
	MEDIA_R_DTMF,          /* digit, duration in samples at 8 kHz units */
	MEDIA_R_PLAY_DONE,     /* id of the play; status ST_OK ended, ST_CANCELLED stopped, else error */
	MEDIA_R_RECORD_DONE,   /* id; status, samples, path was written */
	MEDIA_R_FIRST_PACKET,  /* first RTP of the stream */
	MEDIA_R_LEARNED,       /* the source address changed by learning: addr */
	MEDIA_R_TIMEOUT,       /* no RTP for the configured time */
	MEDIA_R_DTMF_SENT,     /* the queue of digits to send ran empty */
	MEDIA_R_STATS,         /* answer to mstream_stats_ask */
	MEDIA_R_CLOSED         /* last report of a stream; ports are free, statistics are final */
};
struct media_stats {
	uint64_t in_packets, in_bytes, in_media_packets, in_skip_packets, in_dtmf_packets, in_cng_packets, in_flush_packets,
	    in_wrong_source_packets;
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
	uint64_t samples;
	struct addr addr;
	struct media_stats stats;
};
/* On the control loop; the stream is borrowed. */
typedef void (*media_report_fn)(struct mstream *s, const struct media_report *r, void *arg);

/* Takes a port pair bound to local_host (port filled into local) and opens it on a media thread: near's thread when near
 * is given (the leg it will talk to), else the least loaded one. ST_FULL when no port is free. */
ON_CTL int mstream_open(struct mstream **out, struct addr *local, struct mstream *near, media_report_fn fn, void *arg);
/* Ends everything on the stream. fn is called once more with MEDIA_R_CLOSED (final statistics), then never. */
ON_CTL void mstream_close(struct mstream *s);
ON_CTL int mstream_set_params(struct mstream *s, const struct media_params *p);
ON_CTL int mstream_set_timeout(struct mstream *s, unsigned rtp_timeout_ms /* 0 = none */);
/* What the stream's audio is joined to. One at a time; a new one replaces the old. A play or a record goes on top of it:
 * a play replaces what is sent to this stream until it ends; a record taps what comes and goes. */
ON_CTL int mstream_relay(struct mstream *a, struct mstream *b);  /* both ways: same codec = rewritten packets at once, else transcoded */
ON_CTL int mstream_echo(struct mstream *s, unsigned delay_ms);
ON_CTL int mstream_idle(struct mstream *s); /* joined to nothing (also ends the relay for its peer) */
ON_CTL int mstream_mute(struct mstream *s, bool is_read_muted, bool is_write_muted);

/* Plays. source: "/path/file.wav" (any libsndfile format), "tone_stream://TGML[;loops=n]", "silence_stream://ms[,noise]",
 * "local_stream://name[/rate]", "file_string://a!b!c"; a "{loops=-1}" style prefix is understood. A failure (no such file)
 * comes as MEDIA_R_PLAY_DONE. Out: an id for reports and stop. loops: times to play, -1 = for ever, 0 or 1 = once. */
ON_CTL int mstream_play(struct mstream *s, const char *source, int loops, uint32_t *id_out);
ON_CTL int mstream_play_stop(struct mstream *s, uint32_t id /* 0 = whatever plays */);
ON_CTL bool mctl_source_exists(const char *source); /* cheap syntax check: known scheme or absolute path */

struct media_record_conf {
	bool has_read, has_write; /* what comes from the peer; what is sent to it; both are mixed, or stereo */
	bool is_stereo;
	bool is_append;
	uint32_t limit_ms;          /* 0 = none */
	uint32_t silence_level;     /* 0..32767 mean amplitude; 0 = no silence detection */
	uint32_t silence_ms;        /* stop after so much of it */
	uint32_t rate_hz;           /* 0 = the stream's */
};
ON_CTL int mstream_record(struct mstream *s, const char *path, const struct media_record_conf *conf, uint32_t *id_out);
ON_CTL int mstream_record_stop(struct mstream *s, uint32_t id /* 0 = all */);

/* Digits 0-9 * # A-D (w = 500 ms, W = 1 s pause), duration_ms 0 = 100; by telephone-event, or in-band tones when none. */
ON_CTL int mstream_send_dtmf(struct mstream *s, const char *digits, unsigned duration_ms);
ON_CTL int mstream_stats_ask(struct mstream *s);
ON_CTL bool mstream_peer_addr(const struct mstream *s, struct addr *out); /* learned or signalled */
ON_CTL unsigned mstream_thread_index(const struct mstream *s);

/* local_stream directories: name -> directory of sound files, played in turn, one clock for everybody. */
ON_CTL int mctl_local_stream_add(const char *name, const char *dir, uint32_t rate_hz, bool is_shuffled);
ON_CTL bool mctl_local_stream_exists(const char *name);
ON_CTL void mctl_local_stream_clear(void);
/* Named tones of the installation for "tone_stream://" are plain TGML; no names here. */

/* Codecs known to the engine (transcodable), for `show codec` and negotiation. */
ON_CTL bool mctl_codec_is_known(const char *name);
