/* Private: what offer.c, answer.c and text.c ask of match.c and its like. On failure plan->why is set. */
#pragma once
#include "sdp/sdp_i.h"

int sdp_match_offer(
    const struct sdp *s, const struct sdp_policy *p, const struct sdp_running *r, struct sdp_plan *plan);
/* dialog: the first line's memory, which has the lines; r: of the line that p speaks of. */
int sdp_match_answer(const struct sdp *s, const struct sdp_policy *p, const struct sdp_running *dialog,
    const struct sdp_running *r, struct sdp_plan *plan);
static inline const char *sdp_kind(const struct sdp_policy *p)
{
	return p->kind ? p->kind : "audio";
}
/* ---- feedback.c ---- */
uint8_t sdp_fb_read(const struct sdp *s, int line, int pt); /* enum sdp_fb */
void sdp_exts_read(const struct sdp *s, int line, uint8_t out[SDP_EXT_COUNT]);
int sdp_helper_pt(const struct sdp *s, const struct sdp_media *m, const char *name, uint32_t clock_hz); /* -1 = none */
/* What stands beside the codec that plan has; nothing but what the policy speaks. */
void sdp_beside_read(const struct sdp *s, size_t line, const struct sdp_policy *p, struct sdp_plan *plan);
void sdp_beside_put(struct buf *b, int pt, uint8_t fb, const uint8_t exts[SDP_EXT_COUNT], bool is_rsize);
/* The two lines are of one bundle, under different names. */
bool sdp_is_bundled(const struct sdp *s, int line, int with);
/* ---- secure.c ---- */
bool sdp_is_secure_rtp(struct sv proto); /* RTP/SAVP and its kin with feedback */
/* Whether what stands on an offered or answered line is to be had by the policy; the plan gets the keys. is_answer: to
 * our own offer, whose tag and suite it must repeat. Else plan->why. */
int sdp_secure_choose(
    const struct sdp *s, size_t line, const struct sdp_policy *p, bool is_answer, struct sdp_plan *plan);
void sdp_secure_put_offer(struct buf *b, const struct sdp_policy *p);
void sdp_secure_put_answer(struct buf *b, const struct sdp_policy *p, const struct sdp_plan *plan);
uint16_t sdp_ptime_default(const struct sdp_policy *p, const struct sdp_codec *c);
/* What an answer says in fmtp for an accepted codec (whose fmtp is the peer's): our own, or the peer's where it
 * decides. */
void sdp_answer_fmtp(const struct sdp_policy *p, const struct sdp_codec *accepted, char out[SDP_FMTP_MAX]);
