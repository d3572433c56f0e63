/* A leg's media: sdp's pure functions make offers, answers and plans of the policy (media_policy.c), and a plan
 * becomes parameters of the leg's stream. Codecs the engine
 * knows may be transcoded and are preferred for legs that are answered on their own; others are only passed through. */
#include "core/sound/media.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/status.h"
#include "core/leg/leg.h"
#include "core/leg/leg_core.h"
#include "core/leg/part.h"
#include "core/registry/app.h"
#include "core/run/exec.h"
#include "core/sound/media_i.h"
#include "core/sound/sound_core.h"
#include "core/sound/sound_i.h"
#include "core/sound/tap_i.h"
#include "core/value/cause.h"
#include "core/value/vars.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- life ---- */

static ON_CTL void media_destroy(struct leg_media *m)
{
	media_ice_fini(m);
	media_dtls_fini(m);
	media_secure_fini(m);
	mem_free(m->candidate_acl);
	mem_free(m->nat_acl);
	mem_free(m->local_acl);
	mem_free(m->rtp_host);
	mem_free(m->advertise_host);
	mem_free(m->inbound_codecs);
	mem_free(m->outbound_codecs);
	mem_free(m->negotiation);
	mem_free(m->username);
	mem_free(m->hold_music);
	mem_free(m->remote_sdp);
	mem_free(m->answer_sdp);
	mem_free(m->local_sdp);
	mem_free(m);
}

int leg_media_init(struct leg *leg, const struct leg_media_conf *c)
{
	struct leg_media *m;

	if (sound_of(leg)->media)
		return ST_EXISTS;
	m = mem_zalloc(sizeof(*m));
	if (!m)
		return ST_NOMEM;
	m->leg = leg;
	m->rtp_host = mem_strdup(c->rtp_host ? c->rtp_host : "127.0.0.1");
	m->advertise_host = mem_strdup(c->advertise_host ? c->advertise_host : m->rtp_host);
	m->inbound_codecs = mem_strdup(c->inbound_codecs ? c->inbound_codecs : "PCMU,PCMA");
	m->outbound_codecs = mem_strdup(c->outbound_codecs ? c->outbound_codecs : "PCMU,PCMA");
	m->negotiation = mem_strdup(c->negotiation ? c->negotiation : "generous");
	m->username = mem_strdup(c->sdp_username ? c->sdp_username : "FreeSWITCH");
	m->hold_music = c->hold_music && *c->hold_music ? mem_strdup(c->hold_music) : NULL;
	m->dtmf_pt = c->dtmf_pt, m->cn_pt = c->cn_pt;
	m->dtmf_type = c->dtmf_type;
	m->source_mode = c->source_mode;
	m->nat_acl = mem_strdup(c->nat_acl ? c->nat_acl : "");
	m->candidate_acl = mem_strdup(c->candidate_acl ? c->candidate_acl : "");
	m->local_acl = mem_strdup(c->local_acl ? c->local_acl : "");
	m->passes_telephone_event = c->passes_telephone_event;
	m->is_wired = c->is_wired;
	m->rtp_timeout_ms = c->rtp_timeout_ms, m->rtp_hold_timeout_ms = c->rtp_hold_timeout_ms;
	m->is_bypass_default = c->is_bypass;
	m->is_proxy_default = c->is_proxy;
	m->comes_back_on_hold = c->comes_back_on_hold, m->goes_after_hold = c->goes_after_hold;
	m->is_late = c->is_late_negotiation || c->is_bypass || c->is_proxy;
	m->is_transcoding_off = c->is_transcoding_off;
	m->is_secure_required = c->is_secure_required;
	m->is_late_told = c->is_late_told || m->is_late;
	m->session_id = 1000000000u + rand_u32() % 1000000000u;
	sound_of(leg)->media = m;
	if (c->jitterbuffer && *c->jitterbuffer && !vars_get(leg->vars, "jitterbuffer_msec"))
		leg_var_set_text(leg, "jitterbuffer_msec", c->jitterbuffer);
	m->has_vad = c->has_vad;
	m->rtcp_interval_ms = c->rtcp_interval_ms;
	leg->is_late_told = m->is_late_told;
	return ST_OK;
}

