/* What FreeSWITCH's programs hear of subscriptions: PRESENCE_PROBE when somebody asks for a state, PRESENCE_IN with
 * what it is, and PRESENCE_IN of what a phone published. The state itself is not changed by any of them. */
#include "endpoint/sip/presence/watch_i.h"
#include <inttypes.h>

static ON_CTL void reply_registered(const struct watcher *w, struct sv call_id, const char *name)
{
	const struct presence_entity *e = w->watch.entity;
	const struct reg *r[1];
	struct event *ev;
	if (!e || !event_is_wanted(EVENT_PRESENCE_IN, NULL) || !(ev = event_new(EVENT_PRESENCE_IN, NULL)))
		return;
	bool is_here = reg_table_find(reg_table_of(w->p), sv_of(e->user), sv_of(e->host), r, 1) > 0;
	event_add(ev, "proto", "sip");
	event_add(ev, "login", is_here ? w->p->url : w->p->conf.name);
	event_add(ev, "sip_profile", w->p->conf.name);
	event_add(ev, "from", name);
	if (is_here) {
		struct buf proto;
		buf_init(&proto);
		for (const char *c = r[0]->proto; *c; c++)
			buf_addc(&proto, *c >= 'a' && *c <= 'z' ? (char)(*c - 32) : *c);
		event_addf(ev, "call-id", "%.*s", SVF(call_id));
		event_addf(ev, "status", "Registered(%s)", proto.p ? proto.p : "");
		event_add(ev, "rpid", "unknown");
		buf_fini(&proto);
	} else {
		event_add(ev, "status", "Unregistered");
	}
	if (is_here) {
		event_add(ev, "event_type", "presence");
		event_add(ev, "alt_event_type", "dialog");
		event_add(ev, "event_count", "0");
		event_add(ev, "channel-state", "CS_HANGUP");
	}
	presence_event_fire(ev);
}

/* A lot of calls that wait tells how it is. */
static ON_CTL void reply_parked(const struct presence_entity *lot, struct sv call_id)
{
	static unsigned count;
	struct event *e;
	bool is_on = !list_empty((struct list *)(uintptr_t)&lot->dialogs);
	const struct presence_dialog *d =
	    is_on ? list_entry(lot->dialogs.head.next, struct presence_dialog, link) : NULL;
	if (!event_is_wanted(EVENT_PRESENCE_IN, NULL) || !(e = event_new(EVENT_PRESENCE_IN, NULL)))
		return;
	event_add(e, "proto", lot->kind);
	event_add(e, "login", lot->user);
	event_addf(e, "from", "%s@%s", lot->user, lot->host);
	event_add(e, "force-status", d && d->status ? d->status : is_on ? "Active" : "Empty");
	event_add(e, "rpid", is_on ? "active" : "unknown");
	event_add(e, "event_type", "presence");
	event_add(e, "alt_event_type", "dialog");
	event_addf(e, "event_count", "%u", count++);
	event_add(e, "unique-id", lot->user);
	event_add(e, "channel-state", is_on ? "CS_ROUTING" : "CS_HANGUP");
	event_add(e, "answer-state", is_on ? "confirmed" : "terminated");
	event_add(e, "presence-call-direction", "inbound");
	event_addf(e, "call-id", "%.*s", SVF(call_id));
	presence_event_fire(e);
}

static ON_CTL void probe_common(const struct watcher *w, struct event *e, int64_t expires_s)
{
	event_add(e, "login", w->p->conf.name);
	event_add(e, "sip_profile", w->p->conf.name);
	if (w->package->id == PKG_PRESENCE)
		event_add(e, "presence-source", "subscribe");
	event_add(e, "from", w->from);
	event_addf(e, "to", "%s@%s", w->user, w->host);
	if (w->package->id == PKG_DIALOG)
		event_add(e, "proto-specific-event-name", w->package->event);
	event_addf(e, "expires", "%" PRId64, expires_s);
}

void probe_event(const struct watcher *w, int64_t expires_s, struct sv call_id)
{
	struct event *e;
	bool is_dialog = w->package->id == PKG_DIALOG;
	const char *kind = w->watch.entity ? w->watch.entity->kind : NULL;
	if ((!is_dialog && w->package->id != PKG_PRESENCE) || w->has_details || w->members)
		return;
	if (event_is_wanted(EVENT_PRESENCE_PROBE, NULL) && (e = event_new(EVENT_PRESENCE_PROBE, NULL))) {
		if (is_dialog && !kind)
			event_add(e, "probe-type", "dialog");
		event_add(e, "proto", kind ? kind : "sip");
		probe_common(w, e, expires_s);
		if (is_dialog)
			event_add(e, "event_type", "presence");
		event_add(e, "alt_event_type", "dialog");
		if (is_dialog)
			event_addf(e, "expires", "%" PRId64, expires_s);
		else {
			event_add(e, "rpid", "unknown");
			event_add(e, "status", "Registered");
		}
		event_addf(e, "sub-call-id", "%.*s", SVF(call_id));
		event_fire(e);
	}
	if (kind && !strcmp(kind, "park") && expires_s)
		reply_parked(w->watch.entity, call_id);
	if (!is_dialog && !kind) {
		struct buf name;
		buf_init(&name);
		buf_printf(&name, "%s@%s", w->user, w->host);
		reply_registered(w, call_id, name.p);
		buf_fini(&name);
	}
}

void published_event(const struct profile *p, struct sv from, const struct pidf *pidf, struct sv event, struct sv agent)
{
	struct event *e;
	if (!event_is_wanted(EVENT_PRESENCE_IN, NULL) || !(e = event_new(EVENT_PRESENCE_IN, NULL)))
		return;
	event_add(e, "proto", "sip");
	if (pidf && (pidf->is_closed || *pidf->rpid))
		event_add(e, "rpid", pidf->is_closed ? "Unregistered" : pidf->rpid);
	event_add(e, "login", p->url);
	event_add(e, "sip_profile", p->conf.name);
	event_addf(e, "user-agent", "%.*s", SVF(agent));
	event_addf(e, "from", "%.*s", SVF(from));
	if (pidf)
		event_add(e, "status", pidf->is_closed ? "Unregistered" : pidf->note);
	event_addf(e, "event_type", "%.*s", SVF(event));
	presence_event_fire(e);
}
