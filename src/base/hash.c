/* The hash table: entries in one array in insertion order, found through an open-addressing index of entry numbers.
 * A removal leaves a hole in the entries and a grave in the index, so iterators stay valid; both are swept when the
 * array is full. The key of the SipHash is drawn once per process. */
#include "base/hash.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/status.h"

#include <pthread.h>
#include <string.h>

enum { INDEX_FREE = 0, INDEX_GRAVE = 1, INDEX_BASE = 2, CAP_FIRST = 8 };

struct entry {
	char *key; /* NULL: a hole */
	size_t key_n;
	uint64_t sum;
	void *value;
};

struct hash {
	struct entry *entries;
	uint32_t *index; /* 2 * cap numbers */
	size_t cap, used, count;
	unsigned flags;
	hash_free_fn free_fn;
};

static uint64_t sip_key[2];
static pthread_once_t sip_once = PTHREAD_ONCE_INIT;

static void sip_key_make(void)
{
	rand_bytes(sip_key, sizeof(sip_key));
}

#define ROTL(x, b) (((x) << (b)) | ((x) >> (64 - (b))))

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1], v[1] = ROTL(v[1], 13) ^ v[0], v[0] = ROTL(v[0], 32);
	v[2] += v[3], v[3] = ROTL(v[3], 16) ^ v[2];
	v[0] += v[3], v[3] = ROTL(v[3], 21) ^ v[0];
	v[2] += v[1], v[1] = ROTL(v[1], 17) ^ v[2], v[2] = ROTL(v[2], 32);
}

/* ASCII capitals as small letters, in eight bytes at once: a byte's top bit tells on which side of a letter it is. */
static inline uint64_t sip_fold(uint64_t w)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones * 0x80;
	uint64_t low = w & ~tops, from_a = low + ones * (0x80 - 'A'), above_z = low + ones * (0x80 - 'Z' - 1);

	return w | ((from_a & ~above_z & ~w & tops) >> 2);
}

