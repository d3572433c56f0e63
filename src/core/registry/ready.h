/* Readiness: what must be back from the last run before the switch takes calls. */
#pragma once
#include "base/role.h"

/* Readiness (`status`, fsctl ready_check, /readyz) is held while something of the last run is read back. what: a static
 * text, in the plural ("registrations"). */
ON_CTL void core_ready_hold(const char *what);
ON_CTL void core_ready_release(const char *what);
ON_CTL const char *core_ready_held(void); /* the first that is held, or NULL */
/* fn once, from the loop, when nothing is held; NULL forgets it. */
ON_CTL void core_on_ready(void (*fn)(void *arg), void *arg);
