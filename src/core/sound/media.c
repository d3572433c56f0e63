/* A leg's media as a thing with a life: what the profile says of it, its stream and what that reports, how two are
 * joined, and the part by which the leg's own life reaches it. What is agreed on with the far side: negotiate.c,
 * offers.c, agree.c. */
#include "core/sound/media.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/status.h"
#include "core/event/event.h"
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

void media_destroy(struct leg_media *m)
{
	media_ice_fini(m);
	media_dtls_fini(m);
	media_secure_fini(m);
	mem_unref(m->turn);
	mem_unref(m->texts);
	mem_free(m->signal_named);
	mem_free(m->running);
	mem_free(m->codec_fmtp);
	mem_free(m->standing_running);
	str_share_end(m->remote_sdp);
	str_share_end(m->local_sdp);
	str_share_end(m->standing_sdp);
	str_share_end(m->reoffer_sdp);
	mem_free(m->line);
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
	m->texts = media_texts_of(c);
	if (!m->texts) {
		mem_free(m);
		return ST_NOMEM;
	}
	m->leg = leg;
	m->turn = c->turn ? mem_ref(c->turn) : NULL;
	m->first = m;
	m->dtmf_pt = c->dtmf_pt, m->cn_pt = c->cn_pt;
	m->dtmf_type = c->dtmf_type;
	m->source_mode = c->source_mode;
	m->are_events_assumed = c->are_events_assumed, m->ignores_holds = c->ignores_holds;
	m->is_wired = c->is_wired;
	m->rtp_timeout_ms = c->rtp_timeout_ms, m->rtp_hold_timeout_ms = c->rtp_hold_timeout_ms;
	m->is_bypass_default = c->is_bypass;
	m->is_proxy_default = c->is_proxy;
	m->comes_back_on_hold = c->comes_back_on_hold, m->goes_after_hold = c->goes_after_hold;
	m->is_late = c->is_late_negotiation || c->is_bypass || c->is_proxy;
	m->is_transcoding_off = c->is_transcoding_off;
	m->is_g726_aal2 = c->is_g726_aal2, m->passes_zrtp = c->passes_zrtp;
	m->is_secure_required = c->is_secure_required;
	m->is_late_told = c->is_late_told || m->is_late;
	m->session_id = 1000000000u + rand_u32() % 1000000000u;
	sound_of(leg)->media = m;
	if (c->jitterbuffer && *c->jitterbuffer && !vars_get(leg->vars, "jitterbuffer_msec"))
		leg_var_set_text(leg, "jitterbuffer_msec", c->jitterbuffer);
	m->has_vad = c->has_vad, m->suppresses_silence = c->suppresses_silence;
	m->rtcp_interval_ms = c->rtcp_interval_ms, m->digit_gap_ms = c->digit_gap_ms;
	leg->is_late_told = m->is_late_told;
	return ST_OK;
}

