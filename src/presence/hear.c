/* PRESENCE_IN that others fire (sendevent, Lua, modules) becomes state; lamps of lots and rooms become state and, for
 * those who want it, that event. The subscription overhears only: it does not make anybody build events. What the legs
 * and this room fire themselves is known here already. */
#include "core/event/event.h"
#include "core/value/vars.h"
#include "presence/presence_i.h"
#include <string.h>
#include <strings.h>

static struct event_sub *sub;
static unsigned firing;

void presence_event_fire(struct event *e)
{
	firing++;
	event_fire(e);
	firing--;
}

static ON_CTL struct sv header(const struct event *e, const char *name)
{
	return sv_of(event_get(e, name));
}

static enum presence_state state_of(struct sv answer, struct sv channel)
{
	if (sv_isi(answer, "terminated") || sv_isi(answer, "hangup") || sv_isi(channel, "CS_HANGUP"))
		return PRESENCE_ENDED;
	if (sv_isi(answer, "early") || sv_isi(answer, "ringing"))
		return PRESENCE_EARLY;
	return PRESENCE_CONFIRMED;
}

/* An event without call: what somebody says of himself. */
static ON_CTL void words_take(const struct event *e, struct sv user, struct sv host)
{
	struct sv rpid = header(e, "rpid"), note = header(e, "status");
	bool is_closed = sv_isi(note, "Unregistered") || sv_isi(rpid, "Unregistered"),
	     is_gone = sv_isi(rpid, "unknown") && (!note.n || sv_isi(note, "Available") || sv_isi(note, "Registered"));
	presence_publish(&(struct presence_words){.user = user,
	    .host = host,
	    .rpid = sv_isi(rpid, "unknown") ? SV_NONE : rpid,
	    .note = note,
	    .is_closed = is_closed,
	    .is_gone = is_gone});
}

static ON_CTL void take(const struct event *e)
{
	struct sv from = header(e, "from"), kind = header(e, "proto"), id = header(e, "unique-id"), user, host;
	struct sv direction = header(e, "presence-call-direction"), status = header(e, "force-status");
	if (sv_startsi(from, SV("sip:")))
		from = sv_sub(from, 4, from.n);
	if (!sv_split(from, '@', &user, &host) || !user.n || from.n > 256 || id.n > 128)
		return;
	if (!presence_kind_of(kind))
		kind = SV_NONE;
	if (!id.n) {
		if (!kind.n)
			words_take(e, user, host);
		return;
	}
	struct presence_entity *entity = presence_entity_get(kind, user, host);
	if (!entity)
		return;
	bool is_initiator = !direction.n || sv_isi(direction, "outbound");
	presence_foreign_set(entity, id, state_of(header(e, "answer-state"), header(e, "channel-state")), is_initiator,
	    status, presence_kind_of(kind));
	presence_entity_release(entity);
}

static void on_event(struct event *e, void *arg)
{
	role_assert_ctl();
	/* what legs tell, registrations, and what is told from here */
	bool is_known = firing || event_get(e, "Presence-Calling-File") || event_get(e, "presence-source");
	if (event_id(e) == EVENT_PRESENCE_IN && !is_known)
		take(e);
}

static ON_CTL void lamp_event(const struct presence_lamp *l)
{
	struct event *e;
	if (l->is_quiet || !event_is_wanted(EVENT_PRESENCE_IN, NULL) || !(e = event_new(EVENT_PRESENCE_IN, NULL)))
		return;
	event_add(e, "proto", l->kind);
	event_add(e, "login", l->login ? l->login : l->name);
	event_addf(e, "from", "%s@%s", l->name, l->host);
	event_add(e, "force-status", l->status);
	event_add(e, "rpid", l->rpid);
	event_add(e, "event_type", "presence");
	event_add(e, "alt_event_type", "dialog");
	event_addf(e, "event_count", "%u", l->event_count);
	event_add(e, "unique-id", l->login ? l->login : l->name);
	event_add(e, "channel-state", l->is_on ? "CS_ROUTING" : "CS_HANGUP");
	event_add(e, "answer-state", !l->is_on ? "terminated" : l->is_early ? "early" : "confirmed");
	event_add(e, "presence-call-direction", l->is_initiator ? "outbound" : "inbound");
	presence_event_fire(e);
}

void presence_lamp(const struct presence_lamp *l)
{
	struct presence_entity *e = presence_entity_get(sv_of(l->kind), sv_of(l->name), sv_of(l->host));
	if (e) {
		presence_foreign_set(e, sv_of(l->name),
		    !l->is_on     ? PRESENCE_ENDED
		    : l->is_early ? PRESENCE_EARLY
		                  : PRESENCE_CONFIRMED,
		    l->is_initiator, sv_of(l->status), presence_kind_of(sv_of(l->kind)));
		presence_entity_release(e);
	}
	lamp_event(l);
}

int presence_hear_start(void)
{
	int st = event_sub_new(&sub, on_event, NULL);
	if (!st)
		event_sub_overhear(sub, EVENT_PRESENCE_IN);
	return st;
}

void presence_hear_stop(void)
{
	if (sub)
		event_sub_free(sub);
	sub = NULL;
}
