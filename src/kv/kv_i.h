/* mod_memcache: commands to key-value servers (docs/directories.md). Private to the room. */
#pragma once
#include "base/role.h"
#include "base/str.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { KV_ARGS_MAX = 16, KV_REPLY_MAX_BYTES = 1 << 20 };

/* One command on its way to a worker and back. */
struct kv_job {
	const void *where;             /* the list of servers */
	const char *args[KV_ARGS_MAX]; /* without marks */
	size_t sizes[KV_ARGS_MAX];
	int count;
	struct buf out; /* the reply as text */
	int status;
	char error[200];
};
