/* Playing to a leg from an application: the media thread does it; here it is started, waited for and
 * ended by what may end it. */
#include "core/sound/play.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/conf/config.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/run/exec.h"
#include "core/run/run_core.h"
#include "core/sound/media.h"
#include "core/sound/play_i.h"
#include "core/sound/say.h"
#include "core/sound/sound_i.h"
#include "core/value/self.h"
#include "core/value/vars.h"
#include "text/mark.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void play_fire(struct leg *leg, enum event_id id, const char *path_name, const char *path, const char *status)
{
	struct event *e;
	const char *type = !strncmp(path, "local_stream://", 15)  ? "local_stream"
	                   : !strncmp(path, "tone_stream://", 14) ? "tone_stream"
	                                                          : NULL;

	if (!event_is_wanted(id, NULL) || !(e = event_new(id, NULL)))
		return;
	leg_event_headers(leg, e);
	if (type && id != EVENT_RECORD_START && id != EVENT_RECORD_STOP)
		event_add(e, "Playback-File-Type", type);
	event_add(e, path_name, path);
	if (status)
		event_add(e, id == EVENT_RECORD_STOP ? "Record-Completion-Cause" : "Playback-Status", status);
	event_fire(e);
}

/* A row of files tells of each as FreeSWITCH does: the first when it is opened, the others when the row is over (what
 * was broken off tells of no other). */
static ON_CTL void tell_part(const char *subclass, struct sv file)
{
	struct event *e = event_is_wanted(EVENT_CUSTOM, subclass) ? event_new(EVENT_CUSTOM, subclass) : NULL;
	if (!e)
		return;
	event_addf(e, "File", "%.*s", SVF(file));
	event_fire(e);
}

static ON_CTL void tell_parts(const char *path, bool is_over)
{
	static const char row[] = "file_string://";
	struct sv rest = sv_of(path), one;
	if (strncasecmp(path, row, sizeof(row) - 1))
		return;
	rest = sv_sub(rest, sizeof(row) - 1, rest.n);
	sv_split(rest, '!', &one, &rest);
	if (!is_over) {
		tell_part("filestring::open", one);
		return;
	}
	tell_part("filestring::close", one);
	while (rest.n) {
		sv_split(rest, '!', &one, &rest);
		tell_part("filestring::open", one);
		tell_part("filestring::close", one);
	}
}

static ON_CTL const char *terminators_of(struct leg *leg, const char *given)
{
	if (!given)
		given = vars_get(leg->vars, "playback_terminators");
	if (!given)
		return "*";
	if (!strcasecmp(given, "none"))
		return "";
	return strcasecmp(given, "any") ? given : "0123456789*#ABCD";
}

/* A relative file lies under sound_prefix; a source with a scheme stays as it is. */
static ON_CTL void add_full(struct leg *leg, struct sv one, struct buf *out)
{
	struct buf scratch;
	const char *prefix;
	size_t skip = 0;

	if (one.n && one.p[0] == '{' && sv_find(one, '}') < one.n)
		skip = sv_find(one, '}') + 1;
	while (skip < one.n && one.p[skip] == ' ')
		skip++;
	buf_add(out, one.p, skip);
	one = sv_sub(one, skip, one.n);
	buf_init(&scratch);
	if (one.n && one.p[0] != '/' && !memmem(one.p, one.n, "://", 3)) {
		prefix = leg_text(leg, "sound_prefix", &scratch);
		buf_printf(out, "%s/", prefix ? prefix : core_dirs() ? core_dirs()->sounds : "");
	}
	buf_fini(&scratch);
	buf_addv(out, one);
}

