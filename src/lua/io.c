/* Lua's io, and os.execute, remove and rename, for installations that allow commands of the operating system
 * (system-commands of switch.conf): each operation runs on a worker while the script waits. Standard input and output
 * are not there. */
#include "base/mem.h"
#include "loop/work.h"
#include "lua/lua_i.h"
#include "proc/shell.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_CLASS "FILE*"
enum { READ_MAX_BYTES = 16 << 20, POPEN_MAX_BYTES = 1 << 20 };

struct lua_file {
	FILE *f;      /* NULL: closed */
	bool is_busy; /* a worker has it */
};

enum op { OP_OPEN, OP_CLOSE, OP_READ, OP_WRITE, OP_SEEK, OP_FLUSH, OP_REMOVE, OP_RENAME };
struct job {
	enum op op;
	FILE *f;
	const char *path, *text; /* of the script's: it waits, they stay */
	size_t count;            /* bytes to read or write */
	char format;             /* what to read: l L a n, or 0 for count bytes */
	int whence;
	long offset;
	double number;
	struct buf out;
	bool is_done; /* read: something was there; others: it worked */
	int error;    /* errno */
};

/* ---- on the worker ---- */

static void read_line(struct job *j)
{
	int c;

	while ((c = getc(j->f)) != EOF && c != '\n' && j->out.n < READ_MAX_BYTES)
		buf_addc(&j->out, (char)c);
	if (c == '\n' && j->format == 'L')
		buf_addc(&j->out, '\n');
	j->is_done = c != EOF || j->out.n;
}

static void read_bytes(struct job *j)
{
	char piece[8192];
	size_t left = j->format == 'a' ? READ_MAX_BYTES : j->count, n = 1;

	while (left && n) {
		n = fread(piece, 1, left < sizeof(piece) ? left : sizeof(piece), j->f);
		buf_add(&j->out, piece, n);
		left -= n;
	}
	j->is_done = j->format == 'a' || j->out.n || (!j->count && !feof(j->f));
}

static void job_run(void *arg)
{
	struct job *j = arg;

	role_assert_work();
	errno = 0;
	switch (j->op) {
	case OP_OPEN:
		j->f = fopen(j->path, j->text);
		j->is_done = j->f != NULL;
		break;
	case OP_CLOSE:
		j->is_done = !fclose(j->f);
		break;
	case OP_READ:
		if (j->format == 'n')
			j->is_done = fscanf(j->f, "%lf", &j->number) == 1;
		else if (j->format == 'l' || j->format == 'L')
			read_line(j);
		else
			read_bytes(j);
		break;
	case OP_WRITE:
		j->is_done = fwrite(j->text, 1, j->count, j->f) == j->count;
		break;
	case OP_SEEK:
		j->is_done = !fseek(j->f, j->offset, j->whence);
		j->offset = ftell(j->f);
		break;
	case OP_FLUSH:
		j->is_done = !fflush(j->f);
		break;
	case OP_REMOVE:
		j->is_done = !remove(j->path);
		break;
	case OP_RENAME:
		j->is_done = !rename(j->path, j->text);
		break;
	}
	j->error = errno;
}

static void close_run(void *arg)
{
	role_assert_work();
	fclose(arg);
}

/* ---- in the script ---- */

static CO void need_allowed(lua_State *L, const char *what)
{
	if (!shell_is_allowed())
		luaL_error(L, "%s: %s", what, shell_off_text);
}

static CO void run(lua_State *L, struct job *j)
{
	if (co_work(WORK_SCRIPT, "lua io", job_run, j))
		j->is_done = false;
	script_waited(script_of(L));
}

static int push_result(lua_State *L, const struct job *j, const char *path)
{
	if (!j->is_done)
		return luaL_fileresult(L, (errno = j->error, 0), path);
	lua_pushboolean(L, 1);
	return 1;
}

static struct lua_file *file_arg(lua_State *L)
{
	struct lua_file *lf = luaL_checkudata(L, 1, FILE_CLASS);

	if (!lf->f || lf->is_busy)
		luaL_error(L, lf->f ? "a file is in use by another coroutine" : "attempt to use a closed file");
	return lf;
}

static CO void run_on(lua_State *L, struct lua_file *lf, struct job *j)
{
	j->f = lf->f;
	lf->is_busy = true;
	run(L, j);
	lf->is_busy = false;
}

static struct lua_file *file_slot(lua_State *L)
{
	struct lua_file *lf = lua_newuserdatauv(L, sizeof(*lf), 0);

	*lf = (struct lua_file){0};
	luaL_setmetatable(L, FILE_CLASS);
	return lf;
}

