/* Parity packets (ULPFEC, RFC 5109): out of a packet of parity and all but one of the packets that it protects, the one
 * that was lost. Pure: bytes in, bytes out. ANY. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	ULPFEC_PACKETS_MAX = 48, /* that one packet of parity protects: the long mask */
	ULPFEC_LEVELS_MAX = 4,   /* of one packet of parity; more are refused */
	ULPFEC_HEAD_BYTES = 10,
	ULPFEC_LEVEL_BYTES_MAX = 8,
	ULPFEC_BYTES_MAX = 1500 /* that one level protects of each packet; more is refused */
};

struct ulpfec_level {
	uint64_t mask;    /* bit i: the packet of number seq_base + i is in it */
	size_t at, n;     /* the bytes behind the 12 of a packet's head that it protects */
	const uint8_t *p; /* their parity, borrowed */
};
struct ulpfec_packet {
	uint16_t seq_base;
	uint8_t head[2]; /* parity of P, X and CC; of M and PT */
	uint32_t ts;
	uint16_t n; /* parity of the lengths behind the 12 bytes */
	size_t level_count;
	struct ulpfec_level levels[ULPFEC_LEVELS_MAX]; /* one behind the other; the first protects all of the others' */
};
/* The payload of a packet of parity. ST_PARSE: cut off, an extended head, no packet or no byte protected, a level that
 * protects packets that the first does not, over the bounds above. Views are valid as long as p is. */
ANY int ulpfec_parse(const uint8_t *p, size_t n, struct ulpfec_packet *out);

struct ulpfec_media {     /* a whole RTP packet, plain */
	const uint8_t *p; /* NULL: it is not there */
	size_t n;         /* at least 12 */
};
/* Writes the packet that media lacks: media[i] is of number seq_base + i, those that no level protects are not looked
 * at. Its length (12 and more), and which it is; ssrc is the source's. ST_NOTFOUND: none is missing. ST_AGAIN: more
 * than one. ST_FULL: out is too small. ST_PARSE: what comes out is no RTP packet, or is longer than what was protected.
 */
ANY int ulpfec_recover(const struct ulpfec_packet *f, const struct ulpfec_media media[ULPFEC_PACKETS_MAX],
    uint32_t ssrc, uint8_t *out, size_t cap, unsigned *which);

/* Parity that is made packet by packet, of one level. Zero at the start. */
struct ulpfec_maker {
	uint64_t mask;
	uint16_t seq_base, longest, n;
	unsigned count;
	uint8_t head[2];
	uint32_t ts;
	uint8_t bytes[ULPFEC_BYTES_MAX];
};
/* A packet (whole, 12 bytes at least) becomes one of those that are protected. ST_FULL: it is too long, or its number
 * is below the first one's or too far above. */
ANY int ulpfec_add(struct ulpfec_maker *m, const uint8_t *p, size_t n);
/* Writes the payload of the packet of parity and begins anew. Its length, ST_NOTFOUND: nothing is protected, ST_FULL.
 */
ANY int ulpfec_take(struct ulpfec_maker *m, uint8_t *out, size_t cap);
