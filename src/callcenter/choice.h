/* Who is next in a queue: the agents who may be offered a caller, and the callers who wait, each in an order that is
 * kept, so that a decision looks at its ends and never goes through all. Pure: no clock, no tables, any thread.
 *
 *   agents: level, then what the strategy says (idle since, talk time, calls, position), then what is left
 *   callers: by the moment from which their waiting counts (joined, less their score)
 *
 * An order is a sorted array of pointers: a place is found by halving, what stands behind it moves over in one piece
 * (5,000 places: 40 KB). */
#pragma once
#include "base/role.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cc_strategy {
	CC_RING_ALL,
	CC_LONGEST_IDLE,
	CC_ROUND_ROBIN,
	CC_TOP_DOWN,
	CC_LEAST_TALK_TIME,
	CC_FEWEST_CALLS,
	CC_SEQUENTIALLY,
	CC_RANDOM,
	CC_RING_PROGRESSIVELY,
	CC_STRATEGY_COUNT
};
ANY const char *cc_strategy_name(enum cc_strategy s);
ANY int cc_strategy_parse(const char *text, enum cc_strategy *out); /* ST_PARSE */

struct cc_place { /* embedded in what has one */
	int64_t level, first, second;
	uint64_t serial; /* of equals the lower comes first */
	bool is_in;      /* it must not be changed then */
};
struct cc_order {
	struct cc_place **at;
	size_t count, room;
};
ANY int cc_order_add(struct cc_order *o, struct cc_place *p);  /* ST_NOMEM; fine when it is in */
ANY void cc_order_del(struct cc_order *o, struct cc_place *p); /* fine when it is not */
ANY void cc_order_fini(struct cc_order *o);
/* The first place behind all of that level and first (or lower ones). */
ANY size_t cc_order_behind(const struct cc_order *o, int64_t level, int64_t first);

ANY size_t cc_order_index(const struct cc_order *o, const struct cc_place *p); /* how many stand before it */

/* What the strategies look at; times in microseconds. */
struct cc_facts {
	int64_t level, position, last_bridge_end, talk_time, calls_answered, last_offered;
};
ANY void cc_place_rank(struct cc_place *p, enum cc_strategy s, const struct cc_facts *f);

struct cc_turn { /* whose turn it was: of a queue (round-robin) or a caller (top-down) */
	int64_t level, position;
	bool is_set;
};
/* The next of those whose level is at most max_level; NULL: none. */
ANY struct cc_place *cc_choose(
    const struct cc_order *o, enum cc_strategy s, const struct cc_turn *turn, int64_t max_level, uint64_t random);

struct cc_rules { /* tier-rules */
	bool is_on, multiplies, skips_empty;
	int64_t wait_s;
};
/* What a caller must have waited until that level is offered him. first: the lowest level at which somebody is logged
 * in, lowest: that of all. */
ANY int64_t cc_level_due_s(const struct cc_rules *r, int64_t first, int64_t lowest, int64_t level);
/* The highest level that who has waited so long may be offered; INT64_MAX: any. */
ANY int64_t cc_level_max(const struct cc_rules *r, int64_t first, int64_t lowest, int64_t waited_s);
