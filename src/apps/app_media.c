/* Applications that make or take sound: sleep, echo, playback, tones, record, digits. The media threads do the work;
 * here it is only set up and waited for. */
#include "apps/apps_i.h"
#include "base/clock.h"
#include "base/mem.h"
#include "core/keys/dtmf.h"
#include "core/leg/leg.h"
#include "core/run/exec.h"
#include "core/sound/media.h"
#include "core/sound/play.h"
#include "core/sound/record.h"
#include "core/value/cause.h"
#include "core/value/vars.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Sound needs an answered or pre-answered leg. */
static ON_CTL int make_ready(struct leg *leg)
{
	int st = leg->is_answered || leg->is_early ? ST_OK : leg_pre_answer(leg);

	if (st == ST_OK && !leg_media_stream(leg))
		st = ST_UNSUPPORTED;
	return st;
}

enum { SLEEP_MAX_MS = INT32_MAX }; /* 24 days */

int app_sleep(struct leg *leg, const char *data)
{
	int64_t ms = str_number(data, 0, SLEEP_MAX_MS);

	role_assert_co();
	if (ms <= 0) {
		leg_log(leg, LOG_ERR, "sleep: '%s' is no number of milliseconds", data ? data : "");
		return ST_INVAL;
	}
	if (leg_var_is_true(leg, "sleep_eat_digits"))
		leg_dtmf_flush(leg);
	leg_idle_sound_begin(leg);
	int st = leg_sleep(leg, clock_us_of_ms(ms));
	leg_idle_sound_end(leg);
	return st;
}

static ON_CTL int echo_with_delay(struct leg *leg, unsigned delay_ms)
{
	int st = make_ready(leg);

	if (st == ST_OK)
		st = mstream_echo(leg_media_stream(leg), delay_ms);
	if (st == ST_OK)
		leg_lines_echo(leg);
	return st == ST_OK ? APP_DETACHED : st;
}

int app_echo(struct leg *leg, const char *data)
{
	role_assert_co();
	return echo_with_delay(leg, 0);
}

int app_delay_echo(struct leg *leg, const char *data)
{
	long ms = data ? strtol(data, NULL, 10) : 0;

	role_assert_co();
	return echo_with_delay(leg, ms < 20 ? 1000 : ms > 60000 ? 60000 : (unsigned)ms);
}

/* What came of it, as FreeSWITCH words it. */
static CO int play_told(struct leg *leg, int st)
{
	leg_exec_response(leg, st == ST_OK || st == ST_CANCELLED ? "FILE PLAYED"
	                       : st == ST_NOTFOUND               ? "FILE NOT FOUND"
	                                                         : "PLAYBACK ERROR");
	return st == ST_HANGUP ? st : ST_OK;
}

/* loops < 0: for ever. playback_timeout_sec is for each of them. */
static CO int play_loops(struct leg *leg, const char *path, int64_t loops)
{
	char digit = 0;
	struct buf source;
	int st = ST_OK;

	if (leg_play_is_limited(leg)) {
		while (!st && !digit && (loops < 0 || loops-- > 0))
			st = leg_play(leg, path, NULL, &digit);
		return play_told(leg, st);
	}
	buf_init(&source);
	buf_printf(&source, "{loops=%lld}%s", (long long)loops, path);
	st = leg_play(leg, source.p, NULL, NULL);
	buf_fini(&source);
	return play_told(leg, st);
}

int app_playback(struct leg *leg, const char *data)
{
	role_assert_co();
	if (!data || !*data) {
		leg_log(leg, LOG_ERR, "playback: no file given");
		return ST_INVAL;
	}
	return play_told(leg, leg_play(leg, leg_exec_text(leg, data), NULL, NULL));
}

int app_endless_playback(struct leg *leg, const char *data)
{
	role_assert_co();
	if (!data || !*data)
		return ST_INVAL;
	return play_loops(leg, leg_exec_text(leg, data), -1);
}