char *leg_source_full(struct leg *leg, const char *source)
{
	static const char row[] = "file_string://";
	const char *at = strcasestr(source, row);
	struct sv rest = sv_of(source), one;
	struct buf b;

	buf_init(&b);
	if (!at || (at != source && source[0] != '{')) {
		add_full(leg, rest, &b);
		return buf_take(&b);
	}
	buf_add(&b, source, (size_t)(at - source) + sizeof(row) - 1);
	rest = sv_of(at + sizeof(row) - 1);
	for (bool is_first = true; rest.n; is_first = false) {
		sv_split(rest, '!', &one, &rest);
		if (!is_first)
			buf_addc(&b, '!');
		add_full(leg, one, &b);
	}
	return buf_take(&b);
}

int play_make_ready(struct leg *leg)
{
	int st = leg->is_answered || leg->is_early ? ST_OK : leg_pre_answer(leg);
	return st ? st : leg_media_stream(leg) ? ST_OK : ST_UNSUPPORTED;
}

void play_ender_init(struct play_ender *e, struct leg *leg, const char *terminators, const struct leg_watch *watch)
{
	*e = (struct play_ender){.watch = watch};
	if (!watch)
		e->terminators = mem_strdup(terminators_of(leg, terminators));
}

static CO bool ender_goes_on(struct play_ender *e, struct leg *leg)
{
	char digit;

	if (e->watch) {
		e->is_ended = e->watch->goes_on && !e->watch->goes_on(leg, e->watch->arg);
		return !e->is_ended;
	}
	while (leg_dtmf_take(leg, &digit, NULL)) {
		if (e->terminators && strchr(e->terminators, digit)) {
			e->digit = digit;
			e->is_ended = true;
			return false;
		}
	}
	return true;
}

/* Ids grow: the report of a later one, begun while this one was waited for, took this one's place. */
static bool is_done(uint32_t done_id, uint32_t id)
{
	return (int32_t)(done_id - id) >= 0;
}

/* ---- playback_timeout_sec ---- */

enum { LIMIT_MIN_S = 2 }; /* FreeSWITCH takes 1 for none */

static ON_CTL int64_t limit_s(struct leg *leg, bool *is_cumulative)
{
	const char *text = leg_var(leg, "playback_timeout_sec_cumulative");
	*is_cumulative = text != NULL;
	if (!text)
		text = leg_var(leg, "playback_timeout_sec");
	int64_t s = text ? str_number(text, 0, INT32_MAX) : 0;
	return s >= LIMIT_MIN_S ? s : 0;
}

bool leg_play_is_limited(struct leg *leg)
{
	bool is_cumulative;
	return limit_s(leg, &is_cumulative) > 0;
}

static ON_CTL void limit_begin(struct play_ender *e, struct leg *leg)
{
	e->left_us = clock_us_of_s(limit_s(leg, &e->is_cumulative));
	e->is_timeout_success = leg_var_is_true(leg, "playback_timeout_as_success");
}

/* What is left is for the next ones; what has run out begins anew, as FreeSWITCH has it. */
static ON_CTL void limit_end(const struct play_ender *e, struct leg *leg)
{
	if (e->is_cumulative && e->is_left_used && e->left_us)
		leg_var_setf(
		    leg, "playback_timeout_sec_cumulative", "%lld", (long long)(e->left_us / clock_us_of_s(1)));
}

/* True: it has run out. */
static bool limit_passed(struct play_ender *e, int64_t end_us)
{
	int64_t left_us = end_us - clock_mono_us();
	if (!end_us)
		return false;
	e->left_us = left_us > 0 ? left_us : 0;
	e->is_timed_out = e->is_ended = left_us <= 0;
	return e->is_timed_out;
}

int play_wait_done(struct leg *leg, const uint32_t *done_id, uint32_t id, struct play_ender *e)
{
	int64_t end_us = e->left_us ? clock_mono_us() + e->left_us : 0;
	e->is_left_used = end_us != 0;
	while (!is_done(*done_id, id) && ender_goes_on(e, leg)) {
		if (is_done(*done_id, id)) /* ender_goes_on may have waited */
			break;
		if (limit_passed(e, end_us))
			return e->is_timeout_success ? ST_OK : ST_TIMEOUT;
		int st = leg_wait(leg, end_us ? e->left_us : -1);
		if (st && st != ST_TIMEOUT)
			return st;
	}
	if (end_us && !e->is_timed_out)
		e->left_us = end_us > clock_mono_us() ? end_us - clock_mono_us() : 1;
	return ST_OK;
}

