/* What the files of this room share. */
#pragma once
#include "base/str.h"
#include "core/registry/module.h"
#include "core/sound/say.h"
#include "say/say.h"

/* number.c: what the languages need of a text that is a number. */
enum { SAY_DIGITS_MAX = 15 };
struct say_number {
	bool is_negative;
	uint64_t value;     /* of the digits before the point */
	struct sv fraction; /* digits after the point; empty: none */
};
/* "-1,234.50": sign, digits with commas between them, a fraction. ST_PARSE; ST_LIMIT: more than 15 digits. */
ANY int say_number_parse(struct sv text, struct say_number *out);
/* An amount of money: everything that belongs to no number is left out ("$1,234.50"). */
ANY int say_money_parse(struct sv text, struct say_number *out);
/* "h:m:s", "m:s", or seconds. */
struct say_duration {
	uint64_t hours;
	unsigned minutes, seconds;
};
ANY int say_duration_parse(struct sv text, struct say_duration *out);
/* Seconds since 1970, "2026-11-21 12:30[:45]", "20261121123045", "12:30" (today); 0 or "now" is now. As local time in
 * args' zone. now_out may be NULL. */
ANY int say_time_parse(const struct say_args *args, struct sv text, struct tm *out, struct tm *now_out);
/* Whether SHORT_DATE_TIME says the date, or only that it was today, yesterday, a day of this week. */
enum say_day { SAY_DAY_TODAY, SAY_DAY_YESTERDAY, SAY_DAY_WEEK, SAY_DAY_YEAR, SAY_DAY_FAR };
ANY enum say_day say_day_of(const struct tm *when, const struct tm *now);

/* Adds one prompt's name to the row. */
ANY void say_add(struct buf *row, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* What no language does its own way: addresses, telephone numbers, spelling. number says 0-255 with args' method. */
typedef int (*say_count_fn)(const struct say_args *args, uint64_t n, struct buf *row);
ANY int say_ip(const struct say_args *args, struct sv text, say_count_fn number, struct buf *row);
ANY int say_telephone(struct sv text, struct buf *row);
ANY int say_spelled(struct sv text, bool is_phonetic, struct buf *row);
ANY void say_digits(struct sv digits, struct buf *row);

/* en.c, zh.c */
ANY int say_en(const struct say_args *args, struct sv text, struct buf *row);
ANY int say_zh(const struct say_args *args, struct sv text, struct buf *row);    /* money in dollars, as mod_say_zh */
ANY int say_zh_CN(const struct say_args *args, struct sv text, struct buf *row); /* money in yuan */

/* lang.c: a language of the configuration. Strings belong to the configuration, which is held until say_lang_fini. */
struct say_lang {
	char *name;
	struct config *held;
	struct xml_doc *doc;                     /* of whoever answers for the languages, or NULL: of held */
	const struct xml_node *phrases, *macros; /* NULL: not in the configuration, only its recordings are known */
	const char *module;                      /* who says numbers in it */
	const char *prefix;                      /* where its recordings are, or NULL */
	const char *tts_engine, *tts_voice;      /* or NULL */
	char *own_prefix;
};
/* "en-us" finds "en" too. ST_NOTFOUND (logged). */
ON_CTL int say_lang_find(struct leg *leg, const char *name, struct say_lang *out);
/* The same; who answers for the languages is asked for the macro first. */
CO int say_lang_ask(struct leg *leg, const char *name, const char *macro, const char *data, struct say_lang *out);
ON_CTL void say_lang_fini(struct say_lang *l);
/* Variable language, else default_language, else otherwise. */
ON_CTL const char *say_lang_of(struct leg *leg, const char *otherwise);
/* A language's sound_prefix on the leg, unless sound_prefix_enforced; and back. */
struct say_prefix {
	char *old;
	bool is_set;
};
ON_CTL void say_prefix_set(struct say_prefix *p, struct leg *leg, const char *prefix);
ON_CTL void say_prefix_restore(struct say_prefix *p, struct leg *leg);

/* run.c */
/* The row as a source: "file_string://digits/1.wav!...". */
ON_CTL void say_row_source(struct sv row, const char *ext, struct buf *out);
CO int say_run(struct leg *leg, const struct say_request *r, struct leg_play_end *end);
CO int say_run_in(struct leg *leg, const struct say_lang *l, const struct say_request *r, struct leg_play_end *end);
int app_say(struct leg *leg, const char *data);
int api_say_string(struct api_call *c);

/* phrase.c */
CO int phrase_run(struct leg *leg, const char *macro, const char *data, const char *lang, struct leg_play_end *end);
int app_phrase(struct leg *leg, const char *data);

/* speak.c */
CO int speak_run(struct leg *leg, const char *engine, const char *voice, const char *text, struct leg_play_end *end);
int app_speak(struct leg *leg, const char *data);
