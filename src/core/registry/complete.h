/* Words of completion lines that stand for something live: "::sofia::list_profiles" and the like. Modules give the
 * lists; `console_complete` asks them. */
#pragma once
#include "base/role.h"

struct complete_list {
	const char *name; /* without the :: in front; "console::list_uuid" */
	/* Adds each word. before: the words that stand in front of it in the line, count of them. */
	void (*fn)(const char *const *before, int count, void (*add)(const char *word, void *arg), void *arg);
};
/* lists ends with a NULL name and stays valid until complete_lists_del. ST_FULL. */
ON_CTL int complete_lists_add(const struct complete_list *lists);
ON_CTL void complete_lists_del(const struct complete_list *lists);
ON_CTL const struct complete_list *complete_list_find(const char *name); /* NULL when nobody gives it */
