/* record_session: recordings beside whatever the leg does. The media thread writes, a worker closes the file; here are
 * FreeSWITCH's variables that say how, its events, and what became of it. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/run/run_core.h"
#include "core/sound/media.h"
#include "core/sound/sound_core.h"
#include "core/sound/sound_i.h"
#include "core/sound/tap.h"
#include "core/sound/tap_i.h"
#include "core/value/cause.h"
#include "core/value/self.h"
#include "core/value/vars.h"
#include "text/mark.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SILENCE_LEVEL = 200, RECORD_MS_MAX = 4000000 };

/* The recording's own variables come first. */
static ON_CTL const char *var(struct leg *leg, const struct vars *own, const char *name)
{
	const char *v = own ? vars_get(own, name) : NULL;
	return v ? v : vars_get(leg->vars, name);
}

static ON_CTL bool is_true(struct leg *leg, const struct vars *own, const char *name)
{
	return str_is_true(var(leg, own, name));
}

/* A number of at least 0; false when the variable is not set. */
static ON_CTL bool number(struct leg *leg, const struct vars *own, const char *name, uint32_t *out)
{
	const char *v = var(leg, own, name);
	int n = v ? atoi(v) : -1;

	if (n < 0)
		return false;
	*out = (uint32_t)n;
	return true;
}

static ON_CTL void silence_read(struct leg *leg, const struct vars *own, struct media_record_conf *conf)
{
	uint32_t initial_ms = 0, final_ms = 0, level;
	bool has_initial = number(leg, own, "RECORD_INITIAL_TIMEOUT_MS", &initial_ms);
	bool has_final = number(leg, own, "RECORD_FINAL_TIMEOUT_MS", &final_ms);

	if (has_initial || has_final)
		conf->silence_level = SILENCE_LEVEL;
	if (number(leg, own, "RECORD_SILENCE_THRESHOLD", &level))
		conf->silence_level = level;
	conf->silence_ms = final_ms;
	conf->initial_ms = initial_ms ? initial_ms : UINT32_MAX;
}

enum { FRAME_MS = 20, LEAD_FRAMES_MIN = 3, LEAD_FRAMES_MAX = 20 };

static ON_CTL void conf_read(struct leg *leg, const struct vars *own, unsigned limit_s, struct media_record_conf *conf)
{
	uint32_t min_s = 0, lead_frames = 0;

	*conf = (struct media_record_conf){.has_read = true, .has_write = true, .removes_empty = true};
	if (is_true(leg, own, "RECORD_WRITE_ONLY"))
		conf->has_read = false;
	if (is_true(leg, own, "RECORD_READ_ONLY"))
		conf->has_read = true, conf->has_write = false;
	conf->is_swapped = is_true(leg, own, "RECORD_STEREO_SWAP");
	conf->is_stereo = conf->is_swapped || is_true(leg, own, "RECORD_STEREO");
	conf->is_append = is_true(leg, own, "RECORD_APPEND");
	conf->limit_ms = limit_s < RECORD_MS_MAX ? clock_ms_of_s(limit_s) : 0;
	(void)number(leg, own, "record_sample_rate", &conf->rate_hz);
	if (conf->rate_hz < 8000 || conf->rate_hz > 48000)
		conf->rate_hz = 0;
	if (number(leg, own, "RECORD_MIN_SEC", &min_s))
		conf->min_ms = min_s < RECORD_MS_MAX ? clock_ms_of_s(min_s) : 0;
	silence_read(leg, own, conf);
	if (number(leg, own, "RECORD_PRE_BUFFER_FRAMES", &lead_frames) && lead_frames)
		conf->lead_ms = lead_frames < LEAD_FRAMES_MIN   ? LEAD_FRAMES_MIN * FRAME_MS
		                : lead_frames > LEAD_FRAMES_MAX ? LEAD_FRAMES_MAX * FRAME_MS
		                                                : lead_frames * FRAME_MS;
	conf->title = var(leg, own, "RECORD_TITLE");
	conf->artist = var(leg, own, "RECORD_ARTIST");
	conf->comment = var(leg, own, "RECORD_COMMENT");
}

static ON_CTL void fire(struct leg_tap *t, enum event_id id, const char *cause)
{
	struct event *e;

	if (!event_is_wanted(id, NULL) || !(e = event_new(id, NULL)))
		return;
	leg_event_headers(t->leg, e);
	event_add(e, "Record-File-Path", t->target);
	for (size_t i = 0, n = t->vars ? vars_count(t->vars) : 0; i < n; i++) {
		const char *name, *value;
		char header[256];
		vars_at(t->vars, i, &name, &value);
		snprintf(header, sizeof(header), "Recording-Variable-%s", name);
		event_add(e, header, value);
	}
	if (cause)
		event_add(e, "Record-Completion-Cause", cause);
	event_fire(e);
}

