/* freeswitch.Dbh: the database that a DSN names, whichever driver it means; a plain name lies in the database
 * directory. The script waits for each statement. */
#include "core/value/self.h"
#include "lua/lua_i.h"
#include "store/store.h"
#include <stdio.h>

#define DBH_CLASS "freeswitch.Dbh"

enum { ERROR_CHARS = 300 };

struct dbh {
	struct store *store; /* NULL: not connected, or released */
	int64_t change_count;
	char error[ERROR_CHARS];
};

static struct dbh *dbh_arg(lua_State *L)
{
	return luaL_checkudata(L, 1, DBH_CLASS);
}

/* r is to be freed whatever comes back. */
static CO int run(lua_State *L, struct dbh *d, const char *text, struct store_rows *r)
{
	int st;

	*r = (struct store_rows){0};
	if (!d->store)
		return ST_CLOSED;
	st = store_sql_run(d->store, text, NULL, 0, r);
	d->change_count = r->change_count;
	if (st) {
		snprintf(d->error, sizeof(d->error), "%s", r->error.n ? r->error.p : status_text(st));
		log_uuid(LOG_ERR, script_uuid(script_of(L)), "SQL: %s in: %.300s", d->error, text);
	}
	script_waited(script_of(L));
	return st;
}

/* (dsn): opens it. */
static int l_new(lua_State *L)
{
	const char *dsn = luaL_checkstring(L, 1);
	struct dbh *d = lua_newuserdatauv(L, sizeof(*d), 0);
	struct store_rows r;
	struct buf error;
	int st;

	role_assert_co();
	*d = (struct dbh){0};
	luaL_setmetatable(L, DBH_CLASS);
	buf_init(&error);
	st = store_open(&d->store, dsn, core_dirs() ? core_dirs()->db : NULL, STORE_ASKS, &error);
	if (st)
		lua_pushfstring(L, "freeswitch.Dbh: %s", error.n ? error.p : status_text(st));
	buf_fini(&error);
	if (st)
		return lua_error(L);
	if (run(L, d, "select 1", &r)) {
		store_close(d->store);
		d->store = NULL;
	}
	store_rows_fini(&r);
	return 1;
}

static int l_release(lua_State *L)
{
	struct dbh *d = dbh_arg(L);

	role_assert_co();
	lua_pushboolean(L, d->store != NULL);
	store_close(d->store);
	d->store = NULL;
	return 1;
}

static int l_connected(lua_State *L)
{
	lua_pushboolean(L, dbh_arg(L)->store != NULL);
	return 1;
}

static bool push_cell(lua_State *L, const struct store_rows *r, size_t *at)
{
	struct sv cell;

	if (!store_rows_next(r, at, &cell))
		return false;
	lua_pushlstring(L, cell.p ? cell.p : "", cell.n); /* NULL is "" */
	return true;
}

/* Pushes the table of the row that begins at *at, which moves on to the next. */
static void push_row(lua_State *L, const struct store_rows *r, size_t *at)
{
	size_t name_at = 0;

	lua_createtable(L, 0, (int)r->column_count);
	for (size_t i = 0; i < r->column_count && push_cell(L, r, &name_at); i++) {
		if (push_cell(L, r, at))
			lua_settable(L, -3);
		else
			lua_pop(L, 1);
	}
}

static size_t first_row(const struct store_rows *r)
{
	struct sv name;
	size_t at = 0;

	for (size_t i = 0; i < r->column_count; i++)
		store_rows_next(r, &at, &name);
	return at;
}

/* (function, result): calls it for each row until it returns a number other than 0. */
static int call_rows(lua_State *L)
{
	const struct store_rows *r = lua_touserdata(L, 2);
	size_t at = first_row(r);

	role_assert_co();
	for (size_t i = 0; r->column_count && i < r->row_count; i++) {
		lua_pushvalue(L, 1);
		push_row(L, r, &at);
		lua_call(L, 1, 1);
		if (lua_type(L, -1) == LUA_TNUMBER && lua_tonumber(L, -1) != 0)
			break;
		lua_pop(L, 1);
	}
	return 0;
}