static CO int open_file(lua_State *L, const char *path, const char *mode)
{
	struct job j = {.op = OP_OPEN, .path = path, .text = mode};
	struct lua_file *lf = file_slot(L);

	run(L, &j);
	lf->f = j.f;
	return lf->f ? 1 : push_result(L, &j, path);
}

static int l_open(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1), *mode = luaL_optstring(L, 2, "r");

	role_assert_co();
	need_allowed(L, "io.open");
	luaL_argcheck(
	    L, strchr("rwa", mode[0]) && mode[0] && strspn(mode + 1, "+b") == strlen(mode + 1), 2, "invalid mode");
	return open_file(L, path, mode);
}

/* Runs the command to its end; what it wrote can then be read. */
static int l_popen(lua_State *L)
{
	struct shell_conf conf = {.command = luaL_checkstring(L, 1), .output_max_bytes = POPEN_MAX_BYTES};
	const char *mode = luaL_optstring(L, 2, "r");
	struct lua_file *lf;
	struct buf out;
	int code = 0;

	role_assert_co();
	need_allowed(L, "io.popen");
	luaL_argcheck(L, mode[0] == 'r', 2, "commands can only be read from");
	lf = file_slot(L);
	buf_init(&out);
	shell_run(&conf, &out, &code);
	script_waited(script_of(L));
	lf->f = fmemopen(NULL, out.n + 1, "w+");
	if (lf->f) {
		fwrite(out.p ? out.p : "", 1, out.n, lf->f);
		fflush(lf->f);
		rewind(lf->f);
		if (out.n == 0)
			fseek(lf->f, 0, SEEK_END);
	}
	buf_fini(&out);
	return lf->f ? 1 : luaL_error(L, "io.popen: no memory");
}

/* Reads one format at stack index n; pushes a value, nil at the end. */
static CO bool read_one(lua_State *L, struct lua_file *lf, int n)
{
	struct job j = {.op = OP_READ, .format = 'l'};
	const char *format;
	bool is_done;

	if (lua_type(L, n) == LUA_TNUMBER) {
		lua_Integer count = luaL_checkinteger(L, n);
		luaL_argcheck(L, count >= 0 && count <= READ_MAX_BYTES, n, "too much to read");
		j.format = 0, j.count = (size_t)count;
	} else if (!lua_isnoneornil(L, n)) {
		format = luaL_checkstring(L, n);
		j.format = *format == '*' ? format[1] : *format;
		luaL_argcheck(L, j.format && strchr("lLan", j.format), n, "invalid format");
	}
	buf_init(&j.out);
	run_on(L, lf, &j);
	is_done = j.is_done;
	if (is_done && j.format == 'n') {
		lua_pushnumber(L, j.number);
		if (lua_tonumber(L, -1) == (lua_Number)(lua_Integer)j.number)
			lua_pushinteger(L, (lua_Integer)j.number), lua_replace(L, -2);
		buf_fini(&j.out);
	} else if (is_done) {
		script_push_take(L, &j.out);
	} else {
		buf_fini(&j.out);
		lua_pushnil(L);
	}
	return is_done;
}

static int l_file_read(lua_State *L)
{
	struct lua_file *lf = file_arg(L);
	int first = 2, last = lua_gettop(L);

	role_assert_co();
	luaL_checkstack(L, last + 5, NULL);
	if (last < 2)
		last = 2, lua_settop(L, 2);
	for (int n = first; n <= last; n++)
		if (!read_one(L, lf, n))
			break;
	return lua_gettop(L) - last;
}

static int l_next_line(lua_State *L)
{
	struct lua_file *lf = luaL_checkudata(L, lua_upvalueindex(1), FILE_CLASS);

	role_assert_co();
	if (!lf->f || lf->is_busy)
		return luaL_error(L, "file is already closed");
	lua_settop(L, 0);
	lua_pushvalue(L, lua_upvalueindex(2));
	read_one(L, lf, 1);
	return 1;
}

static int l_file_lines(lua_State *L)
{
	file_arg(L);
	lua_settop(L, 2);
	lua_pushcclosure(L, l_next_line, 2);
	return 1;
}

static int l_lines(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);

	role_assert_co();
	need_allowed(L, "io.lines");
	lua_settop(L, 2);
	if (open_file(L, path, "r") != 1)
		return luaL_error(L, "%s", lua_tostring(L, -2));
	lua_pushvalue(L, 2);
	lua_pushcclosure(L, l_next_line, 2);
	return 1;
}

