/* Private to offer.c and answer.c, which are written in the same words: what they share of text (text.c) and of a
 * dialog's memory of payload numbers (running.c). */
#pragma once
#include "sdp/dtls.h"
#include "sdp/match_i.h"

/* ---- text.c ---- */
enum { SDP_TE_CLOCKS_MAX = 3 };
struct sdp_line_text {                   /* what a line says that is not refused */
	const struct sdp_codecs *codecs; /* pt_recv and fmtp are written */
	struct {
		int pt;
		uint32_t clock_hz;
	} te[SDP_TE_CLOCKS_MAX];
	size_t te_count;
	int cn_pt, red_pt, fec_pt;
	enum sdp_dir dir;
	uint16_t ptime_ms;
	bool is_rtcp_mux, is_rsize;
	uint8_t fb, exts[SDP_EXT_COUNT];
	struct sv proto;
	enum sdp_setup setup;          /* SDP_SETUP_NONE: not secured by DTLS */
	const struct sdp_plan *answer; /* NULL: it is an offer */
};
/* It has codecs, an address, a port, and a user that can stand in o=. */
bool sdp_policy_is_usable(const struct sdp_policy *p);
/* From s= to the first line: what is said of all lines. */
void sdp_put_session(struct buf *b, const struct sdp_policy *p);
void sdp_put_line(struct buf *b, const struct sdp_policy *p, const struct sdp_line_text *t);
/* A line with port 0. */
void sdp_put_refused(struct buf *b, struct sv kind, struct sv proto, struct sv format);
/* The whole, to out: v= and o=, then the body; the version moves when the body or the origin's host did. */
int sdp_put_whole(const struct sdp_policy *p, struct sdp_running *r, const struct buf *body, struct buf *out);

/* ---- running.c ---- */
/* Of what is no codec of its own: telephone-event, CN, red ... */
struct sdp_codec sdp_helper_codec(const char *name, uint32_t clock_hz);
struct sdp_run_codec *sdp_run_find(struct sdp_running *r, const struct sdp_codec *c); /* of that name and variant */
/* Notes a codec with its numbers; another codec that held pt_recv loses it; the oldest unused one makes room. */
void sdp_run_set(struct sdp_running *r, const struct sdp_codec *c, int pt_recv, int pt_send);
/* The far side answered what we offered under c->pt_recv: by its number, and in the form that it named. */
void sdp_run_answered(struct sdp_running *r, const struct sdp_codec *c);
void sdp_run_unuse(struct sdp_running *r); /* a new description: none is in use until it is set */
void sdp_run_choose(struct sdp_running *r, const struct sdp_codec *c);
