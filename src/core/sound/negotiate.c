/* Offers and answers of a leg: sdp's pure functions make them, and plans, of the policy (media_policy.c); what stands
 * beside the codecs is asked of ice.c, dtls.c and secure.c in one place each way; a plan becomes parameters of the
 * leg's stream. Codecs the engine knows may be transcoded and are preferred for legs that are answered on their own;
 * others are only passed through.
 *
 *   policy -> + ways (ICE, keys) -> sdp text and plan -> agree(): keys, then parameters, then addresses */
#include "base/mem.h"
#include "base/status.h"
#include "core/leg/leg.h"
#include "core/leg/leg_core.h"
#include "core/sound/media.h"
#include "core/sound/media_i.h"
#include "core/sound/sound_core.h"
#include "core/sound/sound_i.h"
#include "core/value/vars.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* A far side that changes with every packet is not followed for long. */
enum { CODEC_TURNS_MAX = 32 };

/* ---- plans ---- */

void media_codec_of(const struct sdp_codec *c, bool is_send, struct media_codec *out)
{
	memset(out, 0, sizeof(*out));
	snprintf(out->name, sizeof(out->name), "%.*s", (int)sizeof(out->name) - 1, c->name);
	out->pt = (uint8_t)(is_send ? c->pt_send : c->pt_recv);
	out->clock_hz = c->clock_hz, out->rate_hz = c->rate_hz;
	out->channels = c->channels ? c->channels : 1;
	out->ptime_ms = c->ptime_ms ? c->ptime_ms : 20;
}

static ON_CTL int check_codec(struct leg *leg, const struct sdp_plan *plan)
{
	struct media_params p = {.fmtp = plan->send.fmtp};

	media_codec_of(&plan->send, true, &p.send);
	media_codec_of(&plan->recv, false, &p.recv);
	return mstream_check_params(sound_of(leg)->media->stream, &p);
}

/* Asked before keys are changed, which cannot be taken back: a plan whose codec's parameters are refused changes
 * nothing. */
static ON_CTL int check_plan(struct leg *leg, const struct sdp_plan *plan)
{
	if (!sound_of(leg)->media->is_negotiated || !plan->send.fmtp[0] || !(plan->is_secure || plan->is_dtls))
		return ST_OK;
	return check_codec(leg, plan);
}

void media_remote_of(const struct sdp_plan *plan, struct media_params *p)
{
	if (plan->is_remote_name || !plan->remote_host[0])
		return;
	if (!addr_parse(&p->remote_rtp, sv_of(plan->remote_host), plan->remote_port) && addr_is_any(&p->remote_rtp))
		memset(&p->remote_rtp, 0, sizeof(p->remote_rtp));
	if (addr_is_set(&p->remote_rtp) && plan->remote_rtcp_host[0])
		addr_parse(&p->remote_rtcp, sv_of(plan->remote_rtcp_host), plan->remote_rtcp_port);
}

/* The other codecs of an answer: whoever listed them may send them. Those we only pass on are for the partner to know,
 * who has been told of one. */
static ON_CTL void also_of(const struct leg_media *m, const struct sdp_plan *plan, struct media_params *p)
{
	if (m->is_transcoding_off || !mctl_codec_is_known(plan->recv.name))
		return;
	for (size_t i = 0; i < plan->codecs.count; i++) {
		unsigned pt = (unsigned)plan->codecs.v[i].pt_recv;
		if (pt < 128 && mctl_codec_is_known(plan->codecs.v[i].name))
			p->also[pt / 32] |= UINT32_C(1) << (pt % 32);
	}
}

/* What follows from the codec. */
static ON_CTL void codec_set(struct leg *leg, const struct media_params *p, const struct sdp_plan *plan)
{
	struct leg_media *m = sound_of(leg)->media;

	m->codec = p->send;
	leg->codec = &m->codec;
	m->has_events = plan->dtmf_send_pt >= 0;
	m->has_comfort = plan->cn_pt >= 0;
	media_stereo_of(m, &plan->send);
	media_fmtp_of(m, &plan->send);
}

