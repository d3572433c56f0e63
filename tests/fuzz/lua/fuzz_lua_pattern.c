/* "pattern\ntext" through gsub and find: whatever the pattern, it matches, is refused or is stopped.
 * Parser: lua/pattern.c */
#include "base/check.h"
#include "lua/lua_i.h"
#include <lualib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int gsub_and_find(lua_State *L)
{
	lua_getglobal(L, "gsub");
	lua_pushvalue(L, 1);
	lua_pushvalue(L, 2);
	lua_pushliteral(L, "%1");
	lua_call(L, 3, 2);
	lua_getglobal(L, "find");
	lua_pushvalue(L, 1);
	lua_pushvalue(L, 2);
	lua_call(L, 2, 0);
	return 0;
}

NO_ROLE_CHECK int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *line = memchr(data, '\n', size);
	struct script script = {.slice_from_us = INT64_MAX / 2}; /* never gives way */
	lua_State *L;

	if (!line)
		return 0;
	role_set(ROLE_CTL);
	role_set_in_co(true);
	lua_conf.instruction_limit = 1000000;
	L = luaL_newstate();
	*(struct script **)lua_getextraspace(L) = &script;
	lua_pushglobaltable(L);
	luaL_setfuncs(L, pattern_functions, 0);
	lua_pushcfunction(L, gsub_and_find);
	lua_pushlstring(L, (const char *)line + 1, size - (size_t)(line + 1 - data));
	lua_pushlstring(L, (const char *)data, (size_t)(line - data));
	lua_pcall(L, 2, 0, 0);
	lua_close(L);
	role_set_in_co(false);
	return 0;
}
