/* pickup/KEY in a dial string: a leg that waits in silence until somebody runs the application `pickup` with that key.
 * The group's other legs ring meanwhile; who picks up takes the waiting leg's place in the call. */
#pragma once
#include "core/leg/leg.h"

/* The whole of the application pickup: the oldest leg that waits for key is over (PICKED_OFF); `by` is answered, gets
 * the dial string's variables and the call's caller id, and is on its way to be bridged: the application returns what
 * this returns. ST_NOTFOUND: nobody waits for key, and nothing has changed. */
CO int pickup_answer(const char *key, struct leg *by);
/* How many wait for key. */
ON_CTL size_t pickup_count(const char *key);
/* The leg is a pickup/ leg. */
ANY bool pickup_is_waiting(const struct leg *leg);
