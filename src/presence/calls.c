/* Calls as state of people: a part of each leg that has a presence_id hangs the leg's dialog into its entity, and takes
 * it out at the end. What FreeSWITCH tells by PRESENCE_IN at these times the leg tells itself (core/leg/presence.c);
 * this is what lamps are told of, whether somebody wants the event or not. No text is copied: names and numbers are
 * read from the leg when they are told. */
#include "core/leg/leg.h"
#include "core/leg/part.h"
#include "core/value/vars.h"
#include "presence/presence_i.h"
#include <string.h>

static ON_CTL void on_presence(struct leg *leg, const char *rpid, const char *status, const char *id)
{
	struct presence_dialog *d = leg_part_of(leg, &presence_part);
	struct sv user, host;
	bool is_over = !leg_is_up(leg);
	role_assert_ctl();
	if (strcmp(rpid, "unknown") != 0) { /* the application `presence` says more than the call does */
		if (sv_split(sv_of(id), '@', &user, &host))
			presence_publish(&(struct presence_words){
			    .user = user, .host = host, .rpid = sv_of(rpid), .note = sv_of(status)});
		return;
	}
	struct presence_entity *e = d->entity;
	if (!e &&
	    (is_over || !sv_split(sv_of(id), '@', &user, &host) || !(e = presence_entity_get(SV_NONE, user, host))))
		return;
	d->leg = leg;
	d->is_initiator = !leg->is_outbound;
	presence_dialog_set(e, d,
	    is_over            ? PRESENCE_ENDED
	    : leg->is_held     ? PRESENCE_HELD
	    : leg->is_answered ? PRESENCE_CONFIRMED
	                       : PRESENCE_EARLY);
	presence_entity_release(e);
}

/* However it ended: the block goes with the leg. */
static ON_CTL void on_destroy(struct leg *leg)
{
	struct presence_dialog *d = leg_part_of(leg, &presence_part);
	struct presence_entity *e = d->entity;
	role_assert_ctl();
	if (!e)
		return;
	presence_dialog_set(e, d, PRESENCE_ENDED);
	presence_entity_release(e);
}

static ON_CTL void fini(struct leg *leg)
{
	role_assert_ctl();
	on_destroy(leg);
}

struct leg_part presence_part = {.name = "presence",
    .bytes = sizeof(struct presence_dialog),
    .on_presence = on_presence,
    .on_destroy = on_destroy,
    .fini = fini};

const char *presence_dialog_id(const struct presence_dialog *d)
{
	return d->leg ? d->leg->uuid : d->id;
}

/* What lamps show of a name or a number. */
enum { PARTY_MAX_BYTES = 256 };

bool presence_parties_of(const struct presence_dialog *d, struct presence_parties *out)
{
	struct leg *leg = d->leg;
	const struct leg_profile *p = leg ? leg->profile : NULL;
	if (!p)
		return false;
	const char *number = d->is_initiator ? p->destination_number : p->caller_id_number,
	           *name = d->is_initiator ? NULL : p->caller_id_name;
	*out = (struct presence_parties){.number = sv_sub(sv_of(number), 0, PARTY_MAX_BYTES),
	    .name = sv_sub(sv_of(name && *name ? name : number), 0, PARTY_MAX_BYTES),
	    .is_private = leg_var_is_true(leg, "presence_privacy") || (!d->is_initiator && p->hides_number)};
	return out->number.n > 0;
}
