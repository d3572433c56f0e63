/* Named values in insertion order, many of them short. The names, values and marked texts lie one behind the other in
 * chunks, so that a leg's hundred variables are a dozen blocks of memory and go away with them; an entry's slot says
 * where. A byte of each name's hash, a tag, stands in an array of its own that is searched sixteen at a time; most of
 * what is asked for is not there. A value that is set again moves to the end, as in FreeSWITCH's event headers.
 * vars_parse reads the inside of {} [] <>.
 *
 * An entry never moves. What was replaced stays where it is, unused, until nothing of its chunk is in use any more
 * (AddressSanitizer is told, so that reading it is an error as after free).
 *
 * Where a value came from costs a flag: most are the configuration's or from outside as a whole. Only a value composed
 * of both has its marked text behind it. */
#include "core/value/vars.h"
#include "base/check.h"
#include "base/fmt.h"
#include "base/mem.h"
#include "base/status.h"
#include "text/mark.h"
#include "text/words.h"
#include <stdio.h>
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

enum { ORIGIN_CONFIG, ORIGIN_OUTSIDE, ORIGIN_MIXED, ORIGIN_RECEIVED /* outside, as the far side sent it */ };
struct var_slot {
	uint32_t hash;
	uint32_t name_len : 29, is_array : 1, origin : 2;
	char *block; /* name, value and (ORIGIN_MIXED) the value with its marks, each ended by a zero byte */
};
struct chunk {
	struct chunk *older, *newer;
	uint32_t used, cap, live; /* bytes, bytes, blocks in use */
	uint32_t unused;
	char bytes[]; /* blocks, each behind the two bytes that say how far it is from here */
};
enum { VARS_MAX = 4096, VALUE_MAX = 1 << 20, PARSE_MAX = 256, INDEX_MAX = 4000, SEEN_WORDS = 16 };
struct vars {
	struct var_slot *slots;
	uint8_t *tags; /* one a slot; a multiple of TAGS_STEP is readable */
	uint32_t count, cap;
	struct chunk *newest;      /* the one that grows; NULL: none yet */
	uint64_t seen[SEEN_WORDS]; /* a bit by the hash of each name that was ever set */
};
enum { TAGS_STEP = 16, CHUNK_FIRST = 224, CHUNK_MAX = 736, OFFSET_BYTES = 2 };
#define ARRAY_MARK "ARRAY::"

/* Eight bytes at a time, capitals and what differs from small letters by the same bit folded together. */
/* The last n bytes of a name, fewer than eight, as a number; is_long: bytes of the name stand in front of them. */
static inline uint64_t tail_of(const char *p, size_t n, bool is_long)
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

static uint32_t name_hash(const char *name, size_t n)
{
	const uint64_t fold = UINT64_C(0x2020202020202020), factor = UINT64_C(0x9e3779b97f4a7c15);
	uint64_t h = n * factor, w = 0;
	bool is_long = n >= 8;

	for (; n >= 8; name += 8, n -= 8) {
		memcpy(&w, name, 8);
		h = (h ^ (w | fold)) * factor;
		h ^= h >> 32;
	}
	h = (h ^ (tail_of(name, n, is_long) | fold)) * factor;
	return (uint32_t)(h >> 32);
}

int vars_new(struct vars **out)
{
	struct vars *v = mem_zalloc(sizeof(*v));
	if (!v)
		return ST_NOMEM;
	*out = v;
	return ST_OK;
}

void vars_free(struct vars *v)
{
	if (!v)
		return;
	for (struct chunk *c = v->newest, *older; c; c = older) {
		older = c->older;
		ASAN_UNPOISON_MEMORY_REGION(c->bytes, c->cap);
		mem_free(c);
	}
	mem_free(v->slots);
	mem_free(v);
}

/* ---- chunks ---- */

static struct chunk *chunk_new(struct vars *v, size_t room)
{
	struct chunk *c;
	size_t cap = !v->newest ? CHUNK_FIRST : CHUNK_MAX;

