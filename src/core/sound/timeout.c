/* A call from which no RTP comes any more ends with MEDIA_TIMEOUT: after media_timeout (milliseconds; rtp_timeout_sec
 * in seconds is its older name), on hold after media_hold_timeout, by variables or by the profile. Read when media is
 * agreed on or changes, and counted from the answer on: a phone that has not answered need not send. */
#include "core/leg/leg.h"
#include "core/sound/media.h"
#include "core/sound/media_i.h"
#include "core/sound/sound_i.h"
#include "core/value/vars.h"

enum { TIMEOUT_MAX_MS = 24 * 3600 * 1000, HOLD_FACTOR = 10 };

/* False: unset, or no number. */
static ON_CTL bool var_ms(struct leg *leg, const char *name, unsigned unit_ms, unsigned *out)
{
	const char *v = vars_get(leg->vars, name);
	uint32_t n;

	if (!v || !*v)
		return false;
	if (sv_u32(sv_of(v), &n)) {
		leg_log(leg, LOG_WARNING, "%s: \"%s\" is no number", name, v);
		return false;
	}
	*out = n > TIMEOUT_MAX_MS / unit_ms ? TIMEOUT_MAX_MS : n * unit_ms;
	return true;
}

/* FreeSWITCH's names, the most particular first. */
static ON_CTL unsigned wanted_ms(struct leg *leg, const char *const names[3], unsigned of_profile_ms)
{
	unsigned ms = of_profile_ms;

	if (!var_ms(leg, names[0], 1, &ms) && !var_ms(leg, names[1], 1, &ms))
		(void)var_ms(leg, names[2], 1000, &ms);
	return ms;
}

void media_timeout_apply(struct leg *leg)
{
	struct leg_media *m = sound_of(leg)->media;
	unsigned ms, hold_ms;

	if (!m || !leg->is_answered || !leg_media_stream(leg))
		return;
	ms = wanted_ms(
	    leg, (const char *const[]){"media_timeout_audio", "media_timeout", "rtp_timeout_sec"}, m->rtp_timeout_ms);
	hold_ms = wanted_ms(leg,
	    (const char *const[]){"media_hold_timeout_audio", "media_hold_timeout", "rtp_hold_timeout_sec"},
	    m->rtp_hold_timeout_ms);
	if (!hold_ms)
		hold_ms = ms > TIMEOUT_MAX_MS / HOLD_FACTOR ? TIMEOUT_MAX_MS : ms * HOLD_FACTOR;
	if (m->is_on_hold)
		ms = hold_ms;
	if (ms != m->timeout_told)
		mstream_set_timeout(leg_media_stream(leg), ms);
	m->timeout_told = ms;
}