/* (sql[, function]) */
static int l_query(lua_State *L)
{
	struct dbh *d = dbh_arg(L);
	const char *text = luaL_checkstring(L, 2);
	struct store_rows r;
	int st, rc = LUA_OK;

	role_assert_co();
	lua_settop(L, 3);
	st = run(L, d, text, &r);
	if (!st && !lua_isnil(L, 3)) {
		lua_pushcfunction(L, call_rows);
		lua_pushvalue(L, 3);
		lua_pushlightuserdata(L, &r);
		rc = lua_pcall(L, 2, 0, 0);
	}
	store_rows_fini(&r);
	if (rc)
		return lua_error(L);
	lua_pushboolean(L, !st);
	return 1;
}

/* (result): the first row as a table, or nil. */
static int push_first(lua_State *L)
{
	const struct store_rows *r = lua_touserdata(L, 1);
	size_t at = first_row(r);

	if (r->column_count && r->row_count)
		push_row(L, r, &at);
	else
		lua_pushnil(L);
	return 1;
}

/* (result): the first cell, or nil. */
static int push_value(lua_State *L)
{
	const struct store_rows *r = lua_touserdata(L, 1);

	size_t at = first_row(r);

	if (!r->column_count || !r->row_count || !push_cell(L, r, &at))
		lua_pushnil(L);
	return 1;
}

static CO int query_one(lua_State *L, lua_CFunction push)
{
	struct dbh *d = dbh_arg(L);
	const char *text = luaL_checkstring(L, 2);
	struct store_rows r;
	int st, rc = LUA_OK;

	st = run(L, d, text, &r);
	if (st) {
		lua_pushnil(L);
	} else {
		lua_pushcfunction(L, push);
		lua_pushlightuserdata(L, &r);
		rc = lua_pcall(L, 1, 1, 0);
	}
	store_rows_fini(&r);
	return rc ? lua_error(L) : 1;
}

static int l_first_row(lua_State *L)
{
	role_assert_co();
	return query_one(L, push_first);
}

static int l_first_value(lua_State *L)
{
	role_assert_co();
	return query_one(L, push_value);
}

static CO bool works(lua_State *L, struct dbh *d, const char *text)
{
	struct store_rows r;
	int st = run(L, d, text, &r);

	store_rows_fini(&r);
	return !st;
}

/* (test, drop, create): a table that does not pass the test is made anew. */
static int l_test_reactive(lua_State *L)
{
	struct dbh *d = dbh_arg(L);
	const char *test = luaL_checkstring(L, 2), *drop = luaL_optstring(L, 3, ""), *create = luaL_optstring(L, 4, "");
	bool is_good;

	role_assert_co();
	is_good = works(L, d, test);
	if (!is_good && d->store) {
		if (*drop)
			works(L, d, drop);
		is_good = *create && works(L, d, create);
	}
	lua_pushboolean(L, is_good);
	return 1;
}

static int l_affected_rows(lua_State *L)
{
	lua_pushinteger(L, dbh_arg(L)->change_count);
	return 1;
}

static int l_last_error(lua_State *L)
{
	const struct dbh *d = dbh_arg(L);

	lua_pushstring(L, d->error[0] ? d->error : NULL);
	return 1;
}

static int l_clear_error(lua_State *L)
{
	dbh_arg(L)->error[0] = 0;
	return 0;
}

void dbh_open(lua_State *L)
{
	static const luaL_Reg methods[] = {{"query", l_query}, {"connected", l_connected}, {"release", l_release},
	    {"test_reactive", l_test_reactive}, {"affected_rows", l_affected_rows}, {"last_error", l_last_error},
	    {"clear_error", l_clear_error}, {"first_row", l_first_row}, {"first_value", l_first_value}, {NULL, NULL}};

	object_class(L, DBH_CLASS, methods, l_release);
	lua_pushcfunction(L, l_new);
	lua_setfield(L, -2, "Dbh");
}
