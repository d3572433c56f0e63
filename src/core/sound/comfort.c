/* What silence of a leg becomes: whether comfort noise (RFC 3389) is spoken (suppress_cng), what the peer of a silent
 * phone hears (bridge_generate_comfort_noise), whether silence towards a phone is sent at all (vad, rtp_enable_vad_out)
 * and what a phone hears while its leg only waits (send_silence_when_idle). The packets are media's
 * (media/rt/comfort.c). */
#include "core/leg/leg.h"
#include "core/sound/media.h"
#include "core/sound/media_i.h"
#include "core/sound/sound_i.h"
#include "core/value/vars.h"
#include <limits.h>
#include <stdio.h>
#include <strings.h>

enum { DIVISOR_USUAL = 1400 /* FreeSWITCH's for "true" */, DIVISOR_MAX = 10000 };

bool media_comfort_is_spoken(struct leg *leg)
{
	return sound_of(leg)->media->cn_pt >= 0 && !leg_var_is_true(leg, "suppress_cng") &&
	       !leg_var_is_true(leg, "supress_cng");
}

/* A divisor, true, or -1: digital silence. False: none. */
static ON_CTL bool divisor_read(struct leg *leg, const char *name, unsigned *out)
{
	const char *text = vars_get(leg->vars, name);
	uint32_t n;

	if (!text || !*text)
		return false;
	if (!strcasecmp(text, "-1")) {
		*out = 0;
		return true;
	}
	if (sv_u32(sv_of(text), &n)) {
		*out = DIVISOR_USUAL;
		return str_is_true(text);
	}
	*out = n > DIVISOR_MAX ? DIVISOR_MAX : n;
	return n > 0;
}

/* What the other hears in this one's silence: what either of the two says. */
static ON_CTL void apply(struct leg *leg, bool fills, unsigned divisor)
{
	struct leg_media *m = sound_of(leg)->media;
	struct media_comfort_conf conf = {.fills = fills, .fill_divisor = divisor};
	int st;

	if (!leg_media_stream(leg) || !m->is_negotiated)
		return;
	conf.sends = m->has_comfort && (m->suppresses_silence || leg_var_is_true(leg, "rtp_enable_vad_out")) &&
	             !leg_var_is_true(leg, "rtp_disable_vad_out");
	st = mstream_set_comfort(leg_media_stream(leg), m->has_comfort || conf.fills ? &conf : NULL);
	if (st)
		leg_log(leg, LOG_WARNING, "silence is sent as it is: %s cannot be decoded here", m->codec.name);
}

static ON_CTL bool is_filled(struct leg *leg, struct leg *peer, unsigned *divisor)
{
	static const char name[] = "bridge_generate_comfort_noise";
	return divisor_read(leg, name, divisor) || (peer && divisor_read(peer, name, divisor));
}

void media_comfort_apply(struct leg *leg, struct leg *peer)
{
	unsigned divisor = 0;
	bool fills = leg_media_stream(leg) && is_filled(leg, peer, &divisor);
	apply(leg, fills, divisor);
}

void media_comfort_join(struct leg *a, struct leg *b)
{
	unsigned divisor = 0;
	bool fills = is_filled(a, b, &divisor);
	apply(a, fills, divisor);
	apply(b, fills, divisor);
}

/* ---- a leg that waits ---- */

void leg_idle_sound_begin(struct leg *leg)
{
	struct leg_sound *so = sound_of(leg);
	char source[48];
	unsigned divisor;

	if (so->idle_play_id || leg->peer || !leg_media_stream(leg) || !(leg->is_answered || leg->is_early) ||
	    !divisor_read(leg, "send_silence_when_idle", &divisor))
		return;
	snprintf(source, sizeof(source), divisor ? "silence_stream://-1,%u" : "silence_stream://-1", divisor);
	if (mstream_play(leg_media_stream(leg), source, -1, &so->idle_play_id))
		so->idle_play_id = 0;
}

void leg_idle_sound_end(struct leg *leg)
{
	struct leg_sound *so = sound_of(leg);

	if (so->idle_play_id && leg_media_stream(leg))
		mstream_play_stop(leg_media_stream(leg), so->idle_play_id);
	so->idle_play_id = 0;
}
