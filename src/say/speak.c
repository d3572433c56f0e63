/* Text to speech on a leg: the text becomes a source that the finder makes a file of (prompt.c). */
#include "base/mem.h"
#include "base/status.h"
#include "core/leg/leg.h"
#include "core/run/exec.h"
#include "core/sound/play.h"
#include "say/say_i.h"
#include "text/mark.h"
#include <string.h>
#include <strings.h>

enum { TEXT_MAX = 8000 };

/* "http" goes on as "http:zh": what is spoken is shared by all legs, and none of them can be asked later. */
static ON_CTL void put_engine(struct leg *leg, const char *engine, struct buf *out)
{
	static const char plain[] = "-_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	const char *language = say_lang_of(leg, "");

	buf_adds(out, engine);
	if (!strcasecmp(engine, "http") && *language && !language[strspn(language, plain)])
		buf_printf(out, ":%s", language);
}

int speak_run(struct leg *leg, const char *engine, const char *voice, const char *text, struct leg_play_end *end)
{
	struct buf source;
	int st;

	role_assert_co();
	if (!engine || !*engine)
		engine = leg_var(leg, "tts_engine");
	if (!voice || !*voice)
		voice = leg_var(leg, "tts_voice");
	if (!text || !*text || strlen(text) > TEXT_MAX) {
		leg_log(leg, LOG_ERR,
		    text && *text ? "a text to speak has more than %d bytes" : "there is no text to speak", TEXT_MAX);
		return ST_INVAL;
	}
	buf_init(&source);
	buf_adds(&source, "tts://");
	put_engine(leg, engine ? engine : "", &source);
	buf_printf(&source, "|%s|%s", voice ? voice : "", text);
	st = leg_play_until(leg, source.p, end);
	buf_fini(&source);
	return st;
}

/* [engine|][voice|]text */
int app_speak(struct leg *leg, const char *data)
{
	struct sv parts[3] = {SV_NONE, SV_NONE, SV_NONE}, rest = sv_of(leg_exec_text(leg, data));
	char *engine = NULL, *voice = NULL, *text;
	struct leg_play_end end = {0};
	int n = 0, st;

	role_assert_co();
	if (!rest.n) {
		leg_log(leg, LOG_ERR, "Invalid Params!");
		return ST_INVAL;
	}
	while (n < 2 && sv_find(rest, '|') < rest.n)
		sv_split(rest, '|', &parts[n++], &rest);
	parts[n++] = rest;
	text = mark_strip_dup(parts[n - 1]);
	if (n == 3)
		engine = mark_strip_dup(parts[0]);
	if (n > 1)
		voice = mark_strip_dup(parts[n - 2]);
	leg_var_set(leg, "playback_terminator_used", NULL);
	st = speak_run(leg, engine, voice, text, &end);
	mem_free(engine);
	mem_free(voice);
	mem_free(text);
	return st == ST_HANGUP ? st : ST_OK;
}
