/* Lua's own libraries as scripts get them: what would block the loop, end the program or escape the budget is replaced
 * or absent, and says so. require, dofile and loadfile read on a worker; io is in io.c. */
#include "base/log.h"
#include "base/mem.h"
#include "lua/lua_i.h"
#include <lualib.h>
#include <string.h>

static int refuse(lua_State *L)
{
	return luaL_error(L, "%s is not available in scripts: %s", lua_tostring(L, lua_upvalueindex(1)),
	    lua_tostring(L, lua_upvalueindex(2)));
}

/* The function `name` of the table on top of the stack becomes one that tells why it is not there. */
static void set_refused(lua_State *L, const char *table, const char *name, const char *why)
{
	lua_pushfstring(L, "%s%s%s", table, *table ? "." : "", name);
	lua_pushstring(L, why);
	lua_pushcclosure(L, refuse, 2);
	lua_setfield(L, -2, name);
}

/* ---- the base library ---- */

static int l_print(lua_State *L)
{
	struct buf line;
	int n = lua_gettop(L);

	role_assert_co();
	for (int i = 1; i <= n; i++)
		luaL_tolstring(L, i, NULL);
	buf_init(&line);
	for (int i = 1; i <= n; i++)
		buf_printf(&line, "%s%s", i > 1 ? "\t" : "", lua_tostring(L, n + i));
	log_uuid(LOG_INFO, script_uuid(script_of(L)), "%s", line.p ? line.p : "");
	buf_fini(&line);
	return 0;
}

/* Finalizers run where the instruction count does not reach. */
static int l_setmetatable(lua_State *L)
{
	int type = lua_type(L, 2);

	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_argexpected(L, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table");
	if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
		return luaL_error(L, "cannot change a protected metatable");
	if (type == LUA_TTABLE) {
		lua_pushliteral(L, "__gc");
		if (lua_rawget(L, 2) != LUA_TNIL)
			return luaL_error(L, "__gc is not available in scripts (use __close or call it yourself)");
	}
	lua_settop(L, 2);
	lua_setmetatable(L, 1);
	return 1;
}

/* load, for source text only: bytecode made elsewhere could do anything. */
static int l_load(lua_State *L)
{
	int n = lua_gettop(L);

	luaL_checkany(L, 1);
	if (n < 3)
		lua_settop(L, n = 3);
	lua_pushliteral(L, "t");
	lua_replace(L, 3);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, n, LUA_MULTRET);
	return lua_gettop(L);
}

/* Pushes the path that name stands for. */
static void push_path(lua_State *L, const char *name)
{
	struct buf path;
	int st;

	role_assert_co();
	buf_init(&path);
	st = chunk_path(name, &path);
	script_push_take(L, &path);
	if (st)
		luaL_error(L, "%s: a script lies in the script directory or has an absolute path", name);
}

static int l_loadfile(lua_State *L)
{
	bool has_env = lua_gettop(L) >= 3;

	role_assert_co();
	push_path(L, luaL_checkstring(L, 1));
	if (chunk_load(L, lua_tostring(L, -1))) {
		lua_pushnil(L);
		lua_insert(L, -2);
		return 2;
	}
	if (has_env) {
		lua_pushvalue(L, 3);
		lua_setupvalue(L, -2, 1);
	}
	return 1;
}

static int l_dofile(lua_State *L)
{
	role_assert_co();
	push_path(L, luaL_checkstring(L, 1));
	if (chunk_load(L, lua_tostring(L, -1)))
		return lua_error(L);
	lua_insert(L, 1);
	lua_settop(L, 1);
	lua_call(L, 0, LUA_MULTRET);
	return lua_gettop(L);
}

/* ---- require ---- */

/* Tries name under each template of package.path; pushes the chunk and its path, or raises where it looked. */
static CO void find_module(lua_State *L, const char *name)
{
	const char *part, *path;

	lua_getglobal(L, "package");
	lua_getfield(L, -1, "path");
	path = luaL_checkstring(L, -1);
	luaL_gsub(L, name, ".", "/");
	part = lua_tostring(L, -1);
	lua_pushfstring(L, "module '%s' not found:", name);
	while (*path) {
		size_t n = strcspn(path, ";");
		lua_pushlstring(L, path, n);
		luaL_gsub(L, lua_tostring(L, -1), "?", part);
		path += n + (path[n] == ';');
		if (!n)
			lua_pop(L, 2);
		if (!n)
			continue;
		int st = chunk_load(L, lua_tostring(L, -1));
		if (!st) {
			lua_insert(L, -2);
			return;
		}
		if (st != ST_NOTFOUND)
			luaL_error(L, "error loading module '%s':\n\t%s", name, lua_tostring(L, -1));
		lua_pushfstring(L, "%s\n\tno file '%s'", lua_tostring(L, -4), lua_tostring(L, -2));
		lua_replace(L, -5);
		lua_pop(L, 3);
	}
	lua_error(L);
}

