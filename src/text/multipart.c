/* Forms with files, written. Nothing is read here but the file that is sent. */
#include "text/multipart.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static void quoted(struct buf *out, struct sv v)
{
	for (size_t i = 0; i < v.n; i++)
		buf_addc(out, v.p[i] == '"' || v.p[i] == '\r' || v.p[i] == '\n' ? '_' : v.p[i]);
}

static void head(struct buf *out, const char *boundary, struct sv name)
{
	buf_printf(out, "--%s\r\nContent-Disposition: form-data; name=\"", boundary);
	quoted(out, name);
	buf_addc(out, '"');
}

void multipart_field(struct buf *out, const char *boundary, struct sv name, struct sv value)
{
	head(out, boundary, name);
	buf_adds(out, "\r\n\r\n");
	buf_addv(out, value);
	buf_adds(out, "\r\n");
}

void multipart_file(struct buf *out, const char *boundary, struct sv name, struct sv file_name)
{
	head(out, boundary, name);
	buf_adds(out, "; filename=\"");
	quoted(out, file_name);
	buf_adds(out, "\"\r\nContent-Type: application/octet-stream\r\n\r\n");
}

void multipart_file_end(struct buf *out)
{
	buf_adds(out, "\r\n");
}

void multipart_end(struct buf *out, const char *boundary)
{
	buf_printf(out, "--%s--\r\n", boundary);
}

int multipart_read(struct buf *out, const char *path, size_t max_bytes)
{
	struct stat s;
	char block[16384];
	size_t left = max_bytes;
	ssize_t n = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), st = ST_OK;

	if (fd < 0)
		return errno == ENOENT ? ST_NOTFOUND : ST_IO;
	if (fstat(fd, &s) || !S_ISREG(s.st_mode))
		st = ST_IO;
	while (!st && (n = read(fd, block, sizeof(block))) > 0) {
		if ((size_t)n > left)
			st = ST_LIMIT;
		else
			st = buf_add(out, block, (size_t)n);
		left -= (size_t)n;
	}
	close(fd);
	return st ? st : n < 0 ? ST_IO : ST_OK;
}
