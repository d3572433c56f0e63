/* Recognising speech (detect_speech, play_and_detect_speech). One recogniser a leg. docs/speech.md.
 *
 *   media thread -> ring -> hear.c: voice? -> engine -> answer.c -> DETECTED_SPEECH, variables
 *
 *   engine_http.c    takes whole utterances by POST
 *   engine_ws.c      gets the sound as it is said, over a WebSocket (bot/bot.h)
 *   engine_worker.c  recognisers of modules (core/registry/recogniser.h): whole utterances, on a worker */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"
#include "core/leg/part.h"
#include "dsp/vad.h"
#include "loop/loop.h"

struct fetch;
struct leg;
struct asr_job;
struct recogniser;
enum { ASR_PARAMS_MAX = 16, ASR_ANSWER_MAX = 64 << 10, ASR_MS_MAX = 600000 };
struct asr_conf {
	uint32_t no_input_ms;  /* 0 = none */
	uint32_t speech_ms;    /* what is longer is recognised as far as it goes */
	bool waits_for_timers; /* no_input_ms counts from asr_timers_start on */
	const char *grammar;   /* told to the engine; copied */
};
extern struct leg_part asr_part;
ON_CTL const char *asr_param(const char *name);
ON_CTL int64_t asr_param_number(const char *name, int64_t low, int64_t high, int64_t otherwise);
ON_CTL void asr_conf_default(struct asr_conf *c);
/* False: no such parameter, or a value that it cannot have. */
ON_CTL bool asr_conf_set(struct asr_conf *c, const char *name, const char *value);
/* Listens; what that engine listened to before is over, and a recogniser that is open goes on to be used. ST_INVAL: no
 * engine of that name, or not configured; ST_UNSUPPORTED: the codec cannot be decoded. */
ON_CTL int asr_start(struct leg *leg, const char *engine, const struct asr_conf *conf);
/* Opens a recogniser that listens once it gets a grammar; nothing where there is one. As asr_start. */
ON_CTL int asr_init(struct leg *leg, const char *engine);
ON_CTL int asr_stop(struct leg *leg);                  /* ST_NOTFOUND */
ON_CTL int asr_pause(struct leg *leg, bool is_paused); /* resumed: as begun anew */
ON_CTL int asr_timers_start(struct leg *leg);
/* Of a leg that is listened to. ST_NOTFOUND: it is not; ST_PARSE: asr_conf_set says no. */
ON_CTL int asr_param_set(struct leg *leg, const char *name, const char *value);
ON_CTL int asr_grammar_set(struct leg *leg, const char *name); /* from the next utterance on; "" = none */
ON_CTL bool asr_is_speaking(struct leg *leg);                  /* or has spoken: the prompt ends */
ON_CTL bool asr_is_done(struct leg *leg); /* there is a result since asr_start, or nothing that could bring one */

/* ---- within the room ---- */
struct hearing;
struct asr_engine {
	/* The rate it wants; 0: it is not configured, or there is none of this name. */
	uint32_t (*rate_hz)(const char *name, const struct recogniser **r);
	int (*open)(struct hearing *h);    /* it listens from now on; NULL: nothing to be done */
	void (*close)(struct hearing *h);  /* NULL: the same */
	void (*listen)(struct hearing *h); /* anew, after a result; NULL */
	void (*rest)(struct hearing *h);   /* paused, or there is a result; NULL */
	int (*ask)(struct hearing *h); /* the utterance is over; an answer follows, or asr_over. Not ST_OK: it fails */
	void (*cancel)(struct hearing *h); /* of what was asked nothing is wanted any more */
	bool is_streamed;                  /* it hears by itself: speech is not collected */
	bool is_timed;                     /* the answer's time is bounded here (timeout) */
};
struct hearing {
	struct leg *leg;
	const struct asr_engine *engine;
	const struct recogniser *recogniser; /* a module's */
	struct asr_conf conf;
	char *grammar;
	struct media_port *port;
	uint32_t tap_id, rate_hz;
	struct ltimer timer;
	struct vad vad;
	struct buf speech;   /* int16 samples: before it begins what may belong to it */
	size_t spoken;       /* samples since it began */
	struct fetch *fetch; /* engine_http.c's */
	struct asr_job *job; /* engine_worker.c's */
	bool is_connected;   /* engine_ws.c's */
	int64_t utterance;   /* engine_ws.c's: the number of the one that is listened to */
	int64_t since_us;    /* of no input; 0: not counted */
	int64_t asked_us;
	bool is_speaking, is_asked, is_paused, is_done;
	bool has_result; /* since asr_start, though it listens again */
	bool is_initial; /* asr_init: it has not listened yet */
};
extern const struct asr_engine asr_http, asr_ws, asr_worker;

/* hear.c */
ON_CTL void asr_begin_speaking(struct hearing *h); /* somebody speaks: told once an utterance */

/* answer.c. The result is told and the engine rests: cause 000 recognised (body), 001, 002, 006. */
ON_CTL void asr_over(struct hearing *h, const char *cause, struct sv body);
/* What was said; empty: nothing that it knows. */
ON_CTL void asr_answer(struct hearing *h, const char *text, double confidence);
/* {"text": "...", "confidence": 0..1}; with "final": false, of an engine that goes on, it is told and the rest awaited.
 */
ON_CTL void asr_answer_json(struct hearing *h, struct sv json);
ON_CTL void asr_fire(struct leg *leg, const char *type, const char *cause, struct sv body);

/* engine_worker.c */
ON_CTL void asr_worker_stop(void); /* the module goes */

CO int app_detect_speech(struct leg *leg, const char *data);
CO int app_play_and_detect_speech(struct leg *leg, const char *data);