static ON_CTL void report_closed(struct leg_media *m, const struct media_report *r)
{
	sound_metrics_ended(&r->stats, m->codec.name);
	mem_unref(m->stream);
	m->stream = NULL;
	m->is_closing = false;
	if (!m->leg) {
		media_destroy(m);
		return;
	}
	media_vars_stats(m->leg, &r->stats);
	leg_end_go(m->leg);
}

static void on_report(struct mstream *s, const struct media_report *r, void *arg)
{
	struct leg_media *m = arg;
	struct leg_sound *so = m->leg ? sound_of(m->leg) : NULL;
	char where[ADDR_TEXT_MAX];

	role_assert_ctl();
	if (r->kind == MEDIA_R_CLOSED) {
		report_closed(m, r);
		return;
	}
	if (!m->leg || (m->is_closing && r->kind != MEDIA_R_RECORD_DONE))
		return;
	if (leg_parts_report(m->leg, r))
		return;
	switch (r->kind) {
	case MEDIA_R_PLAY_BEGUN:
		so->begun_play_id = r->id;
		leg_wake(m->leg);
		break;
	case MEDIA_R_PLAY_DONE:
		so->done_play_id = r->id, so->done_play_status = r->status, so->done_play_samples = r->samples;
		leg_wake(m->leg);
		break;
	case MEDIA_R_TAP_EVENT:
	case MEDIA_R_TAP_DONE:
		if (r->kind == MEDIA_R_TAP_DONE && so->watch_id == r->id)
			so->is_watch_over = true, so->watch_heard = r->heard, so->watch_hits = r->hits;
		(void)leg_tap_reported(m->leg, r);
		leg_wake(m->leg);
		break;
	case MEDIA_R_RECORD_DONE:
		if (leg_tap_reported(m->leg, r))
			break;
		so->done_record_id = r->id, so->done_record_status = r->status, so->done_record_samples = r->samples,
		so->was_record_silent = r->was_silent;
		leg_wake(m->leg);
		break;
	case MEDIA_R_STATS:
		media_vars_stats(m->leg, &r->stats);
		sound_of(m->leg)->stats_count++;
		leg_wake(m->leg);
		break;
	case MEDIA_R_TALK:
	case MEDIA_R_NOTALK:
		media_talk_tell(m->leg, r->kind == MEDIA_R_TALK);
		break;
	case MEDIA_R_RTCP:
		media_rtcp_tell(m->leg, &r->rtcp);
		break;
	case MEDIA_R_PLUG:
		if (r->bits & MEDIA_PLUG_FINDER)
			media_ice_report(m->leg);
		if (r->bits & MEDIA_PLUG_CRYPT)
			media_dtls_heard(m->leg);
		break;
	case MEDIA_R_LEARNED:
		leg_log(m->leg, LOG_INFO, "media goes to %s now", addr_text(&r->addr, where));
		break;
	case MEDIA_R_TIMEOUT:
		leg_log(m->leg, LOG_NOTICE, "no RTP from %s: hanging up", m->leg->name);
		leg_hangup(m->leg, CAUSE_MEDIA_TIMEOUT);
		break;
	default:
		break;
	}
}

enum { WIRED_PORT = 9 }; /* what the SDP of a leg without ports names: discard */

static ON_CTL int open_stream(struct leg_media *m, struct leg *near)
{
	int st;

	if (m->stream)
		return m->is_closing ? ST_CLOSED : ST_OK;
	st = addr_parse(&m->local, sv_of(m->rtp_host), 0);
	if (st)
		return st;
	m->timeout_told = 0;
	if (m->is_wired) {
		addr_set_port(&m->local, WIRED_PORT);
		st = mstream_open_wired(&m->stream, near ? leg_media_stream(near) : NULL, on_report, m);
	} else {
		st = mstream_open(&m->stream, &m->local, near ? leg_media_stream(near) : NULL, on_report, m);
	}
	if (!st)
		leg_parts_stream(m->leg);
	return st;
}

