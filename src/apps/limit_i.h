/* What counts the resources of `limit`. limit.c knows legs, words and who holds what; a backend knows the counts, and
 * nobody else's:
 *
 *   limit, limit_execute, uuid_limit   limit.c: which backend, which key, does this leg hold it already
 *        |  take(key, max, interval)                        hang-up, transfer, limit_execute's end  |
 *        v                                                                                          v  give(key)
 *   struct limit_ops (limit_table.c: in memory)      counts; says no when one more would be too many
 *
 * To add one: its ops, and its line in the table of limit.c. They answer at once. One that has to ask (counts shared by
 * several machines) is another room's, a struct limit_far of core/registry/limits.h; its line says is_far. */
#pragma once
#include "base/role.h"
#include "base/str.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct limit_backend;
struct limit_ask {
	const char *key; /* realm_id */
	int64_t max;     /* < 0: only counted */
	int64_t interval_s;
	bool is_held; /* by the leg that asks: not counted again */
};
struct limit_use {
	uint32_t usage, rate; /* holders now; takes in the interval */
};
/* All on control; each begins with role_assert_ctl(). */
struct limit_ops {
	int (*load)(struct limit_backend *b);
	void (*unload)(struct limit_backend *b);
	/* ST_OK: counted, and held once more unless is_held. ST_LIMIT: used up. out: in both cases. ST_FULL, ST_NOMEM.
	 */
	int (*take)(struct limit_backend *b, const struct limit_ask *ask, struct limit_use *out);
	void (*give)(struct limit_backend *b, const char *key); /* one who held it does no more */
	bool (*find)(struct limit_backend *b, const char *key, struct limit_use *out);
	void (*reset)(struct limit_backend *b); /* what is held counts no more */
	void (*interval_reset)(struct limit_backend *b, const char *key);
	size_t (*count)(struct limit_backend *b); /* keys */
	/* Appends what limits_dump shows: the keys that begin with prefix. */
	void (*dump)(struct limit_backend *b, struct sv prefix, struct buf *out);
};
struct limit_backend {
	const char *name;
	const struct limit_ops *ops;
	bool is_far;                /* no ops: limits_far_find(name) */
	bool has_reset, has_status; /* limit_reset, limit_status work on it, as in FreeSWITCH */
	void *self;                 /* the ops' own, from load to unload */
};
extern const struct limit_ops limit_table_ops;
