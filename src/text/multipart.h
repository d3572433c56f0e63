/* multipart/form-data (RFC 7578) as it is written: fields and files between boundaries. The caller chooses a boundary
 * that cannot stand in the contents (random, 16 hex digits or more). */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"

ANY void multipart_field(struct buf *out, const char *boundary, struct sv name, struct sv value);
/* The head of a file; its bytes and multipart_file_end come behind it. Bytes that would end a header become '_'. */
ANY void multipart_file(struct buf *out, const char *boundary, struct sv name, struct sv file_name);
ANY void multipart_file_end(struct buf *out);
ANY void multipart_end(struct buf *out, const char *boundary);
/* Appends a file of at most so many bytes; blocks: on workers only. ST_NOTFOUND, ST_LIMIT, ST_IO. */
ANY int multipart_read(struct buf *out, const char *path, size_t max_bytes);
