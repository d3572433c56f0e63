/* A whole file as text. */
#pragma once
#include "base/role.h"
#include "base/str.h"

/* Appends the content of a regular file, at most max_bytes of it. Pipes, devices and directories are refused without
 * waiting for them: who may write a path into a configuration must not be able to hang its reader. *why (may be NULL)
 * gets a static text or the system's for the errno. ST_NOTFOUND, ST_DENIED (no right to read), ST_UNSUPPORTED (not
 * regular), ST_LIMIT, ST_NOMEM, ST_IO. Blocks on the disk. */
ANY int slurp(const char *path, size_t max_bytes, struct buf *out, const char **why);