/* Waits until its source is there, or is not: events tell of what plays only. Keys are for what plays, too. */
static CO int wait_begun(struct leg *leg, uint32_t id)
{
	const struct leg_sound *so = sound_of(leg);
	int st = ST_OK;

	while (!st && !is_done(so->begun_play_id, id) && !is_done(so->done_play_id, id))
		st = leg_wait(leg, -1);
	return st;
}

static ON_CTL void backup_ext_set(struct leg *leg)
{
	const char *ext = leg_var(leg, "native_backup_extension");
	if (mstream_set_backup_ext(leg_media_stream(leg), ext)) {
		(void)mstream_set_backup_ext(leg_media_stream(leg), NULL);
		leg_log(leg, LOG_WARNING, "native_backup_extension: '%.40s' is no file's extension", ext);
	}
}

/* Events tell of a file that was named without an extension which one it was. */
static ON_CTL char *path_with_ext(char *path, const char *ext)
{
	struct buf b;
	if (!*ext)
		return path;
	buf_init(&b);
	buf_printf(&b, "%s.%s", path, ext);
	mem_free(path);
	return buf_take(&b);
}

static ON_CTL void vars_tell(struct leg *leg, uint64_t samples, uint32_t rate_hz)
{
	unsigned long long ms = samples * 1000 / rate_hz;
	leg_var_setf(leg, "playback_seconds", "%llu", ms / 1000);
	leg_var_setf(leg, "playback_ms", "%llu", ms);
	leg_var_setf(leg, "playback_samples", "%llu", (unsigned long long)samples);
	leg_var_setf(leg, "playback_last_offset_pos", "%llu", (unsigned long long)samples);
}

enum { STOP_WAIT_US = 1000000 };

static CO int play_source(struct leg *leg, const char *source, struct play_ender *e)
{
	struct leg_sound *so = sound_of(leg);
	const struct media_codec *codec;
	char *path = NULL, *whole;
	uint32_t id = 0, rate_hz;
	bool has_begun;
	int st;

	st = play_make_ready(leg);
	if (st)
		return st;
	codec = leg->codec;
	rate_hz = codec && codec->rate_hz ? codec->rate_hz : 8000; /* what the samples are counted at */
	whole = leg_source_full(leg, source);
	if (!whole)
		return ST_NOMEM;
	path = mark_strip_dup(sv_of(strcasestr(source, "file_string://") ? source : whole)); /* what events tell */
	backup_ext_set(leg);
	st = mstream_play(leg_media_stream(leg), whole, 1, &id);
	if (st)
		goto out;
	leg_var_set(leg, "playback_terminator_used", NULL);
	st = wait_begun(leg, id);
	has_begun = is_done(so->begun_play_id, id);
	if (has_begun) {
		if (leg_media_stream(leg))
			path = path_with_ext(path, mstream_play_ext(leg_media_stream(leg), id));
		tell_parts(path, false);
		play_fire(leg, EVENT_PLAYBACK_START, "Playback-File-Path", path, NULL);
	}
	if (!st)
		st = play_wait_done(leg, &so->done_play_id, id, e);
	if (so->done_play_id != id && leg_media_stream(leg)) {
		mstream_play_stop(leg_media_stream(leg), id);
		if (leg_is_up(leg) && (e->digit || e->is_timed_out)) /* how far it came is told */
			exec_wait_over(leg, &so->done_play_id, id, STOP_WAIT_US);
	} else if (so->done_play_id == id && so->done_play_status != ST_CANCELLED) {
		st = so->done_play_status;
	}
	if (e->digit) {
		char text[2] = {e->digit, 0};
		leg_var_set(leg, "playback_terminator_used", text);
	}
	if (so->done_play_id == id)
		vars_tell(leg, so->done_play_samples, rate_hz);
	if (has_begun) {
		bool is_broken = st || e->digit || so->done_play_id != id || so->done_play_status == ST_CANCELLED;
		if (e->is_timed_out || (e->watch && e->watch->ends_well))
			is_broken = false;
		else if (!is_broken)
			tell_parts(path, true);
		/* whoever hung up broke nothing off, in FreeSWITCH's words */
		play_fire(leg, EVENT_PLAYBACK_STOP, "Playback-File-Path", path,
		    is_broken && leg_is_up(leg) ? "break" : "done");
	}
	if (st == ST_NOTFOUND || st == ST_IO)
		leg_log(leg, LOG_ERR, "cannot play %s", path);
out:
	mem_free(whole);
	mem_free(path);
	return st == ST_IO ? ST_NOTFOUND : st;
}