static int l_require(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);

	role_assert_co();
	lua_settop(L, 1);
	lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
	if (lua_getfield(L, 2, name) != LUA_TNIL)
		return 1;
	lua_getfield(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
	if (lua_istable(L, -1) && lua_getfield(L, -1, name) != LUA_TNIL)
		lua_pushliteral(L, ":preload:");
	else if (strstr(name, ".."))
		return luaL_error(L, "module '%s' not found: no such name", name);
	else
		find_module(L, name);
	lua_pushvalue(L, -1); /* chunk, path, path */
	lua_rotate(L, -3, 1); /* path, chunk, path */
	lua_pushvalue(L, 1);
	lua_insert(L, -2);
	lua_call(L, 2, 1);
	if (!lua_isnil(L, -1))
		lua_setfield(L, 2, name);
	if (lua_getfield(L, 2, name) == LUA_TNIL) {
		lua_pushboolean(L, 1);
		lua_pushvalue(L, -1);
		lua_setfield(L, 2, name);
	}
	return 1;
}

static void package_open(lua_State *L)
{
	lua_newtable(L);
	lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
	lua_setfield(L, -2, "loaded");
	luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
	lua_setfield(L, -2, "preload");
	lua_pushstring(L, lua_conf.path ? lua_conf.path : "");
	lua_setfield(L, -2, "path");
	lua_pushliteral(L, "");
	lua_setfield(L, -2, "cpath");
	lua_pushliteral(L, "/\n;\n?\n!\n-\n");
	lua_setfield(L, -2, "config");
	set_refused(L, "package", "loadlib", "libraries in C run on the control thread and would block every call");
	lua_setglobal(L, "package");
	lua_register(L, "require", l_require);
}

/* ---- os, debug, io ---- */

static void os_open(lua_State *L)
{
	static const char *const kept[] = {"clock", "date", "difftime", "getenv", "time", NULL};
	luaL_requiref(L, LUA_OSLIBNAME, luaopen_os, 0);
	lua_newtable(L);
	for (const char *const *name = kept; *name; name++) {
		lua_getfield(L, -2, *name);
		lua_setfield(L, -2, *name);
	}
	luaL_setfuncs(L, io_os_functions, 0);
	set_refused(L, "os", "exit", "a script ends by returning, a call by session:hangup()");
	set_refused(L, "os", "tmpname", "its name could be taken by somebody else");
	set_refused(L, "os", "setlocale", "it would change the whole program");
	lua_pushvalue(L, -1);
	lua_setglobal(L, "os");
	lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
	lua_insert(L, -2);
	lua_setfield(L, -2, LUA_OSLIBNAME);
	lua_pop(L, 2);
}

static void debug_open(lua_State *L)
{
	luaL_requiref(L, LUA_DBLIBNAME, luaopen_debug, 0);
	lua_newtable(L);
	lua_getfield(L, -2, "traceback");
	lua_setfield(L, -2, "traceback");
	lua_getfield(L, -2, "getinfo");
	lua_setfield(L, -2, "getinfo");
	lua_pushvalue(L, -1);
	lua_setglobal(L, "debug");
	lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
	lua_insert(L, -2);
	lua_setfield(L, -2, LUA_DBLIBNAME);
	lua_pop(L, 2);
}

static void io_library_open(lua_State *L)
{
	static const char *const names[] = {"flush", "input", "output", "read", "tmpfile", "write", NULL};

	io_open(L);
	for (const char *const *name = names; *name; name++)
		set_refused(L, "io", *name, "a script has no standard input and output");
	lua_setglobal(L, "io");
}

void libs_open(lua_State *L)
{
	static const luaL_Reg libs[] = {{LUA_GNAME, luaopen_base}, {LUA_COLIBNAME, luaopen_coroutine},
	    {LUA_TABLIBNAME, luaopen_table}, {LUA_STRLIBNAME, luaopen_string}, {LUA_MATHLIBNAME, luaopen_math},
	    {LUA_UTF8LIBNAME, luaopen_utf8}, {NULL, NULL}};

	for (const luaL_Reg *r = libs; r->func; r++) {
		luaL_requiref(L, r->name, r->func, 1);
		lua_pop(L, 1);
	}
	lua_getglobal(L, LUA_STRLIBNAME);
	luaL_setfuncs(L, pattern_functions, 0);
	lua_pop(L, 1);
	package_open(L);
	os_open(L);
	debug_open(L);
	io_library_open(L);
	lua_getglobal(L, "load");
	lua_pushcclosure(L, l_load, 1);
	lua_setglobal(L, "load");
	lua_register(L, "loadfile", l_loadfile);
	lua_register(L, "dofile", l_dofile);
	lua_register(L, "print", l_print);
	lua_register(L, "setmetatable", l_setmetatable);
}
