/* The doors by which the words of who may not do everything become text that the switch reads. They stand above all
 * that has a language: dial strings, applications, variables, places, files. */
#pragma once
#include "core/registry/principal.h"

/* The doors. text is plain and the principal's; what is appended to out is text with marks. ST_DENIED: refused, *why
 * says it in a few words for people (a constant); out may have a part then. ST_NOMEM. */

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
