/* Commands of the JSON interface (api json, verto's jsonapi) that modules bring: by name. */
#pragma once
#include "base/role.h"
#include "base/str.h"

/* data: the request's "data" as JSON text. Appends the response, one JSON value. A failure: out is not used, and the
 * request is answered as one that failed. */
typedef int (*json_command_fn)(const char *data, struct buf *out);
/* name: a constant. ST_EXISTS, ST_FULL. */
ON_CTL int json_command_add(const char *name, json_command_fn fn);
ON_CTL void json_command_del(const char *name);             /* fine when there is none */
ON_CTL json_command_fn json_command_find(const char *name); /* NULL: there is none */
