/* The file of a prompt that is not where it was looked for: a recording of the same words, one spoken before (the
 * cache), or spoken now. Workers look and speak; flite has a queue of its own, one text at a time, so that it never
 * takes more than one worker from the others; espeak-ng and the like run as child processes; a web server is asked by
 * the control thread, and what it sends is opened before it is believed. A spoken text is written aside and renamed;
 * the cache is bounded, what was not used for longest goes first. */
#include "base/disk.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/value/self.h"
#include "file/file.h"
#include "loop/work.h"
#include "proc/shell.h"
#include "say/prompt_i.h"
#include "speech/speech.h"
#include "text/digest.h"
#include "text/mark.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	QUEUE_MAX = 512,
	CHILD_TIMEOUT_S = 30,
	CHILDREN_MAX = 2,
	CACHE_MODE = 0640,
	CHECKED_SAMPLES = 160,
	CACHE_PATH_MAX = 400,
	CACHE_FILES_MAX = 4096,
	CACHE_BYTES_MAX = 128 << 20,
	TRIM_EVERY = 64,
	KEY_CHARS = 40
};

struct waiter {
	struct lnode link;
	synth_done_fn done;
	void *arg;
};
struct job {
	struct lnode link; /* among those that wait for a child process */
	struct prompt_plan plan;
	struct list waiters;
	char dir[CACHE_PATH_MAX + 20], key[KEY_CHARS + 1], cached[CACHE_PATH_MAX + 80], temp[CACHE_PATH_MAX + 80];
	struct buf sound; /* of a web server */
	/* the worker's while it runs */
	char found[1024];
	int status;
	bool is_spoken, is_fallen;
	char err[SPEECH_ERR_MAX];
};
static struct {
	struct hash *jobs; /* by name */
	struct work_serial *flite;
	struct list queue; /* jobs for child processes, beyond those that run */
	unsigned made_count, temp_count, child_count;
	bool is_on, is_child_missed;
} synth = {.queue = {{&synth.queue.head, &synth.queue.head}}};

/* ---- on workers ------------------------------------------------------------------------------------------------ */

/* The cache's name for a text: engine, voice and words are in it. */
static void make_key(struct job *j)
{
	uint8_t sum[DIGEST_SHA256_BYTES];
	char hex[2 * DIGEST_SHA256_BYTES + 1];
	struct buf b;

	buf_init(&b);
	buf_printf(&b, "%d|%s|", (int)j->plan.engine, j->plan.command ? j->plan.command : "");
	if (j->plan.language)
		buf_printf(&b, "%s|", j->plan.language);
	buf_printf(&b, "%s|%s", j->plan.voice, j->plan.text);
	digest_sha256(b.p, b.n, sum);
	digest_hex(sum, sizeof(sum), hex);
	buf_fini(&b);
	snprintf(j->key, sizeof(j->key), "%.*s", KEY_CHARS, hex);
}

static void name_cached(struct job *j, const char *ext)
{
	snprintf(j->cached, sizeof(j->cached), "%s/%s.%s", j->dir, j->key, ext);
}

/* A web server chooses the format; the last is what all others make. */
ON_WORK static bool is_cached(struct job *j)
{
	static const char *const exts[] = {"ogg", "mp3", "wav"};
	size_t count = sizeof(exts) / sizeof(exts[0]);

	for (size_t i = j->plan.engine == PROMPT_HTTP ? 0 : count - 1; i < count; i++) {
		name_cached(j, exts[i]);
		if (cache_is_file(j->cached))
			return true;
	}
	return false;
}

/* The engine is not there: the other words, by flite. */
static void fall_back(struct job *j)
{
	if (j->plan.other_text) {
		mem_free(j->plan.text);
		j->plan.text = j->plan.other_text;
		j->plan.other_text = NULL;
	}
	mem_free(j->plan.voice);
	j->plan.voice = mem_strdup(SPEECH_FLITE_DEFAULT_VOICE);
	j->plan.engine = PROMPT_FLITE;
	j->is_fallen = true;
	make_key(j);
}

