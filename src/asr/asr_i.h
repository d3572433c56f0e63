/* Recognising speech (detect_speech, play_and_detect_speech) by an engine that takes whole utterances over HTTP. One
 * recogniser a leg. docs/speech.md. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "core/leg/part.h"

struct leg;
enum { ASR_PARAMS_MAX = 16 };
struct asr_conf {
	uint32_t no_input_ms;  /* 0 = none */
	uint32_t speech_ms;    /* what is longer is sent as far as it goes */
	bool waits_for_timers; /* no_input_ms counts from asr_timers_start on */
	const char *grammar;   /* told to the engine; copied */
};
extern struct leg_part asr_part;
ON_CTL const char *asr_param(const char *name);
ON_CTL void asr_conf_default(struct asr_conf *c);
/* False: no such parameter, or a value that it cannot have. */
ON_CTL bool asr_conf_set(struct asr_conf *c, const char *name, const char *value);
/* Listens. ST_EXISTS; ST_INVAL: no engine of that name or no url; ST_UNSUPPORTED: the codec cannot be decoded. */
ON_CTL int asr_start(struct leg *leg, const char *engine, const struct asr_conf *conf);
ON_CTL int asr_stop(struct leg *leg);                  /* ST_NOTFOUND */
ON_CTL int asr_pause(struct leg *leg, bool is_paused); /* resumed: as begun anew */
ON_CTL int asr_timers_start(struct leg *leg);
ON_CTL bool asr_is_speaking(struct leg *leg); /* or has spoken: the prompt ends */
ON_CTL bool asr_is_done(struct leg *leg);     /* there is a result, or nothing that could bring one */

CO int app_detect_speech(struct leg *leg, const char *data);
CO int app_play_and_detect_speech(struct leg *leg, const char *data);
