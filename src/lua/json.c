/* freeswitch.JSON: texts to tables and back, and commands of the JSON interface. Lua has one kind of table: one whose
 * keys are 1 to n is an array, an empty one an object or an array as the object is told. Bounded in depth and size; a
 * table that holds itself ends at the depth. */
#include "text/json.h"
#include "base/mem.h"
#include "core/run/api.h"
#include "lua/lua_i.h"
#include <math.h>
#include <string.h>

#define JSON_CLASS "freeswitch.JSON"
enum { DEPTH_MAX = 50, ENCODED_MAX_BYTES = 8 << 20 };

struct lua_json {
	bool empty_is_object, is_unformatted;
};

static struct lua_json *json_arg(lua_State *L)
{
	return luaL_checkudata(L, 1, JSON_CLASS);
}

static int l_new(lua_State *L)
{
	struct lua_json *j = lua_newuserdatauv(L, sizeof(*j), 0);

	*j = (struct lua_json){.empty_is_object = false, .is_unformatted = true};
	luaL_setmetatable(L, JSON_CLASS);
	return 1;
}

/* ---- text to tables ---- */

static void push_value(lua_State *L, const json_t *v)
{
	const char *key;
	json_t *item;
	size_t i;

	luaL_checkstack(L, 4, "JSON");
	script_charge(L, 1);
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		lua_newtable(L);
		json_object_foreach((json_t *)(uintptr_t)v, key, item)
		{
			push_value(L, item);
			lua_setfield(L, -2, key);
		}
		break;
	case JSON_ARRAY:
		lua_newtable(L);
		json_array_foreach(v, i, item)
		{
			push_value(L, item);
			lua_rawseti(L, -2, (lua_Integer)i + 1);
		}
		break;
	case JSON_STRING:
		lua_pushlstring(L, json_string_value(v), json_string_length(v));
		break;
	case JSON_INTEGER:
		lua_pushinteger(L, (lua_Integer)json_integer_value(v));
		break;
	case JSON_REAL:
		lua_pushnumber(L, json_real_value(v));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		lua_pushboolean(L, json_is_true(v));
		break;
	case JSON_NULL:
		lua_pushnil(L);
		break;
	}
}

static int push_protected(lua_State *L)
{
	push_value(L, lua_touserdata(L, 1));
	return 1;
}

/* The text's value, or nil when it is no JSON. */
static CO int decode(lua_State *L, struct sv text)
{
	json_t *root = NULL;
	int rc;

	if (json_parse(&root, text, 0, NULL)) {
		lua_pushnil(L);
		return 1;
	}
	lua_pushcfunction(L, push_protected);
	lua_pushlightuserdata(L, root);
	rc = lua_pcall(L, 1, 1, 0);
	json_decref(root);
	return rc ? lua_error(L) : 1;
}

static int l_decode(lua_State *L)
{
	struct sv text;

	role_assert_co();
	json_arg(L);
	text.p = luaL_checklstring(L, 2, &text.n);
	return decode(L, text);
}

/* ---- tables to text ---- */

struct encode {
	struct json_writer w;
	struct buf out;
	const struct lua_json *how;
};

static bool is_array(lua_State *L, int index, const struct lua_json *how)
{
	lua_Integer count = 0;

	for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
		count++;
		if (!lua_isinteger(L, -2) || lua_tointeger(L, -2) < 1) {
			lua_pop(L, 2);
			return false;
		}
	}
	return count ? (lua_Integer)lua_rawlen(L, index) == count : !how->empty_is_object;
}

static void encode_value(lua_State *L, struct encode *e, int index, unsigned depth);

static void encode_table(lua_State *L, struct encode *e, int index, unsigned depth)
{
	if (depth >= DEPTH_MAX)
		luaL_error(L, "JSON: tables are nested too deep");
	luaL_checkstack(L, 6, "JSON");
	if (is_array(L, index, e->how)) {
		lua_Integer n = (lua_Integer)lua_rawlen(L, index);
		jw_begin_array(&e->w);
		for (lua_Integer i = 1; i <= n; i++) {
			lua_rawgeti(L, index, i);
			encode_value(L, e, lua_gettop(L), depth + 1);
			lua_pop(L, 1);
		}
		jw_end_array(&e->w);
		return;
	}
	jw_begin_object(&e->w);
	for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
		lua_pushvalue(L, -2); /* lua_tolstring would change the key */
		if (lua_type(L, -1) == LUA_TSTRING || lua_type(L, -1) == LUA_TNUMBER) {
			struct sv key;
			key.p = lua_tolstring(L, -1, &key.n);
			jw_key_sv(&e->w, key);
			encode_value(L, e, lua_gettop(L) - 1, depth + 1);
		}
		lua_pop(L, 1);
	}
	jw_end_object(&e->w);
}

