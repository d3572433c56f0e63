/* Entries lie one behind the other in chunks, so that a leg's variables are half a dozen blocks of memory and go away
 * with them; a slot of four bytes says where (drawn in vars_i.h). Most of what is asked for is not there: names that
 * were never set are told by a bit, others by the tags of all names, sixteen at a time.
 *
 * What was replaced stays where it is, unused, until nothing of its chunk is in use any more (AddressSanitizer is told,
 * so that reading it is an error as after free). Where a value came from costs a flag: most are the configuration's or
 * from outside as a whole. Only a value composed of both has its marked text behind it. */
#include "base/check.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/value/vars_i.h"
#include "text/mark.h"
#include <string.h>
#include <strings.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

enum {
	VARS_MAX = 4096,
	NAME_MAX_BYTES = 1 << 20,
	VALUE_MAX = 1 << 20,
	TAGS_STEP = 16,
	CHUNK_FIRST = 128,
	CHUNK_MAX = 736,
	CHUNKS_STEP = 8
};
_Static_assert(CHUNK_MAX < 1 << 10 && VARS_MAX < 1 << 13, "both fit a slot");

int vars_new(struct vars **out)
{
	struct vars *v = mem_zalloc(sizeof(*v));
	if (!v)
		return ST_NOMEM;
	*out = v;
	return ST_OK;
}

/* ---- blocks ---- */

/* A place for a chunk more: of one that is gone, or at the end. */
static int chunk_place(struct vars *v, uint16_t *at)
{
	struct chunk **more;

	for (*at = 0; *at < v->chunk_count; ++*at)
		if (!v->chunks[*at])
			return ST_OK;
	if (v->chunk_count % CHUNKS_STEP == 0) {
		more = mem_realloc(v->chunks, (v->chunk_count + CHUNKS_STEP) * sizeof(*more));
		if (!more)
			return ST_NOMEM;
		v->chunks = more;
	}
	v->chunks[v->chunk_count++] = NULL;
	return ST_OK;
}

static struct chunk *chunk_growing(const struct vars *v)
{
	return v->newest < v->chunk_count ? v->chunks[v->newest] : NULL;
}

static __attribute__((noinline)) struct chunk *chunk_new(struct vars *v, size_t room)
{
	struct chunk *c;
	size_t cap = chunk_growing(v) ? CHUNK_MAX : CHUNK_FIRST;
	uint16_t at;

	if (cap < room)
		cap = room;
	if (chunk_place(v, &at) || !(c = mem_alloc(sizeof(*c) + cap)))
		return NULL;
	*c = (struct chunk){.cap = (uint32_t)cap};
	ASAN_POISON_MEMORY_REGION(c->bytes, cap);
	v->newest = at;
	return v->chunks[at] = c;
}

/* Room for n bytes; where it is goes into slot. */
static inline char *block_room(struct vars *v, size_t n, struct var_slot *slot)
{
	struct chunk *c = chunk_growing(v);
	char *p;

	if (__builtin_expect(!c || n > c->cap - c->used, 0) && !(c = chunk_new(v, n)))
		return NULL;
	p = c->bytes + c->used;
	slot->at = c->used & 0x3ff, slot->chunk = v->newest & 0x1fff;
	ASAN_UNPOISON_MEMORY_REGION(p, n);
	c->used += (uint32_t)n, c->live++;
	return p;
}

static size_t block_bytes(char *block)
{
	const char *rest = vars_block_rest(block), *end = rest;

	if (block[0] & VARS_SHARED)
		return (size_t)(rest - block) + sizeof(char *);
	end += strlen(end) + 1;
	if ((block[0] & VARS_ORIGIN) == ORIGIN_MIXED)
		end += strlen(end) + 1;
	return (size_t)(end - block);
}

static void block_unshare(char *block)
{
	if (block[0] & VARS_SHARED)
		str_share_end(vars_block_value(block));
}