static ON_CTL void stats_log(struct leg *leg, const struct media_stats *s)
{
	leg_log(leg, LOG_INFO,
	    "audio: in %llu packets, %llu bytes, %llu lost, jitter %.1f ms, at most %.1f; out %llu packets, %llu bytes",
	    (unsigned long long)s->in_packets, (unsigned long long)s->in_bytes, (unsigned long long)s->in_lost_packets,
	    (double)s->in_jitter_us / 1000.0, (double)s->in_jitter_max_us / 1000.0, (unsigned long long)s->out_packets,
	    (unsigned long long)s->out_bytes);
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
	if (leg_var_is_true(m->leg, "log_audio_stats_on_hangup"))
		stats_log(m->leg, &r->stats);
	leg_wake(m->leg); /* bypass.c may wait for it, on either side */
	if (m->leg->peer)
		leg_wake(m->leg->peer);
	leg_media_owed(m->leg);
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
	case MEDIA_R_JITTER:
		m->is_jitter_asked = !mstream_stats_ask(m->stream);
		break;
	case MEDIA_R_STATS:
		media_vars_stats(m->leg, &r->stats);
		media_jitter_tell(m, &r->stats);
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
	case MEDIA_R_CODEC:
		media_codec_turn(m->leg, (uint8_t)r->bits);
		break;
	case MEDIA_R_PLUG:
		if (r->bits & MEDIA_PLUG_FINDER)
			media_ice_report(m);
		if (r->bits & MEDIA_PLUG_CRYPT)
			media_dtls_heard(m);
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

/* TRAP once, until there is a port again. */
static ON_CTL void ports_tell(bool are_used_up)
{
	static bool was_told;
	struct event *e;

	if (was_told == are_used_up)
		return;
	was_told = are_used_up;
	if (event_is_wanted(EVENT_TRAP, NULL) && (e = event_new(EVENT_TRAP, NULL))) {
		event_add(e, "condition", are_used_up ? "rtp-ports-used-up" : "rtp-ports-available");
		event_fire(e);
	}
}

static ON_CTL int open_stream(struct leg_media *m, struct leg *near)
{
	int st;

	if (m->stream)
		return m->is_closing ? ST_CLOSED : ST_OK;
	st = addr_parse(&m->local, sv_of(m->texts->rtp_host), 0);
	if (st)
		return st;
	m->timeout_told = 0;
	if (m->is_wired) {
		addr_set_port(&m->local, WIRED_PORT);
		st = mstream_open_wired(&m->stream, near ? leg_media_stream(near) : NULL, on_report, m);
	} else {
		st = mstream_open(&m->stream, &m->local, near ? leg_media_stream(near) : NULL, on_report, m);
		if (!st || st == ST_FULL)
			ports_tell(st == ST_FULL);
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
		media_lines_close(leg);
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
	media_lines_fini(m);
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
	return sound_of(leg)->media ? sound_of(leg)->media->texts->hold_music : NULL;
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
void leg_media_signal(struct leg *leg, const struct addr *hosts, size_t count)
{
	struct leg_media *m = sound_of(leg)->media;

	if (!m)
		return;
	struct addr named[MEDIA_SIGNAL_HOSTS_MAX - 1];
	uint8_t n = 0;

	m->signal_from = count ? hosts[0] : (struct addr){0};
	for (size_t i = 1; i < count && i < MEDIA_SIGNAL_HOSTS_MAX; i++)
		if (addr_is_set(&hosts[i]) && !addr_eq_host(&hosts[i], &hosts[0]))
			named[n++] = hosts[i];
	mem_free(m->signal_named);
	m->signal_named = n ? mem_alloc(n * sizeof(named[0])) : NULL;
	m->signal_named_count = m->signal_named ? n : 0;
	if (m->signal_named)
		memcpy(m->signal_named, named, n * sizeof(named[0]));
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

	if (leg_media_is_bypassed(a) || leg_media_is_bypassed(b))
		return bypass_join(a, b);
	if (is_answer_late(a) || is_answer_late(b)) /* leg_media_late_join */
		return ST_OK;
	if (!x || !y || !leg_media_stream(a) || !leg_media_stream(b))
		return ST_UNSUPPORTED;
	if ((!mctl_codec_is_known(x->name) || !mctl_codec_is_known(y->name)) && !media_is_passable(a, b)) {
		leg_log(a, LOG_WARNING, "%s and %s cannot be joined", x->name, y->name);
		return ST_UNSUPPORTED;
	}
	leg_idle_sound_end(a), leg_idle_sound_end(b);
	if (!sound_of(a)->is_joined_at_answer) /* the bridge that follows joins them again */
		media_comfort_join(a, b);
	int st = mstream_relay(leg_media_stream(a), leg_media_stream(b));
	if (!st)
		media_lines_join(a, b);
	return st;
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
	for (struct leg_media *m = sound_of(leg)->media; m; m = m->next)
		media_dtls_answered(m);
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
	leg_idle_sound_end(leg);
	if (leg_media_stream(leg))
		mstream_idle(leg_media_stream(leg));
	media_lines_idle(leg);
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
	return m && (m->is_closing || media_lines_are_closing(m));
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
