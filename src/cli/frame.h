/* The event socket from the client's side: bytes in, frames out. Pure and bounded: header block 64 KiB, body 16 MiB. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"

enum { FRAME_BLOCK_MAX_BYTES = 64 << 10, FRAME_BODY_MAX_BYTES = 16 << 20, FRAME_HEADER_MAX_COUNT = 128 };

struct frame_header {
	const char *name, *value;
};
struct frame {
	char *block; /* owned */
	struct frame_header headers[FRAME_HEADER_MAX_COUNT];
	size_t header_count;
	struct sv body; /* owned, NUL-terminated, or empty */
};
ANY const char *frame_get(const struct frame *f, const char *name); /* any case; NULL when absent */
ANY bool frame_is(const struct frame *f, const char *content_type);
ANY void frame_fini(struct frame *f);

struct frame_reader {
	struct buf in;
	struct frame open; /* headers read, body still coming */
	size_t body_bytes;
	bool has_open;
	int failure;
};
ANY void frame_reader_init(struct frame_reader *r);
ANY void frame_reader_fini(struct frame_reader *r);
ANY int frame_reader_feed(struct frame_reader *r, const char *p, size_t n);
/* ST_OK: *out is a frame; ST_AGAIN: not complete; ST_PARSE: no event socket speaks like that (sticky). */
ANY int frame_reader_next(struct frame_reader *r, struct frame *out);
