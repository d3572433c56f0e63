/* Script files to chunks. A worker looks at the file's time and size and, when it changed, reads and compiles it in a
 * state of its own; what comes back is kept as Lua's bytecode with its lines, so that a call costs one look at the
 * directory. Only bytecode made here is ever loaded: a file of bytecode is refused. */
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/value/self.h"
#include "lua/lua_i.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX_BYTES = 8 << 20, CHUNKS_MAX = 512, ERROR_CHARS = 500 };

struct stamp {
	dev_t device;
	ino_t inode;
	off_t bytes;
	struct timespec changed;
};
struct chunk {
	struct stamp stamp;
	struct buf code;
};
struct job {
	const char *path;
	struct stamp known; /* of what is kept; zero: nothing is */
	struct stamp found;
	struct buf code; /* when it differs */
	int status;
	char error[ERROR_CHARS];
};
static struct hash *cache; /* path -> struct chunk */

static void chunk_free(void *p)
{
	struct chunk *c = p;
	buf_fini(&c->code);
	mem_free(c);
}

void chunk_cache_clear(void)
{
	hash_free(cache);
	cache = NULL;
}

/* ---- on the worker ---- */

static int fail(struct job *j, int status, const char *what)
{
	snprintf(j->error, sizeof(j->error), "cannot open %s: %s", j->path, what);
	return status;
}

static int read_file(struct job *j, int fd, struct buf *text)
{
	char piece[16384];
	ssize_t n;

	while ((n = read(fd, piece, sizeof(piece))) > 0) {
		buf_add(text, piece, (size_t)n);
		if (text->n > FILE_MAX_BYTES)
			return fail(j, ST_LIMIT, "it has more than 8 MiB");
	}
	if (n < 0)
		return fail(j, ST_IO, strerror(errno));
	return text->failed ? ST_NOMEM : ST_OK;
}

static int add_code(lua_State *L, const void *p, size_t n, void *arg)
{
	return buf_add(arg, p, n) != ST_OK;
}

static int compile(struct job *j, struct buf *text)
{
	lua_State *L = luaL_newstate();
	struct buf name;
	size_t skip = 0;
	int st = ST_OK;

	if (!L)
		return ST_NOMEM;
	if (text->n && text->p[0] == '#') /* #!/usr/bin/lua: its line stays, empty */
		skip = strcspn(text->p, "\n");
	buf_init(&name);
	buf_printf(&name, "@%s", j->path);
	if (luaL_loadbufferx(L, text->p ? text->p + skip : "", text->n - skip, name.p, "t")) {
		snprintf(j->error, sizeof(j->error), "%s", lua_tostring(L, -1) ? lua_tostring(L, -1) : "no memory");
		st = ST_PARSE;
	} else if (lua_dump(L, add_code, &j->code, 0)) {
		st = ST_NOMEM;
	}
	buf_fini(&name);
	lua_close(L);
	return st;
}

static int look(struct job *j, int fd)
{
	struct stat sb;

	if (fstat(fd, &sb))
		return fail(j, ST_IO, strerror(errno));
	if (!S_ISREG(sb.st_mode))
		return fail(j, ST_INVAL, "it is no file");
	j->found = (struct stamp){sb.st_dev, sb.st_ino, sb.st_size, sb.st_mtim};
	return ST_OK;
}

static bool is_same(const struct stamp *a, const struct stamp *b)
{
	return a->inode == b->inode && a->device == b->device && a->bytes == b->bytes &&
	       a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

static void job_run(void *arg)
{
	struct job *j = arg;
	struct buf text;
	int fd;

	role_assert_work();
	fd = open(j->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		j->status = fail(j, errno == ENOENT || errno == ENOTDIR ? ST_NOTFOUND : ST_IO, strerror(errno));
		return;
	}
	buf_init(&text);
	j->status = look(j, fd);
	if (!j->status && !is_same(&j->found, &j->known)) {
		j->status = read_file(j, fd, &text);
		if (!j->status)
			j->status = compile(j, &text);
	}
	buf_fini(&text);
	close(fd);
}

/* ---- on the control thread ---- */

static ON_CTL void keep(struct job *j)
{
	struct chunk *c;

	if (cache && hash_count(cache) >= CHUNKS_MAX)
		chunk_cache_clear();
	if (!cache && hash_new(&cache, 0, chunk_free))
		return;
	c = mem_zalloc(sizeof(*c));
	if (!c)
		return;
	c->stamp = j->found;
	c->code = j->code;
	buf_init(&j->code);
	if (hash_set(cache, sv_of(j->path), c))
		chunk_free(c);
}

int chunk_load(lua_State *L, const char *path)
{
	struct job j = {.path = path};
	struct chunk *c = cache ? hash_get(cache, sv_of(path)) : NULL;
	bool was_read;
	int st;

	buf_init(&j.code);
	if (c)
		j.known = c->stamp;
	st = co_work(WORK_SCRIPT, "lua file", job_run, &j);
	script_waited(script_of(L));
	if (!st)
		st = j.status;
	was_read = j.code.n > 0;
	if (!st && was_read)
		keep(&j);
	buf_fini(&j.code);
	c = !st && cache ? hash_get(cache, sv_of(path)) : NULL;
	if (!c) {
		if (!st && !was_read) /* unchanged, so not read; but meanwhile the cache was cleared */
			return chunk_load(L, path);
		st = st ? st : ST_NOMEM;
		lua_pushstring(L, j.error[0] ? j.error : status_text(st));
		return st;
	}
	return luaL_loadbufferx(L, c->code.p, c->code.n, path, "b") ? ST_NOMEM : ST_OK;
}

/* "a/../b" and the like; a name with dots in it is none. */
static bool climbs(const char *name)
{
	for (const char *p = strstr(name, ".."); p; p = strstr(p + 1, ".."))
		if ((p == name || p[-1] == '/') && (!p[2] || p[2] == '/'))
			return true;
	return false;
}

int chunk_path(const char *name, struct buf *out)
{
	if (name[0] != '/') {
		if (climbs(name))
			return ST_DENIED;
		buf_printf(out, "%s/", core_dirs() && core_dirs()->scripts ? core_dirs()->scripts : ".");
	}
	return buf_adds(out, name);
}
