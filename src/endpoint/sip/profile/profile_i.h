/* What this room's files share. */
#pragma once
#include "endpoint/sip/profile/profile.h"

ON_CTL void trace_print(struct sip_stack *s, const struct sip_trace *t, void *arg);
