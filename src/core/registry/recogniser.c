#include "core/registry/recogniser.h"
#include <strings.h>

enum { ROWS_MAX = 8 };
static const struct recogniser *rows[ROWS_MAX];
static unsigned row_count;

int recogniser_add(const struct recogniser *r)
{
	if (recogniser_find(r->name))
		return ST_EXISTS;
	if (row_count == ROWS_MAX)
		return ST_FULL;
	rows[row_count++] = r;
	return ST_OK;
}

const struct recogniser *recogniser_find(const char *name)
{
	for (unsigned i = 0; i < row_count; i++)
		if (!strcasecmp(rows[i]->name, name))
			return rows[i];
	return NULL;
}
