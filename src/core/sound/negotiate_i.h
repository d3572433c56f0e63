/* Between negotiate.c (what comes from the far side, and our answers), offers.c (our offers) and agree.c (what came of
 * both). */
#pragma once
#include "core/sound/media_i.h"

/* ---- agree.c ---- */
/* A plan is 6 kB and written whole by whoever succeeds: not cleared. mem_free it. NULL: no memory. */
ANY struct sdp_plan *media_plan_new(void);
/* Its profile's codecs, as it was spoken to in the beginning. */
ON_CTL const char *media_own_codecs(struct leg *leg);
/* What came of an offer and its answer, once both are known, is put in force; sdp: the far side's one. */
ON_CTL int media_agree(
    struct leg *leg, struct media_policy *q, struct sv sdp, const struct sdp_plan *plan, bool is_answer);
/* Answers with what fits and can be opened, and puts it in force. */
ON_CTL int media_answer_agreed(
    struct leg *leg, struct media_policy *q, struct sv offer, struct sdp_plan *plan, struct buf *text);

/* ---- negotiate.c ---- */
/* Whether anything of the leg's offer is wanted by its profile and variables; ST_UNSUPPORTED: nothing. */
ON_CTL int media_check_offer(struct leg *leg);

/* ---- offers.c ---- */
/* An offer, when the far side's INVITE had none or when we call; originator: whose codec comes first, the leg itself,
 * or NULL. Appended to out; the state that it may not change is kept. */
ON_CTL int media_make_offer(
    struct leg *leg, struct leg *originator, const char *codecs, enum sdp_dir dir, struct buf *out);
ANY enum sdp_dir media_own_dir(bool is_held_by_us);
ON_CTL void media_keep_local(struct leg *leg, struct sv text);
ON_CTL void media_stands(struct leg_media *m); /* what we said last is agreed on */
ON_CTL void media_held_mark(struct leg_media *m);
