/* Counted objects and plain blocks over malloc. Every object carries a 32-byte header (type, destructor, size, count),
 * so that its address keeps 16-byte alignment; every block one of 8 bytes (size, room, mark), since there are a hundred
 * small ones a call. A wrong free is caught by the mark.
 * Counts per type sit in a small open-addressing table keyed by the address of the type's literal; equal texts at
 * different addresses are added up when reported. Blocks are counted by the room of the file that allocates, which the
 * block remembers by number. Counters are relaxed atomics; those of blocks are spread over cache lines by thread. The
 * log's own memory does not come from here. */
#include "base/mem.h"
#include "base/check.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Here the functions themselves are defined. */
#undef mem_new
#undef mem_new_atomic
#undef mem_alloc
#undef mem_zalloc
#undef mem_realloc
#undef mem_strdup
#undef mem_strndup

enum { TYPE_SLOTS = 1024, BLOCK_SHARDS = 4, ROOMS_MAX = 64, ROOM_CHARS = 24 };
enum { MARK_PLAIN = 0x4f424a31, MARK_ATOMIC = 0x4f424a32, MARK_DEAD = 0xdeadu, MARK_BLOCK = 0x424c };

struct type_slot {
	_Atomic(const char *) type;
	_Atomic size_t live, bytes;
	_Atomic unsigned room;
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
	uint64_t bytes : 40, room : 8, mark : 16;
};
_Static_assert(sizeof(struct block) == 8, "blocks stay 8-byte aligned");
_Static_assert(ROOMS_MAX <= 256, "a room is a byte");
#define BLOCK_MAX ((size_t)1 << 40)

struct room {
	char name[ROOM_CHARS];
	atomic_bool is_ready;
};
struct room_count {
	_Atomic size_t blocks, bytes;
};
struct shard {
	_Alignas(64) struct room_count rooms[ROOMS_MAX];
};

static struct type_slot type_slots[TYPE_SLOTS];
static struct type_slot other_types = {.type = "other"};
static struct room rooms[ROOMS_MAX] = {[1] = {"other", true}}; /* 0 means not found yet */
static atomic_uint room_count = 2;
static struct shard shards[BLOCK_SHARDS];
static struct mem_site unnamed_site = {"", 1};
static atomic_uint next_shard;
static _Atomic long fail_left;

#define ADD(counter, n) atomic_fetch_add_explicit(&(counter), (n), memory_order_relaxed)
#define SUB(counter, n) atomic_fetch_sub_explicit(&(counter), (n), memory_order_relaxed)
#define GET(counter) atomic_load_explicit(&(counter), memory_order_relaxed)

static struct room_count *count_of(unsigned room)
{
	static _Thread_local struct shard *mine;
	if (!mine)
		mine = &shards[atomic_fetch_add(&next_shard, 1) % BLOCK_SHARDS];
	return &mine->rooms[room];
}

/* The folder below the last "src/" of a path. Two threads may name a room twice: reports add the two up. */
static unsigned room_find(const char *file)
{
	const char *from = NULL, *to = strrchr(file, '/'), *at = file;
	while ((at = strstr(at, "src/")))
		from = at += 4;
	if (!from || to <= from || (size_t)(to - from) >= ROOM_CHARS)
		return 1;
	size_t n = (size_t)(to - from);
	unsigned count = atomic_load(&room_count);
	for (unsigned i = 1; i < count && i < ROOMS_MAX; i++)
		if (atomic_load(&rooms[i].is_ready) && !strncmp(rooms[i].name, from, n) && !rooms[i].name[n])
			return i;
	unsigned mine = atomic_fetch_add(&room_count, 1);
	if (mine >= ROOMS_MAX)
		return 1;
	memcpy(rooms[mine].name, from, n);
	atomic_store(&rooms[mine].is_ready, true);
	return mine;
}

