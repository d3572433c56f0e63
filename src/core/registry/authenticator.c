/* The authenticators by name: a handful. */
#include "core/registry/authenticator.h"
#include "base/status.h"

#include <string.h>

enum { AUTHENTICATORS_MAX = 8 };
static struct {
	const char *name; /* NULL: free */
	authenticator_fn fn;
	void *arg;
	unsigned asking_count;
} rows[AUTHENTICATORS_MAX];

static int find(const char *name)
{
	for (int i = 0; i < AUTHENTICATORS_MAX; i++)
		if (rows[i].name && name && !strcmp(rows[i].name, name))
			return i;
	return -1;
}

int authenticator_add(const char *name, authenticator_fn fn, void *arg)
{
	if (find(name) >= 0)
		return ST_EXISTS;
	for (int i = 0; i < AUTHENTICATORS_MAX; i++)
		if (!rows[i].name && !rows[i].asking_count) {
			rows[i].name = name, rows[i].fn = fn, rows[i].arg = arg;
			return ST_OK;
		}
	return ST_FULL;
}

void authenticator_del(const char *name)
{
	int i = find(name);
	if (i >= 0)
		rows[i].name = NULL;
}

bool authenticator_is_busy(const char *name)
{
	int i = find(name);
	return i >= 0 && rows[i].asking_count;
}

bool authenticator_is_any(void)
{
	for (int i = 0; i < AUTHENTICATORS_MAX; i++)
		if (rows[i].name)
			return true;
	return false;
}

int authenticator_ask(const char *name, const struct authenticator_question *q, struct vars *vars)
{
	int i = find(name), st;
	if (i < 0)
		return ST_NOTFOUND;
	rows[i].asking_count++;
	st = rows[i].fn(q, vars, rows[i].arg);
	rows[i].asking_count--;
	return st;
}
