/* Bridges as the rooms of core see them. */
#pragma once
#include "core/bridge/bridge.h"
#include "core/leg/part.h"

/* The after-bridge variables of a leg; true: it is taken care of (or gone, or on its way elsewhere). */
ON_CTL bool bridge_after(struct leg *leg);
/* A bridge in early media ends (A is hung up, or goes on with continue_on_answer_timeout) unless A is answered by then.
 */
ON_CTL void bridge_answer_within(struct leg *a, int seconds);
/* ext[:dialplan[:context]] in the variable, which is taken away; true: A was transferred. */
ON_CTL bool bridge_transfer_after(struct leg *a, const char *var_name);

extern struct leg_part bridge_part;
