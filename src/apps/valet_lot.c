/* Lots and slots of valet parking: a table of tables in memory, the command that shows it, and its presence events. */
#include "apps/valet_i.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/conf/config.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "presence/presence.h"
#include "text/xml.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { RESERVE_US = 5000000, EXT_NUMBER_MAX = 1000000 };

struct lot {
	char *name;
	struct hash *slots; /* ext -> struct slot * */
};
static struct hash *lots;
static unsigned event_number;

static void slot_destroy(void *obj)
{
	struct slot *s = obj;
	role_assert_ctl();
	loop_timer_cancel(&s->reserve_timer);
	mem_free(s->ext);
	mem_free(s);
}

static void lot_destroy(void *obj)
{
	struct lot *lot = obj;
	hash_free(lot->slots);
	mem_free(lot->name);
	mem_free(lot);
}

int valet_lots_load(void)
{
	return hash_new(&lots, 0, lot_destroy);
}

void valet_lots_unload(void)
{
	hash_free(lots);
	lots = NULL;
}

int valet_lot_get(const char *name, struct lot **out)
{
	struct lot *lot = hash_get(lots, sv_of(name));

	if (!lot) {
		lot = mem_zalloc(sizeof(*lot));
		if (!lot)
			return ST_NOMEM;
		lot->name = mem_strdup(name);
		if (!lot->name || hash_new(&lot->slots, 0, slot_destroy) || hash_set(lots, sv_of(name), lot)) {
			lot_destroy(lot);
			return ST_NOMEM;
		}
	}
	*out = lot;
	return ST_OK;
}

const char *valet_lot_name(const struct lot *lot)
{
	return lot->name;
}

static ON_CTL bool is_taken(const struct slot *s)
{
	const struct leg *leg = leg_find(s->uuid);
	return s->is_reserved || (leg && leg_is_up(leg));
}

struct slot *valet_slot_find(struct lot *lot, const char *ext)
{
	struct slot *s = hash_get(lot->slots, sv_of(ext));

	if (s && !is_taken(s)) {
		hash_del(lot->slots, sv_of(ext));
		return NULL;
	}
	return s;
}

struct slot *valet_slot_take(struct lot *lot, const char *ext, const char *uuid)
{
	struct slot *s = mem_zalloc(sizeof(*s));

	if (!s)
		return NULL;
	s->lot = lot;
	s->ext = mem_strdup(ext);
	s->since_us = clock_mono_us();
	snprintf(s->uuid, sizeof(s->uuid), "%s", uuid);
	if (!s->ext || hash_set(lot->slots, sv_of(ext), s)) {
		slot_destroy(s);
		return NULL;
	}
	return s;
}

static void reserve_over(void *arg)
{
	struct slot *s = arg;
	role_assert_ctl();
	hash_del(s->lot->slots, sv_of(s->ext));
}

void valet_slot_reserve(struct slot *s)
{
	s->is_reserved = true;
	loop_timer_set(&s->reserve_timer, RESERVE_US, "valet reservation", reserve_over, s);
}

void valet_slot_free(struct lot *lot, const char *ext, const char *uuid)
{
	struct slot *s = hash_get(lot->slots, sv_of(ext));

	if (s && !strcmp(s->uuid, uuid) && !s->is_reserved)
		hash_del(lot->slots, sv_of(ext));
}

bool valet_lot_next_free(struct lot *lot, unsigned min, unsigned max, char ext[16])
{
	for (unsigned i = min ? min : 1; i <= (max ? max : EXT_NUMBER_MAX); i++) {
		snprintf(ext, 16, "%u", i);
		if (!valet_slot_find(lot, ext))
			return true;
	}
	return false;
}

struct slot *valet_lot_longest(struct lot *lot, unsigned min, unsigned max)
{
	struct slot *longest = NULL;
	struct hash_it it = {0};

	while (hash_next(lot->slots, &it)) {
		struct slot *s = it.value;
		uint32_t number;
		if (s->is_reserved || !is_taken(s) || sv_u32(it.key, &number) || number < min || (max && number > max))
			continue;
		if (!longest || s->since_us < longest->since_us)
			longest = s;
	}
	return longest;
}

static ON_CTL size_t count_taken(const struct lot *lot)
{
	struct hash_it it = {0};
	size_t n = 0;

	while (hash_next(lot->slots, &it))
		n += is_taken(it.value);
	return n;
}

/* The slot is a party that calls out: whoever waits there can be taken. */
static ON_CTL void lamp(const char *name, const char *domain, const char *status, bool is_on, bool is_slot)
{
	presence_lamp(&(struct presence_lamp){.kind = "park",
	    .name = name,
	    .host = domain,
	    .status = status,
	    .rpid = is_on ? "active" : "unknown",
	    .is_on = is_on,
	    .is_initiator = is_on && is_slot,
	    .event_count = event_number++});
}

void valet_presence(struct lot *lot, const char *ext, bool is_now_taken)
{
	size_t n = count_taken(lot);
	struct sv name, domain;
	char *login, status[40];
	const char *global = globals_get("domain");

	if (!sv_split(sv_of(lot->name), '@', &name, &domain) || !domain.n)
		domain = sv_of(global && *global ? global : "localhost");
	login = sv_dup(name);
	snprintf(status, sizeof(status), "Active (%zu caller%s)", n, n == 1 ? "" : "s");
	char *at = sv_dup(domain);
	if (login && at) {
		lamp(login, at, n ? status : "Empty", n > 0, false);
		lamp(ext, at, is_now_taken ? "Holding" : "Empty", is_now_taken, true);
	}
	mem_free(login);
	mem_free(at);
}

/* [lot] */
int api_valet_info(struct api_call *c)
{
	struct hash_it it = {0};

	role_assert_ctl();
	buf_adds(c->out, "<lots>\n");
	while (hash_next(lots, &it)) {
		const struct lot *lot = it.value;
		struct hash_it at = {0};
		if (*c->args && strcasecmp(c->args, lot->name))
			continue;
		buf_adds(c->out, "  <lot name=\"");
		xml_escape(c->out, sv_of(lot->name), true);
		buf_adds(c->out, "\">\n");
		while (hash_next(lot->slots, &at)) {
			const struct slot *s = at.value;
			if (s->is_reserved || !is_taken(s))
				continue;
			buf_printf(c->out, "    <extension uuid=\"%s\">", s->uuid);
			xml_escape(c->out, sv_of(s->ext), false);
			buf_adds(c->out, "</extension>\n");
		}
		buf_adds(c->out, "  </lot>\n");
	}
	buf_adds(c->out, "</lots>\n");
	return ST_OK;
}
