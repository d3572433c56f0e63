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
 * In place of a value there may be a hold of a shared text (VARS_SHARED): a session description is in three variables
 * of two legs, and kept by their media.
 *
 * A leg has some eighty variables, and nearly all have the same names on every leg: such a name is a number
 * (vars_name.c), another lies in the block. */
#pragma once
#include "core/value/vars.h"
#include <stdint.h>
#include <string.h>

enum { ORIGIN_CONFIG, ORIGIN_OUTSIDE, ORIGIN_MIXED, ORIGIN_RECEIVED /* outside, as the far side sent it */ };
struct var_slot {
	uint32_t at : 10, chunk : 13, hash : 8 /* bits of the name's that are not in its tag */, is_numbered : 1;
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

/* What an entry is to be. */
struct var_new {
	struct sv name, value; /* no marks in it; empty: the entry goes */
	struct sv text;        /* the same with them, or empty when origin is not mixed */
	char *shared;          /* the value, to be held; NULL: it is copied */
	unsigned origin;
	bool is_array;
};

ANY long vars_slot_find(const struct vars *v, struct sv name); /* -1: there is none */
ANY struct var_entry vars_slot_entry(const struct vars *v, long at);
ANY int vars_slot_set(struct vars *v, const struct var_new *e); /* ST_INVAL, ST_LIMIT, ST_NOMEM */

/* vars_name.c: the number, from 1, of a name spelled exactly so that many legs have; 0: it has none. */
extern const struct sv vars_names[256];
ANY unsigned vars_name_number(struct sv name, uint32_t hash);
ANY bool vars_names_begin(struct sv prefix);             /* some of them, whatever the case */
ANY uint32_t vars_name_hash(const char *name, size_t n); /* capitals count as small letters */

/* ---- a block ---- */
enum { VARS_HEAD_BYTES = 2, VARS_NAME_IS_LONG = 255 /* as the length of an own name: look for its end */ };
/* The first byte; the second is the name's number, or the length of the name that follows. */
enum { VARS_ORIGIN = 3, VARS_ARRAY = 4, VARS_NUMBERED = 8, VARS_SHARED = 16 };

static inline char *vars_block(const struct vars *v, struct var_slot slot)
{
	return v->chunks[slot.chunk]->bytes + slot.at;
}

static inline struct sv vars_block_name(const char *block)
{
	unsigned n = (unsigned char)block[1];

	if (block[0] & VARS_NUMBERED)
		return vars_names[n];
	return (struct sv){block + VARS_HEAD_BYTES, n == VARS_NAME_IS_LONG ? strlen(block + VARS_HEAD_BYTES) : n};
}

/* Behind the name. */
static inline char *vars_block_rest(char *block)
{
	return block + VARS_HEAD_BYTES + (block[0] & VARS_NUMBERED ? 0 : vars_block_name(block).n + 1);
}

static inline char *vars_block_value(char *block)
{
	char *value = vars_block_rest(block);

	if (block[0] & VARS_SHARED)
		memcpy(&value, value, sizeof(char *));
	return value;
}
