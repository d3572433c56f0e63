/* Session descriptions (RFC 4566, 8866) and offer/answer (RFC 3264) as pure functions: text and policy in, text and
 * plan out. No sockets, no clock, no globals. All functions are ANY: whoever owns the arguments may call.
 *
 *   offering:   sdp_offer_make(policy, running, &out) ... peer's answer -> sdp_answer_accept(text, policy, running,
 * &plan) answering:  peer's offer -> sdp_answer_make(text, policy, running, &plan, &out)
 *
 * struct sdp_running is kept per dialog, zeroed at its start, and handed to every call of that dialog. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"

/* ---- the parser ------------------------------------------------------------------------------------------------ */

enum {
	SDP_TEXT_MAX = 65536,    /* bytes; longer is ST_PARSE */
	SDP_MEDIA_MAX = 16,      /* m= lines; more is ST_PARSE */
	SDP_FORMATS_MAX = 64,    /* formats of one m= line; the rest is ignored */
	SDP_FORMATS_TOTAL = 256, /* of all lines together; the rest is ignored */
	SDP_ATTRS_MAX = 512      /* raw attributes of all levels together; the rest is ignored */
};

enum sdp_dir {
	SDP_INACTIVE = 0,
	SDP_SENDONLY = 1,
	SDP_RECVONLY = 2,
	SDP_SENDRECV = 3
};                                               /* bit 0 sends, bit 1 receives */
ANY const char *sdp_dir_name(enum sdp_dir d);    /* "sendrecv" */
ANY enum sdp_dir sdp_dir_mirror(enum sdp_dir d); /* sendonly <-> recvonly */

struct sdp_conn {       /* c= */
	struct sv host; /* as written, without ttl; empty when absent */
	bool is_ip6;
};
struct sdp_attr {
	struct sv name, value; /* "rtpmap", "0 PCMU/8000"; value empty for flags */
	int8_t media;          /* index of the m= line, -1 = session */
};
struct sdp_format {
	struct sv text; /* as in the m= line: "0", "t38" */
	int16_t pt;     /* 0..127, -1 when it is no payload type */
	struct sv name; /* of a=rtpmap, or of RFC 3551's static table; empty = unknown */
	uint32_t clock_hz;
	uint8_t channels;
	struct sv fmtp; /* everything after the payload type */
};
struct sdp_media {
	struct sv kind;  /* "audio" */
	struct sv proto; /* "RTP/AVP" */
	uint16_t port;   /* 0 = refused or ended */
	struct sdp_conn conn;
	uint16_t format_first, format_count; /* in struct sdp.formats */
	enum sdp_dir dir;                    /* the line's, else the session's, else sendrecv */
	uint16_t ptime_ms, maxptime_ms;      /* 0 = absent */
	uint16_t rtcp_port;                  /* a=rtcp; 0 = absent */
	struct sv rtcp_host;                 /* empty = the line's own */
	bool is_rtcp_mux;
	bool has_ice;               /* the line's or the session's a=ice-ufrag: sdp/ice.h reads it */
	uint32_t bandwidth_as_kbit; /* b=AS; 0 = absent */
};
/* Views into the parsed text; about 45 kB: not for a coroutine's stack. */
struct sdp {
	struct sv origin, origin_user, origin_id, origin_version, origin_host, name;
	struct sdp_conn conn;
	enum sdp_dir dir;
	size_t media_count, format_count, attr_count;
	bool is_cut;  /* something was ignored for being over a bound */
	bool has_ice; /* a=ice-ufrag before the first m= line */
	struct sdp_media media[SDP_MEDIA_MAX];
	struct sdp_format formats[SDP_FORMATS_TOTAL];
	struct sdp_attr attrs[SDP_ATTRS_MAX];
};

