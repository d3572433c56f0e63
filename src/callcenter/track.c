/* "callcenter_track AGENT": a call that an agent has aside of his queues counts as his until it ends; queues with
 * skip-agents-with-external-calls offer him nobody meanwhile. */
#include "base/status.h"
#include "callcenter/callcenter_i.h"
#include "core/value/vars.h"

int app_callcenter_track(struct leg *leg, const char *data)
{
	struct cc_agent *a;
	role_assert_co();
	a = cc_agent_find(data);
	if (!a || vars_get(leg->vars, "cc_tracked_agent")) {
		leg_log(leg, LOG_ERR, "callcenter_track: %s", a ? "the call counts already" : "there is no such agent");
		return ST_OK;
	}
	leg_var_set(leg, "cc_tracked_agent", a->name);
	a->external_count++;
	cc_agent_changed(a);
	return ST_OK;
}

void cc_track_end(struct leg *leg, void *arg)
{
	const char *name = vars_get(leg->vars, "cc_tracked_agent");
	struct cc_agent *a;
	role_assert_ctl();
	a = name ? cc_agent_find(name) : NULL;
	if (!a || a->external_count <= 0)
		return;
	a->external_count--;
	cc_agent_changed(a);
}
