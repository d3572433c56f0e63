/* freeswitch.Dbh for sqlite files: "sqlite://name", "core:name", an absolute path or a name in the database directory.
 */
#include "core/value/self.h"
#include "lua/lua_i.h"
#include "store/sql.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DBH_CLASS "freeswitch.Dbh"

struct dbh {
	struct sql *sql; /* NULL: not connected, or released */
	int change_count;
	char error[SQL_ERROR_CHARS];
};

static struct dbh *dbh_arg(lua_State *L)
{
	return luaL_checkudata(L, 1, DBH_CLASS);
}

/* r is to be freed whatever comes back. */
static CO int run(lua_State *L, struct dbh *d, const char *text, struct sql_result *r)
{
	int st;

	*r = (struct sql_result){0};
	if (!d->sql)
		return ST_CLOSED;
	st = sql_run(d->sql, text, r);
	d->change_count = r->change_count;
	if (st) {
		strcpy(d->error, r->error);
		if (!*d->error)
			strncat(d->error, status_text(st), sizeof(d->error) - 1);
		log_uuid(LOG_ERR, script_uuid(script_of(L)), "SQL: %s in: %.300s", d->error, text);
	}
	script_waited(script_of(L));
	return st;
}

static bool has_prefix(const char **dsn, const char *prefix)
{
	size_t n = strlen(prefix);

	if (strncasecmp(*dsn, prefix, n))
		return false;
	*dsn += n;
	return true;
}

/* Appends the file that the name means; a name stays in the database directory. */
static ON_CTL bool path_of(const char *name, struct buf *out)
{
	const char *dot = strrchr(name, '.');

	if (!*name)
		return false;
	if (*name == '/')
		return !buf_adds(out, name);
	if (strchr(name, '/') || *name == '.')
		return false;
	buf_printf(out, "%s/%s%s", core_dirs() ? core_dirs()->db : ".", name, dot && !strcmp(dot, ".db") ? "" : ".db");
	return true;
}

/* (dsn): opens it. */
static int l_new(lua_State *L)
{
	const char *dsn = luaL_checkstring(L, 1), *name = dsn;
	struct sql_result r;
	struct dbh *d = lua_newuserdatauv(L, sizeof(*d), 0);
	struct buf path;

	role_assert_co();
	*d = (struct dbh){0};
	luaL_setmetatable(L, DBH_CLASS);
	if (!has_prefix(&name, "sqlite://") && !has_prefix(&name, "core:") && strstr(dsn, "://"))
		return luaL_error(L, "freeswitch.Dbh: only sqlite is available here, not '%s'", dsn);
	buf_init(&path);
	if (path_of(name, &path))
		sql_new(&d->sql, path.p);
	buf_fini(&path);
	if (!d->sql)
		return luaL_error(L, "freeswitch.Dbh: '%s' names no database", dsn);
	if (run(L, d, "select 1", &r)) {
		sql_free(d->sql);
		d->sql = NULL;
	}
	sql_result_fini(&r);
	return 1;
}

static int l_release(lua_State *L)
{
	struct dbh *d = dbh_arg(L);

	role_assert_co();
	lua_pushboolean(L, d->sql != NULL);
	sql_free(d->sql);
	d->sql = NULL;
	return 1;
}

static int l_connected(lua_State *L)
{
	lua_pushboolean(L, dbh_arg(L)->sql != NULL);
	return 1;
}

/* Pushes the table of the row that begins at cell; columns: their names. Returns the cell after it. */
static const char *push_row(lua_State *L, const struct sql_result *r, const char *cell)
{
	const char *name = r->cells.p;

	lua_createtable(L, 0, (int)r->column_count);
	for (size_t i = 0; i < r->column_count; i++) {
		lua_pushstring(L, cell);
		lua_setfield(L, -2, name);
		name = sql_cell_next(name), cell = sql_cell_next(cell);
	}
	return cell;
}

static const char *first_row(const struct sql_result *r)
{
	const char *cell = r->cells.p;

	for (size_t i = 0; i < r->column_count; i++)
		cell = sql_cell_next(cell);
	return cell;
}

/* (function, result): calls it for each row until it returns a number other than 0. */
static int call_rows(lua_State *L)
{
	const struct sql_result *r = lua_touserdata(L, 2);
	const char *cell = r->column_count ? first_row(r) : NULL;

	role_assert_co();
	for (size_t i = 0; r->column_count && i < r->row_count; i++) {
		lua_pushvalue(L, 1);
		cell = push_row(L, r, cell);
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
	struct sql_result r;
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
	sql_result_fini(&r);
	if (rc)
		return lua_error(L);
	lua_pushboolean(L, !st);
	return 1;
}

/* (result): the first row as a table, or nil. */
static int push_first(lua_State *L)
{
	const struct sql_result *r = lua_touserdata(L, 1);

	if (r->column_count && r->row_count)
		push_row(L, r, first_row(r));
	else
		lua_pushnil(L);
	return 1;
}

/* (result): the first cell, or nil. */
static int push_value(lua_State *L)
{
	const struct sql_result *r = lua_touserdata(L, 1);

	lua_pushstring(L, r->column_count && r->row_count ? first_row(r) : NULL);
	return 1;
}

static CO int query_one(lua_State *L, lua_CFunction push)
{
	struct dbh *d = dbh_arg(L);
	const char *text = luaL_checkstring(L, 2);
	struct sql_result r;
	int st, rc = LUA_OK;

	st = run(L, d, text, &r);
	if (st) {
		lua_pushnil(L);
	} else {
		lua_pushcfunction(L, push);
		lua_pushlightuserdata(L, &r);
		rc = lua_pcall(L, 1, 1, 0);
	}
	sql_result_fini(&r);
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
	struct sql_result r;
	int st = run(L, d, text, &r);

	sql_result_fini(&r);
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
	if (!is_good && d->sql) {
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
