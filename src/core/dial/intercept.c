/* Taking a call over from whoever has it: ringing, answered or bridged. */
#include "core/dial/intercept.h"
#include "base/status.h"
#include "core/bridge/bridge.h"
#include "core/dial/originate_i.h"
#include "core/leg/leg.h"
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
	st = leg_answer_for(leg, target);
	if (st)
		return st;
	st = leg_answer_for(target, leg);
	if (st)
		return st;
	if (target->is_held)
		leg_mark_held(target, false);
	other = target->peer;
	if (other)
		leg_hangup(other, CAUSE_PICKED_OFF);
	if (dialling_of(target)->dialling)
		dialling_of(target)->end = CAUSE_PICKED_OFF;
	return bridge_two(leg, target);
}