static inline __attribute__((always_inline)) unsigned room_of(struct mem_site *site)
{
	unsigned room = GET(site->room);
	if (__builtin_expect(!room, 0)) {
		room = room_find(site->file);
		atomic_store_explicit(&site->room, room, memory_order_relaxed);
	}
	return room;
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

enum { SMALL_MAX = 960 }; /* with its header still one of those that malloc keeps by thread */
static void *raw_alloc(size_t bytes, size_t header, bool is_zeroed)
{
	if (is_told_to_fail())
		return NULL;
	CHECK(bytes <= SIZE_MAX / 2);
	/* calloc knows pages that are zero already, and nothing of the thread's own free blocks, where small ones lie.
	 */
	bool is_small = bytes <= SMALL_MAX;
	void *p = is_zeroed && !is_small ? calloc(1, bytes + header) : malloc(bytes + header);
	if (!p)
		check_fail(__FILE__, __LINE__, __func__, "out of memory");
	if (is_zeroed && is_small) {
		__asm__ volatile(""
		                 :
		                 : "r"(p)
		                 : "memory"); /* or the compiler makes it the calloc that it is not to be */
		memset(p, 0, bytes + header);
	}
	return p;
}

static void *object_new(struct mem_site *site, size_t bytes, mem_free_fn dtor, const char *type, uint32_t mark)
{
	struct object *o = raw_alloc(bytes, sizeof(*o), true);
	if (!o)
		return NULL;
	o->slot = type_find(type);
	if (!GET(o->slot->room))
		atomic_store_explicit(&o->slot->room, room_of(site), memory_order_relaxed);
	o->dtor = dtor, o->bytes = bytes, o->mark = mark;
	atomic_init(&o->refs, 1);
	ADD(o->slot->live, 1);
	ADD(o->slot->bytes, bytes);
	return o + 1;
}

void *mem_new_at(struct mem_site *site, size_t bytes, mem_free_fn dtor, const char *type)
{
	return object_new(site, bytes, dtor, type, MARK_PLAIN);
}

void *mem_new_atomic_at(struct mem_site *site, size_t bytes, mem_free_fn dtor, const char *type)
{
	return object_new(site, bytes, dtor, type, MARK_ATOMIC);
}

void *mem_new(size_t bytes, mem_free_fn dtor, const char *type)
{
	return mem_new_at(&unnamed_site, bytes, dtor, type);
}

void *mem_new_atomic(size_t bytes, mem_free_fn dtor, const char *type)
{
	return mem_new_atomic_at(&unnamed_site, bytes, dtor, type);
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

static void *block_new(struct mem_site *site, size_t bytes, bool is_zeroed)
{
	CHECK(bytes < BLOCK_MAX);
	struct block *b = raw_alloc(bytes, sizeof(*b), is_zeroed);
	if (!b)
		return NULL;
	b->bytes = bytes, b->mark = MARK_BLOCK, b->room = room_of(site) & 0xff;
	struct room_count *k = count_of(b->room);
	ADD(k->blocks, 1);
	ADD(k->bytes, bytes);
	return b + 1;
}

void *mem_alloc_at(struct mem_site *site, size_t bytes)
{
	return block_new(site, bytes, false);
}

void *mem_zalloc_at(struct mem_site *site, size_t bytes)
{
	return block_new(site, bytes, true);
}

void *mem_realloc_at(struct mem_site *site, void *p, size_t bytes)
{
	if (!p)
		return mem_alloc_at(site, bytes);
	if (is_told_to_fail())
		return NULL;
	struct block *b = (struct block *)p - 1;
	CHECK(b->mark == MARK_BLOCK && bytes < BLOCK_MAX);
	size_t was = b->bytes;
	b = realloc(b, bytes + sizeof(*b));
	if (!b)
		check_fail(__FILE__, __LINE__, __func__, "out of memory");
	b->bytes = bytes;
	ADD(count_of(b->room)->bytes, bytes - was); /* wraps: only the sum over the shards means something */
	return b + 1;
}

void mem_free(void *p)
{
	if (!p)
		return;
	struct block *b = (struct block *)p - 1;
	CHECK(b->mark == MARK_BLOCK);
	struct room_count *k = count_of(b->room);
	SUB(k->blocks, 1);
	SUB(k->bytes, b->bytes);
	b->mark = MARK_DEAD & 0xffff;
	free(b);
}

char *mem_strndup_at(struct mem_site *site, const char *s, size_t n)
{
	char *p = mem_alloc_at(site, n + 1);
	if (!p)
		return NULL;
	if (n)
		memcpy(p, s, n);
	p[n] = 0;
	return p;
}

char *mem_strdup_at(struct mem_site *site, const char *s)
{
	return s ? mem_strndup_at(site, s, strlen(s)) : NULL;
}

void *mem_alloc(size_t bytes)
{
	return mem_alloc_at(&unnamed_site, bytes);
}

void *mem_zalloc(size_t bytes)
{
	return mem_zalloc_at(&unnamed_site, bytes);
}

void *mem_realloc(void *p, size_t bytes)
{
	return mem_realloc_at(&unnamed_site, p, bytes);
}

char *mem_strndup(const char *s, size_t n)
{
	return mem_strndup_at(&unnamed_site, s, n);
}

char *mem_strdup(const char *s)
{
	return mem_strdup_at(&unnamed_site, s);
}

static void blocks_of(unsigned room, size_t *blocks, size_t *bytes)
{
	*blocks = *bytes = 0;
	for (size_t i = 0; i < BLOCK_SHARDS; i++) {
		*blocks += GET(shards[i].rooms[room].blocks);
		*bytes += GET(shards[i].rooms[room].bytes);
	}
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
	size_t sum = 0, blocks, bytes;
	for (unsigned i = 1; i < ROOMS_MAX; i++) {
		blocks_of(i, &blocks, &bytes);
		sum += blocks;
	}
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
	size_t all_bytes = 0, all_blocks = 0;
	for (unsigned i = 1; i < ROOMS_MAX; i++) {
		size_t blocks, bytes;
		blocks_of(i, &blocks, &bytes);
		all_blocks += blocks, all_bytes += bytes;
	}
	if (all_blocks)
		fn("blocks", all_blocks, all_bytes, arg);
}

static bool is_same_room(unsigned a, unsigned b)
{
	return a == b || !strcmp(rooms[a].name, rooms[b].name);
}

static unsigned slot_room(const struct type_slot *s)
{
	unsigned room = GET(s->room);
	return room ? room : 1;
}

void mem_each_room(void (*fn)(const char *room, size_t live, size_t bytes, void *arg), void *arg)
{
	size_t live[ROOMS_MAX] = {0}, bytes[ROOMS_MAX] = {0};
	unsigned count = atomic_load(&room_count);
	if (count > ROOMS_MAX)
		count = ROOMS_MAX;
	for (unsigned i = 1; i < count; i++)
		blocks_of(i, &live[i], &bytes[i]);
	for (size_t i = 0; i < TYPE_SLOTS; i++) {
		unsigned room = slot_room(&type_slots[i]);
		live[room] += GET(type_slots[i].live);
		bytes[room] += GET(type_slots[i].bytes);
	}
	for (unsigned i = 1; i < count; i++) {
		bool is_told = !atomic_load(&rooms[i].is_ready);
		for (unsigned j = 1; j < i && !is_told; j++)
			is_told = is_same_room(i, j);
		for (unsigned j = i + 1; j < count && !is_told; j++)
			if (is_same_room(i, j))
				live[i] += live[j], bytes[i] += bytes[j];
		if (!is_told && live[i])
			fn(rooms[i].name, live[i], bytes[i], arg);
	}
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
