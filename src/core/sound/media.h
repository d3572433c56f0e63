/* A leg's media on the control side: offers and answers (through sdp's pure functions), the policy read once from
 * profile and variables, and the leg's stream. Endpoints call this with SDP text and know nothing of RTP. */
#pragma once
#include "core/leg/leg.h"
#include "media/ctl/mctl.h"

/* How a phone is to be told digits: telephone-events, the endpoint's own way (INFO), tones in the audio. */
enum media_dtmf_type { MEDIA_DTMF_EVENTS, MEDIA_DTMF_OWN, MEDIA_DTMF_TONES };
/* What an endpoint's profile says, given once per leg before any other call; strings are copied. */
struct mturn;
struct leg_media_conf {
	struct mturn *turn;         /* sound_turn_open; a reference is taken; NULL = none */
	bool is_wired;              /* no ports: its far side is another leg of ours (leg_media_wire), or nobody */
	const char *rtp_host;       /* local numeric address to bind; of a wired one, to be named */
	const char *advertise_host; /* in SDP; NULL = rtp_host */
	const char *inbound_codecs, *outbound_codecs; /* codec strings */
	const char *negotiation;                      /* generous | greedy | scrooge */
	const char *sdp_username;                     /* o= line */
	const char *hold_music;                       /* for the peer of a held leg without the variable; NULL = none */
	int dtmf_pt, cn_pt;                           /* -1 = none */
	enum media_dtmf_type dtmf_type;
	enum media_source_mode source_mode; /* rtp-source */
	const char *nat_acl, *local_acl;    /* apply-nat-acl, local-network-acl; NULL = none */
	const char *candidate_acl;          /* apply-candidate-acl; NULL, "" = wan.auto */
	bool are_events_assumed;            /* liberal-dtmf: as if rtp_liberal_dtmf were set */
	bool ignores_holds;                 /* disable-hold: as if rtp_disable_hold were set */
	const char *jitterbuffer;           /* auto-jitterbuffer-msec: as if jitterbuffer_msec were set; NULL = none */
	bool has_vad;                       /* TALK and NOTALK events of what comes */
	bool suppresses_silence;   /* what goes is not sent while it is silent, where comfort noise is spoken */
	unsigned digit_gap_ms;     /* rtp-digit-delay: as if rtp_digit_delay were set; 0 = unset */
	unsigned rtcp_interval_ms; /* 0 = as RFC 3550 says */
	unsigned rtp_timeout_ms, rtp_hold_timeout_ms; /* 0 = none; on hold ten times the other where it is 0 */
	bool is_proxy;                                /* inbound-proxy-media: as if proxy_media were set */
	bool is_bypass;                               /* inbound-bypass-media: as if bypass_media were set */
	bool comes_back_on_hold,
	    goes_after_hold; /* bypass: media-option's resume-media-on-hold, bypass-media-after-hold */
	bool is_late_negotiation;
	bool is_transcoding_off; /* disable-transcoding */
	bool is_g726_aal2;       /* bitpacking=aal2: "G726-32" in SDP means the bits as I.366.2 packs them */
	bool passes_zrtp;        /* inbound-zrtp-passthru: as if zrtp_passthru were set */
	bool is_secure_required; /* require-secure-rtp: as if rtp_secure_media were mandatory */
	bool is_late_told;       /* endpoint_disposition says DELAYED NEGOTIATION though the offer is checked at once */
};
ON_CTL int leg_media_init(struct leg *leg, const struct leg_media_conf *conf);
/* Relayed addresses of a TURN server for the legs that are told of it (media/ctl/turn.h). What is wrong is said in the
 * log under that name; NULL then. */
struct sound_turn_conf { /* borrowed for the call; mturn_conf tells what each is */
	const char *owner, *server, *username, *password, *secret, *ca_file, *from;
	unsigned ready;
};
ON_CTL struct mturn *sound_turn_open(const struct sound_turn_conf *c);
ON_CTL void sound_turn_close(struct mturn *m); /* NULL is fine */
/* "strict", "nat", "off"; false leaves out alone. */
ANY bool media_source_mode_parse(const char *text, enum media_source_mode *out);
/* Where the far side's signalling came from (the first) and the numeric addresses it names, before each SDP of theirs
 * is given; ports are ignored, what is over MEDIA_SIGNAL_HOSTS_MAX is left out. Media may come from these hosts. */
