/* Counted objects and plain blocks over malloc. Every object carries a 32-byte header (type, destructor, size, count),
 * every block a 16-byte one (size, mark), so that addresses keep 16-byte alignment and a wrong free is caught.
 * Counts per type sit in a small open-addressing table keyed by the address of the type's literal; equal texts at
 * different addresses are added up when reported. Counters are relaxed atomics; those of blocks are spread over
 * cache lines by thread. The log's own memory does not come from here. */
#include "base/mem.h"
#include "base/check.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { TYPE_SLOTS = 1024, BLOCK_SHARDS = 16 };
enum { MARK_PLAIN = 0x4f424a31, MARK_ATOMIC = 0x4f424a32, MARK_DEAD = 0xdeadu, MARK_BLOCK = 0x424c4b31 };

struct type_slot {
	_Atomic(const char *) type;
	_Atomic size_t live, bytes;
};

struct object {
	struct type_slot *slot;
	mem_free_fn dtor;
	size_t bytes;
	_Atomic uint32_t refs;
	uint32_t mark;
};
_Static_assert(sizeof(struct object) == 32, "objects stay 16-byte aligned");

struct block {
	size_t bytes;
	uint32_t mark, unused;
};
_Static_assert(sizeof(struct block) == 16, "blocks stay 16-byte aligned");

struct shard {
	_Alignas(64) _Atomic size_t blocks, bytes;
};

static struct type_slot type_slots[TYPE_SLOTS];
static struct type_slot other_types = {.type = "other"};
static struct shard shards[BLOCK_SHARDS];
static atomic_uint next_shard;
static _Atomic long fail_left;

#define ADD(counter, n) atomic_fetch_add_explicit(&(counter), (n), memory_order_relaxed)
#define SUB(counter, n) atomic_fetch_sub_explicit(&(counter), (n), memory_order_relaxed)
#define GET(counter) atomic_load_explicit(&(counter), memory_order_relaxed)

static struct shard *my_shard(void)
{
	static _Thread_local struct shard *mine;
	if (!mine)
		mine = &shards[atomic_fetch_add(&next_shard, 1) % BLOCK_SHARDS];
	return mine;
}

static struct type_slot *type_find(const char *type)
{
	size_t i = ((uintptr_t)type * 0x9e3779b97f4a7c15u) >> 54;
	for (size_t n = 0; n < TYPE_SLOTS; n++, i = (i + 1) % TYPE_SLOTS) {
		struct type_slot *s = &type_slots[i];
		const char *was = atomic_load_explicit(&s->type, memory_order_acquire);
		if (was == type)
			return s;
		if (!was && (atomic_compare_exchange_strong(&s->type, &was, type) || was == type))
			return s;
	}
	return &other_types;
}

static bool is_told_to_fail(void)
{
	if (__builtin_expect(GET(fail_left) == 0, 1))
		return false;
	return atomic_fetch_sub(&fail_left, 1) == 1;
}

static void *raw_alloc(size_t bytes, size_t header, bool is_zeroed)
{
	if (is_told_to_fail())
		return NULL;
	CHECK(bytes <= SIZE_MAX / 2);
	void *p = is_zeroed ? calloc(1, bytes + header) : malloc(bytes + header);
	if (!p)
		check_fail(__FILE__, __LINE__, __func__, "out of memory");
	return p;
}

static void *object_new(size_t bytes, mem_free_fn dtor, const char *type, uint32_t mark)
{
	struct object *o = raw_alloc(bytes, sizeof(*o), true);
	if (!o)
		return NULL;
	o->slot = type_find(type);
	o->dtor = dtor, o->bytes = bytes, o->mark = mark;
	atomic_init(&o->refs, 1);
	ADD(o->slot->live, 1);
	ADD(o->slot->bytes, bytes);
	return o + 1;
}

void *mem_new(size_t bytes, mem_free_fn dtor, const char *type)
{
	return object_new(bytes, dtor, type, MARK_PLAIN);
}

void *mem_new_atomic(size_t bytes, mem_free_fn dtor, const char *type)
{
	return object_new(bytes, dtor, type, MARK_ATOMIC);
}

static struct object *object_of(const void *obj)
{
	struct object *o = (struct object *)(uintptr_t)obj - 1;
	CHECK(o->mark == MARK_PLAIN || o->mark == MARK_ATOMIC);
	return o;
}

void *mem_ref(void *obj)
{
	if (!obj)
		return NULL;
	struct object *o = object_of(obj);
	if (o->mark == MARK_ATOMIC) {
		ADD(o->refs, 1);
	} else {
		atomic_store_explicit(&o->refs, GET(o->refs) + 1, memory_order_relaxed);
	}
	return obj;
}

