/* Whom to dial, as a list of typed targets: what a dial string says once it is taken apart, and what queues, diallers
 * and endpoints that stand for others build without text.
 *
 *     struct dial                     <vars> of all
 *       parts[]   at once             {vars}; each an originate of its own, the first that succeeds wins
 *         legs[]  by group            [vars]; one group at once, the groups in turn
 *
 * Plain data of whoever has it. */
#pragma once
#include "core/value/vars.h"
#include <stddef.h>

enum { DIAL_LEGS_MAX = 128, DIAL_PARTS_MAX = 128, DIAL_NESTING_MAX = 6, DIAL_ERROR_MAX = 160 };
struct dial_leg {
	struct vars *vars; /* merged: <>, {} and [] */
	char *endpoint;    /* "sofia" */
	char *data;        /* after the slash; plain */
	char *text;        /* the same, what came from outside marked */
	unsigned group;    /* legs of one group are tried at once, groups in turn */
};
struct dial_part {         /* what stands between ":_:": an originate of its own */
	struct vars *vars; /* of <> and {} */
	struct dial_leg *legs;
	size_t count;
	unsigned group_count;
};
struct dial {
	struct vars *vars; /* of <> */
	struct dial_part *parts;
	size_t count;
	char error[DIAL_ERROR_MAX]; /* after a failure: which part is wrong and why, for people */
};
/* Empty; dial_free it in any case. ST_NOMEM. */
int dial_init(struct dial *d);
/* A new part at the end; its vars begin with those of d and then more (or NULL). ST_LIMIT beyond DIAL_PARTS_MAX. */
int dial_part_add(struct dial *d, const struct vars *more);
/* A leg at the end of the last part. endpoint: "sofia", plain; text: its address, marked where it is from outside; own:
 * [vars] or NULL. Groups count from 0 and do not go down. ST_LIMIT beyond DIAL_LEGS_MAX. */
int dial_leg_add(struct dial *d, struct sv endpoint, struct sv text, unsigned group, const struct vars *own);
int dial_copy(struct dial *to, const struct dial *from); /* to is empty or uninitialised */
void dial_free(struct dial *d);
