/* Reading a file that somebody named. It is opened without waiting and looked at before the first byte is read, so a
 * pipe nobody writes to or a device that never ends costs nothing; what is read is bounded. */
#include "base/slurp.h"
#include "base/status.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int say(const char **why, const char *text, int status)
{
	if (why)
		*why = text;
	return status;
}

static int read_all(int fd, size_t max_bytes, struct buf *out, const char **why)
{
	size_t start = out->n;
	char piece[16384];
	ssize_t n;

	while ((n = read(fd, piece, sizeof piece)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return say(why, strerror(errno), ST_IO);
		if (out->n - start + (size_t)n > max_bytes)
			return say(why, "it is too large", ST_LIMIT);
		if (buf_add(out, piece, (size_t)n))
			return say(why, "out of memory", ST_NOMEM);
	}
	return ST_OK;
}

int slurp(const char *path, size_t max_bytes, struct buf *out, const char **why)
{
	struct stat sb;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), st;

	if (fd < 0)
		return say(why, strerror(errno), errno == ENOENT ? ST_NOTFOUND : errno == EACCES ? ST_DENIED : ST_IO);
	if (fstat(fd, &sb))
		st = say(why, strerror(errno), ST_IO);
	else if (!S_ISREG(sb.st_mode))
		st = say(why, "it is not a regular file", ST_UNSUPPORTED);
	else
		st = read_all(fd, max_bytes, out, why);
	close(fd);
	return st;
}
