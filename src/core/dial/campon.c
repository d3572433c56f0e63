/* Camping on: a caller whose bridge failed waits to music and the same dial string is tried again, until somebody
 * answers, the tries are over or he presses the stop key (variables campon, campon_*). Each try is a dialling like
 * another one, with the music as its ringback: so the caller's hang-up and the stop key end it. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/dial/originate.h"
#include "core/dial/originate_i.h"
#include "core/leg/leg.h"
#include "core/run/exec.h"
#include "core/sound/play.h"
#include "core/value/vars.h"

#include <string.h>
#include <strings.h>

enum { RETRIES_DEFAULT = 100, SECONDS_DEFAULT = 10, RETRIES_MAX = 100000, SECONDS_MAX = 86400 };
/* What a try sets on the caller, and what was there before. */
static const char *const borrowed[] = {"ringback", "transfer_ringback", "instant_ringback", "origination_cancel_key"};
enum { BORROWED_COUNT = sizeof(borrowed) / sizeof(borrowed[0]) };
struct camp {
	char *music, *stop_keys;
	int64_t retry_count, sleep_us, until_us;
	unsigned timeout_s;
	bool is_stopped;
	char *before[BORROWED_COUNT];
};

bool campon_is_wanted(struct leg *leg, enum cause cause)
{
	return leg_is_ready(leg) && leg_var_is_true(leg, "campon") && cause != CAUSE_ORIGINATOR_CANCEL &&
	       cause != CAUSE_ATTENDED_TRANSFER && cause != CAUSE_PICKED_OFF;
}

static ON_CTL int64_t number(struct leg *leg, const char *name, int64_t otherwise, int64_t max)
{
	int64_t n = str_number(leg_var(leg, name), 0, max);
	return n > 0 ? n : otherwise;
}

static ON_CTL void camp_read(struct leg *leg, struct camp *c)
{
	*c = (struct camp){.retry_count = number(leg, "campon_retries", RETRIES_DEFAULT, RETRIES_MAX),
	    .sleep_us = clock_us_of_s(number(leg, "campon_sleep", SECONDS_DEFAULT, SECONDS_MAX)),
	    .timeout_s = (unsigned)number(leg, "campon_timeout", SECONDS_DEFAULT, SECONDS_MAX),
	    .music = leg_text_dup(leg, "campon_hold_music"),
	    .stop_keys = mem_strdup(leg_var(leg, "campon_stop_key"))};
	if (!c->music)
		c->music = leg_text_dup(leg, "hold_music");
	if (c->music && (!strcasecmp(c->music, "silence") || !*c->music)) {
		mem_free(c->music);
		c->music = NULL;
	}
}

static ON_CTL void borrow(struct leg *leg, struct camp *c)
{
	char key[2] = {c->stop_keys ? c->stop_keys[0] : 0, 0};
	for (size_t i = 0; i < BORROWED_COUNT; i++)
		c->before[i] = vars_get(leg->vars, borrowed[i]) ? leg_text_dup(leg, borrowed[i]) : NULL;
	leg_var_set_text(leg, "ringback", c->music);
	leg_var_set_text(leg, "transfer_ringback", c->music);
	leg_var_set_text(leg, "instant_ringback", c->music ? "true" : NULL);
	leg_var_set_text(leg, "origination_cancel_key", *key ? key : NULL);
}

static ON_CTL void give_back(struct leg *leg, struct camp *c)
{
	for (size_t i = 0; i < BORROWED_COUNT; i++) {
		leg_var_set_text(leg, borrowed[i], c->before[i]);
		mem_free(c->before[i]);
	}
}

static CO int try_again(
    struct leg *leg, const struct originate_conf *first, struct camp *c, struct leg **b, enum cause *cause)
{
	struct originate_conf conf = *first;
	struct vars *vars = NULL;
	if (vars_new(&vars) || vars_set(vars, "ignore_early_media", "true")) {
		vars_free(vars);
		return ST_NOMEM;
	}
	conf.vars = vars;
	conf.timeout_s = c->timeout_s;
	conf.key_cancelled_out = &c->is_stopped;
	borrow(leg, c);
	int st = originate_run(&conf, b, cause);
	give_back(leg, c);
	vars_free(vars);
	return st;
}

static bool goes_on(struct leg *leg, void *arg)
{
	struct camp *c = arg;
	char digit;
	role_assert_co();
	while (!c->is_stopped && leg_dtmf_take(leg, &digit, NULL))
		c->is_stopped = c->stop_keys && strchr(c->stop_keys, digit);
	return !c->is_stopped && clock_mono_us() < c->until_us;
}

static void time_over(void *arg)
{
	role_assert_ctl();
	leg_wake(arg);
}

/* Until the next try. */
static CO int rest(struct leg *leg, struct camp *c)
{
	struct leg_watch watch = {goes_on, c};
	struct ltimer timer = {0};
	int st = ST_OK;
	c->until_us = clock_mono_us() + c->sleep_us;
	loop_timer_set(&timer, c->sleep_us, "camp on", time_over, leg);
	while (!st && goes_on(leg, c)) {
		st = c->music ? leg_play_watched(leg, c->music, &watch) : leg_wait(leg, c->until_us - clock_mono_us());
		if (st == ST_TIMEOUT)
			st = ST_OK;
		if (st && st != ST_HANGUP && st != ST_CANCELLED && c->music) {
			mem_free(c->music); /* told in the log: he waits in silence */
			c->music = NULL;
			st = ST_OK;
		}
	}
	loop_timer_cancel(&timer);
	return st;
}

static ON_CTL void fall_back(struct leg *leg)
{
	char *exten = leg_text_dup(leg, "campon_fallback_exten"),
	     *dialplan = leg_text_dup(leg, "campon_fallback_dialplan"),
	     *context = leg_text_dup(leg, "campon_fallback_context");
	if (exten)
		(void)leg_transfer(leg, exten, dialplan, context);
	mem_free(exten);
	mem_free(dialplan);
	mem_free(context);
}

int campon_run(struct leg *leg, const struct originate_conf *conf, struct leg **b, enum cause *cause)
{
	struct camp c;
	char *announce = leg_text_dup(leg, "campon_announce_sound");
	int st = ST_OK, tried = ST_NOTFOUND;
	camp_read(leg, &c);
	if (announce)
		(void)leg_play(leg, announce, "none", NULL);
	while (!st && tried && c.retry_count-- > 0 && leg_is_ready(leg)) {
		st = rest(leg, &c);
		if (!st && !c.is_stopped && leg_is_ready(leg))
			tried = try_again(leg, conf, &c, b, cause);
		if (c.is_stopped)
			break;
	}
	if (tried && leg_is_ready(leg))
		fall_back(leg);
	mem_free(announce);
	mem_free(c.music);
	mem_free(c.stop_keys);
	return tried;
}
