/* What this room's files share. */
#pragma once
#include "endpoint/sip/profile/profile.h"

struct trace_msg;
ON_CTL void trace_in(struct sip_stack *s, const struct sip_trace *t, void *arg);
ON_CTL bool profile_is_traced(const struct profile *p);
ON_CTL bool profile_is_captured(const struct profile *p);
/* trace_filter.c: is there a filter for it? */
ON_CTL bool trace_filters_match(const struct trace_msg *m);
/* As profile_start, and ST_OK also when it waits for a port that is in use. */
ON_CTL int profile_start_or_wait(struct profile_conf *conf /* taken */);
ON_CTL void profile_retry_cancel_all(void);
