/* A dial string taken apart (originate_parse.c) for originate.c. */
#pragma once
#include "core/originate.h"

enum { DIAL_LEGS_MAX = 128, DIAL_NESTING_MAX = 6 };
struct dial_leg {
	struct vars *vars; /* merged: {} and [] */
	char *endpoint;    /* "sofia" */
	char *data;        /* after the slash */
	unsigned group;    /* legs of one group are tried at once, groups in turn */
};
struct dial {
	struct vars *vars; /* of <> and {}: for the whole */
	struct dial_leg *legs;
	size_t count;
	unsigned group_count;
};
/* ST_PARSE for what is no dial string, ST_LIMIT for more than 128 legs. Free with dial_free in any case. */
int dial_parse(struct dial *d, const char *text);
void dial_free(struct dial *d);
