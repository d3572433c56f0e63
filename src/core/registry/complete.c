/* The lists of live words that modules give for completion. */
#include "core/registry/complete.h"
#include "base/status.h"
#include <stddef.h>
#include <string.h>

enum { LISTS_MAX = 32 };
static const struct complete_list *lists[LISTS_MAX];
static size_t count;

int complete_lists_add(const struct complete_list *added)
{
	if (count == LISTS_MAX)
		return ST_FULL;
	lists[count++] = added;
	return ST_OK;
}

void complete_lists_del(const struct complete_list *gone)
{
	size_t kept = 0;
	for (size_t i = 0; i < count; i++)
		if (lists[i] != gone)
			lists[kept++] = lists[i];
	count = kept;
}

const struct complete_list *complete_list_find(const char *name)
{
	for (size_t i = 0; i < count; i++)
		for (const struct complete_list *l = lists[i]; l->name; l++)
			if (!strcmp(l->name, name))
				return l;
	return NULL;
}
