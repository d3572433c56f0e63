/* Taps of a leg: their list, their events, their end; levels and displaced sound. What the media threads do with a tap
 * is theirs; here is which function and target it has for the outside, and what happens when it reports. */
#include "core/sound/tap.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/sound/media.h"
#include "core/sound/play.h"
#include "core/sound/sound_i.h"
#include "core/sound/tap_i.h"
#include "core/value/vars.h"
#include "text/mark.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const functions[] = {"audio", "displace", "tone_detect", "inband_dtmf", "inband_dtmf_generate",
    "eavesdrop", "session_record", NULL /* the ear's own */, "spandsp_tone_detect", "preprocess"};

static const char *function_of(const struct leg_tap *t)
{
	return t->ear ? t->ear->function : t->is_fax ? "fax_tone_detect" : functions[t->kind];
}

static ON_CTL void fire(struct leg_tap *t, enum event_id id)
{
	struct event *e;

	if (t->is_hidden || !event_is_wanted(id, NULL) || !(e = event_new(id, NULL)))
		return;
	event_add(e, "Media-Bug-Function", function_of(t));
	event_add(e, "Media-Bug-Target", t->target);
	leg_event_headers(t->leg, e);
	event_fire(e);
}

int leg_tap_ready(struct leg *leg)
{
	int st = leg_is_up(leg) ? ST_OK : ST_HANGUP;

	if (!st && !leg->is_answered && !leg->is_early)
		st = leg_pre_answer(leg);
	return st ? st : leg_media_stream(leg) && leg_media_is_ready(leg) ? ST_OK : ST_UNSUPPORTED;
}

struct leg_tap *leg_tap_new(struct leg *leg, enum leg_tap_kind kind, const char *target)
{
	struct leg_tap *t = mem_zalloc(sizeof(*t));

	if (!t || !(t->target = mem_strdup(target))) {
		mem_free(t);
		return NULL;
	}
	t->leg = leg, t->kind = kind;
	list_push(&sound_of(leg)->taps, &t->link);
	return t;
}

void leg_tap_told(struct leg_tap *t)
{
	t->is_told = true;
	fire(t, EVENT_MEDIA_BUG_START);
}

void leg_tap_free(struct leg_tap *t)
{
	list_remove(&t->link);
	loop_timer_cancel(&t->timer);
	if (t->is_told)
		fire(t, EVENT_MEDIA_BUG_STOP);
	if (t->vars)
		vars_free(t->vars);
	mem_unref(t->cadence);
	mem_free(t->target);
	mem_free(t->follows);
	mem_free(t->path);
	mem_free(t->file);
	mem_free(t->app);
	mem_free(t->data);
	mem_free(t);
}

bool leg_tap_is(const struct leg_tap *t, enum leg_tap_kind kind, const char *path)
{
	if (t->kind != kind || t->is_ending)
		return false;
	return !path || !strcmp(path, t->target) || (t->path && !strcmp(path, t->path)) ||
	       (t->file && !strcmp(path, t->file));
}

struct leg_tap *leg_tap_find(struct leg *leg, enum leg_tap_kind kind, const char *path)
{
	struct lnode *it, *tmp;

	list_each (&sound_of(leg)->taps, it, tmp) {
		struct leg_tap *t = list_entry(it, struct leg_tap, link);
		if (leg_tap_is(t, kind, path))
			return t;
	}
	return NULL;
}

struct leg_tap *leg_tap_find_id(struct leg *leg, uint32_t id)
{
	struct lnode *it, *tmp;

	list_each (&sound_of(leg)->taps, it, tmp)
		if (id && list_entry(it, struct leg_tap, link)->id == id)
			return list_entry(it, struct leg_tap, link);
	return NULL;
}

void leg_tap_each(struct leg *leg, void (*fn)(const char *function, const char *target, void *arg), void *arg)
{
	struct lnode *it, *tmp;

	list_each (&sound_of(leg)->taps, it, tmp) {
		struct leg_tap *t = list_entry(it, struct leg_tap, link);
		if (!t->is_ending && !t->is_hidden)
			fn(function_of(t), t->target, arg);
	}
}

void leg_tap_stop(struct leg_tap *t)
{
	struct mstream *s = leg_media_stream(t->leg);
	uint32_t id = t->id;

	if (t->is_ending)
		return;
	t->is_ending = true;
	loop_timer_cancel(&t->timer);
	switch (t->kind) {
	case LEG_TAP_RECORD:
		if (!s || mstream_record_stop(s, t->id))
			leg_record_over(t, NULL);
		return; /* freed when the file is closed */
	case LEG_TAP_SPY:
		leg_spy_stop(t->listener);
		return;
	case LEG_TAP_LEVEL:
		if (s)
			mstream_set_level(s, &(struct media_level){0});
		break;
	case LEG_TAP_DTMF:
		if (s)
			mstream_detect_dtmf(s, false);
		break;
	case LEG_TAP_GENERATE:
		sound_of(t->leg)->are_read_digits_tones = false;
		if (s) {
			mstream_generate_dtmf(s, true, false);
			mstream_generate_dtmf(s, false, false);
		}
		break;
	case LEG_TAP_EAR:
		t->id = 0;
		if (s)
			mstream_tap_stop(s, id);
		leg_ear_over(t, NULL);
		return;
	case LEG_TAP_CADENCE:
	case LEG_TAP_PREPROCESS:
	case LEG_TAP_DISPLACE:
	case LEG_TAP_TONE:
		t->id = 0; /* its report is nobody's business any more */
		if (s)
			mstream_tap_stop(s, id);
		break;
	}
	leg_tap_free(t);
}

