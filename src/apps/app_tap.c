/* Applications that change a leg's sound or look into it: levels, displaced sound, tones, recordings, keys in the
 * sound, waiting for sound or silence. */
#include "apps/apps_i.h"
#include "base/clock.h"
#include "base/mem.h"
#include "core/keys/dtmf.h"
#include "core/leg/leg.h"
#include "core/registry/app_words.h"
#include "core/run/exec.h"
#include "core/sound/tap.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static ON_CTL void usage(struct leg *leg, const char *app, const char *syntax)
{
	leg_log(leg, LOG_ERR, "%s: usage: %s", app, syntax);
}

/* What went wrong is logged; the dialplan goes on, as in FreeSWITCH. */
static ON_CTL int told(struct leg *leg, const char *app, int st)
{
	if (st && st != ST_HANGUP && st != ST_CANCELLED)
		leg_log(leg, LOG_ERR, "%s: %s", app,
		    st == ST_UNSUPPORTED ? "the codec is not one that can be worked on" : status_text(st));
	return st == ST_HANGUP ? st : ST_OK;
}

/* read|write|both step */
int app_set_audio_level(struct leg *leg, const char *data)
{
	struct app_words w;
	int st = app_words_init(&w, leg_exec_text(leg, data), 3);

	role_assert_co();
	if (!st && w.n == 2)
		st = told(leg, "set_audio_level", leg_level_set(leg, w.w[0], LEG_LEVEL_STEPS, atoi(w.w[1])));
	else if (!st)
		usage(leg, "set_audio_level", "[read|write] <vol>");
	app_words_fini(&w);
	return st;
}

/* read|write|both true|false|level of noise */
int app_set_mute(struct leg *leg, const char *data)
{
	struct app_words w;
	int st = app_words_init(&w, leg_exec_text(leg, data), 3);

	role_assert_co();
	if (!st && w.n == 2) {
		int level = atoi(w.w[1]);
		if (level <= 0)
			level = str_is_true(w.w[1]);
		st = told(leg, "set_mute", leg_level_set(leg, w.w[0], LEG_LEVEL_MUTE, level));
	} else if (!st) {
		usage(leg, "set_mute", "[read|write] [[true|cn level]|false]");
	}
	app_words_fini(&w);
	return st;
}

/* path [flags] [+seconds] */
int app_displace_session(struct leg *leg, const char *data)
{
	struct app_words w;
	int st = app_words_init(&w, leg_exec_text(leg, data), 6);
	const char *flags = NULL;
	int limit_s = 0;

	role_assert_co();
	for (int i = 1; !st && i < w.n; i++) {
		if (strchr(w.w[i], '+'))
			limit_s = atoi(w.w[i]);
		else
			flags = w.w[i];
	}
	if (!st && w.n)
		st = told(
		    leg, "displace_session", leg_displace(leg, w.m[0], limit_s > 0 ? (unsigned)limit_s : 0, flags));
	else if (!st)
		usage(leg, "displace_session", "<path> [<flags>] [+time_limit_ms]");
	app_words_fini(&w);
	return st;
}

int app_stop_displace_session(struct leg *leg, const char *data)
{
	role_assert_co();
	(void)leg_displace_stop(leg, data ? data : "");
	return ST_OK;
}

/* "+5" is in five seconds, a plain number the epoch second. */
static ON_CTL unsigned timeout_of(struct leg *leg, const char *text)
{
	int64_t n = text ? str_number(text + (*text == '+'), INT32_MIN, UINT32_MAX) : 0;

	if (text && *text != '+' && n > 0)
		n -= clock_wall_us() / 1000000;
	if (text && n < 0)
		leg_log(leg, LOG_ERR, "tone_detect: %s is past", text);
	return n > 0 && n < UINT32_MAX ? (unsigned)n : 0;
}

/* key freqs [flags timeout app args hits] */
int app_tone_detect(struct leg *leg, const char *data)
{
	struct app_words w;
	int st = app_words_init(&w, leg_exec_text(leg, data), 7);

	role_assert_co();
	if (!st && w.n >= 2) {
		const char *hits = w.w[4] && w.w[5] ? w.w[6] : !w.w[6] ? w.w[4] : NULL;
		struct leg_tone tone = {.key = w.w[0],
		    .freqs = w.w[1],
		    .flags = w.w[2],
		    .timeout_s = timeout_of(leg, w.w[3]),
		    .app = w.w[5] || !hits || !atoi(hits) ? w.m[4] : NULL,
		    .data = w.m[5],
		    .hits = hits && atoi(hits) > 0 ? (unsigned)atoi(hits) : 0};
		leg_log(leg, LOG_NOTICE, "Enabling tone detection '%s' '%s'", w.w[0], w.w[1]);
		st = told(leg, "tone_detect", leg_tone_detect(leg, &tone));
	} else if (!st) {
		usage(leg, "tone_detect", "<key> <freqs> [<flags> <timeout> <app> <args> <hits>]");
	}
	app_words_fini(&w);
	return st;
}

