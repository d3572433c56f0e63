/* Playing to a leg and recording it from an application: the media thread does it; here it is started, waited for and
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
#include "core/sound/record.h"
#include "core/sound/say.h"
#include "core/sound/sound_i.h"
#include "core/value/self.h"
#include "core/value/vars.h"
#include "text/mark.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static ON_CTL void fire(struct leg *leg, enum event_id id, const char *path_name, const char *path, const char *status)
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

static ON_CTL int make_ready(struct leg *leg)
{
	int st = leg->is_answered || leg->is_early ? ST_OK : leg_pre_answer(leg);
	return st ? st : leg_media_stream(leg) ? ST_OK : ST_UNSUPPORTED;
}

/* What may end a play or a record besides its own end: a watch, else a digit of terminators. */
struct ender {
	const struct leg_watch *watch;
	char *terminators;
	char digit; /* that ended it, or 0 */
	bool is_ended;
};

static ON_CTL void ender_init(struct ender *e, struct leg *leg, const char *terminators, const struct leg_watch *watch)
{
	*e = (struct ender){.watch = watch};
	if (!watch)
		e->terminators = mem_strdup(terminators_of(leg, terminators));
}

static CO bool ender_goes_on(struct ender *e, struct leg *leg)
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

/* Waits until the report with that id, or what the ender says. */
static CO int wait_done(struct leg *leg, const uint32_t *done_id, uint32_t id, struct ender *e)
{
	while (!is_done(*done_id, id) && ender_goes_on(e, leg)) {
		int st = is_done(*done_id, id) ? ST_OK : leg_wait(leg, -1);
		if (st)
			return st;
	}
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

static CO int play_source(struct leg *leg, const char *source, struct ender *e)
{
	struct leg_sound *so = sound_of(leg);
	const struct media_codec *codec;
	char *path = NULL, *whole;
	uint32_t id = 0, rate_hz;
	bool has_begun;
	int st;

	st = make_ready(leg);
	if (st)
		return st;
	codec = leg->codec;
	rate_hz = codec && codec->rate_hz ? codec->rate_hz : 8000; /* what the samples are counted at */
	whole = leg_source_full(leg, source);
	if (!whole)
		return ST_NOMEM;
	path = mark_strip_dup(sv_of(strcasestr(source, "file_string://") ? source : whole)); /* what events tell */
	st = mstream_play(leg_media_stream(leg), whole, 1, &id);
	if (st)
		goto out;
	leg_var_set(leg, "playback_terminator_used", NULL);
	st = wait_begun(leg, id);
	has_begun = is_done(so->begun_play_id, id);
	if (has_begun) {
		tell_parts(path, false);
		fire(leg, EVENT_PLAYBACK_START, "Playback-File-Path", path, NULL);
	}
	if (!st)
		st = wait_done(leg, &so->done_play_id, id, e);
	if (so->done_play_id != id && leg_media_stream(leg))
		mstream_play_stop(leg_media_stream(leg), id);
	else if (so->done_play_id == id && so->done_play_status != ST_CANCELLED)
		st = so->done_play_status;
	if (e->digit) {
		char text[2] = {e->digit, 0};
		leg_var_set(leg, "playback_terminator_used", text);
	}
	if (so->done_play_id == id) {
		unsigned long long ms = so->done_play_samples * 1000 / rate_hz;
		leg_var_setf(leg, "playback_seconds", "%llu", ms / 1000);
		leg_var_setf(leg, "playback_ms", "%llu", ms);
		leg_var_setf(leg, "playback_samples", "%llu", (unsigned long long)so->done_play_samples);
		leg_var_setf(leg, "playback_last_offset_pos", "%llu", (unsigned long long)so->done_play_samples);
	}
	if (has_begun) {
		bool is_broken = st || e->digit || so->done_play_id != id || so->done_play_status == ST_CANCELLED;
		if (e->watch && e->watch->ends_well)
			is_broken = false;
		else if (!is_broken)
			tell_parts(path, true);
		/* whoever hung up broke nothing off, in FreeSWITCH's words */
		fire(leg, EVENT_PLAYBACK_STOP, "Playback-File-Path", path,
		    is_broken && leg_is_up(leg) ? "break" : "done");
	}
	if (st == ST_NOTFOUND || st == ST_IO)
		leg_log(leg, LOG_ERR, "cannot play %s", path);
out:
	mem_free(whole);
	mem_free(path);
	return st == ST_IO ? ST_NOTFOUND : st;
}

static CO int play_one(struct leg *leg, struct sv one, struct ender *e)
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

static CO int play(struct leg *leg, const char *source, struct ender *e)
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
	struct ender e;
	int st;

	ender_init(&e, leg, end->terminators, end->watch);
	st = play(leg, source, &e);
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

/* A relative path lies under recordings_dir. */
static ON_CTL char *record_path(struct leg *leg, const char *path)
{
	const char *dir = globals_text("recordings_dir");
	struct buf b;
	char *full;

	if (mctl_is_url(path))
		return leg_url_dup(leg, path);
	buf_init(&b);
	if (path[0] != '/')
		buf_printf(&b, "%s/", dir ? dir : ".");
	buf_adds(&b, path);
	full = leg_path_dup(leg, b.p);
	buf_fini(&b);
	return full;
}

enum { RECORD_WAIT_US = 1000000 };

struct size_job {
	const char *file;
	long long bytes; /* < 0: it is not there */
};
static void size_work(void *arg)
{
	struct size_job *j = arg;
	struct stat st;

	role_assert_work();
	j->bytes = stat(j->file, &st) ? -1 : (long long)st.st_size;
}

/* record_file_size: what lies on the disk, asked of a worker. */
static CO void note_size(struct leg *leg, const char *file)
{
	struct size_job j = {.file = file, .bytes = -1};

	if (!co_work(WORK_FILE, "size of a recording", size_work, &j) && j.bytes >= 0)
		leg_var_setf(leg, "record_file_size", "%lld", j.bytes);
}

/* Who is recorded hears quiet packets meanwhile: border elements and phones end a call that has become silent, and a
 * translator's binding wants to be opened. Not where somebody else talks to the phone. 0: nothing plays. */
static ON_CTL uint32_t quiet_start(struct leg *leg)
{
	uint32_t id = 0;

	if (leg->peer || mstream_play(leg_media_stream(leg), "silence_stream://-1", -1, &id))
		return 0;
	return id;
}

static CO int record(struct leg *leg, const char *path, const struct media_record_conf *conf, struct ender *e)
{
	struct leg_sound *so = sound_of(leg);
	char *file = NULL;
	uint32_t id = 0, quiet_id = 0;
	const struct media_codec *codec;
	uint32_t rate_hz;
	unsigned long long ms, samples;
	int st = make_ready(leg);

	if (st)
		return st;
	codec = leg->codec;
	rate_hz = conf->rate_hz ? conf->rate_hz : codec ? codec->rate_hz : 8000;
	file = record_path(leg, path);
	if (!file)
		return ST_DENIED;
	st = mstream_record(leg_media_stream(leg), file, conf, &id); /* before a variable changes: conf borrows some */
	if (st)
		goto out;
	so->record_id = id, so->is_record_paused = false;
	quiet_id = quiet_start(leg);
	leg_var_set(leg, "silence_hits_exhausted", "false");
	leg_read_linear(leg, true);
	fire(leg, EVENT_RECORD_START, "Record-File-Path", file, NULL);
	exec_hooks(leg, "execute_on_record_start", "api_on_record_start");
	st = wait_done(leg, &so->done_record_id, id, e);
	so->record_id = 0;
	if (quiet_id && leg_media_stream(leg))
		mstream_play_stop(leg_media_stream(leg), quiet_id);
	/* What was stopped still reports what was written; so does what ended with the leg, which is waited for. */
	if (so->done_record_id != id && leg_media_stream(leg))
		mstream_record_stop(leg_media_stream(leg), id);
	if (so->done_record_id != id)
		exec_wait_over(leg, &so->done_record_id, id, RECORD_WAIT_US);
	samples = so->done_record_id == id ? so->done_record_samples : 0;
	ms = samples * 1000 / rate_hz;
	if (so->done_record_id == id && so->was_record_silent)
		leg_var_set(leg, "silence_hits_exhausted", "true");
	if (so->done_record_id == id && so->done_record_status && so->done_record_status != ST_CANCELLED)
		st = ST_NOTFOUND;
	leg_var_setf(leg, "record_seconds", "%llu", ms / 1000);
	leg_var_setf(leg, "record_ms", "%llu", ms);
	leg_var_setf(leg, "record_samples", "%llu", samples);
	note_size(leg, file);
	leg_var_set(leg, "record_completion_cause", st == ST_OK ? "success" : st == ST_NOTFOUND ? "failure" : "hangup");
	if (e->digit) {
		char text[2] = {e->digit, 0};
		leg_var_set(leg, "playback_terminator_used", text);
	}
	fire(leg, EVENT_RECORD_STOP, "Record-File-Path", file, NULL);
	leg_read_linear(leg, false);
	if (leg_is_up(leg))
		exec_hooks(leg, "execute_on_record_stop", "api_on_record_stop");
out:
	mem_free(file);
	return st;
}

int leg_record(struct leg *leg, const char *path, const struct media_record_conf *conf, const char *terminators)
{
	struct ender e;
	int st;

	ender_init(&e, leg, terminators, NULL);
	st = record(leg, path, conf, &e);
	mem_free(e.terminators);
	return st;
}

int leg_record_watched(
    struct leg *leg, const char *path, const struct media_record_conf *conf, const struct leg_watch *watch)
{
	struct ender e;

	ender_init(&e, leg, NULL, watch);
	return record(leg, path, conf, &e);
}

bool leg_record_is_on(const struct leg *leg)
{
	return sound_of(leg)->record_id != 0;
}

int leg_record_steer(struct leg *leg, const char *what)
{
	struct leg_sound *so = sound_of(leg);
	struct mstream *s = leg_media_stream(leg);

	if (!s || !so->record_id)
		return ST_NOTFOUND;
	if (!strcasecmp(what, "pause")) {
		so->is_record_paused = !so->is_record_paused;
		return mstream_record_set(s, so->record_id, false, so->is_record_paused);
	}
	if (!strcasecmp(what, "truncate"))
		return mstream_record_truncate(s, so->record_id);
	return strcasecmp(what, "stop") ? ST_INVAL : mstream_record_stop(s, so->record_id);
}
