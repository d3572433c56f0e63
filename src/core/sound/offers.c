/* Our offers. One is open at a time; what it may turn out not to change (what we said before, the dialog's memory, our
 * hold) is kept beside it and comes back when it cannot be sent, is refused, or is answered by what does not fit. */
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

enum sdp_dir media_own_dir(bool is_held_by_us)
{
	return is_held_by_us ? SDP_SENDONLY : SDP_SENDRECV;
}

void media_keep_local(struct leg *leg, struct sv text)
{
	if (!media_share_text(&sound_of(leg)->media->local_sdp, text)) {
		leg_var_share(leg, "rtp_local_sdp_str", sound_of(leg)->media->local_sdp);
	}
}

void media_stands(struct leg_media *m)
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
		media_stands(m), m->was_held_by_us = m->is_held_by_us;
	m->is_offer_open = true, m->is_offer_stale = false;
}

void media_held_mark(struct leg_media *m)
{
	bool is_by_us = m->leg->hold_due != HOLD_DUE_NOT ? m->leg->hold_due == HOLD_DUE_ON : m->is_held_by_us;
	bool is_by_them = m->is_held_by_them && !m->ignores_holds && !leg_var_is_true(m->leg, "rtp_disable_hold");
	leg_mark_held(m->leg, is_by_us || is_by_them);
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
	media_held_mark(m);
}

void leg_media_offer_unsent(struct leg *leg)
{
	if (sound_of(leg)->media && sound_of(leg)->media->is_offer_open)
		media_offer_refused(sound_of(leg)->media);
}

int media_make_offer(struct leg *leg, struct leg *originator, const char *codecs, enum sdp_dir dir, struct buf *out)
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
			media_add_current(leg, leg, &q->first);
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
		media_keep_local(leg, buf_sv(&text));
		media_vars_local(leg, m, dir);
	} else {
		media_lines_refused(m);
	}
	media_policy_free(q);
	buf_fini(&text);
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
	    media_check_offer(originator) == ST_UNSUPPORTED)
		return ST_UNSUPPORTED;
	return media_make_offer(leg, originator, sound_of(leg)->media->texts->outbound_codecs, SDP_SENDRECV, out);
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
	st = media_make_offer(leg, leg, media_own_codecs(leg), media_own_dir(is_hold), out);
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
	return media_make_offer(leg,
	    m->offer_for == OFFER_ALONE               ? NULL
	    : m->offer_for == OFFER_PEER && leg->peer ? leg->peer
	                                              : leg,
	    media_own_codecs(leg), media_own_dir(m->is_held_by_us), out);
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
	return media_make_offer(leg, near ? near : leg, media_own_codecs(leg), media_own_dir(m->is_held_by_us), out);
}

int media_reneg(struct leg *leg)
{
	struct leg_media *m = sound_of(leg)->media;
	struct buf sdp;
	int st;

	if (!m || !m->is_negotiated || m->bypass || !leg->is_answered || !leg->ops->reinvite)
		return ST_INVAL;
	if (m->is_offer_open)
		return ST_BUSY;
	buf_init(&sdp);
	st = media_make_offer(leg, NULL, media_own_codecs(leg), media_own_dir(m->is_held_by_us), &sdp);
	if (!st) {
		st = leg->ops->reinvite(leg, buf_sv(&sdp));
		if (st)
			leg_media_offer_unsent(leg);
	}
	buf_fini(&sdp);
	return st;
}
