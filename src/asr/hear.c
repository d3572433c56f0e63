/* A leg that is listened to: its sound comes through a port's ring, 60 ms at a time; a voice detector finds where
 * speech begins and ends; the utterance (with what came 300 ms before) goes to the engine as a wav file by POST; the
 * answer is an event and a variable. After a result, or silence for too long, it waits to be resumed. Everything is
 * bounded: the ring, the utterance, the time of the engine; an engine that never answers costs its call one timeout.
 *
 *   media thread -> ring -> tick (voice?) -> speech -> fetch -> DETECTED_SPEECH */
#include "asr/asr_i.h"
#include "base/clock.h"
#include "base/mem.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/run/exec.h"
#include "core/sound/media.h"
#include "core/sound/tap.h"
#include "dsp/vad.h"
#include "fetch/fetch.h"
#include "loop/loop.h"
#include "media/rt/port.h"
#include "media/rt/rt.h"
#include "text/json.h"
#include "text/xml.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
	TICK_US = 60000,
	RING_MS = 2000,
	BEFORE_MS = 300,
	BLOCK_MS = 10,
	BLOCK_MAX = 480,
	WAV_HEADER = 44,
	TEXT_MAX = 8000,
	ANSWER_MAX = 64 << 10,
	MS_MAX = 600000,
	GRAMMAR_MAX = 200
};
struct hearing {
	struct leg *leg;
	struct asr_conf conf;
	char *grammar;
	struct media_port *port;
	uint32_t tap_id, rate_hz;
	struct ltimer timer;
	struct vad vad;
	struct buf speech; /* int16 samples: before it begins what may belong to it */
	struct fetch *fetch;
	int64_t since_us; /* of no input; 0: not counted */
	bool is_speaking, is_paused, is_done;
};
struct asr_of_leg {
	struct hearing *h;
};

static struct asr_of_leg *of(struct leg *leg)
{
	return leg_part_of(leg, &asr_part);
}

static ON_CTL int64_t param_number(const char *name, int64_t low, int64_t high, int64_t otherwise)
{
	int64_t n = str_number(asr_param(name), low, high);
	return n >= low && n <= high ? n : otherwise;
}

void asr_conf_default(struct asr_conf *c)
{
	*c = (struct asr_conf){.no_input_ms = (uint32_t)param_number("no-input-timeout", 0, MS_MAX, 5000),
	    .speech_ms = (uint32_t)param_number("recognition-timeout", 500, 60000, 20000)};
}

bool asr_conf_set(struct asr_conf *c, const char *name, const char *value)
{
	int64_t n = str_number(value, -1, MS_MAX);
	if (!strcasecmp(name, "start-input-timers"))
		c->waits_for_timers = !str_is_true(value);
	else if (!strcasecmp(name, "no-input-timeout") && n >= 0 && n <= MS_MAX)
		c->no_input_ms = (uint32_t)n;
	else if ((!strcasecmp(name, "recognition-timeout") || !strcasecmp(name, "speech-timeout")) && n >= 500 &&
	         n <= 60000)
		c->speech_ms = (uint32_t)n;
	else
		return false;
	return true;
}

/* ---- what is told ---- */

static ON_CTL void fire(struct leg *leg, const char *type, const char *cause, struct sv body)
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

static ON_CTL void over(struct hearing *h, const char *cause, struct sv body)
{
	char *text = sv_dup(body);
	h->is_paused = h->is_done = true;
	h->is_speaking = false;
	h->since_us = 0;
	leg_var_set(h->leg, "detect_speech_result", text);
	leg_var_set(h->leg, "detect_speech_cause", cause);
	fire(h->leg, "detected-speech", cause, body);
	mem_free(text);
	leg_wake(h->leg);
}

/* {"text": "...", "confidence": 0..1} as FreeSWITCH's engines tell it. False: there is no text. */
static ON_CTL bool answer_read(struct hearing *h, struct sv json, struct buf *out, bool *is_empty)
{
	char error[JSON_ERROR_CHARS];
	json_t *root = NULL;
	*is_empty = false;
	if (json_parse(&root, json, ANSWER_MAX, error)) {
		leg_log(h->leg, LOG_ERR, "speech engine: its answer is no JSON: %s", error);
		return false;
	}
	const char *text = json_string_value(json_object_get(root, "text"));
	json_t *sure = json_object_get(root, "confidence");
	double part = json_is_number(sure) ? json_number_value(sure) : 1;
	if (!text)
		leg_log(h->leg, LOG_ERR, "speech engine: its answer has no \"text\"");
	*is_empty = text && !*text;
	if (text && *text) {
		size_t n = strlen(text);
		buf_printf(out, "<interpretation grammar=\"");
		(void)xml_escape(out, sv_of(h->grammar), true);
		buf_printf(out, "\" confidence=\"%d\">\n  <input mode=\"speech\">",
		    (int)(100 * (part < 0      ? 0
		                    : part > 1 ? 1
		                               : part) +
		          0.5));
		(void)xml_escape(out, (struct sv){text, n < TEXT_MAX ? n : TEXT_MAX}, false);
		buf_adds(out, "</input>\n</interpretation>\n");
	}
	json_decref(root);
	return out->n > 0;
}

