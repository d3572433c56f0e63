/* Recording a leg from an application: the media thread does it; here it is started, waited for and ended by what may
 * end it. */
#include "core/sound/record.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/conf/config.h"
#include "core/leg/leg.h"
#include "core/run/exec.h"
#include "core/run/run_core.h"
#include "core/sound/media.h"
#include "core/sound/play_i.h"
#include "core/sound/sound_i.h"
#include "core/value/vars.h"
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

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

/* The caller's, but for what the name says itself. */
static ON_CTL struct media_record_conf conf_of(const struct media_record_conf *given, const struct record_name *name)
{
	struct media_record_conf conf = *given;
	const char *rate = name->params ? vars_get(name->params, "record_sample_rate") : NULL;
	int64_t rate_hz = rate ? str_number(rate, 0, INT32_MAX) : 0;

	record_params_read(name->params, &conf);
	if (name->params && str_is_true(vars_get(name->params, "RECORD_APPEND")))
		conf.is_append = true;
	if (rate_hz >= 8000 && rate_hz <= 48000)
		conf.rate_hz = (uint32_t)rate_hz;
	return conf;
}

static CO int record(struct leg *leg, const char *path, const struct media_record_conf *given, struct play_ender *e)
{
	struct leg_sound *so = sound_of(leg);
	const char *dir = globals_text("recordings_dir"), *file;
	struct media_record_conf conf;
	struct record_name name;
	uint32_t id = 0, quiet_id = 0;
	const struct media_codec *codec;
	uint32_t rate_hz;
	unsigned long long ms, samples;
	int st = play_make_ready(leg);

	if (st)
		return st;
	if ((st = record_name_read(&name, leg, path, dir ? dir : ".")))
		return st;
	codec = leg->codec;
	conf = conf_of(given, &name), file = name.told;
	rate_hz = conf.rate_hz ? conf.rate_hz : codec ? codec->rate_hz : 8000;
	st = mstream_record(leg_media_stream(leg), name.path, &conf, &id); /* before variables change: conf borrows */
	if (st)
		goto out;
	so->record_id = id, so->is_record_paused = false;
	quiet_id = quiet_start(leg);
	leg_var_set(leg, "silence_hits_exhausted", "false");
	leg_read_linear(leg, true);
	play_fire(leg, EVENT_RECORD_START, "Record-File-Path", file, NULL);
	exec_hooks(leg, "execute_on_record_start", "api_on_record_start");
	st = play_wait_done(leg, &so->done_record_id, id, e);
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
		st = samples ? ST_IO : ST_NOTFOUND;
	leg_var_setf(leg, "record_seconds", "%llu", ms / 1000);
	leg_var_setf(leg, "record_ms", "%llu", ms);
	leg_var_setf(leg, "record_samples", "%llu", samples);
	note_size(leg, name.path);
	leg_var_set(leg, "record_completion_cause",
	    st == ST_OK                        ? "success"
	    : st == ST_NOTFOUND || st == ST_IO ? "failure"
	                                       : "hangup");
	if (e->digit) {
		char text[2] = {e->digit, 0};
		leg_var_set(leg, "playback_terminator_used", text);
	}
	play_fire(leg, EVENT_RECORD_STOP, "Record-File-Path", file, NULL);
	leg_read_linear(leg, false);
	if (leg_is_up(leg))
		exec_hooks(leg, "execute_on_record_stop", "api_on_record_stop");
out:
	record_name_fini(&name);
	return st;
}

int leg_record(struct leg *leg, const char *path, const struct media_record_conf *conf, const char *terminators)
{
	struct play_ender e;
	int st;

	play_ender_init(&e, leg, terminators, NULL);
	st = record(leg, path, conf, &e);
	mem_free(e.terminators);
	return st;
}

int leg_record_watched(
    struct leg *leg, const char *path, const struct media_record_conf *conf, const struct leg_watch *watch)
{
	struct play_ender e;

	play_ender_init(&e, leg, NULL, watch);
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
