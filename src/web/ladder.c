/* One call's SIP messages (trace/): by the uuid of a leg, of one that has ended too, or by a Call-ID. Credentials, keys
 * and what was typed or written in a call are for the role admin only. */
#include "core/leg/leg.h"
#include "trace/trace.h"
#include "web/web_i.h"

#include <string.h>

void web_ladder(struct web_call *c)
{
	const struct leg *leg = leg_find(c->param);
	struct sv keys[2] = {sv_of(c->param)};
	const char *call_id = leg ? vars_get(leg->vars, "sip_call_id") : NULL;
	struct buf b;
	buf_init(&b);
	if (call_id)
		keys[1] = sv_of(call_id);
	int st = trace_ladder_json(&b, keys, call_id ? 2 : 1, c->role != WEB_ADMIN);
	if (!st) {
		web_reply_json(c->x, 200, &b);
		return;
	}
	buf_fini(&b);
	web_problem(c->x, st == ST_NOTFOUND ? 404 : 503, "nothing of the call %s is kept", c->param);
}
