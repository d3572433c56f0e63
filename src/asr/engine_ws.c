/* The sound goes to a program as it is said, over the WebSocket connections of voice bots (bot/bot.h), which make
 * themselves anew when they break. Who speaks is found here as for the other engines, so that a prompt ends at once and
 * silence is counted whatever the program does; it is told when an utterance is over, and may answer before. */
#include "asr/asr_i.h"
#include "bot/bot.h"
#include "core/leg/leg.h"
#include "text/json.h"

#include <string.h>
#include <strings.h>

#define STREAM_NAME "detect_speech"

static uint32_t ws_rate(const char *name, const struct recogniser **r)
{
	role_assert_ctl();
	if (strcasecmp(name, "ws") || !*asr_param("stream-url"))
		return 0;
	return asr_param_number("rate", 8000, 16000, 8000) == 16000 ? 16000 : 8000;
}

static ON_CTL void say(struct hearing *h, const char *text)
{
	(void)bot_say(h->leg, STREAM_NAME, text);
}

/* {"type":"start","utterance":1,"uuid":...,"grammar":...,"rate":8000}: what comes from now on is one utterance. */
static ON_CTL void start_put(struct hearing *h, struct buf *out)
{
	struct json_writer w;
	jw_init(&w, out, false);
	jw_begin_object(&w);
	jw_kv_str(&w, "type", "start");
	jw_kv_int(&w, "utterance", ++h->utterance);
	jw_kv_str(&w, "uuid", h->leg->uuid);
	jw_kv_str(&w, "grammar", h->grammar);
	jw_kv_int(&w, "rate", h->rate_hz);
	jw_end_object(&w);
}

/* ---- what the program says ---- */

static void on_words(void *arg, struct sv text)
{
	struct hearing *h = arg;
	json_t *root = NULL;
	role_assert_ctl();
	if (h->is_done || json_parse(&root, text, ASR_ANSWER_MAX, NULL))
		return; /* late; no JSON is not for us */
	const char *type = json_string_value(json_object_get(root, "type")),
	           *error = json_string_value(json_object_get(root, "error"));
	bool has_text = json_object_get(root, "text");
	json_t *about = json_object_get(root, "utterance");
	if (json_is_integer(about) && json_integer_value(about) != h->utterance) {
		json_decref(root);
		return; /* the answer to an earlier one, that was not waited for */
	}
	if (error) {
		leg_log(h->leg, LOG_ERR, "speech engine: %.200s", error);
		asr_over(h, "006", SV_NONE);
	} else if (has_text) {
		asr_answer_json(h, text);
	} else if (type && !strcmp(type, "begin")) {
		asr_begin_speaking(h);
	}
	json_decref(root);
}

static void on_state(void *arg, bool is_up, const char *why)
{
	struct hearing *h = arg;
	role_assert_ctl();
	h->is_connected = is_up;
	if (!is_up && h->is_asked) {
		leg_log(h->leg, LOG_ERR, "speech engine: %s", why);
		asr_over(h, "006", SV_NONE);
	}
}

/* ---- the engine ---- */

static int ws_open(struct hearing *h)
{
	static const struct bot_ear ear = {on_words, on_state};
	struct buf hello;
	const char *why = "out of memory";
	role_assert_ctl();
	buf_init(&hello);
	start_put(h, &hello);
	struct bot_start s = {.name = STREAM_NAME,
	    .url = asr_param("stream-url"),
	    .hello = hello.p,
	    .rate_hz = h->rate_hz,
	    .authorization = asr_param("authorization"),
	    .ear = &ear,
	    .ear_arg = h};
	int st = hello.failed ? ST_NOMEM : bot_start(h->leg, &s, &why);
	buf_fini(&hello);
	if (st)
		leg_log(h->leg, LOG_ERR, "speech engine: %s", why);
	return st;
}

static void ws_close(struct hearing *h)
{
	role_assert_ctl();
	(void)bot_stop(h->leg, STREAM_NAME, NULL);
}

static void ws_listen(struct hearing *h)
{
	struct buf text;
	role_assert_ctl();
	buf_init(&text);
	start_put(h, &text);
	if (!text.failed)
		say(h, text.p);
	buf_fini(&text);
	(void)bot_pause(h->leg, STREAM_NAME, false);
}

static void ws_rest(struct hearing *h)
{
	role_assert_ctl();
	(void)bot_pause(h->leg, STREAM_NAME, true);
}

static int ws_ask(struct hearing *h)
{
	role_assert_ctl();
	if (!h->is_connected)
		return ST_CLOSED;
	say(h, "{\"type\":\"end\"}");
	return ST_OK;
}

static void ws_cancel(struct hearing *h)
{
	role_assert_ctl();
	say(h, "{\"type\":\"cancel\"}");
}

const struct asr_engine asr_ws = {.rate_hz = ws_rate,
    .open = ws_open,
    .close = ws_close,
    .listen = ws_listen,
    .rest = ws_rest,
    .ask = ws_ask,
    .cancel = ws_cancel,
    .is_streamed = true,
    .is_timed = true};
