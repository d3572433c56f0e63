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
	uint64_t begins;              /* a bit by how each own name begins that was ever set (vars_name_begins) */
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
	unsigned flags;        /* the origin, and VARS_ARRAY */
};

ANY long vars_slot_find(const struct vars *v, struct sv name); /* -1: there is none */
ANY struct var_entry vars_slot_entry(const struct vars *v, long at);
ANY int vars_slot_set(struct vars *v, const struct var_new *e); /* ST_INVAL, ST_LIMIT, ST_NOMEM */

/* vars_name.c: the number, from 1, of a name spelled exactly so that many legs have; 0: it has none. */
extern const struct sv vars_names[256];
ANY unsigned vars_name_number(struct sv name, uint32_t hash);
/* Some of them begin so, whatever the case; begins: the prefix's vars_name_begins. */
ANY bool vars_names_begin(struct sv prefix, uint64_t begins);

/* ---- the hash of a name ---- */

/* The last n bytes of a name, fewer than eight, as a number; is_long: bytes of the name stand in front of them. */
static inline uint64_t vars_name_tail(const char *p, size_t n, bool is_long)
{
	uint64_t w = 0, x = 0;
	size_t half = n >= 4 ? 4 : n >= 2 ? 2 : n;

	if (!n)
		return 0;
	if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && is_long) {
		memcpy(&w, p + n - 8, 8);
		return w >> (8 * (8 - n));
	}
	if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__) {
		for (; n; n--)
			w = w << 8 | (unsigned char)p[n - 1];
		return w;
	}
	if (half == 4)
		memcpy(&w, p, 4), memcpy(&x, p + n - 4, 4);
	else if (half == 2)
		memcpy(&w, p, 2), memcpy(&x, p + n - 2, 2);
	else
		w = (unsigned char)*p;
	return w | x << (8 * (n - half)); /* where they overlap they are the same bytes */
}

/* Eight bytes at a time, capitals and what differs from small letters by the same bit folded together. */
static inline uint32_t vars_name_hash(const char *name, size_t n)
{
	const uint64_t fold = UINT64_C(0x2020202020202020), factor = UINT64_C(0x9e3779b97f4a7c15);
	uint64_t h = n * factor, w = 0;
	bool is_long = n >= 8;

	for (; n >= 8; name += 8, n -= 8) {
		memcpy(&w, name, 8);
		h = (h ^ (w | fold)) * factor;
		h ^= h >> 32;
	}
	h = (h ^ (vars_name_tail(name, n, is_long) | fold)) * factor;
	return (uint32_t)(h >> 32);
}
/* A bit by the first six bytes of a name or prefix; all bits when it has less, for it may be anything then. */
static inline uint64_t vars_name_begins(const char *p, size_t n)
{
	uint32_t four;
	uint16_t two;

	if (n < 6)
		return UINT64_MAX;
	memcpy(&four, p, 4), memcpy(&two, p + 4, 2);
	return UINT64_C(1) << (((four | 0x20202020u) * 0x9e3779b1u ^ (two | 0x2020u) * 0x85ebca6bu) >> 26);
}

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
