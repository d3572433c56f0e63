/* What a program says in JSON: the few words that are meant for us, in the forms that programs written for
 * mod_audio_stream and mod_audio_fork use; all others are only told on. */
#include "base/mem.h"
#include "bot/bot_i.h"
#include "text/base64.h"
#include "text/json.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *text_of(json_t *object, const char *key)
{
	const char *v = json_string_value(json_object_get(object, key));
	return v ? v : "";
}

static int sound_read(json_t *o, struct bot_words *out)
{
	json_t *data = json_object_get(o, "data"), *from = json_is_object(data) ? data : o;
	const char *type = text_of(from, "audioDataType"), *text = text_of(from, "audioData");
	json_t *rate = json_object_get(from, "sampleRate");
	if (!*text)
		text = text_of(from, "audioContent");
	if (!*type)
		type = text_of(from, "audioContentType");
	if (*type && strcasecmp(type, "raw") != 0)
		return ST_UNSUPPORTED; /* a whole file: told on only */
	json_int_t hz = json_is_string(rate) ? strtol(json_string_value(rate), NULL, 10) : json_integer_value(rate);
	out->rate_hz = hz >= 8000 && hz <= 64000 ? (uint32_t)hz : 0;
	return base64_decode(&out->sound, sv_of(text));
}

int bot_words_read(struct sv text, struct bot_words *out)
{
	static const struct {
		const char *type;
		enum bot_word word;
	} table[] = {{"clear", BOT_WORD_CLEAR}, {"killAudio", BOT_WORD_CLEAR}, {"mark", BOT_WORD_MARK},
	    {"streamAudio", BOT_WORD_SOUND}, {"playAudio", BOT_WORD_SOUND}, {"dtmf", BOT_WORD_DIGITS},
	    {"disconnect", BOT_WORD_BYE}};
	json_t *o;
	*out = (struct bot_words){.word = BOT_WORD_OTHER};
	buf_init(&out->sound);
	if (json_parse(&o, text, BOT_TEXT_MAX, NULL))
		return ST_PARSE;
	const char *type = text_of(o, "type");
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (!strcmp(type, table[i].type))
			out->word = table[i].word;
	if (out->word == BOT_WORD_MARK)
		snprintf(out->name, sizeof(out->name), "%s",
		    text_of(json_object_get(o, "name") ? o : json_object_get(o, "data"), "name"));
	if (out->word == BOT_WORD_DIGITS)
		snprintf(out->name, sizeof(out->name), "%s", text_of(o, "digits"));
	if (out->word == BOT_WORD_DIGITS && strspn(out->name, "0123456789*#ABCDabcdwW") != strlen(out->name))
		out->word = BOT_WORD_OTHER;
	if (out->word == BOT_WORD_SOUND && sound_read(o, out))
		out->word = BOT_WORD_OTHER;
	bool is_object = json_is_object(o);
	json_decref(o);
	return is_object ? ST_OK : ST_PARSE;
}

void bot_words_fini(struct bot_words *w)
{
	buf_fini(&w->sound);
}

void bot_mark_put(struct buf *out, const char *name, bool is_played, uint64_t played_ms)
{
	struct json_writer w;
	jw_init(&w, out, false);
	jw_begin_object(&w);
	jw_kv_str(&w, "type", "mark");
	jw_kv_str(&w, "name", name);
	jw_kv_str(&w, "status", is_played ? "played" : "cleared");
	jw_kv_int(&w, "played_ms", (int64_t)played_ms);
	jw_end_object(&w);
}
