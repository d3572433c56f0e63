/* Redundant audio (RED, RFC 2198): one packet carries a primary block and earlier ones once more. Pure: bytes in, views
 * out. ANY. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RED_BLOCKS_MAX = 8 };

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
