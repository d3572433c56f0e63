/* The keys of a leg as the rooms of core see them. */
#pragma once
#include "core/keys/dtmf.h"
#include "core/leg/part.h"

/* A key of leg's phone: true when a digit machine has it now (its own unless is_past_own, then the other leg's). */
ON_CTL bool digit_actions_take(struct leg *leg, char digit, bool is_past_own);
ON_CTL bool digit_actions_listen(const struct leg *leg);
ON_CTL void digit_actions_fini(struct leg *leg);

/* A key goes its ordinary way: to the application that collects, to a binding, or to the other leg. */
ON_CTL void leg_dtmf_deliver(struct leg *leg, char digit, unsigned duration, enum dtmf_source source);

extern struct leg_part keys_part;
