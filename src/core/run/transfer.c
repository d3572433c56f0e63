/* Who waits for the outcome of a blind transfer is found by a variable of the leg that was transferred, which is taken
 * away with the first word, so that he hears one. What is said, and what becomes of his leg, is his endpoint's. */
#include "core/run/transfer.h"
#include "base/mem.h"
#include "core/leg/leg.h"
#include "core/registry/endpoint.h"

bool leg_transfer_told(struct leg *leg, bool is_good)
{
	const char *uuid = leg_var(leg, "blind_transfer_uuid");
	struct leg *who = uuid && *uuid ? leg_find(uuid) : NULL;

	if (!uuid)
		return false;
	leg_var_set(leg, "blind_transfer_uuid", NULL);
	if (!who || who == leg || !leg_is_up(who) || !who->ops || !who->ops->transfer_told)
		return false;
	return who->ops->transfer_told(who, leg, is_good) == ST_OK;
}
