/* Offers of the far side and its answers: sdp's pure functions make our answers, and plans, of the policy
 * (media_policy.c); what stands beside the codecs is asked of ice.c, dtls.c and secure.c in one place each way. Codecs
 * the engine knows may be transcoded and are preferred for legs that are answered on their own; others are only passed
 * through.
 *
 *   policy -> + ways (ICE, keys) -> sdp text and plan -> media_agree (agree.c): keys, then parameters, then addresses
 */
#include "base/mem.h"
#include "base/status.h"
#include "core/leg/leg.h"
#include "core/leg/leg_core.h"
#include "core/sound/media.h"
#include "core/sound/negotiate_i.h"
#include "core/sound/sound_core.h"
#include "core/sound/sound_i.h"
#include "core/value/vars.h"
#include <string.h>

/* What stands beside the codecs: keys, and where packets may go. */
static ON_CTL int answer_keys(struct leg_media *m, struct media_policy *q, struct sv offer)
{
	int st = media_dtls_answer(m, q, offer);
	return st ? st : media_secure_answer(m, q, offer);
}

int media_answer_ways(struct leg_media *m, struct media_policy *q, struct sv offer)
{
	int st = media_ice_answer(m, q, offer);
	return st ? st : answer_keys(m, q, offer);
}

int media_offer_ways(struct leg_media *m, struct media_policy *q)
{
	int st = media_ice_offer(m, q);
	if (!st)
		st = media_dtls_offer(m, q);
	return st || q->p.dtls ? st : media_secure_offer(m, q);
}

int media_answered_ways(struct leg_media *m, struct media_policy *q)
{
	int st = media_ice_offer(m, q); /* what was offered */
	media_secure_answered(m, q);
	return st ? st : media_dtls_offer(m, q);
}

int media_keep_text(char **field, struct sv text)
{
	char *copy = sv_dup(text);
	if (!copy)
		return ST_NOMEM;
	mem_free(*field);
	*field = copy;
	return ST_OK;
}

int media_share_text(char **field, struct sv text)
{
	char *copy = sv_share(text.p ? text : SV(""));
	if (!copy)
		return ST_NOMEM;
	str_share_end(*field);
	*field = copy;
	return ST_OK;
}

int media_keep_remote(struct leg_media *m, struct sv sdp, bool is_answer)
{
	m->is_remote_answer = is_answer;
	return media_share_text(&m->remote_sdp, sdp);
}

int media_check_offer(struct leg *leg)
{
	struct leg_media *m = sound_of(leg)->media;
	struct media_policy *q = NULL;
	struct sdp_plan *plan = media_plan_new();
	int st = plan ? media_policy_new(leg, m->texts->inbound_codecs, &q) : ST_NOMEM;

	if (!st)
		st = answer_keys(m, q, sv_of(m->remote_sdp));
	if (!st) {
		q->p.port = 16384; /* nothing is opened yet; any port will do for a plan */
		st = sdp_answer_plan(sv_of(m->remote_sdp), &q->p, &q->running, plan);
	}
	if (st == ST_UNSUPPORTED)
		leg_log(leg, LOG_NOTICE, "no codec fits: %s", plan->why ? plan->why : "");
	media_policy_free(q);
	mem_free(plan);
	return st;
}

