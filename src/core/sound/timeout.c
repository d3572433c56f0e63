/* A call from which no RTP comes any more (of video: where its own variables ask for it) ends with MEDIA_TIMEOUT: after
 * media_timeout (milliseconds; rtp_timeout_sec in seconds is its older name), on hold after media_hold_timeout, by
 * variables or by the profile. Read when media is agreed on or changes, and counted from the answer on: a phone that
 * has not answered need not send. */
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

static ON_CTL void tell(struct leg_media *m, unsigned ms, unsigned hold_ms)
{
	if (!hold_ms)
		hold_ms = ms > TIMEOUT_MAX_MS / HOLD_FACTOR ? TIMEOUT_MAX_MS : ms * HOLD_FACTOR;
	if (m->is_on_hold)
		ms = hold_ms;
	if (ms != m->timeout_told)
		mstream_set_timeout(m->stream, ms);
	m->timeout_told = ms;
}

void media_timeout_apply(struct leg *leg)
{
	static const char *const names[] = {"media_timeout_audio", "media_timeout", "rtp_timeout_sec"},
	                         *const hold_names[] = {
	                             "media_hold_timeout_audio", "media_hold_timeout", "rtp_hold_timeout_sec"};
	struct leg_media *m = sound_of(leg)->media;
	unsigned ms = 0, hold_ms = 0;

	if (!m || !leg->is_answered || !leg_media_stream(leg))
		return;
	tell(m, wanted_ms(leg, names, m->rtp_timeout_ms), wanted_ms(leg, hold_names, m->rtp_hold_timeout_ms));
	for (struct leg_media *l = m->next; l; l = l->next)
		if (l->kind == MEDIA_VIDEO && l->stream && l->is_negotiated && !l->is_closing) {
			(void)var_ms(leg, "media_timeout_video", 1, &ms);
			(void)var_ms(leg, "media_hold_timeout_video", 1, &hold_ms);
			tell(l, ms, hold_ms);
		}
}