static ON_CTL int apply_plan(struct leg *leg, const struct sdp_plan *plan, bool is_answer)
{
	struct leg_media *m = sound_of(leg)->media;
	struct media_params p = {0};
	int st;

	media_remote_of(plan, &p);
	media_codec_of(&plan->send, true, &p.send);
	media_codec_of(&plan->recv, false, &p.recv);
	p.dtmf_send_pt = plan->dtmf_send_pt, p.dtmf_recv_pt = plan->dtmf_recv_pt, p.cn_pt = plan->cn_pt;
	if (plan->red_send > 0 && plan->red_recv > 0)
		p.red_send = (uint8_t)plan->red_send, p.red_recv = (uint8_t)plan->red_recv;
	m->is_proxied = false;
	p.may_send = plan->local_dir & SDP_SENDONLY, p.may_recv = plan->local_dir & SDP_RECVONLY;
	p.is_rtcp_mux = plan->is_rtcp_mux;
	p.sends_xr = plan->is_xr;
	p.tells_rtcp = leg_var_is_true(leg, "fire_rtcp_events");
	p.rtcp_interval_ms = media_rtcp_interval_ms(leg);
	p.fmtp = plan->send.fmtp[0] ? plan->send.fmtp : NULL;
	media_source_policy(leg, &p);
	if (is_answer)
		also_of(m, plan, &p);
	st = media_secure_apply(m, plan); /* before anything is sent */
	if (!st)
		st = mstream_set_params(m->stream, &p);
	if (st)
		return st;
	codec_set(leg, &p, plan);
	m->turns_left = CODEC_TURNS_MAX;
	m->is_negotiated = true, m->dir = plan->local_dir;
	m->is_on_hold = plan->is_hold || m->is_held_by_us || !p.may_recv;
	media_timeout_apply(leg);
	media_jitter_apply(leg);
	media_talk_apply(leg);
	media_comfort_apply(leg, leg->peer);
	media_vars_plan(leg, m, plan);
	leg_parts_stream(leg); /* how its digits travel may have changed */
	return ST_OK;
}

/* What came of an offer and its answer, once both are known; sdp: the far side's one. */
static ON_CTL int agree(
    struct leg *leg, struct media_policy *q, struct sv sdp, const struct sdp_plan *plan, bool is_answer)
{
	struct leg_media *m = sound_of(leg)->media;
	int st = check_plan(leg, plan);
	if (!st)
		st = media_dtls_apply(m, sdp, plan, is_answer);
	if (!st)
		st = apply_plan(leg, plan, is_answer);
	if (!st)
		st = media_ice_apply(m, sdp, plan->line, is_answer);
	if (!st)
		media_running_keep(q); /* not before: what is refused leaves the dialog as it was */
	if (!st)
		media_dtls_go(m);
	if (!st && (q->parts || m->next))
		media_lines_agree(leg, q, sdp, is_answer);
	return st;
}

static bool codecs_drop(struct sdp_codecs *list, const char *name)
{
	size_t n = 0, had = list->count;

	for (size_t i = 0; i < had; i++)
		if (strcasecmp(list->v[i].name, name) != 0)
			list->v[n++] = list->v[i];
	list->count = n;
	return n < had;
}

/* The plan was refused for its codec's parameters, which nobody here understands, before anything was changed: that
 * codec is no wish any more. */
static ON_CTL bool codec_passed_over(struct leg *leg, struct media_policy *q, const struct sdp_plan *plan)
{
	bool has_keys_new = (plan->is_secure || plan->is_dtls) && !sound_of(leg)->media->is_negotiated;

	if (!plan->send.fmtp[0] || has_keys_new || !check_codec(leg, plan))
		return false;
	leg_log(leg, LOG_INFO, "%s (%s) cannot be spoken", plan->send.name, plan->send.fmtp);
	(void)codecs_drop(&q->first, plan->send.name);
	return codecs_drop(&q->prefs, plan->send.name) && q->prefs.count;
}

