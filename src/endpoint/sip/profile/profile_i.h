/* What this room's files share. */
#pragma once
#include "endpoint/sip/profile/profile.h"

struct trace_msg;
ON_CTL void trace_in(struct sip_stack *s, const struct sip_trace *t, void *arg);
ON_CTL bool profile_is_traced(const struct profile *p);
ON_CTL bool profile_is_captured(const struct profile *p);
/* trace_filter.c: is there a filter for it? */
ON_CTL bool trace_filters_match(const struct trace_msg *m);
/* ---- border.c: of the stack's handlers ---- */
ON_CTL bool border_is_barred(struct sip_stack *s, const struct addr *src, void *profile);
ON_CTL bool border_is_unwanted(struct sip_stack *s, const struct addr *src, const struct sip_msg *m, void *profile);
ON_CTL void border_on_overload(struct sip_stack *s, bool is_on, void *profile);

/* ---- profile.c ---- */
ON_CTL void profile_urls_make(struct profile *p);
ON_CTL void profile_address_tell(struct profile *p); /* ext_sip_ip is another one */

/* ---- profile_ext.c ---- */
ANY bool profile_ext_is_asked(const char *text); /* an address that somebody must be asked for */
ON_CTL void profile_ext_start(struct profile *p);
ON_CTL void profile_ext_stop(struct profile *p);

/* As profile_start, and ST_OK also when it waits for a port that is in use. */
ON_CTL int profile_start_or_wait(struct profile_conf *conf /* taken */);
ON_CTL void profile_retry_cancel_all(void);