static void encode_value(lua_State *L, struct encode *e, int index, unsigned depth)
{
	struct sv text;

	script_charge(L, 1);
	if (e->out.n > ENCODED_MAX_BYTES)
		luaL_error(L, "JSON: the text is too large");
	switch (lua_type(L, index)) {
	case LUA_TTABLE:
		encode_table(L, e, index, depth);
		break;
	case LUA_TSTRING:
		text.p = lua_tolstring(L, index, &text.n);
		jw_sv(&e->w, text);
		break;
	case LUA_TNUMBER:
		if (lua_isinteger(L, index))
			jw_int(&e->w, lua_tointeger(L, index));
		else if (isfinite(lua_tonumber(L, index)))
			jw_real(&e->w, lua_tonumber(L, index));
		else
			jw_null(&e->w);
		break;
	case LUA_TBOOLEAN:
		jw_bool(&e->w, lua_toboolean(L, index));
		break;
	default:
		jw_null(&e->w);
		break;
	}
}

/* (value, struct encode) */
static int encode_protected(lua_State *L)
{
	encode_value(L, lua_touserdata(L, 2), 1, 0);
	return 0;
}

static CO void encode(lua_State *L, const struct lua_json *how, int index, struct buf *out)
{
	struct encode *e = lua_newuserdatauv(L, sizeof(*e), 0); /* larger than a frame should be */
	int rc;

	e->how = how;
	buf_init(&e->out);
	jw_init(&e->w, &e->out, !how->is_unformatted);
	lua_pushcfunction(L, encode_protected);
	lua_pushvalue(L, index);
	lua_pushlightuserdata(L, e);
	rc = lua_pcall(L, 2, 0, 0);
	if (rc) {
		buf_fini(&e->out);
		lua_error(L);
	}
	*out = e->out;
}

static int l_encode(lua_State *L)
{
	struct lua_json *how = json_arg(L);
	struct buf out;

	role_assert_co();
	luaL_checkany(L, 2);
	encode(L, how, 2, &out);
	script_push_take(L, &out);
	return 1;
}

static int l_set_empty(lua_State *L)
{
	json_arg(L)->empty_is_object = lua_isnoneornil(L, 2) || lua_toboolean(L, 2);
	return 0;
}

static int l_set_unformatted(lua_State *L)
{
	json_arg(L)->is_unformatted = lua_isnoneornil(L, 2) || lua_toboolean(L, 2);
	return 0;
}

/* ---- the JSON interface ---- */

/* (text or table): what the command json answers. */
static CO void run(lua_State *L, struct buf *reply)
{
	struct lua_json *how = json_arg(L);
	struct buf text;

	if (lua_type(L, 2) == LUA_TSTRING) {
		lua_pushvalue(L, 2);
	} else {
		luaL_checktype(L, 2, LUA_TTABLE);
		encode(L, how, 2, &text);
		script_push_take(L, &text);
	}
	buf_init(reply);
	api_run("json", lua_tostring(L, -1), NULL, reply);
	script_waited(script_of(L));
}

static int l_execute(lua_State *L)
{
	struct buf reply;

	role_assert_co();
	run(L, &reply);
	script_push_take(L, &reply);
	struct sv text;
	text.p = lua_tolstring(L, -1, &text.n);
	return decode(L, text);
}

static int l_execute_text(lua_State *L)
{
	struct buf reply;

	role_assert_co();
	run(L, &reply);
	script_push_take(L, &reply);
	return 1;
}

void json_open(lua_State *L)
{
	static const luaL_Reg methods[] = {{"encode", l_encode}, {"decode", l_decode}, {"execute", l_execute},
	    {"execute2", l_execute_text}, {"encode_empty_tables_as_object", l_set_empty},
	    {"return_unformatted_json", l_set_unformatted}, {NULL, NULL}};

	object_class(L, JSON_CLASS, methods, NULL);
	lua_pushcfunction(L, l_new);
	lua_setfield(L, -2, "JSON");
}
