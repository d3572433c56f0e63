/* Taps that wait for something to be heard (tones, keys, sound or silence), and listening in on another leg. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/run/exec.h"
#include "core/run/run_core.h"
#include "core/sound/media.h"
#include "core/sound/play.h"
#include "core/sound/sound_core.h"
#include "core/sound/sound_i.h"
#include "core/sound/tap.h"
#include "core/sound/tap_i.h"
#include "core/value/vars.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { TONES_MAX = 20, STOP_WAIT_US = 500000 };

static ON_CTL unsigned var_number(struct leg *leg, const char *name)
{
	const char *v = vars_get(leg->vars, name);
	int n = v ? atoi(v) : 0;
	return n > 0 ? (unsigned)n : 0;
}

static void tone_timeout(void *arg)
{
	role_assert_ctl();
	leg_tap_stop(arg);
}

static ON_CTL int freqs_read(struct media_tone_conf *conf, const char *text)
{
	struct sv rest = sv_of(text), one;

	while (rest.n) {
		char number[32];
		sv_split(rest, ',', &one, &rest);
		one = sv_trim(one);
		snprintf(number, sizeof(number), "%.*s", SVF(one));
		double hz = atof(number);
		if (hz <= 0 || hz > 24000)
			continue;
		if (conf->freq_count == MEDIA_TONE_FREQS_MAX)
			return ST_INVAL;
		conf->freqs_hz[conf->freq_count++] = hz;
	}
	return conf->freq_count ? ST_OK : ST_INVAL;
}

static ON_CTL int tone_begin(struct leg_tap *t, const struct leg_tone *tone)
{
	const char *flags = tone->flags ? tone->flags : "";
	struct media_tone_conf conf = {.on_write = strchr(flags, 'w')};
	unsigned hits = var_number(t->leg, "tone_detect_hits");
	int st = freqs_read(&conf, tone->freqs);

	conf.on_read = !conf.on_write || strchr(flags, 'r');
	conf.hits = hits ? hits : tone->hits;
	conf.sleep_frames = var_number(t->leg, "tone_detect_sleep");
	conf.expire_frames = var_number(t->leg, "tone_detect_expires");
	t->tone = conf;
	return st ? st : mstream_detect_tone(leg_media_stream(t->leg), &conf, &t->id);
}

static ON_CTL void tone_again(struct leg_tap *t)
{
	struct mstream *s = leg_media_stream(t->leg);

	if (!s)
		return;
	mstream_tap_stop(s, t->id);
	t->is_heard = false;
	if (mstream_detect_tone(s, &t->tone, &t->id))
		leg_tap_free(t);
}

static ON_CTL unsigned tone_count(struct leg *leg)
{
	struct lnode *it, *tmp;
	unsigned count = 0;

	list_each (&sound_of(leg)->taps, it, tmp)
		count += list_entry(it, struct leg_tap, link)->kind == LEG_TAP_TONE;
	return count;
}

int leg_tone_detect(struct leg *leg, const struct leg_tone *tone)
{
	struct leg_tap *t = leg_tap_find(leg, LEG_TAP_TONE, tone->key), *first = leg_tap_find(leg, LEG_TAP_TONE, NULL);
	int st = leg_tap_ready(leg);

	if (!st && !t && tone_count(leg) >= TONES_MAX)
		st = ST_LIMIT;
	if (st)
		return st;
	if (t && !t->is_heard)
		return ST_OK; /* it listens */
	if (t) {
		mstream_tap_stop(leg_media_stream(leg), t->id);
		t->is_heard = false;
		return tone_begin(t, tone);
	}
	t = leg_tap_new(leg, LEG_TAP_TONE, tone->key);
	if (!t)
		return ST_NOMEM;
	t->is_hidden = first != NULL && !tone->is_fax;
	t->is_fax = tone->is_fax;
	t->is_once = tone->flags && strchr(tone->flags, 'o');
	t->app = tone->app && *tone->app ? mem_strdup(tone->app) : NULL;
	t->data = tone->data ? mem_strdup(tone->data) : NULL;
	t->heard = tone->heard;
	st = tone_begin(t, tone);
	if (st) {
		leg_tap_free(t);
		return st;
	}
	leg_tap_told(t);
	if (tone->timeout_s)
		loop_timer_set(&t->timer, clock_us_of_s(tone->timeout_s), "tone_detect", tone_timeout, t);
	return ST_OK;
}

