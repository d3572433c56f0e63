/* What an entity's state means as a whole, in the words that FreeSWITCH's presence documents have: calls first, then
 * what somebody published, then whether it can be reached. Pure but for the question to the registrars. */
#include "presence/presence_i.h"
#include <stdio.h>

static const char *call_word(const struct presence_dialog *d)
{
	if (d->state == PRESENCE_HELD)
		return "Hold";
	return d->state == PRESENCE_EARLY && !d->is_initiator ? "Ring" : "Talk";
}

/* The one that says most: a call that is up before one that rings, the newest first. */
static const struct presence_dialog *dialog_main(const struct presence_entity *e)
{
	const struct presence_dialog *best = NULL;
	for (const struct lnode *n = e->dialogs.head.next; n != &e->dialogs.head; n = n->next) {
		const struct presence_dialog *d = list_entry(n, struct presence_dialog, link);
		bool is_up = d->state == PRESENCE_CONFIRMED || d->is_initiator;
		if (!best || is_up || best->state == PRESENCE_EARLY)
			best = d;
	}
	return best;
}

void presence_view_get(const struct presence_entity *e, struct presence_view *out)
{
	const struct presence_dialog *d = dialog_main(e);
	struct presence_parties who;
	*out = (struct presence_view){.is_open = true};
	if (d) {
		out->rpid = "on-the-phone";
		if (d->status)
			snprintf(out->note, sizeof(out->note), "%s", d->status);
		else if (presence_parties_of(d, &who) && !who.is_private)
			snprintf(out->note, sizeof(out->note), "%s %.*s", call_word(d),
			    (int)(who.number.n < 64 ? who.number.n : 64), who.number.p);
		else
			snprintf(out->note, sizeof(out->note), "On The Phone");
		return;
	}
	if (e->has_note) {
		out->is_open = !e->is_closed;
		out->rpid = e->is_closed ? NULL : e->rpid;
		snprintf(out->note, sizeof(out->note), "%s",
		    e->is_closed ? "Unregistered"
		    : e->note    ? e->note
		                 : "Available");
		return;
	}
	if (e->kind) {
		snprintf(out->note, sizeof(out->note), "Available");
		return;
	}
	out->is_open = presence_is_reachable(sv_of(e->user), sv_of(e->host));
	snprintf(out->note, sizeof(out->note), out->is_open ? "Available" : "Unregistered");
}
