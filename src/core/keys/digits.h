/* Digits asked of the caller: a prompt that the first key ends, then keys until there are enough, a terminator comes or
 * nobody presses any more (FreeSWITCH's switch_ivr_read, switch_play_and_get_digits). */
#pragma once
#include "core/leg/leg.h"

enum { LEG_DIGITS_MAX = 128 };

struct leg_digits {
	unsigned min, max;                    /* max at most LEG_DIGITS_MAX */
	int64_t timeout_us, digit_timeout_us; /* for the first key, between keys */
	int64_t total_us;                     /* for all keys; 0 = no limit */
	const char *prompt;                   /* text with marks; NULL, "" or "silence": none */
	const char *terminators;              /* never NULL */
	const char *tts_engine, *tts_voice;   /* of a prompt "say:text"; NULL = the leg's */
	/* out: */
	char digits[LEG_DIGITS_MAX + 1];
	unsigned count;
	char terminator; /* the one that ended it, or 0 */
};
/* Bounds what a dialplan or a script gave: min <= max <= LEG_DIGITS_MAX, at least a second for the first key, the same
 * between keys when digit_timeout_ms is 0. */
ANY void leg_digits_limit(
    struct leg_digits *d, unsigned min, unsigned max, uint32_t timeout_ms, uint32_t digit_timeout_ms);
/* Prompt and keys; sets read_terminator_used. ST_OK: enough keys or a terminator; ST_TIMEOUT: at least min; ST_LIMIT:
 * fewer than min; ST_CANCELLED: sent elsewhere; ST_HANGUP; else the prompt cannot be played, and nobody is waited for.
 */
CO int leg_digits_read(struct leg *leg, struct leg_digits *d);
/* The keys alone; statuses as above but for ST_LIMIT. */
CO int leg_digits_collect(struct leg *leg, struct leg_digits *d);

struct leg_digits_ask {
	struct leg_digits digits;
	unsigned tries;         /* 1 to 1000 */
	const char *bad_prompt; /* played after each bad try; NULL, "" or "silence": none */
	const char *regexp;     /* what digits must match, text with marks; NULL or "": anything */
	const char *var;        /* NULL or the variable: it gets the digits, VAR_invalid what did not match */
};
/* Asks until an answer fits. ST_NOTFOUND: all tries failed; ST_CANCELLED; ST_HANGUP. */
CO int leg_digits_ask(struct leg *leg, struct leg_digits_ask *a);
