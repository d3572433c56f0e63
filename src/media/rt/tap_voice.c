/* Tells when the phone's user begins and stops to speak (dsp/vad.h): MEDIA_R_TALK, MEDIA_R_NOTALK. Only the newest of
 * what control has not seen yet is told. */
#include "media/rt/tap_i.h"

static void voice_hear(struct rt_tap *tap, const int16_t *const sides[2], size_t n)
{
	role_assert_media();
	struct rt_voice_watch *w = (struct rt_voice_watch *)tap;
	if (!vad_feed(&w->vad, sides[RT_READ], n))
		return;
	tap->s->pend.flags &= ~(unsigned)(PEND_TALK | PEND_NOTALK);
	report_flag(tap->s, w->vad.is_talking ? PEND_TALK : PEND_NOTALK);
}

static const struct rt_tap_ops voice_ops = {.name = "voice", .hear = voice_hear};

int rt_voice_watch_new(struct rt_voice_watch **out, const struct media_params *p)
{
	struct rt_voice_watch *w;
	int st = tap_new((void **)&w, sizeof(*w), &voice_ops, p);
	if (st)
		return st;
	w->tap.hears[RT_READ] = true;
	vad_init(&w->vad, w->tap.pcm->recv_hz);
	*out = w;
	return ST_OK;
}
