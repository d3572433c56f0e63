/* Expansion on a leg: its variables, the globals, and commands. */
#pragma once
#include "base/role.h"
#include "base/str.h"

struct leg;

/* Expands text (core/value/expand.h says how). leg may be NULL (globals and commands only). Commands that may wait are
 * allowed only inside a coroutine. *out is a mem_alloc string and has the marks of what went into it. */
ON_CTL int expand(struct leg *leg, const char *text, char **out);
/* The second pass of set and its relatives (FreeSWITCH expands their value once more): variables only, commands stay as
 * they are written. */
ON_CTL int expand_variables(struct leg *leg, const char *text, char **out);
/* The same with an own lookup tried first (returns NULL to go on). */
typedef const char *(*expand_lookup_fn)(const char *name, void *arg);
ON_CTL int expand_with(struct leg *leg, expand_lookup_fn fn, void *arg, const char *text, char **out);
/* Without a leg, for what only looks: api is asked in place of a command. It writes to out what stands for the reply;
 * ST_NOTFOUND: the command may run. */
typedef int (*expand_api_fn)(const char *cmd, const char *args, struct buf *out, void *arg);
ON_CTL int expand_aside(expand_lookup_fn fn, expand_api_fn api, void *arg, const char *text, char **out);