/* Answers with what fits and can be opened, and puts it in force. */
static ON_CTL int answer_agreed(
    struct leg *leg, struct media_policy *q, struct sv offer, struct sdp_plan *plan, struct buf *text)
{
	int st = sdp_answer_make(offer, &q->p, &q->running, plan, text);

	if (!st)
		st = agree(leg, q, offer, plan, false);
	while (st && text->n && codec_passed_over(leg, q, plan)) {
		buf_fini(text);
		buf_init(text);
		media_running_again(q);
		st = sdp_answer_make(offer, &q->p, &q->running, plan, text);
		if (!st)
			st = agree(leg, q, offer, plan, false);
	}
	return st;
}

static enum sdp_dir own_dir(bool is_held_by_us)
{
	return is_held_by_us ? SDP_SENDONLY : SDP_SENDRECV;
}

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

static ON_CTL void keep_local(struct leg *leg, struct sv text)
{
	if (!media_share_text(&sound_of(leg)->media->local_sdp, text)) {
		leg_var_share(leg, "rtp_local_sdp_str", sound_of(leg)->media->local_sdp);
	}
}

/* What we said last is agreed on. */
static ON_CTL void stands(struct leg_media *m)
{
	str_share_end(m->standing_sdp);
	m->standing_sdp = str_share_again(m->local_sdp);
	for (; m; m = m->next) {
		mem_free(m->standing_running);
		m->standing_running = NULL;
	}
}

/* An offer of ours is made: what it may turn out not to change is kept. One that is made anew means what the first did.
 */
static ON_CTL void offer_opened(struct leg_media *m)
{
	if (!m->is_offer_open)
		stands(m), m->was_held_by_us = m->is_held_by_us;
	m->is_offer_open = true, m->is_offer_stale = false;
}

static ON_CTL void held_mark(struct leg_media *m)
{
	leg_mark_held(m->leg, m->is_held_by_us || m->is_held_by_them);
}

static ON_CTL void running_back(struct leg_media *m)
{
	for (; m; m = m->next) {
		if (!m->standing_running)
			continue;
		mem_free(m->running);
		m->running = m->standing_running, m->standing_running = NULL;
	}
}

static ON_CTL void local_back(struct leg_media *m)
{
	if (!m->standing_sdp || m->standing_sdp == m->local_sdp)
		return;
	str_share_end(m->local_sdp);
	m->local_sdp = str_share_again(m->standing_sdp);
	leg_var_share(m->leg, "rtp_local_sdp_str", m->local_sdp);
	if (m->is_negotiated)
		leg_var_set(m->leg, "audio_media_flow", sdp_dir_name(m->dir));
}

void media_offer_refused(struct leg_media *m)
{
	media_ice_refused(m);
	if (!m->is_offer_open)
		return; /* it was the other phone's (bypass), or none */
	m->is_offer_open = false;
	local_back(m);
	running_back(m);
	media_lines_refused(m);
	if (m->is_held_by_us == m->was_held_by_us)
		return;
	m->is_held_by_us = m->was_held_by_us;
	held_mark(m);
}

void leg_media_offer_unsent(struct leg *leg)
{
	if (sound_of(leg)->media && sound_of(leg)->media->is_offer_open)
		media_offer_refused(sound_of(leg)->media);
}

/* ---- the endpoint's calls ---- */

/* A plan is 6 kB and written whole by whoever succeeds: not cleared. NULL: no memory. */
static struct sdp_plan *plan_new(void)
{
	struct sdp_plan *plan = mem_alloc(sizeof(*plan));
	if (plan)
		plan->why = NULL;
	return plan;
}

/* Its profile's, as it was spoken to in the beginning. */
static ON_CTL const char *own_codecs(struct leg *leg)
{
	const struct media_texts *t = sound_of(leg)->media->texts;
	return leg->is_outbound ? t->outbound_codecs : t->inbound_codecs;
}

/* Whether anything of the leg's offer is wanted by its profile and variables. */
static ON_CTL int check_offer(struct leg *leg)
{
	struct leg_media *m = sound_of(leg)->media;
	struct media_policy *q = NULL;
	struct sdp_plan *plan = plan_new();
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
		st = check_offer(leg);
out:
	mem_free(theirs);
	return st;
}

