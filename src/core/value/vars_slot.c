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
	CHUNKS_STEP = 8,
	HEAD_BYTES = 2,
	NAME_IS_LONG = 255 /* as the length of an own name: look for its end */
};
/* The first byte of a block; the second is the name's number, or the length of the name that follows. */
enum { FLAG_ORIGIN = 3, FLAG_ARRAY = 4, FLAG_NUMBERED = 8, FLAG_SHARED = 16 };
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

static struct chunk *chunk_new(struct vars *v, size_t room)
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

static char *block_of(const struct vars *v, struct var_slot slot)
{
	return v->chunks[slot.chunk]->bytes + slot.at;
}

/* Room for n bytes; where it is goes into slot. */
static char *block_room(struct vars *v, size_t n, struct var_slot *slot)
{
	struct chunk *c = chunk_growing(v);
	char *p;

	if ((!c || n > c->cap - c->used) && !(c = chunk_new(v, n)))
		return NULL;
	p = c->bytes + c->used;
	slot->at = c->used & 0x3ff, slot->chunk = v->newest & 0x1fff;
	ASAN_UNPOISON_MEMORY_REGION(p, n);
	c->used += (uint32_t)n, c->live++;
	return p;
}

static struct sv block_name(const char *block)
{
	unsigned n = (unsigned char)block[1];

	if (block[0] & FLAG_NUMBERED)
		return vars_name_of(n);
	return (struct sv){block + HEAD_BYTES, n == NAME_IS_LONG ? strlen(block + HEAD_BYTES) : n};
}

/* Behind the name. */
static char *block_rest(char *block)
{
	return block + HEAD_BYTES + (block[0] & FLAG_NUMBERED ? 0 : block_name(block).n + 1);
}

static char *block_value(char *block)
{
	char *value = block_rest(block);

	if (block[0] & FLAG_SHARED)
		memcpy(&value, value, sizeof(value));
	return value;
}

static size_t block_bytes(char *block)
{
	const char *rest = block_rest(block), *end = rest;

	if (block[0] & FLAG_SHARED)
		return (size_t)(rest - block) + sizeof(char *);
	end += strlen(end) + 1;
	if ((block[0] & FLAG_ORIGIN) == ORIGIN_MIXED)
		end += strlen(end) + 1;
	return (size_t)(end - block);
}

static void block_unshare(char *block)
{
	if (block[0] & FLAG_SHARED)
		str_share_end(block_value(block));
}

