/* Digits asked of the caller (read, play_and_get_digits: core/keys/digits.h does the asking) and digits put into the
 * queue. */
#include "apps/apps_i.h"
#include "core/keys/digits.h"
#include "core/keys/dtmf.h"
#include "core/leg/leg.h"
#include "core/registry/app_words.h"
#include "core/run/exec.h"
#include <stdlib.h>
#include <string.h>

static uint32_t number_of(const char *text, uint32_t fallback)
{
	uint32_t n;
	return text && sv_u32(sv_of(text), &n) == ST_OK ? n : fallback;
}

/* min max file var timeout terminators [digit_timeout] */
int app_read(struct leg *leg, const char *data)
{
	struct app_words w;
	struct leg_digits d = {0};
	int st = app_words_init(&w, leg_exec_text(leg, data), 7);

	role_assert_co();
	if (st || w.n < 4) {
		leg_log(
		    leg, LOG_ERR, "read: usage: <min> <max> <file> <var_name> <timeout> <terminators> <digit_timeout>");
		st = ST_INVAL;
		goto out;
	}
	leg_digits_limit(&d, number_of(w.w[0], 0), number_of(w.w[1], 0), number_of(w.w[4], 0), number_of(w.w[6], 0));
	d.prompt = w.m[2];
	d.terminators = w.w[5] && *w.w[5] ? w.w[5] : "#";
	leg_var_set(leg, "read_result", NULL);
	leg_var_set(leg, "read_terminator_used", NULL);
	leg_var_set(leg, w.w[3], NULL);
	st = leg_digits_read(leg, &d);
	if (*w.w[3] && st != ST_HANGUP)
		leg_var_set(leg, w.w[3], d.digits);
	leg_var_set(leg, "read_result",
	    st == ST_OK && *d.digits ? "success"
	    : st == ST_TIMEOUT       ? "timeout"
	                             : "failure");
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

/* 'exten [dialplan [context]]' */
static ON_CTL void transfer_on_failure(struct leg *leg, const char *spec)
{
	struct app_words w;

	if (app_words_init(&w, spec, 3) == ST_OK && w.n)
		leg_transfer(leg, w.m[0], w.m[1], w.m[2]);
	app_words_fini(&w);
}

/* min max tries timeout terms file invalid_file var regexp [digit_timeout] ['exten [dialplan [context]]'] */
int app_play_and_get_digits(struct leg *leg, const char *data)
{
	struct app_words w;
	struct leg_digits_ask ask = {0};
	int st = app_words_init(&w, leg_exec_text(leg, data), PAGD_COUNT);

	role_assert_co();
	if (st || w.n <= PAGD_VAR) {
		leg_log(leg, LOG_ERR,
		    "play_and_get_digits: usage: <min> <max> <tries> <timeout> <terminators> <file> "
		    "<invalid_file> <var_name> <regexp> [<digit_timeout>] ['<failure_ext> "
		    "[failure_dp [failure_context]]']");
		st = ST_INVAL;
		goto out;
	}
	leg_digits_limit(&ask.digits, number_of(w.w[PAGD_MIN], 0), number_of(w.w[PAGD_MAX], 0),
	    number_of(w.w[PAGD_TIMEOUT], 1000), number_of(w.w[PAGD_DIGIT_TIMEOUT], 0));
	ask.tries = number_of(w.w[PAGD_TRIES], 1);
	ask.digits.prompt = w.m[PAGD_FILE], ask.digits.terminators = w.w[PAGD_TERMS];
	ask.bad_prompt = w.m[PAGD_BAD_FILE], ask.regexp = w.m[PAGD_REGEXP], ask.var = w.w[PAGD_VAR];
	st = leg_digits_ask(leg, &ask);
	if (st == ST_NOTFOUND && w.n > PAGD_FAILURE)
		transfer_on_failure(leg, w.m[PAGD_FAILURE]);
	st = st == ST_HANGUP ? st : ST_OK;
out:
	app_words_fini(&w);
	return st;
}

/* digits[@ms]: as if the caller had pressed them */
int app_queue_dtmf(struct leg *leg, const char *data)
{
	role_assert_co();
	return leg_dtmf_queue(leg, data);
}