ON_CTL void leg_media_signal(struct leg *leg, const struct addr *hosts, size_t count);
/* Inbound call: keeps the offer (NULL or empty = the far side sent none: we offer in the answer) and, unless
 * negotiation is late, checks that a codec fits: ST_UNSUPPORTED. Sets switch_r_sdp, ep_codec_string. */
ON_CTL int leg_media_remote_offer(struct leg *leg, struct sv sdp);
/* Makes (first time: negotiates, opens the stream) our answer; the same text again until something changes. near: the
 * leg it is going to be bridged to or NULL; its codec is preferred. Text appended to out. Sets rtp_local_sdp_str,
 * read/write codec variables. */
ON_CTL int leg_media_answer(struct leg *leg, struct leg *near, struct buf *out);
/* Outbound call: our offer; originator may be NULL; its codecs come first and bound what is offered. */
ON_CTL int leg_media_offer(struct leg *leg, struct leg *originator, struct buf *out);
/* The far side's answer to our offer (early or final; a second identical one is fine). ST_UNSUPPORTED when it does not
 * fit. */
ON_CTL int leg_media_remote_answer(struct leg *leg, struct sv sdp);
/* A re-INVITE or UPDATE with an offer: applies it, appends our answer. Reports hold and resume by leg_mark_held itself.
 * ST_UNSUPPORTED leaves the running session as it was (488). ST_AGAIN: the other phone is asked (bypass); the answer
 * comes by ops->reinvite_reply. ST_BUSY: 491. */
ON_CTL int leg_media_reoffer(struct leg *leg, struct sv sdp, struct buf *out);
/* A re-INVITE without SDP: appends our offer, of what is wanted now; what they answer comes by leg_media_late_answer.
 * ST_AGAIN and ST_BUSY as above (bypass: the other phone is asked for its offer). */
ON_CTL int leg_media_offer_asked(struct leg *leg, struct buf *out);
/* The answer in the ACK to the 2xx that had our offer (empty: none came, ST_NOTFOUND). What fits is in force, hold and
 * resume included; else the session stays as it was. In bypass it goes to the other phone. */
ON_CTL int leg_media_late_answer(struct leg *leg, struct sv sdp);
/* Candidates that come late, as application/trickle-ice-sdpfrag (RFC 8840). ST_NOTFOUND: no ICE here; ST_INVAL: not of
 * this session; ST_PARSE. */
ON_CTL int leg_media_trickle(struct leg *leg, struct sv body);
/* While an application only waits the phone hears what send_silence_when_idle says, if anything; until end, or the leg
 * does something else. */
ON_CTL void leg_idle_sound_begin(struct leg *leg);
ON_CTL void leg_idle_sound_end(struct leg *leg);
/* Our own re-INVITE's offer (hold: sendonly). ST_BUSY: an offer of ours is open. An offer that then cannot be sent is
 * taken back by leg_media_offer_unsent. */
ON_CTL int leg_media_own_reoffer(struct leg *leg, bool is_hold, struct buf *out);
/* The same, held by us or not as it is. */
ON_CTL int leg_media_same_reoffer(struct leg *leg, struct buf *out);
/* The offer that was just made is not on its way: all is as before it. */
ON_CTL void leg_media_offer_unsent(struct leg *leg);
/* The answer to our offer has come late, when the leg was bridged already: its media is joined now. */
ON_CTL int leg_media_late_join(struct leg *leg);
/* We called without an offer for a caller who made none (bypass): the answer to theirs comes by ops->reinvite_ack. */
ON_CTL bool leg_media_owes_answer(const struct leg *leg);
/* Our offer was refused for theirs that came in between (491), and is sent again: as things are now. ST_NOTFOUND: it
 * means what it meant. */
ON_CTL int leg_media_offer_again(struct leg *leg, struct buf *out);
/* The session as it is, for a re-INVITE that only refreshes it. ST_INVAL: there is none; ST_BUSY as above, and what is
 * not sent is taken back. */
ON_CTL int leg_media_refresh(struct leg *leg, struct buf *out);
/* A re-INVITE of ours is over: its final code, and the SDP of a 2xx. True: it was one without SDP, and what they are to
 * be answered comes later, by ops->reinvite_ack. */
