/* What brokers have in common: the record of each leg that is to have one, as JSON or XML, into a target of the journal
 * (target.h), and the parameters for that. */
#pragma once
#include "cdr/target.h"

struct xml_node;
struct cdr_feed {
	struct cdr_target *target; /* NULL: closed */
	char *name;
	bool is_json, logs_b_leg;
};
/* name, ops, arg: the target's. params: where "format" and "log-b-leg" stand. f stays where it is until the close. */
ON_CTL int cdr_feed_open(
    struct cdr_feed *f, const char *name, const struct xml_node *params, const struct cdr_target_ops *ops, void *arg);
ON_CTL void cdr_feed_close(struct cdr_feed *f); /* closed is fine */

/* The broker will never have it: it goes to the end of refused.json (.xml) below the log directory's folder of the
 * target's name, told in the log, and is counted off. */
ON_CTL void cdr_feed_refused(struct cdr_feed *f, struct cdr_entry *e, const char *why);

#define CDR_FEED_CONFS(file) \
	{file, "format", "json|xml", "", "json", "of records"}, \
	{ \
		file, "log-b-leg", "bool", "", "true", "called legs have records too" \
	}