static void block_free(struct vars *v, struct var_slot slot)
{
	struct chunk *c = v->chunks[slot.chunk];

	ASAN_POISON_MEMORY_REGION(block_of(v, slot), block_bytes(block_of(v, slot)));
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

/* What an entry is to be. */
struct entry_new {
	struct sv name, value; /* no marks in it */
	struct sv text;        /* the same with them, or empty when origin is not mixed */
	char *shared;          /* the value, to be held; NULL: it is copied */
	unsigned origin;
	bool is_array;
};

static int block_new(struct vars *v, const struct entry_new *e, unsigned number, struct var_slot *slot)
{
	size_t n = HEAD_BYTES + (number ? 0 : e->name.n + 1) +
	           (e->shared ? sizeof(e->shared) : e->value.n + 1 + (e->text.n ? e->text.n + 1 : 0));
	char *p = block_room(v, n, slot);

	if (!p)
		return ST_NOMEM;
	*p++ = (char)((e->origin & FLAG_ORIGIN) | (e->is_array ? FLAG_ARRAY : 0) | (number ? FLAG_NUMBERED : 0) |
	              (e->shared ? FLAG_SHARED : 0));
	*p++ = (char)(number ? number : e->name.n < NAME_IS_LONG ? e->name.n : NAME_IS_LONG);
	if (!number) {
		memcpy(p, e->name.p, e->name.n);
		p += e->name.n;
		*p++ = 0;
	}
	if (e->shared) {
		char *held = str_share_again(e->shared);
		memcpy(p, &held, sizeof(held));
		return ST_OK;
	}
	memcpy(p, e->value.p, e->value.n);
	p += e->value.n;
	*p++ = 0;
	if (e->text.n) {
		memcpy(p, e->text.p, e->text.n);
		p[e->text.n] = 0;
	}
	return ST_OK;
}

void vars_free(struct vars *v)
{
	if (!v)
		return;
	for (uint32_t i = 0; i < v->count; i++)
		block_unshare(block_of(v, v->slots[i]));
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

static uint32_t slot_hash(uint32_t hash)
{
	return hash >> 18 & 0x1ff;
}

static inline bool is_slot_of(const struct vars *v, struct var_slot slot, struct sv name, uint32_t hash)
{
	if (slot.hash != slot_hash(hash))
		return false;
	struct sv own = block_name(block_of(v, slot));
	return own.n == name.n && !strncasecmp(own.p, name.p, name.n);
}

static inline uint64_t seen_bit(uint32_t hash)
{
	return UINT64_C(1) << (hash >> 8 & 63);
}

static inline uint64_t *seen_word(struct vars *v, uint32_t hash)
{
	return &v->seen[hash >> 14 & (SEEN_WORDS - 1)];
}

/* Most names are looked for in vain, and most of these have left no trace. */
static long slot_find(const struct vars *v, struct sv name, uint32_t hash)
{
	if (!(v->seen[hash >> 14 & (SEEN_WORDS - 1)] & seen_bit(hash)))
		return -1;
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
	return slot_find(v, name, vars_name_hash(name.p, name.n));
}

const char *vars_slot_value(const struct vars *v, long at)
{
	return block_value(block_of(v, v->slots[at]));
}

struct var_entry vars_slot_entry(const struct vars *v, long at)
{
	char *block = block_of(v, v->slots[at]);
	struct var_entry e = {.name = block_name(block),
	    .value = block_value(block),
	    .origin = block[0] & FLAG_ORIGIN,
	    .is_array = block[0] & FLAG_ARRAY};

	if (e.origin == ORIGIN_MIXED)
		e.text = e.value + strlen(e.value) + 1;
	return e;
}

static void slot_remove(struct vars *v, uint32_t i)
{
	block_unshare(block_of(v, v->slots[i]));
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

static void block_flag(char *block, unsigned origin, bool is_array)
{
	block[0] =
	    (char)((block[0] & (FLAG_NUMBERED | FLAG_SHARED)) | (origin & FLAG_ORIGIN) | (is_array ? FLAG_ARRAY : 0));
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
	char *to = block_value(block);

	if (block[0] & FLAG_SHARED || (block[0] & FLAG_ORIGIN) == ORIGIN_MIXED || value.n > strlen(to))
		return false;
	/* it may differ in capitals */
	if (block[0] & FLAG_NUMBERED && memcmp(block_name(block).p, name.p, name.n) != 0)
		return false;
	memmove(to, value.p, value.n);
	to[value.n] = 0;
	if (!(block[0] & FLAG_NUMBERED))
		memmove(block + HEAD_BYTES, name.p, name.n);
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
		size_t n = block_bytes(block_of(v, old));
		char *moved = block_room(v, n, &v->slots[i]);
		if (!moved)
			return;
		memcpy(moved, block_of(v, old), n);
		block_free(v, old);
	}
}
#else
static void blocks_move(struct vars *v) {}
#endif

static size_t chunks_bytes(const struct vars *v)
{
	size_t n = 0;

	for (unsigned i = 0; i < v->chunk_count; i++)
		n += v->chunks[i] ? sizeof(*v->chunks[i]) + v->chunks[i]->cap : 0;
	return n;
}

/* How many blocks from the one at slot i on one chunk takes, and their bytes. */
static uint32_t run_of(const struct vars *v, uint32_t i, size_t *bytes)
{
	uint32_t n = 0;

	for (*bytes = 0; i + n < v->count; n++) {
		size_t more = block_bytes(block_of(v, v->slots[i + n]));
		if (n && *bytes + more > CHUNK_MAX)
			break;
		*bytes += more;
	}
	return n;
}

/* A chunk of its own, as large as it has to be, for n blocks. */
static int run_move(struct vars *v, uint32_t i, uint32_t n, size_t bytes)
{
	struct chunk *c = mem_alloc(sizeof(*c) + bytes);
	uint16_t at;

	if (!c || chunk_place(v, &at)) {
		mem_free(c);
		return ST_NOMEM;
	}
	*c = (struct chunk){.cap = (uint32_t)bytes};
	v->chunks[at] = c;
	for (; n; n--, i++) {
		struct var_slot old = v->slots[i];
		size_t one = block_bytes(block_of(v, old));
		memcpy(c->bytes + c->used, block_of(v, old), one);
		v->slots[i].chunk = at & 0x1fff, v->slots[i].at = c->used & 0x3ff;
		c->used += (uint32_t)one, c->live++;
		block_free(v, old);
	}
	return ST_OK;
}

void vars_settle(struct vars *v)
{
	enum { WORTH_BYTES = 256 };
	struct chunk *c;
	size_t live = 0, bytes;

	for (uint32_t i = 0, n; i < v->count; i += n) {
		n = run_of(v, i, &bytes);
		live += sizeof(struct chunk) + bytes;
	}
	if (chunks_bytes(v) < live + WORTH_BYTES)
		return;
	for (uint32_t i = 0, n; i < v->count; i += n) {
		n = run_of(v, i, &bytes);
		if (run_move(v, i, n, bytes))
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

static int entry_set(struct vars *v, const struct entry_new *e)
{
	uint32_t hash = vars_name_hash(e->name.p, e->name.n);
	struct var_slot slot = {.hash = slot_hash(hash) & 0x1ff};
	long at;

	if (!e->name.n || e->name.n > NAME_MAX_BYTES || e->value.n > VALUE_MAX)
		return ST_INVAL;
	at = slot_find(v, e->name, hash);
	if (!e->value.n) {
		if (at >= 0)
			slot_remove(v, (uint32_t)at);
		blocks_move(v);
		return ST_OK;
	}
	if (at >= 0 && !e->text.n && !e->shared && block_take(block_of(v, v->slots[at]), e->name, e->value)) {
		block_flag(block_of(v, v->slots[at]), e->origin, e->is_array);
		slot_to_end(v, (uint32_t)at);
		return ST_OK;
	}
	if (at < 0 && v->count >= VARS_MAX)
		return ST_LIMIT;
	if (at < 0 && v->count == v->cap && slots_grow(v))
		return ST_NOMEM;
	if (block_new(v, e, vars_name_number(e->name, hash), &slot))
		return ST_NOMEM;
	if (at >= 0)
		slot_remove(v, (uint32_t)at);
	v->tags[v->count] = (uint8_t)hash;
	*seen_word(v, hash) |= seen_bit(hash);
	v->slots[v->count++] = slot;
	blocks_move(v);
	return ST_OK;
}

/* A value ends at a zero byte, which somebody outside may have sent; where a text lies behind it, it must end there
 * too. */
int vars_slot_set(struct vars *v, struct sv name, struct sv value, unsigned origin, bool is_array, struct sv text)
{
	size_t end = text.n ? strnlen(value.p, value.n) : value.n;

	if (end < value.n) {
		value.n = end;
		text = mark_sub(text, 0, end);
	}
	return entry_set(v, &(struct entry_new){name, value, text, NULL, origin, is_array});
}

int vars_slot_share(struct vars *v, struct sv name, char *shared)
{
	return entry_set(v, &(struct entry_new){name, sv_of(shared), SV_NONE, shared, ORIGIN_OUTSIDE, false});
}
