/* A leg's media, for media.c (life, offers and answers), media_policy.c (what they are made of) and
 * media_vars.c (what it tells in variables). */
#pragma once
#include "core/sound/sound_i.h"
#include "rtp/quality.h"
#include "sdp/sdp.h"

enum bypass_state {
	BYPASS_NONE,
	BYPASS_ON,
	BYPASS_GOING, /* our re-INVITE with the other phone's SDP is under way */
	BYPASS_COMING /* our re-INVITE with our own SDP is */
};
/* What waits for the dialog (wish.c). */
enum media_wish { MEDIA_WISH_NONE, MEDIA_WISH_OFFER, MEDIA_WISH_AWAY, MEDIA_WISH_BACK };
/* Whether the far side takes digits by the endpoint's own way. */
enum media_own_digits { OWN_DIGITS_UNKNOWN, OWN_DIGITS_TAKEN, OWN_DIGITS_SENT /* it sent one */, OWN_DIGITS_REFUSED };
/* One m= line of a leg, with a stream, keys and addresses of its own. The audio's is the leg's first, which has also
 * what the leg as a whole says: profile, texts, bypass. Of the others (lines.c) only what a line has is used. */
struct leg_media {
	struct leg *leg;                /* NULL once the leg is gone and only the last report is awaited */
	struct leg_media *first, *next; /* the audio's, which may be itself; the next one of the same leg */
	uint8_t kind;                   /* enum media_kind */
	bool is_bundled;                /* on the first's transport: no addresses and keys of its own */
	struct media_line *line;        /* what a line that is passed has (lines.c); NULL: the audio's */
	struct mstream *stream;
	struct addr local;
	bool is_negotiated, is_closing, is_remote_offer_new, is_late, is_late_told, is_held_by_us;
	bool are_events_assumed; /* liberal-dtmf */
	bool ignores_holds;      /* disable-hold */
	bool is_transcoding_off; /* the two of a bridge speak the same codec, or not at all */
	bool is_g726_aal2;       /* bitpacking=aal2 */
	bool passes_zrtp;        /* the profile's inbound-zrtp-passthru */
	bool is_wired;           /* without ports */
	enum media_source_mode source_mode;
	struct addr signal_from;   /* where signalling came from */
	struct addr *signal_named; /* other hosts that it names: signal_named_count of them */
	uint8_t signal_named_count;
	struct leg_secure *secure; /* secure.c; NULL: none */
	bool is_secure_required;
	struct leg_ice *ice;       /* ice.c; NULL: none */
	struct mturn *turn;        /* the profile's; NULL: none */
	struct leg_dtls *dtls;     /* dtls.c; NULL: none */
	bool was_ice, was_dtls;    /* of a stream that is closed: agreed on */
	struct media_texts *texts; /* a reference; the lines that are passed have none of their own */
	enum bypass_state bypass;
	bool comes_back_on_hold, goes_after_hold; /* media in bypass: here while held; bypass once it is not */
	bool
	    is_bypass_secure; /* one of the two phones must be spoken to encrypted: what they say of media must be so */
	bool is_video_refused;  /* the application novideo */
	bool is_proxied;        /* in bypass, but with our address: packets go through us as they are (proxy.c) */
	bool is_proxy_default;  /* the profile's inbound-proxy-media */
	bool is_offerless;      /* the far side called without SDP */
	bool is_bypass_default; /* the profile's inbound-bypass-media */
	bool is_bypass_due;     /* bypass_media_after_bridge waits for the ACK, or for a re-INVITE */
	uint8_t wish;           /* enum media_wish */
	bool is_offer_asked;    /* of is_reoffer_passed: it came without SDP */
	bool is_ack_owed;       /* the other phone's offer was passed on; its ACK waits for the answer */
	bool is_reoffer_passed; /* the phone's own re-INVITE waits for the other phone's answer */
	int dtmf_pt, cn_pt;
	enum media_dtmf_type dtmf_type; /* asked for: by the profile, then by the variable */
	const char *dtmf_told;          /* what the variable dtmf_type holds as a report; NULL: not that */
	enum media_own_digits own_digits;
	bool is_jitter_paused;
	bool is_jitter_asked; /* its figures are on the way, for the event */
	/* Whether the codec has two channels, each way: what the far side said of its Opus, or a codec that always has.
	 */
	bool takes_stereo, sends_stereo;
	bool has_vad;            /* the profile's vad: of what comes */
	bool has_events;         /* telephone-event is agreed on */
	bool has_comfort;        /* comfort noise is */
	bool suppresses_silence; /* the profile's vad: of what goes */
	bool is_offer_open;      /* our offer waits for its answer */
	bool is_offer_stale;     /* and theirs was heard since it was made */
	bool was_held_by_us;     /* is_held_by_us, before the offer that is open */
	bool is_held_by_them;    /* as they said last */
	enum sdp_dir dir;        /* ours, as it was agreed on */
	enum media_offer_for { OFFER_ALONE, OFFER_SELF, OFFER_PEER } offer_for; /* with whose codec in front */
	bool is_on_hold;       /* no audio is expected: the timeout on hold counts */
	unsigned timeout_told; /* ms, what the stream was told; 0 = none */
	unsigned rtp_timeout_ms, rtp_hold_timeout_ms, rtcp_interval_ms, digit_gap_ms;
	char *remote_sdp, *local_sdp; /* texts of sv_share: variables hold them, too */
	char *reoffer_sdp;            /* of is_reoffer_passed: what the phone said, NULL: nothing */
	char *standing_sdp;           /* local_sdp, or what it was before an offer that is not answered */
	bool is_remote_answer;        /* remote_sdp answered an offer of ours */
	uint64_t session_id;
	struct media_codec codec;  /* of sending */
	char *codec_fmtp;          /* theirs of it, where it must not change; NULL: nothing */
	uint8_t turns_left;        /* how often the codec may change without a word (media_codec_turn) */
	uint8_t *running;          /* of its dialog, packed (sdp_running_pack) */
	uint8_t *standing_running; /* what it was before the offer that is open; NULL: nothing, or no offer is open */
};

