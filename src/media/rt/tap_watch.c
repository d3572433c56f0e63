/* What listens for something: tones, sound or its absence, digits in the audio. Each is fed the frames of its sides by
 * the stream's tick and reports when it has heard what it waits for. */
#include "base/mem.h"
#include "dsp/mix.h"
#include "dsp/resample.h"
#include "media/rt/tap_i.h"

enum { DIGIT_SAMPLES = 800, DIGITS_MAX = 8, PCM_8K = RT_FRAME_MAX_SAMPLES, MISSED_MAX_MS = 60 };

/* A frame of 20 ms passed: hits are forgotten after a while. */
static void tone_frame(struct rt_tone_watch *w)
{
	if (w->sleep_frames)
		w->sleep_frames--;
	if (w->expire_frames && !--w->expire_frames)
		w->hits = 0, w->sleep_frames = 0;
}

static void tone_hear(struct rt_tap *tap, const int16_t *const sides[2], size_t n)
{
	role_assert_media();
	struct rt_tone_watch *w = (struct rt_tone_watch *)tap;
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
	tap_heard(&w->tap);
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

static void energy_hear(struct rt_tap *tap, const int16_t *const sides[2], size_t n)
{
	role_assert_media();
	struct rt_energy_watch *w = (struct rt_energy_watch *)tap;
	const int16_t *pcm = sides[RT_READ];
	while (n && !w->tap.is_over) {
		size_t take = w->frame_samples - w->fill < n ? w->frame_samples - w->fill : n;
		w->sum += (uint64_t)mix_level_abs(pcm, take) * take;
		w->fill += (uint32_t)take, pcm += take, n -= take;
		if (w->fill < w->frame_samples)
			return;
		if (energy_frame(w, (uint32_t)(w->sum / w->fill))) {
			w->tap.is_over = true;
			tap_heard(&w->tap);
		}
		w->sum = 0, w->fill = 0;
	}
}

ON_MEDIA static void digits_hear(struct rt_dtmf_watch *w, const int16_t *pcm, size_t n)
{
	struct rt_stream *s = w->tap.s;
	char digits[DIGITS_MAX];
	if (w->to_8k) {
		n = resample_run(w->to_8k, pcm, &n, s->t->frame[FRAME_TAP], PCM_8K);
		pcm = s->t->frame[FRAME_TAP];
	}
	size_t count = dtmf_det_feed(w->det, pcm, n, digits, sizeof(digits));
	for (size_t i = 0; i < count; i++)
		report_digit(s, &(struct rt_digit){.digit = digits[i], .duration = DIGIT_SAMPLES, .is_inband = true});
}

/* A packet lost within a digit does not make two of it. A phone that sends nothing for longer is silent. */
static void dtmf_hear(struct rt_tap *tap, const int16_t *const sides[2], size_t n)
{
	role_assert_media();
	struct rt_dtmf_watch *w = (struct rt_dtmf_watch *)tap;
	const struct rt_pcm *p = tap->s->pcm;
	size_t first = p->missed_first, count = p->missed_count;
	w->missed_count = first ? count : w->missed_count + count;
	if (!count || w->missed_count > (size_t)p->recv_hz * MISSED_MAX_MS / 1000) {
		digits_hear(w, sides[RT_READ], n);
		return;
	}
	if (first)
		digits_hear(w, sides[RT_READ], first);
	dtmf_det_miss(w->det, (size_t)((uint64_t)count * 8000 / p->recv_hz));
	if (first + count < n) {
		digits_hear(w, sides[RT_READ] + first + count, n - first - count);
		w->missed_count = 0;
	}
}

static void dtmf_fini(struct rt_tap *tap)
{
	mem_unref(((struct rt_dtmf_watch *)tap)->det);
	mem_unref(((struct rt_dtmf_watch *)tap)->to_8k);
}

static void cadence_fini(struct rt_tap *tap)
{
	mem_unref(((struct rt_cadence_watch *)tap)->cadence);
	mem_unref(((struct rt_cadence_watch *)tap)->to_8k);
}

/* Of two tones between which no report could go the later one is told. */
static void cadence_hear(struct rt_tap *tap, const int16_t *const sides[2], size_t n)
{
	role_assert_media();
	struct rt_cadence_watch *w = (struct rt_cadence_watch *)tap;
	const int16_t *pcm = sides[RT_READ];
	if (w->to_8k) {
		n = resample_run(w->to_8k, pcm, &n, tap->s->t->frame[FRAME_TAP], PCM_8K);
		pcm = tap->s->t->frame[FRAME_TAP];
	}
	int tone = cadence_feed(w->cadence, pcm, n);
	if (tone < 0)
		return;
	tap->event = (uint16_t)tone;
	tap_heard(tap);
}

static const struct rt_tap_ops cadence_ops = {.name = "cadence", .fini = cadence_fini, .hear = cadence_hear};
static const struct rt_tap_ops tone_ops = {.name = "tone", .hear = tone_hear};
static const struct rt_tap_ops energy_ops = {.name = "energy", .hear = energy_hear};
static const struct rt_tap_ops dtmf_ops = {.name = "dtmf", .fini = dtmf_fini, .hear = dtmf_hear};

static void watch_sides(struct rt_tap *tap, bool on_read, bool on_write)
{
	tap->hears[RT_READ] = on_read || !on_write;
	tap->hears[RT_WRITE] = on_write;
}

int rt_tone_watch_new(struct rt_tone_watch **out, const struct media_params *p, const struct media_tone_conf *conf)
{
	struct rt_tone_watch *w;
	int st = tap_new((void **)&w, sizeof(*w), &tone_ops, p);
	if (st)
		return st;
	w->conf = *conf;
	if (!w->conf.hits)
		w->conf.hits = 1;
	if (!w->conf.sleep_frames)
		w->conf.sleep_frames = 25;
	if (!w->conf.expire_frames)
		w->conf.expire_frames = 250;
	w->frame_samples = w->tap.pcm->recv_hz / 50;
	w->is_up = true;
	watch_sides(&w->tap, conf->on_read, conf->on_write);
	for (int i = 0; i < 2; i++)
		tonedet_init(&w->det[i], w->tap.pcm->recv_hz, conf->freqs_hz, conf->freq_count);
	*out = w;
	return ST_OK;
}

int rt_cadence_watch_new(struct rt_tap **out, const struct media_params *p, const struct media_cadence_conf *conf)
{
	struct rt_cadence_watch *w;
	int st = tap_new((void **)&w, sizeof(*w), &cadence_ops, p);
	if (st)
		return st;
	st = cadence_new(&w->cadence, conf->elements, conf->count);
	if (!st && w->tap.pcm->recv_hz != CADENCE_RATE_HZ)
		st = resample_new(&w->to_8k, w->tap.pcm->recv_hz, CADENCE_RATE_HZ, 1);
	watch_sides(&w->tap, true, false);
	if (st)
		rt_tap_free(&w->tap);
	else
		*out = &w->tap;
	return st;
}

int rt_energy_watch_new(
    struct rt_energy_watch **out, const struct media_params *p, const struct media_energy_conf *conf)
{
	struct rt_energy_watch *w;
	int st = tap_new((void **)&w, sizeof(*w), &energy_ops, p);
	if (st)
		return st;
	w->conf = *conf;
	w->frame_samples = w->tap.pcm->recv_hz / 50;
	watch_sides(&w->tap, true, false);
	*out = w;
	return ST_OK;
}

int rt_dtmf_watch_new(struct rt_dtmf_watch **out, const struct media_params *p)
{
	struct rt_dtmf_watch *w;
	int st = tap_new((void **)&w, sizeof(*w), &dtmf_ops, p);
	if (st)
		return st;
	watch_sides(&w->tap, true, false);
	st = dtmf_det_new(&w->det);
	if (!st && w->tap.pcm->recv_hz != 8000)
		st = resample_new(&w->to_8k, w->tap.pcm->recv_hz, 8000, 1);
	if (st)
		rt_tap_free(&w->tap);
	else
		*out = w;
	return st;
}
