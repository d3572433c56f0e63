/* What an engine answers becomes FreeSWITCH's event, variables and XML. */
#include "asr/asr_i.h"
#include "base/mem.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/run/exec.h"
#include "text/json.h"
#include "text/xml.h"

#include <string.h>

enum { TEXT_MAX = 8000 };

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
	h->is_paused = h->is_done = true;
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

void asr_answer(struct hearing *h, const char *text, double confidence)
{
	struct buf out;
	buf_init(&out);
	if (*text)
		result_put(h, &out, text, confidence);
	asr_over(h, *text ? "000" : "001" /* no-match */, buf_sv(&out));
	buf_fini(&out);
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