static void answered(const struct fetch_result *r, void *arg)
{
	role_assert_ctl();
	struct hearing *h = arg;
	struct buf out;
	bool is_empty = false;
	h->fetch = NULL;
	buf_init(&out);
	if (r->status || r->code != 200) {
		leg_log(h->leg, LOG_ERR, "speech engine: %s (%d)", r->status ? r->error : "it refused", r->code);
		over(h, "006", SV_NONE); /* recognizer-error */
	} else if (answer_read(h, r->body, &out, &is_empty)) {
		over(h, "000", buf_sv(&out));
	} else {
		over(h, is_empty ? "001" : "006", SV_NONE); /* no-match */
	}
	buf_fini(&out);
}

/* ---- the utterance ---- */

static void le(uint8_t *p, uint32_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static void wav_header(uint8_t p[WAV_HEADER], uint32_t rate_hz, uint32_t bytes)
{
	memcpy(p, "RIFF....WAVEfmt ", 16);
	le(p + 4, bytes + WAV_HEADER - 8, 4);
	le(p + 16, 16, 4), le(p + 20, 1, 2), le(p + 22, 1, 2);
	le(p + 24, rate_hz, 4), le(p + 28, rate_hz * 2, 4), le(p + 32, 2, 2), le(p + 34, 16, 2);
	memcpy(p + 36, "data", 4);
	le(p + 40, bytes, 4);
}

static ON_CTL void ask(struct hearing *h)
{
	struct buf body, headers;
	uint8_t wav[WAV_HEADER];
	h->is_speaking = false, h->is_paused = true;
	buf_init(&body);
	buf_init(&headers);
	wav_header(wav, h->rate_hz, (uint32_t)h->speech.n);
	buf_add(&body, wav, sizeof(wav));
	buf_addv(&body, buf_sv(&h->speech));
	buf_printf(
	    &headers, "X-Call-UUID: %s\r\nX-Grammar: %s\r\nAccept: application/json\r\n", h->leg->uuid, h->grammar);
	if (*asr_param("authorization"))
		buf_printf(&headers, "Authorization: %s\r\n", asr_param("authorization"));
	struct fetch_params p = {.url = asr_param("url"),
	    .headers = headers.p,
	    .ctype = "audio/wav",
	    .body = buf_sv(&body),
	    .timeout_ms = param_number("timeout", 100, MS_MAX, 10000),
	    .max_bytes = ANSWER_MAX,
	    .allows_http = true,
	    .allows_inside = true};
	int st = body.failed || headers.failed ? ST_NOMEM : fetch_start(&h->fetch, &p, answered, h);
	buf_fini(&body);
	buf_fini(&headers);
	buf_clear(&h->speech);
	if (st) {
		leg_log(h->leg, LOG_ERR, "speech engine: %s", status_text(st));
		over(h, "006", SV_NONE);
	}
}

static ON_CTL void block_heard(struct hearing *h, const int16_t *pcm, size_t n)
{
	size_t before = (size_t)h->rate_hz * BEFORE_MS / 1000 * sizeof(*pcm),
	       most = (size_t)((uint64_t)h->rate_hz * h->conf.speech_ms / 1000) * sizeof(*pcm);
	bool has_changed = vad_feed(&h->vad, pcm, n);
	if (buf_add(&h->speech, pcm, n * sizeof(*pcm)))
		return;
	if (has_changed && h->vad.is_talking && !h->is_speaking) {
		h->is_speaking = true;
		fire(h->leg, "begin-speaking", NULL, SV_NONE);
		leg_wake(h->leg);
	} else if (h->is_speaking && ((has_changed && !h->vad.is_talking) || h->speech.n >= most)) {
		ask(h);
	} else if (!h->is_speaking && h->speech.n > before) {
		buf_drop(&h->speech, h->speech.n - before);
	}
}

static void tick(void *arg)
{
	role_assert_ctl();
	struct hearing *h = arg;
	struct rt_ring *r = h->port->out;
	int16_t block[BLOCK_MAX];
	size_t n = h->rate_hz * BLOCK_MS / 1000;
	uint64_t at = atomic_load_explicit(&r->read, memory_order_relaxed),
	         written = atomic_load_explicit(&r->written, memory_order_acquire);
	for (; written - at >= n * sizeof(*block); at += n * sizeof(*block)) {
		rt_ring_copy(r, at, block, n * sizeof(*block));
		if (!h->is_paused)
			block_heard(h, block, n);
	}
	atomic_store_explicit(&r->read, at, memory_order_release);
	if (!h->is_paused && !h->is_speaking && h->since_us && h->conf.no_input_ms &&
	    clock_mono_us() - h->since_us >= clock_us_of_ms(h->conf.no_input_ms))
		over(h, "002", SV_NONE); /* no-input-timeout */
	loop_timer_set(&h->timer, TICK_US, "asr.tick", tick, h);
}

/* ---- its life ---- */

static ON_CTL void hearing_free(struct hearing *h)
{
	loop_timer_cancel(&h->timer);
	fetch_cancel(h->fetch);
	if (h->tap_id && leg_media_stream(h->leg))
		(void)mstream_tap_stop(leg_media_stream(h->leg), h->tap_id);
	of(h->leg)->h = NULL;
	mem_unref(h->port);
	buf_fini(&h->speech);
	mem_free(h->grammar);
	mem_free(h);
}

static ON_CTL void begin_anew(struct hearing *h)
{
	vad_init(&h->vad, h->rate_hz);
	buf_clear(&h->speech);
	fetch_cancel(h->fetch);
	h->fetch = NULL;
	h->is_paused = h->is_done = h->is_speaking = false;
	h->since_us = h->conf.waits_for_timers ? 0 : clock_mono_us();
}

/* Printable ASCII only: it goes into a header. */
static char *grammar_dup(const char *text)
{
	struct buf b;
	buf_init(&b);
	for (; text && *text && b.n < GRAMMAR_MAX; text++)
		buf_addc(&b, *text >= ' ' && *text <= '~' ? *text : '?');
	return buf_take(&b);
}

int asr_start(struct leg *leg, const char *engine, const struct asr_conf *conf)
{
	struct mstream *s = leg_media_stream(leg);
	if (of(leg)->h)
		return ST_EXISTS;
	if (strcasecmp(engine, "http") || !*asr_param("url"))
		return ST_INVAL;
	if (!s || !leg_media_is_ready(leg))
		return ST_UNSUPPORTED;
	struct hearing *h = mem_zalloc(sizeof(*h));
	if (!h)
		return ST_NOMEM;
	h->leg = leg, h->conf = *conf, h->conf.grammar = NULL;
	h->rate_hz = param_number("rate", 8000, 16000, 8000) == 16000 ? 16000 : 8000;
	buf_init(&h->speech);
	h->grammar = grammar_dup(conf->grammar);
	struct media_port_conf port = {.rate_hz = h->rate_hz, .hears_read = true, .out_ms = RING_MS};
	int st = media_port_new(&h->port, &port);
	if (!st)
		st = mstream_port(s, h->port, &h->tap_id);
	of(leg)->h = h;
	if (st) {
		hearing_free(h);
		return st;
	}
	begin_anew(h);
	leg_var_set(leg, "detect_speech_result", NULL);
	loop_timer_set(&h->timer, TICK_US, "asr.tick", tick, h);
	return ST_OK;
}

int asr_stop(struct leg *leg)
{
	struct hearing *h = of(leg)->h;
	if (!h)
		return ST_NOTFOUND;
	hearing_free(h);
	fire(leg, "closed", NULL, SV_NONE);
	leg_wake(leg);
	return ST_OK;
}

int asr_pause(struct leg *leg, bool is_paused)
{
	struct hearing *h = of(leg)->h;
	if (!h)
		return ST_NOTFOUND;
	if (is_paused)
		h->is_paused = true;
	else
		begin_anew(h);
	return ST_OK;
}

int asr_timers_start(struct leg *leg)
{
	struct hearing *h = of(leg)->h;
	if (h && !h->is_paused && !h->since_us)
		h->since_us = clock_mono_us();
	return h ? ST_OK : ST_NOTFOUND;
}

bool asr_is_speaking(struct leg *leg)
{
	const struct hearing *h = of(leg)->h;
	return h && (h->is_speaking || h->fetch || h->is_done);
}

bool asr_is_done(struct leg *leg)
{
	const struct hearing *h = of(leg)->h;
	return !h || h->is_done;
}

static void part_close(struct leg *leg)
{
	role_assert_ctl();
	if (of(leg)->h)
		(void)asr_stop(leg);
}

struct leg_part asr_part = {.name = "asr", .bytes = sizeof(struct asr_of_leg), .on_close = part_close};
