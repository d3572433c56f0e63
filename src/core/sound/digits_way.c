/* How a leg's phone is told digits: by telephone-events (RFC 4733) where its latest SDP has them, by the endpoint's own
 * way (INFO), or as tones in its audio; and how it tells its own. What was asked for (dtmf-type, the variable
 * dtmf_type) goes before what is found out: what the SDP has, and what the endpoint knows its far side to take. What
 * media cannot turn over by itself comes here first: telephone-events for a peer that takes INFO are captured, and
 * tones of a phone that has nothing else are listened for while its peer would not take them for digits. */
#include "base/log.h"
#include "base/status.h"
#include "core/leg/leg.h"
#include "core/leg/leg_core.h"
#include "core/sound/media.h"
#include "core/sound/media_i.h"
#include "core/sound/sound_core.h"
#include "core/sound/sound_i.h"
#include "core/sound/tap_i.h"
#include "core/value/vars.h"
#include <string.h>
#include <strings.h>

enum { DIGIT_GAP_MAX_MS = 10000 };

enum media_dtmf_type media_dtmf_type(struct leg *leg)
{
	struct leg_media *m = sound_of(leg)->media;
	const char *v = vars_get(leg->vars, "dtmf_type");

	if (v && (!m->dtmf_told || strcmp(v, m->dtmf_told) != 0)) { /* not what we said ourselves: it is asked for */
		m->dtmf_told = NULL;
		if (!strcasecmp(v, "rfc2833") || !strcasecmp(v, "auto"))
			m->dtmf_type = MEDIA_DTMF_EVENTS;
		else if (!strcasecmp(v, "info"))
			m->dtmf_type = MEDIA_DTMF_OWN;
		else if (!strcasecmp(v, "none"))
			m->dtmf_type = MEDIA_DTMF_TONES;
	}
	return m->dtmf_type;
}

static ON_CTL bool has_known_codec(struct leg *leg)
{
	const struct media_codec *c = leg->codec;
	return c && leg_media_stream(leg) && mctl_codec_is_known(c->name);
}

enum dtmf_way leg_dtmf_way(struct leg *leg)
{
	struct leg_media *m = sound_of(leg)->media;
	bool has_own = leg->ops && leg->ops->send_dtmf && (!m || m->own_digits != OWN_DIGITS_REFUSED);
	enum media_dtmf_type type = m ? media_dtmf_type(leg) : MEDIA_DTMF_EVENTS;
	const char *v;

	if (!m || !m->is_negotiated || !leg_media_stream(leg))
		return has_own ? DTMF_WAY_OWN : DTMF_WAY_NONE;
	if (type == MEDIA_DTMF_OWN && has_own)
		return DTMF_WAY_OWN;
	if (type != MEDIA_DTMF_TONES && m->has_events)
		return DTMF_WAY_EVENTS;
	if (type == MEDIA_DTMF_TONES)
		return has_known_codec(leg) ? DTMF_WAY_TONES : DTMF_WAY_NONE;
	v = vars_get(leg->vars, "rtp_info_when_no_2833");
	if (has_own && (v ? leg_var_is_true(leg, "rtp_info_when_no_2833") : m->own_digits != OWN_DIGITS_UNKNOWN))
		return DTMF_WAY_OWN;
	return has_known_codec(leg) ? DTMF_WAY_TONES : has_own ? DTMF_WAY_OWN : DTMF_WAY_NONE;
}

unsigned media_digit_gap_ms(struct leg *leg)
{
	const char *v = vars_get(leg->vars, "rtp_digit_delay");
	int64_t ms = v ? str_number(v, -1, DIGIT_GAP_MAX_MS) : -1;

	if (v && (ms < 0 || ms > DIGIT_GAP_MAX_MS)) {
		leg_log(leg, LOG_WARNING, "rtp_digit_delay: \"%.40s\" is no number of milliseconds to %d", v,
		    DIGIT_GAP_MAX_MS);
		v = NULL;
	}
	return v ? (unsigned)ms : sound_of(leg)->media->digit_gap_ms;
}

const char *media_dtmf_name(struct leg *leg)
{
	enum dtmf_way way = leg_dtmf_way(leg);
	return way == DTMF_WAY_EVENTS ? "rfc2833" : way == DTMF_WAY_OWN ? "info" : "none";
}

/* Its phone has only its voice, and its peer's phone (or whoever it talks to by INFO) does not listen for tones. */
static ON_CTL bool are_tones_wanted(struct leg *leg, struct leg *peer)
{
	struct leg_media *m = sound_of(leg)->media;
	enum dtmf_way way;

	if (!peer || !m || m->has_events || m->own_digits == OWN_DIGITS_SENT || !has_known_codec(leg))
		return false;
	way = leg_dtmf_way(peer);
	return way == DTMF_WAY_EVENTS || way == DTMF_WAY_OWN;
}

void media_digits_listen(struct leg *leg, struct leg *peer)
{
	struct mstream *s = leg_media_stream(leg);

	if (s)
		(void)mstream_detect_dtmf(s, leg_tap_find(leg, LEG_TAP_DTMF, NULL) || are_tones_wanted(leg, peer));
}

/* ---- what the endpoint finds out about its own way ---- */

static ON_CTL void own_digits_set(struct leg *leg, enum media_own_digits own)
{
	if (!sound_of(leg)->media || sound_of(leg)->media->own_digits == own)
		return;
	sound_of(leg)->media->own_digits = own;
	leg_parts_stream(leg);
}

void leg_dtmf_own_taken(struct leg *leg, bool is_taken)
{
	struct leg_media *m = sound_of(leg)->media;

	if (m && m->own_digits != OWN_DIGITS_SENT && m->own_digits != OWN_DIGITS_REFUSED)
		own_digits_set(leg, is_taken ? OWN_DIGITS_TAKEN : OWN_DIGITS_UNKNOWN);
}

void leg_dtmf_own_received(struct leg *leg)
{
	if (sound_of(leg)->media && sound_of(leg)->media->own_digits != OWN_DIGITS_REFUSED)
		own_digits_set(leg, OWN_DIGITS_SENT);
}

void leg_dtmf_own_refused(struct leg *leg, char digit, unsigned duration_ms)
{
	own_digits_set(leg, OWN_DIGITS_REFUSED);
	(void)leg_dtmf_put(leg, (char[]){digit, 0}, duration_ms);
}

int leg_dtmf_put(struct leg *leg, const char *digits, unsigned duration_ms)
{
	switch (leg_dtmf_way(leg)) {
	case DTMF_WAY_EVENTS:
		return mstream_send_dtmf(leg_media_stream(leg), digits, duration_ms);
	case DTMF_WAY_TONES:
		return mstream_send_tones(leg_media_stream(leg), digits, duration_ms);
	case DTMF_WAY_OWN:
		return leg->ops->send_dtmf(leg, digits, duration_ms);
	case DTMF_WAY_NONE:
		break;
	}
	leg_log(leg, LOG_WARNING, "no way to tell %s the digits %s", leg->name, digits);
	return ST_UNSUPPORTED;
}
