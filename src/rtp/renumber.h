/* Sequence numbers of one source under other numbers, where packets are left out or added on the way: both ways, for
 * the newest RENUMBER_SPAN of them, so that what comes late, is asked for again or is made good finds its own. Pure;
 * ANY. */
#pragma once
#include "base/role.h"
#include <stdbool.h>
#include <stdint.h>

enum { RENUMBER_SPAN = 1024 };
struct renumber { /* zero: not started */
	bool is_started;
	uint16_t from, to;             /* the newest */
	uint16_t from_count, to_count; /* so many of the newest are known */
	uint16_t tos[RENUMBER_SPAN], froms[RENUMBER_SPAN];
	bool is_left_out[RENUMBER_SPAN], is_added[RENUMBER_SPAN];
};
/* The next number is from, and becomes to. */
ANY void renumber_start(struct renumber *r, uint16_t from, uint16_t to);
/* The number of a packet, at most RENUMBER_SPAN ahead of the newest; those between have theirs from then on. -1: too
 * old, or it was left out. */
ANY int renumber_take(struct renumber *r, uint16_t from);
/* This one has no number, unless it has one already. */
ANY void renumber_leave_out(struct renumber *r, uint16_t from);
/* A number for a packet that is added behind the newest. */
ANY uint16_t renumber_add(struct renumber *r);
/* Whose number that is. -1: too old, too new, or an added one's. */
ANY int renumber_back(const struct renumber *r, uint16_t to);