/* [+loops] path; without a number once */
int app_loop_playback(struct leg *leg, const char *data)
{
	struct sv path = sv_trim(sv_of(leg_exec_text(leg, data))), word;
	int64_t loops = 1;

	role_assert_co();
	if (path.n && path.p[0] == '+') {
		sv_split(sv_sub(path, 1, path.n), ' ', &word, &path);
		path = sv_trim(path);
		if (sv_i64(word, &loops) || loops > 1000000)
			return ST_INVAL;
	}
	if (!path.n) {
		leg_log(leg, LOG_ERR, "loop_playback: usage: [+loops] <path>");
		return ST_INVAL;
	}
	char *own = sv_dup(path);
	int st = own ? play_loops(leg, own, loops) : ST_NOMEM;
	mem_free(own);
	return st;
}

/* tgml[|loops] */
int app_gentones(struct leg *leg, const char *data)
{
	struct sv tones, loops;
	struct buf source;
	int st;

	role_assert_co();
	if (!data || !*data)
		return ST_INVAL;
	sv_split(sv_of(leg_exec_text(leg, data)), '|', &tones, &loops);
	buf_init(&source);
	if (loops.n)
		buf_printf(&source, "{loops=%.*s}", SVF(loops));
	buf_printf(&source, "tone_stream://%.*s", SVF(tones));
	st = leg_play(leg, source.p, NULL, NULL);
	buf_fini(&source);
	return st == ST_HANGUP ? st : ST_OK;
}

/* path [limit_s] [thresh] [silence_hits]; what FreeSWITCH calls hits are seconds under the threshold, 3 unless given */
int app_record(struct leg *leg, const char *data)
{
	struct sv rest = sv_trim(sv_of(leg_exec_text(leg, data))), word[4] = {SV_NONE, SV_NONE, SV_NONE, SV_NONE};
	struct media_record_conf conf = {.has_read = true};
	uint32_t number[4] = {0, 0, 0, 0};
	const char *rate;
	char *path;
	int st, i;

	role_assert_co();
	for (i = 0; i < 4 && rest.n; i++) {
		sv_split(rest, ' ', &word[i], &rest);
		rest = sv_trim(rest);
		if (i > 0)
			sv_u32(sv_sub(word[i], sv_starts(word[i], SV("+")), word[i].n), &number[i]);
	}
	if (!word[0].n) {
		leg_log(leg, LOG_ERR, "record: usage: <path> [<time_limit_secs>] [<silence_thresh>] [<silence_hits>]");
		return ST_INVAL;
	}
	st = make_ready(leg);
	if (st)
		return st;
	conf.limit_ms = number[1] > 4000000 ? 0 : clock_ms_of_s(number[1]);
	conf.silence_level = number[2];
	conf.silence_ms = number[2] ? clock_ms_of_s(number[3] && number[3] < 4000000 ? number[3] : 3) : 0;
	conf.is_append = leg_var_is_true(leg, "record_append") || leg_var_is_true(leg, "RECORD_APPEND");
	rate = vars_get(leg->vars, "record_rate");
	if (rate && atoi(rate) >= 8000 && atoi(rate) <= 48000)
		conf.rate_hz = (uint32_t)atoi(rate);
	for (i = 0; i < MEDIA_TAG_COUNT; i++)
		conf.tags[i] = vars_get(leg->vars, record_tag_variable((enum media_tag)i));
	path = sv_dup(word[0]);
	st = leg_record(leg, path, &conf, NULL);
	mem_free(path);
	if (st && st != ST_CANCELLED && st != ST_IO && leg_is_up(leg)) /* as FreeSWITCH where there is no file */
		leg_hangup(leg, CAUSE_DESTINATION_OUT_OF_ORDER);
	return st == ST_HANGUP ? st : ST_OK;
}

int app_send_dtmf(struct leg *leg, const char *data)
{
	role_assert_co();
	if (!data || !*data)
		return ST_INVAL;
	return leg_dtmf_send(leg, data);
}

int app_flush_dtmf(struct leg *leg, const char *data)
{
	role_assert_co();
	leg_dtmf_flush(leg);
	return ST_OK;
}