ON_CTL bool leg_media_reinvite_done(struct leg *leg, int code, struct sv sdp);

ON_CTL void leg_media_acknowledged(struct leg *leg); /* our answer is: what waited for it goes on */

/* ---- bypass: the two phones of a bridge send media to each other (FreeSWITCH's bypass_media, uuid_media) ---- */
ON_CTL bool leg_media_is_bypassed(const struct leg *leg); /* no media of it passes here, or it is about to change */
ON_CTL bool leg_bypass_is_moving(const struct leg *leg);  /* on its way there or back */
/* Sends the two phones of leg's bridge to each other by re-INVITEs, or brings their media back here; while another
 * INVITE of a dialog is under way, when that is over: of such wishes the last one counts, and a bridge that ended
 * meanwhile has none. ST_OK: under way, promised, or so already; ST_INVAL: no bridge of two answered legs whose
 * endpoints can do it, or nothing to bring back. A refusal brings media back. */
ON_CTL int leg_bypass_ask(struct leg *leg, bool is_away);
/* Brings the media of leg and of the leg it is bridged to back here; ST_OK: under way, or here already. A phone that
 * refuses is hung up. */
ON_CTL int leg_bypass_end(struct leg *leg);
/* Offers again in a re-INVITE; codecs NULL = the profile's. ST_OK: it is sent, or will be when another INVITE of the
 * dialog is over; ST_INVAL without media here. */
ON_CTL int leg_media_reneg(struct leg *leg, const char *codecs);
ON_CTL void leg_media_owed(struct leg *leg); /* by its endpoint: the dialog that ops->await_free spoke of is free */
CO int leg_bypass_end_wait(struct leg *leg); /* until it is here; ST_TIMEOUT after 10 s without progress */

/* Two wired legs hear each other from here on. ST_OK also when they do already, or have no streams. */
ON_CTL int leg_media_wire(struct leg *a, struct leg *b);
/* What an endpoint with a way of its own (ops->send_dtmf) knows of its far side: that it says it takes digits so (or no
 * longer says it), that it sent one so, that it refused one, which then goes in the media as those to come do. */
ON_CTL void leg_dtmf_own_taken(struct leg *leg, bool is_taken);
ON_CTL void leg_dtmf_own_received(struct leg *leg);
ON_CTL void leg_dtmf_own_refused(struct leg *leg, char digit, unsigned duration_ms);

/* ---- lines that are passed on: video, text (lines.c) ---- */
ON_CTL void leg_video_refuse(struct leg *leg); /* from now on, in offers that come */
ON_CTL bool leg_has_video(struct leg *leg);
ON_CTL int leg_video_refresh(struct leg *leg); /* asks its phone for a whole picture; ST_NOTFOUND: no video */
ON_CTL int leg_video_asked(struct leg *leg);   /* its phone asks for one of whom it sees */
ON_CTL void leg_lines_echo(struct leg *leg);

ON_CTL const char *leg_media_hold_music(struct leg *leg); /* the conf's, or NULL */
ON_CTL struct mstream *leg_media_stream(struct leg *leg); /* NULL before it is opened */
/* What comes from the leg is taken as samples (a conference), or no longer: CODEC, when that is news. */
ON_CTL void leg_media_linear(struct leg *leg, bool is_linear);
ON_CTL bool leg_media_is_ready(struct leg *leg); /* negotiated */
ON_CTL void leg_media_fini(struct leg *leg);     /* closes the stream; statistics go to variables when they arrive */

/* LEN[:MAX[:DRIFT]] as jitterbuffer_msec, which it sets; "0": none. ST_PARSE, ST_INVAL: logged, and as it was. */
ON_CTL int leg_jitter_set(struct leg *leg, const char *text);
ON_CTL int leg_jitter_pause(struct leg *leg, bool is_paused);

/* Metrics of media: from core_start to core_stop. */
ON_CTL int sound_metrics_start(void);
ON_CTL void sound_metrics_stop(void);
/* DTLS-SRTP's certificate, dtls-srtp.pem of the certificates' folder: read or made by a worker. */
ON_CTL void sound_dtls_start(void);
ON_CTL void sound_dtls_stop(void);
/* Asks the media for its statistics so far and waits for them: the variables rtp_audio_*. */
CO int leg_media_stats_wait(struct leg *leg);
