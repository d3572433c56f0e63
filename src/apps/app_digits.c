/* Digits asked of the caller: read and play_and_get_digits, and digits put into the queue. A prompt plays until the
 * first key; then keys are collected until there are enough, a terminator comes or nobody presses any more. */
#include "apps/apps_i.h"
#include "base/clock.h"
#include "base/mem.h"
#include "text/re.h"
#include <stdlib.h>
#include <string.h>

enum { DIGITS_MAX = 128 };

struct collect {
	unsigned min, max;
	int64_t timeout_us, digit_timeout_us; /* for the first key, between keys */
	const char *prompt, *terminators;
	char digits[DIGITS_MAX + 1];
	unsigned count;
	char terminator; /* the one that ended it, or 0 */
};

static bool put_digit(struct collect *c, char digit)
{
	if (strchr(c->terminators, digit)) {
		c->terminator = digit;
		return false;
	}
	c->digits[c->count++] = digit;
	c->digits[c->count] = 0;
	return c->count < c->max;
}

/* ST_OK: enough keys or a terminator; ST_TIMEOUT; ST_CANCELLED: sent elsewhere; ST_HANGUP. */
static CO int collect_keys(struct leg *leg, struct collect *c)
{
	int64_t deadline = clock_mono_us() + (c->count ? c->digit_timeout_us : c->timeout_us);
	char digit;
	int st = ST_OK;

	while (st == ST_OK) {
		while (leg_dtmf_take(leg, &digit, NULL)) {
			if (!put_digit(c, digit))
				return ST_OK;
			deadline = clock_mono_us() + c->digit_timeout_us;
		}
		int64_t left = deadline - clock_mono_us();
		if (left <= 0)
			return ST_TIMEOUT;
		st = leg_wait(leg, left);
		if (st == ST_TIMEOUT && clock_mono_us() < deadline)
			st = ST_OK;
	}
	return st;
}

/* FreeSWITCH's switch_ivr_read. ST_LIMIT: fewer than min. */
static CO int collect_run(struct leg *leg, struct collect *c)
{
	char digit = 0;
	int st;

	c->count = 0, c->digits[0] = 0, c->terminator = 0;
	if (c->prompt && *c->prompt && strcmp(c->prompt, "silence")) {
		st = leg_play(leg, c->prompt, "any", &digit);
		leg_var_set(leg, "playback_terminator_used", NULL);
		if (st == ST_HANGUP)
			return st;
	}
	st = !digit || put_digit(c, digit) ? collect_keys(leg, c) : ST_OK;
	if (c->terminator) {
		char text[2] = {c->terminator, 0};
		leg_var_set(leg, "read_terminator_used", text);
	}
	if ((st == ST_OK || st == ST_TIMEOUT) && c->count < c->min)
		st = ST_LIMIT;
	return st;
}

static uint32_t number_of(const char *text, uint32_t fallback)
{
	uint32_t n;
	return text && sv_u32(sv_of(text), &n) == ST_OK ? n : fallback;
}

static void collect_limits(
    struct collect *c, const char *min, const char *max, uint32_t timeout_ms, const char *between)
{
	uint32_t between_ms;

	c->min = number_of(min, 0);
	c->max = number_of(max, DIGITS_MAX);
	if (c->max > DIGITS_MAX || !c->max)
		c->max = DIGITS_MAX;
	if (c->min > c->max)
		c->min = c->max;
	if (timeout_ms < 1000)
		timeout_ms = 1000;
	between_ms = number_of(between, 0);
	c->timeout_us = (int64_t)timeout_ms * 1000;
	c->digit_timeout_us = between_ms ? (int64_t)between_ms * 1000 : c->timeout_us;
}

/* min max file var timeout terminators [digit_timeout] */
int app_read(struct leg *leg, const char *data)
{
	struct app_words w;
	struct collect c = {0};
	int st = app_words_init(&w, data, 7);

	role_assert_co();
	if (st || w.n < 4) {
		leg_log(
		    leg, LOG_ERR, "read: usage: <min> <max> <file> <var_name> <timeout> <terminators> <digit_timeout>");
		st = ST_INVAL;
		goto out;
	}
	collect_limits(&c, w.w[0], w.w[1], number_of(w.w[4], 0), w.w[6]);
	c.prompt = w.w[2];
	c.terminators = w.w[5] && *w.w[5] ? w.w[5] : "#";
	leg_var_set(leg, "read_result", NULL);
	leg_var_set(leg, "read_terminator_used", NULL);
	leg_var_set(leg, w.w[3], NULL);
	st = collect_run(leg, &c);
	if (*w.w[3] && st != ST_HANGUP)
		leg_var_set(leg, w.w[3], c.digits);
	leg_var_set(leg, "read_result", st == ST_OK ? "success" : st == ST_TIMEOUT ? "timeout" : "failure");
	st = st == ST_HANGUP ? st : ST_OK;
out:
	app_words_fini(&w);
	return st;
}

