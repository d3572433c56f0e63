/* What an engine answers becomes FreeSWITCH's event, variables and XML. */
#include "asr/asr_i.h"
#include "base/mem.h"
#include "core/event/event.h"
#include "core/keys/dtmf.h"
#include "core/leg/leg.h"
#include "core/run/exec.h"
#include "text/json.h"
#include "text/xml.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { TEXT_MAX = 8000, DIGITS_MAX = 64 };

void asr_fire(struct leg *leg, const char *type, const char *cause, struct sv body)
{
	struct event *e = event_is_wanted(EVENT_DETECTED_SPEECH, NULL) ? event_new(EVENT_DETECTED_SPEECH, NULL) : NULL;
	if (!e)
		return;
	event_add(e, "Speech-Type", type);
	if (cause)
		event_add(e, "Completion-Cause", cause);
	leg_event_headers(leg, e);
	if (body.n)
		event_set_body(e, body);
	event_fire(e);
}

void asr_over(struct hearing *h, const char *cause, struct sv body)
{
	char *text = sv_dup(body);
	h->is_paused = h->is_done = h->has_result = true;
	h->is_speaking = h->is_asked = false;
	h->since_us = 0;
	if (h->engine->rest)
		h->engine->rest(h);
	leg_var_set(h->leg, "detect_speech_result", NULL); /* it may be refused: the one before is not it */
	leg_var_set(h->leg, "detect_speech_result", text);
	leg_var_set(h->leg, "detect_speech_cause", cause);
	asr_fire(h->leg, "detected-speech", cause, body);
	mem_free(text);
	leg_wake(h->leg);
}

static double part_of_one(double v)
{
	return v < 0 ? 0 : v > 1 ? 1 : v;
}

static ON_CTL void result_put(struct hearing *h, struct buf *out, const char *text, double confidence)
{
	size_t n = strlen(text);
	buf_adds(out, "<interpretation grammar=\"");
	(void)xml_escape(out, sv_of(h->grammar), true);
	buf_printf(out, "\" confidence=\"%d\">\n  <input mode=\"speech\">", (int)(100 * part_of_one(confidence) + 0.5));
	(void)xml_escape(out, (struct sv){text, n < TEXT_MAX ? n : TEXT_MAX}, false);
	buf_adds(out, "</input>\n</interpretation>\n");
}

/* The digits in what was said, the words for # and *, and the letters A to D where one stands alone (in FreeSWITCH any
 * letter of a word counts that could be a key). */
static size_t digits_of(const char *text, char out[DIGITS_MAX])
{
	static const struct {
		const char *word;
		char digit;
	} words[] = {{"pound", '#'}, {"hash", '#'}, {"star", '*'}, {"asterisk", '*'}};
	size_t n = 0;
	while (*text && n < DIGITS_MAX) {
		size_t letters = 0;
		while (isalpha((unsigned char)text[letters]))
			letters++;
		if (!letters && (isdigit((unsigned char)*text) || *text == '#' || *text == '*'))
			out[n++] = *text;
		if (letters == 1 && strchr("ABCD", toupper((unsigned char)*text)))
			out[n++] = (char)toupper((unsigned char)*text);
		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]) && n < DIGITS_MAX; i++)
			if (letters == strlen(words[i].word) && !strncasecmp(text, words[i].word, letters))
				out[n++] = words[i].digit;
		text += letters ? letters : 1;
	}
	return n;
}

/* asr_intercept_dtmf: what was said counts as keys, and it goes on listening. */
static ON_CTL void keys_take(struct leg *leg, const char *text)
{
	char digits[DIGITS_MAX];
	size_t n = digits_of(text, digits);
	mem_ref(leg);
	for (size_t i = 0; i < n && leg_is_up(leg); i++)
		leg_dtmf_received(leg, digits[i], 0, DTMF_INBAND);
	if (leg_is_up(leg))
		(void)asr_pause(leg, false);
	mem_unref(leg);
}

void asr_answer(struct hearing *h, const char *text, double confidence)
{
	struct leg *leg = h->leg;
	struct buf out;
	buf_init(&out);
	if (*text)
		result_put(h, &out, text, confidence);
	asr_over(h, *text ? "000" : "001" /* no-match */, buf_sv(&out));
	buf_fini(&out);
	if (*text && leg_var_is_true(leg, "asr_intercept_dtmf"))
		keys_take(leg, text);
}

static ON_CTL void partly(struct hearing *h, const char *text, double confidence)
{
	struct buf out;
	buf_init(&out);
	result_put(h, &out, text, confidence);
	asr_fire(h->leg, "detected-partial-speech", NULL, buf_sv(&out));
	buf_fini(&out);
}

void asr_answer_json(struct hearing *h, struct sv json)
{
	char error[JSON_ERROR_CHARS];
	json_t *root = NULL;
	if (json_parse(&root, json, ASR_ANSWER_MAX, error)) {
		leg_log(h->leg, LOG_ERR, "speech engine: its answer is no JSON: %s", error);
		asr_over(h, "006", SV_NONE);
		return;
	}
	const char *text = json_string_value(json_object_get(root, "text"));
	json_t *sure = json_object_get(root, "confidence");
	double confidence = json_is_number(sure) ? json_number_value(sure) : 1;
	if (text && h->engine->is_streamed && json_is_false(json_object_get(root, "final"))) {
		partly(h, text, confidence);
	} else if (text) {
		asr_answer(h, text, confidence);
	} else {
		leg_log(h->leg, LOG_ERR, "speech engine: its answer has no \"text\"");
		asr_over(h, "006", SV_NONE); /* recognizer-error */
	}
	json_decref(root);
}