/* FreeSWITCH's fax_detect: the calling tone of a fax machine. */
int app_fax_detect(struct leg *leg, const char *data)
{
	role_assert_co();
	return told(leg, "fax_detect",
	    leg_tone_detect(leg, &(struct leg_tone){.key = "fax", .freqs = "1100.0", .flags = "r", .hits = 1}));
}

int app_stop_tone_detect(struct leg *leg, const char *data)
{
	role_assert_co();
	leg_log(leg, LOG_NOTICE, "Disabling tone detection");
	(void)leg_tone_detect_stop(leg);
	return ST_OK;
}

int app_start_dtmf(struct leg *leg, const char *data)
{
	role_assert_co();
	return told(leg, "start_dtmf", leg_dtmf_detect(leg, true));
}

int app_stop_dtmf(struct leg *leg, const char *data)
{
	role_assert_co();
	(void)leg_dtmf_detect(leg, false);
	return ST_OK;
}

int app_start_dtmf_generate(struct leg *leg, const char *data)
{
	role_assert_co();
	return told(leg, "start_dtmf_generate", leg_dtmf_generate(leg, !data || strcasecmp(data, "write"), true));
}

int app_stop_dtmf_generate(struct leg *leg, const char *data)
{
	role_assert_co();
	(void)leg_dtmf_generate(leg, true, false);
	return ST_OK;
}

int app_remove_bugs(struct leg *leg, const char *data)
{
	role_assert_co();
	(void)leg_tap_remove(leg, data && *data ? data : NULL);
	return ST_OK;
}

/* words as leg_preprocess's */
int app_preprocess(struct leg *leg, const char *data)
{
	const char *wrong = NULL;
	char *words = mem_strdup(data ? data : "");
	role_assert_co();
	int st = words ? leg_preprocess(leg, words, &wrong) : ST_NOMEM;
	if (st != ST_NOTFOUND && !(st == ST_PARSE && wrong)) /* words that cannot be are in the log already */
		st = told(leg, "preprocess", st);
	mem_free(words);
	return st == ST_HANGUP ? st : ST_OK;
}

/* ---- recordings ---- */

/* path [+limit_s] [{vars}] */
int app_record_session(struct leg *leg, const char *data)
{
	struct sv rest = sv_trim(sv_of(leg_exec_text(leg, data))), word;
	char *path, *vars = NULL;
	uint32_t limit_s = 0;
	int st;

	role_assert_co();
	if (!rest.n) {
		usage(leg, "record_session", "<path> [+<timeout>] [{var1=x,var2=y}]");
		return ST_OK;
	}
	sv_split(rest, ' ', &word, &rest);
	path = sv_dup(word);
	rest = sv_trim(rest);
	if (rest.n && rest.p[0] == '+') {
		sv_split(rest, ' ', &word, &rest);
		(void)sv_u32(sv_sub(word, 1, word.n), &limit_s);
		rest = sv_trim(rest);
	}
	if (rest.n)
		vars = sv_dup(rest);
	st = path ? told(leg, "record_session", leg_record_start(leg, path, limit_s, vars)) : ST_NOMEM;
	mem_free(path);
	mem_free(vars);
	return st;
}

int app_stop_record_session(struct leg *leg, const char *data)
{
	role_assert_co();
	if (!data || !*data)
		leg_log(leg, LOG_WARNING, "stop_record_session: usage: <path>|all");
	else
		(void)leg_record_stop(leg, data);
	return ST_OK;
}

static ON_CTL int record_set(struct leg *leg, const char *data, enum leg_record_what what, bool is_on)
{
	if (leg_record_set(leg, data ? data : "", what, is_on))
		leg_log(leg, LOG_WARNING, "%s is not recorded", data ? data : "");
	return ST_OK;
}

int app_record_session_mask(struct leg *leg, const char *data)
{
	role_assert_co();
	return record_set(leg, data, LEG_RECORD_MASK, true);
}
int app_record_session_unmask(struct leg *leg, const char *data)
{
	role_assert_co();
	return record_set(leg, data, LEG_RECORD_MASK, false);
}
int app_record_session_pause(struct leg *leg, const char *data)
{
	role_assert_co();
	return record_set(leg, data, LEG_RECORD_PAUSE, true);
}
int app_record_session_resume(struct leg *leg, const char *data)
{
	role_assert_co();
	return record_set(leg, data, LEG_RECORD_PAUSE, false);
}