static void block_free(struct vars *v, struct var_slot slot)
{
	struct chunk *c = v->chunks[slot.chunk];

	ASAN_POISON_MEMORY_REGION(vars_block(v, slot), block_bytes(vars_block(v, slot)));
	if (--c->live)
		return;
	if (c == chunk_growing(v) && c->cap <= CHUNK_MAX) {
		c->used = 0;
		return;
	}
	ASAN_UNPOISON_MEMORY_REGION(c->bytes, c->cap);
	mem_free(c);
	v->chunks[slot.chunk] = NULL;
}

/* Name (unless it is numbered), value and, when it is mixed, the text. */
static inline int block_new(struct vars *v, const struct var_new *e, unsigned number, struct var_slot *slot)
{
	size_t own = number ? 0 : e->name.n + 1, text = e->text.n ? e->text.n + 1 : 0;
	size_t n = VARS_HEAD_BYTES + own + (e->shared ? sizeof(e->shared) : e->value.n + 1 + text);
	char *p = block_room(v, n, slot);

	if (!p)
		return ST_NOMEM;
	p[0] = (char)(e->flags | (number ? VARS_NUMBERED : 0));
	p[1] = (char)(number ? number : e->name.n < VARS_NAME_IS_LONG ? e->name.n : VARS_NAME_IS_LONG);
	p += VARS_HEAD_BYTES;
	if (!number) {
		memcpy(p, e->name.p, e->name.n);
		p[e->name.n] = 0;
		p += own;
	}
	if (e->shared) {
		char *held = str_share_again(e->shared);
		p[-(ptrdiff_t)own - VARS_HEAD_BYTES] |= VARS_SHARED;
		memcpy(p, &held, sizeof(held));
		return ST_OK;
	}
	memcpy(p, e->value.p, e->value.n);
	p[e->value.n] = 0;
	if (text) {
		memcpy(p + e->value.n + 1, e->text.p, e->text.n);
		p[e->value.n + text] = 0;
	}
	return ST_OK;
}

void vars_free(struct vars *v)
{
	if (!v)
		return;
	for (uint32_t i = 0; i < v->count; i++)
		block_unshare(vars_block(v, v->slots[i]));
	for (unsigned i = 0; i < v->chunk_count; i++) {
		if (v->chunks[i])
			ASAN_UNPOISON_MEMORY_REGION(v->chunks[i]->bytes, v->chunks[i]->cap);
		mem_free(v->chunks[i]);
	}
	mem_free(v->chunks);
	mem_free(v->slots);
	mem_free(v);
}

/* ---- slots ---- */

static inline uint32_t slot_hash(uint32_t hash)
{
	return hash >> 18 & 0xff;
}

static inline bool is_slot_of(const struct vars *v, struct var_slot slot, struct sv name, uint32_t hash)
{
	if (slot.hash != slot_hash(hash))
		return false;
	struct sv own = vars_block_name(vars_block(v, slot));
	return own.n == name.n && !strncasecmp(own.p, name.p, name.n);
}

/* Most names are looked for in vain, and most of these have left no trace. */
static inline bool is_seen(const struct vars *v, uint32_t hash)
{
	return v->seen[hash >> 14 & (SEEN_WORDS - 1)] >> (hash >> 8 & 63) & 1;
}

static long slot_search(const struct vars *v, struct sv name, uint32_t hash)
{
#ifdef __SSE2__
	const __m128i wanted = _mm_set1_epi8((char)hash);

	for (uint32_t i = 0; i < v->count; i += TAGS_STEP) {
		__m128i some = _mm_loadu_si128((const __m128i *)(const void *)(v->tags + i));
		unsigned hits = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(some, wanted));
		for (; __builtin_expect(hits != 0, 0); hits &= hits - 1) {
			uint32_t k = i + (uint32_t)__builtin_ctz(hits);
			if (k < v->count && is_slot_of(v, v->slots[k], name, hash))
				return (long)k;
		}
	}
#else
	for (uint32_t i = 0; i < v->count; i++)
		if (v->tags[i] == (uint8_t)hash && is_slot_of(v, v->slots[i], name, hash))
			return (long)i;
#endif
	return -1;
}

