/* Stanzas, what both directions of the event socket are made of: bytes in, whole stanzas out. Pure and bounded; knows
 * the framing, not what is said. A stanza is a block of lines ended by an empty one (CR before LF is dropped): a
 * command line where commands are read, then "Name: value" lines, then, when they name a Content-Length, a body of so
 * many bytes. Empty lines between stanzas mean nothing. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"

enum {
	STANZA_BLOCK_MAX_BYTES = 64 << 10,
	STANZA_BODY_MAX_BYTES = 16 << 20,
	STANZA_HEADER_MAX_COUNT = 512,
	STANZA_UNTRUSTED_BLOCK_MAX_BYTES = 4 << 10 /* a body is refused then */
};

struct stanza_header {
	const char *name, *value; /* value without the spaces around it */
};
struct stanza {
	char *block;         /* owned: lines cut in place */
	const char *command; /* first line, spaces around it cut; NULL in replies */
	struct stanza_header *headers;
	size_t header_count;
	struct sv body; /* owned (body.p is a mem_alloc block, NUL-terminated) or empty */
};
/* The value of the first header of that name (any case), or NULL. */
ANY const char *stanza_get(const struct stanza *r, const char *name);
ANY void stanza_fini(struct stanza *r);

enum stanza_kind {
	STANZA_COMMAND, /* a command line first; small bounds until the sender is trusted */
	STANZA_REPLY    /* header lines only; the full bounds */
};
struct stanza_reader {
	enum stanza_kind kind;
	struct buf in;
	size_t at;      /* bytes of in that were taken already */
	size_t scanned; /* bytes behind them already searched for the block's end */
	size_t block_max, body_max;
	struct stanza open; /* a block whose body is still coming */
	bool has_open;
	size_t body_bytes;
	int failure; /* sticky status */
};
ANY void stanza_reader_init(struct stanza_reader *r, enum stanza_kind kind);
ANY void stanza_reader_fini(struct stanza_reader *r);
/* Raises the bounds from those before login to the full ones. */
ANY void stanza_reader_trust(struct stanza_reader *r);
/* Copies the bytes in. ST_NOMEM when more is buffered than one stanza of the largest kind needs. */
ANY int stanza_reader_feed(struct stanza_reader *r, const char *p, size_t n);
/* ST_OK: *out is the next stanza (stanza_fini it); ST_AGAIN: not complete yet; ST_PARSE: a bound is crossed or
 * the Content-Length is no number: nothing more can be read. */
ANY int stanza_reader_next(struct stanza_reader *r, struct stanza *out);
ANY size_t stanza_reader_buffered_bytes(const struct stanza_reader *r);
ANY size_t stanza_reader_held_bytes(const struct stanza_reader *r); /* the memory that takes */
