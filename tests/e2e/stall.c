/* Preloaded into a switch under test: a worker's calls to the disk stop at a gate while the test holds it. The gate is
 * a file (STALL_GATE) whose text is parts of paths, "a|b"; while it is locked, what a thread named "worker" or "log"
 * opens, writes, renames, removes or syncs waits if its path has one of them ("!a|b": none of them, workers only).
 * Waiting is a wait for the lock: no time is guessed. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int raw_open(const char *path)
{
	return (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
}

static __thread int is_log_writer;

static int is_worker(void)
{
	char name[17] = "";
	prctl(PR_GET_NAME, name);
	is_log_writer = !strcmp(name, "log");
	return is_log_writer || !strcmp(name, "worker");
}

static int is_meant(const char *path, char *parts)
{
	int is_not = *parts == '!', is_found = 0;
	char *rest = NULL;

	if (is_not && is_log_writer)
		return 0; /* only by its own path */
	if (!*parts)
		return !is_log_writer;
	for (char *part = strtok_r(parts + is_not, "|", &rest); part; part = strtok_r(NULL, "|", &rest))
		is_found |= strstr(path, part) != NULL;
	return is_found != is_not;
}

static void pass(const char *path)
{
	const char *gate = getenv("STALL_GATE");
	char pattern[256] = "";
	int fd, error = errno;

	if (!gate || !path || !is_worker() || (fd = raw_open(gate)) < 0)
		return;
	ssize_t n = syscall(SYS_read, fd, pattern, sizeof(pattern) - 1);
	if (n >= 0 && is_meant(path, pattern))
		while (flock(fd, LOCK_SH) && errno == EINTR)
			;
	close(fd);
	errno = error;
}

static void pass_fd(int fd)
{
	char link[64], path[1024];
	ssize_t n;
	if (!is_worker())
		return;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return;
	path[n] = 0;
	if (*path == '/') /* not a socket, not what wakes the control thread */
		pass(path);
}

#define OPEN(name) \
	int name(const char *path, int flags, ...) \
	{ \
		va_list ap; \
		va_start(ap, flags); \
		unsigned mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, unsigned) : 0; \
		va_end(ap); \
		pass(path); \
		return REAL(name)(path, flags, mode); \
	}
OPEN(open)
OPEN(open64)

int __open_2(const char *path, int flags)
{
	pass(path);
	return REAL(open)(path, flags, 0);
}

int __open64_2(const char *path, int flags)
{
	pass(path);
	return REAL(open64)(path, flags, 0);
}

#define FOPEN(name) \
	FILE *name(const char *path, const char *mode) \
	{ \
		pass(path); \
		return REAL(name)(path, mode); \
	}
FOPEN(fopen)
FOPEN(fopen64)

#define ON_PATH(name, args, call) \
	int name args \
	{ \
		pass(path); \
		return REAL(name) call; \
	}
ON_PATH(rename, (const char *path, const char *to), (path, to))
ON_PATH(unlink, (const char *path), (path))
ON_PATH(mkdir, (const char *path, mode_t mode), (path, mode))
ON_PATH(access, (const char *path, int mode), (path, mode))
ON_PATH(stat, (const char *path, struct stat *info), (path, info))

#define ON_FD(type, name, args, call) \
	type name args \
	{ \
		pass_fd(fd); \
		return REAL(name) call; \
	}
ON_FD(int, fsync, (int fd), (fd))
ON_FD(int, fdatasync, (int fd), (fd))
ON_FD(ssize_t, write, (int fd, const void *p, size_t n), (fd, p, n))
ON_FD(ssize_t, pwrite, (int fd, const void *p, size_t n, off_t at), (fd, p, n, at))
ON_FD(ssize_t, pwrite64, (int fd, const void *p, size_t n, off64_t at), (fd, p, n, at))