int media_stream_open(struct leg *leg, struct leg *near)
{
	return open_stream(sound_of(leg)->media, near);
}

void leg_media_fini(struct leg *leg)
{
	struct leg_media *m = sound_of(leg)->media;
	if (m && m->stream && !m->is_closing) {
		leg_taps_end(leg);
		media_dtls_fini(m);
		media_secure_closed(m);
		media_ice_fini(m); /* the next stream finds its way anew */
		m->is_closing = true;
		mstream_close(m->stream);
	}
}

int leg_media_wire(struct leg *a, struct leg *b)
{
	struct mstream *x = leg_media_stream(a), *y = leg_media_stream(b);
	int st = x && y ? mstream_wire(x, y) : ST_OK;
	return st == ST_EXISTS ? ST_OK : st;
}

static void part_fini(struct leg *leg)
{
	struct leg_media *m = sound_of(leg)->media;

	role_assert_ctl();
	if (!m)
		return;
	leg_media_fini(leg);
	sound_of(leg)->media = NULL;
	leg->codec = NULL;
	if (m->stream)
		m->leg = NULL; /* goes with the last report */
	else
		media_destroy(m);
}

struct mstream *leg_media_stream(struct leg *leg)
{
	return sound_of(leg)->media && !sound_of(leg)->media->is_closing ? sound_of(leg)->media->stream : NULL;
}
const char *leg_media_hold_music(struct leg *leg)
{
	return sound_of(leg)->media ? sound_of(leg)->media->hold_music : NULL;
}
void leg_media_linear(struct leg *leg, bool is_linear)
{
	leg_read_linear(leg, is_linear);
}

bool leg_media_is_ready(struct leg *leg)
{
	const struct leg_media *m = sound_of(leg)->media;
	return m && !m->is_closing && (m->is_negotiated || (m->bypass == BYPASS_ON && m->remote_sdp));
}
/* ---- plans ---- */

static void codec_of(const struct sdp_codec *c, bool is_send, struct media_codec *out)
{
	memset(out, 0, sizeof(*out));
	snprintf(out->name, sizeof(out->name), "%.*s", (int)sizeof(out->name) - 1, c->name);
	out->pt = (uint8_t)(is_send ? c->pt_send : c->pt_recv);
	out->clock_hz = c->clock_hz, out->rate_hz = c->rate_hz;
	out->channels = c->channels ? c->channels : 1;
	out->ptime_ms = c->ptime_ms ? c->ptime_ms : 20;
}

/* Asked before keys are changed, which cannot be taken back: a plan whose codec's parameters are refused changes
 * nothing. */
static ON_CTL int check_plan(struct leg *leg, const struct sdp_plan *plan)
{
	struct leg_media *m = sound_of(leg)->media;
	struct media_params p = {.fmtp = plan->send.fmtp};

	if (!m->is_negotiated || !plan->send.fmtp[0] || !(plan->is_secure || plan->is_dtls))
		return ST_OK;
	codec_of(&plan->send, true, &p.send);
	codec_of(&plan->recv, false, &p.recv);
	return mstream_check_params(m->stream, &p);
}