int leg_tone_detect_stop(struct leg *leg)
{
	return leg_tap_remove(leg, "tone_detect") ? ST_OK : ST_NOTFOUND;
}

int leg_tone_detect_end(struct leg *leg, const char *key)
{
	struct leg_tap *t = leg_tap_find(leg, LEG_TAP_TONE, key);
	if (t)
		leg_tap_stop(t);
	return t ? ST_OK : ST_NOTFOUND;
}

void leg_tone_heard(struct leg_tap *t)
{
	struct leg *leg = mem_ref(t->leg);
	uint32_t id = t->id;
	struct event *e;

	t->is_heard = true;
	if (event_is_wanted(EVENT_DETECTED_TONE, NULL) && (e = event_new(EVENT_DETECTED_TONE, NULL))) {
		event_add(e, t->is_fax ? "Detected-Fax-Tone" : "Detected-Tone", t->is_fax ? "true" : t->target);
		leg_event_headers(leg, e);
		event_fire(e);
	}
	exec_hooks(leg, t->is_fax ? "execute_on_fax_detect" : "execute_on_tone_detect",
	    t->is_fax ? "api_on_fax_detect" : "api_on_tone_detect");
	if (t->app)
		leg_exec_request(leg, &(struct leg_exec_request){.app = t->app, .data = t->data});
	if (t->is_once)
		leg_tap_stop(t);
	else if (t->heard && t->heard(leg, t->data) && (t = leg_tap_find_id(leg, id)))
		tone_again(t);
	mem_unref(leg);
}

static void cadence_free(void *obj)
{
	struct leg_cadence *c = obj;
	for (size_t i = 0; i < CADENCE_TONES_MAX; i++)
		mem_free(c->names[i]);
}

struct leg_cadence *leg_cadence_new(void)
{
	return mem_new(sizeof(struct leg_cadence), cadence_free, "core.cadence");
}

int leg_cadence_detect(struct leg *leg, struct leg_cadence *c)
{
	int st = leg_tap_find(leg, LEG_TAP_CADENCE, NULL) ? ST_EXISTS : leg_tap_ready(leg);
	struct leg_tap *t = st ? NULL : leg_tap_new(leg, LEG_TAP_CADENCE, leg->uuid);
	if (!t)
		return st ? st : ST_NOMEM;
	st = mstream_detect_cadence(leg_media_stream(leg), &c->conf, &t->id);
	if (st) {
		leg_tap_free(t);
		return st;
	}
	t->cadence = mem_ref(c);
	leg_tap_told(t);
	return ST_OK;
}

int leg_cadence_stop(struct leg *leg)
{
	struct leg_tap *t = leg_tap_find(leg, LEG_TAP_CADENCE, NULL);
	if (t)
		leg_tap_stop(t);
	return t ? ST_OK : ST_NOTFOUND;
}

void leg_cadence_heard(struct leg_tap *t, uint32_t tone)
{
	const char *name = tone < CADENCE_TONES_MAX ? t->cadence->names[tone] : NULL;
	struct event *e;
	if (!name)
		return;
	leg_log(t->leg, LOG_INFO, "tone detected: %s", name);
	if (!event_is_wanted(EVENT_DETECTED_TONE, NULL) || !(e = event_new(EVENT_DETECTED_TONE, NULL)))
		return;
	event_add(e, "Detected-Tone", name);
	leg_event_headers(t->leg, e);
	event_fire(e);
}

/* ---- keys ---- */

int leg_dtmf_detect(struct leg *leg, bool is_on)
{
	struct leg_tap *t = leg_tap_find(leg, LEG_TAP_DTMF, NULL);
	int st;

	if (!is_on || t) {
		if (t && !is_on)
			leg_tap_stop(t);
		return t ? ST_OK : ST_NOTFOUND;
	}
	st = leg_tap_ready(leg);
	if (!st)
		st = mstream_detect_dtmf(leg_media_stream(leg), true);
	if (!st && (t = leg_tap_new(leg, LEG_TAP_DTMF, leg->uuid)))
		leg_tap_told(t);
	return st;
}

