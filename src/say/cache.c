/* The directory where spoken texts are kept: bounded, the least recently used go first. */
#include "base/mem.h"
#include "say/prompt_i.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { WAV_HEADER_BYTES = 44, USED_AGAIN_S = 3600, HALF_MADE_S = 3600, FILES_MAX = 100000 };

bool cache_is_file(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISREG(st.st_mode) && st.st_size > WAV_HEADER_BYTES;
}

void cache_touch(const char *path)
{
	struct stat st;

	if (!stat(path, &st) && time(NULL) - st.st_mtime > USED_AGAIN_S)
		utimensat(AT_FDCWD, path, NULL, 0);
}

bool cache_dir_make(const char *dir)
{
	const char *slash = strrchr(dir, '/');
	char *parent = mem_strndup(dir, slash ? (size_t)(slash - dir) : 0);

	(void)mkdir(parent, 0750);
	mem_free(parent);
	return !mkdir(dir, 0750) || errno == EEXIST;
}

struct entry {
	char *path;
	struct timespec used;
	uint64_t bytes;
};
struct entries {
	struct entry *all;
	size_t count, cap;
	uint64_t bytes;
};

static int by_use(const void *a, const void *b)
{
	const struct timespec *x = &((const struct entry *)a)->used, *y = &((const struct entry *)b)->used;

	if (x->tv_sec != y->tv_sec)
		return x->tv_sec < y->tv_sec ? -1 : 1;
	return x->tv_nsec < y->tv_nsec ? -1 : x->tv_nsec > y->tv_nsec;
}

/* now_s: by the directory's own clock, which may be another machine's. */
ON_WORK static void take_entry(struct entries *e, const char *dir, const char *name, time_t now_s)
{
	struct stat st;
	struct buf path;
	struct entry *grown;

	buf_init(&path);
	buf_printf(&path, "%s/%s", dir, name);
	if (stat(path.p, &st) || !S_ISREG(st.st_mode))
		goto out;
	if (name[0] == '.') {
		if (now_s - st.st_mtime > HALF_MADE_S)
			unlink(path.p);
		goto out;
	}
	if (e->count == e->cap) {
		grown = mem_realloc(e->all, (e->cap ? e->cap * 2 : 256) * sizeof(*grown));
		if (!grown)
			goto out;
		e->all = grown;
		e->cap = e->cap ? e->cap * 2 : 256;
	}
	e->all[e->count++] = (struct entry){buf_take(&path), st.st_mtim, (uint64_t)st.st_size};
	e->bytes += (uint64_t)st.st_size;
out:
	buf_fini(&path);
}

void cache_trim(const char *dir, size_t max_files, uint64_t max_bytes)
{
	struct entries e = {0};
	DIR *d = opendir(dir);
	struct stat st;
	time_t now_s = d && !fstat(dirfd(d), &st) ? st.st_mtime : 0; /* a file was just put there */

	for (struct dirent *it; d && e.count < FILES_MAX && (it = readdir(d));)
		if (it->d_name[0] != '.' || !strncmp(it->d_name, ".new", 4))
			take_entry(&e, dir, it->d_name, now_s);
	if (d)
		closedir(d);
	bool is_over = e.count > max_files || e.bytes > max_bytes;
	size_t left = e.count;
	if (e.count)
		qsort(e.all, e.count, sizeof(*e.all), by_use);
	for (size_t i = 0; i < e.count; i++) {
		if (is_over && (left > max_files / 4 * 3 || e.bytes > max_bytes / 4 * 3) && !unlink(e.all[i].path))
			left--, e.bytes -= e.all[i].bytes;
		mem_free(e.all[i].path);
	}
	mem_free(e.all);
}
