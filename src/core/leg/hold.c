/* Holds are a list from the newest down. An operation may take off its own hold, another, or all (a leave that ends the
 * leg): a walk goes over those that were there when it began and leaves out what has been taken off since. */
#include "core/leg/hold.h"
#include "core/leg/leg.h"
#include "core/leg/leg_i.h"

enum { HOLDS_MAX = 16 }; /* in one walk */

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

/* Does call for each hold all[i] that has the operation. */
#define EACH_HOLD(leg, op, call) \
	do { \
		struct leg_hold *all[HOLDS_MAX]; \
		unsigned n = 0; \
		for (struct leg_hold *h = leg_i(leg)->holds; h && n < HOLDS_MAX; h = h->below) \
			all[n++] = h; \
		for (unsigned i = 0; i < n; i++) \
			if (all[i]->ops && all[i]->ops->op) \
				call; \
	} while (0)

bool leg_holds_leave(struct leg *leg)
{
	bool is_resumed = false;

	EACH_HOLD(leg, leave, is_resumed |= all[i]->ops->leave(leg));
	return is_resumed;
}

void leg_holds_suspend(struct leg *leg, bool plays_music)
{
	EACH_HOLD(leg, suspend, all[i]->ops->suspend(leg, plays_music));
}

void leg_holds_resume(struct leg *leg, bool played_music)
{
	EACH_HOLD(leg, resume, all[i]->ops->resume(leg, played_music));
}

void leg_holds_wake(struct leg *leg)
{
	EACH_HOLD(leg, wake, all[i]->ops->wake(leg));
}