/* "app args" or "app::args" of the recording's own variable. */
static ON_CTL void own_hook(struct leg_tap *t, const char *name)
{
	struct buf scratch;
	const char *spec;

	buf_init(&scratch);
	spec = t->vars ? vars_text(t->vars, name, &scratch) : NULL;
	if (spec && leg_is_up(t->leg))
		exec_hook_spec(t->leg, spec);
	buf_fini(&scratch);
}

static ON_CTL char *full_path(struct leg *leg, const struct vars *own, const char *path)
{
	struct buf b, scratch;
	const char *prefix;
	char *full;

	if (mctl_is_url(path))
		return leg_url_dup(leg, path);
	buf_init(&b);
	buf_init(&scratch);
	prefix = own ? vars_text(own, "sound_prefix", &scratch) : NULL;
	if (!prefix)
		prefix = vars_text(leg->vars, "sound_prefix", &scratch);
	if (path[0] != '/')
		buf_printf(&b, "%s/", prefix ? prefix : core_dirs() ? core_dirs()->base : "");
	buf_adds(&b, path);
	full = b.failed ? NULL : leg_path_dup(leg, b.p);
	buf_fini(&scratch);
	buf_fini(&b);
	return full;
}

/* Something that may halt it has changed: the answer, the bridge. */
static ON_CTL void halt_check(struct leg_tap *t)
{
	bool is_halted =
	    (t->wants_answer && !t->leg->is_answered) || (t->wants_bridge && !t->leg->peer) || t->is_paused;

	if (is_halted == t->is_halted && !t->is_mask_new)
		return;
	t->is_halted = is_halted, t->is_mask_new = false;
	if (leg_media_stream(t->leg))
		mstream_record_set(leg_media_stream(t->leg), t->id, t->is_masked, t->is_halted);
}

void leg_record_check(struct leg *leg)
{
	struct lnode *it, *tmp;

	list_each (&sound_of(leg)->taps, it, tmp) {
		struct leg_tap *t = list_entry(it, struct leg_tap, link);
		if (t->kind == LEG_TAP_RECORD && !t->is_ending)
			halt_check(t);
	}
}

static ON_CTL int repeated(struct leg *leg, const struct vars *own, struct leg_tap *t)
{
	if (is_true(leg, own, "RECORD_TOGGLE_ON_REPEAT"))
		leg_tap_stop(t);
	else
		leg_log(leg, LOG_WARNING, "Already recording [%s]", t->target);
	return ST_OK;
}

static ON_CTL int begin(struct leg *leg, const char *path, unsigned limit_s, struct vars *own)
{
	struct media_record_conf conf;
	char *full = full_path(leg, own, path);
	struct leg_tap *t = full ? leg_tap_new(leg, LEG_TAP_RECORD, full) : NULL;
	int st = !full ? ST_DENIED : t && (t->path = mark_strip_dup(sv_of(path))) ? ST_OK : ST_NOMEM;

	mem_free(full);
	if (st)
		goto out;
	conf_read(leg, own, limit_s, &conf);
	t->wants_answer = is_true(leg, own, "RECORD_ANSWER_REQ") || is_true(leg, own, "media_bug_answer_req");
	t->wants_bridge = is_true(leg, own, "RECORD_BRIDGE_REQ");
	t->hangs_up_on_error = is_true(leg, own, "RECORD_HANGUP_ON_ERROR");
	const struct media_codec *codec = leg->codec;
	t->rate_hz = conf.rate_hz ? conf.rate_hz : codec ? codec->rate_hz : 8000;
	st = mstream_record(leg_media_stream(leg), t->target, &conf, &t->id);
	if (st)
		goto out;
	t->vars = own, t->limit_s = limit_s;
	leg_var_set(leg, "RECORD_TITLE", NULL);
	leg_var_set(leg, "RECORD_ARTIST", NULL);
	leg_var_set(leg, "RECORD_COMMENT", NULL);
	halt_check(t);
	leg_tap_told(t);
	fire(t, EVENT_RECORD_START, NULL);
	own_hook(t, "execute_on_record_start");
	exec_hooks(leg, "execute_on_record_start", "api_on_record_start");
	return ST_OK;
out:
	if (t)
		leg_tap_free(t);
	return st;
}

