/* Files of boxes, on workers: folders, renames that survive a power cut, copies made aside, joining two recordings. A
 * file system that stalls holds the worker's lane for files, and the callers who wait for it; control goes on. */
#include "base/clock.h"
#include "base/disk.h"
#include "base/log.h"
#include "base/mem.h"
#include "file/file.h"
#include "loop/co.h"
#include "voicemail/vm_i.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { STALE_S = 86400, COPY_BYTES = 65536, JOIN_FRAMES = 8192 };

struct job {
	const char *a, *b, *out;
	struct buf *list;
	int st;
	unsigned seconds;
};

static CO int go(void (*fn)(void *arg), struct job *j)
{
	int st = co_work(WORK_FILE, "voicemail files", fn, j);
	return st ? st : j->st;
}

static int st_of(int rc)
{
	return !rc               ? ST_OK
	       : errno == ENOENT ? ST_NOTFOUND
	       : errno == EACCES ? ST_DENIED
	       : errno == ENOSPC ? ST_FULL
	                         : ST_IO;
}

static int dirs_make(const char *dir)
{
	char *path = mem_strdup(dir);
	int rc = path ? 0 : -1;
	for (char *p = path ? path + 1 : NULL; p && *p && !rc; p++)
		if (*p == '/') {
			*p = 0;
			rc = mkdir(path, 0750) && errno != EEXIST;
			*p = '/';
		}
	if (!rc)
		rc = mkdir(dir, 0750) && errno != EEXIST;
	int st = st_of(rc);
	mem_free(path);
	return st;
}

/* What begins with ".msg_" and has not been written to for a day is of a call that died with its process. */
static void stale_remove(const char *dir)
{
	DIR *d = opendir(dir);
	struct stat s;
	time_t now = time(NULL);
	for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d))
		if (!strncmp(e->d_name, ".msg_", 5) && !fstatat(dirfd(d), e->d_name, &s, AT_SYMLINK_NOFOLLOW) &&
		    S_ISREG(s.st_mode) && now - s.st_mtime > STALE_S)
			unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
}

static void box_work(void *arg)
{
	struct job *j = arg;
	role_assert_work();
	j->st = dirs_make(j->a);
	if (!j->st)
		stale_remove(j->a);
}

int vm_file_box_make(const char *dir)
{
	struct job j = {.a = dir};
	int st = go(box_work, &j);
	if (st)
		log_error("voicemail: cannot make the folder %s: %s", dir, status_text(st));
	return st;
}

static void exists_work(void *arg)
{
	struct job *j = arg;
	role_assert_work();
	j->st = st_of(access(j->a, R_OK));
}

bool vm_file_exists(const char *path)
{
	struct job j = {.a = path};
	return path && *path && go(exists_work, &j) == ST_OK;
}

static void rename_work(void *arg)
{
	struct job *j = arg;
	role_assert_work();
	j->st = disk_sync(j->a);
	if (!j->st)
		j->st = st_of(rename(j->a, j->b));
	if (!j->st)
		j->st = disk_sync_parent(j->b);
}

int vm_file_rename(const char *from, const char *to)
{
	struct job j = {.a = from, .b = to};
	int st = go(rename_work, &j);
	if (st)
		log_error("voicemail: cannot rename %s to %s: %s", from, to, status_text(st));
	return st;
}

/* "dir/.msg_TOKEN.ext": hidden, of the same kind of file. */
static char *aside_dup(const char *path)
{
	const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
	char token[17];
	struct buf b;
	buf_init(&b);
	rand_token(token, 16);
	buf_printf(&b, "%.*s.msg_%s%s", slash ? (int)(slash - path + 1) : 0, path, token, dot ? dot : "");
	return b.failed ? NULL : buf_take(&b);
}

static int copy_bytes(int in, int out)
{
	char *block = mem_alloc(COPY_BYTES);
	ssize_t n = block ? 1 : -1;
	int st = block ? ST_OK : ST_NOMEM;
	while (!st && (n = read(in, block, COPY_BYTES)) > 0)
		st = disk_write(out, block, (size_t)n);
	if (!st && (n < 0 || fsync(out)))
		st = ST_IO;
	mem_free(block);
	return st;
}

