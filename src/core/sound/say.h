/* Speaking to a leg: numbers and dates out of recorded words, phrase macros, text by a speech engine. The room src/say
 * does it; rooms beside it reach it here. All of them pre-answer an unanswered inbound leg, end like leg_play (end,
 * terminator digit, break, hang-up) and play by leg_play_until with end. */
#pragma once
#include "core/sound/play.h"

struct say_request {
	const char *module; /* "en", or "en:language" */
	const char *type;   /* "NUMBER" ... */
	const char *method; /* "PRONOUNCED" ... */
	const char *gender; /* or NULL */
	const char *text;
};
struct say_ops {
	int (*say)(struct leg *leg, const struct say_request *r, struct leg_play_end *end);
	int (*phrase)(struct leg *leg, const char *macro, const char *data, const char *lang, struct leg_play_end *end);
	int (*speak)(
	    struct leg *leg, const char *engine, const char *voice, const char *text, struct leg_play_end *end);
};
/* By the room that does it, while it is loaded; NULL: nobody, then all calls give ST_UNSUPPORTED. */
ON_CTL void say_ops_set(const struct say_ops *ops);

/* The application say: module NULL or without ":language" = the leg's language. ST_INVAL: no such language, type, or a
 * text that is none of its kind (logged). */
CO int leg_say(struct leg *leg, const struct say_request *r, struct leg_play_end *end);
/* The macro (or "macro@group") of phrases; data, lang may be NULL; macro and data are text with marks (text/mark.h).
 * ST_DENIED: the macro is named from outside; ST_INVAL: no such language or macro, ST_LIMIT:
 * macros within macros, six deep (logged); ST_NOTFOUND: a file of it is not there. */
CO int leg_phrase(struct leg *leg, const char *macro, const char *data, const char *lang, struct leg_play_end *end);
/* Text to speech; engine, voice NULL = variables tts_engine, tts_voice. */
CO int leg_speak(struct leg *leg, const char *engine, const char *voice, const char *text, struct leg_play_end *end);
