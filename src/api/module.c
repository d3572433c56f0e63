/* mod_commands: the table of commands, made from commands.inc and uuid_commands.inc. */
#include "api/api_i.h"
#include "base/status.h"

#define UUIDS "::console::list_uuid"
#define MODULES "::console::list_loaded_modules"
#define C(...) \
	(const char *const[]) \
	{ \
		__VA_ARGS__, NULL \
	}
#define COMMAND(fn, name, description, syntax, flags, complete) {name, description, syntax, flags, fn, complete},
static const struct api_desc apis[] = {
#include "api/commands.inc"
#undef COMMAND
#define LEG_COMMAND(id, fn, description, syntax, min, max, complete, ...) \
	{#id, description, syntax, 0, run_##id, complete},
#include "api/uuid_commands.inc"
#include "base/status.h"
#undef LEG_COMMAND
    {0},
};

static int load(void)
{
	role_assert_ctl();
	api_task_start();
	return ST_OK;
}

static int unload(void)
{
	role_assert_ctl();
	api_task_fini();
	api_alias_fini();
	return ST_OK;
}

const struct module mod_commands = {
    .abi = MODULE_ABI, .name = "mod_commands", .load = load, .unload = unload, .apis = apis};