static int aside_take(const char *aside, const char *to, int st)
{
	if (!st)
		st = st_of(rename(aside, to));
	if (st)
		unlink(aside);
	else
		st = disk_sync_parent(to);
	return st;
}

static void copy_work(void *arg)
{
	struct job *j = arg;
	char *aside = aside_dup(j->b);
	struct stat s;
	role_assert_work();
	int in = open(j->a, O_RDONLY | O_CLOEXEC | O_NONBLOCK), out = -1;
	j->st = !aside ? ST_NOMEM : in < 0 ? st_of(-1) : fstat(in, &s) || !S_ISREG(s.st_mode) ? ST_UNSUPPORTED : ST_OK;
	if (!j->st && (out = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640)) < 0)
		j->st = st_of(-1);
	if (!j->st)
		j->st = aside_take(aside, j->b, copy_bytes(in, out));
	if (out >= 0)
		close(out);
	if (in >= 0)
		close(in);
	mem_free(aside);
}

int vm_file_copy(const char *from, const char *to)
{
	struct job j = {.a = from, .b = to};
	return go(copy_work, &j);
}

static void remove_work(void *arg)
{
	struct job *j = arg;
	role_assert_work();
	for (const char *p = j->list->p, *end = p ? p + j->list->n : NULL; p && p < end; p += strlen(p) + 1)
		if (*p && unlink(p) && errno != ENOENT)
			log_error("voicemail: cannot remove %s: %s", p, strerror(errno));
}

void vm_files_remove(struct buf *zero_ended_paths)
{
	struct job j = {.list = zero_ended_paths};
	go(remove_work, &j);
}

void vm_file_remove(const char *path)
{
	struct buf b;
	buf_init(&b);
	buf_add(&b, path, strlen(path) + 1);
	vm_files_remove(&b);
	buf_fini(&b);
}

static void seconds_work(void *arg)
{
	struct job *j = arg;
	struct file_reader *r;
	role_assert_work();
	j->st = file_reader_open(&r, j->a, 0, NULL);
	if (j->st)
		return;
	const struct file_info *i = file_reader_info(r);
	if (i->frames && i->rate_hz)
		j->seconds = (unsigned)(i->frames / i->rate_hz);
	file_reader_close(r);
}

int vm_file_seconds(const char *path, unsigned *out)
{
	struct job j = {.a = path};
	int st = go(seconds_work, &j);
	if (!st)
		*out = j.seconds;
	return st;
}

static ON_WORK int pour(struct file_writer *w, const char *path, uint32_t rate_hz, int16_t *block)
{
	struct file_reader *r;
	int n = 0, st = file_reader_open(&r, path, rate_hz, NULL);
	if (st)
		return st;
	while (!st && (n = file_reader_read(r, block, JOIN_FRAMES)) > 0)
		st = file_writer_write(w, block, (size_t)n);
	file_reader_close(r);
	return st ? st : n;
}

static void join_work(void *arg)
{
	struct job *j = arg;
	char *aside = aside_dup(j->out);
	int16_t *block = mem_alloc(JOIN_FRAMES * sizeof(*block));
	struct file_reader *r = NULL;
	struct file_writer *w = NULL;
	uint32_t rate_hz = 8000;
	role_assert_work();
	j->st = aside && block ? file_reader_open(&r, j->b, 0, NULL) : ST_NOMEM;
	if (!j->st)
		rate_hz = file_reader_info(r)->rate_hz, file_reader_close(r);
	if (!j->st)
		j->st =
		    file_writer_open(&w, aside, &(struct file_writer_conf){.rate_hz = rate_hz, .channels = 1}, NULL);
	if (!j->st && j->a)
		j->st = pour(w, j->a, rate_hz, block);
	if (!j->st)
		j->st = pour(w, j->b, rate_hz, block);
	if (w) {
		int st = file_writer_close(w, NULL);
		j->st = aside_take(aside, j->out, j->st ? j->st : st);
	}
	mem_free(block), mem_free(aside);
}

int vm_file_join(const char *first, const char *second, const char *out)
{
	struct job j = {.a = first, .b = second, .out = out};
	return go(join_work, &j);
}
