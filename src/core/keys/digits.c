/* Digits asked of the caller. A prompt plays until the first key; then keys are collected until there are enough, a
 * terminator comes or nobody presses any more. The applications read and play_and_get_digits and scripts share it. */
#include "core/keys/digits.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/leg/leg.h"
#include "core/run/exec.h"
#include "core/sound/play.h"
#include "core/sound/say.h"
#include "text/mark.h"
#include "text/re.h"
#include <string.h>

static bool is_sound(const char *prompt)
{
	return prompt && *prompt && strcmp(prompt, "silence");
}

void leg_digits_limit(struct leg_digits *d, unsigned min, unsigned max, uint32_t timeout_ms, uint32_t digit_timeout_ms)
{
	d->max = max && max <= LEG_DIGITS_MAX ? max : LEG_DIGITS_MAX;
	d->min = min <= d->max ? min : d->max;
	d->timeout_us = clock_us_of_ms(timeout_ms < 1000 ? 1000 : timeout_ms);
	d->digit_timeout_us = digit_timeout_ms ? clock_us_of_ms(digit_timeout_ms) : d->timeout_us;
}

static bool put_digit(struct leg_digits *d, char digit)
{
	if (strchr(d->terminators, digit)) {
		d->terminator = digit;
		return false;
	}
	d->digits[d->count++] = digit;
	d->digits[d->count] = 0;
	return d->count < d->max;
}

static CO int collect_more(struct leg *leg, struct leg_digits *d)
{
	int64_t now = clock_mono_us(), end = d->total_us ? now + d->total_us : INT64_MAX;
	int64_t deadline = now + (d->count ? d->digit_timeout_us : d->timeout_us);
	char digit;
	int st = ST_OK;

	while (st == ST_OK) {
		while (leg_dtmf_take(leg, &digit, NULL)) {
			if (!put_digit(d, digit))
				return ST_OK;
			deadline = clock_mono_us() + d->digit_timeout_us;
		}
		int64_t left = (deadline < end ? deadline : end) - clock_mono_us();
		if (left <= 0)
			return ST_TIMEOUT;
		st = leg_wait(leg, left);
		if (st == ST_TIMEOUT)
			st = ST_OK;
	}
	return st;
}

static void begin(struct leg_digits *d)
{
	d->count = 0, d->digits[0] = 0, d->terminator = 0;
}

static ON_CTL void tell_terminator(struct leg *leg, const struct leg_digits *d)
{
	char text[2] = {d->terminator, 0};
	if (d->terminator)
		leg_var_set(leg, "read_terminator_used", text);
}

int leg_digits_collect(struct leg *leg, struct leg_digits *d)
{
	int st;

	begin(d);
	st = collect_more(leg, d);
	tell_terminator(leg, d);
	return st;
}

static CO int prompt_play(struct leg *leg, const struct leg_digits *d, char *digit)
{
	struct leg_play_end end = {.terminators = "any"};
	if (!d->tts_engine || strncmp(d->prompt, "say:", 4) != 0)
		return leg_play(leg, d->prompt, "any", digit);
	int st = leg_speak(leg, d->tts_engine, d->tts_voice, d->prompt + 4, &end);
	*digit = end.digit;
	return st;
}

int leg_digits_read(struct leg *leg, struct leg_digits *d)
{
	char digit = 0;
	int st;

	begin(d);
	if (is_sound(d->prompt)) {
		st = prompt_play(leg, d, &digit);
		leg_var_set(leg, "playback_terminator_used", NULL);
		if (st == ST_TIMEOUT && !digit) /* playback_timeout_sec: no key is waited for then */
			return d->min ? ST_LIMIT : ST_TIMEOUT;
		if (st == ST_HANGUP || (st && !digit)) /* nobody knows what to press */
			return st;
	}
	st = !digit || put_digit(d, digit) ? collect_more(leg, d) : ST_OK;
	tell_terminator(leg, d);
	if ((st == ST_OK || st == ST_TIMEOUT) && d->count < d->min)
		st = ST_LIMIT;
	return st;
}

static bool fits(struct leg *leg, const char *regexp, const char *digits)
{
	struct buf pattern;
	int st;

	if (!regexp || !*regexp)
		return true;
	buf_init(&pattern);
	mark_strip_regex(&pattern, sv_of(regexp));
	st = re_match_once(buf_sv(&pattern), sv_of(digits), NULL);
	buf_fini(&pattern);
	if (st < 0)
		leg_log(leg, LOG_ERR, "play_and_get_digits: '%s' is no regular expression", regexp);
	return st == 1;
}

/* *is_read: the last try had enough digits, whether they fit or not. */
static CO int tries_run(struct leg *leg, struct leg_digits_ask *a, const char *invalid_var, bool *is_read)
{
	struct leg_digits *d = &a->digits;
	int st = ST_NOTFOUND;

	for (unsigned left = a->tries; left-- && leg_is_up(leg);) {
		st = leg_digits_read(leg, d);
		*is_read = st == ST_OK && *d->digits;
		if (st == ST_HANGUP || st == ST_CANCELLED)
			return st;
		if (st == ST_OK || st == ST_TIMEOUT) {
			if (fits(leg, a->regexp, d->digits))
				return ST_OK;
			if (invalid_var)
				leg_var_set(leg, invalid_var, d->digits);
		} else if (st == ST_LIMIT && a->var) {
			leg_var_set(leg, a->var, d->digits); /* too few are told all the same */
		}
		st = ST_NOTFOUND;
		if (is_sound(a->bad_prompt) && leg_play(leg, a->bad_prompt, NULL, NULL) == ST_HANGUP)
			return ST_HANGUP;
	}
	return leg_is_up(leg) ? st : ST_HANGUP;
}

int leg_digits_ask(struct leg *leg, struct leg_digits_ask *a)
{
	struct buf invalid;
	bool is_read = false;
	int st;

	buf_init(&invalid);
	leg_var_set(leg, "read_terminator_used", NULL);
	if (a->var) {
		buf_printf(&invalid, "%s_invalid", a->var);
		leg_var_set(leg, invalid.p, NULL);
		leg_var_set(leg, a->var, NULL);
	}
	a->tries = a->tries < 1 ? 1 : a->tries > 1000 ? 1000 : a->tries;
	st = tries_run(leg, a, invalid.p, &is_read);
	if (st == ST_OK && a->var)
		leg_var_set(leg, a->var, a->digits.digits);
	leg_var_set(leg, "read_result", st == ST_OK || is_read ? "success" : "failure"); /* as FreeSWITCH has it */
	buf_fini(&invalid);
	return st;
}
