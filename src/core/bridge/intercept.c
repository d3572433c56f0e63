/* Taking a call over from whoever has it: ringing, answered or bridged. */
#include "base/status.h"
#include "core/bridge/bridge.h"
#include "core/leg/leg.h"
#include "core/leg/leg_core.h"
#include "core/value/cause.h"
#include "core/value/vars.h"

int bridge_intercept(struct leg *leg, struct leg *target)
{
	struct leg *other;
	int st;

	if (target->is_outbound && !target->is_answered)
		target = leg_find(vars_get(target->vars, "originator"));
	if (!target || target == leg || !leg_is_up(target))
		return ST_NOTFOUND;
	leg_i(leg)->near = target;
	st = leg_answer(leg);
	leg_i(leg)->near = NULL;
	if (st)
		return st;
	leg_i(target)->near = leg;
	st = leg_answer(target);
	leg_i(target)->near = NULL;
	if (st)
		return st;
	if (target->is_held)
		leg_mark_held(target, false);
	other = bridge_peer(target);
	if (other)
		leg_hangup(other, CAUSE_PICKED_OFF);
	if (leg_i(target)->dialling)
		leg_i(target)->dialling_end = CAUSE_PICKED_OFF;
	return bridge_two(leg, target);
}
