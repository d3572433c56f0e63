/* Dialplans: what turns an extension into a list of applications. */
#pragma once
#include "base/role.h"
#include "base/str.h"

struct leg;

struct dialplan_desc {
	const char *name; /* "XML" */
	/* Fills the leg's list by leg_exec_add for exten/context of its profile. args: what followed "NAME:".
	 * ST_NOTFOUND: no route. */
	int (*hunt)(struct leg *leg, const char *args);
};
ON_CTL const struct dialplan_desc *dialplan_find(struct sv name);
