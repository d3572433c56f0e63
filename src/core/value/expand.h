/* The engine of expansion: ${name} ${name:off:len} ${name[i]} ${api(args)} $${global} in text (FreeSWITCH's rules;
 * references within a value that the configuration wrote are followed, depth 100; text without "${" and without an
 * escape of those stays as it is; output bounded to 1 MiB). One pass: what was put in is not read again, and what is
 * marked (text/mark.h), in text or in a value, is never read at all. It knows neither legs nor commands: whoever
 * expands says where values come from. For legs: core/run/expand.h. */
#pragma once
#include "base/role.h"
#include "base/str.h"

struct expand_resolver {
	/* A value with its marks, or an element of it (index < 0: the whole), borrowed until the next call or held by
	 * scratch; NULL: there is none. */
	const char *(*lookup)(const char *name, long index, struct buf *scratch, void *arg);
	const char *(*global)(const char *name, struct buf *scratch, void *arg);
	/* The reply of a command (args may be marked), with its marks; not ST_OK: nothing stands for it. NULL: none
	 * run. */
	int (*api)(const char *cmd, const char *args, struct buf *out, void *arg);
	void *arg;
};
/* *out is a mem_alloc string and has the marks of what went into it. ST_LIMIT: too deep, too long, too many steps. */
ON_CTL int expand_text(const struct expand_resolver *r, const char *text, char **out);