/* ---- sound and silence ---- */

enum { AFTER_SILENCE_FRAMES = 25 }; /* FreeSWITCH listens half a second longer */

static unsigned number_of(const char *text)
{
	int n = text ? atoi(text) : 0;
	return n > 0 ? (unsigned)n : 0;
}

/* thresh hits listen_hits timeout_ms [file] */
int app_wait_for_silence(struct leg *leg, const char *data)
{
	struct app_words w;
	unsigned heard = 0, hits = 0;
	int st = app_words_init(&w, leg_exec_text(leg, data), 5);

	role_assert_co();
	if (!st && w.n >= 4 && number_of(w.w[0]) && number_of(w.w[1])) {
		struct media_energy_conf conf = {.wants_silence = true,
		    .level = number_of(w.w[0]),
		    .hits = number_of(w.w[1]),
		    .listen_hits = number_of(w.w[2]),
		    .after = AFTER_SILENCE_FRAMES};
		st = leg_wait_energy(leg, &conf, number_of(w.w[3]), w.m[4], &heard, &hits);
		if (st == ST_OK || st == ST_TIMEOUT) {
			leg_var_set(leg, "wait_for_silence_timeout", st ? "true" : "false");
			leg_var_setf(leg, "wait_for_silence_listenhits", "%u", heard);
			leg_var_setf(
			    leg, "wait_for_silence_silence_hits", "%u", hits < conf.hits ? conf.hits - hits : 0);
		}
		st = st == ST_TIMEOUT ? ST_OK : told(leg, "wait_for_silence", st);
	} else if (!st) {
		usage(leg, "wait_for_silence", "<silence_thresh> <silence_hits> <listen_hits> <timeout_ms> [<file>]");
	}
	app_words_fini(&w);
	return st;
}

/* thresh hits timeout_ms [file]; as FreeSWITCH counts, one hit more than asked for */
static CO int detect(struct leg *leg, const char *data, const char *app, bool wants_silence)
{
	struct app_words w;
	unsigned hits = 0;
	char name[64];
	int st = app_words_init(&w, leg_exec_text(leg, data), 4);

	if (!st && w.n >= 3 && number_of(w.w[0]) && number_of(w.w[1])) {
		struct media_energy_conf conf = {
		    .wants_silence = wants_silence, .level = number_of(w.w[0]), .hits = number_of(w.w[1]) + 1};
		st = leg_wait_energy(leg, &conf, number_of(w.w[2]), w.m[3], NULL, &hits);
		snprintf(name, sizeof(name), "%s_timeout", app);
		if (st == ST_OK || st == ST_TIMEOUT)
			leg_var_set(leg, name, st ? "true" : "false");
		snprintf(name, sizeof(name), "%s_hits", app);
		if (st == ST_TIMEOUT)
			leg_var_setf(leg, name, "%u", hits);
		st = st == ST_TIMEOUT ? ST_OK : told(leg, app, st);
	} else if (!st) {
		usage(leg, app, "<threshold> <hits> <timeout_ms> [<file>]");
	}
	app_words_fini(&w);
	return st;
}

int app_detect_audio(struct leg *leg, const char *data)
{
	role_assert_co();
	return detect(leg, data, "detect_audio", false);
}
int app_detect_silence(struct leg *leg, const char *data)
{
	role_assert_co();
	return detect(leg, data, "detect_silence", true);
}

/* ---- keys, flags ---- */

int app_block_dtmf(struct leg *leg, const char *data)
{
	role_assert_co();
	leg_dtmf_block(leg, true);
	return ST_OK;
}
int app_unblock_dtmf(struct leg *leg, const char *data)
{
	role_assert_co();
	leg_dtmf_block(leg, false);
	return ST_OK;
}

/* A whole picture is asked of the phone, where it has video. With a word FreeSWITCH only says when it asks by itself;
 * here a picture is asked for when one is needed, as ever. */
int app_video_refresh(struct leg *leg, const char *data)
{
	role_assert_co();
	if (data && *data)
		leg_log(leg, LOG_DEBUG, "video_refresh: %s changes nothing", data);
	else if (leg_video_refresh(leg))
		leg_log(leg, LOG_DEBUG, "video_refresh: there is no video");
	return ST_OK;
}

/* No engine of speech is kept for a call here: there is nothing to let go of. */
int app_clear_speech_cache(struct leg *leg, const char *data)
{
	role_assert_co();
	return ST_OK;
}

/* What a phone's comfort noise stands for is silence here in any case. */
int app_cng_plc(struct leg *leg, const char *data)
{
	role_assert_co();
	return ST_OK;
}
