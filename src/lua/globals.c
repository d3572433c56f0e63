/* The functions of the table `freeswitch`, the API and Stream objects. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/run/api.h"
#include "lua/lua_i.h"
#include <string.h>

#define API_CLASS "freeswitch.API"
#define STREAM_CLASS "freeswitch.Stream"
enum { STREAM_MAX_BYTES = 16 << 20 };

static int l_class_name(lua_State *L)
{
	lua_pushfstring(L, "%s: %p", lua_tostring(L, lua_upvalueindex(1)), lua_topointer(L, 1));
	return 1;
}

void object_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction gc)
{
	luaL_newmetatable(L, name);
	lua_newtable(L);
	luaL_setfuncs(L, methods, 0);
	lua_setfield(L, -2, "__index");
	lua_pushstring(L, name);
	lua_pushcclosure(L, l_class_name, 1);
	lua_setfield(L, -2, "__tostring");
	lua_pushliteral(L, "a FreeSWITCH object");
	lua_setfield(L, -2, "__metatable");
	if (gc) {
		lua_pushcfunction(L, gc);
		lua_setfield(L, -2, "__gc");
	}
	lua_pop(L, 1);
}

/* ---- functions ---- */

static int l_console_log(lua_State *L)
{
	const char *level_text = luaL_optstring(L, 1, ""), *text = luaL_optstring(L, 2, "");
	enum log_level level = LOG_DEBUG;

	role_assert_co();
	log_level_parse(level_text, &level);
	log_uuid(level, script_uuid(script_of(L)), "%s", text);
	return 0;
}

/* (level, file, function, line, text) */
static int l_console_log2(lua_State *L)
{
	enum log_level level = LOG_DEBUG;

	role_assert_co();
	log_level_parse(luaL_optstring(L, 1, ""), &level);
	log_uuid(level, script_uuid(script_of(L)), "%s:%d %s %s", luaL_optstring(L, 2, ""),
	    (int)luaL_optinteger(L, 4, 0), luaL_optstring(L, 3, ""), luaL_optstring(L, 5, ""));
	return 0;
}

static int l_console_clean_log(lua_State *L)
{
	role_assert_co();
	log_uuid(LOG_CONSOLE, NULL, "%s", luaL_checkstring(L, 1));
	return 0;
}

static int l_get_global(lua_State *L)
{
	const char *value;

	role_assert_co();
	value = globals_get(luaL_checkstring(L, 1));
	lua_pushstring(L, value ? value : "");
	return 1;
}

static int l_set_global(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1), *value = luaL_optstring(L, 2, NULL);
	struct leg *leg = script_of(L)->session;

	role_assert_co();
	char *traced = leg && value ? leg_text_traced(leg, value) : NULL;
	globals_set(name, traced ? traced : value);
	mem_free(traced);
	return 0;
}

static int l_msleep(lua_State *L)
{
	lua_Number ms = luaL_checknumber(L, 1);
	struct script *s = script_of(L);

	role_assert_co();
	if (co_sleep(ms > 0 ? clock_us_of_ms(script_whole(ms)) : 0) == ST_CANCELLED)
		s->ending = "stopped: the program ends";
	script_waited(s);
	return 0;
}

static int l_running(lua_State *L)
{
	lua_pushboolean(L, !script_of(L)->ending);
	return 1;
}

static int l_email(lua_State *L)
{
	return luaL_error(L, "freeswitch.email is not available here");
}

/* ---- API ---- */

static int l_api_new(lua_State *L)
{
	lua_newuserdatauv(L, 1, 0);
	luaL_setmetatable(L, API_CLASS);
	return 1;
}

/* Takes the two texts' copies; pushes the reply. */
static CO int run_command(lua_State *L, const char *command, const char *args)
{
	struct script *s = script_of(L);
	struct buf reply;
	int st;

	/* what it was told of its call stays data to the command */
	char *traced = s->session ? leg_text_traced(s->session, args) : NULL;
	buf_init(&reply);
	st = api_run(command, traced ? traced : args, NULL, &reply);
	mem_free(traced);
	if (st == ST_NOTFOUND && !reply.n)
		buf_adds(&reply, "INVALID COMMAND!\n");
	script_waited(s);
	script_push_take(L, &reply);
	return 1;
}