/* Parses text, which must outlive out. ST_PARSE (out is then undefined) for what is no session description. */
ANY int sdp_parse(struct sv text, struct sdp *out);
/* Parses into a fresh mem_alloc block: mem_free it. */
ANY int sdp_parse_new(struct sv text, struct sdp **out);
/* The value of the first raw attribute of that name on that m= line (-1 = session); false when absent. */
ANY bool sdp_attr_get(const struct sdp *s, int media, const char *name, struct sv *value);
/* Writes what was parsed: origin, connection, lines, formats and raw attributes, in their order. */
ANY int sdp_write(const struct sdp *s, struct buf *out);
/* Value of one parameter of an fmtp text: "useinbandfec" in "minptime=10; useinbandfec=1". */
ANY bool sdp_fmtp_get(struct sv fmtp, const char *name, struct sv *value);
/* Appends text with our numeric address and port in the place of the first audio line's; other lines are refused (port
 * 0), what else would lead past us is left out. ST_PARSE as sdp_parse. */
ANY int sdp_readdress(struct sv text, struct sv host, uint16_t port, struct buf *out);
/* Appends text, then, as refused (port 0), the m= lines that others have behind its last: the descriptions that were
 * said in the dialog before, whose lines must not become fewer (RFC 3264 section 8). Empty ones have none; what is no
 * description is passed as it is. ST_NOMEM. */
ANY int sdp_lines_keep(struct sv text, const struct sv *before, size_t count, struct buf *out);
/* An address that holds: 0.0.0.0, or :: however its zeros are written. */
ANY bool sdp_is_nowhere(struct sv host);
/* Numeric address text: 4, 6, or 0 when it is neither. */
ANY int sdp_host_kind(struct sv host);

/* ---- codecs by name -------------------------------------------------------------------------------------------- */

enum { SDP_NAME_MAX = 24, SDP_FMTP_MAX = 192, SDP_HOST_MAX = 64, SDP_CODECS_MAX = 20 };

struct sdp_codec {
	char name[SDP_NAME_MAX]; /* as written in rtpmap: "PCMU", "G722", "opus" */
	int16_t pt_send;         /* payload type to put into packets we send (the peer's number); -1 = not known yet */
	int16_t pt_recv;         /* payload type the peer puts into what it sends us */
	uint32_t clock_hz;       /* RTP clock: 8000 for G722 */
	uint32_t rate_hz;        /* sampling rate: 16000 for G722 */
	uint8_t channels;        /* as in rtpmap: 2 for opus */
	uint16_t ptime_ms;
	uint32_t bitrate;        /* bit/s, 0 = the codec's own */
	char fmtp[SDP_FMTP_MAX]; /* in a preference: what we offer; in a plan: the peer's, for pass-through */
};
struct sdp_codecs {
	size_t count;
	struct sdp_codec v[SDP_CODECS_MAX];
};
/* FreeSWITCH's codec string: "OPUS,G722,PCMU@20i,PCMA@8000h@20i@64000b@1c", "MODULE.NAME~fmtp@..."; h = rate (for G722
 * 16000 and 8000 both mean the one there is), i = ptime, b = bit rate, c = channels. Video names are skipped; what is
 * over SDP_CODECS_MAX is cut. *video, when not NULL, says whether a video codec was named. ST_PARSE for a bad field
 * (bad, when not NULL, borrows the item at fault); an empty string gives an empty list. */
ANY int sdp_codecs_parse(struct sv text, struct sdp_codecs *out, bool *has_video, struct sv *bad);
/* The video codecs of such a string. */
ANY int sdp_codecs_parse_video(struct sv text, struct sdp_codecs *out);
/* "PCMU@8000h@20i@1c,..." as FreeSWITCH's rtp_last_audio_codec_string shows it. */
ANY int sdp_codecs_write(const struct sdp_codecs *c, struct buf *out);
/* Same name, clock and channels, and the same meaning of fmtp where the fmtp decides (G.729 annexb and opus do not, the
 * AMR and iLBC modes do): packets of one may be passed through as the other. */
ANY bool sdp_codec_is_same(const struct sdp_codec *a, const struct sdp_codec *b);
/* Of audio codecs, what sdp_codec_is_same compares of fmtp: whether there is any, and as a number (0 = none). */
ANY bool sdp_codec_has_variants(const struct sdp_codec *c);
ANY uint8_t sdp_codec_variant(const struct sdp_codec *c);
/* One with variants and without fmtp gets what its absence means, in words: a preference of no other form. */
ANY void sdp_codec_form(struct sdp_codec *c);
/* Fills name (canonical spelling), clock, rate, channels, ptime and static payload type of a known codec; an unknown
 * name is kept with 8000 Hz. */
