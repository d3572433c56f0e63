/* Redundant audio (RED, RFC 2198): one packet carries a primary block and earlier ones once more. Pure: bytes in, views
 * out. And what of ULPFEC (RFC 5109) a relay needs to know: whose packets one protects. ANY. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RED_BLOCKS_MAX = 8, RED_OFFSET_MAX = 16383, RED_BLOCK_BYTES_MAX = 1023 };

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
/* Writes the blocks, the last as the primary. Bytes, ST_FULL, or ST_INVAL: none, too many, an offset or a length that
 * has no place in the head, a payload type over 127. */
ANY int red_write(const struct red_packet *r, uint8_t *out, size_t cap);

struct ulpfec {
	bool is_long_mask;
	uint16_t seq_base;
	uint64_t mask; /* bit 0: seq_base, bit 1: the one after it ...; 16 or 48 of them */
	uint32_t ts_recovery;
	uint16_t length_recovery, protection_bytes;
	const uint8_t *payload; /* of level 0 */
	size_t payload_bytes;
};
/* The head and level 0 of a FEC packet's payload (RFC 5109 section 7.3, 7.4); ST_PARSE: cut off, or its extension bit
 * is set. */
ANY int ulpfec_parse(const uint8_t *p, size_t n, struct ulpfec *out);
ANY bool ulpfec_protects(const struct ulpfec *f, uint16_t seq);