static ON_CTL int apply_plan(struct leg *leg, const struct sdp_plan *plan)
{
	struct leg_media *m = sound_of(leg)->media;
	struct media_params p = {0};
	int st;

	if (!plan->is_remote_name && plan->remote_host[0]) {
		if (!addr_parse(&p.remote_rtp, sv_of(plan->remote_host), plan->remote_port) &&
		    addr_is_any(&p.remote_rtp))
			memset(&p.remote_rtp, 0, sizeof(p.remote_rtp));
		if (addr_is_set(&p.remote_rtp) && plan->remote_rtcp_host[0])
			addr_parse(&p.remote_rtcp, sv_of(plan->remote_rtcp_host), plan->remote_rtcp_port);
	}
	codec_of(&plan->send, true, &p.send);
	codec_of(&plan->recv, false, &p.recv);
	p.dtmf_send_pt = plan->dtmf_send_pt, p.dtmf_recv_pt = plan->dtmf_recv_pt, p.cn_pt = plan->cn_pt;
	m->is_proxied = false;
	p.may_send = plan->local_dir & SDP_SENDONLY, p.may_recv = plan->local_dir & SDP_RECVONLY;
	p.is_rtcp_mux = plan->is_rtcp_mux;
	p.tells_rtcp = leg_var_is_true(leg, "fire_rtcp_events");
	p.rtcp_interval_ms = media_rtcp_interval_ms(leg);
	p.fmtp = plan->send.fmtp[0] ? plan->send.fmtp : NULL;
	media_source_policy(leg, &p);
	if (plan->is_dtls)
		media_secure_fini(m);                               /* another crypt took its place */
	st = plan->is_dtls ? ST_OK : media_secure_apply(leg, plan); /* before anything is sent */
	if (!st)
		st = mstream_set_params(m->stream, &p);
	if (st)
		return st;
	m->codec = p.send;
	m->is_negotiated = true;
	leg->codec = &m->codec;
	m->has_events = plan->dtmf_send_pt >= 0;
	m->is_on_hold = plan->is_hold || m->is_held_by_us || !p.may_recv;
	media_timeout_apply(leg);
	media_jitter_apply(leg);
	media_talk_apply(leg);
	media_vars_plan(leg, m, plan);
	leg_parts_stream(leg); /* how its digits travel may have changed */
	return ST_OK;
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

static ON_CTL void keep_local(struct leg *leg, struct sv text)
{
	if (!media_keep_text(&sound_of(leg)->media->local_sdp, text)) {
		leg_var_set(leg, "rtp_local_sdp_str", sound_of(leg)->media->local_sdp);
	}
}

/* ---- the endpoint's calls ---- */

void leg_media_signal(struct leg *leg, const struct addr *hosts, size_t count)
{
	struct leg_media *m = sound_of(leg)->media;

	if (!m)
		return;
	memset(m->signal_hosts, 0, sizeof(m->signal_hosts));
	for (size_t i = 0; i < count && i < MEDIA_SIGNAL_HOSTS_MAX; i++)
		m->signal_hosts[i] = hosts[i];
}

/* A plan is 6 kB and written whole by whoever succeeds: not cleared. NULL: no memory. */
static struct sdp_plan *plan_new(void)
{
	struct sdp_plan *plan = mem_alloc(sizeof(*plan));
	if (plan)
		plan->why = NULL;
	return plan;
}

/* Whether anything of the leg's offer is wanted by its profile and variables. */
static ON_CTL int check_offer(struct leg *leg)
{
	struct leg_media *m = sound_of(leg)->media;
	struct media_policy *q = NULL;
	struct sdp_plan *plan = plan_new();
	int st = plan ? media_policy_new(leg, m->inbound_codecs, &q) : ST_NOMEM;

	if (!st)
		st = media_secure_answer(leg, q, sv_of(m->remote_sdp));
	if (!st) {
		q->p.port = 16384; /* nothing is opened yet; any port will do for a plan */
		st = media_dtls_answer(leg, q, sv_of(m->remote_sdp));
	}
	if (!st) {
		st = sdp_answer_plan(sv_of(m->remote_sdp), &q->p, &m->running, plan);
	}
	if (st == ST_UNSUPPORTED)
		leg_log(leg, LOG_NOTICE, "no codec fits: %s", plan->why ? plan->why : "");
	mem_free(q);
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
		st = media_keep_text(&m->remote_sdp, sdp);
	if (st)
		goto out;
	m->is_remote_offer_new = true;
	leg_var_set(leg, "switch_r_sdp", m->remote_sdp);
	media_secure_seen(leg, sdp);
	leg_var_set(leg, "rtp_use_codec_string", media_wanted_codecs(leg, m->inbound_codecs));
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
	int st = open_stream(m, originator);

	buf_init(&text);
	if (!st)
		st = media_policy_new(leg, codecs, &q);
	if (!st)
		st = media_bound_offer(leg, originator, q);
	if (!st)
		st = media_ice_offer(leg, q);
	if (!st)
		st = media_dtls_offer(leg, q);
	if (!st && !q->p.dtls)
		st = media_secure_offer(leg, q);
	if (!st) {
		q->p.dir = dir;
		media_keep_joinable(leg, q);
		if (m->is_negotiated && originator) { /* a re-offer keeps the running codec in front */
			media_add_current(leg, &q->first);
			if (q->first.count && media_codecs_have(&q->prefs, &q->first.v[0]))
				q->p.first = &q->first; /* unless it is no longer wanted */
		}
		st = sdp_offer_make(&q->p, &m->running, &text);
	}
	if (!st) {
		m->is_offer_open = true;
		keep_local(leg, buf_sv(&text));
		media_vars_local(leg, m, dir);
		st = buf_addv(out, buf_sv(&text));
	}
	mem_free(q);
	buf_fini(&text);
	return st;
}

static ON_CTL int make_answer(struct leg *leg, struct leg *near, struct buf *out)
{
	struct leg_media *m = sound_of(leg)->media;
	struct media_policy *q = NULL;
	struct sdp_plan *plan = plan_new();
	struct buf text;
	int st = plan ? open_stream(m, near) : ST_NOMEM;

	buf_init(&text);
	if (!st)
		st = media_policy_new(leg, m->inbound_codecs, &q);
	if (!st)
		st = media_prefer_for_answer(m, near, q);
	if (!st)
		st = media_ice_answer(leg, q, sv_of(m->remote_sdp));
	if (!st)
		st = media_dtls_answer(leg, q, sv_of(m->remote_sdp));
	if (!st)
		st = media_secure_answer(leg, q, sv_of(m->remote_sdp));
	if (!st)
		st = sdp_answer_make(sv_of(m->remote_sdp), &q->p, &m->running, plan, &text);
	if (st == ST_UNSUPPORTED)
		leg_log(leg, LOG_NOTICE, "no codec fits: %s", plan->why ? plan->why : "");
	if (!st)
		st = check_plan(leg, plan);
	if (!st)
		st = media_dtls_apply(leg, sv_of(m->remote_sdp), plan, false);
	if (!st)
		st = apply_plan(leg, plan);
	if (!st)
		st = media_ice_apply(leg, sv_of(m->remote_sdp), plan->line);
	if (!st) {
		media_dtls_go(leg);
		m->is_remote_offer_new = false;
		keep_local(leg, buf_sv(&text));
		st = buf_addv(out, buf_sv(&text));
	}
	mem_free(q);
	mem_free(plan);
	buf_fini(&text);
	return st;
}

int leg_media_answer(struct leg *leg, struct leg *near, struct buf *out)
{
	struct leg_media *m = sound_of(leg)->media;
	int st;

	if (!m)
		return ST_INVAL;
	if (near && sound_of(near)->media && sound_of(near)->media->remote_sdp)
		leg_var_set(leg, "switch_m_sdp", sound_of(near)->media->remote_sdp);
	if (m->bypass && bypass_answer(leg, near, out, &st))
		return st;
	if (m->local_sdp && !m->is_remote_offer_new)
		return buf_adds(out, m->local_sdp);
	return m->remote_sdp ? make_answer(leg, near, out)
	                     : make_offer(leg, near, m->inbound_codecs, SDP_SENDRECV, out);
}

int leg_media_offer(struct leg *leg, struct leg *originator, struct buf *out)
{
	if (!sound_of(leg)->media)
		return ST_INVAL;
	if (originator && sound_of(originator)->media && sound_of(originator)->media->remote_sdp) {
		const char *codecs = vars_get(originator->vars, "ep_codec_string");
		leg_var_set(leg, "originator_codec", codecs);
		leg_var_set(leg, "switch_m_sdp", sound_of(originator)->media->remote_sdp);
		leg_var_set(leg, "rtp_use_codec_string", codecs);
	}
	if (bypass_is_wanted(leg, originator))
		return bypass_offer(leg, originator, out);
	/* who cannot be answered does not make anybody's phone ring */
	if (originator && sound_of(originator)->media && sound_of(originator)->media->remote_sdp &&
	    !sound_of(originator)->media->is_negotiated && !sound_of(originator)->media->bypass &&
	    check_offer(originator) == ST_UNSUPPORTED)
		return ST_UNSUPPORTED;
	return make_offer(leg, originator, sound_of(leg)->media->outbound_codecs, SDP_SENDRECV, out);
}

int leg_media_own_reoffer(struct leg *leg, bool is_hold, struct buf *out)
{
	struct leg_media *m = sound_of(leg)->media;

	if (m && m->bypass == BYPASS_ON && !is_hold && m->local_sdp)
		return buf_adds(out, m->local_sdp);
	if (!m || !m->is_negotiated)
		return ST_INVAL;
	m->is_held_by_us = is_hold;
	return make_offer(leg, leg, m->outbound_codecs, is_hold ? SDP_SENDONLY : SDP_SENDRECV, out);
}

int leg_media_refresh(struct leg *leg, struct buf *out)
{
	struct leg_media *m = sound_of(leg)->media;

	if (!m || !m->local_sdp || (m->bypass != BYPASS_ON && (m->bypass || !m->is_negotiated)))
		return ST_INVAL;
	if (!m->bypass)
		m->is_offer_open = true;
	return buf_adds(out, m->local_sdp);
}

int leg_media_offer_asked(struct leg *leg, struct buf *out)
{
	struct leg_media *m = sound_of(leg)->media;
	int st = m && m->bypass ? bypass_offer_asked(leg) : ST_NOTFOUND;

	if (st != ST_NOTFOUND)
		return st;
	return leg_media_own_reoffer(leg, m && m->is_held_by_us, out);
}

int media_own_offer(struct leg *leg, struct leg *near, struct buf *out)
{
	return make_offer(leg, near ? near : leg, sound_of(leg)->media->outbound_codecs, SDP_SENDRECV, out);
}

int leg_media_reneg(struct leg *leg, const char *codecs)
{
	struct leg_media *m = sound_of(leg)->media;
	struct buf sdp;
	int st;

	if (!m || !m->is_negotiated || m->bypass || !leg->is_answered || !leg->ops->reinvite)
		return ST_INVAL;
	if (codecs && *codecs)
		leg_var_set(leg, "codec_string", codecs);
	buf_init(&sdp);
	st = make_offer(leg, NULL, m->outbound_codecs, m->is_held_by_us ? SDP_SENDONLY : SDP_SENDRECV, &sdp);
	if (!st)
		st = leg->ops->reinvite(leg, buf_sv(&sdp));
	buf_fini(&sdp);
	return st;
}

static ON_CTL int remote_answer(struct leg *leg, struct sv sdp, bool *is_hold)
{
	struct leg_media *m = sound_of(leg)->media;
	struct media_policy *q = NULL;
	struct sdp_plan *plan;
	int st;

	if (m && m->bypass == BYPASS_ON)
		return bypass_remote_answer(leg, sdp);
	if (!m || !m->stream)
		return ST_INVAL;
	if (m->is_negotiated && !m->is_offer_open && m->answer_sdp && sv_is(sdp, m->answer_sdp))
		return ST_OK; /* said before, to the same offer */
	plan = plan_new();
	if (!plan)
		return ST_NOMEM;
	st = media_policy_new(leg, leg->is_outbound ? m->outbound_codecs : m->inbound_codecs, &q);
	if (!st) {
		q->p.dir = m->is_held_by_us ? SDP_SENDONLY : SDP_SENDRECV;
		st = media_ice_offer(leg, q); /* what was offered */
		media_secure_answered(leg, q);
	}
	if (!st)
		st = media_dtls_offer(leg, q);
	if (!st) {
		st = sdp_answer_accept(sdp, &q->p, &m->running, plan);
	}
	if (!st)
		st = media_keep_text(&m->remote_sdp, sdp);
	if (!st)
		st = media_keep_text(&m->answer_sdp, sdp);
	if (!st) {
		leg_var_set(leg, "switch_r_sdp", m->remote_sdp);
		media_vars_offer(leg, &plan->codecs);
		st = check_plan(leg, plan);
		if (!st)
			st = media_dtls_apply(leg, sdp, plan, true);
		if (!st)
			st = apply_plan(leg, plan);
		if (!st)
			st = media_ice_apply(leg, sdp, plan->line);
		if (!st)
			media_dtls_go(leg);
		m->is_offer_open = false;
		*is_hold = plan->is_hold;
	}
	mem_free(q);
	mem_free(plan);
	return st;
}

int leg_media_remote_answer(struct leg *leg, struct sv sdp)
{
	bool is_hold;
	return remote_answer(leg, sdp, &is_hold);
}

int leg_media_late_answer(struct leg *leg, struct sv sdp)
{
	bool is_hold = leg->is_held;
	int st = sound_of(leg)->media && sound_of(leg)->media->bypass == BYPASS_ON ? bypass_late_answer(leg, sdp)
	         : sdp.n                                                           ? remote_answer(leg, sdp, &is_hold)
	                                                                           : ST_NOTFOUND;

	if (!st)
		leg_mark_held(leg, is_hold || sound_of(leg)->media->is_held_by_us);
	return st;
}

int leg_media_reoffer(struct leg *leg, struct sv sdp, struct buf *out)
{
	struct leg_media *m = sound_of(leg)->media;
	struct media_policy *q = NULL;
	struct sdp_plan *plan;
	struct buf text;
	bool is_hold = false;
	int st;

	if (m && m->bypass && !bypass_comes_back(leg, sdp))
		return bypass_reoffer(leg, sdp);
	if (!m || !m->stream || m->is_closing)
		return ST_INVAL;
	plan = plan_new();
	if (!plan)
		return ST_NOMEM;
	buf_init(&text);
	st = media_policy_new(leg, leg->is_outbound ? m->outbound_codecs : m->inbound_codecs, &q);
	if (!st) {
		media_add_current(leg, &q->first);
		media_add_current(leg->peer, &q->first);
		media_keep_joinable(leg, q);
		q->p.first = &q->first;
		if (m->is_held_by_us)
			q->p.dir = SDP_SENDONLY;
		st = media_ice_answer(leg, q, sdp);
	}
	if (!st)
		st = media_dtls_answer(leg, q, sdp);
	if (!st)
		st = media_secure_answer(leg, q, sdp);
	if (!st) {
		st = sdp_answer_make(sdp, &q->p, &m->running, plan, &text);
	}
	if (!st)
		st = check_plan(leg, plan);
	if (!st)
		st = media_dtls_apply(leg, sdp, plan, false);
	if (!st)
		st = apply_plan(leg, plan);
	if (!st)
		st = media_ice_apply(leg, sdp, plan->line);
	if (!st)
		media_dtls_go(leg);
	if (!st)
		st = media_keep_text(&m->remote_sdp, sdp);
	if (!st) {
		is_hold = plan->is_hold;
		leg_var_set(leg, "switch_r_sdp", m->remote_sdp);
		keep_local(leg, buf_sv(&text));
		st = buf_addv(out, buf_sv(&text));
	}
	mem_free(q);
	mem_free(plan);
	buf_fini(&text);
	if (!st && leg->is_held && !is_hold)
		bypass_resumed(leg);
	if (!st)
		leg_mark_held(leg, is_hold);
	return st;
}

/* It called without SDP: our 200 has the offer, or will; what it speaks is in its ACK. */
static ON_CTL bool is_answer_late(const struct leg *leg)
{
	const struct leg_media *m = sound_of(leg)->media;
	return m && m->is_offerless && !m->is_negotiated && !m->is_closing && !m->bypass;
}

int leg_media_late_join(struct leg *leg)
{
	struct leg *peer = leg->peer;

	leg_wake(leg);
	if (!peer || leg_media_is_bypassed(leg) || !leg_media_is_ready(peer))
		return ST_OK;
	return leg_media_join(leg, peer);
}

int leg_media_join(struct leg *a, struct leg *b)
{
	const struct media_codec *x = a->codec, *y = b->codec;
	bool is_same;

	if (leg_media_is_bypassed(a) || leg_media_is_bypassed(b))
		return bypass_join(a, b);
	if (is_answer_late(a) || is_answer_late(b)) /* leg_media_late_join */
		return ST_OK;
	if (!x || !y || !leg_media_stream(a) || !leg_media_stream(b))
		return ST_UNSUPPORTED;
	is_same = !strcasecmp(x->name, y->name) && x->clock_hz == y->clock_hz && x->channels == y->channels;
	if (!is_same && (!mctl_codec_is_known(x->name) || !mctl_codec_is_known(y->name))) {
		leg_log(a, LOG_WARNING, "%s and %s cannot be joined", x->name, y->name);
		return ST_UNSUPPORTED;
	}
	return mstream_relay(leg_media_stream(a), leg_media_stream(b));
}

/* ---- the part ---- */

static int part_init(struct leg *leg)
{
	role_assert_ctl();
	list_init(&sound_of(leg)->taps);
	return ST_OK;
}

static void part_answer(struct leg *leg)
{
	role_assert_ctl();
	media_timeout_apply(leg);
	media_dtls_answered(leg);
	leg_record_check(leg);
}

/* Until the ACK has said what the caller speaks; without one the call ends. */
static CO void late_answer_wait(struct leg *leg)
{
	enum { WAIT_US = 40000000 };
	int st = ST_OK;

	while (!st && is_answer_late(leg))
		st = leg_wait(leg, WAIT_US);
}

/* Sound for a phone that has no keys yet would be lost; a handshake ends within half a minute. */
static CO void keys_wait(struct leg *leg)
{
	enum { WAIT_US = 30000000 };
	int st = ST_OK;

	while (!st && media_dtls_is_under_way(sound_of(leg)->media))
		st = leg_wait(leg, WAIT_US);
}

static void part_before_app(struct leg *leg, unsigned app_flags)
{
	role_assert_co();
	if (!(app_flags & APP_NO_MEDIA) && leg_media_is_bypassed(leg))
		leg_bypass_end_wait(leg);
	if (!(app_flags & APP_NO_MEDIA) && leg->is_answered && is_answer_late(leg))
		late_answer_wait(leg);
	if (!(app_flags & APP_NO_MEDIA) && leg->is_answered)
		keys_wait(leg);
}

static void part_break(struct leg *leg)
{
	role_assert_ctl();
	if (leg_media_stream(leg))
		mstream_play_stop(leg_media_stream(leg), 0);
}

static void part_idle(struct leg *leg)
{
	role_assert_ctl();
	if (leg_media_stream(leg))
		mstream_idle(leg_media_stream(leg));
}

static void part_close(struct leg *leg)
{
	role_assert_ctl();
	leg_media_fini(leg);
}

static bool part_is_closing(struct leg *leg)
{
	const struct leg_media *m = sound_of(leg)->media;
	role_assert_ctl();
	return m && m->is_closing;
}

static void part_report_due(struct leg *leg)
{
	role_assert_ctl();
	leg_taps_fini(leg);
}

struct leg_part sound_part = {
    .name = "sound",
    .bytes = sizeof(struct leg_sound),
    .init = part_init,
    .on_answer = part_answer,
    .before_app = part_before_app,
    .on_break = part_break,
    .on_idle = part_idle,
    .on_close = part_close,
    .is_waited_for = {[LEG_WAIT_REPORT] = part_is_closing},
    .on_report_due = part_report_due,
    .fini = part_fini,
};