ANY void sdp_codec_init(struct sdp_codec *c, struct sv name);

/* ---- offer and answer ------------------------------------------------------------------------------------------ */

enum sdp_mode {
	SDP_GENEROUS, /* the offerer's order decides */
	SDP_GREEDY,   /* our order decides */
	SDP_SCROOGE   /* our order decides, and a ptime we name must be the offered one */
};
ANY bool sdp_mode_parse(struct sv text, enum sdp_mode *out); /* false leaves out unchanged */

/* Encryption by keys in the description (SDES, RFC 4568). A line is RTP/SAVP, with keys, or RTP/AVP, without. */
enum sdp_secure_mode {
	SDP_SECURE_NONE,     /* a line with keys is refused, none is offered */
	SDP_SECURE_OPTIONAL, /* answering: whichever comes first; offering: a line of each kind */
	SDP_SECURE_ONLY
};
enum { SDP_KEY_MAX = 46, SDP_KEYS_MAX = 8 };
struct sdp_key {
	uint32_t tag;             /* of our offers */
	struct sv suite, also;    /* its names; the second is only read */
	size_t key_n;             /* of master key and salt */
	uint8_t key[SDP_KEY_MAX]; /* ours: of what we send */
};
struct sdp_secure {
	enum sdp_secure_mode mode;
	size_t count;
	struct sdp_key keys[SDP_KEYS_MAX]; /* of the suites we do, best first */
};

/* RTCP feedback (RFC 4585, 5104, and what browsers add), by a=rtcp-fb, and the header extensions that are passed. */
enum sdp_fb { SDP_FB_NACK = 1, SDP_FB_PLI = 2, SDP_FB_FIR = 4, SDP_FB_TMMBR = 8, SDP_FB_REMB = 16, SDP_FB_TCC = 32 };
enum sdp_ext { SDP_EXT_MID, SDP_EXT_ABS_TIME, SDP_EXT_TCC, SDP_EXT_ORIENTATION, SDP_EXT_TOFFSET, SDP_EXT_COUNT };
enum { SDP_EXT_ID_MAX = 14, SDP_PARTS_MAX = 2 };

/* Read once at the edge from profile and channel variables. Views and pointers are borrowed for the call. */
struct sdp_ice_local;
struct sdp_dtls_local;
struct sdp_part;
struct sdp_policy {
	const char *kind; /* of the m= line; NULL = "audio", which is the one that an agreement needs */
	/* Other lines of the same description, each of a kind of its own; refused where they do not fit. */
	struct sdp_part *parts;
	size_t part_count;
	uint8_t fb;                  /* enum sdp_fb: what is spoken on this line */
	uint8_t exts[SDP_EXT_COUNT]; /* the number that is offered for a header extension; 0 = none; answering: any */
	bool has_red;                /* redundancy is passed (RFC 2198) */
	bool has_fec;                /* has_red for parity in it (ULPFEC, RFC 5109), and not without */
	bool is_bundled;             /* of a part: on the first line's transport (RFC 8843) */
	uint32_t bandwidth_as_kbit;  /* b=AS; 0 = not written */
	const struct sdp_codecs *prefs; /* what we speak, best first */
	const struct sdp_codecs
	    *first; /* NULL, or the other leg's codecs: tried (and offered) before prefs, in any mode */
	enum sdp_mode mode;
	struct sv host;      /* our numeric address as text, v4 or v6 */
	uint16_t port;       /* our RTP port */
	uint16_t rtcp_port;  /* 0 = port + 1, which is not written */
	int16_t dtmf_pt;     /* telephone-event's preferred number, 0 = 101, -1 = do not speak it */
	int16_t cn_pt;       /* comfort noise: 13, or 0/-1 = none */
	uint16_t ptime_ms;   /* when neither codec nor offer names one; 0 = 20 */
	enum sdp_dir dir;    /* what we want; SDP_INACTIVE is meant as such: set SDP_SENDRECV in the ordinary case */
	struct sv user;      /* o= user and s= name; empty = "FreeSWITCH" */
	uint64_t session_id; /* o= id; the first version is one more. 0 = 1 */
	bool is_rtcp_mux_allowed; /* answer a=rtcp-mux with a=rtcp-mux */
	bool is_rtcp_mux_offered;
	bool is_xr_offered,
	    is_xr_allowed; /* a=rtcp-xr:voip-metrics (RFC 3611) in an offer; in an answer to one that has it */
	const struct sdp_ice_local *ice; /* sdp/ice.h: what is said of ICE; NULL = nothing */
	const struct sdp_dtls_local
	    *dtls;                       /* sdp/dtls.h; NULL = lines with a fingerprint are neither offered nor taken */
	const struct sdp_secure *secure; /* NULL = SDP_SECURE_NONE */
	bool is_all_answered;            /* answer with every accepted codec instead of only the chosen one */
	bool is_turned; /* taking an answer: of its codecs the one that comes under turned_pt is the chosen one */
	uint8_t turned_pt;
	bool is_ptime_kept;      /* our own ptime even when the peer asks for another */
	bool is_terse;           /* an offer leaves out the rtpmap of static payload numbers */
	bool are_events_assumed; /* a line without telephone-event is taken as if it had it, under dtmf_pt */
	struct sv append;        /* lines of the audio line, each with its end of line; written as they are */
	struct sv answer_fmtp;   /* in an answer, in place of the audio codec's own; empty = its own */
};

