/* The store behind struct vars: entries in order, found by name. vars.c gives it FreeSWITCH's meaning.
 *
 *     slots   4 bytes an entry: where its block lies
 *     tags    a byte of each name's hash, searched sixteen at a time
 *     chunks  blocks one behind the other:
 *
 *             +--------+--------+--------- - ---+---------- - ---+------------- - ------+
 *             | flags  | name's | name 0        | value 0        | value with marks 0   |
 *             |        | number |  (own names)  |                |  (ORIGIN_MIXED)      |
 *             +--------+--------+--------- - ---+---------- - ---+------------- - ------+
 *
 * In place of a value there may be a hold of a shared text (FLAG_SHARED): a session description is in three variables
 * of two legs, and kept by their media.
 *
 * A leg has some eighty variables, and nearly all have the same names on every leg: such a name is a number
 * (vars_name.c), another lies in the block. */
#pragma once
#include "core/value/vars.h"
#include <stdint.h>

enum { ORIGIN_CONFIG, ORIGIN_OUTSIDE, ORIGIN_MIXED, ORIGIN_RECEIVED /* outside, as the far side sent it */ };
struct var_slot {
	uint32_t at : 10, chunk : 13, hash : 9; /* hash: bits of the name's that are not in its tag */
};
struct chunk {
	uint32_t used, cap, live; /* bytes, bytes, blocks in use */
	char bytes[];
};
enum { SEEN_WORDS = 8 };
struct vars {
	struct var_slot *slots;
	uint8_t *tags; /* one a slot; a multiple of TAGS_STEP is readable */
	struct chunk **chunks;
	uint32_t count, cap;
	uint16_t chunk_count, newest; /* places of chunks; the one that grows, while there is any */
	uint64_t seen[SEEN_WORDS];    /* a bit by the hash of each name that was ever set */
};

/* An entry of a set. Its texts are views until the next change. */
struct var_entry {
	struct sv name;
	const char *value;
	const char *text; /* with its marks; NULL unless origin is ORIGIN_MIXED */
	unsigned origin;
	bool is_array;
};

ANY long vars_slot_find(const struct vars *v, struct sv name); /* -1: there is none */
ANY const char *vars_slot_value(const struct vars *v, long at);
ANY struct var_entry vars_slot_entry(const struct vars *v, long at);
/* value has no marks; text is the same with them, or empty when origin is not mixed. An empty value removes. ST_INVAL,
 * ST_LIMIT, ST_NOMEM. */
ANY int vars_slot_set(struct vars *v, struct sv name, struct sv value, unsigned origin, bool is_array, struct sv text);

ANY int vars_slot_share(struct vars *v, struct sv name, char *shared);

/* vars_name.c: the number, from 1, of a name spelled exactly so that many legs have; 0: it has none. */
ANY unsigned vars_name_number(struct sv name, uint32_t hash);
ANY struct sv vars_name_of(unsigned number);
ANY uint32_t vars_name_hash(const char *name, size_t n); /* capitals count as small letters */