long vars_slot_find(const struct vars *v, struct sv name)
{
	uint32_t hash = vars_name_hash(name.p, name.n);
	return is_seen(v, hash) ? slot_search(v, name, hash) : -1;
}

struct var_entry vars_slot_entry(const struct vars *v, long at)
{
	char *block = vars_block(v, v->slots[at]);
	struct var_entry e = {.name = vars_block_name(block),
	    .value = vars_block_value(block),
	    .origin = block[0] & VARS_ORIGIN,
	    .is_array = block[0] & VARS_ARRAY};

	if (e.origin == ORIGIN_MIXED)
		e.text = e.value + strlen(e.value) + 1;
	return e;
}

static void slot_remove(struct vars *v, uint32_t i)
{
	block_unshare(vars_block(v, v->slots[i]));
	block_free(v, v->slots[i]);
	v->count--;
	memmove(&v->slots[i], &v->slots[i + 1], (v->count - i) * sizeof(v->slots[0]));
	memmove(&v->tags[i], &v->tags[i + 1], v->count - i);
}

/* Slots and tags are one block, the tags behind. */
static int slots_grow(struct vars *v)
{
	uint32_t cap = v->cap + (v->cap < 256 ? TAGS_STEP : v->cap / 4 / TAGS_STEP * TAGS_STEP);
	struct var_slot *slots = mem_alloc(cap * (sizeof(slots[0]) + 1));
	uint8_t *tags;

	if (!slots)
		return ST_NOMEM;
	tags = (uint8_t *)(slots + cap);
	if (v->count) {
		memcpy(slots, v->slots, v->count * sizeof(slots[0]));
		memcpy(tags, v->tags, v->count);
	}
	memset(tags + v->count, 0, cap - v->count);
	mem_free(v->slots);
	v->slots = slots, v->tags = tags, v->cap = cap;
	return ST_OK;
}

#ifdef __SANITIZE_ADDRESS__
static bool block_take(char *block, struct sv name, struct sv value)
{
	return false; /* who still looks at the old value shall be caught */
}
#else
/* A value that is no longer than the one before takes its place. Both may be views into that one. */
static bool block_take(char *block, struct sv name, struct sv value)
{
	char *to = vars_block_value(block);

	if (block[0] & VARS_SHARED || (block[0] & VARS_ORIGIN) == ORIGIN_MIXED || value.n > strlen(to))
		return false;
	/* it may differ in capitals */
	if (block[0] & VARS_NUMBERED && memcmp(vars_block_name(block).p, name.p, name.n) != 0)
		return false;
	memmove(to, value.p, value.n);
	to[value.n] = 0;
	if (!(block[0] & VARS_NUMBERED))
		memmove(block + VARS_HEAD_BYTES, name.p, name.n);
	return true;
}
#endif

/* An entry that was set again is the newest. */
static void slot_to_end(struct vars *v, uint32_t i)
{
	struct var_slot slot = v->slots[i];
	uint8_t tag = v->tags[i];
	uint32_t last = v->count - 1;

	memmove(&v->slots[i], &v->slots[i + 1], (last - i) * sizeof(v->slots[0]));
	memmove(&v->tags[i], &v->tags[i + 1], last - i);
	v->slots[last] = slot, v->tags[last] = tag;
}

#if defined(__SANITIZE_ADDRESS__)
/* A view is valid until the next change, of whatever variable: where the sanitizer looks on, each change moves all the
 * others, so that a view held too long is found by any test that comes by. */
static void blocks_move(struct vars *v)
{
	for (uint32_t i = 0; i < v->count; i++) {
		struct var_slot old = v->slots[i];
		size_t n = block_bytes(vars_block(v, old));
		char *moved = block_room(v, n, &v->slots[i]);
		if (!moved)
			return;
		memcpy(moved, vars_block(v, old), n);
		block_free(v, old);
	}
}
#else
static void blocks_move(struct vars *v) {}
#endif

enum { RUN_MAX = 128 };
/* Entries that lie in one chunk when it is just large enough. */
struct run {
	uint32_t n;
	size_t bytes; /* of all */
	size_t sizes[RUN_MAX];
};

