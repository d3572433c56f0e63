/* Keys while something plays, is recorded or is waited for: the machine of core/keys with one binding for each <bind>;
 * a timer ends a pause between keys. What the keys have become stays until it is asked for. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/run/exec.h"
#include "httapi/httapi_i.h"
#include "loop/loop.h"
#include <string.h>

enum { DIGIT_MS = 1500, MS_MAX = 3600000 };

static void on_late(void *arg)
{
	struct ha_input *in = arg;
	role_assert_ctl();
	in->is_late = true;
	leg_wake(in->leg);
}

int ha_input_init(struct ha_input *in, struct leg *leg, const struct xml_node *tag)
{
	const char *terminators = xml_attr(tag, "terminators");
	int64_t ms = str_number(xml_attr_or(tag, "digit-timeout", "0"), 0, MS_MAX);
	int st = ST_OK;

	*in = (struct ha_input){.leg = leg, .tag = tag, .digit_us = clock_us_of_ms(ms > 0 ? ms : DIGIT_MS)};
	if (!xml_child(tag, "bind"))
		return ST_OK;
	st = digit_machine_new(&in->machine, NULL);
	xml_each(st ? NULL : tag, "bind", bind)
	{
		st = digit_machine_bind(in->machine, "default", bind->text, (void *)bind);
		if (st)
			leg_log(leg, LOG_ERR, "httapi: bind \"%s\": %s", bind->text, status_text(st));
	}
	if (in->machine && digit_machine_set_realm(in->machine, "default"))
		return ST_INVAL;
	if (terminators && *terminators)
		digit_machine_set_terminators(in->machine, terminators);
	return in->machine ? ST_OK : ST_NOMEM;
}

void ha_input_fini(struct ha_input *in)
{
	loop_timer_cancel(&in->timer);
	digit_machine_free(in->machine);
	in->machine = NULL;
}

void ha_input_reset(struct ha_input *in)
{
	loop_timer_cancel(&in->timer);
	in->is_over = in->is_match = in->is_late = false;
	memset(&in->found, 0, sizeof(in->found));
}

static ON_CTL bool take(struct ha_input *in, enum digit_verdict v)
{
	if (v == DIGITS_WAIT)
		return true;
	in->is_over = true;
	in->is_match = v == DIGITS_MATCH;
	loop_timer_cancel(&in->timer);
	return false;
}

bool ha_input_goes_on(struct leg *leg, void *arg)
{
	struct ha_input *in = arg;
	unsigned duration;
	char digit;

	role_assert_co();
	if (in->is_over)
		return false;
	if (!in->machine)
		return true;
	while (leg_dtmf_take(leg, &digit, &duration)) {
		in->is_late = false;
		if (!take(in, digit_machine_feed(in->machine, digit, &in->found)))
			return false;
		loop_timer_set(&in->timer, in->digit_us, "httapi digits", on_late, in);
	}
	if (!in->is_late || !digit_machine_has_digits(in->machine))
		return true;
	in->is_late = false;
	return take(in, digit_machine_timeout(in->machine, &in->found));
}

int ha_input_wait(struct ha_input *in, int64_t us)
{
	int64_t until_us = clock_mono_us() + us;
	int st = ST_OK;

	while (ha_input_goes_on(in->leg, in)) {
		int64_t left_us = until_us - clock_mono_us();
		bool has_some = in->machine && digit_machine_has_digits(in->machine);
		if (left_us <= 0 && !has_some)
			return ST_OK;
		st = leg_wait(in->leg, has_some ? -1 : left_us);
		if (st == ST_HANGUP || st == ST_CANCELLED)
			return st;
	}
	return ST_OK;
}
