/* Who asks, when it is one who may run certain commands only (an HTTP token's role, an event-socket user): the commands
 * he may run, and the doors by which his words become text that the switch reads. All that he writes is from outside
 * (text/mark.h), so that nothing of it names a command, an application, a dialplan, an endpoint or a file, now or when
 * it is read again later (a hook, a task, a list of applications, a variable). Where his command needs a language (a
 * dial string, an application with its data, a place in the dialplan, an assignment), a door here reads it, checks it
 * against what is allowed and writes it anew with the names it vouches for unmarked. What a door does not know it
 * refuses. No principal (NULL): everything is allowed, and text is the operator's own. */
#pragma once
#include "base/role.h"
#include "base/str.h"

struct principal { /* counted (mem_ref, mem_unref); read-only once made */
	char *name, *list;
	/* Called each time, also long after: for what he planned (sched_api) counts what he may do then. */
	bool (*may_run)(const struct principal *p, const char *command);
};
/* list is whatever may_run wants to know; strings are copied. NULL: no memory. */
ON_CTL struct principal *principal_new(
    const char *name, const char *list, bool (*may_run)(const struct principal *p, const char *command));
ON_CTL bool principal_may_run(const struct principal *p, const char *command); /* NULL: yes */

/* All of it is data; the bytes in separators still part it. */
ANY int principal_put_sv(struct buf *out, struct sv text, const char *separators);
ANY int principal_put_data(struct buf *out, const char *text, const char *separators);
/* The same as a new string, to be freed with mem_free; NULL: no memory. */
ANY char *principal_data_dup(const char *text, const char *separators);
