/* What other rooms may ask the call centre. Answers are those of this moment. */
#pragma once
#include "base/role.h"

struct callcenter_figures {
	unsigned free, busy, resting; /* of the queue's agents: could be offered a caller now; ring or talk; wrap up */
	unsigned waiting;             /* callers whom nobody is rung for */
};
/* ST_NOTFOUND: there is no such queue (or mod_callcenter is not loaded). */
ON_CTL int callcenter_figures_get(const char *queue, struct callcenter_figures *out);
/* The dial string of an agent of that queue, as it was configured, to be freed with mem_free; NULL: there is none. */
ON_CTL char *callcenter_contact_dup(const char *queue, const char *agent);