int leg_media_remote_offer(struct leg *leg, struct sv sdp)
{
	struct leg_media *m = sound_of(leg)->media;
	struct sdp_codecs *theirs;
	int st;

	leg_var_set(leg, "audio_media_flow", "disabled"); /* until it is answered */
	leg_var_set(leg, "endpoint_disposition", m->is_late_told ? "DELAYED NEGOTIATION" : "RECEIVED");
	m->is_offerless = !sv_trim(sdp).n;
	if (m->is_offerless)
		return ST_OK;
	theirs = mem_alloc(sizeof(*theirs)); /* as long as it says */
	if (!theirs)
		return ST_NOMEM;
	theirs->count = 0;
	st = sdp_offer_codecs(sdp, theirs);
	if (!st || st == ST_UNSUPPORTED) /* nothing we could answer: the dialplan may know what to do with it */
		st = media_keep_remote(m, sdp, false);
	if (st)
		goto out;
	m->is_remote_offer_new = true;
	leg_var_share(leg, "switch_r_sdp", m->remote_sdp);
	media_secure_seen(leg, sdp);
	leg_var_set(leg, "rtp_use_codec_string", media_wanted_codecs(leg, m->texts->inbound_codecs));
	media_vars_offer(leg, theirs);
	if (!m->is_late)
		st = media_check_offer(leg);
out:
	mem_free(theirs);
	return st;
}

static ON_CTL int make_answer(struct leg *leg, struct leg *near, struct buf *out)
{
	struct leg_media *m = sound_of(leg)->media;
	struct media_policy *q = NULL;
	struct sdp_plan *plan = media_plan_new();
	struct buf text;
	int st = plan ? media_stream_open(leg, near) : ST_NOMEM;

	buf_init(&text);
	if (!st)
		st = media_policy_new(leg, m->texts->inbound_codecs, &q);
	if (!st)
		st = media_prefer_for_answer(m, near, q);
	if (!st)
		st = media_answer_ways(m, q, sv_of(m->remote_sdp));
	if (!st)
		st = media_lines_answer(leg, near, q, sv_of(m->remote_sdp));
	if (!st)
		st = media_answer_agreed(leg, q, sv_of(m->remote_sdp), plan, &text);
	if (st == ST_UNSUPPORTED)
		leg_log(leg, LOG_NOTICE, "no codec fits: %s", plan->why ? plan->why : "");
	if (!st) {
		m->is_remote_offer_new = false;
		media_keep_local(leg, buf_sv(&text));
		media_stands(m);
		st = buf_addv(out, buf_sv(&text));
	} else {
		media_lines_refused(m);
	}
	media_policy_free(q);
	mem_free(plan);
	buf_fini(&text);
	return st;
}

void leg_media_join_at_answer(struct leg *leg, bool is_on)
{
	sound_of(leg)->is_joined_at_answer = is_on;
}

static ON_CTL int answer(struct leg *leg, struct leg *near, struct buf *out)
{
	struct leg_media *m = sound_of(leg)->media;
	int st;

	if (!m)
		return ST_INVAL;
	if (near && sound_of(near)->media && sound_of(near)->media->remote_sdp)
		leg_var_share(leg, "switch_m_sdp", sound_of(near)->media->remote_sdp);
	if (m->bypass && bypass_answer(leg, near, out, &st))
		return st;
	if (m->local_sdp && !m->is_remote_offer_new)
		return buf_adds(out, m->local_sdp);
	return m->remote_sdp ? make_answer(leg, near, out)
	                     : media_make_offer(leg, near, m->texts->inbound_codecs, SDP_SENDRECV, out);
}

int leg_media_answer(struct leg *leg, struct leg *near, struct buf *out)
{
	int st = answer(leg, near, out);

	if (!st && near && sound_of(leg)->is_joined_at_answer && !leg->peer && !near->peer &&
	    !leg_media_is_bypassed(leg) && !leg_media_is_bypassed(near) && leg->codec && near->codec)
		(void)leg_media_join(leg, near); /* if it cannot be, the bridge says so */
	return st;
}