void *mem_unref(void *obj)
{
	if (!obj)
		return NULL;
	struct object *o = object_of(obj);
	uint32_t was;
	if (o->mark == MARK_ATOMIC) {
		was = atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel);
	} else {
		was = GET(o->refs);
		if (was > 1)
			atomic_store_explicit(&o->refs, was - 1, memory_order_relaxed);
	}
	CHECK(was > 0);
	if (was > 1)
		return NULL;
	/* A high count, so that a pair of ref and unref inside the destructor does not free twice. */
	atomic_store_explicit(&o->refs, 0x40000000, memory_order_relaxed);
	if (o->dtor)
		o->dtor(obj);
	SUB(o->slot->live, 1);
	SUB(o->slot->bytes, o->bytes);
	o->mark = MARK_DEAD;
	free(o);
	return NULL;
}

unsigned mem_refs(const void *obj)
{
	return obj ? GET(object_of(obj)->refs) : 0;
}

static void *block_new(size_t bytes, bool is_zeroed)
{
	struct block *b = raw_alloc(bytes, sizeof(*b), is_zeroed);
	if (!b)
		return NULL;
	b->bytes = bytes, b->mark = MARK_BLOCK;
	struct shard *s = my_shard();
	ADD(s->blocks, 1);
	ADD(s->bytes, bytes);
	return b + 1;
}

void *mem_alloc(size_t bytes)
{
	return block_new(bytes, false);
}

void *mem_zalloc(size_t bytes)
{
	return block_new(bytes, true);
}

void *mem_realloc(void *p, size_t bytes)
{
	if (!p)
		return mem_alloc(bytes);
	if (is_told_to_fail())
		return NULL;
	struct block *b = (struct block *)p - 1;
	CHECK(b->mark == MARK_BLOCK && bytes <= SIZE_MAX / 2);
	size_t was = b->bytes;
	b = realloc(b, bytes + sizeof(*b));
	if (!b)
		check_fail(__FILE__, __LINE__, __func__, "out of memory");
	b->bytes = bytes;
	ADD(my_shard()->bytes, bytes - was); /* wraps: only the sum over the shards means something */
	return b + 1;
}

void mem_free(void *p)
{
	if (!p)
		return;
	struct block *b = (struct block *)p - 1;
	CHECK(b->mark == MARK_BLOCK);
	struct shard *s = my_shard();
	SUB(s->blocks, 1);
	SUB(s->bytes, b->bytes);
	b->mark = MARK_DEAD;
	free(b);
}

char *mem_strndup(const char *s, size_t n)
{
	char *p = mem_alloc(n + 1);
	if (!p)
		return NULL;
	if (n)
		memcpy(p, s, n);
	p[n] = 0;
	return p;
}

char *mem_strdup(const char *s)
{
	return s ? mem_strndup(s, strlen(s)) : NULL;
}

size_t mem_live_objects(void)
{
	size_t sum = GET(other_types.live);
	for (size_t i = 0; i < TYPE_SLOTS; i++)
		sum += GET(type_slots[i].live);
	return sum;
}

size_t mem_live_blocks(void)
{
	size_t sum = 0;
	for (size_t i = 0; i < BLOCK_SHARDS; i++)
		sum += GET(shards[i].blocks);
	return sum;
}

/* True when an earlier slot has the same text: that slot reports for both. */
static bool is_repeated(size_t i, const char *type)
{
	for (size_t j = 0; j < i; j++) {
		if (GET(type_slots[j].live) && !strcmp(GET(type_slots[j].type), type))
			return true;
	}
	return false;
}

void mem_each_type(void (*fn)(const char *type, size_t live, size_t bytes, void *arg), void *arg)
{
	for (size_t i = 0; i < TYPE_SLOTS; i++) {
		size_t live = GET(type_slots[i].live), bytes = GET(type_slots[i].bytes);
		const char *type = GET(type_slots[i].type);
		if (!live || is_repeated(i, type))
			continue;
		for (size_t j = i + 1; j < TYPE_SLOTS; j++) {
			if (GET(type_slots[j].live) && !strcmp(GET(type_slots[j].type), type)) {
				live += GET(type_slots[j].live);
				bytes += GET(type_slots[j].bytes);
			}
		}
		fn(type, live, bytes, arg);
	}
	if (GET(other_types.live))
		fn("other", GET(other_types.live), GET(other_types.bytes), arg);
	size_t bytes = 0, blocks = mem_live_blocks();
	for (size_t i = 0; i < BLOCK_SHARDS; i++)
		bytes += GET(shards[i].bytes);
	if (blocks)
		fn("blocks", blocks, bytes, arg);
}

void mem_fail_after(long n)
{
	atomic_store(&fail_left, n);
}

long mem_fail_left(void)
{
	long n = atomic_load(&fail_left);
	return n > 0 ? n : 0;
}