/* Our offer, when the far side's INVITE had none or when we call. */
static ON_CTL int make_offer(
    struct leg *leg, struct leg *originator, const char *codecs, enum sdp_dir dir, struct buf *out)
{
	struct leg_media *m = sound_of(leg)->media;
	struct media_policy *q = NULL;
	struct buf text;
	int st = media_stream_open(leg, originator);

	buf_init(&text);
	if (!st)
		st = media_policy_new(leg, codecs, &q);
	if (!st)
		st = media_bound_offer(leg, originator, q);
	if (!st)
		st = media_offer_ways(m, q);
	if (!st) {
		q->p.dir = dir;
		media_keep_joinable(leg, q);
		if (m->is_negotiated && originator) { /* a re-offer keeps the running codec in front */
			media_add_current(leg, &q->first);
			if (q->first.count && (originator == leg || media_codecs_have(&q->prefs, &q->first.v[0])))
				q->p.first = &q->first; /* unless the other leg is better spoken to by another */
		}
		st = media_lines_offer(leg, originator, q);
	}
	if (!st)
		st = sdp_offer_make(&q->p, &q->running, &text);
	if (!st)
		st = buf_addv(out, buf_sv(&text));
	if (!st) {
		offer_opened(m);
		media_running_offered(q);
		m->offer_for = !originator ? OFFER_ALONE : originator == leg ? OFFER_SELF : OFFER_PEER;
		keep_local(leg, buf_sv(&text));
		media_vars_local(leg, m, dir);
	} else {
		media_lines_refused(m);
	}
	media_policy_free(q);
	buf_fini(&text);
	return st;
}