static uint64_t sip_hash(const void *data, size_t n, bool is_folded)
{
	const unsigned char *p = data;
	pthread_once(&sip_once, sip_key_make);
	uint64_t v[4] = {sip_key[0] ^ 0x736f6d6570736575u, sip_key[1] ^ 0x646f72616e646f6du,
	    sip_key[0] ^ 0x6c7967656e657261u, sip_key[1] ^ 0x7465646279746573u};
	uint64_t last = (uint64_t)n << 56, w = 0;
	for (; n >= 8; p += 8, n -= 8) {
		memcpy(&w, p, 8);
		w = is_folded ? sip_fold(w) : w;
		v[3] ^= w;
		sip_round(v);
		v[0] ^= w;
	}
	w = 0;
	if (n)
		memcpy(&w, p, n);
	last |= is_folded ? sip_fold(w) : w;
	v[3] ^= last;
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t hash_bytes(const void *p, size_t n)
{
	return sip_hash(p, n, false);
}

static uint64_t key_sum(const struct hash *h, struct sv key)
{
	return sip_hash(key.p, key.n, h->flags & HASH_NOCASE);
}

int hash_new(struct hash **out, unsigned flags, hash_free_fn free_fn)
{
	struct hash *h = mem_zalloc(sizeof(*h));
	if (!h)
		return ST_NOMEM;
	h->flags = flags, h->free_fn = free_fn;
	*out = h;
	return ST_OK;
}

static void value_free(const struct hash *h, void *value)
{
	if (h->free_fn)
		h->free_fn(value);
}

void hash_free(struct hash *h)
{
	if (!h)
		return;
	for (size_t i = 0; i < h->used; i++) {
		struct entry e = h->entries[i];
		if (!e.key)
			continue;
		h->entries[i].key = NULL;
		mem_free(e.key);
		value_free(h, e.value);
	}
	mem_free(h->entries);
	mem_free(h->index);
	mem_free(h);
}

static void index_put(uint32_t *index, size_t mask, uint64_t sum, size_t number)
{
	size_t at = sum & mask;
	while (index[at] != INDEX_FREE)
		at = (at + 1) & mask;
	index[at] = (uint32_t)number + INDEX_BASE;
}

/* Makes room for one more entry: sweeps holes, doubles when more than half of the entries live. */
static int hash_grow(struct hash *h)
{
	size_t cap = !h->cap ? CAP_FIRST : h->count * 2 > h->cap ? h->cap * 2 : h->cap;
	if (cap > UINT32_MAX / 4)
		return ST_NOMEM;
	struct entry *entries = mem_alloc(cap * sizeof(*entries));
	uint32_t *index = mem_zalloc(2 * cap * sizeof(*index));
	size_t used = 0;
	if (!entries || !index) {
		mem_free(entries);
		mem_free(index);
		return ST_NOMEM;
	}
	for (size_t i = 0; i < h->used; i++) {
		if (!h->entries[i].key)
			continue;
		index_put(index, 2 * cap - 1, h->entries[i].sum, used);
		entries[used++] = h->entries[i];
	}
	mem_free(h->entries);
	mem_free(h->index);
	h->entries = entries, h->index = index, h->cap = cap, h->used = used;
	return ST_OK;
}

/* The index position of key, or -1. */
static ptrdiff_t hash_find(const struct hash *h, struct sv key, uint64_t sum)
{
	if (!h->count)
		return -1;
	size_t mask = 2 * h->cap - 1;
	for (size_t at = sum & mask; h->index[at] != INDEX_FREE; at = (at + 1) & mask) {
		if (h->index[at] == INDEX_GRAVE)
			continue;
		const struct entry *e = &h->entries[h->index[at] - INDEX_BASE];
		struct sv k = {e->key, e->key_n};
		if (e->sum == sum && (h->flags & HASH_NOCASE ? sv_eqi(k, key) : sv_eq(k, key)))
			return (ptrdiff_t)at;
	}
	return -1;
}

int hash_set(struct hash *h, struct sv key, void *value)
{
	CHECK(value);
	uint64_t sum = key_sum(h, key);
	ptrdiff_t at = hash_find(h, key, sum);
	if (at >= 0) {
		struct entry *e = &h->entries[h->index[at] - INDEX_BASE];
		void *was = e->value;
		e->value = value;
		if (was != value)
			value_free(h, was);
		return ST_OK;
	}
	char *copy = sv_dup(key);
	if (!copy)
		return ST_NOMEM;
	if (h->used == h->cap && hash_grow(h)) {
		mem_free(copy);
		return ST_NOMEM;
	}
	h->entries[h->used] = (struct entry){copy, key.n, sum, value};
	index_put(h->index, 2 * h->cap - 1, sum, h->used);
	h->used++, h->count++;
	return ST_OK;
}

void *hash_get(const struct hash *h, struct sv key)
{
	ptrdiff_t at = h->count ? hash_find(h, key, key_sum(h, key)) : -1;
	return at < 0 ? NULL : h->entries[h->index[at] - INDEX_BASE].value;
}

void *hash_take(struct hash *h, struct sv key)
{
	ptrdiff_t at = h->count ? hash_find(h, key, key_sum(h, key)) : -1;
	if (at < 0)
		return NULL;
	struct entry *e = &h->entries[h->index[at] - INDEX_BASE];
	void *value = e->value;
	h->index[at] = INDEX_GRAVE;
	mem_free(e->key);
	e->key = NULL;
	h->count--;
	return value;
}

bool hash_del(struct hash *h, struct sv key)
{
	void *value = hash_take(h, key);
	if (value)
		value_free(h, value);
	return value != NULL;
}

size_t hash_count(const struct hash *h)
{
	return h->count;
}

bool hash_next(const struct hash *h, struct hash_it *it)
{
	for (; it->i < h->used; it->i++) {
		const struct entry *e = &h->entries[it->i];
		if (!e->key)
			continue;
		it->key = (struct sv){e->key, e->key_n};
		it->value = e->value;
		it->i++;
		return true;
	}
	return false;
}
