/* Holds are a list from the newest down. An operation may take off its own hold, or all (a leave that ends the leg), so
 * each walk looks up anew where it goes on: after the hold it has just called, or at the newest when that one is gone.
 */
#include "core/leg/hold.h"
#include "core/leg/leg.h"
#include "core/leg/leg_i.h"

enum { HOLDS_MAX = 16 }; /* in one walk: a list that grows under it ends */

void leg_hold_add(struct leg *leg, struct leg_hold *h, const struct leg_hold_ops *ops)
{
	if (h->ops)
		return;
	h->ops = ops;
	h->below = leg_i(leg)->holds;
	leg_i(leg)->holds = h;
}

void leg_hold_del(struct leg *leg, struct leg_hold *h)
{
	struct leg_hold **at = &leg_i(leg)->holds;

	while (*at && *at != h)
		at = &(*at)->below;
	if (*at)
		*at = h->below;
	h->below = NULL;
	h->ops = NULL;
}

bool leg_is_held_by_some(const struct leg *leg)
{
	return leg_i(leg)->holds != NULL;
}

bool leg_is_held_alone(const struct leg *leg)
{
	for (const struct leg_hold *h = leg_i(leg)->holds; h; h = h->below)
		if (h->ops->is_exclusive)
			return true;
	return false;
}

/* The i-th hold from the oldest; NULL beyond. */
static struct leg_hold *hold_at(const struct leg *leg, unsigned i, unsigned count)
{
	struct leg_hold *h = leg_i(leg)->holds;

	for (unsigned n = count; h && n > i + 1; n--)
		h = h->below;
	return h;
}

static unsigned hold_count(const struct leg *leg)
{
	unsigned n = 0;
	for (const struct leg_hold *h = leg_i(leg)->holds; h; h = h->below)
		n++;
	return n < HOLDS_MAX ? n : HOLDS_MAX;
}

bool leg_holds_leave(struct leg *leg)
{
	bool is_resumed = false;

	for (unsigned i = hold_count(leg); i > 0; i--) {
		unsigned count = hold_count(leg);
		struct leg_hold *h = i <= count ? hold_at(leg, i - 1, count) : NULL;
		if (h && h->ops->leave)
			is_resumed |= h->ops->leave(leg);
	}
	return is_resumed;
}

void leg_holds_suspend(struct leg *leg, bool plays_music)
{
	for (struct leg_hold *h = leg_i(leg)->holds, *below; h; h = below) {
		below = h->below;
		if (h->ops->suspend)
			h->ops->suspend(leg, plays_music);
	}
}

void leg_holds_resume(struct leg *leg, bool played_music)
{
	for (struct leg_hold *h = leg_i(leg)->holds, *below; h; h = below) {
		below = h->below;
		if (h->ops->resume)
			h->ops->resume(leg, played_music);
	}
}

void leg_holds_wake(struct leg *leg)
{
	for (struct leg_hold *h = leg_i(leg)->holds, *below; h; h = below) {
		below = h->below;
		if (h->ops->wake)
			h->ops->wake(leg);
	}
}