static ON_CTL int make_answer(struct leg *leg, struct leg *near, struct buf *out)
{
	struct leg_media *m = sound_of(leg)->media;
	struct media_policy *q = NULL;
	struct sdp_plan *plan = plan_new();
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
		st = answer_agreed(leg, q, sv_of(m->remote_sdp), plan, &text);
	if (st == ST_UNSUPPORTED)
		leg_log(leg, LOG_NOTICE, "no codec fits: %s", plan->why ? plan->why : "");
	if (!st) {
		m->is_remote_offer_new = false;
		keep_local(leg, buf_sv(&text));
		stands(m);
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
	                     : make_offer(leg, near, m->texts->inbound_codecs, SDP_SENDRECV, out);
}

int leg_media_answer(struct leg *leg, struct leg *near, struct buf *out)
{
	int st = answer(leg, near, out);

	if (!st && near && sound_of(leg)->is_joined_at_answer && !leg->peer && !near->peer &&
	    !leg_media_is_bypassed(leg) && !leg_media_is_bypassed(near) && leg->codec && near->codec)
		(void)leg_media_join(leg, near); /* if it cannot be, the bridge says so */
	return st;
}

int leg_media_offer(struct leg *leg, struct leg *originator, struct buf *out)
{
	if (!sound_of(leg)->media)
		return ST_INVAL;
	if (originator && sound_of(originator)->media && sound_of(originator)->media->remote_sdp) {
		const char *codecs = vars_get(originator->vars, "ep_codec_string");
		leg_var_set(leg, "originator_codec", codecs);
		leg_var_share(leg, "switch_m_sdp", sound_of(originator)->media->remote_sdp);
		leg_var_set(leg, "rtp_use_codec_string", codecs);
	}
	if (bypass_is_wanted(leg, originator))
		return bypass_offer(leg, originator, out);
	/* who cannot be answered does not make anybody's phone ring */
	if (originator && sound_of(originator)->media && sound_of(originator)->media->remote_sdp &&
	    !sound_of(originator)->media->is_negotiated && !sound_of(originator)->media->bypass &&
	    check_offer(originator) == ST_UNSUPPORTED)
		return ST_UNSUPPORTED;
	return make_offer(leg, originator, sound_of(leg)->media->texts->outbound_codecs, SDP_SENDRECV, out);
}

/* In bypass it is the other phone's word, which is no offer of ours, and a hold of ours is not in it. */
static ON_CTL int own_reoffer(struct leg *leg, bool is_hold, struct buf *out)
{
	struct leg_media *m = sound_of(leg)->media;
	int st;

	if (m && m->bypass == BYPASS_ON && m->local_sdp && (!is_hold || m->is_held_by_us)) {
		m->is_held_by_us = is_hold;
		return buf_adds(out, m->local_sdp);
	}
	if (!m || !m->is_negotiated)
		return ST_INVAL;
	st = make_offer(leg, leg, own_codecs(leg), own_dir(is_hold), out);
	if (!st)
		m->is_held_by_us = is_hold;
	return st;
}

int leg_media_own_reoffer(struct leg *leg, bool is_hold, struct buf *out)
{
	struct leg_media *m = sound_of(leg)->media;

	if (m && m->is_offer_open)
		return ST_BUSY;
	return own_reoffer(leg, is_hold, out);
}

int leg_media_same_reoffer(struct leg *leg, struct buf *out)
{
	return leg_media_own_reoffer(leg, sound_of(leg)->media && sound_of(leg)->media->is_held_by_us, out);
}

int leg_media_offer_again(struct leg *leg, struct buf *out)
{
	struct leg_media *m = sound_of(leg)->media;

	if (!m || !m->is_offer_open || !m->is_offer_stale || !m->stream || m->is_closing || m->bypass == BYPASS_ON ||
	    m->bypass == BYPASS_GOING)
		return ST_NOTFOUND;
	return make_offer(leg,
	    m->offer_for == OFFER_ALONE               ? NULL
	    : m->offer_for == OFFER_PEER && leg->peer ? leg->peer
	                                              : leg,
	    own_codecs(leg), own_dir(m->is_held_by_us), out);
}

int leg_media_refresh(struct leg *leg, struct buf *out)
{
	struct leg_media *m = sound_of(leg)->media;

	if (!m || !m->local_sdp || (m->bypass != BYPASS_ON && (m->bypass || !m->is_negotiated)))
		return ST_INVAL;
	if (m->is_offer_open)
		return ST_BUSY;
	if (!m->bypass)
		offer_opened(m);
	return buf_adds(out, m->local_sdp);
}

int leg_media_offer_asked(struct leg *leg, struct buf *out)
{
	struct leg_media *m = sound_of(leg)->media;
	int st = m && m->bypass ? bypass_offer_asked(leg) : ST_NOTFOUND;

	if (st != ST_NOTFOUND)
		return st;
	return own_reoffer(leg, m && m->is_held_by_us, out);
}

int media_own_offer(struct leg *leg, struct leg *near, struct buf *out)
{
	struct leg_media *m = sound_of(leg)->media;

	if (m->is_offer_open)
		return ST_BUSY;
	return make_offer(leg, near ? near : leg, own_codecs(leg), own_dir(m->is_held_by_us), out);
}

int leg_media_reneg(struct leg *leg, const char *codecs)
{
	struct leg_media *m = sound_of(leg)->media;
	struct buf sdp;
	int st;

	if (!m || !m->is_negotiated || m->bypass || !leg->is_answered || !leg->ops->reinvite)
		return ST_INVAL;
	if (m->is_offer_open)
		return ST_BUSY;
	if (codecs && *codecs)
		leg_var_set(leg, "codec_string", codecs);
	buf_init(&sdp);
	st = make_offer(leg, NULL, own_codecs(leg), own_dir(m->is_held_by_us), &sdp);
	if (!st) {
		st = leg->ops->reinvite(leg, buf_sv(&sdp));
		if (st)
			leg_media_offer_unsent(leg);
	}
	buf_fini(&sdp);
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
	plan = plan_new();
	if (!plan)
		return ST_NOMEM;
	st = media_policy_new(leg, own_codecs(leg), &q);
	if (!st) {
		q->p.dir = own_dir(m->is_held_by_us);
		st = media_answered_ways(m, q);
	}
	if (!st)
		st = media_lines_answered(leg, q);
	if (!st)
		st = sdp_answer_accept(sdp, &q->p, &q->running, plan);
	if (!st)
		st = agree(leg, q, sdp, plan, true);
	if (!st)
		st = media_keep_remote(m, sdp, true);
	if (!st) {
		leg_var_share(leg, "switch_r_sdp", m->remote_sdp);
		media_vars_offer(leg, &plan->codecs);
		m->is_offer_open = false;
		m->is_held_by_them = plan->is_hold;
		stands(m);
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
		held_mark(sound_of(leg)->media);
	return st;
}

static ON_CTL void turned(
    struct leg *leg, struct media_policy *q, const struct media_params *p, const struct sdp_plan *plan)
{
	struct leg_media *m = sound_of(leg)->media;

	m->turns_left--;
	media_running_keep(q);
	codec_set(leg, p, plan);
	media_jitter_apply(leg);
	media_talk_apply(leg);
	media_comfort_apply(leg, leg->peer);
	media_vars_plan(leg, m, plan);
	leg_parts_stream(leg);
	leg_log(leg, LOG_INFO, "%s came, which the answer lists: it is spoken now", p->recv.name);
}

/* Its partner can be told of another codec than was agreed on. */
static ON_CTL bool may_turn(const struct leg *leg)
{
	const struct leg_media *m = sound_of(leg)->media, *other = leg->peer ? sound_of(leg->peer)->media : NULL;

	if (!m->is_negotiated || m->bypass || m->is_proxied || !m->is_remote_answer || m->is_offer_open ||
	    !m->turns_left)
		return false;
	return !leg->peer || !leg->peer->codec ||
	       (mctl_codec_is_known(leg->peer->codec->name) && !(other && other->is_transcoding_off));
}

void media_codec_turn(struct leg *leg, uint8_t pt)
{
	struct leg_media *m = sound_of(leg)->media;
	struct media_policy *q = NULL;
	struct sdp_plan *plan;
	struct media_params p = {0};
	int st;

	if (!may_turn(leg))
		return;
	plan = plan_new();
	st = plan ? media_policy_new(leg, own_codecs(leg), &q) : ST_NOMEM;
	if (!st) {
		q->p.dir = m->is_held_by_us ? SDP_SENDONLY : SDP_SENDRECV;
		q->p.is_turned = true, q->p.turned_pt = pt;
		st = media_answered_ways(m, q);
	}
	if (!st)
		st = sdp_answer_accept(sv_of(m->remote_sdp), &q->p, &q->running, plan);
	if (!st && plan->recv.pt_recv == pt) {
		media_codec_of(&plan->send, true, &p.send);
		media_codec_of(&plan->recv, false, &p.recv);
		p.fmtp = plan->send.fmtp[0] ? plan->send.fmtp : NULL;
		p.dtmf_send_pt = plan->dtmf_send_pt, p.dtmf_recv_pt = plan->dtmf_recv_pt, p.cn_pt = plan->cn_pt;
		st = mstream_set_codecs(m->stream, &p);
		if (!st)
			turned(leg, q, &p, plan);
	}
	media_policy_free(q);
	mem_free(plan);
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
		held_mark(m);
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
	plan = plan_new();
	if (!plan)
		return ST_NOMEM;
	buf_init(&text);
	st = media_policy_new(leg, own_codecs(leg), &q);
	if (!st) {
		media_add_current(leg, &q->first);
		media_add_current(leg->peer, &q->first);
		media_keep_joinable(leg, q);
		q->p.first = &q->first;
		q->p.dir = own_dir(m->is_offer_open ? m->was_held_by_us : m->is_held_by_us); /* as it was agreed on */
		st = media_answer_ways(m, q, sdp);
	}
	if (!st)
		st = media_lines_answer(leg, leg->peer, q, sdp);
	if (!st)
		st = answer_agreed(leg, q, sdp, plan, &text);
	if (!st)
		st = media_keep_remote(m, sdp, false);
	if (!st) {
		m->is_held_by_them = plan->is_hold;
		leg_var_share(leg, "switch_r_sdp", m->remote_sdp);
		keep_local(leg, buf_sv(&text));
		stands(m);
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
		held_mark(m);
	return st;
}