/* What the legs of a profile are told in words (texts.c): counted, not changed. */
struct media_texts {
	struct lnode link; /* of those in use */
	char *candidate_acl, *nat_acl, *local_acl, *rtp_host, *advertise_host, *inbound_codecs, *outbound_codecs,
	    *negotiation, *username;
	char *hold_music; /* NULL: none */
};
ON_CTL struct media_texts *media_texts_of(const struct leg_media_conf *c); /* a reference; NULL: no memory */

/* Everything negotiation is told, read once; about 15 kB: on the heap. */
struct media_parts;
enum { MEDIA_APPEND_MAX = 1024 };
struct media_policy {
	struct sdp_policy p;
	struct sdp_codecs prefs, first;
	struct media_parts *parts;  /* of the other lines; NULL: there are none */
	struct leg_media *m;        /* whose line it is */
	struct sdp_running running; /* m's, while it is negotiated */
	char append[MEDIA_APPEND_MAX], answer_fmtp[SDP_FMTP_MAX];
};
ON_CTL void media_running_keep(const struct media_policy *q);    /* and of the other lines, after each negotiation */
ON_CTL void media_running_again(struct media_policy *q);         /* as it was before: another answer is made */
ON_CTL void media_running_offered(const struct media_policy *q); /* our offer's: what was before is kept beside */
ANY const char *media_kind_name(unsigned kind);                  /* as an m= line says it */
ON_CTL void media_policy_free(struct media_policy *q);

/* ---- lines.c: lines that are passed on (video, text) ---- */
/* Adds to the policy what is answered or offered of other lines than the audio's; streams are opened. near,
 * originator: whom the leg is or will be joined with, or NULL. */
ON_CTL int media_lines_answer(struct leg *leg, struct leg *near, struct media_policy *q, struct sv offer);
ON_CTL int media_lines_offer(struct leg *leg, struct leg *originator, struct media_policy *q);
ON_CTL int media_lines_answered(struct leg *leg, struct media_policy *q); /* to our offer */
/* What came of them; sdp: the far side's. Lines that nothing came of are closed. */
ON_CTL void media_lines_agree(struct leg *leg, struct media_policy *q, struct sv sdp, bool is_answer);
/* An offer or an answer comes to nothing: lines that were opened for it are closed, what is agreed on stays. */
ON_CTL void media_lines_refused(struct leg_media *first);
ON_CTL void media_lines_join(struct leg *a, struct leg *b); /* those of the same kind and codec */
ON_CTL void media_lines_idle(struct leg *leg);
ON_CTL void media_lines_close(struct leg *leg); /* their streams end; reports follow */
ON_CTL void media_lines_fini(struct leg_media *first);
ON_CTL bool media_lines_are_closing(const struct leg_media *first);
ON_CTL void media_line_vars_remote(struct leg_media *m, const struct addr *remote);
/* Another stream or other keys for the same line. */
ON_CTL void media_line_reported(struct leg_media *m, const struct media_report *r);
/* ---- media_policy.c ---- */
/* The codec string of the leg's variables, else the profile's. */
ON_CTL const char *media_wanted_codecs(struct leg *leg, const char *of_profile);
/* mem_free it. codecs: the profile's. Fails where a codec string names what is none; logged. */
ON_CTL int media_policy_new(struct leg *leg, const char *codecs, struct media_policy **out);
/* Keeps what they say of a codec whose form goes on in our offers (RFC 3264 section 8.3.2): one with forms (AMR, iLBC),
 * or one that is only passed on. */
