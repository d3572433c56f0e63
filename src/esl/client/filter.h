/* A client's event filters. None: everything passes. Any: what matches none of them is dropped; one negative match
 * drops (pitfall 21). A value is compared without case, or is /a regular expression/; a leading + or - gives its sign.
 */
#pragma once
#include "base/role.h"
#include "core/event/event.h"

enum { ESL_FILTER_MAX_COUNT = 1024 };
struct esl_filter;
struct esl_filters {
	struct esl_filter *items;
	size_t count, cap;
};
ON_CTL void esl_filters_fini(struct esl_filters *f);
/* ST_FULL beyond the bound; ST_PARSE for a regular expression that does not compile. */
ON_CTL int esl_filters_add(struct esl_filters *f, const char *header, const char *value);
/* value NULL or "": all of that header; header "all": every filter. */
ON_CTL void esl_filters_del(struct esl_filters *f, const char *header, const char *value);
ON_CTL bool esl_filters_pass(const struct esl_filters *f, const struct event *e);
