/* Parking: a leg that runs nothing and waits for whoever fetches it, until park_timeout. */
#include "base/clock.h"
#include "base/status.h"
#include "core/leg/leg.h"
#include "core/run/exec.h"
#include "core/run/exec_i.h"
#include "core/run/run_core.h"
#include "core/value/cause.h"
#include "core/value/vars.h"
#include <string.h>

static void park_timeout(void *arg)
{
	struct leg *leg = arg;
	const char *spec, *colon;
	role_assert_ctl();
	spec = vars_get(leg->vars, "park_timeout");
	colon = spec ? strchr(spec, ':') : NULL;
	leg_hangup(leg, colon ? cause_parse(colon + 1) : CAUSE_NORMAL_CLEARING);
}

/* As an application of its own coroutine it detaches; from outside the leg is taken out of whatever it does. */
int leg_park(struct leg *leg)
{
	struct leg_exec *x = exec_of(leg);
	const char *spec;
	uint32_t timeout_s = 0;

	if (!leg_is_up(leg))
		return ST_HANGUP;
	if (x->is_parked)
		return ST_OK;
	if (!exec_is_own_co(leg)) {
		exec_park_after(leg);
		return ST_OK;
	}
	x->is_parked = true;
	leg_event(leg, EVENT_CHANNEL_PARK);
	spec = vars_get(leg->vars, "park_timeout");
	if (spec)
		sv_u32(sv_sub(sv_of(spec), 0, strspn(spec, "0123456789")), &timeout_s);
	if (timeout_s)
		loop_timer_set(&x->park_timer, clock_us_of_s(timeout_s), "park timeout", park_timeout, leg);
	return APP_DETACHED;
}
