/* What the dialler asks: how many agents a queue has for calls that it would start, and where one is called. */
#include "base/mem.h"
#include "base/status.h"
#include "callcenter/callcenter.h"
#include "callcenter/callcenter_i.h"
#include "core/registry/module.h"

int callcenter_figures_get(const char *queue, struct callcenter_figures *out)
{
	struct cc_queue *q = module_is_loaded("mod_callcenter") ? cc_queue_find(queue) : NULL;
	struct lnode *it, *tmp;
	if (!q)
		return ST_NOTFOUND;
	*out = (struct callcenter_figures){.free = (unsigned)q->ready.count, .waiting = q->waiting_count};
	list_each (&q->tiers, it, tmp) {
		const struct cc_agent *a = list_entry(it, struct cc_tier, in_queue)->agent;
		if (a->status != CC_AVAILABLE && a->status != CC_ON_DEMAND)
			continue;
		out->busy += a->state == CC_RECEIVING || a->state == CC_IN_CALL;
		out->resting += a->state == CC_WAITING && a->rest.is_in;
	}
	return ST_OK;
}

char *callcenter_contact_dup(const char *queue, const char *agent)
{
	struct cc_queue *q = module_is_loaded("mod_callcenter") ? cc_queue_find(queue) : NULL;
	struct cc_agent *a = q ? cc_agent_find(agent) : NULL;
	return a && a->contact && cc_tier_find(q, a) ? mem_strdup(a->contact) : NULL;
}