/* From the entry at i on. */
static void run_find(const struct vars *v, uint32_t i, struct run *r)
{
	for (r->n = 0, r->bytes = 0; i + r->n < v->count && r->n < RUN_MAX; r->n++) {
		size_t one = block_bytes(vars_block(v, v->slots[i + r->n]));
		if (r->n && r->bytes + one > CHUNK_MAX)
			break;
		r->sizes[r->n] = one;
		r->bytes += one;
	}
}

static int run_move(struct vars *v, uint32_t i, const struct run *r)
{
	struct chunk *c = mem_alloc(sizeof(*c) + r->bytes);
	uint16_t at;

	if (!c || chunk_place(v, &at)) {
		mem_free(c);
		return ST_NOMEM;
	}
	*c = (struct chunk){.cap = (uint32_t)r->bytes};
	v->chunks[at] = c;
	for (uint32_t k = 0; k < r->n; k++) {
		struct var_slot *slot = &v->slots[i + k], old = *slot;
		memcpy(c->bytes + c->used, vars_block(v, old), r->sizes[k]);
		slot->chunk = at & 0x1fff, slot->at = c->used & 0x3ff;
		c->used += (uint32_t)r->sizes[k], c->live++;
		block_free(v, old);
	}
	return ST_OK;
}

void vars_settle(struct vars *v)
{
	struct chunk *c;
	struct run run;

	for (uint32_t i = 0; i < v->count; i += run.n) {
		run_find(v, i, &run);
		if (run_move(v, i, &run))
			return;
	}
	c = chunk_growing(v);
	if (c && !c->live) {
		ASAN_UNPOISON_MEMORY_REGION(c->bytes, c->cap);
		mem_free(c);
		v->chunks[v->newest] = NULL;
	}
	v->newest = UINT16_MAX; /* none: what comes is little */
}

static int slot_add(struct vars *v, const struct var_new *e, uint32_t hash)
{
	unsigned number = vars_name_number(e->name, hash);
	struct var_slot slot = {0};

	if (__builtin_expect(v->count == v->cap, 0) && slots_grow(v))
		return ST_NOMEM;
	if (block_new(v, e, number, &slot))
		return ST_NOMEM;
	slot.hash = slot_hash(hash) & 0xff, slot.is_numbered = number != 0;
	if (!number && e->name.n > 6)
		v->begins |= vars_name_begins(e->name.p, e->name.n);
	v->seen[hash >> 14 & (SEEN_WORDS - 1)] |= UINT64_C(1) << (hash >> 8 & 63);
	v->tags[v->count] = (uint8_t)hash;
	v->slots[v->count++] = slot;
	return ST_OK;
}

/* The entry at i with another value: in its place, or as the newest. */
static int slot_change(struct vars *v, uint32_t i, const struct var_new *e, uint32_t hash)
{
	char *block = vars_block(v, v->slots[i]);
	int st;

	if (!e->text.n && !e->shared && block_take(block, e->name, e->value)) {
		block[0] = (char)((block[0] & VARS_NUMBERED) | e->flags);
		slot_to_end(v, i);
		return ST_OK;
	}
	st = slot_add(v, e, hash); /* first: the value may be a view into the one before */
	if (!st)
		slot_remove(v, i);
	return st;
}

int vars_slot_set(struct vars *v, const struct var_new *e)
{
	uint32_t hash = vars_name_hash(e->name.p, e->name.n);
	long at;
	int st = ST_OK;

	if (!e->name.n || e->name.n > NAME_MAX_BYTES || e->value.n > VALUE_MAX)
		return ST_INVAL;
	at = is_seen(v, hash) ? slot_search(v, e->name, hash) : -1;
	if (!e->value.n) {
		if (at >= 0)
			slot_remove(v, (uint32_t)at);
	} else if (at >= 0) {
		st = slot_change(v, (uint32_t)at, e, hash);
	} else {
		st = v->count < VARS_MAX ? slot_add(v, e, hash) : ST_LIMIT;
	}
	if (!st)
		blocks_move(v);
	return st;
}
