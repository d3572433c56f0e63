/* The few JSON commands of modules, in a row. */
#include "core/registry/json_command.h"
#include "base/status.h"

#include <strings.h>

enum { COMMANDS_MAX = 32 };
static struct {
	const char *name;
	json_command_fn fn;
} commands[COMMANDS_MAX];

static ON_CTL int find(const char *name)
{
	for (int i = 0; i < COMMANDS_MAX; i++)
		if (commands[i].name && !strcasecmp(commands[i].name, name))
			return i;
	return -1;
}

int json_command_add(const char *name, json_command_fn fn)
{
	if (find(name) >= 0)
		return ST_EXISTS;
	for (int i = 0; i < COMMANDS_MAX; i++)
		if (!commands[i].name) {
			commands[i].name = name;
			commands[i].fn = fn;
			return ST_OK;
		}
	return ST_FULL;
}

void json_command_del(const char *name)
{
	int i = find(name);
	if (i >= 0)
		commands[i].name = NULL;
}

json_command_fn json_command_find(const char *name)
{
	int i = find(name);
	return i < 0 ? NULL : commands[i].fn;
}
