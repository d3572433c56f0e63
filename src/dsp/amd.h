/* Who answered, a person or a machine? People say "hello?" and wait; machines speak for long, say many words, or say
 * nothing for a while first. Judged by sound and silence in frames of 20 ms, with the parameters (and their defaults)
 * that FreeSWITCH's mod_amd took from Asterisk. ANY; pure; one owner; embedded. */
#pragma once
#include "base/role.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct amd_conf {                           /* all of them milliseconds but the counts; 0 is 0 */
	uint32_t initial_silence_ms;        /* so long nothing at first: a machine */
	uint32_t greeting_ms;               /* so much speech without a longer pause: a machine */
	uint32_t after_greeting_silence_ms; /* so long nothing after a greeting: a person */
	uint32_t total_ms;                  /* decided by then, or never */
	uint32_t min_word_ms;               /* less is a click */
	uint32_t max_word_ms;               /* one sound of that length: a machine */
	uint32_t between_words_ms;          /* so long nothing: the next sound is another word */
	uint32_t max_words;                 /* more: a machine */
	uint32_t threshold;                 /* mean amplitude from which it is sound; the line's own noise raises it */
};
enum amd_result { AMD_NONE, AMD_HUMAN, AMD_MACHINE, AMD_NOTSURE };
enum amd_cause {
	AMD_NO_CAUSE,
	AMD_INITIAL_SILENCE,
	AMD_SILENCE_AFTER_GREETING,
	AMD_MAX_WORD_LENGTH,
	AMD_MAX_WORDS,
	AMD_LONG_GREETING,
	AMD_TOO_LONG
};
struct amd_found {
	enum amd_result result;
	enum amd_cause cause;
	uint32_t words, voice_ms, silence_ms, total_ms; /* silence: at the end */
};
struct amd {
	struct amd_conf conf;
	struct amd_found found;
	uint32_t frame_samples, fill;
	uint64_t sum;
	double floor;     /* of the line's noise; 0: not known yet */
	uint32_t word_ms; /* of the sound at the end */
	bool is_in_word, has_spoken;
};
#define AMD_CONF_DEFAULT \
	{ \
		.initial_silence_ms = 2500, .greeting_ms = 1500, .after_greeting_silence_ms = 800, .total_ms = 5000, \
		.min_word_ms = 100, .max_word_ms = 5000, .between_words_ms = 50, .max_words = 3, .threshold = 256 \
	}
ANY void amd_init(struct amd *a, uint32_t rate_hz, const struct amd_conf *conf);
/* True from when it is decided: found says how. */
ANY bool amd_feed(struct amd *a, const int16_t *pcm, size_t n);
ANY const char *amd_result_text(enum amd_result r); /* "HUMAN", "MACHINE", "NOTSURE", "" */
ANY const char *amd_cause_text(enum amd_cause c);   /* "LONGGREETING" ... */