/* Where posix_spawnp will look for it. */
static bool has_espeak(void)
{
	struct sv rest = sv_of(getenv("PATH")), dir;
	char path[512];

	while (rest.n) {
		sv_split(rest, ':', &dir, &rest);
		snprintf(path, sizeof(path), "%.*s/espeak-ng", SVF(dir));
		if (dir.n && dir.n < sizeof(path) - 16 && !access(path, X_OK))
			return true;
	}
	return false;
}

static void look(void *arg)
{
	struct job *j = arg;

	role_assert_work();
	j->status = ST_NOTFOUND;
	for (size_t i = 0; i < j->plan.file_count && j->status; i++) {
		if (!cache_is_file(j->plan.files[i]))
			continue;
		snprintf(j->found, sizeof(j->found), "%s", j->plan.files[i]);
		j->status = ST_OK;
	}
	if (!j->status)
		return;
	make_key(j);
	if (j->plan.engine == PROMPT_ESPEAK && !is_cached(j) && !has_espeak())
		fall_back(j);
	if (is_cached(j)) {
		cache_touch(j->cached);
		snprintf(j->found, sizeof(j->found), "%s", j->cached);
		j->status = ST_OK;
	} else if (!cache_dir_make(j->dir)) {
		snprintf(j->err, sizeof(j->err), "%.100s: %s", j->dir, strerror(errno));
		j->status = ST_IO;
	}
}

/* The temporary file is whole: it takes its name. */
static void publish(void *arg)
{
	struct job *j = arg;

	role_assert_work();
	if (!j->status && !cache_is_file(j->temp)) {
		snprintf(j->err, sizeof(j->err), "nothing was spoken");
		j->status = ST_IO;
	}
	if (!j->status && rename(j->temp, j->cached)) {
		snprintf(j->err, sizeof(j->err), "%.100s: %s", j->cached, strerror(errno));
		j->status = ST_IO;
	}
	if (j->status)
		unlink(j->temp);
	snprintf(j->found, sizeof(j->found), "%s", j->cached);
}

static void speak(void *arg)
{
	struct job *j = arg;

	role_assert_work();
	j->status = speech_flite(j->plan.voice, j->plan.text, j->temp, j->err);
	publish(j);
}

/* The server said that it is a sound; the reader decides. */
ON_WORK static int check_sound(const char *path, size_t bytes, char err[SPEECH_ERR_MAX])
{
	struct file_reader *r;
	int16_t some[CHECKED_SAMPLES];
	int st = file_reader_open(&r, path, 0, NULL);

	if (!st) {
		st = file_reader_read(r, some, CHECKED_SAMPLES) > 0 ? ST_OK : ST_UNSUPPORTED;
		file_reader_close(r);
	}
	if (st)
		snprintf(err, SPEECH_ERR_MAX,
		    "what the server of tts_http.conf sent as %s (%zu bytes) is no sound file that can be read",
		    strrchr(path, '.') + 1, bytes);
	return st;
}

static void store(void *arg)
{
	struct job *j = arg;

	role_assert_work();
	j->status = disk_replace(j->temp, buf_sv(&j->sound), CACHE_MODE, false);
	if (j->status)
		snprintf(j->err, sizeof(j->err), "%.100s cannot be written", j->temp);
	else
		j->status = check_sound(j->temp, j->sound.n, j->err);
	publish(j);
}

static void trim(void *arg)
{
	char *dir = arg;

	role_assert_work();
	cache_trim(dir, CACHE_FILES_MAX, CACHE_BYTES_MAX);
	mem_free(dir);
}

/* ---- on control -------------------------------------------------------------------------------------------------- */

static void trim_over(int status, void *arg)
{
	role_assert_ctl();
	if (status)
		mem_free(arg); /* it did not run */
}

static ON_CTL void count_made(const char *dir)
{
	char *copy;

	if (!synth.is_on || synth.made_count++ % TRIM_EVERY)
		return;
	copy = mem_strdup(dir);
	if (work_serial_submit(synth.flite, trim, trim_over, copy))
		mem_free(copy);
}

static const char *engine_told(const struct job *j)
{
	return j->plan.engine == PROMPT_FLITE  ? "flite"
	       : j->plan.engine == PROMPT_HTTP ? "a web server"
	                                       : "a child process";
}

