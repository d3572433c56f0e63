/* What listens for something: tones, sound or its absence, digits in the audio. Each is fed the frames of its sides by
 * the stream's tick and reports when it has heard what it waits for. */
#include "dsp/mix.h"
#include "dsp/resample.h"
#include "media/rt/rt_i.h"

enum { DIGIT_SAMPLES = 800, DIGITS_MAX = 8, PCM_8K = RT_FRAME_MAX_SAMPLES };

ON_MEDIA static void tell(struct rt_stream *s, struct rt_tap *tap)
{
	tap->is_event_due = true;
	report_wanted(s);
}

/* A frame of 20 ms passed: hits are forgotten after a while. */
static void tone_frame(struct rt_tone_watch *w)
{
	if (w->sleep_frames)
		w->sleep_frames--;
	if (w->expire_frames && !--w->expire_frames)
		w->hits = 0, w->sleep_frames = 0;
}

ON_MEDIA static void tone_hear(struct rt_stream *s, struct rt_tone_watch *w, const int16_t *const sides[2], size_t n)
{
	bool is_heard = false;
	for (w->fill += (uint32_t)n; w->fill >= w->frame_samples; w->fill -= w->frame_samples)
		tone_frame(w);
	for (int i = 0; i < 2; i++)
		if (w->tap.hears[i])
			is_heard |= tonedet_feed(&w->det[i], sides[i], n);
	if (!is_heard || !w->is_up || w->sleep_frames)
		return;
	w->sleep_frames = w->conf.sleep_frames, w->expire_frames = w->conf.expire_frames;
	if (++w->hits < w->conf.hits)
		return;
	w->is_up = false;
	tell(s, &w->tap);
}

/* One frame's mean amplitude; true when what is waited for is there. */
static bool energy_frame(struct rt_energy_watch *w, uint32_t level)
{
	bool has_sound = level >= w->conf.level;
	if (w->countdown)
		return --w->countdown == 0;
	w->heard += has_sound;
	bool counts = has_sound != w->conf.wants_silence;
	if (w->conf.wants_silence && w->conf.listen_hits && w->heard <= w->conf.listen_hits)
		counts = false;
	w->hits = counts ? w->hits + 1 : 0;
	if (w->hits < w->conf.hits)
		return false;
	w->countdown = w->conf.after;
	return !w->countdown;
}

ON_MEDIA static void energy_hear(struct rt_stream *s, struct rt_energy_watch *w, const int16_t *pcm, size_t n)
{
	while (n && !w->tap.is_over) {
		size_t take = w->frame_samples - w->fill < n ? w->frame_samples - w->fill : n;
		w->sum += (uint64_t)mix_level_abs(pcm, take) * take;
		w->fill += (uint32_t)take, pcm += take, n -= take;
		if (w->fill < w->frame_samples)
			return;
		if (energy_frame(w, (uint32_t)(w->sum / w->fill))) {
			w->tap.is_over = true;
			tell(s, &w->tap);
		}
		w->sum = 0, w->fill = 0;
	}
}

ON_MEDIA static void dtmf_hear(struct rt_stream *s, struct rt_dtmf_watch *w, const int16_t *pcm, size_t n)
{
	char digits[DIGITS_MAX];
	if (w->to_8k) {
		n = resample_run(w->to_8k, pcm, &n, s->t->frame[FRAME_TAP], PCM_8K);
		pcm = s->t->frame[FRAME_TAP];
	}
	size_t count = dtmf_det_feed(w->det, pcm, n, digits, sizeof(digits));
	for (size_t i = 0; i < count; i++)
		report_digit(s, &(struct rt_digit){.digit = digits[i], .duration = DIGIT_SAMPLES, .is_inband = true});
}

void watch_hear(struct rt_stream *s, struct rt_tap *tap, const int16_t *const sides[2], size_t n)
{
	if (tap->kind == RT_TAP_TONE)
		tone_hear(s, (struct rt_tone_watch *)tap, sides, n);
	else if (tap->kind == RT_TAP_ENERGY)
		energy_hear(s, (struct rt_energy_watch *)tap, sides[RT_READ], n);
	else if (tap->kind == RT_TAP_DTMF)
		dtmf_hear(s, (struct rt_dtmf_watch *)tap, sides[RT_READ], n);
}
