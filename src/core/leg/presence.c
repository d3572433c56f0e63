/* PRESENCE_IN of a leg: what lamps and presence servers follow. FreeSWITCH tells it as the leg is routed, answered,
 * held, resumed and hung up, for legs that have a presence_id. */
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/leg/leg_core.h"
#include "core/leg/leg_i.h"
#include "core/value/vars.h"
#include <string.h>

/* The source's name as the repository has it, whatever the build calls it. */
static const char *own_file(void)
{
	const char *file = __FILE__, *src = strstr(file, "src/");
	return src ? src : file;
}

/* The state of the line key that shows the call (call-info of shared lines). */
static ON_CTL const char *call_info_state(const struct leg *leg, const char *status)
{
	if (!leg_is_up(leg))
		return "idle";
	if (!strcmp(status, "hold"))
		return "held";
	if (leg->is_answered)
		return "active";
	return leg->is_outbound ? "progressing" : "alerting";
}

static ON_CTL void fire(
    struct leg *leg, const char *rpid, const char *status, const char *id, const char *func, int line)
{
	const char *info = vars_get(leg->vars, "presence_call_info");
	struct event *e;

	if (!id)
		return;
	LEG_PARTS(on_presence, leg, rpid, status, id);
	if (!event_is_wanted(EVENT_PRESENCE_IN, NULL) || !(e = event_new(EVENT_PRESENCE_IN, NULL)))
		return;
	leg_event_headers(leg, e);
	event_add(e, "proto", "any");
	event_add(e, "login", own_file());
	event_add(e, "from", id);
	event_add(e, "rpid", rpid);
	event_add(e, "status", status);
	event_add(e, "event_type", "presence");
	event_add(e, "alt_event_type", "dialog");
	event_add(e, "presence-call-info-state", call_info_state(leg, status));
	event_add(e, "presence-call-info", info);
	event_add(e, "presence-call-direction", leg->is_outbound ? "outbound" : "inbound");
	event_addf(e, "event_count", "%u", leg_i(leg)->presence_count++);
	event_add(e, "Presence-Calling-File", own_file());
	event_add(e, "Presence-Calling-Function", func);
	event_addf(e, "Presence-Calling-Line", "%d", line);
	if (leg_var_is_true(leg, "presence_privacy"))
		event_add(e, "Presence-Privacy", "true");
	event_fire(e);
}

void leg_presence_at(struct leg *leg, const char *status, const char *func, int line)
{
	fire(leg, "unknown", status, vars_get(leg->vars, "presence_id"), func, line);
}

void leg_presence_tell(struct leg *leg, const char *rpid, const char *status, const char *id)
{
	fire(leg, rpid, status, id ? id : vars_get(leg->vars, "presence_id"), __func__, __LINE__);
}