static ON_CTL void job_end(struct job *j)
{
	struct lnode *it, *tmp;

	if (j->status && j->status != ST_CANCELLED)
		log_error("%s cannot be spoken: %s", j->plan.is_prompt ? j->plan.name : "a text", j->err);
	else if (!j->status && j->is_spoken)
		log_uuid(j->plan.is_prompt ? LOG_NOTICE : LOG_DEBUG, NULL, "%s: spoken by %s, kept in %s",
		    j->plan.is_prompt ? j->plan.name : "text", engine_told(j), j->found);
	if (!j->status && j->is_spoken)
		count_made(j->dir);
	hash_take(synth.jobs, sv_of(j->plan.name));
	list_each (&j->waiters, it, tmp) {
		struct waiter *w = list_entry(it, struct waiter, link);
		list_remove(&w->link);
		w->done(j->status, j->status ? NULL : j->found, w->arg);
		mem_free(w);
	}
	prompt_plan_fini(&j->plan);
	buf_fini(&j->sound);
	mem_free(j);
	if (!synth.is_on && !hash_count(synth.jobs)) {
		hash_free(synth.jobs);
		synth.jobs = NULL;
	}
}

static ON_CTL void job_fail(struct job *j, int status)
{
	snprintf(j->err, sizeof(j->err), "%s", status_text(status));
	j->status = status;
	job_end(j);
}

static void job_over(int status, void *arg)
{
	struct job *j = arg;

	role_assert_ctl();
	if (status)
		j->status = status;
	job_end(j);
}

static ON_CTL void children_go(void);

static void child_over(const struct shell_result *r, void *arg)
{
	struct job *j = arg;

	role_assert_ctl();
	synth.child_count--;
	j->status = r->status;
	if (!j->status && r->exit_code) {
		snprintf(j->err, sizeof(j->err), "the program ended with %d", r->exit_code);
		j->status = ST_IO;
	}
	if (j->status && !j->err[0])
		snprintf(j->err, sizeof(j->err), "%s", status_text(j->status));
	if (work_submit(WORK_SPEECH, "say.publish", publish, job_over, j))
		job_over(ST_IO, j);
	children_go();
}

/* The configuration's line with the values in it as data, whatever quotes it has around them. ST_DENIED: one stands
 * where the shell would read it by other rules (within backquotes, a here-document). */
static int fill_command(const struct job *j, struct buf *out)
{
	const struct {
		const char *name, *value;
	} known[] = {{"${text}", j->plan.text}, {"${voice}", j->plan.voice}, {"${rate}", "8000"}, {"${file}", j->temp}};
	struct buf line;

	buf_init(&line);
	for (const char *p = j->plan.command; *p;) {
		bool is_done = false;
		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]) && !is_done; i++) {
			size_t n = strlen(known[i].name);
			if (strncmp(p, known[i].name, n) != 0)
				continue;
			mark_put(&line, sv_of(known[i].value));
			p += n;
			is_done = true;
		}
		if (!is_done)
			buf_addc(&line, *p++);
	}
	int st = line.failed ? ST_NOMEM : mark_strip_shell(out, buf_sv(&line));
	buf_fini(&line);
	return st;
}

static ON_CTL int start_child(struct job *j)
{
	const char *argv[] = {"espeak-ng", "-v", j->plan.voice, "-w", j->temp, "--", j->plan.text, NULL};
	struct shell_conf conf = {.timeout_s = CHILD_TIMEOUT_S, .is_ours = true};
	struct buf line;
	int st = ST_OK;

	buf_init(&line);
	if (j->plan.engine == PROMPT_ESPEAK) {
		conf.argv = argv;
	} else {
		st = fill_command(j, &line);
		conf.command = line.p;
	}
	if (st == ST_DENIED)
		log_error("tts_commandline.conf: command: a value stands where it cannot be put in safely");
	if (!st)
		st = shell_start(&conf, child_over, j, NULL);
	buf_fini(&line);
	return st;
}