	if (cap < room)
		cap = room;
	c = mem_alloc(sizeof(*c) + cap);
	if (!c)
		return NULL;
	*c = (struct chunk){.older = v->newest, .cap = (uint32_t)cap};
	ASAN_POISON_MEMORY_REGION(c->bytes, cap);
	if (c->older)
		c->older->newer = c;
	return v->newest = c;
}

static void chunk_free(struct vars *v, struct chunk *c)
{
	if (c->older)
		c->older->newer = c->newer;
	if (c->newer)
		c->newer->older = c->older;
	else
		v->newest = c->older;
	ASAN_UNPOISON_MEMORY_REGION(c->bytes, c->cap);
	mem_free(c);
}

static char *block_room(struct vars *v, size_t n)
{
	struct chunk *c = v->newest;
	size_t room = n + OFFSET_BYTES;
	uint16_t offset;
	char *p;

	if ((!c || room > c->cap - c->used) && !(c = chunk_new(v, room)))
		return NULL;
	p = c->bytes + c->used;
	offset = (uint16_t)(p + OFFSET_BYTES - (char *)c);
	ASAN_UNPOISON_MEMORY_REGION(p, room);
	memcpy(p, &offset, sizeof(offset));
	c->used += (uint32_t)room, c->live++;
	return p + OFFSET_BYTES;
}

static size_t block_bytes(const struct var_slot *slot)
{
	const char *value = slot->block + slot->name_len + 1;
	size_t n = slot->name_len + 1 + strlen(value) + 1;

	return slot->origin == ORIGIN_MIXED ? n + strlen(slot->block + n) + 1 : n;
}

static void block_free(struct vars *v, const struct var_slot *slot)
{
	uint16_t offset;
	struct chunk *c;
	size_t n = block_bytes(slot);

	memcpy(&offset, slot->block - OFFSET_BYTES, sizeof(offset));
	c = (struct chunk *)(void *)(slot->block - offset);
	ASAN_POISON_MEMORY_REGION(slot->block - OFFSET_BYTES, n + OFFSET_BYTES);
	if (--c->live)
		return;
	if (c->newer || c->cap > CHUNK_MAX)
		chunk_free(v, c);
	else
		c->used = 0;
}

/* ---- slots ---- */

static inline bool is_slot_of(const struct var_slot *slot, const char *name, size_t n, uint32_t hash)
{
	return slot->hash == hash && slot->name_len == n && !strncasecmp(slot->block, name, n);
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
static long slot_find(const struct vars *v, const char *name, size_t n, uint32_t hash)
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
			if (k < v->count && is_slot_of(&v->slots[k], name, n, hash))
				return (long)k;
		}
	}
#else
	for (uint32_t i = 0; i < v->count; i++)
		if (v->tags[i] == (uint8_t)hash && is_slot_of(&v->slots[i], name, n, hash))
			return (long)i;
#endif
	return -1;
}