static int l_file_write(lua_State *L)
{
	struct lua_file *lf = file_arg(L);
	int last = lua_gettop(L);

	role_assert_co();
	for (int n = 2; n <= last; n++) {
		struct job j = {.op = OP_WRITE};
		j.text = luaL_checklstring(L, n, &j.count);
		run_on(L, lf, &j);
		if (!j.is_done)
			return push_result(L, &j, NULL);
	}
	lua_settop(L, 1);
	return 1;
}

static int l_file_seek(lua_State *L)
{
	static const char *const names[] = {"set", "cur", "end", NULL};
	static const int values[] = {SEEK_SET, SEEK_CUR, SEEK_END};
	struct lua_file *lf = file_arg(L);
	struct job j = {.op = OP_SEEK, .whence = values[luaL_checkoption(L, 2, "cur", names)]};

	role_assert_co();
	j.offset = (long)luaL_optinteger(L, 3, 0);
	run_on(L, lf, &j);
	if (!j.is_done)
		return push_result(L, &j, NULL);
	lua_pushinteger(L, j.offset);
	return 1;
}

static int l_file_flush(lua_State *L)
{
	struct lua_file *lf = file_arg(L);
	struct job j = {.op = OP_FLUSH};

	role_assert_co();
	run_on(L, lf, &j);
	return push_result(L, &j, NULL);
}

static int l_file_close(lua_State *L)
{
	struct lua_file *lf = file_arg(L);
	struct job j = {.op = OP_CLOSE, .f = lf->f};

	role_assert_co();
	lf->f = NULL;
	run(L, &j);
	return push_result(L, &j, NULL);
}

/* At the program's end a job that has not begun is cancelled; what was written must not go with it. */
static void close_done(int status, void *arg)
{
	role_assert_ctl();
	if (status == ST_CANCELLED)
		fclose(arg);
}

/* A file that was forgotten is closed by a worker: what it still has to write may take time. */
static int l_file_gc(lua_State *L)
{
	struct lua_file *lf = luaL_checkudata(L, 1, FILE_CLASS);

	role_assert_co();
	if (lf->f && work_submit(WORK_SCRIPT, "lua io", close_run, close_done, lf->f))
		fclose(lf->f);
	lf->f = NULL;
	return 0;
}

static int l_close(lua_State *L)
{
	role_assert_co();
	return l_file_close(L);
}

static int l_type(lua_State *L)
{
	const struct lua_file *lf = luaL_testudata(L, 1, FILE_CLASS);

	luaL_checkany(L, 1);
	lua_pushstring(L, !lf ? NULL : lf->f ? "file" : "closed file");
	return 1;
}

static int l_nothing(lua_State *L)
{
	lua_pushboolean(L, 1);
	return 1;
}

/* ---- os ---- */

static int l_execute(lua_State *L)
{
	struct shell_conf conf = {.command = luaL_optstring(L, 1, NULL)};
	int code = 0, st;

	role_assert_co();
	need_allowed(L, "os.execute");
	if (!conf.command) {
		lua_pushboolean(L, 1);
		return 1;
	}
	st = shell_run(&conf, NULL, &code);
	script_waited(script_of(L));
	if (st || code)
		luaL_pushfail(L);
	else
		lua_pushboolean(L, 1);
	lua_pushliteral(L, "exit");
	lua_pushinteger(L, st ? -1 : code);
	return 3;
}

static int l_remove(lua_State *L)
{
	struct job j = {.op = OP_REMOVE, .path = luaL_checkstring(L, 1)};

	role_assert_co();
	need_allowed(L, "os.remove");
	run(L, &j);
	return push_result(L, &j, j.path);
}

static int l_rename(lua_State *L)
{
	struct job j = {.op = OP_RENAME, .path = luaL_checkstring(L, 1), .text = luaL_checkstring(L, 2)};

	role_assert_co();
	need_allowed(L, "os.rename");
	run(L, &j);
	return push_result(L, &j, j.path);
}

const luaL_Reg io_os_functions[] = {{"execute", l_execute}, {"remove", l_remove}, {"rename", l_rename}, {NULL, NULL}};

void io_open(lua_State *L)
{
	static const luaL_Reg functions[] = {{"open", l_open}, {"popen", l_popen}, {"lines", l_lines},
	    {"close", l_close}, {"type", l_type}, {NULL, NULL}};
	static const luaL_Reg methods[] = {{"read", l_file_read}, {"lines", l_file_lines}, {"write", l_file_write},
	    {"seek", l_file_seek}, {"flush", l_file_flush}, {"close", l_file_close}, {"setvbuf", l_nothing},
	    {NULL, NULL}};

	object_class(L, FILE_CLASS, methods, l_file_gc);
	lua_newtable(L);
	luaL_setfuncs(L, functions, 0);
}