/* A few at a time: a row of prompts must not start a hundred processes. */
static ON_CTL void children_go(void)
{
	while (synth.child_count < CHILDREN_MAX && !list_empty(&synth.queue)) {
		struct job *j = list_entry(list_first(&synth.queue), struct job, link);
		int st = synth.is_on ? start_child(j) : ST_CANCELLED;

		list_remove(&j->link);
		if (st)
			job_fail(j, st);
		else
			synth.child_count++;
	}
}

static ON_CTL void name_temp(struct job *j, const char *ext)
{
	snprintf(j->temp, sizeof(j->temp), "%s/.new%ld-%u.%s", j->dir, (long)getpid(), synth.temp_count++, ext);
}

static void http_said(int status, const char *ext, struct sv sound, const char *err, void *arg)
{
	struct job *j = arg;

	role_assert_ctl();
	if (status) {
		snprintf(j->err, sizeof(j->err), "%s", err);
		job_over(status, j);
		return;
	}
	name_cached(j, ext);
	name_temp(j, ext);
	status = buf_addv(&j->sound, sound);
	if (!status)
		status = work_submit(WORK_SPEECH, "say.store", store, job_over, j);
	if (status)
		job_fail(j, status);
}

static ON_CTL void tell_missing_child(const struct job *j)
{
	if (synth.is_child_missed)
		return;
	synth.is_child_missed = true;
	log_warning("%s: flite speaks English only: install the package espeak-ng%s",
	    j->plan.is_prompt ? j->plan.name : "a text", j->plan.is_prompt ? ", or put recordings there" : "");
}

static void looked(int status, void *arg)
{
	struct job *j = arg;
	int st;

	role_assert_ctl();
	if (status)
		j->status = status;
	if (!synth.is_on && j->status)
		j->status = ST_CANCELLED;
	if (j->status != ST_NOTFOUND) {
		job_end(j);
		return;
	}
	if (j->is_fallen)
		tell_missing_child(j);
	j->is_spoken = true;
	j->status = ST_OK;
	if (j->plan.engine == PROMPT_HTTP) {
		http_say(&j->plan, http_said, j);
		return;
	}
	name_temp(j, "wav");
	if (j->plan.engine != PROMPT_FLITE) {
		list_push(&synth.queue, &j->link);
		children_go();
		return;
	}
	st = work_serial_submit(synth.flite, speak, job_over, j);
	if (st)
		job_fail(j, st);
}

int synth_start(struct prompt_plan *plan, synth_done_fn done, void *arg)
{
	struct job *j = synth.is_on ? hash_get(synth.jobs, sv_of(plan->name)) : NULL;
	struct waiter *w = mem_zalloc(sizeof(*w));
	int st = !synth.is_on ? ST_CLOSED : strlen(core_dirs()->cache) > CACHE_PATH_MAX ? ST_LIMIT : ST_OK;

	w->done = done, w->arg = arg;
	if (!st && !j) {
		j = mem_zalloc(sizeof(*j));
		j->plan = *plan;
		*plan = (struct prompt_plan){0};
		list_init(&j->waiters);
		buf_init(&j->sound);
		snprintf(j->dir, sizeof(j->dir), "%s/speech", core_dirs()->cache);
		st = hash_set(synth.jobs, sv_of(j->plan.name), j);
		if (!st && (st = work_submit(WORK_SPEECH, "say.look", look, looked, j)))
			hash_take(synth.jobs, sv_of(j->plan.name));
		if (st) {
			prompt_plan_fini(&j->plan);
			mem_free(j);
		}
	}
	if (st)
		mem_free(w);
	else
		list_push(&j->waiters, &w->link);
	prompt_plan_fini(plan);
	return st;
}

int synth_open(void)
{
	int st = synth.jobs ? ST_OK : hash_new(&synth.jobs, 0, NULL);

	if (!st)
		st = work_serial_new(&synth.flite, WORK_SPEECH, "flite", QUEUE_MAX);
	synth.is_on = !st;
	return st;
}

void synth_close(void)
{
	synth.is_on = false;
	work_serial_close(synth.flite);
	children_go();
	http_say_close();
	synth.flite = NULL;
	if (synth.jobs && !hash_count(synth.jobs)) {
		hash_free(synth.jobs);
		synth.jobs = NULL;
	}
}
