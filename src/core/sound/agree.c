/* A plan becomes parameters of the leg's stream, and what follows from its codec. What is refused here changes nothing.
 * Of an answer with several codecs the far side may send any (RFC 3264 section 6.1): when another than the one in force
 * comes, the stream turns to it. */
#include "base/mem.h"
#include "base/status.h"
#include "core/leg/leg.h"
#include "core/leg/leg_core.h"
#include "core/sound/media.h"
#include "core/sound/negotiate_i.h"
#include "core/sound/sound_core.h"
#include "core/sound/sound_i.h"
#include "core/value/vars.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* A far side that changes with every packet is not followed for long. */
enum { CODEC_TURNS_MAX = 32 };

void media_codec_of(const struct leg_media *m, const struct sdp_codec *c, bool is_send, struct media_codec *out)
{
	bool is_aal2 = m->is_g726_aal2 && !strncasecmp(c->name, "G726-", 5);

	memset(out, 0, sizeof(*out));
	snprintf(out->name, sizeof(out->name), "%s%.*s", is_aal2 ? "AAL2-" : "",
	    (int)sizeof(out->name) - (is_aal2 ? 6 : 1), c->name);
	out->pt = (uint8_t)(is_send ? c->pt_send : c->pt_recv);
	out->clock_hz = c->clock_hz, out->rate_hz = c->rate_hz;
	out->channels = c->channels ? c->channels : 1;
	out->ptime_ms = c->ptime_ms ? c->ptime_ms : 20;
}

static ON_CTL int check_codec(struct leg *leg, const struct sdp_plan *plan)
{
	struct leg_media *m = sound_of(leg)->media;
	struct media_params p = {.fmtp = plan->send.fmtp};

	media_codec_of(m, &plan->send, true, &p.send);
	media_codec_of(m, &plan->recv, false, &p.recv);
	return mstream_check_params(m->stream, &p);
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
	media_codec_of(m, &plan->send, true, &p.send);
	media_codec_of(m, &plan->recv, false, &p.recv);
	p.dtmf_send_pt = plan->dtmf_send_pt, p.dtmf_recv_pt = plan->dtmf_recv_pt, p.cn_pt = plan->cn_pt;
	if (plan->red_send > 0 && plan->red_recv > 0)
		p.red_send = (uint8_t)plan->red_send, p.red_recv = (uint8_t)plan->red_recv;
	m->is_proxied = false;
	p.may_send = plan->local_dir & SDP_SENDONLY, p.may_recv = plan->local_dir & SDP_RECVONLY;
	p.is_rtcp_mux = plan->is_rtcp_mux;
	p.sends_xr = plan->is_xr;
	p.tells_rtcp = leg_var_is_true(leg, "fire_rtcp_events");
	p.rtcp_interval_ms = media_rtcp_interval_ms(leg);
	p.digit_gap_ms = media_digit_gap_ms(leg);
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

int media_agree(struct leg *leg, struct media_policy *q, struct sv sdp, const struct sdp_plan *plan, bool is_answer)
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
	if (!st && (q->parts || m->next)) {
		media_lines_agree(leg, q, sdp, is_answer);
		media_timeout_apply(leg); /* theirs */
	}
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

int media_answer_agreed(
    struct leg *leg, struct media_policy *q, struct sv offer, struct sdp_plan *plan, struct buf *text)
{
	int st = sdp_answer_make(offer, &q->p, &q->running, plan, text);

	if (!st)
		st = media_agree(leg, q, offer, plan, false);
	while (st && text->n && codec_passed_over(leg, q, plan)) {
		buf_fini(text);
		buf_init(text);
		media_running_again(q);
		st = sdp_answer_make(offer, &q->p, &q->running, plan, text);
		if (!st)
			st = media_agree(leg, q, offer, plan, false);
	}
	return st;
}

struct sdp_plan *media_plan_new(void)
{
	struct sdp_plan *plan = mem_alloc(sizeof(*plan));
	if (plan)
		plan->why = NULL;
	return plan;
}

const char *media_own_codecs(struct leg *leg)
{
	const struct media_texts *t = sound_of(leg)->media->texts;
	return leg->is_outbound ? t->outbound_codecs : t->inbound_codecs;
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
	plan = media_plan_new();
	st = plan ? media_policy_new(leg, media_own_codecs(leg), &q) : ST_NOMEM;
	if (!st) {
		q->p.dir = m->is_held_by_us ? SDP_SENDONLY : SDP_SENDRECV;
		q->p.is_turned = true, q->p.turned_pt = pt;
		st = media_answered_ways(m, q);
	}
	if (!st)
		st = sdp_answer_accept(sv_of(m->remote_sdp), &q->p, &q->running, plan);
	if (!st && plan->recv.pt_recv == pt) {
		media_codec_of(m, &plan->send, true, &p.send);
		media_codec_of(m, &plan->recv, false, &p.recv);
		p.fmtp = plan->send.fmtp[0] ? plan->send.fmtp : NULL;
		p.dtmf_send_pt = plan->dtmf_send_pt, p.dtmf_recv_pt = plan->dtmf_recv_pt, p.cn_pt = plan->cn_pt;
		st = mstream_set_codecs(m->stream, &p);
		if (!st)
			turned(leg, q, &p, plan);
	}
	media_policy_free(q);
	mem_free(plan);
}