int leg_media_remote_answer(struct leg *leg, struct sv sdp)
{
	struct leg_media *m = sound_of(leg)->media;
	struct media_policy *q = NULL;
	struct sdp_plan *plan;
	int st;

	if (m && m->bypass == BYPASS_ON)
		return bypass_remote_answer(leg, sdp);
	if (!m || !m->stream)
		return ST_INVAL;
	if (m->is_negotiated && !m->is_offer_open && m->is_remote_answer && sv_is(sdp, m->remote_sdp))
		return ST_OK; /* said before, to the same offer */
	plan = media_plan_new();
	if (!plan)
		return ST_NOMEM;
	st = media_policy_new(leg, media_own_codecs(leg), &q);
	if (!st) {
		q->p.dir = media_own_dir(m->is_held_by_us);
		st = media_answered_ways(m, q);
	}
	if (!st)
		st = media_lines_answered(leg, q);
	if (!st)
		st = sdp_answer_accept(sdp, &q->p, &q->running, plan);
	if (!st)
		st = media_agree(leg, q, sdp, plan, true);
	if (!st)
		st = media_keep_remote(m, sdp, true);
	if (!st) {
		leg_var_share(leg, "switch_r_sdp", m->remote_sdp);
		media_vars_offer(leg, &plan->codecs);
		m->is_offer_open = false;
		m->is_held_by_them = plan->is_hold;
		media_stands(m);
	}
	media_policy_free(q);
	mem_free(plan);
	return st;
}

int media_reinvite_answer(struct leg *leg, struct sv sdp)
{
	int st = sdp.n ? leg_media_remote_answer(leg, sdp) : ST_NOTFOUND;

	if (st)
		media_offer_refused(sound_of(leg)->media);
	else if (sound_of(leg)->media->bypass != BYPASS_ON)
		media_held_mark(sound_of(leg)->media);
	return st;
}

int leg_media_late_answer(struct leg *leg, struct sv sdp)
{
	struct leg_media *m = sound_of(leg)->media;
	int st;

	if (!m)
		return sdp.n ? ST_INVAL : ST_NOTFOUND;
	if (m->bypass == BYPASS_ON)
		return bypass_late_answer(leg, sdp);
	st = sdp.n ? leg_media_remote_answer(leg, sdp) : ST_NOTFOUND;
	if (!st)
		media_held_mark(m);
	else if (m->is_negotiated)
		media_offer_refused(m);
	return st;
}

int leg_media_reoffer(struct leg *leg, struct sv sdp, struct buf *out)
{
	struct leg_media *m = sound_of(leg)->media;
	struct media_policy *q = NULL;
	struct sdp_plan *plan;
	struct buf text;
	int st;

	if (m && m->bypass && !bypass_comes_back(leg, sdp))
		return bypass_reoffer(leg, sdp);
	if (!m || !m->stream || m->is_closing)
		return ST_INVAL;
	m->is_offer_stale = true; /* of ours, where one waits */
	plan = media_plan_new();
	if (!plan)
		return ST_NOMEM;
	buf_init(&text);
	st = media_policy_new(leg, media_own_codecs(leg), &q);
	if (!st) {
		media_add_current(leg, leg, &q->first);
		media_add_current(leg->peer, leg, &q->first);
		media_keep_joinable(leg, q);
		q->p.first = &q->first;
		q->p.dir =
		    media_own_dir(m->is_offer_open ? m->was_held_by_us : m->is_held_by_us); /* as it was agreed on */
		st = media_answer_ways(m, q, sdp);
	}
	if (!st)
		st = media_lines_answer(leg, leg->peer, q, sdp);
	if (!st)
		st = media_answer_agreed(leg, q, sdp, plan, &text);
	if (!st)
		st = media_keep_remote(m, sdp, false);
	if (!st) {
		m->is_held_by_them = plan->is_hold;
		leg_var_share(leg, "switch_r_sdp", m->remote_sdp);
		media_keep_local(leg, buf_sv(&text));
		media_stands(m);
		st = buf_addv(out, buf_sv(&text));
	} else {
		media_lines_refused(m);
	}
	media_policy_free(q);
	mem_free(plan);
	buf_fini(&text);
	if (!st && leg->is_held && !m->is_held_by_them && !m->is_held_by_us)
		bypass_resumed(leg);
	if (!st)
		media_held_mark(m);
	return st;
}