enum { SDP_RUN_CODECS = 18, SDP_RUN_LINES = 16 };
enum { SDP_RUN_USED = 1 /* in the last offer or answer */, SDP_RUN_CHOSEN = 2 /* the codec in use */ };
/* What one dialog remembers between its negotiations: under 1 kB, zero at the start. Opaque in use, copied freely. */
struct sdp_running {
	uint64_t version;   /* of our last o=; 0 = nothing sent yet */
	uint64_t body_hash; /* of our last body without o= */
	uint8_t codec_count, line_count;
	uint8_t line;   /* which one it is of the lines (a part's: of the first's) */
	bool is_agreed; /* an answer was given or taken */
	struct sdp_run_codec {
		char name[13];
		uint8_t variant; /* sdp_codec_variant: two formats of one codec have a number each */
		int16_t pt_recv, pt_send;
		uint8_t channels, flags; /* SDP_RUN_... */
		uint32_t clock_hz;
	} codecs[SDP_RUN_CODECS];
	struct sdp_run_line {
		char kind[12], proto[20]; /* of the peer's or our m= lines, in order; proto empty: to be chosen */
		bool is_open;             /* another audio line that we offer in place of the first */
	} lines[SDP_RUN_LINES];
};

struct sdp_plan {
	uint8_t fb;                         /* enum sdp_fb: both sides speak it */
	uint8_t exts[SDP_EXT_COUNT];        /* agreed numbers, 0 = none */
	int16_t red_send, red_recv;         /* -1 = none */
	int16_t fec_send, fec_recv;         /* -1 = none; else inside of RED */
	bool is_rsize;                      /* RTCP may be of reduced size (RFC 5506) */
	struct sdp_codec send, recv;        /* the chosen codec; send and recv differ at most in fmtp */
	struct sdp_codecs codecs;           /* everything both sides speak, best first; [0] is the chosen one */
	int16_t dtmf_send_pt, dtmf_recv_pt; /* -1 = none: digits travel in-band or by INFO */
	uint32_t dtmf_clock_hz;
	int16_t cn_pt;                  /* -1 = none */
	char remote_host[SDP_HOST_MAX]; /* text as in c=; numeric unless is_remote_name */
	uint16_t remote_port;
	char remote_rtcp_host[SDP_HOST_MAX];
	uint16_t remote_rtcp_port;
	bool is_remote_name, is_rtcp_mux;
	bool is_xr;              /* the far side wants VoIP metrics of us */
	bool is_dtls;            /* the line is secured by DTLS-SRTP: sdp/dtls.h reads it */
	enum sdp_dir remote_dir; /* as the peer wrote it (0.0.0.0 counts as not receiving) */
	enum sdp_dir local_dir;  /* what holds for us: bit 0 we send, bit 1 we receive */
	bool is_hold;            /* the peer holds us: sendonly, inactive or c=0.0.0.0 */
	bool is_secure;          /* the line has keys: */
	uint8_t key_index;       /* the policy's that we send under */
	uint32_t key_tag;
	uint8_t key_in[SDP_KEY_MAX]; /* theirs, as long as ours: of what comes */
	bool has_video, has_t38;     /* the peer offered it (and was refused) */
	uint8_t line;                /* index of the audio line */
	const char *why;             /* after a failure: static English text, else NULL */
};