static void slot_remove(struct vars *v, uint32_t i)
{
	block_free(v, &v->slots[i]);
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

static const char *slot_value(const struct var_slot *slot)
{
	return slot->block + slot->name_len + 1;
}

/* Name, value and, when it is mixed, the text in one block. */
static char *block_new(struct vars *v, struct sv name, struct sv value, struct sv text)
{
	char *block = block_room(v, name.n + value.n + 2 + (text.n ? text.n + 1 : 0)), *p = block;

	if (!block)
		return NULL;
	memcpy(p, name.p, name.n);
	p += name.n;
	*p++ = 0;
	memcpy(p, value.p, value.n);
	p += value.n;
	*p++ = 0;
	if (text.n) {
		memcpy(p, text.p, text.n);
		p[text.n] = 0;
	}
	return block;
}

#ifdef __SANITIZE_ADDRESS__
static bool slot_take(const struct var_slot *slot, struct sv name, struct sv value)
{
	return false; /* who still looks at the old value shall be caught */
}
#else
/* A value that is no longer than the one before takes its place. Both may be views into that one. */
static bool slot_take(const struct var_slot *slot, struct sv name, struct sv value)
{
	char *to = slot->block + slot->name_len + 1;

	if (slot->origin == ORIGIN_MIXED || value.n > strlen(to))
		return false;
	memmove(to, value.p, value.n);
	to[value.n] = 0;
	memmove(slot->block, name.p, name.n); /* it may differ in capitals */
	return true;
}
#endif

/* An entry that was set again is the newest. */
static void slot_to_end(struct vars *v, uint32_t i, unsigned origin, bool is_array)
{
	struct var_slot slot = v->slots[i];
	uint8_t tag = v->tags[i];
	uint32_t last = v->count - 1;

	memmove(&v->slots[i], &v->slots[i + 1], (last - i) * sizeof(v->slots[0]));
	memmove(&v->tags[i], &v->tags[i + 1], last - i);
	slot.origin = origin & 3, slot.is_array = is_array;
	v->slots[last] = slot, v->tags[last] = tag;
}

#if defined(__SANITIZE_ADDRESS__)
/* A view is valid until the next change, of whatever variable: where the sanitizer looks on, each change moves all the
 * others, so that a view held too long is found by any test that comes by. */
static void blocks_move(struct vars *v)
{
	for (uint32_t i = 0; i < v->count; i++) {
		struct var_slot old = v->slots[i];
		size_t n = block_bytes(&old);
		char *moved = block_room(v, n);
		if (!moved)
			return;
		memcpy(moved, old.block, n);
		v->slots[i].block = moved;
		block_free(v, &old);
	}
}
#else
static void blocks_move(struct vars *v) {}
#endif

/* value has no marks; text is the same with them, or empty when origin is not mixed. A value ends at a zero byte, which
 * somebody outside may have sent; where a text lies behind it, it must end there too. */
static int set_slot(struct vars *v, struct sv name, struct sv value, unsigned origin, bool is_array, struct sv text)
{
	uint32_t hash = name_hash(name.p, name.n);
	size_t end = text.n ? strnlen(value.p, value.n) : value.n;
	long at;
	char *block;

	if (end < value.n) {
		value.n = end;
		text = mark_sub(text, 0, end);
	}
	if (!name.n || name.n >= 1u << 29 || value.n > VALUE_MAX)
		return ST_INVAL;
	at = slot_find(v, name.p, name.n, hash);
	if (!value.n) {
		if (at >= 0)
			slot_remove(v, (uint32_t)at);
		blocks_move(v);
		return ST_OK;
	}
	if (at >= 0 && !text.n && slot_take(&v->slots[at], name, value)) {
		slot_to_end(v, (uint32_t)at, origin, is_array);
		return ST_OK;
	}
	if (at < 0 && v->count >= VARS_MAX)
		return ST_LIMIT;
	if (at < 0 && v->count == v->cap && slots_grow(v))
		return ST_NOMEM;
	block = block_new(v, name, value, text);
	if (!block)
		return ST_NOMEM;
	if (at >= 0)
		slot_remove(v, (uint32_t)at);
	v->tags[v->count] = (uint8_t)hash;
	*seen_word(v, hash) |= seen_bit(hash);
	v->slots[v->count++] = (struct var_slot){.hash = hash,
	    .name_len = (uint32_t)name.n & 0x1fffffff,
	    .is_array = is_array,
	    .origin = origin & 3,
	    .block = block};
	blocks_move(v);
	return ST_OK;
}

static int set_plain(struct vars *v, struct sv name, struct sv value, unsigned origin, struct sv text)
{
	return set_slot(v, name, value, origin, false, text);
}

static int set_marked(struct vars *v, struct sv name, struct sv text, bool is_array)
{
	struct buf plain;
	bool is_whole;
	int st;

	if (!mark_has(text))
		return set_slot(v, name, text, ORIGIN_CONFIG, is_array, SV_NONE);
	is_whole = mark_is_whole(text);
	buf_init(&plain);
	mark_strip(&plain, text);
	st = plain.failed ? ST_NOMEM
	                  : set_slot(v, name, buf_sv(&plain), is_whole ? ORIGIN_OUTSIDE : ORIGIN_MIXED, is_array,
	                        is_whole ? SV_NONE : text);
	buf_fini(&plain);
	return st;
}

/* "ARRAY::a|:b" is an array; one of a single element reads as that element. */
static int set_sv(struct vars *v, struct sv name, struct sv text)
{
	bool is_array = sv_starts(text, SV(ARRAY_MARK));

	if (is_array && text.p && !memmem(text.p, text.n, "|:", 2))
		text = sv_sub(text, sizeof(ARRAY_MARK) - 1, text.n);
	return set_marked(v, name, text, is_array);
}

/* Cuts the first element off the text of an array. */
static struct sv element_take(struct sv *rest)
{
	const char *sep = rest->n ? memmem(rest->p, rest->n, "|:", 2) : NULL;
	struct sv one = sep ? sv_sub(*rest, 0, (size_t)(sep - rest->p)) : *rest;

	*rest = sep ? sv_sub(*rest, one.n + 2, rest->n) : SV_NONE;
	return one;
}

static struct sv elements_of(const char *text)
{
	struct sv all = sv_of(text);
	return sv_starts(all, SV(ARRAY_MARK)) ? sv_sub(all, sizeof(ARRAY_MARK) - 1, all.n) : all;
}

/* "name[index]": the element is replaced, those before it that are missing are empty; what is no array is begun anew.
 */
static int element_set(struct vars *v, struct sv name, long index, const char *text)
{
	struct buf b, scratch;
	struct sv rest = SV_NONE;
	bool is_more = false;
	int st;

	if (index < 0 || index > INDEX_MAX || !name.n)
		return ST_OK;
	char *base = sv_dup(name);
	if (!base)
		return ST_NOMEM;
	buf_init(&b);
	buf_init(&scratch);
	if (vars_is_array(v, base)) {
		rest = elements_of(vars_text(v, base, &scratch));
		is_more = true;
	}
	for (long i = 0; i <= index || is_more; i++) {
		bool was_last = is_more && !memmem(rest.n ? rest.p : "", rest.n, "|:", 2);
		struct sv one = element_take(&rest);
		buf_adds(&b, i ? "|:" : ARRAY_MARK);
		buf_addv(&b, i == index ? sv_of(text) : one);
		is_more = is_more && !was_last;
	}
	st = b.failed || scratch.failed ? ST_NOMEM : set_sv(v, name, buf_sv(&b));
	buf_fini(&scratch);
	buf_fini(&b);
	mem_free(base);
	return st;
}

int vars_set(struct vars *v, const char *name, const char *text)
{
	const char *bracket = strchr(name, '[');

	if (bracket && bracket[1])
		return text && *text ? element_set(v, (struct sv){name, (size_t)(bracket - name)},
		                           str_number(bracket + 1, -1, INDEX_MAX + 1), text)
		                     : ST_OK;
	return set_sv(v, sv_of(name), sv_of(text));
}

int vars_set_outside(struct vars *v, const char *name, const char *value)
{
	return set_plain(v, sv_of(name), sv_of(value), ORIGIN_OUTSIDE, SV_NONE);
}

int vars_set_outside_sv(struct vars *v, const char *name, struct sv value)
{
	return set_plain(v, sv_of(name), value, ORIGIN_OUTSIDE, SV_NONE);
}

int vars_set_received(struct vars *v, const char *name, const char *value)
{
	return set_plain(v, sv_of(name), sv_of(value), ORIGIN_RECEIVED, SV_NONE);
}

bool vars_is_received(const struct vars *v, const char *name)
{
	size_t n = strlen(name);
	long at = slot_find(v, name, n, name_hash(name, n));
	return at >= 0 && v->slots[at].origin == ORIGIN_RECEIVED;
}

int vars_setf(struct vars *v, const char *name, const char *fmt, ...)
{
	char text[256];
	va_list ap;
	int n, st;

	va_start(ap, fmt);
	n = fmt_vprint(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0)
		return ST_INVAL;
	if ((size_t)n < sizeof(text))
		return set_sv(v, sv_of(name), (struct sv){text, (size_t)n});
	struct buf b;
	buf_init(&b);
	va_start(ap, fmt);
	st = buf_vprintf(&b, fmt, ap);
	va_end(ap);
	if (!st)
		st = set_sv(v, sv_of(name), buf_sv(&b));
	buf_fini(&b);
	return st;
}

int vars_push(struct vars *v, const char *name, const char *text)
{
	struct buf b, scratch;
	const char *old;
	int st;

	if (!text || !*text)
		return vars_set(v, name, text);
	buf_init(&b);
	buf_init(&scratch);
	old = vars_text(v, name, &scratch);
	buf_adds(&b, ARRAY_MARK);
	if (old) {
		buf_addv(&b, vars_is_array(v, name) ? elements_of(old) : sv_of(old));
		buf_adds(&b, "|:");
	}
	buf_adds(&b, text);
	st = b.failed || scratch.failed ? ST_NOMEM : set_sv(v, sv_of(name), buf_sv(&b));
	buf_fini(&scratch);
	buf_fini(&b);
	return st;
}

int vars_unshift(struct vars *v, const char *name, const char *text)
{
	struct buf b, scratch;
	const char *old = NULL;
	int st;

	buf_init(&b);
	buf_init(&scratch);
	if (text && *text)
		old = vars_text(v, name, &scratch);
	if (!old) {
		st = vars_push(v, name, text);
	} else {
		buf_printf(&b, ARRAY_MARK "%s|:", text);
		buf_addv(&b, vars_is_array(v, name) ? elements_of(old) : sv_of(old));
		st = b.failed || scratch.failed ? ST_NOMEM : set_sv(v, sv_of(name), buf_sv(&b));
	}
	buf_fini(&scratch);
	buf_fini(&b);
	return st;
}

const char *vars_get(const struct vars *v, const char *name)
{
	size_t n = strlen(name);
	long at = slot_find(v, name, n, name_hash(name, n));
	return at < 0 ? NULL : v->slots[at].block + n + 1;
}

static const char *slot_text(const struct var_slot *slot, struct buf *scratch)
{
	const char *value = slot_value(slot);

	if (slot->origin == ORIGIN_CONFIG)
		return value;
	if (slot->origin == ORIGIN_MIXED)
		return value + strlen(value) + 1;
	buf_clear(scratch);
	mark_put(scratch, sv_of(value));
	return scratch->failed ? "" : scratch->p;
}

const char *vars_text(const struct vars *v, const char *name, struct buf *scratch)
{
	size_t n = strlen(name);
	long at = slot_find(v, name, n, name_hash(name, n));
	return at < 0 ? NULL : slot_text(&v->slots[at], scratch);
}

bool vars_is_array(const struct vars *v, const char *name)
{
	size_t n = strlen(name);
	long at = slot_find(v, name, n, name_hash(name, n));
	return at >= 0 && v->slots[at].is_array;
}

bool vars_element_of(struct sv array, size_t index, struct sv *out)
{
	struct sv rest = array;

	if (sv_starts(rest, SV(ARRAY_MARK)))
		rest = sv_sub(rest, sizeof(ARRAY_MARK) - 1, rest.n);
	for (size_t i = 0; i < index; i++)
		if (!(element_take(&rest), rest.p))
			return false;
	*out = element_take(&rest);
	return true;
}

const char *vars_element(const struct vars *v, const char *name, size_t index, struct buf *scratch)
{
	struct sv one = SV_NONE;
	struct buf whole;

	if (!vars_is_array(v, name))
		return NULL;
	buf_init(&whole);
	bool is_there = vars_element_of(sv_of(vars_text(v, name, &whole)), index, &one);
	buf_clear(scratch);
	if (is_there)
		buf_addv(scratch, one);
	buf_fini(&whole);
	return !is_there ? NULL : scratch->p ? scratch->p : "";
}

static void each_run(struct sv text, struct buf *run, void (*fn)(struct sv run, void *arg), void *arg)
{
	struct mark_it it = {.rest = text};

	buf_clear(run);
	while (mark_next(&it)) {
		if (it.is_outside) {
			buf_addc(run, it.byte);
		} else if (run->n) {
			fn(buf_sv(run), arg);
			buf_clear(run);
		}
	}
	if (run->n)
		fn(buf_sv(run), arg);
}

void vars_each_outside(const struct vars *v, void (*fn)(struct sv run, void *arg), void *arg)
{
	struct buf run;

	buf_init(&run);
	for (uint32_t i = 0; i < v->count; i++) {
		const struct var_slot *slot = &v->slots[i];
		if (slot->origin == ORIGIN_OUTSIDE || slot->origin == ORIGIN_RECEIVED)
			fn(sv_of(slot_value(slot)), arg);
		else if (slot->origin == ORIGIN_MIXED)
			each_run(sv_of(slot_text(slot, &run)), &run, fn, arg);
	}
	buf_fini(&run);
}

static int slot_copy(struct vars *to, struct sv to_name, const struct var_slot *slot)
{
	const char *value = slot_value(slot);
	struct sv text = slot->origin == ORIGIN_MIXED ? sv_of(value + strlen(value) + 1) : SV_NONE;
	unsigned origin = slot->origin == ORIGIN_RECEIVED ? ORIGIN_OUTSIDE : slot->origin;
	return set_slot(to, to_name, sv_of(value), origin, slot->is_array, text);
}

int vars_copy_one(struct vars *to, const char *to_name, const struct vars *from, const char *name)
{
	size_t n = strlen(name);
	long at = slot_find(from, name, n, name_hash(name, n));
	return at < 0 ? ST_OK : slot_copy(to, sv_of(to_name), &from->slots[at]);
}

size_t vars_count(const struct vars *v)
{
	return v ? v->count : 0;
}

void vars_at(const struct vars *v, size_t i, const char **name, const char **value)
{
	*name = v->slots[i].block;
	*value = slot_value(&v->slots[i]);
}

bool vars_next_named(const struct vars *v, struct sv prefix, size_t *at, const char **name, const char **value)
{
	for (; *at < v->count; ++*at) {
		const struct var_slot *slot = &v->slots[*at];
		if (((slot->block[0] ^ prefix.p[0]) & 0xdf) || slot->name_len <= prefix.n ||
		    strncasecmp(slot->block, prefix.p, prefix.n) != 0)
			continue;
		vars_at(v, (*at)++, name, value);
		return true;
	}
	return false;
}

int vars_copy(struct vars *to, const struct vars *from)
{
	int st = ST_OK;
	for (uint32_t i = 0; from && i < from->count && !st; i++)
		st = slot_copy(to, (struct sv){from->slots[i].block, from->slots[i].name_len}, &from->slots[i]);
	return st;
}

/* "name=value", in place; a name without a value changes nothing. */
static int parse_pair(struct vars *v, char *pair)
{
	char *word[2];
	struct sv name;

	if (words_split(pair, '=', word, 2) < 2 || !*word[0] || !*word[1])
		return ST_OK;
	name = sv_of(word[0]);
	if (mark_has(sv_sub(name, 0, 2))) /* a name from outside could be any */
		return ST_DENIED;
	mark_strip_in_place(word[0]);
	return vars_set(v, word[0], word[1]);
}

int vars_parse_at(struct vars *v, struct sv text, char sep)
{
	char *pair[PARSE_MAX], *copy = sv_dup(text);
	struct vars *fresh = NULL;
	int st = copy ? vars_new(&fresh) : ST_NOMEM, n;

	n = st ? 0 : words_split(copy, sep, pair, PARSE_MAX);
	if (n == PARSE_MAX)
		st = ST_PARSE;
	for (int i = 0; i < n && !st; i++)
		st = parse_pair(fresh, pair[i]);
	if (!st)
		st = vars_copy(v, fresh);
	else if (st != ST_NOMEM)
		st = ST_PARSE;
	vars_free(fresh);
	mem_free(copy);
	return st;
}

int vars_parse(struct vars *v, struct sv text)
{
	return vars_parse_at(v, text, ',');
}
