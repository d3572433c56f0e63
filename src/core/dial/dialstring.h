/* The grammar of dial strings: text taken apart into parts, legs and variables, before anything is looked up. */
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
/* ST_PARSE for what is no dial string, ST_LIMIT for more than 128 legs in a part. Free with dial_free in any case. */
int dial_parse(struct dial *d, const char *text);
void dial_free(struct dial *d);
