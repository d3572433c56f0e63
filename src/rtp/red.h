/* Redundant audio (RED, RFC 2198): one packet carries a primary block and earlier ones once more. Pure: bytes in, views
 * out. ANY. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	RED_BLOCKS_MAX = 8,
	RED_BLOCK_BYTES_MAX = 1023, /* of a block that is not the primary */
	RED_OFFSET_MAX = 16383,     /* clock units */
	RED_HEADS_BYTES = 5         /* of two blocks */
};

struct red_block {
	uint8_t pt;
	uint32_t ts_offset; /* clock units before the packet's timestamp; 0 in the primary */
	const uint8_t *p;   /* into the payload */
	size_t n;
};
struct red_packet {
	size_t count; /* blocks, oldest first; the last is the primary */
	struct red_block blocks[RED_BLOCKS_MAX];
};
/* ST_PARSE: cut off, or more blocks than RED_BLOCKS_MAX. Views are valid as long as p is. */
ANY int red_parse(const uint8_t *p, size_t n, struct red_packet *out);
/* Writes one payload: old (NULL: none; within the bounds above), then the primary of type pt. Its length; out has room
 * for RED_HEADS_BYTES and both. */
ANY size_t red_write(uint8_t *out, const struct red_block *old, uint8_t pt, const uint8_t *p, size_t n);
