/* Files that survive. write and close only hand bytes to the system; a full disk may show at the sync, and a new name
 * is safe only when its directory was synced as well. */
#include "base/disk.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int disk_write(int fd, const void *p, size_t n)
{
	const char *at = p;
	while (n) {
		ssize_t got = write(fd, at, n);
		if (got < 0 && errno == EINTR)
			continue;
		if (!got)
			errno = ENOSPC;
		if (got <= 0)
			return ST_IO;
		at += got, n -= (size_t)got;
	}
	return ST_OK;
}

/* EINVAL, EROFS: pipes and such have nothing to sync. */
static int fd_sync(int fd)
{
	return fsync(fd) && errno != EINVAL && errno != EROFS ? ST_IO : ST_OK;
}

static int fd_close(int fd, int st)
{
	int error = errno;
	if (close(fd) && !st)
		return ST_IO;
	errno = error;
	return st;
}

int disk_sync(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return errno == ENOENT ? ST_NOTFOUND : ST_IO;
	return fd_close(fd, fd_sync(fd));
}

int disk_sync_parent(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash ? mem_strndup(path, slash == path ? 1 : (size_t)(slash - path)) : mem_strdup(".");
	int st = dir ? disk_sync(dir) : ST_NOMEM;
	mem_free(dir);
	return st;
}

static int fresh_write(const char *path, struct sv text, unsigned mode, bool is_synced)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode), st;
	if (fd < 0)
		return ST_IO;
	st = disk_write(fd, text.p, text.n);
	if (!st && is_synced)
		st = fd_sync(fd);
	return fd_close(fd, st);
}

int disk_replace(const char *path, struct sv text, unsigned mode, bool is_synced)
{
	size_t n = strlen(path);
	char *fresh = mem_alloc(n + sizeof(".new"));
	int st, error;
	if (!fresh)
		return ST_NOMEM;
	memcpy(fresh, path, n);
	memcpy(fresh + n, ".new", sizeof(".new"));
	if (unlink(fresh) && errno != ENOENT) {
		st = ST_IO;
	} else {
		st = fresh_write(fresh, text, mode, is_synced);
		if (!st && rename(fresh, path))
			st = ST_IO;
		error = errno;
		if (st)
			unlink(fresh);
		errno = error;
	}
	if (!st && is_synced)
		st = disk_sync_parent(path);
	mem_free(fresh);
	return st;
}