ON_CTL void media_fmtp_of(struct leg_media *m, const struct sdp_codec *theirs);
/* Packets of the one mean the same to the other. */
ON_CTL bool media_is_passable(struct leg *a, struct leg *b);
ANY bool media_codecs_have(const struct sdp_codecs *list, const struct sdp_codec *c);
/* What of sends, when it is known (of may be NULL). */
ON_CTL void media_add_current(struct leg *of, struct leg *told, struct sdp_codecs *to);
/* Whether two channels are coded (RFC 7587: stereo, sprop-stereo) is kept, for who is told of its codec. */
ON_CTL void media_stereo_of(struct leg_media *m, const struct sdp_codec *theirs);
/* Answering: the near leg's codec first; without one, those the engine can decode, in the order the mode asks for. */
ON_CTL int media_prefer_for_answer(struct leg_media *m, struct leg *near, struct media_policy *q);
/* What of the policy's wishes cannot be joined with the leg's peer (nor heard here, where it was) is no wish. */
ON_CTL void media_keep_joinable(struct leg *leg, struct media_policy *q);
/* Offering: what the originator speaks first, then what we can transcode to; alone, only what the engine knows.
 * ST_UNSUPPORTED: nothing the far side could choose would reach the originator. */
ON_CTL int media_bound_offer(struct leg *leg, struct leg *originator, struct media_policy *q);

/* leg_dtmf_way.c */
ON_CTL enum media_dtmf_type media_dtmf_type(struct leg *leg); /* the variable where it is set, else the profile's */
ON_CTL const char *media_dtmf_name(struct leg *leg);          /* how it is, in FreeSWITCH's words */
ON_CTL unsigned media_digit_gap_ms(struct leg *leg);          /* the variable, else the profile's; 0 = media's own */

/* leg_media_timeout.c: as the variables and the profile say, while the leg is answered */
ON_CTL void media_timeout_apply(struct leg *leg);

/* jitter.c: as the variables say, when media was agreed on; what the buffer did, as rtp_jb_... */
ON_CTL void media_jitter_apply(struct leg *leg);
ON_CTL void media_vars_jitter(struct leg *leg, const struct media_stats *s);
ON_CTL void media_jitter_tell(struct leg_media *m, const struct media_stats *s); /* the event, where it was asked for */

/* quality.c: how often reports are sent, 0 = as RFC 3550 says; what they and the counters say of the call. */
ON_CTL unsigned media_rtcp_interval_ms(struct leg *leg);
ON_CTL void media_quality(
    const struct media_stats *s, const char *codec, struct quality_in *in, struct quality_out *out);
ON_CTL void media_vars_quality(struct leg *leg, const struct media_stats *s);

/* comfort.c */
ON_CTL bool media_comfort_is_spoken(struct leg *leg); /* offered and answered */
/* As the variables and the profile say, when media was agreed on or the leg is joined to another. */
ON_CTL void media_comfort_apply(struct leg *leg, struct leg *peer /* NULL: alone */);
ON_CTL void media_comfort_join(struct leg *a, struct leg *b); /* the two, each towards the other */

/* talk.c */
ON_CTL void media_talk_apply(struct leg *leg); /* as the variables and the profile say, when media was agreed on */
ON_CTL void media_talk_tell(struct leg *leg, bool is_talking);
ON_CTL void media_rtcp_tell(struct leg *leg, const struct media_rtcp *r);

/* Whom the stream may believe, p->remote_rtp being known: the profile's mode or the leg's variables. */
ON_CTL void media_source_policy(struct leg *leg, struct media_params *p);

