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

/* The doors. text is plain and the principal's; what is appended to out is text with marks. ST_DENIED: refused, *why
 * says it in a few words for people (a constant); out may have a part then. ST_NOMEM. */

/* All of it is data; the bytes in separators still part it. */
ANY int principal_put_data(struct buf *out, const char *text, const char *separators);
/* The same as a new string, to be freed with mem_free; NULL: no memory. */
ANY char *principal_data_dup(const char *text, const char *separators);
/* The same with only the first count of sep parting it, of which the first part says what is done:
 * "insert/realm/key/value". text: what is given back, as a copy, when who is NULL. */
ANY char *principal_parts_dup(const struct principal *who, const char *plain, const char *text, char sep, int count);
/* A file, or a sound. It may lie below the directories of recordings and of sounds (when it is written to: of
 * recordings), or be relative to them, or a tone, silence or stream of the configuration (tone_stream:// ...). */
ON_CTL int principal_put_file(struct buf *out, const char *text, bool is_written, const char **why);
/* A dial string: endpoints by their operator_dials, variables that name nothing which is run. */
ON_CTL int principal_put_dial(struct buf *out, const char *text, const char **why);
/* An application's data, by what its row says of it (APP_OPERATOR ...); with none of these flags it is refused. */
ON_CTL int principal_put_app(struct buf *out, const char *app, const char *data, const char **why);
/* "{name=value,name=value}" */
ON_CTL int principal_put_vars(struct buf *out, const char *text, const char **why);
/* He may set that variable: it names nothing that is run (its value is data anyway). */
ON_CTL bool principal_may_set(const char *variable, const char **why);
/* He may send a call there. NULL or "": where it would go anyway. The number is data. */
ON_CTL bool principal_may_route(const char *dialplan, const char *context, const char **why);
/* He may read that parameter of a user or a domain: it is no password. */
ANY bool principal_may_read(const char *param);