enum {
	PAGD_MIN,
	PAGD_MAX,
	PAGD_TRIES,
	PAGD_TIMEOUT,
	PAGD_TERMS,
	PAGD_FILE,
	PAGD_BAD_FILE,
	PAGD_VAR,
	PAGD_REGEXP,
	PAGD_DIGIT_TIMEOUT,
	PAGD_FAILURE,
	PAGD_COUNT
};

static bool fits(struct leg *leg, const char *regexp, const char *digits)
{
	int st;

	if (!regexp || !*regexp)
		return true;
	st = re_match_once(sv_of(regexp), sv_of(digits), NULL);
	if (st < 0)
		leg_log(leg, LOG_ERR, "play_and_get_digits: '%s' is no regular expression", regexp);
	return st == 1;
}

/* The tries. ST_OK: c holds the digits; ST_NOTFOUND: all tries failed. */
static CO int tries_run(struct leg *leg, struct collect *c, char *const *w, uint32_t tries)
{
	struct buf invalid;
	int st = ST_NOTFOUND;

	buf_init(&invalid);
	buf_printf(&invalid, "%s_invalid", w[PAGD_VAR]);
	leg_var_set(leg, invalid.p, NULL);
	while (tries-- && leg_is_up(leg)) {
		st = collect_run(leg, c);
		if (st == ST_HANGUP || st == ST_CANCELLED)
			break;
		if (st == ST_OK || st == ST_TIMEOUT) {
			if (fits(leg, w[PAGD_REGEXP], c->digits)) {
				st = ST_OK;
				break;
			}
			leg_var_set(leg, invalid.p, c->digits);
		}
		st = ST_NOTFOUND;
		if (w[PAGD_BAD_FILE] && *w[PAGD_BAD_FILE] && strcmp(w[PAGD_BAD_FILE], "silence") &&
		    leg_play(leg, w[PAGD_BAD_FILE], NULL, NULL) == ST_HANGUP)
			st = ST_HANGUP;
	}
	buf_fini(&invalid);
	return st;
}

/* 'exten [dialplan [context]]' */
static ON_CTL void transfer_on_failure(struct leg *leg, const char *spec)
{
	struct app_words w;

	if (app_words_init(&w, spec, 3) == ST_OK && w.n)
		leg_transfer(leg, w.w[0], w.w[1], w.w[2]);
	app_words_fini(&w);
}

/* min max tries timeout terms file invalid_file var regexp [digit_timeout] ['exten [dialplan [context]]'] */
int app_play_and_get_digits(struct leg *leg, const char *data)
{
	struct app_words w;
	struct collect c = {0};
	uint32_t tries;
	int st = app_words_init(&w, data, PAGD_COUNT);

	role_assert_co();
	if (st || w.n <= PAGD_VAR) {
		leg_log(leg, LOG_ERR,
		    "play_and_get_digits: usage: <min> <max> <tries> <timeout> <terminators> <file> "
		    "<invalid_file> <var_name> <regexp> [<digit_timeout>] ['<failure_ext> "
		    "[failure_dp [failure_context]]']");
		st = ST_INVAL;
		goto out;
	}
	collect_limits(&c, w.w[PAGD_MIN], w.w[PAGD_MAX], number_of(w.w[PAGD_TIMEOUT], 1000), w.w[PAGD_DIGIT_TIMEOUT]);
	tries = number_of(w.w[PAGD_TRIES], 1);
	tries = tries < 1 ? 1 : tries > 1000 ? 1000 : tries;
	c.prompt = w.w[PAGD_FILE], c.terminators = w.w[PAGD_TERMS];
	leg_var_set(leg, "read_terminator_used", NULL);
	leg_var_set(leg, w.w[PAGD_VAR], NULL);
	st = tries_run(leg, &c, w.w, tries);
	if (st == ST_OK)
		leg_var_set(leg, w.w[PAGD_VAR], c.digits);
	else if (st == ST_NOTFOUND && w.n > PAGD_FAILURE)
		transfer_on_failure(leg, w.w[PAGD_FAILURE]);
	st = st == ST_HANGUP ? st : ST_OK;
out:
	app_words_fini(&w);
	return st;
}

/* digits[@ms]: as if the caller had pressed them */
int app_queue_dtmf(struct leg *leg, const char *data)
{
	struct sv digits, ms;
	uint32_t duration_ms = 100;

	role_assert_co();
	sv_split(sv_of(data), '@', &digits, &ms);
	if (!digits.n || (ms.n && sv_u32(ms, &duration_ms)))
		return ST_INVAL;
	if (duration_ms > 8000)
		duration_ms = 8000;
	for (size_t i = 0; i < digits.n; i++)
		leg_dtmf_received(leg, digits.p[i], duration_ms * 8, DTMF_APP);
	return ST_OK;
}