/* ---- media_vars.c ---- */
ON_CTL void media_vars_offer(struct leg *leg, const struct sdp_codecs *theirs); /* ep_codec_string */
/* What our own side of the stream is: known with our offer already. */
ON_CTL void media_vars_local(struct leg *leg, const struct leg_media *m, enum sdp_dir dir);
ON_CTL void media_vars_plan(struct leg *leg, struct leg_media *m, const struct sdp_plan *plan);
ON_CTL void media_var_hundredths(struct leg *leg, const char *name, double value); /* "%.2f"; negative is 0 */
ON_CTL void media_vars_stats(struct leg *leg, const struct media_stats *s);
ON_CTL void media_vars_secure(struct leg_media *m, const char *value); /* rtp_secure_media_confirmed and its kin */

/* ---- negotiate.c ---- */
ON_CTL int media_keep_text(char **field, struct sv text);
/* What the far side said; is_answer: to an offer of ours. */
ON_CTL int media_keep_remote(struct leg_media *m, struct sv sdp, bool is_answer);
ON_CTL int media_share_text(char **field, struct sv text); /* a text of sv_share */
/* How media is told of a codec of m's SDP: where G.726 is packed as AAL2 has it, by the name of that. */
ANY void media_codec_of(const struct leg_media *m, const struct sdp_codec *c, bool is_send, struct media_codec *out);
ANY void media_remote_of(const struct sdp_plan *plan, struct media_params *p); /* addresses */
/* What stands beside the codecs of a line: keys, and where packets may go. */
ON_CTL int media_answer_ways(struct leg_media *m, struct media_policy *q, struct sv offer);
ON_CTL int media_offer_ways(struct leg_media *m, struct media_policy *q);
ON_CTL int media_answered_ways(struct leg_media *m, struct media_policy *q); /* as they were offered */
/* The far side sends another codec of its answer (RFC 3264 section 6.1), under this number of ours: it is followed
 * there, both ways. */
ON_CTL void media_codec_turn(struct leg *leg, uint8_t pt);
/* Our offer is refused, could not be sent, or what answers it does not fit: what stood before it stands. */
ON_CTL void media_offer_refused(struct leg_media *m);
/* The 2xx to a re-INVITE of ours: in force, hold and resume included, or as if it were refused. */
ON_CTL int media_reinvite_answer(struct leg *leg, struct sv sdp);
/* An offer of our own for a re-INVITE, whatever is running; a hold of ours stays. ST_BUSY: another one is open. */
ON_CTL int media_own_offer(struct leg *leg, struct leg *near, struct buf *out);

/* ---- media.c ---- */
ON_CTL int media_stream_open(struct leg *leg, struct leg *near); /* ST_OK also when it is */
ON_CTL void media_destroy(struct leg_media *m);

/* ---- ice.c ---- */
/* Whether the offer that q makes has ICE and a=rtcp-mux; the agent is started. */
ON_CTL int media_ice_offer(struct leg_media *m, struct media_policy *q);
/* The same of an answer to this offer. */
ON_CTL int media_ice_answer(struct leg_media *m, struct media_policy *q, struct sv offer);
/* m is on the first's transport: what is said there of ICE is said under its own name (mid; empty: as before). */
ON_CTL int media_ice_ride(struct leg_media *m, struct media_policy *q, struct sv mid);
/* What the far side said is agreed on; line: of its lines; is_answer: to an offer of ours. A restart that was said on
 * the way there happens now. */
ON_CTL int media_ice_apply(struct leg_media *m, struct sv sdp, unsigned line, bool is_answer);
ON_CTL void media_ice_refused(struct leg_media *first);     /* our offer is */
ON_CTL void media_ice_bundle_back(struct leg_media *first); /* their offer is: it is in a bundle, or not, as before */
ON_CTL void media_ice_report(struct leg_media *m);          /* MEDIA_R_PLUG came */
ON_CTL void media_ice_fini(struct leg_media *m);
ON_CTL bool media_is_webrtc(struct leg *leg);              /* it is to be called as a browser */
ON_CTL bool media_ice_may_send(const struct leg_media *m); /* an address of theirs is proven, or there is no ICE */

/* ---- dtls.c ---- */
/* Whether the offer that q makes is secured by DTLS-SRTP. ST_UNSUPPORTED: it is to be and cannot; logged. */
ON_CTL int media_dtls_offer(struct leg_media *m, struct media_policy *q);
/* Whether an answer to this offer may be. Does nothing to the stream. */
ON_CTL int media_dtls_answer(struct leg_media *m, struct media_policy *q, struct sv offer);
/* What the far side said is agreed on: from here on the stream refuses what is not under its keys. Before the stream is
 * told where to send. is_answer: sdp answers our offer. */
