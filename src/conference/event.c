/* conference::maintenance: what is told of a room and its members, in FreeSWITCH's order of headers. */
#include "base/fmt.h"
#include "base/mem.h"
#include "conference/conf_i.h"
#include "core/conf/config.h"
#include "presence/presence.h"
#include <stdarg.h>
#include <stdio.h>

static bool is_suppressed(const char *list, const char *action)
{
	struct sv rest = sv_of(list), one;
	while (rest.n) {
		size_t n = strcspn(rest.p, ",|");
		one = sv_sub(rest, 0, n < rest.n ? n : rest.n);
		rest = sv_sub(rest, one.n + 1, rest.n);
		if (sv_isi(sv_trim(one), action))
			return true;
	}
	return false;
}

void conf_event_room_add(struct event *e, struct conf_room *room)
{
	event_add(e, "Conference-Name", room->name);
	event_add(e, "Conference-Domain", room->profile->domain ? room->profile->domain : "");
	event_addf(e, "Conference-Size", "%u", room->count);
	event_addf(e, "Conference-Ghosts", "%u", room->ghost_count);
	event_add(e, "Conference-Profile-Name", room->profile->name);
	event_add(e, "Conference-Unique-ID", room->uuid);
	for (size_t i = 0; i < vars_count(room->vars); i++) {
		const char *name, *value;
		vars_at(room->vars, i, &name, &value);
		event_add(e, name, value);
	}
}

static ON_CTL void add_flag(struct event *e, const char *name, bool is_set)
{
	event_add(e, name, is_set ? "true" : "false");
}

void conf_event_member_add(struct event *e, struct conf_member *m)
{
	if (m->room)
		conf_event_room_add(e, m->room);
	add_flag(e, "Floor", m->room && m->room->floor == m);
	if (m->room && m->room->profile->is_verbose)
		leg_event_all(m->leg, e);
	else
		leg_event_headers(m->leg, e);
	add_flag(e, "Video", false);
	add_flag(e, "Hear", !m->is_deaf);
	add_flag(e, "See", !m->is_blind);
	add_flag(e, "Speak", !m->is_muted);
	add_flag(e, "Talking", m->is_talking);
	add_flag(e, "Mute-Detect", conf_member_is(m, CM_MUTE_DETECT));
	add_flag(e, "Hold", m->is_held);
	event_addf(e, "Member-ID", "%u", m->id);
	event_add(e, "Member-Type", conf_member_is(m, CM_MODERATOR) ? "moderator" : "member");
	add_flag(e, "Member-Ghost", conf_member_is(m, CM_GHOST));
	event_addf(e, "Energy-Level", "%u", conf_mix_energy(m));
	event_addf(e, "Current-Energy", "%u", m->score);
}

static ON_CTL struct event *make(struct conf_room *room, const char *action)
{
	if (!event_is_wanted(EVENT_CUSTOM, CONF_EVENT) || is_suppressed(room->profile->suppress_events, action))
		return NULL;
	return event_new(EVENT_CUSTOM, CONF_EVENT);
}

struct event *conf_event_new(struct conf_room *room, const char *action)
{
	struct event *e = make(room, action);
	if (e)
		conf_event_room_add(e, room);
	return e;
}

void conf_event_room(struct conf_room *room, const char *action)
{
	struct event *e = conf_event_new(room, action);
	if (!e)
		return;
	event_add(e, "Action", action);
	event_fire(e);
}

void conf_event_member(struct conf_member *m, const char *action)
{
	struct event *e = m->room ? make(m->room, action) : NULL;
	if (!e)
		return;
	conf_event_member_add(e, m);
	event_add(e, "Action", action);
	event_fire(e);
}

void conf_event_member_with(struct conf_member *m, const char *action, const char *name, const char *fmt, ...)
{
	struct event *e = m->room ? make(m->room, action) : NULL;
	char value[600];
	va_list ap;
	if (!e)
		return;
	va_start(ap, fmt);
	fmt_vprint(value, sizeof(value), fmt, ap);
	va_end(ap);
	conf_event_member_add(e, m);
	event_add(e, "Action", action);
	event_add(e, name, value);
	event_fire(e);
}

void conf_presence(struct conf_room *room)
{
	char status[64];
	unsigned n = room->count;
	struct presence_lamp lamp = {.kind = "conf",
	    .name = room->name,
	    .host = room->profile->domain,
	    .status = status,
	    .rpid = "active",
	    .is_on = n > 0,
	    .is_early = n == 1,
	    .is_initiator = n == 1,
	    .event_count = ++room->presence_count};
	if (n)
		snprintf(status, sizeof(status), "Active (%u caller%s)", n, n == 1 ? "" : "s");
	else
		snprintf(status, sizeof(status), "Inactive");
	if (!lamp.host || !*lamp.host)
		return;
	presence_lamp(&lamp);
}

void conf_lamps_advertise(void)
{
	xml_each(xml_child(config_conf("conference.conf"), "advertise"), "room", it)
	{
		struct sv name = sv_of(xml_attr_or(it, "name", "")), user, host;
		char *own_user, *own_host;
		if (!sv_split(name, '@', &user, &host))
			continue;
		own_user = sv_dup(user), own_host = sv_dup(host);
		struct presence_lamp lamp = {.kind = "conf",
		    .name = own_user,
		    .host = own_host,
		    .status = xml_attr_or(it, "status", "Available"),
		    .rpid = "active"};
		if (own_user && own_host)
			presence_lamp(&lamp);
		mem_free(own_user);
		mem_free(own_host);
	}
}