size_t leg_tap_remove(struct leg *leg, const char *function)
{
	struct lnode *it, *tmp;
	size_t count = 0;

	list_each (&sound_of(leg)->taps, it, tmp) {
		struct leg_tap *t = list_entry(it, struct leg_tap, link);
		if (t->is_ending || (function && strcmp(function, function_of(t))))
			continue;
		count++;
		leg_tap_stop(t);
	}
	return count;
}

bool leg_tap_reported(struct leg *leg, const struct media_report *r)
{
	struct leg_tap *t = leg_tap_find_id(leg, r->id);

	if (r->kind == MEDIA_R_TAP_DONE)
		leg_spy_over(leg, r->id);
	if (r->kind == MEDIA_R_TAP_EVENT && t && t->kind == LEG_TAP_TONE)
		leg_tone_heard(t);
	else if (r->kind == MEDIA_R_TAP_EVENT && t && t->kind == LEG_TAP_CADENCE)
		leg_cadence_heard(t, r->number);
	else if (r->kind == MEDIA_R_RECORD_DONE && t && t->kind == LEG_TAP_RECORD)
		leg_record_over(t, r);
	else if (r->kind == MEDIA_R_TAP_DONE && t && t->kind == LEG_TAP_EAR)
		leg_ear_over(t, r);
	else if (r->kind == MEDIA_R_TAP_DONE && t && t->kind != LEG_TAP_RECORD) {
		if (r->status && r->status != ST_CANCELLED)
			leg_log(leg, LOG_WARNING, "%s %s: %s", function_of(t), t->target, status_text(r->status));
		leg_tap_free(t);
	} else {
		return t != NULL;
	}
	return true;
}

/* Before the stream goes: all but recordings, whose files are closed with it. */
void leg_taps_end(struct leg *leg)
{
	struct lnode *it, *tmp;

	leg_spy_stop(leg);
	list_each (&sound_of(leg)->taps, it, tmp)
		if (list_entry(it, struct leg_tap, link)->kind != LEG_TAP_RECORD)
			leg_tap_stop(list_entry(it, struct leg_tap, link));
}

/* Before the last events: what has not been reported by now. */
void leg_taps_fini(struct leg *leg)
{
	struct lnode *it, *tmp;

	list_each (&sound_of(leg)->taps, it, tmp)
		leg_record_over(list_entry(it, struct leg_tap, link), NULL);
}

/* ---- levels ---- */

int leg_level_set(struct leg *leg, const char *side, enum leg_level what, int value)
{
	struct leg_tap *t = leg_tap_find(leg, LEG_TAP_LEVEL, NULL);
	bool is_both = !strcasecmp(side, "both"), is_read = is_both || !strcasecmp(side, "read"),
	     is_write = is_both || !strcasecmp(side, "write");
	struct media_level level = t ? t->level : (struct media_level){0};
	int st;

	if (!is_read && !is_write)
		return ST_INVAL;
	st = leg_tap_ready(leg);
	if (st)
		return st;
	for (int i = 0; i < 2; i++) {
		if (!(i ? is_write : is_read))
			continue;
		if (what == LEG_LEVEL_MUTE)
			level.mute[i] = value > 0 ? (unsigned)value : 0, level.steps[i] = 0;
		else if (value > -5 && value < 5)
			level.steps[i] = value;
	}
	st = mstream_set_level(leg_media_stream(leg), &level);
	if (st)
		return st;
	if (!level.steps[0] && !level.steps[1] && !level.mute[0] && !level.mute[1]) {
		if (t)
			leg_tap_free(t);
		return ST_OK;
	}
	if (!t) {
		t = leg_tap_new(leg, LEG_TAP_LEVEL, what == LEG_LEVEL_MUTE ? "mute" : "level");
		if (!t)
			return ST_NOMEM;
		leg_tap_told(t);
	}
	t->level = level;
	return ST_OK;
}

int leg_level_stop(struct leg *leg)
{
	struct leg_tap *t = leg_tap_find(leg, LEG_TAP_LEVEL, NULL);

	if (t)
		leg_tap_stop(t);
	return t ? ST_OK : ST_NOTFOUND;
}

/* ---- displaced sound ---- */

int leg_displace(struct leg *leg, const char *path, unsigned limit_s, const char *flags)
{
	struct media_displace_conf conf = {.limit_ms = limit_s < 4000000 ? clock_ms_of_s(limit_s) : 0};
	struct leg_tap *t;
	char *full, *target, *plain = mark_strip_dup(sv_of(path));
	int st = !plain ? ST_NOMEM : leg_tap_find(leg, LEG_TAP_DISPLACE, plain) ? ST_EXISTS : leg_tap_ready(leg);

	if (st) {
		mem_free(plain);
		return st;
	}
	flags = flags ? flags : "";
	conf.is_mixed = strchr(flags, 'm');
	conf.on_read = strchr(flags, 'r');
	conf.on_write = !conf.on_read || strchr(flags, 'w');
	full = leg_source_full(leg, path);
	target = full ? mark_strip_dup(sv_of(full)) : NULL;
	t = target ? leg_tap_new(leg, LEG_TAP_DISPLACE, target) : NULL;
	if (t) {
		t->path = plain;
		plain = NULL;
		st = mstream_displace(leg_media_stream(leg), full, &conf, strchr(flags, 'l') ? -1 : 1, &t->id);
		if (st)
			leg_tap_free(t);
		else
			leg_tap_told(t);
	} else {
		st = ST_NOMEM;
	}
	mem_free(plain);
	mem_free(target);
	mem_free(full);
	return st;
}

int leg_displace_stop(struct leg *leg, const char *path)
{
	struct leg_tap *t = leg_tap_find(leg, LEG_TAP_DISPLACE, path);

	if (t)
		leg_tap_stop(t);
	return t ? ST_OK : ST_NOTFOUND;
}