int leg_dtmf_generate(struct leg *leg, bool is_read, bool is_on)
{
	struct leg_tap *t = leg_tap_find(leg, LEG_TAP_GENERATE, NULL);
	int st;

	if (!is_on) {
		if (t)
			leg_tap_stop(t);
		return t ? ST_OK : ST_NOTFOUND;
	}
	st = leg_tap_ready(leg);
	if (!st)
		st = mstream_generate_dtmf(leg_media_stream(leg), is_read, true);
	sound_of(leg)->are_read_digits_tones |= !st && is_read;
	if (!st && !t && (t = leg_tap_new(leg, LEG_TAP_GENERATE, leg->uuid)))
		leg_tap_told(t);
	return st;
}

/* ---- sound and silence ---- */

int leg_wait_energy(struct leg *leg, const struct media_energy_conf *conf, unsigned timeout_ms, const char *file,
    unsigned *heard, unsigned *hits)
{
	struct leg_sound *so = sound_of(leg);
	int64_t deadline = timeout_ms ? clock_mono_us() + timeout_ms * INT64_C(1000) : -1;
	uint32_t id, play_id = 0;
	char *source = NULL;
	int st = leg_tap_ready(leg);

	if (!st)
		st = mstream_detect_energy(leg_media_stream(leg), conf, &id);
	if (st)
		return st;
	so->watch_id = id, so->is_watch_over = false;
	if (file && *file && !(source = leg_source_full(leg, file)))
		st = ST_NOMEM;
	if (source)
		st = mstream_play(leg_media_stream(leg), source, 1, &play_id);
	mem_free(source);
	while (!st && !so->is_watch_over) {
		int64_t left = deadline < 0 ? -1 : deadline - clock_mono_us();
		st = deadline >= 0 && left <= 0 ? ST_TIMEOUT : leg_wait(leg, left);
		if (!st && play_id && so->done_play_id == play_id)
			st = ST_NOTFOUND;
	}
	if (play_id && leg_media_stream(leg) && so->done_play_id != play_id)
		mstream_play_stop(leg_media_stream(leg), play_id);
	/* What was heard until now comes with its end. */
	if (!so->is_watch_over && leg_media_stream(leg) && !mstream_tap_stop(leg_media_stream(leg), id))
		while (!so->is_watch_over && leg_is_up(leg) && leg_wait(leg, STOP_WAIT_US) == ST_OK)
			;
	if (heard)
		*heard = so->watch_heard;
	if (hits)
		*hits = so->watch_hits;
	so->watch_id = 0;
	return st;
}

/* ---- listening in ---- */

int leg_spy_start(struct leg *listener, struct leg *target, unsigned flags)
{
	struct leg_sound *so = sound_of(listener);
	struct leg_tap *t;
	int st;

	if (!leg_is_up(target) || !leg_media_stream(target) || !leg_media_is_ready(target))
		return ST_NOTFOUND;
	if (so->spy || listener->peer)
		return ST_BUSY;
	st = leg_tap_ready(listener);
	t = st ? NULL : leg_tap_new(target, LEG_TAP_SPY, target->uuid);
	if (!t)
		return st ? st : ST_NOMEM;
	t->listener = listener;
	st = mstream_spy(leg_media_stream(listener), leg_media_stream(target), flags, &so->spy_id);
	if (st) {
		leg_tap_free(t);
		return st;
	}
	so->spy = t;
	leg_tap_told(t);
	return ST_OK;
}

void leg_spy_set(struct leg *listener, unsigned flags)
{
	struct leg_sound *so = sound_of(listener);

	if (so->spy && leg_media_stream(so->spy->leg))
		mstream_spy_set(leg_media_stream(so->spy->leg), so->spy_id, flags);
}

bool leg_spy_is_on(const struct leg *listener)
{
	return sound_of(listener)->spy != NULL;
}

void leg_spy_stop(struct leg *listener)
{
	struct leg_sound *so = sound_of(listener);
	struct leg_tap *t = so->spy;

	if (!t)
		return;
	so->spy = NULL;
	if (leg_media_stream(t->leg))
		mstream_tap_stop(leg_media_stream(t->leg), so->spy_id);
	leg_tap_free(t);
	leg_wake(listener);
}

void leg_spy_over(struct leg *listener, uint32_t id)
{
	if (sound_of(listener)->spy && sound_of(listener)->spy_id == id)
		leg_spy_stop(listener);
}

bool leg_read_digits_are_tones(const struct leg *leg)
{
	return sound_of(leg)->are_read_digits_tones;
}