int leg_record_start(struct leg *leg, const char *path, unsigned limit_s, const char *text)
{
	struct leg *peer = leg->peer;
	struct leg_tap *t;
	struct vars *own = NULL;
	struct sv inside = sv_trim(sv_of(text));
	char *plain = mark_strip_dup(sv_of(path));
	int st = plain ? leg_tap_ready(leg) : ST_NOMEM;

	if (!st && inside.n > 2 && inside.p[0] == '{' && inside.p[inside.n - 1] == '}') {
		st = vars_new(&own);
		if (!st)
			st = vars_parse(own, sv_sub(inside, 1, inside.n - 2));
	}
	if (st)
		goto out;
	if ((t = leg_tap_find(leg, LEG_TAP_RECORD, plain))) {
		st = repeated(leg, own, t);
	} else if (peer && is_true(leg, own, "RECORD_CHECK_BRIDGE") &&
	           (t = leg_tap_find(peer, LEG_TAP_RECORD, plain))) {
		st = repeated(peer, NULL, t);
	} else {
		st = begin(leg, path, limit_s, own);
		if (!st)
			own = NULL; /* it is the recording's */
	}
out:
	mem_free(plain);
	vars_free(own);
	return st;
}

int leg_record_stop(struct leg *leg, const char *path)
{
	struct leg_tap *t;

	if (!strcasecmp(path, "all"))
		return leg_tap_remove(leg, "session_record") ? ST_OK : ST_NOTFOUND;
	t = leg_tap_find(leg, LEG_TAP_RECORD, path);
	if (t)
		leg_tap_stop(t);
	return t ? ST_OK : ST_NOTFOUND;
}

int leg_record_set(struct leg *leg, const char *path, enum leg_record_what what, bool is_on)
{
	struct leg_tap *t = leg_tap_find(leg, LEG_TAP_RECORD, path);

	if (!t)
		return ST_NOTFOUND;
	if (what == LEG_RECORD_MASK)
		t->is_masked = is_on, t->is_mask_new = true;
	else
		t->is_paused = is_on;
	halt_check(t);
	return ST_OK;
}

static ON_CTL const char *cause_of(const struct leg_tap *t, const struct media_report *r)
{
	if (r && r->status && r->status != ST_CANCELLED)
		return "uri-failure";
	if (r && r->is_removed)
		return r->samples ? "input-too-short" : "empty-file";
	if (r && r->was_silent)
		return r->had_sound ? "success-silence" : "no-input-timeout";
	if (!leg_is_up(t->leg))
		return !r || r->had_sound ? "success-silence" : "no-input-timeout";
	return "success-maxtime";
}

/* record_post_process_exec_app and _api, when the file is there. */
static ON_CTL void post_process(struct leg_tap *t)
{
	static const char app[] = "record_post_process_exec_app";
	char *spec = leg_is_up(t->leg) && vars_get(t->leg->vars, app) ? leg_text_dup(t->leg, app) : NULL;

	own_hook(t, app);
	if (spec)
		exec_hook_spec(t->leg, spec);
	mem_free(spec);
	(void)exec_api_hook(t->leg, "record_post_process_exec_api", ':', NULL, NULL);
}

/* ---- after a transfer ---- */

void leg_record_follow(struct leg *from, struct leg *to)
{
	struct leg_tap *t;

	while ((t = leg_tap_find(from, LEG_TAP_RECORD, NULL)) && !t->is_ending && !t->follows) {
		if (!(t->follows = mem_strdup(to->uuid)))
			return;
		leg_tap_stop(t);
	}
}

/* The same file, behind what it has. */
static ON_CTL void follow(struct leg_tap *t)
{
	struct leg *to = leg_find(t->follows);
	struct vars *own = NULL;

	if (!to || !leg_is_up(to) || !leg_media_stream(to) || vars_new(&own))
		return;
	if ((t->vars && vars_copy(own, t->vars)) || vars_set(own, "RECORD_APPEND", "true") ||
	    begin(to, t->target, t->limit_s, own))
		vars_free(own);
}

void leg_record_over(struct leg_tap *t, const struct media_report *r)
{
	struct leg *leg = mem_ref(t->leg);
	const char *cause = cause_of(t, r);

	list_remove(&t->link); /* hooks below may stop others, not this one */
	if (r) {
		unsigned long long ms = r->samples * 1000 / t->rate_hz;
		leg_var_setf(leg, "record_samples", "%llu", (unsigned long long)r->samples);
		leg_var_setf(leg, "record_seconds", "%llu", ms / 1000);
		leg_var_setf(leg, "record_ms", "%llu", ms);
		if (r->is_removed)
			leg_var_set(leg, "RECORD_DISCARDED", "true");
	}
	leg_var_set(leg, "record_completion_cause", cause);
	fire(t, EVENT_RECORD_STOP, cause);
	own_hook(t, "execute_on_record_stop");
	if (leg_is_up(leg))
		exec_hooks(leg, "execute_on_record_stop", "api_on_record_stop");
	if (t->follows)
		follow(t);
	else
		post_process(t);
	if (t->hangs_up_on_error && !strcmp(cause, "uri-failure"))
		leg_hangup(leg, CAUSE_DESTINATION_OUT_OF_ORDER);
	leg_tap_free(t);
	mem_unref(leg);
}