static int l_api_execute(lua_State *L)
{
	role_assert_co();
	luaL_checkudata(L, 1, API_CLASS);
	return run_command(L, luaL_checkstring(L, 2), luaL_optstring(L, 3, ""));
}

static int l_api_execute_string(lua_State *L)
{
	const char *line;
	size_t n;

	role_assert_co();
	luaL_checkudata(L, 1, API_CLASS);
	line = luaL_checkstring(L, 2);
	line += strspn(line, " \n");
	n = strcspn(line, " ");
	lua_pushlstring(L, line, n);
	return run_command(L, lua_tostring(L, -1), line + n + (line[n] == ' '));
}

static int l_api_get_time(lua_State *L)
{
	luaL_checkudata(L, 1, API_CLASS);
	lua_pushinteger(L, clock_wall_us() / 1000);
	return 1;
}

/* ---- Stream: what a command replies, or a text collected ---- */

struct stream {
	struct buf *out; /* the command's reply, or own */
	struct buf own;
};

static struct buf *stream_arg(lua_State *L)
{
	return ((struct stream *)luaL_checkudata(L, 1, STREAM_CLASS))->out;
}

static struct stream *stream_slot(lua_State *L)
{
	struct stream *st = lua_newuserdatauv(L, sizeof(*st), 0);
	buf_init(&st->own);
	st->own.max = STREAM_MAX_BYTES;
	st->out = &st->own;
	luaL_setmetatable(L, STREAM_CLASS);
	return st;
}

void stream_push(lua_State *L)
{
	stream_slot(L)->out = script_of(L)->out;
}

static int l_stream_new(lua_State *L)
{
	stream_slot(L);
	return 1;
}

static int l_stream_gc(lua_State *L)
{
	buf_fini(&((struct stream *)luaL_checkudata(L, 1, STREAM_CLASS))->own);
	return 0;
}

static int l_stream_write(lua_State *L)
{
	struct buf *out = stream_arg(L);
	struct sv text;

	for (int i = 2; i <= lua_gettop(L); i++) {
		text.p = luaL_checklstring(L, i, &text.n);
		if (out->n + text.n > STREAM_MAX_BYTES || buf_addv(out, text))
			return luaL_error(L, "a stream holds at most 16 MiB");
	}
	return 0;
}

static int l_stream_get(lua_State *L)
{
	struct buf *out = stream_arg(L);
	lua_pushlstring(L, out->p ? out->p : "", out->n);
	return 1;
}

void globals_open(lua_State *L)
{
	static const luaL_Reg functions[] = {{"consoleLog", l_console_log}, {"console_log", l_console_log},
	    {"consoleLog2", l_console_log2}, {"console_log2", l_console_log2}, {"consoleCleanLog", l_console_clean_log},
	    {"console_clean_log", l_console_clean_log}, {"getGlobalVariable", l_get_global},
	    {"setGlobalVariable", l_set_global}, {"msleep", l_msleep}, {"running", l_running}, {"email", l_email},
	    {"bridge", session_bridge}, {"API", l_api_new}, {"Stream", l_stream_new}, {NULL, NULL}};
	static const luaL_Reg api_methods[] = {{"execute", l_api_execute}, {"executeString", l_api_execute_string},
	    {"getTime", l_api_get_time}, {NULL, NULL}};
	static const luaL_Reg stream_methods[] = {
	    {"write", l_stream_write}, {"raw_write", l_stream_write}, {"get_data", l_stream_get}, {NULL, NULL}};

	luaL_setfuncs(L, functions, 0);
	object_class(L, API_CLASS, api_methods, NULL);
	object_class(L, STREAM_CLASS, stream_methods, l_stream_gc);
}
