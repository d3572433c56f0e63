/* What the call centre tells: CUSTOM callcenter::info in FreeSWITCH's words, and a queue's lamp. */
#include "core/event/event.h"
#include "base/mem.h"
#include "callcenter/callcenter_i.h"
#include "core/conf/config.h"
#include "presence/presence.h"
#include "text/mark.h"

#include <inttypes.h>
#include <stdio.h>

#define SUBCLASS "callcenter::info"

struct event *cc_event(struct leg *leg, const struct cc_queue *q, const char *action)
{
	struct event *e;
	if (!event_is_wanted(EVENT_CUSTOM, SUBCLASS) || !(e = event_new(EVENT_CUSTOM, SUBCLASS)))
		return NULL;
	if (leg)
		leg_event_all(leg, e);
	event_add(e, "CC-Queue", q->name);
	event_add(e, "CC-Action", action);
	return e;
}

void cc_event_member(struct event *e, const struct cc_member *m, const char *session)
{
	event_add(e, "CC-Member-UUID", m->uuid);
	event_add(e, "CC-Member-Session-UUID", session);
	event_add(e, "CC-Member-CID-Name", m->cid_name);
	event_add(e, "CC-Member-CID-Number", m->cid_number);
}

void cc_event_time(struct event *e, const char *name, int64_t seconds)
{
	event_addf(e, name, "%" PRId64, seconds);
}

void cc_tell_agent(const struct cc_agent *a, const char *action, const char *name, const char *value)
{
	struct event *e;
	if (!event_is_wanted(EVENT_CUSTOM, SUBCLASS) || !(e = event_new(EVENT_CUSTOM, SUBCLASS)))
		return;
	char *plain = mark_strip_dup(sv_of(value ? value : ""));
	event_add(e, "CC-Agent", a->name);
	event_add(e, "CC-Action", action);
	if (plain && *plain)
		event_add(e, name, plain);
	event_fire(e);
	mem_free(plain);
}

void cc_tell_added(const struct cc_agent *a)
{
	struct event *e;
	if (!event_is_wanted(EVENT_CUSTOM, SUBCLASS) || !(e = event_new(EVENT_CUSTOM, SUBCLASS)))
		return;
	event_add(e, "CC-Agent", a->name);
	event_add(e, "CC-Agent-Type", a->type);
	event_add(e, "CC-Action", "agent-add");
	event_fire(e);
}

void cc_tell_count(const struct cc_queue *q)
{
	struct event *e = cc_event(NULL, q, "members-count");
	if (!e)
		return;
	event_addf(e, "CC-Count", "%u", q->waiting_count + q->trying_count);
	event_add(e, "CC-Selection", "Single-Queue");
	event_fire(e);
}

void cc_lamp(const struct cc_queue *q)
{
	const char *global = globals_get("domain");
	struct sv name, domain;
	char status[48];
	if (!sv_split(sv_of(q->name), '@', &name, &domain) || !domain.n)
		domain = sv_of(global && *global ? global : "localhost");
	char *user = sv_dup(name), *host = sv_dup(domain);
	snprintf(status, sizeof(status), "Active (%u waiting)", q->waiting_count);
	struct presence_lamp lamp = {.kind = "callcenter",
	    .name = user,
	    .host = host,
	    .login = q->name,
	    .status = q->waiting_count ? status : "Idle",
	    .rpid = "unknown",
	    .is_on = q->waiting_count > 0};
	if (user && host)
		presence_lamp(&lamp);
	mem_free(user);
	mem_free(host);
}