ON_CTL int media_dtls_apply(struct leg_media *m, struct sv sdp, const struct sdp_plan *plan, bool is_answer);
ON_CTL void media_dtls_ride(struct leg_media *m, struct media_policy *q); /* on the first's transport */
ON_CTL void media_dtls_go(struct leg_media *m);                           /* where to send may have become known */
ON_CTL void media_dtls_heard(struct leg_media *m);                        /* MEDIA_R_PLUG came */
ON_CTL void media_dtls_answered(struct leg_media *m); /* the handshake is waited for no longer than it may take */
ON_CTL bool media_dtls_is_under_way(const struct leg_media *m);
ON_CTL void media_dtls_fini(struct leg_media *m); /* before the stream is closed */

/* ---- secure.c ---- */
/* Keys for the offer that q makes, or for the answer to this offer, as variables and the profile say. */
ON_CTL int media_secure_offer(struct leg_media *m, struct media_policy *q);
ON_CTL int media_secure_answer(struct leg_media *m, struct media_policy *q, struct sv offer);
ON_CTL void media_secure_answered(struct leg_media *m, struct media_policy *q); /* to our offer */
ON_CTL int media_secure_apply(struct leg_media *m, const struct sdp_plan *plan);
ON_CTL bool media_secure_is_demanded(struct leg *leg);           /* it may not be spoken to in the clear */
ON_CTL bool media_secure_is_on(const struct leg *leg);           /* it is not, by SDES or DTLS */
ON_CTL void media_secure_seen(struct leg *leg, struct sv offer); /* rtp_has_crypto */
ON_CTL void media_secure_closed(struct leg_media *m); /* its stream ends: the next one begins with new keys */
ON_CTL void media_secure_fini(struct leg_media *m);

/* ---- proxy.c ---- */
ON_CTL bool proxy_is_wanted(struct leg *originator);
ON_CTL bool proxy_is_on(const struct leg *leg);
ON_CTL int proxy_start(struct leg *leg, struct leg *near);
/* Appends what the phone of leg is told of what the other one said. */
ON_CTL int proxy_put(struct leg *leg, struct sv sdp, struct buf *out);
ON_CTL int proxy_heard(struct leg *leg, struct sv sdp); /* the leg's phone said it */
ON_CTL int proxy_join(struct leg *a, struct leg *b);

/* ---- bypass.c ---- */
ON_CTL bool bypass_is_wanted(struct leg *leg, struct leg *originator);
ON_CTL int bypass_offer(struct leg *leg, struct leg *originator, struct buf *out);
/* False: the leg is not in bypass any more and is answered like others. */
ON_CTL bool bypass_answer(struct leg *leg, struct leg *near, struct buf *out, int *st);
ON_CTL int bypass_remote_answer(struct leg *leg, struct sv sdp);
ON_CTL int bypass_join(struct leg *a, struct leg *b);
/* Without SDP: the other phone is asked; ST_NOTFOUND: there is none. */
ON_CTL int bypass_offer_asked(struct leg *leg);
ON_CTL int bypass_late_answer(struct leg *leg, struct sv sdp);
/* True: the phone holds, and its media is to be here meanwhile: the leg is answered like any other. */
ON_CTL bool bypass_comes_back(struct leg *leg, struct sv sdp);
ON_CTL void bypass_resumed(struct leg *leg);               /* its hold is over */
ON_CTL int bypass_reoffer(struct leg *leg, struct sv sdp); /* ST_AGAIN: answered later, by ops->reinvite_reply */

/* Whether the two phones of leg's bridge can be sent to each other. ST_EXISTS: they are; ST_BUSY: they are on their
 * way; ST_INVAL: no bridge of two answered legs whose endpoints can do it; ST_UNSUPPORTED. */
ON_CTL int bypass_check(struct leg *leg);
ON_CTL int bypass_start(struct leg *leg); /* after bypass_check. A refusal brings media back. */

/* ---- wish.c ---- */
ON_CTL bool media_is_wished(const struct leg *leg); /* something of leg or of the one it is bridged to waits */
ON_CTL void media_wishes_drop(struct leg *leg);     /* its bridge is over */
ON_CTL int media_reneg(struct leg *leg);            /* offers.c: at once, or ST_BUSY, ST_INVAL */

/* ---- metrics.c ---- */
ON_CTL void sound_metrics_ended(const struct media_stats *s, const char *codec); /* a stream's last statistics */