static CO int play_one(struct leg *leg, struct sv one, struct play_ender *e)
{
	struct leg_play_end end = {.terminators = e->terminators, .watch = e->watch};
	char *source = sv_dup(one), *colon;
	int st;

	if (!strncasecmp(source, "phrase:", 7)) {
		colon = strchr(source + 7, ':');
		if (colon)
			*colon++ = 0;
		st = leg_phrase(leg, source + 7, colon, NULL, &end);
	} else if (!strncasecmp(source, "say:", 4)) {
		mark_strip_in_place(source + 4);
		st = leg_speak(leg, NULL, NULL, source + 4, &end);
	} else {
		st = play_source(leg, source, e);
		end.digit = e->digit, end.is_ended = e->is_ended;
	}
	e->digit = end.digit, e->is_ended = end.is_ended;
	mem_free(source);
	return st;
}

static CO int play(struct leg *leg, const char *source, struct play_ender *e)
{
	const char *delimiter = leg_var(leg, "playback_delimiter"), *pause = leg_var(leg, "playback_sleep_val");
	int64_t pause_ms = pause ? str_number(pause, -1, INT32_MAX) : 250;
	char separator = delimiter ? *delimiter : 0;
	struct sv rest = sv_of(source), one;
	int st = ST_OK;

	if (pause_ms < 0)
		pause_ms = 250;
	if (!separator || !strncasecmp(source, "tts://", 6))
		return play_one(leg, rest, e);
	for (bool is_first = true; rest.n && !e->is_ended && (st == ST_OK || st == ST_NOTFOUND); is_first = false) {
		st = is_first ? ST_OK : leg_sleep(leg, clock_us_of_ms(pause_ms));
		sv_split(rest, separator, &one, &rest);
		if (!st && one.n)
			st = play_one(leg, one, e);
	}
	return st;
}

int leg_play_until(struct leg *leg, const char *source, struct leg_play_end *end)
{
	struct play_ender e;
	int st;

	play_ender_init(&e, leg, end->terminators, end->watch);
	if (!end->watch || end->watch->is_prompt)
		limit_begin(&e, leg);
	st = play(leg, source, &e);
	limit_end(&e, leg);
	end->digit = e.digit;
	end->is_ended = e.is_ended;
	mem_free(e.terminators);
	return st;
}

int leg_play(struct leg *leg, const char *source, const char *terminators, char *digit_out)
{
	struct leg_play_end end = {.terminators = terminators};
	int st = leg_play_until(leg, source, &end);

	if (digit_out)
		*digit_out = end.digit;
	return st;
}

int leg_play_watched(struct leg *leg, const char *source, const struct leg_watch *watch)
{
	struct leg_play_end end = {.watch = watch};

	return leg_play_until(leg, source, &end);
}
