/* Bridges as the rooms of core see them. */
#pragma once
#include "core/bridge/bridge.h"

/* The after-bridge variables of a leg; true: it is taken care of (or gone, or on its way elsewhere). */
ON_CTL bool bridge_after(struct leg *leg);
ON_CTL void bridge_leg_answered(struct leg *leg); /* bridged in early media, it answered: its peer does too */
ON_CTL void bridge_hold_music(struct leg *leg, bool is_held); /* leg is held by its far side: its peer hears music */
/* While an application runs on one side of a bridge the two do not hear each other. Nothing for a leg without one. */
ON_CTL void bridge_suspend(struct leg *leg);
ON_CTL void bridge_resume(struct leg *leg);
/* A bridge in early media ends (A is hung up, or goes on with continue_on_answer_timeout) unless A is answered by then.
 */
ON_CTL void bridge_answer_within(struct leg *a, int seconds);
/* ext[:dialplan[:context]] in the variable, which is taken away; true: A was transferred. */
ON_CTL bool bridge_transfer_after(struct leg *a, const char *var_name);