/* The same at rest, in a tenth of the memory. Packing takes the place of what was packed before (mem_alloc'd; NULL at
 * first; the caller frees it); nothing packed is a dialog's start. */
ANY int sdp_running_pack(const struct sdp_running *r, uint8_t **packed);
ANY void sdp_running_unpack(const uint8_t *packed, struct sdp_running *r);

/* A description that was said in the dialog by others than us (bypass): its m= lines count for our next offer. */
ANY void sdp_running_passed(struct sdp_running *r, struct sv text);

/* One more line: what is wanted of it, the dialog's memory of it, and what came of it. */
struct sdp_part {
	const struct sdp_policy *p;
	struct sdp_running *r;
	struct sdp_plan *plan; /* answering and accepting: filled when it is taken, else only why */
	bool is_taken;
};
/* Appends an offer to out. Re-offers keep payload numbers and refused lines; the o= version moves only when the body
 * changed. ST_INVAL when the policy has no codec, host or port. On failure running is unchanged. */
ANY int sdp_offer_make(const struct sdp_policy *p, struct sdp_running *r, struct buf *out);
/* Answers an offer. ST_PARSE for what is no SDP; ST_UNSUPPORTED (SIP 488; plan->why says it, the rest of plan is zero)
 * when no audio line fits. On failure running and out are unchanged. Every m= line is answered, in order: the first
 * usable audio line is accepted, all others get port 0. The offerer's payload numbers are used. */
ANY int sdp_answer_make(
    struct sv offer, const struct sdp_policy *p, struct sdp_running *r, struct sdp_plan *plan, struct buf *out);
/* As sdp_answer_make without writing: what the answer would be (late negotiation; running untouched). */
ANY int sdp_answer_plan(
    struct sv offer, const struct sdp_policy *p, const struct sdp_running *r, struct sdp_plan *plan);
/* Takes the peer's answer to the last offer of running. May be repeated (183, then 200). ST_UNSUPPORTED when the line
 * was refused or names no codec that was offered. */
ANY int sdp_answer_accept(struct sv answer, const struct sdp_policy *p, struct sdp_running *r, struct sdp_plan *plan);
/* Every open line, whatever its kind, is encrypted: by keys in it (RTP/SAVP), by DTLS or TLS. False without one. */
ANY bool sdp_is_secured(struct sv sdp);
/* The suite of the first key in an offer's RTP/SAVP lines, whether we do it or not; empty: none. Points into offer. */
ANY struct sv sdp_offer_suite(struct sv offer);
/* Everything an offer's usable audio line names, in the offerer's order, whether we know it or not (without
 * telephone-event and CN): the list for policy.first of the other leg and FreeSWITCH's ep_codec_string. */
ANY int sdp_offer_codecs(struct sv offer, struct sdp_codecs *out);
/* The first open line of that kind is on one transport with the audio line (RFC 8843), and the two have no payload
 * number in common. mid: the line's; points into offer. */
ANY bool sdp_offer_is_bundled(struct sv offer, const char *kind, struct sv *mid);
/* The same of the first line of a kind that is open, and what else it says: for the other leg's line. ST_UNSUPPORTED:
 * there is none. */
struct sdp_offered {
	struct sdp_codecs codecs;
	uint8_t fb, exts[SDP_EXT_COUNT];
	bool has_red, has_fec;
	enum sdp_dir dir;
};
ANY int sdp_offer_line(struct sv offer, const char *kind, struct sdp_offered *out);
